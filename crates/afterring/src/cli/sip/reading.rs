//! One message as the door would read it, and what has to be said of how it came into the file.

use std::borrow::Cow;
use std::net::IpAddr;

use ingress::sip::Fault;
use ingress::sip::explain::{Explanation, explain};
use routing::Audience;

use crate::config::SipReading;

/// An explanation, and what it rests on.
pub(super) struct Reading {
    pub source: IpAddr,
    /// Why that source.
    pub why: &'static str,
    pub explanation: Explanation,
    /// What was put right to be able to read it.
    pub remarks: Vec<&'static str>,
}

const LINE_ENDS: &str = "its lines end in LF only, as tools save them; on the wire they end in CRLF, and it is read so";

const LENGTH: &str = "as it stands the door would answer 400: Content-Length is more than what follows the headers, or can't be read. Mostly the file lost \
                      octets of the body; so it is read here without its Content-Length";

impl Reading {
    /// Reads a message as if it came from `source`.
    pub(super) fn of(octets: &[u8], settings: &SipReading, source: IpAddr, why: &'static str) -> Self {
        let mut remarks = Vec::new();
        let whole = with_line_ends(octets);
        if matches!(whole, Cow::Owned(_)) {
            remarks.push(LINE_ENDS);
        }
        let mut explanation = explain(&whole, &settings.sip, source);
        if explanation.detail.as_deref() == Some(Fault::ContentLength.to_string().as_str()) {
            remarks.push(LENGTH);
            explanation = explain(&without_length(&whole), &settings.sip, source);
        }
        Self { source, why, explanation, remarks }
    }

    /// What the number that the call was forwarded to means; `None` where that is not said.
    pub(super) fn audience(&self, settings: &SipReading) -> Option<Audience> {
        let call = self.explanation.outcome.as_ref().ok()?;
        settings.numbers.get(call.service_number.as_ref()?).copied()
    }
}

/// The message with CRLF where it has LF only; a body in which LF is data has a CRLF somewhere before it.
fn with_line_ends(octets: &[u8]) -> Cow<'_, [u8]> {
    if !octets.contains(&b'\n') || octets.windows(2).any(|pair| pair == b"\r\n") {
        return Cow::Borrowed(octets);
    }
    let mut whole = Vec::with_capacity(octets.len() + octets.len() / 16);
    for octet in octets {
        if *octet == b'\n' {
            whole.push(b'\r');
        }
        whole.push(*octet);
    }
    Cow::Owned(whole)
}

/// The message without its Content-Length lines.
fn without_length(octets: &[u8]) -> Vec<u8> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(octets.len());
    let (head, body) = octets.split_at(end);
    let is_length = |line: &[u8]| {
        let name = line.split(|octet| *octet == b':').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l")
    };
    let kept = head.split_inclusive(|octet| *octet == b'\n').filter(|line| !is_length(line));
    let mut rest: Vec<u8> = kept.flatten().copied().collect();
    // Where it was the last line, its line end went with it, and the one before it ends the headers.
    let whole = rest.ends_with(b"\r\n");
    rest.extend_from_slice(if whole { body.strip_prefix(b"\r\n").unwrap_or(body) } else { body });
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_lengths_are_put_right() {
        assert_eq!(with_line_ends(b"a\nb\n\n").as_ref(), b"a\r\nb\r\n\r\n");
        assert_eq!(with_line_ends(b"a\r\nb\r\n\r\n\n").as_ref(), b"a\r\nb\r\n\r\n\n");
        assert_eq!(without_length(b"A\r\nl: 5\r\nB: c\r\n\r\nbody"), b"A\r\nB: c\r\n\r\nbody");
        assert_eq!(without_length(b"A\r\nB: c\r\nContent-Length : x\r\n\r\nbody"), b"A\r\nB: c\r\n\r\nbody");
        assert_eq!(without_length(b"A\r\nB: c\r\n"), b"A\r\nB: c\r\n");
    }
}
