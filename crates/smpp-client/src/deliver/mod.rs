//! Reads `deliver_sm` and `data_sm` leniently, and tells receipts from replies (SMPP 3.4 §4.6.1, §4.7.1, §5.2.12).

mod fields;
mod header;
mod responses;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use model::{IdForm, Msisdn, Numbering, Receipt, Reply, ReplyPart, Timestamp};

use self::fields::Fields;
pub(crate) use self::fields::Truncated;
use self::header::UserData;
pub(crate) use self::responses::{congestion, message_id, query_state};
use crate::receipt::{self, Written};
use crate::settings::LinkSettings;
use crate::submit::USER_MESSAGE_REFERENCE;
use crate::text::Body;

/// `receipted_message_id` (SMPP 3.4 §5.3.2.12).
const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
/// `sar_msg_ref_num` (SMPP 3.4 §5.3.2.22).
const SAR_REFERENCE: u16 = 0x020c;
/// `sar_total_segments` (SMPP 3.4 §5.3.2.23).
const SAR_TOTAL: u16 = 0x020e;
/// `sar_segment_seqnum` (SMPP 3.4 §5.3.2.24).
const SAR_NUMBER: u16 = 0x020f;
/// `network_error_code` (SMPP 3.4 §5.3.2.31).
const NETWORK_ERROR_CODE: u16 = 0x0423;
/// `message_payload` (SMPP 3.4 §5.3.2.32).
const MESSAGE_PAYLOAD: u16 = 0x0424;
/// `message_state` (SMPP 3.4 §5.3.2.35).
const MESSAGE_STATE: u16 = 0x0427;

/// The bits of `esm_class` by which a message is a receipt, or an intermediate notification. Acknowledgements (0x08, 0x10) are written by handsets, and some
/// SMSCs set them on everything: they count for nothing.
const RECEIPTS: u8 = 0x04 | 0x20;
/// A user data header precedes the text.
const UDHI: u8 = 0x40;

/// Types of number that a subscriber's has (SMPP 3.4 §5.2.5); subscriber, alphanumeric and abbreviated ones are robots and short codes.
const TON_UNKNOWN: u8 = 0;
const TON_INTERNATIONAL: u8 = 1;
const TON_NATIONAL: u8 = 2;
const TON_NETWORK_SPECIFIC: u8 = 3;
/// The numbering plan of telephones (SMPP 3.4 §5.2.6).
const NPI_ISDN: u8 = 1;
/// Digits of unknown type that are no more than this are a service code, and never completed to somebody's number.
const SHORT_CODE: usize = 6;

/// A message from the SMSC, its fields as they stand in the PDU.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Delivery<'a> {
    source_ton: u8,
    source_npi: u8,
    source: &'a [u8],
    destination_ton: u8,
    destination_npi: u8,
    destination: &'a [u8],
    esm_class: u8,
    data_coding: u8,
    message: &'a [u8],
    tlvs: Tlvs<'a>,
}

/// The optional parameters that say something here; the first of each counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tlvs<'a> {
    pub(crate) message_id: Option<&'a [u8]>,
    pub(crate) state: Option<u8>,
    pub(crate) network_error: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
    reference: Option<&'a [u8]>,
    sar_reference: Option<&'a [u8]>,
    sar_total: Option<u8>,
    sar_number: Option<u8>,
}

/// What a delivery turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// A receipt; `disagrees` when its text says another id or state than its optional parameters, which count.
    Receipt {
        receipt: Receipt,
        disagrees: bool,
    },
    Reply(Reply),
    /// A receipt that names no message: nothing can be done with it.
    NamelessReceipt,
    /// From a name or a short number: a robot, which must not be answered.
    NotFromASubscriber,
}

impl<'a> Delivery<'a> {
    /// Reads the body of a `deliver_sm`.
    ///
    /// # Errors
    /// When a mandatory field ends after the body; a text shorter than announced and odd TLVs are passed over.
    pub(crate) fn read_deliver_sm(body: &'a [u8]) -> Result<Self, Truncated> {
        let mut fields = Fields::new(body);
        let mut delivery = Self::addressed(&mut fields)?;
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
        delivery.tlvs = Tlvs::read(fields);
        Ok(delivery.with_payload())
    }

