//! The probe: on a session of its own, a small change that is committed, and what the server says of itself.

use std::time::Duration;

use model::Clock;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::{Class, Connector, Fault, PostgresSettings, Session, migrate, partitions};

/// How long it may take to look at the tables' version.
const LOOKING: Duration = Duration::from_secs(10);

/// What a probe found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    /// The end of the server's log, in bytes since its beginning.
    pub(crate) log: u64,
    /// How far the standby that is least far has it on disk; `None`: none says so.
    pub(crate) flushed: Option<u64>,
}

/// Probes one database, as one node.
pub(crate) struct Probe {
    connector: Connector,
    session: Option<Session>,
    ready: bool,
    migrate: bool,
    clock: Clock,
    sql: String,
}

impl Probe {
    pub(crate) fn new(connector: Connector, node: i64, settings: &PostgresSettings, clock: Clock) -> Self {
        let name = settings.node_name.replace('\'', "''").replace('\\', "");
        let version = env!("CARGO_PKG_VERSION");
        // One message: the server does it in one transaction and one round trip.
        let sql = format!(
            "insert into heartbeat as h (node, name, version, started_at, seen_at) values ({node}, '{name}', '{version}', now(), now()) \
               on conflict (node) do update set seen_at = excluded.seen_at, name = excluded.name, version = excluded.version; \
             select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), \
               (select pg_wal_lsn_diff(min(flush_lsn), '0/0') from pg_stat_replication where state = 'streaming'), \
               substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
        );
        Self { connector, session: None, ready: false, migrate: settings.migrate, clock, sql }
    }

    /// Probes once; whatever fails ends the session.
    pub(crate) async fn once(&mut self, deadline: Duration) -> Result<Report, Fault> {
        let report = self.attempt(deadline).await;
        if let Err(fault) = &report {
            self.session = None;
            // Somebody changed the tables: what is wrong with them is said at the next probe.
            self.ready &= fault.class != Class::Schema;
        }
        report
    }

    async fn attempt(&mut self, deadline: Duration) -> Result<Report, Fault> {
        if self.session.as_ref().is_none_or(|session| session.is_closed()) {
            self.session = None;
            self.session = Some(self.connector.connect().await?);
        }
        if !self.ready {
            self.make_ready().await?;
        }
        let Some(session) = &self.session else {
            return Err(Fault { class: Class::Away, text: "not connected".to_owned() });
        };
        let silent = |_| Fault {
            class: Class::Silent,
            text: format!("the probe was not answered within {} ms", deadline.as_millis()),
        };
        let said = tokio::time::timeout(deadline, session.simple_query(&self.sql)).await.map_err(silent)??;
        let row = said.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let number = |row: &SimpleQueryRow, column: usize| row.get(column).and_then(|text| text.parse::<u64>().ok());
        let Some((row, log)) = row.and_then(|row| Some((row, number(row, 0)?))) else {
            return Err(Fault { class: Class::Other, text: "the probe's answer can't be read".to_owned() });
        };
        // Behind PgBouncer the server may change while the session lasts.
        let timeline = row.get(2).and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or(0);
        let newest = self.connector.timeline();
        if timeline < newest {
            let text = format!("an old primary on timeline {timeline} was refused, {newest} was seen");
            return Err(Fault { class: Class::ReadOnly, text });
        }
        self.connector.saw_timeline(timeline);
        Ok(Report { log, flushed: number(row, 1) })
    }

    /// The first time: tables are made, or looked at.
    async fn make_ready(&mut self) -> Result<(), Fault> {
        if self.migrate {
            let done = migrate::migrate(&self.connector).await?;
            if done.from != done.to {
                tracing::info!(from = done.from, to = done.to, "the database's tables were migrated");
            }
        }
        if let Some(session) = &self.session {
            let silent =
                |_| Fault { class: Class::Silent, text: "the tables could not be looked at in time".to_owned() };
            let looked = async {
                migrate::check(session).await?;
                partitions::make_all(session, (self.clock)()).await
            };
            match tokio::time::timeout(LOOKING, looked).await.map_err(silent)? {
                // All works without them, only not as fast: somebody else has to make them.
                Err(fault) if fault.class == Class::Denied => {
                    tracing::warn!(%fault, "partitions can't be made: calls go to the default one");
                }
                looked => looked?,
            }
        }
        self.ready = true;
        Ok(())
    }
}
