//! The benchmark: calls in by HTTP, alerts out to a simulated SMSC, everything on this machine; prints what it took.
//!
//! Three loads, each on a new store: as fast as it goes without receipts, the same with receipts, and half of that pace,
//! which shows the times when nothing queues. Then the last two beside a Postgres of its own, subscribers without it, and the hand-over afterwards.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::{Gateway, World, paths, wait};
use serde_json::Value;
use throwaway_postgres::{Cluster, sql};

/// What is asked for on the command line.
#[derive(Clone, Copy, Debug)]
struct Options {
    /// How long calls come in each load.
    seconds: u64,
    /// Calls per request.
    batch: u64,
    /// Requests at a time.
    connections: u64,
    /// Unanswered submits that the link may have.
    window: u64,
}

/// One load.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    receipts: bool,
    /// Calls per second; 0: as fast as they are answered.
    rate: u64,
}

impl Load {
    /// How many people are called.
    fn people(self) -> u64 {
        if self.name.starts_with("Postgres stopped") { SUBSCRIBERS } else { 90_000_000 }
    }
}

/// The first called number.
const CALLED: u64 = 8_613_800_000_000;

/// Subscribers in the load without the database.
const SUBSCRIBERS: u64 = 300_000;

/// Of the Postgres that the bench starts.
const SETTINGS: [&str; 2] = ["shared_buffers=512MB", "max_wal_size=2GB"];

/// What a load gave.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    accepted: u64,
    refused: u64,
    told: f64,
    /// Calls of a person who was told of another call already: the made-up numbers meet now and then.
    capped: f64,
    intake_seconds: f64,
    total_seconds: f64,
    answer_p50_ms: f64,
    answer_p99_ms: f64,
    submit_p50: f64,
    submit_p99: f64,
    gateway_cpu: f64,
    simulator_cpu: f64,
    peak_mib: f64,
    written_mib: f64,
}

fn main() -> Result<()> {
    let options = options()?;
    println!(
        "{} s of calls a load, {} calls a request, {} requests at a time, window {}; {} cores; store on {}",
        options.seconds,
        options.batch,
        options.connections,
        options.window,
        std::thread::available_parallelism()?,
        file_system(&paths::target())?
    );
    let flat_out = run(options, Load { name: "flat out, no receipts", receipts: false, rate: 0 })?;
    let receipts = run(options, Load { name: "flat out, receipts", receipts: true, rate: 0 })?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is a small positive number")]
    let half = (receipts.rate() / 2.0) as u64;
    let paced = run(options, Load { name: "half of that, receipts", receipts: true, rate: half })?;
    let (beside, beside_paced, without) = beside_postgres(options)?;
    let ended = [flat_out, receipts, paced, beside, beside_paced, without]
        .iter()
        .all(|figures| figures.told + figures.capped >= figures.accepted_f64());
    ensure!(ended, "not every accepted call was told");
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options { seconds: 5, batch: 200, connections: 4, window: 1000 };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name}: a number must follow"))?;
        let value: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--seconds" => options.seconds = value.clamp(1, 60),
            "--batch" => options.batch = value,
            "--connections" => options.connections = value,
            "--window" => options.window = value,
            _ => bail!("{name}: there are --seconds, --batch, --connections and --window"),
        }
    }
    Ok(options)
}

/// Flat out and at half that pace with the database, then flat out without it and the hand-over.
fn beside_postgres(options: Options) -> Result<(Figures, Figures, Figures)> {
    let load = Load { name: "beside Postgres, flat out, receipts", receipts: true, rate: 0 };
    let cluster = Cluster::start(&SETTINGS);
    let before = cluster_cpu(&cluster)?;
    let flat_out = beside(options, load, &cluster.database(), |_| Ok(()), |_| Ok(()))?;
    let each = (cluster_cpu(&cluster)? - before) / (flat_out.accepted_f64() / 1000.0);
    println!("  CPU, Postgres           {each:>10.3} s/1,000 calls");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is a small positive number")]
    let half = (flat_out.rate() / 2.0) as u64;
    let load = Load { name: "beside Postgres, half of that, receipts", receipts: true, rate: half };
    let paced = beside(options, load, &cluster.database(), |_| Ok(()), |_| Ok(()))?;

    let load = Load { name: "Postgres stopped, subscribers, half of that, receipts", receipts: true, rate: half };
    let database = cluster.database();
    let cluster = RefCell::new(cluster);
    let stop = |gateway: &Gateway| {
        let register =
            format!("insert into subscriber (number) select generate_series({CALLED}, {CALLED} + {SUBSCRIBERS} - 1)");
        let _ = sql(&database, &register);
        wait::within(Duration::from_secs(60), "the registry is followed", || {
            Ok((gateway.metric("afterring_subscribers", &[])? >= 300_000.0).then_some(()))
        })?;
        cluster.borrow_mut().stop();
        state(gateway, "abnormal")
    };
    let hand_over = |gateway: &Gateway| {
        let waiting = gateway.metric("afterring_database_unshared", &[])?;
        cluster.borrow_mut().restart();
        let start = Instant::now();
        state(gateway, "normal")?;
        let seconds = start.elapsed().as_secs_f64();
        println!("\nhand-over afterwards\n  {waiting:.0} events in {seconds:.2} s: {:.0} events/s", waiting / seconds);
        Ok(())
    };
    let without = beside(options, load, &database, stop, hand_over)?;
    Ok((flat_out, paced, without))
}

