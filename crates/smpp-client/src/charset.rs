//! Texts in the charset that an SMSC takes for its default (SMPP 3.4 §5.2.19), both ways.

use std::borrow::Cow;

use crate::writing::Charset;

impl Charset {
    /// Whether each character of a text has a code.
    pub(crate) fn holds(self, text: &str) -> bool {
        match self {
            Self::Gsm => model::units(text).0 == model::Coding::Gsm7,
            Self::Latin1 => text.chars().all(|character| u8::try_from(character).is_ok()),
            Self::Ascii => text.is_ascii(),
            Self::Utf8 => true,
        }
    }

    /// The octets of a text that it [holds](Self::holds).
    pub(crate) fn encode(self, text: &str) -> Cow<'_, [u8]> {
        debug_assert!(self.holds(text));
        match self {
            Self::Gsm => Cow::Owned(model::encode_gsm(text).unwrap_or_default()),
            Self::Latin1 => Cow::Owned(text.chars().filter_map(|character| u8::try_from(character).ok()).collect()),
            Self::Ascii | Self::Utf8 => Cow::Borrowed(text.as_bytes()),
        }
    }

    /// The text of any octets; what has no meaning in the charset is read as what it most likely is, else as U+FFFD.
    pub(crate) fn decode(self, octets: &[u8]) -> String {
        match self {
            Self::Gsm => model::decode_gsm(octets),
            Self::Latin1 => latin1(octets),
            Self::Ascii | Self::Utf8 => match std::str::from_utf8(octets) {
                Ok(text) => text.to_owned(),
                Err(_) => latin1(octets),
            },
        }
    }
}

/// ISO 8859-1: each octet is the character of that number.
pub(crate) fn latin1(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Charset; 4] = [Charset::Gsm, Charset::Latin1, Charset::Ascii, Charset::Utf8];

    #[test]
    fn each_charset_holds_what_it_has_codes_for() {
        for (text, held) in [
            ("Call 12", [true, true, true, true]),
            ("é", [true, true, false, true]),
            ("Ω€", [true, false, false, true]),
            ("`", [false, true, true, true]),
            ("查", [false, false, false, true]),
        ] {
            assert_eq!(ALL.map(|charset| charset.holds(text)), held, "{text}");
        }
    }

    #[test]
    fn the_same_text_has_other_octets_in_each_charset() {
        let octets = [Charset::Gsm, Charset::Latin1, Charset::Utf8].map(|charset| charset.encode("@é").into_owned());
        assert_eq!(octets, [vec![0, 5], vec![b'@', 0xe9], "@é".as_bytes().to_vec()]);
        assert_eq!(*Charset::Ascii.encode("@"), *b"@");
    }

    proptest! {
        #[test]
        fn what_a_charset_holds_comes_back(text in "[ -~\u{a0}-ÿΓ-Ω€查\n]{0,200}") {
            for charset in ALL.into_iter().filter(|charset| charset.holds(&text)) {
                prop_assert_eq!(charset.decode(&charset.encode(&text)), text.as_str());
            }
        }
    }
}
