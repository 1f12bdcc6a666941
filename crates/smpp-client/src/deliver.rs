//! Reads `deliver_sm` and `data_sm` leniently, and tells receipts from replies (SMPP 3.4 §4.6.1, §4.7.1, §5.2.12).

use model::{Msisdn, Numbering, Receipt, Reply, Timestamp};

use crate::receipt;
use crate::settings::LinkSettings;
use crate::text;

/// `receipted_message_id` (SMPP 3.4 §5.3.2.12).
const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
/// `network_error_code` (SMPP 3.4 §5.3.2.31).
const NETWORK_ERROR_CODE: u16 = 0x0423;
/// `message_payload` (SMPP 3.4 §5.3.2.32).
const MESSAGE_PAYLOAD: u16 = 0x0424;
/// `message_state` (SMPP 3.4 §5.3.2.35).
const MESSAGE_STATE: u16 = 0x0427;

/// The bits of `esm_class` that say what a message is; mode and GSM features are other bits.
const KIND: u8 = 0x3c;
const KIND_RECEIPT: u8 = 0x04;
const KIND_INTERMEDIATE: u8 = 0x20;
/// A user data header precedes the text.
const UDHI: u8 = 0x40;

/// Types of number that a subscriber's has (SMPP 3.4 §5.2.5); network specific, subscriber, alphanumeric and abbreviated ones are robots and short codes.
const TON_UNKNOWN: u8 = 0;
const TON_INTERNATIONAL: u8 = 1;
const TON_NATIONAL: u8 = 2;
/// Digits of unknown type that are no more than this are a service code, and never completed to somebody's number.
const SHORT_CODE: usize = 6;

/// A message from the SMSC, its fields as they stand in the PDU.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Delivery<'a> {
    source_ton: u8,
    source: &'a [u8],
    destination: &'a [u8],
    esm_class: u8,
    data_coding: u8,
    message: &'a [u8],
    pub(crate) tlvs: Tlvs<'a>,
}

/// The optional parameters that say something here; the first of each counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tlvs<'a> {
    pub(crate) message_id: Option<&'a [u8]>,
    pub(crate) state: Option<u8>,
    pub(crate) network_error: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
}

/// What a delivery turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Receipt(Receipt),
    Reply(Reply),
    /// A receipt that names no message: nothing can be done with it.
    NamelessReceipt,
    /// From a name or a short number: a robot, which must not be answered.
    NotFromASubscriber,
}

/// A mandatory field ends after the PDU does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mandatory field ends after the PDU")]
pub(crate) struct Truncated;

impl<'a> Delivery<'a> {
    /// Reads the body of a `deliver_sm`.
    ///
    /// # Errors
    /// When a mandatory field ends after the body; a text shorter than announced and odd TLVs are passed over.
    pub(crate) fn read_deliver_sm(body: &'a [u8]) -> Result<Self, Truncated> {
        let mut fields = Fields(body);
        let mut delivery = fields.addresses()?;
        let _protocol_id = fields.octet()?;
        let _priority_flag = fields.octet()?;
        let _schedule_delivery_time = fields.text()?;
        let _validity_period = fields.text()?;
        let _registered_delivery = fields.octet()?;
        let _replace_if_present_flag = fields.octet()?;
        delivery.data_coding = fields.octet()?;
        let _sm_default_msg_id = fields.octet()?;
        let length = fields.octet()?;
        delivery.message = fields.up_to(usize::from(length));
        delivery.tlvs = fields.tlvs();
        Ok(delivery.with_payload())
    }

    /// Reads the body of a `data_sm`, whose text is always a `message_payload`.
    ///
    /// # Errors
    /// When a mandatory field ends after the body.
    pub(crate) fn read_data_sm(body: &'a [u8]) -> Result<Self, Truncated> {
        let mut fields = Fields(body);
        let mut delivery = fields.addresses()?;
        let _registered_delivery = fields.octet()?;
        delivery.data_coding = fields.octet()?;
        delivery.tlvs = fields.tlvs();
        Ok(delivery.with_payload())
    }

