//! One batch in the database: two round trips, one transaction.
//!
//! ```text
//! 1  begin · the node's place, locked · call boxes locked in the order of their keys · what else the decisions need     ─▶ Loaded
//!    (the node decides)
//! 2  boxes · alerts · message ids · calls and replies · quotas, charges, registrations, the report                      ◀─ Work
//!    (meanwhile the node makes its decision durable; not before that:) the node's new place · commit
//! ```
//!
//! Statements are sent without names and together (`query_typed` in one `join`), so that a slow link costs two round trips whatever the batch holds,
//! and PgBouncer's transaction mode serves as well. Locks are always taken in this order: place, boxes, ranges; so two nodes never wait for each other.

mod counted;
mod load;
mod said;
mod write;

pub(crate) use load::{alerts, load, lock_quotas, look, parts};
pub(crate) use write::write;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use model::{AlertId, Msisdn, Timestamp};
use routing::{Alert, ClockFace, DayWindow, Subscriber, SubscriberStatus};
use serde::de::DeserializeOwned;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, RowStream};

use super::{Class, Fault};
use crate::StoreError;
use crate::embedded::{Loaded, Subjects};

/// How long a statement waits for a lock that somebody else holds; then the batch is tried again.
const LOCK_WAIT: Duration = Duration::from_millis(400);

/// Why a batch was not applied.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The database refused or never got it: nothing of it is applied.
    Not(Fault),
    /// It may be applied or not.
    InDoubt(Fault),
    /// The node's place is another one than was thought.
    Elsewhere(i64),
    /// Something else, of this node.
    Here(StoreError),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Not(fault)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            // What somebody else wrote there concerns one person: it is found, set aside, and blocks nobody.
            StoreError::Unreadable { what, source } => {
                Self::Not(Fault { class: Class::Poison, text: format!("a row of {what} can't be read: {source}") })
            }
            error => Self::Here(error),
        }
    }
}

/// Numbers fit: they have at most 15 digits.
pub(super) fn key(number: Msisdn) -> i64 {
    i64::try_from(number.as_u64()).unwrap_or(i64::MAX)
}

pub(super) fn number(key: i64) -> Option<Msisdn> {
    u64::try_from(key).ok().and_then(|number| Msisdn::try_from(number).ok())
}

pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Statements that are sent together and answered in order.
pub(super) type Sent<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + Send + 'a>>;

pub(super) fn plain<'a>(client: &'a Client, sql: &'a str) -> Sent<'a> {
    Box::pin(async move { client.batch_execute(sql).await.map(|()| Vec::new()) })
}

