//! Metrics: the closed vocabulary, and how each figure is come by.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ingress::DoorCounts;
use model::{AlertId, Kind, Submit};
use routing::{Condition, Verdict};
use smpp_client::{LinkState, LinkStatus};
use store::{Journaled, Outcome};

/// One metric: its name without the prefix `afterring_`, what it counts, and what a sustained rise means.
#[derive(Debug)]
pub struct Definition {
    /// Name after the prefix, without the suffix `_total` that counters get.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Labels, all with a closed set of values or one per configured link or range.
    pub labels: &'static str,
    /// What it counts, with its unit.
    pub help: &'static str,
    /// What a sustained rise means, and what to do.
    pub rise: &'static str,
}

/// Every metric there is. `docs/metrics.md` is printed from it.
pub const VOCABULARY: &[Definition] = &[
    CALLS,
    REFUSED_CALLS,
    DECISIONS,
    ACCEPT_TO_SUBMIT,
    JOURNAL_PENDING,
    JOURNAL_FAILING,
    ALERTS,
    SUBSCRIBERS,
    RANGE_USED,
    RANGE_QUOTA,
    DATABASE_ABNORMAL,
    DATABASE_STATE,
    DATABASE_UNSHARED,
    DATABASE_QUARANTINED,
    LINK_UP,
    LINK_WINDOW,
    LINK_IN_FLIGHT,
    LINK_THROTTLED,
    LINK_SUBMITS,
    LINK_OUTCOMES,
    LINK_RECEIVED,
    LINK_BAD_PDUS,
    LINK_CONNECTS,
    LINK_DISCONNECTS,
    LINK_THROTTLES,
    LINK_ANSWER_SECONDS,
    BUILD_INFO,
];

