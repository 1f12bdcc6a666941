//! The text of a reply, by its `data_coding` (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4), by the SMSC's own charset, and by what is found in the field.

use crate::charset::latin1;
use crate::septets;
use crate::writing::{Charset, Writing};

/// A text as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) data_coding: u8,
    /// What follows the user data header.
    pub(crate) octets: &'a [u8],
    /// Octets of that header: packed septets begin where its length says.
    pub(crate) header: usize,
    /// Whether another part follows: NULs at the end are then @ of the GSM alphabet, else what some SMSCs add.
    pub(crate) goes_on: bool,
}

/// How octets are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alphabet {
    /// What `data_coding` 0 means at the SMSC.
    Default,
    Latin1,
    Cyrillic,
    Hebrew,
    Ucs2,
    /// ASCII, and what says nothing of a text: binary, and the Japanese and Korean sets. Read as UTF-8, else as ISO 8859-1.
    Unsaid,
}

impl Body<'_> {
    /// Reads the text; every octet sequence has one, unreadable characters are U+FFFD.
    pub(crate) fn decode(&self, writing: &Writing) -> String {
        let octets = if self.goes_on { self.octets } else { without_last_nuls(self.octets) };
        match alphabet(self.data_coding) {
            Alphabet::Default => self.unpacked(writing).unwrap_or_else(|| match wide_big_endian(self.octets) {
                // Some SMSCs hand UCS-2 on as "default alphabet".
                Some(text) => text,
                None => default_alphabet(octets, writing.charset),
            }),
            Alphabet::Latin1 => latin1(octets),
            Alphabet::Cyrillic => octets.iter().copied().map(cyrillic).collect(),
            Alphabet::Hebrew => octets.iter().copied().map(hebrew).collect(),
            Alphabet::Ucs2 => ucs2(self.octets),
            Alphabet::Unsaid => utf8(octets).unwrap_or_else(|| latin1(octets)),
        }
    }

    /// The text of packed septets; `None` where the SMSC doesn't pack them.
    pub(crate) fn unpacked(&self, writing: &Writing) -> Option<String> {
        let packs = writing.packed && writing.charset == Charset::Gsm;
        packs.then(|| model::decode_gsm(&septets::unpack(self.octets, septets::fill(self.header))))
    }
}

/// SMPP's own values first, then the groups of TS 23.038 that SMSCs hand through: general coding (with a message class, or to be deleted), message waiting,
/// and message class.
fn alphabet(data_coding: u8) -> Alphabet {
    match data_coding {
        0x00 | 0xc0..=0xdf | 0xf0..=0xf3 => Alphabet::Default,
        0x03 => Alphabet::Latin1,
        0x06 => Alphabet::Cyrillic,
        0x07 => Alphabet::Hebrew,
        0x08 | 0xe0..=0xef => Alphabet::Ucs2,
        // Bits 3 and 2 name the alphabet, bit 5 says that it is compressed.
        0x10..=0x7f if data_coding & 0x2c == 0x00 => Alphabet::Default,
        0x10..=0x7f if data_coding & 0x2c == 0x08 => Alphabet::Ucs2,
        _ => Alphabet::Unsaid,
    }
}

/// Octets over 0x7F are no GSM alphabet: they are what was handed on as it came.
fn default_alphabet(octets: &[u8], charset: Charset) -> String {
    let is_foreign = charset == Charset::Gsm && !octets.is_ascii();
    if is_foreign && let Some(text) = utf8(octets).or_else(|| chinese(octets, u16::from_be_bytes)) {
        return text;
    }
    charset.decode(octets)
}

