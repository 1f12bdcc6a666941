//! schemathesis reads the description of each API and asks everything that it allows, and much that it doesn't: every answer is one that is described,
//! none is the gateway's fault, nobody gets in without a token, and what is wrong is refused.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::http::{Ask, Client};
use integration_tests::{Gateway, Simulator, World, paths, wait};
use serde_json::{Value, json};

const ADMIN: &str = "whoever-shows-this-may-everything";
const FEED: &str = "whoever-shows-this-may-report-calls";

/// Whom schemathesis.toml names.
const PERSON: &str = "+8613800000009";

fn world(simulator: &Simulator) -> Result<World> {
    let mut world = World::with_simulator(simulator, "")?;
    world.set("ADMIN__TOKEN", ADMIN).set("HTTP__TOKEN", FEED);
    Ok(world)
}

fn ask(gateway: &Gateway, method: &str, path: &str, body: &Value) -> Result<Value> {
    let written = if body.is_null() { String::new() } else { body.to_string() };
    let url = gateway.admin_url(path);
    let ask = Ask { method, url: &url, content_type: "application/json", token: Some(ADMIN), body: written.as_bytes() };
    let answer = Client::default().ask(ask)?;
    ensure!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
    Ok(answer.json())
}

/// A registered person is told of a missed call, the first of all: its place and its message are those that schemathesis.toml names.
fn tell_one(gateway: &Gateway) -> Result<()> {
    ask(gateway, "PUT", &format!("/v1/subscribers/{PERSON}"), &json!({ "status": "active" }))?;
    let call = json!({ "id": "1", "called": PERSON, "caller": "+8613900000001" }).to_string();
    let taken = gateway.post_raw("application/json", Some(FEED), call.as_bytes())?;
    ensure!(taken.status == 202, "{taken:?}");
    wait::until("the call is told", || {
        let timeline = ask(gateway, "GET", &format!("/v1/subscribers/{PERSON}/timeline"), &Value::Null)?;
        let first = &timeline["entries"][0];
        if first.is_null() || first["alerts"][0]["state"] != "delivered" {
            return Ok(None);
        }
        ensure!(first["seq"] == 1 && first["alerts"][0]["id"] == 1, "another than schemathesis.toml names: {timeline}");
        Ok(Some(()))
    })
}

/// Has schemathesis ask everything that this description says, and gives how many calls it describes.
fn try_all(world: &World, url: &str, token: &str, cases: u32) -> Result<usize> {
    let mut command = Command::new(paths::here("peers/.venv/bin/schemathesis"));
    command.arg("--config-file").arg(paths::here("peers/schemathesis.toml"));
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_lines").env("PYTHONPATH", paths::here("peers"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["run", url, "--seed", "7", "--no-color", "--request-timeout", "10"]);
    command.args(["--max-examples", &cases.to_string(), "--header", &format!("Authorization: Bearer {token}")]);
    let output = command.current_dir(world.folder()).output().context("run integration-tests/run once")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let tested = printed.lines().find_map(|line| line.trim().strip_prefix("Tested:"));
    tested.and_then(|count| count.trim().parse().ok()).with_context(|| format!("how many were tested? {printed}"))
}

/// The calls that a description has.
fn described(description: &Value) -> usize {
    let paths = description["paths"].as_object().into_iter().flatten();
    paths.filter_map(|(_, path)| path.as_object()).map(serde_json::Map::len).sum()
}

#[test]
fn operators_are_answered_as_described() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator)?;
    let gateway = world.start()?;
    tell_one(&gateway)?;
    let description = ask(&gateway, "GET", "/openapi.json", &Value::Null)?;
    let tested = try_all(&world, &gateway.admin_url("/openapi.json"), ADMIN, 12)?;
    // All but the tail.
    ensure!(tested > 20 && tested + 1 == described(&description), "only {tested} were tried");
    ensure!(gateway.look("/livez")?.status == 200, "it no longer lives");
    ensure!(!world.printed()?.contains("panicked"), "{}", world.printed()?);
    Ok(())
}

#[test]
fn feeds_are_answered_as_described() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator)?;
    let gateway = world.start()?;
    let url = gateway.calls_url().replace("/v1/calls", "/openapi.json");
    ensure!(try_all(&world, &url, FEED, 40)? == 1, "POST /v1/calls and nothing else");
    ensure!(!world.printed()?.contains("panicked"), "{}", world.printed()?);
    Ok(())
}

#[test]
fn the_tail_tells_what_is_decided_as_it_is_described() -> Result<()> {
    let simulator = Simulator::start()?;
    let world = world(&simulator)?;
    let gateway = world.start()?;
    let mut stream = TcpStream::connect(("127.0.0.1", world.doors().admin))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(stream, "GET /v1/tail?event=call HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {ADMIN}\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let mut next = |found: &dyn Fn(&str) -> bool| {
        lines
            .find(|line| line.as_ref().map_or(true, |line| found(line)))
            .context("the stream ended")?
            .context("it said nothing")
    };
    ensure!(next(&|line| line.starts_with("HTTP/1.1"))?.contains(" 200 "), "it is not told");
    next(&|line| line.eq_ignore_ascii_case("content-type: text/event-stream"))?;
    // The answer begins once it follows.
    tell_one(&gateway)?;
    let event = next(&|line| line.starts_with("data:"))?;
    let event: Value = serde_json::from_str(event.trim_start_matches("data:"))?;
    ensure!(event["seq"] == 1 && event["verdict"] == "send", "{event}");
    Ok(())
}
