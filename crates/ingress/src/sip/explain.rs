//! How a message is read, step by step: for `afterring sip explain`, on which support lives.

use super::extract::Understood;
use crate::Refusal;

/// What would become of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The peer that it would come from; `None`: nobody's, and it would be refused.
    pub peer: Option<String>,
    /// Method and Request-URI, where there is a request in it.
    pub request: Option<(String, String)>,
    /// What was looked at, in the order in which it was.
    pub notes: Vec<Note>,
    /// The call that would be made of it, or why it would be refused.
    pub outcome: Result<Understood, Refusal>,
    /// More about a refusal: the rule that is broken, the extension that isn't known.
    pub detail: Option<String>,
    /// The response that the peer would get once the call is stored, without the header lines that only repeat the request's; empty where
    /// nothing is answered.
    pub response: Vec<String>,
}

/// Something that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// What was looked for.
    pub field: Field,
    /// Where it was looked for, such as `Diversion, 1 of 2` or `Request-URI;target`.
    pub place: String,
    /// What stands there, as written; octets that are not UTF-8 are replaced.
    pub written: String,
    /// What came of it.
    pub finding: Finding,
}

/// What is looked for in a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// Who missed the call.
    Called,
    /// Who was called first.
    Original,
    /// Who rang.
    Caller,
    /// Why it was missed.
    Reason,
    /// The number it was forwarded to.
    ServiceNumber,
    /// What names it.
    Id,
}

/// What came of looking at something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// This is what counts, read as this.
    Taken(String),
    /// It does not count, and why.
    PassedOver(&'static str),
}

impl Field {
    /// Every one, in the order of the documents.
    pub const ALL: [Self; 6] =
        [Self::Called, Self::Original, Self::Caller, Self::Reason, Self::ServiceNumber, Self::Id];

    /// The word used on the command line, as in the body of `POST /v1/calls`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Original => "original",
            Self::Caller => "caller",
            Self::Reason => "reason",
            Self::ServiceNumber => "service_number",
            Self::Id => "id",
        }
    }
}
