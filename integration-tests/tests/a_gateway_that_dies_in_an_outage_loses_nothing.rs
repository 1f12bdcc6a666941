//! While the database is away the gateway is stopped and started, or killed while it hands over: it goes on where it was, and nothing is lost.

use anyhow::{Context as _, Result};
use integration_tests::outage::{Scene, wait_registered};
use integration_tests::{load::SUBSCRIBERS, wait};
use throwaway_postgres::{Cluster, sql};

/// Calls before and after the restart: a second of them.
const MEANWHILE: u64 = 500;

/// Calls that come while the database is away, so that handing over takes long enough to be hit.
const MUCH: u64 = 5_000;

/// Its subscribers are known to it by its own disk: they are told though the database never answered this life.
#[test]
fn it_is_restarted_and_knows_its_subscribers() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("gateway restarted during the outage", &database)?;
    outage.fault(|| cluster.kill());
    outage.wait_abnormal()?;
    outage.load.go_on_for(MEANWHILE)?;
    outage.gateway.take().context("it runs")?.stop()?;
    outage.start_again()?;
    wait_registered(outage.gateway()?, SUBSCRIBERS)?;
    let before = outage.smsc.count("submit");
    outage.load.go_on_for(MEANWHILE)?;
    wait::until_true("subscribers are told", || Ok(outage.smsc.count("submit") > before + 300))?;
    outage.heal(|| cluster.restart());
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.loses_nothing()?;
    verdict.was_abnormal()
}

/// Whoever had no answer of the SMSC when it was killed is in doubt, and has an alert to show for it.
#[test]
fn it_is_killed_while_it_hands_over() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("gateway killed while it hands over", &database)?;
    outage.fault(|| cluster.kill());
    outage.wait_abnormal()?;
    outage.load.go_on_for(MUCH)?;
    cluster.restart();
    let place = || -> Result<u64> { Ok(sql(&database, "select coalesce(max(seq), 0) from applied").trim().parse()?) };
    let before = place()?;
    wait::until_true("some is handed over", || Ok(place()? > before))?;
    let behind = outage.gateway()?.status()?["database"]["behind"].clone();
    outage.kill_gateway()?;
    println!("killed at {} events after {before}, behind: {behind}", place()? - before);
    outage.heal(|| ());
    outage.start_again()?;
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.loses_nothing()?;
    verdict.was_abnormal()
}
