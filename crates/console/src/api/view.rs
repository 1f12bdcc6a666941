//! What the operators' API shows of the gateway.

use std::collections::BTreeMap;

use model::Timestamp;
use routing::{Change, ClockFace, Condition, Range, RangeName, Ranges, Terms};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::{Operators, words};

/// Writes a time as RFC 3339 in UTC.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
pub(crate) fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Writes a time as RFC 3339 in UTC, or null.
pub(crate) fn maybe_rfc3339<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// Whether an answer holds all there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Extent {
    /// Whether this is all that is kept; else `missing` says what isn't here. Ask again later.
    complete: bool,
    /// What is missing, and why; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
}

impl Extent {
    /// Of what was read from the store just now.
    pub(crate) fn of(operators: &Operators) -> Self {
        let less = operators.knows_less();
        let why = "the database is away, or does not have yet what this node decided without it: only what this node knows is here";
        Self { complete: !less, missing: less.then_some(why) }
    }
}

/// `GET /v1/status`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Status {
    /// The database that nodes share.
    pub database: DatabaseStatus,
    /// Every configured link to an SMSC.
    pub links: Vec<LinkView>,
    /// The SIP door, where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sip: Option<SipView>,
    /// The local journal.
    pub journal: JournalView,
    /// Totals since the start: `calls`, `detail`, `teaser`, `fallback`, and whatever else is counted.
    pub counts: BTreeMap<&'static str, u64>,
}

/// The database as the gateway sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct DatabaseStatus {
    /// Its state.
    #[schema(schema_with = words::conditions)]
    pub state: Condition,
    /// An operator forced the state.
    pub forced: bool,
    /// There is one; else the embedded store is all there is.
    pub configured: bool,
    /// In this state since.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// The operator's words while forced, else what the database said last while it is not normal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Forced until then.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Something was decided without it and is not handed over yet.
    pub behind: bool,
    /// Events that it refused and that were set aside.
    pub quarantined: u64,
    /// The last changes of its state, the oldest first.
    pub changes: Vec<ChangeView>,
}

/// One change of the database's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ChangeView {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// From this state.
    #[schema(schema_with = words::conditions)]
    pub from: Condition,
    /// To this one.
    #[schema(schema_with = words::conditions)]
    pub to: Condition,
    /// Who noticed: `probe`, `traffic`, `hand_over`, `operator`, `start`.
    pub who: &'static str,
    /// What.
    pub why: &'static str,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        let (who, why) = change.why.words();
        Self { at: change.at, from: change.from, to: change.to, who, why }
    }
}

/// The SIP door.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct SipView {
    /// Where it listens: `udp://0.0.0.0:5060`.
    pub listens: Vec<String>,
    /// Who may send, in the order of the settings.
    pub peers: Vec<SipPeerView>,
    /// Open connections by transport.
    pub connections: BTreeMap<&'static str, u64>,
    /// Transactions that are remembered.
    pub transactions: u64,
    /// Final answers for which no ACK came.
    pub unacknowledged: u64,
    /// Datagrams and connections from nobody's network.
    pub strangers: u64,
    /// How long the final response to an INVITE took since the start, while there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerView>,
}

/// One SIP peer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct SipPeerView {
    /// Its name.
    pub name: String,
    /// Its calls that wait for the journal.
    pub waiting: u64,
    /// Its calls since the start by what became of them.
    pub counts: BTreeMap<&'static str, u64>,
}

/// One link to an SMSC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its name.
    pub name: String,
    /// The SMSC it leads to.
    pub smsc: String,
    /// What it binds for: `transceiver`, `transmitter` or `receiver`.
    pub bind: &'static str,
    /// `down`, `awaiting` (the SMSC is to connect), `connecting`, `binding`, `bound`, `draining`, `away` (by an operator's order) or `closed`.
    pub state: &'static str,
    /// In this state since, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Why it is so, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The order that stands, until its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<OrderedView>,
    /// The end of its last connection, or of its last attempt at one, also while it is bound again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_closed: Option<ClosedView>,
    /// How long the SMSC took to answer the last `enquire_link`, in microseconds; it is asked only while nothing else is heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<u64>,
    /// Submits that may be unanswered at a time.
    pub window: usize,
    /// Submits that are unanswered now.
    pub in_flight: usize,
    /// Most submits per second by its settings, 0 for no limit.
    pub rate: u32,
    /// Most submits per second that it allows itself since the SMSC asked to slow down, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowed_to: Option<u32>,
    /// Whether it pauses because the SMSC asked to slow down.
    pub throttled: bool,
    /// How long it paused so since the start, in milliseconds.
    pub throttled_ms: u64,
    /// How long answers to submits took since the start, while there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerView>,
    /// Whether its connection has shown that the SMSC can do `query_sm`, `cancel_sm` and `replace_sm`: `can`, `cannot`, or `unknown`.
    pub abilities: BTreeMap<&'static str, &'static str>,
    /// What it did since the start.
    pub counts: BTreeMap<&'static str, u64>,
}

