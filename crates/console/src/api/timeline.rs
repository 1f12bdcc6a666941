//! `GET /v1/subscribers/{number}/timeline`: what happened to one person's calls, and why.

use axum::Json;
use axum::extract::State;
use model::{Caller, MissedCall, Reason, ReceiptState, Source, SubmitOutcome, Timestamp};
use routing::{Event, FailedWhy};
use serde::{Deserialize, Serialize};
use store::{Store as _, TimelineAlert, TimelineEntry};
use utoipa::{IntoParams, ToSchema};

use super::asked::{Path, Query};
use super::describe::Number;
use super::refusal::{Refusal, number};
use super::view::{Extent, rfc3339};
use super::{Operators, words};
use crate::ladder::{Rung, stepped};

/// Events shown unless asked otherwise.
const USUAL: usize = 100;

/// The most events in one answer: some weeks of a busy person, and a megabyte at worst.
const MOST: usize = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// At most so many events; 100 unless asked otherwise.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<String>,
}

/// The answer: the newest events, the oldest of them first.
#[derive(Serialize, ToSchema)]
pub(super) struct Timeline {
    /// Whose, with `+`.
    number: String,
    /// Whether they are registered; where the answer is not complete, whether this node is sure of it.
    registered: bool,
    /// The oldest of them first.
    entries: Vec<Entry>,
    #[serde(flatten)]
    extent: Extent,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimelineEntry)]
struct Entry {
    /// Its place in the journal.
    seq: i64,
    /// When it was decided.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(flatten)]
    what: What,
    /// What was decided.
    decision: Decision,
    /// The messages that it made or changed, as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alerts: Vec<AlertView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
#[schema(as = TimelineEvent)]
enum What {
    Call {
        id: String,
        /// The number with `+`, or `withheld` or `unknown`.
        caller: String,
        #[serde(serialize_with = "rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        missed_at: Timestamp,
        #[schema(schema_with = words::reasons)]
        reason: Reason,
        #[serde(skip_serializing_if = "Option::is_none")]
        service_number: Option<String>,
        #[schema(schema_with = words::sources)]
        source: Source,
    },
    Submitted {
        alert: i64,
        attempt: u32,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u32>,
    },
    Receipt {
        smsc: String,
        message_id: String,
        #[schema(schema_with = words::receipt_states)]
        state: ReceiptState,
        #[serde(skip_serializing_if = "String::is_empty")]
        error: String,
    },
    Updated {
        alert: i64,
        attempt: u32,
        outcome: &'static str,
    },
    /// Another person's decision says something to this one.
    Word {
        from: String,
        saying: &'static str,
    },
    Reply {
        to: String,
        text: String,
    },
    Dropped {
        alert: i64,
    },
    /// An operator sends an earlier message again.
    Resend {
        of: i64,
        by: String,
    },
    Due,
}

/// What was decided and why ([`routing::Verdict::words`]).
#[derive(Serialize, ToSchema)]
struct Decision {
    /// What.
    #[schema(schema_with = words::verdicts)]
    what: &'static str,
    /// Which, or why.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(schema_with = words::whys, required = false)]
    why: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TimelineAlert)]
struct AlertView {
    /// Its name.
    id: i64,
    /// Absent once the alert was pruned, as is all that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::failed_whys, required = false)]
    why: Option<FailedWhy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// What was done with it and heard of it, from its creation on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trail: Vec<Rung>,
}

/// What happened to one person's calls, and why.
#[utoipa::path(
    get,
    path = "/v1/subscribers/{number}/timeline",
    tag = "people",
    params(Number, Asked),
    responses((status = 200, description = "The newest events, in order.", body = Timeline))
)]
pub(super) async fn timeline(
    State(operators): State<Operators>,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Timeline>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let limit = match asked.limit {
        None => USUAL,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or(Refusal::Field { field: "limit", why: "give a number from 1 to 1000" })?,
    };
    let registered = operators.store.subscriber(number).await?.is_some();
    let entries = operators.store.timeline(number, limit).await?;
    if entries.is_empty() && !registered {
        return Err(operators.missing(Refusal::NothingKnown));
    }
    let entries = entries.into_iter().map(Entry::from).collect();
    let extent = Extent::of(&operators);
    Ok(Json(Timeline { number: format!("+{}", number.reveal()), registered, entries, extent }))
}

impl From<TimelineEntry> for Entry {
    fn from(entry: TimelineEntry) -> Self {
        let (what, why) = entry.verdict.words();
        Self {
            seq: entry.seq.0,
            at: entry.at,
            what: entry.event.into(),
            decision: Decision { what, why },
            alerts: entry.alerts.into_iter().map(AlertView::from).collect(),
        }
    }
}

impl From<Event> for What {
    fn from(event: Event) -> Self {
        match event {
            Event::Call(call) => call.into(),
            Event::Submitted { alert, attempt, outcome } => {
                let (outcome, status) = answer(&outcome);
                Self::Submitted { alert: alert.0, attempt, outcome, status }
            }
            Event::Updated { alert, attempt, outcome } => {
                Self::Updated { alert: alert.0, attempt, outcome: outcome.as_str() }
            }
            Event::Word(word) => Self::Word { from: format!("+{}", word.from.reveal()), saying: word.saying.as_str() },
            Event::Receipt(receipt) => Self::Receipt {
                smsc: receipt.smsc.0,
                message_id: receipt.message_id,
                state: receipt.state,
                error: receipt.error,
            },
            Event::Reply(reply) => Self::Reply { to: reply.to, text: reply.text },
            Event::Dropped { alert } => Self::Dropped { alert: alert.0 },
            Event::Resend(wanted) => Self::Resend { of: wanted.of.0, by: wanted.by },
            Event::Due { .. } => Self::Due,
        }
    }
}

impl From<MissedCall> for What {
    fn from(call: MissedCall) -> Self {
        let caller = match call.caller {
            Caller::Number(number) => format!("+{}", number.reveal()),
            Caller::Short(number) => number.as_str().to_owned(),
            Caller::Withheld => "withheld".to_owned(),
            Caller::Unknown => "unknown".to_owned(),
        };
        Self::Call {
            id: call.id.into(),
            caller,
            missed_at: call.at,
            reason: call.reason,
            service_number: call.service_number.map(|number| number.as_str().to_owned()),
            source: call.source,
        }
    }
}

/// What became of a submit, in a word, and the SMSC's `command_status` where it gave one.
const fn answer(outcome: &SubmitOutcome) -> (&'static str, Option<u32>) {
    match outcome {
        SubmitOutcome::Accepted { .. } => ("accepted", None),
        SubmitOutcome::Later { status, .. } => ("later", Some(*status)),
        SubmitOutcome::Refused { status } => ("refused", Some(*status)),
        SubmitOutcome::NotSent => ("not_sent", None),
        SubmitOutcome::InDoubt(_) => ("in_doubt", None),
    }
}

impl From<TimelineAlert> for AlertView {
    fn from(named: TimelineAlert) -> Self {
        let alert = named.alert;
        let why = alert.as_ref().and_then(|alert| match alert.state {
            routing::AlertState::Failed { why, .. } => Some(why),
            _ => None,
        });
        Self {
            id: named.id.0,
            kind: alert.as_ref().map(|alert| alert.kind.as_str()),
            state: alert.as_ref().map(|alert| alert.state.as_str()),
            why,
            attempts: alert.as_ref().map(|alert| alert.attempts),
            trail: alert
                .as_ref()
                .map(|alert| alert.life().into_iter().map(|step| stepped(alert, step)).collect())
                .unwrap_or_default(),
            text: alert.map(|alert| alert.text),
        }
    }
}
