//! The PDUs that ask about a message: `query_sm`, `cancel_sm`, `replace_sm` (SMPP 3.4 §4.8-4.10), `submit_sm` that replaces (§5.2.18).

use std::time::Duration;

use bytes::BytesMut;
use model::{AlertId, Submit, Timestamp};
use rusmpp::CommandId;

use super::address::{SourceFault, destination, source};
use super::script::Script;
use super::validity::Validity;
use super::{Flag, SHORT_MESSAGE, Unsendable, pdus, put_message};
use crate::pdu::Pdu;
use crate::settings::LinkSettings;
use crate::updates::{Asks, Message, Update};

/// Characters of a message id (SMPP 3.4 §5.2.23).
const LONGEST_ID: usize = 64;

/// Octets of such a PDU beside a text: more than its fields take.
const FIELDS: usize = 160;

/// Why it can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsayable {
    /// No field holds the id: empty, over 64 characters, or not ASCII; or it is ours, where the SMSC's say nothing.
    #[error("a message id that is not 1 to 64 ASCII characters of the SMSC's own")]
    Id,
    /// The message can't have come from there.
    #[error("a source address that can't be written: {0}")]
    Source(SourceFault),
    /// `replace_sm` has no `data_coding`.
    #[error("a text in another coding than the message it replaces")]
    Coding,
    /// `replace_sm` has no `esm_class` and no user data header.
    #[error("a message of more than one part")]
    Parts,
}

/// The PDU that asks, with sequence number 0. Addresses are those of the submit.
///
/// # Errors
/// When the standard has no way to say it.
pub(crate) fn update(
    message: &Message,
    update: &Update,
    reference: u16,
    settings: &LinkSettings,
    now: Timestamp,
) -> Result<BytesMut, Unsayable> {
    if !(1..=LONGEST_ID).contains(&message.id.len()) || !message.id.bytes().all(|octet| octet.is_ascii() && octet != 0)
    {
        return Err(Unsayable::Id);
    }
    // What we know it by is no name that the SMSC has.
    if settings.references && update.asks() != Asks::ReplaceIfPresent {
        return Err(Unsayable::Id);
    }
    let writing = settings.writing.of(message.kind);
    let source = source(&message.source, writing, &settings.numbering).map_err(Unsayable::Source)?;
    let begin = |id, text: usize| Pdu::begin(id, FIELDS + text);
    let pdu = match update {
        Update::Query => {
            let mut pdu = begin(CommandId::QuerySm, 0);
            pdu.text(message.id.as_bytes());
            source.put(&mut pdu);
            pdu
        }
        Update::Cancel => {
            let mut pdu = begin(CommandId::CancelSm, 0);
            // The service type is for cancelling all messages of one.
            pdu.text(b"").text(message.id.as_bytes());
            source.put(&mut pdu);
            destination(message.destination, writing, &settings.numbering).put(&mut pdu);
            pdu
        }
        Update::Replace { before, text, validity } => {
            let script = replacing(before, text, settings)?;
            let validity = Validity::new(*validity, settings.writing.validity, now);
            let mut pdu = begin(CommandId::ReplaceSm, text.len());
            pdu.text(message.id.as_bytes());
            source.put(&mut pdu);
            pdu.text(b"").text(validity.as_bytes()).octet(writing.registered_delivery).octet(0);
            put_message(&mut pdu, &[], &script.encode(text, 0));
            pdu
        }
        Update::ReplaceIfPresent { before, text, validity } => {
            return replacing_if_present(message, before, text, *validity, (reference, settings, now));
        }
    };
    Ok(pdu.end())
}

/// A `submit_sm` of one part, like that of the message but for its text and flag.
fn replacing_if_present(
    message: &Message,
    before: &str,
    text: &str,
    validity: Duration,
    (reference, settings, now): (u16, &LinkSettings, Timestamp),
) -> Result<BytesMut, Unsayable> {
    if [before, text].iter().any(|text| !fits_one(text, settings).1) {
        return Err(Unsayable::Parts);
    }
    let order = Submit {
        alert: AlertId(0),
        attempt: 0,
        kind: message.kind,
        source: message.source.clone(),
        destination: message.destination,
        text: text.to_owned(),
        validity,
        avoid: None,
    };
    match pdus(&order, reference, Flag::ReplaceIfPresent, settings, now) {
        Ok(mut parts) if parts.len() == 1 => parts.pop().ok_or(Unsayable::Parts),
        Ok(_) | Err(Unsendable::TooLong) => Err(Unsayable::Parts),
        Err(Unsendable::Source(fault)) => Err(Unsayable::Source(fault)),
    }
}

/// How a text is coded, and whether one message holds it.
fn fits_one(text: &str, settings: &LinkSettings) -> (Script, bool) {
    let (script, units) = Script::of(text, &settings.writing);
    (script, units <= script.coding.single() && script.octets_at_most(text) <= SHORT_MESSAGE)
}

/// How the new text is coded: as the old one was, and in one part.
fn replacing(before: &str, text: &str, settings: &LinkSettings) -> Result<Script, Unsayable> {
    let scripts = [before, text].map(|text| fits_one(text, settings));
    match scripts {
        [(_, false), _] | [_, (_, false)] => Err(Unsayable::Parts),
        [(old, _), (new, _)] if old != new => Err(Unsayable::Coding),
        [_, (new, _)] => Ok(new),
    }
}
