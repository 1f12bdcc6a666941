//! The daily report: without a database its rows, beside one what each batch adds to them there.

use std::borrow::Cow;

use model::Day;
use routing::RangeName;
use rusqlite::{Connection, params};

use super::{body, write};
use crate::{ReportRow, StoreError};

/// A row as it is kept with a batch.
type Kept = (Day, RangeName, Cow<'static, str>, Cow<'static, str>, Cow<'static, str>, u64);

/// Adds to the report.
pub(in crate::embedded) fn add_report(conn: &Connection, rows: &[ReportRow]) -> Result<(), StoreError> {
    let sql = "INSERT INTO report_count VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
        ON CONFLICT (day, range, event, verdict, why) DO UPDATE SET count = count + excluded.count";
    let mut statement = conn.prepare_cached(sql)?;
    for ReportRow { day, range, event, verdict, why, count } in rows {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        statement.execute(params![day.0, range.0, event, verdict, why, count])?;
    }
    Ok(())
}

/// The report of some days, the last included, in the order of its key.
pub(in crate::embedded) fn report(conn: &Connection, from: Day, to: Day) -> Result<Vec<ReportRow>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT day, range, event, verdict, why, count FROM report_count WHERE day BETWEEN ?1 AND ?2 ORDER BY 1, 2, 3, 4, 5",
    )?;
    let found = statement.query_map([from.0, to.0], |row| {
        let word = |column: usize| row.get::<_, String>(column).map(Cow::Owned);
        Ok(ReportRow {
            day: Day(row.get(0)?),
            range: RangeName(row.get(1)?),
            event: word(2)?,
            verdict: word(3)?,
            why: word(4)?,
            count: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Keeps what the batch that ends at a place counted, to be handed over with that place.
pub(in crate::embedded) fn put_counted(conn: &Connection, seq: i64, rows: Vec<ReportRow>) -> Result<(), StoreError> {
    let kept: Vec<Kept> =
        rows.into_iter().map(|row| (row.day, row.range, row.event, row.verdict, row.why, row.count)).collect();
    conn.prepare_cached("INSERT OR REPLACE INTO counted VALUES (?1, ?2)")?
        .execute(params![seq, write(&kept, "counted")?])?;
    Ok(())
}

/// Adds to what the batch counted that ends at a place, or counts it by itself.
pub(in crate::embedded) fn add_counted(conn: &Connection, seq: i64, row: ReportRow) -> Result<(), StoreError> {
    let mut rows = counted(conn, seq.saturating_sub(1), seq)?;
    rows.push(row);
    put_counted(conn, seq, rows)
}

/// What the batches counted that end after one place, up to another.
pub(in crate::embedded) fn counted(conn: &Connection, after: i64, through: i64) -> Result<Vec<ReportRow>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM counted WHERE seq > ?1 AND seq <= ?2 ORDER BY seq")?;
    let mut found = statement.query([after, through])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let kept: Vec<Kept> = body(row, 0, "counted")?;
        let row = |(day, range, event, verdict, why, count)| ReportRow { day, range, event, verdict, why, count };
        rows.extend(kept.into_iter().map(row));
    }
    Ok(rows)
}

/// Forgets days before one; how many rows.
pub(in crate::embedded) fn prune_report(conn: &Connection, before: Day, limit: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM report_count WHERE (day, range, event, verdict, why) IN \
        (SELECT day, range, event, verdict, why FROM report_count WHERE day < ?1 ORDER BY day LIMIT ?2)";
    Ok(conn.prepare_cached(sql)?.execute(params![before.0, i64::try_from(limit).unwrap_or(i64::MAX)])?)
}
