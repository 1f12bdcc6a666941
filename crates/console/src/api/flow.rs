//! `GET /v1/flow`: is the service working, and where is it stuck?

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::Operators;
use super::refusal::Refusal;
use crate::flow::FlowView;
use crate::samples::{Samples, Span};
use crate::today::Today;

#[derive(Deserialize)]
pub(super) struct Asked {
    span: Option<String>,
}

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
