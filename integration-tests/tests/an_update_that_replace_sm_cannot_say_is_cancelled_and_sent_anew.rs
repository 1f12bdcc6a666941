//! `replace_sm` has neither a coding nor a user data header: where the new text needs another coding, or another part, the message is taken back and sent anew,
//! and so it is where it had several parts. The phone shows one message with everything.

use anyhow::{Result, ensure};
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";

fn caller(place: usize) -> String {
    format!("86139111100{place:02}")
}

fn newest_tells(gateway: &Gateway, caller: &str) -> Result<()> {
    wait::until_true(&format!("the SMSC has a message that tells of {caller}"), || {
        let alerts = gateway.alerts(SUBSCRIBER)?;
        let newest = alerts.last().cloned().unwrap_or_default();
        Ok(newest["state"] == "accepted" && newest["text"].as_str().is_some_and(|text| text.contains(caller)))
    })
}

/// So many ring, one after another, while the phone is off.
fn story(callers: usize, settings: &[(&str, &str)], cancelled_at_least: u64, starts: &str) -> Result<()> {
    let smsc = Simulator::start()?;
    let mut world = World::with_simulator(&smsc, "")?;
    world.set("ALERT__UPDATE", "auto").set("ALERT__MAX_PARTS", "5").set("ALERT__DAILY_CAP", "1");
    for (key, value) in settings {
        world.set(key, value);
    }
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.switch(SUBSCRIBER, false)?;
    for place in 0..callers {
        gateway.take(&json!({ "id": place.to_string(), "caller": caller(place), "called": SUBSCRIBER }))?;
        newest_tells(&gateway, &caller(place))?;
    }
    smsc.wait_count("cancelled", cancelled_at_least)?;
    smsc.switch(SUBSCRIBER, true)?;
    wait::until_true("the last alert is delivered", || {
        Ok(gateway.alerts(SUBSCRIBER)?.last().is_some_and(|alert| alert["state"] == "delivered"))
    })?;
    gateway.wait_decided()?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    ensure!(inbox.len() == 1 && inbox[0].starts_with(starts), "{inbox:#?}");
    ensure!((0..callers).all(|place| inbox[0].matches(&caller(place)).count() == 1), "{inbox:#?}");
    gateway.stop()
}

/// Six callers take two parts; what was one part is cancelled, and from then on all parts are.
#[test]
fn one_part_becomes_two_and_then_there_are_several_in_flight() -> Result<()> {
    story(7, &[], 3, "7 missed calls:")
}
