//! Foreign SMSCs that have no `replace_sm` and no `cancel_sm`: some answer so, some never answer. The session lives, and no call is told twice. One can't read
//! `replace_sm` and closes over it: it is asked twice, and from then on it is like the others.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::{Gateway, Make, Skill, Smsc, World, wait};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 3] = ["8613911110001", "8613911110002", "8613911110003"];
/// Longer than calls wait for a receipt.
const PATIENCE: Duration = Duration::from_secs(60);

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let stores = make.has(Skill::StoresAndForwards);
    let parameters = if stores { "?receipt_id=reference" } else { "?update_timeout=300ms" };
    let mut world = World::with(&smsc)?;
    world
        .set("SMSC__URLS", &format!("{}{parameters}", smsc.url()))
        .set("ALERT__MIN_INTERVAL", "0s")
        .set("ALERT__UPDATE", "auto")
        .set("ALERT__UPDATE_WAIT", "1s");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    // The message waits there, or nobody hears that it doesn't.
    if stores {
        smsc.handset(SUBSCRIBER)?;
        smsc.order(&json!({ "off": SUBSCRIBER }))?;
    } else {
        smsc.order(&json!({ "receipts": false }))?;
    }
    gateway.take(&json!({ "id": "0", "caller": CALLERS[0], "called": SUBSCRIBER }))?;
    gateway.wait_alerts(SUBSCRIBER, &["accepted"])?;
    gateway.take(&json!([
        { "id": "1", "caller": CALLERS[1], "called": SUBSCRIBER },
        { "id": "2", "caller": CALLERS[2], "called": SUBSCRIBER },
    ]))?;
    wait::until_true("a second alert is at the SMSC", || Ok(gateway.alerts(SUBSCRIBER)?.len() == 2))?;
    gateway.wait_decided()?;
    if stores {
        smsc.order(&json!({ "on": SUBSCRIBER }))?;
    }
    smsc.message_to(SUBSCRIBER, 2)?;
    is_bound_after(&gateway, 0)?;
    gateway.stop()?;
    let told: Vec<String> = smsc.messages_to(SUBSCRIBER).into_iter().map(|sms| sms.text).collect();
    ensure!(told.len() == 2 && told[0].starts_with("1 missed call:"), "{told:#?}");
    ensure!(CALLERS.iter().all(|caller| told.concat().matches(caller).count() == 1), "{told:#?}");
    Ok(())
}

fn is_bound_after(gateway: &Gateway, disconnects: u64) -> Result<()> {
    let link = gateway.status()?["links"][0].clone();
    ensure!(link["state"] == "bound" && link["counts"]["disconnects"] == disconnects, "{link}");
    Ok(())
}

/// The `replace_sm` that it closed over may have been done, and took nothing back in any case: only what it was to add is told anew, as `resend_once` has it.
/// What comes then is in no doubt.
fn story_of_one_that_closes() -> Result<()> {
    const OTHER: &str = "8613900000002";
    let mut smsc = Smsc::start(Make::Twisted)?;
    let mut world = World::with(&smsc)?;
    world
        .set("SMSC__URLS", &format!("{}?reconnect_min=100ms", smsc.url()))
        .set("ALERT__MIN_INTERVAL", "0s")
        .set("ALERT__UPDATE", "auto")
        .set("ALERT__IN_DOUBT", "resend_once")
        .set("ALERT__RESEND_WAIT", "1s")
        .set("ALERT__UPDATE_WAIT", "15s");
    let gateway = world.start_bound()?;
    smsc.order(&json!({ "receipts": false }))?;
    for (subscriber, first, second) in [(SUBSCRIBER, "0", "1"), (OTHER, "2", "3")] {
        gateway.subscribe(subscriber)?;
        gateway.take(&json!({ "id": first, "caller": CALLERS[0], "called": subscriber }))?;
        gateway.wait_alerts(subscriber, &["accepted"])?;
        gateway.take(&json!({ "id": second, "caller": CALLERS[1], "called": subscriber }))?;
        wait::within(PATIENCE, "the other call is told without a receipt", || {
            Ok((gateway.alerts(subscriber)?.len() == 2).then_some(()))
        })?;
        smsc.message_to(subscriber, 2)?;
        gateway.wait_decided()?;
    }
    is_bound_after(&gateway, 2)?;
    gateway.stop()?;
    for subscriber in [SUBSCRIBER, OTHER] {
        let told: Vec<_> = smsc.messages_to(subscriber).into_iter().map(|sms| sms.text).collect();
        ensure!(told.len() == 2, "{told:#?}");
        ensure!(CALLERS[..2].iter().all(|caller| told.concat().matches(caller).count() == 1), "{told:#?}");
    }
    Ok(())
}

#[test]
fn at_each() -> Result<()> {
    Make::each(&[], |make| if make == Make::Twisted { story_of_one_that_closes() } else { story(make) })
}
