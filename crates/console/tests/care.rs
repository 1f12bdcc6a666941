//! What customer care asks and does over the operators' API: why, the whole way of one call, the same message again, a pause.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use console::router;
use model::{
    CallId, Caller, MissedCall, Msisdn, Reason, Receipt, ReceiptState, Reply, ShortNumber, SmscName, Source,
    SubmitOutcome, Timestamp,
};
use routing::text::Texts;
use routing::{Database, Event, Policy, Ranges, Service};
use serde_json::{Value, json};
use store::{Context, Embedded, EmbeddedSettings, HandOver, Outcome, Store as _};
use support::{Answer, ask, get, serve};
use tokio::sync::broadcast;

const ANNA: &str = "+8613800000001";

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

fn policy() -> Policy {
    let service = Service::new(ShortNumber::parse("12599").unwrap());
    let ranges = Ranges::parse("south=86136*:10").unwrap();
    Policy { ranges, ..Policy::new(service, Texts::shipped().unwrap()) }
}

fn context() -> Context {
    Context { policy: Arc::new(policy()), database: Database::Normal, now: noon() }
}

fn call(id: &str, called: &str) -> Event {
    Event::Call(MissedCall {
        id: CallId::parse(id).unwrap(),
        caller: Caller::Number(Msisdn::international("+8613900000009").unwrap()),
        called: Msisdn::international(called).unwrap(),
        at: noon(),
        reason: Reason::Busy,
        service_number: None,
        source: Source::Sip,
    })
}

struct Gateway {
    address: SocketAddr,
    store: HandOver,
    live: broadcast::Sender<Arc<Vec<Outcome>>>,
    /// Whether the gateway takes its database for away.
    away: Arc<AtomicBool>,
    _dir: tempfile::TempDir,
}

impl Gateway {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(86_400));
        let store = HandOver::alone(Embedded::open(settings, noon()).unwrap());
        let mut operators = support::operators(store.clone(), policy(), noon);
        let (live, away) = (operators.live.clone(), Arc::new(AtomicBool::new(false)));
        let (usual, is_away) = (Arc::clone(&operators.status), Arc::clone(&away));
        operators.status = Arc::new(move || {
            let mut status = usual();
            status.database.configured = true;
            status.database.behind = is_away.load(Ordering::SeqCst);
            status
        });
        Self { address: serve(router(operators)).await, store, live, away, _dir: dir }
    }

    /// Decides the next journaled events, as the pump does, and tells everyone.
    async fn decide(&self) {
        self.decide_after(0).await;
    }

    /// The same so many minutes after noon.
    async fn decide_after(&self, minutes: u64) {
        let batch = self.store.local().next(100).await;
        let now = noon() + Duration::from_secs(60 * minutes);
        let settled = self.store.settle(batch, Context { now, ..context() }).await.unwrap();
        drop(self.live.send(Arc::new(settled.outcomes)));
    }

    async fn happen(&self, event: Event) {
        self.store.local().append(vec![event]).await.unwrap();
        self.decide().await;
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        ask(self.address, "POST", path, "", &body.to_string()).await
    }

    /// A call of Anna's, told, delivered and answered.
    async fn a_whole_way(&self) {
        ask(self.address, "PUT", &format!("/v1/subscribers/{ANNA}"), "", "{}").await;
        self.happen(call("c1", ANNA)).await;
        self.happen(call("c2", ANNA)).await;
        let submit = self.store.lease(1, &context()).await.unwrap().remove(0);
        let smsc = SmscName("north".to_owned());
        let outcome = SubmitOutcome::Accepted { smsc: smsc.clone(), message_ids: vec!["77".to_owned()] };
        self.happen(Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome }).await;
        let receipt = Receipt {
            smsc: smsc.clone(),
            message_id: "77".to_owned(),
            id_form: None,
            state: ReceiptState::Delivered,
            handset: None,
            error: "000".to_owned(),
            at: noon(),
        };
        self.happen(Event::Receipt(receipt)).await;
        let (from, to, text) = (Msisdn::international(ANNA).unwrap(), "12599".to_owned(), "HELP".to_owned());
        self.happen(Event::Reply(Reply { from, to, text, part: None, smsc, at: noon() })).await;
    }
}

