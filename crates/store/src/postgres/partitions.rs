//! Partitions of a day each, made ahead and dropped when they are old; and other old rows, a few at a time.

use std::fmt::Write as _;
use std::time::Duration;

use model::Timestamp;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::Fault;
use super::batch::{Parameter, begin};

/// Days made ahead.
const AHEAD: i64 = 4;

/// Days made behind: calls of yesterday still come.
const BEHIND: i64 = 1;

const DAY: i64 = 86_400_000;

/// Rows removed in one transaction: some milliseconds.
const STEP: i64 = 2_000;

/// Steps at most in one round.
const STEPS: usize = 50;

/// How long a statement of this may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Names the lock under which one node at a time looks after partitions.
const LOCK: &str = "select pg_try_advisory_xact_lock(7163841232)";

/// Tables that have a partition a day.
const TABLES: [&str; 2] = ["missed_call", "reply"];

/// Makes the partitions of the next days, drops those older than the retention, removes other old rows.
pub(crate) async fn keep(client: &Client, now: Timestamp, retention: Duration) -> Result<(), Fault> {
    make_all(client, now).await?;
    for table in TABLES {
        drop_old(client, table, day_of(now - retention)).await?;
    }
    remove_old(client, retention).await
}

/// Makes the partitions of the next days, in one round trip. A day that has calls in the default partition already stays there.
pub(crate) async fn make_all(client: &Client, now: Timestamp) -> Result<(), Fault> {
    let mut steps = String::new();
    for table in TABLES {
        for day in (-BEHIND..=AHEAD).map(|ahead| day_of(now) + ahead) {
            let (partition, from, until) = (name(table, day), date(day), date(day + 1));
            let _ = write!(
                steps,
                "if to_regclass('{partition}') is null then begin \
                   create table {partition} partition of {table} for values from ('{from} 00:00:00+00') to ('{until} 00:00:00+00'); \
                 exception when check_violation then raise warning 'the calls of {from} stay in the default partition'; end; end if; "
            );
        }
    }
    let begin = begin(DEADLINE);
    let sql =
        format!("{begin}; do $$ begin if pg_try_advisory_xact_lock(7163841232) then {steps} end if; end $$; commit");
    client.batch_execute(&sql).await?;
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

async fn drop_old(client: &Client, table: &str, before: i64) -> Result<(), Fault> {
    let oldest = name(table, before);
    let parameters: [Parameter<'_>; 2] = [(&table, Type::TEXT), (&oldest, Type::TEXT)];
    let sql = "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
        where i.inhparent = to_regclass($1) and c.relname < $2 and c.relname <> $1 || '_default' and c.relname like $1 || '\\_2%'";
    for row in client.query_typed(sql, &parameters).await? {
        let partition: String = row.get(0);
        client.batch_execute(&format!("{}; {LOCK}; drop table if exists {partition}; commit", begin(DEADLINE))).await?;
        tracing::info!(partition, "old calls were dropped with their partition");
    }
    Ok(())
}

async fn remove_old(client: &Client, retention: Duration) -> Result<(), Fault> {
    let seconds = retention.as_secs_f64();
    let parameters: [Parameter<'_>; 2] = [(&seconds, Type::FLOAT8), (&STEP, Type::INT8)];
    let old = "now() - make_interval(secs => $1)";
    let alerts = format!(
        "delete from alert where ctid = any(array(select ctid from alert where created_at < {old} and state not in ('queued', 'in_doubt') limit $2))"
    );
    let parts =
        format!("delete from part where ctid = any(array(select ctid from part where created_at < {old} limit $2))");
    for sql in [alerts, parts] {
        for _ in 0..STEPS {
            if i64::try_from(client.execute_typed(&sql, &parameters).await?).unwrap_or(0) < STEP {
                break;
            }
        }
    }
    Ok(())
}
