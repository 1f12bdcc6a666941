//! Subscribers, quotas, charges, and boxes that want to be looked at.

use model::{Msisdn, Timestamp};
use roaring::RoaringTreemap;
use routing::{Charge, RangeName, Subscriber};
use rusqlite::{Connection, params};

use super::{body, key, write};
use crate::StoreError;

/// The exact set of registered numbers.
pub(in crate::embedded) fn registry(conn: &Connection) -> Result<RoaringTreemap, StoreError> {
    let mut statement = conn.prepare("SELECT number FROM subscriber ORDER BY number")?;
    let mut found = statement.query([])?;
    let mut registry = RoaringTreemap::new();
    while let Some(row) = found.next()? {
        registry.insert(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
    }
    Ok(registry)
}

pub(in crate::embedded) fn subscriber(conn: &Connection, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM subscriber WHERE number = ?1")?;
    let mut found = statement.query([key(number)])?;
    found.next()?.map(|row| body(row, 0, "subscriber")).transpose()
}

pub(in crate::embedded) fn subscribers(
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

pub(in crate::embedded) fn put_subscriber(conn: &Connection, subscriber: &Subscriber) -> Result<(), StoreError> {
    let sql = "INSERT INTO subscriber VALUES (?1, ?2) ON CONFLICT (number) DO UPDATE SET body = excluded.body";
    conn.prepare_cached(sql)?.execute(params![key(subscriber.number), write(subscriber, "subscriber")?])?;
    Ok(())
}

pub(in crate::embedded) fn delete_subscriber(conn: &Connection, number: Msisdn) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("DELETE FROM subscriber WHERE number = ?1")?.execute([key(number)])? > 0)
}

pub(in crate::embedded) fn usage(conn: &Connection) -> Result<Vec<(RangeName, u64)>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT name, used FROM range_usage ORDER BY name")?;
    let found = statement
        .query_map([], |row| Ok((RangeName(row.get(0)?), u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(in crate::embedded) fn put_usage(conn: &Connection, name: &RangeName, used: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO range_usage VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET used = excluded.used";
    conn.prepare_cached(sql)?.execute(params![name.0, i64::try_from(used).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(in crate::embedded) fn insert_charge(conn: &Connection, charge: &Charge) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO charge (called, body) VALUES (?1, ?2)")?
        .execute(params![key(charge.called), write(charge, "charge")?])?;
    Ok(())
}

pub(in crate::embedded) fn charges(conn: &Connection, called: Msisdn) -> Result<Vec<Charge>, StoreError> {
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
pub(in crate::embedded) fn deferred(conn: &Connection, limit: usize) -> Result<Vec<Msisdn>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    numbers(conn, "SELECT called FROM box WHERE deferred = 1 LIMIT ?1", [limit])
}

/// Boxes that asked to be looked at, the longest due first.
pub(in crate::embedded) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Msisdn>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Beside a database that others work with, only what was decided here alone is certain to be as it is here.
    let sql = "SELECT called FROM box WHERE due <= ?1 AND (base IS NOT NULL OR NOT EXISTS (SELECT 1 FROM meta WHERE key = 'node') \
        OR EXISTS (SELECT 1 FROM meta WHERE key = 'alone' AND value = 1)) ORDER BY due LIMIT ?2";
    numbers(conn, sql, [now.as_millis(), limit])
}
