//! What is journaled is decided once, in order, and its effects are kept.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use model::{Kind, SubmitOutcome};
use routing::{Database, Event, RangeName};
use store::{Context, Owed, Seq, Store};
use support::*;

#[tokio::test]
async fn a_call_goes_from_the_journal_to_the_handset() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    let appended = store.append(vec![call("a", subscriber(1)), call("b", subscriber(2))]).await.unwrap();
    assert_eq!(Owed::new(202).settle(&appended.committed), 202);
    assert_eq!(store.backlog(), 2);
    let settled = settle(&store, &context(now())).await.unwrap();
    assert_eq!(verdicts(&settled), ["send detail", "nothing outside_ranges"]);
    assert_eq!((settled.queued, store.backlog(), store.alert_counts().queued), (1, 0, 1));

    let submits = store.lease(10, &context(now())).await.unwrap();
    assert_eq!(submits.len(), 1);
    assert_eq!((submits[0].destination, submits[0].attempt, submits[0].kind), (subscriber(1), 1, Kind::Detail));
    assert!(store.lease(10, &context(now())).await.unwrap().is_empty());
    assert_eq!(store.alert_counts().sending, 1);

    assert_eq!(verdicts(&happen(&store, vec![accepted(&submits[0], &["77"])]).await), ["alert"]);
    assert_eq!(store.alert_counts().accepted, 1);
    assert_eq!(verdicts(&happen(&store, vec![receipt("77", None)]).await), ["alert"]);
    let counts = store.alert_counts();
    assert_eq!((counts.queued, counts.sending, counts.accepted, counts.delivered), (0, 0, 0, 1));

    let timeline = store.timeline(subscriber(1), 10).await.unwrap();
    let told: Vec<_> = timeline.iter().map(|entry| (entry.event.as_str(), entry.verdict.words())).collect();
    assert_eq!(told, [("call", ("send", "detail")), ("submitted", ("alert", "")), ("receipt", ("alert", ""))]);
    for entry in &timeline {
        assert_eq!(entry.alerts[0].alert.as_ref().unwrap().state.as_str(), "delivered", "the state is the one of now");
    }
    assert_eq!(store.timeline(subscriber(1), 1).await.unwrap().len(), 1);
    assert!(store.timeline(subscriber(3), 10).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn an_event_settled_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    store.append(vec![call("a", subscriber(1))]).await.unwrap();
    let batch = store.next(10).await;
    let twice = [batch.clone(), batch.clone()].concat();
    assert_eq!(store.settle(twice, context(now())).await.unwrap().outcomes.len(), 1);
    assert!(store.settle(batch.clone(), context(now())).await.unwrap().outcomes.is_empty());
    assert_eq!((store.alert_counts().queued, store.backlog()), (1, 0));
    store.close().await;
    let store = open(dir.path());
    assert!(store.settle(batch, context(now())).await.unwrap().outcomes.is_empty());
    assert_eq!((store.alert_counts().queued, store.backlog()), (1, 0));
    store.close().await;
}

#[tokio::test]
async fn a_repeat_is_told_and_journaled_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let later = now() + DAY * 2;
    let events = vec![call("a", subscriber(1)), call("a", subscriber(1)), call("a", subscriber(2))];
    assert_eq!(store.append(events).await.unwrap().duplicate, [false, true, false]);
    assert_eq!(store.append(vec![call("a", subscriber(1))]).await.unwrap().duplicate, [true]);
    assert_eq!(store.append(vec![call_at("a", subscriber(1), later)]).await.unwrap().duplicate, [false]);
    assert_eq!(store.backlog(), 3);
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.append(vec![call("a", subscriber(2))]).await.unwrap().duplicate, [true]);
    store.close().await;
}

#[tokio::test]
async fn undecided_events_come_again_after_a_restart_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..30 {
        store.append(vec![call(&n.to_string(), subscriber(n))]).await.unwrap();
    }
    let first = store.next(10).await;
    assert_eq!(first.iter().map(|journaled| journaled.seq).collect::<Vec<_>>(), (1..=10).map(Seq).collect::<Vec<_>>());
    let _taken_and_forgotten = store.next(10).await;
    store.settle(first, context(now())).await.unwrap();
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.backlog(), 20);
    let mut rest = Vec::new();
    while rest.len() < 20 {
        rest.extend(store.next(7).await);
    }
    assert_eq!(rest.iter().map(|journaled| journaled.seq).collect::<Vec<_>>(), (11..=30).map(Seq).collect::<Vec<_>>());
    store.close().await;
}

