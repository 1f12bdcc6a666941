//! Reading one range as it is written.

use model::Msisdn;

use super::{Range, RangeError, RangeName, terms};
use crate::written::{interval, is_name};

pub(super) fn range(written: &str) -> Result<Vec<Range>, RangeError> {
    let form = || RangeError::Form(written.to_owned());
    let (name, rest) = written.split_once('=').ok_or_else(form)?;
    let name = name.trim();
    if !is_name(name) {
        return Err(RangeError::Name(written.to_owned()));
    }
    let (rest, given) = match rest.split_once('?') {
        Some((rest, given)) => (rest, given),
        None => (rest, ""),
    };
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
    let terms = terms::read(given, written)?;
    let range = |(first, last)| Range {
        name: RangeName(name.to_owned()),
        first,
        last,
        quota,
        from,
        until,
        terms: terms.clone(),
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
