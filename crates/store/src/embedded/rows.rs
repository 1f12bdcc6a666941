//! Rows and statements: what is asked of SQLite, and nothing decided.

use std::sync::Arc;

use model::{AlertId, Msisdn, Timestamp};
use roaring::RoaringTreemap;
use routing::{Alert, CallBox, Charge, Event, RangeName, Subscriber, Verdict};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::memory::{Indexed, Row};
use crate::{Journaled, Seq, StoreError};

/// Queued alerts that go out whatever the database does.
pub(super) const LANE_ALERTS: i64 = 0;
/// Queued teasers, which wait apart while the database is abnormal.
pub(super) const LANE_TEASERS: i64 = 1;
/// Alerts handed to a link, to be found after a restart.
pub(super) const LANE_SENDING: i64 = 2;

fn read<T: DeserializeOwned>(body: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Unreadable { what, source: Arc::new(source) })
}

fn write<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unreadable { what, source: Arc::new(source) })
}

/// Numbers fit: they have at most 15 digits.
pub(super) fn key(number: Msisdn) -> i64 {
    i64::try_from(number.as_u64()).unwrap_or(i64::MAX)
}

fn body<T: DeserializeOwned>(row: &SqlRow<'_>, column: usize, what: &'static str) -> Result<T, StoreError> {
    read(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?, what)
}

pub(super) fn meta(conn: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn set_meta(conn: &Connection, name: &str, value: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    conn.prepare_cached(sql)?.execute(params![name, value])?;
    Ok(())
}

pub(super) fn insert_event(conn: &Connection, seq: i64, event: &Event) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO event VALUES (?1, ?2)")?.execute(params![seq, write(event, "event")?])?;
    Ok(())
}

pub(super) fn event(conn: &Connection, seq: i64) -> Result<Option<Event>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM event WHERE seq = ?1")?;
    let mut found = statement.query([seq])?;
    found.next()?.map(|row| body(row, 0, "event")).transpose()
}

fn journaled(row: &SqlRow<'_>) -> Result<Journaled, StoreError> {
    Ok(Journaled { seq: Seq(row.get(0)?), event: body(row, 1, "event")? })
}

/// All events from a place on, decided or not.
pub(super) fn events_from(conn: &Connection, from: i64) -> Result<Vec<Journaled>, StoreError> {
    let mut statement = conn.prepare("SELECT seq, body FROM event WHERE seq >= ?1 ORDER BY seq")?;
    let mut found = statement.query([from])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        events.push(journaled(row)?);
    }
    Ok(events)
}

/// Undecided events from a place on, in order.
pub(super) fn undecided_from(conn: &Connection, from: i64, limit: usize) -> Result<Vec<Journaled>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, body FROM event e WHERE seq >= ?1 AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq) \
         ORDER BY seq LIMIT ?2",
    )?;
    let mut found = statement.query(params![from, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        events.push(journaled(row)?);
    }
    Ok(events)
}

pub(super) fn undecided_count(conn: &Connection, from: i64) -> Result<u64, StoreError> {
    let sql =
        "SELECT count(*) FROM event e WHERE seq >= ?1 AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq)";
    let count: i64 = conn.query_row(sql, [from], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) fn is_decided(conn: &Connection, seq: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM decision WHERE seq = ?1")?.exists([seq])?)
}

pub(super) fn is_journaled(conn: &Connection, seq: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM event WHERE seq = ?1")?.exists([seq])?)
}

/// What is kept of a decision.
pub(super) struct Decided {
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) verdict: Verdict,
    pub(super) alerts: Vec<AlertId>,
    pub(super) prev: Option<i64>,
}

/// Keeps a decision; a receipt that was parked has one already, which gives way.
pub(super) fn put_decision(conn: &Connection, decided: &Decided) -> Result<(), StoreError> {
    let alerts = if decided.alerts.is_empty() { None } else { Some(write(&decided.alerts, "decision")?) };
    let verdict = write(&decided.verdict, "decision")?;
    conn.prepare_cached("INSERT OR REPLACE INTO decision VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        decided.seq,
        decided.at.as_millis(),
        verdict,
        alerts,
        decided.prev
    ])?;
    Ok(())
}

