//! The closed vocabulary: every metric there is, what it counts, and what a rise means.

mod sip;

use std::fmt::Write;

pub(super) use sip::*;

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
    SIP_CALLS,
    SIP_WAITING,
    SIP_CALLED_FROM,
    SIP_ANSWER_SECONDS,
    SIP_CONNECTIONS,
    SIP_CONNECTIONS_ENDED,
    SIP_TRANSACTIONS,
    SIP_REPEATS,
    SIP_UNACKNOWLEDGED,
    SIP_CANCELLED,
    SIP_STRANGERS,
    SIP_UNSENT,
    DECISIONS,
    RECEIPTS_MATCHED,
    RECEIPTS_PARKED,
    RECEIPTS_PARKED_DROPPED,
    UPDATES,
    ALERT_OUTCOMES,
    ACCEPT_TO_SUBMIT,
    JOURNAL_PENDING,
    JOURNAL_OLDEST,
    JOURNAL_FAILING,
    ALERTS,
    ALERTS_OLDEST,
    SUBSCRIBERS,
    RANGE_USED,
    RANGE_QUOTA,
    DATABASE_ABNORMAL,
    DATABASE_STATE,
    DATABASE_UNSHARED,
    DATABASE_QUARANTINED,
    DATABASE_SECONDS,
    LINK_INFO,
    LINK_UP,
    LINK_WINDOW,
    LINK_IN_FLIGHT,
    LINK_RATE,
    LINK_SLOWED_TO,
    LINK_THROTTLED,
    LINK_THROTTLED_SECONDS,
    LINK_SUBMITS,
    LINK_OUTCOMES,
    LINK_RECEIVED,
    LINK_DISAGREEING_RECEIPTS,
    LINK_BAD_PDUS,
    LINK_CONNECTS,
    LINK_DISCONNECTS,
    LINK_CLOSED,
    LINK_ORDERED_AWAY,
    LINK_THROTTLES,
    LINK_UPDATES,
    LINK_ABILITY,
    LINK_ANSWER_SECONDS,
    READY,
    MEMORY,
    PROCESSOR_SECONDS,
    OPEN_FILES,
    STORE_FREE,
    STORE_SIZE,
    RELOADS,
    RELOAD_FAILED,
    SETTINGS_INFO,
    BUILD_INFO,
];

