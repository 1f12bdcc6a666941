//! Receipts, and deliveries of any kind, in every shape that SMSCs give them: described in JSON, written octet by octet.

use bytes::BytesMut;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::receipt::{Facts, date};
use crate::pdu::{self, Address, Deliver, command, tag};

/// A user data header with two ports (3GPP TS 23.040 §9.2.3.24.4), where a receipt is said to have one.
const HEADER: [u8; 7] = [6, 0x05, 4, 0x0b, 0x84, 0x23, 0xf0];

/// Octets, in hexadecimal digits in JSON; spaces between them don't count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect::<String>().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let digits: Vec<u8> = String::deserialize(from)?.bytes().filter(|octet| *octet != b' ').collect();
        let (pairs, odd) = digits.as_chunks::<2>();
        let octet = |pair: &[u8; 2]| {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            u8::try_from(high? * 16 + low?).ok()
        };
        let octets: Option<Vec<u8>> = pairs.iter().map(octet).collect();
        let whole = octets.filter(|_| odd.is_empty());
        whole.map(Self).ok_or_else(|| de::Error::custom("not an even number of hexadecimal digits"))
    }
}

/// Which PDU carries a message to an ESME.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// `deliver_sm` (SMPP 3.4 §4.6).
    #[default]
    DeliverSm,
    /// `data_sm` (SMPP 3.4 §4.7): its text is always a `message_payload`.
    DataSm,
}

impl Carrier {
    pub(crate) const fn command(self) -> u32 {
        match self {
            Self::DeliverSm => command::DELIVER_SM,
            Self::DataSm => command::DATA_SM,
        }
    }

    fn put(self, deliver: &Deliver<'_>, out: &mut BytesMut) {
        match self {
            Self::DeliverSm => deliver.put(out),
            Self::DataSm => deliver.put_data_sm(out),
        }
    }
}

/// How receipts write the message id that the answer gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptIdForm {
    /// As the answer did.
    #[default]
    Same,
    /// In upper case.
    Upper,
    /// In lower case.
    Lower,
    /// Of a hexadecimal id the number in decimal.
    Decimal,
    /// Of a decimal id the number in hexadecimal.
    Hexadecimal,
    /// With zeros before it, 20 characters in all.
    ZeroPadded,
    /// Without the zeros before it.
    ZerosStripped,
}

impl ReceiptIdForm {
    fn write(self, id: &str) -> String {
        let number = |radix| u128::from_str_radix(id, radix).ok();
        let changed = match self {
            Self::Same => None,
            Self::Upper => Some(id.to_uppercase()),
            Self::Lower => Some(id.to_lowercase()),
            Self::Decimal => number(16).map(|number| number.to_string()),
            Self::Hexadecimal => number(10).map(|number| format!("{number:x}")),
            Self::ZeroPadded => Some(format!("{id:0>20}")),
            Self::ZerosStripped => Some(id.trim_start_matches('0').to_owned()),
        };
        changed.unwrap_or_else(|| id.to_owned())
    }
}

/// Where a receipt's text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPlace {
    /// In `short_message`, at most 254 octets; in a `data_sm` in `message_payload`.
    #[default]
    Message,
    /// In `message_payload`.
    Payload,
    /// Nowhere.
    Nowhere,
}

/// Which optional parameters a receipt has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptOptions {
    /// `receipted_message_id` and `message_state`.
    #[default]
    Both,
    /// Only the id.
    Id,
    /// Only the state.
    State,
    /// None of them.
    Neither,
}

/// One receipt: what differs from the standard's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptShape {
    /// Which PDU it is.
    pub carrier: Carrier,
    /// `esm_class`; with the bit 0x40 a header with ports stands before the text.
    pub esm_class: u8,
    /// `data_coding`.
    pub data_coding: u8,
    /// How the id is written, in text and options.
    pub id: ReceiptIdForm,
    /// What ends the id in `receipted_message_id`.
    pub id_end: String,
    /// Where the text is.
    pub place: TextPlace,
    /// The text, in which `{id}`, `{dlvrd}` (000 or 001), `{submitted}`, `{done}` (YYMMDDhhmm), `{stat}`, `{text}` (how the message begins), `{phone}` and
    /// `{originator}` stand for what they say.
    pub text: String,
    /// The text in UTF-16, big-endian.
    pub wide: bool,
    /// Which optional parameters there are.
    pub options: ReceiptOptions,
    /// `message_state` in place of the true one.
    pub state: Option<u8>,
}

