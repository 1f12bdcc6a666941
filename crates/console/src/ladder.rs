//! One call as a ladder: what came in, what was decided and why, what was sent, what was heard of it, and what the person replied, in order of time.
//!
//! Built from the person's timeline and the trails of the alerts on it, so that it is the same whether answers and receipts are rows of their own or not.

use std::collections::{BTreeMap, BTreeSet};

use model::{Address, AlertId, Caller, Coding, Kind, MissedCall, Msisdn, Source, Timestamp, UpdateOutcome, split};
use routing::{Alert, Event, FailedWhy, NothingWhy, Step, StepWhat, Verdict};
use serde::{Serialize, Serializer};
use store::{Seq, TimelineEntry};
use utoipa::ToSchema;

use crate::api::{rfc3339, words};

/// Between whom something passed, or with whom it happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// From the core network to the gateway.
    Core,
    /// Within the gateway.
    Gateway,
    /// Decided by what the database says.
    Database,
    /// Between the gateway and an SMSC.
    Smsc,
    /// Of the handset: what an SMSC says reached it, and what its owner wrote.
    Phone,
}

/// A value beside a rung's word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A closed word.
    Word(&'static str),
    /// A text: what was sent or written, or an id that others made of what they liked: pages mask numbers in it.
    Text(String),
    /// What an SMSC calls a message, or what the settings call something: never a person's number, however many digits it has.
    Name(String),
    /// A count or code.
    Count(i64),
    /// Somebody's number: pages mask it.
    Phone(Msisdn),
    /// A time.
    Time(Timestamp),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word),
            Self::Text(text) | Self::Name(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_i64(*count),
            Self::Phone(number) => serializer.collect_str(&format_args!("+{}", number.reveal())),
            Self::Time(at) => serializer.collect_str(at),
        }
    }
}

/// What is said beside a rung's word, by name.
pub type Values = BTreeMap<&'static str, Value>;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Rung {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Where.
    pub between: Between,
    /// What: `call`, `decision`, `alert`, a step of the alert's life ([`StepWhat::as_str`]), `joined`, `reply`.
    pub what: &'static str,
    /// Which alert it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub alert: Option<AlertId>,
    /// What there is to say of it.
    #[schema(schema_with = words::values)]
    pub facts: Values,
}

/// One call's ladder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Ladder {
    /// The call's place in the journal.
    pub seq: i64,
    /// In order of time.
    pub rungs: Vec<Rung>,
}

impl Ladder {
    /// The ladder of the call with this place; `None` where no such call is on the timeline.
    #[must_use]
    pub fn of(seq: Seq, timeline: &[TimelineEntry]) -> Option<Self> {
        let (place, call) = timeline.iter().enumerate().find_map(|(place, entry)| match &entry.event {
            Event::Call(call) if entry.seq == seq => Some((place, call)),
            _ => None,
        })?;
        let entry = timeline.get(place)?;
        let mut rungs = vec![came_in(call), decided(entry, call)];
        let alerts = alerts_of(entry, call, timeline);
        for alert in alerts.values() {
            rungs.extend(life(alert));
        }
        let later = timeline.get(place.saturating_add(1)..).unwrap_or_default();
        rungs.extend(joined(&alerts, later));
        rungs.extend(replies(&alerts, later));
        // What happened at one moment stays in the order of cause and effect.
        rungs.sort_by_key(|rung| rung.at);
        Some(Self { seq: seq.0, rungs })
    }
}

fn rung(at: Timestamp, between: Between, what: &'static str) -> Rung {
    Rung { at, between, what, alert: None, facts: Values::new() }
}

fn came_in(call: &MissedCall) -> Rung {
    let mut facts = Values::from([
        ("id", Value::Text(call.id.as_str().to_owned())),
        ("caller", caller(&call.caller)),
        ("reason", Value::Word(call.reason.as_str())),
        ("source", Value::Word(source(call.source))),
    ]);
    if let Some(number) = &call.service_number {
        facts.insert("service_number", Value::Text(number.as_str().to_owned()));
    }
    Rung { facts, ..rung(call.at, Between::Core, "call") }
}

