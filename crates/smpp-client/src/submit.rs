//! From an order to the PDUs that carry it: `submit_sm` for each part (SMPP 3.4 §4.4.1), and `bind_transceiver` (§4.1.5).

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use model::{Address, Coding, Submit};
use rusmpp::encode::{Length, owned::Encode};
use rusmpp::pdus::{BindTransceiver, SubmitSm};
use rusmpp::types::{COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton};
use rusmpp::{Command, CommandStatus, Pdu};

use crate::settings::{LinkSettings, SettingsError};

/// Parts that an 8-bit reference can count (3GPP TS 23.040 §9.2.3.24.1).
const MOST_PARTS: usize = 255;

/// The longest validity that is asked for; more days don't fit two digits of one month.
const LONGEST_VALIDITY: Duration = Duration::from_secs(31 * 86_400);

/// A user data header follows in the text (SMPP 3.4 §5.2.12).
const UDHI: u8 = 0x40;

/// Why an order can't be put into PDUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsendable {
    /// More parts than can be numbered.
    #[error("a text of more than 255 parts")]
    TooLong,
    /// A source that no address field holds.
    #[error("a source address that does not fit its field")]
    Source,
}

/// The `submit_sm` PDUs of an order, in part order, with sequence number 0; `reference` joins the parts on the handset.
pub(crate) fn pdus(order: &Submit, reference: u8) -> Result<Vec<BytesMut>, Unsendable> {
    let segments = model::split(&order.text);
    let total = u8::try_from(segments.parts.len()).map_err(|_| Unsendable::TooLong)?;
    debug_assert!(usize::from(total) <= MOST_PARTS);
    let template = template(order, segments.coding)?;
    let mut pdus = Vec::with_capacity(segments.parts.len());
    for (number, part) in (1..=total).zip(&segments.parts) {
        let mut message = Vec::with_capacity(160);
        if total > 1 {
            message.extend([5, 0, 3, reference, total, number]);
        }
        match segments.coding {
            Coding::Gsm7 => message.extend(model::encode_gsm(part).map_err(|_| Unsendable::TooLong)?),
            Coding::Ucs2 => message.extend(model::encode_ucs2(part)),
        }
        let mut submit = template.clone();
        submit.esm_class = EsmClass::from(if total > 1 { UDHI } else { 0 });
        submit.set_short_message(OctetString::from_vec(message).map_err(|_| Unsendable::TooLong)?);
        pdus.push(encode(submit.into()));
    }
    Ok(pdus)
}

fn template(order: &Submit, coding: Coding) -> Result<SubmitSm, Unsendable> {
    let (ton, npi, source) = match &order.source {
        Address::International(number) => (Ton::International, Npi::Isdn, number.reveal()),
        Address::ShortCode(code) => (Ton::NetworkSpecific, Npi::Unknown, code.as_str().to_owned()),
        Address::Alphanumeric(name) => (Ton::Alphanumeric, Npi::Unknown, name.clone()),
    };
    let validity = EmptyOrFullCOctetString::from_string(validity_period(order.validity));
    let destination = COctetString::from_string(order.destination.reveal());
    Ok(SubmitSm::builder()
        .source_addr_ton(ton)
        .source_addr_npi(npi)
        .source_addr(COctetString::from_string(source).map_err(|_| Unsendable::Source)?)
        .dest_addr_ton(Ton::International)
        .dest_addr_npi(Npi::Isdn)
        .destination_addr(destination.unwrap_or_default())
        // The codec's default is 0x08, a delivery acknowledgement: handsets then get an empty status report.
        .esm_class(EsmClass::from(0u8))
        .validity_period(validity.unwrap_or_default())
        .registered_delivery(RegisteredDelivery::from(1u8))
        .data_coding(match coding {
            Coding::Gsm7 => DataCoding::McSpecific,
            Coding::Ucs2 => DataCoding::Ucs2,
        })
        .build())
}

/// The relative time format `YYMMDDhhmmsstnnR` (SMPP 3.4 §7.1.1), in whole seconds, up to 31 days; empty, which leaves it to the SMSC, for zero.
fn validity_period(validity: Duration) -> String {
    if validity.is_zero() {
        return String::new();
    }
    let seconds = validity.clamp(Duration::from_secs(1), LONGEST_VALIDITY).as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("0000{days:02}{hours:02}{minutes:02}{:02}000R", seconds % 60)
}

