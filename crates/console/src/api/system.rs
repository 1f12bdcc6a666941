//! `GET /v1/system`, `POST /v1/reload`, `POST` and `DELETE /v1/log`: the program, its settings, and its log.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::Operators;
use super::order::{lasting, why};
use super::refusal::{Refusal, body};
use crate::system::{LogView, LogWish, ReloadView, SystemView};

/// The longest that another filter logs: a forgotten one ends within a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn get(State(operators): State<Operators>) -> Json<SystemView> {
    Json((operators.system)())
}

/// Why, where somebody says so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    #[serde(default)]
    reason: Option<String>,
}

/// Nothing was applied.
#[derive(Serialize)]
struct Refused {
    error: &'static str,
    #[serde(flatten)]
    view: ReloadView,
}

/// 200 with what was applied, or 422 with every fault: then all is as it was.
pub(super) async fn reload(
    State(operators): State<Operators>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Reload { reason } = body(bytes)?;
    let reason = reason.as_deref().map(why).transpose()?;
    tracing::info!(reason, "the settings are read anew, as was asked");
    // Files are read: on a thread that nobody else waits for, and to the end, also when the caller goes away.
    let read = tokio::task::spawn_blocking(move || (operators.reload)()).await;
    let view = read.map_err(|_| Refusal::Order(crate::OrderError::Stopping))?;
    if view.faults.is_empty() {
        return Ok(Json(view).into_response());
    }
    let refused = Refused { error: "the settings can't be used: nothing was changed", view };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(refused)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    filter: String,
    #[serde(rename = "for")]
    lasting: String,
    reason: String,
}

pub(super) async fn log(
    State(operators): State<Operators>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<LogView>, Refusal> {
    let Asked { filter, lasting: asked, reason } = body(bytes)?;
    let lasting = lasting(&asked, LONGEST)
        .ok_or(Refusal::Field { field: "for", why: "not a duration of 1 second to 24 hours, like 10m or 1h 30m" })?;
    let reason = why(&reason)?;
    if filter.trim().is_empty() || filter.len() > 1000 {
        return Err(Refusal::Field { field: "filter", why: "a level, or target=level separated by commas" });
    }
    let until = (operators.clock)() + lasting;
    let view = (operators.log)(Some(LogWish { filter, until }))?;
    tracing::info!(filter = view.filter, %until, reason, "logging by another filter for a while");
    Ok(Json(view))
}

pub(super) async fn usual_log(State(operators): State<Operators>) -> Result<Json<LogView>, Refusal> {
    Ok(Json((operators.log)(None)?))
}