fn caller(caller: &Caller) -> Value {
    match caller {
        Caller::Number(number) => Value::Phone(*number),
        Caller::Short(number) => Value::Text(number.as_str().to_owned()),
        Caller::Withheld => Value::Word("withheld"),
        Caller::Unknown => Value::Word("unknown"),
    }
}

const fn source(source: Source) -> &'static str {
    match source {
        Source::Sip => "sip",
        Source::Http => "http",
    }
}

fn decided(entry: &TimelineEntry, call: &MissedCall) -> Rung {
    let mut facts = verdict(entry.verdict);
    if entry.at < call.at {
        // A call may be reported with a time that is a little ahead.
        facts.insert("decided_at", Value::Time(entry.at));
    }
    let database = database_of(entry.verdict);
    facts.extend(database.map(|word| ("database", Value::Word(word))));
    let between = if database == Some("normal") { Between::Database } else { Between::Gateway };
    Rung { facts, ..rung(entry.at.max(call.at), between, "decision") }
}

/// Whether the database was normal or abnormal at a decision, where the decision says it: some are the same either way.
const fn database_of(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Send(Kind::Fallback)
        | Verdict::Joined(Kind::Fallback)
        | Verdict::Nothing(NothingWhy::AbnormalNotRegistered | NothingWhy::AbnormalNoRegistry | NothingWhy::Deferred) => {
            Some("abnormal")
        }
        Verdict::Send(Kind::Detail | Kind::Teaser)
        | Verdict::Joined(Kind::Detail | Kind::Teaser)
        | Verdict::Nothing(
            NothingWhy::DoNotContact
            | NothingWhy::NoConsent
            | NothingWhy::QuietHours
            | NothingWhy::NotSubscribed
            | NothingWhy::OutsideRanges
            | NothingWhy::QuotaUsedUp
            | NothingWhy::TeaserCapped,
        ) => Some("normal"),
        Verdict::Send(Kind::Notice | Kind::Notify)
        | Verdict::Joined(Kind::Notice | Kind::Notify)
        | Verdict::Held(_)
        | Verdict::Nothing(
            NothingWhy::Duplicate
            | NothingWhy::TooOld
            | NothingWhy::Suspended
            | NothingWhy::Refused
            | NothingWhy::DailyCap
            | NothingWhy::NothingToTell
            | NothingWhy::NoChange
            | NothingWhy::Unmatched
            | NothingWhy::NotNotified
            | NothingWhy::NotifyCap
            | NothingWhy::NotifyTooLate,
        )
        | Verdict::Reply(_)
        | Verdict::Alert => None,
    }
}

fn verdict(verdict: Verdict) -> Values {
    let (what, why) = verdict.words();
    let mut facts = Values::from([("verdict", Value::Word(what))]);
    if !why.is_empty() {
        facts.insert("why", Value::Word(why));
    }
    facts
}

/// The alerts that told, or tell, of the call: those that its decision made or changed, else the first one after it that names its caller; and those that took
/// the place of one that was taken back.
fn alerts_of<'a>(
    entry: &'a TimelineEntry,
    call: &MissedCall,
    timeline: &'a [TimelineEntry],
) -> BTreeMap<AlertId, &'a Alert> {
    let known = |entry: &'a TimelineEntry| entry.alerts.iter().filter_map(|named| named.alert.as_ref());
    let mut alerts: BTreeMap<AlertId, &Alert> = known(entry).map(|alert| (alert.id, alert)).collect();
    let tells = |alert: &&Alert| {
        matches!(alert.kind, Kind::Detail | Kind::Fallback)
            && alert.told.iter().any(|tally| tally.caller == call.caller && tally.last_at >= call.at)
    };
    let told = alerts.values().any(|alert| !is_untold(alert));
    if !told && !matches!(entry.verdict, Verdict::Nothing(_)) {
        let later = timeline.iter().flat_map(known).filter(|alert| alert.created_at >= entry.at);
        if let Some(alert) = later.filter(tells).min_by_key(|alert| alert.id) {
            alerts.insert(alert.id, alert);
        }
    }
    alerts
}

