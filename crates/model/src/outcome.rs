//! What became of a submit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::SmscName;

/// Why a submit has no answer: it may or may not have been taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoAnswer {
    /// The response timeout passed.
    Timeout,
    /// The link broke after the PDU was handed to it.
    LinkLost,
    /// This program was stopped or killed in between.
    Restart,
}

/// What became of a submit, of all its parts together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitOutcome {
    /// The SMSC took every part; its ids, in part order.
    Accepted {
        /// Who took it.
        smsc: SmscName,
        /// `message_id` of each part's `submit_sm_resp`.
        message_ids: Vec<String>,
    },
    /// The SMSC can't take it now: nothing was taken.
    Later {
        /// `command_status` of the response.
        status: u32,
        /// How long to wait before it is sent again; zero where the link itself waits (`ESME_RTHROTTLED`, `ESME_RMSGQFUL` and the like): the alert keeps
        /// its place in the queue.
        after: Duration,
        /// The SMSC that can't, where another one is to be tried first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avoid: Option<SmscName>,
    },
    /// The SMSC refused it for good.
    Refused {
        /// `command_status` of the response.
        status: u32,
    },
    /// It never left: the link went down before it was written. Safe to try again.
    NotSent,
    /// Sent, and not answered.
    InDoubt(NoAnswer),
}

/// What became of an update of a message that an SMSC has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateOutcome {
    /// The SMSC will deliver the new text.
    Replaced {
        /// The id that it gave, where it gave one (`replace_if_present`): the old one or another. Receipts may use either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
    },
    /// It was taken back: the person gets nothing of it, or not all of its parts.
    Cancelled,
    /// The SMSC doesn't have it any more (delivered, expired), with this `command_status`: nothing was changed.
    TooLate {
        /// `command_status` of the response.
        status: u32,
    },
    /// It can't be done: this SMSC can't, or the standard has no way to say it. Nothing was changed.
    Impossible,
    /// Nothing was asked, or the SMSC put it off: worth another try a little later.
    NotNow,
    /// Asked of an SMSC that can do it, and not answered: it may or may not have been done.
    InDoubt(NoAnswer),
}

impl UpdateOutcome {
    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Replaced { .. } => "replaced",
            Self::Cancelled => "cancelled",
            Self::TooLate { .. } => "too_late",
            Self::Impossible => "impossible",
            Self::NotNow => "not_now",
            Self::InDoubt(_) => "in_doubt",
        }
    }
}
