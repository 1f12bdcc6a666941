//! The coding of short messages: GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1) or UCS-2, and their parts.

/// How a text is coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// GSM 7-bit default alphabet with its extension table: 160 septets, or 153 a part.
    Gsm7,
    /// UCS-2, in practice UTF-16BE: 70 units, or 67 a part.
    Ucs2,
}

/// Octets of user data in one message (3GPP TS 23.040 §9.2.3.16).
const USER_DATA: usize = 140;

impl Coding {
    /// Units (septets or 16-bit units) that a message of one part holds.
    #[must_use]
    pub const fn single(self) -> usize {
        self.beside(0)
    }

    /// Units that each part of a longer message holds, beside a 6-octet user data header (3GPP TS 23.040 §9.2.3.24.1).
    #[must_use]
    pub const fn part(self) -> usize {
        self.beside(6)
    }

    /// Units that one message holds beside a user data header of at most 140 octets, its length octet included. Septets begin at the first septet boundary
    /// behind it (3GPP TS 23.040 §9.2.3.24).
    #[must_use]
    pub const fn beside(self, header: usize) -> usize {
        let octets = USER_DATA.saturating_sub(header);
        match self {
            Self::Gsm7 => octets * 8 / 7,
            Self::Ucs2 => octets / 2,
        }
    }

    /// Units that a character takes; `None` when the coding lacks it.
    #[must_use]
    pub fn units_of(self, character: char) -> Option<usize> {
        match self {
            Self::Gsm7 => septets(character).map(Septets::count),
            Self::Ucs2 => Some(character.len_utf16()),
        }
    }
}

/// A text cut into the parts that are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segments<'a> {
    /// The coding of all parts.
    pub coding: Coding,
    /// The parts, in order; one for a text that fits.
    pub parts: Vec<&'a str>,
}

/// A character outside the GSM 7-bit default alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not in the GSM 7-bit default alphabet")]
pub struct UnencodableCharacter(pub char);

/// The default alphabet in code order; 0x1B is the escape to the extension table.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω',
    'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+',
    ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', '¡', 'A', 'B',
    'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y',
    'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p',
    'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

const ESCAPE: u8 = 0x1b;

/// The extension table: code after the escape, character.
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

#[derive(Clone, Copy)]
enum Septets {
    One(u8),
    Escaped(u8),
}

impl Septets {
    const fn count(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Escaped(_) => 2,
        }
    }
}

/// The codes of U+0000 to U+00FF: almost every character of a text in the alphabet is found here.
const LATIN: [Option<Septets>; 256] = latin();

const fn latin() -> [Option<Septets>; 256] {
    let mut codes = [None; 256];
    let mut code = 0;
    while code < 128 {
        let character = BASIC[code as usize] as usize;
        if character < 256 && code != ESCAPE {
            codes[character] = Some(Septets::One(code));
        }
        code += 1;
    }
    let mut entry = 0;
    while entry < EXTENSION.len() {
        let (code, character) = EXTENSION[entry];
        if (character as usize) < 256 {
            codes[character as usize] = Some(Septets::Escaped(code));
        }
        entry += 1;
    }
    codes
}

fn septets(character: char) -> Option<Septets> {
    match character {
        '\0'..='ÿ' => LATIN.get(character as usize).copied().flatten(),
        'Γ'..='Ω' => {
            BASIC.iter().position(|&c| c == character).and_then(|code| u8::try_from(code).ok()).map(Septets::One)
        }
        '€' => Some(Septets::Escaped(0x65)),
        _ => None,
    }
}

/// The coding that a text takes and how many units it has in it.
#[must_use]
pub fn units(text: &str) -> (Coding, usize) {
    let gsm = text.chars().try_fold(0, |sum, c| septets(c).map(|septets| sum + septets.count()));
    match gsm {
        Some(count) => (Coding::Gsm7, count),
        None => (Coding::Ucs2, utf16_units(text)),
    }
}

/// One for each character, and one more for each that takes four octets in UTF-8: these are the surrogate pairs.
fn utf16_units(text: &str) -> usize {
    text.bytes().map(|octet| usize::from(octet & 0xc0 != 0x80) + usize::from(octet >= 0xf0)).sum()
}

/// Cuts a text into parts; an escape and its character, or a surrogate pair, are never parted.
#[must_use]
pub fn split(text: &str) -> Segments<'_> {
    let (coding, total) = units(text);
    let parts = if total <= coding.single() { vec![text] } else { cut(text, coding, coding.part(), usize::MAX) };
    Segments { coding, parts }
}

/// Cuts a text into parts of at most so many units, each at most so many octets in UTF-8; at least one part, and every part but the last as long as can be.
/// A character that alone is more than a part holds is a part of its own.
#[must_use]
pub fn cut(text: &str, coding: Coding, most_units: usize, most_octets: usize) -> Vec<&str> {
    let mut parts = Vec::with_capacity(text.len() / most_units.max(1) + 1);
    let (mut start, mut units) = (0, 0);
    for (place, character) in text.char_indices() {
        let size = coding.units_of(character).unwrap_or(0);
        if place > start && (units + size > most_units || place - start + character.len_utf8() > most_octets) {
            parts.extend(text.get(start..place));
            (start, units) = (place, 0);
        }
        units += size;
    }
    parts.extend(text.get(start..));
    parts
}