pub(super) fn decision(conn: &Connection, seq: i64) -> Result<Option<Decided>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT at, verdict, alerts, prev FROM decision WHERE seq = ?1")?;
    let mut found = statement.query([seq])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let alerts = match row.get_ref(2)? {
        rusqlite::types::ValueRef::Null => Vec::new(),
        _ => body(row, 2, "decision")?,
    };
    Ok(Some(Decided {
        seq,
        at: Timestamp::from_millis(row.get(0)?),
        verdict: body(row, 1, "decision")?,
        alerts,
        prev: row.get(3)?,
    }))
}

pub(super) fn call_box(conn: &Connection, called: Msisdn) -> Result<Option<Row<CallBox>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT last, due, deferred, body FROM box WHERE called = ?1")?;
    let mut found = statement.query([key(called)])?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some(Row {
        value: body(row, 3, "box")?,
        last: row.get(0)?,
        stored: Some((row.get(1)?, row.get(2)?)),
        dirty: false,
    }))
}

/// Writes a box; the indexed columns only when they changed, since SQLite would rewrite their index entries even with the same value.
pub(super) fn put_box(conn: &Connection, row: &Row<CallBox>, (due, deferred): Indexed) -> Result<(), StoreError> {
    let (called, body) = (key(row.value.called), write(&row.value, "box")?);
    match row.stored {
        None => conn
            .prepare_cached("INSERT INTO box VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![called, row.last, due, deferred, body])?,
        Some(stored) if stored == (due, deferred) => conn
            .prepare_cached("UPDATE box SET last = ?2, body = ?3 WHERE called = ?1")?
            .execute(params![called, row.last, body])?,
        Some(_) => conn
            .prepare_cached("UPDATE box SET last = ?2, due = ?3, deferred = ?4, body = ?5 WHERE called = ?1")?
            .execute(params![called, row.last, due, deferred, body])?,
    };
    Ok(())
}

pub(super) fn alert(conn: &Connection, id: AlertId) -> Result<Option<Row<Alert>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT last, lane, not_before, body FROM alert WHERE id = ?1")?;
    let mut found = statement.query([id.0])?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some(Row {
        value: body(row, 3, "alert")?,
        last: row.get(0)?,
        stored: Some((row.get(1)?, row.get(2)?)),
        dirty: false,
    }))
}

/// Writes an alert; the indexed columns only when they changed.
pub(super) fn put_alert(conn: &Connection, row: &Row<Alert>, (lane, not_before): Indexed) -> Result<(), StoreError> {
    let (id, body) = (row.value.id.0, write(&row.value, "alert")?);
    match row.stored {
        None => conn
            .prepare_cached("INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![id, lane, not_before, row.last, body])?,
        Some(stored) if stored == (lane, not_before) => conn
            .prepare_cached("UPDATE alert SET last = ?2, body = ?3 WHERE id = ?1")?
            .execute(params![id, row.last, body])?,
        Some(_) => conn
            .prepare_cached("UPDATE alert SET lane = ?2, not_before = ?3, last = ?4, body = ?5 WHERE id = ?1")?
            .execute(params![id, lane, not_before, row.last, body])?,
    };
    Ok(())
}

/// Queued alerts of one lane that may be sent by `now`, the longest waiting first, with the time each waits since.
pub(super) fn queued(
    conn: &Connection,
    lane: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, AlertId)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT not_before, id FROM alert WHERE lane = ?1 AND not_before <= ?2 ORDER BY not_before, id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found =
        statement.query_map(params![lane, now.as_millis(), limit], |row| Ok((row.get(0)?, AlertId(row.get(1)?))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Alerts that were handed to a link, with the attempt.
pub(super) fn sending(conn: &Connection) -> Result<Vec<(AlertId, u32)>, StoreError> {
    let mut statement = conn.prepare("SELECT body FROM alert WHERE lane = ?1 ORDER BY id")?;
    let mut found = statement.query([LANE_SENDING])?;
    let mut sending = Vec::new();
    while let Some(row) = found.next()? {
        let alert: Alert = body(row, 0, "alert")?;
        sending.push((alert.id, alert.attempts));
    }
    Ok(sending)
}

pub(super) fn insert_part(
    conn: &Connection,
    smsc: &str,
    message_id: &str,
    called: Msisdn,
    alert: AlertId,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR IGNORE INTO part VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        smsc,
        message_id,
        key(called),
        alert.0
    ])?;
    Ok(())
}

/// The newest alerts with this message id, of this handset where one is given; at most `limit`.
pub(super) fn alerts_of_part(
    conn: &Connection,
    smsc: &str,
    message_id: &str,
    handset: Option<Msisdn>,
    limit: i64,
) -> Result<Vec<AlertId>, StoreError> {
    let id = |row: &SqlRow<'_>| row.get(0).map(AlertId);
    let found = match handset {
        Some(handset) => conn
            .prepare_cached(
                "SELECT alert FROM part WHERE smsc = ?1 AND message_id = ?2 AND called = ?3 ORDER BY alert DESC LIMIT ?4",
            )?
            .query_map(params![smsc, message_id, key(handset), limit], id)?
            .collect::<Result<_, _>>()?,
        None => conn
            .prepare_cached("SELECT alert FROM part WHERE smsc = ?1 AND message_id = ?2 LIMIT ?3")?
            .query_map(params![smsc, message_id, limit], id)?
            .collect::<Result<_, _>>()?,
    };
    Ok(found)
}

pub(super) fn parked_count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.query_row("SELECT count(*) FROM parked", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) fn park(conn: &Connection, seq: i64, at: Timestamp, smsc: &str, message_id: &str) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO parked VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        seq,
        at.as_millis(),
        smsc,
        message_id
    ])?;
    Ok(())
}

