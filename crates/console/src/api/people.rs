//! `GET` and `DELETE /v1/people/{number}`: what is known of one person, and that it is forgotten.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use store::{Erased, Person};
use utoipa::{IntoParams, ToSchema};

use super::asked::{Path, Query};
use super::describe::{Because, Number};
use super::refusal::{Refusal, number};
use super::{Operators, words};
use crate::audit::{Action, Entry};
use crate::{Viewer, reason};

/// What is stored of a person: see the answer.
#[derive(ToSchema)]
#[schema(as = Person)]
#[expect(dead_code, reason = "the description of what the store writes")]
struct Stored {
    /// Who, as an integer.
    number: u64,
    /// The registration.
    #[schema(value_type = Option<Object>)]
    subscriber: (),
    /// What is remembered of the person.
    #[schema(value_type = Option<Object>)]
    call_box: (),
    /// Calls and replies with what was decided of them.
    #[schema(value_type = Vec<Object>)]
    events: (),
    /// What the person was sent.
    #[schema(value_type = Vec<Object>)]
    alerts: (),
    /// What the person was charged for.
    #[schema(value_type = Vec<Object>)]
    charges: (),
    /// What the person said that is kept as evidence.
    #[schema(value_type = Vec<Object>)]
    evidence: (),
    /// The lists that the number is on.
    #[schema(value_type = Vec<Object>)]
    lists: (),
}

/// What an erasure took away, and what it left.
#[derive(ToSchema)]
#[schema(as = Erased)]
#[expect(dead_code, reason = "the description of what the store writes")]
struct Gone {
    /// Whether the person was registered.
    subscriber: bool,
    /// Calls, replies and other events.
    events: u64,
    /// Alerts.
    alerts: u64,
    /// Records of what the person said.
    evidence: u64,
    /// Entries in lists, but that of the do-not-contact list.
    lists: u64,
    /// Whether the number stays on the do-not-contact list.
    do_not_contact: bool,
    /// Charges, which stay.
    charges_kept: u64,
}

/// Everything that is known, as it is stored: numbers as integers, times in milliseconds since 1970 UTC.
#[utoipa::path(
    get,
    path = "/v1/people/{number}",
    tag = "people",
    params(Number, Because),
    responses((status = 200, body = Stored))
)]
pub(super) async fn get(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Person>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let person = operators.store.person(number).await?;
    if person.is_nobody() {
        return Err(Refusal::NothingKnown);
    }
    let entry = Entry::of(&viewer, (operators.clock)(), Action::PersonExported).about_number(number);
    operators.audit.note_first(entry.because(reason::of_header(&headers))).await?;
    Ok(Json(person))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Why {
    /// Why, in 1 to 200 characters in one line.
    #[param(value_type = words::Why, inline)]
    reason: String,
}

/// Forgets the person. The same again changes nothing more.
#[utoipa::path(
    delete,
    path = "/v1/people/{number}",
    tag = "people",
    params(Number, Why),
    responses((status = 200, body = Gone))
)]
pub(super) async fn delete(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<Erased>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let why_not = Refusal::Field { field: "reason", why: "give 1 to 200 characters in one line: ?reason=…" };
    let reason = reason::read(&why.reason).ok_or(why_not)?;
    let at = (operators.clock)();
    let entry = Entry::of(&viewer, at, Action::Erased).about_number(number).because(Some(reason.clone()));
    let erasing = async move |operators: Operators, entry| {
        let erased = operators.store.erase(number, &reason, at).await?;
        Ok((Json(erased), Some(entry)))
    };
    operators.act(entry, erasing).await
}
