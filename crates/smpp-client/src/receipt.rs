//! Reads what a receipt says, from its TLVs and its text (SMPP 3.4 appendix B, and the forms met in the field).

use std::borrow::Cow;

use model::ReceiptState;

use crate::deliver::Tlvs;
use crate::text::wide;

/// What a receipt says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) message_id: String,
    pub(crate) state: ReceiptState,
    pub(crate) error: String,
    /// Whether text and optional parameters name different messages, or different states.
    pub(crate) disagrees: bool,
}

/// What the text of a receipt says, as it stands there.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Written<'a> {
    id: Option<&'a str>,
    stat: Option<&'a str>,
    err: Option<&'a str>,
}

/// A receipt's text: ASCII whatever `data_coding` says, or UTF-16 where every other octet is 0.
pub(crate) fn text(octets: &[u8]) -> Cow<'_, str> {
    match wide(octets) {
        Some(text) => Cow::Owned(text),
        None => match std::str::from_utf8(octets) {
            Ok(text) => Cow::Borrowed(text.trim_matches('\0')),
            Err(_) => Cow::Owned(String::from_utf8_lossy(octets).trim_matches('\0').to_owned()),
        },
    }
}

impl<'a> Written<'a> {
    /// Whether both a message and its state are named.
    pub(crate) const fn looks_like_a_receipt(self) -> bool {
        self.id.is_some() && self.stat.is_some()
    }

    pub(crate) fn names_a_message(self) -> bool {
        self.id.is_some_and(|id| !id.is_empty())
    }

    fn state(self) -> Option<ReceiptState> {
        self.stat.filter(|stat| !stat.is_empty()).map(state_of_word)
    }

    /// A state that isn't one of the words says why only by itself.
    fn error(self) -> &'a str {
        let stat = self.stat.unwrap_or_default();
        if stat.is_empty() || word(stat).is_some() { self.err.unwrap_or_default() } else { stat }
    }
}

/// Reads `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…`, each of them optional, in any case (SMPP 3.4 appendix B). What follows `text:`
/// is of the message, not of the receipt.
pub(crate) fn written(text: &str) -> Written<'_> {
    let mut written = Written::default();
    for (colon, _) in text.match_indices(':') {
        let field = match word_before(text, colon) {
            word if word.eq_ignore_ascii_case("id") => &mut written.id,
            word if word.eq_ignore_ascii_case("stat") => &mut written.stat,
            word if word.eq_ignore_ascii_case("err") => &mut written.err,
            word if word.eq_ignore_ascii_case("text") => break,
            _ => continue,
        };
        *field = field.or_else(|| value_behind(text, colon));
    }
    written
}

/// Reads Vodafone's form too, which only a receipt's class makes one: it is nothing but columns.
pub(crate) fn written_in_receipt(text: &str) -> Written<'_> {
    read_csv(text).unwrap_or_else(|| written(text))
}

/// The message that the optional parameters name.
pub(crate) fn named(tlvs: &Tlvs<'_>) -> Option<String> {
    let id = String::from_utf8_lossy(tlvs.message_id?);
    let id = id.trim_matches(['\0', ' ']);
    (!id.is_empty()).then(|| id.to_owned())
}

/// What is said; a TLV wins over the text. `None` when no message is named.
pub(crate) fn read(written: Written<'_>, tlvs: &Tlvs<'_>) -> Option<Said> {
    let id = written.id.filter(|id| !id.is_empty());
    let (named, told) = (named(tlvs), tlvs.state.and_then(state_of_number));
    let other_id = matches!((&named, id), (Some(named), Some(id)) if !is_same_id(named, id));
    let other_state = matches!((told, written.state()), (Some(told), Some(written)) if told != written);
    Some(Said {
        message_id: named.or_else(|| id.map(str::to_owned))?,
        state: told.or_else(|| written.state()).unwrap_or(ReceiptState::Unknown),
        error: tlvs.network_error.and_then(network_error).unwrap_or_else(|| written.error().to_owned()),
        disagrees: other_id || other_state,
    })
}

/// Whether two ids name the same message, in whatever form.
fn is_same_id(one: &str, other: &str) -> bool {
    one == other || model::answers_of(one, None).iter().any(|(_, key)| *key == model::id_key(other))
}

