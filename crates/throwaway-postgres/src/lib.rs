//! Throwaway Postgres clusters from the binaries that are installed, and a bad network in front of them; for tests.
//!
//! A cluster takes about a tenth of a second: `initdb` runs once in a process, and its result is copied. It can be hung, killed, stopped and started
//! again like a real server, because it is one. Servers end and directories go when their owner is dropped, and also when the test process dies.
//!
//! As root, servers run as the user `postgres`, because Postgres refuses root. Whatever goes wrong panics with what to do about it.

#![allow(clippy::expect_used, clippy::panic, reason = "a harness that can't go on fails its test, and says why")]

mod binaries;
mod bouncer;
mod cluster;
mod directory;
mod patroni;
mod process;
mod proxy;
mod session;

pub use bouncer::Bouncer;
pub use cluster::Cluster;
pub use patroni::{Node, Patroni};
pub use proxy::Proxy;
pub use session::{Holder, pgbench, sql, try_sql};
