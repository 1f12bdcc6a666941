//! The database answers and takes no changes from us: alerts go on, and when it takes them again it has everything, each thing once.

use anyhow::Result;
use integration_tests::outage::Scene;
use integration_tests::wait;
use throwaway_postgres::{Cluster, Holder, sql};

/// Calls that come meanwhile: three seconds of them.
const MEANWHILE: u64 = 1_500;

#[test]
fn it_is_read_only() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let mut outage = Scene::beside(&database)?.begin("read only", &database)?;
    outage.fault(|| cluster.sql("alter system set default_transaction_read_only = on; select pg_reload_conf()"));
    outage.sit_out(
        MEANWHILE,
        || cluster.sql("alter system reset default_transaction_read_only; select pg_reload_conf()"),
        &database,
    )
}

/// Also: the gateway is no superuser, and the database is its own.
#[test]
fn its_connections_are_used_up() -> Result<()> {
    const ALL: u32 = 24;
    const RESERVED: u32 = 3;
    let cluster =
        Cluster::start(&[&format!("max_connections={ALL}"), &format!("superuser_reserved_connections={RESERVED}")]);
    let truth = cluster.database();
    cluster.sql("create role gateway login; create role others login; alter database t0 owner to gateway");
    let as_role = |role: &str| truth.replace("//postgres@", &format!("//{role}@"));
    let mut outage = Scene::beside(&as_role("gateway"))?.begin("connections used up", &truth)?;
    let ours = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'afterring'";
    outage.fault(|| sql(&truth, &format!("alter role gateway connection limit 0; {ours}")));
    let mut holders = Vec::new();
    let held = "select count(*) from pg_stat_activity where usename = 'others'";
    wait::until_true("no connection is left", || {
        let full = sql(&truth, held).trim() == (ALL - RESERVED).to_string();
        if !full {
            holders.push(Holder::begin(&as_role("others"), "select 1"));
        }
        Ok(full)
    })?;
    sql(&truth, "alter role gateway connection limit -1");
    outage.sit_out(MEANWHILE, || drop(holders), &truth)
}

/// A commit waits for a standby that hangs, for ever; meanwhile reading works, and so would `select 1`.
#[test]
fn its_synchronous_standby_hangs() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let standby = cluster.standby("second", &[]);
    cluster.sql("alter system set synchronous_standby_names = 'second'; select pg_reload_conf()");
    let mut outage = Scene::beside(&database)?.begin("synchronous standby hangs", &database)?;
    outage.fault(|| standby.hang());
    outage.sit_out(MEANWHILE, || standby.resume(), &database)
}
