//! What docs/data-model.md says of the tables is what a database has: every table, every column, and every statement in it runs.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{Caller, MissedCall, Msisdn, Secret, Submit};
use routing::{Database, Event, Subscriber};
use store::{
    Context, DatabaseHealth, Embedded, EmbeddedSettings, HandOver, PostgresSettings, Step, Store, migrate_now,
};
use support::{accepted, call, now, policy, prospect, receipt, reply, settings};
use throwaway_postgres::{Cluster, sql};

const PAGE: &str = include_str!("../../../docs/data-model.md");

fn database(url: &str) -> PostgresSettings {
    PostgresSettings {
        url: Secret::new(url.to_owned()),
        ca: None,
        node_name: "north-1".to_owned(),
        pool: 2,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(10),
        migrate: true,
        lease: Duration::from_secs(600),
        retention: store::Retention::of(support::DAY * 30),
    }
}

fn context() -> Context {
    Context { policy: Arc::new(policy()), database: Database::Normal, now: now() }
}

/// A gateway's store beside the database, which it has found normal.
async fn beside(dir: &Path, url: &str) -> HandOver {
    let local = Embedded::open(EmbeddedSettings { shared: true, ..settings(dir) }, now()).unwrap();
    let health = DatabaseHealth::starting(now);
    let store = HandOver::beside(local, database(url), health.clone(), now).await.unwrap();
    tokio::spawn(store.clone().probe());
    while health.decides_by() != Database::Normal || store.is_behind() {
        if store.hand_over(&context()).await.unwrap() != Step::Moved {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    store
}

async fn happen(store: &HandOver, events: Vec<Event>) {
    for events in events.chunks(500) {
        store.local().append(events.to_vec()).await.unwrap();
        let mut left = events.len();
        while left > 0 {
            let batch = store.local().next(500).await;
            left = left.saturating_sub(batch.len());
            store.settle(batch, context()).await.unwrap();
            assert!(!store.is_behind(), "the database decided it");
        }
    }
}

async fn leased(store: &HandOver) -> Vec<Submit> {
    store.lease(1_000_000, &context()).await.unwrap()
}

/// Half of the people are registered. Everybody misses a call and is told; the message arrives; some fetch the list, some refuse.
async fn play(store: &HandOver, people: u64) {
    let registered: Vec<_> = (1..=people / 2).map(support::subscriber).collect();
    for some in registered.chunks(5_000) {
        let subscriber = |number: &Msisdn| Subscriber::new(*number, now());
        store.put_subscribers(some.iter().map(subscriber).collect()).await.unwrap();
    }
    let teased: Vec<_> = (1..=people / 2).map(prospect).collect();
    let calls = registered.iter().chain(&teased).enumerate();
    happen(store, calls.map(|(n, called)| call(&format!("a4b79cf0-{n:010}@msc1.example"), *called)).collect()).await;
    tell(store, "a").await;
    let replies = teased.iter().enumerate().filter_map(|(n, from)| match n % 10 {
        0 => Some(reply(*from, "C")),
        1 => Some(reply(*from, "R")),
        _ => None,
    });
    happen(store, replies.collect()).await;
    tell(store, "b").await;
}

/// The SMSC takes everything that waits, in one part each, and delivers it.
async fn tell(store: &HandOver, salt: &str) {
    let submits = leased(store).await;
    let id = |submit: &Submit| format!("{salt}{:012}", submit.alert.0 % 1_000_000_000_000);
    happen(store, submits.iter().map(|submit| accepted(submit, &[&id(submit)])).collect()).await;
    happen(store, submits.iter().map(|submit| receipt(&id(submit), Some(submit.destination))).collect()).await;
}

/// Lines of what stands in fences of SQL.
fn statements() -> Vec<String> {
    let fenced = PAGE.split("```sql\n").skip(1);
    fenced.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_table_and_column_is_commented_and_documented() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let migrated = migrate_now(&database(&url)).await.unwrap();
    assert_eq!(migrated.from, 0);
    let tables = "select c.relname, '', coalesce(obj_description(c.oid, 'pg_class'), '') from pg_class c \
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition \
          and c.relname <> 'refinery_schema_history'";
    let columns = "select c.relname, a.attname, coalesce(col_description(c.oid, a.attnum), '') from pg_class c \
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition \
          and c.relname <> 'refinery_schema_history' order by 1, 2";
    let mut found = 0;
    for line in sql(&url, &format!("{tables}; {columns}")).lines() {
        let mut fields = line.splitn(3, '|');
        let (table, column) = (fields.next().unwrap(), fields.next().unwrap());
        let comment = fields.next().unwrap();
        assert!(!comment.is_empty(), "{table}.{column} has no comment");
        let section = PAGE.split("\n### ").find(|section| section.starts_with(&format!("`{table}`\n")));
        let section = section.unwrap_or_else(|| panic!("docs/data-model.md has no section `{table}`"));
        assert!(
            column.is_empty() || section.contains(&format!("| `{column}` |")),
            "{table}.{column} is not in docs/data-model.md"
        );
        assert!(
            section.contains(comment),
            "docs/data-model.md says of {table}.{column} another thing than its comment: {comment}"
        );
        found += 1;
    }
    assert!(found > 70, "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_in_the_page_runs_and_says_what_it_should() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    migrate_now(&database(&url)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = beside(dir.path(), &url).await;
    play(&store, 40).await;
    let withheld = MissedCall { caller: Caller::Withheld, ..a_call(support::subscriber(1)) };
    happen(&store, vec![Event::Call(withheld)]).await;
    let all = statements();
    assert!(all.len() >= 9, "{}", all.len());
    for statement in &all {
        let text = statement.replace("now()", "timestamptz '2026-11-24 00:00:00+00'");
        let said = sql(&url, &text);
        let silent = ["insert", "create", "delete"].iter().any(|word| text.trim_start().starts_with(word));
        assert!(silent || !said.is_empty(), "nothing is found by {statement}");
    }
}

fn a_call(called: Msisdn) -> MissedCall {
    match call("withheld", called) {
        Event::Call(call) => call,
        _ => unreachable!(),
    }
}

/// `cargo test --release -p store --test data_model -- --ignored --nocapture`: the figures of the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn sizes() {
    let cluster = Cluster::start(&["shared_buffers=256MB"]);
    let url = cluster.database();
    migrate_now(&database(&url)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = beside(dir.path(), &url).await;
    let begun = std::time::Instant::now();
    play(&store, 50_000).await;
    println!("played in {:?}", begun.elapsed());
    println!("{}", sql(&url, "vacuum analyze"));
    println!("table | rows | octets a row, heap | with indexes");
    for table in ["subscriber", "call_box", "alert", "part", "missed_call_default", "reply_default", "charge"] {
        let size = format!(
            "select '{table}', count(*), round((pg_relation_size('{table}') + coalesce(pg_relation_size(nullif((select reltoastrelid from pg_class \
             where oid = '{table}'::regclass), 0)), 0))::numeric / count(*)), round(pg_total_relation_size('{table}')::numeric / count(*)), \
             round(avg(pg_column_size(t.*))) from {table} t"
        );
        println!("{}", sql(&url, &size).trim());
    }
}
