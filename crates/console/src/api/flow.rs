//! `GET /v1/flow`: is the service working, and where is it stuck?

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Operators;
use super::asked::Query;
use super::refusal::Refusal;
use crate::flow::FlowView;
use crate::samples::{Samples, Span};
use crate::today::Today;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How far back the points go; `5m` unless asked otherwise.
    #[param(pattern = "^(5m|15m|1h|6h|24h)$", example = "15m")]
    span: Option<String>,
}

/// Is the service working, and where is it stuck?
#[utoipa::path(get, path = "/v1/flow", tag = "gateway", params(Asked), responses((status = 200, body = FlowView)))]
pub(super) async fn flow(
    State(operators): State<Operators>,
    State(samples): State<Samples>,
    State(today): State<Today>,
    Query(asked): Query<Asked>,
) -> Result<Json<FlowView>, Refusal> {
    let span = match &asked.span {
        None => Span::default(),
        Some(word) => {
            Span::parse(word).ok_or(Refusal::Field { field: "span", why: "one of 5m, 15m, 1h, 6h and 24h" })?
        }
    };
    let now = (operators.clock)();
    Ok(Json(FlowView::of(&samples, span, now, today.counts(now).as_ref())))
}
