//! What the kernel says of a process: its processor time and its memory.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

/// The kernel counts processor time in hundredths of a second (proc(5), `sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of a process, in seconds.
pub(crate) fn cpu(id: u32) -> Result<f64> {
    times(id, 11)
}

/// User and system time of those whom this process started, and whose end it has seen, in seconds.
pub(crate) fn ended_children() -> Result<f64> {
    times(std::process::id(), 13)
}

/// The sum of two times that stand next to each other in `/proc/PID/stat`, counted from the state letter, the first after the name in brackets:
/// utime and stime are fields 14 and 15 of proc(5), cutime and cstime 16 and 17.
fn times(id: u32, first: usize) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).with_context(|| format!("process {id} is gone"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields.get(first..first + 2).context("a short /proc/PID/stat")?;
    Ok(ticks.iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND)
}

/// Seconds that all processors together were busy, and that they had, since the machine was started.
pub(crate) fn machine() -> Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let first = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    // Fields 4 and 5 of proc_stat(5): idle, and waiting for disks.
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    Ok(((all - idle) / TICKS_PER_SECOND, all / TICKS_PER_SECOND))
}

/// What a process has in memory, in KiB.
pub(crate) fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A process that ends with its owner.
#[derive(Debug)]
pub(crate) struct Ours(pub(crate) Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The sink, in its own process, and the line of talk with it.
#[derive(Debug)]
pub(crate) struct Sink {
    process: Ours,
    orders: ChildStdin,
    says: BufReader<ChildStdout>,
    /// Where it listens for binds.
    pub(crate) smpp: u16,
    /// Where it takes callbacks by HTTP.
    pub(crate) http: u16,
}

/// What a sink has seen so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) binds: u64,
    pub(crate) submits: u64,
    pub(crate) acknowledged: u64,
    pub(crate) callbacks: u64,
}

impl Sink {
    /// Starts a sink on ports that the kernel gives it.
    pub(crate) fn start(receipts: bool, latency_ms: u64) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["sink", "--latency-ms", &latency_ms.to_string()]);
        if receipts {
            command.arg("--receipts");
        }
        let mut child = Ours(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let orders = child.0.stdin.take().context("no pipe to the sink")?;
        let says = BufReader::new(child.0.stdout.take().context("no pipe from the sink")?);
        let mut sink = Self { process: child, orders, says, smpp: 0, http: 0 };
        let ports = sink.numbers()?;
        sink.smpp = u16::try_from(ports[0])?;
        sink.http = u16::try_from(ports[1])?;
        Ok(sink)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Asks what it has seen.
    pub(crate) fn seen(&mut self) -> Result<Seen> {
        self.orders.write_all(b"\n")?;
        let [binds, submits, acknowledged, callbacks] = self.numbers()?;
        Ok(Seen { binds, submits, acknowledged, callbacks })
    }

    /// Reads one line of numbers; those that it doesn't have are 0.
    fn numbers(&mut self) -> Result<[u64; 4]> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        let mut numbers = line.split_whitespace();
        let first = numbers.next().context("the sink has ended")?.parse()?;
        let mut next = || numbers.next().map_or(Ok(0), str::parse);
        Ok([first, next()?, next()?, next()?])
    }
}
