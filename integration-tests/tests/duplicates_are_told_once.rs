//! The same call told twice, by an HTTP retry, by a SIP retransmission or by both feeds, is one call and one SMS.

use anyhow::{Result, ensure};
use integration_tests::sipp::{Forwarded, Play, Sipp};
use integration_tests::{Make, Smsc, World};
use serde_json::json;

const SUBSCRIBER: &str = "4530682554";
const CALLER: &str = "4520414002";

fn plus(number: &str) -> String {
    format!("+{number}")
}

#[test]
fn by_an_http_retry() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world.set("ALERT__MIN_INTERVAL", "0s");
    let gateway = world.start_bound()?;
    gateway.subscribe(&plus(SUBSCRIBER))?;
    let call = json!({ "id": "retried", "caller": plus(CALLER), "called": plus(SUBSCRIBER) });
    gateway.take(&call)?;
    smsc.message_to(SUBSCRIBER, 1)?;
    for _ in 0..3 {
        let answer = gateway.post(&call)?;
        let said = answer.json();
        ensure!(answer.status == 202 && said["accepted"] == 0 && said["duplicate"] == 1, "{answer:?}");
    }
    gateway.stop()?;

    let gateway = world.start_bound()?;
    let answer = gateway.post(&call)?;
    ensure!(answer.status == 202, "{answer:?}");
    gateway.wait_decided()?;
    gateway.stop()?;
    ensure!(smsc.messages_to(SUBSCRIBER).len() == 1, "still after a restart: {:?}", smsc.messages());
    Ok(())
}

#[test]
fn by_both_feeds() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world.set("ALERT__MIN_INTERVAL", "0s");
    let gateway = world.start_bound()?;
    gateway.subscribe(&plus(SUBSCRIBER))?;
    let call = Forwarded { caller: plus(CALLER), called: plus(SUBSCRIBER), reason: "no-answer" };
    let play = Play { scenario: "uac_mca.xml", port: world.doors().sip, folder: world.folder(), rate: 10 };
    Sipp::start(play, &[call])?.finish()?;
    gateway
        .take(&json!({ "id": "the same, from the CDR feed", "caller": plus(CALLER), "called": plus(SUBSCRIBER) }))?;
    gateway.wait_timeline(&plus(SUBSCRIBER), "duplicate")?;
    gateway.wait_decided()?;
    gateway.stop()?;
    let messages = smsc.messages_to(SUBSCRIBER);
    ensure!(messages.len() == 1 && messages[0].text.starts_with("1 missed call:\n"), "{messages:?}");
    Ok(())
}

#[test]
fn two_callers_are_two_calls() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world.set("ALERT__MIN_INTERVAL", "0s");
    let gateway = world.start_bound()?;
    gateway.subscribe(&plus(SUBSCRIBER))?;
    gateway.take(&json!({ "id": "1", "caller": plus(CALLER), "called": plus(SUBSCRIBER) }))?;
    smsc.message_to(SUBSCRIBER, 1)?;
    gateway.wait_timeline(&plus(SUBSCRIBER), "delivered")?;
    gateway.take(&json!({ "id": "2", "caller": "+4520000001", "called": plus(SUBSCRIBER) }))?;
    let second = smsc.message_to(SUBSCRIBER, 2)?;
    ensure!(second.text.starts_with("1 missed call:\n+4520000001 "), "only what was not told: {second:?}");
    gateway.stop()
}
