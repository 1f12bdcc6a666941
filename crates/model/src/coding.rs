//! The coding of short messages: GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1) or UCS-2, and their parts.

/// How a text is coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// GSM 7-bit default alphabet with its extension table: 160 septets, or 153 a part.
    Gsm7,
    /// UCS-2, in practice UTF-16BE: 70 units, or 67 a part.
    Ucs2,
}

impl Coding {
    /// Units (septets or 16-bit units) that a message of one part holds.
    #[must_use]
    pub const fn single(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units that each part of a longer message holds, beside a 6-octet user data header (3GPP TS 23.040 §9.2.3.24.1).
    #[must_use]
    pub const fn part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }
}

/// A text cut into the parts that are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segments {
    /// The coding of all parts.
    pub coding: Coding,
    /// The parts, in order; one for a text that fits.
    pub parts: Vec<String>,
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

enum Septets {
    One(u8),
    Escaped(u8),
}

fn septets(character: char) -> Option<Septets> {
    // Letters, digits and most punctuation have the same code as in ASCII.
    if matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '!'..='#' | '%'..='?') {
        return Some(Septets::One(character as u8));
    }
    if let Some(code) = BASIC.iter().position(|&c| c == character).filter(|&code| code != usize::from(ESCAPE)) {
        return u8::try_from(code).ok().map(Septets::One);
    }
    EXTENSION.iter().find(|(_, c)| *c == character).map(|(code, _)| Septets::Escaped(*code))
}

fn units_of(character: char, coding: Coding) -> Option<usize> {
    match coding {
        Coding::Gsm7 => septets(character).map(|code| match code {
            Septets::One(_) => 1,
            Septets::Escaped(_) => 2,
        }),
        Coding::Ucs2 => Some(character.len_utf16()),
    }
}

/// The coding that a text takes and how many units it has in it.
#[must_use]
pub fn units(text: &str) -> (Coding, usize) {
    let gsm = text.chars().try_fold(0, |sum, c| units_of(c, Coding::Gsm7).map(|n| sum + n));
    match gsm {
        Some(count) => (Coding::Gsm7, count),
        None => (Coding::Ucs2, text.chars().map(char::len_utf16).sum()),
    }
}

/// Cuts a text into parts; an escape and its character, or a surrogate pair, are never parted.
#[must_use]
pub fn split(text: &str) -> Segments {
    let (coding, total) = units(text);
    if total <= coding.single() {
        return Segments { coding, parts: vec![text.to_owned()] };
    }
    let mut parts = Vec::with_capacity(total.div_ceil(coding.part()));
    let mut part = String::new();
    let mut used = 0;
    for character in text.chars() {
        let size = units_of(character, coding).unwrap_or(0);
        if used + size > coding.part() {
            parts.push(std::mem::take(&mut part));
            used = 0;
        }
        part.push(character);
        used += size;
    }
    parts.push(part);
    Segments { coding, parts }
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
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
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
        assert_eq!(split(&"a".repeat(161)).parts.iter().map(String::len).collect::<Vec<_>>(), [153, 8]);
        assert_eq!(split(&"€".repeat(80)).parts.len(), 1);
        assert_eq!(split(&"查".repeat(70)).parts.len(), 1);
        let parts = split(&"查".repeat(71)).parts;
        assert_eq!(parts.iter().map(|p| p.chars().count()).collect::<Vec<_>>(), [67, 4]);
        assert_eq!(split("").parts, [""]);
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
            prop_assert_eq!(segments.parts.concat(), text);
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
            prop_assert_eq!(decode_ucs2(&encode_ucs2(&text)), text);
        }
    }
}
