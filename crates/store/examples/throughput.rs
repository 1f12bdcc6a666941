//! How many missed calls a second the embedded store takes from the journal to the SMSC's answer, on this machine, and what it writes for them.
//!
//! `cargo run --release -p store --example throughput -- [seconds] [page] [people] [dir]`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use model::{CallId, Caller, MissedCall, Msisdn, Reason, ShortNumber, SmscName, Source, SubmitOutcome, Timestamp};
use routing::Subscriber;
use routing::text::Texts;
use routing::{Database, Event, InDoubtPolicy, Policy, Service};
use store::{Context, Embedded, EmbeddedSettings, Store};

/// Calls in one append, as a busy HTTP feed or some tens of milliseconds of SIP make.
const BATCH: usize = 200;

/// Appends waiting at a time.
const FEEDS: usize = 4;

const FIRST: u64 = 8_613_800_000_000;

struct Shared {
    store: Embedded,
    stop: AtomicBool,
    accepted: AtomicU64,
    people: u64,
}

fn policy() -> Result<Policy> {
    Ok(Policy {
        language: "zh-CN".parse()?,
        time_zone: "Asia/Shanghai".to_owned(),
        in_doubt: InDoubtPolicy::ResendOnce,
        ..Policy::new(Service::new(ShortNumber::parse("12599")?), Texts::shipped()?)
    })
}

/// SplitMix64: the same numbers in every run.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn call(n: u64, people: u64, now: Timestamp) -> Result<Event> {
    let random = mix(n);
    Ok(Event::Call(MissedCall {
        id: CallId::parse(&format!("{random:016x}-{n}@msc1"))?,
        caller: Caller::Number(Msisdn::try_from(8_613_900_000_000 + (random >> 32) % 50_000_000)?),
        called: Msisdn::try_from(FIRST + random % people)?,
        at: now,
        reason: Reason::NoAnswer,
        service_number: Some(ShortNumber::parse("12599")?),
        source: Source::Http,
    }))
}

/// Appends without a pause; gives how long each append took.
async fn feed(shared: Arc<Shared>, feed: usize, now: Timestamp) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut n = feed as u64 * 1_000_000_000;
    while !shared.stop.load(Ordering::Relaxed) {
        // Admission, as the gateway has it: a backlog that grows without bound would measure the journal alone.
        if shared.store.backlog() > 20_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        }
        let events = (n..n + BATCH as u64).map(|n| call(n, shared.people, now)).collect::<Result<Vec<_>>>()?;
        n += BATCH as u64;
        let started = Instant::now();
        shared.store.append(events).await?;
        took.push(started.elapsed());
    }
    Ok(took)
}

/// Settles and leases; answers every submit as an SMSC that takes it at once.
async fn pump(shared: Arc<Shared>, context: Context) -> Result<()> {
    let mut id = 0x3a_0000_0000_u64;
    while !shared.stop.load(Ordering::Relaxed) {
        let batch = shared.store.next(1_000).await;
        let answers = batch.iter().filter(|journaled| matches!(journaled.event, Event::Submitted { .. })).count();
        shared.store.settle(batch, context.clone()).await?;
        shared.accepted.fetch_add(answers as u64, Ordering::Relaxed);
        let submits = shared.store.lease(1_000, &context).await?;
        let answers: Vec<_> = submits
            .into_iter()
            .map(|submit| {
                id += 1;
                let outcome = SubmitOutcome::Accepted {
                    smsc: SmscName("smsc1".to_owned()),
                    message_ids: vec![format!("{id:x}")],
                };
                Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome }
            })
            .collect();
        if !answers.is_empty() {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.store.append(answers).await.map(drop) });
        }
    }
    Ok(())
}

fn written_by_us() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // After the state letter: utime and stime are fields 14 and 15 of proc(5), in hundredths of a second.
    fields.get(10).copied().unwrap_or(0.0) / 100.0 + fields.get(11).copied().unwrap_or(0.0) / 100.0
}

async fn fill(store: &Embedded, people: u64, now: Timestamp) -> Result<()> {
    let numbers: Vec<u64> = (0..people).collect();
    for chunk in numbers.chunks(10_000) {
        let subscribers =
            chunk.iter().map(|n| Ok(Subscriber::new(Msisdn::try_from(FIRST + n)?, now))).collect::<Result<Vec<_>>>()?;
        store.put_subscribers(subscribers).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (seconds, page, people) = (number(20)?, number(1024)?, number(1_000_000)?);
    let parent = std::env::args().nth(4).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    let now = Timestamp::parse("2026-11-23T08:00:00Z")?;
    let mut settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(30 * 24 * 3600));
    settings.page = u32::try_from(page)?;
    let store = Embedded::open(settings, now)?;
    fill(&store, people, now).await?;

    let context = Context { policy: Arc::new(policy()?), database: Database::Normal, now };
    let shared =
        Arc::new(Shared { store: store.clone(), stop: AtomicBool::new(false), accepted: AtomicU64::new(0), people });
    let (started, wrote, used) = (Instant::now(), written_by_us(), cpu());
    let pump = tokio::spawn(pump(Arc::clone(&shared), context));
    let feeds: Vec<_> = (0..FEEDS).map(|n| tokio::spawn(feed(Arc::clone(&shared), n, now))).collect();
    let mut before = 0;
    for second in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let accepted = shared.accepted.load(Ordering::Relaxed);
        println!("{second:3} s  {:6} calls/s  backlog {}", accepted - before, store.backlog());
        before = accepted;
    }
    let (elapsed, accepted) = (started.elapsed().as_secs_f64(), shared.accepted.load(Ordering::Relaxed));
    let (wrote, used) = (written_by_us() - wrote, cpu() - used);
    shared.stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for feed in feeds {
        took.extend(feed.await??);
    }
    pump.await??;
    took.sort_unstable();
    let quantile = |q: usize| took.get(took.len().saturating_sub(1) * q / 100).copied().unwrap_or_default();
    let calls = accepted as f64;
    println!("page {page}: {:.0} calls/s told (append + settle + lease + answer), {people} people", calls / elapsed);
    println!(
        "{:.1} MB written per 1,000 calls; {:.0} µs of CPU per call; {:.2} cores",
        wrote as f64 / 1e3 / calls,
        used * 1e6 / calls,
        used / elapsed
    );
    println!(
        "append of {BATCH}: p50 {:?}, p99 {:?}, max {:?}",
        quantile(50),
        quantile(99),
        took.last().context("no appends")?
    );
    let size: u64 =
        std::fs::read_dir(dir.path())?.flatten().filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
    println!("{} bytes of disk per call", size / accepted.max(1));
    drop(shared);
    store.close().await;
    Ok(())
}