    /// Reads the body of a `data_sm`, whose text is always a `message_payload`.
    ///
    /// # Errors
    /// When a mandatory field ends after the body.
    pub(crate) fn read_data_sm(body: &'a [u8]) -> Result<Self, Truncated> {
        let mut fields = Fields::new(body);
        let mut delivery = Self::addressed(&mut fields)?;
        let _registered_delivery = fields.octet()?;
        delivery.data_coding = fields.octet()?;
        delivery.tlvs = Tlvs::read(fields);
        Ok(delivery.with_payload())
    }

    /// `service_type` to `esm_class`, which both PDUs begin with.
    fn addressed(fields: &mut Fields<'a>) -> Result<Self, Truncated> {
        let _service_type = fields.text()?;
        let source_ton = fields.octet()?;
        let source_npi = fields.octet()?;
        let source = fields.text()?;
        let destination_ton = fields.octet()?;
        let destination_npi = fields.octet()?;
        let destination = fields.text()?;
        let esm_class = fields.octet()?;
        Ok(Self {
            source_ton,
            source_npi,
            source,
            destination_ton,
            destination_npi,
            destination,
            esm_class,
            ..Self::default()
        })
    }

    /// A message of that class and coding from a handset to a service code.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn from_handset(esm_class: u8, data_coding: u8, message: &'a [u8]) -> Self {
        let (source, destination) = (&b"8613800000001"[..], &b"12599"[..]);
        Self { source_ton: TON_INTERNATIONAL, source, destination, esm_class, data_coding, message, ..Self::default() }
    }

    /// Where both fields hold a text, which the standard forbids, `short_message` counts (SMPP 3.4 §5.2.21).
    fn with_payload(mut self) -> Self {
        if let (true, Some(payload)) = (self.message.is_empty(), self.tlvs.payload) {
            self.message = payload;
        }
        self
    }

    /// What it is: by the type bits of `esm_class`, else by the TLV, else by the text (some SMSCs leave the class 0).
    pub(crate) fn meaning(&self, settings: &LinkSettings, at: Timestamp) -> Meaning {
        let data = UserData::of(self.message, self.esm_class & UDHI != 0);
        let is_marked = self.esm_class & RECEIPTS != 0 || receipt::named(&self.tlvs).is_some();
        let read = if is_marked { receipt::written_in_receipt } else { receipt::written };
        let text = self.receipt_text(data, settings, read);
        let written = read(&text);
        if is_marked || written.looks_like_a_receipt() {
            self.receipt(written, settings, at)
        } else {
            self.reply(data, settings, at)
        }
    }

    fn receipt(&self, written: Written<'_>, settings: &LinkSettings, at: Timestamp) -> Meaning {
        let reference = self.tlvs.reference.filter(|_| settings.references).and_then(|value| value.last());
        let Some(said) = receipt::read(written, &self.tlvs) else { return Meaning::NamelessReceipt };
        let receipt = Receipt {
            smsc: settings.smsc.clone(),
            message_id: reference.map_or(said.message_id, |low| id_of_reference(u16::from(*low))),
            id_form: reference.map_or(settings.id_form, |_| Some(IdForm::Same)),
            state: said.state,
            handset: self.handset(&settings.numbering),
            error: said.error,
            at,
        };
        Meaning::Receipt { receipt, disagrees: said.disagrees }
    }

    /// The handset that a receipt is from. Some SMSCs leave the addresses as they were in the submit: then the source is a service code. Beside an IMSI or a
    /// name, the destination may be a number of ours.
    fn handset(&self, numbering: &Numbering) -> Option<Msisdn> {
        let is_code = (1..=SHORT_CODE).contains(&self.source.len()) && self.source.iter().all(u8::is_ascii_digit);
        if is_code {
            return subscriber((self.destination_ton, self.destination_npi), self.destination, numbering);
        }
        subscriber((self.source_ton, self.source_npi), self.source, numbering)
    }

    /// The text as that of a receipt: behind the header, or all of it where there is no header in spite of the class; unpacked where that is what it takes.
    fn receipt_text(&self, data: UserData<'a>, settings: &LinkSettings, read: fn(&str) -> Written<'_>) -> Cow<'a, str> {
        let text = receipt::text(data.text);
        if data.header == 0 && !settings.writing.packed || read(&text).names_a_message() {
            return text;
        }
        let whole = receipt::text(self.message);
        if read(&whole).names_a_message() {
            return whole;
        }
        let unpacked = self.body(data, None).unpacked(&settings.writing).unwrap_or_default();
        if read(&unpacked).names_a_message() { unpacked.into() } else { text }
    }

    fn reply(&self, data: UserData<'a>, settings: &LinkSettings, at: Timestamp) -> Meaning {
        let Some(from) = subscriber((self.source_ton, self.source_npi), self.source, &settings.numbering) else {
            return Meaning::NotFromASubscriber;
        };
        let part = data.part.or_else(|| self.tlvs.part());
        Meaning::Reply(Reply {
            from,
            to: String::from_utf8_lossy(self.destination).into_owned(),
            text: self.body(data, part).decode(&settings.writing),
            part,
            smsc: settings.smsc.clone(),
            at,
        })
    }

    fn body(&self, data: UserData<'a>, part: Option<ReplyPart>) -> Body<'a> {
        let goes_on = part.is_some_and(|part| part.number < part.total);
        Body { data_coding: self.data_coding, octets: data.text, header: data.header, goes_on }
    }
}