fn state(gateway: &Gateway, wanted: &str) -> Result<()> {
    wait::within(Duration::from_secs(120), &format!("the database is {wanted}"), || {
        Ok((gateway.admin("GET", "/v1/status", &Value::Null)?["database"]["state"] == wanted).then_some(()))
    })
}

/// Processor time of all processes of a cluster, those that have ended included.
fn cluster_cpu(cluster: &Cluster) -> Result<f64> {
    cluster.processes().into_iter().try_fold(0.0, |sum, process| Ok(sum + times(process, &[11, 12, 13, 14])?))
}

/// One load with a database beside, something before it and something after it.
fn beside(
    options: Options,
    load: Load,
    database: &str,
    before: impl FnOnce(&Gateway) -> Result<()>,
    after: impl FnOnce(&Gateway) -> Result<()>,
) -> Result<Figures> {
    run_on(options, load, Some(database), before, after)
}

fn run(options: Options, load: Load) -> Result<Figures> {
    run_on(options, load, None, |_| Ok(()), |_| Ok(()))
}

fn run_on(
    options: Options,
    load: Load,
    database: Option<&str>,
    before: impl FnOnce(&Gateway) -> Result<()>,
    after: impl FnOnce(&Gateway) -> Result<()>,
) -> Result<Figures> {
    // On the disk that builds are on: /tmp may be memory.
    let store = paths::target().join("bench-store");
    let _ = fs::remove_dir_all(&store);
    fs::create_dir_all(&store)?;
    let smsc = Simulated::start(load.receipts)?;
    let mut world = World::new()?;
    world
        .set("STORE__DIR", &store.display().to_string())
        .set("SMSC__URLS", &format!("smpp://bench:bench@{}?window={}", smsc.address, options.window))
        .set("RANGES", "everybody=8613*:1000000000")
        .set("LOG__FILTER", "warn");
    if let Some(database) = database {
        world.set("DATABASE__URL", database);
    }
    let gateway = world.start_bound()?;
    if database.is_some() {
        state(&gateway, "normal")?;
    }
    before(&gateway)?;
    let mut figures = measure(options, load, &gateway, &smsc)?;
    figures.written_mib = written(gateway.id())?;
    figures.print(load.name);
    after(&gateway)?;
    wait::within(Duration::from_secs(240), "the last receipts are decided", || {
        Ok((gateway.metric("afterring_journal_pending", &[])? == 0.0).then_some(()))
    })?;
    gateway.stop()?;
    fs::remove_dir_all(&store)?;
    Ok(figures)
}

fn measure(options: Options, load: Load, gateway: &Gateway, smsc: &Simulated) -> Result<Figures> {
    let before = (cpu(gateway.id())?, cpu(smsc.child.id())?);
    let start = Instant::now();
    let report = calls(options, load, &gateway.calls_url())?;
    let accepted = report["accepted"].as_u64().unwrap_or(0);
    let mut figures = Figures { accepted, ..Figures::default() };
    wait::within(Duration::from_secs(240), "every accepted call is told, or its person was told of another", || {
        figures.told = gateway.metric("afterring_link_outcomes_total", &["\"accepted\""])?;
        let decided = |verdict| gateway.metric("afterring_decisions_total", &["\"call\"", verdict]);
        figures.capped = decided("\"teaser_capped\"")? + decided("\"joined\"")? + decided("\"held\"")?;
        Ok((figures.told + figures.capped >= figures.accepted_f64()).then_some(()))
    })?;
    let number = |key: &str| report[key].as_f64().unwrap_or(0.0);
    let page = gateway.look("/metrics")?.text;
    Ok(Figures {
        refused: report["refused"].as_u64().unwrap_or(0) + report["rejected"].as_u64().unwrap_or(0),
        intake_seconds: number("seconds"),
        total_seconds: start.elapsed().as_secs_f64(),
        answer_p50_ms: number("p50_ms"),
        answer_p99_ms: number("p99_ms"),
        submit_p50: quantile(&page, "afterring_accept_to_submit_seconds", 0.5),
        submit_p99: quantile(&page, "afterring_accept_to_submit_seconds", 0.99),
        gateway_cpu: cpu(gateway.id())? - before.0,
        simulator_cpu: cpu(smsc.child.id())? - before.1,
        peak_mib: peak(gateway.id())?,
        ..figures
    })
}

