//! What a transaction needs of a request, and the rules that a request must keep (RFC 3261 §8.1.1, §16.3).

use super::lexer;
use super::message::{Message, Name};
use super::uri::Address;

/// The largest CSeq number (RFC 3261 §8.1.1.5).
const MAX_CSEQ: u32 = 0x7fff_ffff;

/// The rule that a request breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Without a Via there is nowhere to send an answer.
    #[error("Via is missing or malformed")]
    Via,
    /// Method, Request-URI and version aren't three words.
    #[error("the start line is malformed")]
    StartLine,
    /// A version other than SIP/2.0.
    #[error("only SIP/2.0 is spoken")]
    Version,
    /// More header lines than are kept.
    #[error("too many header lines")]
    Headers,
    /// From is missing, doubled or malformed.
    #[error("From is missing, doubled or malformed")]
    From,
    /// To is missing, doubled or malformed.
    #[error("To is missing, doubled or malformed")]
    To,
    /// Call-ID is missing, doubled or empty.
    #[error("Call-ID is missing, doubled or empty")]
    CallId,
    /// CSeq is missing, doubled, out of range, or names another method.
    #[error("CSeq is missing, doubled, out of range or of another method")]
    CSeq,
    /// Content-Length isn't a number, or more than there is.
    #[error("Content-Length is malformed, doubled or more than arrived")]
    ContentLength,
}

/// The topmost entry of the topmost Via (RFC 3261 §20.42).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// The entry as written, a part of the first Via line.
    pub entry: &'a [u8],
    /// Host of sent-by; brackets kept.
    pub host: &'a [u8],
    /// Port of sent-by.
    pub port: Option<u16>,
    /// The branch, if any.
    pub branch: Option<&'a [u8]>,
    /// Whether the peer asks to be answered at its source port (RFC 3581).
    pub rport: bool,
}

/// What a transaction needs of a request; every part is as written.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The topmost Via entry.
    pub via: Via<'a>,
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The number of CSeq.
    pub cseq: u32,
    /// The tag of From; none in RFC 2543.
    pub from_tag: Option<&'a [u8]>,
    /// The tag of To; there is one in a dialog.
    pub to_tag: Option<&'a [u8]>,
}

impl<'a> Via<'a> {
    /// Reads the topmost Via of a message.
    pub(super) fn topmost(message: &'a Message) -> Option<Self> {
        let entry = lexer::split(message.first(Name::Via)?, b',').next()?;
        let (sent, parameters) = match lexer::find_outside(entry, b';') {
            Some(at) => (entry.get(..at)?, entry.get(at + 1..)?),
            None => (entry, &b""[..]),
        };
        let has_parameters = sent.len() < entry.len();
        if has_parameters && lexer::split(parameters, b';').any(<[u8]>::is_empty) {
            return None;
        }
        // sent-protocol = name "/" version "/" transport, with white space wherever one likes.
        let mut protocol = sent.splitn(3, |byte| *byte == b'/');
        let name = protocol.next()?.trim_ascii();
        protocol.next()?;
        let transport_and_host = protocol.next()?.trim_ascii();
        let at = transport_and_host.iter().position(u8::is_ascii_whitespace)?;
        let (host, port) = host_and_port(transport_and_host.get(at..)?.trim_ascii())?;
        name.eq_ignore_ascii_case(b"SIP").then_some(Self {
            entry,
            host,
            port,
            branch: lexer::parameter_value(parameters, b"branch"),
            rport: lexer::parameter(parameters, b"rport").is_some(),
        })
    }
}

fn host_and_port(sent_by: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let after_bracket = sent_by.iter().position(|byte| *byte == b']').map_or(0, |at| at + 1);
    let colon = sent_by.get(after_bracket..)?.iter().position(|byte| *byte == b':').map(|at| at + after_bracket);
    let (host, port) = match colon {
        Some(at) => (sent_by.get(..at)?.trim_ascii(), Some(lexer::number(sent_by.get(at + 1..)?.trim_ascii())?)),
        None => (sent_by, None),
    };
    let plain = !host.is_empty() && host.iter().all(u8::is_ascii_graphic);
    plain.then_some((host, port))
}

impl<'a> Envelope<'a> {
    pub(super) fn read(message: &'a Message) -> Result<Self, Fault> {
        let via = Via::topmost(message).ok_or(Fault::Via)?;
        check_start(message)?;
        if message.has_too_many_headers() {
            return Err(Fault::Headers);
        }
        let call_id = single(message, Name::CallId).filter(|id| !id.is_empty()).ok_or(Fault::CallId)?;
        let from = single(message, Name::From).and_then(Address::parse).ok_or(Fault::From)?;
        let to = single(message, Name::To).and_then(Address::parse).ok_or(Fault::To)?;
        let cseq = single(message, Name::CSeq).and_then(|value| cseq(value, message.method())).ok_or(Fault::CSeq)?;
        check_length(message)?;
        Ok(Self {
            method: message.method(),
            via,
            call_id,
            cseq,
            from_tag: lexer::parameter_value(from.parameters, b"tag"),
            to_tag: lexer::parameter_value(to.parameters, b"tag"),
        })
    }
}

