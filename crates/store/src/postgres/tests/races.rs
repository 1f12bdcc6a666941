//! Which server is taken.

use std::time::{Duration, Instant};

use throwaway_postgres::{Cluster, Proxy};

use super::super::super::Class;
use super::{at_last, connector, hosts, refused, wait_for, well};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_new_primary_is_taken_though_the_old_one_hangs_and_comes_back() {
    let old = Cluster::start(&[]);
    let mut new = old.standby("s1", &[]);
    wait_for("the standby does not follow", || new.has_all_of(&old));
    let connector = connector(&hosts(&[old.port(), new.port()]));
    let before = connector.connect().await.unwrap();
    assert_eq!((before.timeline, connector.timeline()), (1, 1));
    let pooled = connector.pool().unwrap().get().await.unwrap();
    drop(pooled);

    old.hang();
    new.promote();
    let begun = Instant::now();
    let after = connector.connect().await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(900), "the hung one was waited for: {:?}", begun.elapsed());
    assert_eq!(after.timeline, 2);
    assert_eq!(connector.pool().unwrap().status().size, 0, "sessions with the old one were kept");

    old.resume();
    assert!(before.is_closed() && !after.is_closed());
    assert_eq!(connector.connect().await.unwrap().timeline, 2);
    new.kill();
    let fault = refused(&connector).await;
    assert_eq!(fault.class, Class::ReadOnly);
    assert!(fault.text.contains("an old primary on timeline 1 was refused, 2 was seen"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_taken_once_it_is_promoted() {
    let mut primary = Cluster::start(&[]);
    let standby = primary.standby("s1", &[]);
    let connector = connector(&hosts(&[standby.port(), primary.port()]));
    assert_eq!(connector.connect().await.unwrap().timeline, 1);
    primary.kill();
    let fault = refused(&connector).await;
    assert_eq!(fault.class, Class::ReadOnly);
    let (one, other) = (format!("127.0.0.1:{}: a standby", standby.port()), format!("127.0.0.1:{}: ", primary.port()));
    assert!(fault.text.contains(&one) && fault.text.contains(&other) && fault.text.contains("refused"), "{fault}");
    standby.promote();
    assert_eq!(connector.connect().await.unwrap().timeline, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_is_promoted_while_a_hung_primary_is_waited_for_is_taken_at_once() {
    let old = Cluster::start(&[]);
    let new = old.standby("s1", &[]);
    wait_for("the standby does not follow", || new.has_all_of(&old));
    let connector = connector(&hosts(&[old.port(), new.port()]));
    connector.connect().await.unwrap();
    old.hang();
    for bound in [1000, 2000] {
        let fault = refused(&connector).await;
        assert!(fault.class == Class::ReadOnly && fault.text.contains(&format!("within {bound} ms")), "{fault}");
        assert_eq!(fault.text.matches("a standby").count(), 1, "{fault}");
    }
    // Four seconds are its bound now. It finds a standby first.
    let waiting = tokio::spawn({
        let connector = connector.clone();
        async move { connector.connect().await.map(|session| (session.timeline, Instant::now())) }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    new.promote();
    let promoted = Instant::now();
    let (timeline, taken) = waiting.await.unwrap().unwrap();
    assert_eq!(timeline, 2);
    assert!(taken < promoted + Duration::from_millis(1500), "the hung one was waited for: {:?}", taken - promoted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_is_silent_within_the_bound_and_is_waited_for_longer_each_time() {
    let cluster = Cluster::start(&[]);
    let connector = connector(&cluster.url());
    cluster.hang();
    for bound in [1000, 2000] {
        let begun = Instant::now();
        // Those who wait at once don't make the bound grow more.
        let (fault, _) = tokio::join!(refused(&connector), refused(&connector));
        assert_eq!(fault.class, Class::Silent);
        assert!(fault.text.contains(&format!("no answer within {bound} ms")), "{fault}");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(bound) && took < Duration::from_millis(bound + 500), "{took:?}");
    }
    cluster.resume();
    at_last(&connector).await;
    cluster.hang();
    assert!(refused(&connector).await.text.contains("within 1000 ms"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_link_is_waited_for() {
    let proxy = Proxy::to(well().port());
    let connector = connector(&hosts(&[proxy.port()]));
    // Two round trips.
    proxy.delay(Duration::from_millis(300));
    assert_eq!(refused(&connector).await.class, Class::Silent);
    connector.connect().await.unwrap();
    // From now on it is known how slow it is.
    connector.connect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_away_and_a_name_nobody_knows_too() {
    let proxy = Proxy::to(well().port());
    proxy.refuse(true);
    let fault = refused(&connector(&hosts(&[proxy.port()]))).await;
    assert!(fault.class == Class::Away && fault.text.contains("refused"), "{fault}");
    let fault = refused(&connector("postgres://a@nowhere.invalid:5432/db")).await;
    assert!(
        matches!(fault.class, Class::Away | Class::Silent) && fault.text.contains("nowhere.invalid:5432"),
        "{fault}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_read_only_is_not_taken() {
    let cluster = Cluster::start(&["default_transaction_read_only=on"]);
    let fault = refused(&connector(&cluster.url())).await;
    assert!(fault.class == Class::ReadOnly && fault.text.contains("default_transaction_read_only"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_closed_and_one_that_is_dropped_leaves_the_server() {
    let proxy = Proxy::to(well().port());
    let url = well().database();
    let name = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).unwrap();
    let connector = connector(&format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", proxy.port()));
    let session = connector.connect().await.unwrap();
    proxy.cut();
    let fault = session.batch_execute("select 1").await.unwrap_err();
    assert_eq!(super::Fault::from(fault).class, Class::Away);
    assert!(session.is_closed());

    let session = connector.connect().await.unwrap();
    let sessions =
        format!("select count(*) from pg_stat_activity where datname = '{name}' and application_name = 'afterring'");
    assert_eq!(well().sql(&sessions).trim(), "1");
    // Also while something is on its way.
    tokio::time::timeout(Duration::from_millis(50), session.batch_execute("select pg_sleep(0.3)")).await.unwrap_err();
    drop(session);
    wait_for("the session is still there", || well().sql(&sessions).trim() == "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_will_do() {
    let url = format!("postgres://postgres@/postgres?host={}&port={}", well().socket().display(), well().port());
    connector(&url).connect().await.unwrap();
}
