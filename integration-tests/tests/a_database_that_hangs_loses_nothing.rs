//! The database is there and says nothing: alerts go on after a second, and when it speaks again it has everything, each thing once.

use anyhow::Result;
use integration_tests::outage::Scene;
use throwaway_postgres::{Cluster, Proxy};

/// Calls that come while the database is silent: three seconds of them.
const SILENT: u64 = 1_500;

#[test]
fn stopped_in_its_tracks() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("SIGSTOP", &database)?;
    outage.fault(|| cluster.hang());
    outage.sit_out(SILENT, || cluster.resume(), &database)
}

#[test]
fn its_packets_are_lost() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let network = Proxy::to(cluster.port());
    let behind = database.replace(&format!(":{}/", cluster.port()), &format!(":{}/", network.port()));
    let mut outage = Scene::beside(&behind)?.begin("packets lost", &database)?;
    outage.fault(|| network.freeze(true));
    outage.sit_out(SILENT, || network.freeze(false), &database)
}

#[test]
fn a_firewall_resets_its_connections() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let network = Proxy::to(cluster.port());
    let behind = database.replace(&format!(":{}/", cluster.port()), &format!(":{}/", network.port()));
    let mut outage = Scene::beside(&behind)?.begin("connections reset, new ones refused", &database)?;
    outage.fault(|| {
        network.refuse(true);
        network.cut();
    });
    outage.sit_out(SILENT, || network.refuse(false), &database)
}
