//! Delivery receipts.

use serde::{Deserialize, Serialize};

use crate::{Msisdn, SmscName, Timestamp};

/// What a receipt says of the message (SMPP 3.4 §5.2.28 `message_state`, appendix B `stat`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// On its way; not final.
    Enroute,
    /// Taken, not yet delivered; not final.
    Accepted,
    /// On the handset.
    Delivered,
    /// The validity period passed.
    Expired,
    /// Deleted at the SMSC.
    Deleted,
    /// Can't be delivered.
    Undeliverable,
    /// Refused by the network.
    Rejected,
    /// The SMSC doesn't know, or says something nobody documented; not final.
    Unknown,
}

impl ReceiptState {
    /// The word used in pages, the API and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enroute => "enroute",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Undeliverable => "undeliverable",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing more is to come.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Expired | Self::Deleted | Self::Undeliverable | Self::Rejected => true,
            Self::Enroute | Self::Accepted | Self::Unknown => false,
        }
    }
}

/// How an SMSC's receipts write a message id, compared with the `submit_sm_resp` that gave it. Case and leading zeros never count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// The same.
    Same,
    /// The answer is hexadecimal, receipts are the same number in decimal.
    Decimal,
    /// The answer is decimal, receipts are the same number in hexadecimal.
    Hexadecimal,
}

impl IdForm {
    /// Every form, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Same, Self::Decimal, Self::Hexadecimal];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Decimal => "decimal",
            Self::Hexadecimal => "hexadecimal",
        }
    }

    /// The key of the answer that a receipt in this form belongs to, by the key of the receipt's id; `None` when its id can't be in this form.
    fn of_answer(self, receipt: &str) -> Option<String> {
        match self {
            Self::Same => Some(receipt.to_owned()),
            Self::Decimal => decimal(receipt).map(|number| format!("{number:x}")),
            Self::Hexadecimal => hexadecimal(receipt).map(|number| number.to_string()),
        }
    }

    /// The key of a receipt in this form, by the key of the answer's id; `None` when the answer can't be in this form.
    fn of_receipt(self, answer: &str) -> Option<String> {
        match self {
            Self::Same => Some(answer.to_owned()),
            Self::Decimal => hexadecimal(answer).map(|number| number.to_string()),
            Self::Hexadecimal => decimal(answer).map(|number| format!("{number:x}")),
        }
    }
}

/// What of a message id tells it from others: without the spaces and NULs around it and the zeros before it, in lower case. An id of zeros is "0".
#[must_use]
pub fn id_key(id: &str) -> String {
    let trimmed = id.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let significant = trimmed.trim_start_matches('0');
    if significant.is_empty() && !trimmed.is_empty() {
        return "0".to_owned();
    }
    significant.to_ascii_lowercase()
}

/// The keys of the answers' ids that a receipt with this id may be about, each once, in the order of [`IdForm::ALL`]; in one form only where that
/// is given. Numbers of more than 38 decimal or 32 hexadecimal digits have no other form than their own.
#[must_use]
pub fn answers_of(id: &str, form: Option<IdForm>) -> Vec<(IdForm, String)> {
    candidates(id, form, IdForm::of_answer)
}

/// The other way round: the keys of the receipts' ids that may be about the answer with this id.
#[must_use]
pub fn receipts_of(id: &str) -> Vec<(IdForm, String)> {
    candidates(id, None, IdForm::of_receipt)
}

fn candidates(id: &str, form: Option<IdForm>, of: fn(IdForm, &str) -> Option<String>) -> Vec<(IdForm, String)> {
    let own = id_key(id);
    let mut found: Vec<(IdForm, String)> = Vec::with_capacity(IdForm::ALL.len());
    for form in IdForm::ALL.into_iter().filter(|one| form.is_none_or(|form| form == *one)) {
        if let Some(key) = of(form, &own).filter(|key| found.iter().all(|(_, known)| known != key)) {
            found.push((form, key));
        }
    }
    found
}

/// The most digits of which every number fits 128 bits.
const DECIMAL_DIGITS: usize = 38;
const HEXADECIMAL_DIGITS: usize = 32;

