//! One batch in the database: two round trips, one transaction.
//!
//! ```text
//! 1  begin · the node's place, locked · call boxes locked in the order of their keys · what else the decisions need     ─▶ Loaded
//!    (the node decides, and makes its decision durable)
//! 2  boxes · alerts · message ids · calls and replies · quotas, charges, registrations · the node's new place · commit  ◀─ Work
//! ```
//!
//! Statements are sent without names and together (`query_typed` in one `join`), so that a slow link costs two round trips whatever the batch holds,
//! and PgBouncer's transaction mode serves as well. Locks are always taken in this order: place, boxes, ranges; so two nodes never wait for each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use model::{AlertId, Msisdn, SmscName, Timestamp};
use routing::{Alert, AlertState, Charge, Effect, Event, Policy, RangeName, Subscriber, SubscriberStatus};
use serde::de::DeserializeOwned;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::{Class, Fault};
use crate::embedded::{History, Loaded, LoadedAlert, LoadedBox, LoadedPart, Subjects, Work, read_box};
use crate::{Journaled, StoreError};

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

/// The order in which call boxes are locked: bucket, number.
fn in_lock_order(called: &[Msisdn]) -> Vec<i64> {
    let mut keys: Vec<i64> = called.iter().map(|called| key(*called)).collect();
    keys.sort_unstable_by_key(|key| (key % 64, *key));
    keys
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

const PLACE: &str = "select seq from applied where node = $1::bigint::integer for update";

const MAKE_BOXES: &str = "insert into call_box (bucket, called, node, seq, deferred) \
    select (c % 64)::smallint, c, $2::bigint::integer, 0, false from unnest($1::bigint[]) c order by 1, 2 on conflict do nothing";

const BOXES: &str = "select b.called, b.body::text from unnest($1::bigint[]) c \
    join call_box b on b.bucket = (c % 64)::smallint and b.called = c order by b.bucket, b.called for update of b";

const ALERTS: &str = "select a.body::text, a.node::bigint = $4 from ( \
      select b.bucket, b.called, b.open as id from unnest($1::bigint[]) c \
        join call_box b on b.bucket = (c % 64)::smallint and b.called = c where b.open is not null \
      union select (c % 64)::smallint, c, id from unnest($2::bigint[], $3::bigint[]) u(c, id) \
    ) k join alert a on a.bucket = k.bucket and a.called = k.called and a.id = k.id";

pub(super) const SUBSCRIBER: &str = "s.number, s.status, s.language, s.time_zone, \
    (extract(epoch from s.paused_until) * 1000)::bigint, (extract(epoch from s.since) * 1000)::bigint";

/// Locks the people of a batch and reads what is known of them.
pub(crate) async fn load(
    client: &Client,
    (node, applied): (i64, i64),
    subjects: &Subjects,
    policy: &Policy,
    deadline: Duration,
) -> Result<Loaded, Failed> {
    let (known, parts) = whole(client, subjects).await?;
    let subjects = &known;
    let begin = begin(deadline);
    let called = in_lock_order(&subjects.called);
    let (alert_called, alert_ids): (Vec<i64>, Vec<i64>) =
        subjects.alerts.iter().map(|(called, id)| (key(*called), id.0)).unzip();
    let ranges: Vec<&str> = range_names(policy);
    let place: [Parameter<'_>; 1] = [(&node, Type::INT8)];
    let boxes: [Parameter<'_>; 1] = [(&called, Type::INT8_ARRAY)];
    let made: [Parameter<'_>; 2] = [(&called, Type::INT8_ARRAY), (&node, Type::INT8)];
    let alerts: [Parameter<'_>; 4] = [
        (&called, Type::INT8_ARRAY),
        (&alert_called, Type::INT8_ARRAY),
        (&alert_ids, Type::INT8_ARRAY),
        (&node, Type::INT8),
    ];
    let named: [Parameter<'_>; 1] = [(&ranges, Type::TEXT_ARRAY)];
    let subscribers = format!(
        "select {SUBSCRIBER} from unnest($1::bigint[]) c join subscriber s on s.bucket = (c % 64)::smallint and s.number = c"
    );
    let mut found = together(vec![
        plain(client, &begin),
        ask(client, PLACE, &place),
        ask(client, MAKE_BOXES, &made),
        ask(client, BOXES, &boxes),
        ask(client, ALERTS, &alerts),
        ask(client, &subscribers, &boxes),
        ask(client, "select name, used from range_usage where name = any($1)", &named),
    ])
    .await
    .map_err(Fault::from)?
    .into_iter()
    .skip(1);
    let mut next = || found.next().unwrap_or_default();
    let at: i64 = next().first().map_or(-1, |row| row.get(0));
    if at != applied {
        return Err(Failed::Elsewhere(at));
    }
    drop(next());
    let mut loaded = Loaded { parts, ..Loaded::default() };
    for row in next() {
        if let Some(called) = number(row.get(0)) {
            loaded.boxes.insert(called.as_u64(), loaded_box(called, row.get(1))?);
        }
    }
    for row in next() {
        loaded.alerts.push(LoadedAlert { alert: read(row.get(0), "alert")?, mine: row.get(1) });
    }
    loaded.subscribers = next().iter().filter_map(subscriber).map(|one| (one.number.as_u64(), one)).collect();
    loaded.usage = next().iter().map(|row| (RangeName(row.get(0)), unsigned(row.get(1)))).collect();
    Ok(loaded)
}

fn loaded_box(called: Msisdn, body: Option<String>) -> Result<LoadedBox, StoreError> {
    let before = serde_json::value::RawValue::from_string(body.unwrap_or_else(|| "null".to_owned()))
        .map_err(|source| StoreError::Unreadable { what: "call_box", source: std::sync::Arc::new(source) })?;
    let call_box = read_box(Some(&before), called)?;
    Ok(LoadedBox { before, call_box })
}

/// The subjects together with those of receipts for what other nodes sent.
async fn whole(client: &Client, subjects: &Subjects) -> Result<(Subjects, Vec<LoadedPart>), Failed> {
    let mut whole = subjects.clone();
    let parts = parts(client, &subjects.unknown).await?;
    for part in &parts {
        whole.called.push(part.called);
        whole.alerts.push((part.called, part.alert));
    }
    whole.called.sort_unstable();
    whole.called.dedup();
    whole.alerts.sort_unstable();
    whole.alerts.dedup();
    Ok((whole, parts))
}

/// The alerts to which these message ids belong.
pub(crate) async fn parts(client: &Client, ids: &[(SmscName, String)]) -> Result<Vec<LoadedPart>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (smscs, ids): (Vec<&str>, Vec<&str>) = ids.iter().map(|(smsc, id)| (smsc.0.as_str(), id.as_str())).unzip();
    let parameters: [Parameter<'_>; 2] = [(&smscs, Type::TEXT_ARRAY), (&ids, Type::TEXT_ARRAY)];
    // Some SMSCs give one id to many: nobody is found by such a one.
    let sql = "select p.smsc, p.message_id, p.called, p.alert from unnest($1::text[], $2::text[]) u(smsc, message_id) \
        cross join lateral (select * from part p where p.smsc = u.smsc and p.message_id = u.message_id limit 16) p";
    let found = client.query_typed(sql, &parameters).await?;
    let part = |row: &Row| {
        let (called, alert) = (number(row.get(2))?, AlertId(row.get(3)));
        Some(LoadedPart { smsc: SmscName(row.get(0)), message_id: row.get(1), called, alert })
    };
    Ok(found.iter().filter_map(part).collect())
}

fn range_names(policy: &Policy) -> Vec<&str> {
    let names: std::collections::BTreeSet<&str> = policy.ranges.iter().map(|range| range.name.0.as_str()).collect();
    names.into_iter().collect()
}

/// Locks the quotas that a batch may count in, in the order of their names, and reads them anew. A batch in which nobody can be counted locks none.
pub(crate) async fn lock_quotas(
    client: &Client,
    batch: &[Journaled],
    policy: &Policy,
    now: Timestamp,
    loaded: &mut Loaded,
) -> Result<(), Failed> {
    let names = countable(batch, policy, now, loaded);
    if names.is_empty() {
        return Ok(());
    }
    let parameters: [Parameter<'_>; 1] = [(&names, Type::TEXT_ARRAY)];
    let mut found = together(vec![
        ask(
            client,
            "insert into range_usage (name, used) select n, 0 from unnest($1::text[]) n order by n on conflict do nothing",
            &parameters,
        ),
        ask(client, "select name, used from range_usage where name = any($1) order by name for update", &parameters),
    ])
    .await
    .map_err(Fault::from)?;
    for row in found.pop().unwrap_or_default() {
        loaded.usage.insert(RangeName(row.get(0)), unsigned(row.get(1)));
    }
    Ok(())
}

/// Ranges in which a call of this batch may count somebody.
fn countable(batch: &[Journaled], policy: &Policy, now: Timestamp, loaded: &Loaded) -> Vec<String> {
    let texted: HashSet<Msisdn> = batch
        .iter()
        .filter_map(|journaled| match &journaled.event {
            Event::Reply(reply) => Some(reply.from),
            _ => None,
        })
        .collect();
    let mut names = std::collections::BTreeSet::new();
    for Journaled { event, .. } in batch {
        let Event::Call(call) = event else { continue };
        // Someone who texts in the same batch may have unsubscribed by the time of the call.
        if loaded.subscribers.contains_key(&call.called.as_u64()) && !texted.contains(&call.called) {
            continue;
        }
        let Some(range) = policy.ranges.find(call.called).filter(|range| range.in_force(now)) else { continue };
        let counted = loaded.boxes.get(&call.called.as_u64()).is_some_and(|known| {
            known.call_box.counted_in.contains(&range.name)
                || (known.call_box.refused_at.is_some() && !texted.contains(&call.called))
        });
        let full = loaded.usage.get(&range.name).is_some_and(|used| *used >= range.quota);
        if !counted && !full {
            names.insert(range.name.0.clone());
        }
    }
    names.into_iter().collect()
}

/// Rows of one statement: a list a column.
#[derive(Default)]
struct Boxes {
    called: Vec<i64>,
    open: Vec<Option<i64>>,
    due: Vec<Option<i64>>,
    deferred: Vec<bool>,
    refused_at: Vec<Option<i64>>,
    offer_expires: Vec<Option<i64>>,
    body: Vec<String>,
}

#[derive(Default)]
struct Alerts {
    called: Vec<i64>,
    id: Vec<i64>,
    kind: Vec<&'static str>,
    state: Vec<&'static str>,
    created_at: Vec<i64>,
    body: Vec<String>,
}

#[derive(Default)]
struct Parts {
    smsc: Vec<String>,
    message_id: Vec<String>,
    called: Vec<i64>,
    alert: Vec<i64>,
}

/// Calls, or replies.
#[derive(Default)]
struct Told {
    at: Vec<i64>,
    called: Vec<i64>,
    seq: Vec<i64>,
    decided_at: Vec<i64>,
    body: Vec<String>,
    verdict: Vec<String>,
    alerts: Vec<String>,
}

#[derive(Default)]
struct Rest {
    ranges: Vec<String>,
    counts: Vec<i64>,
    charges: Vec<Charge>,
    registered: Vec<Subscriber>,
    gone: Vec<i64>,
}

const WRITE_BOXES: &str = "update call_box b set node = $1::bigint::integer, seq = $2, open = u.open, \
    due = to_timestamp(u.due / 1000.0), deferred = u.deferred, refused_at = to_timestamp(u.refused_at / 1000.0), \
    offer_expires = to_timestamp(u.offer_expires / 1000.0), body = u.body::json \
    from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bigint[], $8::bigint[], $9::text[]) \
      u(called, open, due, deferred, refused_at, offer_expires, body) \
    where b.bucket = (u.called % 64)::smallint and b.called = u.called";

/// What has ended stays ended, and what an SMSC has is not queued again: a node may hand over what it knew before another heard more.
const WRITE_ALERTS: &str = "insert into alert as a (bucket, called, id, node, seq, kind, state, created_at, body) \
    select (u.called % 64)::smallint, u.called, u.id, $1::bigint::integer, $2, u.kind, u.state, to_timestamp(u.created_at / 1000.0), u.body::json \
    from unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[]) \
      u(called, id, kind, state, created_at, body) order by 1, 2, 3 \
    on conflict (bucket, called, id) do update set kind = excluded.kind, state = excluded.state, body = excluded.body, \
      seq = case when a.node = excluded.node then excluded.seq else a.seq end \
    where a.state in ('queued', 'in_doubt') or (a.state = 'accepted' and excluded.state not in ('queued', 'in_doubt'))";

const WRITE_PARTS: &str = "insert into part (smsc, message_id, bucket, called, alert) \
    select u.smsc, u.message_id, (u.called % 64)::smallint, u.called, u.alert \
    from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) u(smsc, message_id, called, alert) \
    order by 1, 2, 4, 5 on conflict do nothing";

const COLUMNS: &str = "(at, bucket, called, node, seq, decided_at, body, verdict, alerts) \
    select to_timestamp(u.at / 1000.0), (u.called % 64)::smallint, u.called, $1::bigint::integer, u.seq, to_timestamp(u.decided_at / 1000.0), \
      u.body::json, u.verdict::json, u.alerts::bigint[] \
    from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[]) \
      u(at, called, seq, decided_at, body, verdict, alerts)";

const WRITE_COUNTS: &str = "insert into range_usage as r (name, used) select name, n from unnest($1::text[], $2::bigint[]) u(name, n) order by 1 \
    on conflict (name) do update set used = r.used + excluded.used";

const WRITE_CHARGES: &str = "insert into charge (bucket, called, teased_at, at, alert, range, body) \
    select (u.called % 64)::smallint, u.called, to_timestamp(u.teased_at / 1000.0), to_timestamp(u.at / 1000.0), u.alert, u.range, u.body::json \
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]) u(called, teased_at, at, alert, range, body) \
    order by 1, 2, 3 on conflict do nothing";

const DELETE_SUBSCRIBERS: &str =
    "delete from subscriber s using unnest($1::bigint[]) c where s.bucket = (c % 64)::smallint and s.number = c";

/// Writes a batch and, once it is durable at this node, commits it together with the node's new place. Where it never becomes so, nothing is
/// committed, and the session is of no use any more.
pub(crate) async fn write(
    client: &Client,
    node: i64,
    work: &Work,
    durable: impl Future<Output = bool>,
) -> Result<(), Failed> {
    let through = work.through;
    let boxes = boxes(work)?;
    let (alerts, parts) = alerts(work)?;
    let (calls, replies) = told(&work.history)?;
    let rest = rest(&work.rest);
    let charges = charges(&rest.charges)?;
    let people = People::of(&rest.registered);
    let write_calls = format!("insert into missed_call {COLUMNS}");
    let write_replies = format!("insert into reply {COLUMNS}");
    let box_rows: [Parameter<'_>; 9] = [
        (&node, Type::INT8),
        (&through, Type::INT8),
        (&boxes.called, Type::INT8_ARRAY),
        (&boxes.open, Type::INT8_ARRAY),
        (&boxes.due, Type::INT8_ARRAY),
        (&boxes.deferred, Type::BOOL_ARRAY),
        (&boxes.refused_at, Type::INT8_ARRAY),
        (&boxes.offer_expires, Type::INT8_ARRAY),
        (&boxes.body, Type::TEXT_ARRAY),
    ];
    let alert_rows: [Parameter<'_>; 8] = [
        (&node, Type::INT8),
        (&through, Type::INT8),
        (&alerts.called, Type::INT8_ARRAY),
        (&alerts.id, Type::INT8_ARRAY),
        (&alerts.kind, Type::TEXT_ARRAY),
        (&alerts.state, Type::TEXT_ARRAY),
        (&alerts.created_at, Type::INT8_ARRAY),
        (&alerts.body, Type::TEXT_ARRAY),
    ];
    let part_rows: [Parameter<'_>; 4] = [
        (&parts.smsc, Type::TEXT_ARRAY),
        (&parts.message_id, Type::TEXT_ARRAY),
        (&parts.called, Type::INT8_ARRAY),
        (&parts.alert, Type::INT8_ARRAY),
    ];
    let call_rows = calls.parameters(&node);
    let reply_rows = replies.parameters(&node);
    let count_rows: [Parameter<'_>; 2] = [(&rest.ranges, Type::TEXT_ARRAY), (&rest.counts, Type::INT8_ARRAY)];
    let charge_rows = charges.parameters();
    let people_rows = people.parameters();
    let gone_rows: [Parameter<'_>; 1] = [(&rest.gone, Type::INT8_ARRAY)];
    let place: [Parameter<'_>; 2] = [(&node, Type::INT8), (&through, Type::INT8)];

    let all: [(bool, &str, &[Parameter<'_>]); 9] = [
        (!boxes.called.is_empty(), WRITE_BOXES, &box_rows),
        (!alerts.id.is_empty(), WRITE_ALERTS, &alert_rows),
        (!parts.alert.is_empty(), WRITE_PARTS, &part_rows),
        (!calls.seq.is_empty(), &write_calls, &call_rows),
        (!replies.seq.is_empty(), &write_replies, &reply_rows),
        (!rest.counts.is_empty(), WRITE_COUNTS, &count_rows),
        (!rest.charges.is_empty(), WRITE_CHARGES, &charge_rows),
        (!rest.registered.is_empty(), People::INSERT, &people_rows),
        (!rest.gone.is_empty(), DELETE_SUBSCRIBERS, &gone_rows),
    ];
    let statements = all.iter().filter(|(asked, ..)| *asked).map(|(_, sql, rows)| ask(client, sql, rows)).collect();
    let end = async {
        if !durable.await {
            let text = "given up: the batch could not be made durable here".to_owned();
            return Ok(Err(Failed::Not(Fault { class: Class::Other, text })));
        }
        let place = ask(client, "update applied set seq = $2 where node = $1::bigint::integer", &place);
        together(vec![place, plain(client, "commit")]).await.map(|_| Ok(()))
    };
    let (written, ended) = tokio::join!(together(statements), end);
    match written.and(ended) {
        Ok(ended) => ended,
        Err(error) => {
            let answered = error.as_db_error().is_some();
            let fault = Fault::from(error);
            // An error that the server tells ends the transaction; one of the connection says nothing of it. The server's own end does neither.
            Err(if answered && fault.class != Class::Away { Failed::Not(fault) } else { Failed::InDoubt(fault) })
        }
    }
}

fn boxes(work: &Work) -> Result<Boxes, StoreError> {
    let mut rows = Boxes::default();
    let mut sorted: Vec<_> = work.boxes.iter().collect();
    sorted.sort_unstable_by_key(|call_box| (key(call_box.called) % 64, call_box.called));
    for call_box in sorted {
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        rows.called.push(key(call_box.called));
        rows.open.push(call_box.open.map(|id| id.0));
        rows.due.push(millis(call_box.due));
        rows.deferred.push(!call_box.deferred.is_empty());
        rows.refused_at.push(millis(call_box.refused_at));
        rows.offer_expires.push(millis(call_box.offer.as_ref().map(|offer| offer.expires_at)));
        rows.body.push(json(call_box, "call_box")?);
    }
    Ok(rows)
}

fn alerts(work: &Work) -> Result<(Alerts, Parts), StoreError> {
    let (mut rows, mut parts) = (Alerts::default(), Parts::default());
    for alert in &work.alerts {
        rows.called.push(key(alert.to));
        rows.id.push(alert.id.0);
        rows.kind.push(alert.kind.as_str());
        rows.state.push(state_word(&alert.state));
        rows.created_at.push(alert.created_at.as_millis());
        rows.body.push(json(alert, "alert")?);
        if let AlertState::Accepted { smsc, parts: accepted, .. } = &alert.state {
            for part in accepted {
                parts.smsc.push(smsc.0.clone());
                parts.message_id.push(part.id.clone());
                parts.called.push(key(alert.to));
                parts.alert.push(alert.id.0);
            }
        }
    }
    Ok((rows, parts))
}

/// For others an alert is queued until its node knows what the SMSC said.
const fn state_word(state: &AlertState) -> &'static str {
    match state {
        AlertState::Sending { .. } => "queued",
        state => state.as_str(),
    }
}

fn told(history: &[History]) -> Result<(Told, Told), StoreError> {
    let (mut calls, mut replies) = (Told::default(), Told::default());
    for History { seq, event, at, verdict, alerts } in history {
        let (rows, when, called, body) = match event {
            Event::Call(call) => (&mut calls, call.at, call.called, json(call, "missed_call")?),
            Event::Reply(reply) => (&mut replies, *at, reply.from, json(reply, "reply")?),
            Event::Submitted { .. } | Event::Receipt(_) | Event::Dropped { .. } | Event::Due { .. } => continue,
        };
        let ids: Vec<_> = alerts.iter().map(|id| id.0.to_string()).collect();
        rows.at.push(when.as_millis());
        rows.called.push(key(called));
        rows.seq.push(*seq);
        rows.decided_at.push(at.as_millis());
        rows.body.push(body);
        rows.verdict.push(json(verdict, "verdict")?);
        rows.alerts.push(format!("{{{}}}", ids.join(",")));
    }
    Ok((calls, replies))
}

impl Told {
    fn parameters<'a>(&'a self, node: &'a i64) -> [Parameter<'a>; 8] {
        [
            (node, Type::INT8),
            (&self.at, Type::INT8_ARRAY),
            (&self.called, Type::INT8_ARRAY),
            (&self.seq, Type::INT8_ARRAY),
            (&self.decided_at, Type::INT8_ARRAY),
            (&self.body, Type::TEXT_ARRAY),
            (&self.verdict, Type::TEXT_ARRAY),
            (&self.alerts, Type::TEXT_ARRAY),
        ]
    }
}

/// All other effects; of somebody who comes and goes in one batch, the last word.
fn rest(effects: &[Effect]) -> Rest {
    let (mut rest, mut counts, mut people) = (Rest::default(), BTreeMap::new(), BTreeMap::new());
    for effect in effects {
        match effect {
            Effect::Count(name) => *counts.entry(name.0.clone()).or_insert(0) += 1,
            Effect::Charge(charge) => rest.charges.push(charge.clone()),
            Effect::Subscribe(subscriber) => drop(people.insert(subscriber.number, Some(subscriber.clone()))),
            Effect::Unsubscribe(number) => drop(people.insert(*number, None)),
            Effect::CallBox(_) | Effect::Alert(_) => {}
        }
    }
    (rest.ranges, rest.counts) = counts.into_iter().unzip();
    for (number, subscriber) in people {
        match subscriber {
            Some(subscriber) => rest.registered.push(subscriber),
            None => rest.gone.push(key(number)),
        }
    }
    rest
}

#[derive(Default)]
struct Charges {
    called: Vec<i64>,
    teased_at: Vec<i64>,
    at: Vec<i64>,
    alert: Vec<i64>,
    range: Vec<String>,
    body: Vec<String>,
}

fn charges(charges: &[Charge]) -> Result<Charges, StoreError> {
    let mut rows = Charges::default();
    for charge in charges {
        rows.called.push(key(charge.called));
        rows.teased_at.push(charge.teased_at.as_millis());
        rows.at.push(charge.at.as_millis());
        rows.alert.push(charge.alert.0);
        rows.range.push(charge.range.0.clone());
        rows.body.push(json(charge, "charge")?);
    }
    Ok(rows)
}

impl Charges {
    fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.called, Type::INT8_ARRAY),
            (&self.teased_at, Type::INT8_ARRAY),
            (&self.at, Type::INT8_ARRAY),
            (&self.alert, Type::INT8_ARRAY),
            (&self.range, Type::TEXT_ARRAY),
            (&self.body, Type::TEXT_ARRAY),
        ]
    }
}

/// Subscribers, a list a column.
#[derive(Default)]
pub(super) struct People {
    number: Vec<i64>,
    status: Vec<&'static str>,
    language: Vec<Option<String>>,
    time_zone: Vec<Option<String>>,
    paused_until: Vec<Option<i64>>,
    since: Vec<i64>,
}

impl People {
    /// Registers; who is registered already stays as they are.
    const INSERT: &str = "insert into subscriber (bucket, number, status, language, time_zone, paused_until, since) \
        select (u.number % 64)::smallint, u.number, u.status, u.language, u.time_zone, to_timestamp(u.paused_until / 1000.0), to_timestamp(u.since / 1000.0) \
        from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) \
          u(number, status, language, time_zone, paused_until, since) order by 1, 2 on conflict (bucket, number) do nothing";

    /// Registers or changes.
    pub(super) const UPSERT: &str = "insert into subscriber (bucket, number, status, language, time_zone, paused_until, since) \
        select (u.number % 64)::smallint, u.number, u.status, u.language, u.time_zone, to_timestamp(u.paused_until / 1000.0), to_timestamp(u.since / 1000.0) \
        from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) \
          u(number, status, language, time_zone, paused_until, since) order by 1, 2 \
        on conflict (bucket, number) do update set status = excluded.status, language = excluded.language, \
          time_zone = excluded.time_zone, paused_until = excluded.paused_until, since = excluded.since";

    pub(super) fn of(subscribers: &[Subscriber]) -> Self {
        let mut rows = Self::default();
        for one in subscribers {
            rows.number.push(key(one.number));
            rows.status.push(status_word(one.status));
            rows.language.push(one.language.as_ref().map(ToString::to_string));
            rows.time_zone.push(one.time_zone.clone());
            rows.paused_until.push(one.paused_until.map(Timestamp::as_millis));
            rows.since.push(one.since.as_millis());
        }
        rows
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.number, Type::INT8_ARRAY),
            (&self.status, Type::TEXT_ARRAY),
            (&self.language, Type::TEXT_ARRAY),
            (&self.time_zone, Type::TEXT_ARRAY),
            (&self.paused_until, Type::INT8_ARRAY),
            (&self.since, Type::INT8_ARRAY),
        ]
    }
}

pub(super) const fn status_word(status: SubscriberStatus) -> &'static str {
    match status {
        SubscriberStatus::Active => "active",
        SubscriberStatus::Suspended => "suspended",
    }
}

/// A row of [`SUBSCRIBER`]; `None` where the number is none of the plan. A language that nobody can read is the default.
pub(super) fn subscriber(row: &Row) -> Option<Subscriber> {
    let status: &str = row.get(1);
    Some(Subscriber {
        number: number(row.get(0))?,
        status: if status == "suspended" { SubscriberStatus::Suspended } else { SubscriberStatus::Active },
        language: row.get::<_, Option<&str>>(2).and_then(|language| language.parse().ok()),
        time_zone: row.get(3),
        paused_until: row.get::<_, Option<i64>>(4).map(Timestamp::from_millis),
        since: Timestamp::from_millis(row.get(5)),
    })
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

pub(super) fn read<T: DeserializeOwned>(body: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Unreadable { what, source: std::sync::Arc::new(source) })
}

fn json<T: serde::Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
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
