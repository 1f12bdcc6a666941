//! One load: one client for some seconds, or for so many submits, and what was measured meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{framed, limit, ours, process};

/// Before this much has passed nothing is measured: connecting, first pages, growing buffers.
const WARM_UP: Duration = Duration::from_millis(300);

/// How often it is looked how far a load of so many submits is.
const LOOK: Duration = Duration::from_millis(5);

/// Without an answer for so long a client has hung.
const HUNG: Duration = Duration::from_secs(15);

/// Memory that a long run may gain after its second tenth, in KiB: what an allocator moves about. One octet lost per message of ten million were more.
const GROWTH: u64 = 4 * 1024;

/// The text of every message: 103 characters, one septet each.
pub(crate) const TEXT: &str =
    "You missed 3 calls from +491701234567, the last one at 14:32 today. Reply C to see all, STOP to end. Ok";
/// The person to whom every message goes.
pub(crate) const TO: &str = "491701234567";
/// The name from which every message comes.
pub(crate) const FROM: &str = "MISSEDCALL";

/// Something that submits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub(crate) enum Client {
    /// This crate, by its public API.
    Ours,
    /// rusmpp's codec alone, on a socket.
    Framed,
    /// PDUs encoded once; only their numbers change.
    Limit,
}

impl Client {
    /// The word for it on the command line and in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Framed => "framed",
            Self::Limit => "limit",
        }
    }
}

/// What a client is to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Load {
    /// Who submits.
    pub(crate) client: Client,
    /// The sink's port.
    #[arg(long)]
    pub(crate) port: u16,
    /// The sink's process.
    #[arg(long)]
    pub(crate) sink: u32,
    /// Unanswered submits per bind.
    #[arg(long)]
    pub(crate) window: usize,
    /// Sessions.
    #[arg(long)]
    pub(crate) binds: usize,
    /// Whether each message is done only with its receipt (`ours` only).
    #[arg(long)]
    pub(crate) receipts: bool,
    /// How long is measured.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// So many submits instead of so many seconds, with the memory after each tenth of them.
    #[arg(long, default_value_t = 0)]
    pub(crate) soak: u64,
    /// Threads of the runtime; 0: one for one bind, two for more.
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
}

impl Load {
    /// The runtime that `ours` and `framed` run on: of one thread, or of several.
    pub(crate) fn runtime(&self) -> Result<tokio::runtime::Runtime> {
        let threads = if self.threads == 0 { self.binds.min(2) } else { self.threads };
        let mut builder = match threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        Ok(builder.worker_threads(threads).enable_all().build()?)
    }
}

/// How far a client is; shared with who measures it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    done: AtomicU64,
    stop: AtomicBool,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Progress {
    /// So many more messages are done: answered, and where receipts are awaited, matched.
    pub(crate) fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Whether no more is to be submitted.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn has_ended(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.end.notify_all();
    }

    /// Sleeps, but not beyond the client's end; gives whether it has ended.
    fn sleep(&self, long: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.end.wait_timeout_while(ended, long, |ended| !*ended);
        *ended.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// What all processes had used, at one moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    done: u64,
    client: f64,
    sink: f64,
    machine: (f64, f64),
}

impl Reading {
    fn take(load: &Load, progress: &Progress) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            done: progress.done(),
            client: process::cpu(std::process::id())?,
            sink: process::cpu(load.sink)?,
            machine: process::machine()?,
        })
    }
}

/// What a load came to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Measured {
    /// Messages a second.
    pub(crate) rate: f64,
    /// Seconds of the client's processor time per 100,000 messages.
    pub(crate) client: f64,
    /// The same of the sink.
    pub(crate) sink: f64,
    /// The part of the machine that others used meanwhile, in percent.
    pub(crate) others: f64,
    /// What the client had in memory at the end, in MiB.
    pub(crate) memory: f64,
}

impl Measured {
    fn between(from: Reading, to: Reading) -> Result<Self> {
        let count = (to.done - from.done) as f64;
        ensure!(count > 0.0, "nothing was answered");
        let (client, sink) = (to.client - from.client, to.sink - from.sink);
        let busy = to.machine.0 - from.machine.0;
        Ok(Self {
            rate: count / (to.at - from.at).as_secs_f64(),
            client: client * 1e5 / count,
            sink: sink * 1e5 / count,
            others: (busy - client - sink).max(0.0) * 100.0 / (to.machine.1 - from.machine.1).max(0.01),
            memory: process::resident(std::process::id())? as f64 / 1024.0,
        })
    }

    /// The line by which a client's process tells it.
    fn line(self) -> String {
        let Self { rate, client, sink, others, memory } = self;
        format!("{rate} {client} {sink} {others} {memory}")
    }

    /// Reads the last line of what a client's process said.
    pub(crate) fn read(said: &str) -> Result<Self> {
        let line = said.lines().last().context("the client said nothing")?;
        let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let &[rate, client, sink, others, memory] = numbers.as_slice() else {
            anyhow::bail!("not five figures: {line}")
        };
        Ok(Self { rate, client, sink, others, memory })
    }
}

/// Runs a client to its end and prints what was measured.
pub(crate) fn run(load: &Load) -> Result<()> {
    let progress = Arc::new(Progress::default());
    let (of_client, given) = (Arc::clone(&progress), load.clone());
    let client = thread::spawn(move || {
        let result = match given.client {
            Client::Ours => ours::run(&given, &of_client),
            Client::Framed => framed::run(&given, &of_client),
            Client::Limit => limit::run(&given, &of_client),
        };
        of_client.has_ended();
        result
    });
    let measured = if load.soak > 0 { soak(load, &progress) } else { measure(load, &progress) };
    progress.stop();
    wait_for_end(&progress)?;
    let result = client.join();
    result.map_err(|_| anyhow::anyhow!("the client panicked"))??;
    println!("{}", measured?.line());
    Ok(())
}

fn measure(load: &Load, progress: &Progress) -> Result<Measured> {
    progress.sleep(WARM_UP);
    let from = Reading::take(load, progress)?;
    progress.sleep(Duration::from_secs_f64(load.seconds));
    Measured::between(from, Reading::take(load, progress)?)
}

/// Goes on until so many messages are done; prints the memory after each tenth, and fails when it grew after the second.
fn soak(load: &Load, progress: &Progress) -> Result<Measured> {
    let from = Reading::take(load, progress)?;
    let mut settled = u64::MAX;
    for tenth in 1..=10 {
        wait_for(progress, load.soak * tenth / 10)?;
        let kib = process::resident(std::process::id())?;
        println!("{:3} % of {} messages: {:.1} MiB resident", tenth * 10, load.soak, kib as f64 / 1024.0);
        if tenth == 2 {
            settled = kib;
        }
        ensure!(kib.saturating_sub(settled) < GROWTH, "memory grew from {settled} to {kib} KiB");
    }
    Measured::between(from, Reading::take(load, progress)?)
}

fn wait_for(progress: &Progress, count: u64) -> Result<()> {
    let (mut last, mut moved) = (0, Instant::now());
    while progress.done() < count {
        ensure!(!progress.sleep(LOOK), "the client ended after {} of {count} messages", progress.done());
        if progress.done() != last {
            (last, moved) = (progress.done(), Instant::now());
        }
        ensure!(moved.elapsed() < HUNG, "nothing was answered for {HUNG:?}, after {last} messages");
    }
    Ok(())
}

/// What is under way gets its answers.
fn wait_for_end(progress: &Progress) -> Result<()> {
    ensure!(progress.sleep(HUNG), "the client did not end: an answer is missing after {} messages", progress.done());
    Ok(())
}
