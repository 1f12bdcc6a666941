//! Database abnormal: a subscriber gets `fallback`, a prospect nothing, and no teaser follows after recovery.

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";
const PROSPECT: &str = "8613800000001";
const CALLER: &str = "8613911112222";

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    smsc.handset(SUBSCRIBER)?;
    smsc.handset(PROSPECT)?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:1000").set("ALERT__MIN_INTERVAL", "0s");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;

    gateway.force_abnormal()?;
    ensure!(gateway.look("/readyz")?.status == 200, "abnormal is degraded, not unready");
    gateway.take(&json!([
        { "id": "p-1", "caller": CALLER, "called": PROSPECT, "reason": "no_answer" },
        { "id": "s-1", "caller": CALLER, "called": SUBSCRIBER, "reason": "busy" },
    ]))?;
    let fallback = smsc.message_to(SUBSCRIBER, 1)?;
    ensure!(fallback.text.starts_with(&format!("Missed call:\n+{CALLER} ")), "{fallback:?}");
    gateway.wait_timeline(PROSPECT, "abnormal_not_registered")?;

    gateway.lift_force()?;
    gateway.take(&json!({ "id": "s-2", "caller": CALLER, "called": SUBSCRIBER, "reason": "busy" }))?;
    let detail = smsc.message_to(SUBSCRIBER, 2)?;
    ensure!(detail.text.starts_with("1 missed call:\n"), "what was told is not told again: {detail:?}");
    gateway.wait_decided()?;
    gateway.stop()?;
    ensure!(smsc.messages_to(PROSPECT).is_empty(), "never a teaser, not even late: {:?}", smsc.messages());
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
