//! What can be wrong with the centre, or only unlike others, on request.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shape::ReceiptShape;
use crate::pdu::Part;

/// Faults to play, and ways in which this centre differs from a plain one. The counted ones use themselves up, each on the next submits; several at once are
/// played in the order of the fields. The others hold until they are set anew.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// So many submits are answered `ESME_RTHROTTLED`.
    pub throttle_next: u32,
    /// So many submits are answered `ESME_RMSGQFUL`.
    pub queue_full_next: u32,
    /// Submits answered with a status: (`command_status`, how many).
    pub refuse_next: Option<(u32, u32)>,
    /// So many submits get no answer.
    pub silent_next: u32,
    /// Whether the unanswered ones are lost; else they are taken and delivered.
    pub silent_loses: bool,
    /// Submits answered late: (how late, how many). In JSON the first is in milliseconds.
    #[serde(with = "late")]
    pub answer_late: Option<(Duration, u32)>,
    /// Answers to submits: so many are held back and then written in reverse order.
    pub answers_reversed: usize,
    /// Before each answer to a submit goes one with a sequence number that nobody used.
    pub stray_answers: bool,
    /// How answers to submits are written.
    pub answer_form: AnswerForm,
    /// `congestion_state` in every answer to a submit, 0 to 100 (SMPP 5.0 §4.8.4.18).
    pub congestion: Option<u8>,
    /// How message ids look.
    pub message_ids: MessageIds,
    /// The ids of the next messages, in place of those.
    pub next_ids: VecDeque<String>,
    /// What `data_coding` 0 means here, in both directions.
    pub alphabet: DefaultAlphabet,
    /// Drops every session once, as soon as it is set.
    pub drop_sessions: bool,
    /// What becomes of binds.
    pub binds: Binds,
    /// How sessions live on.
    pub sessions: Life,
    /// A receipt goes out before the answer to its submit, without the delivery delay.
    pub receipts_before_answer: bool,
    /// What goes out for each receipt, in this order; empty: one as the standard has it.
    pub receipts: Vec<ReceiptShape>,
    /// Which parts of a message in several have receipts.
    pub receipts_for: ReceiptsFor,
    /// Receipts go to another session of the same `system_id` than the one that submitted, while there is one.
    pub receipts_elsewhere: bool,
    /// What becomes of `query_sm`, `cancel_sm` and `replace_sm`.
    pub updates: Updates,
}

/// How answers to submits are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// With the message id; without a body when the submit is refused (SMPP 3.4 §4.4.2).
    #[default]
    Standard,
    /// Without a body.
    NoBody,
    /// The message id lacks its NUL.
    NoNul,
    /// A refusal has a message id, too.
    BodyAlways,
}

/// How message ids look; each is another form of a 64-bit number but the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageIds {
    /// Hexadecimal, lower case.
    #[default]
    Hex,
    /// Hexadecimal, upper case.
    HexUpper,
    /// Decimal.
    Decimal,
    /// Decimal with zeros before it, 20 digits.
    ZeroPadded,
    /// 25 decimal digits: more than 64 bits hold.
    Digits,
    /// A UUID (RFC 9562).
    Uuid,
    /// With `-`, `:` and `.` in it.
    Punctuated,
    /// 70 characters, more than SMPP allows (3.4 §5.2.23).
    TooLong,
    /// Every message has the same.
    Constant,
}

/// What `data_coding` 0 means (SMPP 3.4 §5.2.19: "SMSC default alphabet").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAlphabet {
    /// The GSM default alphabet, one octet a character.
    #[default]
    Gsm,
    /// The same, eight characters in seven octets.
    Packed,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
}

/// What becomes of binds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binds {
    /// Those of known accounts are accepted.
    #[default]
    Judged,
    /// They are refused with this `command_status`.
    Refused(u32),
    /// They are not answered.
    Silent,
    /// They are accepted, and the connection is closed at once.
    Closed,
}

