//! What can be wrong with the centre, on request.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Faults to play. The counted ones use themselves up, each on the next submits; several at once are played in the order of the fields.
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
    /// Drops every session once, as soon as it is set.
    pub drop_sessions: bool,
    /// Binds are refused with this `command_status`.
    pub refuse_binds: Option<u32>,
    /// A receipt goes out before the answer to its submit, without the delivery delay.
    pub receipts_before_answer: bool,
    /// Every receipt goes out twice.
    pub repeat_receipts: bool,
    /// How receipts write the message id.
    pub receipt_id_form: ReceiptIdForm,
    /// Where receipts write what they say.
    pub receipt_form: ReceiptForm,
    /// What becomes of `query_sm`, `cancel_sm` and `replace_sm`.
    pub updates: Updates,
}

/// How receipts write the message id, which the answer gave as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptIdForm {
    /// As the answer did.
    #[default]
    Same,
    /// In upper case.
    HexUpper,
    /// The same number in decimal.
    Decimal,
    /// With zeros before it, 20 characters in all.
    ZeroPadded,
}

/// Where receipts write what they say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptForm {
    /// In the text and in TLVs.
    #[default]
    Both,
    /// In the text only.
    Text,
    /// In TLVs only.
    Options,
    /// In the text, which is in `message_payload`, without other TLVs.
    Payload,
}

/// What becomes of `query_sm`, `cancel_sm` and `replace_sm`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Updates {
    /// They work.
    #[default]
    Work,
    /// They are answered `ESME_RINVCMDID`.
    Refused,
    /// They are not answered.
    Silent,
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
        let faults: Faults = serde_json::from_str(r#"{"answer_late":[1500,3],"receipt_id_form":"hex_upper"}"#).unwrap();
        assert_eq!(faults.answer_late, Some((Duration::from_millis(1500), 3)));
        assert_eq!(faults.receipt_id_form, ReceiptIdForm::HexUpper);
        assert!(serde_json::from_str::<Faults>(r#"{"throtle_next":1}"#).is_err());
    }
}
