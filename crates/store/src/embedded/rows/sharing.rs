//! What is handed over to the database that nodes share, and how far that has come.

use model::{AlertId, Msisdn, Timestamp};
use roaring::RoaringTreemap;
use routing::{CallBox, Effect, Event, Verdict};
use rusqlite::{Connection, params};
use serde_json::value::RawValue;

use super::{body, key, meta, read, set_meta, write};
use crate::StoreError;
use crate::embedded::memory::Shared;
use crate::embedded::registry::RegistryPlace;

/// How far the journal is handed over; `None` where there is nobody to hand it to.
pub(in crate::embedded) fn shared(conn: &Connection) -> Result<Option<Shared>, StoreError> {
    let Some(node) = meta(conn, "node")? else { return Ok(None) };
    let (applied, sent) = (meta(conn, "applied")?.unwrap_or(0), meta(conn, "sent")?.unwrap_or(0));
    let alone = meta(conn, "alone")? == Some(1);
    Ok(Some(Shared { node, applied, sent, alone }))
}

/// A decided event that is to be handed over.
pub(in crate::embedded) struct Pending {
    pub(in crate::embedded) seq: i64,
    pub(in crate::embedded) event: Event,
    pub(in crate::embedded) at: Timestamp,
    pub(in crate::embedded) verdict: Verdict,
    pub(in crate::embedded) alerts: Vec<AlertId>,
    pub(in crate::embedded) rest: Vec<Effect>,
    pub(in crate::embedded) quarantined: bool,
}

/// Decided events after a place, in order, up to the first undecided one or the limit.
pub(in crate::embedded) fn pending(conn: &Connection, after: i64, limit: usize) -> Result<Vec<Pending>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT e.seq, e.body, d.at, d.verdict, d.alerts, d.rest, q.seq IS NOT NULL FROM event e \
         LEFT JOIN decision d ON d.seq = e.seq LEFT JOIN quarantine q ON q.seq = e.seq \
         WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2",
    )?;
    let mut found = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut pending = Vec::new();
    while let Some(row) = found.next()? {
        let Some(at) = row.get::<_, Option<i64>>(2)? else { break };
        let list = |column: usize| -> Result<Option<String>, StoreError> { Ok(row.get(column)?) };
        pending.push(Pending {
            seq: row.get(0)?,
            event: body(row, 1, "event")?,
            at: Timestamp::from_millis(at),
            verdict: body(row, 3, "decision")?,
            alerts: list(4)?.map_or_else(|| Ok(Vec::new()), |text| read(&text, "decision"))?,
            rest: list(5)?.map_or_else(|| Ok(Vec::new()), |text| read(&text, "decision"))?,
            quarantined: row.get(6)?,
        });
    }
    Ok(pending)
}

/// Whether something was decided after a place.
pub(in crate::embedded) fn has_pending(conn: &Connection, after: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM decision WHERE seq > ?1")?.exists([after])?)
}

/// Adds alerts to those that a decision made or changed.
pub(in crate::embedded) fn add_alerts(conn: &Connection, seq: i64, ids: &[AlertId]) -> Result<(), StoreError> {
    let Some(decided) = super::decision(conn, seq)? else { return Ok(()) };
    let mut all = decided.alerts;
    all.extend(ids);
    all.sort_unstable();
    all.dedup();
    conn.prepare_cached("UPDATE decision SET alerts = ?2 WHERE seq = ?1")?
        .execute(params![seq, write(&all, "decision")?])?;
    Ok(())
}

pub(in crate::embedded) fn set_rest(conn: &Connection, seq: i64, rest: &[Effect]) -> Result<(), StoreError> {
    let rest = if rest.is_empty() { None } else { Some(write(&rest, "decision")?) };
    conn.prepare_cached("UPDATE decision SET rest = ?2 WHERE seq = ?1")?.execute(params![seq, rest])?;
    Ok(())
}

/// A box that differs from what others know of it: what they know, and what it is.
pub(in crate::embedded) fn changed_box(
    conn: &Connection,
    called: Msisdn,
) -> Result<Option<(Box<RawValue>, CallBox)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT base, body FROM box WHERE called = ?1 AND base IS NOT NULL")?;
    let mut found = statement.query([key(called)])?;
    let Some(row) = found.next()? else { return Ok(None) };
    Ok(Some((body(row, 0, "box")?, body(row, 1, "box")?)))
}

/// Sets what others know of a box; `None`: it as it is.
pub(in crate::embedded) fn set_base(
    conn: &Connection,
    called: Msisdn,
    base: Option<&RawValue>,
) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE box SET base = ?2 WHERE called = ?1")?
        .execute(params![key(called), base.map(RawValue::get)])?;
    Ok(())
}

/// Leaves aside what a box was when everything up to `sent` was handed over; `None`: nothing is left aside any more.
pub(in crate::embedded) fn set_aside(
    conn: &Connection,
    called: Msisdn,
    aside: Option<(i64, &CallBox)>,
) -> Result<(), StoreError> {
    let aside = aside.map(|aside| write(&aside, "box")).transpose()?;
    conn.prepare_cached("UPDATE box SET aside = ?2 WHERE called = ?1")?.execute(params![key(called), aside])?;
    Ok(())
}

/// What was left aside of a box.
pub(in crate::embedded) fn aside(conn: &Connection, called: Msisdn) -> Result<Option<(i64, CallBox)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT aside FROM box WHERE called = ?1 AND aside IS NOT NULL")?;
    let mut found = statement.query([key(called)])?;
    found.next()?.map(|row| body(row, 0, "box")).transpose()
}

