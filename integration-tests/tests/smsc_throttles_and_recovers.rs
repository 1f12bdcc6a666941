//! ESME_RTHROTTLED: the link pauses, says so, and everything is told in the end, once.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::{Value, json};

const CALLS: u64 = 40;

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let mut world = World::with(&smsc)?;
    // A small window: the SMSC throttles several rounds, not one burst.
    world.set("RANGES", "south=86138*:100000").set("SMSC__URLS", &format!("{}?window=4", smsc.url()));
    let gateway = world.start_bound()?;
    smsc.order(&json!({ "throttle": 6 }))?;
    let call = |n: u64| json!({ "id": n.to_string(), "called": (8_613_800_000_000 + n).to_string() });
    gateway.take(&(0..CALLS).map(call).collect::<Value>())?;
    // Six pauses, each longer than the one before.
    wait::within(3 * wait::PATIENCE, "all are told", || Ok((smsc.messages().len() as u64 >= CALLS).then_some(())))?;
    gateway.wait_decided()?;
    ensure!(gateway.metric("afterring_link_outcomes_total", &["later"])? >= 6.0, "{}", gateway.look("/metrics")?.text);
    gateway.stop()?;
    ensure!(smsc.submits("throttled").len() == 6, "{:#?}", smsc.events());
    let mut told: Vec<_> = smsc.messages().into_iter().map(|sms| sms.to).collect();
    told.sort();
    told.dedup();
    ensure!(told.len() as u64 == CALLS && smsc.messages().len() as u64 == CALLS, "{told:?}");
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[Skill::AnswersAsTold], story)
}
