//! `GET /v1/subscribers/{number}/calls/{seq}`: one call, from the core network to the phone and back.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::{Seq, Store as _};
use utoipa::ToSchema;

use super::Operators;
use super::asked::Path;
use super::describe::Number;
use super::refusal::{Refusal, number};
use super::view::Extent;
use crate::ladder::Ladder;

/// Events of the person among which the call is looked for: those that a timeline shows at most.
const MOST: usize = 1_000;

/// One call, from the core network to the phone and back.
#[derive(Serialize, ToSchema)]
pub(super) struct Call {
    #[serde(flatten)]
    ladder: Ladder,
    #[serde(flatten)]
    extent: Extent,
}

/// One call, from the core network to the phone and back.
#[utoipa::path(
    get,
    path = "/v1/subscribers/{number}/calls/{seq}",
    tag = "people",
    params(Number, ("seq" = i64, Path, description = "The call's place in the journal, as the timeline says it.", example = 1)),
    responses((status = 200, body = Call))
)]
pub(super) async fn get(
    State(operators): State<Operators>,
    Path((text, seq)): Path<(String, String)>,
) -> Result<Json<Call>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let seq = seq.parse().map(Seq).map_err(|_| Refusal::Field { field: "seq", why: "not the place of an event" })?;
    let timeline = operators.store.timeline(number, MOST).await?;
    let ladder = Ladder::of(seq, &timeline).ok_or_else(|| operators.missing(Refusal::NoSuchCall))?;
    Ok(Json(Call { ladder, extent: Extent::of(&operators) }))
}
