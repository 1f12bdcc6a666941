//! All loads, several times over, and the table of what they came to.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::kannel::{self, Kannel};
use crate::load::{Client, Measured};
use crate::process::Sink;

const BINDS: [usize; 3] = [1, 2, 4];
const WINDOWS: [usize; 4] = [1, 10, 100, 1_000];

/// How long the slow SMSC takes, in milliseconds.
const SLOW: u64 = 10;

/// Percent of the machine that others may use before a load is run again.
const CLEAN: f64 = 8.0;

/// What is asked for on the command line.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// How long each load is measured.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How often each load is run; the table shows the median.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How often a load is run when others use the machine meanwhile; the run that they disturbed least counts.
    #[arg(long, default_value_t = 3)]
    tries: usize,
    /// Loads whose title holds this text, and no others.
    #[arg(long, default_value = "")]
    only: String,
    /// Leave Kannel out.
    #[arg(long)]
    no_kannel: bool,
    /// Instead of the table: so many submits with receipts in one run, and the memory after each tenth.
    #[arg(long, default_value_t = 0)]
    soak: u64,
}

/// Who submits in a load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Who {
    /// A client of this program, with so many binds.
    Client(Client, usize),
    /// Kannel, with one bind; its load comes by HTTP.
    Kannel,
}

/// One load.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Case {
    who: Who,
    window: usize,
    receipts: bool,
    latency_ms: u64,
}

impl Case {
    const fn of(client: Client, binds: usize, window: usize) -> Self {
        Self { who: Who::Client(client, binds), window, receipts: false, latency_ms: 0 }
    }

    /// What `--only` is held against.
    fn title(self) -> String {
        let who = match self.who {
            Who::Client(client, binds) => format!("{}, {binds} x {}", client.as_str(), self.window),
            Who::Kannel => format!("kannel, 1 x {}", self.window),
        };
        let receipts = if self.receipts { ", receipts" } else { "" };
        let latency = if self.latency_ms > 0 { format!(", {} ms", self.latency_ms) } else { String::new() };
        who + receipts + &latency
    }

    /// Runs it until nobody else uses the machine, but not for ever.
    fn run(self, options: &Options) -> Result<Measured> {
        let mut best = self.run_once(options.seconds)?;
        for _ in 1..options.tries {
            if best.others <= CLEAN {
                break;
            }
            let next = self.run_once(options.seconds)?;
            if next.others < best.others {
                best = next;
            }
        }
        Ok(best)
    }

    fn run_once(self, seconds: f64) -> Result<Measured> {
        let sink = Sink::start(self.receipts, self.latency_ms)?;
        match self.who {
            Who::Client(client, binds) => {
                let seconds = seconds.to_string();
                let mut arguments = vec!["--seconds", &seconds];
                if self.receipts {
                    arguments.push("--receipts");
                }
                submit(&sink, client, (binds, self.window), &arguments)
            }
            Who::Kannel => Kannel::start(sink, self.receipts)?.measure(seconds),
        }
    }

    /// The load against which this one is held: the codec alone, under the same conditions.
    const fn beside(self) -> Option<Self> {
        match self.who {
            Who::Client(Client::Ours, binds) if !self.receipts => {
                Some(Self { who: Who::Client(Client::Framed, binds), ..self })
            }
            Who::Client(..) | Who::Kannel => None,
        }
    }
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for binds in BINDS {
        for window in WINDOWS {
            cases.extend([Client::Limit, Client::Framed, Client::Ours].map(|client| Case::of(client, binds, window)));
            cases.push(Case { receipts: true, ..Case::of(Client::Ours, binds, window) });
        }
    }
    cases.extend([Client::Framed, Client::Ours].map(|who| Case { latency_ms: SLOW, ..Case::of(who, 1, 100) }));
    cases.push(Case { receipts: true, latency_ms: SLOW, ..Case::of(Client::Ours, 1, 100) });
    if !options.no_kannel {
        let kannel = Case { who: Who::Kannel, window: kannel::WINDOW, receipts: false, latency_ms: 0 };
        cases.extend([kannel, Case { latency_ms: SLOW, ..kannel }, Case { receipts: true, ..kannel }]);
    }
    cases.retain(|case| case.title().contains(&options.only));
    cases
}

