//! How events are cut into batches changes nothing of what becomes of them.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use model::{NoAnswer, SubmitOutcome};
use routing::{Database, Event};
use rusqlite::Connection;
use store::{Context, Store};
use support::*;

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Every row of every table, as text.
fn rows(dir: &Path) -> Vec<String> {
    let conn = Connection::open(dir.join("afterring.db")).unwrap();
    let tables = [
        "event",
        "decision",
        "box",
        "alert",
        "part",
        "parked",
        "subscriber",
        "range_usage",
        "charge",
        "meta WHERE key <> 'settled_below' AND value <> 0",
    ];
    let mut rows = Vec::new();
    for table in tables {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<_> =
                (0..columns).map(|n| format!("{:?}", row.get::<_, rusqlite::types::Value>(n).unwrap())).collect();
            rows.push(format!("{table}: {}", values.join(" | ")));
        }
    }
    rows
}

/// Plays the same calls, replies, answers, receipts, outages and restarts with another size of batch.
async fn play(seed: u64, batch: usize) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let mut store = open(dir.path());
    register(&store, (0..10).map(subscriber)).await;
    let (mut told, mut at, mut made) = (Vec::new(), now(), 0);
    let mut late = Vec::new();
    for round in 0..14 {
        at = at + Duration::from_secs(random.below(120));
        let database = if random.below(4) == 0 { Database::Abnormal } else { Database::Normal };
        let context = Context { database, ..context(at) };
        let mut events = std::mem::take(&mut late);
        for _ in 0..40 {
            made += 1;
            let id = format!("{}", made - random.below(3).min(made));
            let called = [subscriber, prospect, rare][usize::try_from(random.below(3)).unwrap()](random.below(15));
            let text = ["C", "KT", "QX", "R", "HELP", "?!"][usize::try_from(random.below(6)).unwrap()];
            events.push(if random.below(8) == 0 { reply(called, text) } else { call_at(&id, called, at) });
        }
        store.append(events).await.unwrap();
        if round % 5 == 4 {
            store.close().await;
            store = open(dir.path());
        }
        let mut left = store.backlog();
        while left > 0 {
            let events = store.next(batch).await;
            left -= events.len() as u64;
            told.extend(verdicts(&store.settle(events, context.clone()).await.unwrap()));
        }
        for called in store.due(at, 100, database == Database::Normal).await.unwrap().chunks(batch) {
            told.extend(verdicts(&look(&store, called.to_vec(), &context).await));
        }
        for submit in store.lease(30, &context).await.unwrap() {
            let ids = [format!("{}a", submit.alert), format!("{}b", submit.alert)];
            let ids: Vec<_> =
                ids.iter().map(String::as_str).take(1 + usize::try_from(random.below(2)).unwrap()).collect();
            let outcome = match random.below(6) {
                0 => SubmitOutcome::NotSent,
                1 => SubmitOutcome::Refused { status: 11 },
                2 => SubmitOutcome::InDoubt(NoAnswer::Timeout),
                3 => continue,
                _ => {
                    let early = random.below(3) == 0;
                    let mut all = vec![accepted(&submit, &ids)];
                    all.extend(ids.iter().map(|id| receipt(id, (random.below(2) == 0).then_some(submit.destination))));
                    if early {
                        all.reverse();
                    }
                    late.extend(all);
                    continue;
                }
            };
            late.push(Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome });
        }
    }
    store.close().await;
    (told, rows(dir.path()))
}

#[tokio::test]
async fn batches_of_one_and_of_a_hundred_end_the_same() {
    for seed in [1, 20_261_123] {
        let (told, rows) = play(seed, 1).await;
        for expected in ["send detail", "send teaser", "reply granted", "nothing unmatched", "reply deferred"] {
            assert!(told.iter().any(|verdict| verdict == expected), "seed {seed} never had {expected}");
        }
        for batch in [7, 100] {
            let (again, same) = play(seed, batch).await;
            for (place, (one, other)) in told.iter().zip(&again).enumerate() {
                assert_eq!(one, other, "verdict {place}, seed {seed}, batches of {batch}");
            }
            for (one, other) in rows.iter().zip(&same) {
                assert_eq!(one, other, "seed {seed}, batches of {batch}");
            }
            assert_eq!(told.len(), again.len(), "seed {seed}, batches of {batch}");
            assert_eq!(rows.len(), same.len(), "seed {seed}, batches of {batch}");
        }
    }
}
