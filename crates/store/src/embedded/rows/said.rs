//! What people said, the lists that they are on, and how far campaigns came.

use std::collections::HashMap;

use model::{Msisdn, Timestamp};
use routing::{CampaignName, CampaignStep, Conversion, Evidence, List, Listed, RangeName};
use rusqlite::{Connection, params};

use super::{body, key, write};
use crate::{CampaignCount, ListEntry, StoreError};

const DAY: i64 = 86_400_000;

/// Teasers with a campaign queued, by range.
pub(in crate::embedded) fn turns(conn: &Connection) -> Result<HashMap<RangeName, u64>, StoreError> {
    let mut statement = conn.prepare("SELECT range, turn FROM campaign_turn")?;
    let found = statement
        .query_map([], |row| Ok((RangeName(row.get(0)?), u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(in crate::embedded) fn put_turn(conn: &Connection, range: &RangeName, turn: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO campaign_turn VALUES (?1, ?2) ON CONFLICT (range) DO UPDATE SET turn = excluded.turn";
    conn.prepare_cached(sql)?.execute(params![range.0, i64::try_from(turn).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(in crate::embedded) fn insert_evidence(conn: &Connection, evidence: &Evidence) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT INTO evidence (called, at, body) VALUES (?1, ?2, ?3)")?.execute(params![
        key(evidence.called),
        evidence.at.as_millis(),
        write(evidence, "evidence")?
    ])?;
    Ok(())
}

/// What one person said, the oldest first.
pub(in crate::embedded) fn evidence(conn: &Connection, called: Msisdn) -> Result<Vec<Evidence>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT body FROM evidence WHERE called = ?1 ORDER BY id")?;
    let mut found = statement.query([key(called)])?;
    let mut evidence = Vec::new();
    while let Some(row) = found.next()? {
        evidence.push(body(row, 0, "evidence")?);
    }
    Ok(evidence)
}

pub(in crate::embedded) fn prune_evidence(
    conn: &Connection,
    before: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let sql = "DELETE FROM evidence WHERE id IN (SELECT id FROM evidence ORDER BY id LIMIT ?2) AND at < ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(conn.prepare_cached(sql)?.execute(params![before.as_millis(), limit])?)
}

pub(in crate::embedded) fn count_campaign(conn: &Connection, step: &CampaignStep) -> Result<(), StoreError> {
    let sql = "INSERT INTO campaign_count VALUES (?1, ?2, ?3, ?4, 1) \
        ON CONFLICT (day, range, campaign, step) DO UPDATE SET count = count + 1";
    let day = step.at.as_millis().div_euclid(DAY);
    conn.prepare_cached(sql)?.execute(params![day, step.range.0, step.campaign.0, step.step.as_str()])?;
    Ok(())
}

/// How far the teasers of each campaign came, over all days.
pub(in crate::embedded) fn campaigns(conn: &Connection) -> Result<Vec<CampaignCount>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT campaign, range, step, sum(count) FROM campaign_count GROUP BY campaign, range, step ORDER BY 1, 2",
    )?;
    let mut found = statement.query([])?;
    let mut counts = Vec::new();
    while let Some(row) = found.next()? {
        let step: String = row.get(2)?;
        let count = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
        let Some(step) = Conversion::ALL.into_iter().find(|known| known.as_str() == step) else { continue };
        CampaignCount::add(&mut counts, CampaignName(row.get(0)?), RangeName(row.get(1)?), step, count);
    }
    Ok(counts)
}

/// The lists that a number is on.
pub(in crate::embedded) fn listed(conn: &Connection, number: Msisdn) -> Result<Listed, StoreError> {
    let mut statement = conn.prepare_cached("SELECT list FROM listed WHERE number = ?1")?;
    let mut found = statement.query([key(number)])?;
    let mut listed = Listed::default();
    while let Some(row) = found.next()? {
        let list: String = row.get(0)?;
        if let Some(list) = List::parse(&list) {
            crate::put_on(&mut listed, list);
        }
    }
    Ok(listed)
}

/// A number's entries, in the order of the lists.
pub(in crate::embedded) fn entries_of(conn: &Connection, number: Msisdn) -> Result<Vec<ListEntry>, StoreError> {
    entries(conn, "SELECT number, list, source, at FROM listed WHERE number = ?1 ORDER BY list", [key(number)])
}

/// Entries of one list, in the order of numbers.
pub(in crate::embedded) fn list_after(
    conn: &Connection,
    list: List,
    after: Option<Msisdn>,
    limit: usize,
) -> Result<Vec<ListEntry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    entries(
        conn,
        "SELECT number, list, source, at FROM listed WHERE number > ?1 AND list = ?2 ORDER BY number LIMIT ?3",
        params![after.map_or(0, key), list.as_str(), limit],
    )
}

fn entries(conn: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<Vec<ListEntry>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = statement.query(parameters)?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let (number, list, source, at): (i64, String, String, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let number = u64::try_from(number).ok().and_then(|number| Msisdn::try_from(number).ok());
        if let (Some(number), Some(list)) = (number, List::parse(&list)) {
            entries.push(ListEntry { number, list, source, at: Timestamp::from_millis(at) });
        }
    }
    Ok(entries)
}

/// Puts a number on a list; whether it was not on it. Who is on it stays as they are.
pub(in crate::embedded) fn put_listed(conn: &Connection, entry: &ListEntry) -> Result<bool, StoreError> {
    let sql = "INSERT INTO listed VALUES (?1, ?2, ?3, ?4) ON CONFLICT (number, list) DO NOTHING";
    let parameters = params![key(entry.number), entry.list.as_str(), entry.source, entry.at.as_millis()];
    Ok(conn.prepare_cached(sql)?.execute(parameters)? > 0)
}

/// Takes a number off a list; whether it was on it.
pub(in crate::embedded) fn delete_listed(conn: &Connection, list: List, number: Msisdn) -> Result<bool, StoreError> {
    let sql = "DELETE FROM listed WHERE number = ?1 AND list = ?2";
    Ok(conn.prepare_cached(sql)?.execute(params![key(number), list.as_str()])? > 0)
}
