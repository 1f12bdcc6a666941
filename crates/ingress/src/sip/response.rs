//! Responses: what came is given back octet for octet, and what is ours is added (RFC 3261 §8.2.6, RFC 3581, RFC 6432).

use std::fmt::{Display, Write as _};
use std::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::envelope::{Fault, Via};
use super::lexer;
use super::message::{Message, Name};
use super::release::Release;
use super::settings::ReplyTo;
use super::uri::Address;
use crate::Refusal;

/// Most octets that a response gives back: real requests have some hundreds. It bounds what a transaction keeps.
pub(super) const MAX_ECHO: usize = 8 * 1024;

/// The port of SIP over UDP where Via names none (RFC 3261 §18.2.2).
const DEFAULT_PORT: u16 = 5060;

/// What is served.
const ALLOW: &str = "INVITE, ACK, CANCEL, OPTIONS";

/// The header lines that every response to a request gives back: Via, From, To with our tag, Call-ID, CSeq, Timestamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Echo(Bytes);

/// A response, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// 100: the call has arrived, the store hasn't answered yet.
    Trying,
    /// The call is stored.
    Released(Release),
    /// 487 to an INVITE whose caller hung up.
    Terminated,
    /// 200 to a CANCEL.
    Cancelled,
    /// 200 to an OPTIONS.
    Capabilities,
    /// 503 with the seconds to wait.
    Later(u64),
    /// 420, with the tags that are not known.
    Unsupported(Vec<u8>),
    /// 405 for a method that exists, 501 for one that nobody knows.
    Unserved {
        /// The status.
        status: u16,
    },
    /// 505 for another version, 400 for any other rule that the request breaks.
    Broken(Fault),
    /// Anything else that is refused.
    Refused(Refusal),
}

impl Echo {
    /// Gathers what is given back; `None` when it is more than [`MAX_ECHO`].
    pub(super) fn new(message: &Message, via: &Via<'_>, source: SocketAddr) -> Option<Self> {
        let mut echo = BytesMut::with_capacity(512);
        for (place, value) in message.all(Name::Via).enumerate() {
            echo.put_slice(b"Via: ");
            if place == 0 {
                put_topmost(&mut echo, via, source);
                echo.put_slice(value.get(via.entry.len()..).unwrap_or_default());
            } else {
                echo.put_slice(value);
            }
            echo.put_slice(b"\r\n");
        }
        if let Some(from) = message.first(Name::From) {
            put(&mut echo, "From", from);
        }
        if let Some(to) = message.first(Name::To) {
            echo.put_slice(b"To: ");
            echo.put_slice(to);
            if Address::parse(to).is_some_and(|to| lexer::parameter_value(to.parameters, b"tag").is_none()) {
                echo.put_slice(b";tag=");
                echo.put_slice(tag(message, via).as_bytes());
            }
            echo.put_slice(b"\r\n");
        }
        for (name, text) in [(Name::CallId, "Call-ID"), (Name::CSeq, "CSeq"), (Name::Timestamp, "Timestamp")] {
            if let Some(value) = message.first(name) {
                put(&mut echo, text, value);
            }
        }
        (echo.len() <= MAX_ECHO).then(|| Self(echo.freeze()))
    }

    /// Gathers the topmost Via and Call-ID alone, for what is too large to be given back; `None` when even that is.
    pub(super) fn topmost(message: &Message, via: &Via<'_>, source: SocketAddr) -> Option<Self> {
        let mut echo = BytesMut::new();
        echo.put_slice(b"Via: ");
        put_topmost(&mut echo, via, source);
        echo.put_slice(b"\r\n");
        if let Some(call_id) = message.first(Name::CallId) {
            put(&mut echo, "Call-ID", call_id);
        }
        (echo.len() <= MAX_ECHO).then(|| Self(echo.freeze()))
    }

