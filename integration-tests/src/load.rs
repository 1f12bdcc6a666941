//! Missed calls as a network reports them: 500 a second, each told again and again until it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use crate::http::Client;
use crate::wait;

/// Numbers that can be registered before a load begins: more than any load comes to.
pub const SUBSCRIBERS: u64 = 40_000;

/// The first number that subscribers have.
pub const FIRST_SUBSCRIBER: u64 = 8_613_900_000_000;

const FIRST_PROSPECT: u64 = 8_613_800_000_000;
const BATCH: u64 = 10;
const EVERY: Duration = Duration::from_millis(20);

/// Who is called by the call of this number: everybody once, two of three are subscribers.
#[must_use]
pub const fn called(call: u64) -> u64 {
    if call.is_multiple_of(3) { FIRST_PROSPECT + call } else { FIRST_SUBSCRIBER + call }
}

/// Calls that come without end. They stop when this is dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    answered: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Begins to hand in calls `c0`, `c1`, … there.
    #[must_use]
    pub fn start(url: String) -> Self {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || told.feed(&url))) }
    }

    /// How many calls were answered with 202.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }

    /// How many requests had to be repeated.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Waits until so many more calls are answered: 500 are a second, as long as the gateway takes them at once.
    ///
    /// # Errors
    /// When they aren't.
    pub fn go_on_for(&self, calls: u64) -> Result<()> {
        let enough = self.answered() + calls;
        wait::until_true(&format!("{calls} more calls are answered"), || {
            ensure!(self.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "the load ended");
            Ok(self.answered() >= enough)
        })
    }

    /// Ends with the batch at hand; how many calls were answered.
    ///
    /// # Errors
    /// When an answer was not as documented.
    pub fn finish(mut self) -> Result<u64> {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow!("the load panicked"))??;
        }
        Ok(self.answered())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn feed(&self, url: &str) -> Result<()> {
        let client = Client::new(Duration::from_secs(3));
        let (mut first, mut next) = (0, Instant::now());
        while !self.stop.load(Ordering::SeqCst) {
            let call = |n: u64| json!({ "id": format!("c{n}"), "caller": "8613911112222", "called": called(n).to_string(), "reason": "no_answer" });
            let batch: Value = (first..first + BATCH).map(call).collect();
            self.insist(&client, url, &batch)?;
            first += BATCH;
            next += EVERY;
            sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// Hands in one batch until it is taken: even a load that is to end finds out what became of it.
    fn insist(&self, client: &Client, url: &str, batch: &Value) -> Result<()> {
        let end = Instant::now() + wait::PATIENCE;
        loop {
            match client.send("POST", url, batch) {
                Ok(answer) if answer.status == 202 => {
                    let said = answer.json();
                    let taken = said["accepted"].as_u64().unwrap_or(0) + said["duplicate"].as_u64().unwrap_or(0);
                    ensure!(taken == BATCH, "{answer:?}");
                    self.answered.fetch_add(BATCH, Ordering::SeqCst);
                    return Ok(());
                }
                Ok(answer) if matches!(answer.status, 429 | 503) => {}
                Ok(answer) => bail!("{answer:?}"),
                // The gateway was killed: whether it has the batch, only asking again tells.
                Err(_) => {}
            }
            ensure!(Instant::now() < end, "calls are not taken");
            self.refused.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(10));
        }
    }
}
