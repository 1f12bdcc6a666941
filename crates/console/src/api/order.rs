//! What every order says that suppresses or changes something: for how long, and why.

use std::time::Duration;

use jiff::SignedDuration;

use super::refusal::Refusal;
use crate::reason;

/// A length of time as people write it, from a second to the longest.
pub(super) fn lasting(text: &str, longest: Duration) -> Option<Duration> {
    let given: SignedDuration = text.parse().ok()?;
    let lasting = Duration::try_from(given).ok()?;
    (Duration::from_secs(1)..=longest).contains(&lasting).then_some(lasting)
}

/// A reason that can be shown in a line.
pub(super) fn why(text: &str) -> Result<String, Refusal> {
    reason::read(text).ok_or(Refusal::Field { field: "reason", why: "give 1 to 200 characters in one line" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let week = Duration::from_secs(7 * 24 * 3600);
        for (text, seconds) in [("10m", 600), ("30s", 30), ("2h", 7_200), ("1h 30m", 5_400), ("1h30m", 5_400)] {
            assert_eq!(lasting(text, week), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "0s", "-5m", "200h", "500ms", "soon"] {
            assert_eq!(lasting(text, week), None, "{text}");
        }
    }
}
