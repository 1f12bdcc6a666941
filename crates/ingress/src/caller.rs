//! How numbers are read that need not be whole, callers' and service numbers, the same at both doors.

use std::borrow::Cow;

use model::{Caller, NumberError, Numbering, ShortNumber};

/// Digits below which a number without `+` is of a private or short plan: no E.164 number is shorter.
const SHORTEST_NUMBER: usize = 7;

/// Reads a caller: fewer than seven digits without `+` are a short number, all else follows the numbering plan.
pub(crate) fn read_caller(text: &str, numbering: &Numbering) -> Result<Caller, NumberError> {
    let bare = without_separators(text.trim());
    if bare.len() < SHORTEST_NUMBER
        && let Ok(short) = ShortNumber::parse(&bare)
    {
        return Ok(Caller::Short(short));
    }
    numbering.normalise(&bare).map(Caller::Number)
}

/// Reads a service number in the one form in which it is compared: a whole number as its international digits without `+`, however it is
/// written; a short one, or one that is no number of the plan, as it stands, leading zeros kept.
///
/// # Errors
/// When it is not 1 to 15 digits, a leading `+` and separators aside.
pub fn read_service_number(text: &str, numbering: &Numbering) -> Result<ShortNumber, NumberError> {
    match read_caller(text, numbering) {
        Ok(Caller::Short(short)) => Ok(short),
        Ok(Caller::Number(number)) => ShortNumber::parse(&number.reveal()),
        Ok(Caller::Withheld | Caller::Unknown) | Err(_) => {
            let bare = without_separators(text.trim());
            ShortNumber::parse(bare.strip_prefix('+').unwrap_or(&bare))
        }
    }
}

/// Without the separators that people and switches write (RFC 3966 §5.1.1).
fn without_separators(text: &str) -> Cow<'_, str> {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')');
    if text.contains(separator) { Cow::Owned(text.replace(separator, "")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_number_is_the_same_however_it_is_written() {
        let germany = Numbering::new("49", "0", "00");
        for (written, read) in [
            ("+4991100100", Ok("4991100100")),
            ("004991100100", Ok("4991100100")),
            ("4991100100", Ok("4991100100")),
            ("091100100", Ok("4991100100")),
            ("91100100", Ok("4991100100")),
            (" +49-91 10.01(00) ", Ok("4991100100")),
            ("12599", Ok("12599")),
            ("0012", Ok("0012")),
            ("12-5-99", Ok("12599")),
            // No numbers of the plan: kept as they stand.
            ("+12599", Ok("12599")),
            ("0012599", Ok("0012599")),
            ("", Err(NumberError::Empty)),
            ("mailbox", Err(NumberError::NotDigits)),
            ("1234567890123456", Err(NumberError::TooLong)),
        ] {
            let found = read_service_number(written, &germany);
            assert_eq!(found.as_ref().map(ShortNumber::as_str).map_err(|why| *why), read, "{written}");
        }
    }
}
