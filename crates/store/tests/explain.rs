//! What is explained is what is then decided, and explaining changes nothing: in a store that is alone, and in a database.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{MissedCall, Msisdn, Secret, Submit, Timestamp};
use routing::{Condition, Database, Event, List, Policy, Ranges, Resend, Subscriber, SubscriberStatus};
use store::{
    Context, DatabaseHealth, Embedded, EmbeddedSettings, HandOver, ListEntry, PostgresSettings, Retention, Settled,
    Step, Store,
};
use support::{accepted, call, now, prospect, rare, receipt, reply, settings, subscriber, verdicts};
use throwaway_postgres::Cluster;

#[expect(clippy::disallowed_methods, reason = "a test's clock")]
fn clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// One alert a day, no interval, and a range in which it is always night.
fn policy() -> Policy {
    let mut policy = support::policy();
    policy.limits.daily_cap = 1;
    policy.limits.min_interval = Duration::ZERO;
    let ranges = "north=8613700000000-8613700999999:3;south=86136*:1000000;night=86134*:5?quiet=00:01-00:00";
    Policy { ranges: Ranges::parse(ranges).unwrap(), ..policy }
}

fn context(database: Database) -> Context {
    Context { policy: Arc::new(policy()), database, now: now() }
}

/// Journals events and settles them.
async fn happen(store: &HandOver, database: Database, events: Vec<Event>) -> Settled {
    happen_at(store, &context(database), events).await
}

async fn happen_at(store: &HandOver, context: &Context, events: Vec<Event>) -> Settled {
    let mut left = events.len();
    store.local().append(events).await.unwrap();
    let mut settled = Settled::default();
    while left > 0 {
        let batch = store.local().next(100).await;
        left = left.saturating_sub(batch.len());
        settled.outcomes.extend(store.settle(batch, context.clone()).await.unwrap().outcomes);
    }
    settled
}

/// Everything that explaining could have changed.
async fn everything(store: &HandOver, called: Msisdn) -> String {
    let usage = store.usage().await.unwrap();
    let timeline = store.timeline(called, 100).await.unwrap();
    let subscriber = store.subscriber(called).await.unwrap();
    format!("{usage:?} {timeline:?} {subscriber:?} {:?} {}", store.alert_counts(), store.local().backlog())
}

/// Asks what would become of a call, looks whether that changed anything, lets the call happen, and compares.
async fn expect(store: &HandOver, database: Database, called: Msisdn, words: &str) {
    let id = format!("{} {words}", called.as_u64());
    let event = call(&id, called);
    let Event::Call(missed) = &event else { unreachable!("a call is one") };
    let before = if database == Database::Normal { everything(store, called).await } else { String::new() };
    let asked: MissedCall = missed.clone();
    let explained = store.explain(asked.clone(), context(database)).await.unwrap();
    let again = store.explain(asked, context(database)).await.unwrap();
    assert_eq!((again.verdict, &again.alerts), (explained.verdict, &explained.alerts), "asked twice");
    if database == Database::Normal {
        assert_eq!(everything(store, called).await, before, "{words}: nothing changed");
    }
    let settled = happen(store, database, vec![event.clone()]).await;
    assert_eq!(verdicts(&settled), [words]);
    let outcome = &settled.outcomes[0];
    assert_eq!((explained.verdict, &explained.alerts), (outcome.verdict, &outcome.alerts), "{words}");
    assert!(!explained.because.is_empty());
}

