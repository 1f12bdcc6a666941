//! Partitions of a day each, made ahead and dropped when they are old; and other old rows, a few at a time.

use std::time::Duration;

use model::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::batch::{Parameter, ask, begin, plain, together};
use super::{Class, Fault};
use crate::Retention;

/// Days made ahead.
const AHEAD: i64 = 4;

/// Days made behind: calls of yesterday still come.
const BEHIND: i64 = 1;

const DAY: i64 = 86_400_000;

/// Rows removed in one transaction: some milliseconds.
const STEP: i64 = 2_000;

/// Steps at most in one round.
const STEPS: usize = 1_000;

/// How long a statement of this may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// One node at a time works at partitions. Another one waits for it as for any lock: when it has it, all is there.
const ALONE: &str = "perform pg_advisory_xact_lock(7163841232);";

/// What is looked at again for texts to blank.
const AGAIN: Duration = Duration::from_secs(24 * 3600);

/// How long it is kept who is no longer registered: a node that was away for longer reads everybody anew.
const GONE_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Tables that have a partition a day.
const TABLES: [&str; 2] = ["missed_call", "reply"];

/// Makes the partitions of the next days, drops those older than the retention, blanks texts earlier, removes other old rows. `blanked` is up to where
/// texts were blanked before, as far as is known.
///
/// Traffic never waits for it longer than for a lock that is not got: a step that meets one is left for the next time.
///
/// # Errors
/// With the first step that failed; the others were done.
pub(crate) async fn keep(
    client: &Client,
    now: Timestamp,
    retention: &Retention,
    blanked: Option<Timestamp>,
) -> Result<(), Fault> {
    let mut first = make_all(client, now).await.err();
    let before = now - retention.calls;
    for table in TABLES {
        note(&mut first, drop_old(client, table, day_of(before)).await)?;
        note(&mut first, remove(client, &old_strays(table), before).await)?;
    }
    for sql in [OLD_ALERTS, OLD_PARTS] {
        note(&mut first, remove(client, sql, before).await)?;
    }
    note(&mut first, remove(client, OLD_GONE, now - GONE_FOR).await)?;
    for sql in [OLD_EVIDENCE, OLD_ERASURES, OLD_REPORT] {
        note(&mut first, remove(client, sql, now - retention.evidence).await)?;
    }
    if retention.texts < retention.calls {
        // A day more than was looked at before: what ended late is not missed.
        let from = blanked.map_or(before, |blanked| blanked - AGAIN);
        for sql in [BLANK_ALERTS, BLANK_REPLIES] {
            note(&mut first, blank(client, sql, from, now - retention.texts).await)?;
        }
    }
    first.map_or(Ok(()), Err)
}

/// Makes the partitions of the next days, in one round trip for each table.
///
/// # Errors
/// With the first table for which it failed; the other is done.
pub(crate) async fn make_all(client: &Client, now: Timestamp) -> Result<(), Fault> {
    let mut first = None;
    for table in TABLES {
        let days: String = (-BEHIND..=AHEAD).map(|ahead| making(table, day_of(now) + ahead)).collect();
        note(&mut first, alone(client, &days).await)?;
    }
    first.map_or(Ok(()), Err)
}

/// Keeps the first fault; only that of a connection that is gone ends all.
fn note(first: &mut Option<Fault>, done: Result<(), Fault>) -> Result<(), Fault> {
    let Err(fault) = done else { return Ok(()) };
    if fault.class == Class::Away {
        return Err(fault);
    }
    first.get_or_insert(fault);
    Ok(())
}

/// Days since 1970-01-01.
fn day_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(DAY)
}

/// `2026-11-23` of a day: as RFC 3339 writes it.
fn date(day: i64) -> String {
    Timestamp::from_millis(day * DAY).to_string().chars().take(10).collect()
}

fn name(table: &str, day: i64) -> String {
    format!("{table}_{}", date(day).replace('-', ""))
}

/// Runs a block in a transaction of its own; the session is as before, whatever happens.
async fn alone(client: &Client, block: &str) -> Result<(), Fault> {
    let sql = format!("{}; do $$ begin {ALONE} {block} end $$; commit", begin(DEADLINE));
    let Err(error) = client.batch_execute(&sql).await else { return Ok(()) };
    client.batch_execute("rollback").await?;
    Err(error.into())
}

/// Makes a day's partition, apart, and attaches it: inserts go on meanwhile, which `create table … partition of` would not let them.
///
/// Another node may have made it while the lock was waited for: the table of tables knows, a cache of names may not. A day whose rows came before
/// its partition keeps them in the default one.
fn making(table: &str, day: i64) -> String {
    let (partition, from, until) = (name(table, day), date(day), date(day + 1));
    format!(
        "if not exists (select from pg_class where relname = '{partition}' \
           and relnamespace = (select relnamespace from pg_class where oid = '{table}'::regclass)) then begin \
           create table {partition} (like {table} including all); \
           alter table {table} attach partition {partition} for values from ('{from} 00:00:00+00') to ('{until} 00:00:00+00'); \
         exception when check_violation then raise warning 'rows of {from} stay in {table}_default'; end; end if; "
    )
}

