//! SIGHUP and `afterring reload`: what is right takes effect whole while calls come, what is wrong changes nothing, and what can't change is named.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Gateway, Simulator, World, wait};
use serde_json::{Value, json};

fn called(n: u64) -> String {
    (8_613_800_000_000 + n).to_string()
}

fn call(n: u64) -> Value {
    json!({ "id": n.to_string(), "called": called(n) })
}

fn write(file: &Path, quota: u64, rest: &str) -> Result<()> {
    fs::write(file, format!("ranges = \"south=86138*:{quota}\"\n{rest}")).context("writing the file")
}

fn reloads(gateway: &Gateway, result: &str, count: f64) -> Result<()> {
    wait::until_true(&format!("{count} reloads are {result}"), || {
        Ok(gateway.metric("afterring_reloads_total", &[&format!("result=\"{result}\"")])? == count)
    })
}

/// The sum of teasers that the simulator was handed.
fn told(simulator: &Simulator) -> Result<u64> {
    Ok(simulator.submits()?.len() as u64)
}

#[test]
fn a_quota_that_is_raised_counts_at_once_and_no_call_is_lost() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, "")?;
    world.unset("RANGES");
    let file = world.folder().join("afterring.toml");
    write(&file, 5, "")?;
    let gateway = world.start_bound()?;
    let digest = gateway.admin("GET", "/v1/system", &Value::Null)?["digest"].clone();
    let (stop, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| -> Result<()> {
        // Calls come all the while, one after the other; each must be taken.
        let feed = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let n = taken.load(Ordering::Relaxed);
                gateway.take(&call(n))?;
                taken.store(n + 1, Ordering::Relaxed);
            }
            Ok(())
        });
        let outcome = (|| {
            wait::until_true("the quota is used up", || {
                Ok(told(&simulator)? == 5 && taken.load(Ordering::Relaxed) > 20)
            })?;
            write(&file, 12, "")?;
            gateway.hang_up()?;
            reloads(&gateway, "applied", 1.0)?;
            wait::until_true("the raised quota is used up", || Ok(told(&simulator)? == 12))
        })();
        stop.store(true, Ordering::Relaxed);
        feed.join().map_err(|_| anyhow::anyhow!("the feed"))??;
        outcome
    })?;
    gateway.wait_decided()?;
    ensure!(told(&simulator)? == 12, "not one more than the quota");
    for n in 0..taken.load(Ordering::Relaxed) {
        let calls = gateway.calls(&called(n))?;
        ensure!(calls.len() == 1, "call {n} is decided once: {calls:?}");
    }
    let system = gateway.admin("GET", "/v1/system", &Value::Null)?;
    ensure!(system["digest"] != digest && system["reloaded"]["applied"] == json!(["ranges"]), "{system}");
    let ranges = system["settings"].as_array().and_then(|all| all.iter().find(|one| one["key"] == "ranges")).cloned();
    ensure!(ranges.as_ref().is_some_and(|one| one["value"] == "south=86138*:12"), "{ranges:?}");
    gateway.stop()
}

