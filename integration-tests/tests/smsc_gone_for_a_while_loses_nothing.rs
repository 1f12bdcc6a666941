//! The SMSC dies and comes back: calls are taken meanwhile and told afterwards, each once.

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World, wait};
use serde_json::json;

const CALLS: u64 = 60;

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    (0..CALLS).try_for_each(|n| smsc.handset(&(8_613_800_000_000 + n).to_string()))?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:100000");
    let gateway = world.start_bound()?;
    let take = |n: u64| gateway.take(&json!({ "id": n.to_string(), "called": (8_613_800_000_000 + n).to_string() }));
    take(0)?;
    smsc.message_to("8613800000000", 1)?;
    gateway.wait_decided()?;
    // An SMSC that delivers and dies before the handset's answer delivers once more.
    wait::until_true("its receipt is acknowledged", || Ok(smsc.count("acknowledged") > 0))?;

    smsc.kill()?;
    wait::until_true("the link is down", || Ok(gateway.status()?["links"][0]["state"] != "bound"))?;
    (1..CALLS).try_for_each(take)?;
    ensure!(gateway.look("/livez")?.status == 200, "an SMSC that is away is no reason to be restarted");

    smsc.revive()?;
    gateway.wait_bound()?;
    wait::until_true("all are told", || Ok(smsc.messages().len() as u64 >= CALLS))?;
    gateway.wait_decided()?;
    gateway.stop()?;
    let mut told: Vec<_> = smsc.messages().into_iter().map(|sms| sms.to).collect();
    told.sort();
    told.dedup();
    ensure!(told.len() as u64 == CALLS && smsc.messages().len() as u64 == CALLS, "{told:?}");
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
