//! Message ids, and receipts that wait for theirs.

use model::{AlertId, IdForm, Msisdn, Receipt, Timestamp, id_key};
use rusqlite::{Connection, Rows, params};

use super::{body, key, write};
use crate::StoreError;

/// Notes which alert a message id belongs to, by its key ([`model::id_key`]).
pub(in crate::embedded) fn insert_part(
    conn: &Connection,
    smsc: &str,
    id_key: &str,
    called: Msisdn,
    alert: AlertId,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR IGNORE INTO part VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        smsc,
        id_key,
        key(called),
        alert.0
    ])?;
    Ok(())
}

/// One seek for each form, without sorting: this is asked for every receipt.
const OF_HANDSET: &str = "\
    SELECT * FROM (SELECT message_id, alert FROM part WHERE smsc = ?1 AND message_id = ?2 AND called = ?5 ORDER BY alert DESC LIMIT ?6) UNION ALL \
    SELECT * FROM (SELECT message_id, alert FROM part WHERE smsc = ?1 AND message_id = ?3 AND called = ?5 ORDER BY alert DESC LIMIT ?6) UNION ALL \
    SELECT * FROM (SELECT message_id, alert FROM part WHERE smsc = ?1 AND message_id = ?4 AND called = ?5 ORDER BY alert DESC LIMIT ?6)";

/// The alerts that one of these keys of a message id names: of this handset where one is given, the newest `limit` by each key; else `limit` in all.
pub(in crate::embedded) fn alerts_of_part(
    conn: &Connection,
    smsc: &str,
    keys: &[(IdForm, String)],
    handset: Option<Msisdn>,
    limit: usize,
) -> Result<Vec<(IdForm, AlertId)>, StoreError> {
    let Some([first, second, third]) = three(keys) else { return Ok(Vec::new()) };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut named = Vec::new();
    let mut read = |mut found: Rows<'_>| -> Result<(), StoreError> {
        while let Some(row) = found.next()? {
            let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if let Some((form, _)) = keys.iter().find(|(_, key)| key == id) {
                named.push((*form, AlertId(row.get(1)?)));
            }
        }
        Ok(())
    };
    match handset {
        Some(handset) => {
            let mut statement = conn.prepare_cached(OF_HANDSET)?;
            read(statement.query(params![smsc, first, second, third, key(handset), limit])?)?;
        }
        None => {
            let mut statement = conn.prepare_cached(
                "SELECT message_id, alert FROM part WHERE smsc = ?1 AND message_id IN (?2, ?3, ?4) LIMIT ?5",
            )?;
            read(statement.query(params![smsc, first, second, third, limit])?)?;
        }
    }
    Ok(named)
}

/// One key for each of three places, nothing where there are fewer: it equals none. `None` where there is no key.
fn three(keys: &[(IdForm, String)]) -> Option<[Option<&str>; 3]> {
    let key = |place: usize| keys.get(place).map(|(_, key)| key.as_str());
    (!keys.is_empty()).then(|| [key(0), key(1), key(2)])
}

pub(in crate::embedded) fn parked_count(conn: &Connection) -> Result<u64, StoreError> {
    let count: i64 = conn.query_row("SELECT count(*) FROM parked", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Keeps a receipt, which outlives its event.
pub(in crate::embedded) fn park(
    conn: &Connection,
    seq: i64,
    at: Timestamp,
    receipt: &Receipt,
) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO parked VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        seq,
        at.as_millis(),
        receipt.smsc.0,
        id_key(&receipt.message_id),
        write(receipt, "parked")?
    ])?;
    Ok(())
}

/// The newest receipts that are parked under one of these keys, in order; at most 16. Those of an answer came seconds ago: what came before may be of
/// others, where an SMSC gives one id to many.
pub(in crate::embedded) fn parked(
    conn: &Connection,
    smsc: &str,
    keys: &[(IdForm, String)],
) -> Result<Vec<(i64, Receipt)>, StoreError> {
    let Some([first, second, third]) = three(keys) else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT seq, body FROM ( \
           SELECT seq, body FROM parked WHERE smsc = ?1 AND message_id IN (?2, ?3, ?4) ORDER BY seq DESC LIMIT 16) \
         ORDER BY seq",
    )?;
    receipts(statement.query(params![smsc, first, second, third])?)
}

fn receipts(mut found: Rows<'_>) -> Result<Vec<(i64, Receipt)>, StoreError> {
    let mut parked = Vec::new();
    while let Some(row) = found.next()? {
        parked.push((row.get(0)?, body(row, 1, "parked")?));
    }
    Ok(parked)
}

/// Receipts that are parked after a place, in order.
pub(in crate::embedded) fn parked_after(
    conn: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<(i64, Receipt)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT seq, body FROM parked WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    receipts(statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?)
}

/// Whether the receipt was parked.
pub(in crate::embedded) fn unpark(conn: &Connection, seq: i64) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = ?1")?.execute([seq])? > 0)
}

/// Forgets the oldest parked receipt.
pub(in crate::embedded) fn unpark_oldest(conn: &Connection) -> Result<usize, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM parked WHERE seq = (SELECT min(seq) FROM parked)")?.execute([])?)
}
