//! What one person's decision means for another: a word that is journaled with the decision and decided in turn, on the other's box.

use model::{Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Tally;

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// The sender can be reached again; the recipient rang them in vain. Notify-me.
    Reachable {
        /// When the recipient rang, the last time.
        rang_at: Timestamp,
    },
    /// The sender wants to send the recipient copies of their alerts.
    CopyAsked,
    /// The recipient, who asked, may send the sender copies.
    CopyAgreed,
    /// The sender wants no more copies of the recipient's alerts.
    CopyEnded,
    /// A copy of an alert to the sender: the calls that it tells.
    Copy {
        /// The calls, the last caller first.
        told: Vec<Tally>,
        /// Calls told as a number only.
        #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
        more: u32,
    },
}

impl Saying {
    /// The word used in pages and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Reachable { .. } => "reachable",
            Self::CopyAsked => "copy_asked",
            Self::CopyAgreed => "copy_agreed",
            Self::CopyEnded => "copy_ended",
            Self::Copy { .. } => "copy",
        }
    }
}

/// What one person's decision says to another person's box.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// Whose box it is for.
    pub to: Msisdn,
    /// Whose decision it was.
    pub from: Msisdn,
    /// When.
    pub at: Timestamp,
    /// What is said.
    pub saying: Saying,
}
