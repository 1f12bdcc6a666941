//! Telephone numbers and short message addresses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A subscriber's number in international form (E.164): 7 to 15 digits, no leading zero, no `+`.
///
/// `Display` and `Debug` mask it (`86*********01`); [`Msisdn::reveal`] gives the digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Msisdn(u64);

/// Why a text is not a subscriber's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing was given.
    #[error("no number")]
    Empty,
    /// Something other than digits, a leading `+`, and the separators people write.
    #[error("not a telephone number: only digits and a leading + are allowed")]
    NotDigits,
    /// Fewer than 7 digits in international form.
    #[error("outside the numbering plan: fewer than 7 digits in international form")]
    TooShort,
    /// More than 15 digits (E.164 §6.2.1).
    #[error("outside the numbering plan: more than 15 digits (E.164)")]
    TooLong,
    /// No country code begins with zero.
    #[error("outside the numbering plan: no country code begins with 0")]
    LeadingZero,
}

const SHORTEST: u64 = 1_000_000;
const LONGEST: u64 = 999_999_999_999_999;

impl Msisdn {
    /// Reads international digits, with or without a leading `+`.
    ///
    /// # Errors
    /// When it is not a number of 7 to 15 digits that begins with 1 to 9.
    pub fn international(text: &str) -> Result<Self, NumberError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() {
            return Err(NumberError::Empty);
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberError::NotDigits);
        }
        if digits.starts_with('0') {
            return Err(NumberError::LeadingZero);
        }
        if digits.len() > 15 {
            return Err(NumberError::TooLong);
        }
        let value = digits.parse::<u64>().map_err(|_| NumberError::TooLong)?;
        Self::try_from(value)
    }

    /// The digits, unmasked: for the wire, the database and those allowed to see them.
    #[must_use]
    pub fn reveal(self) -> String {
        self.0.to_string()
    }

    /// The number as an integer, the key of every table.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Msisdn {
    type Error = NumberError;
    fn try_from(value: u64) -> Result<Self, NumberError> {
        match value {
            0..SHORTEST => Err(NumberError::TooShort),
            SHORTEST..=LONGEST => Ok(Self(value)),
            _ => Err(NumberError::TooLong),
        }
    }
}

impl From<Msisdn> for u64 {
    fn from(number: Msisdn) -> Self {
        number.0
    }
}

/// Writes digits with all but the first two and the last two hidden; up to six digits are a service code and stay as they are.
fn mask(digits: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if digits.len() <= 6 {
        return f.write_str(digits);
    }
    let shown = 2;
    for (place, digit) in digits.chars().enumerate() {
        let hidden = place >= shown && place + shown < digits.len();
        write!(f, "{}", if hidden { '*' } else { digit })?;
    }
    Ok(())
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        mask(&self.reveal(), f)
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number too short to be international: a short code, or a number of a private plan. 1 to 15 digits, leading zeros kept.
///
/// Printed as it is when it has at most 6 digits (a service code is nobody's number), else masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShortNumber(String);

impl ShortNumber {
    /// Reads 1 to 15 digits; leading zeros count.
    ///
    /// # Errors
    /// When there are none, too many, or something else.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        match text {
            "" => Err(NumberError::Empty),
            _ if !text.bytes().all(|b| b.is_ascii_digit()) => Err(NumberError::NotDigits),
            _ if text.len() > 15 => Err(NumberError::TooLong),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ShortNumber {
    type Error = NumberError;
    fn try_from(text: String) -> Result<Self, NumberError> {
        Self::parse(&text)
    }
}

impl From<ShortNumber> for String {
    fn from(number: ShortNumber) -> Self {
        number.0
    }
}

impl fmt::Display for ShortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        mask(&self.0, f)
    }
}

impl fmt::Debug for ShortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How numbers are written in this network: turns what the core network sends into E.164.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// Country code, such as `86`.
    pub country_code: String,
    /// What precedes a national number, such as `0`; may be empty.
    pub national_prefix: String,
    /// What precedes an international number, such as `00`; may be empty.
    pub international_prefix: String,
    /// Digits of the shortest national number, without its prefix: 7 in many plans, 10 where every number has ten. It tells a national number
    /// that begins like the country code from an international one.
    pub shortest_national: usize,
}

impl Numbering {
    /// [`Numbering::shortest_national`] unless it is told otherwise.
    pub const SHORTEST_NATIONAL: usize = 7;

    /// A plan with this country code and these prefixes, without `+`; either may be empty.
    #[must_use]
    pub fn new(country_code: &str, national_prefix: &str, international_prefix: &str) -> Self {
        Self {
            country_code: country_code.to_owned(),
            national_prefix: national_prefix.to_owned(),
            international_prefix: international_prefix.to_owned(),
            shortest_national: Self::SHORTEST_NATIONAL,
        }
    }