#[tokio::test]
async fn a_backlog_larger_than_memory_is_handed_out_whole_and_in_order() {
    const EVENTS: u64 = 40_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for chunk in 0..EVENTS / 2_000 {
        let ids = chunk * 2_000..(chunk + 1) * 2_000;
        store.append(ids.map(|n| call(&n.to_string(), subscriber(n))).collect()).await.unwrap();
    }
    let mut handed = Vec::new();
    while handed.len() < EVENTS as usize {
        handed.extend(store.next(1_000).await.into_iter().map(|journaled| journaled.seq.0));
    }
    assert!(handed.iter().copied().eq(1..=EVENTS as i64));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_journaled_together_is_handed_out_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..200 {
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { store.next(1_000).await }
        });
        store.append((0..9).map(|n| call(&format!("{round}-{n}"), subscriber(n))).collect()).await.unwrap();
        let batch = waiting.await.unwrap();
        assert_eq!(batch.len(), 9, "in round {round}");
        store.settle(batch, context(now())).await.unwrap();
    }
}

#[tokio::test]
async fn a_quota_is_never_exceeded_within_a_batch_or_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let settled = happen(&store, (0..10).map(|n| call(&n.to_string(), rare(n))).collect()).await;
    let teased = |verdicts: Vec<String>| verdicts.iter().filter(|verdict| *verdict == "send teaser").count();
    assert_eq!(teased(verdicts(&settled)), 3);
    let north = vec![(RangeName("north".to_owned()), 3)];
    assert_eq!(store.usage().await.unwrap(), north);
    store.close().await;
    let store = open(dir.path());
    let settled = happen(&store, (10..20).map(|n| call(&n.to_string(), rare(n))).collect()).await;
    assert_eq!(teased(verdicts(&settled)), 0);
    assert_eq!(store.usage().await.unwrap(), north);
    store.close().await;
}

#[tokio::test]
async fn teasers_wait_while_the_database_is_abnormal_and_block_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    let mut calls: Vec<_> = (0..50).map(|n| call(&n.to_string(), prospect(n))).collect();
    calls.push(call("s", subscriber(1)));
    happen(&store, calls).await;
    let abnormal = Context { database: Database::Abnormal, ..context(now()) };
    let submits = store.lease(10, &abnormal).await.unwrap();
    assert_eq!(submits.iter().map(|submit| submit.kind).collect::<Vec<_>>(), [Kind::Detail]);
    assert_eq!(store.lease(100, &context(now())).await.unwrap().len(), 50);
    store.close().await;
}

#[tokio::test]
async fn an_alert_that_waited_too_long_is_dropped_and_its_calls_are_untold_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    happen(&store, vec![call("a", subscriber(1)), call("b", prospect(1))]).await;
    let late = context(now() + DAY + Duration::from_secs(1));
    assert!(store.lease(10, &late).await.unwrap().is_empty());
    assert!(store.lease(10, &late).await.unwrap().is_empty(), "their end is journaled once");
    assert_eq!(verdicts(&settle(&store, &late).await.unwrap()), ["alert", "alert"]);
    assert_eq!((store.alert_counts().queued, store.alert_counts().failed), (0, 2));
    store.append(vec![call_at("c", subscriber(1), late.now)]).await.unwrap();
    let settled = settle(&store, &late).await.unwrap();
    assert_eq!(verdicts(&settled), ["send detail"]);
    assert_eq!(settled.outcomes[0].alerts[0].told[0].count, 2);
    let timeline = store.timeline(subscriber(1), 10).await.unwrap();
    assert_eq!(timeline.iter().map(|entry| entry.event.as_str()).collect::<Vec<_>>(), ["call", "dropped", "call"]);
    store.close().await;
}