/// Runs the call generator and reads its report.
fn calls(options: Options, load: Load, url: &str) -> Result<Value> {
    let output = Command::new(paths::simulator()?)
        .args(["calls", "--url", url, "--duration", &format!("{}s", options.seconds)])
        .args(["--rate", &load.rate.to_string(), "--batch", &options.batch.to_string()])
        .args(["--connections", &options.connections.to_string(), "--called-first", &CALLED.to_string()])
        .args(["--called-count", &load.people().to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the call generator failed: {}", output.status);
    serde_json::from_slice(&output.stdout).context("the call generator's report")
}

/// The simulated SMSC. Killed when dropped.
#[derive(Debug)]
struct Simulated {
    child: Child,
    address: String,
}

impl Simulated {
    fn start(receipts: bool) -> Result<Self> {
        let mut command = Command::new(paths::simulator()?);
        command.args(["smsc", "--listen", "127.0.0.1:0", "--no-inboxes"]).stdout(Stdio::piped());
        if !receipts {
            command.arg("--no-receipts");
        }
        let mut child = command.spawn()?;
        let Some(output) = child.stdout.take() else { bail!("no pipe") };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("smpp="));
        let address = address.with_context(|| format!("the simulator said {line:?}"))?.to_owned();
        Ok(Self { child, address })
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // The run is over; there's nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Figures {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn accepted_f64(&self) -> f64 {
        self.accepted as f64
    }

    /// Calls per second, from the first that came to the last that the SMSC took.
    fn rate(&self) -> f64 {
        self.accepted_f64() / self.total_seconds
    }

    fn print(&self, name: &str) {
        let thousands = self.accepted_f64() / 1000.0;
        println!("\n{name}");
        println!("  accepted                {:>10} calls ({} refused)", self.accepted, self.refused);
        println!("  accepted, durable       {:>10.0} calls/s", self.accepted_f64() / self.intake_seconds);
        println!("  to submit_sm_resp       {:>10.0} calls/s", self.rate());
        println!("  HTTP answer             {:>10.1} ms p50 {:>10.1} ms p99", self.answer_p50_ms, self.answer_p99_ms);
        println!(
            "  accepted to submit      {:>10.1} ms p50 {:>10.1} ms p99",
            self.submit_p50 * 1000.0,
            self.submit_p99 * 1000.0
        );
        println!("  CPU, gateway            {:>10.3} s/1,000 calls", self.gateway_cpu / thousands);
        println!("  CPU, simulated SMSC     {:>10.3} s/1,000 calls", self.simulator_cpu / thousands);
        println!("  peak memory, gateway    {:>10.0} MiB", self.peak_mib);
        println!("  written to disk         {:>10.2} MiB/1,000 calls", self.written_mib / thousands);
    }
}

/// The bound below which this share of a histogram's observations lies, interpolated within its bucket; in its unit.
fn quantile(page: &str, histogram: &str, share: f64) -> f64 {
    let bucket = |line: &str| {
        let rest = line.strip_prefix(histogram)?.strip_prefix("_bucket{")?;
        let (labels, count) = rest.rsplit_once("} ")?;
        let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
        Some((bound.parse::<f64>().unwrap_or(f64::INFINITY), count.parse::<f64>().ok()?))
    };
    let buckets: Vec<(f64, f64)> = page.lines().filter_map(bucket).collect();
    let wanted = buckets.last().map_or(0.0, |(_, all)| all * share);
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, count) in buckets {
        if count >= wanted && count > below {
            return if bound.is_finite() { low + (bound - low) * (wanted - below) / (count - below) } else { low };
        }
        (low, below) = (bound, count);
    }
    0.0
}

/// Processor time of a process, user and system, in seconds.
fn cpu(process: u32) -> Result<f64> {
    // Fields 14 and 15 of proc(5), counted from behind the name.
    times(process, &[11, 12])
}

/// Times of a process, in seconds: fields of `/proc/PID/stat`, counted from behind the name.
fn times(process: u32, places: &[usize]) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").context("no name in stat")?.1.split(' ').collect();
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    // A tick is 10 ms on every Linux.
    Ok(places.iter().map(|place| ticks(*place)).sum::<f64>() / 100.0)
}

/// The most memory a process ever had resident, in MiB.
fn peak(process: u32) -> Result<f64> {
    Ok(proc_number(&format!("/proc/{process}/status"), "VmHWM:")? / 1024.0)
}

/// What a process had written to storage, in MiB.
fn written(process: u32) -> Result<f64> {
    Ok(proc_number(&format!("/proc/{process}/io"), "write_bytes:")? / 1_048_576.0)
}

fn proc_number(file: &str, name: &str) -> Result<f64> {
    let page = fs::read_to_string(file)?;
    let value =
        page.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name} in {file}"))?;
    Ok(value.split_whitespace().next().unwrap_or_default().parse()?)
}

/// The kind of file system that a folder is on.
fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/mounts")?;
    let at = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?.to_owned()))
    };
    let over = mounts.lines().filter_map(at).filter(|(mount, _)| folder.starts_with(mount));
    Ok(over.max_by_key(|(mount, _)| mount.components().count()).map_or_else(|| "?".to_owned(), |(_, kind)| kind))
}