    /// Writes a response.
    pub(super) fn response(&self, answer: &Answer) -> Bytes {
        let status = answer.status();
        let mut response = BytesMut::with_capacity(self.0.len() + 256);
        let _ = match answer {
            // The phrase says what is wrong (RFC 3261 §21.4.1).
            Answer::Broken(fault) if status == 400 => write!(response, "SIP/2.0 400 {fault}\r\n"),
            Answer::Refused(refusal) if status == 400 => write!(response, "SIP/2.0 400 {refusal}\r\n"),
            _ => write!(response, "SIP/2.0 {status} {}\r\n", phrase(status)),
        };
        response.put_slice(&self.0);
        answer.put_headers(&mut response);
        response.put_slice(b"Content-Length: 0\r\n\r\n");
        response.freeze()
    }

    /// Octets kept.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Where a response to a datagram goes: to the source port when the peer asks so (RFC 3581 §4), else to the port of sent-by (RFC 3261 §18.2.2).
///
/// The address is always the source's, whatever sent-by or `maddr` name: a response never leads elsewhere.
pub(super) fn destination(via: &Via<'_>, source: SocketAddr, reply_to: ReplyTo) -> SocketAddr {
    let mut to = source;
    if !via.rport && reply_to == ReplyTo::Via {
        to.set_port(via.port.unwrap_or(DEFAULT_PORT));
    }
    to
}

/// The same for every repeat of a request, and for the CANCEL of an INVITE, without anything being kept (RFC 3261 §8.2.7, §9.2).
fn tag(message: &Message, via: &Via<'_>) -> String {
    let mut digest = Sha256::new();
    for part in [
        via.branch.unwrap_or(via.entry),
        message.first(Name::CallId).unwrap_or_default(),
        message.first(Name::From).unwrap_or_default(),
    ] {
        digest.update(part);
        digest.update([0]);
    }
    digest.finalize().iter().take(8).fold(String::with_capacity(16), |mut tag, byte| {
        let _ = write!(tag, "{byte:02x}");
        tag
    })
}

fn put(into: &mut BytesMut, name: &str, value: &[u8]) {
    into.put_slice(name.as_bytes());
    into.put_slice(b": ");
    into.put_slice(value);
    into.put_slice(b"\r\n");
}

fn put_topmost(into: &mut BytesMut, via: &Via<'_>, source: SocketAddr) {
    let mut rest = Some(via.entry);
    let mut is_parameter = false;
    while let Some(text) = rest {
        let end = lexer::find_outside(text, b';').unwrap_or(text.len());
        let part = text.get(..end).unwrap_or_default();
        rest = text.get(end + 1..);
        let name = part.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        if is_parameter && name.eq_ignore_ascii_case(b"received") {
            // Only whoever receives a request may say where it came from.
            continue;
        }
        if is_parameter {
            into.put_u8(b';');
        }
        if is_parameter && name.eq_ignore_ascii_case(b"rport") {
            let _ = write!(into, "rport={}", source.port());
        } else {
            into.put_slice(part);
        }
        is_parameter = true;
    }
    let host = std::str::from_utf8(via.host).unwrap_or_default().trim_matches(['[', ']']);
    if via.rport || host.parse::<IpAddr>() != Ok(source.ip()) {
        let _ = write!(into, ";received={}", source.ip());
    }
}

impl Answer {
    const fn status(&self) -> u16 {
        match self {
            Self::Trying => 100,
            Self::Released(release) => release.status(),
            Self::Terminated => 487,
            Self::Cancelled | Self::Capabilities => 200,
            Self::Later(_) => 503,
            Self::Unsupported(_) => 420,
            Self::Unserved { status } => *status,
            Self::Broken(Fault::Version) => 505,
            Self::Broken(_) => 400,
            Self::Refused(refusal) => status_of(*refusal).0,
        }
    }

