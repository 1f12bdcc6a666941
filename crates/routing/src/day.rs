//! Times of day: windows of the local day, and how a clock is read.

use std::fmt;
use std::time::Duration;

use jiff::ToSpan;
use jiff::tz::TimeZone;
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// A window of every day in local time, such as 22:00-07:00; its end is not in it. Written `22:00-07:00` or `22-7`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayWindow {
    from: u16,
    until: u16,
}

/// Why a text is no window of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a window of the day like 22:00-07:00 or 22-7, with two different times")]
pub struct DayWindowError;

/// Minutes of a day.
pub(crate) const DAY_MINUTES: u16 = 24 * 60;

impl DayWindow {
    /// Reads `22:00-07:00` or `22-7`.
    ///
    /// # Errors
    /// When it is not of that form, or has no length.
    pub fn parse(text: &str) -> Result<Self, DayWindowError> {
        let (from, until) = text.trim().split_once('-').ok_or(DayWindowError)?;
        let (from, until) = (minute(from).ok_or(DayWindowError)?, minute(until).ok_or(DayWindowError)?);
        if from == until { Err(DayWindowError) } else { Ok(Self { from, until }) }
    }

    /// The minute of the day at which it begins.
    #[must_use]
    pub const fn begins(self) -> u16 {
        self.from
    }

    /// Minutes that are left of it at a minute of the day; `None` outside.
    #[must_use]
    pub const fn left(self, minute: u16) -> Option<u16> {
        let since = (minute + DAY_MINUTES - self.from) % DAY_MINUTES;
        let length = (self.until + DAY_MINUTES - self.from) % DAY_MINUTES;
        if since < length { Some(length - since) } else { None }
    }

    /// When it ends, of which this time is in it by the clocks of that time zone (IANA name; UTC where nobody knows it); `None` outside. Where clocks
    /// are set forward over the end, it ends as much later as they skip.
    #[must_use]
    pub fn ends(self, at: Timestamp, time_zone: &str) -> Option<Timestamp> {
        let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
        let local = at.to_jiff()?.to_zoned(zone.clone()).datetime();
        let (hour, minutes) = (u16::try_from(local.hour()).ok()?, u16::try_from(local.minute()).ok()?);
        let left = self.left(hour * 60 + minutes)?;
        let full = local.date().at(local.hour(), local.minute(), 0, 0);
        let end = full.checked_add(i64::from(left).minutes()).ok()?.to_zoned(zone).ok()?;
        // An hour that comes twice may lie between: the first end that is still ahead.
        Some(Timestamp::from(end.timestamp()).max(at + Duration::from_secs(1)))
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        if digits { text.parse::<u16>().ok() } else { None }
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    ((hours < 24 && minutes < 60) || (hours, minutes) == (24, 0)).then_some((hours * 60 + minutes) % DAY_MINUTES)
}

impl fmt::Display for DayWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, until } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl TryFrom<String> for DayWindow {
    type Error = DayWindowError;
    fn try_from(text: String) -> Result<Self, DayWindowError> {
        Self::parse(&text)
    }
}

impl From<DayWindow> for String {
    fn from(window: DayWindow) -> Self {
        window.to_string()
    }
}

/// How times are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ClockFace {
    /// 3:05 pm
    #[serde(rename = "12")]
    Twelve,
    /// 15:05
    #[serde(rename = "24")]
    TwentyFour,
}

impl ClockFace {
    /// The word used in settings and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Twelve => "12",
            Self::TwentyFour => "24",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Twelve, Self::TwentyFour].into_iter().find(|face| face.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_in_both_forms_and_may_pass_midnight() {
        let night = DayWindow::parse("22-7").unwrap();
        assert_eq!(night.to_string(), "22:00-07:00");
        assert_eq!(DayWindow::parse(" 22:00-07:00 "), Ok(night));
        for (minute, left) in [
            (22 * 60, Some(540)),
            (23 * 60 + 59, Some(421)),
            (0, Some(420)),
            (7 * 60 - 1, Some(1)),
            (7 * 60, None),
            (12 * 60, None),
        ] {
            assert_eq!(night.left(minute), left, "{minute}");
        }
        let noon = DayWindow::parse("12:30-13:15").unwrap();
        assert_eq!((noon.left(12 * 60 + 29), noon.left(12 * 60 + 30), noon.left(13 * 60 + 15)), (None, Some(45), None));
        assert_eq!(DayWindow::parse("0-24"), Err(DayWindowError), "no length, and a whole day is no window");
        for text in ["", "22", "22-22", "25-7", "22:60-7", "a-b", "-", "22-7-8", "022-7", "+2-7"] {
            assert!(DayWindow::parse(text).is_err(), "{text}");
        }
    }
}