    /// A message of that class and coding from a handset to a service code.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn from_handset(esm_class: u8, data_coding: u8, message: &'a [u8]) -> Self {
        let (source, destination) = (&b"8613800000001"[..], &b"12599"[..]);
        Self { source_ton: TON_INTERNATIONAL, source, destination, esm_class, data_coding, message, ..Self::default() }
    }

    fn with_payload(mut self) -> Self {
        if let (true, Some(payload)) = (self.message.is_empty(), self.tlvs.payload) {
            self.message = payload;
        }
        self
    }

    /// What it is: by the type bits of `esm_class`, else by the TLV, else by the text (some SMSCs leave the class 0).
    pub(crate) fn meaning(&self, settings: &LinkSettings, at: Timestamp) -> Meaning {
        let text = receipt::text(self.user_data());
        let is_receipt = matches!(self.esm_class & KIND, KIND_RECEIPT | KIND_INTERMEDIATE)
            || self.tlvs.message_id.is_some()
            || receipt::looks_like_one(&text);
        let handset = subscriber(self.source_ton, self.source, &settings.numbering);
        if is_receipt { self.receipt(&text, settings, handset, at) } else { self.reply(settings, handset, at) }
    }

    fn receipt(&self, text: &str, settings: &LinkSettings, handset: Option<Msisdn>, at: Timestamp) -> Meaning {
        let Some(said) = receipt::read(text, &self.tlvs) else { return Meaning::NamelessReceipt };
        Meaning::Receipt(Receipt {
            smsc: settings.smsc.clone(),
            message_id: said.message_id,
            id_form: settings.id_form,
            state: said.state,
            handset,
            error: said.error,
            at,
        })
    }

    fn reply(&self, settings: &LinkSettings, handset: Option<Msisdn>, at: Timestamp) -> Meaning {
        let Some(from) = handset else { return Meaning::NotFromASubscriber };
        Meaning::Reply(Reply {
            from,
            to: String::from_utf8_lossy(self.destination).into_owned(),
            text: text::decode(self.data_coding, self.user_data()),
            part: None,
            smsc: settings.smsc.clone(),
            at,
        })
    }

    /// The message without its user data header; a header that is longer than the message is no header.
    fn user_data(&self) -> &'a [u8] {
        if self.esm_class & UDHI == 0 {
            return self.message;
        }
        let header = self.message.first().map_or(0, |&length| usize::from(length) + 1);
        self.message.get(header..).unwrap_or(self.message)
    }
}

/// A subscriber's number; one that is national, or of an unknown type, is completed by the network's numbering.
fn subscriber(ton: u8, address: &[u8], numbering: &Numbering) -> Option<Msisdn> {
    let digits = std::str::from_utf8(address).ok()?.trim();
    match ton {
        TON_INTERNATIONAL => Msisdn::international(digits).ok(),
        TON_NATIONAL if digits.len() > SHORT_CODE => numbering.normalise(digits).ok(),
        // Digits of unknown type may be an IMSI or a code: only what is a number of this country is taken for one.
        TON_UNKNOWN if digits.len() > SHORT_CODE => {
            numbering.normalise(digits).ok().filter(|number| number.reveal().starts_with(&numbering.country_code))
        }
        _ => None,
    }
}

/// What is left to read of a body.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// `service_type` to `esm_class`, which both PDUs begin with.
    fn addresses(&mut self) -> Result<Delivery<'a>, Truncated> {
        let _service_type = self.text()?;
        let source_ton = self.octet()?;
        let _source_npi = self.octet()?;
        let source = self.text()?;
        let _destination_ton = self.octet()?;
        let _destination_npi = self.octet()?;
        let destination = self.text()?;
        let esm_class = self.octet()?;
        Ok(Delivery { source_ton, source, destination, esm_class, ..Delivery::default() })
    }

    fn octet(&mut self) -> Result<u8, Truncated> {
        let (&octet, rest) = self.0.split_first().ok_or(Truncated)?;
        self.0 = rest;
        Ok(octet)
    }

    /// A C-octet string of any length, without its NUL.
    fn text(&mut self) -> Result<&'a [u8], Truncated> {
        let end = self.0.iter().position(|&octet| octet == 0).ok_or(Truncated)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        Ok(text)
    }

    fn up_to(&mut self, length: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        octets
    }

    fn tlvs(&mut self) -> Tlvs<'a> {
        let mut tlvs = Tlvs::default();
        while let Some((&[a, b, c, d], rest)) = self.0.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([c, d]));
            let Some((value, rest)) = rest.split_at_checked(length) else { break };
            self.0 = rest;
            match u16::from_be_bytes([a, b]) {
                RECEIPTED_MESSAGE_ID => _ = tlvs.message_id.get_or_insert(value),
                MESSAGE_STATE => tlvs.state = tlvs.state.or(value.last().copied()),
                NETWORK_ERROR_CODE => _ = tlvs.network_error.get_or_insert(value),
                MESSAGE_PAYLOAD => _ = tlvs.payload.get_or_insert(value),
                _ => {}
            }
        }
        tlvs
    }
}