/// One septet an octet, unpacked, as SMPP carries the SMSC default alphabet.
///
/// # Errors
/// With the first character that the alphabet lacks.
pub fn encode_gsm(text: &str) -> Result<Vec<u8>, UnencodableCharacter> {
    let mut octets = Vec::with_capacity(text.len());
    for character in text.chars() {
        match septets(character).ok_or(UnencodableCharacter(character))? {
            Septets::One(code) => octets.push(code),
            Septets::Escaped(code) => octets.extend([ESCAPE, code]),
        }
    }
    Ok(octets)
}

/// Reads unpacked septets; an unknown extension is read as the character of the default alphabet (TS 23.038 §6.2.1.1),
/// octets over 0x7F as U+FFFD.
#[must_use]
pub fn decode_gsm(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut escaped = false;
    for &octet in octets {
        let plain = BASIC.get(usize::from(octet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER);
        if escaped {
            escaped = false;
            text.push(EXTENSION.iter().find(|(code, _)| *code == octet).map_or(plain, |(_, c)| *c));
        } else if octet == ESCAPE {
            escaped = true;
        } else {
            text.push(plain);
        }
    }
    text
}

/// UTF-16, big endian, no byte order mark.
#[must_use]
pub fn encode_ucs2(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        octets.extend_from_slice(&unit.to_be_bytes());
    }
    octets
}

/// Reads UTF-16, big endian; a byte order mark is obeyed, an odd last octet dropped, a lone surrogate read as U+FFFD.
#[must_use]
pub fn decode_ucs2(octets: &[u8]) -> String {
    let (octets, little) = match octets {
        [0xff, 0xfe, rest @ ..] => (rest, true),
        [0xfe, 0xff, rest @ ..] => (rest, false),
        _ => (octets, false),
    };
    let units = octets.chunks_exact(2).map(|pair| match (pair, little) {
        ([a, b], true) => u16::from_le_bytes([*a, *b]),
        ([a, b], false) => u16::from_be_bytes([*a, *b]),
        _ => 0,
    });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_character_of_the_alphabet_comes_back() {
        for character in BASIC.into_iter().filter(|&c| c != '\u{1b}').chain(EXTENSION.map(|(_, c)| c)) {
            let text = character.to_string();
            assert_eq!(decode_gsm(&encode_gsm(&text).unwrap()), text);
        }
    }

    #[test]
    fn one_part_holds_160_septets_or_70_units() {
        assert_eq!(split(&"a".repeat(160)).parts.len(), 1);
        assert_eq!(split(&"a".repeat(161)).parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [153, 8]);
        assert_eq!(split(&"€".repeat(80)).parts.len(), 1);
        assert_eq!(split(&"查".repeat(70)).parts.len(), 1);
        let text = "查".repeat(71);
        let parts = split(&text).parts;
        assert_eq!(parts.iter().map(|p| p.chars().count()).collect::<Vec<_>>(), [67, 4]);
        assert_eq!(split("").parts, [""]);
    }

    #[test]
    fn a_header_takes_its_octets_from_the_units() {
        for (coding, [none, six, seven]) in [(Coding::Gsm7, [160, 153, 152]), (Coding::Ucs2, [70, 67, 66])] {
            assert_eq!([0, 6, 7].map(|header| coding.beside(header)), [none, six, seven]);
            assert_eq!((coding.single(), coding.part(), coding.beside(200)), (none, six, 0));
        }
    }

    #[test]
    fn a_part_holds_so_many_octets_too() {
        assert_eq!(cut("ΩΩΩΩ", Coding::Gsm7, 153, 5), ["ΩΩ", "ΩΩ"]);
        assert_eq!(cut("ΩΩΩΩ", Coding::Gsm7, 3, 100), ["ΩΩΩ", "Ω"]);
        assert_eq!(cut("a€", Coding::Gsm7, 2, 100), ["a", "€"]);
        assert_eq!(cut("😀a", Coding::Ucs2, 1, 1), ["😀", "a"]);
        assert_eq!(cut("", Coding::Ucs2, 1, 1), [""]);
    }

    #[test]
    fn only_the_alphabet_is_in_the_alphabet() {
        let coded = (0..=0x2_ffff).filter_map(char::from_u32).filter(|&c| Coding::Gsm7.units_of(c).is_some()).count();
        assert_eq!(coded, BASIC.len() - 1 + EXTENSION.len());
    }

    #[test]
    fn odd_octets_are_read_as_far_as_they_go() {
        assert_eq!(decode_ucs2(&[0xff, 0xfe, b'C', 0]), "C");
        assert_eq!(decode_ucs2(&[0, b'C', 0]), "C");
        assert_eq!(decode_ucs2(&[0xd8, 0x00]), "\u{fffd}");
        assert_eq!(decode_gsm(&[0x1b]), "");
        assert_eq!(decode_gsm(&[0x1b, b'A', 0x80]), "A\u{fffd}");
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_each_fits(text in "[a-z{}€查😀é ]{0,400}") {
            let segments = split(&text);
            prop_assert_eq!(segments.parts.concat(), text.as_str());
            let limit = if segments.parts.len() == 1 { segments.coding.single() } else { segments.coding.part() };
            for part in &segments.parts {
                let octets = match segments.coding {
                    Coding::Gsm7 => encode_gsm(part).unwrap().len(),
                    Coding::Ucs2 => encode_ucs2(part).len() / 2,
                };
                prop_assert!(octets <= limit);
            }
        }

        #[test]
        fn ucs2_comes_back(text in "\\PC{0,80}") {
            prop_assert_eq!(utf16_units(&text), text.encode_utf16().count());
            prop_assert_eq!(decode_ucs2(&encode_ucs2(&text)), text);
        }
    }
}
