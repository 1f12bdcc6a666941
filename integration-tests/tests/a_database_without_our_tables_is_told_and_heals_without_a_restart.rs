//! The database has no tables, or those of a newer program: this is said, calls are taken all the same, and the gateway goes on by itself when it is mended.

use anyhow::{Context as _, Result, ensure};
use integration_tests::outage::{tell, wait_told, wait_whole};
use integration_tests::{Gateway, Make, Smsc, World, wait};
use serde_json::json;
use throwaway_postgres::{Cluster, sql};

fn world(smsc: &Smsc, database: &str) -> Result<World> {
    let mut world = World::with(smsc)?;
    world.set("DATABASE__URL", database).set("DATABASE__MIGRATE", "false").set("RANGES", "south=86138*:1000");
    Ok(world)
}

/// Abnormal, with words that say all of it.
fn wait_reason(gateway: &Gateway, world: &World, words: &[&str]) -> Result<()> {
    wait::until_true(&format!("the reason says {words:?}"), || {
        let status = gateway.status()?;
        let reason = status["database"]["reason"].as_str().unwrap_or_default().to_owned();
        Ok(status["database"]["state"] == "abnormal" && words.iter().all(|word| reason.contains(word)))
    })
    .with_context(|| tell(gateway, world))?;
    println!("reason: {}", gateway.status()?["database"]["reason"]);
    Ok(())
}

fn takes_calls(gateway: &Gateway, name: &str) -> Result<()> {
    let call = |n: u64| json!({ "id": format!("{name}-{n}"), "called": (8_613_800_000_000 + n).to_string() });
    gateway.take(&(0..20).map(call).collect())?;
    gateway.wait_decided()
}

fn recorded(database: &str) -> String {
    sql(database, "select count(*), count(distinct body->>'id') from missed_call").trim().to_owned()
}

#[test]
fn there_are_none() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let smsc = Smsc::start(Make::Node)?;
    let world = world(&smsc, &database)?;
    let gateway = world.start_bound()?;
    wait_reason(&gateway, &world, &["afterring migrate"])?;
    takes_calls(&gateway, "none")?;
    ensure!(gateway.look("/readyz")?.status == 200, "abnormal is degraded, not unready");
    let migrated = world.output(&["migrate"])?;
    ensure!(migrated.status.success(), "afterring migrate: {migrated:?}");
    wait_whole(&gateway).with_context(|| tell(&gateway, &world))?;
    wait_told(&gateway)?;
    ensure!(recorded(&database) == "20|20", "{}", recorded(&database));
    ensure!(smsc.count("submit") == 0, "never a teaser, not even late: {:?}", smsc.messages());
    gateway.stop()
}

#[test]
fn they_are_newer() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let smsc = Smsc::start(Make::Node)?;
    let world = world(&smsc, &database)?;
    ensure!(world.output(&["migrate"])?.status.success(), "afterring migrate");
    let newer = "insert into refinery_schema_history (version, name, applied_on, checksum) values (99, 'later', now()::text, '0')";
    sql(&database, newer);
    let gateway = world.start_bound()?;
    wait_reason(&gateway, &world, &["99"])?;
    takes_calls(&gateway, "newer")?;
    sql(&database, "delete from refinery_schema_history where version = 99");
    wait_whole(&gateway).with_context(|| tell(&gateway, &world))?;
    wait_told(&gateway)?;
    ensure!(recorded(&database) == "20|20", "{}", recorded(&database));
    gateway.stop()
}
