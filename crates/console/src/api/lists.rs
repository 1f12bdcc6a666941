//! `/v1/lists/…`: the operator's lists, number by number; and `GET /v1/campaigns`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use routing::List;
use serde::{Deserialize, Serialize};
use store::{CampaignCount, ListEntry, Store as _};
use utoipa::{IntoParams, ToSchema};

use super::asked::{Path, Query};
use super::describe::{Because, Number};
use super::refusal::{Refusal, number};
use super::view::rfc3339;
use super::{Operators, words};
use crate::audit::{Action, Entry};
use crate::{Viewer, reason};

/// Entries in one answer.
const PAGE: usize = 1_000;

/// An entry as the API shows it.
#[derive(Serialize, ToSchema)]
#[schema(as = ListEntry)]
struct EntryView {
    /// Who, with `+`.
    number: String,
    /// The list.
    #[schema(schema_with = words::lists)]
    list: &'static str,
    /// Who put them on it.
    source: String,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<ListEntry> for EntryView {
    fn from(entry: ListEntry) -> Self {
        let number = format!("+{}", entry.number.reveal());
        Self { number, list: entry.list.as_str(), source: entry.source, at: entry.at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ListEntries)]
pub(super) struct Entries {
    /// In the order of numbers.
    entries: Vec<EntryView>,
}

/// Which list.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the description of a part of a path")]
struct Named {
    /// The list.
    #[param(schema_with = words::lists)]
    list: String,
}

fn list(word: &str) -> Result<List, Refusal> {
    let why = "the lists are consent, customers and do_not_contact";
    List::parse(&word.replace('-', "_")).ok_or(Refusal::Field { field: "list", why })
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The last number of the answer before.
    #[param(example = "+8613800000001", pattern = r"^\+[1-9][0-9]{7,14}$")]
    after: Option<String>,
}

/// Entries in the order of numbers, those after a number; none where there are no more.
#[utoipa::path(
    get,
    path = "/v1/lists/{list}",
    tag = "people",
    params(Named, Page),
    responses((status = 200, description = "At most a thousand.", body = Entries))
)]
pub(super) async fn page(
    State(operators): State<Operators>,
    Path(word): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Entries>, Refusal> {
    let list = list(&word)?;
    let after = page.after.map(|text| number(&operators.numbering, &text)).transpose()?;
    let entries = operators.store.list(list, after, PAGE).await?;
    Ok(Json(Entries { entries: entries.into_iter().map(EntryView::from).collect() }))
}

/// One entry of a list.
#[utoipa::path(
    get,
    path = "/v1/lists/{list}/{number}",
    tag = "people",
    params(Named, Number),
    responses((status = 200, body = EntryView))
)]
pub(super) async fn get(
    State(operators): State<Operators>,
    Path((word, text)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (list, number) = (list(&word)?, number(&operators.numbering, &text)?);
    let found = operators.store.entries_of(number).await?.into_iter().find(|entry| entry.list == list);
    Ok(Json(EntryView::from(found.ok_or(Refusal::NotListed)?)).into_response())
}

/// Puts a number on a list; who is on it stays as they are.
#[utoipa::path(
    put,
    path = "/v1/lists/{list}/{number}",
    tag = "people",
    params(Named, Number, Because),
    responses((status = 200, description = "Was on it already."), (status = 201, description = "Is on it now."))
)]
pub(super) async fn put(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path((word, text)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let (list, number) = (list(&word)?, number(&operators.numbering, &text)?);
    let at = (operators.clock)();
    let noted = Entry::of(&viewer, at, Action::Listed).about_number(number).detail(list.as_str());
    let listing = async move |operators: Operators, noted| {
        let entry = ListEntry { number, list, source: "api".to_owned(), at };
        let is_new = operators.store.put_listed(vec![entry]).await? > 0;
        Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, is_new.then_some(noted)))
    };
    operators.act(noted.because(reason::of_header(&headers)), listing).await
}

/// Takes a number off a list.
#[utoipa::path(
    delete,
    path = "/v1/lists/{list}/{number}",
    tag = "people",
    params(Named, Number, Because),
    responses((status = 204, description = "Is no longer on it."))
)]
pub(super) async fn delete(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path((word, text)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let (list, number) = (list(&word)?, number(&operators.numbering, &text)?);
    let noted = Entry::of(&viewer, (operators.clock)(), Action::Unlisted).about_number(number).detail(list.as_str());
    let taking_off = async move |operators: Operators, noted| {
        if !operators.store.delete_listed(list, number).await? {
            return Err(Refusal::NotListed);
        }
        Ok((StatusCode::NO_CONTENT, Some(noted)))
    };
    operators.act(noted.because(reason::of_header(&headers)), taking_off).await
}

/// One campaign in one range.
#[derive(Serialize, ToSchema)]
struct CampaignView {
    /// The campaign.
    campaign: String,
    /// The range.
    range: String,
    /// People who were teased.
    teased: u64,
    /// People who fetched the list.
    fetched: u64,
    /// People who subscribed.
    subscribed: u64,
    /// Of those teased, how many fetched the list: 0 to 1, to four digits.
    fetch_rate: f64,
    /// Of those teased, how many subscribed.
    subscribe_rate: f64,
}

impl From<CampaignCount> for CampaignView {
    fn from(count: CampaignCount) -> Self {
        let CampaignCount { campaign, range, teased, fetched, subscribed } = count;
        let (fetch_rate, subscribe_rate) = (rate(fetched, teased), rate(subscribed, teased));
        Self { campaign: campaign.0, range: range.0, teased, fetched, subscribed, fetch_rate, subscribe_rate }
    }
}

/// A share to four digits; nothing of nothing is none.
fn rate(of: u64, all: u64) -> f64 {
    let shares = of.saturating_mul(10_000).checked_div(all).unwrap_or(0);
    f64::from(u32::try_from(shares).unwrap_or(u32::MAX)) / 10_000.0
}

#[derive(Serialize, ToSchema)]
pub(super) struct CampaignsView {
    /// Each campaign in each range.
    campaigns: Vec<CampaignView>,
}

/// What campaigns brought, range by range.
#[utoipa::path(get, path = "/v1/campaigns", tag = "plan", responses((status = 200, body = CampaignsView)))]
pub(super) async fn campaigns(State(operators): State<Operators>) -> Result<Json<CampaignsView>, Refusal> {
    let campaigns = operators.store.campaigns().await?;
    Ok(Json(CampaignsView { campaigns: campaigns.into_iter().map(CampaignView::from).collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shares_and_nothing_of_nothing_is_none() {
        let shares = [(0, 0), (1, 3), (3, 3), (6, 3)].map(|(of, all)| format!("{:.4}", rate(of, all)));
        assert_eq!(shares, ["0.0000", "0.3333", "1.0000", "2.0000"]);
    }
}
