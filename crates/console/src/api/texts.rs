//! `GET /v1/texts`: every text as a phone shows it, and what it takes.

use axum::Json;
use axum::extract::State;
use model::{Kind, Language};
use routing::text::{Preview, Source, Wanted};
use routing::{CampaignName, RangeName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::asked::Query;
use super::refusal::Refusal;
use super::{Operators, words};

/// Which texts; what is absent or empty is any, and of range and campaign none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// In this language only.
    #[param(pattern = "^([a-z]{2,3}(-[A-Z]{2})?)?$", example = "en")]
    pub(crate) language: Option<String>,
    /// As people in this range get them.
    pub(crate) range: Option<String>,
    /// As people get them whose teaser carries this campaign.
    pub(crate) campaign: Option<String>,
    /// For this only.
    #[param(schema_with = words::kinds, required = false)]
    pub(crate) kind: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct TextsView {
    /// Each text in each language.
    #[schema(value_type = Vec<Shown>)]
    texts: Vec<Preview>,
}

/// A text, and what it takes.
#[derive(ToSchema)]
#[schema(as = Text)]
#[expect(dead_code, reason = "the description of a text's preview")]
struct Shown {
    /// What kind of message it is.
    #[schema(schema_with = words::kinds)]
    kind: String,
    /// The key of its text; of a list, its kind and what it shows.
    name: String,
    /// What it is for; empty for lists.
    about: String,
    /// In which language.
    language: String,
    /// As people in this range get it.
    range: Option<String>,
    /// As people get it whose teaser carries this campaign.
    campaign: Option<String>,
    /// What a phone shows.
    text: String,
    /// How it is coded: `GSM 7-bit` or `UCS-2`.
    coding: String,
    /// Its characters.
    characters: u64,
    /// The parts that it is sent in.
    parts: u64,
    /// What would make it cheaper.
    warnings: Vec<String>,
    /// The file and line where it was written; of a list, its first line.
    place: String,
}

impl Asked {
    /// What is wanted.
    ///
    /// # Errors
    /// With the name of the field, when one can't be read.
    pub(crate) fn wanted(self) -> Result<Wanted, (&'static str, &'static str)> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let language = given(self.language).map(|word| word.parse::<Language>());
        let kind = given(self.kind).map(|word| Kind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(()));
        Ok(Wanted {
            language: language.transpose().map_err(|_| ("language", "not a language like zh-CN"))?,
            range: given(self.range).map(RangeName),
            campaign: given(self.campaign).map(CampaignName),
            kind: kind.transpose().map_err(|()| ("kind", "fallback, detail, teaser, notice or notify"))?,
            clock: None,
        })
    }
}

/// Every text as a phone shows it, and what it takes.
#[utoipa::path(get, path = "/v1/texts", tag = "plan", params(Asked), responses((status = 200, body = TextsView)))]
pub(super) async fn get(
    State(operators): State<Operators>,
    Query(asked): Query<Asked>,
) -> Result<Json<TextsView>, Refusal> {
    let wanted = asked.wanted().map_err(|(field, why)| Refusal::Field { field, why })?;
    let policy = (operators.policy)();
    Ok(Json(TextsView { texts: Source::of(&policy).previews(&wanted)? }))
}
