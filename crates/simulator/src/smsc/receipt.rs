//! Delivery receipts as octets (SMPP 3.4 §4.6, appendix B).

use std::io::Write;

use bytes::BytesMut;
use model::Timestamp;

use super::faults::{ReceiptForm, ReceiptIdForm};
use crate::pdu::{self, Address, Deliver, tag};

/// What became of a message for good (SMPP 3.4 §5.2.28).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Final {
    Delivered,
    Expired,
    Deleted,
}

impl Final {
    /// `message_state`.
    pub(crate) const fn state(self) -> u8 {
        match self {
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
        }
    }

    const fn stat(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
        }
    }

    /// Whether `registered_delivery` asks for a receipt of this (SMPP 3.4 §5.2.17; 3 is from SMPP 5.0 §4.7.21).
    pub(crate) fn asked_for(self, registered: u8) -> bool {
        match registered & 0x03 {
            1 => true,
            2 => self != Self::Delivered,
            3 => self == Self::Delivered,
            _ => false,
        }
    }
}

/// A message id as the answer to the submit gives it.
pub(crate) fn message_id(id: u64) -> String {
    format!("{id:x}")
}

fn written_id(id: u64, form: ReceiptIdForm) -> String {
    match form {
        ReceiptIdForm::Same => message_id(id),
        ReceiptIdForm::HexUpper => format!("{id:X}"),
        ReceiptIdForm::Decimal => id.to_string(),
        ReceiptIdForm::ZeroPadded => format!("{id:020x}"),
    }
}

/// Writes `YYMMDDhhmm` in UTC, remembering the minute it wrote last.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    minute: Option<i64>,
    written: String,
}

impl Dates {
    fn put(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        let minute = at.as_millis().div_euclid(60_000);
        if self.minute != Some(minute) {
            self.minute = Some(minute);
            self.written = at.to_jiff().map_or_else(String::new, |at| at.strftime("%y%m%d%H%M").to_string());
        }
        out.extend_from_slice(self.written.as_bytes());
    }
}

/// Everything that a receipt says.
pub(crate) struct Receipt<'a> {
    pub(crate) id: u64,
    pub(crate) id_form: ReceiptIdForm,
    pub(crate) form: ReceiptForm,
    pub(crate) phone: &'a [u8],
    pub(crate) originator: Address<'a>,
    pub(crate) submitted: Timestamp,
    pub(crate) done: Timestamp,
    pub(crate) became: Final,
    /// The beginning of the message, in octets that are ASCII.
    pub(crate) beginning: &'a [u8],
}

impl Receipt<'_> {
    /// The body of the `deliver_sm`.
    pub(crate) fn body(&self, dates: &mut Dates) -> Box<[u8]> {
        let id = written_id(self.id, self.id_form);
        let text = self.text(&id, dates);
        let in_message = matches!(self.form, ReceiptForm::Both | ReceiptForm::Text);
        let mut out = BytesMut::with_capacity(256);
        let deliver = Deliver {
            source: Address { ton: 1, npi: 1, digits: self.phone },
            destination: self.originator,
            esm_class: 0x04,
            data_coding: 0,
            user_data: if in_message { &text } else { &[] },
        };
        deliver.put(&mut out);
        if self.form == ReceiptForm::Payload {
            pdu::put_option(&mut out, tag::MESSAGE_PAYLOAD, &text);
        }
        if matches!(self.form, ReceiptForm::Both | ReceiptForm::Options) {
            pdu::put_option(&mut out, tag::RECEIPTED_MESSAGE_ID, &[id.as_bytes(), &[0]].concat());
            pdu::put_option(&mut out, tag::MESSAGE_STATE, &[self.became.state()]);
        }
        out[..].into()
    }

    fn text(&self, id: &str, dates: &mut Dates) -> Vec<u8> {
        let delivered = u8::from(self.became == Final::Delivered);
        let mut text = Vec::with_capacity(160);
        // Writing into a vector can't fail.
        let _ = write!(text, "id:{id} sub:001 dlvrd:{delivered:03} submit date:");
        dates.put(self.submitted, &mut text);
        text.extend_from_slice(b" done date:");
        dates.put(self.done, &mut text);
        let _ = write!(text, " stat:{} err:000 text:", self.became.stat());
        text.extend_from_slice(self.beginning);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(id_form: ReceiptIdForm, form: ReceiptForm, became: Final) -> String {
        let at = Timestamp::parse("2026-11-23T08:01:00Z").unwrap();
        let receipt = Receipt {
            id: 0xabc,
            id_form,
            form,
            phone: b"8613800000001",
            originator: Address { ton: 3, npi: 0, digits: b"12599" },
            submitted: at,
            done: at,
            became,
            beginning: b"Missed",
        };
        receipt.body(&mut Dates::default()).escape_ascii().to_string()
    }

    #[test]
    fn the_standard_text_and_options_are_written() {
        assert_eq!(
            body(ReceiptIdForm::Same, ReceiptForm::Both, Final::Delivered),
            "\\x00\\x01\\x018613800000001\\x00\\x03\\x0012599\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00e\
             id:abc sub:001 dlvrd:001 submit date:2611230801 done date:2611230801 stat:DELIVRD err:000 text:Missed\
             \\x00\\x1e\\x00\\x04abc\\x00\\x04\\'\\x00\\x01\\x02"
        );
    }

    #[test]
    fn ids_and_places_vary_on_request() {
        let upper = body(ReceiptIdForm::HexUpper, ReceiptForm::Text, Final::Expired);
        assert!(
            upper.contains("id:ABC sub:001 dlvrd:000") && upper.ends_with("stat:EXPIRED err:000 text:Missed"),
            "{upper}"
        );
        let decimal = body(ReceiptIdForm::Decimal, ReceiptForm::Payload, Final::Deleted);
        assert!(decimal.contains("\\x00\\x00\\x04$\\x00fid:2748 "), "{decimal}");
        let padded = body(ReceiptIdForm::ZeroPadded, ReceiptForm::Options, Final::Delivered);
        assert!(!padded.contains("id:") && padded.contains("00000000000000000abc\\x00"), "{padded}");
    }
}
