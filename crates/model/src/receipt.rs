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
