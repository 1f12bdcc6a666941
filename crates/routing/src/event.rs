//! Everything that a decision is taken on.

use model::{AlertId, MissedCall, Msisdn, Receipt, Reply, SubmitOutcome, UpdateOutcome};
use serde::{Deserialize, Serialize};

use crate::Word;

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
            Self::Due { .. } => "due",
        }
    }
}
