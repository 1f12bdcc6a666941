//! The operators' API over a real socket, with a store of its own and a gateway that is a few closures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::access::{AccessSettings, Local};
use console::{
    Access, AnswerView, ClosedView, Condition, DatabaseStatus, ForceError, ForceRequest, JournalView, LinkView,
    Operators, SipPeerView, SipView, Status, router,
};
use model::{CallId, Caller, MissedCall, Msisdn, Reason, Secret, ShortNumber, Source, Timestamp};
use routing::Condition as DatabaseState;
use routing::text::Texts;
use routing::{Database, Event, Policy, Ranges, Service};
use serde_json::json;
use store::{Context, Embedded, EmbeddedSettings, HandOver, Store as _};
use support::{Answer, ask, get, serve};

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

fn fine() -> Condition {
    Condition {
        draining: false,
        journal_fault: None,
        links: 1,
        bound: 1,
        away: 0,
        ever_bound: true,
        database: DatabaseState::Normal,
    }
}

fn status() -> Status {
    Status {
        database: DatabaseStatus {
            state: DatabaseState::Normal,
            forced: false,
            configured: true,
            since: noon(),
            reason: None,
            until: None,
            behind: false,
            quarantined: 0,
            changes: Vec::new(),
        },
        links: vec![LinkView {
            name: "smsc1/1".into(),
            smsc: "smsc1".into(),
            bind: "transceiver",
            state: "bound",
            since: Some(noon()),
            detail: None,
            ordered: None,
            last_closed: Some(ClosedView {
                at: noon(),
                why: "closed by the SMSC".into(),
                word: "peer_closed",
                detail: None,
                by: "peer",
            }),
            round_trip_us: Some(1_200),
            window: 100,
            in_flight: 7,
            rate: 50,
            slowed_to: Some(25),
            throttled: false,
            throttled_ms: 1500,
            answers: Some(AnswerView { count: 9, p50_ms: Some(10), p99_ms: None }),
            abilities: BTreeMap::from([("replace_sm", "can")]),
            counts: BTreeMap::from([("in_doubt", 1)]),
        }],
        sip: Some(SipView {
            listens: vec!["udp://0.0.0.0:5060".into()],
            peers: vec![SipPeerView { name: "msc".into(), waiting: 2, counts: BTreeMap::from([("accepted", 4)]) }],
            connections: BTreeMap::from([("tcp", 1), ("tls", 0)]),
            transactions: 6,
            unacknowledged: 0,
            strangers: 0,
            answers: None,
        }),
        journal: JournalView { pending: 3 },
        counts: BTreeMap::from([("calls", 7), ("detail", 5)]),
    }
}

fn ranges() -> Ranges {
    Ranges::parse("north=8613700000000-8613700999999:3;south=86136*:1000000?consent=explicit&quiet=21-8&clock=12&campaigns=summer").unwrap()
}

struct Gateway {
    address: SocketAddr,
    store: HandOver,
    forced: Arc<Mutex<Vec<ForceRequest>>>,
    _dir: tempfile::TempDir,
}

fn policy() -> Policy {
    let service = Service::new(ShortNumber::parse("12599").unwrap());
    Policy { ranges: ranges(), ..Policy::new(service, Texts::shipped().unwrap()) }
}

async fn gateway(change: impl FnOnce(&mut Operators)) -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(86_400));
    let store = HandOver::alone(Embedded::open(settings, noon()).unwrap());
    let forced = Arc::new(Mutex::new(Vec::new()));
    let orders = Arc::clone(&forced);
    let mut operators = Operators {
        status: Arc::new(status),
        force: Arc::new(move |order| {
            orders.lock().unwrap().push(order);
            Ok(())
        }),
        metrics: Arc::new(|| "# TYPE afterring_calls counter\nafterring_calls_total 7\n".into()),
        ready: Arc::new(|| fine().checks()),
        ..support::operators(store.clone(), policy(), noon)
    };
    change(&mut operators);
    Gateway { address: serve(router(operators)).await, store, forced, _dir: dir }
}

