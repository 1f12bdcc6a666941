//! Killed at any moment, the store has lost nothing that it acknowledged and settles nothing twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use store::Store;
use support::*;

const CHILD: &str = "AFTERRING_STORE_CHILD";
const LIVES: u64 = 24;

fn say(line: &str) {
    // One write per line: a line is said whole or not at all.
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).expect("the parent reads until it kills");
}

/// The life that is cut short: not a test of its own, but started by the test below.
#[tokio::test]
async fn child() {
    let Ok(settings) = std::env::var(CHILD) else { return };
    let (dir, life) = settings.split_once('|').unwrap();
    let store = open(Path::new(dir));
    register(&store, (0..300).map(subscriber)).await;
    let pump = tokio::spawn(live(store.clone()));
    for n in 0.. {
        let ids: Vec<_> = (0..5).map(|k| format!("{life}-{n}-{k}")).collect();
        let calls = ids.iter().zip(0..5).map(|(id, k)| call(id, subscriber((n * 7 + k * 13) % 400))).collect();
        store.append(calls).await.unwrap();
        for id in ids {
            say(&format!("appended {id}"));
        }
        assert!(!pump.is_finished());
    }
}

async fn live(store: store::Embedded) {
    loop {
        let settled = store.settle(store.next(50).await, context(now())).await.unwrap();
        for outcome in settled.outcomes {
            say(&format!("settled {} {}", outcome.seq.0, serde_json::to_string(&outcome.verdict).unwrap()));
        }
        let submits = store.lease(20, &context(now())).await.unwrap();
        let mut answers = Vec::new();
        for submit in submits {
            say(&format!("leased {} {}", submit.alert, submit.attempt));
            let id = format!("m{}", submit.alert);
            // A third are never answered, a third get a receipt before their answer.
            match submit.alert.0 % 3 {
                0 => {}
                1 => answers.extend([receipt(&id, None), accepted(&submit, &[&id])]),
                _ => answers.push(accepted(&submit, &[&id])),
            }
        }
        store.append(answers).await.unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_settled_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (mut appended, mut settled, mut leased) = (Vec::new(), HashMap::new(), HashSet::new());
    let mut random = 20_261_123_u64;
    for life in 0..LIVES {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lines = 20 + (random >> 33) % 600;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{}|{life}", dir.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard: Vec<String> = said.by_ref().take(usize::try_from(lines).unwrap()).map(Result::unwrap).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died and we had not read yet.
        heard.extend(said.map_while(Result::ok));
        for line in heard {
            let words: Vec<_> = line.splitn(3, ' ').collect();
            match words.as_slice() {
                ["appended", id] => appended.push((*id).to_owned()),
                ["settled", seq, verdict] => {
                    let before = settled.insert(seq.parse::<i64>().unwrap(), (*verdict).to_owned());
                    // A receipt that came early is told of twice: unmatched, and once its answer is there.
                    assert!(before.is_none_or(|before| before.contains("unmatched")), "{line} was settled before");
                }
                ["leased", ..] => assert!(leased.insert(line.clone()), "{line} twice"),
                _ => {}
            }
        }
    }
    assert!(appended.len() > 500 && settled.len() > 500 && leased.len() > 20, "the lives were too short to tell");
    check(dir.path(), &appended, &settled);
}

fn check(dir: &Path, appended: &[String], settled: &HashMap<i64, String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counts = runtime.block_on(async {
        let store = open(dir);
        settle(&store, &context(now())).await.unwrap();
        let counts = store.alert_counts();
        assert_eq!((store.backlog(), counts.sending), (0, 0));
        store.close().await;
        counts
    });
    let conn = Connection::open(dir.join("afterring.db")).unwrap();
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let mut ids: HashMap<String, u32> = HashMap::new();
    let mut calls =
        conn.prepare("SELECT body ->> '$.call.id' FROM event WHERE body ->> '$.call.id' IS NOT NULL").unwrap();
    for id in calls.query_map([], |row| row.get(0)).unwrap() {
        *ids.entry(id.unwrap()).or_default() += 1;
    }
    for id in appended {
        assert_eq!(ids.get(id), Some(&1), "{id} was acknowledged");
    }
    for (seq, verdict) in settled {
        let kept: String =
            conn.query_row("SELECT verdict FROM decision WHERE seq = ?1", [seq], |row| row.get(0)).unwrap();
        assert!(kept == *verdict || verdict.contains("unmatched"), "{seq}: told {verdict}, kept {kept}");
    }
    assert_eq!(count("SELECT count(*) FROM event"), count("SELECT count(*) FROM decision"));
    // The report has each of them once.
    for verdict in ["send", "joined", "held", "nothing"] {
        let decided = format!(
            "SELECT count(*) FROM event e JOIN decision d ON d.seq = e.seq WHERE e.body LIKE '{{\"call\":%' AND d.verdict LIKE '{{\"{verdict}\":%'"
        );
        let counted =
            format!("SELECT coalesce(sum(count), 0) FROM report_count WHERE event = 'call' AND verdict = '{verdict}'");
        assert_eq!(count(&decided), count(&counted), "{verdict}");
    }
    let entered = |why| count(&format!("SELECT sum(count) FROM report_count WHERE event = 'alert' AND why = '{why}'"));
    assert_eq!(entered("queued"), count("SELECT count(*) FROM alert"));
    assert_eq!(entered("delivered"), i64::try_from(counts.delivered).unwrap());
    assert_eq!(entered("accepted"), i64::try_from(counts.accepted + counts.delivered).unwrap());
    // The counters kept beside the rows agree with the rows.
    for (state, kept) in [
        ("queued", counts.queued),
        ("in_doubt", counts.in_doubt),
        ("accepted", counts.accepted),
        ("delivered", counts.delivered),
    ] {
        let rows = count(&format!("SELECT count(*) FROM alert WHERE body ->> '$.state' = '{state}'"));
        assert_eq!(u64::try_from(rows).unwrap(), kept, "{state}");
    }
    assert_eq!(conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}
