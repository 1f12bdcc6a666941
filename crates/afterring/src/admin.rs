//! What operators see of a running gateway: status, readiness, metrics, the database switch.

mod link;
mod reading;
mod sip;
mod system;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use console::{
    Access, Audit, ChangeView, Check, Condition, ForceError, ForceRequest, Handles, JournalView, LinkOrder, Operators,
    OrderError, Status,
};
use ingress::Counts;
use model::{Numbering, Timestamp};
use routing::{Database, RangeName};
use smpp_client::{LinkState, Links};
use store::{HandOver, Oldest, Outcome, Store};
use tokio::sync::broadcast;

use crate::metrics::{DatabaseFigures, Machine, Metrics, Snapshot};
use crate::pump::Desk;
use crate::running::Running;

pub use sip::SipDoor;

/// How old the usage of ranges, and what the machine says, may be in the metrics.
const FIGURES_AGE: Duration = Duration::from_secs(5);

/// How often it is looked since when the oldest of what SMSCs are to do waits.
const OLDEST_AGE: Duration = Duration::from_secs(2);

/// Everything that the operators' listener answers from.
pub struct Admin {
    desk: Desk,
    store: HandOver,
    links: Links,
    metrics: Arc<Metrics>,
    counts: Arc<Counts>,
    /// Where there is a SIP listener.
    sip: Option<SipDoor>,
    usage: ArcSwap<Vec<(RangeName, u64)>>,
    machine: ArcSwap<Machine>,
    oldest: ArcSwap<Oldest>,
    live: broadcast::Sender<Arc<Vec<Outcome>>>,
    running: Arc<Running>,
    draining: AtomicBool,
}

/// What runs inside.
pub struct Watched {
    /// What decisions are taken by.
    pub desk: Desk,
    /// The store.
    pub store: HandOver,
    /// Links to SMSCs.
    pub links: Links,
    /// What the pumps count.
    pub metrics: Arc<Metrics>,
    /// What is decided, as it happens.
    pub live: broadcast::Sender<Arc<Vec<Outcome>>>,
    /// The settings in force.
    pub running: Arc<Running>,
}

/// What stands before everything that operators ask.
pub struct Door {
    /// Who is let in.
    pub access: Access,
    /// Where it is noted what they do.
    pub audit: Audit,
    /// How people are named in addresses.
    pub handles: Handles,
}

/// The doors of the core network.
#[derive(Debug)]
pub struct Doors {
    /// What came, and what was refused.
    pub counts: Arc<Counts>,
    /// The SIP door, where it listens.
    pub sip: Option<SipDoor>,
}

impl Admin {
    /// Watches these.
    #[must_use]
    pub fn new(watched: Watched, doors: Doors) -> Self {
        let (usage, oldest) = (ArcSwap::from_pointee(Vec::new()), ArcSwap::from_pointee(Oldest::default()));
        let machine = ArcSwap::from_pointee(Machine::default());
        let Watched { desk, store, links, metrics, live, running } = watched;
        let Doors { counts, sip } = doors;
        Self {
            desk,
            store,
            links,
            metrics,
            counts,
            sip,
            usage,
            machine,
            oldest,
            live,
            running,
            draining: AtomicBool::new(false),
        }
    }

