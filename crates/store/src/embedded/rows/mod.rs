//! Rows and statements: what is asked of SQLite, and nothing decided.

mod erase;
mod old;
mod people;
mod receipts;
mod report;
mod said;
mod sharing;

use std::sync::Arc;
use std::time::Instant;

use model::{AlertId, Msisdn, Timestamp};
use routing::{Alert, CallBox, Effect, Event, Verdict};
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::memory::{Indexed, Row, Sharing};
use crate::{Journaled, Seq, StoreError};

pub(super) use erase::*;
pub(super) use old::*;
pub(super) use people::*;
pub(super) use receipts::*;
pub(super) use report::*;
pub(super) use said::*;
pub(super) use sharing::*;

/// Queued alerts that go out whatever the database does.
pub(super) const LANE_ALERTS: i64 = 0;
/// Queued teasers, which wait apart while the database is abnormal.
pub(super) const LANE_TEASERS: i64 = 1;
/// Alerts handed to a link, to be found after a restart.
pub(super) const LANE_SENDING: i64 = 2;
/// Alerts that an SMSC has and that are to be brought up to date, but for teasers.
pub(super) const LANE_UPDATES: i64 = 3;
/// Those whose update was handed to a link, to be found after a restart.
pub(super) const LANE_ASKING: i64 = 4;
/// Teasers that are to be brought up to date, which wait apart while the database is abnormal.
pub(super) const LANE_TEASER_UPDATES: i64 = 5;
/// Alerts that an SMSC has, about which nothing is to be done; found by since when.
pub(super) const LANE_ACCEPTED: i64 = 6;

pub(super) fn read<T: DeserializeOwned>(body: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Unreadable { what, source: Arc::new(source) })
}

pub(super) fn write<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
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
    Ok(Journaled { seq: Seq(row.get(0)?), event: body(row, 1, "event")?, since: Instant::now() })
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
    /// Effects that are to be handed over beside box and alerts.
    pub(super) rest: Vec<Effect>,
}

/// Keeps a decision; a receipt that was parked has one already, which gives way.
pub(super) fn put_decision(conn: &Connection, decided: &Decided) -> Result<(), StoreError> {
    let alerts = if decided.alerts.is_empty() { None } else { Some(write(&decided.alerts, "decision")?) };
    let verdict = write(&decided.verdict, "decision")?;
    let rest = if decided.rest.is_empty() { None } else { Some(write(&decided.rest, "decision")?) };
    conn.prepare_cached("INSERT OR REPLACE INTO decision VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        decided.seq,
        decided.at.as_millis(),
        verdict,
        alerts,
        decided.prev,
        rest
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
        rest: Vec::new(),
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
        sharing: Sharing::Alone,
    }))
}

/// Writes a box; the indexed columns only when they changed, since SQLite would rewrite their index entries even with the same value.
pub(super) fn put_box(conn: &Connection, row: &Row<CallBox>, (due, deferred): Indexed) -> Result<(), StoreError> {
    let (called, body) = (key(row.value.called), write(&row.value, "box")?);
    let base = (row.sharing == Sharing::Local).then_some("null");
    let moved = row.stored.is_some_and(|stored| stored != (due, deferred));
    let sql = match (row.stored, row.sharing, moved) {
        (None, ..) => "INSERT INTO box VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)",
        (Some(_), Sharing::Alone, false) => "UPDATE box SET last = ?2, body = ?5 WHERE called = ?1",
        (Some(_), Sharing::Alone, true) => {
            "UPDATE box SET last = ?2, due = ?3, deferred = ?4, body = ?5 WHERE called = ?1"
        }
        // What others know of it stays its base until it is handed over.
        (Some(_), Sharing::Local, false) => {
            "UPDATE box SET last = ?2, base = coalesce(base, body), body = ?5 WHERE called = ?1"
        }
        (Some(_), Sharing::Local, true) => {
            "UPDATE box SET last = ?2, due = ?3, deferred = ?4, base = coalesce(base, body), body = ?5 WHERE called = ?1"
        }
        (Some(_), Sharing::Shared, false) => {
            "UPDATE box SET last = ?2, base = NULL, aside = NULL, body = ?5 WHERE called = ?1"
        }
        (Some(_), Sharing::Shared, true) => {
            "UPDATE box SET last = ?2, due = ?3, deferred = ?4, base = NULL, aside = NULL, body = ?5 WHERE called = ?1"
        }
    };
    // Parameters that a statement doesn't name may be bound all the same, as long as a later one is named.
    let mut statement = conn.prepare_cached(sql)?;
    match row.stored {
        None => statement.execute(params![called, row.last, due, deferred, body, base])?,
        Some(_) => statement.execute(params![called, row.last, due, deferred, body])?,
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
        sharing: Sharing::Alone,
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

/// Queued alerts of one lane that may be sent by `now`, of those made after a time, the first of which is given; the longest waiting first, with the time each
/// waits since. The index has all that is asked for.
pub(super) fn queued(
    conn: &Connection,
    lane: i64,
    (after, first): (Timestamp, AlertId),
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, AlertId)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT not_before, id FROM alert WHERE lane = ?1 AND not_before > ?4 AND not_before <= ?2 AND id >= ?5 \
         ORDER BY not_before, id LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = statement.query_map(params![lane, now.as_millis(), limit, after.as_millis(), first.0], |row| {
        Ok((row.get(0)?, AlertId(row.get(1)?)))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// The earliest time in a lane after another; the index tells it without looking at an alert.
pub(super) fn earliest(conn: &Connection, lane: i64, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT min(not_before) FROM alert WHERE lane = ?1 AND not_before > ?2";
    let found: Option<i64> = conn.prepare_cached(sql)?.query_row(params![lane, after.as_millis()], |row| row.get(0))?;
    Ok(found.map(Timestamp::from_millis))
}

/// The first alert in a range of ids, whose end is not in it, with the time it was made.
pub(super) fn first_alert(conn: &Connection, from: i64, end: i64) -> Result<Option<(AlertId, Timestamp)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM alert WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1")?;
    let mut found = statement.query([from, end])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let alert: Alert = body(row, 0, "alert")?;
    Ok(Some((alert.id, alert.created_at)))
}

/// Alerts that were handed to a link, or whose update was, as the lane says.
pub(super) fn of_lane(conn: &Connection, lane: i64) -> Result<Vec<Alert>, StoreError> {
    let mut statement = conn.prepare("SELECT body FROM alert WHERE lane = ?1 ORDER BY id")?;
    let mut found = statement.query([lane])?;
    let mut alerts = Vec::new();
    while let Some(row) = found.next()? {
        alerts.push(body(row, 0, "alert")?);
    }
    Ok(alerts)
}
