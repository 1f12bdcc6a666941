//! Orders to links by the operators' API.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::{LinkOrder, LinkWish, Operators, OrderError, router};
use model::{ShortNumber, Timestamp};
use routing::text::Texts;
use routing::{Policy, Service};
use serde_json::json;
use store::{Embedded, EmbeddedSettings, HandOver};
use support::{ask, get, serve};

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

struct Gateway {
    address: SocketAddr,
    orders: Arc<Mutex<Vec<LinkOrder>>>,
    _dir: tempfile::TempDir,
}

async fn gateway(answer: Result<(), OrderError>) -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(86_400));
    let store = HandOver::alone(Embedded::open(settings, noon()).unwrap());
    let policy = Policy::new(Service::new(ShortNumber::parse("12599").unwrap()), Texts::shipped().unwrap());
    let orders = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&orders);
    let operators = Operators {
        order_link: Arc::new(move |order| {
            taken.lock().unwrap().push(order);
            answer.clone()
        }),
        ..support::operators(store, policy, noon)
    };
    Gateway { address: serve(router(operators)).await, orders, _dir: dir }
}

#[tokio::test]
async fn a_link_or_all_are_ordered_and_the_answer_says_what_and_until_when() {
    let gateway = gateway(Ok(())).await;
    assert_eq!(get(gateway.address, "/v1/links").await.json(), json!({"links": []}));
    let until = noon() + Duration::from_secs(600);
    for (path, body, answer) in [
        (
            "/v1/links/north%2F1/drain",
            r#"{"for":"10m","reason":" their upgrade "}"#,
            json!({"link": "north/1", "what": "drain", "until": "2026-11-23T04:10:00.000Z", "reason": "their upgrade"}),
        ),
        (
            "/v1/links/all/unbind",
            r#"{"for":"600s","reason":"wrong password"}"#,
            json!({"link": "all", "what": "unbind", "until": "2026-11-23T04:10:00.000Z", "reason": "wrong password"}),
        ),
        (
            "/v1/links/north%2F1/rebind",
            r#"{"reason":"done"}"#,
            json!({"link": "north/1", "what": "rebind", "reason": "done"}),
        ),
    ] {
        let said = ask(gateway.address, "POST", path, "", body).await;
        assert_eq!((said.status, said.json()), (200, answer), "{path}");
    }
    let north = Some("north/1".to_owned());
    let taken = [
        LinkOrder { link: north.clone(), what: LinkWish::Drain { until } },
        LinkOrder { link: None, what: LinkWish::Unbind { until } },
        LinkOrder { link: north, what: LinkWish::Rebind },
    ];
    assert_eq!(*gateway.orders.lock().unwrap(), taken);
}

#[tokio::test]
async fn an_order_without_its_reason_or_its_end_is_refused_by_name() {
    let gateway = gateway(Ok(())).await;
    for (what, body, says) in [
        ("drain", "", "missing field `for`"),
        ("drain", r#"{"for":"10m"}"#, "missing field `reason`"),
        ("drain", r#"{"for":"10m","reason":"  "}"#, "'reason': give 1 to 200 characters"),
        ("unbind", r#"{"for":"25h","reason":"x"}"#, "'for': not a duration of 1 second to 24 hours"),
        ("unbind", r#"{"for":"999ms","reason":"x"}"#, "'for': not a duration of 1 second to 24 hours"),
        ("rebind", r#"{"for":"10m","reason":"x"}"#, "unknown field `for`"),
        ("rebind", "{}", "missing field `reason`"),
    ] {
        let said = ask(gateway.address, "POST", &format!("/v1/links/all/{what}"), "", body).await;
        assert_eq!(said.status, 400, "{what} {body}");
        assert!(said.json()["error"].as_str().unwrap().contains(says), "{what} {body}: {}", said.body);
    }
    assert!(gateway.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_order_that_cannot_be_taken_says_why() {
    for (error, status, says) in [
        (OrderError::NoSuchLink("south/1".into()), 404, "no link is called 'south/1'"),
        (OrderError::Stopping, 503, "the gateway is stopping"),
    ] {
        let gateway = gateway(Err(error)).await;
        let said = ask(gateway.address, "POST", "/v1/links/south%2F1/rebind", "", r#"{"reason":"x"}"#).await;
        assert_eq!((said.status, said.json()), (status, json!({"error": says})));
    }
}
