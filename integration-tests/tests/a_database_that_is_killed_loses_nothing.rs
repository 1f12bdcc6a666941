//! The database dies at once: alerts go on, and when it is back it has everything, each thing once.

use anyhow::Result;
use integration_tests::outage::Scene;
use throwaway_postgres::Cluster;

/// Calls that come while the database is away: three seconds of them.
const AWAY: u64 = 1_500;

#[test]
fn by_kill_minus_nine() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("kill -9, restart", &database)?;
    outage.fault(|| cluster.kill());
    outage.wait_abnormal()?;
    outage.load.go_on_for(AWAY)?;
    outage.heal(|| cluster.restart());
    outage.wait_normal()?;
    let verdict = outage.verdict(&database)?;
    verdict.is_sound()?;
    verdict.was_abnormal()
}