/// How sessions live on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// They are served.
    #[default]
    Served,
    /// What comes is read and thrown away, and nothing is sent: the peer was gone, and nobody told TCP.
    Deaf,
    /// Nothing more is read either, but for 16 chunks.
    Stalled,
}

/// Which parts of a message in several have receipts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptsFor {
    /// All.
    #[default]
    All,
    /// The first.
    First,
    /// The last.
    Last,
    /// None, nor messages of one part.
    None,
}

impl ReceiptsFor {
    /// Whether this part has one; `None`: the only part.
    pub(crate) fn covers(self, part: Option<Part>) -> bool {
        match self {
            Self::All => true,
            Self::First => part.is_none_or(|part| part.number == 1),
            Self::Last => part.is_none_or(|part| part.number == part.total),
            Self::None => false,
        }
    }
}

/// What becomes of `query_sm`, `cancel_sm` and `replace_sm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Updates {
    /// They work.
    #[default]
    Work,
    /// They are answered with this `command_status`, and nothing is done.
    Refused(u32),
    /// They are not answered, and nothing is done.
    Silent,
    /// They work, and are answered so many milliseconds late.
    Late(u64),
    /// They work for transmitters; a transceiver is answered `ESME_RINVBNDSTS` (SMPP 3.4 table 2-1).
    TransmittersOnly,
}

/// What the faults make of one submit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Normal,
    Throttled,
    QueueFull,
    Refused(u32),
    Silent { lost: bool },
    Late(Duration),
}

impl Faults {
    /// Uses up one counted fault.
    pub(crate) fn next(&mut self) -> Fate {
        if take_one(&mut self.throttle_next) {
            return Fate::Throttled;
        }
        if take_one(&mut self.queue_full_next) {
            return Fate::QueueFull;
        }
        if let Some((status, count)) = &mut self.refuse_next
            && take_one(count)
        {
            return Fate::Refused(*status);
        }
        if take_one(&mut self.silent_next) {
            return Fate::Silent { lost: self.silent_loses };
        }
        if let Some((by, count)) = &mut self.answer_late
            && take_one(count)
        {
            return Fate::Late(*by);
        }
        Fate::Normal
    }
}

fn take_one(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

/// (milliseconds, how many) in JSON.
mod late {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(late: &Option<(Duration, u32)>, to: S) -> Result<S::Ok, S::Error> {
        late.map(|(by, count)| (u64::try_from(by.as_millis()).unwrap_or(u64::MAX), count)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(Duration, u32)>, D::Error> {
        let late = Option::<(u64, u32)>::deserialize(from)?;
        Ok(late.map(|(millis, count)| (Duration::from_millis(millis), count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_faults_use_themselves_up_in_order() {
        let late = Duration::from_millis(5);
        let mut faults = Faults {
            throttle_next: 2,
            queue_full_next: 1,
            refuse_next: Some((8, 1)),
            silent_next: 1,
            answer_late: Some((late, 1)),
            ..Faults::default()
        };
        let fates: Vec<Fate> = (0..7).map(|_| faults.next()).collect();
        let silent = Fate::Silent { lost: false };
        assert_eq!(
            fates,
            [
                Fate::Throttled,
                Fate::Throttled,
                Fate::QueueFull,
                Fate::Refused(8),
                silent,
                Fate::Late(late),
                Fate::Normal
            ]
        );
    }

    #[test]
    fn faults_are_read_from_json_and_unknown_ones_refused() {
        let faults: Faults = serde_json::from_str(r#"{"answer_late":[1500,3],"binds":{"refused":14}}"#).unwrap();
        assert_eq!(faults.answer_late, Some((Duration::from_millis(1500), 3)));
        assert_eq!(faults.binds, Binds::Refused(14));
        assert!(serde_json::from_str::<Faults>(r#"{"throtle_next":1}"#).is_err());
    }
}
