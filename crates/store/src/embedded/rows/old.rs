//! What pruning reads and deletes.

use model::{AlertId, Msisdn, Timestamp};
use routing::{Alert, CallBox};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;

use super::{body, key, meta, set_meta};
use crate::StoreError;

/// Deletes the oldest decisions and their events up to the first one that is younger than the cutoff or undecided; how many.
pub(in crate::embedded) fn prune_history(
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
    // Only of what the database has: that is never asked for again.
    conn.prepare_cached("DELETE FROM counted WHERE seq <= ?1")?.execute([newest])?;
    Ok(removed)
}

/// Blanks the texts of the oldest replies, and of what was sent again, up to the first decision that is younger than the cutoff; whether that was reached.
pub(in crate::embedded) fn blank_replies(
    conn: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<bool, StoreError> {
    let after = meta(conn, "texts_through")?.unwrap_or(0);
    let mut statement = conn.prepare_cached(
        "SELECT e.seq, d.at, e.body LIKE '{\"reply\":%' OR e.body LIKE '{\"resend\":%' FROM event e LEFT JOIN decision d ON d.seq = e.seq WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2",
    )?;
    let mut found = statement.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut through, mut seen, mut reached) = (after, 0, false);
    while let Some(row) = found.next()? {
        // Undecided, or young.
        if row.get::<_, Option<i64>>(1)?.is_none_or(|at| at >= before.as_millis()) {
            reached = true;
            break;
        }
        (through, seen) = (row.get(0)?, seen + 1);
        if row.get(2)? {
            // Only the one that is there is replaced.
            conn.prepare_cached(
                "UPDATE event SET body = json_replace(body, '$.reply.text', '', '$.resend.text', '') WHERE seq = ?1",
            )?
            .execute([through])?;
        }
    }
    if through > after {
        set_meta(conn, "texts_through", through)?;
    }
    Ok(reached || seen < limit)
}

pub(in crate::embedded) fn prune_parked(
    conn: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
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

pub(in crate::embedded) fn alerts_after(
    conn: &Connection,
    after: AlertId,
    limit: usize,
) -> Result<Vec<Alert>, StoreError> {
    bodies(conn, "SELECT body FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2", after.0, limit, "alert")
}

pub(in crate::embedded) fn boxes_after(
    conn: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<CallBox>, StoreError> {
    bodies(conn, "SELECT body FROM box WHERE called > ?1 ORDER BY called LIMIT ?2", after, limit, "box")
}

pub(in crate::embedded) fn delete_alert(conn: &Connection, id: AlertId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM alert WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

pub(in crate::embedded) fn has_alert(conn: &Connection, id: AlertId) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM alert WHERE id = ?1")?.exists([id.0])?)
}

pub(in crate::embedded) fn delete_box(conn: &Connection, called: Msisdn) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM box WHERE called = ?1")?.execute([key(called)])?;
    Ok(())
}

/// The key of a part: SMSC, message id, handset, alert.
pub(in crate::embedded) type PartKey = (String, String, i64, AlertId);

pub(in crate::embedded) fn parts_after(
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

pub(in crate::embedded) fn delete_part(
    conn: &Connection,
    (smsc, message_id, called, alert): &PartKey,
) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM part WHERE smsc = ?1 AND message_id = ?2 AND called = ?3 AND alert = ?4")?
        .execute(params![smsc, message_id, called, alert.0])?;
    Ok(())
}
