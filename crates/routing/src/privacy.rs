//! What a person decided about being told, and being told of: kept in the box, since anyone may decide it.

use model::{Msisdn, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Tally;

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
    /// Whether this person is told of others; `None`: as is usual ([`crate::NotifyMe::usual`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<bool>,
}

impl Privacy {
    /// Whether a caller may be told of this person.
    #[must_use]
    pub fn lets_know(&self, caller: Msisdn) -> bool {
        !self.hidden && !self.hidden_from.contains(&caller)
    }
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
    /// When the owner of the box rang them in vain, the last time.
    pub rang_at: Timestamp,
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

/// A number that was asked whether it wants copies, and has not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CopiesAsked {
    /// Which.
    pub number: Msisdn,
    /// Until when its answer counts.
    pub until: Timestamp,
}

/// People whose copies one person gets, at most; a further one is not asked about.
pub const MAX_COPIES: usize = 20;

/// Copies of alerts, from here to another number and from others to here.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Copies {
    /// The number that this person offered copies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<CopiesAsked>,
    /// Whose copies this person gets, at most [`MAX_COPIES`]: whom to tell when they want no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Msisdn>,
    /// Calls that the next copy tells, by caller, the last caller last: each call is in one copy, whatever becomes of the alert that tells it here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Tally>,
    /// Calls of callers that no longer fit into `untold`.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub more: u32,
    /// Until when this person is not asked again whether they want copies, unless they agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questioned: Option<Timestamp>,
    /// The copies that were made lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<CopiesMade>,
}

/// Copies of one person's alerts in a day: the same bounds hold for them as for the alerts, though one alert may be brought up to date many times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct CopiesMade {
    /// When the last one was made.
    pub at: Timestamp,
    /// The day of the sender's own calendar that it was.
    pub day: i32,
    /// How many on that day.
    pub count: u32,
}

/// Texts of one person that changed nothing, in a row: two machines that answer each other come to an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Futile {
    /// When the last one came.
    pub at: Timestamp,
    /// FNV-1a of what the last one said, normalised.
    pub key: u64,
    /// How many.
    pub count: u32,
}
