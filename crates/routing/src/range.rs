//! Number ranges and their quotas: whom teasers may go to.

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

/// What else a range says of its people, beside their number in the quota.
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
    #[error("'{0}': not of the form name=first-last:users or name=prefix*:users, optionally followed by @from/until")]
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
    /// Reads `north=8613900000000-8613900999999:50000;south=86138*:200000@2026-12-01/2027-01-01`. Dates without a time are midnight UTC.
    ///
    /// A prefix stands for every number of any length that begins with it.
    ///
    /// # Errors
    /// With every fault found, in the order written.
    pub fn parse(text: &str) -> Result<Self, Vec<RangeError>> {
        let mut faults = Vec::new();
        let mut ranges = Vec::new();
        for written in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match parse_one(written) {
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

fn parse_one(written: &str) -> Result<Vec<Range>, RangeError> {
    let form = || RangeError::Form(written.to_owned());
    let (name, rest) = written.split_once('=').ok_or_else(form)?;
    let name = name.trim();
    let named =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !named {
        return Err(RangeError::Name(written.to_owned()));
    }
    let (rest, dates) = match rest.split_once('@') {
        Some((rest, dates)) => (rest, Some(dates)),
        None => (rest, None),
    };
    let (numbers, quota) = rest.rsplit_once(':').ok_or_else(form)?;
    let quota = quota.trim().parse::<u64>().map_err(|_| RangeError::Quota(written.to_owned()))?;
    let (from, until) = match dates {
        Some(dates) => interval(dates).ok_or_else(|| RangeError::Dates(written.to_owned()))?,
        None => (None, None),
    };
    let spans = match numbers.trim().strip_suffix('*') {
        Some(prefix) => prefix_spans(prefix).ok_or_else(|| RangeError::Number(written.to_owned()))?,
        None => vec![first_last(numbers, written)?],
    };
    let range = |(first, last)| Range {
        name: RangeName(name.to_owned()),
        first,
        last,
        quota,
        from,
        until,
        terms: Terms::default(),
    };
    Ok(spans.into_iter().map(range).collect())
}

fn first_last(numbers: &str, written: &str) -> Result<(u64, u64), RangeError> {
    let (first, last) = numbers.split_once('-').ok_or_else(|| RangeError::Form(written.to_owned()))?;
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| Msisdn::international(text).map_err(|_| RangeError::Number(written.to_owned()));
    let (low, high) = (number(first)?.as_u64(), number(last)?.as_u64());
    if low > high {
        return Err(RangeError::Backwards(written.to_owned()));
    }
    if low.ilog10() != high.ilog10() {
        return Err(RangeError::Lengths(written.to_owned()));
    }
    Ok((low, high))
}

/// One span for each length from 7 (or the prefix's own) to 15 digits.
fn prefix_spans(prefix: &str) -> Option<Vec<(u64, u64)>> {
    let digits = prefix.len();
    let fits = (1..=14).contains(&digits) && prefix.bytes().all(|b| b.is_ascii_digit()) && !prefix.starts_with('0');
    if !fits {
        return None;
    }
    let value: u64 = prefix.parse().ok()?;
    let shortest = digits.max(7);
    (shortest..=15)
        .map(|length| {
            let width = 10_u64.checked_pow(u32::try_from(length - digits).ok()?)?;
            Some((value.checked_mul(width)?, value.checked_mul(width)?.checked_add(width - 1)?))
        })
        .collect()
}

fn interval(text: &str) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    let (from, until) = text.split_once('/')?;
    let point = |text: &str| match text.trim() {
        "" => Some(None),
        text => Timestamp::parse(text).or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z"))).ok().map(Some),
    };
    let (from, until) = (point(from)?, point(until)?);
    match (from, until) {
        (Some(from), Some(until)) if until <= from => None,
        both => Some(both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(digits: &str) -> Msisdn {
        Msisdn::international(digits).unwrap()
    }

    #[test]
    fn a_number_is_found_in_its_range() {
        let ranges = Ranges::parse("north=8613900000000-8613900999999:50000; south=86138*:200000").unwrap();
        for (digits, name) in [
            ("8613900000000", Some("north")),
            ("8613900999999", Some("north")),
            ("8613901000000", None),
            ("8613800000001", Some("south")),
            ("8613899999999", Some("south")),
            ("861380000", Some("south")),
            ("8613700000001", None),
        ] {
            assert_eq!(ranges.find(number(digits)).map(|r| r.name.0.as_str()), name, "{digits}");
        }
    }

    #[test]
    fn every_fault_is_told() {
        let faults = |text: &str| Ranges::parse(text).unwrap_err();
        assert!(matches!(faults("a=8613900000009-8613900000001:5")[..], [RangeError::Backwards(_)]));
        assert!(matches!(faults("a=86139*:5;b=8613900000000-8613900000009:5")[..], [RangeError::Overlap(..)]));
        assert!(matches!(faults("a=86139*:many;b")[..], [RangeError::Quota(_), RangeError::Form(_)]));
        assert!(matches!(faults("a b=86139*:5")[..], [RangeError::Name(_)]));
        assert!(matches!(faults("a=86139*:5;a=86138*:5")[..], [RangeError::SameName(_)]));
        assert!(matches!(faults("a=086*:5")[..], [RangeError::Number(_)]));
        assert!(matches!(faults("a=8613900-86139000:5")[..], [RangeError::Lengths(_)]));
        assert!(matches!(faults("a=86139*:5@2026-12-01/2026-11-01")[..], [RangeError::Dates(_)]));
    }

    #[test]
    fn a_range_is_in_force_between_its_dates() {
        let ranges = Ranges::parse("a=86139*:5@2026-12-01/2027-01-01").unwrap();
        let range = ranges.find(number("8613900000001")).unwrap();
        let at = |text| Timestamp::parse(text).unwrap();
        assert!(!range.in_force(at("2026-11-30T23:59:59Z")));
        assert!(range.in_force(at("2026-12-01T00:00:00Z")));
        assert!(!range.in_force(at("2027-01-01T00:00:00Z")));
    }

    /// Ranges that don't overlap, in order: gaps and widths along the numbers of 13 digits.
    fn apart() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((1_u64..1_000_000, 0_u64..1_000_000), 0..12).prop_map(|steps| {
            let mut next = 8_613_900_000_000;
            let span = |(gap, width)| {
                let first = next + gap;
                next = first + width;
                (first, next)
            };
            steps.into_iter().map(span).collect()
        })
    }

    proptest! {
        #[test]
        fn reading_ranges_never_panics(text in "[a-z=0-9*:;@/ -]{0,60}|\\PC{0,40}") {
            let _ = Ranges::parse(&text);
        }

        #[test]
        fn a_number_is_found_exactly_in_the_range_that_holds_it(spans in apart(), off in 0_u64..2, which in 0_usize..12) {
            let written: Vec<_> =
                spans.iter().enumerate().map(|(n, (first, last))| format!("r{n}={first}-{last}:{n}")).rev().collect();
            let ranges = Ranges::parse(&written.join(";")).unwrap();
            prop_assert_eq!(ranges.iter().count(), spans.len());
            let edges = spans.get(which).map_or([1_000_000; 4], |(first, last)| [first - off, *first, *last, last + off]);
            for edge in edges {
                let expected = spans.iter().position(|(first, last)| (*first..=*last).contains(&edge));
                let found = ranges.find(Msisdn::try_from(edge).unwrap()).map(|range| range.name.0.clone());
                prop_assert_eq!(found, expected.map(|n| format!("r{n}")));
            }
        }

        #[test]
        fn ranges_that_share_a_number_are_refused(spans in apart(), which in 0_usize..12, inside in 0_u64..1_000_000) {
            prop_assume!(which < spans.len());
            let (first, last) = spans[which];
            let shared = (first + inside).min(last);
            let written: Vec<_> = spans.iter().enumerate().map(|(n, (a, b))| format!("r{n}={a}-{b}:1")).collect();
            let text = format!("{};extra={shared}-{}:1", written.join(";"), shared + 7);
            let overlaps = |fault: &RangeError| matches!(fault, RangeError::Overlap(..));
            prop_assert!(Ranges::parse(&text).unwrap_err().iter().any(overlaps));
        }

        #[test]
        fn a_prefix_stands_for_every_number_that_begins_with_it(prefix in "[1-9][0-9]{0,9}", digits in "[1-9][0-9]{6,14}") {
            let ranges = Ranges::parse(&format!("p={prefix}*:1")).unwrap();
            prop_assert_eq!(ranges.find(number(&digits)).is_some(), digits.starts_with(&prefix));
            let within: String = format!("{prefix}{digits}").chars().take(15).collect();
            prop_assert!(ranges.find(number(&within)).is_some());
        }
    }
}
