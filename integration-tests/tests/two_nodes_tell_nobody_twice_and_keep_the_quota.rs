//! Two nodes at one database are told of the same calls at the same time: nobody is told twice, and the quota holds to the last person.

use std::collections::BTreeMap;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use integration_tests::load::FIRST_SUBSCRIBER;
use integration_tests::outage::{register, tell, wait_registered, wait_told, wait_whole};
use integration_tests::{Gateway, Make, Smsc, World};
use serde_json::{Value, json};
use throwaway_postgres::{Cluster, sql};

const QUOTA: u64 = 30;
const PROSPECTS: u64 = 50;
const SUBSCRIBERS: u64 = 300;
const CALLS: u64 = 3_000;
const BATCH: usize = 10;

/// Most calls are for the same few prospects; each subscriber is called once.
fn calls() -> Vec<Value> {
    let prospect = |n: u64| json!({ "id": format!("p{n}"), "caller": format!("861391111{:04}", n % 7), "called": (8_613_800_000_000 + n * 7 % PROSPECTS).to_string() });
    let subscriber = |n: u64| json!({ "id": format!("s{n}"), "caller": "8613911110000", "called": (FIRST_SUBSCRIBER + n).to_string() });
    let every = CALLS / SUBSCRIBERS;
    (0..CALLS)
        .flat_map(|n| std::iter::once(prospect(n)).chain(n.is_multiple_of(every).then(|| subscriber(n / every))))
        .collect()
}

fn feed(gateway: &Gateway, calls: &[Value]) -> Result<()> {
    calls.chunks(BATCH).try_for_each(|batch| gateway.take(&batch.iter().cloned().collect()))
}

#[test]
fn at_one_database() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let smsc = Smsc::start(Make::Node)?;
    let mut nodes = Vec::new();
    for name in ["one", "two"] {
        let mut world = World::with(&smsc)?;
        world.set("DATABASE__URL", &database).set("DATABASE__NODE", name).set("RANGES", &format!("hot=86138*:{QUOTA}"));
        let gateway = world.start_bound()?;
        wait_whole(&gateway).with_context(|| tell(&gateway, &world))?;
        nodes.push((world, gateway));
    }
    register(&database, SUBSCRIBERS);
    for (_, gateway) in &nodes {
        wait_registered(gateway, SUBSCRIBERS)?;
    }

    let calls = calls();
    thread::scope(|scope| {
        let feeds: Vec<_> = nodes.iter().map(|(_, gateway)| scope.spawn(|| feed(gateway, &calls))).collect();
        feeds.into_iter().try_for_each(|feed| feed.join().map_err(|_| anyhow!("a feed panicked"))?)
    })?;
    for (world, gateway) in &nodes {
        wait_told(gateway).and_then(|()| wait_whole(gateway)).with_context(|| tell(gateway, world))?;
    }

    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for sms in smsc.messages() {
        *told.entry(sms.to).or_default() += 1;
    }
    let used = sql(&database, "select coalesce(sum(used), 0) from range_usage");
    let recorded = sql(&database, "select count(*), count(distinct body->>'id') from missed_call");
    let alone: Vec<String> = nodes
        .iter()
        .map(|(_, gateway)| gateway.status().map(|status| status["database"]["changes"].to_string()))
        .collect::<Result<_>>()?;
    for (_, gateway) in nodes {
        gateway.stop()?;
    }
    let teased = told.keys().filter(|number| number.starts_with("86138")).count() as u64;
    let subscribers = told.keys().filter(|number| number.starts_with("86139")).count() as u64;
    println!(
        "NODES | {} calls to each of two | recorded and different: {} | teased {teased}, used {}, quota {QUOTA} | subscribers told {subscribers}",
        calls.len(),
        recorded.trim(),
        used.trim()
    );
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "told more than once: {twice:?}; changes {alone:?}");
    ensure!(
        used.trim() == QUOTA.to_string() && teased == QUOTA,
        "{teased} were teased, {used} used; changes {alone:?}"
    );
    ensure!(subscribers == SUBSCRIBERS, "{subscribers} subscribers were told");
    // Whether there is a history of the tables is found out by asking for it.
    let log = cluster.log();
    let trouble = log.lines().filter(|line| line.contains("deadlock") || line.contains("ERROR"));
    let trouble: Vec<&str> = trouble.filter(|line| !line.contains("refinery_schema_history")).collect();
    ensure!(trouble.is_empty(), "{trouble:#?}");
    Ok(())
}
