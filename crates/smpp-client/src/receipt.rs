//! Reads what a receipt says, from its TLVs and its text (SMPP 3.4 appendix B, and the forms met in the field).

use model::ReceiptState;

use crate::deliver::Tlvs;
use crate::text::is_wide;

/// What a receipt says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) message_id: String,
    pub(crate) state: ReceiptState,
    pub(crate) error: String,
}

/// A receipt's text: ASCII whatever `data_coding` says, or UTF-16 where every other octet is 0.
pub(crate) fn text(octets: &[u8]) -> String {
    if is_wide(octets) {
        return model::decode_ucs2(octets);
    }
    String::from_utf8_lossy(octets).trim_matches('\0').to_owned()
}

/// Whether a text names both a message and its state.
pub(crate) fn looks_like_one(text: &str) -> bool {
    field(text, "id").is_some() && field(text, "stat").is_some()
}

/// What is said; a TLV wins over the text. `None` when no message is named.
pub(crate) fn read(text: &str, tlvs: &Tlvs<'_>) -> Option<Said> {
    let said = read_csv(text).or_else(|| read_fields(text));
    let named = tlvs.message_id.map(|id| String::from_utf8_lossy(id).trim_matches(['\0', ' ']).to_owned());
    let message_id = named.filter(|id| !id.is_empty()).or_else(|| said.as_ref().map(|said| said.message_id.clone()))?;
    let (state, error) = match said {
        Some(said) => (said.state, said.error),
        None => state_and_error(text),
    };
    Some(Said {
        message_id,
        state: tlvs.state.map_or(state, state_of_number),
        error: tlvs.network_error.and_then(network_error).unwrap_or(error),
    })
}

/// `id:… sub:… dlvrd:… submit date:… done date:… stat:… err:… text:…`, each of them optional but the first.
fn read_fields(text: &str) -> Option<Said> {
    let message_id = field(text, "id").filter(|id| !id.is_empty())?.to_owned();
    let (state, error) = state_and_error(text);
    Some(Said { message_id, state, error })
}

fn state_and_error(text: &str) -> (ReceiptState, String) {
    let stat = field(text, "stat").unwrap_or_default();
    let error = field(text, "err").unwrap_or_default();
    let state = state_of_word(stat);
    // A state that isn't one of the standard's words says why only by itself.
    let told = matches!(state, ReceiptState::Unknown) || is_gateway_code(stat);
    (state, if told && !stat.is_empty() { stat.to_owned() } else { error.to_owned() })
}

/// Vodafone's form: state, two times, error, destination, originator, message id.
fn read_csv(text: &str) -> Option<Said> {
    let [state, _, _, error, destination, _, id] = text.split(',').collect::<Vec<_>>().try_into().ok()?;
    if !destination.bytes().all(|octet| octet.is_ascii_digit()) || id.trim().is_empty() {
        return None;
    }
    let state = match state {
        "00" => ReceiptState::Delivered,
        "01" => ReceiptState::Enroute,
        _ => ReceiptState::Unknown,
    };
    Some(Said { message_id: id.trim().to_owned(), state, error: error.to_owned() })
}

/// The value of the first `name:`, any case, at the beginning of a word; up to the next space.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let octets = text.as_bytes();
    let begins =
        |&start: &usize| start == 0 || octets.get(start - 1).is_some_and(|octet| !octet.is_ascii_alphanumeric());
    let start = text.match_indices(':').filter_map(|(colon, _)| colon.checked_sub(name.len())).find(|start| {
        begins(start)
            && octets.get(*start..start + name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    })?;
    let value = text.get(start + name.len() + 1..)?.trim_start_matches(' ');
    let end = value.find(|c: char| c.is_whitespace() || c == '\0').unwrap_or(value.len());
    let value = value.get(..end)?;
    Some(if is_next_field(value) { "" } else { value })
}

/// Whether a word begins the next field, which it does where a value is empty.
fn is_next_field(word: &str) -> bool {
    ["sub:", "dlvrd:", "stat:", "err:", "text:"]
        .iter()
        .any(|name| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        || matches!(word, "submit" | "done")
}

fn state_of_word(stat: &str) -> ReceiptState {
    match stat.to_ascii_uppercase().as_str() {
        "DELIVRD" | "DELIVERED" => ReceiptState::Delivered,
        "EXPIRED" => ReceiptState::Expired,
        "DELETED" => ReceiptState::Deleted,
        "UNDELIV" | "FAILED" | "NACK" | "NOROUTE" => ReceiptState::Undeliverable,
        "ACCEPTD" | "ACCEPTED" => ReceiptState::Accepted,
        "REJECTD" | "REJECTED" => ReceiptState::Rejected,
        "ENROUTE" | "ACKED" | "BUFFRED" | "BUFFERD" => ReceiptState::Enroute,
        _ if is_gateway_code(stat) => ReceiptState::Undeliverable,
        _ => ReceiptState::Unknown,
    }
}

/// `CA:0051` and the like: Chinese gateways put the code of a final failure where the state belongs.
fn is_gateway_code(stat: &str) -> bool {
    matches!(stat.as_bytes(), [a, b, b':', digits @ ..]
        if a.is_ascii_uppercase() && b.is_ascii_uppercase() && digits.len() == 4 && digits.iter().all(u8::is_ascii_digit))
}

/// SMPP 3.4 §5.2.28; 0 and 9 are from SMPP 5.0 §4.7.15.
fn state_of_number(state: u8) -> ReceiptState {
    match state {
        0 | 1 => ReceiptState::Enroute,
        2 => ReceiptState::Delivered,
        3 => ReceiptState::Expired,
        4 => ReceiptState::Deleted,
        5 => ReceiptState::Undeliverable,
        6 => ReceiptState::Accepted,
        8 => ReceiptState::Rejected,
        _ => ReceiptState::Unknown,
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
        read(text, &Tlvs::default()).map(|said| (said.message_id, said.state, said.error))
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
        assert!(looks_like_one("id:7 stat:DELIVRD"));
        for text in ["C", "my id: 7", "stat:DELIVRD", "paid:7 stat:DELIVRD", "id 7 stat DELIVRD"] {
            assert!(!looks_like_one(text), "{text}");
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
            assert_eq!(state_of_number(number), state, "{number}");
        }
    }
}