    fn put_headers(&self, into: &mut BytesMut) {
        match self {
            Self::Trying | Self::Terminated | Self::Cancelled => {}
            Self::Released(release) => {
                if let Some(cause) = release.cause() {
                    put_cause(into, cause);
                }
                if let Some(contact) = release.contact() {
                    let _ = write!(into, "Contact: <{contact}>\r\n");
                }
            }
            Self::Capabilities => {
                put(into, "Allow", ALLOW.as_bytes());
                put(into, "Accept", b"application/sdp, application/isup, multipart/mixed");
                put(into, "Supported", b"histinfo");
            }
            Self::Later(seconds) => {
                let _ = write!(into, "Retry-After: {seconds}\r\n");
            }
            Self::Unsupported(tags) => put(into, "Unsupported", tags),
            Self::Unserved { .. } => put(into, "Allow", ALLOW.as_bytes()),
            Self::Refused(refusal) => {
                if let Some(cause) = status_of(*refusal).1 {
                    put_cause(into, cause);
                }
                put_warning(into, refusal);
            }
            Self::Broken(fault) => put_warning(into, fault),
        }
    }
}

fn put_warning(into: &mut BytesMut, sentence: &dyn Display) {
    let _ = write!(into, "Warning: 399 afterring \"{sentence}\"\r\n");
}

fn put_cause(into: &mut BytesMut, cause: u8) {
    let _ = write!(into, "Reason: Q.850;cause={cause}\r\n");
}

/// The status and Q.850 cause of each refusal.
///
/// | what | answer | so that the network |
/// |---|---|---|
/// | nobody is named as called | 404, cause 1 | plays "not in service": someone dialled the service number itself |
/// | the called number is outside the plan | 484, cause 28 | plays "invalid number", and shows a numbering fault |
/// | the ISUP body can't be read | 488, cause 127 | shows an interworking fault (RFC 3398 §7.2.6.1) |
/// | not a peer | 403 | |
const fn status_of(refusal: Refusal) -> (u16, Option<u8>) {
    match refusal {
        Refusal::NoCalled => (404, Some(1)),
        Refusal::CalledOutsidePlan => (484, Some(28)),
        Refusal::UnreadableIsup => (488, Some(127)),
        Refusal::NotAPeer | Refusal::Unauthorised => (403, None),
        Refusal::TooLarge => (513, None),
        Refusal::Version => (505, None),
        Refusal::Scheme => (416, None),
        Refusal::Extension => (420, None),
        Refusal::Merged => (482, None),
        Refusal::NoDialog => (481, None),
        Refusal::Method => (405, None),
        Refusal::Draining => (503, None),
        Refusal::Unreadable
        | Refusal::BadId
        | Refusal::BadCaller
        | Refusal::BadReason
        | Refusal::BadTime
        | Refusal::InTheFuture
        | Refusal::TooOld
        | Refusal::BadServiceNumber
        | Refusal::BadWithheld
        | Refusal::UnknownField => (400, None),
    }
}

/// The phrase of a status (RFC 3261 §21); a status without one gets its class.
const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        200 => "OK",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        _ => match status / 100 {
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::ReleaseTable;

    fn echo(via: &str, source: &str) -> (String, SocketAddr) {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\n{via}\r\nf: \"J\u{e9}\" <sip:c@d>\r\n ;tag=f\r\nTo: sip:a@b;x=y\r\ni: id\r\nCSeq: 07  INVITE\r\nTimestamp: 54\r\n\r\n"
        );
        let message = Message::parse(Bytes::from(text)).unwrap();
        let via = Via::topmost(&message).unwrap();
        let source = source.parse().unwrap();
        let echo = Echo::new(&message, &via, source).unwrap();
        let response = echo.response(&Answer::Released(ReleaseTable::default().busy));
        (String::from_utf8(response.to_vec()).unwrap(), destination(&via, source, ReplyTo::Via))
    }

