//! The first round trip: locks the people of a batch and reads what is known of them.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use model::{AlertId, Msisdn, Receipt, SmscName, Timestamp};
use routing::{Event, List, Policy, RangeName};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::{Failed, Parameter, SUBSCRIBER, ask, begin, key, number, plain, read, subscriber, together, unsigned};
use crate::embedded::{Loaded, LoadedAlert, LoadedBox, LoadedPart, Subjects, read_box};
use crate::postgres::Fault;
use crate::{Journaled, StoreError, put_on};

/// The order in which call boxes are locked: bucket, number.
fn in_lock_order(called: &[Msisdn]) -> Vec<i64> {
    let mut keys: Vec<i64> = called.iter().map(|called| key(*called)).collect();
    keys.sort_unstable_by_key(|key| (key % 64, *key));
    keys
}

const PLACE: &str = "select seq from applied where node = $1::bigint::integer for update";

const MAKE_BOXES: &str = "insert into call_box (bucket, called, node, seq, deferred) \
    select (c % 64)::smallint, c, $2::bigint::integer, 0, false from unnest($1::bigint[]) c order by 1, 2 on conflict do nothing";

const BOXES: &str = "select b.called, b.body::text from unnest($1::bigint[]) c \
    join call_box b on b.bucket = (c % 64)::smallint and b.called = c order by b.bucket, b.called for update of b";

/// The same, locking nobody.
const LOOK_AT_BOXES: &str = "select b.called, b.body::text from unnest($1::bigint[]) c \
    join call_box b on b.bucket = (c % 64)::smallint and b.called = c";

const USAGE: &str = "select name, used from range_usage where name = any($1)";

const LISTED: &str = "select l.number, l.list from unnest($1::bigint[]) c \
    join listed l on l.bucket = (c % 64)::smallint and l.number = c";

