//! What is stored of one person in tables that have no index of people: found by the digits of the number in what is stored, and then read to be certain.

use model::Msisdn;
use routing::{Alert, Event};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Before, body, key, write};
use crate::StoreError;

/// Events looked at in one read: some 50 ms.
const WINDOW: i64 = 100_000;

/// Whether an event is about a person: what they did, or what was done to them. A call that they made to somebody else is that one's.
fn is_about(event: &Event, number: Msisdn) -> bool {
    match event {
        Event::Receipt(receipt) => receipt.handset == Some(number),
        Event::Call(_)
        | Event::Reply(_)
        | Event::Word(_)
        | Event::Resend(_)
        | Event::Due { .. }
        | Event::Submitted { .. }
        | Event::Updated { .. }
        | Event::Dropped { .. } => event.called() == Some(number),
    }
}

/// Decided events about a person after a place, and where to go on looking; `None`: this was the end.
pub(in crate::embedded) fn events_about(
    conn: &Connection,
    number: Msisdn,
    after: i64,
    through: i64,
) -> Result<(Vec<i64>, Option<i64>), StoreError> {
    let until = after.saturating_add(WINDOW).min(through);
    let mut statement = conn.prepare_cached(
        "SELECT e.seq, e.body FROM event e WHERE e.seq > ?1 AND e.seq <= ?2 AND instr(e.body, ?3) > 0 \
           AND EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq)",
    )?;
    let mut found = statement.query(params![after, until, number.reveal().to_string()])?;
    let mut seqs = Vec::new();
    while let Some(row) = found.next()? {
        if is_about(&body(row, 1, "event")?, number) {
            seqs.push(row.get(0)?);
        }
    }
    Ok((seqs, (until < through).then_some(until)))
}

/// Whether an event about a person is undecided, of those from a place on.
pub(in crate::embedded) fn has_undecided(conn: &Connection, number: Msisdn, from: i64) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT e.body FROM event e WHERE e.seq >= ?1 AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.seq = e.seq)",
    )?;
    let mut found = statement.query([from])?;
    while let Some(row) = found.next()? {
        let event: Event = body(row, 0, "event")?;
        let whose = match &event {
            Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => {
                super::alert(conn, *alert)?.is_some_and(|row| row.value.to == number)
            }
            Event::Call(_)
            | Event::Reply(_)
            | Event::Word(_)
            | Event::Resend(_)
            | Event::Due { .. }
            | Event::Receipt(_) => is_about(&event, number),
        };
        if whose {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes events with what was decided of them.
pub(in crate::embedded) fn delete_events(conn: &Connection, seqs: &[i64]) -> Result<(), StoreError> {
    for seq in seqs {
        conn.prepare_cached("DELETE FROM decision WHERE seq = ?1")?.execute([seq])?;
        conn.prepare_cached("DELETE FROM event WHERE seq = ?1")?.execute([seq])?;
    }
    Ok(())
}

/// The alerts of a person, in order.
pub(in crate::embedded) fn alerts_of(conn: &Connection, number: Msisdn) -> Result<Vec<Alert>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM alert WHERE instr(body, ?1) > 0 ORDER BY id")?;
    let mut found = statement.query([number.reveal().to_string()])?;
    let mut alerts = Vec::new();
    while let Some(row) = found.next()? {
        let alert: Alert = body(row, 0, "alert")?;
        if alert.to == number {
            alerts.push(alert);
        }
    }
    Ok(alerts)
}

/// Deletes the message ids of a person's alerts.
pub(in crate::embedded) fn delete_parts_of(conn: &Connection, number: Msisdn) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM part WHERE called = ?1")?.execute([key(number)])?;
    Ok(())
}

