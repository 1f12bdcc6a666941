//! A SIP request as octets with the places of its parts (RFC 3261 §7): nothing is decoded, copied or lost.

use std::ops::Range;

use bytes::Bytes;

use super::envelope::{Envelope, Fault};
use super::lexer;

/// Most header lines of a message; real ones have some thirty.
pub const MAX_HEADERS: usize = 256;

/// The header fields that are read here; any other is [`Name::Other`] and kept in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    /// `Via`, `v`.
    Via,
    /// `From`, `f`.
    From,
    /// `To`, `t`.
    To,
    /// `Call-ID`, `i`.
    CallId,
    /// `CSeq`.
    CSeq,
    /// `Content-Length`, `l`.
    ContentLength,
    /// `Content-Type`, `c`.
    ContentType,
    /// `Require`.
    Require,
    /// `Timestamp`.
    Timestamp,
    /// `Diversion` (RFC 5806); `CC-Diversion`, as some called it before.
    Diversion,
    /// `History-Info` (RFC 7044).
    HistoryInfo,
    /// `P-Asserted-Identity` (RFC 3325).
    AssertedIdentity,
    /// `Remote-Party-ID` (draft-ietf-sip-privacy-04).
    RemotePartyId,
    /// `Privacy` (RFC 3323).
    Privacy,
    /// `P-Charging-Vector` (RFC 7315).
    ChargingVector,
    /// `P-Served-User` (RFC 5502).
    ServedUser,
    /// `P-Called-Party-ID` (RFC 7315).
    CalledPartyId,
    /// `Reason` (RFC 3326).
    Reason,
    /// Anything else.
    Other,
}

const NAMES: [(&[u8], Name); 24] = [
    (b"Via", Name::Via),
    (b"v", Name::Via),
    (b"From", Name::From),
    (b"f", Name::From),
    (b"To", Name::To),
    (b"t", Name::To),
    (b"Call-ID", Name::CallId),
    (b"i", Name::CallId),
    (b"CSeq", Name::CSeq),
    (b"Content-Length", Name::ContentLength),
    (b"l", Name::ContentLength),
    (b"Content-Type", Name::ContentType),
    (b"c", Name::ContentType),
    (b"Require", Name::Require),
    (b"Timestamp", Name::Timestamp),
    (b"Diversion", Name::Diversion),
    (b"CC-Diversion", Name::Diversion),
    (b"History-Info", Name::HistoryInfo),
    (b"P-Asserted-Identity", Name::AssertedIdentity),
    (b"Remote-Party-ID", Name::RemotePartyId),
    (b"Privacy", Name::Privacy),
    (b"P-Charging-Vector", Name::ChargingVector),
    (b"P-Served-User", Name::ServedUser),
    (b"P-Called-Party-ID", Name::CalledPartyId),
];

impl Name {
    fn read(name: &[u8]) -> Self {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, known)| *known);
        known.unwrap_or(if name.eq_ignore_ascii_case(b"Reason") { Self::Reason } else { Self::Other })
    }
}

/// Why octets are not a request: there is nothing to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// Only line ends and NUL: a keepalive.
    #[error("nothing but line ends")]
    Blank,
    /// A STUN message (RFC 5389 §6) that keeps a NAT binding open.
    #[error("a STUN message")]
    Stun,
    /// A SIP response: none is expected, nothing is ever asked.
    #[error("a SIP response")]
    Response,
    /// No start line.
    #[error("not SIP")]
    Garbage,
}

#[derive(Debug, Clone)]
struct Header {
    name: Name,
    /// From the first octet of the name to the end of the last folded line, line end included.
    line: Range<usize>,
    value: Range<usize>,
}

/// A request. Compact header names, folded lines and lines that end in LF alone are all read.
#[derive(Debug, Clone)]
pub struct Message {
    raw: Bytes,
    start: Range<usize>,
    method: Range<usize>,
    uri: Range<usize>,
    version: Range<usize>,
    headers: Vec<Header>,
    body: Range<usize>,
    too_many_headers: bool,
}