#[tokio::test]
async fn the_longest_waiting_alerts_leave_first_and_no_more_than_there_is_room_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, (0..10).map(subscriber)).await;
    happen(&store, (0..10).map(|n| call(&n.to_string(), subscriber(n))).collect()).await;
    let first = store.lease(4, &context(now())).await.unwrap();
    assert_eq!(first.iter().map(|submit| submit.alert.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let later = SubmitOutcome::Later { status: 0x58, avoid: None, after: Duration::from_secs(5) };
    let throttled = Event::Submitted { alert: first[0].alert, attempt: 1, outcome: later };
    happen(&store, vec![throttled]).await;
    let rest = store.lease(10, &context(now())).await.unwrap();
    assert_eq!(rest.iter().map(|submit| submit.alert.0).collect::<Vec<_>>(), [5, 6, 7, 8, 9, 10]);
    let again = store.lease(10, &context(now() + Duration::from_secs(5))).await.unwrap();
    assert_eq!(again.iter().map(|submit| (submit.alert.0, submit.attempt)).collect::<Vec<_>>(), [(1, 2)]);
    store.close().await;
}

#[tokio::test]
async fn boxes_that_are_due_are_found_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(1)]).await;
    happen(&store, vec![call("a", subscriber(1))]).await;
    let submits = store.lease(1, &context(now())).await.unwrap();
    let held = happen(&store, vec![call("b", subscriber(1)), accepted(&submits[0], &["1"]), receipt("1", None)]).await;
    assert_eq!(verdicts(&held), ["held alert_pending", "alert", "alert"]);
    assert!(store.due(now(), 10, true).await.unwrap().is_empty());
    let later = now() + Duration::from_secs(60);
    assert_eq!(store.due(later, 10, false).await.unwrap(), [subscriber(1)]);
    let settled = look(&store, vec![subscriber(1)], &context(later)).await;
    assert_eq!((verdicts(&settled), settled.queued), (vec!["send detail".to_owned()], 1));
    assert!(store.due(later, 10, true).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn what_waits_for_the_database_is_found_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append(vec![reply(prospect(1), "KT")]).await.unwrap();
    let abnormal = Context { database: Database::Abnormal, ..context(now()) };
    assert_eq!(verdicts(&settle(&store, &abnormal).await.unwrap()), ["reply deferred"]);
    assert!(store.due(now(), 10, false).await.unwrap().is_empty());
    assert_eq!(store.due(now(), 10, true).await.unwrap(), [prospect(1)]);
    let settled = look(&store, vec![prospect(1)], &context(now())).await;
    assert_eq!(verdicts(&settled), ["reply subscribed"]);
    assert!(store.due(now(), 10, true).await.unwrap().is_empty());
    assert_eq!((store.subscriber_count(), store.subscriber(prospect(1)).await.unwrap().is_some()), (1, true));
    store.close().await;
}

#[tokio::test]
async fn a_fetch_is_charged_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    happen(&store, vec![call("a", prospect(1))]).await;
    let settled = happen(&store, vec![reply(prospect(1), "C"), reply(prospect(1), "C")]).await;
    assert_eq!(verdicts(&settled), ["reply granted", "reply already_fetched"]);
    store.close().await;
    let store = open(dir.path());
    let charges = store.charges(prospect(1)).await.unwrap();
    assert_eq!((charges.len(), charges[0].called), (1, prospect(1)));
    assert!(store.charges(prospect(2)).await.unwrap().is_empty());
    store.close().await;
}

#[tokio::test]
async fn subscribers_come_and_go_and_the_registry_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, (0..5).map(subscriber)).await;
    assert!(store.delete_subscriber(subscriber(2)).await.unwrap());
    assert!(!store.delete_subscriber(subscriber(2)).await.unwrap());
    let settled =
        happen(&store, vec![call("a", subscriber(1)), call("b", subscriber(2)), reply(subscriber(3), "QX")]).await;
    assert_eq!(verdicts(&settled), ["send detail", "nothing outside_ranges", "reply unsubscribed"]);
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.subscriber_count(), 3);
    let page = store.subscribers(Some(subscriber(0)), 2).await.unwrap();
    assert_eq!(page.iter().map(|one| one.number).collect::<Vec<_>>(), [subscriber(1), subscriber(4)]);
    store.close().await;
}

#[tokio::test]
async fn a_reply_in_parts_is_collected_over_a_restart_and_read_once() {
    for (first, second) in [((1, "HE"), (2, "LP")), ((2, "LP"), (1, "HE"))] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let half = |(number, text)| half(prospect(1), number, text);
        let parts = vec![half(first), half(first), support::half(prospect(2), 1, "R")];
        assert_eq!(verdicts(&happen(&store, parts).await), ["reply waiting", "nothing no_change", "reply waiting"]);
        store.close().await;
        let store = open(dir.path());
        assert_eq!(
            verdicts(&happen(&store, vec![half(second), half(second)]).await),
            ["reply help", "nothing no_change"]
        );
        assert_eq!(store.lease(10, &context(now())).await.unwrap().len(), 1, "answered once");
        // The other person's second part never comes.
        let later = now() + routing::PARTS_WAIT;
        assert_eq!(store.due(later - Duration::from_millis(1), 10, false).await.unwrap(), []);
        let due = store.due(later, 10, false).await.unwrap();
        assert_eq!(due, [prospect(1), prospect(2)]);
        let looked = verdicts(&look(&store, due, &context(later)).await);
        assert_eq!(looked, ["nothing nothing_to_tell", "reply refused"]);
        store.close().await;
    }
}
