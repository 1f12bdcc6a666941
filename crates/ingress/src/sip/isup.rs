//! What an encapsulated IAM says of a forwarded call (ITU-T Q.763; ITU-T Q.1912.5 profile C).

use std::fmt;

use itu_isup::{Message, MessageType, ParameterType};
use model::{Msisdn, Numbering};

use super::settings::Party;

/// The longest ISUP message: the signalling information field of MTP has 272 octets (Q.703 §2.3.8).
const MAX_OCTETS: usize = 272;

/// An IAM, as far as it is of use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Iam {
    /// Called Party Number: the number that was forwarded to.
    called: Option<Number>,
    /// Calling Party Number.
    pub(super) calling: Option<Number>,
    /// Redirecting Number: the last to forward.
    pub(super) redirecting: Option<Number>,
    /// Original Called Number: the first to forward.
    pub(super) original: Option<Number>,
    /// Redirection Information, as it came.
    redirection: Vec<u8>,
}

/// A number with what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number(itu_isup::Number);

impl Iam {
    /// Reads an IAM that begins with its message type.
    pub(super) fn read(isup: &[u8]) -> Result<Self, &'static str> {
        if isup.len() > MAX_OCTETS {
            return Err("it is longer than an ISUP message can be");
        }
        let mut octets = Vec::with_capacity(isup.len() + 2);
        // On a circuit's link its identification code comes first.
        octets.extend_from_slice(&[0, 0]);
        octets.extend_from_slice(isup);
        correct_pointer(&mut octets);
        let message = Message::decode(&octets).map_err(|_| "it is malformed")?;
        if message.message_type != MessageType::Iam {
            return Err("it is no IAM");
        }
        let number = |code| message.find(code).map(|it| it.as_number().map(Number)).transpose();
        let malformed = |_| "a number in it is malformed";
        Ok(Self {
            called: number(ParameterType::CalledPartyNumber).map_err(malformed)?,
            calling: number(ParameterType::CallingPartyNumber).map_err(malformed)?,
            redirecting: number(ParameterType::RedirectingNumber).map_err(malformed)?,
            original: number(ParameterType::OriginalCalledNumber).map_err(malformed)?,
            redirection: message
                .find(ParameterType::RedirectionInformation)
                .map_or_else(Vec::new, |it| it.value.clone()),
        })
    }

    /// Who counts as having missed the call, where a redirection is told of, and the name of the parameter.
    pub(super) fn diverting(&self, party: Party) -> Option<(&Number, &'static str)> {
        let redirecting = self.redirecting.as_ref().map(|number| (number, "redirecting number"));
        let original = self.original.as_ref().map(|number| (number, "original called number"));
        match party {
            Party::Last => redirecting.or(original),
            Party::First => original.or(redirecting),
        }
    }

    /// The redirecting reason (Q.763 §3.45): the last one, or the original one.
    pub(super) fn redirecting_reason(&self, party: Party) -> Option<u8> {
        let octet = match party {
            Party::Last => self.redirection.get(1),
            Party::First => self.redirection.first(),
        };
        octet.map(|octet| octet >> 4)
    }

    /// A number in international form, by its nature of address.
    ///
    /// Gateways are about that write national numbers with the country code. One of them is known by the called party number:
    /// the Request-URI holds the same number (`service`) in international form. A number of such a gateway without the country code is
    /// national all the same.
    pub(super) fn international(
        &self,
        number: &Number,
        service: Option<Msisdn>,
        numbering: &Numbering,
    ) -> Result<Msisdn, &'static str> {
        let has_country = |called: &Number| {
            called.nature() == NATIONAL && service.is_some() && Msisdn::international(called.digits()).ok() == service
        };
        number.international(numbering, self.called.as_ref().is_some_and(has_country))
    }
}

/// The places in an IAM of the pointers to the called party number and to the optional part (Q.763 §1.5, table 32), the identification code
/// counted in.
const CALLED_POINTER: usize = 8;
const OPTIONAL_POINTER: usize = 9;

/// Lets an optional part that would begin within the called party number begin behind it: it can't be meant otherwise, and a digit zero
/// there would read as the end of the parameters.
fn correct_pointer(octets: &mut [u8]) -> Option<()> {
    let called = CALLED_POINTER + usize::from(*octets.get(CALLED_POINTER)?);
    let end = called + 1 + usize::from(*octets.get(called)?);
    let pointer = octets.get_mut(OPTIONAL_POINTER)?;
    let optional = OPTIONAL_POINTER + usize::from(*pointer);
    if *pointer != 0 && called < optional && optional < end {
        *pointer = u8::try_from(end - OPTIONAL_POINTER).ok()?;
    }
    Some(())
}

/// Nature of address indicators (Q.763 §3.9 b).
const SUBSCRIBER: u8 = 1;
const NATIONAL: u8 = 3;
const INTERNATIONAL: u8 = 4;

/// Address presentation restricted indicators (Q.763 §3.10 e).
const RESTRICTED: u8 = 1;
const RESTRICTED_BY_NETWORK: u8 = 3;