pub(super) fn ask<'a>(client: &'a Client, sql: &'a str, parameters: &'a [Parameter<'a>]) -> Sent<'a> {
    Box::pin(async move { client.query_typed(sql, parameters).await })
}

/// Asks for many rows, which come one by one. Not by `COPY`, which the library can only begin with a named statement: behind PgBouncer another
/// session's would be met.
pub(super) async fn stream(client: &Client, sql: &str) -> Result<Pin<Box<RowStream>>, tokio_postgres::Error> {
    let none: [(&(dyn ToSql + Sync), Type); 0] = [];
    client.query_typed_raw(sql, none).await.map(Box::pin)
}

/// Sends all in order, without waiting in between. The first error is the cause; those after it only say that the transaction is over.
pub(super) async fn together(statements: Vec<Sent<'_>>) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    join_all(statements).await.into_iter().collect()
}

/// The beginning of every transaction. The server's own bounds only clean up behind a client that is gone; what bounds the wait is the client's.
///
/// Everything is looked up by its key, one by one: the planner would read whole tables where it knows them as small, and go on so while they grow.
pub(super) fn begin(deadline: Duration) -> String {
    format!(
        "begin; set local lock_timeout = {}; set local statement_timeout = {}; set local idle_in_transaction_session_timeout = {}; \
         set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off",
        LOCK_WAIT.as_millis(),
        (deadline * 2).as_millis(),
        (deadline * 4).as_millis(),
    )
}

/// How far the node's journal is applied; waits for an earlier batch of this node that is still being applied. A node that is new here gets its row.
pub(crate) async fn place(client: &Client, node: i64, deadline: Duration) -> Result<i64, Fault> {
    let begin = begin(deadline);
    let parameters: [Parameter<'_>; 1] = [(&node, Type::INT8)];
    let mut found = together(vec![
        plain(client, &begin),
        ask(
            client,
            "insert into applied (node, seq) values ($1::bigint::integer, 0) on conflict do nothing",
            &parameters,
        ),
        ask(client, "select seq from applied where node = $1::bigint::integer for update", &parameters),
        plain(client, "commit"),
    ])
    .await?;
    Ok(found.swap_remove(2).first().map_or(0, |row| row.get(0)))
}

pub(super) const SUBSCRIBER: &str = "s.number, s.status, s.language, s.time_zone, \
    (extract(epoch from s.paused_until) * 1000)::bigint, (extract(epoch from s.since) * 1000)::bigint, s.clock, s.quiet, s.copy_to";

/// How many columns that are.
pub(super) const SUBSCRIBER_COLUMNS: usize = 9;

/// Subscribers, a list a column.
#[derive(Default)]
pub(super) struct People {
    number: Vec<i64>,
    status: Vec<&'static str>,
    language: Vec<Option<String>>,
    time_zone: Vec<Option<String>>,
    paused_until: Vec<Option<i64>>,
    since: Vec<i64>,
    clock: Vec<Option<&'static str>>,
    quiet: Vec<Option<String>>,
    copy_to: Vec<Option<i64>>,
}

impl People {
    /// Registers. Where somebody registered the person meanwhile, that registration stays as it is: the decision was not about it.
    const REGISTERED: &str = "insert into subscriber \
          (bucket, number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) \
        select (u.number % 64)::smallint, u.number, u.status, u.language, u.time_zone, to_timestamp(u.paused_until / 1000.0), \
          to_timestamp(u.since / 1000.0), u.clock, u.quiet, u.copy_to \
        from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[]) \
          u(number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) order by 1, 2 \
        on conflict do nothing";

    /// Changes what people may change by keyword, of the registration that the decision was about: not of one made since, nor of who is no longer registered.
    const CHANGED: &str = "update subscriber s set language = u.language, time_zone = u.time_zone, \
          paused_until = to_timestamp(u.paused_until / 1000.0), clock = u.clock, quiet = u.quiet, copy_to = u.copy_to \
        from (select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[]) \
          c(number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) order by c.number % 64, c.number) u \
        where s.bucket = (u.number % 64)::smallint and s.number = u.number \
          and (extract(epoch from s.since) * 1000)::bigint = u.since";

    /// Registers or changes.
    pub(super) const UPSERT: &str = "insert into subscriber \
          (bucket, number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) \
        select (u.number % 64)::smallint, u.number, u.status, u.language, u.time_zone, to_timestamp(u.paused_until / 1000.0), \
          to_timestamp(u.since / 1000.0), u.clock, u.quiet, u.copy_to \
        from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[]) \
          u(number, status, language, time_zone, paused_until, since, clock, quiet, copy_to) order by 1, 2 \
        on conflict (bucket, number) do update set status = excluded.status, language = excluded.language, \
          time_zone = excluded.time_zone, paused_until = excluded.paused_until, since = excluded.since, \
          clock = excluded.clock, quiet = excluded.quiet, copy_to = excluded.copy_to";

    pub(super) fn of(subscribers: &[Subscriber]) -> Self {
        let mut rows = Self::default();
        for one in subscribers {
            rows.number.push(key(one.number));
            rows.status.push(status_word(one.status));
            rows.language.push(one.language.as_ref().map(ToString::to_string));
            rows.time_zone.push(one.time_zone.clone());
            rows.paused_until.push(one.paused_until.map(Timestamp::as_millis));
            rows.since.push(one.since.as_millis());
            rows.clock.push(one.clock.map(ClockFace::as_str));
            rows.quiet.push(one.quiet.map(|window| window.to_string()));
            rows.copy_to.push(one.copy_to.map(key));
        }
        rows
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 9] {
        [
            (&self.number, Type::INT8_ARRAY),
            (&self.status, Type::TEXT_ARRAY),
            (&self.language, Type::TEXT_ARRAY),
            (&self.time_zone, Type::TEXT_ARRAY),
            (&self.paused_until, Type::INT8_ARRAY),
            (&self.since, Type::INT8_ARRAY),
            (&self.clock, Type::TEXT_ARRAY),
            (&self.quiet, Type::TEXT_ARRAY),
            (&self.copy_to, Type::INT8_ARRAY),
        ]
    }
}

pub(super) const fn status_word(status: SubscriberStatus) -> &'static str {
    match status {
        SubscriberStatus::Active => "active",
        SubscriberStatus::Suspended => "suspended",
    }
}

/// A row of [`SUBSCRIBER`]; `None` where the number is none of the plan. What nobody can read is the default.
pub(super) fn subscriber(row: &Row) -> Option<Subscriber> {
    let status: &str = row.get(1);
    Some(Subscriber {
        status: if status == "suspended" { SubscriberStatus::Suspended } else { SubscriberStatus::Active },
        language: row.get::<_, Option<&str>>(2).and_then(|language| language.parse().ok()),
        time_zone: row.get(3),
        paused_until: row.get::<_, Option<i64>>(4).map(Timestamp::from_millis),
        clock: row.get::<_, Option<&str>>(6).and_then(ClockFace::parse),
        quiet: row.get::<_, Option<&str>>(7).and_then(|window| DayWindow::parse(window).ok()),
        copy_to: row.get::<_, Option<i64>>(8).and_then(number),
        ..Subscriber::new(number(row.get(0))?, Timestamp::from_millis(row.get(5)))
    })
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

pub(super) fn read<T: DeserializeOwned>(body: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Unreadable { what, source: std::sync::Arc::new(source) })
}

pub(super) fn json<T: serde::Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unreadable { what, source: std::sync::Arc::new(source) })
}

/// Merges what a node decided alone into the boxes that the database has, locked: the boxes to write.
pub(crate) fn merge(carry: &crate::embedded::Carry, loaded: &Loaded, now: Timestamp) -> Vec<routing::CallBox> {
    let known: HashMap<AlertId, &Alert> = loaded
        .alerts
        .iter()
        .map(|known| &known.alert)
        .chain(&carry.work.alerts)
        .map(|alert| (alert.id, alert))
        .collect();
    let merged = carry.changed.iter().map(|changed| {
        let theirs = loaded.boxes.get(&changed.mine.called.as_u64());
        let empty = routing::CallBox::empty(changed.mine.called);
        let mut merged = routing::merge(&changed.base, &changed.mine, theirs.map_or(&empty, |known| &known.call_box));
        let open = merged.open.and_then(|id| known.get(&id).copied());
        routing::settle_open(&mut merged, open, now);
        merged
    });
    merged.collect()
}

/// Whom a hand-over is about.
pub(crate) fn subjects_of(carry: &crate::embedded::Carry) -> Subjects {
    let called = carry.changed.iter().map(|changed| changed.mine.called).collect();
    let open = carry.changed.iter().filter_map(|changed| Some((changed.mine.called, changed.mine.open?)));
    Subjects { called, alerts: open.collect(), unknown: Vec::new() }
}
