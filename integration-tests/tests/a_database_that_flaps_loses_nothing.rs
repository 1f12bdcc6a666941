//! The database comes and goes: alerts go on, recovering takes longer each time instead of each return being believed, and nothing is lost.

use anyhow::{Result, ensure};
use integration_tests::outage::Scene;
use throwaway_postgres::Cluster;

const TIMES: usize = 5;

/// Calls between two changes: a second and a half of them, so that it goes down every three seconds.
const BETWEEN: u64 = 750;

#[test]
fn stopped_and_started_again_and_again() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("flapping: stop and start 5 times", &database)?;
    for _ in 0..TIMES {
        outage.fault(|| cluster.stop());
        outage.load.go_on_for(BETWEEN)?;
        outage.heal(|| cluster.restart());
        outage.load.go_on_for(BETWEEN)?;
    }
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    ensure!(verdict.episodes() <= TIMES, "more outages than there were: {:?}", verdict.changes);
    Ok(())
}

#[test]
fn hung_and_resumed_again_and_again() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("flapping: hang and resume 5 times", &database)?;
    for _ in 0..TIMES {
        outage.fault(|| cluster.hang());
        outage.load.go_on_for(BETWEEN)?;
        outage.heal(|| cluster.resume());
        outage.load.go_on_for(BETWEEN)?;
    }
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    ensure!(verdict.episodes() <= TIMES, "more outages than there were: {:?}", verdict.changes);
    Ok(())
}