    /// Normalises a number as written by a person or a switch to E.164.
    ///
    /// In this order: `+` or the international prefix → international; the national prefix (one other than 0 only where enough digits follow) → national; bare digits are international when they begin
    /// with the country code and at least [`Numbering::shortest_national`] digits follow it, else national. Spaces, hyphens, dots and parentheses are passed over.
    ///
    /// # Errors
    /// When it is not a number, or outside the numbering plan.
    pub fn normalise(&self, text: &str) -> Result<Msisdn, NumberError> {
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        if let Some(international) = bare.strip_prefix('+') {
            return Msisdn::international(international);
        }
        if bare.is_empty() {
            return Err(NumberError::Empty);
        }
        if !bare.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberError::NotDigits);
        }
        if let Some(international) = prefixed(&bare, &self.international_prefix) {
            return Msisdn::international(international);
        }
        // No national number begins with the prefix 0. One like 8 may begin a number too: then what would be left is too short.
        let is_prefixed = |rest: &&str| self.national_prefix.starts_with('0') || rest.len() >= self.shortest_national;
        if let Some(national) = prefixed(&bare, &self.national_prefix).filter(is_prefixed) {
            return Msisdn::international(&format!("{}{national}", self.country_code));
        }
        match prefixed(&bare, &self.country_code) {
            Some(rest) if rest.len() >= self.shortest_national => Msisdn::international(&bare),
            _ => Msisdn::international(&format!("{}{bare}", self.country_code)),
        }
    }
}

fn prefixed<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    if prefix.is_empty() { None } else { digits.strip_prefix(prefix) }
}

/// Where a short message comes from or goes to (SMPP 3.4 §5.2.5).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// A number in international form: TON 1, NPI 1.
    International(Msisdn),
    /// A service code: TON 3, NPI 0.
    ShortCode(ShortNumber),
    /// A name of 1 to 11 characters of the GSM alphabet: TON 5, NPI 0.
    Alphanumeric(String),
}

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an originator: a number with +, a service code of digits, or a name of 1 to 11 ASCII letters, digits, spaces, hyphens, dots and underscores"
)]
pub struct AddressError;

impl Address {
    /// Reads an originator: `+` and digits is a number, digits alone a service code, anything else a name.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(international) = text.strip_prefix('+') {
            return Msisdn::international(international).map(Self::International).map_err(|_| AddressError);
        }
        if let Ok(code) = ShortNumber::parse(text) {
            return Ok(Self::ShortCode(code));
        }
        let named = (1..=11).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'.' | b'_'));
        if named { Ok(Self::Alphanumeric(text.to_owned())) } else { Err(AddressError) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::International(number) => number.fmt(f),
            Self::ShortCode(code) => code.fmt(f),
            Self::Alphanumeric(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn china() -> Numbering {
        Numbering::new("86", "0", "00")
    }

    #[test]
    fn numbers_are_normalised_by_the_plan() {
        for (written, digits) in [
            ("+8613911112222", "8613911112222"),
            ("008613911112222", "8613911112222"),
            ("013911112222", "8613911112222"),
            ("13911112222", "8613911112222"),
            ("8613911112222", "8613911112222"),
            ("+45 30 40 50 60", "4530405060"),
            ("(010) 8888-9999", "861088889999"),
        ] {
            assert_eq!(china().normalise(written).map(Msisdn::reveal), Ok(digits.to_owned()), "{written}");
        }
        let denmark = Numbering { country_code: "45".into(), national_prefix: String::new(), ..china() };
        assert_eq!(denmark.normalise("45123456").unwrap().reveal(), "4545123456");
    }

    #[test]
    fn what_is_not_a_number_says_why() {
        for (written, why) in [
            ("", NumberError::Empty),
            ("+", NumberError::Empty),
            ("3", NumberError::TooShort),
            ("+0123456789", NumberError::LeadingZero),
            ("+123456789012345678901234567890", NumberError::TooLong),
            ("anonymous", NumberError::NotDigits),
            ("１３９", NumberError::NotDigits),
        ] {
            assert_eq!(china().normalise(written), Err(why), "{written}");
        }
    }

    #[test]
    fn numbers_are_masked_when_printed() {
        let number = Msisdn::international("8613911112222").unwrap();
        assert_eq!(format!("{number} {number:?}"), "86*********22 86*********22");
        assert_eq!(ShortNumber::parse("0012").unwrap().to_string(), "0012");
        assert_eq!(ShortNumber::parse("13911112222").unwrap().to_string(), "13*******22");
    }

    #[test]
    fn originators_are_told_apart() {
        assert_eq!(Address::parse("0012"), Ok(Address::ShortCode(ShortNumber::parse("0012").unwrap())));
        assert_eq!(Address::parse("Missed-Call"), Ok(Address::Alphanumeric("Missed-Call".into())));
        assert_eq!(Address::parse("much too long a name"), Err(AddressError));
        assert!(matches!(Address::parse("+8613911112222"), Ok(Address::International(_))));
    }

    #[test]
    fn a_national_number_may_begin_like_the_country_code_or_the_prefix() {
        for (country, prefix, shortest, written, read) in [
            ("91", "0", 10, "9123456789", "919123456789"),
            ("91", "0", 10, "919123456789", "919123456789"),
            ("91", "0", 7, "9123456789", "9123456789"),
            ("39", "", 9, "3931234567", "393931234567"),
            ("7", "8", 10, "8121234567", "78121234567"),
            ("7", "8", 10, "88121234567", "78121234567"),
            ("7", "8", 10, "78121234567", "78121234567"),
            ("86", "0", 7, "0101234", "86101234"),
        ] {
            let plan = Numbering {
                country_code: country.into(),
                national_prefix: prefix.into(),
                international_prefix: "00".into(),
                shortest_national: shortest,
            };
            assert_eq!(plan.normalise(written).map(Msisdn::reveal), Ok(read.to_owned()), "{country} {written}");
        }
    }

    proptest! {
        #[test]
        fn normalising_never_panics_and_is_stable(text in "\\PC{0,40}") {
            if let Ok(number) = china().normalise(&text) {
                prop_assert_eq!(china().normalise(&format!("+{}", number.reveal())), Ok(number));
            }
        }
    }
}
