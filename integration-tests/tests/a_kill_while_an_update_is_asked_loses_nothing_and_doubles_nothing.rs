//! The gateway is killed while an update is on its way: done or not, the phone shows each call once.

use anyhow::{Result, ensure};
use integration_tests::{Simulator, World, wait};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 2] = ["8613911110001", "8613911110002"];

/// The SMSC does what it is asked and answers `late` milliseconds afterwards; meanwhile the gateway dies.
fn story(update: &str, done: &str) -> Result<()> {
    let smsc = Simulator::start()?;
    smsc.faults(&json!({ "updates": { "late": 3000 } }))?;
    let mut world = World::with_simulator(&smsc, "")?;
    world.set("ALERT__UPDATE", update).set("ALERT__IN_DOUBT", "hold").set("ALERT__RESEND_WAIT", "1s");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.switch(SUBSCRIBER, false)?;
    gateway.take(&json!({ "id": "0", "caller": CALLERS[0], "called": SUBSCRIBER }))?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    gateway.take(&json!({ "id": "1", "caller": CALLERS[1], "called": SUBSCRIBER }))?;
    smsc.wait_count(done, 1)?;
    gateway.kill()?;

    smsc.faults(&json!({}))?;
    let gateway = world.start_bound()?;
    wait::until_true("the newest alert tells of both, and the SMSC has it", || {
        let newest = gateway.alerts(SUBSCRIBER)?.last().cloned().unwrap_or(Value::Null);
        let text = newest["text"].as_str().unwrap_or_default().to_owned();
        Ok(newest["state"] == "accepted" && CALLERS.iter().all(|caller| text.contains(caller)))
    })?;
    smsc.switch(SUBSCRIBER, true)?;
    wait::until_true("it is delivered", || {
        Ok(gateway.alerts(SUBSCRIBER)?.last().is_some_and(|alert| alert["state"] == "delivered"))
    })?;
    gateway.wait_decided()?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    ensure!(inbox.len() == 1 && inbox[0].starts_with("2 missed calls:"), "{inbox:#?}");
    ensure!(CALLERS.iter().all(|caller| inbox[0].matches(caller).count() == 1), "{inbox:#?}");
    gateway.stop()
}

#[test]
fn by_replace_sm() -> Result<()> {
    story("replace", "replaced")
}

#[test]
fn by_cancel_sm() -> Result<()> {
    story("cancel", "cancelled")
}
