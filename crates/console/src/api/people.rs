//! `GET` and `DELETE /v1/people/{number}`: what is known of one person, and that it is forgotten.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use store::{Erased, Person};

use super::Operators;
use super::refusal::{Refusal, number};
use crate::audit::{Action, Entry};
use crate::{Viewer, reason};

/// Everything that is known, as it is stored: numbers as integers, times in milliseconds since 1970 UTC.
pub(super) async fn get(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Person>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let (audit, reason) = (operators.audit.clone(), reason::of_header(&headers));
    let exporting = async move {
        let person = operators.store.person(number).await?;
        if person.is_nobody() {
            return Err(Refusal::NothingKnown);
        }
        let entry = Entry::of(&viewer, (operators.clock)(), Action::PersonExported).about_number(number);
        Ok((Json(person), Some(entry.because(reason))))
    };
    audit.act(exporting).await
}

#[derive(Deserialize)]
pub(super) struct Why {
    #[serde(default)]
    reason: String,
}

/// Forgets the person. The same again changes nothing more.
pub(super) async fn delete(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    Query(why): Query<Why>,
) -> Result<Json<Erased>, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let why_not = Refusal::Field { field: "reason", why: "give 1 to 200 characters in one line: ?reason=…" };
    let reason = reason::read(&why.reason).ok_or(why_not)?;
    let audit = operators.audit.clone();
    let erasing = async move {
        let at = (operators.clock)();
        let erased = operators.store.erase(number, &reason, at).await?;
        let entry = Entry::of(&viewer, at, Action::Erased).about_number(number).because(Some(reason));
        Ok((Json(erased), Some(entry)))
    };
    audit.act(erasing).await
}
