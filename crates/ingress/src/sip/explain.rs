//! How a message is read, step by step: for `afterring sip explain`, on which support lives.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;
use tokio::time::Instant;

use super::envelope::Envelope;
use super::extract::{self, Understood};
use super::line::{Line, Origin};
use super::message::Message;
use super::meter::Meter;
use super::server::{Outcome, Server, unknown_extensions};
use super::settings::{Rules, SipSettings};
use super::trail::Trail;
use crate::{Counts, Refusal, Stored};

/// What every response gives back of its request, and the length of its empty body.
const GIVEN_BACK: [&str; 7] = ["Via", "From", "To", "Call-ID", "CSeq", "Timestamp", "Content-Length"];

/// The port that a message is taken to come from; nothing is sent there.
const PORT: u16 = 5060;

/// What would become of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The peer that it would come from; `None`: nobody's, and it would be refused.
    pub peer: Option<String>,
    /// Method and Request-URI, where there is a request in it.
    pub request: Option<(String, String)>,
    /// What was looked at, in the order in which it was.
    pub notes: Vec<Note>,
    /// The call that would be made of it, or why it would be refused.
    pub outcome: Result<Understood, Refusal>,
    /// More about a refusal: the rule that is broken, the extension that isn't known.
    pub detail: Option<String>,
    /// The response that the peer would get once the call is stored, without the header lines that only repeat the request's; empty where
    /// nothing is answered.
    pub response: Vec<String>,
}

/// Something that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// What was looked for.
    pub field: Field,
    /// Where it was looked for, such as `Diversion, 1 of 2` or `Request-URI;target`.
    pub place: String,
    /// What stands there, as written; octets that are not UTF-8 are replaced.
    pub written: String,
    /// What came of it.
    pub finding: Finding,
}

/// What is looked for in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// Who missed the call.
    Called,
    /// Who was called first.
    Original,
    /// Who rang.
    Caller,
    /// Why it was missed.
    Reason,
    /// The number it was forwarded to.
    ServiceNumber,
    /// What names it.
    Id,
}

/// What came of looking at something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// This is what counts, read as this.
    Taken(String),
    /// It does not count, and why.
    PassedOver(&'static str),
}

/// Tells what the door would make of a message that came over UDP from `source`: the door's server itself answers it, as its first
/// message, and a store that takes every call.
#[must_use]
pub fn explain(message: &[u8], settings: &SipSettings, source: IpAddr) -> Explanation {
    let raw = Bytes::copy_from_slice(message);
    let (refused, response) = serve(raw.clone(), settings, source);
    let peer = settings.peer_at(source).and_then(|place| settings.peers.get(place));
    let mut told = Explanation {
        peer: peer.map(|peer| peer.name.clone()),
        request: None,
        notes: Vec::new(),
        outcome: Err(refused.unwrap_or(Refusal::Unreadable)),
        detail: None,
        response,
    };
    let message = match Message::parse(raw) {
        Ok(message) => message,
        Err(why) => return Explanation { detail: Some(why.to_string()), ..told },
    };
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    told.request = Some((text(message.method()), text(message.uri())));
    match (message.envelope(), peer) {
        (Err(fault), _) => told.detail = Some(fault.to_string()),
        (Ok(_), None) => {}
        (Ok(envelope), Some(_)) if envelope.method != b"INVITE" => {
            told.outcome = Err(refused.unwrap_or(Refusal::Method));
            told.detail = Some(format!("{} forwards no call", text(envelope.method)));
        }
        (Ok(envelope), Some(peer)) => read(&mut told, refused, &message, &envelope, &peer.rules),
    }
    told
}

fn read(told: &mut Explanation, refused: Option<Refusal>, message: &Message, envelope: &Envelope<'_>, rules: &Rules) {
    let mut trail = Trail::on();
    let understood = extract::extract(message, envelope, rules, &mut trail);
    told.notes = trail.into_notes();
    told.outcome = refused.map_or(understood, Err);
    if refused == Some(Refusal::Extension) {
        told.detail = unknown_extensions(message).map(|tags| String::from_utf8_lossy(&tags).into_owned());
    }
}

