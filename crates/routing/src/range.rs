//! Number ranges and their quotas: whom teasers may go to.

mod read;
mod terms;

use std::fmt;

use model::{Language, Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CampaignName, ClockFace, ConsentRule, DayWindow};

/// A range as the operator calls it: 1 to 64 letters, digits, hyphens and underscores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RangeName(pub String);

impl fmt::Display for RangeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What else a range says of its people, beside their number in the quota. Written behind `?`, joined by `&`:
/// `consent=explicit&quiet=21:00-08:00&time_zone=Asia/Urumqi&language=zh-CN&clock=12&campaigns=summer+autumn`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// What is asked of a person before they are teased.
    pub consent: ConsentRule,
    /// When no teaser is sent, in the person's local time.
    pub quiet: Option<DayWindow>,
    /// Their language; else the default.
    pub language: Option<Language>,
    /// Their time zone (IANA name); else the default.
    pub time_zone: Option<String>,
    /// How they read a clock; else the default.
    pub clock: Option<ClockFace>,
    /// The campaigns of its teasers; empty: all.
    pub campaigns: Vec<CampaignName>,
}

/// Consecutive numbers, and how many people among them may be counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// What the operator calls it.
    pub name: RangeName,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// How many people may be counted.
    pub quota: u64,
    /// In force from then on.
    pub from: Option<Timestamp>,
    /// In force until then.
    pub until: Option<Timestamp>,
    /// What else it says of its people.
    pub terms: Terms,
}

impl Range {
    /// Whether teasers may be sent for it at this time.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// Why ranges can't be used. Each names the range as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not of the form `name=first-last:users` or `name=prefix*:users`.
    #[error(
        "'{0}': not of the form name=first-last:users or name=prefix*:users, optionally followed by @from/until and ?parameter=value&…"
    )]
    Form(String),
    /// The name has other characters, or is too long or empty.
    #[error("'{0}': a range's name has 1 to 64 letters, digits, hyphens and underscores")]
    Name(String),
    /// First or last is not a number of the plan.
    #[error(
        "'{0}': first and last must be international numbers of 7 to 15 digits without +, and a prefix 1 to 14 digits"
    )]
    Number(String),
    /// The end is before the start.
    #[error("'{0}': the last number is before the first")]
    Backwards(String),
    /// First and last have different lengths.
    #[error("'{0}': first and last must have the same number of digits")]
    Lengths(String),
    /// The quota is not a count.
    #[error("'{0}': users must be a whole number")]
    Quota(String),
    /// The dates are not dates, or the end is not after the start.
    #[error(
        "'{0}': @from/until must be dates or times such as @2026-12-01/2027-01-01 or 2026-12-01T08:00:00Z, the second after the first"
    )]
    Dates(String),
    /// What follows `?` is none of the parameters.
    #[error(
        "'{0}': there is no parameter '{1}'; what may follow ? is consent=, quiet=, time_zone=, language=, clock= and campaigns=, joined by &"
    )]
    UnknownTerm(String, String),
    /// A parameter is given twice.
    #[error("'{0}': {1} is given twice")]
    TermTwice(String, &'static str),
    /// A parameter has a value that it can't have.
    #[error("'{written}': {term}= must be {valid}")]
    Term {
        /// The range as it was written.
        written: String,
        /// The parameter.
        term: &'static str,
        /// What it may be.
        valid: &'static str,
    },
    /// Two ranges have the same name.
    #[error("two ranges are called '{0}'")]
    SameName(RangeName),
    /// Two ranges hold the same number.
    #[error("ranges '{0}' and '{1}' overlap: a number may be in one range only")]
    Overlap(RangeName, RangeName),
}

/// All ranges, by their first number; no two overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Reads `north=8613900000000-8613900999999:50000;south=86138*:200000@2026-12-01/2027-01-01?consent=explicit`. Dates without a time are
    /// midnight UTC; what may follow `?` is said at [`Terms`].
    ///
    /// A prefix stands for every number of any length that begins with it.
    ///
    /// # Errors
    /// With every fault found, in the order written.
    pub fn parse(text: &str) -> Result<Self, Vec<RangeError>> {
        let mut faults = Vec::new();
        let mut ranges = Vec::new();
        for written in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match read::range(written) {
                Ok(mut spans) => ranges.append(&mut spans),
                Err(fault) => faults.push(fault),
            }
        }
        ranges.sort_by_key(|range| range.first);
        for pair in ranges.windows(2) {
            if let [a, b] = pair
                && a.last >= b.first
                && a.name != b.name
            {
                faults.push(RangeError::Overlap(a.name.clone(), b.name.clone()));
            }
        }
        let mut names: Vec<_> = text
            .split(';')
            .filter_map(|part| part.split_once('='))
            .map(|(name, _)| RangeName(name.trim().to_owned()))
            .collect();
        names.sort();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
        faults.extend(twice.map(RangeError::SameName));
        if faults.is_empty() { Ok(Self(ranges)) } else { Err(faults) }
    }

    /// The range that holds a number.
    #[must_use]
    pub fn find(&self, number: Msisdn) -> Option<&Range> {
        let after = self.0.partition_point(|range| range.first <= number.as_u64());
        let range = self.0.get(after.checked_sub(1)?)?;
        (number.as_u64() <= range.last).then_some(range)
    }

    /// All spans, by their first number. A prefix has one span per length of number, all with the same name and quota.
    pub fn iter(&self) -> impl Iterator<Item = &Range> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;