impl Default for ReceiptShape {
    fn default() -> Self {
        Self {
            carrier: Carrier::default(),
            esm_class: 0x04,
            data_coding: 0,
            id: ReceiptIdForm::default(),
            id_end: "\0".into(),
            place: TextPlace::default(),
            text:
                "id:{id} sub:001 dlvrd:{dlvrd} submit date:{submitted} done date:{done} stat:{stat} err:000 text:{text}"
                    .into(),
            wide: false,
            options: ReceiptOptions::default(),
            state: None,
        }
    }
}

impl ReceiptShape {
    /// The body of its PDU.
    pub(crate) fn body(&self, facts: &Facts<'_>) -> Box<[u8]> {
        let id = self.id.write(facts.id);
        let text = self.user_data(&id, facts);
        let place = match (self.place, self.carrier) {
            (TextPlace::Message, Carrier::DataSm) => TextPlace::Payload,
            (place, _) => place,
        };
        let mut out = BytesMut::with_capacity(256);
        let deliver = Deliver {
            source: Address { ton: 1, npi: 1, digits: facts.phone },
            destination: facts.originator,
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            user_data: if place == TextPlace::Message { &text } else { &[] },
        };
        self.carrier.put(&deliver, &mut out);
        if place == TextPlace::Payload {
            pdu::put_option(&mut out, tag::MESSAGE_PAYLOAD, &text);
        }
        if matches!(self.options, ReceiptOptions::Both | ReceiptOptions::Id) {
            pdu::put_option(&mut out, tag::RECEIPTED_MESSAGE_ID, format!("{id}{}", self.id_end).as_bytes());
        }
        if matches!(self.options, ReceiptOptions::Both | ReceiptOptions::State) {
            pdu::put_option(&mut out, tag::MESSAGE_STATE, &[self.state.unwrap_or(facts.became.state())]);
        }
        out[..].into()
    }

    fn user_data(&self, id: &str, facts: &Facts<'_>) -> Vec<u8> {
        let said = [
            ("{id}", id.to_owned()),
            ("{dlvrd}", facts.delivered().to_owned()),
            ("{submitted}", date(facts.submitted)),
            ("{done}", date(facts.done)),
            ("{stat}", facts.became.stat().to_owned()),
            ("{phone}", String::from_utf8_lossy(facts.phone).into_owned()),
            ("{originator}", String::from_utf8_lossy(facts.originator.digits).into_owned()),
            ("{text}", String::from_utf8_lossy(facts.beginning).into_owned()),
        ];
        let text = said.iter().fold(self.text.clone(), |text, (name, value)| text.replace(name, value));
        let mut octets = if self.esm_class & 0x40 == 0 { Vec::new() } else { HEADER.to_vec() };
        if self.wide {
            octets.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
        } else {
            octets.extend(text.bytes());
        }
        octets
    }
}

/// An address as it is to be written.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireAddress {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
    /// The address; at most 20 octets (SMPP 3.4 §5.2.8), which isn't checked.
    pub digits: String,
}

impl WireAddress {
    fn written(&self) -> Address<'_> {
        Address { ton: self.ton, npi: self.npi, digits: self.digits.as_bytes() }
    }
}

/// A message to the ESME, field by field: nothing is checked, so that any mistake can be played.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Which PDU it is.
    #[serde(default)]
    pub carrier: Carrier,
    /// Who writes.
    pub source: WireAddress,
    /// To whom.
    pub destination: WireAddress,
    /// `esm_class`.
    #[serde(default)]
    pub esm_class: u8,
    /// `data_coding`.
    #[serde(default)]
    pub data_coding: u8,
    /// `short_message`, at most 254 octets; a `data_sm` has none.
    #[serde(default)]
    pub message: Hex,
    /// Optional parameters: (tag, value), in this order.
    #[serde(default)]
    pub options: Vec<(u16, Hex)>,
}

