//! A call that was not answered.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Msisdn, ShortNumber, Timestamp};

/// What names a call for deduplication: 1 to 128 characters, chosen by whoever reported it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(String);

/// Why a text can't name a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 128 characters and no control characters")]
pub struct CallIdError;

impl CallId {
    /// Takes a name.
    ///
    /// # Errors
    /// When it is empty, longer than 128 characters or holds control characters.
    pub fn parse(text: &str) -> Result<Self, CallIdError> {
        let fits = !text.is_empty() && text.chars().count() <= 128 && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(CallIdError) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CallId {
    type Error = CallIdError;
    fn try_from(text: String) -> Result<Self, CallIdError> {
        Self::parse(&text)
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> Self {
        id.0
    }
}

/// Who called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A number in international form.
    Number(Msisdn),
    /// A number of a private or national short plan, shown as it came.
    Short(ShortNumber),
    /// The caller withheld the number (CLIR): it is not kept at all.
    Withheld,
    /// The network did not say.
    Unknown,
}

/// Why the call was not answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The called person was on the phone.
    Busy,
    /// It rang and nobody answered.
    NoAnswer,
    /// The phone was off or out of coverage.
    Unreachable,
    /// All calls are diverted.
    Unconditional,
    /// The called person declined or deflected it.
    Rejected,
    /// The network did not say.
    Unknown,
}

impl Reason {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 6] =
        [Self::Busy, Self::NoAnswer, Self::Unreachable, Self::Unconditional, Self::Rejected, Self::Unknown];

    /// The word used on the wire, in metrics and in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Unreachable => "unreachable",
            Self::Unconditional => "unconditional",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word used on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The way a call came in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A forwarded call.
    Sip,
    /// `POST /v1/calls`.
    Http,
}

/// A call that was not answered, as accepted from the core network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MissedCall {
    /// Names the call; the same id for the same called number is the same call.
    pub id: CallId,
    /// Who rang.
    pub caller: Caller,
    /// Who missed it.
    pub called: Msisdn,
    /// When it was missed.
    pub at: Timestamp,
    /// Why it was not answered.
    pub reason: Reason,
    /// The number the core network forwarded to, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_number: Option<ShortNumber>,
    /// The way it came in.
    pub source: Source,
}
