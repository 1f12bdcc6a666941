//! From an order to the PDUs that carry it: `submit_sm` for each part (SMPP 3.4 §4.4.1).
//!
//! They are written field by field, without the codec's types: its builder allocates eight times for a message, and this is what the gateway does most.
//! The tests read every PDU again with the codec.

mod address;
mod bind;
mod script;
#[cfg(test)]
mod tests;
mod update;
mod validity;

use bytes::BytesMut;
use model::{Submit, Timestamp};
use rusmpp::CommandId;

pub(crate) use self::address::SourceFault;
use self::address::{destination, source};
pub(crate) use self::bind::bind;
pub(crate) use self::script::Script;
pub(crate) use self::update::update;
use self::validity::Validity;
use crate::pdu::Pdu;
use crate::settings::LinkSettings;
use crate::writing::Long;

/// A user data header precedes the text (SMPP 3.4 §5.2.12).
const UDHI: u8 = 0x40;

/// Octets that `short_message` holds (SMPP 3.4 §5.2.22).
const SHORT_MESSAGE: usize = 254;

/// `sar_msg_ref_num`, `sar_total_segments`, `sar_segment_seqnum` (SMPP 3.4 §5.3.2.22-24).
const SAR: [u16; 3] = [0x020c, 0x020e, 0x020f];
/// `message_payload` (SMPP 3.4 §5.3.2.32).
const MESSAGE_PAYLOAD: u16 = 0x0424;
/// `user_message_reference` (SMPP 3.4 §5.3.2.17).
pub(crate) const USER_MESSAGE_REFERENCE: u16 = 0x0204;

/// Octets of a `submit_sm` beside the header and its text: more than its fields take.
const FIELDS: usize = 96;

/// Why an order can't be put into PDUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsendable {
    /// More parts than can be numbered, or more than one optional parameter holds.
    #[error("a text of more than 255 parts, or of more than 65535 octets in one PDU")]
    TooLong,
    /// A source that no SMSC takes.
    #[error("a source address that can't be written: {0}")]
    Source(SourceFault),
}

/// Whether a submit takes the place of a message that the SMSC has (SMPP 3.4 §5.2.18).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flag {
    New = 0,
    ReplaceIfPresent = 1,
}

/// How a text is spread over PDUs.
enum Spread<'a> {
    /// It fits one.
    Single,
    /// Each part with a user data header, or with the optional parameters that stand for it.
    Parts(Vec<&'a str>),
    /// The SMSC cuts it.
    Payload,
}

/// The `submit_sm` PDUs of an order, in part order, with sequence number 0; `reference` joins the parts on the handset. Where receipts are matched by
/// references, it is the first part's, and each further part has the next.
///
/// # Errors
/// When the text is too long, or the source can't be written.
pub(crate) fn pdus(
    order: &Submit,
    reference: u16,
    flag: Flag,
    settings: &LinkSettings,
    now: Timestamp,
) -> Result<Vec<BytesMut>, Unsendable> {
    let (script, units) = Script::of(&order.text, &settings.writing);
    let long = settings.writing.long;
    match spread(&order.text, script, units, long)? {
        Spread::Single => {
            let mut pdu = fields(order, (script, 0, flag), settings, now)?;
            put_message(&mut pdu, &[], &script.encode(&order.text, 0));
            put_reference(&mut pdu, reference, settings);
            Ok(vec![pdu.end()])
        }
        Spread::Payload => {
            let payload = script.encode(&order.text, 0);
            if payload.len() > usize::from(u16::MAX) {
                return Err(Unsendable::TooLong);
            }
            let mut pdu = fields(order, (script, 0, flag), settings, now)?;
            put_message(&mut pdu, &[], &[]);
            pdu.tlv(MESSAGE_PAYLOAD, &payload);
            put_reference(&mut pdu, reference, settings);
            Ok(vec![pdu.end()])
        }
        Spread::Parts(parts) => {
            let total = u8::try_from(parts.len()).map_err(|_| Unsendable::TooLong)?;
            let class = if header_length(long) > 0 { UDHI } else { 0 };
            let head = fields(order, (script, class, flag), settings, now)?;
            Ok((1..=total)
                .zip(parts)
                .map(|(number, text)| {
                    let mut pdu = part(&head, script, text, long, (reference, total, number));
                    put_reference(&mut pdu, reference.wrapping_add(u16::from(number) - 1), settings);
                    pdu.end()
                })
                .collect())
        }
    }
}

