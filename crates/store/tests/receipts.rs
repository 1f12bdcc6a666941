//! Receipts find their alerts: early, late, repeated, after a restart, and where ids are not unique.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use model::Submit;
use store::{Embedded, Store};
use support::*;

async fn submitted(store: &Embedded, people: u64) -> Vec<Submit> {
    register(store, (0..people).map(subscriber)).await;
    happen(store, (0..people).map(|n| call(&n.to_string(), subscriber(n))).collect()).await;
    store.lease(100, &context(now())).await.unwrap()
}

#[tokio::test]
async fn a_receipt_before_its_answer_is_kept_for_it_also_over_a_restart() {
    for restart in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let submits = submitted(&store, 1).await;
        assert_eq!(verdicts(&happen(&store, vec![receipt("7", None)]).await), ["nothing unmatched"]);
        let answer = accepted(&submits[0], &["7"]);
        store.append(vec![answer]).await.unwrap();
        if restart {
            store.close().await;
            store = open(dir.path());
        }
        let settled = settle(&store, &context(now())).await.unwrap();
        assert_eq!(verdicts(&settled), ["alert", "alert"], "the answer, then the receipt that waited for it");
        assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered");
        assert_eq!(verdicts(&happen(&store, vec![receipt("7", None)]).await), ["nothing no_change"]);
        store.close().await;
    }
}

#[tokio::test]
async fn both_parts_of_an_alert_are_matched_whichever_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    let events = vec![receipt("8b", None), accepted(&submits[0], &["8a", "8b"]), receipt("8a", None)];
    assert_eq!(verdicts(&happen(&store, events).await), ["nothing unmatched", "alert", "alert", "alert"]);
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered");
    store.close().await;
}

#[tokio::test]
async fn one_id_for_many_alerts_is_told_apart_by_the_handset_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 3).await;
    happen(&store, submits.iter().map(|submit| accepted(submit, &["0"])).collect()).await;
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", None)]).await), ["nothing unmatched"]);
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", Some(subscriber(9)))]).await), ["nothing unmatched"]);
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", Some(subscriber(1)))]).await), ["alert"]);
    for (n, submit) in submits.iter().enumerate() {
        let expected = if n == 1 { "delivered" } else { "accepted" };
        assert_eq!(state(&store, submit.destination, submit.alert).await, expected);
    }
    store.close().await;
}

#[tokio::test]
async fn an_id_of_another_smsc_is_another_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    happen(&store, vec![accepted(&submits[0], &["7"])]).await;
    let mut foreign = receipt("7", None);
    if let routing::Event::Receipt(receipt) = &mut foreign {
        receipt.smsc.0 = "smsc2".to_owned();
    }
    assert_eq!(verdicts(&happen(&store, vec![foreign]).await), ["nothing unmatched"]);
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "accepted");
    store.close().await;
}

#[tokio::test]
async fn what_was_sending_at_the_end_of_a_life_is_in_doubt_in_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 2).await;
    // The answer to the second was journaled and not settled before the end.
    store.append(vec![accepted(&submits[1], &["2"])]).await.unwrap();
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.backlog(), 2);
    settle(&store, &context(now())).await.unwrap();
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "in_doubt");
    assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "accepted");
    // A late answer still counts.
    happen(&store, vec![accepted(&submits[0], &["1"])]).await;
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "accepted");
    store.close().await;
}