/// The `message_id` of a `submit_sm_resp`: up to its NUL, or to the end where an SMSC leaves the NUL out.
pub(crate) fn message_id(body: &[u8]) -> String {
    let id = body.split(|&octet| octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(id).into_owned()
}

#[cfg(test)]
mod tests {
    use model::ReceiptState;
    use proptest::prelude::*;

    use super::*;

    struct Sent<'a> {
        source: (u8, &'a str),
        class: u8,
        coding: u8,
        message: &'a [u8],
        tlvs: &'a [(u16, &'a [u8])],
    }

    const REPLY: Sent<'_> = Sent { source: (1, "8613800000001"), class: 0, coding: 0, message: b"C", tlvs: &[] };

    fn body(sent: &Sent<'_>) -> Vec<u8> {
        let mut body = vec![0, sent.source.0, 1];
        body.extend(sent.source.1.as_bytes());
        body.extend(b"\0\x03\x0012599\0");
        body.extend([sent.class, 0, 0, 0, 0, 0, 0, sent.coding, 0, u8::try_from(sent.message.len()).unwrap()]);
        body.extend(sent.message);
        for (tag, value) in sent.tlvs {
            body.extend(tag.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(*value);
        }
        body
    }

    fn meaning(sent: &Sent<'_>) -> Meaning {
        let body = body(sent);
        Delivery::read_deliver_sm(&body).unwrap().meaning(&crate::settings_for_tests(), Timestamp::from_millis(5))
    }

    fn receipt(sent: &Sent<'_>) -> Receipt {
        match meaning(sent) {
            Meaning::Receipt(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }

    fn reply(sent: &Sent<'_>) -> Reply {
        match meaning(sent) {
            Meaning::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    const TEXT: &[u8] =
        b"id:4A5F sub:001 dlvrd:001 submit date:2611230800 done date:2611230801 stat:DELIVRD err:000 text:Y";

    #[test]
    fn a_receipt_is_known_by_its_class_whatever_the_mode_bits() {
        for class in [0x04, 0x05, 0x06, 0x07, 0x20, 0x00] {
            let receipt = receipt(&Sent { class, message: TEXT, ..REPLY });
            assert_eq!((receipt.message_id.as_str(), receipt.state), ("4A5F", ReceiptState::Delivered), "{class:#x}");
            assert_eq!(receipt.handset, Msisdn::international("8613800000001").ok());
        }
        let with_header = [b"\x05\0\x03\x01\x01\x01", TEXT].concat();
        assert_eq!(receipt(&Sent { class: 0x44, message: &with_header, ..REPLY }).message_id, "4A5F");
    }

    #[test]
    fn a_receipt_may_be_told_by_tlvs_alone_or_in_a_payload() {
        let tlvs: &[(u16, &[u8])] = &[(0x1400, b""), (0x001e, b"77\0"), (0x0427, &[5]), (0x0423, &[3, 0, 34])];
        let by_tlvs = receipt(&Sent { message: b"", tlvs, ..REPLY });
        assert_eq!((by_tlvs.message_id.as_str(), by_tlvs.state), ("77", ReceiptState::Undeliverable));
        assert_eq!(by_tlvs.error, "3:34");
        let both = receipt(&Sent { class: 4, message: TEXT, tlvs, ..REPLY });
        assert_eq!((both.message_id.as_str(), both.state), ("77", ReceiptState::Undeliverable));
        let nameless_state = receipt(&Sent { class: 4, message: b"", tlvs: &[(0x001e, b"77")], ..REPLY });
        assert_eq!(nameless_state.state, ReceiptState::Unknown);
        let payload = receipt(&Sent { class: 4, message: b"", tlvs: &[(0x0424, TEXT)], ..REPLY });
        assert_eq!(payload.message_id, "4A5F");
        assert_eq!(meaning(&Sent { class: 4, message: b"delivered", ..REPLY }), Meaning::NamelessReceipt);
    }

    #[test]
    fn a_receipt_comes_by_data_sm_too() {
        let mut body = b"\0\x01\x018613800000001\0\0\x0012599\0\x04\0\0".to_vec();
        body.extend(b"\x04\x24\0\x15id:9 stat:DELIVRD err");
        let delivery = Delivery::read_data_sm(&body).unwrap();
        let Meaning::Receipt(receipt) = delivery.meaning(&crate::settings_for_tests(), Timestamp::default()) else {
            panic!()
        };
        assert_eq!((receipt.message_id.as_str(), receipt.state), ("9", ReceiptState::Delivered));
    }

    #[test]
    fn a_receipt_from_an_imsi_or_a_name_names_no_handset() {
        for source in [(5, "SMSC"), (1, "001010000000001"), (0, "001010000000001"), (0, "460001234567890"), (0, "")] {
            assert_eq!(receipt(&Sent { source, class: 4, message: TEXT, ..REPLY }).handset, None, "{source:?}");
        }
    }

    #[test]
    fn a_reply_is_read_in_its_coding_behind_its_header() {
        assert_eq!(reply(&Sent { class: 1, ..REPLY }).text, "C");
        assert_eq!(reply(&Sent { coding: 8, message: &[0x67, 0xe5], ..REPLY }).text, "查");
        let header = reply(&Sent { class: 0x41, message: b"\x06\x05\x04\x0b\x84\x23\xf0STOP", ..REPLY });
        assert_eq!((header.text.as_str(), header.to.as_str()), ("STOP", "12599"));
        assert_eq!(reply(&Sent { class: 0x40, message: b"\x40STOP", ..REPLY }).text, "¡STOP");
        assert_eq!(reply(&Sent { message: b"", tlvs: &[(0x0424, b"KT")], ..REPLY }).text, "KT");
        assert_eq!(reply(&Sent { message: b"ON", tlvs: &[(0x0424, b"KT")], ..REPLY }).text, "ON");
        assert_eq!(reply(&Sent { message: b"", ..REPLY }).text, "");
    }

    #[test]
    fn only_a_subscriber_replies() {
        for source in [
            (1, "8613800000001"),
            (1, "+8613800000001"),
            (0, "8613800000001"),
            (0, "13800000001"),
            (2, "13800000001"),
            (2, "013800000001"),
        ] {
            assert_eq!(reply(&Sent { source, ..REPLY }).from.reveal(), "8613800000001");
        }
        for source in [(5, "Bank"), (5, "8613800000001"), (3, "10086"), (1, "10086"), (0, "10086"), (0, "")] {
            assert_eq!(meaning(&Sent { source, ..REPLY }), Meaning::NotFromASubscriber, "{source:?}");
        }
    }

    #[test]
    fn a_wrong_length_costs_only_what_it_covers() {
        let mut long = body(&Sent { message: b"STOP", ..REPLY });
        let at = long.len() - 5;
        long[at] = 200;
        let delivery = Delivery::read_deliver_sm(&long).unwrap();
        assert_eq!(delivery.message, b"STOP");
        let mut cut = body(&Sent { tlvs: &[(0x0427, &[2]), (0x001e, b"77")], ..REPLY });
        cut.truncate(cut.len() - 1);
        let delivery = Delivery::read_deliver_sm(&cut).unwrap();
        assert_eq!((delivery.tlvs.state, delivery.tlvs.message_id), (Some(2), None));
        assert_eq!(Delivery::read_deliver_sm(b"\0\x01\x01861"), Err(Truncated));
    }

    #[test]
    fn a_message_id_needs_no_end() {
        for (body, id) in
            [(&b"4A\0"[..], "4A"), (b"4A", "4A"), (b"", ""), (b"\0", ""), (b"4A\0\x04\x27\0\x01\x02", "4A")]
        {
            assert_eq!(message_id(body), id);
        }
    }

    proptest! {
        #[test]
        fn no_octets_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let settings = crate::settings_for_tests();
            for delivery in [Delivery::read_deliver_sm(&body), Delivery::read_data_sm(&body)].into_iter().flatten() {
                let _ = delivery.meaning(&settings, Timestamp::default());
            }
            let _ = message_id(&body);
        }

        #[test]
        fn no_text_and_no_tlvs_make_the_reader_panic(
            class in any::<u8>(), coding in any::<u8>(), ton in 0u8..8, source in "[0-9+A-Z]{0,20}",
            message in proptest::collection::vec(any::<u8>(), 0..255),
            tag in prop::sample::select(vec![0x001e_u16, 0x0423, 0x0424, 0x0427, 0x1400]),
            value in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..40,
        ) {
            let sent = Sent { source: (ton, &source), class, coding, message: &message, tlvs: &[(tag, &value)] };
            let mut body = body(&sent);
            body.truncate(body.len().saturating_sub(cut));
            if let Ok(delivery) = Delivery::read_deliver_sm(&body) {
                let _ = delivery.meaning(&crate::settings_for_tests(), Timestamp::default());
            }
        }
    }
}
pub(crate) fn congestion(_body: &[u8]) -> Option<u8> {
    None
}
pub(crate) fn query_state(_body: &[u8]) -> Option<(model::ReceiptState, u8)> {
    None
}