impl Number {
    /// Whether its owner or the network wants it hidden (Q.763 §3.10 e).
    pub(super) fn is_restricted(&self) -> bool {
        matches!(self.0.presentation(), RESTRICTED | RESTRICTED_BY_NETWORK)
    }

    fn nature(&self) -> u8 {
        self.0.nature_of_address
    }

    /// The digits, without the end of pulsing signal.
    pub(super) fn digits(&self) -> &str {
        self.0.digits.trim_end_matches('f')
    }

    /// Whether it is of the plan of E.164; gateways that leave the indicator at zero mean that.
    fn is_e164(&self) -> bool {
        matches!(self.0.numbering_plan(), 0 | 1)
    }

    fn international(&self, numbering: &Numbering, has_country: bool) -> Result<Msisdn, &'static str> {
        if !self.is_e164() {
            return Err("of another numbering plan than E.164");
        }
        let digits = self.digits();
        let read = match self.nature() {
            INTERNATIONAL => Msisdn::international(digits),
            NATIONAL if has_country && digits.starts_with(&numbering.country_code) => Msisdn::international(digits),
            NATIONAL if !digits.is_empty() => {
                Msisdn::international(&format!("{}{}", numbering.country_code, significant(digits, numbering)))
            }
            SUBSCRIBER if lacks_area(digits, numbering) => return Err("a subscriber number without its area code"),
            _ => numbering.normalise(digits),
        };
        read.map_err(super::extract::why)
    }
}

/// Whether a subscriber number is one of some area, where there are areas: then it may be anybody's. Gateways are about that mark whole
/// numbers as subscriber numbers; those show a prefix or the country code.
fn lacks_area(digits: &str, numbering: &Numbering) -> bool {
    let as_it_stands = Msisdn::international(&format!("{}{digits}", numbering.country_code));
    !numbering.national_prefix.is_empty() && as_it_stands == numbering.normalise(digits)
}

/// A national number without the national prefix, which some gateways leave on it: where that begins with 0, or is the country code as in
/// North America, no national number begins with it. One such as `8` may be the first digit of an area code.
fn significant<'a>(digits: &'a str, numbering: &Numbering) -> &'a str {
    let prefix = numbering.national_prefix.as_str();
    let is_apart = prefix.starts_with('0') || (!prefix.is_empty() && prefix == numbering.country_code);
    digits.strip_prefix(prefix).filter(|_| is_apart).unwrap_or(digits)
}

