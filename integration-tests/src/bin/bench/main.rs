//! The benchmark: calls in by HTTP, alerts out to a simulated SMSC, everything on this machine; prints what it took.
//!
//! Each load has a new store: without a database as fast as it goes, without receipts and with, and half of that pace, which shows the times when
//! nothing queues; the last two beside a Postgres of its own; the same with that Postgres stopped, each followed by the hand-over; and, as the limit, what that
//! Postgres does of the same work for a client that does nothing else.

mod figures;
mod limit;
mod viewers;

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use figures::Figures;
use integration_tests::histogram::quantile;
use integration_tests::process::{Memory, cpu, file_system, peak, times, written};
use integration_tests::{Gateway, World, paths, wait};
use serde_json::Value;
use throwaway_postgres::{Cluster, sql};

/// What is asked for on the command line.
#[derive(Clone, Debug)]
struct Options {
    /// How long calls come in each load.
    seconds: u64,
    /// Calls per request.
    batch: u64,
    /// Requests at a time.
    connections: u64,
    /// Unanswered submits that the link may have.
    window: u64,
    /// Calls per second of loads that are paced; else half of what the same load did flat out.
    rate: Option<u64>,
    /// People registered in Postgres before each load beside it.
    subscribers: u64,
    /// People who look at the console's live pages during loads that are paced.
    viewers: u64,
    /// Loads whose name holds this, and no others.
    only: String,
}

/// One load.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    receipts: bool,
    /// Calls per second; 0: as fast as they are answered.
    rate: u64,
    database: Option<Beside>,
}

/// How the database is while calls come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Beside {
    Normal,
    Stopped,
}

impl Load {
    const fn without(name: &'static str, receipts: bool) -> Self {
        Self { name, receipts, rate: 0, database: None }
    }

    const fn beside(name: &'static str, database: Beside) -> Self {
        Self { name, receipts: true, rate: 0, database: Some(database) }
    }

    /// How many people are called; while the database is stopped they are subscribers, for nobody else is told.
    const fn people(self) -> u64 {
        if matches!(self.database, Some(Beside::Stopped)) { SUBSCRIBERS } else { 90_000_000 }
    }
}

/// The first called number.
const CALLED: u64 = 8_613_800_000_000;

/// Subscribers who are called while the database is stopped.
const SUBSCRIBERS: u64 = 300_000;

/// The first of those who are registered and not called.
const NOT_CALLED: u64 = 8_614_000_000_000;

/// How many of them are registered at once.
const REGISTERED: u64 = 1_000_000;

/// Of the Postgres that the bench starts.
const SETTINGS: [&str; 2] = ["shared_buffers=512MB", "max_wal_size=2GB"];

/// How long what was accepted may take to be told afterwards.
const PATIENCE: Duration = Duration::from_secs(600);

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
    let alone = [
        (Load::without("flat out, no receipts", false), None),
        (Load::without("flat out, receipts", true), Some("paced, receipts")),
    ];
    let beside = [
        (Load::beside("beside Postgres, flat out, receipts", Beside::Normal), Some("beside Postgres, paced, receipts")),
        (
            Load::beside("Postgres stopped, subscribers, flat out, receipts", Beside::Stopped),
            Some("Postgres stopped, subscribers, paced, receipts"),
        ),
    ];
    let mut pace = None;
    for (load, paced) in alone.into_iter().chain(beside) {
        // While the database is stopped the pace is that of the load beside it: the times are compared.
        let flat_out = run(&options, load)?.map(Figures::half_the_rate);
        if load.database != Some(Beside::Stopped) {
            pace = flat_out;
        }
        if let (Some(name), Some(rate)) = (paced, options.rate.or(pace)) {
            run(&options, Load { name, rate, ..load })?;
        }
    }
    if options.wants(limit::NAME) {
        limit::run(&SETTINGS)?;
    }
    Ok(())
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

fn options() -> Result<Options> {
    let mut options = Options {
        seconds: 5,
        batch: 200,
        connections: 4,
        window: 1000,
        rate: None,
        subscribers: 0,
        viewers: 0,
        only: String::new(),
    };
    let mut arguments = env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name}: a value must follow"))?;
        if name == "--only" {
            options.only = value;
            continue;
        }
        let value: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--seconds" => options.seconds = value.clamp(1, 3_600),
            "--batch" => options.batch = value,
            "--connections" => options.connections = value,
            "--window" => options.window = value,
            "--rate" => options.rate = Some(value),
            "--subscribers" => options.subscribers = value,
            "--viewers" => options.viewers = value,
            _ => bail!(
                "{name}: there are --seconds, --batch, --connections, --window, --rate, --subscribers, --viewers and --only NAME"
            ),
        }
    }
    Ok(options)
}