pub(super) const CALLS: Definition = Definition {
    name: "calls",
    kind: "counter",
    labels: "source, result",
    help: "Missed calls offered by the core network, by the way they came (sip, http) and what was answered (accepted, duplicate, busy, unavailable)",
    rise: "busy: more calls come than are taken; unavailable: the journal can't store (disk full or broken)",
};
pub(super) const REFUSED_CALLS: Definition = Definition {
    name: "refused_calls",
    kind: "counter",
    labels: "source, reason",
    help: "Missed calls refused because they can't be used, by reason",
    rise: "the core network sends something it should not, or a numbering setting is wrong; `afterring call` shows the answer",
};
pub(super) const DECISIONS: Definition = Definition {
    name: "decisions",
    kind: "counter",
    labels: "event, verdict, why",
    help: "Decisions by event (call, submitted, receipt, reply, due), verdict and reason",
    rise: "nothing/quota_used_up: raise the range's users; nothing/abnormal_…: the database is away; held/…: alerts wait for receipts",
};
pub(super) const RECEIPTS_MATCHED: Definition = Definition {
    name: "receipts_matched",
    kind: "counter",
    labels: "smsc, form",
    help: "Receipts by how they found their alert: by an id as in the answer (same), by the same number in the other base (decimal, hexadecimal), by several \
           (ambiguous), or by none (unmatched); one that came before its answer counts as unmatched first, and again when the answer is there",
    rise: "ambiguous: set receipt_id= in the SMSC's URL; unmatched: receipts of another gateway's messages, or ids in a form that isn't known: try afterring smsc test",
};
pub(super) const UPDATES: Definition = Definition {
    name: "updates",
    kind: "counter",
    labels: "smsc, result",
    help: "Attempts at bringing an alert up to date that an SMSC has, by what came of them: replaced; cancelled (a new one follows); too_late (delivered meanwhile, or \
           refused); impossible (the SMSC can't, or the standard can't say it); not_now (put off); in_doubt (not answered)",
    rise: "impossible: set update=cancel in the SMSC's URL to save the asking, or update=new where none is cancelled; in_doubt: raise update_timeout= in the SMSC's URL",
};
pub(super) const RECEIPTS_PARKED: Definition = Definition {
    name: "receipts_parked",
    kind: "gauge",
    labels: "",
    help: "Receipts that belong to no alert known here, kept for a day in case the answer that names their message is still to come, or another node has it",
    rise: "receipts of another gateway's messages come here, or ids in a form that isn't known: try afterring smsc test",
};
pub(super) const RECEIPTS_PARKED_DROPPED: Definition = Definition {
    name: "receipts_parked_dropped",
    kind: "counter",
    labels: "",
    help: "Receipts that belong to no alert known here and were dropped before their time, the oldest first, because there were 100,000 of them",
    rise: "as for afterring_receipts_parked, at once",
};
pub(super) const ALERT_OUTCOMES: Definition = Definition {
    name: "alert_outcomes",
    kind: "counter",
    labels: "kind, state",
    help: "Messages by kind (fallback, detail, teaser, notice, notify) and the state that they came into: queued (made), accepted (an SMSC took it), delivered, \
           undelivered, expired, failed (no SMSC took it), superseded (taken back, a newer one tells its calls); as in the daily report",
    rise: "failed: refused by the SMSC, or too late: the log tells which; undelivered, expired: ask the SMSC's operator why",
};
pub(super) const ACCEPT_TO_SUBMIT: Definition = Definition {
    name: "accept_to_submit_seconds",
    kind: "histogram",
    labels: "",
    help: "Seconds from a call being durable to its alert being handed to a link, for calls that are told at once",
    rise: "links are down, throttled or their windows full; or the disk is slow",
};
pub(super) const JOURNAL_PENDING: Definition = Definition {
    name: "journal_pending",
    kind: "gauge",
    labels: "",
    help: "Events in the journal that are not decided yet",
    rise: "events come faster than they are decided, or the store fails: see the log",
};
pub(super) const JOURNAL_OLDEST: Definition = Definition {
    name: "journal_oldest_seconds",
    kind: "gauge",
    labels: "",
    help: "Seconds that the oldest undecided event has waited, counted from this start of the program; 0: none waits",
    rise: "decisions stand still: see the log",
};
pub(super) const JOURNAL_FAILING: Definition = Definition {
    name: "journal_failing",
    kind: "gauge",
    labels: "",
    help: "1 while the journal can't store, else 0",
    rise: "disk full or broken: calls are answered 503, nothing accepted is lost; make room",
};
pub(super) const ALERTS: Definition = Definition {
    name: "alerts",
    kind: "gauge",
    labels: "state",
    help: "Alerts that have not ended, by state (queued, sending, in_doubt, accepted)",
    rise: "queued: links are down or too slow; in_doubt: the SMSC does not answer; accepted: receipts do not come",
};
pub(super) const ALERTS_OLDEST: Definition = Definition {
    name: "alerts_oldest_seconds",
    kind: "gauge",
    labels: "state",
    help: "Seconds that the oldest alert has waited that may be sent now (queued), that is not answered (sending), that an SMSC has and no receipt has ended within the \
           longest validity (accepted); 0: none waits",
    rise: "queued: links are down or too slow; sending: the SMSC does not answer; accepted: some receipts never come",
};
pub(super) const SUBSCRIBERS: Definition = Definition {
    name: "subscribers",
    kind: "gauge",
    labels: "",
    help: "Registered numbers in the local registry",
    rise: "none: growth",
};
pub(super) const RANGE_USED: Definition = Definition {
    name: "range_used",
    kind: "gauge",
    labels: "range",
    help: "People counted in a number range",
    rise: "as it reaches afterring_range_quota, new people in the range get no teaser",
};
pub(super) const RANGE_QUOTA: Definition = Definition {
    name: "range_quota",
    kind: "gauge",
    labels: "range",
    help: "People that may be counted in a number range",
    rise: "none: a setting",
};
pub(super) const DATABASE_ABNORMAL: Definition = Definition {
    name: "database_abnormal",
    kind: "gauge",
    labels: "",
    help: "1 while decisions are taken without the database, else 0",
    rise: "the database is away or was forced to abnormal: subscribers get fallback, prospects nothing",
};
pub(super) const DATABASE_STATE: Definition = Definition {
    name: "database_state",
    kind: "gauge",
    labels: "state",
    help: "1 for the state that the database is in (normal, suspect, abnormal, recovering), 0 for the others; absent without a database",
    rise: "abnormal: the log and /v1/status say what the database said; see docs/when-postgres-fails.md",
};
pub(super) const DATABASE_UNSHARED: Definition = Definition {
    name: "database_unshared",
    kind: "gauge",
    labels: "",
    help: "Decided events that the database has not confirmed yet; absent without a database",
    rise: "while it is abnormal: they are handed over when it is back. While it is normal: it is slow, or another session holds locks",
};
pub(super) const DATABASE_QUARANTINED: Definition = Definition {
    name: "database_quarantined",
    kind: "gauge",
    labels: "",
    help: "Events that the database refused and that were set aside in the local store; absent without a database",
    rise: "someone changed the tables, or a fault in this program: see the table quarantine in afterring.db, and the log",
};
pub(super) const DATABASE_SECONDS: Definition = Definition {
    name: "database_seconds",
    kind: "histogram",
    labels: "",
    help: "Seconds that the database took for a batch of decisions, from the first question to the commit; of those that it confirmed; absent without a database",
    rise: "the database or the network to it is slow, or another session holds locks",
};
pub(super) const LINK_INFO: Definition = Definition {
    name: "link_info",
    kind: "gauge",
    labels: "link, smsc, bind",
    help: "1 for each link, with the SMSC it leads to and what it binds for (transceiver, transmitter, receiver)",
    rise: "none: a setting",
};
pub(super) const LINK_UP: Definition = Definition {
    name: "link_up",
    kind: "gauge",
    labels: "link",
    help: "1 while a link is bound to its SMSC, else 0",
    rise: "0: see why the last session ended in /readyz?verbose",
};
pub(super) const LINK_WINDOW: Definition = Definition {
    name: "link_window",
    kind: "gauge",
    labels: "link",
    help: "Unanswered submits that a link may have",
    rise: "none: a setting",
};
pub(super) const LINK_IN_FLIGHT: Definition = Definition {
    name: "link_in_flight",
    kind: "gauge",
    labels: "link",
    help: "Submits sent and not answered yet",
    rise: "near the window: the SMSC answers slowly; ask for a larger window",
};
pub(super) const LINK_RATE: Definition = Definition {
    name: "link_rate",
    kind: "gauge",
    labels: "link",
    help: "Most submit_sm per second that a link may send by its settings; 0: no limit",
    rise: "none: a setting",
};
pub(super) const LINK_SLOWED_TO: Definition = Definition {
    name: "link_slowed_to",
    kind: "gauge",
    labels: "link",
    help: "Most submit_sm per second that a link allows itself since the SMSC asked to slow down; absent while it is free",
    rise: "present for long: lower the link's rate to what the SMSC allows",
};
pub(super) const LINK_THROTTLED: Definition = Definition {
    name: "link_throttled",
    kind: "gauge",
    labels: "link",
    help: "1 while a link pauses because the SMSC said so (ESME_RTHROTTLED, ESME_RMSGQFUL), else 0",
    rise: "lower the link's rate to what the SMSC allows",
};
pub(super) const LINK_THROTTLED_SECONDS: Definition = Definition {
    name: "link_throttled_seconds",
    kind: "counter",
    labels: "link",
    help: "Seconds that a link paused altogether because the SMSC said so (ESME_RTHROTTLED, ESME_RMSGQFUL)",
    rise: "lower the link's rate to what the SMSC allows",
};
pub(super) const LINK_SUBMITS: Definition = Definition {
    name: "link_submits",
    kind: "counter",
    labels: "link",
    help: "submit_sm sent, parts counted one by one",
    rise: "none: traffic",
};
pub(super) const LINK_OUTCOMES: Definition = Definition {
    name: "link_outcomes",
    kind: "counter",
    labels: "link, outcome",
    help: "Alerts by what became of the attempt (accepted, later, refused, not_sent, in_doubt, late_answer)",
    rise: "refused: the log tells each with its command_status; in_doubt: the SMSC does not answer in time",
};
pub(super) const LINK_RECEIVED: Definition = Definition {
    name: "link_received",
    kind: "counter",
    labels: "link, kind",
    help: "deliver_sm by kind: receipt, reply, ignored (from names, codes and what is no number of a subscriber), refused (the SMSC is told to send it again)",
    rise: "refused: what SMSCs deliver can't be journaled fast enough",
};
pub(super) const LINK_DISAGREEING_RECEIPTS: Definition = Definition {
    name: "link_disagreeing_receipts",
    kind: "counter",
    labels: "link",
    help: "Receipts whose text says another id or state than their optional parameters, which count",
    rise: "the SMSC is inconsistent: ask its operator which of the two is right",
};
pub(super) const LINK_BAD_PDUS: Definition = Definition {
    name: "link_bad_pdus",
    kind: "counter",
    labels: "link",
    help: "PDUs that could not be understood, and answers to unknown sequence numbers",
    rise: "the SMSC sends something unusual: the session lives on; AFTERRING_LOG__FILTER=info,smpp_client=debug shows what",
};
pub(super) const LINK_CONNECTS: Definition = Definition {
    name: "link_connects",
    kind: "counter",
    labels: "link",
    help: "Binds that succeeded",
    rise: "the SMSC closes sessions",
};
pub(super) const LINK_DISCONNECTS: Definition = Definition {
    name: "link_disconnects",
    kind: "counter",
    labels: "link",
    help: "Bound sessions that ended",
    rise: "see why in the log and in /readyz?verbose",
};
pub(super) const LINK_CLOSED: Definition = Definition {
    name: "link_closed",
    kind: "counter",
    labels: "link, by, why",
    help: "Connections, and attempts at one, that ended, by who ended them (us, peer, network) and why: connect_failed, connect_timeout, tls, unlistenable, settings, bind_refused, bind_timeout, peer_closed, broken, framing, no_enquire_answer, no_submit_answer, peer_unbound, not_bound, drained, ordered; absent until it happens",
    rise: "by=peer: ask the SMSC's operator, with the times; by=network: look at the network; by=us: the SMSC does not answer, or settings are wrong; ordered: somebody here did it",
};
pub(super) const LINK_ORDERED_AWAY: Definition = Definition {
    name: "link_ordered_away",
    kind: "gauge",
    labels: "link",
    help: "1 while a link leaves or stays away by an operator's order (drain, unbind), which ends by itself; else 0",
    rise: "somebody ordered it: see /v1/links for until when; POST /v1/links/{name}/rebind lifts it",
};
pub(super) const LINK_THROTTLES: Definition = Definition {
    name: "link_throttles",
    kind: "counter",
    labels: "link",
    help: "Times that the SMSC asked to slow down (ESME_RTHROTTLED, ESME_RMSGQFUL)",
    rise: "lower the link's rate to what the SMSC allows",
};
pub(super) const LINK_UPDATES: Definition = Definition {
    name: "link_updates",
    kind: "counter",
    labels: "link",
    help: "query_sm, cancel_sm, replace_sm and submits that replace, sent; they count in the link's rate",
    rise: "none: traffic",
};
pub(super) const LINK_ABILITY: Definition = Definition {
    name: "link_ability",
    kind: "gauge",
    labels: "link, asks, ability",
    help: "1 for what the link's connection has shown of query_sm, cancel_sm and replace_sm: can, cannot (said so, or did not answer), unknown (not asked yet)",
    rise: "cannot: some SMSCs can on a transmitter, and not on a transceiver: bind=pair",
};
pub(super) const LINK_ANSWER_SECONDS: Definition = Definition {
    name: "link_answer_seconds",
    kind: "histogram",
    labels: "link",
    help: "Seconds from submit_sm to submit_sm_resp",
    rise: "the SMSC is slow",
};
pub(super) const READY: Definition = Definition {
    name: "ready",
    kind: "gauge",
    labels: "",
    help: "1 while /readyz says ready, else 0: the gateway stops, the journal can't store, or no link was ever bound",
    rise: "0: /readyz?verbose says why",
};
pub(super) const MEMORY: Definition = Definition {
    name: "memory_bytes",
    kind: "gauge",
    labels: "",
    help: "Resident memory of the process",
    rise: "growth without growing traffic over days: a fault in this program",
};
pub(super) const PROCESSOR_SECONDS: Definition = Definition {
    name: "processor_seconds",
    kind: "counter",
    labels: "",
    help: "Processor time of the process, user and system",
    rise: "near the number of processors: it is at what the machine can do",
};
pub(super) const OPEN_FILES: Definition = Definition {
    name: "open_files",
    kind: "gauge",
    labels: "",
    help: "Open files and connections of the process",
    rise: "growth without growing traffic: connections that peers don't close, see afterring_sip_connections",
};
pub(super) const STORE_FREE: Definition = Definition {
    name: "store_free_bytes",
    kind: "gauge",
    labels: "",
    help: "Room on the disk of the store directory",
    rise: "none left: calls are answered 503 until there is room",
};
pub(super) const STORE_SIZE: Definition = Definition {
    name: "store_size_bytes",
    kind: "gauge",
    labels: "",
    help: "Size of the disk of the store directory",
    rise: "none: a setting",
};
pub(super) const RELOADS: Definition = Definition {
    name: "reloads",
    kind: "counter",
    labels: "result",
    help: "Times that the settings were read anew while the gateway ran: applied, or refused for their faults",
    rise: "`refused`: somebody changes settings that can't be used; `afterring check` says why",
};
pub(super) const RELOAD_FAILED: Definition = Definition {
    name: "reload_failed",
    kind: "gauge",
    labels: "",
    help: "1 while the settings as they were last read anew can't be used, and those before are in force",
    rise: "the next start would fail: `afterring check` says why",
};
pub(super) const SETTINGS_INFO: Definition = Definition {
    name: "settings_info",
    kind: "gauge",
    labels: "digest",
    help: "Always 1; the digest of the settings in force is the label, the same on nodes that are set alike",
    rise: "none",
};
pub(super) const BUILD_INFO: Definition = Definition {
    name: "build_info",
    kind: "gauge",
    labels: "version",
    help: "Always 1; the version is the label",
    rise: "none",
};

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
