//! The benchmark of the SIP side runs to its end, its counts agree, and it prints every figure; how good they are is not judged here.

use std::process::Command;

use anyhow::{Result, ensure};

#[test]
fn every_figure() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_bench-sip")).args(["--seconds", "1"]).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    for figure in [
        "calls/s",
        "refused with 503",
        "in the journal",
        "ms p99",
        "CPU, gateway",
        "CPU, SIP side",
        "CPU, sipp",
        "memory, tenths",
        "a tenth of the ACKs lost",
        "one TCP connection",
        "CPU, Kamailio",
    ] {
        ensure!(printed.contains(figure), "no '{figure}' in:\n{printed}");
    }
    ensure!(!printed.contains("no thread of its own"), "the SIP side can't be told apart:\n{printed}");
    Ok(())
}
