//! Locks of others and a slow link concern some statements, or all of them a little: the database stays in use, and nothing is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::outage::Scene;
use throwaway_postgres::{Cluster, Holder, Proxy, sql};

/// Calls that come while somebody holds a lock: four seconds of them.
const LOCKED: u64 = 2_000;

fn locked(name: &'static str, locks: &str) -> Result<()> {
    let cluster = Cluster::start(&["log_lock_waits=on"]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin(name, &database)?;
    let holder = outage.fault(|| Holder::of(&database, locks));
    outage.load.go_on_for(LOCKED)?;
    outage.heal(|| drop(holder));
    outage.load.go_on_for(500)?;
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    verdict.was_never_abnormal()
}

#[test]
fn a_row_that_every_batch_needs_is_locked() -> Result<()> {
    locked("row lock held 4 s (the node's place)", "select from applied for update")
}

#[test]
fn the_quota_of_a_range_is_locked() -> Result<()> {
    locked("row lock held 4 s (a range's quota)", "select from range_usage for update")
}

#[test]
fn tables_are_locked() -> Result<()> {
    locked("table lock held 4 s", "lock table call_box, alert, missed_call in access exclusive mode")
}

/// From the beginning. Batches grow until they carry what comes in a round trip; from then on as much is decided as comes, all of it by the database.
#[test]
fn the_link_is_slow() -> Result<()> {
    const EACH_WAY: Duration = Duration::from_millis(100);
    const GROWING: u64 = 3_000;
    // Some fifteen batches: one more or less is no tenth of them.
    const STEADY: u64 = 6_000;
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let network = Proxy::to(cluster.port());
    network.delay(EACH_WAY);
    let behind = database.replace(&format!(":{}/", cluster.port()), &format!(":{}/", network.port()));
    let outage = Scene::beside(&behind)?.begin("slow link, 200 ms round trip", &database)?;
    let look = || -> Result<(u64, u64)> {
        let recorded = sql(&database, "select count(*) from missed_call").trim().parse()?;
        Ok((outage.load.answered(), recorded))
    };
    outage.load.go_on_for(GROWING)?;
    let first = look()?;
    outage.load.go_on_for(STEADY)?;
    let last = look()?;
    let (came, decided) = (last.0 - first.0, last.1 - first.1);
    println!("of {came} calls {decided} were decided meanwhile, {} wait", last.0 - last.1);
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    verdict.was_never_abnormal()?;
    ensure!(verdict.backlog == 0, "{} calls were decided without the database", verdict.backlog);
    ensure!(decided * 10 >= came * 9, "{came} calls came, {decided} were decided: it does not keep up");
    Ok(())
}