impl Delivery {
    /// The body of its PDU.
    pub(crate) fn body(&self) -> Box<[u8]> {
        let mut out = BytesMut::with_capacity(256);
        let deliver = Deliver {
            source: self.source.written(),
            destination: self.destination.written(),
            esm_class: self.esm_class,
            data_coding: self.data_coding,
            user_data: &self.message.0,
        };
        self.carrier.put(&deliver, &mut out);
        for (tag, value) in &self.options {
            pdu::put_option(&mut out, *tag, &value.0);
        }
        out[..].into()
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::super::receipt::Final;
    use super::*;

    fn body(shape: &ReceiptShape, id: &str) -> String {
        let at = Timestamp::parse("2026-11-23T08:01:00Z").unwrap();
        let facts = Facts {
            id,
            phone: b"8613800000001",
            originator: Address { ton: 3, npi: 0, digits: b"12599" },
            submitted: at,
            done: at,
            became: Final::Expired,
            beginning: b"Missed",
        };
        shape.body(&facts).escape_ascii().to_string()
    }

    #[test]
    fn ids_and_places_vary() {
        let plain = ReceiptShape::default();
        let upper = ReceiptShape { id: ReceiptIdForm::Upper, options: ReceiptOptions::Neither, ..plain.clone() };
        let shown = body(&upper, "abc");
        assert!(
            shown.contains("id:ABC sub:001 dlvrd:000") && shown.ends_with("stat:EXPIRED err:000 text:Missed"),
            "{shown}"
        );
        let decimal = ReceiptShape { id: ReceiptIdForm::Decimal, place: TextPlace::Payload, ..plain.clone() };
        assert!(body(&decimal, "abc").contains("\\x00\\x00\\x04$\\x00fid:2748 "));
        let padded = ReceiptShape {
            id: ReceiptIdForm::ZeroPadded,
            place: TextPlace::Nowhere,
            id_end: " ".into(),
            ..plain.clone()
        };
        let shown = body(&padded, "abc");
        assert!(!shown.contains("id:") && shown.contains("00000000000000000abc \\x04\\'\\x00\\x01\\x03"), "{shown}");
        let hexadecimal =
            ReceiptShape { id: ReceiptIdForm::Hexadecimal, options: ReceiptOptions::State, state: Some(5), ..plain };
        let shown = body(&hexadecimal, "2748");
        assert!(shown.contains("id:abc ") && shown.ends_with("Missed\\x04\\'\\x00\\x01\\x05"), "{shown}");
    }

    #[test]
    fn a_text_may_say_anything_in_any_class_and_width() {
        let csv = ReceiptShape {
            text: "00,{done},{done},,{phone},{originator},{id}".into(),
            esm_class: 0x44,
            ..ReceiptShape::default()
        };
        let shown = body(&csv, "1:2");
        assert!(
            shown
                .contains("\\x06\\x05\\x04\\x0b\\x84#\\xf000,2611230801,2611230801,,8613800000001,12599,1:2\\x00\\x1e"),
            "{shown}"
        );
        let wide = ReceiptShape {
            text: "{id}".into(),
            wide: true,
            carrier: Carrier::DataSm,
            options: ReceiptOptions::Neither,
            ..ReceiptShape::default()
        };
        assert!(body(&wide, "77").ends_with("\\x04\\x00\\x00\\x04$\\x00\\x04\\x007\\x007"));
    }

    #[test]
    fn a_delivery_is_written_as_it_is_described() {
        let described = r#"{"source":{"ton":1,"npi":1,"digits":"86138"},"destination":{"ton":3,"npi":0,"digits":"12599"},
            "esm_class":64,"data_coding":8,"message":"05 00 03 01 02 01 67e5","options":[[1060,"43"]]}"#;
        let delivery: Delivery = serde_json::from_str(described).unwrap();
        assert_eq!(
            delivery.body().escape_ascii().to_string(),
            "\\x00\\x01\\x0186138\\x00\\x03\\x0012599\\x00@\\x00\\x00\\x00\\x00\\x00\\x00\\x08\\x00\\x08\\x05\\x00\\x03\\x01\\x02\\x01g\\xe5\
             \\x04$\\x00\\x01C"
        );
        assert!(serde_json::from_str::<Hex>("\"0\"").is_err() && serde_json::from_str::<Hex>("\"0g\"").is_err());
    }
}