fn whats(ladder: &Value) -> Vec<&str> {
    ladder["rungs"].as_array().unwrap().iter().map(|rung| rung["what"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_call_is_shown_from_the_core_network_to_the_reply() {
    let gateway = Gateway::start().await;
    gateway.a_whole_way().await;
    let answer = get(gateway.address, &format!("/v1/subscribers/{ANNA}/calls/1")).await;
    let ladder = answer.json();
    let expected = ["call", "decision", "alert", "sent", "accepted", "receipt", "delivered", "joined", "reply"];
    assert_eq!(whats(&ladder), expected);
    let rungs = &ladder["rungs"];
    assert_eq!(rungs[0]["facts"], json!({ "id": "c1", "caller": "+8613900000009", "reason": "busy", "source": "sip" }));
    assert_eq!(rungs[1]["facts"], json!({ "verdict": "send", "why": "detail", "database": "normal" }));
    let (alert, accepted) = (&rungs[2]["facts"], &rungs[4]["facts"]);
    assert_eq!((&alert["kind"], &alert["parts"], &alert["originator"]), (&json!("detail"), &json!(1), &json!("12599")));
    assert_eq!(*accepted, json!({ "smsc": "north", "message_ids": "77" }));
    assert_eq!(rungs[5]["facts"], json!({ "part": 1, "state": "delivered", "error": "000" }));
    assert_eq!((&rungs[7]["facts"]["seq"], &rungs[8]["facts"]["text"]), (&json!(2), &json!("HELP")));

    let timeline = get(gateway.address, &format!("/v1/subscribers/{ANNA}/timeline")).await.json();
    let trail = timeline["entries"][0]["alerts"][0]["trail"].as_array().unwrap().len();
    assert_eq!(trail, 5);
    for gone in ["99", "3"] {
        let answer = get(gateway.address, &format!("/v1/subscribers/{ANNA}/calls/{gone}")).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (404, true), "{gone}");
    }
    assert_eq!(get(gateway.address, &format!("/v1/subscribers/{ANNA}/calls/first")).await.status, 400);
}

#[tokio::test]
async fn a_message_is_sent_again_once_a_minute_with_what_became_of_it() {
    let gateway = Gateway::start().await;
    gateway.a_whole_way().await;
    let timeline = gateway.store.timeline(Msisdn::international(ANNA).unwrap(), 10).await.unwrap();
    let first = timeline[0].alerts[0].alert.clone().unwrap();
    let path = format!("/v1/subscribers/{ANNA}/resend");
    let wish = json!({ "alert": first.id.0, "reason": "she deleted it" });
    let (answer, ()) = tokio::join!(gateway.post(&path, &wish), gateway.decide());
    let became = answer.json();
    assert_eq!(
        (answer.status, &became["state"], &became["what"], &became["why"]),
        (202, &json!("decided"), &json!("send"), &json!("detail"))
    );
    let again =
        gateway.store.lease(9, &context()).await.unwrap().into_iter().find(|one| one.alert.0 == became["alert"]);
    assert_eq!(again.map(|submit| (submit.text, submit.destination)), Some((first.text, first.to)));
    let (answer, ()) = tokio::join!(gateway.post(&path, &wish), gateway.decide());
    assert_eq!((answer.status, &answer.json()["why"]), (202, &json!("duplicate")));
    for (wish, status) in [
        (json!({ "alert": 4_711, "reason": "no such one" }), 404),
        (json!({ "alert": first.id.0, "reason": " " }), 400),
        (json!({ "alert": first.id.0 }), 400),
    ] {
        let answer = gateway.post(&path, &wish).await;
        assert_eq!((answer.status, answer.json()["error"].is_string()), (status, true), "{wish}");
    }
    let of_another = gateway.post("/v1/subscribers/+8613800000002/resend", &wish).await;
    assert_eq!(of_another.status, 404, "a message is its reader's alone");
}

#[tokio::test]
async fn what_would_be_decided_is_told_with_its_reasons_and_nothing_happens() {
    let gateway = Gateway::start().await;
    ask(gateway.address, "PUT", &format!("/v1/subscribers/{ANNA}"), "", "{}").await;
    let explain = async |asked: &str| get(gateway.address, &format!("/v1/explain?{asked}")).await;
    let told = explain("called=13800000001&caller=13900000009&reason=busy").await.json();
    assert_eq!(told["verdict"], json!({ "what": "send", "why": "detail" }));
    assert_eq!(
        (&told["called"], &told["caller"], &told["database"]),
        (&json!(ANNA), &json!("+8613900000009"), &json!("normal"))
    );
    assert_eq!((&told["alerts"][0]["kind"], &told["alerts"][0]["parts"]), (&json!("detail"), &json!(1)));
    assert!(told["alerts"][0]["coding"] == "ucs2" || told["alerts"][0]["coding"] == "gsm7");
    let facts = |told: &Value| -> Vec<String> {
        told["because"].as_array().unwrap().iter().map(|fact| fact["fact"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(facts(&told), ["database", "registered"]);
    let told = explain("called=13600000001&withheld=true").await.json();
    assert_eq!(told["verdict"], json!({ "what": "send", "why": "teaser" }));
    assert_eq!(facts(&told), ["database", "not_registered", "range", "quota"]);
    assert_eq!(
        (&told["range"]["name"], &told["because"][3]),
        (&json!("south"), &json!({ "fact": "quota", "used": 0, "quota": 10, "counted": false }))
    );
    let told = explain("called=13500000001").await.json();
    assert_eq!(told["verdict"], json!({ "what": "nothing", "why": "outside_ranges" }));
    for wrong in [
        "",
        "called=12",
        "called=13600000001&reason=bored",
        "called=13600000001&caller=x",
        "called=13600000001&withheld=true&caller=13900000009",
        "called=13600000001&service_number=x",
    ] {
        let answer = explain(wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let health = gateway.store.local().health();
    assert_eq!((health.backlog, health.alerts.queued, health.settled_through), (0, 0, 0), "nothing happened");
}

#[tokio::test]
async fn what_a_pause_holds_is_told_when_it_is_ended() {
    let gateway = Gateway::start().await;
    ask(gateway.address, "PUT", &format!("/v1/subscribers/{ANNA}"), "", "{}").await;
    let (pause, resume) = (format!("/v1/subscribers/{ANNA}/pause"), format!("/v1/subscribers/{ANNA}/resume"));
    let answer = gateway.post(&pause, &json!({ "for": "8h", "reason": "on holiday" })).await;
    assert_eq!((answer.status, &answer.json()["paused_until"]), (200, &json!("2026-11-23T12:00:00.000Z")));
    gateway.decide().await;
    gateway.happen(call("c1", ANNA)).await;
    assert_eq!(gateway.store.alert_counts().queued, 0);
    let answer = gateway.post(&resume, &json!({ "reason": "back" })).await;
    assert_eq!((answer.status, &answer.json()["paused_until"]), (200, &json!(null)));
    gateway.decide().await;
    assert_eq!(gateway.store.alert_counts().queued, 1, "what was held is told");
    let ladder = get(gateway.address, &format!("/v1/subscribers/{ANNA}/calls/2")).await.json();
    assert_eq!(whats(&ladder), ["call", "decision", "alert"], "by the alert that came later");
    for (path, wish, status) in [
        (&pause, json!({ "for": "900h", "reason": "for ever" }), 400),
        (&pause, json!({ "for": "8h" }), 400),
        (&resume, json!({ "reason": "" }), 400),
    ] {
        assert_eq!(gateway.post(path, &wish).await.status, status, "{wish}");
    }
    let answer = gateway.post("/v1/subscribers/+8613800000002/pause", &json!({ "for": "8h", "reason": "x" })).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn who_unregisters_is_not_registered_again_by_a_change() {
    let gateway = Gateway::start().await;
    let path = format!("/v1/subscribers/{ANNA}");
    let patch = async |body: &str| ask(gateway.address, "PATCH", &path, "", body).await;
    let unknown = patch(r#"{"status":"suspended"}"#).await;
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (404, Some("this number is not registered")));
    ask(gateway.address, "PUT", &path, "", r#"{"language":"en"}"#).await;
    gateway.post(&format!("{path}/pause"), &json!({ "for": "8h", "reason": "on holiday" })).await;
    let changed = patch(r#"{"status":"suspended","language":null}"#).await.json();
    assert_eq!(
        (&changed["status"], &changed["language"], &changed["paused_until"]),
        (&json!("suspended"), &json!(null), &json!("2026-11-23T12:00:00.000Z")),
        "what is not named stays"
    );
    for nothing in ["", "{}"] {
        assert_eq!(patch(nothing).await.status, 400, "nothing is named in {nothing:?}");
    }
    let anna = Msisdn::international(ANNA).unwrap();
    assert!(gateway.store.delete_subscriber(anna).await.unwrap());
    for (path, body) in [("/pause", json!({ "for": "1h", "reason": "x" })), ("/resume", json!({ "reason": "x" }))] {
        assert_eq!(gateway.post(&format!("/v1/subscribers/{ANNA}{path}"), &body).await.status, 404);
    }
    assert_eq!(patch(r#"{"language":"en"}"#).await.status, 404);
    assert_eq!(gateway.store.subscriber(anna).await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_message_that_is_sent_again_is_told_by_no_later_alert_and_not_twice() {
    let gateway = Gateway::start().await;
    ask(gateway.address, "PUT", &format!("/v1/subscribers/{ANNA}"), "", "{}").await;
    gateway.happen(call("c1", ANNA)).await;
    let submit = gateway.store.lease(1, &context()).await.unwrap().remove(0);
    let smsc = SmscName("north".to_owned());
    let outcome = SubmitOutcome::Accepted { smsc: smsc.clone(), message_ids: vec!["71".to_owned()] };
    gateway.happen(Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome }).await;
    let receipt = Receipt {
        smsc,
        message_id: "71".to_owned(),
        id_form: None,
        state: ReceiptState::Expired,
        handset: None,
        error: "000".to_owned(),
        at: noon(),
    };
    gateway.store.local().append(vec![Event::Receipt(receipt)]).await.unwrap();
    gateway.decide_after(1).await;
    let path = format!("/v1/subscribers/{ANNA}/resend");
    let wish = json!({ "alert": submit.alert.0, "reason": "her phone was off" });
    let (answer, ()) = tokio::join!(gateway.post(&path, &wish), gateway.decide_after(2));
    assert_eq!((answer.status, &answer.json()["what"]), (202, &json!("send")));
    gateway.store.local().append(vec![call("c2", ANNA)]).await.unwrap();
    gateway.decide_after(30).await;
    let timeline = gateway.store.timeline(Msisdn::international(ANNA).unwrap(), 10).await.unwrap();
    let alerts = timeline.iter().flat_map(|entry| &entry.alerts).filter_map(|named| named.alert.as_ref());
    let mut told: Vec<_> =
        alerts.map(|alert| (alert.id, alert.told.iter().map(|one| one.count).sum::<u32>())).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(
        told.iter().map(|(_, calls)| *calls).collect::<Vec<_>>(),
        [1, 1, 1],
        "the lost one, it again, the next call"
    );
    let (answer, ()) = tokio::join!(gateway.post(&path, &wish), gateway.decide_after(40));
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.json()["error"].as_str().unwrap().contains("told twice"), "{}", answer.body);
}

#[tokio::test]
async fn what_is_not_all_there_is_says_so() {
    let gateway = Gateway::start().await;
    gateway.a_whole_way().await;
    let paths = [
        format!("/v1/subscribers/{ANNA}/timeline"),
        format!("/v1/subscribers/{ANNA}/calls/1"),
        "/v1/ranges".to_owned(),
    ];
    for (away, complete) in [(false, true), (true, false)] {
        gateway.away.store(away, Ordering::SeqCst);
        for path in &paths {
            let answer = get(gateway.address, path).await.json();
            assert_eq!(answer["complete"], json!(complete), "{path}");
            assert_eq!(answer["missing"].is_string(), away, "{path}");
        }
        for path in ["/timeline", "", "/calls/1"] {
            let answer = get(gateway.address, &format!("/v1/subscribers/+8613800000009{path}")).await;
            assert_eq!(answer.status, if away { 503 } else { 404 }, "{path}: nobody knows that there is nothing");
        }
    }
}
