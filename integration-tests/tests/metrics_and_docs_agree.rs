//! `docs/` says what the program does: its generated pages equal what it prints, and every metric it shows is documented.

use std::fs;

use anyhow::{Result, ensure};
use integration_tests::{World, paths};

fn same(page: &str, arguments: &[&str]) -> Result<()> {
    let written = fs::read_to_string(paths::root().join(page))?;
    let output = World::new()?.output(arguments)?;
    ensure!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout)?;
    let differs = written.lines().zip(printed.lines()).find(|(written, printed)| written != printed);
    let say = || format!("`afterring {} > {page}` brings it up to date", arguments.join(" "));
    ensure!(written == printed, "{}; the first difference: {differs:?}", say());
    Ok(())
}

#[test]
fn the_page_of_settings() -> Result<()> {
    same("docs/configuration.md", &["config", "--docs"])
}

#[test]
fn the_page_of_metrics() -> Result<()> {
    same("docs/metrics.md", &["config", "--metrics"])
}

#[test]
fn every_metric_shown_is_documented_and_has_help() -> Result<()> {
    let page = fs::read_to_string(paths::root().join("docs/metrics.md"))?;
    let world = World::new()?;
    let gateway = world.start()?;
    let metrics = gateway.look("/metrics")?.text;
    let names = metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next());
    let mut seen = 0;
    for name in names {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let documented = page.contains(&format!("`{family}`"));
        ensure!(documented, "{family} is not in docs/metrics.md");
        let typed = metrics.contains(&format!("# TYPE {family} "));
        ensure!(typed && metrics.contains(&format!("# HELP {family} ")), "{family} has no HELP or TYPE");
        seen += 1;
    }
    ensure!(seen > 10, "{metrics}");
    gateway.stop()
}
