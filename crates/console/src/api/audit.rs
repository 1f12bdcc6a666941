//! `GET /v1/audit`: who did what and why, the newest first.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Query;
use super::refusal::Refusal;
use super::view::{maybe_rfc3339, rfc3339};
use super::{Operators, words};
use crate::audit::{Action, Entry, Filter, GATEWAY, masked};
use crate::{Permission, Viewer};

/// Entries of a page where nobody says how many.
const LIMIT: usize = 100;
/// The most entries of a page.
const MOST: usize = 1_000;

/// An entry as the API and the pages show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryView {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// Who.
    pub(crate) who: String,
    /// What.
    #[schema(schema_with = words::actions)]
    pub(crate) action: &'static str,
    /// Whom or what it is about; numbers are hidden from those who don't see them.
    pub(crate) subject: Option<String>,
    /// Why.
    pub(crate) reason: Option<String>,
    /// Until when it holds.
    #[serde(serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) until: Option<Timestamp>,
    /// What else there is to say.
    pub(crate) detail: Option<String>,
}

impl EntryView {
    /// An entry for somebody who looks.
    pub(crate) fn of(entry: Entry, viewer: &Viewer, now: Timestamp) -> Self {
        let sees = viewer.sees_numbers(now);
        let text = |text: Option<String>| text.map(|text| if sees { text } else { masked(&text) });
        let Entry { at, who, action, subject, reason, until, detail } = entry;
        let (subject, reason, detail) = (text(subject), text(reason), text(detail));
        Self { at, who, action: action.as_str(), subject, reason, until, detail }
    }
}

/// Which entries somebody may look at: administrators all, others what they did themselves, and what happened to the gateway.
pub(crate) fn filter(viewer: &Viewer, who: Option<String>, action: Option<Action>) -> Filter {
    let own = viewer.name();
    let who = if viewer.may(Permission::Administer) || who.as_deref() == Some(GATEWAY) { who } else { Some(own) };
    Filter { who, action, subject: None }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `next` of the page before.
    #[param(pattern = r"^([1-9][0-9]{3}-(0[1-9]|1[0-2])\.[0-9]{1,9})?$", example = "2026-11.4711")]
    before: Option<String>,
    /// At most so many entries; 100 unless asked otherwise.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Who did it.
    who: Option<String>,
    /// What was done.
    #[param(schema_with = words::actions, required = false)]
    action: Option<String>,
    /// `json` unless asked otherwise.
    #[param(schema_with = words::formats, required = false)]
    format: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditPage)]
struct PageView {
    /// The newest first.
    entries: Vec<EntryView>,
    /// What `before` is for the next page; null: there are no more.
    next: Option<String>,
    /// Lines that could not be read, of those looked at.
    skipped: u64,
}

/// Who did what and why, the newest first.
#[utoipa::path(
    get,
    path = "/v1/audit",
    tag = "gateway",
    params(Asked),
    responses((status = 200, content((PageView = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn page(
    State(operators): State<Operators>,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let field = |field, why| Refusal::Field { field, why };
    let before = asked.before.filter(|before| !before.is_empty());
    let before = before.map(|place| place.parse()).transpose();
    let before = before.map_err(|_| field("before", "not a place in the log: take 'next' of the page before"))?;
    let limit = asked.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(field("limit", "give 1 to 1000"));
    }
    let action = asked.action.filter(|word| !word.is_empty());
    let action = action.map(|word| Action::parse(&word).ok_or(field("action", "no such action"))).transpose()?;
    let who = asked.who.filter(|who| !who.is_empty());
    let page = operators.audit.newest(before, limit, filter(&viewer, who, action)).await?;
    let now = (operators.clock)();
    let entries: Vec<_> = page.entries.into_iter().map(|entry| EntryView::of(entry, &viewer, now)).collect();
    match asked.format.as_deref() {
        None | Some("json") => {
            let next = page.next.map(|next| next.to_string());
            Ok(Json(PageView { entries, next, skipped: page.skipped }).into_response())
        }
        Some("csv") => Ok(csv(&entries)),
        Some(_) => Err(field("format", "json or csv")),
    }
}

/// RFC 4180, as spreadsheets read it.
fn csv(entries: &[EntryView]) -> Response {
    let mut text = String::from("at,who,action,subject,reason,until,detail\r\n");
    for entry in entries {
        let until = entry.until.map(|until| until.to_string());
        let optional = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            entry.at.to_string(),
            entry.who.clone(),
            entry.action.to_owned(),
            optional(&entry.subject),
            optional(&entry.reason),
            optional(&until),
            optional(&entry.detail),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push_str("\r\n");
    }
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], text).into_response()
}

/// A cell; what people typed must not become a formula in whoever's spreadsheet opens it.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '@', '-', '\t', '\r'])
        || (cell.starts_with('+') && !cell.bytes().skip(1).all(|byte| byte.is_ascii_digit() || byte == b'*'));
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (cell, written) in [
            ("plain", "plain"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("+8613800000001", "+8613800000001"),
            ("+1+cmd|x", "'+1+cmd|x"),
            ("", ""),
        ] {
            assert_eq!(quoted(cell), written);
        }
    }
}
