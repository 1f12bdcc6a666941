//! A phone is off while three people ring. When it is on again it shows one message that tells of all three, whatever way of updating the SMSC knows.

use anyhow::{Result, ensure};
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 3] = ["8613911110001", "8613911110002", "8613911110003"];

fn rings(gateway: &Gateway, place: usize) -> Result<()> {
    gateway.take(&json!({ "id": place.to_string(), "caller": CALLERS[place], "called": SUBSCRIBER }))
}

/// Every caller rings when the one before is in the message that the SMSC has, which `count` shows.
fn story(update: &str, parameters: &str, count: &str, settings: &[(&str, &str)], faults: &Value) -> Result<()> {
    let smsc = Simulator::start()?;
    smsc.faults(faults)?;
    let mut world = World::with_simulator(&smsc, parameters)?;
    world.set("ALERT__UPDATE", update);
    for (key, value) in settings {
        world.set(key, value);
    }
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.switch(SUBSCRIBER, false)?;
    rings(&gateway, 0)?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    for (place, caller) in CALLERS.iter().enumerate().skip(1) {
        rings(&gateway, place)?;
        smsc.wait_count(count, u64::try_from(place)?)?;
        wait::until_true("the newest alert tells of the caller", || {
            let alerts = gateway.alerts(SUBSCRIBER)?;
            let newest = alerts.last().cloned().unwrap_or_default();
            let tells = newest["text"].as_str().is_some_and(|text| text.contains(caller));
            Ok(tells && newest["state"] == "accepted")
        })?;
    }
    ensure!(smsc.inbox(SUBSCRIBER)?.is_empty(), "a phone that is off shows nothing");
    smsc.switch(SUBSCRIBER, true)?;
    wait::until_true("the last alert is delivered", || {
        Ok(gateway.alerts(SUBSCRIBER)?.last().is_some_and(|alert| alert["state"] == "delivered"))
    })?;
    gateway.wait_decided()?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    let [only] = inbox.as_slice() else { anyhow::bail!("{inbox:#?}") };
    ensure!(only.starts_with("3 missed calls:"), "{only}");
    ensure!(CALLERS.iter().all(|caller| only.matches(caller).count() == 1), "{only}");
    let ended: Vec<Value> = gateway.alerts(SUBSCRIBER)?.iter().map(|alert| alert["state"].clone()).collect();
    ensure!(ended.iter().filter(|state| **state != "superseded").count() == 1, "{ended:?}");
    gateway.stop()
}

#[test]
fn by_replace_sm() -> Result<()> {
    story("replace", "", "replaced", &[], &json!({}))
}

#[test]
fn by_cancel_sm_and_a_new_message() -> Result<()> {
    story("cancel", "", "cancelled", &[], &json!({}))
}

#[test]
fn by_replace_if_present() -> Result<()> {
    let settings = [("SERVICE__ORIGINATOR_DETAIL", "Calls"), ("SERVICE__ORIGINATOR_FALLBACK", "Calls")];
    story("replace_if_present", "", "replaced", &settings, &json!({}))
}

#[test]
fn by_whatever_the_smsc_can() -> Result<()> {
    story("auto", "", "replaced", &[], &json!({}))
}

#[test]
fn as_the_smscs_own_url_says() -> Result<()> {
    story("new", "?update=cancel", "cancelled", &[], &json!({}))
}

#[test]
fn by_a_transmitter_where_a_transceiver_may_not() -> Result<()> {
    story("auto", "?bind=pair", "replaced", &[], &json!({ "updates": "transmitters_only" }))
}

#[test]
fn by_an_smsc_that_is_slow_to_answer() -> Result<()> {
    story("auto", "", "replaced", &[], &json!({ "updates": { "late": 700 } }))
}
