//! SIGTERM: new work is refused, what was accepted goes out or stays on disk, the SMSC is left by unbind, exit code 0.

use anyhow::{Context as _, Result, ensure};
use integration_tests::outage::tell;
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::{Value, json};

const CALLS: u64 = 2000;

fn story(make: Make) -> Result<()> {
    let smsc = Smsc::start(make)?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:100000");
    let gateway = world.start_bound()?;
    let call = |n: u64| json!({ "id": n.to_string(), "called": (8_613_800_000_000 + n).to_string() });
    gateway.take(&(0..CALLS).map(call).collect::<Value>())?;
    gateway.stop()?;
    wait::until_true("the session is closed", || Ok(smsc.count("closed") == 1))?;
    ensure!(smsc.count("unbound") == 1, "it says good-bye to the SMSC");
    let first = smsc.messages().len() as u64;

    let gateway = world.start_bound()?;
    wait::until_true("the rest is told", || Ok(smsc.messages().len() as u64 >= CALLS)).with_context(|| {
        format!("{first} told before, {} by now: {}", smsc.messages().len(), tell(&gateway, &world))
    })?;
    gateway.wait_decided()?;
    gateway.stop()?;
    let mut told: Vec<_> = smsc.messages().into_iter().map(|sms| sms.to).collect();
    let messages = told.len() as u64;
    told.sort();
    told.dedup();
    let people = told.len() as u64;
    println!("{first} told before the stop, {} after", messages - first);
    ensure!(messages == CALLS && people == CALLS, "{CALLS} calls, {people} people told by {messages} messages");
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[Skill::AnyNumber], story)
}

#[test]
fn with_an_smsc_that_does_not_answer() -> Result<()> {
    let mut smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:100000").set("STOP__GRACE", "2s");
    let gateway = world.start_bound()?;
    smsc.order(&json!({ "silent": 1000 }))?;
    gateway.take(&json!({ "id": "1", "called": "8613800000001" }))?;
    wait::until_true("it is submitted", || Ok(!smsc.submits("silent").is_empty()))?;
    gateway.stop()
}
