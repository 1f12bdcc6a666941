//! The time, for tests that must name one; the only place here that reads the clock.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// The current time.
#[must_use]
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a test's own clock: the gateway under test has another")]
    Timestamp::now()
}

/// A whole minute, this long ago: what is shown without seconds can be compared exactly.
#[must_use]
pub fn minute_ago(ago: Duration) -> Timestamp {
    let at = now().as_second() - i64::try_from(ago.as_secs()).unwrap_or(0);
    Timestamp::from_second(at - at.rem_euclid(60)).unwrap_or_default()
}

/// A time as people `hours` east of Greenwich read it, in strftime's letters.
#[must_use]
pub fn local(at: Timestamp, hours: i8, format: &str) -> String {
    at.to_zoned(TimeZone::fixed(Offset::constant(hours))).strftime(format).to_string()
}
