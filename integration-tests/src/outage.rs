//! A gateway beside a database that fails under load: begins it, notes when what happened, and ends in a verdict.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};
use throwaway_postgres::sql;

use crate::http::Client;
use crate::load::{FIRST_SUBSCRIBER, Load, SUBSCRIBERS};
use crate::verdict::{Moments, Verdict};
use crate::{Gateway, Make, Smsc, World, clock, wait};

/// Pause between two looks at the gateway's list of changes, which holds the last 32.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long everything that was accepted may take to be handed over and told after the load: far more than it takes.
const DRAINED: Duration = Duration::from_secs(40);

/// One change of the database's state, as the gateway tells it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// From this state.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Who noticed, and what.
    pub why: String,
}

/// What is needed for an outage: an SMSC, and a gateway's surroundings that name a database.
#[derive(Debug)]
pub struct Scene {
    /// The gateway's surroundings, to be changed before it starts.
    pub world: World,
    /// The SMSC.
    pub smsc: Smsc,
}

/// A gateway under load.
#[derive(Debug)]
pub struct Outage {
    name: &'static str,
    /// The gateway's surroundings.
    pub world: World,
    /// The SMSC.
    pub smsc: Smsc,
    /// The gateway; none while it is down.
    pub gateway: Option<Gateway>,
    /// The calls.
    pub load: Load,
    watched: Watched,
    moments: Moments,
}

impl Scene {
    /// One in which the gateway is told of the database by this address.
    ///
    /// # Errors
    /// As those of [`Smsc::start`] and [`World::new`].
    pub fn beside(database: &str) -> Result<Self> {
        let smsc = Smsc::start(Make::Node)?;
        let mut world = World::with(&smsc)?;
        world
            .set("DATABASE__URL", database)
            .set("RANGES", "south=86138*:1000000")
            .set("ALERT__MIN_INTERVAL", "0s")
            .set("ALERT__IN_DOUBT", "hold");
        Ok(Self { world, smsc })
    }

    /// Starts the gateway, registers people by SQL at `truth` and begins the load; returns when a second of it is answered and the database normal.
    ///
    /// # Errors
    /// When something of it doesn't come about.
    pub fn begin(self, name: &'static str, truth: &str) -> Result<Outage> {
        let Self { world, smsc } = self;
        let gateway = world.start_bound()?;
        wait_whole(&gateway).with_context(|| format!("it printed:\n{}", world.printed().unwrap_or_default()))?;
        register(truth, SUBSCRIBERS);
        wait_registered(&gateway, SUBSCRIBERS)?;
        let watched = Watched::start(gateway.admin_url("/v1/status"));
        let moments = Moments::beginning(clock::now().as_millisecond());
        let load = Load::start(gateway.calls_url());
        let outage = Outage { name, world, smsc, gateway: Some(gateway), load, watched, moments };
        outage.load.go_on_for(500)?;
        Ok(outage)
    }
}

impl Outage {
    /// Lets the fault happen; when this returns it is complete.
    pub fn fault<T>(&mut self, happen: impl FnOnce() -> T) -> T {
        let happened = happen();
        self.moments.fault = Some(clock::now().as_millisecond());
        happened
    }

    /// Lets the fault end; when this returns it is over.
    pub fn heal<T>(&mut self, happen: impl FnOnce() -> T) -> T {
        let happened = happen();
        self.moments.healed = Some(clock::now().as_millisecond());
        happened
    }

    /// Waits until the gateway has noticed the fault.
    ///
    /// # Errors
    /// When it doesn't.
    pub fn wait_abnormal(&self) -> Result<()> {
        let since = self.moments.fault.unwrap_or(self.moments.began);
        wait::until_true("the database is abnormal", || {
            Ok(self.watched.changes().iter().any(|change| change.to == "abnormal" && change.at >= since - 1_000))
        })
        .with_context(|| self.told())
    }

    /// Waits until it is normal, and nothing is left to hand over.
    ///
    /// # Errors
    /// When it never is.
    pub fn wait_normal(&self) -> Result<()> {
        wait_whole(self.gateway()?).with_context(|| self.told())
    }

    /// After a fault: waits until it is noticed, lets so many calls come, heals it, and waits for its end. Everything is at `truth` then, once.
    ///
    /// # Errors
    /// When something is otherwise.
    pub fn sit_out<T>(mut self, calls: u64, heal: impl FnOnce() -> T, truth: &str) -> Result<()> {
        self.wait_abnormal()?;
        self.load.go_on_for(calls)?;
        self.heal(heal);
        self.wait_normal()?;
        let verdict = self.verdict(truth)?;
        verdict.is_sound()?;
        verdict.was_abnormal()
    }

    /// The gateway that runs.
    ///
    /// # Errors
    /// When none does.
    pub fn gateway(&self) -> Result<&Gateway> {
        self.gateway.as_ref().context("the gateway is down")
    }

