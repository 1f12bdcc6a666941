//! How long a message may wait for its phone (SMPP 3.4 §7.1.1).

use std::time::Duration;

use model::Timestamp;

/// What an empty validity period means here.
const DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// The longest validity kept to: 63 weeks, as in 3GPP TS 23.040 §9.2.3.12.
const LONGEST: Duration = Duration::from_secs(63 * 7 * 24 * 3600);

/// A validity period that isn't one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadValidity;

/// Reads a validity period: `YYMMDDhhmmss000R` from now, `YYMMDDhhmmsstnn±` as a point in time, or empty for a day.
pub(crate) fn read(text: &[u8], now: Timestamp) -> Result<Duration, BadValidity> {
    if text.is_empty() {
        return Ok(DEFAULT);
    }
    let text = std::str::from_utf8(text).map_err(|_| BadValidity)?;
    let (digits, kind) = text.split_at_checked(15).ok_or(BadValidity)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(BadValidity);
    }
    let pair = |place: usize| digits.get(place..place + 2).and_then(|pair| pair.parse::<u64>().ok()).ok_or(BadValidity);
    let [year, month, day, hour, minute, second] = [pair(0)?, pair(2)?, pair(4)?, pair(6)?, pair(8)?, pair(10)?];
    let validity = match kind {
        // A year has 365 days here and a month 30: the standard doesn't say.
        "R" => Duration::from_secs((((year * 365 + month * 30 + day) * 24 + hour) * 60 + minute) * 60 + second),
        "+" | "-" => {
            let quarters = pair(13)?;
            let (hours, minutes) = (quarters / 4, quarters % 4 * 15);
            let written = format!(
                "20{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{kind}{hours:02}:{minutes:02}"
            );
            Timestamp::parse(&written).map_err(|_| BadValidity)?.since(now)
        }
        _ => return Err(BadValidity),
    };
    Ok(validity.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_and_absolute_periods_are_read() {
        let now = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        for (text, seconds) in [
            ("", 24 * 3600),
            ("000000000005000R", 5),
            ("000002010000000R", 49 * 3600),
            ("261123160130032+", 90),
            ("261123030000020-", 0),
            ("261123070000000+", 0),
        ] {
            assert_eq!(read(text.as_bytes(), now), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in
            ["1", "000000000005000", "00000000000500xR", "269923160130032+", "000000000005000Z", "é00000000005000R"]
        {
            assert_eq!(read(text.as_bytes(), Timestamp::default()), Err(BadValidity), "{text}");
        }
    }
}
