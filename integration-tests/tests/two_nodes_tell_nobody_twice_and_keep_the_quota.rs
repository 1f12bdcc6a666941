//! Two nodes at one database share hot prospects, and are told of the same calls at the same time: nobody is told twice, and the quota holds to the
//! last person; also when the database dies in the middle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use integration_tests::load::FIRST_SUBSCRIBER;
use integration_tests::outage::{register, tell, wait_registered, wait_told, wait_whole};
use integration_tests::{Gateway, Make, Smsc, World, wait};
use serde_json::{Value, json};
use throwaway_postgres::{Cluster, sql};

const QUOTA: u64 = 30;
const PROSPECTS: u64 = 50;
const BATCH: u64 = 10;

/// Calls of one feed: most are for the same few prospects, one of ten for a subscriber that is called once.
fn call(name: &str, first_subscriber: u64, n: u64) -> Value {
    let (caller, called) = match n % 10 {
        0 => ("8613911110000".to_owned(), first_subscriber + n / 10),
        _ => (format!("861391111{:04}", n % 7), 8_613_800_000_000 + n * 7 % PROSPECTS),
    };
    json!({ "id": format!("{name}{n}"), "caller": caller, "called": called.to_string() })
}

struct Nodes {
    database: String,
    smsc: Smsc,
    both: Vec<(World, Gateway)>,
}

impl Nodes {
    fn start(cluster: &Cluster, subscribers: u64) -> Result<Self> {
        let database = cluster.database();
        let smsc = Smsc::start(Make::Node)?;
        let mut both = Vec::new();
        for name in ["one", "two"] {
            let mut world = World::with(&smsc)?;
            world
                .set("DATABASE__URL", &database)
                .set("DATABASE__NODE", name)
                .set("RANGES", &format!("hot=86138*:{QUOTA}"));
            let gateway = world.start_bound()?;
            wait_whole(&gateway).with_context(|| tell(&gateway, &world))?;
            both.push((world, gateway));
        }
        register(&database, subscribers);
        for (_, gateway) in &both {
            wait_registered(gateway, subscribers)?;
        }
        Ok(Self { database, smsc, both })
    }

    /// Hands in `calls` calls at each node at once, while something else goes on.
    fn feed(
        &self,
        calls: u64,
        pause: Duration,
        each: impl Fn(usize, u64) -> Value + Sync,
        meanwhile: impl FnOnce(&AtomicU64) -> Result<()>,
    ) -> Result<()> {
        let taken = AtomicU64::new(0);
        let feed = |node: usize, gateway: &Gateway| {
            for first in (0..calls).step_by(usize::try_from(BATCH)?) {
                gateway.take(&(first..first + BATCH).map(|n| each(node, n)).collect())?;
                taken.fetch_add(BATCH, Ordering::SeqCst);
                sleep(pause);
            }
            anyhow::Ok(())
        };
        thread::scope(|scope| {
            let feed = &feed;
            let feeds: Vec<_> = self
                .both
                .iter()
                .enumerate()
                .map(|(node, (_, gateway))| scope.spawn(move || feed(node, gateway)))
                .collect();
            let done = meanwhile(&taken);
            feeds.into_iter().try_for_each(|feed| feed.join().map_err(|_| anyhow!("a feed panicked"))?)?;
            done
        })?;
        for (world, gateway) in &self.both {
            wait_whole(gateway).and_then(|()| wait_told(gateway)).with_context(|| tell(gateway, world))?;
        }
        Ok(())
    }

    /// Ends both and counts.
    fn judge(self, name: &str, cluster: &Cluster, calls: u64, subscribers: u64) -> Result<u64> {
        let changes = |(_, gateway): &(World, Gateway)| Ok(gateway.status()?["database"]["changes"].to_string());
        let changes: Vec<String> = self.both.iter().map(changes).collect::<Result<_>>()?;
        self.both.into_iter().try_for_each(|(_, gateway)| gateway.stop())?;
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        for sms in self.smsc.messages() {
            *told.entry(sms.to).or_default() += 1;
        }
        let with = |prefix: &str| told.keys().filter(|number| number.starts_with(prefix)).count() as u64;
        let (teased, alerted) = (with("86138"), with("86139"));
        let used: u64 = sql(&self.database, "select coalesce(sum(used), 0) from range_usage").trim().parse()?;
        let found = sql(&self.database, "select count(*), count(distinct body->>'id') from missed_call");
        println!(
            "NODES | {name} | {calls} calls, recorded and different: {} | quota {QUOTA}, used {used}, teased {teased} | subscribers told {alerted}",
            found.trim()
        );
        ensure!(found.trim() == format!("{calls}|{calls}"), "{calls} calls, recorded and different: {found}");
        let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
        ensure!(twice.is_empty(), "told more than once: {twice:?}; {changes:?}");
        ensure!(used <= QUOTA && teased <= used, "{teased} were teased, {used} used; {changes:?}");
        ensure!(alerted == subscribers, "{alerted} of {subscribers} subscribers were told; {changes:?}");
        // Whether there is a history of the tables is found out by asking for it.
        let log = cluster.log();
        let trouble = log.lines().filter(|line| line.contains("deadlock") || line.contains("ERROR"));
        let trouble: Vec<&str> = trouble.filter(|line| !line.contains("refinery_schema_history")).collect();
        ensure!(trouble.is_empty(), "{trouble:#?}");
        Ok(teased)
    }
}

#[test]
fn told_of_the_same_calls() -> Result<()> {
    const CALLS: u64 = 3_000;
    let cluster = Cluster::start(&[]);
    let nodes = Nodes::start(&cluster, CALLS / 10)?;
    nodes.feed(CALLS, Duration::ZERO, |_, n| call("c", FIRST_SUBSCRIBER, n), |_| Ok(()))?;
    let teased = nodes.judge("same calls", &cluster, CALLS, CALLS / 10)?;
    ensure!(teased == QUOTA, "{teased} were teased");
    Ok(())
}

/// Each node has calls of its own; what they decided alone is handed over by both at once.
#[test]
fn while_the_database_dies() -> Result<()> {
    const CALLS: u64 = 2_000;
    let mut cluster = Cluster::start(&[]);
    let nodes = Nodes::start(&cluster, CALLS / 5)?;
    let each = |node: usize, n: u64| call(["a", "b"][node], FIRST_SUBSCRIBER + node as u64 * CALLS / 10, n);
    nodes.feed(CALLS, Duration::from_millis(20), each, |taken| {
        let wait = |share: u64| {
            wait::until_true("calls are taken", || Ok(taken.load(Ordering::SeqCst) >= 2 * CALLS * share / 10))
        };
        wait(1)?;
        cluster.kill();
        wait(6)?;
        cluster.restart();
        Ok(())
    })?;
    nodes.judge("calls of their own, kill -9 and restart", &cluster, 2 * CALLS, CALLS / 5).map(drop)
}