/// Runs all loads, round after round, and prints the table; or the one long run.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.soak > 0 {
        return soak(options.soak);
    }
    let cases = cases(options);
    ensure!(!cases.is_empty(), "no load's title holds '{}'", options.only);
    let mut rounds = Vec::new();
    for round in 1..=options.rounds.max(1) {
        let mut measured = BTreeMap::new();
        for case in &cases {
            let figures = case.run(options).with_context(|| case.title())?;
            eprintln!("round {round}: {}: {:.0}/s, others {:.0} %", case.title(), figures.rate, figures.others);
            measured.insert(*case, figures);
        }
        rounds.push(measured);
    }
    println!("{}", line(&HEAD.map(str::to_owned)));
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for case in cases {
        println!("{}", line(&row(case, &rounds)));
    }
    Ok(())
}

const HEAD: [&str; 9] = [
    "client, binds x window",
    "submits/s",
    "least",
    "most",
    "of framed",
    "CPU s/100k",
    "sink CPU s/100k",
    "others %",
    "MiB",
];

fn line(cells: &[String; 9]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn row(case: Case, rounds: &[BTreeMap<Case, Measured>]) -> [String; 9] {
    let of = |figure: fn(&Measured) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().filter_map(|round| round.get(&case)).map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures
    };
    let rates = of(|measured| measured.rate);
    // Each is held against the other one of the same round: both had the machine in the same state.
    let share = |round: &BTreeMap<Case, Measured>| Some(round.get(&case)?.rate / round.get(&case.beside()?)?.rate);
    let mut shares: Vec<f64> = rounds.iter().filter_map(share).collect();
    shares.sort_unstable_by(f64::total_cmp);
    [
        case.title(),
        format!("{:.0}", median(&rates)),
        format!("{:.0}", rates.first().copied().unwrap_or(0.0)),
        format!("{:.0}", rates.last().copied().unwrap_or(0.0)),
        if shares.is_empty() { String::new() } else { format!("{:.0} %", median(&shares) * 100.0) },
        format!("{:.3}", median(&of(|measured| measured.client))),
        format!("{:.3}", median(&of(|measured| measured.sink))),
        format!("{:.0}", median(&of(|measured| measured.others))),
        format!("{:.1}", median(&of(|measured| measured.memory))),
    ]
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// Starts a client of this program and reads what it measured; the lines before that are printed.
fn submit(sink: &Sink, client: Client, size: (usize, usize), more: &[&str]) -> Result<Measured> {
    let [port, id, binds, window] =
        [u64::from(sink.smpp), u64::from(sink.id()), size.0 as u64, size.1 as u64].map(|number| number.to_string());
    let output = Command::new(std::env::current_exe()?)
        .args(["client", client.as_str(), "--port", &port, "--sink", &id, "--binds", &binds, "--window", &window])
        .args(more)
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    for line in lines.split_last().map_or(&[][..], |(_, before)| before) {
        println!("{line}");
    }
    ensure!(output.status.success(), "the client failed: {}", output.status);
    Measured::read(&said)
}

fn soak(submits: u64) -> Result<()> {
    let mut sink = Sink::start(true, 0)?;
    let measured = submit(&sink, Client::Ours, (1, 100), &["--receipts", "--soak", &submits.to_string()])?;
    let seen = sink.seen()?;
    println!("the sink took {} submits and {} acknowledged receipts", seen.submits, seen.acknowledged);
    println!("{:.0} submits/s, CPU {:.3} s/100k, others {:.0} %", measured.rate, measured.client, measured.others);
    Ok(())
}
