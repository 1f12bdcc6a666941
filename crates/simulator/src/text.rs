//! What a handset does with user data: header, alphabet, size limits (3GPP TS 23.038, TS 23.040), written apart from the gateway's.

use crate::pdu::Part;
use crate::smsc::DefaultAlphabet;

/// The GSM default alphabet in code order (3GPP TS 23.038 §6.2.1); U+001B stands for the escape.
const DEFAULT_ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// What follows the escape (3GPP TS 23.038 §6.2.1.1).
const EXTENSION: &str = "\u{a}\u{c}\u{14}^\u{28}{\u{29}}\u{2f}\\\u{3c}[\u{3d}~\u{3e}]\u{40}|\u{65}€";

const ESCAPE: u8 = 0x1b;

/// What is shown where nothing can be shown: tests see at once that something was cut in the middle.
const BROKEN: char = char::REPLACEMENT_CHARACTER;

/// How user data is written (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// One octet a character.
    Gsm,
    /// Eight characters in seven octets, after so many fill bits (3GPP TS 23.040 §9.2.3.24).
    Packed {
        fill: usize,
    },
    Latin1,
    Ucs2,
    Octets,
    /// What the centre makes GSM of before it goes to the phone.
    Recoded(Charset),
}

/// What a centre can make GSM of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Latin1,
    Ascii,
    Utf8,
}

impl Alphabet {
    /// What a `data_coding` means behind a header of so many octets, where 0 is `default`.
    pub(crate) fn of(data_coding: u8, default: DefaultAlphabet, header: usize) -> Self {
        match data_coding {
            0x00 => match default {
                DefaultAlphabet::Gsm => Self::Gsm,
                DefaultAlphabet::Packed => Self::Packed { fill: (7 - header * 8 % 7) % 7 },
                DefaultAlphabet::Latin1 => Self::Recoded(Charset::Latin1),
                DefaultAlphabet::Ascii => Self::Recoded(Charset::Ascii),
                DefaultAlphabet::Utf8 => Self::Recoded(Charset::Utf8),
            },
            0x03 => Self::Latin1,
            0x02 | 0x04 | 0xf4..=0xf7 => Self::Octets,
            0x08 => Self::Ucs2,
            0x10..=0x1f => match data_coding & 0x0c {
                0x04 => Self::Octets,
                0x08 => Self::Ucs2,
                _ => Self::Gsm,
            },
            _ => Self::Gsm,
        }
    }

    /// Whether a header of `header` octets and `body` fit into one short message of 140 octets (3GPP TS 23.040 §9.2.3.16).
    pub(crate) fn fits(self, header: usize, body: &[u8]) -> bool {
        let fits_septets = |septets: usize| (header * 8).div_ceil(7) + septets <= 160;
        match self {
            Self::Gsm => fits_septets(body.len()),
            Self::Recoded(_) => encode_gsm(&self.decode(body)).is_some_and(|octets| fits_septets(octets.len())),
            Self::Packed { .. } | Self::Latin1 | Self::Ucs2 | Self::Octets => header + body.len() <= 140,
        }
    }

    pub(crate) fn decode(self, octets: &[u8]) -> String {
        match self {
            Self::Gsm => decode_gsm(octets),
            Self::Packed { fill } => decode_gsm(&unpack(octets, fill)),
            Self::Latin1 | Self::Recoded(Charset::Latin1) => octets.iter().map(|octet| char::from(*octet)).collect(),
            Self::Recoded(Charset::Ascii) => {
                octets.iter().map(|octet| if octet.is_ascii() { char::from(*octet) } else { BROKEN }).collect()
            }
            Self::Recoded(Charset::Utf8) => String::from_utf8_lossy(octets).into_owned(),
            Self::Ucs2 => decode_ucs2(octets),
            Self::Octets => octets.iter().map(|octet| format!("{octet:02x}")).collect(),
        }
    }
}

/// Septets from octets (3GPP TS 23.038 §6.1.2.1). SMPP doesn't say how many there are: seven spare bits at the end are no `@` (§6.1.2.3.1 has a CR there).
fn unpack(octets: &[u8], fill: usize) -> Vec<u8> {
    let bit = |place: usize| octets.get(place / 8).is_some_and(|octet| octet >> (place % 8) & 1 == 1);
    let count = (octets.len() * 8).saturating_sub(fill) / 7;
    let septet = |index: usize| (0..7).fold(0, |code, place| code | u8::from(bit(fill + index * 7 + place)) << place);
    let mut codes: Vec<u8> = (0..count).map(septet).collect();
    let spare = octets.len() * 8 - fill.min(octets.len() * 8) - count * 7;
    if spare == 0 && count.is_multiple_of(8) && matches!(codes.last(), Some(0 | b'\r')) {
        codes.pop();
    }
    codes
}

