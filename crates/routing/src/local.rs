//! The clock on the wall where a person is.

use std::time::Duration;

use jiff::ToSpan;
use jiff::tz::{AmbiguousOffset, TimeZone};
use model::Timestamp;

use crate::DayWindow;

/// How long it is until a window of the local day begins; `None` within it. By the local clock: where that is put forward over the beginning, the time
/// before counts as within, and where it is put back, so does what comes after the first time that it shows the beginning only while it shows the window.
pub(crate) fn until(window: DayWindow, now: Timestamp, time_zone: &str) -> Option<Duration> {
    let zone = TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
    let now = now.to_jiff()?;
    let here = zone.to_datetime(now);
    let minute = u16::try_from(i16::from(here.hour()) * 60 + i16::from(here.minute())).ok()?;
    if window.left(minute).is_some() {
        return None;
    }
    let begins = window.begins();
    let days = i32::from(begins <= minute);
    let (hour, minute) = (i8::try_from(begins / 60).ok()?, i8::try_from(begins % 60).ok()?);
    let day = here.date().checked_add(days.days()).ok()?;
    let beginning = zone.to_ambiguous_timestamp(day.at(hour, minute, 0, 0));
    let twice = matches!(beginning.offset(), AmbiguousOffset::Fold { .. });
    let first = beginning.earlier().ok()?;
    let start = if twice && first <= now { beginning.later().ok()? } else { first };
    Duration::try_from(start.duration_since(now)).ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn left(window: &str, at: &str, zone: &str) -> Option<u64> {
        until(DayWindow::parse(window).unwrap(), Timestamp::parse(at).unwrap(), zone).map(|left| left.as_secs() / 60)
    }

    #[test]
    fn a_window_is_read_by_the_local_clock() {
        assert_eq!(left("21:00-08:00", "2026-11-23T08:00:00Z", "UTC"), Some(13 * 60));
        assert_eq!(left("21:00-08:00", "2026-11-23T07:59:59Z", "UTC"), None);
        assert_eq!(left("21:00-08:00", "2026-11-23T08:00:00Z", "Asia/Shanghai"), Some(5 * 60));
        assert_eq!(left("21:00-08:00", "2026-11-23T13:00:00Z", "Asia/Shanghai"), None);
        assert_eq!(left("21:00-08:00", "2026-11-23T13:00:00Z", "Asia/Kolkata"), Some(150));
        assert_eq!(left("12:00-13:00", "2026-11-23T14:00:00Z", "UTC"), Some(22 * 60), "tomorrow's");
    }

    #[test]
    fn the_clock_may_be_put_forward_or_back() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00; 25 October: 03:00 becomes 02:00.
        assert_eq!(left("21:00-08:00", "2026-03-29T00:59:00+01:00", "Europe/Berlin"), None);
        assert_eq!(left("05:00-08:00", "2026-03-29T01:00:00+01:00", "Europe/Berlin"), Some(180));
        assert_eq!(left("05:00-08:00", "2026-10-25T01:00:00+02:00", "Europe/Berlin"), Some(300));
        assert_eq!(left("02:30-04:00", "2026-03-29T01:00:00+01:00", "Europe/Berlin"), Some(30), "there is no 02:30");
        assert_eq!(left("02:30-04:00", "2026-03-29T01:45:00+01:00", "Europe/Berlin"), None, "nor a quarter to it");
        assert_eq!(left("02:30-04:00", "2026-10-25T02:00:00+02:00", "Europe/Berlin"), Some(30));
        assert_eq!(
            left("02:30-04:00", "2026-10-25T02:10:00+01:00", "Europe/Berlin"),
            Some(20),
            "02:30 the second time"
        );
    }

    proptest! {
        #[test]
        fn until_the_window_begins_no_minute_is_in_it(
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Urumqi", "Australia/Lord_Howe", "America/St_Johns", "UTC"]),
            day in 0_i64..730,
            minute in 0_i64..1440,
            from in 0_u16..1440,
            length in 1_u16..1439,
        ) {
            let at = Timestamp::from_millis(1_767_225_600_000 + (day * 1440 + minute) * 60_000);
            let until_minute = (from + length) % 1440;
            let written = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until_minute / 60, until_minute % 60);
            let window = DayWindow::parse(&written).unwrap();
            let tz = TimeZone::get(zone).unwrap();
            let shown = |at: Timestamp| {
                let here = tz.to_datetime(at.to_jiff().unwrap());
                u16::try_from(i16::from(here.hour()) * 60 + i16::from(here.minute())).unwrap()
            };
            let Some(left) = until(window, at, zone) else { return Ok(()) };
            let mut then = at;
            while then < at + left {
                prop_assert_eq!(window.left(shown(then)), None, "{} in {} of {}", then, zone, written);
                then = then + MINUTE;
            }
        }
    }
}
