//! A full disk, two processes, files of other versions: the store says so, and goes on when it can.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod support;

use std::path::Path;
use std::process::Command;

use store::{Embedded, EmbeddedSettings, Store, StoreError};
use support::*;

/// Appends until the disk is full; how many calls were acknowledged.
async fn fill(store: &Embedded, name: &str) -> u64 {
    for n in 0..1_000_000 {
        match store.append(vec![call(&format!("{name}-{n}"), subscriber(n))]).await {
            Ok(_) => {}
            Err(StoreError::Full(_)) => return n,
            Err(other) => unreachable!("{other:?}"),
        }
    }
    unreachable!("the disk was never full")
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_store_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings { largest: Some(600_000), ..settings(dir.path()) };
    let store = Embedded::open(settings.clone(), now()).unwrap();
    let old = (0..500).map(|n| call(&format!("old-{n}"), subscriber(n))).collect();
    happen(&store, old).await;
    let acknowledged = fill(&store, "new").await;
    assert!(acknowledged > 100);
    assert!(store.health().full && store.health().error.is_some());
    assert_eq!(store.backlog(), acknowledged);
    // Nothing can be settled either; what was handed out comes again.
    let batch = store.next(50).await;
    let first = batch[0].seq;
    let mut failed = store.settle(batch, context(now())).await;
    while failed.is_ok() {
        // The last pages may still have room for a few decisions.
        failed = store.settle(store.next(50).await, context(now())).await;
    }
    assert!(matches!(failed, Err(StoreError::Full(_))));
    assert!(store.next(1).await[0].seq >= first);

    let later = now() + DAY * 40;
    while !store.prune(later).await.unwrap().done {}
    assert!(!store.health().full);
    store.append(vec![call("after", subscriber(1))]).await.unwrap();
    let backlog = store.backlog();
    store.close().await;
    let store = Embedded::open(EmbeddedSettings { largest: None, ..settings }, now()).unwrap();
    assert_eq!(store.backlog(), backlog, "nothing acknowledged was lost");
    settle(&store, &context(now())).await.unwrap();
    assert_eq!(store.backlog(), 0);
    store.close().await;
}

const CHILD: &str = "AFTERRING_STORE_SMALL_DISK";

/// Runs on a disk of 4 MB; not a test of its own, but started by the one below.
#[tokio::test]
async fn on_a_small_disk() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let dir = Path::new(&dir);
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let store = open(dir);
    let before = fill(&store, "before").await;
    assert!(before > 100);
    std::fs::remove_file(&ballast).unwrap();
    store.append(vec![call("room", subscriber(1))]).await.expect("there is room again");
    assert!(!store.health().full);
    let after = fill(&store, "after").await;
    assert!(after > 0);
    assert_eq!(store.backlog(), before + 1 + after);
    let mut calls = 0;
    while calls < before + 1 + after {
        calls += store.next(1_000).await.len() as u64;
    }
    store.close().await;
    let conn = rusqlite::Connection::open(dir.join("afterring.db")).unwrap();
    let kept: i64 = conn.query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(u64::try_from(kept).unwrap(), before + 1 + after);
    std::fs::write(dir.join("done"), "").unwrap_or_else(|_| eprintln!("SMALL DISK DONE"));
    eprintln!("SMALL DISK DONE");
}

#[test]
fn a_disk_that_is_really_full_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m tmpfs \"$1\" || exit 77; exec \"$0\" --exact on_a_small_disk --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(dir.path())
        .env(CHILD, dir.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("SMALL DISK DONE"), "{said}");
        }
        Ok(output) if output.status.code() == Some(101) => {
            unreachable!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        }
        _ => eprintln!("SKIPPED: no right to mount a small disk in a namespace of our own"),
    }
}

#[tokio::test]
async fn a_directory_is_opened_by_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Embedded::open(settings(dir.path()), now());
    assert!(matches!(second, Err(StoreError::InUse(_))));
    let clone = store.clone();
    store.close().await;
    assert!(matches!(clone.append(vec![call("a", subscriber(1))]).await, Err(StoreError::Closed)));
    assert!(clone.next(1).await.is_empty());
    open(dir.path()).close().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await;
    let conn = rusqlite::Connection::open(dir.path().join("afterring.db")).unwrap();
    conn.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(conn);
    let refused = Embedded::open(settings(dir.path()), now());
    assert!(matches!(refused, Err(StoreError::Newer { found: 99, known: 4 })));
}

#[tokio::test]
async fn what_is_old_is_forgotten_in_steps_and_what_is_not_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, (0..2_000).map(subscriber)).await;
    happen(&store, (0..1_500).map(|n| call(&n.to_string(), subscriber(n))).collect()).await;
    let submits = store.lease(1_400, &context(now())).await.unwrap();
    let ids: Vec<_> = submits.iter().map(|submit| format!("m{}", submit.alert)).collect();
    happen(&store, submits.iter().zip(&ids).map(|(submit, id)| accepted(submit, &[id])).collect()).await;
    happen(&store, ids.iter().take(1_300).map(|id| receipt(id, None)).collect()).await;
    happen(&store, vec![receipt("unknown", None)]).await;
    assert_eq!(store.prune(now() + DAY).await.unwrap().removed, 0, "nothing is old yet");
    while !store.prune(now() + DAY).await.unwrap().done {}

    let later = now() + DAY * 32;
    store.append(vec![call_at("late", prospect(1), later), call_at("late", subscriber(1_999), later)]).await.unwrap();
    settle(&store, &context(later)).await.unwrap();
    let (mut removed, mut steps) = (0, 0);
    loop {
        let pruned = store.prune(later).await.unwrap();
        (removed, steps) = (removed + pruned.removed, steps + 1);
        if pruned.done {
            break;
        }
    }
    // 4,201 events decided; 1,400 alerts that left and their ids; 1 receipt nobody claimed; boxes of those who heard of all their calls.
    assert_eq!(removed, 4_201 + 1_400 + 1_400 + 1 + 1_300);
    assert!(steps > 5);
    let counts = store.alert_counts();
    assert_eq!((counts.delivered, counts.accepted, counts.queued), (0, 0, 102));
    assert!(store.timeline(subscriber(0), 10).await.unwrap().is_empty());
    assert_eq!(store.timeline(subscriber(1_999), 10).await.unwrap().len(), 1);
    store.close().await;
    // The counters of places and alerts outlive their rows.
    let store = open(dir.path());
    let settled = happen(&store, vec![call("z", subscriber(0))]).await;
    assert!(settled.outcomes[0].seq.0 > 4_200 && settled.outcomes[0].alerts[0].id.0 > 1_500);
    store.close().await;
}