/// UTF-16, and what is met under its name: little endian, UTF-8, one octet too few or too many.
fn ucs2(octets: &[u8]) -> String {
    if let Some(text) = wide(octets) {
        return text;
    }
    let (pairs, rest) = octets.as_chunks::<2>();
    let is_plausible = rest.is_empty()
        && char::decode_utf16(pairs.iter().copied().map(u16::from_be_bytes)).all(|c| c.is_ok_and(is_plausible));
    if !is_plausible
        && !octets.contains(&0)
        && let Some(text) = utf8(octets)
    {
        return text;
    }
    if !is_plausible && let Some(text) = chinese(octets, u16::from_le_bytes) {
        return text;
    }
    let mut text = model::decode_ucs2(octets);
    // An octet that is left over is shown, unless it is a NUL.
    if rest.iter().any(|&octet| octet != 0) {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text.truncate(text.trim_end_matches('\0').len());
    text
}

/// Whether people write such a character; private ones and control characters mean that it was read in the wrong order.
const fn is_plausible(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' | '\0' | '\u{feff}' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => !matches!(character, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'),
    }
}

/// Reads pairs of octets as Chinese, with ASCII and punctuation in it; `None` where any is something else.
fn chinese(octets: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = octets.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let characters = char::decode_utf16(pairs.iter().copied().map(unit));
    characters
        .map(|character| {
            character.ok().filter(|c| matches!(c, '\n' | '\r' | ' '..='~' | '\u{3000}'..='\u{303f}' | '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}'))
        })
        .collect()
}

/// ASCII in UTF-16 of either order, known by its first characters, or whatever has a byte order mark: what is met where the coding says nothing of it, and in
/// receipts. An octet too many at the end is dropped.
pub(crate) fn wide(octets: &[u8]) -> Option<String> {
    wide_big_endian(octets).or_else(|| wide_little_endian(octets))
}

fn wide_big_endian(octets: &[u8]) -> Option<String> {
    let is_wide = match first_pairs(octets) {
        [] => false,
        [[0xfe, 0xff] | [0xff, 0xfe], ..] => true,
        pairs => pairs.iter().all(|&[high, low]| high == 0 && is_printed(low)),
    };
    is_wide.then(|| model::decode_ucs2(octets).trim_end_matches('\0').to_owned())
}

/// One pair alone may be a Chinese character too, of which 一 is a common one.
fn wide_little_endian(octets: &[u8]) -> Option<String> {
    let is_wide = match first_pairs(octets) {
        [] => false,
        &[[low, 0]] => (b'!'..0x4e).contains(&low),
        pairs => pairs.iter().all(|&[low, high]| high == 0 && is_printed(low)),
    };
    is_wide.then(|| model::decode_ucs2(&[&[0xff, 0xfe], octets].concat()).trim_end_matches('\0').to_owned())
}

const fn is_printed(octet: u8) -> bool {
    matches!(octet, b'\n' | b'\r' | b' '..=b'~')
}

fn first_pairs(octets: &[u8]) -> &[[u8; 2]] {
    let (pairs, _) = octets.as_chunks::<2>();
    pairs.get(..4).unwrap_or(pairs)
}

/// UTF-8, without a byte order mark.
fn utf8(octets: &[u8]) -> Option<String> {
    std::str::from_utf8(octets).ok().map(|text| text.trim_start_matches('\u{feff}').to_owned())
}

/// ISO 8859-5.
fn cyrillic(octet: u8) -> char {
    match octet {
        0xad => '\u{ad}',
        0xf0 => '№',
        0xfd => '§',
        0xa1.. => char::from_u32(u32::from(octet) + 0x360).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(octet),
    }
}

/// ISO 8859-8: the letters; other octets as in ISO 8859-1.
fn hebrew(octet: u8) -> char {
    match octet {
        0xe0..=0xfa => char::from_u32(u32::from(octet) + 0x4f0).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(octet),
    }
}

