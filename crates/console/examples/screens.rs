//! Serves the console over made-up figures, to look at pages while they are written: `cargo run -p console --example screens [ADDRESS:PORT]`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for whoever writes pages")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::access::Local;
use console::audit::{Action, Entry};
use console::{
    Access, AnswerView, Audit, ChangeView, ClosedView, Condition, DatabaseStatus, Handles, JournalView, LinkReading,
    LinkView, LogView, Operators, Reading, ReloadView, Series, SettingView, Spread, Status, SystemView, Waiting,
};
use model::{
    CallId, Caller, MissedCall, Msisdn, Numbering, Reason, Receipt, ReceiptState, Reply, ShortNumber, SmscName, Source,
    Submit, SubmitOutcome, Timestamp,
};
use routing::text::Texts;
use routing::{Condition as Health, Database, Event, Policy, Ranges, Service, Subscriber};
use store::{Context, Embedded, EmbeddedSettings, HandOver, Store as _};
use tokio::sync::broadcast;

const BOUNDS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];

#[expect(clippy::disallowed_methods, reason = "a tool that is a program of its own")]
fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}

fn policy() -> Policy {
    let ranges = Ranges::parse(
        "north=8613900000000-8613900999999:900?quiet=21:00-08:00&consent=none;\
         south=86138*:200000@2026-11-01/2027-03-01?time_zone=Asia/Urumqi&language=zh-CN;\
         trial=8615500000000-8615500009999:3;spring=86137*:100@2027-03-01/2028-03-01",
    )
    .unwrap();
    Policy { ranges, ..Policy::new(Service::new(ShortNumber::parse("12599").unwrap()), Texts::shipped().unwrap()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let dir = std::env::temp_dir().join(format!("afterring-screens-{}", std::process::id()));
    let audit = Audit::open(dir.join("audit"), Duration::from_secs(86_400)).unwrap();
    let settings = EmbeddedSettings::new(dir, Duration::from_secs(40 * 86_400));
    let store = HandOver::alone(Embedded::open(settings, now() - Duration::from_secs(30 * 86_400)).unwrap());
    let live = broadcast::Sender::new(64);
    let policy = Arc::new(policy());
    past(&store, &policy).await;
    happened(&audit).await;
    tokio::spawn(calls(store.clone(), Arc::clone(&policy), live.clone()));
    let operators = operators(store, policy, live, audit);
    let router = console::router(operators);
    let listener = tokio::net::TcpListener::bind(&listen).await.unwrap();
    println!("http://{}/flow", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// Some weeks of calls, more on some days than on others.
async fn past(store: &HandOver, policy: &Arc<Policy>) {
    for day in (1..=25_u64).rev() {
        let at = now() - Duration::from_secs(day * 86_400);
        let calls = (0..20 + day * 7 % 17).map(|n| {
            let range = [8_613_900_000_000, 8_613_800_000_000, 8_615_500_000_000, 8_618_600_000_000][n as usize % 4];
            let called = Msisdn::try_from(range + day * 100 + n).unwrap();
            Event::Call(MissedCall {
                id: CallId::parse(&format!("past-{day}-{n}")).unwrap(),
                caller: Caller::Withheld,
                called,
                at,
                reason: Reason::Busy,
                service_number: None,
                source: Source::Http,
            })
        });
        store.local().append(calls.collect()).await.unwrap();
        let batch = store.local().next(100).await;
        let context = Context { policy: Arc::clone(policy), database: Database::Normal, now: at };
        store.settle(batch, context).await.unwrap();
    }
}

/// What the audit log tells.
async fn happened(audit: &Audit) {
    let start = now() - Duration::from_secs(3_600);
    audit.note(Entry::gateway(start, Action::Started)).await.unwrap();
    let closed = Entry::gateway(start, Action::LinkClosed).about("south/trx1").detail("the SMSC closed the connection");
    audit.note(closed).await.unwrap();
    for minute in 1..120_u64 {
        let at = start + Duration::from_secs(minute * 20);
        let (who, action) =
            if minute % 3 == 0 { ("user:anna", Action::Registered) } else { ("user:bert", Action::LogLevel) };
        let entry = Entry::by(who.to_owned(), at, action).about("+8613800000001");
        audit.note(entry.because(Some("ticket 4711, as the customer asked".to_owned()))).await.unwrap();
    }
}

/// Misses some calls a second, of five people.
async fn calls(store: HandOver, policy: Arc<Policy>, live: broadcast::Sender<Arc<Vec<store::Outcome>>>) {
    let numbers = ["8613900000001", "8613900000002", "8613800000001", "8613800000002", "8615500000001"];
    let numbers = numbers.map(|digits| Msisdn::international(digits).unwrap());
    for number in &numbers[2..4] {
        store.put_subscriber(Subscriber::new(*number, now())).await.unwrap();
    }
    for turn in 0_usize.. {
        let called = numbers[turn % numbers.len()];
        let caller = if turn % 7 == 3 { Caller::Withheld } else { Caller::Number(numbers[(turn / 5 + turn) % 5]) };
        let reasons = [Reason::Busy, Reason::NoAnswer, Reason::Unreachable];
        let call = MissedCall {
            id: CallId::parse(&format!("made-up-{turn}")).unwrap(),
            caller,
            called,
            at: now(),
            reason: reasons[turn % 3],
            service_number: None,
            source: if turn % 2 == 0 { Source::Http } else { Source::Sip },
        };
        let mut events = vec![Event::Call(call)];
        if turn % 12 == 5 {
            events.push(Event::Reply(Reply {
                from: called,
                to: "12599".to_owned(),
                text: "C".to_owned(),
                part: None,
                smsc: SmscName("north".to_owned()),
                at: now(),
            }));
        }
        store.local().append(events).await.unwrap();
        let context = Context { policy: Arc::clone(&policy), database: Database::Normal, now: now() };
        let answers: Vec<Event> = store.lease(10, &context).await.unwrap().iter().flat_map(answered).collect();
        if !answers.is_empty() {
            store.local().append(answers).await.unwrap();
        }
        let settled = store.settle(store.local().next(20).await, context).await.unwrap();
        drop(live.send(Arc::new(settled.outcomes)));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// The SMSC takes everything, and delivers three of four.
fn answered(submit: &Submit) -> Vec<Event> {
    let (smsc, message_id) = (SmscName("north".to_owned()), format!("{:08x}", submit.alert.0));
    let outcome = SubmitOutcome::Accepted { smsc: smsc.clone(), message_ids: vec![message_id.clone()] };
    let mut events = vec![Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome }];
    if submit.alert.0 % 4 != 0 {
        events.push(Event::Receipt(Receipt {
            smsc,
            message_id,
            id_form: None,
            state: ReceiptState::Delivered,
            handset: None,
            error: "000".to_owned(),
            at: now(),
        }));
    }
    events
}

fn operators(
    store: HandOver,
    policy: Arc<Policy>,
    live: broadcast::Sender<Arc<Vec<store::Outcome>>>,
    audit: Audit,
) -> Operators {
    let started = now();
    let system = Arc::new(Mutex::new(system(started)));
    let (reloaded, logged) = (Arc::clone(&system), Arc::clone(&system));
    let turn = AtomicU64::new(0);
    Operators {
        store,
        numbering: Numbering::new("86", "0", "00"),
        status: Arc::new(move || status(started)),
        force: Arc::new(|_| Ok(())),
        policy: Arc::new(move || Arc::clone(&policy)),
        reading: Arc::new(move || reading(turn.fetch_add(1, Ordering::Relaxed))),
        live,
        system: Arc::new(move || system.lock().unwrap().clone()),
        order_link: Arc::new(|_| Ok(())),
        reload: Arc::new(move || {
            let view = ReloadView {
                at: now(),
                applied: vec!["ranges".to_owned()],
                needs_restart: vec!["smsc.urls".to_owned()],
                faults: Vec::new(),
            };
            reloaded.lock().unwrap().reloaded = Some(view.clone());
            view
        }),
        log: Arc::new(move |wish| {
            let (filter, until) = wish.map_or(("info".to_owned(), None), |wish| (wish.filter, Some(wish.until)));
            let view = LogView { filter, until };
            logged.lock().unwrap().log = view.clone();
            Ok(view)
        }),
        metrics: Arc::new(String::new),
        ready: Arc::new(|| {
            let condition = Condition {
                draining: false,
                journal_fault: None,
                links: 2,
                bound: 1,
                away: 0,
                ever_bound: true,
                database: Health::Normal,
            };
            condition.checks()
        }),
        clock: now,
        access: Access::unguarded(Local::Everybody, now),
        handles: Handles::passing().unwrap(),
        audit,
    }
}

/// A busy hour in which the database is away for twenty seconds of each minute.
fn reading(turn: u64) -> Reading {
    let wave = |scale: u64| turn * scale + (turn * 7_919) % 97 * scale / 100;
    let mut reading = Reading::none(now());
    let away = turn % 60 > 40;
    for (series, per_second) in [
        (Series::Calls, 1_000),
        (Series::Detail, if away { 0 } else { 420 }),
        (Series::Teaser, 180),
        (Series::Fallback, 25),
        (Series::Joined, 80),
        (Series::Nothing, 260),
        (Series::Submitted, 680),
        (Series::Accepted, 670),
        (Series::Delivered, 600),
        (Series::Undelivered, 12),
        (Series::Failed, 2),
        (Series::Replies, 30),
        (Series::Fetched, 18),
        (Series::Subscribed, 3),
        (Series::Unsubscribed, 1),
    ] {
        reading.set(series, wave(per_second));
    }
    let spread = |fast: u64| {
        let mut counts = vec![0; BOUNDS.len() + 1];
        counts[1] = turn * fast;
        counts[3] = turn * 40;
        counts[6] = turn * 3;
        Spread { bounds_ms: BOUNDS, counts }
    };
    reading.accept_to_submit = spread(900);
    reading.database_took = spread(300);
    reading.queued = Waiting { count: turn % 50, since: Some(now()) };
    reading.undelivered = Waiting { count: 2_400, since: Some(Timestamp::from_millis(now().as_millis() - 5_400_000)) };
    reading.unshared = if away { turn % 60 * 900 } else { 0 };
    reading.database = Some(if away { Health::Abnormal } else { Health::Normal });
    let link = |name: &str, bound| LinkReading {
        name: name.to_owned(),
        bound,
        submits: if bound { wave(680) } else { 12_000 },
        accepted: if bound { wave(670) } else { 11_900 },
        throttles: turn / 30,
        answers: spread(600),
    };
    reading.links = vec![link("north/trx1", true), link("south/trx1", false)];
    reading
}

fn status(started: Timestamp) -> Status {
    let link = |name: &str, state: &'static str, detail: Option<&str>| LinkView {
        name: name.to_owned(),
        smsc: name.split('/').next().unwrap_or_default().to_owned(),
        bind: "transceiver",
        state,
        since: Some(started),
        detail: detail.map(str::to_owned),
        ordered: None,
        last_closed: detail.map(|why| ClosedView {
            at: started,
            why: why.to_owned(),
            word: "peer_closed",
            detail: None,
            by: "peer",
        }),
        round_trip_us: Some(900),
        window: 100,
        in_flight: 37,
        rate: 800,
        slowed_to: None,
        throttled: false,
        throttled_ms: 1_200,
        answers: Some(AnswerView { count: 12_000, p50_ms: Some(12), p99_ms: Some(180) }),
        abilities: BTreeMap::from([("query_sm", "can"), ("cancel_sm", "can"), ("replace_sm", "unknown")]),
        counts: BTreeMap::from([("submits", 12_000), ("accepted", 11_900), ("refused", 20), ("disconnects", 2)]),
    };
    Status {
        database: DatabaseStatus {
            state: Health::Normal,
            forced: false,
            configured: true,
            since: started,
            reason: None,
            until: None,
            behind: false,
            quarantined: 0,
            changes: Vec::<ChangeView>::new(),
        },
        links: vec![
            link("north/trx1", "bound", None),
            link("south/trx1", "down", Some("the SMSC closed the connection")),
        ],
        sip: None,
        journal: JournalView { pending: 3 },
        counts: BTreeMap::from([("calls", 120_000), ("detail", 60_000)]),
    }
}

fn system(started: Timestamp) -> SystemView {
    let setting = |key: &str, value: &str, source: &str| SettingView {
        key: key.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
    };
    SystemView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        node: "msc-north-1".to_owned(),
        digest: "0f1e2d3c4b5a6978".to_owned(),
        settings: Arc::from([
            setting("database.url", "postgres://afterring:***@db1/afterring", "environment"),
            setting("alert.min_interval", "60s", "default"),
            setting("ranges", "north=…", "/etc/afterring/afterring.toml:12"),
        ]),
        reloaded: None,
        log: LogView { filter: "info".to_owned(), until: None },
    }
}
