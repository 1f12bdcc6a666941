//! Registrations by the thousand: what `afterring subscribers` asks of the database.
//!
//! Nodes read at most 10,000 changes at once and take more in one transaction for a reason to load everybody anew; so an import is many transactions
//! of fewer, each in the order of the key. Nothing is named or kept between transactions (no prepared statement, no temporary table, no `COPY`, which
//! the library can only begin with a named statement), so that PgBouncer's transaction mode serves as well.

use std::ops::AddAssign;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use routing::Subscriber;
use tokio::time::{sleep, timeout};
use tokio_postgres::RowStream;

use super::batch::{People, SUBSCRIBER, ask, begin, plain, stream, subscriber, together, unsigned};
use super::{Class, Connector, Fault, PostgresSettings, Session, migrate};

/// How long a chunk may take: some ten thousand times what it takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often a chunk is tried that the database did not take for a reason that may pass: a lock, a failover.
const TRIES: u32 = 8;

/// Pause before a chunk is tried again, at first; then twice as long each time.
const AGAIN: Duration = Duration::from_millis(100);

/// Which columns an import gives; in people who are registered already, the others stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Given {
    /// `status`.
    pub status: bool,
    /// `language`.
    pub language: bool,
    /// `time_zone`.
    pub time_zone: bool,
    /// `clock`.
    pub clock: bool,
    /// `quiet`.
    pub quiet: bool,
    /// `copy_to`.
    pub copy_to: bool,
}

/// What an import did, or would do, with people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// Registered.
    pub new: u64,
    /// Registered already, and changed.
    pub changed: u64,
    /// Registered already, just so.
    pub unchanged: u64,
}

impl Imported {
    /// People looked at.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.new + self.changed + self.unchanged
    }
}

impl AddAssign for Imported {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.changed += more.changed;
        self.unchanged += more.unchanged;
    }
}

/// The registry in the database, for a command.
pub struct Bulk {
    connector: Connector,
    pub(super) session: Option<Session>,
}

/// Everybody who is registered, as of one moment, in the order of their numbers.
pub struct Everybody {
    rows: Pin<Box<RowStream>>,
    /// The connection lasts as long as the rows come.
    _session: Session,
}

impl Bulk {
    /// Most people of one transaction: fewer than a node reads at once.
    pub const CHUNK: usize = 9_000;

    /// Connects, and sees that the tables are those of this program.
    ///
    /// # Errors
    /// When the database can't be reached, or its tables are others.
    pub async fn connect(settings: &PostgresSettings) -> Result<Self, Fault> {
        let connector = Connector::new(settings)?;
        let mut bulk = Self { connector, session: None };
        bulk.open().await?;
        Ok(bulk)
    }

