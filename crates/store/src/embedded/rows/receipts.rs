//! Message ids, and receipts that wait for theirs.

use model::{AlertId, Msisdn, Timestamp};
use rusqlite::{Connection, Row as SqlRow, params};

use super::key;
use crate::StoreError;

pub(in crate::embedded) fn insert_part(
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
pub(in crate::embedded) fn alerts_of_part(
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

pub(in crate::embedded) fn parked_count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.query_row("SELECT count(*) FROM parked", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(in crate::embedded) fn park(
    conn: &Connection,
    seq: i64,
    at: Timestamp,
    smsc: &str,
    message_id: &str,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO parked VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        seq,
        at.as_millis(),
        smsc,
        message_id
    ])?;
    Ok(())
}

pub(in crate::embedded) fn parked(conn: &Connection, smsc: &str, message_id: &str) -> Result<Vec<i64>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT seq FROM parked WHERE smsc = ?1 AND message_id = ?2 ORDER BY seq LIMIT 16")?;
    let found = statement.query_map(params![smsc, message_id], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(in crate::embedded) fn unpark(conn: &Connection, seq: i64) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM parked WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

/// Forgets the oldest parked receipt.
pub(in crate::embedded) fn unpark_oldest(conn: &Connection) -> Result<usize, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = (SELECT min(seq) FROM parked)")?.execute([])?)
}