const CALLS: Definition = Definition {
    name: "calls",
    kind: "counter",
    labels: "source, result",
    help: "Missed calls offered by the core network, by the way they came (sip, http) and what was answered (accepted, duplicate, busy, unavailable)",
    rise: "busy: more calls come than are taken; unavailable: the journal can't store (disk full or broken)",
};
const REFUSED_CALLS: Definition = Definition {
    name: "refused_calls",
    kind: "counter",
    labels: "source, reason",
    help: "Missed calls refused because they can't be used, by reason",
    rise: "the core network sends something it should not, or a numbering setting is wrong; `afterring call` shows the answer",
};
const DECISIONS: Definition = Definition {
    name: "decisions",
    kind: "counter",
    labels: "event, verdict, why",
    help: "Decisions by event (call, submitted, receipt, reply, due), verdict and reason",
    rise: "nothing/quota_used_up: raise the range's users; nothing/abnormal_…: the database is away; held/…: alerts wait for receipts",
};
const ACCEPT_TO_SUBMIT: Definition = Definition {
    name: "accept_to_submit_seconds",
    kind: "histogram",
    labels: "",
    help: "Seconds from a call being durable to its alert being handed to a link, for calls that are told at once",
    rise: "links are down, throttled or their windows full; or the disk is slow",
};
const JOURNAL_PENDING: Definition = Definition {
    name: "journal_pending",
    kind: "gauge",
    labels: "",
    help: "Events in the journal that are not decided yet",
    rise: "events come faster than they are decided, or the store fails: see the log",
};
const JOURNAL_FAILING: Definition = Definition {
    name: "journal_failing",
    kind: "gauge",
    labels: "",
    help: "1 while the journal can't store, else 0",
    rise: "disk full or broken: calls are answered 503, nothing accepted is lost; make room",
};
const ALERTS: Definition = Definition {
    name: "alerts",
    kind: "gauge",
    labels: "state",
    help: "Alerts that have not ended, by state (queued, sending, in_doubt, accepted)",
    rise: "queued: links are down or too slow; in_doubt: the SMSC does not answer; accepted: receipts do not come",
};
const SUBSCRIBERS: Definition = Definition {
    name: "subscribers",
    kind: "gauge",
    labels: "",
    help: "Registered numbers in the local registry",
    rise: "none: growth",
};
const RANGE_USED: Definition = Definition {
    name: "range_used",
    kind: "gauge",
    labels: "range",
    help: "People counted in a number range",
    rise: "as it reaches afterring_range_quota, new people in the range get no teaser",
};
const RANGE_QUOTA: Definition = Definition {
    name: "range_quota",
    kind: "gauge",
    labels: "range",
    help: "People that may be counted in a number range",
    rise: "none: a setting",
};
const DATABASE_ABNORMAL: Definition = Definition {
    name: "database_abnormal",
    kind: "gauge",
    labels: "",
    help: "1 while decisions are taken without the database, else 0",
    rise: "the database is away or was forced to abnormal: subscribers get fallback, prospects nothing",
};
const DATABASE_STATE: Definition = Definition {
    name: "database_state",
    kind: "gauge",
    labels: "state",
    help: "1 for the state that the database is in (normal, suspect, abnormal, recovering), 0 for the others; absent without a database",
    rise: "abnormal: the log and /v1/status say what the database said; see docs/when-postgres-fails.md",
};
const DATABASE_UNSHARED: Definition = Definition {
    name: "database_unshared",
    kind: "gauge",
    labels: "",
    help: "Decided events that the database has not confirmed yet; absent without a database",
    rise: "while it is abnormal: they are handed over when it is back. While it is normal: it is slow, or another session holds locks",
};
const DATABASE_QUARANTINED: Definition = Definition {
    name: "database_quarantined",
    kind: "gauge",
    labels: "",
    help: "Events that the database refused and that were set aside in the local store; absent without a database",
    rise: "someone changed the tables, or a fault in this program: see the table quarantine in afterring.db, and the log",
};
const LINK_UP: Definition = Definition {
    name: "link_up",
    kind: "gauge",
    labels: "link",
    help: "1 while a link is bound to its SMSC, else 0",
    rise: "0: see why the last session ended in /readyz?verbose",
};
const LINK_WINDOW: Definition = Definition {
    name: "link_window",
    kind: "gauge",
    labels: "link",
    help: "Unanswered submits that a link may have",
    rise: "none: a setting",
};
const LINK_IN_FLIGHT: Definition = Definition {
    name: "link_in_flight",
    kind: "gauge",
    labels: "link",
    help: "Submits sent and not answered yet",
    rise: "near the window: the SMSC answers slowly; ask for a larger window",
};
const LINK_THROTTLED: Definition = Definition {
    name: "link_throttled",
    kind: "gauge",
    labels: "link",
    help: "1 while a link pauses because the SMSC said so (ESME_RTHROTTLED, ESME_RMSGQFUL), else 0",
    rise: "lower the link's rate to what the SMSC allows",
};
const LINK_SUBMITS: Definition = Definition {
    name: "link_submits",
    kind: "counter",
    labels: "link",
    help: "submit_sm sent, parts counted one by one",
    rise: "none: traffic",
};
const LINK_OUTCOMES: Definition = Definition {
    name: "link_outcomes",
    kind: "counter",
    labels: "link, outcome",
    help: "Alerts by what became of the attempt (accepted, later, refused, not_sent, in_doubt, late_answer)",
    rise: "refused: the log tells each with its command_status; in_doubt: the SMSC does not answer in time",
};
const LINK_RECEIVED: Definition = Definition {
    name: "link_received",
    kind: "counter",
    labels: "link, kind",
    help: "deliver_sm by kind: receipt, reply, ignored (from names, codes and what is no number of a subscriber), refused (the SMSC is told to send it again)",
    rise: "refused: what SMSCs deliver can't be journaled fast enough",
};
const LINK_BAD_PDUS: Definition = Definition {
    name: "link_bad_pdus",
    kind: "counter",
    labels: "link",
    help: "PDUs that could not be understood, and answers to unknown sequence numbers",
    rise: "the SMSC sends something unusual: the session lives on; AFTERRING_LOG__FILTER=info,smpp_client=debug shows what",
};
const LINK_CONNECTS: Definition = Definition {
    name: "link_connects",
    kind: "counter",
    labels: "link",
    help: "Binds that succeeded",
    rise: "the SMSC closes sessions",
};
const LINK_DISCONNECTS: Definition = Definition {
    name: "link_disconnects",
    kind: "counter",
    labels: "link",
    help: "Bound sessions that ended",
    rise: "see why in the log and in /readyz?verbose",
};
const LINK_THROTTLES: Definition = Definition {
    name: "link_throttles",
    kind: "counter",
    labels: "link",
    help: "Times that the SMSC asked to slow down (ESME_RTHROTTLED, ESME_RMSGQFUL)",
    rise: "lower the link's rate to what the SMSC allows",
};
const LINK_ANSWER_SECONDS: Definition = Definition {
    name: "link_answer_seconds",
    kind: "histogram",
    labels: "link",
    help: "Seconds from submit_sm to submit_sm_resp",
    rise: "the SMSC is slow",
};
const BUILD_INFO: Definition = Definition {
    name: "build_info",
    kind: "gauge",
    labels: "version",
    help: "Always 1; the version is the label",
    rise: "none",
};

