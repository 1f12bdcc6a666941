//! A node dies for good with alerts that it never sent: after its lease the other node takes them over, by what is set for alerts in doubt.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::load::FIRST_SUBSCRIBER;
use integration_tests::outage::{register, tell, wait_registered, wait_whole};
use integration_tests::{Gateway, Make, Smsc, World, ports, wait};
use serde_json::{Value, json};
use throwaway_postgres::{Cluster, sql};

const ALERTS: u64 = 200;

/// The lease is ten seconds, and it is looked for as often; far more than both.
const TAKEN_OVER: Duration = Duration::from_secs(150);

/// A node that lives, and its database with the alerts of one that is dead.
struct Heir {
    database: String,
    world: World,
    gateway: Gateway,
    smsc: Smsc,
}

fn node(database: &str, in_doubt: &str, smsc: &str) -> Result<(World, Gateway)> {
    let mut world = World::new()?;
    world
        .set("SMSC__URLS", smsc)
        .set("DATABASE__URL", database)
        .set("DATABASE__LEASE", "10s")
        .set("ALERT__IN_DOUBT", in_doubt)
        .set("ALERT__RESEND_WAIT", "1s");
    let gateway = world.start()?;
    wait_whole(&gateway).with_context(|| tell(&gateway, &world))?;
    wait_registered(&gateway, 0)?;
    Ok((world, gateway))
}

fn in_state(database: &str, state: &str) -> u64 {
    let count = sql(database, &format!("select count(*) from alert where state = '{state}'"));
    count.trim().parse().unwrap_or(u64::MAX)
}

fn heir(cluster: &Cluster, in_doubt: &str) -> Result<Heir> {
    let database = cluster.database();
    let nowhere = format!("smpp://afterring:secret@127.0.0.1:{}", ports::free()?);
    let (dead_world, dead) = node(&database, in_doubt, &nowhere)?;
    register(&database, ALERTS);
    wait_registered(&dead, ALERTS)?;
    let call = |n: u64| json!({ "id": format!("c{n}"), "caller": "8613911112222", "called": (FIRST_SUBSCRIBER + n).to_string() });
    dead.take(&(0..ALERTS).map(call).collect::<Value>())?;
    dead.wait_decided()?;
    wait::until_true("the database has them", || Ok(in_state(&database, "queued") == ALERTS))
        .with_context(|| tell(&dead, &dead_world))?;
    let smsc = Smsc::start(Make::Node)?;
    let (world, gateway) = node(&database, in_doubt, &smsc.url())?;
    dead.kill()?;
    Ok(Heir { database, world, gateway, smsc })
}

impl Heir {
    fn wait_left(&self, state: &str) -> Result<()> {
        wait::within(TAKEN_OVER, &format!("all are {state}"), || {
            Ok((in_state(&self.database, state) == ALERTS).then_some(()))
        })
        .with_context(|| {
            let states = sql(&self.database, "select node, state, count(*) from alert group by 1, 2");
            let printed = self.world.printed().unwrap_or_default();
            let first: Vec<&str> =
                printed.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).take(8).collect();
            format!("{states}\n{}\n{}", first.join("\n"), self.gateway.status().unwrap_or_default())
        })
    }

    fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.smsc.messages().into_iter().map(|sms| sms.to).collect();
        told.sort();
        told
    }
}

#[test]
fn by_the_policy_for_alerts_in_doubt() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let (resent, held) = (heir(&cluster, "resend")?, heir(&cluster, "hold")?);
    resent.wait_left("delivered")?;
    held.wait_left("in_doubt")?;
    let told = resent.told();
    let once: std::collections::BTreeSet<&String> = told.iter().collect();
    ensure!(
        told.len() as u64 == ALERTS && once.len() as u64 == ALERTS,
        "told {} times, {} people",
        told.len(),
        once.len()
    );
    ensure!(held.told().is_empty(), "held, and told all the same: {:?}", held.told());
    resent.gateway.stop()?;
    held.gateway.stop()
}
