//! Finds the ISUP message in a body (RFC 3204), alone or as a part of a multipart body (RFC 2046 §5.1).

use std::borrow::Cow;

use super::lexer;
use super::message::{Message, Name};

/// Multipart bodies within each other that are opened: SIP-I has one, some gateways put another around it.
const MAX_DEPTH: usize = 3;

/// The longest boundary (RFC 2046 §5.1.1).
const MAX_BOUNDARY: usize = 70;

const ISUP: &[u8] = b"application/isup";

/// An encapsulated ISUP message, from its message type on: it has no circuit identification code.
pub(super) type Isup<'a> = Cow<'a, [u8]>;

/// The ISUP message of a request, where it has one; the error says why it can't be had.
pub(super) fn isup(message: &Message) -> Option<Result<Isup<'_>, &'static str>> {
    let kind = message.first(Name::ContentType)?;
    let body = message.body();
    let hidden = || is_multipart(kind) && names_isup(body);
    let found = find(Part { kind, encoding: b"", content: body }, MAX_DEPTH);
    found.or_else(|| hidden().then_some(Err("the body can't be cut into its parts")))
}

fn is_multipart(kind: &[u8]) -> bool {
    kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"))
}

fn names_isup(body: &[u8]) -> bool {
    body.windows(ISUP.len()).any(|part| part.eq_ignore_ascii_case(ISUP))
}

#[derive(Clone, Copy)]
struct Part<'a> {
    /// The value of Content-Type.
    kind: &'a [u8],
    /// The value of Content-Transfer-Encoding.
    encoding: &'a [u8],
    content: &'a [u8],
}

fn find(part: Part<'_>, depth: usize) -> Option<Result<Isup<'_>, &'static str>> {
    let (media, parameters) = match part.kind.iter().position(|byte| *byte == b';') {
        Some(at) => (part.kind.get(..at)?, part.kind.get(at + 1..)?),
        None => (part.kind, &b""[..]),
    };
    let media = media.trim_ascii();
    if media.eq_ignore_ascii_case(ISUP) {
        return Some(open(part, parameters));
    }
    if depth == 0 || !is_multipart(media) {
        return None;
    }
    let boundary = lexer::parameter_value(parameters, b"boundary").filter(|it| it.len() <= MAX_BOUNDARY)?;
    parts(part.content, boundary).find_map(|part| find(part, depth - 1))
}

fn open<'a>(part: Part<'a>, parameters: &[u8]) -> Result<Isup<'a>, &'static str> {
    // `base` says what a `version` that is not standard is like (RFC 3204 §3.1.1).
    let version = [&b"base"[..], b"version"].into_iter().find_map(|name| lexer::parameter_value(parameters, name));
    let foreign =
        |name: &[u8]| version.and_then(|it| it.get(..name.len())).is_some_and(|it| it.eq_ignore_ascii_case(name));
    if foreign(b"ansi") || foreign(b"gr") {
        return Err("its version is not ITU-T's");
    }
    match part.encoding {
        b"" => Ok(Cow::Borrowed(part.content)),
        plain if [&b"binary"[..], b"8bit", b"7bit"].iter().any(|name| plain.eq_ignore_ascii_case(name)) => {
            Ok(Cow::Borrowed(part.content))
        }
        base64 if base64.eq_ignore_ascii_case(b"base64") => decode_base64(part.content).map(Cow::Owned),
        _ => Err("its transfer encoding is not known"),
    }
}

/// The parts between delimiter lines; the last may lack its delimiter, where the body was cut.
fn parts<'a>(body: &'a [u8], boundary: &'a [u8]) -> impl Iterator<Item = Part<'a>> {
    let mut rest = next_delimiter(body, boundary).map(|(_, after)| after);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = match next_delimiter(text, boundary) {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        rest = after.filter(|after| !after.starts_with(b"--"));
        // Behind the boundary stands the end of its line.
        let line = part.iter().position(|byte| *byte == b'\n')?;
        Some(read_part(part.get(line + 1..)?))
    })
}

/// What stands before and behind the next delimiter, which begins a line; the line end before it is the delimiter's.
fn next_delimiter<'a>(text: &'a [u8], boundary: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.windows(2).position(|two| two == b"--")?;
        let begins_line = at == 0 || text.get(at - 1) == Some(&b'\n');
        match text.get(at + 2..)?.strip_prefix(boundary) {
            Some(after) if begins_line => {
                let before = text.get(..at)?;
                let before = before.strip_suffix(b"\n").unwrap_or(before);
                return Some((before.strip_suffix(b"\r").unwrap_or(before), after));
            }
            _ => from = at + 1,
        }
    }
}

fn read_part(part: &[u8]) -> Part<'_> {
    let mut read = Part { kind: b"", encoding: b"", content: part };
    while let Some(end) = read.content.iter().position(|byte| *byte == b'\n') {
        let line = read.content.get(..end).unwrap_or_default().trim_ascii();
        read.content = read.content.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.trim_ascii().eq_ignore_ascii_case(b"Content-Type") {
            read.kind = value;
        } else if name.trim_ascii().eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            read.encoding = value;
        }
    }
    read
}

