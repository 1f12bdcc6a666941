//! A full disk: calls are refused with 503 and Retry-After, nothing accepted is lost, and room brings everything back by itself.

use std::fs;

use anyhow::{Result, ensure};
use integration_tests::disk::SmallDisk;
use integration_tests::{Make, Smsc, World, wait};
use serde_json::{Value, json};

fn batch(name: &str, numbers: std::ops::Range<u64>) -> Value {
    let call = |n: u64| json!({ "id": format!("{name}-{n}"), "called": (8_613_800_000_000 + n).to_string() });
    numbers.map(call).collect()
}

#[test]
fn full_disk() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    let store = world.folder().join("small");
    let disk = match SmallDisk::mount(&store) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("NOT TESTED: a full disk, because a small one can't be mounted here (run as root): {error:#}");
            return Ok(());
        }
    };
    world.set("STORE__DIR", &store.display().to_string()).set("RANGES", "south=86138*:100000");
    let gateway = world.start_bound()?;
    gateway.take(&batch("before", 0..50))?;
    gateway.wait_decided()?;

    let ballast = disk.fill()?;
    let mut accepted = 50;
    let mut at = 1000;
    let refused = wait::until("calls are refused", || {
        at += 100;
        let answer = gateway.post(&batch("full", at..at + 100))?;
        accepted += answer.json()["accepted"].as_u64().unwrap_or(0);
        Ok((answer.status != 202).then_some(answer))
    })?;
    ensure!(refused.status == 503 && refused.retry_after.is_some(), "{refused:?}");
    ensure!(refused.json()["accepted"].as_u64().unwrap_or(0) == 0, "what is refused is not accepted: {refused:?}");
    wait::until_true("readyz tells of the journal", || Ok(gateway.look("/readyz?verbose")?.status == 503))?;
    ensure!(gateway.look("/livez")?.status == 200, "a full disk is no reason to be restarted");

    fs::remove_file(ballast)?;
    wait::until_true("the refused calls are taken", || Ok(gateway.post(&batch("full", at..at + 100))?.status == 202))?;
    accepted += 100;
    wait::until_true("ready again", || Ok(gateway.look("/readyz")?.status == 200))?;
    gateway.wait_decided()?;
    wait::until_true("every accepted call is told", || Ok(smsc.messages().len() as u64 >= accepted))?;
    gateway.stop()?;
    let mut told: Vec<_> = smsc.messages().into_iter().map(|sms| sms.to).collect();
    let messages = told.len();
    told.sort();
    told.dedup();
    ensure!(told.len() as u64 == accepted && messages as u64 == accepted, "{accepted} accepted, {messages} told");
    drop(disk);
    Ok(())
}