/// Upper bounds of the histogram buckets, in seconds.
const BUCKETS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0];

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
        let seconds = took.as_secs_f64();
        if let Some(bucket) =
            BUCKETS.iter().position(|bound| seconds <= *bound).and_then(|place| self.buckets.get(place))
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
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
    timing: Mutex<Timing>,
    accept_to_submit: Histogram,
}

/// Decisions by event, verdict and reason.
pub type Decisions = BTreeMap<(&'static str, &'static str, &'static str), u64>;

/// What is known from elsewhere when the page is printed.
#[derive(Debug)]
pub struct Snapshot {
    /// Calls that came by SIP.
    pub sip: DoorCounts,
    /// Calls that came by HTTP.
    pub http: DoorCounts,
    /// Links.
    pub links: Vec<LinkStatus>,
    /// Undecided events.
    pub journal_pending: u64,
    /// Whether the journal can't store.
    pub journal_failing: bool,
    /// Alerts by state.
    pub alerts: Vec<(&'static str, u64)>,
    /// Registered numbers.
    pub subscribers: u64,
    /// Ranges: name, used, quota.
    pub ranges: Vec<(String, u64, u64)>,
    /// Whether decisions are taken without the database.
    pub database_abnormal: bool,
    /// The database, where there is one.
    pub database: Option<DatabaseFigures>,
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
    pub fn decided(&self, outcomes: &[Outcome], batch: &[Journaled]) {
        let Ok(mut decisions) = self.decisions.lock() else { return };
        for outcome in outcomes {
            let (what, why) = outcome.verdict.words();
            *decisions.entry((outcome.event, what, why)).or_default() += 1;
        }
        drop(decisions);
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

    /// Decisions so far, for pages.
    #[must_use]
    pub fn decisions(&self) -> Decisions {
        self.decisions.lock().map(|decisions| decisions.clone()).unwrap_or_default()
    }

    /// The page in the Prometheus text format 0.0.4.
    #[must_use]
    pub fn page(&self, known: &Snapshot) -> String {
        let mut page = Page(String::with_capacity(16 * 1024));
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
        for ((event, verdict, why), count) in self.decisions() {
            page.sample(&DECISIONS, &[("event", event), ("verdict", verdict), ("why", why)], count);
        }
        page.own_histogram(&ACCEPT_TO_SUBMIT, &self.accept_to_submit);
        page.sample(&JOURNAL_PENDING, &[], known.journal_pending);
        page.sample(&JOURNAL_FAILING, &[], u64::from(known.journal_failing));
        for (state, count) in &known.alerts {
            page.sample(&ALERTS, &[("state", state)], *count);
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
        }
        for link in &known.links {
            page.link(link);
        }
        page.sample(&BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.sorted()
    }
}

/// Samples as they are added; a metric's samples are brought together at the end.
struct Page(String);

impl Page {
    fn sample(&mut self, of: &Definition, labels: &[(&str, &str)], value: u64) {
        let suffix = if of.kind == "counter" { "_total" } else { "" };
        self.line(of.name, suffix, labels, &value.to_string());
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &[(&str, &str)], value: &str) {
        let _ = write!(self.0, "afterring_{name}{suffix}");
        for (place, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn own_histogram(&mut self, of: &Definition, histogram: &Histogram) {
        let counts = histogram.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = BUCKETS.into_iter().zip(counts).collect();
        let sum = Duration::from_micros(histogram.micros.load(Ordering::Relaxed)).as_secs_f64();
        self.histogram(of, &[], &buckets, sum, histogram.count.load(Ordering::Relaxed));
    }

    fn histogram(&mut self, of: &Definition, labels: &[(&str, &str)], buckets: &[(f64, u64)], sum: f64, count: u64) {
        let mut below = 0;
        for (bound, within) in buckets {
            below += within;
            let bound = bound.to_string();
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.line(of.name, "_bucket", &labels, &below.to_string());
        }
        let all: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.line(of.name, "_bucket", &all, &count.to_string());
        self.line(of.name, "_sum", labels, &sum.to_string());
        self.line(of.name, "_count", labels, &count.to_string());
    }

    fn link(&mut self, link: &LinkStatus) {
        let name = [("link", link.name.0.as_str())];
        let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        self.sample(&LINK_UP, &name, u64::from(matches!(link.state, LinkState::Bound)));
        self.sample(&LINK_WINDOW, &name, count(link.window));
        self.sample(&LINK_IN_FLIGHT, &name, count(link.in_flight));
        self.sample(&LINK_THROTTLED, &name, u64::from(link.throttled));
        let counts = &link.counts;
        self.sample(&LINK_SUBMITS, &name, counts.submits);
        for (outcome, value) in [
            ("accepted", counts.accepted),
            ("later", counts.later),
            ("refused", counts.refused),
            ("not_sent", counts.not_sent),
            ("in_doubt", counts.in_doubt),
            ("late_answer", counts.late_answers),
        ] {
            self.sample(&LINK_OUTCOMES, &[name[0], ("outcome", outcome)], value);
        }
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "receipt")], counts.receipts);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "reply")], counts.replies);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "ignored")], counts.ignored_replies);
        self.sample(&LINK_RECEIVED, &[name[0], ("kind", "refused")], counts.refused_inbound);
        self.sample(&LINK_BAD_PDUS, &name, counts.bad_pdus + counts.unknown_answers);
        self.sample(&LINK_CONNECTS, &name, counts.connects);
        self.sample(&LINK_DISCONNECTS, &name, counts.disconnects);
        self.sample(&LINK_THROTTLES, &name, counts.throttles);
        let answers = &link.answer_seconds;
        let buckets: Vec<(f64, u64)> = answers.bounds.iter().copied().zip(answers.counts.iter().copied()).collect();
        self.histogram(&LINK_ANSWER_SECONDS, &name, &buckets, answers.sum, answers.counts.iter().sum());
    }

    /// Puts HELP and TYPE above each metric's samples, in the order of the vocabulary.
    fn sorted(self) -> String {
        let mut page = String::with_capacity(self.0.len() * 2);
        for Definition { name, kind, help, .. } in VOCABULARY {
            let suffix = if *kind == "counter" { "_total" } else { "" };
            let _ = writeln!(page, "# HELP afterring_{name}{suffix} {help}\n# TYPE afterring_{name}{suffix} {kind}");
            let full = format!("afterring_{name}");
            let own = |line: &&str| {
                let rest = line.strip_prefix(full.as_str()).unwrap_or("-");
                let rest = ["_total", "_bucket", "_sum", "_count"]
                    .into_iter()
                    .find_map(|part| rest.strip_prefix(part).filter(|rest| rest.starts_with(['{', ' '])))
                    .unwrap_or(rest);
                rest.starts_with(['{', ' '])
            };
            for line in self.0.lines().filter(own) {
                page.push_str(line);
                page.push('\n');
            }
        }
        page
    }
}

/// `docs/metrics.md`.
#[must_use]
pub fn docs() -> String {
    let mut page = String::from(
        "# Metrics\n\nPrinted by `afterring config --metrics`; `/metrics` on the admin listener serves them in the Prometheus text format.\n\
         Counters carry the suffix `_total`. All times are in seconds.\n\n| metric | kind | labels | what it counts | a sustained rise means |\n|---|---|---|---|---|\n",
    );
    for definition in VOCABULARY {
        let suffix = if definition.kind == "counter" { "_total" } else { "" };
        let Definition { name, kind, labels, help, rise } = definition;
        let _ = writeln!(page, "| `afterring_{name}{suffix}` | {kind} | {labels} | {help} | {rise} |");
    }
    page
}
