//! An SMSC that refuses the bind: told in `/readyz?verbose`, once in the log, tried again without haste, and healed by itself.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World, wait};

#[test]
fn wrong_password() -> Result<()> {
    let smsc = Smsc::with_password(Make::chosen()?, Some("another"))?;
    let world = World::with(&smsc)?;
    let gateway = world.start()?;
    let start = Instant::now();
    wait::until_true("the bind is refused", || Ok(smsc.count("bind_refused") > 0))?;

    wait::until_true("readyz tells of the refused bind", || {
        let answer = gateway.look("/readyz?verbose")?;
        let told = answer.text.to_lowercase();
        Ok(answer.status == 503
            && (told.contains("password") || told.contains("rinvpaswd") || told.contains("refused")))
    })?;
    // Long enough for a hasty client to have tried a dozen times.
    wait::within(Duration::from_secs(60), "a second attempt", || Ok((smsc.count("bind_refused") > 1).then_some(())))?;
    let waited = start.elapsed().as_secs();
    ensure!(
        smsc.count("bind_refused") as u64 <= 2 + waited / 2,
        "{} attempts in {waited} s",
        smsc.count("bind_refused")
    );

    let printed = world.printed()?.to_lowercase();
    let warned = |line: &&str| (line.contains("warn") || line.contains("error")) && line.contains("bind");
    let warnings: Vec<_> = printed.lines().filter(warned).collect();
    ensure!(warnings.len() == 1, "said once, not at each attempt: {warnings:#?}");
    ensure!(!printed.contains("secret"), "the password is never printed");
    gateway.stop()
}
