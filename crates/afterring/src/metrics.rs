//! Metrics: the closed vocabulary, and how each figure is come by.

mod machine;
mod page;
mod vocabulary;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use console::{Series, Spread};
use ingress::DoorCounts;
use ingress::sip::SipStatus;
use model::{AlertId, Kind, SmscName, Submit, UpdateOutcome};
use routing::{Condition, Verdict};
use smpp_client::LinkStatus;
use store::{Journaled, Matched, ReportRow, Settled};

pub use machine::Machine;
pub use vocabulary::{Definition, VOCABULARY, docs};

use page::Page;
use vocabulary::*;

/// Upper bounds of the histogram buckets, in milliseconds.
const BUCKETS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];

/// Alerts whose time from acceptance is being taken at most.
const TIMED: usize = 100_000;

/// Durations by bucket.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let within = |bound: &u64| took <= Duration::from_millis(*bound);
        if let Some(bucket) = BUCKETS.iter().position(within).and_then(|place| self.buckets.get(place)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn spread(&self) -> Spread {
        let count = self.count.load(Ordering::Relaxed);
        let mut counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let within: u64 = counts.iter().sum();
        counts.push(count.saturating_sub(within));
        Spread { bounds_ms: &BUCKETS, counts }
    }
}

/// Alerts on their way from acceptance to a link. The two ends are told by two pumps, in either order.
#[derive(Debug, Default)]
struct Timing {
    accepted: HashMap<AlertId, Instant>,
    leased: HashMap<AlertId, Instant>,
}

