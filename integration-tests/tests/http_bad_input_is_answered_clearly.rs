//! Every bad input at `POST /v1/calls` has an answer that says what is wrong, and stops nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::http::Answer;
use integration_tests::{Gateway, World, clock};
use serde_json::{Value, json};

const CALLED: &str = "8613800000001";

fn gateway() -> Result<(World, Gateway)> {
    let world = World::new()?;
    let gateway = world.start()?;
    Ok((world, gateway))
}

/// One call that is refused beside one that is taken; gives the refusal's reason.
fn refused(gateway: &Gateway, bad: &Value) -> Result<String> {
    let good = json!({ "id": format!("good beside {bad}").chars().take(100).collect::<String>(), "called": CALLED });
    let answer = gateway.post(&json!([bad, good]))?;
    let said = answer.json();
    ensure!(answer.status == 202 && said["accepted"] == 1, "the good one is taken: {answer:?}");
    let rejected = said["rejected"].as_array().cloned().unwrap_or_default();
    // An id that is too long is told by its beginning.
    let named = bad["id"].as_str().unwrap_or_default().starts_with(rejected[0]["id"].as_str().unwrap_or("-"));
    ensure!(rejected.len() == 1 && rejected[0]["index"] == 0 && named, "{answer:?}");
    Ok(rejected[0]["error"].as_str().unwrap_or_default().to_owned())
}

fn says(answer: &Answer, status: u16, words: &[&str]) -> Result<()> {
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    let clear = answer.status == status && words.iter().all(|word| error.contains(word));
    ensure!(clear, "expected {status} and {words:?}: {answer:?}");
    Ok(())
}

#[test]
fn one_bad_call_in_a_batch_is_refused_with_its_reason() -> Result<()> {
    let (_world, gateway) = gateway()?;
    let at = |offset: i64| {
        let second = clock::now().as_second() + offset;
        jiff::Timestamp::from_second(second).map(|at| at.to_string()).unwrap_or_default()
    };
    let day = 24 * 3600;
    let cases = [
        (json!({ "id": "1", "caller": "+8613911112222" }), "called"),
        (json!({ "id": "2", "called": null }), "called"),
        (json!({ "id": "3", "called": "" }), "called"),
        (json!({ "id": "4", "called": "12" }), "numbering plan"),
        (json!({ "id": "5", "called": "123456789012345678901234567890" }), "15 digits"),
        (json!({ "id": "6", "called": CALLED, "caller": "123456789012345678901234567890" }), "15 digits"),
        (json!({ "id": "7", "called": "not a number" }), "digits"),
        (json!({ "id": "8", "called": CALLED, "at": at(400 * day) }), "ahead"),
        (json!({ "id": "9", "called": CALLED, "at": "2999-01-01T00:00:00Z" }), "ahead"),
        (json!({ "id": "10", "called": CALLED, "at": at(-400 * day) }), "ago"),
        (json!({ "id": "11", "called": CALLED, "at": "1970-01-01T00:00:00Z" }), "ago"),
        (json!({ "id": "12", "called": CALLED, "at": "yesterday" }), "at"),
        (json!({ "id": "13", "called": CALLED, "reason": "asleep" }), "reason"),
        (json!({ "id": "14", "called": CALLED, "reeson": "busy" }), "reeson"),
        (json!({ "id": "", "called": CALLED }), "id"),
        (json!({ "id": "x".repeat(200), "called": CALLED }), "id"),
    ];
    for (bad, word) in &cases {
        let error = refused(&gateway, bad)?;
        ensure!(error.contains(word), "{bad}: '{error}' doesn't say '{word}'");
    }
    let nameless = gateway.post(&json!({ "called": CALLED }))?;
    ensure!(nameless.json()["rejected"][0]["error"].to_string().contains("id"), "{nameless:?}");
    ensure!(gateway.look("/metrics")?.text.contains("refused"), "refusals are counted");
    gateway.stop()
}

#[test]
fn duplicate_ids_in_one_batch_count_once() -> Result<()> {
    let (_world, gateway) = gateway()?;
    let call = json!({ "id": "twice", "called": CALLED });
    let answer = gateway.post(&json!([call, call, { "id": "another", "called": CALLED }]))?;
    let said = answer.json();
    ensure!(answer.status == 202 && said["accepted"] == 2 && said["duplicate"] == 1, "{answer:?}");
    ensure!(said["rejected"] == json!([]), "{answer:?}");
    gateway.stop()
}

