//! Wrong settings: every fault is told at once, with its key, its source and what would be valid; exit code 78.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use integration_tests::World;

/// Runs `check` and `run`; both must end with 78 and say all of these words.
fn told(world: &World, words: &[&str]) -> Result<()> {
    for command in ["check", "run"] {
        let output = world.output(&[command])?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.code() == Some(78), "{command}: {:?}\n{said}", output.status);
        for word in words {
            ensure!(said.contains(word), "{command} doesn't say '{word}':\n{said}");
        }
        ensure!(!said.contains("hunter2"), "a secret was printed:\n{said}");
    }
    Ok(())
}

fn with(key: &str, value: &str) -> Result<World> {
    let mut world = World::new()?;
    world.set("SMSC__URLS", "smpp://me:hunter2@127.0.0.1:2775").set(key, value);
    Ok(world)
}

#[test]
fn an_unknown_key_in_the_environment() -> Result<()> {
    told(&with("ALERT__MIN_INTERVALL", "5s")?, &["AFTERRING_ALERT__MIN_INTERVALL", "AFTERRING_ALERT__MIN_INTERVAL"])
}

#[test]
fn an_unknown_key_in_the_file() -> Result<()> {
    let world = with("LOG__FILTER", "info")?;
    let file = world.folder().join("afterring.toml");
    fs::write(&file, "[alert]\nmin_intervall = \"5s\"\n").context("writing the file")?;
    told(&world, &["min_intervall", "afterring.toml"])
}

#[test]
fn a_range_whose_end_is_before_its_start() -> Result<()> {
    let world = with("RANGES", "north=8613900000009-8613900000001:5")?;
    told(&world, &["AFTERRING_RANGES", "north", "before the first"])
}

#[test]
fn overlapping_ranges() -> Result<()> {
    let world = with("RANGES", "north=86139*:5;south=8613900000000-8613900000009:5")?;
    told(&world, &["AFTERRING_RANGES", "north", "south", "overlap"])
}

#[test]
fn values_of_the_wrong_kind() -> Result<()> {
    told(&with("ALERT__VALIDITY", "soon")?, &["AFTERRING_ALERT__VALIDITY", "soon"])?;
    told(&with("TEXT__TIME_ZONE", "Mars/Olympus")?, &["AFTERRING_TEXT__TIME_ZONE", "Mars/Olympus"])?;
    told(&with("HTTP__LISTEN", "everywhere")?, &["AFTERRING_HTTP__LISTEN", "everywhere"])?;
    told(&with("ALERT__IN_DOUBT", "maybe")?, &["AFTERRING_ALERT__IN_DOUBT", "maybe", "hold"])
}

#[test]
fn an_open_door_without_a_token() -> Result<()> {
    told(&with("HTTP__LISTEN", "0.0.0.0:18080")?, &["http.token", "0.0.0.0:18080"])
}

#[test]
fn a_sip_side_that_can_not_be_meant() -> Result<()> {
    told(&with("SIP__LISTEN", "sctp://0.0.0.0:5060")?, &["AFTERRING_SIP__LISTEN", "udp://, tcp://, tls://"])?;
    told(&with("SIP__LISTEN", "tls://0.0.0.0:5061")?, &["sip.tls_certificate", "missing", "tls://0.0.0.0:5061"])?;
    told(&with("SIP__PEERS", "10.0.0.1/8")?, &["AFTERRING_SIP__PEERS", "10.0.0.1/8", "beyond its prefix"])?;
    told(&with("SIP__PEERS", "10.0.0.0/8;trustd")?, &["AFTERRING_SIP__PEERS", "trustd", "known: name, trusted, rate"])?;
    told(&with("SIP__PEERS", "10.0.0.0/8,10.1.0.0/16")?, &["AFTERRING_SIP__PEERS", "10.1.0.0/16", "never counts"])?;
    told(&with("SIP__RELEASE", "busy=200/17")?, &["AFTERRING_SIP__RELEASE", "busy", "400 to 699"])
}

#[test]
fn a_database_address_that_can_not_be_used() -> Result<()> {
    for (url, problem) in [
        ("mysql://me:hunter2@127.0.0.1/calls", "postgres://"),
        ("postgres://me:hunter2@127.0.0.1:port/calls", "postgres://"),
        ("postgres://me:hunter2@127.0.0.1/calls?sslmode=on", "verify-full"),
    ] {
        told(&with("DATABASE__URL", url)?, &["AFTERRING_DATABASE__URL", problem])?;
    }
    Ok(())
}

#[test]
fn all_faults_at_once() -> Result<()> {
    let mut world = with("RANGES", "north=8613900000009-8613900000001:5")?;
    world.set("ALERT__VALIDITY", "soon").set("SERVICE__CODES", "12599").unset("SERVICE__CODE");
    told(&world, &["AFTERRING_RANGES", "AFTERRING_ALERT__VALIDITY", "AFTERRING_SERVICE__CODES"])
}

#[test]
fn what_looks_like_a_number_stays_as_it_is_written() -> Result<()> {
    let mut world = with("SERVICE__CODE", "0012")?;
    world.set("HTTP__TOKEN", "1e5");
    let output = world.output(&["config"])?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(0), "{output:?}");
    ensure!(said.contains("\"0012\""), "the leading zeros are kept:\n{said}");
    ensure!(!said.contains("hunter2") && !said.contains("1e5"), "secrets are hidden:\n{said}");
    ensure!(said.contains("AFTERRING_SERVICE__CODE"), "each value's source is told:\n{said}");
    let check = world.output(&["check"])?;
    ensure!(check.status.code() == Some(0), "{check:?}");
    Ok(())
}

#[test]
fn a_wrong_command_line_exits_64() -> Result<()> {
    let output = World::new()?.output(&["dance"])?;
    ensure!(output.status.code() == Some(64), "{output:?}");
    Ok(())
}
