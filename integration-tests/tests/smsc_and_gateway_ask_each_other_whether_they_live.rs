//! `enquire_link` both ways: the SMSC hears from an idle link and is answered when it asks, and the session goes on.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::json;

fn idle(make: Make) -> Result<()> {
    let smsc = Smsc::start(make)?;
    let mut world = World::with(&smsc)?;
    world.set("SMSC__URLS", &format!("{}?enquire=1s&timeout=2s", smsc.url()));
    let gateway = world.start_bound()?;
    wait::until_true("it asks again and again", || Ok(smsc.count("enquired") >= 3))?;
    ensure!(smsc.count("bound") == 1 && smsc.count("closed") == 0, "{:#?}", smsc.events());
    gateway.stop()
}

fn asked(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let world = World::with(&smsc)?;
    let gateway = world.start_bound()?;
    for question in 1..=3 {
        smsc.order(&json!({ "enquire": true }))?;
        wait::until_true("it answers", || Ok(smsc.count("enquiry_answered") == question))?;
    }
    ensure!(smsc.count("bound") == 1 && smsc.count("closed") == 0, "{:#?}", smsc.events());
    gateway.stop()
}

#[test]
fn the_gateway_asks() -> Result<()> {
    Make::each(&[], idle)
}

#[test]
fn the_smsc_asks() -> Result<()> {
    Make::each(&[Skill::Enquires], asked)
}
