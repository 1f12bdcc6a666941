//! Addresses as an SMSC wants them written (SMPP 3.4 §5.2.5, §5.2.6, §5.2.8, §5.2.9).

use std::borrow::Cow;

use model::{Address, Coding, Msisdn, Numbering};

use crate::pdu::Pdu;
use crate::writing::{KindWriting, TonNpi};

/// Types of number.
const INTERNATIONAL: u8 = 1;
const NATIONAL: u8 = 2;

const NUMBER: TonNpi = TonNpi { ton: INTERNATIONAL, npi: 1 };
const SHORT_CODE: TonNpi = TonNpi { ton: 3, npi: 0 };
const NAME: TonNpi = TonNpi { ton: 5, npi: 0 };

/// Septets of an alphanumeric address (3GPP TS 23.040 §9.1.2.5).
const LONGEST_NAME: usize = 11;

/// Why a name can't be an originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceFault {
    /// It is empty.
    #[error("a name without a character")]
    Empty,
    /// More than 11 septets.
    #[error("a name of more than 11 characters of the GSM alphabet; those of its extension table count twice")]
    TooLong,
    /// A character that is not both in ASCII, which the field has, and in the GSM alphabet, which the handset has.
    #[error("a name with {0:?}, which is not in both ASCII and the GSM alphabet")]
    Character(char),
    /// Handsets would show it as a number, and SMSCs refuse it.
    #[error("a name of digits only")]
    OnlyDigits,
}

/// An address with its type and plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Written<'a> {
    kind: TonNpi,
    address: Cow<'a, str>,
}

impl Written<'_> {
    pub(crate) fn put(&self, pdu: &mut Pdu) {
        pdu.octet(self.kind.ton).octet(self.kind.npi).text(self.address.as_bytes());
    }
}

/// The originator, as the setting or else its own kind says.
///
/// # Errors
/// When a name can't be one.
pub(crate) fn source<'a>(
    address: &'a Address,
    writing: &KindWriting,
    numbering: &Numbering,
) -> Result<Written<'a>, SourceFault> {
    match address {
        Address::International(number) => Ok(subscriber(*number, writing.source.unwrap_or(NUMBER), numbering)),
        Address::ShortCode(code) => {
            Ok(Written { kind: writing.source.unwrap_or(SHORT_CODE), address: code.as_str().into() })
        }
        Address::Alphanumeric(name) => {
            check_name(name)?;
            Ok(Written { kind: writing.source.unwrap_or(NAME), address: name.into() })
        }
    }
}

/// The handset.
pub(crate) fn destination(number: Msisdn, writing: &KindWriting, numbering: &Numbering) -> Written<'static> {
    subscriber(number, writing.destination, numbering)
}

/// A national type takes the country code off; a number of another country has no national form, and stays international.
fn subscriber(number: Msisdn, kind: TonNpi, numbering: &Numbering) -> Written<'static> {
    let digits = number.reveal();
    if kind.ton != NATIONAL {
        return Written { kind, address: digits.into() };
    }
    match digits.strip_prefix(&numbering.country_code) {
        Some(national) => Written { kind, address: national.to_owned().into() },
        None => Written { kind: TonNpi { ton: INTERNATIONAL, ..kind }, address: digits.into() },
    }
}

fn check_name(name: &str) -> Result<(), SourceFault> {
    let mut septets = 0;
    for character in name.chars() {
        let units = Coding::Gsm7.units_of(character).filter(|_| character.is_ascii());
        septets += units.ok_or(SourceFault::Character(character))?;
    }
    match septets {
        0 => Err(SourceFault::Empty),
        _ if septets > LONGEST_NAME => Err(SourceFault::TooLong),
        _ if name.bytes().all(|octet| octet.is_ascii_digit()) => Err(SourceFault::OnlyDigits),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use model::ShortNumber;

    use super::*;

    fn written(address: &Address, writing: &KindWriting) -> Result<(u8, u8, String), SourceFault> {
        source(address, writing, &crate::settings_for_tests().numbering)
            .map(|written| (written.kind.ton, written.kind.npi, written.address.into_owned()))
    }

    fn name(name: &str) -> Address {
        Address::Alphanumeric(name.to_owned())
    }

    #[test]
    fn each_kind_of_source_has_its_type_and_plan_unless_it_is_set() {
        let number = Address::International(Msisdn::international("8613800000009").unwrap());
        let code = Address::ShortCode(ShortNumber::parse("012").unwrap());
        let own = KindWriting::default();
        let set = KindWriting { source: Some(TonNpi { ton: 6, npi: 9 }), ..KindWriting::default() };
        for (address, ton, npi, digits) in
            [(number, 1, 1, "8613800000009"), (code, 3, 0, "012"), (name("Missed-Call"), 5, 0, "Missed-Call")]
        {
            assert_eq!(written(&address, &own), Ok((ton, npi, digits.to_owned())));
            assert_eq!(written(&address, &set), Ok((6, 9, digits.to_owned())));
        }
    }

    #[test]
    fn a_name_that_no_handset_shows_is_told_why() {
        for (text, fault) in [
            ("", SourceFault::Empty),
            ("Missed-Calls", SourceFault::TooLong),
            ("0123456789[", SourceFault::TooLong),
            ("12599", SourceFault::OnlyDigits),
            ("Caf\u{e9}", SourceFault::Character('\u{e9}')),
            ("`", SourceFault::Character('`')),
            ("a\0b", SourceFault::Character('\0')),
            ("\u{67e5}", SourceFault::Character('\u{67e5}')),
        ] {
            assert_eq!(written(&name(text), &KindWriting::default()), Err(fault), "{text:?}");
        }
        for text in ["A", "1 call", "_", "012345678["] {
            assert!(written(&name(text), &KindWriting::default()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_national_number_has_no_country_code_and_one_of_another_country_stays_international() {
        let numbering = crate::settings_for_tests().numbering;
        let national = KindWriting { destination: TonNpi { ton: 2, npi: 1 }, ..KindWriting::default() };
        for (number, ton, digits) in [("8613800000001", 2, "13800000001"), ("491701234567", 1, "491701234567")] {
            let written = destination(Msisdn::international(number).unwrap(), &national, &numbering);
            assert_eq!(written, Written { kind: TonNpi { ton, npi: 1 }, address: digits.into() });
        }
    }
}
