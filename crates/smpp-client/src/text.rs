//! The text of a reply, by its `data_coding` (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4) and by what is found in the field.

/// How octets are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Alphabet {
    Gsm,
    Ascii,
    Latin1,
    Ucs2,
    Unsaid,
}

/// Reads a text; every octet sequence has one, unreadable characters are U+FFFD.
pub(crate) fn decode(data_coding: u8, octets: &[u8]) -> String {
    match alphabet(data_coding) {
        // Some SMSCs hand UCS-2 on as "default alphabet", some add a NUL, which would be read as @.
        Alphabet::Gsm if is_wide(octets) => model::decode_ucs2(octets),
        Alphabet::Gsm => model::decode_gsm(without_last_nuls(octets)),
        Alphabet::Ucs2 if is_wide_little_endian(octets) => model::decode_ucs2(&[&[0xff, 0xfe], octets].concat()),
        // An odd number of octets is no UTF-16; UTF-8 is what is met then.
        Alphabet::Ucs2 if octets.len() % 2 == 1 => match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) => model::decode_ucs2(octets),
        },
        Alphabet::Ucs2 => model::decode_ucs2(octets),
        Alphabet::Latin1 => octets.iter().copied().map(char::from).collect(),
        Alphabet::Ascii | Alphabet::Unsaid => match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) => octets.iter().copied().map(char::from).collect(),
        },
    }
}

/// SMPP's own values first, then the groups of TS 23.038 that SMSCs hand through with the message class in them.
fn alphabet(data_coding: u8) -> Alphabet {
    match data_coding {
        0x00 | 0x10..=0x13 | 0xf0..=0xf3 => Alphabet::Gsm,
        0x01 => Alphabet::Ascii,
        0x03 => Alphabet::Latin1,
        0x08 | 0x18..=0x1b => Alphabet::Ucs2,
        _ => Alphabet::Unsaid,
    }
}

/// ASCII in UTF-16, big endian: every first octet is 0, no second one is.
pub(crate) fn is_wide(octets: &[u8]) -> bool {
    !octets.is_empty()
        && octets.len().is_multiple_of(2)
        && octets.chunks_exact(2).all(|pair| pair[0] == 0 && pair[1] != 0)
}

fn is_wide_little_endian(octets: &[u8]) -> bool {
    !octets.is_empty()
        && octets.len().is_multiple_of(2)
        && octets.chunks_exact(2).all(|pair| pair[0] != 0 && pair[1] == 0)
}

fn without_last_nuls(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    octets.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_is_read_as_it_is_met() {
        for (data_coding, octets, text) in [
            (0, &b"STOP"[..], "STOP"),
            (0, b"STOP\0", "STOP"),
            (0, b"a\x1b\x65", "a€"),
            (0, b"a\x1b", "a"),
            (0, b"\0S\0T", "ST"),
            (0xf0, b"\x02", "$"),
            (0x11, b"C", "C"),
            (1, b"STOP", "STOP"),
            (1, b"\xe9", "é"),
            (3, b"\xe9", "é"),
            (8, &[0x67, 0xe5], "查"),
            (8, &[0xff, 0xfe, b'C', 0], "C"),
            (8, b"C\0N\0", "CN"),
            (8, "查".as_bytes(), "查"),
            (8, &[0xd8, 0x3d, 0xde, 0x00], "😀"),
            (8, &[0xd8, 0x3d], "\u{fffd}"),
            (0x19, &[0, b'C'], "C"),
            (4, b"\x80\x01", "\u{80}\u{1}"),
            (0xf4, b"KT", "KT"),
            (0, b"", ""),
            (8, b"", ""),
        ] {
            assert_eq!(decode(data_coding, octets), text, "{data_coding:#x} {octets:?}");
        }
    }
}
