//! Against real servers: what is connected to, who is let in, what tables there are, what a probe says.

mod doors;
mod probes;
mod races;
mod tables;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use model::{Secret, Timestamp};
use throwaway_postgres::Cluster;

use super::super::{Fault, PostgresSettings};
use super::{Connector, Session};

/// A server that no test harms; each takes a database of its own.
fn well() -> &'static Cluster {
    static WELL: OnceLock<Cluster> = OnceLock::new();
    WELL.get_or_init(|| Cluster::start(&[]))
}

/// It is 2026-11-23 12:00:00 UTC.
fn clock() -> Timestamp {
    Timestamp::from_millis(1_795_435_200_000)
}

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings {
        url: Secret::new(url.to_owned()),
        ca: None,
        node_name: "test's node".to_owned(),
        pool: 4,
        interval: Duration::from_millis(250),
        timeout: Duration::from_secs(1),
        migrate: true,
        lease: Duration::from_secs(600),
        retention: crate::Retention::of(Duration::from_secs(30 * 86_400)),
    }
}

fn connector(url: &str) -> Connector {
    Connector::new(&settings(url)).unwrap()
}

/// The address of several servers.
fn hosts(ports: &[u16]) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://postgres@{}/postgres?sslmode=disable", hosts.join(","))
}

async fn refused(connector: &Connector) -> Fault {
    match connector.connect().await {
        Err(fault) => fault,
        Ok(session) => panic!("connected, to timeline {}", session.timeline),
    }
}

/// Connects, however often it takes.
async fn at_last(connector: &Connector) -> Session {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match connector.connect().await {
            Ok(session) => return session,
            Err(fault) => assert!(Instant::now() < end, "{fault}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