impl Gateway {
    async fn put(&self, number: &str, body: &str) -> Answer {
        ask(self.address, "PUT", &format!("/v1/subscribers/{number}"), "", body).await
    }

    /// Journals and decides a call, as the pumps do.
    async fn miss(&self, id: &str, called: &str, caller: Caller) {
        let call = MissedCall {
            id: CallId::parse(id).unwrap(),
            caller,
            called: Msisdn::international(called).unwrap(),
            at: noon(),
            reason: Reason::Busy,
            service_number: None,
            source: Source::Http,
        };
        self.store.local().append(vec![Event::Call(call)]).await.unwrap();
        let batch = self.store.local().next(10).await;
        let context = Context { policy: Arc::new(policy()), database: Database::Normal, now: noon() };
        self.store.settle(batch, context).await.unwrap();
    }
}

#[tokio::test]
async fn status_has_the_documented_shape() {
    let gateway = gateway(|_| {}).await;
    let answer = get(gateway.address, "/v1/status").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "database": {
                "state": "normal", "forced": false, "configured": true, "since": "2026-11-23T04:00:00.000Z",
                "behind": false, "quarantined": 0, "changes": [],
            },
            "links": [{
                "name": "smsc1/1", "smsc": "smsc1", "bind": "transceiver", "state": "bound", "since": "2026-11-23T04:00:00.000Z",
                "last_closed": {"at": "2026-11-23T04:00:00.000Z", "why": "closed by the SMSC", "word": "peer_closed", "by": "peer"},
                "round_trip_us": 1200, "window": 100, "in_flight": 7, "rate": 50, "slowed_to": 25, "throttled": false, "throttled_ms": 1500,
                "answers": {"count": 9, "p50_ms": 10}, "abilities": {"replace_sm": "can"}, "counts": {"in_doubt": 1},
            }],
            "sip": {
                "listens": ["udp://0.0.0.0:5060"],
                "peers": [{"name": "msc", "waiting": 2, "counts": {"accepted": 4}}],
                "connections": {"tcp": 1, "tls": 0},
                "transactions": 6,
                "unacknowledged": 0,
                "strangers": 0,
            },
            "journal": {"pending": 3},
            "counts": {"calls": 7, "detail": 5},
        })
    );
}

