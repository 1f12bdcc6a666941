//! How one text is coded: for the air interface, and for the SMSC that brings it there.

use std::borrow::Cow;

use model::Coding;

use crate::septets;
use crate::writing::{Charset, Writing};

/// `data_coding` of the SMSC's default alphabet, and of UCS-2 (SMPP 3.4 §5.2.19).
const DEFAULT: u8 = 0;
const UCS2: u8 = 8;

/// How a text is coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Script {
    /// What the handset gets: parts are counted in its units.
    pub(crate) coding: Coding,
    /// What the SMSC gets, where the handset gets the GSM alphabet.
    charset: Charset,
    packed: bool,
}

impl Script {
    /// The coding of a text, and its units in it.
    pub(crate) fn of(text: &str, writing: &Writing) -> (Self, usize) {
        let charset = writing.charset;
        let packed = writing.packed && charset == Charset::Gsm;
        let (coding, units) = match model::units(text) {
            (Coding::Gsm7, units) if charset == Charset::Gsm || charset.holds(text) => (Coding::Gsm7, units),
            (Coding::Gsm7, _) => (Coding::Ucs2, text.encode_utf16().count()),
            (Coding::Ucs2, units) => (Coding::Ucs2, units),
        };
        (Self { coding, charset, packed }, units)
    }

    pub(crate) const fn data_coding(self) -> u8 {
        match self.coding {
            Coding::Gsm7 => DEFAULT,
            Coding::Ucs2 => UCS2,
        }
    }

    /// The octets of the text, or of a part of it, behind a user data header of so many octets.
    pub(crate) fn encode(self, text: &str, header: usize) -> Cow<'_, [u8]> {
        match self.coding {
            Coding::Ucs2 => Cow::Owned(model::encode_ucs2(text)),
            Coding::Gsm7 if self.packed => Cow::Owned(septets::pack(&self.charset.encode(text), septets::fill(header))),
            Coding::Gsm7 => self.charset.encode(text),
        }
    }

    /// A bound of the octets of a text that fits one message: only UTF-8 has more of them than the air interface has units.
    pub(crate) fn octets_at_most(self, text: &str) -> usize {
        if self.is_utf8() { text.len() } else { 0 }
    }

    /// Cuts a text by units, and by octets where these may be more.
    pub(crate) fn cut(self, text: &str, units: usize, octets: usize) -> Vec<&str> {
        model::cut(text, self.coding, units, if self.is_utf8() { octets } else { usize::MAX })
    }

    fn is_utf8(self) -> bool {
        self.coding == Coding::Gsm7 && self.charset == Charset::Utf8
    }
}
