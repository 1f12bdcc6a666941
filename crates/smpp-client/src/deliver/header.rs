//! The user data header before a text (3GPP TS 23.040 §9.2.3.24): where it ends, and which part of a message follows.

use model::ReplyPart;

/// Information elements that join the parts of a message, with an 8-bit and a 16-bit reference; others (ports, and so on) are passed over.
const CONCATENATED: u8 = 0x00;
const CONCATENATED_16: u8 = 0x08;

/// A message, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct UserData<'a> {
    /// Octets of the header, its length octet included; 0 without one.
    pub(super) header: usize,
    /// Which part it is, where the header says so and makes sense.
    pub(super) part: Option<ReplyPart>,
    /// What follows the header.
    pub(super) text: &'a [u8],
}

impl<'a> UserData<'a> {
    /// A header that is longer than the message is no header.
    pub(super) fn of(message: &'a [u8], has_header: bool) -> Self {
        let none = Self { header: 0, part: None, text: message };
        let Some((&length, rest)) = message.split_first().filter(|_| has_header) else { return none };
        let Some((elements, text)) = rest.split_at_checked(usize::from(length)) else { return none };
        let part = self::elements(elements).find_map(|(id, value)| match (id, value) {
            (CONCATENATED, &[reference, total, number]) => part(u16::from(reference), total, number),
            (CONCATENATED_16, &[high, low, total, number]) => part(u16::from_be_bytes([high, low]), total, number),
            _ => None,
        });
        Self { header: elements.len() + 1, part, text }
    }
}

/// The information elements, id and value, up to one that ends after the header.
fn elements(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut left = header;
    std::iter::from_fn(move || {
        let (&[id, length], rest) = left.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        left = rest;
        Some((id, value))
    })
}

/// A part of a message; `None` where the numbers make no sense: such a header is to be ignored (3GPP TS 23.040 §9.2.3.24.1).
pub(super) fn part(reference: u16, total: u8, number: u8) -> Option<ReplyPart> {
    (total >= 2 && (1..=total).contains(&number)).then_some(ReplyPart { reference, total, number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_where_it_says_and_tells_the_part() {
        let some = |reference, total, number| Some(ReplyPart { reference, total, number });
        for (message, header, part) in [
            (&b"\x05\x00\x03\x07\x02\x01ab"[..], 6, some(7, 2, 1)),
            (b"\x06\x08\x04\x01\x07\x02\x02ab", 7, some(0x107, 2, 2)),
            (b"\x06\x05\x04\x0b\x84\x23\xf0ab", 7, None),
            (b"\x0b\x05\x04\x0b\x84\x23\xf0\x00\x03\x07\x03\x03ab", 12, some(7, 3, 3)),
            (b"\x05\x00\x03\x07\x02\x00ab", 6, None),
            (b"\x05\x00\x03\x07\x02\x03ab", 6, None),
            (b"\x05\x00\x03\x07\x01\x01ab", 6, None),
            (b"\x05\x00\x03\x07\x00\x00ab", 6, None),
            (b"\x05\x00\x09\x07\x02\x01ab", 6, None),
            (b"\x04\x00\x02\x07\x02ab", 5, None),
            (b"\x00ab", 1, None),
            (b"\x40ab", 0, None),
            (b"", 0, None),
        ] {
            let data = UserData::of(message, true);
            assert_eq!((data.header, data.part, data.text), (header, part, &message[header..]), "{message:?}");
            assert_eq!(UserData::of(message, false), UserData { header: 0, part: None, text: message });
        }
    }
}