#[test]
fn invalid_json_in_line_3_loses_line_3_only() -> Result<()> {
    let (_world, gateway) = gateway()?;
    let line = |n: u32| format!(r#"{{"id":"line-{n}","called":"{CALLED}"}}"#);
    let body = format!("{}\n{}\n{{\"id\":\"line-3\",\"called\n{}\n", line(1), line(2), line(4));
    for content_type in ["application/x-ndjson", "application/json"] {
        let answer = gateway.post_raw(content_type, None, body.as_bytes())?;
        let said = answer.json();
        let taken = said["accepted"].as_u64().unwrap_or(0) + said["duplicate"].as_u64().unwrap_or(0);
        ensure!(answer.status == 202 && taken == 3, "{content_type}: {answer:?}");
        let rejected = said["rejected"].as_array().cloned().unwrap_or_default();
        ensure!(rejected.len() == 1 && rejected[0]["index"] == 2, "{content_type}: {answer:?}");
        ensure!(rejected[0]["error"].as_str().is_some_and(|error| error.contains("JSON")), "{answer:?}");
    }
    gateway.stop()
}

#[test]
fn what_cannot_be_read_at_all_is_400() -> Result<()> {
    let (_world, gateway) = gateway()?;
    for body in ["{", "[1,2", "not json", "\u{0}\u{1}"] {
        says(&gateway.post_raw("application/json", None, body.as_bytes())?, 400, &["JSON"])?;
    }
    says(&gateway.post_raw("application/json", None, b" ")?, 400, &[])?;
    says(&gateway.post_raw("application/json", None, &[0xff, 0xfe, b'{'])?, 400, &[])?;
    let method = gateway.look("/v1/calls");
    ensure!(method.is_ok_and(|answer| answer.status == 404), "the admin listener has no calls door");
    gateway.stop()
}

#[test]
fn a_body_over_the_limit_is_413_and_nothing_of_it_is_taken() -> Result<()> {
    let mut world = World::new()?;
    world.set("HTTP__BODY_LIMIT", "10000").set("HTTP__BATCH_LIMIT", "20");
    let gateway = world.start()?;
    let call = |n: usize, pad: usize| json!({ "id": format!("{n}-{}", "x".repeat(pad)), "called": CALLED });
    let long: Vec<_> = (0..15).map(|n| call(n, 100)).chain((0..900).map(|n| call(n, 100))).collect();
    says(&gateway.post(&json!(long))?, 413, &["10000"])?;
    let many: Vec<_> = (0..21).map(|n| call(n, 1)).collect();
    says(&gateway.post(&json!(many))?, 413, &["20"])?;
    ensure!(gateway.status()?["counts"]["calls"] == 0, "{}", gateway.status()?);
    gateway.take(&json!(many[..20]))?;
    gateway.stop()
}

#[test]
fn a_missing_or_wrong_token_is_401() -> Result<()> {
    let mut world = World::new()?;
    world.set("HTTP__TOKEN", "0012");
    let gateway = world.start()?;
    let body = format!(r#"{{"id":"1","called":"{CALLED}"}}"#);
    for token in [None, Some("12"), Some("00123"), Some("")] {
        let answer = gateway.post_raw("application/json", token, body.as_bytes())?;
        ensure!(answer.status == 401, "{token:?}: {answer:?}");
        ensure!(answer.authenticate.as_deref().is_some_and(|how| how.starts_with("Bearer")), "{answer:?}");
    }
    let answer = gateway.post_raw("application/json", Some("0012"), body.as_bytes())?;
    ensure!(answer.status == 202, "{answer:?}");
    gateway.stop()
}

#[test]
fn a_time_a_little_off_is_taken() -> Result<()> {
    let (_world, gateway) = gateway()?;
    let at = clock::minute_ago(Duration::from_secs(3600)).to_string();
    gateway.take(&json!([
        { "id": "an hour ago", "called": CALLED, "at": at },
        { "id": "no time", "called": CALLED },
        { "id": "national", "called": "013800000001" },
        { "id": "prefixed", "called": "008613800000001" },
    ]))?;
    gateway.wait_decided()?;
    let timeline = gateway.timeline(CALLED)?;
    ensure!(timeline.matches("outside_ranges").count() == 4, "all four are about one person: {timeline}");
    gateway.stop()
}
