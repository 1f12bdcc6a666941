//! The forms that values are written in: lengths of time, counts, sizes, addresses, lists, choices.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::fault::Problems;
use super::layer::Raw;

type Read<T> = Result<T, Problems>;

const SECOND: Duration = Duration::from_secs(1);
/// A day, for the bounds of lengths of time.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// An hour.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// A minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// One text, blanks around it passed over.
pub(super) fn text(raw: &Raw) -> Read<&str> {
    match raw {
        Raw::Text(text) => Ok(text.trim()),
        Raw::List(_) => Err("one value, not a list".into()),
    }
}

/// The items of a list, empty ones passed over.
pub(super) fn list(raw: &Raw, separator: char) -> Vec<&str> {
    let items: Vec<&str> = match raw {
        Raw::Text(text) => text.split(separator).collect(),
        Raw::List(items) => items.iter().map(String::as_str).collect(),
    };
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// A length of time such as `250ms`, `60s`, `1h30m`.
pub(super) fn duration(text: &str) -> Read<Duration> {
    let wrong =
        || Problems::from("not a length of time: a number and a unit (ms, s, m, h, d), such as 250ms, 60s or 1h30m");
    if text.is_empty() {
        return Err("empty, but a length of time is needed".into());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a length of time without its unit (ms, s, m, h, d)".into());
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        sum = sum.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(sum)
}

/// A length of time within bounds, both included.
pub(super) fn duration_between(text: &str, least: Duration, most: Duration) -> Read<Duration> {
    let given = duration(text)?;
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(format!("out of bounds: at least {} and at most {}", written(least), written(most)).into())
}

/// A length of time as an operator writes it, in its largest whole unit.
pub(super) fn written(time: Duration) -> String {
    let whole = |unit: Duration| time.as_millis().is_multiple_of(unit.as_millis()) && time >= unit;
    for (unit, letter) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")] {
        if whole(unit) {
            return format!("{}{letter}", time.as_millis() / unit.as_millis());
        }
    }
    if time.is_zero() { "0s".to_owned() } else { format!("{}ms", time.as_millis()) }
}

/// A whole number within bounds, both included.
pub(super) fn count<T: FromStr + PartialOrd + Copy + std::fmt::Display>(text: &str, least: T, most: T) -> Read<T> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err("not a whole number".into());
    }
    match text.parse::<T>() {
        Ok(given) if (&least..=&most).contains(&&given) => Ok(given),
        _ => Err(format!("out of bounds: at least {least} and at most {most}").into()),
    }
}

/// A number of octets such as `65536`, `512KiB`, `1MiB`, within bounds, both included.
pub(super) fn octets(text: &str, least: usize, most: usize) -> Read<usize> {
    let (digits, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 1024),
        (_, Some(digits)) => (digits, 1024 * 1024),
        (None, None) => (text, 1),
    };
    let digits = digits.trim_end();
    let given = (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse::<usize>());
    match given {
        None => Err("not a number of octets".into()),
        Some(given) => match given.ok().and_then(|given| given.checked_mul(unit)) {
            Some(given) if (least..=most).contains(&given) => Ok(given),
            _ => Err("out of bounds".into()),
        },
    }
}

/// One of some words.
pub(super) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Read<T> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, chosen)| *chosen).ok_or_else(|| "not one of the words known here".into())
}

/// `address:port`; empty for none.
pub(super) fn listen(text: &str) -> Read<Option<SocketAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        "not an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080 (names aren't looked up)"
            .into()
    })
}

/// At most `most` digits; leading zeros count.
pub(super) fn digits(text: &str, most: usize) -> Read<String> {
    let fits = text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(text.to_owned()) } else { Err(format!("not at most {most} digits").into()) }
}

/// Whether only this machine can reach an address.
pub(super) fn is_local(listen: SocketAddr) -> bool {
    listen.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("0s", 0),
            ("60s", 60_000),
            ("10m", 600_000),
            ("24h", 86_400_000),
            ("30d", 30 * 86_400_000),
            ("1h30m", 5_400_000),
            ("007s", 7_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(duration(&written(Duration::from_millis(millis))), Ok(Duration::from_millis(millis)));
        }
        for text in [
            "",
            "60",
            "s",
            "1.5h",
            "1e5",
            "-1s",
            "1 h",
            "1w",
            "true",
            "10S",
            "99999999999999999999s",
            "1h30",
            "9999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(duration_between("0s", SECOND, DAY).is_err());
        assert!(duration_between("1s", SECOND, DAY).is_ok());
        assert_eq!(written(Duration::from_millis(90_000)), "90s");
    }

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        assert_eq!(count("0012", 1_u32, 20), Ok(12));
        for text in ["", "+5", "-5", "1e5", "5.0", "true", "21", "0", "99999999999999999999", "٣"] {
            assert!(count(text, 1_u32, 20).is_err(), "{text}");
        }
        assert_eq!(octets("1MiB", 1, 1 << 30), Ok(1 << 20));
        assert_eq!(octets("512 KiB", 1, 1 << 30), Ok(1 << 19));
        assert_eq!(octets("1024", 1, 1 << 30), Ok(1024));
        for text in ["", "MiB", "1MB", "0", "-1", "1e5", "99999999999999999999MiB"] {
            assert!(octets(text, 1, 1 << 30).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_pass_over_what_is_empty() {
        let raw = |text: &str| Raw::Text(text.to_owned());
        assert_eq!(list(&raw("a, b ,,c,"), ','), ["a", "b", "c"]);
        assert!(list(&raw(""), ',').is_empty());
        assert!(list(&raw(" , "), ',').is_empty());
        assert_eq!(list(&Raw::List(vec!["a,b".into(), String::new()]), ','), ["a,b"]);
    }

    #[test]
    fn addresses_are_no_names() {
        assert_eq!(listen("").unwrap(), None);
        assert!(is_local(listen("127.0.0.1:8080").unwrap().unwrap()));
        assert!(is_local(listen("[::1]:8080").unwrap().unwrap()));
        assert!(is_local(listen("[::ffff:127.0.0.1]:8080").unwrap().unwrap()));
        assert!(!is_local(listen("0.0.0.0:8080").unwrap().unwrap()));
        for text in ["localhost:8080", "127.0.0.1", ":8080", "127.0.0.1:99999"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }
}
