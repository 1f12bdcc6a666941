//! `bind=pair`: submits go by the transmitter; receipts and replies come by the receiver and are answered there.

use anyhow::{Result, ensure};
use integration_tests::world::SERVICE_CODE;
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::json;

const CALLED: &str = "8613800000001";

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:1000").set("SMSC__URLS", &format!("{}?bind=pair", smsc.url()));
    let gateway = world.start_bound()?;
    let bound = |kind: &str| smsc.events().iter().filter(|e| e["event"] == "bound" && e["bind"] == kind).count();
    ensure!(bound("transmitter") == 1 && bound("receiver") == 1 && smsc.count("bound") == 2, "{:#?}", smsc.events());

    gateway.take(&json!({ "id": "1", "caller": "8613911112222", "called": CALLED }))?;
    smsc.message_to(CALLED, 1)?;
    gateway.wait_timeline(CALLED, "delivered")?;
    smsc.reply(CALLED, SERVICE_CODE, "C")?;
    let detail = smsc.message_to(CALLED, 2)?;
    ensure!(detail.text.starts_with("1 missed call:\n+8613911112222 "), "{detail:?}");
    wait::until_true("two receipts and the reply are acknowledged", || Ok(smsc.count("acknowledged") == 3))?;
    gateway.stop()?;
    wait::until_true("both sessions are closed", || Ok(smsc.count("closed") == 2))?;
    ensure!(smsc.count("unbound") == 2, "{:#?}", smsc.events());
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[Skill::Pairs], story)
}