fn check_start(message: &Message) -> Result<(), Fault> {
    match message.version() {
        b"" => return Err(Fault::StartLine),
        version if !version.eq_ignore_ascii_case(b"SIP/2.0") => return Err(Fault::Version),
        _ => {}
    }
    let uri = message.uri();
    let whole = !uri.is_empty() && !uri.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'<' | b'>'));
    if whole { Ok(()) } else { Err(Fault::StartLine) }
}

fn single(message: &Message, name: Name) -> Option<&[u8]> {
    let mut values = message.all(name);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn cseq(value: &[u8], method: &[u8]) -> Option<u32> {
    let at = value.iter().position(u8::is_ascii_whitespace)?;
    let number = lexer::number(value.get(..at)?).filter(|number| *number <= MAX_CSEQ)?;
    (value.get(at..)?.trim_ascii() == method).then_some(number)
}

/// A datagram may be longer than Content-Length says, never shorter (RFC 3261 §18.3).
fn check_length(message: &Message) -> Result<(), Fault> {
    let mut values = message.all(Name::ContentLength);
    let Some(first) = values.next() else { return Ok(()) };
    let fits = lexer::number::<usize>(first).is_some_and(|length| length <= message.after_header().len());
    if fits && values.all(|value| value == first) { Ok(()) } else { Err(Fault::ContentLength) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const GOOD: &str = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h:5070;branch=z9hG4bKx;rport\r\nFrom: <sip:c@d>;tag=f\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n";

    fn fault(replace: &str, by: &str) -> Option<Fault> {
        assert!(GOOD.contains(replace), "{replace}");
        let message = Message::parse(Bytes::from(GOOD.replacen(replace, by, 1))).unwrap();
        message.envelope().err()
    }

    #[test]
    fn an_envelope_holds_what_was_written() {
        let message = Message::parse(Bytes::from(GOOD)).unwrap();
        let envelope = message.envelope().unwrap();
        assert_eq!(
            (envelope.cseq, envelope.call_id, envelope.from_tag, envelope.to_tag),
            (7, &b"i"[..], Some(&b"f"[..]), None)
        );
        assert_eq!((envelope.via.host, envelope.via.port, envelope.via.rport), (&b"h"[..], Some(5070), true));
        assert_eq!(envelope.via.branch, Some(&b"z9hG4bKx"[..]));
    }

    #[test]
    fn each_broken_rule_is_told() {
        for (replace, by, expected) in [
            ("Via: SIP/2.0/UDP h:5070", "Via: nothing", Some(Fault::Via)),
            ("h:5070;", "h:5070;;,;,,", Some(Fault::Via)),
            ("h:5070", "h:99999", Some(Fault::Via)),
            ("SIP/2.0/UDP h:5070", "SIP / 2.0\r\n / UDP [2001:db8::1] : 5070", None),
            ("Via:", "X:", Some(Fault::Via)),
            ("b SIP/2.0", "b SIP/7.0", Some(Fault::Version)),
            ("b SIP/2.0", "b", Some(Fault::StartLine)),
            ("sip:a@b SIP", "<sip:a@b> SIP", Some(Fault::StartLine)),
            ("sip:a@b SIP", "sip:a@b; lr SIP", Some(Fault::StartLine)),
            ("From: <sip:c@d>;tag=f\r\n", "", Some(Fault::From)),
            ("From: <sip:c@d>", "From: \"open <sip:c@d>", Some(Fault::From)),
            (";tag=f", "", None),
            ("To: <sip:a@b>", "To: <sip:a@b>\r\nTo: <sip:e@b>", Some(Fault::To)),
            ("Call-ID: i", "Call-ID: i\r\ni: j", Some(Fault::CallId)),
            ("Call-ID: i", "Call-ID:", Some(Fault::CallId)),
            ("7 INVITE", "7 BYE", Some(Fault::CSeq)),
            ("7 INVITE", "2147483648 INVITE", Some(Fault::CSeq)),
            ("7 INVITE", "0009\r\n  INVITE", None),
            ("Length: 0", "Length: 9999", Some(Fault::ContentLength)),
            ("Length: 0", "Length: -1", Some(Fault::ContentLength)),
            ("Length: 0", "Length: 0\r\nl: 1", Some(Fault::ContentLength)),
            ("Content-Length: 0\r\n", "", None),
        ] {
            assert_eq!(fault(replace, by), expected, "{replace} → {by}");
        }
    }
}
