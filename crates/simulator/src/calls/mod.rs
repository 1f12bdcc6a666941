//! A generator of missed calls: posts batches of made-up ones to `/v1/calls`, at a rate or as fast as they are answered.

mod client;
mod latency;
mod made_up;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Clock;
use serde::{Serialize, Serializer};
use tokio::task::JoinSet;
use tokio::time::Instant;

use client::{Client, Failure, Target};
use latency::Latency;

/// After a connection could not be made.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What to send, where, and how fast.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to, such as `http://127.0.0.1:8080/v1/calls`.
    pub url: String,
    /// Bearer token, if one is needed.
    pub token: Option<String>,
    /// Calls per second over all connections; 0: as fast as they are answered.
    pub rate: u64,
    /// Calls per request, at least 1.
    pub batch: u64,
    /// Connections, each with one request at a time; at least 1.
    pub connections: usize,
    /// When to stop.
    pub until: Until,
    /// The first called number.
    pub called_first: u64,
    /// How many called numbers from there on, at least 1.
    pub called_count: u64,
    /// The first caller's number.
    pub caller_first: u64,
    /// How many callers from there on, at least 1.
    pub callers: u64,
    /// The number the calls were forwarded to, if any.
    pub service_number: Option<String>,
    /// The same seed makes the same calls, with the same ids: the second time they are duplicates.
    pub seed: u64,
    /// How long a request may take, and how long a batch waits for a connection.
    pub timeout: Duration,
    /// What tells when the calls were missed.
    pub clock: Clock,
}

/// When to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// After so many calls.
    Calls(u64),
    /// After so long; what was begun is finished.
    Elapsed(Duration),
}

impl Load {
    /// A thousand calls in tens over one connection, a thousand called numbers, a hundred callers.
    #[must_use]
    pub fn new(url: String, clock: Clock) -> Self {
        Self {
            url,
            token: None,
            rate: 0,
            batch: 10,
            connections: 1,
            until: Until::Calls(1000),
            called_first: 8_613_800_000_000,
            called_count: 1000,
            caller_first: 8_613_900_000_000,
            callers: 100,
            service_number: None,
            seed: 1,
            timeout: Duration::from_secs(30),
            clock,
        }
    }
}

/// Why a load can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Only plain HTTP to a host and port is spoken.
    #[error("not an address like http://127.0.0.1:8080/v1/calls: {0}")]
    Url(String),
    /// A count that must be at least 1.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
}

/// What became of the calls.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// Calls in requests that were written.
    pub sent: u64,
    /// Calls accepted, by the answers.
    pub accepted: u64,
    /// Calls known already, by the answers.
    pub duplicate: u64,
    /// Calls refused one by one, by the answers.
    pub rejected: u64,
    /// Calls in requests that were answered with something other than 202.
    pub refused: u64,
    /// Calls in requests without an answer that could be read: whether they were accepted is not known.
    pub unanswered: u64,
    /// Calls given up because no connection could be made.
    pub not_sent: u64,
    /// Answers by status.
    pub answers: BTreeMap<u16, u64>,
    /// From the first request to the last answer.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// Median time from a written request to its answer, to within 7 %.
    #[serde(rename = "p50_ms", serialize_with = "millis")]
    pub p50: Duration,
    /// The time that 99 of 100 answers took at most, to within 7 %.
    #[serde(rename = "p99_ms", serialize_with = "millis")]
    pub p99: Duration,
    /// The longest time an answer took.
    #[serde(rename = "max_ms", serialize_with = "millis")]
    pub max: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

fn millis<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64() * 1000.0)
}

/// What the connections share.
struct Shared {
    load: Load,
    target: Target,
    start: Instant,
    next: AtomicU64,
}

