//! Delivery receipts as octets, as the standard has them (SMPP 3.4 §4.6, appendix B).

use std::io::Write;

use bytes::BytesMut;
use model::Timestamp;

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

    pub(crate) const fn stat(self) -> &'static str {
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
            self.written = date(at);
        }
        out.extend_from_slice(self.written.as_bytes());
    }
}

/// `YYMMDDhhmm`, in UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_jiff().map_or_else(String::new, |at| at.strftime("%y%m%d%H%M").to_string())
}

/// Everything that a receipt says.
pub(crate) struct Facts<'a> {
    /// As the answer gave it.
    pub(crate) id: &'a str,
    pub(crate) phone: &'a [u8],
    pub(crate) originator: Address<'a>,
    pub(crate) submitted: Timestamp,
    pub(crate) done: Timestamp,
    pub(crate) became: Final,
    /// The beginning of the message, in octets that are ASCII.
    pub(crate) beginning: &'a [u8],
}

impl Facts<'_> {
    /// The body of the `deliver_sm`, as the standard has it: all in the text, and id and state in optional parameters.
    pub(crate) fn body(&self, dates: &mut Dates) -> Box<[u8]> {
        let text = self.text(dates);
        let mut out = BytesMut::with_capacity(256);
        let deliver = Deliver {
            source: Address { ton: 1, npi: 1, digits: self.phone },
            destination: self.originator,
            esm_class: 0x04,
            data_coding: 0,
            user_data: &text,
        };
        deliver.put(&mut out);
        pdu::put_option(&mut out, tag::RECEIPTED_MESSAGE_ID, &[self.id.as_bytes(), &[0]].concat());
        pdu::put_option(&mut out, tag::MESSAGE_STATE, &[self.became.state()]);
        out[..].into()
    }

    /// `dlvrd`: how many of the one message were delivered.
    pub(crate) fn delivered(&self) -> &'static str {
        if self.became == Final::Delivered { "001" } else { "000" }
    }

    fn text(&self, dates: &mut Dates) -> Vec<u8> {
        let mut text = Vec::with_capacity(160);
        // Writing into a vector can't fail.
        let _ = write!(text, "id:{} sub:001 dlvrd:{} submit date:", self.id, self.delivered());
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

    #[test]
    fn the_standard_text_and_options_are_written() {
        let at = Timestamp::parse("2026-11-23T08:01:00Z").unwrap();
        let facts = Facts {
            id: "abc",
            phone: b"8613800000001",
            originator: Address { ton: 3, npi: 0, digits: b"12599" },
            submitted: at,
            done: at,
            became: Final::Delivered,
            beginning: b"Missed",
        };
        let body = facts.body(&mut Dates::default());
        assert_eq!(
            body.escape_ascii().to_string(),
            "\\x00\\x01\\x018613800000001\\x00\\x03\\x0012599\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00e\
             id:abc sub:001 dlvrd:001 submit date:2611230801 done date:2611230801 stat:DELIVRD err:000 text:Missed\
             \\x00\\x1e\\x00\\x04abc\\x00\\x04\\'\\x00\\x01\\x02"
        );
        assert_eq!(
            super::super::shape::ReceiptShape::default().body(&facts),
            body,
            "the default shape is the standard's"
        );
    }
}
