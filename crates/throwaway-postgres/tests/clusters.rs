//! What tests may rely on.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use throwaway_postgres::{Cluster, Holder, Proxy, sql, try_sql};

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_cluster_comes_back_with_its_data() {
    let mut cluster = Cluster::start(&["max_connections=20"]);
    assert_eq!(cluster.sql("show max_connections").trim(), "20");
    cluster.sql("create table t (n int); insert into t values (1)");
    cluster.kill();
    assert!(!cluster.is_running());
    assert!(try_sql(&cluster.url(), "select 1").unwrap_err().contains("refused"));
    cluster.restart();
    assert_eq!(cluster.sql("select n from t").trim(), "1");
    cluster.stop_immediate();
    cluster.restart();
    cluster.stop();
    cluster.restart();
    assert_eq!(cluster.sql("select n from t").trim(), "1");
}

#[test]
fn a_hung_cluster_accepts_and_answers_only_once_it_may() {
    let cluster = Cluster::start(&[]);
    cluster.hang();
    let url = cluster.url();
    let asked = thread::spawn(move || sql(&url, "select 7"));
    thread::sleep(Duration::from_millis(300));
    assert!(!asked.is_finished());
    cluster.resume();
    assert_eq!(asked.join().unwrap().trim(), "7");
}

#[test]
fn a_hung_cluster_goes_with_its_directory() {
    let cluster = Cluster::start(&[]);
    let data = cluster.data().to_owned();
    cluster.hang();
    drop(cluster);
    assert!(!data.exists());
}

#[test]
fn a_standby_follows_and_takes_over() {
    let mut primary = Cluster::start(&[]);
    primary.sql("create table t (n int); insert into t values (1)");
    let standby = primary.standby("s1", &[]);
    primary.sql("insert into t values (2)");
    wait_for("the standby does not follow", || standby.has_all_of(&primary));
    assert!(try_sql(&standby.url(), "insert into t values (3)").unwrap_err().contains("read-only"));
    primary.sql("alter system set synchronous_standby_names = 's1'; select pg_reload_conf()");
    wait_for("it is not synchronous", || primary.sql("select sync_state from pg_stat_replication").trim() == "sync");
    primary.sql("insert into t values (4)");
    primary.kill();
    standby.promote();
    standby.sql("insert into t values (8)");
    assert_eq!(standby.sql("select sum(n) from t").trim(), "15");
    assert_eq!(standby.sql("select substr(pg_walfile_name(pg_current_wal_lsn()), 8, 1)").trim(), "2");
}

#[test]
fn a_killed_session_ends_all_sessions() {
    let cluster = Cluster::start(&[]);
    let holder = Holder::of(&cluster.url(), "create table t ()");
    assert_eq!(cluster.sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'").trim(), "1");
    cluster.kill_backend("psql");
    wait_for("it does not recover", || try_sql(&cluster.url(), "select 1").is_ok());
    assert_eq!(cluster.sql("select to_regclass('t')").trim(), "");
    drop(holder);
}

#[test]
fn a_holder_holds_until_it_is_dropped() {
    let cluster = Cluster::start(&[]);
    cluster.sql("create table t ()");
    let holder = Holder::of(&cluster.url(), "lock table t");
    let asked = |patience: u32| try_sql(&cluster.url(), &format!("set lock_timeout = {patience}; select * from t"));
    assert!(asked(50).unwrap_err().contains("lock timeout"));
    drop(holder);
    asked(5000).unwrap();
}

#[test]
fn every_test_has_its_database() {
    let cluster = Cluster::start(&[]);
    let (one, other) = (cluster.database(), cluster.database());
    sql(&one, "create table t ()");
    assert!(try_sql(&other, "select * from t").unwrap_err().contains("does not exist"));
}

#[test]
fn a_cluster_outlives_the_thread_that_started_it() {
    let mut cluster = thread::spawn(|| Cluster::start(&[])).join().unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(cluster.is_running());
    cluster.sql("select 1");
}

#[test]
fn a_proxy_delays_freezes_cuts_and_refuses() {
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::to(cluster.port());
    let url = cluster.url().replace(&cluster.port().to_string(), &proxy.port().to_string());
    assert_eq!(sql(&url, "select 1").trim(), "1");

    proxy.delay(Duration::from_millis(50));
    let begun = Instant::now();
    sql(&url, "select 1");
    assert!(begun.elapsed() > Duration::from_millis(200), "two round trips at least: {:?}", begun.elapsed());
    proxy.delay(Duration::ZERO);

    proxy.freeze(true);
    let asking = url.clone();
    let asked = thread::spawn(move || sql(&asking, "select 7"));
    thread::sleep(Duration::from_millis(200));
    assert!(!asked.is_finished());
    proxy.freeze(false);
    assert_eq!(asked.join().unwrap().trim(), "7");

    let mut open = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    // What asks for TLS: the server says that it has none.
    open.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    open.read_exact(&mut [0]).unwrap();
    proxy.refuse(true);
    assert!(try_sql(&url, "select 1").unwrap_err().contains("refused"));
    proxy.refuse(false);
    assert_eq!(sql(&url, "select 1").trim(), "1");
    proxy.cut();
    assert_eq!(open.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(sql(&url, "select 1").trim(), "1");
}
