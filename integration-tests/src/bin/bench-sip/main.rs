//! The benchmark of the SIP side: calls forwarded by sipp, taken by the gateway with its journal on the build disk; prints what it took.
//!
//! Figures are for people to judge; counts are not: every call that was released is in the journal once, and none that was refused. Beside it, with the same
//! callers at the same rate, stands Kamailio, which answers and keeps nothing.

mod callers;
mod figures;
mod journal;
mod kamailio;
mod load;

use std::env;

use anyhow::{Context as _, Result, bail};
use integration_tests::{paths, process};
use kamailio::Mode;
use load::{Load, Way};

/// What is asked for on the command line.
#[derive(Clone, Debug)]
struct Options {
    /// How long calls come in each load; three times as long where more come than are taken.
    seconds: u64,
    /// Loads whose name holds this, and no others.
    only: String,
    /// Whether Kamailio is measured beside.
    kamailio: bool,
}

/// Calls per second that must be sustained.
const FULL: u64 = 3_000;

/// Calls per second at which the times are of interest.
const EASY: u64 = 1_000;

/// Calls per second that are more than a peer is allowed, which is [`FULL`].
const TOO_MUCH: u64 = 5_000;

/// Calls per second that are more than a small machine can take.
const FLOOD: u64 = 20_000;

/// Acknowledgements of a hundred that never come, in the loads with lost ones.
const LOST: u64 = 10;

const LOADS: [Load; 8] = [
    Load::new("1,000 calls/s over UDP", Way::Udp, EASY),
    Load::new("3,000 calls/s over UDP", Way::Udp, FULL),
    Load::new("3,000 calls/s over UDP, a tenth of the ACKs lost", Way::Udp, FULL).losing(LOST),
    Load::new("3,000 calls/s over one TCP connection", Way::Tcp, FULL),
    Load::new("5,000 calls/s over UDP", Way::Udp, TOO_MUCH).long(),
    Load::new("5,000 calls/s over UDP, 3,000 allowed", Way::Udp, TOO_MUCH).long().allowed(FULL),
    Load::new("5,000 calls/s over UDP, 3,000 allowed, a tenth of the ACKs lost", Way::Udp, TOO_MUCH)
        .long()
        .allowed(FULL)
        .losing(LOST),
    Load::new("20,000 calls/s over UDP", Way::Udp, FLOOD),
];

fn main() -> Result<()> {
    let options = options()?;
    println!(
        "{} s of calls a load, {} s where they are more than are taken; {} cores; store on {}",
        options.seconds,
        options.seconds * load::LONG,
        std::thread::available_parallelism()?,
        process::file_system(&paths::target())?
    );
    let mut ours = None;
    for load in LOADS.into_iter().filter(|load| load.name.contains(&options.only)) {
        let figures = load::run(load, options.seconds)?;
        figures.print(load.name);
        if load.is_like_kamailio() {
            ours = Some(figures);
        }
    }
    if options.kamailio {
        for mode in Mode::ALL.into_iter().filter(|mode| mode.name().contains(&options.only)) {
            kamailio::run(mode, FULL, options.seconds)?.print(mode.name(), ours.as_ref());
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options { seconds: 20, only: String::new(), kamailio: true };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--no-kamailio" {
            options.kamailio = false;
            continue;
        }
        let value = arguments.next().with_context(|| format!("{name}: a value must follow"))?;
        match name.as_str() {
            "--seconds" => {
                let seconds: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
                options.seconds = seconds.clamp(1, 600);
            }
            "--only" => options.only = value,
            _ => bail!("{name}: there are --seconds N, --only NAME and --no-kamailio"),
        }
    }
    Ok(options)
}
