//! Campaigns: the offers that teasers carry, in turn, by weight and date.

use std::fmt;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::written::{interval, is_name};

/// The greatest weight of a campaign: finer shares than a thousandth are nobody's plan.
pub const MAX_WEIGHT: u32 = 1000;

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

/// Why campaigns can't be used. Each names the campaign as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CampaignError {
    /// Not of the form `name:weight`.
    #[error("'{0}': not of the form name:weight, optionally followed by @from/until")]
    Form(String),
    /// The name has other characters, or is too long or empty.
    #[error("'{0}': a campaign's name has 1 to 64 letters, digits, hyphens and underscores")]
    Name(String),
    /// The weight is not a count, or out of bounds.
    #[error("'{0}': the weight must be a whole number from 1 to 1000")]
    Weight(String),
    /// The dates are not dates, or the end is not after the start.
    #[error(
        "'{0}': @from/until must be dates or times such as @2026-12-01/2027-01-01 or 2026-12-01T08:00:00Z, the second after the first"
    )]
    Dates(String),
    /// Two campaigns have the same name.
    #[error("two campaigns are called '{0}'")]
    SameName(CampaignName),
}

impl Campaign {
    /// Whether teasers carry it at this time.
    #[must_use]
    pub fn runs(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

impl Campaigns {
    /// Reads `summer:3@2026-12-01/2027-01-01;autumn:1`. Dates without a time are midnight UTC.
    ///
    /// # Errors
    /// With every fault found, in the order written.
    pub fn parse(text: &str) -> Result<Self, Vec<CampaignError>> {
        let mut faults = Vec::new();
        let mut campaigns: Vec<Campaign> = Vec::new();
        for written in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match parse_one(written) {
                Ok(campaign) if campaigns.iter().any(|known| known.name == campaign.name) => {
                    faults.push(CampaignError::SameName(campaign.name));
                }
                Ok(campaign) => campaigns.push(campaign),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self(campaigns)) } else { Err(faults) }
    }

    /// Whether there is one of this name.
    #[must_use]
    pub fn has(&self, name: &CampaignName) -> bool {
        self.0.iter().any(|campaign| campaign.name == *name)
    }

    /// Whose turn it is among those that run now and are `allowed` (all when that is empty). While the same ones run, each has exactly its weight of
    /// as many consecutive turns as their weights are together, evenly spread.
    #[must_use]
    pub fn choose(&self, allowed: &[CampaignName], turn: u64, now: Timestamp) -> Option<&Campaign> {
        let may = |campaign: &&Campaign| allowed.is_empty() || allowed.contains(&campaign.name);
        let running: Vec<&Campaign> = self.0.iter().filter(|campaign| campaign.runs(now)).filter(may).collect();
        let whole: u64 = running.iter().map(|campaign| u64::from(campaign.weight)).sum();
        let place = turn.checked_rem(whole)?;
        running.iter().enumerate().find(|(which, _)| has_place(&running, *which, place)).map(|(_, campaign)| *campaign)
    }
}

/// Whether one of a campaign's turns is the one at `place`. Its turn `k` of `w` is at (2k+1)/2w of the whole, and all turns are counted in that order:
/// each has one place, and each place one turn.
fn has_place(running: &[&Campaign], which: usize, place: u64) -> bool {
    let turns: Vec<u64> = (0..running.get(which).map_or(0, |campaign| u64::from(campaign.weight))).collect();
    turns.binary_search_by_key(&place, |turn| place_of(running, which, *turn)).is_ok()
}

/// The turns of all campaigns that come before this one; of two at the same point, that of the campaign written first.
fn place_of(running: &[&Campaign], which: usize, turn: u64) -> u64 {
    let own = running.get(which).map_or(1, |campaign| u64::from(campaign.weight).max(1));
    let before = |(other, campaign): (usize, &&Campaign)| {
        let reach = (2 * turn + 1) * u64::from(campaign.weight);
        // The odd numbers 2j+1 with (2j+1) × own below `reach`, or up to it.
        let odd_up_to = if other < which { reach / own } else { reach.saturating_sub(1) / own };
        odd_up_to.div_ceil(2)
    };
    running.iter().enumerate().map(before).sum()
}

fn parse_one(written: &str) -> Result<Campaign, CampaignError> {
    let (rest, dates) = match written.split_once('@') {
        Some((rest, dates)) => (rest, Some(dates)),
        None => (written, None),
    };
    let (name, weight) = rest.split_once(':').ok_or_else(|| CampaignError::Form(written.to_owned()))?;
    let name = name.trim();
    if !is_name(name) {
        return Err(CampaignError::Name(written.to_owned()));
    }
    let weight = weight.trim().parse().ok().filter(|weight| (1..=MAX_WEIGHT).contains(weight));
    let weight = weight.ok_or_else(|| CampaignError::Weight(written.to_owned()))?;
    let (from, until) = match dates {
        Some(dates) => interval(dates).ok_or_else(|| CampaignError::Dates(written.to_owned()))?,
        None => (None, None),
    };
    Ok(Campaign { name: CampaignName(name.to_owned()), weight, from, until })
}

/// How far a teaser with a campaign came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversion {
    /// The SMSC took the teaser: the figure that the others are measured by. One that never left (too late, withdrawn, refused by the SMSC) is not in
    /// it; nor is one whose submit was never answered, though the person may have it.
    Teased,
    /// The list was fetched: once for a teaser at most.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn names(text: &str, allowed: &[&str], turns: std::ops::Range<u64>) -> String {
        let campaigns = Campaigns::parse(text).unwrap();
        let allowed: Vec<_> = allowed.iter().map(|name| CampaignName((*name).to_owned())).collect();
        turns.map(|turn| campaigns.choose(&allowed, turn, NOW).map_or("-", |one| one.name.0.as_str())).collect()
    }

    #[test]
    fn turns_go_by_weight_and_are_spread() {
        assert_eq!(names("a:1;b:1", &[], 0..6), "ababab");
        assert_eq!(names("a:3;b:1", &[], 0..8), "aabaaaba");
        assert_eq!(names("a:3;b:1;c:2", &["a", "c"], 0..5), "acaca");
        assert_eq!(names("", &[], 0..3), "---");
        assert_eq!(names("a:1", &["b"], 0..2), "--");
    }

    #[test]
    fn only_those_that_run_have_a_turn() {
        let text = "a:1@2026-11-23/;b:1@/2026-11-23;c:2@2026-11-22/2026-11-24";
        assert_eq!(names(text, &[], 0..3), "cac");
        assert_eq!(names("b:1@/2026-11-23T08:00:00Z", &[], 0..1), "-", "its end is not in it");
    }

    #[test]
    fn every_fault_is_told() {
        let faults = |text: &str| Campaigns::parse(text).unwrap_err();
        assert!(matches!(faults("a:many;b")[..], [CampaignError::Weight(_), CampaignError::Form(_)]));
        assert!(matches!(faults("a:0;b:1001;c:1000")[..], [CampaignError::Weight(_), CampaignError::Weight(_)]));
        assert!(matches!(faults("a b:1")[..], [CampaignError::Name(_)]));
        assert!(matches!(faults("a:1;a:2")[..], [CampaignError::SameName(_)]));
        assert!(matches!(faults("a:1@2026-12-01/2026-11-01;b:1@2026-12-01")[..], [_, CampaignError::Dates(_)]));
        assert_eq!(faults("a:1@soon/")[0].to_string().split(':').next(), Some("'a"));
    }

    proptest! {
        #[test]
        fn over_a_full_turn_each_campaign_has_exactly_its_weight(
            weights in prop::collection::vec(1_u32..60, 1..8),
            start in 0_u64..1_000_000,
        ) {
            let text: Vec<_> = weights.iter().enumerate().map(|(n, weight)| format!("c{n}:{weight}")).collect();
            let campaigns = Campaigns::parse(&text.join(";")).unwrap();
            let whole: u32 = weights.iter().sum();
            let mut shares = vec![0_u32; weights.len()];
            for turn in start..start + u64::from(whole) {
                let chosen = campaigns.choose(&[], turn, NOW).unwrap();
                let which: usize = chosen.name.0[1..].parse().unwrap();
                shares[which] += 1;
                // Evenly spread: from the first turn on, nobody is more than a turn and a half away from its share.
                if start % u64::from(whole) == 0 {
                    let given: u32 = shares.iter().sum();
                    let due = f64::from(given) * f64::from(weights[which]) / f64::from(whole);
                    prop_assert!((f64::from(shares[which]) - due).abs() <= 1.5);
                }
            }
            prop_assert_eq!(shares, weights);
        }

        #[test]
        fn reading_campaigns_never_panics(text in "[a-z0-9:;@/ -]{0,60}|\\PC{0,40}") {
            let _ = Campaigns::parse(&text);
        }
    }
}
