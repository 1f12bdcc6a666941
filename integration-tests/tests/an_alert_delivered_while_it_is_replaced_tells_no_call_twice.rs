//! The phone comes on while an update is on its way. Where the SMSC refuses it, since the message is delivered, only what was not told goes into the next one;
//! where it had done it, and the receipt overtakes its answer, the message told everything.

use anyhow::{Result, ensure};
use integration_tests::{Simulator, World};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 2] = ["8613911110001", "8613911110002"];

/// The gateway doesn't know yet that it is delivered.
fn refused(update: &str) -> Result<()> {
    let smsc = Simulator::start()?;
    let mut world = World::with_simulator(&smsc, "")?;
    world.set("ALERT__UPDATE", update).set("ALERT__UPDATE_WAIT", "1s");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    // Delivered at the SMSC, and no receipt comes: for the gateway it may still be changed.
    smsc.faults(&json!({ "receipts_for": "none" }))?;
    gateway.take(&json!({ "id": "0", "caller": CALLERS[0], "called": SUBSCRIBER }))?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    smsc.wait_count("delivered", 1)?;
    smsc.faults(&json!({}))?;
    gateway.take(&json!({ "id": "1", "caller": CALLERS[1], "called": SUBSCRIBER }))?;
    gateway.wait_timeline(SUBSCRIBER, "updating")?;
    gateway.wait_decided()?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted", "delivered"])?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    ensure!(inbox.len() == 2 && inbox.iter().all(|text| text.starts_with("1 missed call:")), "{inbox:#?}");
    ensure!(inbox[0].contains(CALLERS[0]) && inbox[1].contains(CALLERS[1]), "{inbox:#?}");
    gateway.stop()
}

/// The SMSC does it at once, delivers, and answers afterwards.
fn overtaken(update: &str, done: &str, ended: &[&str]) -> Result<()> {
    let smsc = Simulator::start()?;
    let mut world = World::with_simulator(&smsc, "")?;
    world.set("ALERT__UPDATE", update);
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.switch(SUBSCRIBER, false)?;
    gateway.take(&json!({ "id": "0", "caller": CALLERS[0], "called": SUBSCRIBER }))?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    smsc.faults(&json!({ "updates": { "late": 1500 } }))?;
    gateway.take(&json!({ "id": "1", "caller": CALLERS[1], "called": SUBSCRIBER }))?;
    smsc.wait_count(done, 1)?;
    smsc.switch(SUBSCRIBER, true)?;
    gateway.wait_alerts(SUBSCRIBER, ended)?;
    gateway.wait_decided()?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    ensure!(inbox.len() == 1 && inbox[0].starts_with("2 missed calls:"), "{inbox:#?}");
    ensure!(CALLERS.iter().all(|caller| inbox[0].contains(caller)), "{inbox:#?}");
    gateway.stop()
}

#[test]
fn refused_by_replace_sm() -> Result<()> {
    refused("replace")
}

#[test]
fn refused_by_cancel_sm() -> Result<()> {
    refused("cancel")
}

#[test]
fn replaced_and_the_receipt_overtakes_the_answer() -> Result<()> {
    overtaken("replace", "replaced", &["delivered"])
}

#[test]
fn cancelled_and_the_answer_comes_when_the_phone_is_on() -> Result<()> {
    overtaken("cancel", "cancelled", &["superseded", "delivered"])
}
