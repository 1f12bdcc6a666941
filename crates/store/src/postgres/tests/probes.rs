//! What a probe says.

use std::time::{Duration, Instant};

use throwaway_postgres::{Cluster, Holder, Proxy};

use super::super::super::{Class, Probe};
use super::{clock, connector, hosts, settings, wait_for, well};

const DEADLINE: Duration = Duration::from_millis(750);

fn probe(url: &str) -> Probe {
    Probe::new(connector(url), 7, &settings(url), clock)
}

/// The next report, however often it takes.
async fn healed(probe: &mut Probe) {
    let end = Instant::now() + Duration::from_secs(30);
    while let Err(fault) = probe.once(DEADLINE).await {
        assert!(Instant::now() < end, "{fault}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_writes_and_says_how_far_the_standby_is() {
    let cluster = Cluster::start(&[]);
    let mut probe = probe(&cluster.url());
    let first = probe.once(DEADLINE).await.unwrap();
    assert_eq!(first.flushed, None);
    assert_eq!(cluster.sql("select node, name from heartbeat").trim(), "7|test's node");
    let standby = cluster.standby("s1", &[]);
    let mut flushed = None;
    wait_for("the standby says nothing", || {
        flushed = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(probe.once(DEADLINE)))
            .unwrap()
            .flushed;
        flushed.is_some()
    });
    let second = probe.once(DEADLINE).await.unwrap();
    assert!(second.log > first.log && flushed > Some(first.log));
    drop(standby);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_any_privilege_but_its_own_tables_can_probe() {
    let cluster = Cluster::start(&[]);
    cluster.sql("create role plain login; create database plain owner plain");
    let _standby = cluster.standby("s1", &[]);
    let mut probe = probe(&format!("postgres://plain@127.0.0.1:{}/plain?sslmode=disable", cluster.port()));
    let report = probe.once(DEADLINE).await.unwrap();
    assert!(report.log > 0 && report.flushed.is_none());
    cluster.sql("grant pg_read_all_stats to plain");
    wait_for("the standby does not stream", || {
        cluster.sql("select count(*) from pg_stat_replication where flush_lsn is not null").trim() == "1"
    });
    assert!(probe.once(DEADLINE).await.unwrap().flushed.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_has_its_class_and_passes() {
    let mut cluster = Cluster::start(&[]);
    let mut probe = probe(&cluster.url());
    probe.once(DEADLINE).await.unwrap();

    cluster.hang();
    let begun = Instant::now();
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Silent);
    assert!(begun.elapsed() < Duration::from_millis(1000), "{:?}", begun.elapsed());
    cluster.resume();
    healed(&mut probe).await;

    cluster.sql("alter system set default_transaction_read_only = on; select pg_reload_conf()");
    wait_for("it is not read-only", || cluster.sql("show default_transaction_read_only").trim() == "on");
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::ReadOnly);
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::ReadOnly);
    cluster.sql("set default_transaction_read_only = off; alter system reset default_transaction_read_only; select pg_reload_conf()");
    healed(&mut probe).await;

    cluster.kill_backend("afterring");
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Away);
    healed(&mut probe).await;

    cluster.stop();
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Away);
    cluster.restart();
    healed(&mut probe).await;

    cluster.sql("alter system set synchronous_standby_names = 'nobody'; select pg_reload_conf()");
    wait_for("it does not wait", || cluster.sql("show synchronous_standby_names").trim() == "nobody");
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Silent);
    cluster
        .sql("set synchronous_commit = local; alter system reset synchronous_standby_names; select pg_reload_conf()");
    healed(&mut probe).await;

    let holder = Holder::of(&cluster.url(), "lock table heartbeat");
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Silent);
    drop(holder);
    healed(&mut probe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_go_or_are_newer_are_told_of() {
    let url = well().database();
    let mut probe =
        Probe::new(connector(&url), 7, &super::PostgresSettings { migrate: false, ..settings(&url) }, clock);
    let fault = probe.once(DEADLINE).await.unwrap_err();
    assert!(fault.class == Class::Schema && fault.text.contains("has no tables"), "{fault}");
    super::super::super::migrate_now(&settings(&url)).await.unwrap();
    probe.once(DEADLINE).await.unwrap();
    throwaway_postgres::sql(&url, "drop table heartbeat");
    assert_eq!(probe.once(DEADLINE).await.unwrap_err().class, Class::Schema);
    throwaway_postgres::sql(
        &url,
        "insert into refinery_schema_history values (99, 'later', '2030-01-01T00:00:00Z', '0')",
    );
    let fault = probe.once(DEADLINE).await.unwrap_err();
    assert!(fault.class == Class::Schema && fault.text.contains("upgrade this node"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_is_not_a_fault() {
    let proxy = Proxy::to(well().port());
    let name = well().database().rsplit('/').next().unwrap().to_owned();
    let mut probe = probe(&hosts(&[proxy.port()]).replace("postgres?sslmode=disable", &name));
    probe.once(DEADLINE).await.unwrap();
    proxy.delay(Duration::from_millis(100));
    probe.once(DEADLINE).await.unwrap();
    proxy.cut();
    healed(&mut probe).await;
    for _ in 0..5 {
        probe.once(DEADLINE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_replaced_is_refused() {
    let cluster = Cluster::start(&[]);
    let connector = connector(&cluster.url());
    let mut probe = Probe::new(connector.clone(), 7, &settings(&cluster.url()), clock);
    probe.once(DEADLINE).await.unwrap();
    // Another session met its successor.
    connector.saw_timeline(2);
    let fault = probe.once(DEADLINE).await.unwrap_err();
    assert!(fault.class == Class::ReadOnly && fault.text.contains("timeline 1 was refused, 2 was seen"), "{fault}");
}
