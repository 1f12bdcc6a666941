//! An operator drains, unbinds and rebinds links under traffic: every call is told once, by the links that are left, or when one is back.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use integration_tests::{Gateway, Make, Simulator, Smsc, World, wait};
use serde_json::{Value, json};

const CALLS: u64 = 120;

const FIRST: u64 = 8_613_800_000_000;

fn take(gateway: &Gateway, calls: std::ops::Range<u64>) -> Result<()> {
    let call = |n: u64| json!({ "id": n.to_string(), "called": (FIRST + n).to_string() });
    gateway.take(&calls.map(call).collect::<Value>())
}

fn order(gateway: &Gateway, link: &str, what: &str) -> Result<()> {
    let lasting = if what == "rebind" { json!({ "reason": "test" }) } else { json!({ "for": "1h", "reason": "test" }) };
    gateway.admin("POST", &format!("/v1/links/{}/{what}", link.replace('/', "%2F")), &lasting)?;
    Ok(())
}

fn wait_state(gateway: &Gateway, link: &str, state: &str) -> Result<()> {
    wait::until_true(&format!("{link} is {state}"), || {
        let links = gateway.status()?["links"].as_array().cloned().unwrap_or_default();
        Ok(links.iter().any(|seen| seen["name"] == link && seen["state"] == state))
    })
}

/// Drains and rebinds two links in turn while calls come; gives every handset that was told, with how often.
fn story(world: &mut World, links: [&str; 2], told: &dyn Fn() -> Result<Vec<String>>) -> Result<()> {
    world.set("RANGES", "south=86138*:100000");
    let gateway = world.start_bound()?;
    let [one, two] = links;
    for (step, (link, what)) in (0..).zip([
        (one, "drain"),
        (one, "rebind"),
        (two, "drain"),
        (two, "rebind"),
        ("all", "rebind"),
        ("all", "drain"),
    ]) {
        let first = step * CALLS / 6;
        take(&gateway, first..first + CALLS / 12)?;
        order(&gateway, link, what)?;
        take(&gateway, first + CALLS / 12..first + CALLS / 6)?;
        match (link, what) {
            ("all", "drain") => links.iter().try_for_each(|link| wait_state(&gateway, link, "away"))?,
            ("all", _) => links.iter().try_for_each(|link| wait_state(&gateway, link, "bound"))?,
            (link, "drain") => wait_state(&gateway, link, "away")?,
            (link, _) => wait_state(&gateway, link, "bound")?,
        }
    }
    let ready = gateway.look("/readyz?verbose")?;
    ensure!(ready.status == 200 && ready.text.contains("2 away by order"), "{ready:?}");
    ensure!(gateway.metric("afterring_link_ordered_away", &[&format!("link=\"{one}\"")])? > 0.5, "not in the metrics");
    order(&gateway, "all", "rebind")?;
    wait::until_true("all are told", || Ok(told()?.len() as u64 >= CALLS))?;
    gateway.wait_decided()?;
    gateway.stop()?;
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    told()?.into_iter().for_each(|handset| *times.entry(handset).or_default() += 1);
    ensure!(times.len() as u64 == CALLS && times.values().all(|times| *times == 1), "{times:?}");
    Ok(())
}

#[test]
fn at_a_foreign_smsc() -> Result<()> {
    let smsc = Smsc::start(Make::Node)?;
    let mut world = World::with(&smsc)?;
    world.set("SMSC__URLS", &format!("{}?name=north&binds=2", smsc.url()));
    story(&mut world, ["north/1", "north/2"], &|| Ok(smsc.messages().into_iter().map(|sms| sms.to).collect()))
}

#[test]
fn at_the_simulator_that_takes_its_time() -> Result<()> {
    let smsc = Simulator::start()?;
    let mut world = World::with_simulator(&smsc, "?name=north&binds=2")?;
    smsc.faults(&json!({ "answer_late": [150, 100_000] }))?;
    let told = || {
        let submits = smsc.submits()?;
        Ok(submits.iter().map(|submit| submit["destination"].to_string()).collect())
    };
    story(&mut world, ["north/1", "north/2"], &told)
}
