//! Two SMSCs: the preferred one gets all while it can, the other stands in for it and gives back; equals share by weight; and one that is slow holds nobody up.

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

const QUICK: &str = "reconnect_min=100ms&reconnect_max=500ms&refused_wait=1s&timeout=1s";

struct Pair {
    one: Simulator,
    two: Simulator,
    world: World,
}

/// Two SMSCs with these parameters.
fn pair(one_is: &str, two_is: &str) -> Result<Pair> {
    let (one, two) = (Simulator::start()?, Simulator::start()?);
    let mut world = World::new()?;
    let urls = [(&one, "one", one_is), (&two, "two", two_is)]
        .map(|(smsc, name, is)| smsc.url(&format!("?name={name}&{is}&{QUICK}")));
    world.set("SMSC__URLS", &urls.join(",")).set("ALERT__MIN_INTERVAL", "0s");
    Ok(Pair { one, two, world })
}

/// So many people are called at once.
fn call(gateway: &Gateway, people: std::ops::Range<u64>) -> Result<()> {
    for handset in people.clone() {
        gateway.subscribe(&handset.to_string())?;
    }
    let call = |n: u64| json!({ "id": n.to_string(), "caller": "8613911112222", "called": n.to_string() });
    gateway.take(&people.map(call).collect::<Value>())
}

/// How many messages each SMSC has taken since, once all of so many are there.
fn taken(pair: &Pair, since: (u64, u64), all: u64) -> Result<(u64, u64)> {
    let counts =
        || Ok::<_, anyhow::Error>((pair.one.count("accepted")? - since.0, pair.two.count("accepted")? - since.1));
    wait::until_true(&format!("{all} messages"), || counts().map(|(one, two)| one + two >= all))?;
    counts()
}

#[test]
fn the_preferred_one_while_it_can() -> Result<()> {
    let pair = pair("priority=0", "priority=1")?;
    let gateway = pair.world.start_bound()?;
    call(&gateway, 8_613_900_000_000..8_613_900_000_010)?;
    ensure!(taken(&pair, (0, 0), 10)? == (10, 0), "not all by the preferred one");

    pair.one.faults(&json!({ "binds": { "refused": 13 }, "drop_sessions": true }))?;
    pair.one.wait_count("binds_refused", 1)?;
    call(&gateway, 8_613_900_000_100..8_613_900_000_110)?;
    ensure!(taken(&pair, (10, 0), 10)? == (0, 10), "the other one did not stand in");

    pair.one.faults(&json!({}))?;
    gateway.wait_bound()?;
    call(&gateway, 8_613_900_000_200..8_613_900_000_210)?;
    ensure!(taken(&pair, (10, 10), 10)? == (10, 0), "the preferred one did not get its work back");

    pair.one.faults(&json!({ "refuse_next": [0x08, 1] }))?;
    call(&gateway, 8_613_900_000_300..8_613_900_000_301)?;
    ensure!(taken(&pair, (20, 10), 1)? == (0, 1), "a system error at one SMSC is tried at the other");
    for handset in (8_613_900_000_000_u64..).step_by(100).take(4) {
        gateway.wait_alerts(&handset.to_string(), &["delivered"]).with_context(|| handset.to_string())?;
    }
    gateway.stop()
}

#[test]
fn equals_by_weight() -> Result<()> {
    let pair = pair("weight=3", "weight=1")?;
    let gateway = pair.world.start_bound()?;
    // An SMSC that has answered nothing yet is given ten at the most: each answers some first.
    call(&gateway, 8_613_900_000_100..8_613_900_000_108)?;
    let first = taken(&pair, (0, 0), 8)?;
    ensure!(first == (6, 2), "the first are shared as {first:?}");
    // Fewer than both windows hold together: they would share by their windows else.
    call(&gateway, 8_613_900_000_000..8_613_900_000_080)?;
    let (one, two) = taken(&pair, first, 80)?;
    ensure!(one + two == 80 && two > 0 && one >= 2 * two, "shared as {one} and {two}");
    gateway.stop()
}

/// One of two equals answers nothing at all; whoever the other one gets is told meanwhile.
#[test]
fn one_that_is_silent_holds_nobody_up() -> Result<()> {
    let mut pair = pair("window=2", "window=2")?;
    pair.world.set("ALERT__RESEND_WAIT", "1s");
    let gateway = pair.world.start_bound()?;
    pair.one.faults(&json!({ "sessions": "deaf" }))?;
    call(&gateway, 8_613_900_000_000..8_613_900_000_040)?;
    // All but those that the silent one was given, and may be given once more.
    pair.two.wait_count("accepted", 30)?;
    pair.one.faults(&json!({}))?;
    for handset in 8_613_900_000_000_u64..8_613_900_000_040 {
        let handset = handset.to_string();
        gateway.wait_alerts(&handset, &["delivered"])?;
        let told = pair.one.submits_to(&handset)?.len() + pair.two.submits_to(&handset)?.len();
        ensure!(told == 1, "{handset} was told {told} times");
    }
    gateway.stop()
}

/// A window of one: what is throttled is sent again before what came after it.
#[test]
fn what_is_throttled_keeps_its_place() -> Result<()> {
    let smsc = Simulator::start()?;
    let world = World::with_simulator(&smsc, "?window=1")?;
    let gateway = world.start_bound()?;
    smsc.faults(&json!({ "throttle_next": 2, "queue_full_next": 1 }))?;
    let people = 8_613_900_000_000..8_613_900_000_012;
    call(&gateway, people.clone())?;
    smsc.wait_count("accepted", 12)?;
    let order: Vec<u64> = smsc.submits()?.iter().filter_map(|submit| submit["destination"].as_u64()).collect();
    ensure!(order == people.collect::<Vec<_>>(), "{order:?}");
    gateway.stop()
}