impl Message {
    /// Finds the parts of a request that came in one datagram.
    ///
    /// # Errors
    /// When there is no request in it; a request that breaks the rules is told by [`Message::envelope`].
    pub fn parse(raw: Bytes) -> Result<Self, NotARequest> {
        // No method begins with the first octet of STUN (RFC 7983 §7).
        let is_stun = raw.first().is_some_and(|octet| *octet < 4) && raw.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]);
        if is_stun {
            return Err(NotARequest::Stun);
        }
        let begin = raw.iter().position(|byte| !matches!(byte, b'\r' | b'\n' | 0)).ok_or(NotARequest::Blank)?;
        let first = line_end(&raw, begin);
        let line = trimmed(&raw, begin..first);
        if starts_with_sip(slice(&raw, &line)) {
            return Err(NotARequest::Response);
        }
        let [method, uri, version] = three(&raw, line).ok_or(NotARequest::Garbage)?;
        let mut message = Self {
            start: begin..first,
            method,
            uri,
            version,
            headers: Vec::with_capacity(32),
            body: raw.len()..raw.len(),
            too_many_headers: false,
            raw,
        };
        message.find_headers();
        Ok(message)
    }

    fn find_headers(&mut self) {
        let mut at = self.start.end;
        while at < self.raw.len() {
            let end = line_end(&self.raw, at);
            // A line of blanks alone is a folded one (RFC 3261 §7.3.1): the head goes on.
            if slice(&self.raw, &(at..end)).iter().all(|octet| matches!(octet, b'\r' | b'\n')) {
                self.body = end..self.raw.len();
                return;
            }
            let folded = matches!(self.raw.get(at), Some(b' ' | b'\t'));
            if let Some(header) = self.headers.last_mut().filter(|_| folded) {
                header.line.end = end;
                header.value = trimmed(&self.raw, header.value.start..end);
            } else if self.headers.len() < MAX_HEADERS {
                self.headers.push(header(&self.raw, at..end));
            } else {
                self.too_many_headers = true;
            }
            at = end;
        }
    }

    /// The method, as written: its case counts.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        slice(&self.raw, &self.method)
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        slice(&self.raw, &self.uri)
    }

    /// The version, `SIP/2.0` in any message that is served.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        slice(&self.raw, &self.version)
    }

    /// The values of all header lines of a name, in order, folds kept.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.headers.iter().filter(move |header| header.name == name).map(|header| slice(&self.raw, &header.value))
    }

    /// The first value of a name.
    #[must_use]
    pub fn first(&self, name: Name) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The entries of all header lines of a name, where commas join several in a line; at most `most`.
    pub fn entries(&self, name: Name, most: usize) -> impl Iterator<Item = &[u8]> {
        self.all(name).flat_map(|value| lexer::split(value, b',')).filter(|entry| !entry.is_empty()).take(most)
    }

    /// The body: as many octets as Content-Length says, where it can be read and there are as many, else all that follow the header.
    /// What a datagram holds beyond is nobody's (RFC 3261 §18.3).
    #[must_use]
    pub fn body(&self) -> &[u8] {
        let rest = self.after_header();
        let length = self.first(Name::ContentLength).and_then(lexer::number::<usize>);
        length.and_then(|length| rest.get(..length)).unwrap_or(rest)
    }

    /// All that follows the header.
    pub(super) fn after_header(&self) -> &[u8] {
        slice(&self.raw, &self.body)
    }

    /// Whether there were more than [`MAX_HEADERS`] header lines.
    #[must_use]
    pub const fn has_too_many_headers(&self) -> bool {
        self.too_many_headers
    }

    /// What a transaction needs to know of the message.
    ///
    /// # Errors
    /// The first rule that the message breaks.
    pub fn envelope(&self) -> Result<Envelope<'_>, Fault> {
        Envelope::read(self)
    }
}

fn header(raw: &[u8], line: Range<usize>) -> Header {
    let text = slice(raw, &line);
    match text.iter().position(|byte| *byte == b':') {
        Some(colon) => {
            let name = Name::read(text.get(..colon).unwrap_or_default().trim_ascii());
            let value = trimmed(raw, line.start + colon + 1..line.end);
            Header { name, line, value }
        }
        // A line without a colon can't be anything that is needed; refusing the message would lose the call.
        None => Header { name: Name::Other, value: line.end..line.end, line },
    }
}

fn starts_with_sip(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

/// Method, Request-URI and version: the first word, the last one, and what is between. Whoever forgets the version gets an empty one.
fn three(raw: &[u8], line: Range<usize>) -> Option<[Range<usize>; 3]> {
    let text = slice(raw, &line);
    let method = text.iter().position(u8::is_ascii_whitespace)?;
    let last = text.iter().rposition(u8::is_ascii_whitespace)?;
    let versioned = starts_with_sip(text.get(last + 1..).unwrap_or_default());
    let version = if versioned { last + 1 } else { text.len() };
    let uri = trimmed(raw, line.start + method..line.start + version);
    let known = text.iter().take(method).all(u8::is_ascii_graphic);
    known.then_some([line.start..line.start + method, uri, line.start + version..line.end])
}

fn line_end(raw: &[u8], from: usize) -> usize {
    let rest = raw.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b'\n').map_or(raw.len(), |at| from + at + 1)
}

fn slice<'a>(raw: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    raw.get(range.clone()).unwrap_or_default()
}

fn trimmed_end(raw: &[u8], range: Range<usize>) -> Range<usize> {
    let kept = slice(raw, &range).trim_ascii_end().len();
    range.start..range.start + kept
}

