//! The README's commands, taken from the README, do what it says.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Make, Smsc, World, paths};
use serde_json::{Value, json};

/// The shell blocks of the README, in order.
fn blocks() -> Result<Vec<String>> {
    let readme = fs::read_to_string(paths::root().join("README.md"))?;
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    Ok(blocks.map(str::to_owned).collect())
}

#[test]
fn the_first_command_is_the_gateways() -> Result<()> {
    let first = blocks()?.into_iter().next().unwrap_or_default();
    ensure!(first.starts_with("cargo run --release -- demo"), "{first}");
    // Which binary that is, without building anything.
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .output()?;
    let workspace: Value = serde_json::from_slice(&output.stdout)?;
    let packages = workspace["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let run_by_default = |package: &&Value| {
        workspace["workspace_default_members"].as_array().is_some_and(|members| members.contains(&package["id"]))
    };
    let targets = packages.iter().filter(run_by_default).filter_map(|package| package["targets"].as_array()).flatten();
    let binaries: Vec<_> = targets.filter(|target| target["kind"] == json!(["bin"])).map(|bin| &bin["name"]).collect();
    ensure!(binaries == ["afterring"], "cargo run would take one of {binaries:?}");
    Ok(())
}

#[test]
fn connect_your_smsc() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let world = World::new()?;
    let doors = world.doors();
    let alive = format!("until curl -sf localhost:{}/livez; do sleep 0.1; done", doors.admin);
    let mut script =
        blocks()?.into_iter().find(|block| block.contains("SMSC__URLS")).context("no block connects an SMSC")?;
    // What differs from an operator's machine: addresses, folders, and that nobody pauses between two commands.
    for (written, here) in [
        ("cargo build --release\n", String::new()),
        ("smpp://system_id:password@smsc.example:2775", smsc.url()),
        ("/var/lib/afterring", world.folder().join("store").display().to_string()),
        ("udp://0.0.0.0:5060,tcp://0.0.0.0:5060", format!("udp://127.0.0.1:{0},tcp://127.0.0.1:{0}", doors.sip)),
        ("localhost:8081", format!("localhost:{}", doors.admin)),
        ("target/release/afterring run &", format!("target/release/afterring run & {alive}")),
        ("target/release/afterring", paths::afterring()?.display().to_string()),
    ] {
        ensure!(script.contains(written), "the README no longer says '{written}'");
        script = script.replace(written, &here);
    }
    let whole = format!("set -eu\ntrap 'kill %1; wait' EXIT\n{script}");
    let output = Command::new("bash")
        .args(["-c", &whole])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AFTERRING_HTTP__LISTEN", format!("127.0.0.1:{}", doors.http))
        .env("AFTERRING_ADMIN__LISTEN", format!("127.0.0.1:{}", doors.admin))
        .current_dir(world.folder())
        .stdin(Stdio::null())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{whole}\n{output:?}");
    // The first is that of `smsc test`.
    let sms = smsc.message_to("8613800000001", 2).with_context(|| printed.clone().into_owned())?;
    ensure!(sms.text.contains("+8613911112222") && sms.text.starts_with("您有1个未接来电"), "{sms:?}");
    ensure!(printed.contains("detail"), "the decision is told:\n{printed}");
    Ok(())
}