/// People in batches after a place.
pub(in crate::embedded) fn kept_people(conn: &Connection, after: i64) -> Result<Vec<u64>, StoreError> {
    let mut statement = conn.prepare("SELECT body FROM kept WHERE seq > ?1")?;
    let mut found = statement.query([after])?;
    let mut people = Vec::new();
    while let Some(row) = found.next()? {
        let batch: Vec<Before> = body(row, 0, "kept")?;
        people.extend(batch.into_iter().map(|(called, _)| called));
    }
    Ok(people)
}

/// Whether others know a box as it is here.
pub(in crate::embedded) fn is_shared(conn: &Connection, called: Msisdn) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM box WHERE called = ?1 AND base IS NULL")?.exists([key(called)])?)
}

/// A box as it was before a batch; JSON, `null`: there was none.
pub(in crate::embedded) type Before = (u64, Box<RawValue>);

/// Keeps what boxes were before the batch that ends at `seq`.
pub(in crate::embedded) fn keep(
    conn: &Connection,
    seq: i64,
    at: Timestamp,
    boxes: &[Before],
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3)")?.execute(params![
        seq,
        at.as_millis(),
        write(&boxes, "kept")?
    ])?;
    Ok(())
}

/// What boxes were before the batches after a place, the newest batch first; those batches are forgotten.
pub(in crate::embedded) fn take_kept(conn: &Connection, after: i64) -> Result<Vec<(i64, Vec<Before>)>, StoreError> {
    let mut statement = conn.prepare("SELECT seq, body FROM kept WHERE seq > ?1 ORDER BY seq DESC")?;
    let mut found = statement.query([after])?;
    let mut batches = Vec::new();
    while let Some(row) = found.next()? {
        batches.push((row.get(0)?, body(row, 1, "kept")?));
    }
    conn.execute("DELETE FROM kept WHERE seq > ?1", [after])?;
    Ok(batches)
}

/// Forgets batches that nobody can lose any more: up to a place, or older than a time; how many.
pub(in crate::embedded) fn forget_kept(
    conn: &Connection,
    through: i64,
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let sql = "DELETE FROM kept WHERE seq IN (SELECT seq FROM kept ORDER BY seq LIMIT ?3) AND (seq <= ?1 OR at < ?2)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(conn.prepare_cached(sql)?.execute(params![through, before.as_millis(), limit])?)
}

pub(in crate::embedded) fn quarantine(
    conn: &Connection,
    seq: i64,
    at: Timestamp,
    error: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO quarantine SELECT seq, ?2, ?3, body FROM event WHERE seq = ?1";
    conn.prepare_cached(sql)?.execute(params![seq, at.as_millis(), error])?;
    Ok(())
}

pub(in crate::embedded) fn quarantined_count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// How far the database's change feed was read.
pub(in crate::embedded) fn registry_place(conn: &Connection) -> Result<Option<RegistryPlace>, StoreError> {
    let (position, timeline) = (meta(conn, "registry_position")?, meta(conn, "registry_timeline")?);
    let (Some(position), Some(timeline), Some(at)) = (position, timeline, meta(conn, "registry_read")?) else {
        return Ok(None);
    };
    let timeline = u32::try_from(timeline).unwrap_or(0);
    Ok(Some(RegistryPlace { position, timeline, at: Timestamp::from_millis(at) }))
}

pub(in crate::embedded) fn set_registry_place(conn: &Connection, place: RegistryPlace) -> Result<(), StoreError> {
    set_meta(conn, "registry_position", place.position)?;
    set_meta(conn, "registry_timeline", i64::from(place.timeline))?;
    set_meta(conn, "registry_read", place.at.as_millis())
}

/// Notes a registration since the last snapshot of the registry.
pub(in crate::embedded) fn note_registration(
    conn: &Connection,
    number: Msisdn,
    registered: bool,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO registry_change (number, registered) VALUES (?1, ?2)";
    conn.prepare_cached(sql)?.execute(params![key(number), registered])?;
    Ok(())
}

/// The newest change of the registry that a snapshot taken now holds.
pub(in crate::embedded) fn newest_registration(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row("SELECT coalesce(max(id), 0) FROM registry_change", [], |row| row.get(0))?)
}

/// Applies what changed since the snapshot of the registry.
pub(in crate::embedded) fn registry_changes(
    conn: &Connection,
    registry: &mut RoaringTreemap,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT number, registered FROM registry_change ORDER BY id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let number = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
        if row.get(1)? {
            registry.insert(number);
        } else {
            registry.remove(number);
        }
    }
    Ok(())
}

/// Forgets the changes that a snapshot holds.
pub(in crate::embedded) fn forget_registrations(conn: &Connection, through: i64) -> Result<(), StoreError> {
    conn.execute("DELETE FROM registry_change WHERE id <= ?1", [through])?;
    Ok(())
}

/// Forgets what is known of each registered person beside the registration.
pub(in crate::embedded) fn forget_subscribers(conn: &Connection) -> Result<(), StoreError> {
    conn.execute("DELETE FROM subscriber", [])?;
    Ok(())
}

/// How many changes of the registry wait for a snapshot.
pub(in crate::embedded) fn registrations(conn: &Connection) -> Result<i64, StoreError> {
    Ok(conn.query_row("SELECT count(*) FROM registry_change", [], |row| row.get(0))?)
}

/// Alerts that wait to be sent.
pub(in crate::embedded) fn waiting(conn: &Connection) -> Result<Vec<(Msisdn, AlertId)>, StoreError> {
    let mut statement = conn.prepare("SELECT body FROM alert WHERE lane IN (?1, ?2)")?;
    let mut found = statement.query([super::LANE_ALERTS, super::LANE_TEASERS])?;
    let mut waiting = Vec::new();
    while let Some(row) = found.next()? {
        let alert: routing::Alert = body(row, 0, "alert")?;
        waiting.push((alert.to, alert.id));
    }
    Ok(waiting)
}
