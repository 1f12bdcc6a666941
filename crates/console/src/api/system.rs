//! `GET /v1/system`, `POST /v1/reload`, `POST` and `DELETE /v1/log`: the program, its settings, and its log.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::describe::Because;
use super::order::{lasting, why};
use super::refusal::{Refusal, body};
use super::{Operators, words};
use crate::Viewer;
use crate::audit::{Action, Entry};
use crate::reason::of_header;
use crate::system::{LogView, LogWish, OrderError, ReloadView, SystemView};

/// The longest that another filter logs: a forgotten one ends within a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The program and every setting in force, secrets hidden.
#[utoipa::path(get, path = "/v1/system", tag = "gateway", responses((status = 200, body = SystemView)))]
pub(super) async fn get(State(operators): State<Operators>) -> Json<SystemView> {
    Json((operators.system)())
}

/// Why, where somebody says so.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reload {
    #[serde(default)]
    #[schema(schema_with = words::maybe_why, required = false)]
    reason: Option<String>,
}

/// Nothing was applied.
#[derive(Serialize, ToSchema)]
#[schema(as = ReloadRefused)]
struct Refused {
    /// That nothing was changed.
    error: &'static str,
    #[serde(flatten)]
    view: ReloadView,
}

/// Reads the settings anew: all that can be applied is, or nothing.
#[utoipa::path(
    post,
    path = "/v1/reload",
    tag = "gateway",
    request_body(content = Option<Reload>, description = "Why, where somebody says so."),
    responses(
        (status = 200, description = "What was applied, and what waits for a restart.", body = ReloadView),
        (status = 422, description = "Every fault: all is as it was.", body = Refused),
    )
)]
pub(super) async fn reload(
    State(operators): State<Operators>,
    viewer: Viewer,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Reload { reason } = body(bytes)?;
    let reason = reason.as_deref().map(why).transpose()?;
    let view = read_anew(operators, &viewer, reason).await?;
    if view.faults.is_empty() {
        return Ok(Json(view).into_response());
    }
    let refused = Refused { error: "the settings can't be used: nothing was changed", view };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(refused)).into_response())
}

/// Reads the settings anew, and notes it.
pub(crate) async fn read_anew(
    operators: Operators,
    viewer: &Viewer,
    why: Option<String>,
) -> Result<ReloadView, Refusal> {
    tracing::info!("the settings are read anew, as was asked");
    let entry = Entry::of(viewer, (operators.clock)(), Action::Reloaded).because(why);
    let reading = async move |operators: Operators, entry: Entry| {
        // Files are read: on a thread that nobody else waits for.
        let view = match tokio::task::spawn_blocking(move || (operators.reload)()).await {
            Ok(view) => view,
            // Something may be in force: it is noted as in doubt.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return Err(OrderError::Stopping.into()),
        };
        let entry = Entry { at: view.at, ..entry.detail(view.summary()) };
        Ok((view, Some(entry)))
    };
    operators.act(entry, reading).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Log)]
struct Asked {
    /// A level, or `target=level` separated by commas.
    #[schema(example = "info,afterring=debug", min_length = 1, max_length = 1000)]
    filter: String,
    #[serde(rename = "for")]
    #[schema(schema_with = words::lasting)]
    lasting: String,
    #[schema(schema_with = words::why)]
    reason: String,
}

/// Logs by another filter for a while: at most a day.
#[utoipa::path(post, path = "/v1/log", tag = "gateway", request_body = Asked, responses((status = 200, body = LogView)))]
pub(super) async fn log(
    State(operators): State<Operators>,
    viewer: Viewer,
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
    log_by(operators, &viewer, Some(LogWish { filter, until }), Some(reason)).await.map(Json)
}

/// Logs as the settings say again.
#[utoipa::path(
    delete,
    path = "/v1/log",
    tag = "gateway",
    params(Because),
    responses((status = 200, body = LogView))
)]
pub(super) async fn usual_log(
    State(operators): State<Operators>,
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Json<LogView>, Refusal> {
    log_by(operators, &viewer, None, of_header(&headers)).await.map(Json)
}

/// Logs by another filter, or as the settings say, and notes it.
pub(crate) async fn log_by(
    operators: Operators,
    viewer: &Viewer,
    wish: Option<LogWish>,
    why: Option<String>,
) -> Result<LogView, Refusal> {
    let until = wish.as_ref().map(|wish| wish.until);
    let entry = Entry::of(viewer, (operators.clock)(), Action::LogLevel).because(why);
    let logging = async move |operators: Operators, entry: Entry| {
        let view = (operators.log)(wish)?;
        tracing::info!(filter = view.filter, until = until.map(tracing::field::display), "what is logged was changed");
        let entry = entry.detail(view.filter.clone());
        Ok((view, Some(entry)))
    };
    operators.act(Entry { until, ..entry }, logging).await
}
