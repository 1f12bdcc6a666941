//! The health of the database as everybody in this process sees it: the machine of [`routing::Health`], told what happens, logging each change once.

use std::sync::Arc;

use model::Clock;
use routing::{Condition, Database, Health as Machine, HealthEvent};
use tokio::sync::watch;

use crate::postgres::{Class, Fault};

/// What is known of the database, shared by all that ask for it. Cheap to clone.
#[derive(Clone)]
pub struct DatabaseHealth {
    clock: Clock,
    seen: Arc<watch::Sender<Seen>>,
}

/// The machine, and what was said last.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The machine.
    pub machine: Machine,
    /// What the last failure said, while it lasts.
    pub fault: Option<String>,
}

impl std::fmt::Debug for DatabaseHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseHealth").field("seen", &*self.seen.borrow()).finish_non_exhaustive()
    }
}

impl DatabaseHealth {
    /// Of a database that was not asked yet.
    #[must_use]
    pub fn starting(clock: Clock) -> Self {
        Self::new(clock, Machine::starting(clock()))
    }

    /// Of a gateway without one.
    #[must_use]
    pub fn unconfigured(clock: Clock) -> Self {
        Self::new(clock, Machine::unconfigured(clock()))
    }

    fn new(clock: Clock, machine: Machine) -> Self {
        Self { clock, seen: Arc::new(watch::Sender::new(Seen { machine, fault: None })) }
    }

    /// As it is now.
    #[must_use]
    pub fn now(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// What decisions are taken by.
    #[must_use]
    pub fn decides_by(&self) -> Database {
        self.seen.borrow().machine.decides_by()
    }

    /// Whether traffic may use the database.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        self.seen.borrow().machine.may_ask()
    }

    /// For those who wait for a change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Waits until it is so.
    pub(crate) async fn becomes(&self, so: impl FnMut(&Seen) -> bool + Send) {
        // The sender lives in `self`: the wait can't fail.
        drop(self.seen.subscribe().wait_for(so).await.map(|_| ()));
    }

    /// Waits until the database must no longer be asked.
    pub(crate) async fn closes(&self) {
        self.becomes(|seen| !seen.machine.may_ask()).await;
    }

    /// Tells the machine what happened.
    pub fn tell(&self, event: HealthEvent) {
        self.on(event, None);
    }

    /// Tells the machine that the probe failed.
    pub(crate) fn probe_failed(&self, fault: &Fault) {
        if let Some(trouble) = fault.class.trouble() {
            self.on(HealthEvent::ProbeFailed(trouble), Some(fault));
        }
    }

    /// Tells the machine that traffic failed. What concerns one statement only is no trouble of the database.
    pub(crate) fn traffic_failed(&self, fault: &Fault) {
        if let Some(trouble) = fault.class.trouble() {
            self.on(HealthEvent::TrafficFailed(trouble), Some(fault));
        }
    }

    fn on(&self, event: HealthEvent, fault: Option<&Fault>) {
        let now = (self.clock)();
        let (mut change, mut text) = (None, String::new());
        self.seen.send_if_modified(|seen| {
            change = seen.machine.on(event, now);
            match (fault, seen.machine.condition()) {
                (Some(fault), _) => seen.fault = Some(fault.to_string()),
                (None, Condition::Normal) => seen.fault = None,
                (None, _) => {}
            }
            text = seen.fault.clone().unwrap_or_default();
            change.is_some() || fault.is_some()
        });
        let Some(change) = change else { return };
        let (who, what) = change.why.words();
        let (from, to) = (change.from.as_str(), change.to.as_str());
        if change.to == Condition::Abnormal {
            tracing::warn!(
                from,
                to,
                who,
                what,
                fault = text,
                "database health changed: alerts go on without the database"
            );
        } else {
            tracing::info!(from, to, who, what, "database health changed");
        }
    }
}

impl Class {
    /// What it says of the database as a whole; `None`: nothing.
    #[must_use]
    pub const fn trouble(self) -> Option<routing::Trouble> {
        use routing::Trouble;
        match self {
            Self::Away => Some(Trouble::Gone),
            Self::Silent => Some(Trouble::Silent),
            Self::ReadOnly => Some(Trouble::ReadOnly),
            Self::Full => Some(Trouble::Full),
            Self::Connections => Some(Trouble::Connections),
            Self::Denied => Some(Trouble::Denied),
            Self::Schema => Some(Trouble::Schema),
            Self::Other => Some(Trouble::Other),
            Self::Busy | Self::Poison => None,
        }
    }
}