fn default_character(code: u8) -> Option<char> {
    DEFAULT_ALPHABET.chars().nth(usize::from(code))
}

fn extensions() -> impl Iterator<Item = (u8, char)> {
    let mut characters = EXTENSION.chars();
    std::iter::from_fn(move || {
        let code = u8::try_from(characters.next()?).ok()?;
        Some((code, characters.next()?))
    })
}

/// One octet per septet, as SMPP carries them.
fn decode_gsm(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut codes = octets.iter().copied();
    while let Some(code) = codes.next() {
        let character = match code {
            b' '..=b'#' | b'%'..=b'?' | b'A'..=b'Z' | b'a'..=b'z' => Some(char::from(code)),
            // A phone that doesn't know what follows the escape shows the character of the default alphabet (§6.2.1.1).
            ESCAPE => codes.next().and_then(|next| {
                extensions().find(|(known, _)| *known == next).map(|(_, c)| c).or_else(|| default_character(next))
            }),
            code => default_character(code),
        };
        text.push(character.unwrap_or(BROKEN));
    }
    text
}

fn decode_ucs2(octets: &[u8]) -> String {
    let (pairs, odd) = octets.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let mut text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(BROKEN)).collect();
    if !odd.is_empty() {
        text.push(BROKEN);
    }
    text
}

fn encode_gsm(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    for character in text.chars().map(|c| if c == '\u{1b}' { BROKEN } else { c }) {
        if let Some(code) = DEFAULT_ALPHABET.chars().position(|c| c == character) {
            octets.push(u8::try_from(code).ok()?);
        } else {
            let (code, _) = extensions().find(|(_, c)| *c == character)?;
            octets.extend([ESCAPE, code]);
        }
    }
    Some(octets)
}

/// What a phone sends: user data with its header where there are several parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) data_coding: u8,
    pub(crate) header: bool,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Writes a text as a phone would: GSM where it can, else UCS-2; in parts where it is too long.
///
/// At most 255 parts; what is beyond is cut off, as on a phone.
pub(crate) fn write(text: &str, reference: u8) -> Written {
    let (data_coding, single, room, pieces) = match encode_gsm(text) {
        Some(_) => (0, 160, 153, pieces(text, |c| encode_gsm(c).unwrap_or_default())),
        None => (8, 140, 134, pieces(text, |c| c.encode_utf16().flat_map(u16::to_be_bytes).collect())),
    };
    let total: usize = pieces.iter().map(Vec::len).sum();
    if total <= single {
        return Written { data_coding, header: false, parts: vec![pieces.concat()] };
    }
    let mut bodies: Vec<Vec<u8>> = vec![Vec::new()];
    for piece in pieces {
        match bodies.last_mut().filter(|body| body.len() + piece.len() <= room) {
            Some(body) => body.extend(piece),
            None => bodies.push(piece),
        }
    }
    bodies.truncate(255);
    let count = u8::try_from(bodies.len()).unwrap_or(u8::MAX);
    let parts = (1..=count).zip(bodies).map(|(number, body)| {
        let mut part = vec![5, 0, 3, reference, count, number];
        part.extend(body);
        part
    });
    Written { data_coding, header: true, parts: parts.collect() }
}

/// The octets of each character: what may not be parted.
fn pieces(text: &str, encode: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut place = [0; 4];
    text.chars().map(|character| encode(character.encode_utf8(&mut place))).collect()
}

/// A header that is longer than the user data, or whose elements are longer than it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadHeader;

/// User data taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UserData<'a> {
    /// Octets of the header, its length octet included; 0 when there is none.
    pub(crate) header: usize,
    pub(crate) part: Option<Part>,
    pub(crate) body: &'a [u8],
}

