//! An SMSC that refuses the bind: told in `/readyz?verbose`, once in the log, tried again without haste, and healed by itself.

use std::time::Instant;

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World, wait};

/// Seconds between two attempts.
const PAUSE: u64 = 3;

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::with_password(make, Some("another"))?;
    let mut world = World::new()?;
    // A minute by default; three seconds are still slow beside a link that merely broke.
    world.set("SMSC__URLS", &format!("{}?refused_wait={PAUSE}s", smsc.url()));
    let gateway = world.start()?;
    let start = Instant::now();
    wait::until_true("the bind is refused", || Ok(smsc.count("bind_refused") > 0))?;

    wait::until_true("readyz tells of the refused bind", || {
        let answer = gateway.look("/readyz?verbose")?;
        let told = answer.text.to_lowercase();
        Ok(answer.status == 503
            && (told.contains("password") || told.contains("rinvpaswd") || told.contains("refused")))
    })?;
    wait::until("a third attempt", || Ok((smsc.count("bind_refused") > 2).then_some(())))?;
    let (attempts, waited) = (smsc.count("bind_refused") as u64, start.elapsed().as_secs());
    ensure!(attempts <= 2 + waited / PAUSE, "{attempts} attempts in {waited} s");

    let printed = world.printed()?.to_lowercase();
    let warned = |line: &&str| (line.contains("warn") || line.contains("error")) && line.contains("bind");
    let warnings: Vec<_> = printed.lines().filter(warned).collect();
    ensure!(warnings.len() == 1, "said once, not at each attempt: {warnings:#?}");
    ensure!(!printed.contains("secret"), "the password is never printed");

    smsc.revive_with_password(Some("secret"))?;
    gateway.wait_bound()?;
    gateway.stop()
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