fn spread(text: &str, script: Script, units: usize, long: Long) -> Result<Spread<'_>, Unsendable> {
    if units <= script.coding.single() && script.octets_at_most(text) <= SHORT_MESSAGE {
        return Ok(Spread::Single);
    }
    let header = header_length(long);
    let parts = match long {
        // The SMSC cuts it for the air, where octets of the field don't count.
        Long::Payload => model::cut(text, script.coding, script.coding.part(), usize::MAX),
        // Where the SMSC writes the header, it has 6 octets.
        Long::Sar => script.cut(text, script.coding.part(), SHORT_MESSAGE),
        Long::Udh8 | Long::Udh16 => script.cut(text, script.coding.beside(header), SHORT_MESSAGE - header),
    };
    match long {
        _ if parts.len() > usize::from(u8::MAX) => Err(Unsendable::TooLong),
        Long::Payload => Ok(Spread::Payload),
        Long::Udh8 | Long::Udh16 | Long::Sar => Ok(Spread::Parts(parts)),
    }
}

/// Octets of the user data header that we write ourselves.
const fn header_length(long: Long) -> usize {
    match long {
        Long::Udh8 => 6,
        Long::Udh16 => 7,
        Long::Sar | Long::Payload => 0,
    }
}

/// Everything before `sm_length`.
fn fields(
    order: &Submit,
    (script, class, flag): (Script, u8, Flag),
    settings: &LinkSettings,
    now: Timestamp,
) -> Result<Pdu, Unsendable> {
    let writing = settings.writing.of(order.kind);
    let source = source(&order.source, writing, &settings.numbering).map_err(Unsendable::Source)?;
    let validity = Validity::new(order.validity, settings.writing.validity, now);
    let mut pdu = Pdu::begin(CommandId::SubmitSm, FIELDS + order.text.len());
    pdu.text(writing.service_type.as_bytes());
    source.put(&mut pdu);
    destination(order.destination, writing, &settings.numbering).put(&mut pdu);
    pdu.octet(class).octet(writing.protocol_id).octet(writing.priority_flag);
    pdu.text(b"").text(validity.as_bytes()); // schedule_delivery_time: at once
    pdu.octet(writing.registered_delivery).octet(flag as u8).octet(script.data_coding()).octet(0); // no canned message
    Ok(pdu)
}

/// One part: reference, number of parts, and which it is.
fn part(head: &Pdu, script: Script, text: &str, long: Long, place: (u16, u8, u8)) -> Pdu {
    let (reference, total, number) = place;
    let [high, low] = reference.to_be_bytes();
    let mut pdu = head.clone();
    match long {
        Long::Udh8 => put_message(&mut pdu, &[5, 0, 3, low, total, number], &script.encode(text, 6)),
        Long::Udh16 => put_message(&mut pdu, &[6, 8, 4, high, low, total, number], &script.encode(text, 7)),
        Long::Sar | Long::Payload => {
            put_message(&mut pdu, &[], &script.encode(text, 0));
            pdu.tlv(SAR[0], &[high, low]).tlv(SAR[1], &[total]).tlv(SAR[2], &[number]);
        }
    }
    pdu
}

/// What receipts are matched by where message ids say nothing.
fn put_reference(pdu: &mut Pdu, reference: u16, settings: &LinkSettings) {
    if settings.references {
        pdu.tlv(USER_MESSAGE_REFERENCE, &reference.to_be_bytes());
    }
}

/// `sm_length` and `short_message`; together at most 254 octets, as the text was cut.
fn put_message(pdu: &mut Pdu, header: &[u8], text: &[u8]) {
    debug_assert!(header.len() + text.len() <= SHORT_MESSAGE);
    pdu.octet(u8::try_from(header.len() + text.len()).unwrap_or(u8::MAX)).octets(header).octets(text);
}
