//! What fuzz targets call: the readers of all that a peer sends. Only with the feature `fuzzing`.

use model::{Numbering, Receipt, Reply, Secret, SmscName, Timestamp};

use crate::deliver::{self, Delivery, Meaning};
use crate::frame;
use crate::settings::LinkSettings;
use crate::trace::{self, Way};
use crate::writing::Charset;

/// Cuts a stream into PDUs, and reads each body as every kind of body that has a reader.
pub fn pdu(stream: &[u8]) {
    let mut rest = stream;
    while let Ok(Some((frame, length))) = frame::cut(rest) {
        bodies(frame.body);
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// Each PDU of a stream as a trace writes it down, with numbers and without.
#[must_use]
pub fn trace(stream: &[u8]) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), stream);
    while let Ok(Some((frame, length))) = frame::cut(rest) {
        let (octets, next) = rest.split_at(length.min(rest.len()));
        lines.extend([false, true].map(|numbers| trace::line(Timestamp::default(), Way::In, frame, octets, numbers)));
        rest = next;
    }
    lines
}

/// Reads a text as a receipt from a handset; `None` when it names no message.
#[must_use]
pub fn receipt(text: &[u8]) -> Option<Receipt> {
    match Delivery::from_handset(0x04, 0, text).meaning(&settings(Charset::Gsm, false), Timestamp::default()) {
        Meaning::Receipt { receipt, .. } => Some(receipt),
        Meaning::Reply(_) | Meaning::NamelessReceipt | Meaning::NotFromASubscriber => None,
    }
}

/// Reads octets as a reply from a handset; `None` when they turn out to be a receipt.
#[must_use]
pub fn reply(data_coding: u8, octets: &[u8]) -> Option<Reply> {
    match Delivery::from_handset(0, data_coding, octets).meaning(&settings(Charset::Gsm, false), Timestamp::default()) {
        Meaning::Reply(reply) => Some(reply),
        Meaning::Receipt { .. } | Meaning::NamelessReceipt | Meaning::NotFromASubscriber => None,
    }
}

fn bodies(body: &[u8]) {
    for delivery in [Delivery::read_deliver_sm(body), Delivery::read_data_sm(body)].into_iter().flatten() {
        for charset in [Charset::Gsm, Charset::Latin1, Charset::Ascii, Charset::Utf8] {
            for packed in [false, true] {
                let _ = delivery.meaning(&settings(charset, packed), Timestamp::default());
            }
        }
    }
    let _ = (deliver::message_id(body), deliver::congestion(body), deliver::query_state(body));
}

fn settings(charset: Charset, packed: bool) -> LinkSettings {
    let numbering = Numbering::new("86", "0", "00");
    let (smsc, password) = (SmscName("smsc".into()), Secret::new(String::new()));
    let mut settings = LinkSettings::new(smsc, "smsc", 2775, "fuzzing", password, numbering);
    (settings.writing.charset, settings.writing.packed) = (charset, packed);
    settings
}