/// What a server without a past makes of a message: why it is refused, if it is, and the response's own lines.
fn serve(raw: Bytes, settings: &SipSettings, source: IpAddr) -> (Option<Refusal>, Vec<String>) {
    let counts = Arc::new(Counts::default());
    let mut server = Server::new(Arc::new(settings.clone()), Arc::clone(&counts), Arc::new(Meter::new(settings)));
    let origin = Origin { line: Line::Datagrams(0), source: SocketAddr::new(source, PORT) };
    let now = Instant::now();
    server.receive(raw, origin, now, Timestamp::default());
    if let Some((calls, handed)) = server.take_batch() {
        let stored = Stored { duplicate: vec![false; calls.len()] };
        server.settle(handed, Outcome::Answered(stored), now);
    }
    let refused = counts.snapshot().sip.refused.into_iter().find(|(_, count)| *count > 0).map(|(why, _)| why);
    let response = server.take_outgoing().pop().map(|outgoing| own_lines(&outgoing.bytes)).unwrap_or_default();
    (refused, response)
}

/// The status line and the header lines that do not only give back the request's.
fn own_lines(response: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(response);
    let given_back = |line: &str| {
        let name = line.split(':').next().unwrap_or_default();
        line.starts_with([' ', '\t']) || GIVEN_BACK.contains(&name)
    };
    text.lines().take_while(|line| !line.is_empty()).filter(|line| !given_back(line)).map(str::to_owned).collect()
}

impl Field {
    /// Every one, in the order of the documents.
    pub const ALL: [Self; 6] =
        [Self::Called, Self::Original, Self::Caller, Self::Reason, Self::ServiceNumber, Self::Id];

    /// The word used on the command line, as in the body of `POST /v1/calls`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Original => "original",
            Self::Caller => "caller",
            Self::Reason => "reason",
            Self::ServiceNumber => "service_number",
            Self::Id => "id",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::CalledFrom;
    use super::*;
    use model::Numbering;

    fn settings() -> SipSettings {
        let denmark = Numbering::new("45", "", "00");
        SipSettings::new(denmark)
    }

    fn told(message: &str, source: &str) -> Explanation {
        explain(message.as_bytes(), &settings(), source.parse().unwrap())
    }

    const INVITE: &str = "INVITE sip:12599@mca SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCall-ID: call@h\r\nCSeq: 1 INVITE\r\n\
        From: <sip:+4520112233@op>\r\n ;tag=f\r\nTo: <sip:12599@mca>\r\nDiversion: <sip:+4530405060@op>;reason=user-busy\r\n\r\n";

    #[test]
    fn the_response_is_the_servers() {
        let call = told(INVITE, "127.0.0.1");
        assert_eq!(call.peer.as_deref(), Some("local"));
        assert_eq!(call.request, Some(("INVITE".to_owned(), "sip:12599@mca".to_owned())));
        assert_eq!(call.response, ["SIP/2.0 486 Busy Here", "Reason: Q.850;cause=17"]);
        assert_eq!(call.outcome.unwrap().called.reveal(), "4530405060");
    }

    fn lines(notes: &[Note]) -> Vec<String> {
        let line = |Note { field, place, written, finding }: &Note| match finding {
            Finding::Taken(read) => format!("{} = {read} | {place} | {written}", field.as_str()),
            Finding::PassedOver(why) => format!("{} - {why} | {place} | {written}", field.as_str()),
        };
        notes.iter().map(line).collect()
    }

    #[test]
    fn everything_that_was_looked_at_is_told_in_order() {
        let message = INVITE.replace(
            "Diversion: <sip:+4530405060@op>;reason=user-busy",
            "Diversion: \"B\"\r\n\t<sip:30405060@op>;reason=x-lunch, <tel:+4511111111>;reason=unconditional\r\n\
             History-Info: <sip:+4540404040@op>;index=1,<sip:12599@mca;cause=408>;index=1.1;mp=1\r\n\
             P-Served-User: <sip:+4550505050@op>;sescase=term\r\n\
             P-Asserted-Identity: <sip:desk@op>, <tel:+4520888888>\r\nPrivacy: none\r\n\
             P-Charging-Vector: icid-value=1a2b",
        );
        assert_eq!(
            lines(&told(&message, "127.0.0.1").notes),
            [
                "called = 4530405060 | Diversion, 1 of 2 | \"B\" <sip:30405060@op>;reason=x-lunch",
                "called - not the last to forward | Diversion, 2 of 2 | <tel:+4511111111>;reason=unconditional",
                "called - something before it in the peer's order counts | History-Info | <sip:+4540404040@op>;index=1",
                "called - something before it in the peer's order counts | History-Info | <sip:12599@mca;cause=408>;index=1.1;mp=1",
                "called - something before it in the peer's order counts | P-Served-User | <sip:+4550505050@op>;sescase=term",
                "called - something before it in the peer's order counts | To | <sip:12599@mca>",
                "original = 4511111111 | Diversion, number 2 | <tel:+4511111111>;reason=unconditional",
                "caller - it does not hide the caller's number | Privacy | none",
                "caller - another asserted identity is a global number | P-Asserted-Identity | <sip:desk@op>",
                "caller = 4520888888 | P-Asserted-Identity | <tel:+4520888888>",
                "caller - something before it in the peer's order counts | From | <sip:+4520112233@op> ;tag=f",
                "reason - it says nothing of why the call was missed | Diversion;reason | x-lunch",
                "reason = no_answer | History-Info;cause | 408",
                "service_number = 12599 | Request-URI | sip:12599@mca",
                "id = sip:1a2b | P-Charging-Vector;icid-value | 1a2b",
            ]
        );
    }