/// Vodafone's form: state, two times, error, destination, originator, message id.
fn read_csv(text: &str) -> Option<Written<'_>> {
    let mut columns = text.split(',').map(str::trim);
    let stat = columns.next().filter(|state| is_number(state))?;
    let (_at, _accepted_at, err) = (columns.next()?, columns.next()?, columns.next()?);
    let (_destination, _originator) = (columns.next().filter(|digits| is_number(digits))?, columns.next()?);
    let id = columns.next().filter(|id| !id.is_empty())?;
    let stat = match stat {
        "00" => "DELIVRD",
        "01" => "ENROUTE",
        _ => "UNKNOWN",
    };
    columns.next().is_none().then_some(Written { id: Some(id), stat: Some(stat), err: Some(err) })
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// The letters and digits that stand directly before a colon.
fn word_before(text: &str, colon: usize) -> &str {
    let before = text.get(..colon).unwrap_or_default();
    let length = before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    before.get(colon - length..).unwrap_or_default()
}

/// What follows a colon, up to the next space; empty where the next field follows.
fn value_behind(text: &str, colon: usize) -> Option<&str> {
    let value = text.get(colon + 1..)?.trim_start_matches(' ');
    let end = value.find(|c: char| c.is_whitespace() || c == '\0').unwrap_or(value.len());
    value.get(..end).map(|value| if is_next_field(value) { "" } else { value })
}

/// Whether a word begins the next field, which it does where a value is empty.
fn is_next_field(word: &str) -> bool {
    ["sub:", "dlvrd:", "stat:", "err:", "text:"]
        .iter()
        .any(|name| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        || matches!(word, "submit" | "done")
}

/// The words of the standard and those met beside them.
const WORDS: [(&str, ReceiptState); 21] = [
    ("DELIVRD", ReceiptState::Delivered),
    ("DELIVERED", ReceiptState::Delivered),
    ("EXPIRED", ReceiptState::Expired),
    ("DELETED", ReceiptState::Deleted),
    ("UNDELIV", ReceiptState::Undeliverable),
    ("UNDELIVERABLE", ReceiptState::Undeliverable),
    ("FAILED", ReceiptState::Undeliverable),
    ("NACK", ReceiptState::Undeliverable),
    ("NOROUTE", ReceiptState::Undeliverable),
    ("ACCEPTD", ReceiptState::Accepted),
    ("ACCEPTED", ReceiptState::Accepted),
    ("REJECTD", ReceiptState::Rejected),
    ("REJECTED", ReceiptState::Rejected),
    ("ENROUTE", ReceiptState::Enroute),
    ("ACKED", ReceiptState::Enroute),
    ("BUFFRED", ReceiptState::Enroute),
    ("BUFFERD", ReceiptState::Enroute),
    ("BUFFERED", ReceiptState::Enroute),
    ("SCHEDULED", ReceiptState::Enroute),
    ("SKIPPED", ReceiptState::Unknown),
    ("UNKNOWN", ReceiptState::Unknown),
];

/// Characters of a state's word that are enough: the last octet of a receipt is sometimes cut.
const ENOUGH: usize = 6;

fn state_of_word(stat: &str) -> ReceiptState {
    match word(stat) {
        Some(state) => state,
        None if is_gateway_code(stat) => ReceiptState::Undeliverable,
        None => ReceiptState::Unknown,
    }
}

fn word(stat: &str) -> Option<ReceiptState> {
    let is_cut = |word: &str| word.get(..ENOUGH).is_some_and(|start| start.eq_ignore_ascii_case(stat));
    WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(stat) || is_cut(word)).map(|&(_, state)| state)
}

/// `CA:0051` and the like: Chinese gateways put the code of a final failure where the state belongs.
fn is_gateway_code(stat: &str) -> bool {
    matches!(stat.as_bytes(), [a, b, b':', digits @ ..]
        if a.is_ascii_uppercase() && b.is_ascii_uppercase() && digits.len() == 4 && digits.iter().all(u8::is_ascii_digit))
}

/// SMPP 3.4 §5.2.28; 0 and 9 are from SMPP 5.0 §4.7.15. `None` for a number that stands for nothing.
pub(crate) fn state_of_number(state: u8) -> Option<ReceiptState> {
    match state {
        0 | 1 => Some(ReceiptState::Enroute),
        2 => Some(ReceiptState::Delivered),
        3 => Some(ReceiptState::Expired),
        4 => Some(ReceiptState::Deleted),
        5 => Some(ReceiptState::Undeliverable),
        6 => Some(ReceiptState::Accepted),
        7 | 9 => Some(ReceiptState::Unknown),
        8 => Some(ReceiptState::Rejected),
        _ => None,
    }
}

