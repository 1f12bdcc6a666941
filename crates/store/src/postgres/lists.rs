//! The operator's lists, evidence, and the figures of campaigns: what is asked of the database about them, one statement each.

use std::time::Duration;

use model::{Day, Msisdn, Timestamp};
use routing::{CampaignName, Conversion, Evidence, List, RangeName};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::Fault;
use super::batch::{Parameter, ask, begin, key, number, plain, read, together, unsigned};
use crate::{CampaignCount, ListEntry, ReportRow, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

const ENTRY: &str = "l.number, l.list, l.source, (extract(epoch from l.at) * 1000)::bigint";

/// A row of [`ENTRY`]; `None` where the number is none of the plan.
fn entry(row: &Row) -> Option<ListEntry> {
    Some(ListEntry {
        number: number(row.get(0))?,
        list: List::parse(row.get(1))?,
        source: row.get(2),
        at: Timestamp::from_millis(row.get(3)),
    })
}

/// A number's entries, in the order of the lists.
pub(crate) async fn entries_of(client: &Client, of: Msisdn) -> Result<Vec<ListEntry>> {
    let of = key(of);
    let sql =
        format!("select {ENTRY} from listed l where l.bucket = ($1 % 64)::smallint and l.number = $1 order by l.list");
    let found = client.query_typed(&sql, &[(&of, Type::INT8)]).await.map_err(Fault::from)?;
    Ok(found.iter().filter_map(entry).collect())
}

/// In the order of numbers: each bucket gives its next ones, and the lowest of all are taken.
pub(crate) async fn list(client: &Client, list: List, after: Option<Msisdn>, limit: i64) -> Result<Vec<ListEntry>> {
    let (after, word) = (after.map_or(0, key), list.as_str());
    let sql = format!(
        "select {ENTRY} from generate_series(0, 63) b cross join lateral \
           (select * from listed l where l.bucket = b::smallint and l.number > $1 and l.list = $2 order by l.number limit $3) l \
         order by l.number limit $3"
    );
    let parameters: [Parameter<'_>; 3] = [(&after, Type::INT8), (&word, Type::TEXT), (&limit, Type::INT8)];
    let found = client.query_typed(&sql, &parameters).await.map_err(Fault::from)?;
    Ok(found.iter().filter_map(entry).collect())
}

/// Puts numbers on lists, all or none, in the order of the key; how many were not on them yet.
pub(crate) async fn put(client: &Client, entries: &[ListEntry], deadline: Duration) -> Result<u64> {
    let numbers: Vec<i64> = entries.iter().map(|entry| key(entry.number)).collect();
    let lists: Vec<&str> = entries.iter().map(|entry| entry.list.as_str()).collect();
    let sources: Vec<&str> = entries.iter().map(|entry| entry.source.as_str()).collect();
    let times: Vec<i64> = entries.iter().map(|entry| entry.at.as_millis()).collect();
    let parameters: [Parameter<'_>; 4] = [
        (&numbers, Type::INT8_ARRAY),
        (&lists, Type::TEXT_ARRAY),
        (&sources, Type::TEXT_ARRAY),
        (&times, Type::INT8_ARRAY),
    ];
    let sql = "with put as (insert into listed (bucket, number, list, source, at) \
          select (u.number % 64)::smallint, u.number, u.list, u.source, to_timestamp(u.at / 1000.0) \
          from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) u(number, list, source, at) \
          order by 1, 2, 3 on conflict do nothing returning 1) select count(*) from put";
    let begin = begin(deadline);
    let found = together(vec![plain(client, &begin), ask(client, sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(found.get(1).and_then(|rows| rows.first()).map_or(0, |row| unsigned(row.get(0))))
}

/// Takes a number off a list; whether it was on it.
pub(crate) async fn delete(client: &Client, list: List, of: Msisdn, deadline: Duration) -> Result<bool> {
    let (of, word, begin) = (key(of), list.as_str(), begin(deadline));
    let parameters: [Parameter<'_>; 2] = [(&of, Type::INT8), (&word, Type::TEXT)];
    let sql = "delete from listed where bucket = ($1 % 64)::smallint and number = $1 and list = $2 returning 1";
    let found = together(vec![plain(client, &begin), ask(client, sql, &parameters), plain(client, "commit")])
        .await
        .map_err(Fault::from)?;
    Ok(found.get(1).is_some_and(|rows| !rows.is_empty()))
}

/// What one person said, the oldest first.
pub(crate) async fn evidence(client: &Client, called: Msisdn) -> Result<Vec<Evidence>> {
    let called = key(called);
    let sql = "select body::text from evidence where bucket = ($1 % 64)::smallint and called = $1 order by at, id";
    let found = client.query_typed(sql, &[(&called, Type::INT8)]).await.map_err(Fault::from)?;
    found.iter().map(|row| read(row.get(0), "evidence")).collect()
}

/// The report of some days, the last included, over all nodes.
pub(crate) async fn report(client: &Client, from: Day, to: Day) -> Result<Vec<ReportRow>> {
    let sql = "select day - date '1970-01-01', range, event, verdict, why, sum(count)::bigint from report_count \
        where day between date '1970-01-01' + $1 and date '1970-01-01' + $2 group by 1, 2, 3, 4, 5";
    let found = client.query_typed(sql, &[(&from.0, Type::INT4), (&to.0, Type::INT4)]).await.map_err(Fault::from)?;
    let row = |row: &Row| ReportRow {
        day: Day(row.get(0)),
        range: RangeName(row.get(1)),
        event: row.get::<_, String>(2).into(),
        verdict: row.get::<_, String>(3).into(),
        why: row.get::<_, String>(4).into(),
        count: unsigned(row.get(5)),
    };
    let mut rows: Vec<_> = found.iter().map(row).collect();
    // Not by the server's collation: in the same order as without a database.
    rows.sort_unstable();
    Ok(rows)
}

/// How far the teasers of each campaign came, over all days and nodes.
pub(crate) async fn campaigns(client: &Client) -> Result<Vec<CampaignCount>> {
    let sql = "select campaign, range, step, sum(count)::bigint from campaign_count group by 1, 2, 3 order by 1, 2";
    let found = client.query_typed(sql, &[]).await.map_err(Fault::from)?;
    let mut counts = Vec::new();
    for row in found {
        let step: &str = row.get(2);
        let Some(step) = Conversion::ALL.into_iter().find(|known| known.as_str() == step) else { continue };
        let (campaign, range) = (CampaignName(row.get(0)), RangeName(row.get(1)));
        CampaignCount::add(&mut counts, campaign, range, step, unsigned(row.get(3)));
    }
    Ok(counts)
}
