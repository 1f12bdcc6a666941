//! `GET` and `DELETE /v1/people/{number}`: what is known of one person, and that it is forgotten.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use store::{Erased, Person};

use super::Operators;
use super::refusal::{Refusal, number};

/// The longest reason, in characters; it is kept in a line.
const REASON_LONGEST: usize = 200;

/// Everything that is known, as it is stored: numbers as integers, times in milliseconds since 1970 UTC.
pub(super) async fn get(State(operators): State<Operators>, Path(text): Path<String>) -> Result<Json<Person>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let person = operators.store.person(number).await?;
    if person.is_nobody() { Err(Refusal::NothingKnown) } else { Ok(Json(person)) }
}

#[derive(Deserialize)]
pub(super) struct Why {
    #[serde(default)]
    reason: String,
}

/// Forgets the person. The same again changes nothing more.
pub(super) async fn delete(
    State(operators): State<Operators>,
    Path(text): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<Erased>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let reason = why.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LONGEST || reason.chars().any(char::is_control) {
        return Err(Refusal::Field { field: "reason", why: "give 1 to 200 characters in one line: ?reason=…" });
    }
    let erased = operators.store.erase(number, reason, (operators.clock)()).await?;
    tracing::info!(called = %number, reason, "a person was erased on request");
    Ok(Json(erased))
}
