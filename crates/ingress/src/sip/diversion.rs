//! The Diversion header (RFC 5806): who forwarded the call, the last one on top.

use std::borrow::Cow;

use model::Reason;

use super::lexer;
use super::message::{Message, Name};
use super::uri::{Address, Uri};

/// Most entries that are looked at: a call isn't forwarded more often.
const MAX_ENTRIES: usize = 20;

/// One who forwarded the call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Diversion<'a> {
    pub(super) uri: Uri<'a>,
    /// The reason as written, quotes taken off.
    pub(super) reason: Option<&'a [u8]>,
}

/// The entries in the order of the message, topmost first; those that hold no URI are passed over.
pub(super) fn diversions(message: &Message) -> impl Iterator<Item = Diversion<'_>> {
    message.entries(Name::Diversion, MAX_ENTRIES).filter_map(|entry| {
        let address = Address::parse(entry)?;
        let reason = lexer::parameter_value(address.parameters, b"reason");
        Some(Diversion { uri: Uri::parse(address.uri)?, reason })
    })
}

/// The reason of a Diversion; `None` for `unknown` and for words that nobody defined, so that other evidence may speak.
pub(super) fn reason(word: &[u8]) -> Option<Reason> {
    let word: Cow<'_, str> = String::from_utf8_lossy(word);
    match word.trim().to_ascii_lowercase().as_str() {
        "user-busy" | "busy" => Some(Reason::Busy),
        "no-answer" => Some(Reason::NoAnswer),
        "unavailable" | "out-of-service" | "away" => Some(Reason::Unreachable),
        "unconditional" | "time-of-day" | "do-not-disturb" | "follow-me" => Some(Reason::Unconditional),
        "deflection" => Some(Reason::Rejected),
        _ => None,
    }
}
