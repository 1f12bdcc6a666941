//! The wall clock: the only place that reads it.

use model::Timestamp;

/// The time now. A clock set before 1970 counts as 1970: nothing the gateway does depends on it being right, only on it being a time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
