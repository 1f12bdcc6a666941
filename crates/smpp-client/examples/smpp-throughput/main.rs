//! How many submits a second a link makes on this machine, and what they cost: beside the hand-made limit, rusmpp's codec alone, and Kannel.
//!
//! `integration-tests/bench-smpp` builds and runs it; `integration-tests/README.md` says how its table is read. Each client and the sink have a
//! process of their own, so that the kernel tells their processor time apart.

mod framed;
mod kannel;
mod limit;
mod load;
mod ours;
mod process;
mod sink;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::load::Load;
use crate::sink::SinkOptions;
use crate::table::Options;

#[derive(Parser, Debug)]
#[command(about = "The benchmark of the SMPP side: prints one table.")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    table: Options,
}

/// What the benchmark starts as processes of their own.
#[derive(Subcommand, Debug)]
enum Part {
    /// An SMSC that answers as fast as it can.
    Sink(SinkOptions),
    /// Something that submits.
    Client(Load),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Sink(options)) => sink::run(options),
        Some(Part::Client(load)) => load::run(&load),
        None => table::run(&arguments.table),
    }
}
