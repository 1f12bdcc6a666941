//! `POST` and `DELETE /v1/database/force`: an operator declares the database abnormal for a while.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::describe::{Because, Fault};
use super::order;
use super::refusal::{Refusal, body};
use super::view::rfc3339;
use super::{Operators, words};
use crate::audit::{Action, Entry};
use crate::{Viewer, reason};

/// The longest that the state may be forced for: a forgotten one ends within a week.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// What an operator wants of the database's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ForceRequest {
    /// Abnormal, whatever the probe says; takes the place of what was in force.
    Abnormal {
        /// Until then.
        until: Timestamp,
        /// Why: 1 to 200 characters, to be shown and logged.
        reason: String,
    },
    /// As the probe says again. Nothing to lift is no fault.
    Lift,
}

/// Why the state can't be forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// There is no database whose state could be forced.
    #[error("no database is configured: the embedded store is all there is")]
    NotConfigured,
    /// The gateway is stopping and takes no more orders.
    #[error("the gateway is stopping")]
    Stopping,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Force)]
struct Asked {
    /// The state.
    state: Forced,
    #[serde(rename = "for")]
    #[schema(schema_with = words::lasting_a_week)]
    lasting: String,
    #[schema(schema_with = words::why)]
    reason: String,
}

/// The only state that can be forced.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Forced {
    Abnormal,
}

/// What is in force.
#[derive(Serialize, ToSchema)]
pub(super) struct InForce {
    /// The state.
    state: Forced,
    /// Until then.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Why.
    reason: String,
}

/// Declares the database abnormal for a while, whatever the probe says.
#[utoipa::path(
    post,
    path = "/v1/database/force",
    tag = "gateway",
    request_body = Asked,
    responses(
        (status = 200, body = InForce),
        (status = 409, description = "There is no database whose state could be forced.", body = Fault),
    )
)]
pub(super) async fn force(
    State(operators): State<Operators>,
    viewer: Viewer,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<InForce>, Refusal> {
    let Asked { state: Forced::Abnormal, lasting, reason } = body(bytes)?;
    let lasting = order::lasting(&lasting, LONGEST)
        .ok_or(Refusal::Field { field: "for", why: "not a duration of 1 second to 7 days, like 10m or 1h 30m" })?;
    let (until, reason) = ((operators.clock)() + lasting, order::why(&reason)?);
    order(operators, &viewer, ForceRequest::Abnormal { until, reason: reason.clone() }, Some(reason.clone())).await?;
    Ok(Json(InForce { state: Forced::Abnormal, until, reason }))
}

/// Leaves the state to the probe again.
#[utoipa::path(
    delete,
    path = "/v1/database/force",
    tag = "gateway",
    params(Because),
    responses(
        (status = 204, description = "Nothing is forced."),
        (status = 409, description = "There is no database whose state could be forced.", body = Fault),
    )
)]
pub(super) async fn lift(
    State(operators): State<Operators>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    order(operators, &viewer, ForceRequest::Lift, reason::of_header(&headers)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forces the state or leaves it to the probe, and notes it.
pub(crate) async fn order(
    operators: Operators,
    viewer: &Viewer,
    request: ForceRequest,
    why: Option<String>,
) -> Result<(), Refusal> {
    let (action, until) = match request {
        ForceRequest::Abnormal { until, .. } => (Action::DatabaseForced, Some(until)),
        ForceRequest::Lift => (Action::DatabaseLifted, None),
    };
    let entry = Entry { until, ..Entry::of(viewer, (operators.clock)(), action).because(why) };
    let ordering = async move |operators: Operators, entry| {
        (operators.force)(request)?;
        Ok(((), Some(entry)))
    };
    operators.act(entry, ordering).await
}