const ALERTS: &str = "select a.body::text, a.node::bigint = $4 from ( \
      select b.bucket, b.called, b.open as id from unnest($1::bigint[]) c \
        join call_box b on b.bucket = (c % 64)::smallint and b.called = c where b.open is not null \
      union select (c % 64)::smallint, c, id from unnest($2::bigint[], $3::bigint[]) u(c, id) \
    ) k join alert a on a.bucket = k.bucket and a.called = k.called and a.id = k.id";

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
    let subscribers = subscribers();
    let mut found = together(vec![
        plain(client, &begin),
        ask(client, PLACE, &place),
        ask(client, MAKE_BOXES, &made),
        ask(client, BOXES, &boxes),
        ask(client, ALERTS, &alerts),
        ask(client, &subscribers, &boxes),
        ask(client, LISTED, &boxes),
        ask(client, USAGE, &named),
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
    Ok(loaded(next, parts)?)
}

/// What is known of one person, read at one moment without any lock: nobody waits for it, it waits for nobody, and it changes nothing.
pub(crate) async fn look(client: &Client, node: i64, called: Msisdn, policy: &Policy) -> Result<Loaded, StoreError> {
    let (called, none, ranges) = (vec![key(called)], Vec::<i64>::new(), range_names(policy));
    let boxes: [Parameter<'_>; 1] = [(&called, Type::INT8_ARRAY)];
    let alerts: [Parameter<'_>; 4] =
        [(&called, Type::INT8_ARRAY), (&none, Type::INT8_ARRAY), (&none, Type::INT8_ARRAY), (&node, Type::INT8)];
    let named: [Parameter<'_>; 1] = [(&ranges, Type::TEXT_ARRAY)];
    let subscribers = subscribers();
    let mut found = together(vec![
        plain(client, "begin transaction isolation level repeatable read, read only"),
        ask(client, LOOK_AT_BOXES, &boxes),
        ask(client, ALERTS, &alerts),
        ask(client, &subscribers, &boxes),
        ask(client, LISTED, &boxes),
        ask(client, USAGE, &named),
        plain(client, "rollback"),
    ])
    .await
    .map_err(Fault::from)?
    .into_iter()
    .skip(1);
    loaded(|| found.next().unwrap_or_default(), Vec::new())
}

/// What was read of people: the answers about boxes, alerts, subscribers, lists and ranges, in this order.
fn loaded(mut next: impl FnMut() -> Vec<Row>, parts: Vec<LoadedPart>) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded { parts, ..Loaded::default() };
    for row in next() {
        if let Some(called) = number(row.get(0)) {
            loaded.boxes.insert(called.as_u64(), loaded_box(called, row.get(1))?);
        }
    }
    loaded.alerts = next().iter().map(loaded_alert).collect::<Result<_, _>>()?;
    loaded.subscribers = next().iter().filter_map(subscriber).map(|one| (one.number.as_u64(), one)).collect();
    for row in next() {
        if let (Some(number), Some(list)) = (number(row.get(0)), List::parse(row.get(1))) {
            put_on(loaded.listed.entry(number.as_u64()).or_default(), list);
        }
    }
    loaded.usage = next().iter().map(|row| (RangeName(row.get(0)), unsigned(row.get(1)))).collect();
    Ok(loaded)
}

fn subscribers() -> String {
    format!(
        "select {SUBSCRIBER} from unnest($1::bigint[]) c join subscriber s on s.bucket = (c % 64)::smallint and s.number = c"
    )
}

fn loaded_box(called: Msisdn, body: Option<String>) -> Result<LoadedBox, StoreError> {
    let before = serde_json::value::RawValue::from_string(body.unwrap_or_else(|| "null".to_owned()))
        .map_err(|source| StoreError::Unreadable { what: "call_box", source: std::sync::Arc::new(source) })?;
    let call_box = read_box(Some(&before), called)?;
    Ok(LoadedBox { before, call_box })
}

/// A row of [`ALERTS`].
fn loaded_alert(row: &Row) -> Result<LoadedAlert, StoreError> {
    Ok(LoadedAlert { alert: read(row.get(0), "alert")?, mine: row.get(1) })
}

/// The alerts that message ids belong to, as they are now.
pub(crate) async fn alerts(client: &Client, node: i64, parts: &[LoadedPart]) -> Result<Vec<LoadedAlert>, StoreError> {
    let named: BTreeSet<(i64, i64)> = parts.iter().map(|part| (key(part.called), part.alert.0)).collect();
    let (called, ids): (Vec<i64>, Vec<i64>) = named.into_iter().unzip();
    let parameters: [Parameter<'_>; 4] = [
        (&Vec::<i64>::new(), Type::INT8_ARRAY),
        (&called, Type::INT8_ARRAY),
        (&ids, Type::INT8_ARRAY),
        (&node, Type::INT8),
    ];
    let found = ask(client, ALERTS, &parameters).await.map_err(Fault::from)?;
    found.iter().map(loaded_alert).collect()
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

/// The alerts to which receipts may belong by their message ids, in every form. Some SMSCs give one id to many: then the
/// newest of the handset, and some of the others.
pub(crate) async fn parts(client: &Client, receipts: &[Receipt]) -> Result<Vec<LoadedPart>, Fault> {
    let every_form = |receipt: &'_ Receipt| receipt.answers().into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    let asked: BTreeSet<(&str, String, Option<i64>)> = receipts
        .iter()
        .flat_map(|receipt| {
            every_form(receipt).into_iter().map(|id| (receipt.smsc.0.as_str(), id, receipt.handset.map(key)))
        })
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let (mut smscs, mut ids, mut handsets) = (Vec::new(), Vec::new(), Vec::new());
    for (smsc, id, handset) in asked {
        smscs.push(smsc);
        ids.push(id);
        handsets.push(handset);
    }
    let parameters: [Parameter<'_>; 3] =
        [(&smscs, Type::TEXT_ARRAY), (&ids, Type::TEXT_ARRAY), (&handsets, Type::INT8_ARRAY)];
    let sql = "select distinct p.smsc, p.message_id, p.called, p.alert \
        from unnest($1::text[], $2::text[], $3::bigint[]) u(smsc, message_id, handset) cross join lateral ( \
          (select * from part p where p.smsc = u.smsc and p.message_id = u.message_id and p.called = u.handset \
            order by p.created_at desc, p.alert desc limit 16) \
          union (select * from part p where p.smsc = u.smsc and p.message_id = u.message_id limit 16)) p \
        where exists (select from alert a where a.bucket = p.bucket and a.called = p.called and a.id = p.alert)";
    let found = client.query_typed(sql, &parameters).await?;
    let part = |row: &Row| {
        let (called, alert) = (number(row.get(2))?, AlertId(row.get(3)));
        Some(LoadedPart { smsc: SmscName(row.get(0)), id_key: row.get(1), called, alert })
    };
    Ok(found.iter().filter_map(part).collect())
}

fn range_names(policy: &Policy) -> Vec<&str> {
    let names: BTreeSet<&str> = policy.ranges.iter().map(|range| range.name.0.as_str()).collect();
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
            // A look may read a message whose parts were waited for.
            Event::Due { called } => Some(*called),
            _ => None,
        })
        .collect();
    let mut names = BTreeSet::new();
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
