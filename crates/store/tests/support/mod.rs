//! A store in a directory of its own, and events to put into it.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::{
    AlertId, CallId, Caller, MissedCall, Msisdn, Reason, Receipt, ReceiptState, Reply, ReplyPart, ShortNumber,
    SmscName, Source, Submit, SubmitOutcome, Timestamp,
};
use routing::text::Texts;
use routing::{Database, Event, Policy, Ranges, Service, Subscriber};
use store::{Context, Embedded, EmbeddedSettings, Settled, Store, StoreError};

pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

pub fn policy() -> Policy {
    let service = Service::new(ShortNumber::parse("12599").unwrap());
    let ranges = Ranges::parse("north=8613700000000-8613700999999:3;south=86136*:1000000").unwrap();
    Policy { ranges, ..Policy::new(service, Texts::shipped().unwrap()) }
}

pub fn context(now: Timestamp) -> Context {
    Context { policy: Arc::new(policy()), database: Database::Normal, now }
}

pub fn settings(dir: &Path) -> EmbeddedSettings {
    EmbeddedSettings { cache: 4 << 20, log: 1 << 20, ..EmbeddedSettings::new(dir.to_owned(), DAY * 30) }
}

pub fn open(dir: &Path) -> Embedded {
    Embedded::open(settings(dir), now()).unwrap()
}

/// A person registered in the tests that register them.
pub fn subscriber(n: u64) -> Msisdn {
    Msisdn::try_from(8_613_800_000_000 + n).unwrap()
}

/// A person in the range `south`, whose quota is large.
pub fn prospect(n: u64) -> Msisdn {
    Msisdn::try_from(8_613_600_000_000 + n).unwrap()
}

/// A person in the range `north`, whose quota is 3.
pub fn rare(n: u64) -> Msisdn {
    Msisdn::try_from(8_613_700_000_000 + n).unwrap()
}

pub async fn register(store: &Embedded, numbers: impl IntoIterator<Item = Msisdn>) {
    let registered = |number| Subscriber::new(number, now());
    store.put_subscribers(numbers.into_iter().map(registered).collect()).await.unwrap();
}

pub fn call(id: &str, called: Msisdn) -> Event {
    call_at(id, called, now())
}

pub fn call_at(id: &str, called: Msisdn, at: Timestamp) -> Event {
    Event::Call(MissedCall {
        id: CallId::parse(id).unwrap(),
        caller: Caller::Number(Msisdn::try_from(8_613_900_000_001).unwrap()),
        called,
        at,
        reason: Reason::Busy,
        service_number: None,
        source: Source::Http,
    })
}

pub fn reply(from: Msisdn, text: &str) -> Event {
    Event::Reply(Reply { from, to: "12599".to_owned(), text: text.to_owned(), part: None, smsc: smsc(), at: now() })
}

/// A part of message 7, which has two.
pub fn half(from: Msisdn, number: u8, text: &str) -> Event {
    let Event::Reply(whole) = reply(from, text) else { unreachable!("a reply is one") };
    Event::Reply(Reply { part: Some(ReplyPart { reference: 7, total: 2, number }), ..whole })
}

pub fn smsc() -> SmscName {
    SmscName("smsc1".to_owned())
}

pub fn accepted(submit: &Submit, ids: &[&str]) -> Event {
    let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    let outcome = SubmitOutcome::Accepted { smsc: smsc(), message_ids };
    Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome }
}

pub fn receipt(id: &str, handset: Option<Msisdn>) -> Event {
    let (smsc, message_id) = (smsc(), id.to_owned());
    Event::Receipt(Receipt {
        smsc,
        message_id,
        id_form: None,
        state: ReceiptState::Delivered,
        handset,
        error: String::new(),
        at: now(),
    })
}

/// The same receipt, but for something.
pub fn with(event: Event, change: impl FnOnce(&mut Receipt)) -> Event {
    let Event::Receipt(mut receipt) = event else { unreachable!("a receipt is one") };
    change(&mut receipt);
    Event::Receipt(receipt)
}

/// Journals events and settles all that is undecided, in one batch.
pub async fn happen(store: &Embedded, events: Vec<Event>) -> Settled {
    store.append(events).await.unwrap();
    settle(store, &context(now())).await.unwrap()
}

/// Settles all that is undecided, in one batch.
pub async fn settle(store: &Embedded, context: &Context) -> Result<Settled, StoreError> {
    let mut batch = Vec::new();
    while (batch.len() as u64) < store.backlog() {
        batch.extend(store.next(1_000).await);
    }
    store.settle(batch, context.clone()).await
}

/// Looks at these boxes, in one batch.
pub async fn look(store: &Embedded, called: Vec<Msisdn>, context: &Context) -> Settled {
    store.append(called.into_iter().map(|called| Event::Due { called }).collect()).await.unwrap();
    settle(store, context).await.unwrap()
}

/// The words of the verdicts, in order.
pub fn verdicts(settled: &Settled) -> Vec<String> {
    let words = |(what, why): (&str, &str)| format!("{what} {why}").trim_end().to_owned();
    settled.outcomes.iter().map(|outcome| words(outcome.verdict.words())).collect()
}

/// The state that an alert has in a person's timeline.
pub async fn state(store: &Embedded, called: Msisdn, id: AlertId) -> &'static str {
    let timeline = store.timeline(called, 1_000).await.unwrap();
    let mut alerts = timeline.iter().flat_map(|entry| &entry.alerts);
    alerts.find(|alert| alert.id == id).unwrap().alert.as_ref().unwrap().state.as_str()
}