    pub(super) async fn open(&mut self) -> Result<Session, Fault> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let session = self.connector.connect().await?;
        migrate::check(&session).await?;
        Ok(session)
    }

    /// Registers or changes at most [`Bulk::CHUNK`] people, nobody twice, all or none.
    ///
    /// # Errors
    /// When the database did not take them, also after some tries.
    pub async fn put(&mut self, people: &[Subscriber], given: Given) -> Result<Imported, Fault> {
        self.tried(people, &put(given)).await
    }

    /// What [`Bulk::put`] would do. Changes nothing, locks nothing.
    ///
    /// # Errors
    /// When the database did not say.
    pub async fn compare(&mut self, people: &[Subscriber], given: Given) -> Result<Imported, Fault> {
        self.tried(people, &compare(given)).await
    }

    /// Everybody who is registered.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn everybody(mut self) -> Result<Everybody, Fault> {
        let session = self.open().await?;
        let sql = format!("select {SUBSCRIBER} from subscriber s order by s.number");
        let rows = stream(&session, &sql).await?;
        Ok(Everybody { rows, _session: session })
    }

    /// A chunk is whole or not at all, and the same when it is done twice: whatever went wrong, it may be tried again.
    async fn tried(&mut self, people: &[Subscriber], sql: &str) -> Result<Imported, Fault> {
        let rows = People::of(people);
        let mut pause = AGAIN;
        for _ in 1..TRIES {
            match self.once(&rows, sql).await {
                Err(Fault {
                    class: Class::Busy | Class::Away | Class::Silent | Class::ReadOnly | Class::Connections,
                    ..
                }) => {
                    sleep(pause).await;
                    pause *= 2;
                }
                done => return done,
            }
        }
        self.once(&rows, sql).await
    }

    async fn once(&mut self, rows: &People, sql: &str) -> Result<Imported, Fault> {
        let session = self.open().await?;
        let (begin, parameters) = (begin(DEADLINE), rows.parameters());
        let asked = together(vec![plain(&session, &begin), ask(&session, sql, &parameters), plain(&session, "commit")]);
        // On a fault the session is dropped, and with it whatever was begun.
        let found = timeout(DEADLINE, asked).await.map_err(|_| Fault::silent(DEADLINE))??;
        self.session = Some(session);
        let counts = found.get(1).and_then(|rows| rows.first());
        Ok(counts.map_or_else(Imported::default, |row| {
            let (new, changed, all) = (unsigned(row.get(0)), unsigned(row.get(1)), unsigned(row.get(2)));
            Imported { new, changed, unchanged: all.saturating_sub(new + changed) }
        }))
    }
}

impl Everybody {
    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// When the connection broke off: what came before is not everybody.
    pub async fn next(&mut self) -> Result<Option<Subscriber>, Fault> {
        while let Some(row) = self.rows.next().await {
            if let Some(subscriber) = subscriber(&row?) {
                return Ok(Some(subscriber));
            }
        }
        Ok(None)
    }
}

impl Given {
    fn columns(self) -> Vec<&'static str> {
        let all = [
            (self.status, "status"),
            (self.language, "language"),
            (self.time_zone, "time_zone"),
            (self.clock, "clock"),
            (self.quiet, "quiet"),
            (self.copy_to, "copy_to"),
        ];
        all.into_iter().filter(|(given, _)| *given).map(|(_, column)| column).collect()
    }
}

/// Each row beside what is registered: looked up one by one by the key, whatever the planner thinks of the table while it grows.
fn beside(given: Given) -> String {
    let differs: Vec<String> =
        given.columns().iter().map(|column| format!("k.{column} is distinct from u.{column}")).collect();
    let differs = if differs.is_empty() { "false".to_owned() } else { differs.join(" or ") };
    format!(
        "with given as (select u.*, k.number is not null as known, k.number is not null and ({differs}) as differs \
          from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[]) \
            u(number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) \
          left join lateral (select * from subscriber s \
            where s.bucket = (u.number % 64)::smallint and s.number = u.number offset 0) k on true)"
    )
}

fn compare(given: Given) -> String {
    let counts = "count(*) filter (where not known), count(*) filter (where differs), count(*)";
    format!("{} select {counts} from given", beside(given))
}

/// What is counted is what was done: somebody else may have registered a person since this statement began.
fn put(given: Given) -> String {
    let columns = given.columns();
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let differs: Vec<String> =
        columns.iter().map(|column| format!("s.{column} is distinct from excluded.{column}")).collect();
    let then = if columns.is_empty() {
        "nothing".to_owned()
    } else {
        format!("update set {} where {}", set.join(", "), differs.join(" or "))
    };
    // A row that was made has no xmax yet; one that was changed was locked before.
    format!(
        "{}, put as (insert into subscriber as s (bucket, number, status, language, time_zone, since, clock, quiet, copy_to) \
          select (number % 64)::smallint, number, status, language, time_zone, to_timestamp(since / 1000.0), clock, quiet, copy_to \
          from given where not known or differs order by 1, 2 on conflict (bucket, number) do {then} \
          returning s.xmax = 0 as made) \
        select (select count(*) from put where made), (select count(*) from put where not made), (select count(*) from given)",
        beside(given)
    )
}