fn without_last_nuls(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    octets.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn writing(charset: Charset, packed: bool) -> Writing {
        let mut writing = Writing::default();
        (writing.charset, writing.packed) = (charset, packed);
        writing
    }

    fn decode(data_coding: u8, octets: &[u8]) -> String {
        Body { data_coding, octets, header: 0, goes_on: false }.decode(&Writing::default())
    }

    /// Group E of the matrix of odd input: encodings.
    #[test]
    fn each_coding_is_read_as_it_is_met() {
        for (id, data_coding, octets, text) in [
            ("E01 default", 0, &b"STOP"[..], "STOP"),
            ("E01 default, NUL added", 0, b"STOP\0", "STOP"),
            ("E01 default, extension", 0, b"a\x1b\x65", "a€"),
            ("E01 default, empty", 0, b"", ""),
            ("E01 default, wide", 0, b"\0S\0T", "ST"),
            ("E01 default, wide and an octet more", 0, b"\0S\0T\0", "ST"),
            ("E01 default, UCS-2", 0, &[0x67, 0xe5, 0x8b, 0xe2], "查询"),
            ("E01 default, UTF-8", 0, "查".as_bytes(), "查"),
            ("E01 default, not 7 bits", 0, b"a\xe9b", "a\u{fffd}b"),
            ("E01 class 0", 0x10, b"C", "C"),
            ("E01 class 1", 0x11, b"\x02", "$"),
            ("E01 class 3", 0x13, b"C", "C"),
            ("E01 8 bits, class 1", 0x15, b"KT", "KT"),
            ("E01 UCS-2, class 0", 0x18, &[0x67, 0xe5], "查"),
            ("E01 UCS-2, class 1", 0x19, &[0, b'C'], "C"),
            ("E01 UCS-2, class 3", 0x1b, &[0, b'C'], "C"),
            ("E01 to be deleted", 0x50, b"\x02", "$"),
            ("E01 compressed", 0x20, b"C\x02", "C\u{2}"),
            ("E01 message waiting", 0xc8, b"\x02", "$"),
            ("E01 message waiting, UCS-2", 0xe0, &[0x67, 0xe5], "查"),
            ("E01 GSM, class 0", 0xf0, b"\x02", "$"),
            ("E01 GSM, class 3", 0xf3, b"\x02", "$"),
            ("E01 8 bits, class 0", 0xf4, b"KT", "KT"),
            ("E01 8 bits, class 3", 0xf7, b"KT", "KT"),
            ("E01 ASCII", 1, b"STOP", "STOP"),
            ("E01 ASCII, accented", 1, b"\xe9", "é"),
            ("E01 ASCII, NUL added", 1, b"STOP\0", "STOP"),
            ("E01 binary", 2, b"KT", "KT"),
            ("E01 Latin-1", 3, b"\xe9", "é"),
            ("E01 binary", 4, b"\x80\x01", "\u{80}\u{1}"),
            ("E01 Cyrillic", 6, b"\xc1\xe2\xde\xdf \xa1\xf0", "Стоп Ё№"),
            ("E01 Hebrew", 7, b"\xf9a", "שa"),
            ("E01 UCS-2", 8, &[0x67, 0xe5], "查"),
            ("E01 UCS-2, empty", 8, b"", ""),
            ("E01 UCS-2, surrogates", 8, &[0xd8, 0x3d, 0xde, 0x00], "😀"),
            ("E01 UCS-2, Greek", 8, &[0x03, 0x91, 0x03, 0x92], "ΑΒ"),
            ("E01 UCS-2, NUL added", 8, &[0x67, 0xe5, 0, 0], "查"),
            ("E02 odd, UCS-2 and a NUL", 8, &[0x67, 0xe5, 0], "查"),
            ("E02 odd, wide and a NUL", 8, b"\0C\0", "C"),
            ("E02 odd, cut", 8, &[0x67, 0xe5, 0x8b], "查\u{fffd}"),
            ("E02 one octet", 8, b"C", "C"),
            ("E03 lone surrogate", 8, &[0xd8, 0x3d], "\u{fffd}"),
            ("E03 surrogate before a character", 8, &[0xd8, 0x3d, 0x67, 0xe5], "\u{fffd}查"),
            ("E04 byte order mark", 8, &[0xfe, 0xff, 0x67, 0xe5], "查"),
            ("E04 byte order mark, little endian", 8, &[0xff, 0xfe, b'C', 0], "C"),
            ("E04 byte order mark, UTF-8", 1, b"\xef\xbb\xbfC", "C"),
            ("E04 byte order mark alone", 8, &[0xfe, 0xff], ""),
            ("E05 little endian, ASCII", 8, b"C\0N\0", "CN"),
            ("E05 little endian, one letter", 8, b"C\0", "C"),
            ("E05 big endian, one character", 8, &[0x4e, 0], "一"),
            ("E05 little endian, Chinese", 8, &[0xe5, 0x67, 0xe2, 0x8b], "查询"),
            ("E06 UTF-8", 8, "查".as_bytes(), "查"),
            ("E06 UTF-8, even", 8, "查询".as_bytes(), "查询"),
            ("E06 ASCII, odd", 8, b"YES", "YES"),
            ("E08 escape at the end", 0, b"a\x1b", "a"),
            ("E08 escape alone", 0, b"\x1b", ""),
            ("E08 unknown extension", 0, b"\x1bA", "A"),
        ] {
            assert_eq!(decode(data_coding, octets), text, "{id}: {data_coding:#x} {octets:?}");
        }
    }

    #[test]
    fn the_default_alphabet_is_the_smscs() {
        for (charset, octets, text) in [
            (Charset::Gsm, &b"\0\x05"[..], "@é"),
            (Charset::Latin1, b"@\xe9\0", "@é"),
            (Charset::Ascii, b"@", "@"),
            (Charset::Ascii, b"\xe9", "é"),
            (Charset::Utf8, "@é查".as_bytes(), "@é查"),
            (Charset::Utf8, b"\0C", "C"),
        ] {
            for data_coding in [0, 0x10, 0xf1] {
                let body = Body { data_coding, octets, header: 0, goes_on: false };
                assert_eq!(body.decode(&writing(charset, false)), text, "{charset:?} {octets:?}");
            }
        }
    }

    /// E07.
    #[test]
    fn packed_septets_are_read_only_where_they_are_packed() {
        let octets = &[0xe8, 0x32, 0x9b, 0xfd, 0x06];
        let body = Body { data_coding: 0, octets, header: 0, goes_on: false };
        assert_eq!(body.decode(&writing(Charset::Gsm, true)), "hello");
        assert_ne!(body.decode(&writing(Charset::Gsm, false)), "hello");
        assert_ne!(body.decode(&writing(Charset::Latin1, true)), "hello");
        assert_eq!(Body { data_coding: 8, octets: &[0x67, 0xe5], ..body }.decode(&writing(Charset::Gsm, true)), "查");
        let behind = Body { octets: &septets::pack(b"hello", 1), header: 6, ..body };
        assert_eq!(behind.decode(&writing(Charset::Gsm, true)), "hello");
    }

    #[test]
    fn an_at_stays_where_another_part_follows() {
        let body = Body { data_coding: 0, octets: b"a\0", header: 6, goes_on: true };
        assert_eq!(body.decode(&Writing::default()), "a@");
        assert_eq!(Body { goes_on: false, ..body }.decode(&Writing::default()), "a");
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back(
            text in "[A-Za-z0-9àé{}€Ω查😀 \n]{0,200}[A-Za-z0-9é€Ω查😀]",
            charset in prop::sample::select(vec![Charset::Gsm, Charset::Latin1, Charset::Ascii, Charset::Utf8]),
            packed in any::<bool>(), header in prop::sample::select(vec![0_usize, 6, 7]),
        ) {
            let writing = writing(charset, packed);
            let (script, _) = crate::submit::Script::of(&text, &writing);
            let octets = script.encode(&text, header);
            let body = Body { data_coding: script.data_coding(), octets: &octets, header, goes_on: false };
            prop_assert_eq!(body.decode(&writing), text);
        }

        #[test]
        fn no_octets_make_the_reader_panic(
            data_coding in any::<u8>(), octets in proptest::collection::vec(any::<u8>(), 0..300), goes_on in any::<bool>(),
            charset in prop::sample::select(vec![Charset::Gsm, Charset::Latin1, Charset::Ascii, Charset::Utf8]),
            packed in any::<bool>(), header in 0_usize..300,
        ) {
            let _ = Body { data_coding, octets: &octets, header, goes_on }.decode(&writing(charset, packed));
        }
    }
}
