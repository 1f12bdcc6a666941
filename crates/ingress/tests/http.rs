//! The HTTP door over a real socket: every good and bad body, and what the store may answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use ingress::http::{HttpSettings, router};
use ingress::{Counts, Offer, Refusal, Stored};
use model::{Caller, MissedCall, Numbering, Reason, Secret, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

fn settings() -> HttpSettings {
    HttpSettings::new(Numbering::new("86", "0", "00"))
}

struct Gateway {
    address: std::net::SocketAddr,
    counts: Arc<Counts>,
    offers: Option<mpsc::Receiver<Offer>>,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Gateway {
    async fn start(settings: HttpSettings, room: usize) -> Self {
        let (intake, offers) = mpsc::channel(room);
        let counts = Arc::new(Counts::default());
        let app = router(settings, intake, now, Arc::clone(&counts));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, counts, offers: Some(offers) }
    }

    /// Starts a store that takes everything, knows the ids that begin with `known`, and hands what it got to the test.
    fn storing(&mut self) -> mpsc::UnboundedReceiver<MissedCall> {
        let mut offers = self.offers.take().unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test's own list")]
        let (stored, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Offer { calls, answer }) = offers.recv().await {
                let duplicate = calls.iter().map(|call| call.id.as_str().starts_with("known")).collect();
                calls.into_iter().for_each(|call| stored.send(call).unwrap());
                answer.send(Stored { duplicate }).unwrap();
            }
        });
        calls
    }

    async fn request(&self, method: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{method} /v1/calls HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A body over the limit may be refused before it is read to its end.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }

    async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", "Content-Type: application/json\r\n", body.as_ref()).await
    }

    fn refused(&self, reason: Refusal) -> u64 {
        self.counts.snapshot().http.refused_for(reason)
    }
}

fn call(id: &str) -> Value {
    json!({"id": id, "caller": "+8613911112222", "withheld": false, "called": "+8613800000001",
           "at": "2026-11-23T07:59:58Z", "reason": "busy", "service_number": "12599"})
}

fn with(id: &str, field: &str, value: Value) -> Value {
    let mut call = call(id);
    call[field] = value;
    call
}

fn without(id: &str, field: &str) -> Value {
    let mut call = call(id);
    call.as_object_mut().unwrap().remove(field);
    call
}

#[tokio::test]
async fn one_call_arrives_as_it_was_written() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    let answer = gateway.post(call("a").to_string()).await;
    assert_eq!((answer.status, answer.body), (202, json!({"accepted": 1, "duplicate": 0, "rejected": []})));
    let call = stored.recv().await.unwrap();
    assert_eq!(call.called.reveal(), "8613800000001");
    assert!(matches!(call.caller, Caller::Number(number) if number.reveal() == "8613911112222"));
    assert_eq!(call.reason, Reason::Busy);
    assert_eq!(call.at, Timestamp::parse("2026-11-23T07:59:58Z").unwrap());
    assert_eq!(call.service_number.unwrap().as_str(), "12599");
}

#[tokio::test]
async fn an_array_and_lines_are_taken_alike() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let _stored = gateway.storing();
    let calls: Vec<Value> = ["a", "b", "known-c"].map(call).to_vec();
    let expected = json!({"accepted": 2, "duplicate": 1, "rejected": []});
    let lines = calls.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(gateway.post(Value::from(calls).to_string()).await.body, expected);
    assert_eq!(gateway.post(&lines).await.body, expected, "sniffed");
    let declared = gateway.request("POST", "Content-Type: application/x-ndjson\r\n", lines.as_bytes()).await;
    assert_eq!(declared.body, expected);
    assert_eq!(gateway.post("[]").await.body, json!({"accepted": 0, "duplicate": 0, "rejected": []}));
    let counted = gateway.counts.snapshot().http;
    assert_eq!((counted.accepted, counted.duplicate), (6, 3));
}

