//! What a person decided about being told, and being told of: kept in the box, since anyone may decide it.

use model::{Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

/// Numbers that one person may hide from.
pub const MAX_HIDDEN: usize = 20;

/// Callers who rang in vain and are told when the person can be reached again, at most; the oldest are dropped.
pub const MAX_AWAITING: usize = 20;

/// Whom notify-me may tell of a person, and whether it may tell the person of others.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Privacy {
    /// Nobody is told that this person can be reached again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// These callers aren't; at most [`MAX_HIDDEN`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden_from: Vec<Msisdn>,
    /// This person is not told of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_notified: bool,
}

/// A caller who rang in vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Awaiting {
    /// Who.
    pub caller: Msisdn,
    /// The last time.
    pub at: Timestamp,
}

/// Somebody who can be reached again, to be told to the owner of the box.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reachable {
    /// Who.
    pub person: Msisdn,
    /// Since when.
    pub at: Timestamp,
}

/// What a person was asked, and answers with the confirmation keyword.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether they want to be registered.
    Subscribe,
    /// Whether they want copies of this person's alerts.
    CopiesOf(Msisdn),
}

/// A question that waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// What was asked.
    pub question: Question,
    /// Until when the answer counts.
    pub until: Timestamp,
}