#[test]
fn what_is_wrong_changes_nothing_and_what_waits_for_a_restart_is_named() -> Result<()> {
    let simulator = Simulator::start()?;
    let mut world = World::new()?;
    let file = world.folder().join("afterring.toml");
    let smsc = |password: &str| {
        format!("[smsc]\nurls = \"{}\"\n", simulator.url("").replacen("@", &format!("{password}@"), 1))
    };
    let texts = world.folder().join("texts");
    fs::create_dir(&texts)?;
    world.set("TEXT__DIR", &texts.display().to_string()).set("ALERT__MIN_INTERVAL", "0s");
    write(&file, 5, &smsc(""))?;
    let gateway = world.start_bound()?;
    gateway.subscribe(&called(1))?;
    gateway.take(&json!({ "id": "a", "called": called(1), "caller": "8613900000001" }))?;
    wait::until_true("the first is told", || Ok(simulator.inbox(&called(1))?.len() == 1))?;

    // Wrong: nothing is changed, also not what is right in it.
    write(&file, 50, &format!("{}[alert]\nmax_parts = \"many\"\n", smsc("")))?;
    gateway.hang_up()?;
    reloads(&gateway, "refused", 1.0)?;
    ensure!(gateway.metric("afterring_reload_failed", &[])? == 1.0, "it is told");
    ensure!(gateway.metric("afterring_range_quota", &[])? == 5.0, "nothing was changed");
    let asked = world.output(&["reload"])?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure!(asked.status.code() == Some(78), "{:?} {said}", asked.status);
    for words in ["nothing was changed", "alert.max_parts = \"many\"", "afterring.toml:", "whole number, 1 to 10"] {
        ensure!(said.contains(words), "'{words}' is not said:\n{said}");
    }

    // Right: texts and quota at once, the SMSC's password at the next start.
    write(&file, 50, &smsc("x"))?;
    let shipped = include_str!("../../crates/routing/src/text/en.toml");
    fs::write(texts.join("en.toml"), shipped.replace("detail_one = \"1 missed call:\"", "detail_one = \"One rang:\""))?;
    let asked = world.output(&["reload", "--reason", "a test"])?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    ensure!(asked.status.code() == Some(0), "{asked:?}");
    ensure!(said == "in force: ranges, text.dir\nwaits for a restart: smsc.urls\n", "{said}");
    ensure!(gateway.metric("afterring_reload_failed", &[])? == 0.0, "all is well again");
    ensure!(gateway.metric("afterring_range_quota", &[])? == 50.0, "it is in force");
    gateway.take(&json!({ "id": "b", "called": called(1), "caller": "8613900000002" }))?;
    wait::until_true("the second is told", || Ok(simulator.inbox(&called(1))?.len() == 2))?;
    let inbox = simulator.inbox(&called(1))?;
    ensure!(inbox[0].starts_with("1 missed call:") && inbox[1].starts_with("One rang:"), "{inbox:?}");
    ensure!(simulator.sessions()?.len() == 1, "the link stayed as it was");
    ensure!(!world.printed()?.contains("86138*"), "settings' values stay out of the log");
    gateway.stop()
}

#[test]
fn more_is_logged_for_a_while_and_then_no_longer() -> Result<()> {
    let mut world = World::new()?;
    world.set("LOG__FILTER", "error");
    let gateway = world.start()?;
    let ask = |method: &str, body: &Value| gateway.admin(method, "/v1/log", body);
    let system = || gateway.admin("GET", "/v1/system", &Value::Null);
    let heard = |text: &str| Ok::<bool, anyhow::Error>(world.printed()?.contains(text));
    ensure!(!heard("started")?, "only errors are logged");
    let view = ask("POST", &json!({ "filter": "info", "for": "1h", "reason": "a test" }))?;
    ensure!(view["filter"] == "info" && view["until"].is_string(), "{view}");
    wait::until_true("more is logged", || heard("what is logged was changed"))?;
    ensure!(ask("DELETE", &Value::Null)? == json!({ "filter": "error" }), "as the settings say");
    ask("POST", &json!({ "filter": "debug", "for": "1s", "reason": "a test" }))?;
    wait::until_true("it ends by itself", || Ok(system()?["log"] == json!({ "filter": "error" })))?;
    for (body, told) in [
        (json!({ "filter": "info", "for": "25h", "reason": "a test" }), "'for'"),
        (json!({ "filter": "info", "for": "1h", "reason": " " }), "'reason'"),
        (json!({ "filter": "a=b=c=", "for": "1h", "reason": "a test" }), "not a log filter"),
    ] {
        let refused = ask("POST", &body).map_or_else(|error| error.to_string(), |view| view.to_string());
        ensure!(refused.contains("400") && refused.contains(told), "{body}: {refused}");
    }
    gateway.stop()
}
