//! A look at the database for `afterring doctor`: what it is, what we may do there, and what is set otherwise than an operator may think. Changes nothing.

use std::time::{Duration, Instant};

use model::Clock;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::{Connector, Fault, PostgresSettings, migrate};

/// How long it may take altogether once connected.
const LOOKING: Duration = Duration::from_secs(10);

/// In one round trip, so that the time is that of its middle.
const SERVER: &str = "select current_setting('server_version'), current_setting('server_version_num'), \
    current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), \
    (select setting from pg_settings where name = 'statement_timeout'), \
    (select setting from pg_settings where name = 'idle_in_transaction_session_timeout'), \
    current_setting('max_connections'), (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
    (extract(epoch from clock_timestamp()) * 1000)::bigint, \
    has_schema_privilege(current_schema(), 'create'), current_user, current_database(), coalesce(inet_server_port()::text, '')";

/// Those of these tables that lack one of the rights that the gateway needs; one that isn't there lacks none.
const RIGHTS: &str = "select relname from pg_class where relnamespace = (select oid from pg_namespace where nspname = current_schema()) \
    and relkind in ('r', 'p') and not (has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert') \
      and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete')) and relname in ";

const STANDBYS: &str = "select coalesce(application_name, ''), state, sync_state, \
    pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn)::bigint from pg_stat_replication order by application_name";

/// A parameter of a session's start that every server takes, and that no pooler knows: PgBouncer refuses it, others forget it.
const MARK: &str = "-c afterring.mark=1";

/// How PgBouncer refuses a parameter that it does not know.
const REFUSED_MARK: &str = "unsupported startup parameter";

/// Who stands between us and the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pooler {
    /// Nobody who makes sessions of its own.
    None,
    /// A pooler that leaves each transaction to one session of the server.
    Whole,
    /// A pooler that takes transactions apart: nothing is stored through it.
    TakesApart,
    /// It could not be found out, and why.
    Unknown(String),
}

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Examined {
    /// How long connecting took.
    pub connected_in: Duration,
    /// As whom, and to which database.
    pub role: String,
    /// The database's name.
    pub database: String,
    /// The server's version, as it writes it.
    pub server: String,
    /// The same as a number: 160004.
    pub server_number: u32,
    /// `synchronous_commit` of our sessions.
    pub synchronous_commit: String,
    /// Whether the server flushes at all.
    pub fsync: bool,
    /// Whether a page half written at a crash is restored.
    pub full_page_writes: bool,
    /// After how long the server gives a statement of ours up; zero: never.
    pub statement_timeout: Duration,
    /// After how long it ends a session that idles in a transaction; zero: never.
    pub idle_timeout: Duration,
    /// How many sessions the server takes.
    pub most_sessions: u32,
    /// How many it has.
    pub sessions: u32,
    /// How far the server's clock is ahead of ours, in milliseconds, give or take half of the round trip.
    pub ahead: i64,
    /// How long that question took to be answered.
    pub round_trip: Duration,
    /// Whether tables may be made.
    pub may_create: bool,
    /// Tables of ours on which we lack a right that is needed.
    pub lacking: Vec<String>,
    /// The port that the server says it has; `None`: a socket.
    pub port: Option<u16>,
    /// The version of the tables; 0: there are none.
    pub tables: u32,
    /// The version that this program needs.
    pub needed: u32,
    /// The standbys that the server says it feeds.
    pub standbys: Vec<Standby>,
    /// Who stands between us and it.
    pub pooler: Pooler,
}

/// One that replicates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standby {
    /// What it calls itself.
    pub name: String,
    /// Its state and whether commits wait for it; `None`: our role may not see it.
    pub state: Option<(String, String)>,
    /// Bytes of log that it does not have on disk.
    pub behind: Option<u64>,
}