/// Digits, nature of address and presentation.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nature = match self.nature() {
            SUBSCRIBER => "subscriber number",
            NATIONAL => "national",
            INTERNATIONAL => "international",
            _ => "unknown nature",
        };
        let presentation = match self.0.presentation() {
            0 => "",
            RESTRICTED => ", restricted",
            RESTRICTED_BY_NETWORK => ", restricted by the network",
            _ => ", not available",
        };
        write!(f, "{} ({nature}{presentation})", self.digits())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use itu_isup::{Number as Written, Parameter};
    use proptest::prelude::*;

    /// An IAM to `called` with optional parameters, from its message type on.
    pub(in crate::sip) fn iam(called: &Written, parameters: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut iam = Message::iam(0, 0, 0x2000, 10, 0, called).unwrap();
        for (code, value) in parameters {
            iam = iam.with_optional(Parameter::new(ParameterType::from_u8(*code), value.clone()));
        }
        iam.encode().unwrap().split_off(2)
    }

    fn germany() -> Numbering {
        Numbering::new("49", "0", "00")
    }

    #[test]
    fn numbers_are_read_by_their_nature() {
        let service = Msisdn::international("4991100100").ok();
        let plain = Written::called(4, 1, false, "4991100100");
        let doubled = Written::called(3, 1, false, "4991100100");
        for (called, nature, plan, digits, expected) in [
            (&plain, 4, 1, "4530405060", Ok("4530405060")),
            (&plain, 3, 1, "15112345678", Ok("4915112345678")),
            // A national number that begins like the country code is national all the same,
            (&plain, 3, 1, "492112345", Ok("49492112345")),
            // but where the gateway shows that it writes the country code.
            (&doubled, 3, 1, "4915112345678", Ok("4915112345678")),
            (&doubled, 3, 1, "15112345678", Ok("4915112345678")),
            // The national prefix does not belong there, but is seen.
            (&plain, 3, 1, "015112345678", Ok("4915112345678")),
            (&plain, 1, 1, "015112345678", Ok("4915112345678")),
            (&plain, 1, 1, "4915112345678", Ok("4915112345678")),
            (&plain, 1, 1, "12345678", Err("a subscriber number without its area code")),
            (&plain, 2, 1, "015112345678", Ok("4915112345678")),
            (&plain, 2, 0, "004530405060", Ok("4530405060")),
            (&plain, 4, 1, "0530405060", Err("outside the numbering plan: no country code begins with 0")),
            (&plain, 4, 1, "4530405060f", Ok("4530405060")),
            (&plain, 4, 1, "45304b5060", Err("not a telephone number")),
            (&plain, 4, 5, "4530405060", Err("of another numbering plan than E.164")),
            (&plain, 3, 1, "", Err("no number in it")),
            (&plain, 4, 1, "12345", Err("outside the numbering plan: too short")),
        ] {
            let number = Written::redirecting(nature, plan, 0, digits).encode().unwrap();
            let iam = Iam::read(&iam(called, &[(0x0b, number)])).unwrap();
            let (redirecting, _) = iam.diverting(Party::Last).unwrap();
            let read = iam.international(redirecting, service, &germany()).map(Msisdn::reveal);
            assert_eq!(read.as_deref().map_err(|why| *why), expected, "{nature} {digits}");
        }
    }

    #[test]
    fn a_national_prefix_is_taken_off_where_no_number_begins_with_it() {
        let plan = |country: &str, prefix: &str| Numbering::new(country, prefix, "00");
        for (numbering, digits, expected) in [
            (plan("49", "0"), "015112345678", "4915112345678"),
            (plan("36", "06"), "06201234567", "36201234567"),
            (plan("1", "1"), "12025550100", "12025550100"),
            (plan("1", "1"), "2025550100", "12025550100"),
            // An area code of Russia, where 8 is the prefix; an Italian number, where there is none.
            (plan("7", "8"), "8121234567", "78121234567"),
            (plan("39", ""), "0612345678", "390612345678"),
        ] {
            let number = Number(Written::redirecting(3, 1, 0, digits));
            assert_eq!(
                number.international(&numbering, false).map(Msisdn::reveal).as_deref(),
                Ok(expected),
                "{digits}"
            );
        }
    }

    #[test]
    fn the_parties_of_a_redirection_are_told_apart() {
        let called = Written::called(4, 1, false, "4991100100");
        let number = |digits| Written::redirecting(4, 1, 1, digits).encode().unwrap();
        let both = iam(&called, &[(0x28, number("491111111")), (0x0b, number("492222222")), (0x13, vec![0x23, 0x62])]);
        let both = Iam::read(&both).unwrap();
        let of = |iam: &Iam, party| iam.diverting(party).map(|(number, _)| number.digits().to_owned());
        assert_eq!(of(&both, Party::Last).as_deref(), Some("492222222"));
        assert_eq!(of(&both, Party::First).as_deref(), Some("491111111"));
        assert_eq!((both.redirecting_reason(Party::Last), both.redirecting_reason(Party::First)), (Some(6), Some(2)));
        let original = Iam::read(&iam(&called, &[(0x28, number("491111111")), (0x13, vec![0x20])])).unwrap();
        assert_eq!(of(&original, Party::Last).as_deref(), Some("491111111"));
        assert_eq!(original.redirecting_reason(Party::Last), None);
        assert_eq!(Iam::read(&iam(&called, &[])).unwrap().diverting(Party::Last), None);
    }

    #[test]
    fn an_optional_part_begins_behind_the_called_number() {
        let called = Written::called(4, 1, false, "4991100100");
        let right = iam(&called, &[(0x0b, Written::redirecting(4, 1, 0, "4530405060").encode().unwrap())]);
        let pointer = OPTIONAL_POINTER - 2;
        for wrong in 2..right[pointer] {
            let mut message = right.clone();
            message[pointer] = wrong;
            assert_eq!(Iam::read(&message), Iam::read(&right), "{wrong}");
        }
        let mut none = right;
        none[pointer] = 0;
        assert_eq!(Iam::read(&none).unwrap().redirecting, None);
    }

    #[test]
    fn what_is_no_iam_says_why() {
        let called = Written::called(4, 1, false, "4991100100");
        for (octets, why) in [
            (vec![], "it is malformed"),
            (vec![1], "it is malformed"),
            (vec![6, 0, 0, 0], "it is no IAM"),
            (vec![0xff, 0, 0], "it is malformed"),
            (iam(&called, &[(0x0b, vec![3])]), "a number in it is malformed"),
            (vec![1; 300], "it is longer than an ISUP message can be"),
        ] {
            assert_eq!(Iam::read(&octets), Err(why), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..300), numbers in "[0-9]{1,20}") {
            let _ = Iam::read(&octets);
            let called = Written::called(3, 1, false, &numbers);
            let mut real = iam(&called, &[(0x0b, called.encode().unwrap()), (0x13, vec![0x21, 0x11])]);
            for (at, by) in octets.iter().enumerate().filter(|(_, by)| **by < 8) {
                if let Some(octet) = real.get_mut(at) {
                    *octet ^= 1 << by;
                }
            }
            if let Ok(iam) = Iam::read(&real) {
                for number in [&iam.calling, &iam.redirecting, &iam.original].into_iter().flatten() {
                    let _ = iam.international(number, None, &germany());
                    let _ = number.to_string();
                }
            }
        }
    }
}