    #[test]
    fn what_came_is_given_back() {
        let (response, _) =
            echo("v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx , SIP/2.0/TCP p\r\nVia:SIP/2.0/UDP q", "192.0.2.1:5060");
        assert_eq!(
            response,
            "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx , SIP/2.0/TCP p\r\nVia: SIP/2.0/UDP q\r\n\
             From: \"J\u{e9}\" <sip:c@d>\r\n ;tag=f\r\nTo: sip:a@b;x=y;tag=1d49060ae3e97061\r\nCall-ID: id\r\nCSeq: 07  INVITE\r\n\
             Timestamp: 54\r\nReason: Q.850;cause=17\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_response_goes_where_via_says() {
        for (via, source, written, to) in [
            (
                "SIP/2.0/UDP h:5070;rport;branch=z9hG4bKx",
                "192.0.2.9:4000",
                "SIP/2.0/UDP h:5070;rport=4000;branch=z9hG4bKx;received=192.0.2.9\r\n",
                "192.0.2.9:4000",
            ),
            (
                "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx",
                "192.0.2.9:4000",
                "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx\r\n",
                "192.0.2.9:5070",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1",
                "192.0.2.9:4000",
                "SIP/2.0/UDP 192.0.2.1;received=192.0.2.9\r\n",
                "192.0.2.9:5060",
            ),
            (
                "SIP/2.0/UDP 192.0.2.1;received=6.6.6.6",
                "192.0.2.9:4000",
                "SIP/2.0/UDP 192.0.2.1;received=192.0.2.9\r\n",
                "192.0.2.9:5060",
            ),
            (
                "SIP/2.0/UDP h:5070 ; RPORT=9 ;x=\"a;received=b\";branch=z9hG4bKx;maddr=192.0.2.77;ttl=1",
                "192.0.2.9:4000",
                "SIP/2.0/UDP h:5070 ;rport=4000;x=\"a;received=b\";branch=z9hG4bKx;maddr=192.0.2.77;ttl=1;received=192.0.2.9\r\n",
                "192.0.2.9:4000",
            ),
            (
                "SIP/2.0/UDP [fe80::1]:5070;branch=z9hG4bKx",
                "[fe80::1%3]:4000",
                "SIP/2.0/UDP [fe80::1]:5070;branch=z9hG4bKx\r\n",
                "[fe80::1%3]:5070",
            ),
            (
                "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx",
                "[2001:db8::1]:4000",
                "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKx\r\n",
                "[2001:db8::1]:5070",
            ),
        ] {
            let (response, destination) = echo(&format!("Via: {via}"), source);
            assert!(response.contains(&format!("Via: {written}")), "{response}");
            assert_eq!(destination, to.parse().unwrap(), "{via}");
        }
    }

    #[test]
    fn what_is_wrong_stands_in_the_phrase_and_in_a_warning() {
        let message =
            Message::parse(Bytes::from_static(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")).unwrap();
        let echo = Echo::new(&message, &Via::topmost(&message).unwrap(), "192.0.2.1:5060".parse().unwrap()).unwrap();
        let text = |answer| String::from_utf8(echo.response(&answer).to_vec()).unwrap();
        for (answer, start, warning) in [
            (Answer::Broken(Fault::CSeq), format!("SIP/2.0 400 {}\r\n", Fault::CSeq), Fault::CSeq.to_string()),
            (Answer::Broken(Fault::Version), "SIP/2.0 505 Version ".to_owned(), Fault::Version.to_string()),
            (
                Answer::Refused(Refusal::BadId),
                format!("SIP/2.0 400 {}\r\n", Refusal::BadId),
                Refusal::BadId.to_string(),
            ),
            (Answer::Refused(Refusal::NoCalled), "SIP/2.0 404 Not Found\r\n".to_owned(), Refusal::NoCalled.to_string()),
        ] {
            let text = text(answer);
            assert!(
                text.starts_with(&start) && text.contains(&format!("\r\nWarning: 399 afterring \"{warning}\"\r\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_redirect_names_its_announcement_and_no_cause() {
        let message =
            Message::parse(Bytes::from_static(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n")).unwrap();
        let echo = Echo::new(&message, &Via::topmost(&message).unwrap(), "192.0.2.1:5060".parse().unwrap()).unwrap();
        let redirect = Release::redirect("sip:busy@announcements.example").unwrap();
        let text = String::from_utf8(echo.response(&Answer::Released(redirect)).to_vec()).unwrap();
        assert!(text.starts_with("SIP/2.0 302 Moved Temporarily\r\n"), "{text}");
        assert!(
            text.contains("\r\nContact: <sip:busy@announcements.example>\r\n") && !text.contains("Reason:"),
            "{text}"
        );
    }

    #[test]
    fn no_answer_to_a_call_is_a_success() {
        for refusal in Refusal::ALL {
            assert!((400..700).contains(&status_of(refusal).0), "{refusal}");
        }
    }
}
