//! The benchmark runs to its end and prints every figure; how good they are is not judged here.

use std::process::Command;

use anyhow::{Result, ensure};

#[test]
fn every_figure() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(["--seconds", "1"]).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    for figure in [
        "calls/s",
        "ms p99",
        "CPU, gateway",
        "CPU, Postgres",
        "peak memory",
        "memory, tenths",
        "written to disk",
        "handed over afterwards",
        "the batches' statements alone",
    ] {
        ensure!(printed.contains(figure), "no '{figure}' in:\n{printed}");
    }
    Ok(())
}
