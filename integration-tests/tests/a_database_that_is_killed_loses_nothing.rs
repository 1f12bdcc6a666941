//! The database dies at once: alerts go on, and when it is back it has everything, each thing once.

use anyhow::Result;
use integration_tests::outage::{Outage, Scene};
use integration_tests::wait;
use throwaway_postgres::{Cluster, try_sql};

/// Calls that come while the database is away: three seconds of them.
const AWAY: u64 = 1_500;

fn begin(name: &'static str) -> Result<(Cluster, String, Outage)> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let outage = Scene::beside(&database)?.begin(name, &database)?;
    Ok((cluster, database, outage))
}

#[test]
fn kill_minus_nine() -> Result<()> {
    let (mut cluster, database, mut outage) = begin("kill -9 and restart")?;
    outage.fault(|| cluster.kill());
    outage.sit_out(AWAY, || cluster.restart(), &database)
}

#[test]
fn an_operators_stop() -> Result<()> {
    let (mut cluster, database, mut outage) = begin("stop -m fast and start")?;
    outage.fault(|| cluster.stop());
    outage.sit_out(AWAY, || cluster.restart(), &database)
}

/// The server closes every session and recovers by itself, which may be over before it counts as an outage.
#[test]
fn one_of_its_processes() -> Result<()> {
    let (cluster, database, mut outage) = begin("kill -9 of one backend")?;
    outage.fault(|| cluster.kill_backend("afterring"));
    outage.heal(|| wait::until_true("the server has recovered", || Ok(try_sql(&database, "select 1").is_ok())))?;
    outage.load.go_on_for(AWAY)?;
    outage.wait_normal()?;
    outage.verdict(&database)?.is_sound()
}
