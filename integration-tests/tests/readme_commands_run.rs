//! The README's commands, taken from the README, do what it says; so do those of docs/api.md.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use integration_tests::{Make, Smsc, World, paths};
use serde_json::{Value, json};
use throwaway_postgres::{Cluster, sql};

/// The shell blocks of the README, in order.
fn blocks() -> Result<Vec<String>> {
    blocks_of("README.md")
}

fn blocks_of(document: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(paths::root().join(document))?;
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
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

/// A block with what differs here put in place of what is written, run to its end; what it printed.
fn run(block: &str, world: &World, differs: &[(&str, String)]) -> Result<String> {
    let mut script = block.to_owned();
    for (written, here) in differs {
        ensure!(script.contains(written), "the README no longer says '{written}'");
        script = script.replace(written, here);
    }
    let output = Command::new("bash")
        .args(["-euc", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(world.folder())
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{script}\n{output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn block(holding: &str) -> Result<String> {
    blocks()?.into_iter().find(|block| block.contains(holding)).with_context(|| format!("no block has '{holding}'"))
}

#[test]
fn with_postgres() -> Result<()> {
    let cluster = Cluster::start(&[]);
    let world = World::new()?;
    fs::write(world.folder().join("subscribers.csv"), "number,language\n+8613800000001,en\n+8613800000002,zh-CN\n")?;
    let url = "postgres://afterring:password@db1.example,db2.example/afterring?sslmode=verify-full";
    let afterring = paths::afterring()?.display().to_string();
    run(&block("DATABASE__URL")?, &world, &[(url, cluster.url()), ("target/release/afterring", afterring)])?;
    let found = sql(&cluster.url(), "select count(*) from subscriber");
    ensure!(found.trim() == "2", "{found}");
    Ok(())
}

#[test]
fn operate_it() -> Result<()> {
    let world = World::new()?;
    let gateway = world.start()?;
    let admin = world.doors().admin;
    let binary = format!("env AFTERRING_ADMIN__LISTEN=127.0.0.1:{admin} {}", paths::afterring()?.display());
    let differs = [("localhost:8081", format!("localhost:{admin}")), ("target/release/afterring", binary)];
    let printed = run(&block("/metrics")?, &world, &differs)?;
    for said in ["\"database\"", "afterring_build_info{", "not registered", "links"] {
        ensure!(printed.to_lowercase().contains(said), "{said}: {printed}");
    }
    gateway.stop()
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

/// What stands in for curl: prints what was answered and its status; what has no end (`-N`) is left once it has begun.
const CURL: &str = r#"
curl() {
  if [[ " $* " != *" -N "* ]]; then command curl -sS -w '\nanswered %{http_code}\n' "$@"; return; fi
  command curl -sS -i "$@" > begun &
  until grep -q '^HTTP/' begun; do sleep 0.05; done
  kill $! || true
  sed -n 's/^HTTP[^ ]* \([0-9]*\).*/answered \1/p' begun
}
"#;

#[test]
fn examples_of_the_api() -> Result<()> {
    let smsc = Smsc::start(Make::chosen()?)?;
    let world = World::with(&smsc)?;
    // Before the start: a running gateway takes a token only after a moment.
    let made = world.output(&["tokens", "add", "test", "--scope", "operate"])?;
    let made = String::from_utf8_lossy(&made.stdout);
    let token = made.split_whitespace().find(|word| word.starts_with("aft_")).context("no token is printed")?;
    let gateway = world.start()?;
    let doors = world.doors();
    let mut script = blocks_of("docs/api.md")?.join("\n");
    let asked = script.lines().filter(|line| line.starts_with("curl ")).count();
    ensure!(asked > 10, "docs/api.md has {asked} examples");
    for (written, here) in [
        ("http://127.0.0.1:8081", format!("http://127.0.0.1:{}", doors.admin)),
        ("http://127.0.0.1:8080", format!("http://127.0.0.1:{}", doors.http)),
        ("Bearer aft_…", format!("Bearer {token}")),
        ("afterring tokens", format!("{} tokens", paths::afterring()?.display())),
    ] {
        ensure!(script.contains(written), "docs/api.md no longer says '{written}'");
        script = script.replace(written, &here);
    }
    let script = format!("set -eu\n{CURL}{script}");
    let settings = world.command(&[])?;
    let settings = settings.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("bash")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(settings)
        .current_dir(world.folder())
        .stdin(Stdio::null())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{script}\n{output:?}");
    let answered: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("answered ")).collect();
    let well = answered.len() == asked && answered.iter().all(|status| status.starts_with('2'));
    ensure!(well, "{answered:?} of {asked}:\n{printed}");
    gateway.stop()
}
