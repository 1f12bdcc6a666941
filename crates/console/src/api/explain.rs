//! `GET /v1/explain`: what would be decided of a call now, and why. Nothing is changed by asking.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use model::{Address, CallId, Caller, Coding, MissedCall, Msisdn, Reason, ShortNumber, Source, Timestamp, split};
use routing::{Alert, Condition, Database, Fact};
use serde::{Deserialize, Serialize};
use store::{Context, Explained, Store as _};
use tokio::time::timeout;

use super::refusal::{Refusal, number};
use super::view::rfc3339;
use super::{Operators, view};

/// How long the answer is waited for, whatever the store is doing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The call that is asked about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    called: Option<String>,
    caller: Option<String>,
    withheld: Option<bool>,
    reason: Option<String>,
    service_number: Option<String>,
}

/// What would be decided.
#[derive(Serialize)]
pub(super) struct ExplainedView {
    called: String,
    /// The number with `+`, or `withheld` or `unknown`.
    caller: String,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_number: Option<String>,
    /// When it would be decided.
    #[serde(serialize_with = "rfc3339")]
    at: Timestamp,
    /// By what the database says, or without it.
    database: &'static str,
    verdict: VerdictView,
    /// The messages that it would make or change.
    alerts: Vec<MessageView>,
    /// What the decision rests on, in its order.
    because: Vec<Fact>,
    /// The range that the called number is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<view::RangeView>,
}

#[derive(Serialize)]
struct VerdictView {
    what: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'static str,
}

#[derive(Serialize)]
struct MessageView {
    kind: &'static str,
    state: &'static str,
    originator: String,
    text: String,
    coding: &'static str,
    parts: usize,
}

pub(super) async fn explain(
    State(operators): State<Operators>,
    Query(asked): Query<Asked>,
) -> Result<Json<ExplainedView>, Refusal> {
    let call = asked.call(&operators, (operators.clock)())?;
    Ok(Json(ExplainedView::from(explained(&operators, call).await?)))
}

/// What would be decided of this person's next call, were it not answered.
pub(crate) async fn next_call(operators: &Operators, called: Msisdn) -> Result<Explained, Refusal> {
    let call = MissedCall {
        // No call that is reported has it.
        id: CallId::parse("explain").map_err(|_| Refusal::Unread)?,
        caller: Caller::Unknown,
        called,
        at: (operators.clock)(),
        reason: Reason::NoAnswer,
        service_number: None,
        source: Source::Http,
    };
    explained(operators, call).await
}

async fn explained(operators: &Operators, call: MissedCall) -> Result<Explained, Refusal> {
    let database = match (operators.status)().database.state {
        Condition::Normal | Condition::Suspect => Database::Normal,
        Condition::Abnormal | Condition::Recovering => Database::Abnormal,
    };
    let context = Context { policy: (operators.policy)(), database, now: call.at };
    Ok(timeout(PATIENCE, operators.store.explain(call, context)).await.map_err(|_| Refusal::Busy)??)
}

impl Asked {
    fn call(self, operators: &Operators, now: Timestamp) -> Result<MissedCall, Refusal> {
        let called = self.called.ok_or(Refusal::Field { field: "called", why: "give the number that was called" })?;
        let called = number(&operators.numbering, &called)?;
        let caller = match (self.withheld.unwrap_or(false), self.caller) {
            (true, None) => Caller::Withheld,
            (true, Some(_)) => return Err(Refusal::Field { field: "withheld", why: "a caller is given as well" }),
            (false, None) => Caller::Unknown,
            (false, Some(text)) => Caller::Number(number(&operators.numbering, &text)?),
        };
        let reason = self.reason.as_deref().map_or(Some(Reason::NoAnswer), Reason::parse).ok_or(Refusal::Field {
            field: "reason",
            why: "one of busy, no_answer, unreachable, unconditional, rejected, unknown",
        })?;
        let service_number = self.service_number.as_deref().map(ShortNumber::parse).transpose();
        let service_number =
            service_number.map_err(|_| Refusal::Field { field: "service_number", why: "not a number of digits" })?;
        // No call that is reported has it.
        let id = CallId::parse("explain").map_err(|_| Refusal::Unread)?;
        Ok(MissedCall { id, caller, called, at: now, reason, service_number, source: Source::Http })
    }
}

impl From<Explained> for ExplainedView {
    fn from(explained: Explained) -> Self {
        let Explained { call, at, verdict, alerts, range, view: known, because } = explained;
        let (what, why) = verdict.words();
        let caller = match call.caller {
            Caller::Number(number) => format!("+{}", number.reveal()),
            Caller::Short(number) => number.as_str().to_owned(),
            Caller::Withheld => "withheld".to_owned(),
            Caller::Unknown => "unknown".to_owned(),
        };
        Self {
            called: format!("+{}", call.called.reveal()),
            caller,
            reason: call.reason,
            service_number: call.service_number.map(|number| number.as_str().to_owned()),
            at,
            database: match known.database {
                Database::Normal => "normal",
                Database::Abnormal => "abnormal",
            },
            verdict: VerdictView { what, why },
            alerts: alerts.iter().map(MessageView::from).collect(),
            because,
            range: range.map(|range| view::range_view(&range, known.range_used, at)),
        }
    }
}

impl From<&Alert> for MessageView {
    fn from(alert: &Alert) -> Self {
        let segments = split(&alert.text);
        Self {
            kind: alert.kind.as_str(),
            state: alert.state.as_str(),
            originator: match &alert.source {
                Address::International(number) => format!("+{}", number.reveal()),
                Address::ShortCode(code) => code.as_str().to_owned(),
                Address::Alphanumeric(name) => name.clone(),
            },
            text: alert.text.clone(),
            coding: match segments.coding {
                Coding::Gsm7 => "gsm7",
                Coding::Ucs2 => "ucs2",
            },
            parts: segments.parts.len(),
        }
    }
}
