//! What a request is owed that begins a transaction, by what it says alone.

use crate::Refusal;
use crate::sip::Uri;
use crate::sip::envelope::Envelope;
use crate::sip::extract::{Understood, extract};
use crate::sip::message::{Message, Name};
use crate::sip::response::Answer;
use crate::sip::settings::Rules;
use crate::sip::table::{Table, Way};
use crate::sip::trail::Trail;

/// Extensions that a final response which is no success satisfies, so that requiring them loses no call.
const TOLERATED: [&str; 8] =
    ["100rel", "precondition", "timer", "histinfo", "resource-priority", "199", "replaces", "from-change"];

/// Tags of Require that are looked at.
const MAX_EXTENSIONS: usize = 32;

/// A request that is refused: as what it is counted, and what its sender is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) answer: Answer,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, answer: Answer::Refused(refusal) }
    }
}

/// Requests beside INVITE and ACK that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    Cancel,
    Options,
}

/// What a new INVITE says.
pub(super) fn read_call(
    message: &Message,
    envelope: &Envelope<'_>,
    rules: &Rules,
    table: &Table,
) -> Result<Understood, Refused> {
    if envelope.to_tag.is_some() {
        return Err(Refusal::NoDialog.into());
    }
    check_head(message)?;
    let call = extract(message, envelope, rules, &mut Trail::off())?;
    if table.is_merged(&Way::of(envelope, call.called)) {
        return Err(Refusal::Merged.into());
    }
    Ok(call)
}

/// What another request wants. Max-Forwards is for those who forward, Proxy-Require for proxies.
pub(super) fn read_other(message: &Message, envelope: &Envelope<'_>) -> Result<Served, Refused> {
    let unserved = |status| Refused { refusal: Refusal::Method, answer: Answer::Unserved { status } };
    match envelope.method {
        b"CANCEL" => Ok(Served::Cancel),
        b"OPTIONS" => check_head(message).map(|()| Served::Options),
        b"BYE" | b"PRACK" | b"UPDATE" | b"INFO" => Err(Refusal::NoDialog.into()),
        b"REGISTER" | b"MESSAGE" | b"SUBSCRIBE" | b"NOTIFY" | b"REFER" | b"PUBLISH" => Err(unserved(405)),
        _ => Err(unserved(501)),
    }
}

/// The scheme of the Request-URI, then what is required (RFC 3261 §8.2.2.1, §8.2.2.3).
fn check_head(message: &Message) -> Result<(), Refused> {
    if Uri::parse(message.uri()).is_none() {
        return Err(Refusal::Scheme.into());
    }
    match unknown_extensions(message) {
        None => Ok(()),
        Some(unknown) => Err(Refused { refusal: Refusal::Extension, answer: Answer::Unsupported(unknown) }),
    }
}

/// The tags of Require that are not known, as they are written in Unsupported; `None` when all are.
pub(in crate::sip) fn unknown_extensions(message: &Message) -> Option<Vec<u8>> {
    let known = |tag: &[u8]| TOLERATED.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(tag));
    let unknown: Vec<&[u8]> = message.entries(Name::Require, MAX_EXTENSIONS).filter(|tag| !known(tag)).collect();
    (!unknown.is_empty()).then(|| unknown.join(&b", "[..]))
}
