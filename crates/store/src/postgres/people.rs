//! What is asked of the database about people, one statement each.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use model::{AlertId, Msisdn, Timestamp};
use routing::{Alert, Charge, ClockFace, Event, RangeName, Resend, Subscriber, SubscriberChange, Verdict};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Fault;
use super::batch::{
    Parameter, People, SUBSCRIBER, ask, begin, key, number, plain, read, status_word, subscriber, together, unsigned,
};
use crate::{Seq, StoreError, TimelineAlert, TimelineEntry};

/// A box that its own node does not look at by then is looked at by another: that node may be gone.
const OVERDUE: Duration = Duration::from_secs(30);

type Result<T> = std::result::Result<T, StoreError>;

/// Boxes to look at: what this node left, and what others have not looked at for long; those first in which something waits for the database.
pub(crate) async fn due(client: &Client, node: i64, now: Timestamp, limit: i64) -> Result<Vec<Msisdn>> {
    let (now, overdue) = (now.as_millis(), (now - OVERDUE).as_millis());
    let parameters: [Parameter<'_>; 4] =
        [(&now, Type::INT8), (&node, Type::INT8), (&overdue, Type::INT8), (&limit, Type::INT8)];
    let sql = "(select called from call_box where deferred order by bucket, called limit $4) union \
        (select called from call_box where due <= to_timestamp($1 / 1000.0) \
           and (node = $2 or due <= to_timestamp($3 / 1000.0)) order by due limit $4) limit $4";
    let found = client.query_typed(sql, &parameters).await.map_err(Fault::from)?;
    Ok(found.iter().filter_map(|row| number(row.get(0))).collect())
}

/// The newest events of one person, the oldest of them first: calls and replies, with the alerts they made as they are now, and what made other alerts.
pub(crate) async fn timeline(client: &Client, called: Msisdn, limit: i64) -> Result<Vec<TimelineEntry>> {
    let called = key(called);
    let parameters: [Parameter<'_>; 2] = [(&called, Type::INT8), (&limit, Type::INT8)];
    let history = |table: &str| {
        format!(
            "select seq, body::text, (extract(epoch from decided_at) * 1000)::bigint, verdict::text, alerts, at from {table} \
             where called = $1 order by at desc limit $2"
        )
    };
    let (calls, replies) = (history("missed_call"), history("reply"));
    let sql = "select id, body::text, seq from alert where bucket = ($1 % 64)::smallint and called = $1 order by id desc limit $2 * 2";
    let mut found = together(vec![
        ask(client, &calls, &parameters),
        ask(client, &replies, &parameters),
        ask(client, sql, &parameters),
    ])
    .await
    .map_err(Fault::from)?
    .into_iter();
    let (calls, replies, alerts) =
        (found.next().unwrap_or_default(), found.next().unwrap_or_default(), found.next().unwrap_or_default());
    let mut known: HashMap<i64, Alert> = HashMap::new();
    let mut changed: HashMap<i64, i64> = HashMap::new();
    for row in alerts {
        known.insert(row.get(0), read(row.get(1), "alert")?);
        changed.insert(row.get(0), row.get(2));
    }
    let mut entries = Vec::new();
    for (rows, is_call) in [(calls, true), (replies, false)] {
        for row in rows {
            let body: &str = row.get(1);
            let event =
                if is_call { Event::Call(read(body, "missed_call")?) } else { Event::Reply(read(body, "reply")?) };
            let ids: Vec<i64> = row.get(4);
            let alert = |id: i64| TimelineAlert { id: AlertId(id), alert: known.get(&id).cloned() };
            entries.push(TimelineEntry {
                seq: Seq(row.get(0)),
                event,
                at: Timestamp::from_millis(row.get(2)),
                verdict: read(row.get(3), "verdict")?,
                alerts: ids.into_iter().map(alert).collect(),
            });
        }
    }
    let oldest = entries.iter().map(|entry| entry.at).min();
    let named: HashSet<i64> = entries.iter().flat_map(|entry| entry.alerts.iter().map(|alert| alert.id.0)).collect();
    let unnamed = known.into_values().filter(|alert| !named.contains(&alert.id.0) && oldest <= Some(alert.created_at));
    entries.extend(unnamed.map(|alert| {
        let seq = Seq(changed.get(&alert.id.0).copied().unwrap_or(0));
        made_otherwise(alert, seq)
    }));
    entries.sort_by_key(|entry| (entry.at, entry.seq));
    let skip = entries.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(entries.split_off(skip))
}

/// An alert that no call and no reply made: its own event is kept by its node only, and the alert itself says what it was.
fn made_otherwise(alert: Alert, seq: Seq) -> TimelineEntry {
    let event = match &alert.again {
        Some(again) => Event::Resend(Resend {
            called: alert.to,
            at: alert.created_at,
            by: again.by.clone(),
            of: again.of,
            made_at: again.made_at,
            kind: alert.kind,
            source: alert.source.clone(),
            text: alert.text.clone(),
            told: alert.told.clone(),
            more: alert.more,
            lost_at: None,
        }),
        None => Event::Due { called: alert.to },
    };
    let (at, verdict) = (alert.created_at, Verdict::Send(alert.kind));
    TimelineEntry { seq, event, at, verdict, alerts: vec![TimelineAlert { id: alert.id, alert: Some(alert) }] }
}

pub(crate) async fn usage(client: &Client) -> Result<Vec<(RangeName, u64)>> {
    let found =
        client.query_typed("select name, used from range_usage order by name", &[]).await.map_err(Fault::from)?;
    Ok(found.iter().map(|row| (RangeName(row.get(0)), unsigned(row.get(1)))).collect())
}

pub(crate) async fn charges(client: &Client, called: Msisdn) -> Result<Vec<Charge>> {
    let called = key(called);
    let sql = "select body::text from charge where bucket = ($1 % 64)::smallint and called = $1 order by at";
    let found = client.query_typed(sql, &[(&called, Type::INT8)]).await.map_err(Fault::from)?;
    found.iter().map(|row| read(row.get(0), "charge")).collect()
}

pub(crate) async fn subscriber_of(client: &Client, of: Msisdn) -> Result<Option<Subscriber>> {
    let of = key(of);
    let sql = format!("select {SUBSCRIBER} from subscriber s where s.bucket = ($1 % 64)::smallint and s.number = $1");
    let found = client.query_typed(&sql, &[(&of, Type::INT8)]).await.map_err(Fault::from)?;
    Ok(found.first().and_then(subscriber))
}

/// In the order of numbers: each bucket gives its next ones, and the lowest of all are taken.
pub(crate) async fn subscribers(client: &Client, after: Option<Msisdn>, limit: i64) -> Result<Vec<Subscriber>> {
    let after = after.map_or(0, key);
    let sql = format!(
        "select {SUBSCRIBER} from generate_series(0, 63) b cross join lateral \
           (select * from subscriber s where s.bucket = b::smallint and s.number > $1 order by s.number limit $2) s \
         order by s.number limit $2"
    );
    let found = client.query_typed(&sql, &[(&after, Type::INT8), (&limit, Type::INT8)]).await.map_err(Fault::from)?;
    Ok(found.iter().filter_map(subscriber).collect())
}

/// Registers or changes, all or none. Nobody twice: the last word counts.
pub(crate) async fn put(client: &Client, subscribers: &[Subscriber], deadline: Duration) -> Result<()> {
    let last: HashMap<Msisdn, &Subscriber> = subscribers.iter().map(|one| (one.number, one)).collect();
    let rows = People::of(&last.into_values().cloned().collect::<Vec<_>>());
    let (begin, parameters) = (begin(deadline), rows.parameters());
    together(vec![plain(client, &begin), ask(client, People::UPSERT, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(())
}

/// Sets what is given of who is registered; the registration as it is now. One statement: who unregisters at the same moment is either changed before, or
/// not at all.
const CHANGE: &str = "update subscriber s set status = coalesce(u.status, s.status), \
      language = case when 'language' = any($2) then u.language else s.language end, \
      time_zone = case when 'time_zone' = any($2) then u.time_zone else s.time_zone end, \
      clock = case when 'clock' = any($2) then u.clock else s.clock end, \
      quiet = case when 'quiet' = any($2) then u.quiet else s.quiet end, \
      copy_to = case when 'copy_to' = any($2) then u.copy_to else s.copy_to end, \
      paused_until = case when 'paused_until' = any($2) then to_timestamp(u.paused_until / 1000.0) else s.paused_until end \
    from (values ($3::text, $4::text, $5::text, $6::text, $7::text, $8::bigint, $9::bigint)) \
      u(status, language, time_zone, clock, quiet, copy_to, paused_until) \
    where s.bucket = ($1 % 64)::smallint and s.number = $1 returning";

/// Changes who is registered, and nobody else; the registration as it is now.
pub(crate) async fn change(
    client: &Client,
    of: Msisdn,
    change: &SubscriberChange,
    deadline: Duration,
) -> Result<Option<Subscriber>> {
    let SubscriberChange { status, language, time_zone, clock, quiet, copy_to, paused_until } = change;
    let given = [
        ("language", language.is_some()),
        ("time_zone", time_zone.is_some()),
        ("clock", clock.is_some()),
        ("quiet", quiet.is_some()),
        ("copy_to", copy_to.is_some()),
        ("paused_until", paused_until.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter_map(|(field, given)| given.then_some(field)).collect();
    let (of, begin) = (key(of), begin(deadline));
    let status = status.map(status_word);
    let language = language.as_ref().and_then(Option::as_ref).map(ToString::to_string);
    let time_zone = time_zone.as_ref().and_then(Option::as_ref);
    let clock = clock.flatten().map(ClockFace::as_str);
    let quiet = quiet.flatten().map(|window| window.to_string());
    let copy_to = copy_to.flatten().map(key);
    let paused_until = paused_until.flatten().map(Timestamp::as_millis);
    let parameters: [Parameter<'_>; 9] = [
        (&of, Type::INT8),
        (&given, Type::TEXT_ARRAY),
        (&status, Type::TEXT),
        (&language, Type::TEXT),
        (&time_zone, Type::TEXT),
        (&clock, Type::TEXT),
        (&quiet, Type::TEXT),
        (&copy_to, Type::INT8),
        (&paused_until, Type::INT8),
    ];
    let sql = format!("{CHANGE} {SUBSCRIBER}");
    let found = together(vec![plain(client, &begin), ask(client, &sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(found.get(1).and_then(|rows| rows.first()).and_then(subscriber))
}

/// Unregisters; whether the number was registered.
pub(crate) async fn delete(client: &Client, of: Msisdn, deadline: Duration) -> Result<bool> {
    let (of, begin) = (key(of), begin(deadline));
    let parameters: [Parameter<'_>; 1] = [(&of, Type::INT8)];
    let sql = "delete from subscriber where bucket = ($1 % 64)::smallint and number = $1 returning 1";
    let found = together(vec![plain(client, &begin), ask(client, sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(found.get(1).is_some_and(|rows| !rows.is_empty()))
}

/// Queued alerts of nodes whose heartbeat is older than their lease; those that nobody else is taking at this moment.
///
/// Their node may have sent them without being able to say so: they are in doubt. Whether there were any: there may be more.
pub(crate) async fn take_over(client: &Client, node: i64, lease: Duration, deadline: Duration) -> Result<bool> {
    let (begin, lease) = (begin(deadline), lease.as_secs_f64());
    let parameters: [Parameter<'_>; 2] = [(&node, Type::INT8), (&lease, Type::FLOAT8)];
    let sql = "with gone as (select node from heartbeat where node <> $1 and seen_at < now() - make_interval(secs => $2)), \
          taken as (select a.bucket, a.called, a.id from alert a join gone using (node) where a.state = 'queued' \
            order by a.bucket, a.called, a.id limit 500 for update of a skip locked) \
        update alert a set node = $1::bigint::integer from taken t \
          where a.bucket = t.bucket and a.called = t.called and a.id = t.id returning 1";
    let found = together(vec![plain(client, &begin), ask(client, sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(found.get(1).is_some_and(|rows| !rows.is_empty()))
}

/// Of these alerts, those that another node has taken over.
pub(crate) async fn taken_from(client: &Client, node: i64, alerts: &[(Msisdn, AlertId)]) -> Result<Vec<AlertId>> {
    let (called, ids): (Vec<i64>, Vec<i64>) = alerts.iter().map(|(called, id)| (key(*called), id.0)).unzip();
    let parameters: [Parameter<'_>; 3] = [(&called, Type::INT8_ARRAY), (&ids, Type::INT8_ARRAY), (&node, Type::INT8)];
    let sql = "select a.id from unnest($1::bigint[], $2::bigint[]) u(called, id) \
        join alert a on a.bucket = (u.called % 64)::smallint and a.called = u.called and a.id = u.id where a.node <> $3";
    let found = client.query_typed(sql, &parameters).await.map_err(Fault::from)?;
    Ok(found.iter().map(|row| AlertId(row.get(0))).collect())
}

/// Alerts that other nodes made and this node is to send, as far as the database knows.
pub(crate) async fn queued_here(client: &Client, node: i64) -> Result<Vec<Alert>> {
    let sql = "select body::text from alert where node = $1::bigint::integer and state = 'queued' and id >> 41 <> $1 limit 10000";
    let found = client.query_typed(sql, &[(&node, Type::INT8)]).await.map_err(Fault::from)?;
    found.iter().map(|row| read(row.get(0), "alert")).collect()
}

/// Whether no other node was alive within a day.
pub(crate) async fn is_alone(client: &Client, node: i64) -> Result<bool> {
    let sql = "select not exists (select 1 from heartbeat where node <> $1 and seen_at > now() - interval '1 day')";
    let found = client.query_typed(sql, &[(&node, Type::INT8)]).await.map_err(Fault::from)?;
    Ok(found.first().is_some_and(|row| row.get(0)))
}
