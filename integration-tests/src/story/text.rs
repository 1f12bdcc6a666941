//! What a story leaves open, and the runner fills in: days and times.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::clock;

/// The hour of day at which every story is played.
const NOON: i8 = 12;

/// The most minutes for which `{now}` is tried: no story takes so long.
const LONGEST: i64 = 60;

/// The clock of one play. It is noon wherever a story is played: its time zone is the one where that is so. So calls of the morning lie in the past, on the
/// same day, and windows such as 11:00-15:00 mean what they say.
#[derive(Clone, Debug)]
pub(super) struct Times {
    began: Zoned,
}

impl Times {
    /// From now on.
    pub(super) fn begin() -> Self {
        Self::at(clock::now())
    }

    fn at(now: Timestamp) -> Self {
        let hour = now.to_zoned(TimeZone::UTC).hour();
        let zone = TimeZone::get(&east(NOON - hour)).unwrap_or(TimeZone::UTC);
        Self { began: now.to_zoned(zone) }
    }

    /// The story's time zone, by its IANA name.
    pub(super) fn zone(&self) -> &str {
        self.began.time_zone().iana_name().unwrap_or("UTC")
    }

    /// Today at this time.
    pub(super) fn today_at(&self, hour: i8, minute: i8) -> Timestamp {
        let at = self.began.date().at(hour, minute, 0, 0).to_zoned(self.began.time_zone().clone());
        at.map_or(self.began.timestamp(), |at| at.timestamp())
    }

    /// A text with its placeholders filled, but for those of the current time.
    pub(super) fn fill(&self, text: &str) -> String {
        let hours = i8::try_from(self.began.offset().seconds() / 3600).unwrap_or(0);
        text.replace("{today}", &self.began.strftime("%-d %b").to_string())
            .replace("{今天}", &self.began.strftime("%m-%d").to_string())
            .replace("{two hours east}", &east(hours + 2))
    }

    /// Whether a message says what was told. `{now}` stands for any minute since the story began, `{in 8 hours}` for one eight hours later.
    pub(super) fn says(&self, told: &str, message: &str) -> bool {
        let told = self.fill(told);
        let since = clock::now().duration_since(self.began.timestamp());
        let minutes = (since.as_secs() / 60 + 2).clamp(1, LONGEST);
        (0..minutes).any(|minute| {
            let at = self.began.saturating_add(minute.minutes());
            let now = at.strftime("%-d %b %H:%M").to_string();
            let later = at.saturating_add(8.hours()).strftime("%-d %b %H:%M").to_string();
            told.replace("{now}", &now).replace("{in 8 hours}", &later) == message
        })
    }
}

/// The zone so many hours east of Greenwich; IANA's names count westward.
fn east(hours: i8) -> String {
    format!("Etc/GMT{:+}", -hours)
}

/// Whether every placeholder of a text is known.
pub(super) fn is_known(text: &str) -> bool {
    let known = ["today", "今天", "two hours east", "now", "in 8 hours"];
    text.split('{').skip(1).all(|rest| rest.split_once('}').is_some_and(|(name, _)| known.contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_noon_whenever_a_story_is_played() {
        for (now, zone) in [("2026-03-01T00:30:00Z", "Etc/GMT-12"), ("2026-03-01T23:30:00Z", "Etc/GMT+11")] {
            let times = Times::at(now.parse().unwrap());
            assert_eq!(
                (times.zone(), times.began.hour(), times.fill("{today} 09:05, {今天}")),
                (zone, 12, "1 Mar 09:05, 03-01".to_owned())
            );
        }
        let times = Times::at("2026-03-01T17:30:00Z".parse().unwrap());
        assert_eq!(times.today_at(9, 5).to_string(), "2026-03-01T14:05:00Z");
        assert_eq!(times.fill("{two hours east}"), "Etc/GMT+3");
        assert!(is_known("{now}, {today}") && !is_known("{morgen}") && !is_known("{now"));
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
