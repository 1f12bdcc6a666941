//! What ranges and campaigns have in common as they are written: names, and dates between which they hold.

use model::Timestamp;

/// Whether this may be the name of a range or a campaign: 1 to 64 letters, digits, hyphens and underscores.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Reads `from/until`, each a date (midnight UTC) or a time, and either may be left out.
pub(crate) fn interval(text: &str) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
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
