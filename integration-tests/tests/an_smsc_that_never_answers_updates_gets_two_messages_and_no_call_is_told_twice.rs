//! Where alerts can't be brought up to date, since the SMSC never answers, refuses, or nothing is to be asked of it, the session lives, and what the first
//! message doesn't tell follows in a second one.

use anyhow::{Result, ensure};
use integration_tests::{Simulator, World, wait};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 3] = ["8613911110001", "8613911110002", "8613911110003"];

fn story(update: &str, faults: &Value, asks: u64, cannot: usize) -> Result<()> {
    let smsc = Simulator::start()?;
    smsc.faults(faults)?;
    let mut world = World::with_simulator(&smsc, "?update_timeout=200ms")?;
    world.set("ALERT__UPDATE", update);
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.switch(SUBSCRIBER, false)?;
    for (place, caller) in CALLERS.iter().enumerate() {
        gateway.take(&json!({ "id": place.to_string(), "caller": caller, "called": SUBSCRIBER }))?;
        gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    }
    wait::until_true("the SMSC was asked as often as it is", || {
        Ok(gateway.status()?["links"][0]["counts"]["updates"] == asks)
    })?;
    // A session on which nothing is unanswered any more goes on.
    wait::until_true("what it can't do is known", || {
        let abilities = gateway.status()?["links"][0]["abilities"].to_string();
        Ok(abilities.matches("cannot").count() == cannot)
    })?;
    gateway.wait_decided()?;
    smsc.switch(SUBSCRIBER, true)?;
    gateway.wait_alerts(SUBSCRIBER, &["delivered", "delivered"])?;
    let inbox = smsc.inbox(SUBSCRIBER)?;
    ensure!(inbox.len() == 2 && inbox[0].starts_with("1 missed call:"), "{inbox:#?}");
    ensure!(inbox[1].starts_with("2 missed calls:"), "{inbox:#?}");
    let told = inbox.concat();
    ensure!(CALLERS.iter().all(|caller| told.matches(caller).count() == 1), "{inbox:#?}");
    let link = gateway.status()?["links"][0].clone();
    ensure!(link["state"] == "bound" && link["counts"]["disconnects"] == 0, "{link}");
    gateway.stop()
}

#[test]
fn since_it_never_answers() -> Result<()> {
    story("auto", &json!({ "updates": "silent" }), 2, 2)
}

#[test]
fn since_it_knows_no_such_command() -> Result<()> {
    story("auto", &json!({ "updates": { "refused": 3 } }), 2, 2)
}

#[test]
fn since_it_refuses() -> Result<()> {
    story("replace", &json!({ "updates": { "refused": 19 } }), 1, 0)
}

#[test]
fn since_nothing_is_to_be_asked() -> Result<()> {
    story("new", &json!({}), 0, 0)
}
