//! The console as operators and customer care use it: every screen in both languages and colour schemes, and the five questions that it answers alone.

use anyhow::{Context as _, Result, ensure};
use integration_tests::browser::visit_console;
use integration_tests::outage::wait_whole;
use integration_tests::{Simulator, World, wait};
use throwaway_postgres::Cluster;

#[test]
fn the_five_questions_are_answered_and_a_viewer_changes_nothing() -> Result<()> {
    visit("questions")
}

#[test]
fn every_screen_in_chinese() -> Result<()> {
    visit("zh")
}

#[test]
fn every_screen_in_english() -> Result<()> {
    visit("en")
}

fn visit(part: &str) -> Result<()> {
    let cluster = Cluster::start(&[]);
    let database = cluster.database();
    let simulator = Simulator::start()?;
    let mut world = World::with_simulator(&simulator, "")?;
    world.set("DATABASE__URL", &database).set("RANGES", "south=8613900000000-8613900999999:50000");
    let gateway = world.start_bound()?;
    wait_whole(&gateway)?;
    gateway.subscribe("8613800000001")?;
    let secret = world.folder().join("password");
    std::fs::write(&secret, "correct horse\n")?;
    let secret = secret.display().to_string();
    for role in ["admin", "viewer"] {
        let added = world.output(&["users", "add", role, "--role", role, "--password-file", &secret])?;
        ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
    // Taken up by the running gateway: whoever is nobody is let in no longer.
    wait::until_true("users are asked for", || Ok(gateway.look("/v1/status")?.status == 401))?;
    visit_console(&gateway.admin_url(""), &gateway.calls_url(), part)
        .with_context(|| world.printed().unwrap_or_default())
}