/// Base 64 (RFC 4648 §4), line ends passed over.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut octets = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for &digit in text.trim_ascii().iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return Err("its base 64 is broken"),
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.extend(u8::try_from((bits >> held) & 0xff));
        }
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn message(kind: &str, length: Option<usize>, body: &[u8]) -> Message {
        let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
        let mut raw = format!("INVITE sip:9@h SIP/2.0\r\nc: {kind}\r\n{length}\r\n").into_bytes();
        raw.extend_from_slice(body);
        Message::parse(Bytes::from(raw)).unwrap()
    }

    #[test]
    fn isup_is_found_alone_and_in_parts() {
        let sdp = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=--b\r\n";
        let part = "--b\r\nContent-Type: application/ISUP;version=itu-t92+\r\n";
        let disposed = "Content-Disposition: signal;handling=required\r\n";
        let mixed = "multipart/mixed;boundary=b";
        let long = format!("multipart/mixed;boundary={}", "b".repeat(71));
        let uncut = "the body can't be cut into its parts";
        for (kind, body, expected) in [
            ("application/isup;version=x;base=itu-t92+", "\x01\r\n".to_owned(), Some(Ok(&b"\x01\r\n"[..]))),
            ("application/isup;version=ansi92", "\x01".to_owned(), Some(Err("its version is not ITU-T's"))),
            ("application/isup;version=x;base=gr317", "\x01".to_owned(), Some(Err("its version is not ITU-T's"))),
            (mixed, format!("{sdp}{part}{disposed}\r\n\x01\n\r\r\n--b--\r\n"), Some(Ok(b"\x01\n\r"))),
            (
                "Multipart/Mixed ; charset=x; boundary=\"b\"",
                format!("preamble\r\n{part}\r\n\x01\r\n{sdp}--b--"),
                Some(Ok(b"\x01")),
            ),
            (mixed, format!("{part}Content-Transfer-Encoding: BINARY\r\n\r\n\x01\r\n--b--"), Some(Ok(b"\x01"))),
            (
                mixed,
                format!("{part}Content-Transfer-Encoding: base64\r\n\r\nAQBh\r\n/+8=\r\n--b--"),
                Some(Ok(b"\x01\0a\xff\xef")),
            ),
            (
                mixed,
                format!("{part}Content-Transfer-Encoding: base64\r\n\r\n%\r\n--b--"),
                Some(Err("its base 64 is broken")),
            ),
            (
                mixed,
                format!("{part}Content-Transfer-Encoding: x-hex\r\n\r\n01\r\n--b--"),
                Some(Err("its transfer encoding is not known")),
            ),
            (mixed, sdp.replace("\r\n", "\n") + &part.replace("\r\n", "\n") + "\n\x01\n--b--", Some(Ok(b"\x01"))),
            (mixed, format!("{part}\r\n\x01\x02"), Some(Ok(b"\x01\x02"))),
            (
                "multipart/mixed;boundary=o",
                format!("--o\r\nContent-Type: multipart/related;boundary=b\r\n\r\n{part}\r\n\x01\r\n--b--\r\n--o--"),
                Some(Ok(b"\x01")),
            ),
            (mixed, format!("{sdp}--b--\r\n{part}\r\n\x01\r\n--b--"), Some(Err(uncut))),
            ("multipart/mixed", format!("{part}\r\n\x01\r\n--b--"), Some(Err(uncut))),
            (long.as_str(), part.replace("--b", &format!("--{}", "b".repeat(71))) + "\r\n\x01", Some(Err(uncut))),
            (mixed, format!("{sdp}--b--"), None),
            ("application/sdp", part.to_owned(), None),
        ] {
            let message = message(kind, None, body.as_bytes());
            let found = isup(&message);
            assert_eq!(found.as_ref().map(|it| it.as_deref().map_err(|why| *why)), expected, "{kind} {body:?}");
        }
    }

    #[test]
    fn what_is_beyond_content_length_is_no_body() {
        assert_eq!(
            isup(&message("application/isup", Some(2), b"\x01\x02\x03")),
            Some(Ok(Cow::Borrowed(&b"\x01\x02"[..])))
        );
        let parts = b"--b\r\n\r\n\r\n--b\r\nContent-Type: application/isup\r\n\r\n\x01\r\n--b--";
        assert_eq!(isup(&message("multipart/mixed;boundary=b", Some(9), parts)), None);
    }

    proptest! {
        #[test]
        fn no_body_panics(pieces in proptest::collection::vec(proptest::sample::select(vec![
            "--b", "\r\n", "\n", "--", ":", "=\u{ff}", "Content-Type:application/isup",
            "Content-Type:multipart/x;boundary=b", "Content-Transfer-Encoding:base64\r\n",
        ]), 0..30)) {
            let _ = isup(&message("multipart/x;boundary=b", None, pieces.concat().as_bytes()));
        }
    }
}
