//! Foreign SMSCs that have no `replace_sm` and no `cancel_sm`: some answer so, some never answer. The session lives, and no call is told twice.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: [&str; 3] = ["8613911110001", "8613911110002", "8613911110003"];

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
    let link = gateway.status()?["links"][0].clone();
    ensure!(link["state"] == "bound" && link["counts"]["disconnects"] == 0, "{link}");
    gateway.stop()?;
    let told: Vec<String> = smsc.messages_to(SUBSCRIBER).into_iter().map(|sms| sms.text).collect();
    ensure!(told.len() == 2 && told[0].starts_with("1 missed call:"), "{told:#?}");
    ensure!(CALLERS.iter().all(|caller| told.concat().matches(caller).count() == 1), "{told:#?}");
    Ok(())
}

#[test]
fn at_each() -> Result<()> {
    Make::each(&[], story)
}
