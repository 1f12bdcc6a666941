//! Updates of alerts that an SMSC has: wanted, leased, owed an outcome whatever happens, and found again by their old and new ids.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{NoAnswer, SmscName, UpdateMode, UpdateOrder, UpdateOutcome, UpdateWay};
use routing::{Database, Event, Policy, Updates};
use store::{Context, Embedded, Store};
use support::*;

fn updated(order: &UpdateOrder, outcome: UpdateOutcome) -> Event {
    Event::Updated { alert: order.alert, attempt: order.attempt, outcome }
}

const REPLACED: UpdateOutcome = UpdateOutcome::Replaced { message_id: None };

/// A store in which the SMSC has an alert of a subscriber, and another call came since.
async fn wanted(dir: &Path) -> Embedded {
    let store = open(dir);
    register(&store, [subscriber(1)]).await;
    happen(&store, vec![call("a", subscriber(1))]).await;
    let submits = store.lease(10, &context(now())).await.unwrap();
    happen(&store, vec![accepted(&submits[0], &["77"])]).await;
    assert!(store.lease_updates(10, &context(now())).await.unwrap().is_empty(), "nothing to add yet");
    assert_eq!(verdicts(&happen(&store, vec![call("b", subscriber(1))]).await), ["held updating"]);
    store
}

async fn leased(store: &Embedded) -> UpdateOrder {
    let mut orders = store.lease_updates(10, &context(now())).await.unwrap();
    assert_eq!(orders.len(), 1);
    assert!(store.lease_updates(10, &context(now())).await.unwrap().is_empty(), "leased once");
    orders.remove(0)
}

#[tokio::test]
async fn a_wanted_update_is_leased_once_and_its_outcome_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = wanted(dir.path()).await;
    assert!(store.lease_updates(0, &context(now())).await.unwrap().is_empty());
    let order = leased(&store).await;
    assert_eq!((order.destination, order.attempt, order.way), (subscriber(1), 1, UpdateWay::Replace));
    assert_eq!((order.message_ids.as_slice(), order.smsc.clone()), (&["77".to_owned()][..], smsc()));
    assert!(order.before.starts_with("1 missed call") && order.text != order.before, "{order:?}");
    assert_eq!(verdicts(&happen(&store, vec![updated(&order, REPLACED)]).await), ["alert"]);
    assert_eq!(verdicts(&happen(&store, vec![updated(&order, REPLACED)]).await), ["nothing no_change"]);
    assert_eq!(verdicts(&happen(&store, vec![receipt("77", None)]).await), ["alert"]);
    assert_eq!(state(&store, subscriber(1), order.alert).await, "delivered");
    assert!(store.lease(10, &context(now() + DAY)).await.unwrap().is_empty(), "all calls are told");
    store.close().await;
}

#[tokio::test]
async fn receipts_match_under_the_old_id_and_under_the_new_one_also_when_they_come_before_the_answer() {
    for id in ["77", "88"] {
        for early in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let store = wanted(dir.path()).await;
            let order = leased(&store).await;
            let outcome = updated(&order, UpdateOutcome::Replaced { message_id: Some("88".to_owned()) });
            let receipt = receipt(id, Some(subscriber(1)));
            let events = if early { [receipt, outcome] } else { [outcome, receipt] };
            for event in events {
                happen(&store, vec![event]).await;
            }
            assert_eq!(state(&store, subscriber(1), order.alert).await, "delivered", "{id} {early}");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn what_was_taken_back_is_sent_anew_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = wanted(dir.path()).await;
    let order = leased(&store).await;
    let settled = happen(&store, vec![updated(&order, UpdateOutcome::Cancelled)]).await;
    assert_eq!(settled.queued, 1);
    let counts = store.alert_counts();
    assert_eq!((counts.superseded, counts.queued, counts.accepted), (1, 1, 0));
    let submits = store.lease(10, &context(now())).await.unwrap();
    assert_eq!((submits.len(), &submits[0].text), (1, &order.text));
    store.close().await;
}

#[tokio::test]
async fn an_update_that_was_asked_when_the_program_died_is_in_doubt_and_asked_again() {
    for answered in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = wanted(dir.path()).await;
        let order = leased(&store).await;
        if answered {
            store.append(vec![updated(&order, REPLACED)]).await.unwrap();
        }
        store.close().await;

        let store = open(dir.path());
        assert_eq!(store.backlog(), 1, "one outcome, journaled or made up");
        settle(&store, &context(now())).await.unwrap();
        let later = context(now() + Duration::from_secs(3_600));
        let again = store.lease_updates(10, &later).await.unwrap();
        if answered {
            assert!(again.is_empty());
        } else {
            let known: Vec<_> = again.iter().map(|again| (again.alert, again.attempt, again.doubtful)).collect();
            assert_eq!(known, [(order.alert, 2, true)]);
        }
        store.close().await;
    }
}

#[tokio::test]
async fn an_update_is_wanted_also_in_the_next_life() {
    let dir = tempfile::tempdir().unwrap();
    let store = wanted(dir.path()).await;
    store.close().await;
    let store = open(dir.path());
    assert_eq!((store.backlog(), leased(&store).await.attempt), (0, 1));
    store.close().await;
}

#[tokio::test]
async fn a_teasers_update_waits_while_the_database_is_abnormal_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let sent =
        |settled: store::Settled| settled.outcomes.into_iter().flat_map(|outcome| outcome.alerts).next().unwrap();
    let asked = Context {
        policy: Arc::new(Policy {
            updates: Updates { usual: UpdateMode::New, by_smsc: [(smsc(), UpdateMode::Replace)].into() },
            ..policy()
        }),
        ..context(now())
    };
    assert_eq!(asked.policy.updates.mode(&SmscName("other".to_owned())), UpdateMode::New);
    let teaser = sent(happen(&store, vec![call("a", prospect(1))]).await);
    let submits = store.lease(10, &asked).await.unwrap();
    assert_eq!(submits[0].alert, teaser.id);
    happen(&store, vec![accepted(&submits[0], &["77"])]).await;
    store.append(vec![call("b", prospect(1))]).await.unwrap();
    let settled = settle(&store, &asked).await.unwrap();
    let wants = settled.outcomes[0].alerts.iter().any(|alert| alert.update_wanted_at().is_some());
    let abnormal = Context { database: Database::Abnormal, ..asked.clone() };
    assert!(store.lease_updates(10, &abnormal).await.unwrap().is_empty());
    let orders = store.lease_updates(10, &asked).await.unwrap();
    assert_eq!(orders.len(), usize::from(wants), "{:?}", verdicts(&settled));
    assert!(orders.iter().all(|order| order.way == UpdateWay::Replace), "a teaser is only replaced");
    store.close().await;
}

#[tokio::test]
async fn what_is_put_off_is_asked_again_and_given_up_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = wanted(dir.path()).await;
    let order = leased(&store).await;
    happen(&store, vec![updated(&order, UpdateOutcome::NotNow)]).await;
    assert!(store.lease_updates(10, &context(now())).await.unwrap().is_empty(), "a little later");
    let later = context(now() + Duration::from_secs(30));
    let again = store.lease_updates(10, &later).await.unwrap();
    assert_eq!((again[0].attempt, again[0].doubtful), (2, false));
    store.append(vec![updated(&again[0], UpdateOutcome::InDoubt(NoAnswer::Timeout))]).await.unwrap();
    settle(&store, &later).await.unwrap();
    store.append(vec![receipt("77", None)]).await.unwrap();
    settle(&store, &later).await.unwrap();
    assert_eq!(state(&store, subscriber(1), order.alert).await, "delivered");
    store.close().await;
}