#[tokio::test]
async fn a_subscriber_is_registered_changed_shown_and_removed() {
    let gateway = gateway(|_| {}).await;
    let created = gateway.put("13900000001", "").await;
    assert_eq!(created.status, 201);
    let plain = json!({
        "number": "+8613900000001", "status": "active", "language": null, "time_zone": null, "clock": null, "quiet": null,
        "copy_to": null, "paused_until": null,
        "since": "2026-11-23T04:00:00.000Z",
    });
    assert_eq!(created.json(), plain);
    let changed =
        gateway.put("+8613900000001", r#"{"status":"suspended","language":"zh-CN","time_zone":"Asia/Shanghai"}"#);
    assert_eq!(changed.await.status, 200);
    let partly = gateway.put("008613900000001", r#"{"language":null}"#).await.json();
    assert_eq!((&partly["status"], &partly["language"]), (&json!("suspended"), &json!(null)));
    assert_eq!(partly["time_zone"], json!("Asia/Shanghai"), "what is not given stays");
    let path = "/v1/subscribers/8613900000001";
    assert_eq!(get(gateway.address, path).await.json(), partly);
    assert_eq!(ask(gateway.address, "DELETE", path, "", "").await.status, 204);
    assert_eq!(ask(gateway.address, "DELETE", path, "", "").await.status, 404);
    let gone = get(gateway.address, path).await;
    assert_eq!((gone.status, gone.json()), (404, json!({"error": "this number is not registered"})));
}

#[tokio::test]
async fn bad_input_is_refused_by_name_and_changes_nothing() {
    let gateway = gateway(|_| {}).await;
    for (body, says) in [
        (r#"{"langauge":"en"}"#, "unknown field `langauge`"),
        (r#"{"language":"English, please"}"#, "'language': not a language tag"),
        (r#"{"time_zone":"Mars/Olympus"}"#, "'time_zone': not a time zone"),
        (r#"{"status":"asleep"}"#, "unknown variant `asleep`"),
        (r#"{"status""#, "EOF"),
        ("[]", "not a JSON object"),
    ] {
        let answer = gateway.put("13900000001", body).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(says), "{body}: {error}");
    }
    for number in ["nobody", "0", "%2B0123456789", "1234567890123456789"] {
        let answer = gateway.put(number, "{}").await;
        assert_eq!(answer.status, 400, "{number}");
        assert!(answer.json()["error"].as_str().unwrap().starts_with("'number': "), "{}", answer.body);
    }
    assert_eq!(gateway.put("13900000001", &" ".repeat(20_000)).await.status, 413);
    assert_eq!(gateway.store.subscriber_count(), 0);
}

#[tokio::test]
async fn a_timeline_tells_what_was_decided_and_what_became_of_it() {
    let gateway = gateway(|_| {}).await;
    gateway.put("8613900000001", "{}").await;
    let caller = Caller::Number(Msisdn::international("8613911112222").unwrap());
    gateway.miss("one", "8613900000001", caller).await;
    gateway.miss("two", "8613900000001", Caller::Withheld).await;
    let timeline = get(gateway.address, "/v1/subscribers/8613900000001/timeline").await.json();
    assert_eq!(timeline["number"], json!("+8613900000001"));
    let entries = timeline["entries"].as_array().unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (&entry["event"], &entry["id"], &entry["caller"])).collect();
    let call = json!("call");
    assert_eq!(told, [(&call, &json!("one"), &json!("+8613911112222")), (&call, &json!("two"), &json!("withheld"))]);
    assert_eq!(entries[0]["decision"], json!({"what": "send", "why": "detail"}));
    let alert = &entries[0]["alerts"][0];
    assert_eq!((&alert["kind"], &alert["state"]), (&json!("detail"), &json!("queued")));
    assert!(alert["text"].as_str().unwrap().contains("+8613911112222"), "{alert}");
    let last = get(gateway.address, "/v1/subscribers/8613900000001/timeline?limit=1").await.json();
    assert_eq!(last["entries"].as_array().unwrap().len(), 1);
    assert_eq!(last["entries"][0]["id"], json!("two"));
    gateway.miss("three", "4512345678", Caller::Withheld).await;
    let outside = get(gateway.address, "/v1/subscribers/+4512345678/timeline").await.json();
    assert_eq!(outside["registered"], json!(false));
    assert_eq!(outside["entries"][0]["decision"], json!({"what": "nothing", "why": "outside_ranges"}));
    assert_eq!(get(gateway.address, "/v1/subscribers/8613900000009/timeline").await.status, 404);
    for limit in ["0", "1001", "many"] {
        let path = format!("/v1/subscribers/8613900000001/timeline?limit={limit}");
        assert_eq!(get(gateway.address, &path).await.status, 400, "{limit}");
    }
}

#[tokio::test]
async fn ranges_show_quota_and_usage() {
    let gateway = gateway(|_| {}).await;
    gateway.miss("one", "8613700000001", Caller::Withheld).await;
    gateway.miss("two", "8613700000002", Caller::Withheld).await;
    let answer = get(gateway.address, "/v1/ranges").await.json();
    let [south, north] = answer["ranges"].as_array().unwrap().as_slice() else { panic!("{answer}") };
    assert_eq!(
        *north,
        json!({
            "name": "north", "spans": [{"first": "+8613700000000", "last": "+8613700999999"}], "quota": 3, "used": 2,
            "in_force": true, "terms": {"consent": "none"},
        })
    );
    let terms = json!({"consent": "explicit", "quiet": "21:00-08:00", "clock": "12", "campaigns": ["summer"]});
    assert_eq!(south["terms"], terms);
    assert_eq!((&south["name"], &south["quota"], &south["used"]), (&json!("south"), &json!(1_000_000), &json!(0)));
    let thirteen_digits = json!({"first": "+8613600000000", "last": "+8613699999999"});
    assert!(south["spans"].as_array().unwrap().contains(&thirteen_digits), "{south}");
}

#[tokio::test]
async fn forcing_the_database_needs_a_reason_and_an_end() {
    let gateway = gateway(|_| {}).await;
    let path = "/v1/database/force";
    let order = r#"{"state":"abnormal","for":"10m","reason":" upgrade "}"#;
    let answer = ask(gateway.address, "POST", path, "", order).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"state": "abnormal", "until": "2026-11-23T04:10:00.000Z", "reason": "upgrade"}));
    assert_eq!(ask(gateway.address, "DELETE", path, "", "").await.status, 204);
    let until = noon() + Duration::from_secs(600);
    let taken = [ForceRequest::Abnormal { until, reason: "upgrade".into() }, ForceRequest::Lift];
    assert_eq!(*gateway.forced.lock().unwrap(), taken);
    for (body, says) in [
        ("", "missing field"),
        (r#"{"state":"normal","for":"10m","reason":"x"}"#, "unknown variant `normal`"),
        (r#"{"state":"abnormal","for":"8d","reason":"x"}"#, "'for': "),
        (r#"{"state":"abnormal","for":"10m","reason":" "}"#, "'reason': "),
        (r#"{"state":"abnormal","for":"10m","reason":"x","who":"me"}"#, "unknown field `who`"),
    ] {
        let answer = ask(gateway.address, "POST", path, "", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["error"].as_str().unwrap().contains(says), "{}", answer.body);
    }
    assert_eq!(gateway.forced.lock().unwrap().len(), 2, "what was refused did nothing");
}

#[tokio::test]
async fn what_cannot_be_forced_says_why() {
    for (error, status) in [(ForceError::NotConfigured, 409), (ForceError::Stopping, 503)] {
        let gateway = gateway(|operators| operators.force = Arc::new(move |_| Err(error))).await;
        let answer = ask(gateway.address, "DELETE", "/v1/database/force", "", "").await;
        assert_eq!((answer.status, answer.json()), (status, json!({"error": error.to_string()})));
    }
}

#[tokio::test]
async fn the_token_guards_the_api_and_leaves_health_open() {
    let gateway = gateway(|operators| {
        let admin_token = Some(Secret::new("s3cret".into()));
        let settings = AccessSettings { admin_token, ..AccessSettings::none(Local::Loopback) };
        operators.access = Access::open(settings, noon).unwrap();
    })
    .await;
    for headers in
        ["", "authorization: Bearer wrong!\r\n", "authorization: Bearer s3cre\r\n", "authorization: s3cret\r\n"]
    {
        let answer = ask(gateway.address, "GET", "/v1/status", headers, "").await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, Some("Bearer realm=\"afterring\"")),
            "{headers}"
        );
    }
    let shown = "authorization: Bearer s3cret\r\n";
    assert_eq!(ask(gateway.address, "GET", "/v1/status", shown, "").await.status, 200);
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(get(gateway.address, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn without_a_token_other_sites_in_a_browser_are_kept_out() {
    let gateway = gateway(|_| {}).await;
    let foreign = ask(gateway.address, "DELETE", "/v1/database/force", "sec-fetch-site: cross-site\r\n", "").await;
    assert_eq!(foreign.status, 401);
    assert!(gateway.forced.lock().unwrap().is_empty());
}

#[tokio::test]
async fn readiness_says_what_is_wrong() {
    let now = Arc::new(Mutex::new(fine()));
    let shown = Arc::clone(&now);
    let gateway = gateway(|operators| operators.ready = Arc::new(move || shown.lock().unwrap().checks())).await;
    let fresh = get(gateway.address, "/readyz").await;
    assert_eq!((fresh.status, fresh.body.as_str()), (200, "ready\n"));
    now.lock().unwrap().database = DatabaseState::Abnormal;
    let degraded = get(gateway.address, "/readyz").await;
    assert_eq!(degraded.status, 200);
    assert!(degraded.body.starts_with("ready, degraded\ndatabase: abnormal"), "{}", degraded.body);
    now.lock().unwrap().draining = true;
    let draining = get(gateway.address, "/readyz?verbose").await;
    assert_eq!(draining.status, 503);
    let report = draining.json();
    assert_eq!((&report["ready"], &report["degraded"]), (&json!(false), &json!(true)));
    let names: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect();
    assert_eq!(names, ["running", "journal", "smsc", "database"]);
    assert_eq!(get(gateway.address, "/livez").await.status, 200, "draining is not dead");
}

#[tokio::test]
async fn metrics_are_handed_on_as_they_are() {
    let gateway = gateway(|_| {}).await;
    let answer = get(gateway.address, "/metrics").await;
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert_eq!(answer.body, "# TYPE afterring_calls counter\nafterring_calls_total 7\n");
}

#[tokio::test]
async fn the_report_of_some_days_is_told_as_json_and_csv_and_its_totals_agree() {
    let gateway = gateway(|_| {}).await;
    gateway.put("+8613700000001", "").await;
    let caller = || Caller::Number(Msisdn::international("8613900000001").unwrap());
    for (id, called) in [("a", "8613700000001"), ("b", "8613700000001"), ("c", "8613700000002"), ("d", "8613900000002")]
    {
        gateway.miss(id, called, caller()).await;
    }
    let answer = get(gateway.address, "/v1/reports?from=2026-11-01&to=2026-11-30").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let report = answer.json();
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-11-01"), &json!("2026-11-30")));
    let totals = &report["totals"];
    assert_eq!(
        (&totals["calls"], &totals["told"], &totals["joined"], &totals["nothing"], &totals["queued"]),
        (&json!(4), &json!(2), &json!(1), &json!(1), &json!(2))
    );
    assert_eq!(
        report["rows"][0],
        json!({"day": "2026-11-23", "range": "", "event": "call", "verdict": "nothing", "why": "outside_ranges", "count": 1})
    );
    let line = &report["table"][1];
    assert_eq!((&line["range"], &line["kind"], &line["calls"]), (&json!("north"), &json!("detail"), &json!(2)));

    let today = get(gateway.address, "/v1/reports").await.json();
    assert_eq!((&today["from"], &today["totals"]), (&json!("2026-11-23"), totals));
    let csv = get(gateway.address, "/v1/reports?format=csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(csv.body.lines().count(), 1 + report["table"].as_array().unwrap().len() + 1);
    assert_eq!(csv.body.lines().last(), Some("total,,,4,2,1,0,1,2,0,0,0,0,0,0,0,0,0,0"));
    let rows = get(gateway.address, "/v1/reports?format=csv&table=rows").await;
    assert_eq!(rows.body.lines().nth(1), Some("2026-11-23,,call,nothing,outside_ranges,1"));

    let year = get(gateway.address, "/v1/reports?from=2025-11-23&to=2026-11-23").await;
    assert_eq!((year.status, &year.json()["totals"]), (200, totals), "366 days");
    for (query, field) in [
        ("from=2025-11-22&to=2026-11-23", "from"),
        ("from=2026-11-24", "from"),
        ("to=yesterday", "to"),
        ("format=xml", "format"),
        ("format=csv&table=other", "table"),
    ] {
        let refused = get(gateway.address, &format!("/v1/reports?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(refused.json()["error"].as_str().unwrap().starts_with(&format!("'{field}': ")), "{}", refused.body);
    }
}