/// The type of network and its code (SMPP 3.4 §5.3.2.31), as `3:34`; `None` for another length.
fn network_error(value: &[u8]) -> Option<String> {
    let &[network, high, low] = value else { return None };
    Some(format!("{network}:{}", u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(String, ReceiptState, String)> {
        read(written_in_receipt(text), &Tlvs::default()).map(|said| (said.message_id, said.state, said.error))
    }

    #[test]
    fn the_forms_of_the_field_are_read() {
        use ReceiptState::{Accepted, Delivered, Enroute, Expired, Rejected, Undeliverable, Unknown};
        for (text, id, state, error) in [
            (
                "id:0123456789 sub:001 dlvrd:001 submit date:2611230800 done date:2611230801 stat:DELIVRD err:000 text:Hi",
                "0123456789",
                Delivered,
                "000",
            ),
            (
                "id:4A5f submit date:261123080000 done date:261123080100 stat:UNDELIV err:0042",
                "4A5f",
                Undeliverable,
                "0042",
            ),
            ("id:1101C1-C9D03D-F000 stat:EXPIRED err:A12 Text:", "1101C1-C9D03D-F000", Expired, "A12"),
            (
                "id:SAR-7-2-1 submit date:20261123080000 done date:20261123080000 stat:REJECTD",
                "SAR-7-2-1",
                Rejected,
                "",
            ),
            ("id:04062581461644996000241 stat:ACCEPTD err:00012", "04062581461644996000241", Accepted, "00012"),
            ("id:a.b:c stat:ENROUTE err:", "a.b:c", Enroute, ""),
            ("ID:7 STAT:delivrd ERR:0", "7", Delivered, "0"),
            ("id: 7 sub:001 stat: DELIVRD err: 000", "7", Delivered, "000"),
            ("id:7 stat:CA:0051 err:000", "7", Undeliverable, "CA:0051"),
            ("id:7 stat:BUFFRED err:000", "7", Enroute, "000"),
            ("id:7 stat:NOROUTE err:9", "7", Undeliverable, "9"),
            ("id:7 stat:PUZZLED err:9", "7", Unknown, "PUZZLED"),
            ("id:7 stat:UNKNOWN err:9", "7", Unknown, "9"),
            ("id:7 stat:00 err:9", "7", Unknown, "00"),
            ("02,0210021543,0210021500,9,447887123456,10110200000000,7", "7", Unknown, "9"),
            ("id:7 stat: err:9", "7", Unknown, "9"),
            ("id:7", "7", Unknown, ""),
            ("id:7 stat:DELIVRD err:000 text:id:8 stat:EXPIRED err:1", "7", Delivered, "000"),
            ("00,0210021543,0210021500,,447887123456,10110200000000,we2345678i9o", "we2345678i9o", Delivered, ""),
            ("01,0210021543,0210021500,9,447887123456,10110200000000,we2345678i9o", "we2345678i9o", Enroute, "9"),
        ] {
            assert_eq!(said(text), Some((id.to_owned(), state, error.to_owned())), "{text}");
        }
        for nameless in ["", "sub:001 stat:DELIVRD", "id: stat:DELIVRD", "grid:7", "a,b,c,d,e,f,g"] {
            assert_eq!(said(nameless), None, "{nameless}");
        }
    }

    #[test]
    fn only_a_text_with_id_and_state_looks_like_a_receipt() {
        assert!(written("id:7 stat:DELIVRD").looks_like_a_receipt());
        for text in ["C", "my id: 7", "stat:DELIVRD", "paid:7 stat:DELIVRD", "id 7 stat DELIVRD"] {
            assert!(!written(text).looks_like_a_receipt(), "{text}");
        }
    }

    #[test]
    fn the_text_is_ascii_or_wide_ascii_with_or_without_nuls() {
        assert_eq!(text(b"\0id:7 stat:DELIVRD\0"), "id:7 stat:DELIVRD");
        assert_eq!(text(b"\0i\0d"), "id");
        assert_eq!(text(b"id:7 text:\xe4\xff"), "id:7 text:\u{fffd}\u{fffd}");
    }

    #[test]
    fn every_number_has_its_state() {
        use ReceiptState::{Accepted, Deleted, Delivered, Enroute, Expired, Rejected, Undeliverable, Unknown};
        let states =
            [Enroute, Enroute, Delivered, Expired, Deleted, Undeliverable, Accepted, Unknown, Rejected, Unknown];
        for (number, state) in (0..).zip(states) {
            assert_eq!(state_of_number(number), Some(state), "{number}");
        }
        assert_eq!(state_of_number(10), None);
    }
}