/// Runs a load on a new store, if it is wanted.
fn run(options: &Options, load: Load) -> Result<Option<Figures>> {
    if !options.wants(load.name) {
        return Ok(None);
    }
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
    let cluster = load.database.map(|_| RefCell::new(Cluster::start(&SETTINGS)));
    let database = cluster.as_ref().map(|cluster| cluster.borrow().database());
    if let Some(database) = &database {
        world.set("DATABASE__URL", database);
    }
    let mut gateway = world.start_bound()?;
    if let Some(database) = &database {
        state(&gateway, "normal")?;
        if options.subscribers > 0 {
            // While it is away: it would read all of them again after each million.
            gateway.stop()?;
            register(database, NOT_CALLED, options.subscribers)?;
            gateway = world.start_bound()?;
        }
        let called = if load.database == Some(Beside::Stopped) { SUBSCRIBERS } else { 0 };
        register(database, CALLED, called)?;
        registered(&gateway, called + options.subscribers)?;
    }
    if let (Some(Beside::Stopped), Some(cluster)) = (load.database, &cluster) {
        cluster.borrow_mut().stop();
        state(&gateway, "abnormal")?;
    }
    let figures = measure(options, load, &gateway, &smsc, cluster.as_ref())?;
    figures.print(load.name);
    if let (Some(Beside::Stopped), Some(cluster)) = (load.database, &cluster) {
        hand_over(&gateway, &mut cluster.borrow_mut())?;
    }
    wait::within(PATIENCE, "the last receipts are decided", || {
        Ok((gateway.metric("afterring_journal_pending", &[])? == 0.0).then_some(()))
    })?;
    gateway.stop()?;
    fs::remove_dir_all(&store)?;
    Ok(Some(figures))
}

/// Registers people, some at a time, and lets the planner know of it.
fn register(database: &str, first: u64, count: u64) -> Result<()> {
    for done in (0..count).step_by(usize::try_from(REGISTERED)?) {
        let (from, until) = (first + done, first + count.min(done + REGISTERED) - 1);
        drop(sql(database, &format!("insert into subscriber (number) select generate_series({from}, {until})")));
    }
    drop(sql(database, "analyze subscriber"));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn registered(gateway: &Gateway, count: u64) -> Result<()> {
    let start = Instant::now();
    wait::within(PATIENCE, "the registry is followed", || {
        Ok((gateway.metric("afterring_subscribers", &[])? >= count as f64).then_some(()))
    })?;
    if count > 0 {
        println!("\n{count} subscribers are known after {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Starts the database again and waits until it has everything.
fn hand_over(gateway: &Gateway, cluster: &mut Cluster) -> Result<()> {
    let waiting = gateway.metric("afterring_database_unshared", &[])?;
    cluster.restart();
    let start = Instant::now();
    state(gateway, "normal")?;
    let seconds = start.elapsed().as_secs_f64();
    println!("  handed over afterwards  {waiting:>10.0} events in {seconds:.2} s: {:.0} events/s", waiting / seconds);
    Ok(())
}

fn state(gateway: &Gateway, wanted: &str) -> Result<()> {
    wait::within(PATIENCE, &format!("the database is {wanted}"), || {
        Ok((gateway.admin("GET", "/v1/status", &Value::Null)?["database"]["state"] == wanted).then_some(()))
    })
}

/// Processor time of all processes of a cluster, those that have ended included.
pub(crate) fn cluster_cpu(cluster: &Cluster) -> Result<f64> {
    let processes = cluster.processes();
    let (first, children) = processes.split_first().context("no process")?;
    let of = |process: u32| times(process, &[11, 12, 13, 14]);
    // Whoever of them ends meanwhile is counted with the first, which is looked at last.
    let children: f64 = children.iter().filter_map(|child| of(*child).ok()).sum();
    Ok(children + of(*first)?)
}

fn measure(
    options: &Options,
    load: Load,
    gateway: &Gateway,
    smsc: &Simulated,
    cluster: Option<&RefCell<Cluster>>,
) -> Result<Figures> {
    let database = || match (load.database, cluster) {
        (Some(Beside::Normal), Some(cluster)) => cluster_cpu(&cluster.borrow()),
        _ => Ok(0.0),
    };
    let before = (cpu(gateway.id())?, cpu(smsc.child.id())?, database()?);
    let start = Instant::now();
    let memory = Memory::watch(gateway.id());
    let (report, viewers) = looked_at(options, load, gateway)?;
    let memory_mib = memory.tenths();
    let accepted = report["accepted"].as_u64().unwrap_or(0);
    let mut figures = Figures { accepted, memory_mib, viewers, ..Figures::default() };
    wait::within(PATIENCE, "every accepted call is told, or its person was told of another", || {
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
        database_cpu: database()? - before.2,
        peak_mib: peak(gateway.id())?,
        written_mib: written(gateway.id())?,
        ..figures
    })
}

/// Lets calls come, and meanwhile viewers, where they are wanted and the load is paced: flat out nobody could tell what they cost.
fn looked_at(options: &Options, load: Load, gateway: &Gateway) -> Result<(Value, Option<(u64, viewers::Seen)>)> {
    let url = gateway.calls_url();
    if options.viewers == 0 || load.rate == 0 {
        return Ok((calls(options, load, &url)?, None));
    }
    let (id, admin, stop) = (gateway.id(), gateway.admin_address(), AtomicBool::new(false));
    thread::scope(|scope| {
        let looking = scope.spawn(|| viewers::look(id, admin, options.viewers, &stop));
        let report = calls(options, load, &url);
        stop.store(true, Ordering::Relaxed);
        let seen = looking.join().map_err(|_| anyhow!("the viewers panicked"))??;
        Ok((report?, Some((options.viewers, seen))))
    })
}

/// Runs the call generator and reads its report.
fn calls(options: &Options, load: Load, url: &str) -> Result<Value> {
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