/// Takes the user data header off (3GPP TS 23.040 §9.2.3.24).
pub(crate) fn take_header(user_data: &[u8]) -> Result<UserData<'_>, BadHeader> {
    let (length, rest) = user_data.split_first().ok_or(BadHeader)?;
    let (mut elements, body) = rest.split_at_checked(usize::from(*length)).ok_or(BadHeader)?;
    let mut part = None;
    while let [kind, length, rest @ ..] = elements {
        let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(BadHeader)?;
        match (kind, value) {
            (0x00, &[reference, total, number]) => {
                part = Some(Part { reference: reference.into(), total, number });
            }
            (0x08, &[high, low, total, number]) => {
                part = Some(Part { reference: u16::from_be_bytes([high, low]), total, number });
            }
            _ => {}
        }
        elements = rest;
    }
    // A part 0, or one beyond the total, is ignored: the message stands alone (§9.2.3.24.1).
    let part = part.filter(|part| part.number != 0 && part.number <= part.total);
    Ok(UserData { header: usize::from(*length) + 1, part, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_alphabet_has_its_landmarks() {
        assert_eq!(DEFAULT_ALPHABET.chars().count(), 128);
        for (code, character) in
            [(0x00, '@'), (0x02, '$'), (0x10, 'Δ'), (0x1f, 'É'), (0x24, '¤'), (0x40, '¡'), (0x7f, 'à')]
        {
            assert_eq!(default_character(code), Some(character), "{code:#04x}");
        }
        assert_eq!(decode_gsm(&[0x1b, 0x65, 0x1b, 0x3c, 0x1b, 0x41]), "€[A");
    }

    #[test]
    fn what_was_cut_in_the_middle_shows() {
        assert_eq!(decode_gsm(&[b'a', 0x1b]), "a\u{fffd}");
        assert_eq!(decode_gsm(&[0x80]), "\u{fffd}");
        assert_eq!(decode_ucs2(&[0xd8, 0x3d]), "\u{fffd}");
        assert_eq!(decode_ucs2(&[0x67, 0x2a, 0x63]), "未\u{fffd}");
    }

    #[test]
    fn a_long_reply_is_cut_between_characters() {
        let written = write(&"📞".repeat(36), 9);
        assert_eq!((written.data_coding, written.header, written.parts.len()), (8, true, 2));
        assert_eq!(written.parts[0][..6], [5, 0, 3, 9, 2, 1]);
        let first = take_header(&written.parts[0]).unwrap();
        assert_eq!(decode_ucs2(first.body), "📞".repeat(33));
        assert_eq!(first.part, Some(Part { reference: 9, total: 2, number: 1 }));
    }

    #[test]
    fn limits_are_those_of_one_short_message() {
        let latin1 = Alphabet::Recoded(Charset::Latin1);
        for (alphabet, header, most) in [
            (Alphabet::Gsm, 0, 160),
            (Alphabet::Gsm, 6, 153),
            (Alphabet::Packed { fill: 0 }, 0, 140),
            (Alphabet::Ucs2, 6, 134),
            (latin1, 0, 160),
        ] {
            assert!(alphabet.fits(header, &vec![b'a'; most]), "{alphabet:?}");
            assert!(!alphabet.fits(header, &vec![b'a'; most + 1]), "{alphabet:?}");
        }
        assert!(latin1.fits(0, &[b'['; 80]) && !latin1.fits(0, &[b'['; 81]), "two septets each");
    }

    #[test]
    fn septets_are_unpacked_behind_a_header_and_without_their_padding() {
        assert_eq!(unpack(&[0xe8, 0x32, 0x9b, 0xfd, 0x06], 0), b"hello");
        assert_eq!(unpack(&[0x31, 0xd9, 0x8c, 0x56, 0xb3, 0xdd, 0x1a], 0), b"1234567", "a CR fills seven spare bits");
        let Alphabet::Packed { fill } = Alphabet::of(0, DefaultAlphabet::Packed, 6) else { panic!() };
        assert_eq!((fill, unpack(&[0xe8 << 1, 0x65, 0x36, 0xfb, 0x0d], fill)), (1, b"hello".to_vec()));
    }

    #[test]
    fn a_header_longer_than_its_message_is_refused() {
        assert_eq!(take_header(&[]), Err(BadHeader));
        assert_eq!(take_header(&[5, 0, 3, 1, 2]), Err(BadHeader));
        assert_eq!(take_header(&[5, 0, 9, 1, 2, 1, b'a']), Err(BadHeader));
        assert_eq!(take_header(&[5, 0, 3, 1, 2, 3, b'a']).unwrap().part, None);
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), data_coding: u8) {
            for default in [DefaultAlphabet::Gsm, DefaultAlphabet::Packed, DefaultAlphabet::Ascii, DefaultAlphabet::Utf8] {
                let _ = Alphabet::of(data_coding, default, 6).decode(&octets);
            }
            let _ = take_header(&octets);
        }

        #[test]
        fn what_a_phone_writes_reads_the_same(text in "[ -~€äñ中文📞]{0,400}") {
            let written = write(&text, 1);
            let alphabet = Alphabet::of(written.data_coding, DefaultAlphabet::Gsm, 0);
            let read: String = written.parts.iter().map(|part| {
                let data = if written.header { take_header(part).unwrap() } else { UserData { header: 0, part: None, body: part } };
                assert!(alphabet.fits(data.header, data.body));
                alphabet.decode(data.body)
            }).collect();
            prop_assert_eq!(read, text);
        }
    }
}