/// Looks at the database.
///
/// # Errors
/// When it can't be reached, or does not answer.
pub async fn examine(settings: &PostgresSettings, clock: Clock) -> Result<Examined, Fault> {
    let begun = Instant::now();
    let connector = Connector::new(settings)?;
    let session = connector.connect().await?;
    let connected_in = begun.elapsed();
    let looked = tokio::time::timeout(LOOKING, look(&session, connected_in, clock));
    let found = looked.await.map_err(|_| Fault::silent(LOOKING))??;
    let pooler = tokio::time::timeout(LOOKING, pooler(&connector, &session)).await;
    let pooler = pooler.unwrap_or_else(|_| Pooler::Unknown(Fault::silent(LOOKING).text));
    Ok(Examined { pooler, ..found })
}

/// Who stands between us and the server, by what becomes of a mark. The last that is asked of this session: it
/// ends within a transaction, or by the pooler.
async fn pooler(connector: &Connector, session: &Client) -> Pooler {
    match connector.with_options(MARK).connect().await {
        Ok(marked) => match rows(&marked, "select current_setting('afterring.mark', true)").await {
            Ok(said) if said.first().and_then(|row| row.get(0)) == Some("1") => return Pooler::None,
            Ok(_) => {}
            Err(fault) => return Pooler::Unknown(fault.text),
        },
        Err(fault) if fault.text.contains(REFUSED_MARK) => {}
        Err(fault) => return Pooler::Unknown(fault.text),
    }
    match session.batch_execute("begin").await {
        Ok(()) => Pooler::Whole,
        Err(error) if error.as_db_error().is_some() => Pooler::TakesApart,
        // A connection that is ended with a word may be gone before the word is read: then the next one is, too.
        Err(_) => match connector.connect().await {
            Ok(another) if another.batch_execute("begin").await.is_ok() => Pooler::Whole,
            Ok(_) => Pooler::TakesApart,
            Err(fault) => Pooler::Unknown(fault.text),
        },
    }
}

async fn look(client: &Client, connected_in: Duration, clock: Clock) -> Result<Examined, Fault> {
    let (before, asked) = (clock(), Instant::now());
    let said = rows(client, SERVER).await?;
    let round_trip = asked.elapsed();
    let ours = (before + round_trip / 2).as_millis();
    let row = said.first();
    let text = |column: usize| row.and_then(|row| row.get(column)).unwrap_or_default();
    let number = |column: usize| text(column).parse::<u32>().unwrap_or(0);
    let millis = |column: usize| Duration::from_millis(text(column).parse().unwrap_or(0));
    let names = migrate::tables().join("', '");
    let lacking = rows(client, &format!("{RIGHTS} ('{names}') order by relname"))
        .await?
        .iter()
        .filter_map(|row| row.get(0).map(str::to_owned))
        .collect();
    let standbys = rows(client, STANDBYS).await?.iter().map(standby).collect();
    Ok(Examined {
        connected_in,
        role: text(11).to_owned(),
        database: text(12).to_owned(),
        server: text(0).to_owned(),
        server_number: number(1),
        synchronous_commit: text(2).to_owned(),
        fsync: text(3) == "on",
        full_page_writes: text(4) == "on",
        statement_timeout: millis(5),
        idle_timeout: millis(6),
        most_sessions: number(7),
        sessions: number(8),
        ahead: text(9).parse::<i64>().unwrap_or(ours) - ours,
        round_trip,
        may_create: text(10) == "t",
        lacking,
        port: text(13).parse().ok(),
        tables: migrate::version(client).await?,
        needed: migrate::known(),
        standbys,
        pooler: Pooler::Unknown(String::new()),
    })
}

/// Our role may see that there is one, and no more.
fn standby(row: &SimpleQueryRow) -> Standby {
    let text = |column: usize| row.get(column).map(str::to_owned);
    Standby {
        name: text(0).unwrap_or_default(),
        state: text(1).zip(text(2)),
        behind: text(3).and_then(|bytes| bytes.parse().ok()),
    }
}

/// By the simple protocol, which works through every kind of pooler.
async fn rows(client: &Client, sql: &str) -> Result<Vec<SimpleQueryRow>, Fault> {
    let said = client.simple_query(sql).await?;
    Ok(said
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect())
}
