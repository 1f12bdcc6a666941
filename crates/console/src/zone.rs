//! The time zone that pages show times in.

use jiff::tz::TimeZone;

/// A time zone by its name; UTC where there is none of that name.
pub(crate) fn of(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}
