//! Reading what a range says of its people.

use super::{RangeError, Terms};
use crate::text::is_time_zone;
use crate::written::is_name;
use crate::{CampaignName, ClockFace, ConsentRule, DayWindow};

/// Reads `consent=explicit&quiet=21:00-08:00`; `written` is the range as it was written.
pub(super) fn read(given: &str, written: &str) -> Result<Terms, RangeError> {
    let mut terms = Terms::default();
    let mut seen: Vec<&'static str> = Vec::new();
    for item in given.split('&').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        let Some(term) = Term::parse(name.trim()) else {
            return Err(RangeError::UnknownTerm(written.to_owned(), name.trim().to_owned()));
        };
        if seen.contains(&term.as_str()) {
            return Err(RangeError::TermTwice(written.to_owned(), term.as_str()));
        }
        seen.push(term.as_str());
        if term.set(&mut terms, value.trim()).is_none() {
            return Err(RangeError::Term { written: written.to_owned(), term: term.as_str(), valid: term.valid() });
        }
    }
    Ok(terms)
}

#[derive(Clone, Copy)]
enum Term {
    Consent,
    Quiet,
    TimeZone,
    Language,
    Clock,
    Campaigns,
}

impl Term {
    const ALL: [Self; 6] = [Self::Consent, Self::Quiet, Self::TimeZone, Self::Language, Self::Clock, Self::Campaigns];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Quiet => "quiet",
            Self::TimeZone => "time_zone",
            Self::Language => "language",
            Self::Clock => "clock",
            Self::Campaigns => "campaigns",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|term| term.as_str() == word)
    }

    /// What its value may be, for who gave another.
    const fn valid(self) -> &'static str {
        match self {
            Self::Consent => "none, existing_customers or explicit",
            Self::Quiet => "a window of the day in local time, such as 21:00-08:00",
            Self::TimeZone => "the name of a time zone, such as Asia/Urumqi",
            Self::Language => "a language, such as zh-CN",
            Self::Clock => "12 or 24",
            Self::Campaigns => "names of campaigns joined by +, such as summer+autumn",
        }
    }

    /// Takes the value over; `None` when it can't be.
    fn set(self, terms: &mut Terms, value: &str) -> Option<()> {
        match self {
            Self::Consent => terms.consent = ConsentRule::parse(value)?,
            Self::Quiet => terms.quiet = Some(DayWindow::parse(value).ok()?),
            Self::TimeZone => terms.time_zone = Some(is_time_zone(value).then(|| value.to_owned())?),
            Self::Language => terms.language = Some(value.parse().ok()?),
            Self::Clock => terms.clock = Some(ClockFace::parse(value)?),
            Self::Campaigns => terms.campaigns = campaigns(value)?,
        }
        Some(())
    }
}

/// Each name once.
fn campaigns(value: &str) -> Option<Vec<CampaignName>> {
    let mut names = Vec::new();
    for name in value.split('+').map(str::trim) {
        let name = is_name(name).then(|| CampaignName(name.to_owned()))?;
        if names.contains(&name) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}
