//! Message ids, and receipts that wait for theirs.

use model::{AlertId, Msisdn, Receipt, Timestamp};
use routing::Event;
use rusqlite::{Connection, Row as SqlRow, params};

use super::{body, key};
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

/// Receipts that are parked after a place, in order.
pub(in crate::embedded) fn parked_after(
    conn: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Receipt)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT p.seq, e.body FROM parked p JOIN event e ON e.seq = p.seq WHERE p.seq > ?1 ORDER BY p.seq LIMIT ?2",
    )?;
    let mut found = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut parked = Vec::new();
    while let Some(row) = found.next()? {
        if let Event::Receipt(receipt) = body(row, 1, "event")? {
            parked.push((row.get(0)?, receipt));
        }
    }
    Ok(parked)
}

/// Whether the receipt was parked.
pub(in crate::embedded) fn unpark(conn: &Connection, seq: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = ?1")?.execute([seq])? > 0)
}

/// Forgets the oldest parked receipt.
pub(in crate::embedded) fn unpark_oldest(conn: &Connection) -> Result<usize, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = (SELECT min(seq) FROM parked)")?.execute([])?)
}