/// Whether the calls of an alert are told by another one.
const fn is_untold(alert: &Alert) -> bool {
    matches!(alert.state, routing::AlertState::Superseded { .. })
}

fn life(alert: &Alert) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = alert.life().into_iter().map(|step| stepped(alert, step)).collect();
    if let Some(first) = rungs.first_mut() {
        first.what = "alert";
        first.facts = written(alert);
    }
    rungs
}

fn written(alert: &Alert) -> Values {
    let segments = split(&alert.text);
    let coding = match segments.coding {
        Coding::Gsm7 => "gsm7",
        Coding::Ucs2 => "ucs2",
    };
    let originator = match &alert.source {
        Address::International(number) => Value::Phone(*number),
        Address::ShortCode(code) => Value::Text(code.as_str().to_owned()),
        Address::Alphanumeric(name) => Value::Text(name.clone()),
    };
    let mut facts = Values::from([
        ("kind", Value::Word(alert.kind.as_str())),
        ("text", Value::Text(alert.text.clone())),
        ("coding", Value::Word(coding)),
        ("parts", count(segments.parts.len())),
        ("originator", originator),
    ]);
    if let Some(campaign) = &alert.campaign {
        facts.insert("campaign", Value::Name(campaign.0.clone()));
    }
    facts
}

fn count(count: usize) -> Value {
    Value::Count(i64::try_from(count).unwrap_or(i64::MAX))
}

/// One step of an alert's life.
pub(crate) fn stepped(alert: &Alert, step: Step) -> Rung {
    let (between, what) = (between(&step.what), step.what.as_str());
    Rung { alert: Some(alert.id), facts: step_facts(step.what), ..rung(step.at, between, what) }
}

const fn between(what: &StepWhat) -> Between {
    match what {
        StepWhat::Queued | StepWhat::NotSent | StepWhat::Omitted(_) | StepWhat::UpdateDropped => Between::Gateway,
        StepWhat::Sent { .. }
        | StepWhat::PutOff { .. }
        | StepWhat::InDoubt(_)
        | StepWhat::Accepted { .. }
        | StepWhat::UpdateAsked { .. }
        | StepWhat::Updated(_)
        | StepWhat::Superseded
        | StepWhat::Receipt { .. } => Between::Smsc,
        StepWhat::Delivered | StepWhat::Undelivered | StepWhat::Expired => Between::Phone,
        StepWhat::Failed(why) => match why {
            FailedWhy::Refused(_) => Between::Smsc,
            FailedWhy::TooLate | FailedWhy::Withdrawn => Between::Gateway,
        },
    }
}