/// Deletes parked receipts and quarantined events of a person; how many of the first, and of the second.
pub(in crate::embedded) fn delete_aside(conn: &Connection, number: Msisdn) -> Result<(u64, u64), StoreError> {
    let digits = number.reveal().to_string();
    let (mut parked, mut quarantined) = (Vec::new(), Vec::new());
    {
        let mut statement = conn.prepare_cached("SELECT seq, body FROM parked WHERE instr(body, ?1) > 0")?;
        let mut found = statement.query([&digits])?;
        while let Some(row) = found.next()? {
            let receipt: model::Receipt = body(row, 1, "parked")?;
            if receipt.handset == Some(number) {
                parked.push(row.get::<_, i64>(0)?);
            }
        }
        let mut statement = conn.prepare_cached("SELECT seq, body FROM quarantine WHERE instr(body, ?1) > 0")?;
        let mut found = statement.query([&digits])?;
        while let Some(row) = found.next()? {
            if is_about(&body(row, 1, "quarantine")?, number) {
                quarantined.push(row.get::<_, i64>(0)?);
            }
        }
    }
    for seq in &parked {
        conn.prepare_cached("DELETE FROM parked WHERE seq = ?1")?.execute([seq])?;
    }
    for seq in &quarantined {
        conn.prepare_cached("DELETE FROM quarantine WHERE seq = ?1")?.execute([seq])?;
    }
    Ok((parked.len() as u64, quarantined.len() as u64))
}

/// Takes a person out of what boxes were before batches.
pub(in crate::embedded) fn delete_kept_of(conn: &Connection, number: Msisdn) -> Result<(), StoreError> {
    let mut changed = Vec::new();
    {
        let mut statement = conn.prepare_cached("SELECT seq, body FROM kept WHERE instr(body, ?1) > 0")?;
        let mut found = statement.query([number.reveal().to_string()])?;
        while let Some(row) = found.next()? {
            let mut batch: Vec<Before> = body(row, 1, "kept")?;
            batch.retain(|(called, _)| *called != number.as_u64());
            changed.push((row.get::<_, i64>(0)?, batch));
        }
    }
    for (seq, batch) in changed {
        conn.prepare_cached("UPDATE kept SET body = ?2 WHERE seq = ?1")?
            .execute(params![seq, write(&batch, "kept")?])?;
    }
    Ok(())
}

/// Deletes what a person said; how many records.
pub(in crate::embedded) fn delete_evidence_of(conn: &Connection, number: Msisdn) -> Result<u64, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM evidence WHERE called = ?1")?.execute([key(number)])? as u64)
}

/// Ends copies of others' alerts to a person.
pub(in crate::embedded) fn end_copies_to(conn: &Connection, number: Msisdn) -> Result<(), StoreError> {
    let sql = "UPDATE subscriber SET body = json_remove(body, '$.copy_to') WHERE instr(body, ?1) > 0 \
        AND json_extract(body, '$.copy_to') = ?2";
    conn.prepare_cached(sql)?.execute(params![number.reveal().to_string(), key(number)])?;
    Ok(())
}

/// Notes an erasure whose events are still to be deleted.
pub(in crate::embedded) fn note_erasure(
    conn: &Connection,
    number: Msisdn,
    at: model::Timestamp,
    reason: &str,
    through: i64,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO erased (number, at, reason, through) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![key(number), at.as_millis(), reason, through])?;
    Ok(())
}

/// The oldest erasure whose events are still to be deleted: its id, who, and the end of the journal then.
pub(in crate::embedded) fn unfinished_erasure(conn: &Connection) -> Result<Option<(i64, Msisdn, i64)>, StoreError> {
    let sql = "SELECT id, number, through FROM erased WHERE through IS NOT NULL ORDER BY id LIMIT 1";
    let row = conn
        .prepare_cached(sql)?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .optional()?;
    Ok(row.and_then(|(id, number, through)| {
        let number = u64::try_from(number).ok().and_then(|number| Msisdn::try_from(number).ok())?;
        Some((id, number, through))
    }))
}

pub(in crate::embedded) fn finish_erasure(conn: &Connection, id: i64) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE erased SET through = NULL WHERE id = ?1")?.execute([id])?;
    Ok(())
}

pub(in crate::embedded) fn prune_erased(conn: &Connection, before: model::Timestamp) -> Result<usize, StoreError> {
    let sql = "DELETE FROM erased WHERE at < ?1 AND through IS NULL";
    Ok(conn.prepare_cached(sql)?.execute([before.as_millis()])?)
}