    /// Starts the gateway again after it was killed or stopped.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start_again(&mut self) -> Result<()> {
        self.gateway = Some(self.world.start()?);
        Ok(())
    }

    /// Ends the gateway as a power cut would end the program.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill_gateway(&mut self) -> Result<()> {
        self.gateway.take().context("the gateway is down")?.kill()
    }

    /// Ends the load and waits until the database at `truth` has everything and everybody is told; then counts.
    ///
    /// # Errors
    /// When that doesn't come about.
    pub fn verdict(mut self, truth: &str) -> Result<Verdict> {
        self.load.go_on_for(500)?;
        wait_whole_within(DRAINED, self.gateway()?).with_context(|| self.told())?;
        self.moments.ended = clock::now().as_millisecond();
        let refused = self.load.refused();
        let answered = self.load.finish()?;
        let Some(gateway) = self.gateway.take() else { bail!("the gateway is down") };
        let drained = wait_whole_within(DRAINED, &gateway).and_then(|()| wait_told(&gateway));
        drained.with_context(|| tell(&gateway, &self.world))?;
        let changes = self.watched.finish();
        gateway.stop()?;
        let log = self.world.printed()?;
        Ok(Verdict::count(self.name, truth, &self.smsc, self.moments, changes, log)?.of_calls(answered, refused))
    }

    /// What there is to say when something is otherwise than it should be.
    fn told(&self) -> String {
        match &self.gateway {
            Some(gateway) => format!("{}: {}", self.name, tell(gateway, &self.world)),
            None => format!("{}: the gateway is down", self.name),
        }
    }
}

/// Registers so many of the load's subscribers in a database.
pub fn register(database: &str, count: u64) {
    let last = FIRST_SUBSCRIBER + count - 1;
    sql(database, &format!("insert into subscriber (number) select generate_series({FIRST_SUBSCRIBER}, {last})"));
}

/// Waits until a gateway knows so many subscribers.
///
/// # Errors
/// When it never does.
pub fn wait_registered(gateway: &Gateway, count: u64) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let enough = count as f64;
    wait::until_true("the subscribers are known", || Ok(gateway.metric("afterring_subscribers", &[])? >= enough))
}

/// Waits until the database is normal and has everything that was decided.
///
/// # Errors
/// When it doesn't come about.
pub fn wait_whole(gateway: &Gateway) -> Result<()> {
    wait_whole_within(wait::PATIENCE, gateway)
}

fn wait_whole_within(patience: Duration, gateway: &Gateway) -> Result<()> {
    wait::within(patience, "the database is normal and has everything", || {
        let status = gateway.status()?;
        let database = &status["database"];
        Ok((database["state"] == "normal" && database["behind"] == json!(false)).then_some(()))
    })
}

/// Waits until everything that was accepted is decided and has left the queue.
///
/// # Errors
/// When something stays.
pub fn wait_told(gateway: &Gateway) -> Result<()> {
    wait::within(DRAINED, "nothing waits to be decided or sent", || {
        let pending = gateway.status()?["journal"]["pending"].as_u64();
        let waiting =
            gateway.metric("afterring_alerts", &["queued"])? + gateway.metric("afterring_alerts", &["sending"])?;
        Ok((pending == Some(0) && waiting == 0.0).then_some(()))
    })
}

/// A gateway's state, and the end of what it printed.
#[must_use]
pub fn tell(gateway: &Gateway, world: &World) -> String {
    let status = gateway.status().map_or_else(|error| error.to_string(), |status| format!("{status:#}"));
    let printed = world.printed().unwrap_or_default();
    let last: Vec<&str> = printed.lines().rev().take(40).collect();
    format!("{status}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"))
}

/// Collects the changes that a gateway tells of, over all its lives.
#[derive(Debug)]
struct Watched {
    changes: Arc<Mutex<BTreeSet<Change>>>,
    stop: Arc<AtomicBool>,
}

impl Watched {
    fn start(url: String) -> Self {
        let watched = Self { changes: Arc::default(), stop: Arc::default() };
        let (changes, stop) = (Arc::clone(&watched.changes), Arc::clone(&watched.stop));
        thread::spawn(move || {
            let client = Client::new(Duration::from_secs(3));
            while !stop.load(Ordering::SeqCst) {
                if let Ok(answer) = client.get(&url) {
                    let seen = read(&answer.json());
                    changes.lock().unwrap_or_else(PoisonError::into_inner).extend(seen);
                }
                sleep(LOOK_AGAIN);
            }
        });
        watched
    }

    fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn finish(&self) -> Vec<Change> {
        sleep(LOOK_AGAIN * 2);
        self.changes()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn read(status: &Value) -> Vec<Change> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let change = |change: &Value| {
        let at: Timestamp = change["at"].as_str()?.parse().ok()?;
        let why = format!("{} {}", word(&change["who"]), word(&change["why"]));
        Some(Change { at: at.as_millisecond(), from: word(&change["from"]), to: word(&change["to"]), why })
    };
    status["database"]["changes"].as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(change).collect()
}