#[tokio::test]
async fn each_bad_field_has_its_own_words_and_costs_only_its_call() {
    let table = [
        (without("x", "called"), "called is missing", Refusal::NoCalled),
        (with("x", "called", json!("")), "called is empty", Refusal::NoCalled),
        (with("x", "called", json!("123")), "fewer than 7 digits", Refusal::CalledOutsidePlan),
        (with("x", "called", json!("+123456789012345678901234567890")), "called: outside", Refusal::CalledOutsidePlan),
        (with("x", "called", json!(8_613_800_000_001_i64)), "called must be text", Refusal::CalledOutsidePlan),
        (with("x", "caller", json!("+123456789012345678901234567890")), "caller: outside", Refusal::BadCaller),
        (with("x", "caller", json!("anonymous")), "caller: not a telephone number", Refusal::BadCaller),
        (with("x", "caller", json!(["1"])), "not an array", Refusal::BadCaller),
        (with("x", "withheld", json!("no")), "withheld must be true or false", Refusal::BadWithheld),
        (with("x", "reason", json!("engaged")), "no_answer", Refusal::BadReason),
        (with("x", "reason", json!(17)), "reason must be one of", Refusal::BadReason),
        (with("x", "at", json!("2026-11-23T09:00:01Z")), "ahead of this gateway's clock", Refusal::InTheFuture),
        (with("x", "at", json!("2026-11-16T07:59:59Z")), "ago", Refusal::TooOld),
        (with("x", "at", json!("yesterday")), "RFC 3339", Refusal::BadTime),
        (with("x", "at", json!(1_795_420_800)), "at must be text", Refusal::BadTime),
        (with("x", "service_number", json!("12-599")), "service_number", Refusal::BadServiceNumber),
        (with("x", "service_number", json!({})), "not an object", Refusal::BadServiceNumber),
        (with("x", "callee", json!("1")), "unknown field \"callee\"", Refusal::UnknownField),
        (without("x", "id"), "id is missing", Refusal::BadId),
        (with("x", "id", json!("")), "1 to 128 characters", Refusal::BadId),
        (with("x", "id", json!("y".repeat(129))), "1 to 128 characters", Refusal::BadId),
        (with("x", "id", json!(7)), "id must be text", Refusal::BadId),
        (json!(5), "not a number", Refusal::Unreadable),
        (json!(null), "not null", Refusal::Unreadable),
    ];
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    for (bad, words, refusal) in table {
        let before = gateway.refused(refusal);
        let answer = gateway.post(json!([call("first"), bad, call("last")]).to_string()).await;
        assert_eq!(answer.status, 202, "{bad}");
        assert_eq!(answer.body["accepted"], 2, "{bad}");
        let rejected = answer.body["rejected"].as_array().unwrap();
        assert_eq!(rejected.len(), 1, "{bad}");
        assert_eq!(rejected[0]["index"], 1);
        assert!(rejected[0]["error"].as_str().unwrap().contains(words), "{bad}: {}", rejected[0]["error"]);
        let id = bad.get("id").filter(|id| id.is_string()).cloned();
        let shown = id.map(|id| id.as_str().unwrap().chars().take(128).collect::<String>());
        assert_eq!(rejected[0]["id"].as_str(), shown.as_deref());
        assert_eq!(gateway.refused(refusal), before + 1, "{}", refusal.as_str());
        assert_eq!(stored.recv().await.unwrap().id.as_str(), "first");
        assert_eq!(stored.recv().await.unwrap().id.as_str(), "last");
    }
    let twice = r#"{"id":"x","called":"+8613800000001","called":"+8613800000002"}"#;
    let answer = gateway.post(twice).await;
    assert_eq!(answer.body["rejected"][0]["error"], "called is given twice");
}

#[tokio::test]
async fn callers_are_told_apart_and_a_hidden_number_is_not_kept() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    let mut hidden = call("hidden");
    hidden["withheld"] = json!(true);
    let batch = json!([
        without("absent", "caller"),
        with("null", "caller", json!(null)),
        with("empty", "caller", json!("")),
        hidden,
        with("short", "caller", json!("0012")),
        with("national", "caller", json!("013911112222"))
    ]);
    assert_eq!(gateway.post(batch.to_string()).await.body["accepted"], 6);
    for expected in ["absent Unknown", "null Unknown", "empty Unknown", "hidden Withheld", "short Short(0012)"] {
        let call = stored.recv().await.unwrap();
        assert_eq!(format!("{} {:?}", call.id.as_str(), call.caller), expected);
    }
    assert!(matches!(stored.recv().await.unwrap().caller, Caller::Number(n) if n.reveal() == "8613911112222"));
}

#[tokio::test]
async fn a_call_without_a_time_or_reason_is_taken_as_of_now_and_unknown() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    gateway.post(r#"{"id":"a","called":"+8613800000001"}"#).await;
    let call = stored.recv().await.unwrap();
    assert_eq!((call.at, call.reason, call.service_number), (now(), Reason::Unknown, None));
}

#[tokio::test]
async fn a_call_told_twice_in_one_request_counts_once() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    let other = with("a", "called", json!("+8613800000002"));
    let answer = gateway.post(json!([call("a"), call("a"), other, call("a")]).to_string()).await;
    assert_eq!(answer.body, json!({"accepted": 2, "duplicate": 2, "rejected": []}));
    assert_eq!(stored.recv().await.unwrap().called.reveal(), "8613800000001");
    assert_eq!(stored.recv().await.unwrap().called.reveal(), "8613800000002", "another called number is another call");
}

#[tokio::test]
async fn a_broken_third_line_costs_only_itself() {
    let mut gateway = Gateway::start(settings(), 4).await;
    let mut stored = gateway.storing();
    let body = format!("{}\n{}\n{{\"id\": oops}}\n{}\n", call("1"), call("2"), call("4"));
    let answer = gateway.post(body).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (202, &json!(3)));
    assert_eq!(answer.body["rejected"][0]["index"], 2);
    let error = answer.body["rejected"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("line 3 column 8: invalid JSON"), "{error}");
    for id in ["1", "2", "4"] {
        assert_eq!(stored.recv().await.unwrap().id.as_str(), id);
    }
}

