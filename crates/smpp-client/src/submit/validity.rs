//! The validity period (SMPP 3.4 §5.2.16, §7.1.1).

use std::time::Duration;

use model::Timestamp;

use crate::writing::ValidityForm;

/// The longest relative validity: more days don't fit the two digits of a month. An absolute one may be longer.
const LONGEST_RELATIVE: Duration = Duration::from_secs(31 * 86_400);

/// The field: empty, which leaves it to the SMSC, or 16 characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Validity(Option<[u8; 16]>);

impl Validity {
    /// From `now` on, in whole seconds; empty for zero.
    pub(crate) fn new(validity: Duration, form: ValidityForm, now: Timestamp) -> Self {
        match form {
            _ if validity.is_zero() => Self(None),
            ValidityForm::Relative => Self(Some(relative(validity))),
            ValidityForm::Absolute => Self(absolute(now + validity)),
            ValidityForm::Omitted => Self(None),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |field| field.as_slice())
    }
}

/// `YYMMDDhhmmsstnnR`, up to 31 days.
fn relative(validity: Duration) -> [u8; 16] {
    let seconds = validity.clamp(Duration::from_secs(1), LONGEST_RELATIVE).as_secs();
    let mut field = *b"000000000000000R";
    for (place, number) in
        [(4, seconds / 86_400), (6, seconds / 3_600 % 24), (8, seconds / 60 % 60), (10, seconds % 60)]
    {
        for (digit, value) in field.iter_mut().skip(place).zip([number / 10, number % 10]) {
            *digit = b'0' + u8::try_from(value).unwrap_or(0);
        }
    }
    field
}

/// `YYMMDDhhmmsstnnp` in UTC; `None` beyond the year 9999.
fn absolute(at: Timestamp) -> Option<[u8; 16]> {
    // RFC 3339, such as 2026-11-25T18:00:00.000Z: the digits stand in the order of the field.
    let text = at.to_string();
    let digits = text.get(2..19).filter(|_| text.ends_with('Z'))?.bytes().filter(u8::is_ascii_digit);
    let mut field = *b"000000000000000+";
    let mut count = 0;
    for (place, digit) in field.iter_mut().zip(digits) {
        *place = digit;
        count += 1;
    }
    (count == 12).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: u64, form: ValidityForm) -> String {
        let now = Timestamp::parse("2026-12-31T23:59:30.900Z").unwrap();
        let validity = Validity::new(Duration::from_secs(seconds), form, now);
        String::from_utf8(validity.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_relative_validity_counts_days_hours_minutes_and_seconds() {
        for (seconds, expected) in [
            (0, ""),
            (59, "000000000059000R"),
            (3_600, "000000010000000R"),
            (90_061, "000001010101000R"),
            (40 * 86_400, "000031000000000R"),
        ] {
            assert_eq!(written(seconds, ValidityForm::Relative), expected);
        }
        assert_eq!(relative(Duration::from_millis(1)), *b"000000000001000R");
    }

    #[test]
    fn an_absolute_validity_is_a_time_in_utc() {
        for (seconds, expected) in
            [(0, ""), (29, "261231235959000+"), (30, "270101000000000+"), (90 * 86_400, "270331235930000+")]
        {
            assert_eq!(written(seconds, ValidityForm::Absolute), expected);
        }
        assert_eq!(written(u64::MAX, ValidityForm::Absolute), "");
    }

    #[test]
    fn an_omitted_validity_is_empty() {
        assert_eq!(written(60, ValidityForm::Omitted), "");
    }
}