/// Sends the load and reports what became of it. Failures are counted, not returned.
///
/// # Errors
/// When the load makes no sense: a URL that isn't one, a count of zero.
pub async fn run(load: Load) -> Result<Report, LoadError> {
    let counts = [
        (load.batch, "batch"),
        (load.connections as u64, "connections"),
        (load.called_count, "called_count"),
        (load.callers, "callers"),
    ];
    if let Some((_, name)) = counts.into_iter().find(|(count, _)| *count == 0) {
        return Err(LoadError::Zero(name));
    }
    let target = Target::parse(&load.url, load.token.as_deref()).ok_or_else(|| LoadError::Url(load.url.clone()))?;
    let connections = load.connections;
    let shared = Arc::new(Shared { load, target, start: Instant::now(), next: AtomicU64::new(0) });
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(connection(Arc::clone(&shared)));
    }
    let mut report = Report::default();
    let mut latency = Latency::default();
    // A task that panicked has nothing to add; there is none that can.
    while let Some(done) = tasks.join_next().await {
        if let Ok((part, times)) = done {
            report.add(&part);
            latency.add(&times);
        }
    }
    report.took = shared.start.elapsed();
    report.p50 = latency.quantile(0.5);
    report.p99 = latency.quantile(0.99);
    report.max = latency.max();
    Ok(report)
}

impl Report {
    fn add(&mut self, part: &Self) {
        self.sent += part.sent;
        self.accepted += part.accepted;
        self.duplicate += part.duplicate;
        self.rejected += part.rejected;
        self.refused += part.refused;
        self.unanswered += part.unanswered;
        self.not_sent += part.not_sent;
        for (status, count) in &part.answers {
            *self.answers.entry(*status).or_default() += count;
        }
    }
}

impl Shared {
    /// The first call of the next batch and how many it has, once its time has come; `None` when all is sent.
    async fn next_batch(&self) -> Option<(u64, u64)> {
        let first = self.next.fetch_add(self.load.batch, Ordering::Relaxed);
        let count = match self.load.until {
            Until::Calls(total) => total.saturating_sub(first).min(self.load.batch),
            Until::Elapsed(_) => self.load.batch,
        };
        let due = match self.load.rate {
            0 => Instant::now(),
            rate => self.start + Duration::from_secs_f64(first as f64 / rate as f64),
        };
        let over = matches!(self.load.until, Until::Elapsed(length) if due >= self.start + length);
        if count == 0 || over {
            return None;
        }
        tokio::time::sleep_until(due).await;
        Some((first, count))
    }
}

async fn connection(shared: Arc<Shared>) -> (Report, Latency) {
    let (mut report, mut latency) = (Report::default(), Latency::default());
    let mut client = None;
    let mut body = Vec::new();
    while let Some((first, count)) = shared.next_batch().await {
        made_up::write(&shared.load, first, count, &mut body);
        let Some(connected) = connected(&shared, &mut client).await else {
            report.not_sent += count;
            continue;
        };
        let began = Instant::now();
        let answer = tokio::time::timeout(shared.load.timeout, connected.post(&shared.target, &body)).await;
        report.sent += count;
        match answer.unwrap_or(Err(Failure::TimedOut)) {
            Ok(answer) => {
                latency.record(began.elapsed());
                *report.answers.entry(answer.status).or_default() += 1;
                match answer.counts {
                    Some(counts) => {
                        report.accepted += counts.accepted;
                        report.duplicate += counts.duplicate;
                        report.rejected += counts.rejected.len() as u64;
                    }
                    None if answer.status == 202 => report.unanswered += count,
                    None => report.refused += count,
                }
                if answer.close {
                    client = None;
                }
            }
            Err(_) => {
                report.unanswered += count;
                client = None;
            }
        }
    }
    (report, latency)
}

/// The connection, made anew if need be; `None` when that fails for as long as a request may take.
async fn connected<'a>(shared: &Shared, client: &'a mut Option<Client>) -> Option<&'a mut Client> {
    if client.is_none() {
        let attempts = async {
            loop {
                match Client::connect(&shared.target).await {
                    Ok(client) => return client,
                    Err(_) => tokio::time::sleep(CONNECT_PAUSE).await,
                }
            }
        };
        *client = tokio::time::timeout(shared.load.timeout, attempts).await.ok();
    }
    client.as_mut()
}