    /// The time by this gateway's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.desk.clock)()
    }

    /// No longer ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Keeps fresh what can't be asked while figures are told: the usage of ranges, the machine with the disk of the store directory, and since when
    /// the oldest of what SMSCs are to do waits. For ever.
    pub async fn run(self: Arc<Self>, store_dir: PathBuf) {
        tokio::join!(self.follow_figures(store_dir), self.follow_oldest());
    }

    async fn follow_figures(&self, store_dir: PathBuf) {
        loop {
            let dir = store_dir.clone();
            if let Ok(machine) = tokio::task::spawn_blocking(move || Machine::look(&dir)).await {
                self.machine.store(Arc::new(machine));
            }
            if let Ok(usage) = self.store.usage().await {
                self.usage.store(Arc::new(usage));
            }
            tokio::time::sleep(FIGURES_AGE).await;
        }
    }

    async fn follow_oldest(&self) {
        loop {
            self.look_at_oldest().await;
            tokio::time::sleep(OLDEST_AGE).await;
        }
    }

    /// The operators' side, as the console asks for it.
    #[must_use]
    pub fn operators(self: Arc<Self>, numbering: Numbering, door: Door) -> Operators {
        let Door { access, audit, handles } = door;
        let (handle, noting) = (|| Arc::clone(&self), audit.clone());
        let (status, force, policy, metrics, ready) = (handle(), handle(), handle(), handle(), handle());
        let (reading, system, order_link, reload, log) = (handle(), handle(), handle(), handle(), handle());
        Operators {
            store: self.store.clone(),
            numbering,
            status: Arc::new(move || status.status()),
            force: Arc::new(move |request| force.force(request)),
            policy: Arc::new(move || policy.desk.policy.load_full()),
            reading: Arc::new(move || reading.reading()),
            live: self.live.clone(),
            system: Arc::new(move || system.system()),
            order_link: Arc::new(move |order| order_link.order_link(&order)),
            reload: Arc::new(move || reload.reload()),
            log: Arc::new(move |wish| log.log(wish)),
            metrics: Arc::new(move || metrics.metrics()),
            ready: Arc::new(move || ready.checks().into_iter().chain([noting.check()]).collect()),
            clock: self.desk.clock,
            access,
            audit,
            handles,
        }
    }

    fn order_link(&self, order: &LinkOrder) -> Result<(), OrderError> {
        link::order(&self.links, order)
    }

    fn status(&self) -> Status {
        let database = &self.desk.database;
        let forced = database.forced();
        let seen = database.health.now();
        Status {
            database: console::DatabaseStatus {
                state: self.database(),
                forced: forced.is_some(),
                configured: database.is_configured(),
                since: database.since(),
                // Shown to everybody who may look, and people write numbers; the audit log has it as it was written.
                reason: forced
                    .as_ref()
                    .map(|forced| forced.reason.clone())
                    .or(seen.fault)
                    .map(|reason| console::audit::masked(&reason)),
                until: forced.map(|forced| forced.until),
                behind: self.store.is_behind(),
                quarantined: self.store.local().health().quarantined,
                changes: seen.machine.changes().map(ChangeView::from).collect(),
            },
            links: self.links.status().iter().map(link::view).collect(),
            sip: self.sip.as_ref().map(sip::view),
            journal: JournalView { pending: self.store.local().backlog() },
            counts: self.totals(),
        }
    }

    /// Calls taken, messages decided by kind, and decisions by verdict.
    fn totals(&self) -> BTreeMap<&'static str, u64> {
        let doors = self.counts.snapshot();
        let mut totals: BTreeMap<&'static str, u64> =
            BTreeMap::from([("calls", doors.sip.accepted + doors.http.accepted)]);
        for kind in model::Kind::ALL {
            totals.insert(kind.as_str(), 0);
        }
        for ((event, verdict, why), count) in self.metrics.decisions() {
            match (event, verdict) {
                (_, "send") => *totals.entry(why).or_default() += count,
                ("call", "joined") => *totals.entry("joined").or_default() += count,
                ("call", "held") => *totals.entry("held").or_default() += count,
                ("call", "nothing") => *totals.entry("nothing").or_default() += count,
                ("reply", _) => *totals.entry("replies").or_default() += count,
                _ => {}
            }
        }
        totals
    }

    fn database(&self) -> routing::Condition {
        self.desk.database.health.now().machine.condition()
    }

    fn force(&self, request: ForceRequest) -> Result<(), ForceError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(ForceError::Stopping);
        }
        match request {
            ForceRequest::Abnormal { until, reason } => {
                self.desk.database.force(until.since((self.desk.clock)()), reason);
            }
            ForceRequest::Lift => drop(self.desk.database.lift()),
        }
        Ok(())
    }

    fn checks(&self) -> Vec<Check> {
        let links = self.links.status();
        let bound = links.iter().filter(|link| link.state == LinkState::Bound).count();
        let condition = Condition {
            draining: self.draining.load(Ordering::Relaxed),
            journal_fault: self.store.local().health().error,
            links: links.len(),
            bound,
            ever_bound: links.iter().any(|link| link.counts.connects > 0),
            away: links.iter().filter(|link| matches!(link.state, LinkState::Away { .. })).count(),
            database: self.database(),
        };
        let mut checks = condition.checks();
        checks.extend(self.sip.as_ref().map(sip::check));
        checks.extend(links.iter().map(link::check));
        checks
    }

    fn metrics(&self) -> String {
        let doors = self.counts.snapshot();
        let health = self.store.local().health();
        let alerts = health.alerts;
        let policy = self.desk.policy.load();
        let usage = self.usage.load();
        let used = |name: &RangeName| usage.iter().find(|(of, _)| of == name).map_or(0, |(_, used)| *used);
        let mut ranges: Vec<_> =
            policy.ranges.iter().map(|range| (range.name.0.clone(), used(&range.name), range.quota)).collect();
        ranges.sort();
        ranges.dedup();
        self.metrics.page(&Snapshot {
            sip: doors.sip,
            sip_door: self.sip.as_ref().map(|door| door.meter.snapshot()),
            http: doors.http,
            links: self.links.status(),
            journal_pending: health.backlog,
            journal_oldest: health.undecided_since.map_or(Duration::ZERO, |since| since.elapsed()),
            journal_failing: health.error.is_some(),
            receipts_parked: health.parked,
            receipts_parked_dropped: health.parked_dropped,
            alerts: vec![
                ("queued", alerts.queued),
                ("sending", alerts.sending),
                ("in_doubt", alerts.in_doubt),
                ("accepted", alerts.accepted),
            ],
            alerts_oldest: self.ages(),
            subscribers: self.store.subscriber_count(),
            ranges,
            settings: self.running.figures(),
            database_abnormal: self.desk.database.now() == Database::Abnormal,
            database: self.desk.database.is_configured().then(|| DatabaseFigures {
                condition: self.database(),
                unshared: health.unshared,
                quarantined: health.quarantined,
            }),
            ready: self.checks().iter().all(|check| check.ok),
            machine: **self.machine.load(),
        })
    }
}