    #[test]
    fn a_refusal_tells_why_each_source_was_passed_over() {
        let message = INVITE.replace(
            "Diversion: <sip:+4530405060@op>",
            "P-Asserted-Identity: <tel:+4520888888>\r\nP-Served-User: <sip:+4550505050@op>\r\nDiversion: <sip:\u{1b}[2J@op>",
        );
        let mut settings = settings();
        for peer in &mut settings.peers {
            peer.rules.trusted = false;
            peer.rules.called.retain(|source| *source != CalledFrom::HistoryInfo);
        }
        let with = |message: &str| explain(message.as_bytes(), &settings, IpAddr::from([127, 0, 0, 1]));
        let told = with(&message);
        assert_eq!(told.outcome, Err(Refusal::CalledOutsidePlan));
        assert_eq!(told.response.first().map(String::as_str), Some("SIP/2.0 484 Address Incomplete"));
        let notes = lines(&told.notes);
        let blocked = "called - the call was forwarded by somebody who can't be read: this may be about another";
        assert_eq!(
            notes.iter().take(5).map(String::as_str).collect::<Vec<_>>(),
            [
                "called - not a telephone number | Diversion, 1 of 1 | <sip:\u{fffd}[2J@op>;reason=user-busy",
                &format!("{blocked} | P-Served-User | <sip:+4550505050@op>"),
                &format!("{blocked} | To | <sip:12599@mca>"),
                "original - not a telephone number | Diversion, number 1 | <sip:\u{fffd}[2J@op>;reason=user-busy",
                "caller - the peer is not trusted | P-Asserted-Identity | <tel:+4520888888>",
            ]
        );
        let history = message.replace("Diversion: <sip:\u{1b}[2J@op>", "History-Info: <sip:+4540404040@op>;index=1");
        let notes = lines(&with(&history).notes);
        assert_eq!(
            notes.first().map(String::as_str),
            Some("called - the peer is not trusted | P-Served-User | <sip:+4550505050@op>")
        );
        assert!(
            notes.iter().any(|line| line.starts_with("called - the peer's settings do not name it | History-Info")),
            "{notes:?}"
        );
    }

    #[test]
    fn a_refusal_says_which_rule_is_broken() {
        let stranger = told(INVITE, "192.0.2.1");
        assert_eq!((stranger.peer, stranger.outcome), (None, Err(Refusal::NotAPeer)));
        for (message, refusal, detail, status) in [
            (
                INVITE.replace("1 INVITE", "1 BYE"),
                Refusal::Unreadable,
                "CSeq is missing, doubled, out of range or of another method",
                "SIP/2.0 400 CSeq is missing, doubled, out of range or of another method",
            ),
            (
                INVITE.replace("Diversion", "Require: x, timer, y\r\nDiversion"),
                Refusal::Extension,
                "x, y",
                "SIP/2.0 420 Bad Extension",
            ),
            (INVITE.replace("INVITE", "OPTIONS"), Refusal::Method, "OPTIONS forwards no call", "SIP/2.0 200 OK"),
            (
                INVITE.replace("INVITE", "BYE"),
                Refusal::NoDialog,
                "BYE forwards no call",
                "SIP/2.0 481 Call/Transaction Does Not Exist",
            ),
            ("\r\n\r\n".to_owned(), Refusal::Unreadable, "nothing but line ends", ""),
            ("SIP/2.0 200 OK\r\n\r\n".to_owned(), Refusal::Unreadable, "a SIP response", ""),
        ] {
            let told = told(&message, "127.0.0.1");
            assert_eq!((told.outcome, told.detail.as_deref()), (Err(refusal), Some(detail)), "{message}");
            assert_eq!(told.response.first().map_or("", String::as_str), status, "{message}");
        }
    }
}
