//! Cutting header values: octets in, octets out, nothing decoded unless asked (RFC 3261 §25.1).

use std::borrow::Cow;

/// The parts of `value` between separators that stand outside quoted strings and angle brackets, trimmed.
///
/// A quote that isn't closed takes the rest into its part.
pub(super) fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match find_outside(text, separator) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)),
            None => (text, None),
        };
        rest = after;
        Some(part.trim_ascii())
    })
}

/// Where `wanted` first stands outside quoted strings and angle brackets.
pub(super) fn find_outside(value: &[u8], wanted: u8) -> Option<usize> {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (at, &byte) in value.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            _ if byte == wanted && !bracketed => return Some(at),
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ => {}
        }
    }
    None
}

/// Whether every quoted string of `value` is closed.
pub(super) fn balanced(value: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for &byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

/// Whether `value` is one quoted string and nothing else.
pub(super) fn is_quoted(value: &[u8]) -> bool {
    let Some((b'"', inner)) = value.split_first() else { return false };
    let mut escaped = false;
    let end = inner.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.is_some_and(|end| end + 1 == inner.len())
}

/// The value of a parameter in `;name=value;name`: `Some(None)` when it stands without a value. Names in any case, quotes taken off.
pub(super) fn parameter<'a>(parameters: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
    split(parameters, b';').find_map(|parameter| {
        let (key, value) = match parameter.iter().position(|byte| *byte == b'=') {
            Some(at) => (parameter.get(..at)?, parameter.get(at + 1..)),
            None => (parameter, None),
        };
        key.trim_ascii().eq_ignore_ascii_case(name).then(|| value.map(unquote))
    })
}

/// As [`parameter`], where one without a value is as good as none.
pub(super) fn parameter_value<'a>(parameters: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    parameter(parameters, name).flatten().filter(|value| !value.is_empty())
}

/// Takes the quotes off, and the white space around.
pub(super) fn unquote(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).map_or(value, <[u8]>::trim_ascii)
}

/// Replaces `%41` by `A`; a `%` without two hexadecimal digits stays as it is.
pub(super) fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                plain.extend(u8::try_from(high * 16 + low));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

/// Reads an unsigned decimal; nothing else may stand beside it.
pub(super) fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str, separator: u8) -> Vec<&str> {
        split(value.as_bytes(), separator).map(|part| std::str::from_utf8(part).unwrap()).collect()
    }

    #[test]
    fn separators_in_quotes_and_brackets_do_not_separate() {
        assert_eq!(parts("a, \"b,\\\",c\" <d,e>;x , f", b','), ["a", "\"b,\\\",c\" <d,e>;x", "f"]);
        assert_eq!(parts("", b','), [""]);
        assert_eq!(parts("a,,", b','), ["a", "", ""]);
        assert_eq!(parts("\"open, rest", b','), ["\"open, rest"]);
    }

    #[test]
    fn parameters_are_found_in_any_case() {
        let parameters = b";Reason = \"no-answer\" ;lr;counter=1";
        assert_eq!(parameter(parameters, b"reason"), Some(Some(&b"no-answer"[..])));
        assert_eq!(parameter(parameters, b"LR"), Some(None));
        assert_eq!(parameter_value(parameters, b"lr"), None);
        assert_eq!(parameter(parameters, b"privacy"), None);
    }

    #[test]
    fn a_quoted_string_is_known_from_end_to_end() {
        for (value, quoted) in [
            ("\"a\"", true),
            ("\"\"", true),
            ("\"a\\\"\"", true),
            ("\"a\\\"", false),
            ("\"a\" \"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(is_quoted(value.as_bytes()), quoted, "{value}");
        }
    }

    #[test]
    fn escapes_are_read_and_broken_ones_stay() {
        assert_eq!(&*unescape(b"SIP%3Bcause%3d486%"), b"SIP;cause=486%");
        assert_eq!(&*unescape(b"%zz%4"), b"%zz%4");
        assert_eq!(&*unescape(b"%00%FF"), b"\0\xff");
        assert_eq!(number::<u32>(b"4294967296"), None);
        assert_eq!(number::<u32>(b"+5"), None);
        assert_eq!(number::<u32>(b""), None);
        assert_eq!(number::<u32>(b"0009"), Some(9));
    }
}