fn step_facts(what: StepWhat) -> Values {
    match what {
        StepWhat::Sent { attempt } => Values::from([("attempt", Value::Count(attempt.into()))]),
        StepWhat::PutOff { status } => Values::from([("status", Value::Count(status.into()))]),
        StepWhat::InDoubt(why) => Values::from([("why", Value::Word(no_answer(why)))]),
        StepWhat::Accepted { smsc, ids } => {
            Values::from([("smsc", Value::Name(smsc.0)), ("message_ids", Value::Name(ids.join(" ")))])
        }
        StepWhat::UpdateAsked { attempt, way } => {
            Values::from([("attempt", Value::Count(attempt.into())), ("way", Value::Word(way.as_str()))])
        }
        StepWhat::Updated(outcome) => updated(outcome),
        StepWhat::Receipt { part, state, error } => {
            let mut facts = Values::from([("part", Value::Count(part.into())), ("state", Value::Word(state.as_str()))]);
            if !error.is_empty() {
                facts.insert("error", Value::Text(error));
            }
            facts
        }
        StepWhat::Omitted(omitted) => Values::from([("steps", Value::Count(omitted.into()))]),
        StepWhat::Failed(FailedWhy::Refused(status)) => {
            Values::from([("why", Value::Word("refused")), ("status", Value::Count(status.into()))])
        }
        StepWhat::Failed(FailedWhy::TooLate) => Values::from([("why", Value::Word("too_late"))]),
        StepWhat::Failed(FailedWhy::Withdrawn) => Values::from([("why", Value::Word("withdrawn"))]),
        StepWhat::Queued
        | StepWhat::NotSent
        | StepWhat::UpdateDropped
        | StepWhat::Delivered
        | StepWhat::Undelivered
        | StepWhat::Expired
        | StepWhat::Superseded => Values::new(),
    }
}

fn updated(outcome: UpdateOutcome) -> Values {
    let mut facts = Values::from([("outcome", Value::Word(outcome.as_str()))]);
    match outcome {
        UpdateOutcome::Replaced { message_id: Some(id) } => drop(facts.insert("message_id", Value::Name(id))),
        UpdateOutcome::TooLate { status } => drop(facts.insert("status", Value::Count(status.into()))),
        UpdateOutcome::InDoubt(why) => drop(facts.insert("why", Value::Word(no_answer(why)))),
        UpdateOutcome::Replaced { message_id: None }
        | UpdateOutcome::Cancelled
        | UpdateOutcome::Impossible
        | UpdateOutcome::NotNow => {}
    }
    facts
}

const fn no_answer(why: model::NoAnswer) -> &'static str {
    match why {
        model::NoAnswer::Timeout => "timeout",
        model::NoAnswer::LinkLost => "link_lost",
        model::NoAnswer::Restart => "restart",
    }
}

/// Later calls that these alerts tell of too.
fn joined(alerts: &BTreeMap<AlertId, &Alert>, later: &[TimelineEntry]) -> Vec<Rung> {
    let joins = |entry: &&TimelineEntry| entry.alerts.iter().any(|named| alerts.contains_key(&named.id));
    let calls = later.iter().filter(joins).filter_map(|entry| match &entry.event {
        Event::Call(call) => {
            let mut facts = verdict(entry.verdict);
            facts.insert("caller", caller(&call.caller));
            facts.insert("seq", Value::Count(entry.seq.0));
            Some(Rung { facts, ..rung(entry.at, Between::Core, "joined") })
        }
        _ => None,
    });
    calls.collect()
}

/// What the person replied after these alerts were made and before another call's alert was: the answer to them, as far as anyone can tell.
fn replies(alerts: &BTreeMap<AlertId, &Alert>, later: &[TimelineEntry]) -> Vec<Rung> {
    let Some(first) = alerts.values().map(|alert| alert.created_at).min() else { return Vec::new() };
    let own: BTreeSet<AlertId> = alerts.keys().copied().collect();
    let next = |entry: &&TimelineEntry| {
        matches!((&entry.event, entry.verdict), (Event::Call(_), Verdict::Send(_)))
            && entry.alerts.iter().all(|named| !own.contains(&named.id))
    };
    let until = later.iter().find(next).map(|entry| entry.at);
    let within = |entry: &&TimelineEntry| entry.at >= first && until.is_none_or(|until| entry.at <= until);
    let replies = later.iter().filter(within).filter_map(|entry| match &entry.event {
        Event::Reply(reply) => {
            let mut facts = verdict(entry.verdict);
            facts.insert("text", Value::Text(reply.text.clone()));
            facts.insert("to", Value::Text(reply.to.clone()));
            Some(Rung { facts, ..rung(entry.at, Between::Phone, "reply") })
        }
        _ => None,
    });
    replies.collect()
}