async fn drop_old(client: &Client, table: &str, before: i64) -> Result<(), Fault> {
    let oldest = name(table, before);
    let parameters: [Parameter<'_>; 2] = [(&table, Type::TEXT), (&oldest, Type::TEXT)];
    let sql = "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
        where i.inhparent = to_regclass($1) and c.relname < $2 and c.relname like $1 || '\\_2%' order by 1";
    for row in client.query_typed(sql, &parameters).await? {
        let partition: String = row.get(0);
        alone(client, &format!("drop table if exists {partition};")).await?;
        tracing::info!(partition, "old rows were dropped with their partition");
    }
    Ok(())
}

// Rows that a batch works with are left for the next time.
const OLD_ALERTS: &str = "delete from alert where ctid = any(array(select ctid from alert \
    where created_at < to_timestamp($1 / 1000.0) and state not in ('queued', 'in_doubt') limit $2 for update skip locked)) returning 1";
const OLD_PARTS: &str = "delete from part where ctid = any(array(select ctid from part \
    where created_at < to_timestamp($1 / 1000.0) limit $2 for update skip locked)) returning 1";

const OLD_EVIDENCE: &str = "delete from evidence where (bucket, called, at, id) in (select bucket, called, at, id from evidence \
    where at < to_timestamp($1 / 1000.0) limit $2 for update skip locked) returning 1";
const OLD_ERASURES: &str = "delete from erasure where id in (select id from erasure \
    where at < to_timestamp($1 / 1000.0) limit $2 for update skip locked) returning 1";

// A day more: where the report's calendar is behind UTC, its days end later.
const OLD_REPORT: &str = "delete from report_count where ctid = any(array(select ctid from report_count \
    where day < (to_timestamp($1 / 1000.0) at time zone 'utc')::date - 1 limit $2 for update skip locked)) returning 1";

const BLANK_ALERTS: &str = "update alert set body = jsonb_set(body::jsonb, '{text}', '\"\"')::json where ctid = any(array(select ctid from alert \
    where created_at >= to_timestamp($3 / 1000.0) and created_at < to_timestamp($1 / 1000.0) and state not in ('queued', 'in_doubt') \
      and body->>'text' <> '' limit $2 for update skip locked)) returning 1";
const BLANK_REPLIES: &str = "update reply r set body = jsonb_set(r.body::jsonb, '{text}', '\"\"')::json from (select at, node, seq from reply \
    where at >= to_timestamp($3 / 1000.0) and at < to_timestamp($1 / 1000.0) and body->>'text' <> '' limit $2 for update skip locked) o \
    where r.at = o.at and r.node = o.node and r.seq = o.seq returning 1";

const OLD_GONE: &str = "delete from subscriber_gone where ctid = any(array(select ctid from subscriber_gone \
    where at < to_timestamp($1 / 1000.0) limit $2 for update skip locked)) returning 1";

/// Rows of a day that had no partition when they came.
fn old_strays(table: &str) -> String {
    format!(
        "delete from {table}_default where ctid = any(array(select ctid from {table}_default \
         where at < to_timestamp($1 / 1000.0) limit $2 for update skip locked)) returning 1"
    )
}

/// Blanks texts between two times, some at a time.
async fn blank(client: &Client, sql: &str, from: Timestamp, before: Timestamp) -> Result<(), Fault> {
    let (from, before, begin) = (from.as_millis(), before.as_millis(), begin(DEADLINE));
    let parameters: [Parameter<'_>; 3] = [(&before, Type::INT8), (&STEP, Type::INT8), (&from, Type::INT8)];
    in_steps(client, sql, &begin, &parameters).await
}

/// Removes rows from before, some at a time.
async fn remove(client: &Client, sql: &str, before: Timestamp) -> Result<(), Fault> {
    let (before, begin) = (before.as_millis(), begin(DEADLINE));
    let parameters: [Parameter<'_>; 2] = [(&before, Type::INT8), (&STEP, Type::INT8)];
    in_steps(client, sql, &begin, &parameters).await
}

async fn in_steps(client: &Client, sql: &str, begin: &str, parameters: &[Parameter<'_>]) -> Result<(), Fault> {
    for _ in 0..STEPS {
        let sent = vec![plain(client, begin), ask(client, sql, parameters), plain(client, "commit")];
        let removed = together(sent).await?.get(1).map_or(0, Vec::len);
        if i64::try_from(removed).unwrap_or(0) < STEP {
            break;
        }
    }
    Ok(())
}