/// What the pumps count. Locked once a batch, never once an event.
#[derive(Debug, Default)]
pub struct Metrics {
    decisions: Mutex<BTreeMap<(&'static str, &'static str, &'static str), u64>>,
    /// By SMSC, of which there are as many as are configured.
    receipts: Mutex<BTreeMap<(SmscName, Matched), u64>>,
    /// By SMSC and outcome.
    updates: Mutex<BTreeMap<(SmscName, &'static str), u64>>,
    /// By kind and state.
    outcomes: Mutex<AlertOutcomes>,
    /// By [`Series::ALL`]: what a page reads once a second waits for no pump, nor a pump for it.
    totals: [AtomicU64; Series::ALL.len()],
    timing: Mutex<Timing>,
    accept_to_submit: Histogram,
    database: Histogram,
    /// Rounds of the loop that decides.
    turns: AtomicU64,
}

/// Alerts by kind and the state that they came into.
type AlertOutcomes = BTreeMap<(Cow<'static, str>, Cow<'static, str>), u64>;

/// Decisions by event, verdict and reason.
pub type Decisions = BTreeMap<(&'static str, &'static str, &'static str), u64>;

/// What is known from elsewhere when the page is printed.
#[derive(Debug)]
pub struct Snapshot {
    /// Calls that came by SIP.
    pub sip: DoorCounts,
    /// Calls that came by HTTP.
    pub http: DoorCounts,
    /// What else the SIP door counts, where there is one.
    pub sip_door: Option<SipStatus>,
    /// Links.
    pub links: Vec<LinkStatus>,
    /// Undecided events.
    pub journal_pending: u64,
    /// How long the oldest of them has waited.
    pub journal_oldest: Duration,
    /// Whether the journal can't store.
    pub journal_failing: bool,
    /// Receipts that wait for the alert they belong to.
    pub receipts_parked: u64,
    /// Those that were dropped before their time.
    pub receipts_parked_dropped: u64,
    /// Alerts by state.
    pub alerts: Vec<(&'static str, u64)>,
    /// How long the oldest has waited in each state.
    pub alerts_oldest: Vec<(&'static str, Duration)>,
    /// Registered numbers.
    pub subscribers: u64,
    /// Ranges: name, used, quota.
    pub ranges: Vec<(String, u64, u64)>,
    /// The settings in force.
    pub settings: SettingsFigures,
    /// Whether decisions are taken without the database.
    pub database_abnormal: bool,
    /// The database, where there is one.
    pub database: Option<DatabaseFigures>,
    /// Whether work is taken.
    pub ready: bool,
    /// What the process takes of its machine.
    pub machine: Machine,
}

/// The settings, and how often they were read anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsFigures {
    /// Differs when what is in force differs.
    pub digest: String,
    /// Times that they were read anew and could be used.
    pub applied: u64,
    /// Times that they could not.
    pub refused: u64,
    /// Whether they could not the last time.
    pub last_refused: bool,
}

/// What is known of the database that nodes share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatabaseFigures {
    /// Its state.
    pub condition: Condition,
    /// Decided events that it has not confirmed.
    pub unshared: u64,
    /// Events that it refused.
    pub quarantined: u64,
}

impl Metrics {
    /// Counts a batch of decisions, and starts the clock of alerts that tell a call at once.
    pub fn decided(&self, settled: &Settled, batch: &[Journaled]) {
        let outcomes = &settled.outcomes;
        self.counted(&settled.counted);
        if let Some(took) = settled.database {
            self.database.observe(took);
        }
        let Ok(mut decisions) = self.decisions.lock() else { return };
        for outcome in outcomes {
            let (what, why) = outcome.verdict.words();
            *decisions.entry((outcome.event, what, why)).or_default() += 1;
        }
        drop(decisions);
        let Ok(mut receipts) = self.receipts.lock() else { return };
        for found in outcomes.iter().filter_map(|outcome| outcome.receipt.as_ref()) {
            *receipts.entry((found.smsc.clone(), found.how)).or_default() += 1;
        }
        drop(receipts);
        let Ok(mut timing) = self.timing.lock() else { return };
        if timing.accepted.len() >= TIMED || timing.leased.len() >= TIMED {
            // They wait for a link that is down, or were dropped: their times would say nothing of us.
            *timing = Timing::default();
        }
        let mut batch = batch.iter();
        for outcome in outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Send(_))) {
            // Outcomes are in the order of the batch.
            let Some(journaled) = batch.find(|journaled| journaled.seq == outcome.seq) else { continue };
            for alert in &outcome.alerts {
                match timing.leased.remove(&alert.id) {
                    Some(leased) => self.accept_to_submit.observe(leased.saturating_duration_since(journaled.since)),
                    None => drop(timing.accepted.insert(alert.id, journaled.since)),
                }
            }
        }
    }

    /// Counts what was added to the daily report.
    fn counted(&self, rows: &[ReportRow]) {
        for row in rows {
            for total in Series::of(row).filter_map(|series| self.totals.get(series as usize)) {
                total.fetch_add(row.count, Ordering::Relaxed);
            }
        }
        let Ok(mut outcomes) = self.outcomes.lock() else { return };
        for row in rows.iter().filter(|row| row.event == "alert") {
            *outcomes.entry((row.verdict.clone(), row.why.clone())).or_default() += row.count;
        }
    }

    /// The totals of what was decided, by [`Series::ALL`]; calls, and what links sent, are counted elsewhere.
    #[must_use]
    pub fn totals(&self) -> [u64; Series::ALL.len()] {
        self.totals.each_ref().map(|total| total.load(Ordering::Relaxed))
    }

    /// From acceptance of a call to its submit.
    #[must_use]
    pub fn accept_to_submit(&self) -> Spread {
        self.accept_to_submit.spread()
    }

    /// What batches took at the database.
    #[must_use]
    pub fn database_took(&self) -> Spread {
        self.database.spread()
    }

    /// Counts a round of the loop that decides.
    pub fn turned(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Rounds of the loop that decides: they go on also while nothing is to be decided.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Takes the time of alerts that are handed to a link for the first time.
    pub fn leased(&self, orders: &[Submit]) {
        let Ok(mut timing) = self.timing.lock() else { return };
        let now = Instant::now();
        for order in orders.iter().filter(|order| order.attempt == 1 && order.kind != Kind::Notice) {
            match timing.accepted.remove(&order.alert) {
                Some(since) => self.accept_to_submit.observe(now.saturating_duration_since(since)),
                None => drop(timing.leased.insert(order.alert, now)),
            }
        }
    }

    /// Counts what became of an update.
    pub fn updated(&self, smsc: &SmscName, outcome: &UpdateOutcome) {
        let Ok(mut updates) = self.updates.lock() else { return };
        *updates.entry((smsc.clone(), outcome.as_str())).or_default() += 1;
    }

    /// Updates so far, by what became of them.
    #[must_use]
    pub fn updates(&self) -> BTreeMap<(SmscName, &'static str), u64> {
        self.updates.lock().map(|updates| updates.clone()).unwrap_or_default()
    }

    /// Decisions so far, for pages.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        self.decisions.lock().map(|decisions| decisions.clone()).unwrap_or_default()
    }

    /// Receipts so far, by how they found their alerts.
    #[must_use]
    pub fn receipts(&self) -> BTreeMap<(SmscName, Matched), u64> {
        self.receipts.lock().map(|receipts| receipts.clone()).unwrap_or_default()
    }

    /// The page in the Prometheus text format 0.0.4.
    #[must_use]
    pub fn page(&self, known: &Snapshot) -> String {
        let mut page = Page::new();
        for (source, door) in [("sip", &known.sip), ("http", &known.http)] {
            for (result, count) in [
                ("accepted", door.accepted),
                ("duplicate", door.duplicate),
                ("busy", door.busy),
                ("unavailable", door.unavailable),
            ] {
                page.sample(&CALLS, &[("source", source), ("result", result)], count);
            }
            for (reason, count) in &door.refused {
                page.sample(&REFUSED_CALLS, &[("source", source), ("reason", reason.as_str())], *count);
            }
        }
        if let Some(door) = &known.sip_door {
            page.sip(door);
        }
        for ((event, verdict, why), count) in self.decisions() {
            page.sample(&DECISIONS, &[("event", event), ("verdict", verdict), ("why", why)], count);
        }
        for ((smsc, how), count) in self.receipts() {
            page.sample(&RECEIPTS_MATCHED, &[("smsc", smsc.0.as_str()), ("form", how.as_str())], count);
        }
        for ((smsc, result), count) in self.updates() {
            page.sample(&UPDATES, &[("smsc", smsc.0.as_str()), ("result", result)], count);
        }
        let outcomes = self.outcomes.lock().map(|outcomes| outcomes.clone()).unwrap_or_default();
        for ((kind, state), count) in outcomes {
            page.sample(&ALERT_OUTCOMES, &[("kind", &kind), ("state", &state)], count);
        }
        page.own_histogram(&ACCEPT_TO_SUBMIT, &self.accept_to_submit);
        page.sample(&JOURNAL_PENDING, &[], known.journal_pending);
        page.sample(&JOURNAL_OLDEST, &[], known.journal_oldest.as_secs());
        page.sample(&JOURNAL_FAILING, &[], u64::from(known.journal_failing));
        page.sample(&RECEIPTS_PARKED, &[], known.receipts_parked);
        page.sample(&RECEIPTS_PARKED_DROPPED, &[], known.receipts_parked_dropped);
        for (state, count) in &known.alerts {
            page.sample(&ALERTS, &[("state", state)], *count);
        }
        for (state, age) in &known.alerts_oldest {
            page.sample(&ALERTS_OLDEST, &[("state", state)], age.as_secs());
        }
        page.sample(&SUBSCRIBERS, &[], known.subscribers);
        for (range, used, quota) in &known.ranges {
            page.sample(&RANGE_USED, &[("range", range)], *used);
            page.sample(&RANGE_QUOTA, &[("range", range)], *quota);
        }
        page.sample(&DATABASE_ABNORMAL, &[], u64::from(known.database_abnormal));
        if let Some(database) = known.database {
            for condition in Condition::ALL {
                let so = u64::from(condition == database.condition);
                page.sample(&DATABASE_STATE, &[("state", condition.as_str())], so);
            }
            page.sample(&DATABASE_UNSHARED, &[], database.unshared);
            page.sample(&DATABASE_QUARANTINED, &[], database.quarantined);
            page.own_histogram(&DATABASE_SECONDS, &self.database);
        }
        for link in &known.links {
            page.link(link);
        }
        page.sample(&READY, &[], u64::from(known.ready));
        page.machine(&known.machine);
        let settings = &known.settings;
        page.sample(&RELOADS, &[("result", "applied")], settings.applied);
        page.sample(&RELOADS, &[("result", "refused")], settings.refused);
        page.sample(&RELOAD_FAILED, &[], u64::from(settings.last_refused));
        page.sample(&SETTINGS_INFO, &[("digest", settings.digest.as_str())], 1);
        page.sample(&BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.sorted()
    }
}

#[cfg(test)]
mod tests {
    use model::IdForm;
    use routing::NothingWhy;
    use store::{Outcome, ReceiptMatch, Seq};

    use super::*;

    #[test]
    fn receipts_are_counted_by_how_they_found_their_alerts() {
        let metrics = Metrics::default();
        let outcome = |how: Matched| Outcome {
            seq: Seq(1),
            called: None,
            event: "receipt",
            verdict: Verdict::Nothing(NothingWhy::Unmatched),
            alerts: Vec::new(),
            receipt: Some(ReceiptMatch { smsc: SmscName("north".into()), how }),
        };
        let decimal = Matched::Alert(IdForm::Decimal);
        let outcomes = [decimal, decimal, Matched::Ambiguous, Matched::Nobody].map(outcome).to_vec();
        metrics.decided(&Settled { outcomes, ..Settled::default() }, &[]);
        let counts: Vec<_> = metrics.receipts().into_iter().map(|((_, how), count)| (how.as_str(), count)).collect();
        assert_eq!(counts, [("decimal", 2), ("ambiguous", 1), ("unmatched", 1)]);
    }
}
