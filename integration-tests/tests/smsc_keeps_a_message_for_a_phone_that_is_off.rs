//! A phone that is off: the SMSC keeps the alert, also over its own death, and delivers it when the phone is on again; the gateway tells it once.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";

fn story(make: Make, dies: bool) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    smsc.handset(SUBSCRIBER)?;
    let world = World::with(&smsc)?;
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.order(&json!({ "off": SUBSCRIBER }))?;
    gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": SUBSCRIBER }))?;
    wait::until_true("the SMSC looks for the phone", || Ok(smsc.count("paged_in_vain") > 0))?;
    gateway.wait_timeline(SUBSCRIBER, "submitted")?;
    ensure!(smsc.messages().is_empty(), "a phone that is off gets nothing: {:#?}", smsc.events());

    if dies {
        // In its next life its phones are on.
        smsc.revive()?;
        gateway.wait_bound()?;
    } else {
        smsc.order(&json!({ "on": SUBSCRIBER }))?;
    }
    let alert = smsc.message_to(SUBSCRIBER, 1)?;
    ensure!(alert.text.starts_with("1 missed call:\n+8613911112222 "), "{alert:?}");
    wait::until_true("the receipt is acknowledged", || Ok(smsc.count("acknowledged") > 0))?;
    gateway.wait_decided()?;
    gateway.stop()?;
    ensure!(smsc.messages().len() == 1, "{:#?}", smsc.messages());
    Ok(())
}

#[test]
fn and_then_on() -> Result<()> {
    Make::each(&[Skill::StoresAndForwards], |make| story(make, false))
}

#[test]
fn while_the_smsc_dies() -> Result<()> {
    Make::each(&[Skill::StoresAndForwards], |make| story(make, true))
}