/// Every answer that a call may have, one after another.
async fn every_answer(store: &HandOver) {
    use Database::{Abnormal, Normal};
    let registered =
        |n, status, paused_until| Subscriber { status, paused_until, ..Subscriber::new(subscriber(n), now()) };
    let people = vec![
        registered(1, SubscriberStatus::Active, None),
        registered(2, SubscriberStatus::Active, Some(now() + Duration::from_secs(3_600))),
        registered(3, SubscriberStatus::Suspended, None),
        registered(7, SubscriberStatus::Active, None),
        registered(8, SubscriberStatus::Active, None),
        registered(10, SubscriberStatus::Active, None),
    ];
    store.put_subscribers(people).await.unwrap();
    let entry = ListEntry { number: prospect(5), list: List::DoNotContact, source: "api".to_owned(), at: now() };
    store.put_listed(vec![entry]).await.unwrap();
    happen(store, Normal, vec![reply(prospect(4), "R")]).await;

    expect(store, Normal, subscriber(1), "send detail").await;
    expect(store, Normal, subscriber(1), "joined detail").await;
    expect(store, Normal, subscriber(2), "held paused").await;
    expect(store, Normal, subscriber(3), "nothing suspended").await;
    expect(store, Normal, prospect(4), "nothing refused").await;
    expect(store, Normal, prospect(5), "nothing do_not_contact").await;
    expect(store, Normal, prospect(6), "send teaser").await;
    expect(store, Normal, prospect(6), "joined teaser").await;
    for n in 1..=3 {
        expect(store, Normal, rare(n), "send teaser").await;
    }
    expect(store, Normal, rare(4), "nothing quota_used_up").await;
    expect(store, Normal, Msisdn::try_from(8_613_500_000_001).unwrap(), "nothing outside_ranges").await;
    expect(store, Normal, Msisdn::try_from(8_613_400_000_001).unwrap(), "nothing quiet_hours").await;
    // One that arrived: the day is full.
    expect(store, Normal, subscriber(7), "send detail").await;
    let submits = store.lease(100, &context(Normal)).await.unwrap();
    let to = |called| submits.iter().find(|submit| submit.destination == called).unwrap();
    happen(store, Normal, vec![accepted(to(subscriber(7)), &["77"]), receipt("77", Some(subscriber(7)))]).await;
    expect(store, Normal, subscriber(7), "nothing daily_cap").await;
    said_again(store, to(subscriber(1))).await;
    // The last, since what is decided alone is then to be handed over.
    expect(store, Abnormal, subscriber(10), "send fallback").await;
    expect(store, Abnormal, prospect(9), "nothing abnormal_not_registered").await;
}

/// A message that is sent again is one more of its kind, on the person's timeline, and no call's once the earlier one has arrived.
async fn said_again(store: &HandOver, submit: &Submit) {
    let called = submit.destination;
    happen(store, Database::Normal, vec![accepted(submit, &["11"])]).await;
    let timeline = store.timeline(called, 100).await.unwrap();
    let earlier = timeline[0].alerts[0].alert.clone().unwrap();
    let wanted = Resend::of(&earlier, now(), "user:anna".to_owned()).unwrap();
    assert_eq!((wanted.told.len(), wanted.lost_at), (1, None), "it may arrive yet");
    let settled = happen(store, Database::Normal, vec![Event::Resend(wanted.clone())]).await;
    assert_eq!(verdicts(&settled), ["nothing daily_cap"], "the day has one already");
    let strangers = Resend { called: subscriber(8), ..wanted.clone() };
    let settled = happen(store, Database::Normal, vec![Event::Resend(strangers)]).await;
    assert_eq!(verdicts(&settled), ["nothing no_change"], "it was another person's");

    happen(store, Database::Normal, vec![receipt("11", Some(called))]).await;
    let tomorrow = Context { now: now() + support::DAY, ..context(Database::Normal) };
    let settled = happen_at(store, &tomorrow, vec![Event::Resend(wanted)]).await;
    assert_eq!(verdicts(&settled), ["send detail"]);
    let made = &settled.outcomes[0].alerts[0];
    assert_eq!((&made.text, made.told.len()), (&earlier.text, 0), "the earlier one told its calls meanwhile");
    let timeline = store.timeline(called, 100).await.unwrap();
    let last = timeline.iter().find(|entry| entry.event.as_str() == "resend" && !entry.alerts.is_empty()).unwrap();
    assert_eq!(last.alerts[0].id, made.id);
}

#[tokio::test]
async fn what_is_explained_is_what_is_decided_in_a_store_that_is_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = HandOver::alone(Embedded::open(settings(dir.path()), now()).unwrap());
    every_answer(&store).await;
    store.local().clone().close().await;
}

async fn beside(dir: &Path, url: &str) -> (HandOver, DatabaseHealth, tokio::task::JoinHandle<()>) {
    let local = Embedded::open(EmbeddedSettings { shared: true, ..settings(dir) }, clock()).unwrap();
    let health = DatabaseHealth::starting(clock);
    let database = PostgresSettings {
        url: Secret::new(url.to_owned()),
        ca: None,
        node_name: "test".to_owned(),
        pool: 2,
        interval: Duration::from_millis(100),
        timeout: Duration::from_secs(10),
        migrate: true,
        lease: Duration::from_secs(600),
        retention: Retention::of(support::DAY * 30),
    };
    let store = HandOver::beside(local, database, health.clone(), clock).await.unwrap();
    let probe = tokio::spawn(store.clone().probe());
    while health.now().machine.condition() != Condition::Normal || store.is_behind() {
        if store.hand_over(&context(health.decides_by())).await.unwrap() != Step::Moved {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    (store, health, probe)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_explained_is_what_is_decided_by_a_database() {
    let cluster = Cluster::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let (store, _health, probe) = beside(dir.path(), &cluster.database()).await;
    every_answer(&store).await;
    probe.abort();
    store.local().clone().close().await;
}
