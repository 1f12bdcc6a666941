//! `GET /v1/texts`: every text as a phone shows it, and what it takes.

use axum::Json;
use axum::extract::{Query, State};
use model::{Kind, Language};
use routing::text::{Preview, Source, Wanted};
use routing::{CampaignName, RangeName};
use serde::{Deserialize, Serialize};

use super::Operators;
use super::refusal::Refusal;

/// Which texts; what is absent or empty is any, and of range and campaign none.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    pub(crate) language: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) campaign: Option<String>,
    pub(crate) kind: Option<String>,
}

#[derive(Serialize)]
pub(super) struct TextsView {
    texts: Vec<Preview>,
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

pub(super) async fn get(
    State(operators): State<Operators>,
    Query(asked): Query<Asked>,
) -> Result<Json<TextsView>, Refusal> {
    let wanted = asked.wanted().map_err(|(field, why)| Refusal::Field { field, why })?;
    let policy = (operators.policy)();
    Ok(Json(TextsView { texts: Source::of(&policy).previews(&wanted)? }))
}
