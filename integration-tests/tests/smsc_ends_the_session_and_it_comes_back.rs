//! The SMSC ends the session in the middle of work, by closing the connection or by `unbind`: the link comes back by itself, and everybody is told once.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::{Value, json};

const ENDS: u64 = 3;
const CALLS_BETWEEN: u64 = 10;

fn story(make: Make, order: &str) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    let number = |n: u64| (8_613_800_000_000 + n).to_string();
    let calls = (ENDS + 1) * CALLS_BETWEEN;
    (0..calls).try_for_each(|n| smsc.handset(&number(n)))?;
    let mut world = World::with(&smsc)?;
    world.set("RANGES", "south=86138*:100000").set("SMSC__URLS", &format!("{}?reconnect_min=100ms", smsc.url()));
    let gateway = world.start_bound()?;
    for end in 0..=ENDS {
        let call = |n: u64| json!({ "id": n.to_string(), "called": number(n) });
        gateway.take(&(end * CALLS_BETWEEN..(end + 1) * CALLS_BETWEEN).map(call).collect::<Value>())?;
        wait::until_true("they are told", || Ok(smsc.messages().len() as u64 >= (end + 1) * CALLS_BETWEEN))?;
        wait::until_true("their receipts are acknowledged", || {
            Ok(smsc.count("acknowledged") as u64 >= (end + 1) * CALLS_BETWEEN)
        })?;
        if end < ENDS {
            smsc.order(&json!({ order: true }))?;
            wait::until_true("it is bound anew", || Ok(smsc.count("bound") as u64 == end + 2))?;
        }
    }
    gateway.wait_bound()?;
    gateway.stop()?;
    let mut told: Vec<_> = smsc.messages().into_iter().map(|sms| sms.to).collect();
    let messages = told.len() as u64;
    told.sort();
    told.dedup();
    ensure!(told.len() as u64 == calls && messages == calls, "{messages} messages: {told:?}");
    ensure!(smsc.count("unbind_answered") as u64 == if order == "unbind" { ENDS } else { 0 }, "{:#?}", smsc.events());
    Ok(())
}

#[test]
fn by_closing() -> Result<()> {
    Make::each(&[], |make| story(make, "close"))
}

#[test]
fn by_unbind() -> Result<()> {
    Make::each(&[Skill::Unbinds], |make| story(make, "unbind"))
}
