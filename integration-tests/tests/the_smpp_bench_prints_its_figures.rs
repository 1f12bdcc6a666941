//! The benchmark of the SMPP side runs to its end and prints every figure; how good they are is not judged here. Kannel is left out.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use integration_tests::paths;

fn bench(arguments: &[&str]) -> Result<String> {
    let output = Command::new(paths::smpp_bench()?).args(arguments).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(printed)
}

/// The cells of the row with this title, without the title.
fn row<'a>(table: &'a str, title: &str) -> Result<Vec<&'a str>> {
    let line = table.lines().find_map(|line| line.strip_prefix(&format!("| {title} | ")));
    Ok(line.with_context(|| format!("no row '{title}' in:\n{table}"))?.trim_end_matches(" |").split(" | ").collect())
}

#[test]
fn every_client_has_its_row_and_no_figure_is_missing() -> Result<()> {
    let table = bench(&["--seconds", "0.2", "--rounds", "1", "--tries", "1", "--no-kannel", "--only", "2 x 10"])?;
    for client in ["limit", "framed", "ours"] {
        for window in [10, 100, 1000] {
            let cells = row(&table, &format!("{client}, 2 x {window}"))?;
            let [rate, least, most, share, ..] = cells.as_slice() else { panic!("few cells: {cells:?}") };
            ensure!(rate.parse::<u64>()? > 0 && least == rate && most == rate, "{client}: {cells:?}");
            ensure!(share.ends_with('%') == (client == "ours"), "{client}: {cells:?}");
        }
    }
    row(&table, "ours, 2 x 100, receipts")?;
    Ok(())
}

#[test]
fn a_slow_smsc_allows_no_more_than_its_window() -> Result<()> {
    let table =
        bench(&["--seconds", "0.5", "--rounds", "1", "--tries", "1", "--no-kannel", "--only", "ours, 1 x 100, 10 ms"])?;
    let rate: u64 = row(&table, "ours, 1 x 100, 10 ms")?[0].parse()?;
    ensure!((1..=10_000).contains(&rate), "{rate} submits/s where 100 in flight for 10 ms allow 10,000");
    Ok(())
}

#[test]
fn every_receipt_of_a_long_run_is_matched_and_acknowledged() -> Result<()> {
    let printed = bench(&["--soak", "20000"])?;
    ensure!(printed.contains("100 % of 20000 messages"), "{printed}");
    let line = printed.lines().find_map(|line| line.strip_prefix("the sink took ")).context("no count of the sink")?;
    let counts: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [submits, acknowledged] = counts.as_slice() else { panic!("not two counts: {line}") };
    ensure!(submits == acknowledged && *submits >= 20_000, "{line}");
    Ok(())
}
