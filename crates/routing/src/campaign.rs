//! Campaigns: the offers that teasers carry, in turn, by weight and date.

use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A campaign as the operator calls it: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CampaignName(pub String);

impl fmt::Display for CampaignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One campaign. What it says is in the texts, by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Campaign {
    /// What the operator calls it.
    pub name: CampaignName,
    /// Its share of the teasers: twice as many as one with half the weight.
    pub weight: u32,
    /// Runs from then on.
    pub from: Option<Timestamp>,
    /// Runs until then.
    pub until: Option<Timestamp>,
}

/// All campaigns, in the order they were written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Campaigns(pub Vec<Campaign>);

/// How far a teaser with a campaign came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// The teaser was queued.
    Teased,
    /// The list was fetched.
    Fetched,
    /// The person subscribed while the offer lived.
    Subscribed,
}

impl Conversion {
    /// Every step, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::Teased, Self::Fetched, Self::Subscribed];

    /// The word used in tables, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Teased => "teased",
            Self::Fetched => "fetched",
            Self::Subscribed => "subscribed",
        }
    }
}
