//! Through PgBouncer in transaction mode, where a session lasts a transaction: alerts flow, nothing is lost, and registrations are followed without notifications.

use anyhow::{Context as _, Result};
use integration_tests::load::SUBSCRIBERS;
use integration_tests::outage::{Scene, wait_registered};
use throwaway_postgres::{Bouncer, Cluster, sql};

#[test]
fn in_transaction_mode() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let bouncer = Bouncer::before(&cluster, 5);
    let behind = database.replace(&format!(":{}/", cluster.port()), &format!(":{}/", bouncer.port()));
    let mut outage = Scene::beside(&behind)?.begin("PgBouncer in between, kill -9 and restart", &database)?;
    sql(&database, "insert into subscriber (number) values (8613700000001)");
    wait_registered(outage.gateway()?, SUBSCRIBERS + 1).context("registrations are followed")?;
    outage.load.go_on_for(1_000)?;
    outage.fault(|| cluster.kill());
    outage.wait_abnormal()?;
    outage.load.go_on_for(1_000)?;
    outage.heal(|| cluster.restart());
    outage.wait_normal().with_context(|| bouncer.log())?;
    outage.verdict(&database)?.is_sound()
}
