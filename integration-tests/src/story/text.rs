//! What a story leaves open, and the runner fills in: days and times.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::clock;

/// The time zone of a story's clock; people may have others.
pub(super) const ZONE: &str = "Asia/Shanghai";

/// The most minutes for which `{now}` is tried: no story takes so long.
const LONGEST: i64 = 60;

/// The clock of one play: when it began.
#[derive(Clone, Debug)]
pub(super) struct Times {
    began: Zoned,
}

impl Times {
    /// From now on.
    #[must_use]
    pub(super) fn begin() -> Self {
        let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
        Self { began: clock::now().to_zoned(zone) }
    }

    /// Yesterday at this time of the story's zone: calls lie in the past at whatever hour the story is played.
    #[must_use]
    pub(super) fn yesterday_at(&self, hour: i8, minute: i8) -> Timestamp {
        let day = self.began.date().saturating_sub(1.day());
        let at = day.at(hour, minute, 0, 0).to_zoned(self.began.time_zone().clone());
        at.map_or(self.began.timestamp(), |at| at.timestamp())
    }

    /// A text with its placeholders filled, but for `{now…}`.
    #[must_use]
    pub(super) fn fill(&self, text: &str) -> String {
        let yesterday = self.began.date().saturating_sub(1.day());
        let hour = |hours: i64| self.began.saturating_add(hours.hours());
        [
            ("{yesterday}", yesterday.strftime("%-d %b").to_string()),
            ("{昨天}", yesterday.strftime("%m-%d").to_string()),
            ("{an hour ago}", hour(-1).strftime("%H:%M").to_string()),
            ("{two hours ago}", hour(-2).strftime("%H:%M").to_string()),
            ("{in an hour}", hour(1).strftime("%H:%M").to_string()),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
    }

    /// Whether a message says what was told. `{now}` stands for any minute since the story began, `{in 8 hours}` for one eight hours later.
    #[must_use]
    pub(super) fn says(&self, told: &str, message: &str) -> bool {
        let told = self.fill(told);
        let since = clock::now().duration_since(self.began.timestamp());
        let minutes = (since.as_secs() / 60 + 2).clamp(1, LONGEST);
        // Any order of the two is fine: no text has both.
        (0..minutes).any(|minute| {
            let at = self.began.saturating_add(minute.minutes());
            let now = at.strftime("%-d %b %H:%M").to_string();
            let later = at.saturating_add(8.hours()).strftime("%-d %b %H:%M").to_string();
            told.replace("{now}", &now).replace("{in 8 hours}", &later) == message
        })
    }
}

/// Whether every placeholder of a text is known.
#[must_use]
pub(super) fn is_known(text: &str) -> bool {
    let known = ["yesterday", "昨天", "an hour ago", "two hours ago", "in an hour", "now", "in 8 hours"];
    text.split('{').skip(1).all(|rest| rest.split_once('}').is_some_and(|(name, _)| known.contains(&name)))
}

/// How long a story waits: `61 seconds`.
#[must_use]
pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_is_filled() {
        let began = "2026-03-01T00:30:00+08:00[Asia/Shanghai]".parse().unwrap();
        let times = Times { began };
        assert_eq!(times.fill("{yesterday} 09:05, {昨天}"), "28 Feb 09:05, 02-28");
        assert_eq!(times.fill("{an hour ago}-{in an hour}"), "23:30-01:30");
        assert_eq!(times.yesterday_at(9, 5).to_string(), "2026-02-28T01:05:00Z");
        assert!(is_known("{now}, {yesterday}") && !is_known("{morgen}") && !is_known("{now"));
    }

    #[test]
    fn now_is_any_minute_since_the_beginning_and_no_other() {
        let times = Times::begin();
        let at = |minutes: i64| times.began.saturating_add(minutes.minutes()).strftime("%-d %b %H:%M").to_string();
        assert!(times.says("since {now}.", &format!("since {}.", at(0))));
        assert!(!times.says("since {now}.", &format!("since {}.", at(-1))));
        assert!(!times.says("since {now}.", &format!("since {}", at(0))));
    }
}