fn decimal(key: &str) -> Option<u128> {
    let digits = key.len() <= DECIMAL_DIGITS && key.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| key.parse().ok()).flatten()
}

fn hexadecimal(key: &str) -> Option<u128> {
    let digits = key.len() <= HEXADECIMAL_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(key, 16).ok()).flatten()
}

/// A delivery receipt, as it came from an SMSC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Who sent it.
    pub smsc: SmscName,
    /// The message it is about, as the SMSC writes it here.
    pub message_id: String,
    /// How this SMSC is known to write ids; `None`: every form is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_form: Option<IdForm>,
    /// What became of the message.
    pub state: ReceiptState,
    /// The handset, where the receipt names one in international form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handset: Option<Msisdn>,
    /// The SMSC's error code, as written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// When it arrived here.
    pub at: Timestamp,
}

impl Receipt {
    /// The keys of the answers' ids that it may be about ([`answers_of`]).
    #[must_use]
    pub fn answers(&self) -> Vec<(IdForm, String)> {
        answers_of(&self.message_id, self.id_form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_an_id_is_what_no_smsc_changes() {
        for (id, key) in [
            ("1101C1-C9D03D-F000", "1101c1-c9d03d-f000"),
            ("0000123456", "123456"),
            ("0012ABcd", "12abcd"),
            ("000", "0"),
            ("0", "0"),
            ("", ""),
            (" \0", ""),
            ("7 \0\0", "7"),
            ("  7", "7"),
            ("0A:b.C", "a:b.c"),
            ("Ä1", "Ä1"),
        ] {
            assert_eq!(id_key(id), key, "{id:?}");
        }
    }

    #[test]
    fn a_receipt_is_about_an_answer_in_any_of_three_forms() {
        use IdForm::{Decimal, Hexadecimal, Same};
        let long = "04062581461644996000241";
        for (id, expected) in [
            ("450", vec![(Same, "450"), (Decimal, "1c2"), (Hexadecimal, "1104")]),
            ("00001C2", vec![(Same, "1c2"), (Hexadecimal, "450")]),
            ("7", vec![(Same, "7")]),
            ("10", vec![(Same, "10"), (Decimal, "a"), (Hexadecimal, "16")]),
            (
                "18446744073709551616",
                vec![
                    (Same, "18446744073709551616"),
                    (Decimal, "10000000000000000"),
                    (Hexadecimal, "114598615266301018707478"),
                ],
            ),
            ("a:b.c", vec![(Same, "a:b.c")]),
            ("S21311242091636504458661711", vec![(Same, "s21311242091636504458661711")]),
            ("", vec![(Same, "")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(form, key)| (form, key.to_owned())).collect();
            assert_eq!(answers_of(id, None), expected, "{id}");
        }
        assert_eq!(answers_of(long, Some(Decimal)), [(Decimal, format!("{:x}", 4_062_581_461_644_996_000_241_u128))]);
        assert_eq!(answers_of("xyz", Some(Decimal)), []);
        assert_eq!(answers_of(&"9".repeat(39), None), [(Same, "9".repeat(39))], "not a number of 128 bits");
        assert_eq!(answers_of(&"f".repeat(33), None), [(Same, "f".repeat(33))]);
    }

    proptest::proptest! {
        #[test]
        fn an_answer_and_its_receipt_find_each_other(number in 0..10_u128.pow(38), padding in 0_usize..4) {
            let zeros = "0".repeat(padding);
            let (decimal, hexadecimal) = (format!("{number:038}"), format!("{zeros}{number:X}"));
            for (answer, receipt) in [
                (&decimal, &number.to_string()),
                (&hexadecimal, &format!("{number:x}")),
                (&hexadecimal, &decimal),
                (&decimal, &hexadecimal),
            ] {
                let finds = |found: Vec<(IdForm, String)>, key: String| found.iter().any(|(_, known)| *known == key);
                proptest::prop_assert!(finds(answers_of(receipt, None), id_key(answer)), "{} of {}", receipt, answer);
                proptest::prop_assert!(finds(receipts_of(answer), id_key(receipt)), "{} of {}", receipt, answer);
            }
        }
    }
}