fn trimmed(raw: &[u8], range: Range<usize>) -> Range<usize> {
    let range = trimmed_end(raw, range);
    let kept = slice(raw, &range).trim_ascii_start().len();
    range.end - kept..range.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &[u8]) -> Result<Message, NotARequest> {
        Message::parse(Bytes::copy_from_slice(text))
    }

    impl Message {
        /// Every octet that belongs to a part, in order.
        fn kept(&self) -> Vec<u8> {
            let headers = self.headers.iter().map(|header| header.line.clone());
            let parts = std::iter::once(self.start.clone()).chain(headers);
            let mut kept: Vec<u8> = parts.flat_map(|part| slice(&self.raw, &part).to_vec()).collect();
            let head = kept.len() + self.start.start;
            kept.extend_from_slice(slice(&self.raw, &(head..self.raw.len())));
            kept
        }
    }

    #[test]
    fn parts_are_found_however_they_are_written() {
        let message = parse(
            b"\r\nINVITE  sip:a@b SIP/2.0 \r\nv : one,\r\n\ttwo\r\nf:x\nSubject: caf\xe9\r\nno colon\r\nVIA:three\r\n\r\nbody",
        )
        .unwrap();
        assert_eq!(
            (message.method(), message.uri(), message.version()),
            (&b"INVITE"[..], &b"sip:a@b"[..], &b"SIP/2.0"[..])
        );
        assert_eq!(message.all(Name::Via).collect::<Vec<_>>(), [&b"one,\r\n\ttwo"[..], b"three"]);
        assert_eq!(message.entries(Name::Via, 9).collect::<Vec<_>>(), [&b"one"[..], b"two", b"three"]);
        assert_eq!(message.first(Name::From), Some(&b"x"[..]));
        assert_eq!(message.first(Name::To), None);
        assert_eq!(message.body(), b"body");
    }

    #[test]
    fn the_body_is_as_long_as_content_length_says() {
        for (length, body) in [
            ("", "0123456789"),
            ("l: 4\r\n", "0123"),
            ("Content-Length  :0\r\n", ""),
            ("Content-Length: 10\r\n", "0123456789"),
            ("Content-Length: 11\r\n", "0123456789"),
            ("Content-Length: four\r\n", "0123456789"),
        ] {
            let message = parse(format!("A sip:b SIP/2.0\r\n{length}\r\n0123456789").as_bytes()).unwrap();
            assert_eq!(message.body(), body.as_bytes(), "{length}");
        }
    }

    #[test]
    fn an_empty_value_may_go_on_in_the_next_line() {
        let message = parse(b"A sip:b SIP/2.0\r\nTo:\r\n sip:c\r\n\r\n").unwrap();
        assert_eq!(message.first(Name::To), Some(&b"sip:c"[..]));
    }

    #[test]
    fn a_line_of_blanks_alone_ends_no_head() {
        let message = parse(b"A sip:b SIP/2.0\r\nX: y\r\n \t\r\nTo: sip:c\r\n\r\nbody").unwrap();
        assert_eq!((message.first(Name::To), message.body()), (Some(&b"sip:c"[..]), &b"body"[..]));
    }

    #[test]
    fn what_is_not_a_request_is_told_apart() {
        assert_eq!(parse(b"").unwrap_err(), NotARequest::Blank);
        assert_eq!(parse(b"\r\n\r\n").unwrap_err(), NotARequest::Blank);
        assert_eq!(parse(b"\0").unwrap_err(), NotARequest::Blank);
        assert_eq!(parse(b"\0\x01\0\0\x21\x12\xa4\x42abcdefgh").unwrap_err(), NotARequest::Stun);
        assert!(parse(b"~ s:\x21\x12\xa4\x42 SIP/2.0\r\n").is_ok());
        assert_eq!(parse(b"SIP/2.0 200 OK\r\n\r\n").unwrap_err(), NotARequest::Response);
        assert_eq!(parse(b"hello\r\n").unwrap_err(), NotARequest::Garbage);
        assert_eq!(parse(b"\xff\xfe sip:a SIP/2.0\r\n").unwrap_err(), NotARequest::Garbage);
    }

    #[test]
    fn headers_are_bounded() {
        let text = format!("A sip:b SIP/2.0\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1));
        let message = parse(text.as_bytes()).unwrap();
        assert!(message.has_too_many_headers());
        assert_eq!(message.headers.len(), MAX_HEADERS);
    }

    proptest! {
        #[test]
        fn no_octets_panic(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = parse(&raw) {
                let _ = message.envelope();
            }
        }

        #[test]
        fn no_octet_of_a_message_is_lost(
            lines in proptest::collection::vec("(Via|v|To|X) ?: ?[ -~é]{0,30}(\r\n|\n)([ \t][a-z]{1,9}\r\n){0,2}", 0..20),
            body in proptest::collection::vec(any::<u8>(), 0..50),
            beyond in proptest::collection::vec(any::<u8>(), 0..50),
            counted: bool,
        ) {
            let length = if counted { format!("l: {}\r\n", body.len()) } else { String::new() };
            let mut raw = format!("INVITE sip:a@b SIP/2.0\r\n{}{length}\r\n", lines.concat()).into_bytes();
            raw.extend_from_slice(&body);
            if counted {
                raw.extend_from_slice(&beyond);
            }
            let message = parse(&raw).unwrap();
            prop_assert_eq!(message.kept(), raw);
            prop_assert_eq!(message.body(), &body[..]);
        }
    }
}