/// What an operator ordered a link to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct OrderedView {
    /// `drain` or `unbind`.
    pub what: &'static str,
    /// When it binds again by itself.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// The end of a connection, or of an attempt at one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ClosedView {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
    /// The same as one word of those that metrics have: `peer_closed`, `no_enquire_answer`, `ordered`, …
    pub word: &'static str,
    /// What else there is to say: a `command_status`, a length in octets, what the network or the machine says, why there was no TLS, or what was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who ended it: `us`, `peer` or `network`.
    pub by: &'static str,
}

/// How long answers took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct AnswerView {
    /// Answers.
    pub count: u64,
    /// Half of them took at most so many milliseconds; absent where that is more than 10 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
    /// So did 99 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u64>,
}

/// The local journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct JournalView {
    /// Events stored and not decided yet.
    pub pending: u64,
}

/// One number range, its quota and how much of it is used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct RangeView {
    /// What the operator calls it.
    pub name: String,
    /// The numbers in it. A prefix has one span for each length that numbers may have.
    pub spans: Vec<SpanView>,
    /// People who may be counted.
    pub quota: u64,
    /// People counted.
    pub used: u64,
    /// Teasers may be sent for it now.
    pub in_force: bool,
    /// In force from then on.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// In force until then.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What else it says of its people.
    pub terms: TermsView,
}

/// What a range says of its people, in the words of the settings; what is absent is as usual.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct TermsView {
    /// What is asked of a person before they are teased: `none`, `existing_customers` or `explicit`.
    pub consent: &'static str,
    /// When no teaser is sent, in the person's local time: `21:00-08:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// Their time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Their language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How they read a clock: `12` or `24`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<&'static str>,
    /// The campaigns of its teasers; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub campaigns: Vec<String>,
}

impl From<&Terms> for TermsView {
    fn from(terms: &Terms) -> Self {
        Self {
            consent: terms.consent.as_str(),
            quiet: terms.quiet.map(|window| window.to_string()),
            time_zone: terms.time_zone.clone(),
            language: terms.language.as_ref().map(ToString::to_string),
            clock: terms.clock.map(ClockFace::as_str),
            campaigns: terms.campaigns.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Consecutive numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct SpanView {
    /// The first number, with `+`.
    pub first: String,
    /// The last number, with `+`.
    pub last: String,
}

/// Every range once, by its lowest number, with the people counted in it.
pub(crate) fn range_views(ranges: &Ranges, usage: &[(RangeName, u64)], now: Timestamp) -> Vec<RangeView> {
    let mut views: Vec<RangeView> = Vec::new();
    for range in ranges.iter() {
        if let Some(view) = views.iter_mut().find(|view| view.name == range.name.0) {
            view.spans.push(span_of(range));
            continue;
        }
        let used = usage.iter().find(|(name, _)| *name == range.name).map_or(0, |(_, used)| *used);
        views.push(range_view(range, used, now));
    }
    views
}

/// One range with its first span.
pub(super) fn range_view(range: &Range, used: u64, now: Timestamp) -> RangeView {
    RangeView {
        name: range.name.0.clone(),
        spans: vec![span_of(range)],
        quota: range.quota,
        used,
        in_force: range.in_force(now),
        from: range.from,
        until: range.until,
        terms: TermsView::from(&range.terms),
    }
}

fn span_of(range: &Range) -> SpanView {
    SpanView { first: format!("+{}", range.first), last: format!("+{}", range.last) }
}
