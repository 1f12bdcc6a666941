//! The database comes and goes: alerts go on, recovering takes longer each time instead of each return being believed, and nothing is lost.

use anyhow::{Result, ensure};
use integration_tests::outage::Scene;
use throwaway_postgres::Cluster;

const TIMES: usize = 5;

/// Calls between two changes: a second and a half of them, so that it goes down every three seconds.
const BETWEEN: u64 = 750;

fn again_and_again(name: &'static str, fall: impl Fn(&mut Cluster), rise: impl Fn(&mut Cluster)) -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin(name, &database)?;
    for _ in 0..TIMES {
        outage.fault(|| fall(&mut cluster));
        outage.load.go_on_for(BETWEEN)?;
        outage.heal(|| rise(&mut cluster));
        outage.load.go_on_for(BETWEEN)?;
    }
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    ensure!(verdict.episodes() <= TIMES, "more outages than there were: {:?}", verdict.changes);
    Ok(())
}

#[test]
fn stopped_and_started() -> Result<()> {
    again_and_again("flapping: stop and start 5 times", Cluster::stop, Cluster::restart)
}

#[test]
fn hung_and_resumed() -> Result<()> {
    again_and_again("flapping: hang and resume 5 times", |cluster| cluster.hang(), |cluster| cluster.resume())
}