impl<'a> Tlvs<'a> {
    fn read(fields: Fields<'a>) -> Self {
        let mut tlvs = Self::default();
        for (tag, value) in fields.tlvs() {
            match tag {
                RECEIPTED_MESSAGE_ID => _ = tlvs.message_id.get_or_insert(value),
                MESSAGE_STATE => tlvs.state = tlvs.state.or(value.last().copied()),
                NETWORK_ERROR_CODE => _ = tlvs.network_error.get_or_insert(value),
                MESSAGE_PAYLOAD => _ = tlvs.payload.get_or_insert(value),
                USER_MESSAGE_REFERENCE => _ = tlvs.reference.get_or_insert(value),
                SAR_REFERENCE => _ = tlvs.sar_reference.get_or_insert(value),
                SAR_TOTAL => tlvs.sar_total = tlvs.sar_total.or(value.last().copied()),
                SAR_NUMBER => tlvs.sar_number = tlvs.sar_number.or(value.last().copied()),
                _ => {}
            }
        }
        tlvs
    }

    fn part(&self) -> Option<ReplyPart> {
        let &[high, low] = self.sar_reference? else { return None };
        header::part(u16::from_be_bytes([high, low]), self.sar_total?, self.sar_number?)
    }
}

/// What a message is called where its SMSC's ids say nothing. Only the last octet counts: SMSCs give no more back, since TP-MR has no more (3GPP TS 23.040
/// §9.2.3.6). With the handset it is enough.
pub(crate) fn id_of_reference(reference: u16) -> String {
    let [_, low] = reference.to_be_bytes();
    format!("reference {low}")
}

/// A subscriber's number; one that is national, or of an unknown type, is completed by the network's numbering.
fn subscriber((ton, npi): (u8, u8), address: &[u8], numbering: &Numbering) -> Option<Msisdn> {
    let digits = std::str::from_utf8(address).ok()?.trim();
    match ton {
        TON_INTERNATIONAL => Msisdn::international(digits).ok(),
        // Most write robots so; OsmoMSC writes everybody so, with the telephones' plan and the country code.
        TON_NETWORK_SPECIFIC
            if npi == NPI_ISDN && digits.len() > SHORT_CODE && digits.starts_with(&numbering.country_code) =>
        {
            Msisdn::international(digits).ok()
        }
        TON_NATIONAL if digits.len() > SHORT_CODE => numbering.normalise(digits).ok(),
        // Digits of unknown type may be an IMSI or a code: only what is a number of this country is taken for one.
        TON_UNKNOWN if digits.len() > SHORT_CODE => {
            numbering.normalise(digits).ok().filter(|number| number.reveal().starts_with(&numbering.country_code))
        }
        _ => None,
    }
}
