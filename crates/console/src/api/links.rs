//! `GET /v1/links` and `POST /v1/links/{name}/{drain,unbind,rebind}`: the links to SMSCs, and what an operator wants of them.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Path;
use super::order::{lasting, why};
use super::refusal::{Refusal, body};
use super::view::{LinkView, maybe_rfc3339};
use super::{Operators, words};
use crate::Viewer;
use crate::audit::{Action, Entry};
use crate::system::{LinkOrder, LinkWish};

/// The longest that a link may be kept away: a forgotten order ends within a day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What stands for every link in the place of a name. No link is called so: their names hold a slash.
const ALL: &str = "all";

#[derive(Serialize, ToSchema)]
pub(super) struct LinksView {
    /// Every one that is configured.
    links: Vec<LinkView>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkAway)]
struct Away {
    #[serde(rename = "for")]
    #[schema(schema_with = words::lasting)]
    lasting: String,
    #[schema(schema_with = words::why)]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LinkAgain)]
struct Again {
    #[schema(schema_with = words::why)]
    reason: String,
}

/// What was ordered.
#[derive(Serialize, ToSchema)]
#[schema(as = LinkOrdered)]
pub(crate) struct Taken {
    /// The link, or `all`.
    link: String,
    /// `drain`, `unbind` or `rebind`.
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Why.
    reason: String,
}

/// Which link.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the description of a part of a path")]
struct Named {
    /// The link's name, its slash as `%2F`; `all` for every link.
    #[param(example = "all")]
    name: String,
}

/// The links to SMSCs.
#[utoipa::path(get, path = "/v1/links", tag = "gateway", responses((status = 200, body = LinksView)))]
pub(super) async fn list(State(operators): State<Operators>) -> Json<LinksView> {
    Json(LinksView { links: (operators.status)().links })
}

/// Lets a link finish what it has, unbind, and stay away for a while.
#[utoipa::path(
    post,
    path = "/v1/links/{name}/drain",
    tag = "gateway",
    params(Named),
    request_body = Away,
    responses((status = 200, body = Taken))
)]
pub(super) async fn drain(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let (until, reason) = away(&operators, bytes)?;
    order(operators, &viewer, link, LinkWish::Drain { until }, reason).await.map(Json)
}

/// Unbinds a link at once, and keeps it away for a while.
#[utoipa::path(
    post,
    path = "/v1/links/{name}/unbind",
    tag = "gateway",
    params(Named),
    request_body = Away,
    responses((status = 200, body = Taken))
)]
pub(super) async fn unbind(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let (until, reason) = away(&operators, bytes)?;
    order(operators, &viewer, link, LinkWish::Unbind { until }, reason).await.map(Json)
}

/// Has a link leave its present session, where there is one, and bind at once.
#[utoipa::path(
    post,
    path = "/v1/links/{name}/rebind",
    tag = "gateway",
    params(Named),
    request_body = Again,
    responses((status = 200, body = Taken))
)]
pub(super) async fn rebind(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(link): Path<String>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Refusal> {
    let Again { reason } = body(bytes)?;
    order(operators, &viewer, link, LinkWish::Rebind, why(&reason)?).await.map(Json)
}

fn away(operators: &Operators, bytes: Result<Bytes, BytesRejection>) -> Result<(Timestamp, String), Refusal> {
    let Away { lasting: asked, reason } = body(bytes)?;
    let lasting = lasting(&asked, LONGEST)
        .ok_or(Refusal::Field { field: "for", why: "not a duration of 1 second to 24 hours, like 10m or 1h 30m" })?;
    Ok(((operators.clock)() + lasting, why(&reason)?))
}

/// Orders one link, or all, and notes it.
pub(crate) async fn order(
    operators: Operators,
    viewer: &Viewer,
    link: String,
    wish: LinkWish,
    reason: String,
) -> Result<Taken, Refusal> {
    let one = (link != ALL).then(|| link.clone());
    let (what, until) = match wish {
        LinkWish::Drain { until } => ("drain", Some(until)),
        LinkWish::Unbind { until } => ("unbind", Some(until)),
        LinkWish::Rebind => ("rebind", None),
    };
    let entry = Entry::of(viewer, (operators.clock)(), Action::LinkOrdered).about(link.clone());
    let entry = Entry { until, ..entry.because(Some(reason.clone())).detail(what) };
    let ordering = async move |operators: Operators, entry| {
        (operators.order_link)(LinkOrder { link: one, what: wish })?;
        tracing::info!(link, what, until = until.map(tracing::field::display), "a link was ordered");
        Ok((Taken { link, what, until, reason }, Some(entry)))
    };
    operators.act(entry, ordering).await
}