/// The `bind_transceiver` of a link, with sequence number 0.
pub(crate) fn bind(settings: &LinkSettings) -> Result<BytesMut, SettingsError> {
    let system_id = COctetString::from_string(settings.system_id.clone()).map_err(|_| SettingsError::SystemId)?;
    let password =
        COctetString::from_string(settings.password.reveal().to_owned()).map_err(|_| SettingsError::Password)?;
    let system_type = COctetString::from_string(settings.system_type.clone()).map_err(|_| SettingsError::SystemType)?;
    let bind = BindTransceiver::builder()
        .system_id(system_id)
        .password(password)
        .system_type(system_type)
        .interface_version(InterfaceVersion::Smpp3_4)
        .build();
    Ok(encode(bind.into()))
}

fn encode(pdu: Pdu) -> BytesMut {
    let command = Command::new(CommandStatus::EsmeRok, 0, pdu);
    let length = 4 + command.length();
    let mut octets = BytesMut::with_capacity(length);
    octets.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    command.encode(&mut octets);
    octets
}

#[cfg(test)]
mod tests {
    use model::{AlertId, Kind, Msisdn, Secret, ShortNumber};

    use super::*;

    fn order(source: Address, text: &str) -> Submit {
        Submit {
            alert: AlertId(1),
            attempt: 1,
            kind: Kind::Detail,
            source,
            destination: Msisdn::international("8613800000001").unwrap(),
            text: text.to_owned(),
            validity: Duration::from_secs(90_061),
            avoid: None,
        }
    }

    fn code() -> Address {
        Address::ShortCode(ShortNumber::parse("12599").unwrap())
    }

    #[test]
    fn a_submit_is_laid_out_octet_by_octet() {
        let pdus = pdus(&order(code(), "C@"), 9).unwrap();
        let mut expected = b"\0\0\0\x4b\0\0\0\x04\0\0\0\0\0\0\0\0".to_vec();
        expected.extend(b"\0\x03\x0012599\0\x01\x018613800000001\0\0\0\0\x00000001010101000R\0\x01\0\0\0\x02C\0");
        expected[3] = u8::try_from(expected.len()).unwrap();
        assert_eq!(pdus.len(), 1);
        assert_eq!(pdus[0][..], expected);
    }

    #[test]
    fn parts_share_a_reference_and_say_so_in_the_class() {
        let pdus = pdus(&order(Address::Alphanumeric("Missed-Call".into()), &"查".repeat(70 + 67)), 200).unwrap();
        assert_eq!(pdus.len(), 3);
        for (number, pdu) in (1..).zip(&pdus) {
            let at = pdu.windows(6).position(|octets| octets == [5, 0, 3, 200, 3, number]).unwrap();
            assert_eq!(pdu.len() - at, usize::from(pdu[at - 1]));
            assert_eq!(pdu[at - 3], 8, "data_coding");
            let class = 16 + 1 + 2 + 12 + 2 + 14;
            assert_eq!(pdu[class], 0x40, "esm_class");
        }
    }

    #[test]
    fn what_no_address_field_holds_is_told() {
        assert_eq!(pdus(&order(Address::Alphanumeric("é".into()), "C"), 0), Err(Unsendable::Source));
        assert_eq!(pdus(&order(Address::Alphanumeric("a".repeat(21)), "C"), 0), Err(Unsendable::Source));
        assert_eq!(pdus(&order(code(), &"a".repeat(153 * 255)), 0).map(|pdus| pdus.len()), Ok(255));
        assert_eq!(pdus(&order(code(), &"a".repeat(153 * 255 + 1)), 0), Err(Unsendable::TooLong));
    }

    #[test]
    fn validity_is_relative() {
        for (seconds, expected) in [
            (0, ""),
            (59, "000000000059000R"),
            (3_600, "000000010000000R"),
            (90_061, "000001010101000R"),
            (40 * 86_400, "000031000000000R"),
        ] {
            assert_eq!(validity_period(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(validity_period(Duration::from_millis(1)), "000000000001000R");
    }

    #[test]
    fn a_bind_is_laid_out_octet_by_octet_and_says_what_does_not_fit() {
        let mut settings = crate::settings_for_tests();
        let pdu = bind(&settings).unwrap();
        let expected = b"\0\0\0\x24\0\0\0\x09\0\0\0\0\0\0\0\0afterring\0secret\0\0\x34\0\0\0".to_vec();
        assert_eq!(pdu[4..], expected[4..]);
        assert_eq!(pdu[..4], u32::try_from(expected.len()).unwrap().to_be_bytes());
        settings.password = Secret::new("123456789".into());
        assert_eq!(bind(&settings), Err(SettingsError::Password));
        assert_eq!(settings.check(), Err(SettingsError::Password));
    }
}
