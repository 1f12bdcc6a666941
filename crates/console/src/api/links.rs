//! `GET /v1/links` and `POST /v1/links/{name}/{drain,unbind,rebind}`: the links to SMSCs, and what an operator wants of them.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Operators;
use super::order::{lasting, why};
use super::refusal::{Refusal, body};
use super::view::{LinkView, maybe_rfc3339};
use crate::Viewer;
use crate::audit::{Action, Entry};
use crate::system;

/// The longest that a link may be kept away: a forgotten order ends within a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What stands for every link in the place of a name. No link is called so: their names hold a slash.
const ALL: &str = "all";

#[derive(Serialize)]
pub(super) struct LinksView {
    links: Vec<LinkView>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Away {
    #[serde(rename = "for")]
    lasting: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    reason: String,
}

/// What was ordered.
#[derive(Serialize)]
pub(super) struct Taken {
    /// The link, or `all`.
    link: String,
    /// `drain`, `unbind` or `rebind`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    until: Option<Timestamp>,
    reason: String,
}

pub(super) async fn list(State(operators): State<Operators>) -> Json<LinksView> {
    Json(LinksView { links: (operators.status)().links })
}

pub(super) async fn drain(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let (until, reason) = away(&operators, bytes)?;
    order(operators, &viewer, link, system::LinkWish::Drain { until }, reason).await
}

pub(super) async fn unbind(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let (until, reason) = away(&operators, bytes)?;
    order(operators, &viewer, link, system::LinkWish::Unbind { until }, reason).await
}

pub(super) async fn rebind(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let Again { reason } = body(bytes)?;
    order(operators, &viewer, link, system::LinkWish::Rebind, why(&reason)?).await
}

fn away(operators: &Operators, bytes: Result<Bytes, BytesRejection>) -> Result<(Timestamp, String), Refusal> {
    let Away { lasting: asked, reason } = body(bytes)?;
    let lasting = lasting(&asked, LONGEST)
        .ok_or(Refusal::Field { field: "for", why: "not a duration of 1 second to 24 hours, like 10m or 1h 30m" })?;
    Ok(((operators.clock)() + lasting, why(&reason)?))
}

async fn order(
    operators: Operators,
    viewer: &Viewer,
    link: String,
    wish: system::LinkWish,
    reason: String,
) -> Result<Json<Taken>, Refusal> {
    let one = (link != ALL).then(|| link.clone());
    let (what, until) = match wish {
        system::LinkWish::Drain { until } => ("drain", Some(until)),
        system::LinkWish::Unbind { until } => ("unbind", Some(until)),
        system::LinkWish::Rebind => ("rebind", None),
    };
    let entry = Entry::of(viewer, (operators.clock)(), Action::LinkOrdered).about(link.clone());
    let entry = Entry { until, ..entry.because(Some(reason.clone())).detail(what) };
    let audit = operators.audit.clone();
    let ordering = async move {
        (operators.order_link)(system::LinkOrder { link: one, what: wish })?;
        tracing::info!(link, what, until = until.map(tracing::field::display), "a link was ordered");
        Ok((Json(Taken { link, what, until, reason }), Some(entry)))
    };
    audit.act(ordering).await
}
