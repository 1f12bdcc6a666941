//! `GET /v1/explain`: what would be decided of a call now, and why. Nothing is changed by asking.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use model::{Address, CallId, Caller, Coding, MissedCall, Msisdn, Reason, ShortNumber, Source, Timestamp, split};
use routing::{Alert, Condition, Database, Fact};
use serde::{Deserialize, Serialize};
use store::{Context, Explained, Store as _};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::asked::Query;
use super::refusal::{Refusal, number};
use super::view::rfc3339;
use super::{Operators, view, words};

/// How long the answer is waited for, whatever the store is doing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The call that is asked about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The number that was called.
    #[param(required, example = "+8613800000001", pattern = r"^\+[1-9][0-9]{7,14}$")]
    called: Option<String>,
    /// Who called; unknown unless it is said.
    #[param(example = "+8613900000001", pattern = r"^\+[1-9][0-9]{7,14}$")]
    caller: Option<String>,
    /// The caller withheld the number: then there is no `caller`.
    withheld: Option<bool>,
    /// Why it was not answered; `no_answer` unless it is said.
    #[param(schema_with = words::reasons, required = false)]
    reason: Option<String>,
    /// The number that was forwarded to.
    #[param(example = "10086", pattern = "^[0-9]{1,10}$")]
    service_number: Option<String>,
}

/// What would be decided.
#[derive(Serialize, ToSchema)]
pub(super) struct ExplainedView {
    /// The number that was called, with `+`.
    called: String,
    /// The number with `+`, or `withheld` or `unknown`.
    caller: String,
    /// Why it was not answered.
    #[schema(schema_with = words::reasons)]
    reason: Reason,
    /// The number that was forwarded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_number: Option<String>,
    /// When it would be decided.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `normal`: by what the database says; `abnormal`: without it.
    database: &'static str,
    /// What would be decided.
    verdict: VerdictView,
    /// The messages that it would make or change.
    alerts: Vec<MessageView>,
    /// What the decision rests on, in its order.
    #[schema(schema_with = words::facts)]
    because: Vec<Fact>,
    /// The range that the called number is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<view::RangeView>,
}

#[derive(Serialize, ToSchema)]
struct VerdictView {
    /// What.
    #[schema(schema_with = words::verdicts)]
    what: &'static str,
    /// Which, or why.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(schema_with = words::whys, required = false)]
    why: &'static str,
}

#[derive(Serialize, ToSchema)]
struct MessageView {
    /// What it is for.
    #[schema(schema_with = words::kinds)]
    kind: &'static str,
    /// Where it would be.
    state: &'static str,
    /// Whom it comes from.
    originator: String,
    /// What it says.
    text: String,
    /// `gsm7` or `ucs2`.
    coding: &'static str,
    /// Messages that it takes.
    parts: usize,
}

/// What would be decided of such a call now, and why. Nothing is changed by asking.
#[utoipa::path(get, path = "/v1/explain", tag = "people", params(Asked), responses((status = 200, body = ExplainedView)))]
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