pub(super) fn parked(conn: &Connection, smsc: &str, message_id: &str) -> Result<Vec<i64>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT seq FROM parked WHERE smsc = ?1 AND message_id = ?2 ORDER BY seq LIMIT 16")?;
    let found = statement.query_map(params![smsc, message_id], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn unpark(conn: &Connection, seq: i64) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM parked WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Forgets the oldest parked receipt.
pub(super) fn unpark_oldest(conn: &Connection) -> Result<usize, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = (SELECT min(seq) FROM parked)")?.execute([])?)
}

/// The exact set of registered numbers.
pub(super) fn registry(conn: &Connection) -> Result<RoaringTreemap, StoreError> {
    let mut statement = conn.prepare("SELECT number FROM subscriber ORDER BY number")?;
    let mut found = statement.query([])?;
    let mut registry = RoaringTreemap::new();
    while let Some(row) = found.next()? {
        registry.insert(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
    }
    Ok(registry)
}

pub(super) fn subscriber(conn: &Connection, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM subscriber WHERE number = ?1")?;
    let mut found = statement.query([key(number)])?;
    found.next()?.map(|row| body(row, 0, "subscriber")).transpose()
}

pub(super) fn subscribers(
    conn: &Connection,
    after: Option<Msisdn>,
    limit: usize,
) -> Result<Vec<Subscriber>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT body FROM subscriber WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let mut found = statement.query(params![after.map_or(0, key), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut subscribers = Vec::new();
    while let Some(row) = found.next()? {
        subscribers.push(body(row, 0, "subscriber")?);
    }
    Ok(subscribers)
}

pub(super) fn put_subscriber(conn: &Connection, subscriber: &Subscriber) -> Result<(), StoreError> {
    let sql = "INSERT INTO subscriber VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE SET body = excluded.body";
    conn.prepare_cached(sql)?.execute(params![key(subscriber.number), write(subscriber, "subscriber")?])?;
    Ok(())
}

pub(super) fn delete_subscriber(conn: &Connection, number: Msisdn) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM subscriber WHERE number = ?1")?.execute([key(number)])? > 0)
}

pub(super) fn usage(conn: &Connection) -> Result<Vec<(RangeName, u64)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT name, used FROM range_usage ORDER BY name")?;
    let found = statement
        .query_map([], |row| Ok((RangeName(row.get(0)?), u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn put_usage(conn: &Connection, name: &RangeName, used: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO range_usage VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET used = excluded.used";
    conn.prepare_cached(sql)?.execute(params![name.0, i64::try_from(used).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(super) fn insert_charge(conn: &Connection, charge: &Charge) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO charge (called, body) VALUES (?1, ?2)")?
        .execute(params![key(charge.called), write(charge, "charge")?])?;
    Ok(())
}

pub(super) fn charges(conn: &Connection, called: Msisdn) -> Result<Vec<Charge>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM charge WHERE called = ?1 ORDER BY id")?;
    let mut found = statement.query([key(called)])?;
    let mut charges = Vec::new();
    while let Some(row) = found.next()? {
        charges.push(body(row, 0, "charge")?);
    }
    Ok(charges)
}

fn numbers(conn: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<Msisdn>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    let mut numbers = Vec::new();
    while let Some(row) = found.next()? {
        numbers.extend(u64::try_from(row.get::<_, i64>(0)?).ok().and_then(|number| Msisdn::try_from(number).ok()));
    }
    Ok(numbers)
}

/// Boxes in which something waits for the database to be normal.
pub(super) fn deferred(conn: &Connection, limit: usize) -> Result<Vec<Msisdn>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    numbers(conn, "SELECT called FROM box WHERE deferred = 1 LIMIT ?1", [limit])
}

/// Boxes that asked to be looked at, the longest due first.
pub(super) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Msisdn>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    numbers(conn, "SELECT called FROM box WHERE due <= ?1 ORDER BY due LIMIT ?2", [now.as_millis(), limit])
}

/// Deletes the oldest decisions and their events up to the first one that is younger than the cutoff or undecided; how many.
pub(super) fn prune_history(
    conn: &Connection,
    before: Timestamp,
    below: i64,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut statement = conn.prepare_cached("SELECT seq, at FROM decision WHERE seq < ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![below, limit])?;
    let mut newest = None;
    while let Some(row) = found.next()? {
        if row.get::<_, i64>(1)? >= before.as_millis() {
            break;
        }
        newest = Some(row.get::<_, i64>(0)?);
    }
    let Some(newest) = newest else { return Ok(0) };
    let removed = conn.prepare_cached("DELETE FROM decision WHERE seq <= ?1")?.execute([newest])?;
    conn.prepare_cached("DELETE FROM event WHERE seq <= ?1")?.execute([newest])?;
    Ok(removed)
}

pub(super) fn prune_parked(conn: &Connection, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM parked WHERE seq IN (SELECT seq FROM parked ORDER BY seq LIMIT ?2) AND at < ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(conn.prepare_cached(sql)?.execute(params![before.as_millis(), limit])?)
}

fn bodies<T: DeserializeOwned>(
    conn: &Connection,
    sql: &str,
    after: i64,
    limit: usize,
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut values = Vec::new();
    while let Some(row) = found.next()? {
        values.push(body(row, 0, what)?);
    }
    Ok(values)
}

pub(super) fn alerts_after(conn: &Connection, after: AlertId, limit: usize) -> Result<Vec<Alert>, StoreError> {
    bodies(conn, "SELECT body FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2", after.0, limit, "alert")
}

pub(super) fn boxes_after(conn: &Connection, after: i64, limit: usize) -> Result<Vec<CallBox>, StoreError> {
    bodies(conn, "SELECT body FROM box WHERE called > ?1 ORDER BY called LIMIT ?2", after, limit, "box")
}

pub(super) fn delete_alert(conn: &Connection, id: AlertId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM alert WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

pub(super) fn has_alert(conn: &Connection, id: AlertId) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM alert WHERE id = ?1")?.exists([id.0])?)
}

pub(super) fn delete_box(conn: &Connection, called: Msisdn) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM box WHERE called = ?1")?.execute([key(called)])?;
    Ok(())
}

/// The key of a part: SMSC, message id, handset, alert.
pub(super) type PartKey = (String, String, i64, AlertId);

pub(super) fn parts_after(
    conn: &Connection,
    after: Option<&PartKey>,
    limit: usize,
) -> Result<Vec<PartKey>, StoreError> {
    let (smsc, message_id, called, alert) =
        after.map_or(("", "", 0, 0), |(smsc, id, called, alert)| (smsc.as_str(), id.as_str(), *called, alert.0));
    let mut statement = conn.prepare_cached(
        "SELECT smsc, message_id, called, alert FROM part WHERE (smsc, message_id, called, alert) > (?1, ?2, ?3, ?4) \
         ORDER BY smsc, message_id, called, alert LIMIT ?5",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map(params![smsc, message_id, called, alert, limit], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, AlertId(row.get(3)?)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn delete_part(conn: &Connection, (smsc, message_id, called, alert): &PartKey) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM part WHERE smsc = ?1 AND message_id = ?2 AND called = ?3 AND alert = ?4")?
        .execute(params![smsc, message_id, called, alert.0])?;
    Ok(())
}
