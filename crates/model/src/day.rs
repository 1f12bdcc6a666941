//! Days of the calendar.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A day of the calendar where the service runs: days since 1970-01-01, written `2026-11-23`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub i32);

/// Why a text is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day like 2026-11-23")]
pub struct DayError;

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

impl Day {
    /// The day that it is at a time in a time zone (IANA name); one that is not known is UTC.
    #[must_use]
    pub fn of(at: Timestamp, time_zone: &str) -> Self {
        let zone = jiff::tz::TimeZone::get(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        at.to_jiff().map_or_else(Self::default, |at| Self::from_date(zone.to_datetime(at).date()))
    }

    /// Reads `2026-11-23`.
    ///
    /// # Errors
    /// When it is no day.
    pub fn parse(text: &str) -> Result<Self, DayError> {
        // The calendar's own reader takes times too.
        if text.len() != 10 {
            return Err(DayError);
        }
        text.parse().map(Self::from_date).map_err(|_| DayError)
    }

    /// So many days later, or earlier.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    fn from_date(date: jiff::civil::Date) -> Self {
        let days = (date - EPOCH).get_days();
        Self(days)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = jiff::Span::new().try_days(self.0).ok();
        match days.and_then(|days| EPOCH.checked_add(days).ok()) {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_the_wall_calendar_and_is_written_as_it_is_read() {
        let at = |text| Timestamp::parse(text).unwrap();
        let days = [
            ("2026-11-23T15:59:59Z", "Asia/Shanghai", "2026-11-23"),
            ("2026-11-23T16:00:00Z", "Asia/Shanghai", "2026-11-24"),
            ("2026-11-23T16:00:00Z", "UTC", "2026-11-23"),
            ("2026-03-01T03:00:00Z", "America/New_York", "2026-02-28"),
            ("1969-12-31T23:00:00Z", "nowhere", "1969-12-31"),
        ];
        for (when, zone, day) in days {
            assert_eq!(Day::of(at(when), zone).to_string(), day);
            assert_eq!(Day::parse(day), Ok(Day::of(at(when), zone)));
        }
        assert_eq!((Day::parse("1970-01-02"), Day(1).plus(-2).to_string()), (Ok(Day(1)), "1969-12-31".to_owned()));
        for wrong in ["", "2026-11-31", "2026-11", "23.11.2026", "2026-11-23T00:00:00", "20261123"] {
            assert_eq!(Day::parse(wrong), Err(DayError), "{wrong}");
        }
    }
}
