//! Everything that a decision is taken on.

use model::{Address, AlertId, Kind, MissedCall, Msisdn, Receipt, Reply, SubmitOutcome, Timestamp, UpdateOutcome};
use serde::{Deserialize, Serialize};

use crate::{Tally, Word};

/// An operator sends a message to a person again, as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resend {
    /// Who gets it: who got it before.
    pub called: Msisdn,
    /// When that was asked.
    pub at: Timestamp,
    /// Who asked, as the audit log names them.
    pub by: String,
    /// The message that is sent again.
    pub of: AlertId,
    /// When that was made.
    pub made_at: Timestamp,
    /// What it is for.
    pub kind: Kind,
    /// Where it came from.
    pub source: Address,
    /// What it says.
    pub text: String,
    /// The calls it told, the last caller first; none where it certainly arrived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Tally>,
    /// Calls it told of as a number only; none where it certainly arrived.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub more: u32,
    /// Since when it is known not to have arrived, so that the next alert would tell its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Timestamp>,
}

/// Something that happened, about one called person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A call was missed.
    Call(MissedCall),
    /// The SMSC answered a submit, or did not.
    Submitted {
        /// Which alert.
        alert: AlertId,
        /// Which attempt at it.
        attempt: u32,
        /// What became of it.
        outcome: SubmitOutcome,
    },
    /// An update of an alert that the SMSC has came to an end, or was not answered.
    Updated {
        /// Which alert.
        alert: AlertId,
        /// Which attempt at updating it.
        attempt: u32,
        /// What became of it.
        outcome: UpdateOutcome,
    },
    /// A delivery receipt came.
    Receipt(Receipt),
    /// A person texted us.
    Reply(Reply),
    /// Another person's decision says something to this one's box.
    Word(Word),
    /// Leasing a queued alert gave [`crate::Leased::Dropped`]: it waited here longer than it is worth. The view holds that alert, still queued.
    Dropped {
        /// Which alert.
        alert: AlertId,
    },
    /// An operator sends a message again.
    Resend(Resend),
    /// The call box asked to be looked at now ([`crate::CallBox::due`]), or the database is back and something was deferred.
    Due {
        /// Whose.
        called: Msisdn,
    },
}

impl Event {
    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Submitted { .. } => "submitted",
            Self::Updated { .. } => "updated",
            Self::Receipt(_) => "receipt",
            Self::Reply(_) => "reply",
            Self::Word(_) => "word",
            Self::Dropped { .. } => "dropped",
            Self::Resend(_) => "resend",
            Self::Due { .. } => "due",
        }
    }
}