#[tokio::test]
async fn a_body_of_which_nothing_can_be_read_is_a_400_that_says_where() {
    let gateway = Gateway::start(settings(), 4).await;
    for (body, words) in [
        (&b""[..], "empty"),
        (b"  \n", "empty"),
        (b"hello", "line 1 column 1"),
        (b"[{\"id\":\"a\"},\n{\"id\" \"b\"}]", "line 2 column 7"),
        (b"[{\"id\":\"a\"}] trailing", "line 1 column 14"),
        (b"\xff\xfe", "line 1 column 1"),
        (b"42", "not a number"),
    ] {
        let answer = gateway.post(body).await;
        assert_eq!(answer.status, 400, "{body:?}");
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains(words) && error.contains("NDJSON"), "{error}");
    }
    assert_eq!(gateway.refused(Refusal::Unreadable), 7);
}

#[tokio::test]
async fn over_a_limit_nothing_is_taken() {
    let mut gateway = Gateway::start(HttpSettings { body_limit: 1000, batch_limit: 2, ..settings() }, 4).await;
    let mut stored = gateway.storing();
    let three = ["{}", "{}", "{}"];
    for body in [" ".repeat(1001), three.join("\n"), format!("[{}]", three.join(","))] {
        let answer = gateway.post(body).await;
        assert_eq!(answer.status, 413);
        assert!(answer.body["error"].is_string());
    }
    let chunked = "POST /v1/calls HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let body = format!("{chunked}3e9\r\n{}\r\n0\r\n\r\n", " ".repeat(1001));
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(gateway.refused(Refusal::TooLarge), 4);
    assert!(stored.try_recv().is_err());
}

#[tokio::test]
async fn a_token_is_required_where_one_is_set() {
    let mut gateway = Gateway::start(HttpSettings { token: Some(Secret::new("s3cret".into())), ..settings() }, 4).await;
    let _stored = gateway.storing();
    let body = call("a").to_string();
    for headers in
        ["", "Authorization: Bearer s3creT\r\n", "Authorization: Bearer \r\n", "Authorization: Basic s3cret\r\n"]
    {
        let answer = gateway.request("POST", headers, body.as_bytes()).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.head.contains("www-authenticate: bearer realm="), "{}", answer.head);
    }
    assert_eq!(gateway.refused(Refusal::Unauthorised), 4);
    for headers in ["Authorization: Bearer s3cret\r\n", "authorization: bearer  s3cret\r\n"] {
        assert_eq!(gateway.request("POST", headers, body.as_bytes()).await.status, 202, "{headers}");
    }
}

#[tokio::test]
async fn another_method_is_a_405_that_says_which_is_right() {
    let gateway = Gateway::start(settings(), 4).await;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = gateway.request(method, "", b"").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.head.matches("allow: post").count(), 1, "{}", answer.head);
        assert!(answer.body["error"].is_string());
    }
}

#[tokio::test]
async fn a_full_hand_over_is_a_429_at_once() {
    let mut gateway = Gateway::start(settings(), 1).await;
    let mut offers = gateway.offers.take().unwrap();
    let gateway = Arc::new(gateway);
    let first = tokio::spawn({
        let gateway = Arc::clone(&gateway);
        async move { gateway.post(call("a").to_string()).await.status }
    });
    while offers.is_empty() {
        tokio::task::yield_now().await;
    }
    let answer = gateway.post(call("b").to_string()).await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 1"));
    let offer = offers.recv().await.unwrap();
    offer.answer.send(Stored { duplicate: vec![false] }).unwrap();
    assert_eq!(first.await.unwrap(), 202);
    assert_eq!(gateway.counts.snapshot().http.busy, 1);
}

#[tokio::test]
async fn calls_that_cannot_be_stored_are_a_503() {
    let mut gateway = Gateway::start(HttpSettings { answer_timeout: Duration::from_millis(50), ..settings() }, 4).await;
    let mut offers = gateway.offers.take().unwrap();
    let gateway = Arc::new(gateway);
    let post = || {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.post(json!([call("a"), call("b")]).to_string()).await })
    };
    let dropped = post();
    drop(offers.recv().await.unwrap());
    let dropped = dropped.await.unwrap();
    assert_eq!(dropped.status, 503);
    assert!(dropped.head.contains("retry-after: 1"), "{}", dropped.head);

    let late = post();
    let kept = offers.recv().await.unwrap();
    assert_eq!(late.await.unwrap().status, 503, "no answer in time");
    drop(kept);

    drop(offers);
    assert_eq!(post().await.unwrap().status, 503, "nobody takes offers");
    assert_eq!(gateway.counts.snapshot().http.unavailable, 5);
}
