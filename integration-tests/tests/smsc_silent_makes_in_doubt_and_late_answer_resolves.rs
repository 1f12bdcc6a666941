//! A submit without an answer is in doubt, visibly; the late answer resolves it, and with `hold` nobody is told twice.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World};
use serde_json::json;

const SUBSCRIBER: &str = "8613900000001";

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let mut world = World::with(&smsc)?;
    world.set("SMSC__URLS", &format!("{}?timeout=1s", smsc.url())).set("ALERT__IN_DOUBT", "hold");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    smsc.order(&json!({ "silent": 1 }))?;
    gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": SUBSCRIBER }))?;
    gateway.wait_timeline(SUBSCRIBER, "in_doubt")?;
    ensure!(gateway.metric("afterring_alerts", &["in_doubt"])? == 1.0, "{}", gateway.look("/metrics")?.text);

    smsc.order(&json!({ "answer_silent": true }))?;
    gateway.wait_timeline(SUBSCRIBER, "delivered")?;
    ensure!(gateway.metric("afterring_alerts", &["in_doubt"])? == 0.0, "{}", gateway.look("/metrics")?.text);
    gateway.stop()?;
    ensure!(smsc.submits("silent").len() == 1 && smsc.submits("accepted").is_empty(), "{:#?}", smsc.events());
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[Skill::AnswersAsTold], story)
}
