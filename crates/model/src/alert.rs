//! What goes out: kinds of messages and the order to send one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Address, Msisdn, SmscName};

/// Names an alert within one store; given out in increasing order, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub i64);

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a message is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// For subscribers while the database is abnormal: caller, time, count.
    Fallback,
    /// For subscribers, and for prospects who asked: each caller, last time, count.
    Detail,
    /// For prospects: time and count and the offer. Never a caller's number.
    Teaser,
    /// The answer to a reply: a confirmation, a refusal of a request, help.
    Notice,
}

impl Kind {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; 4] = [Self::Fallback, Self::Detail, Self::Teaser, Self::Notice];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Detail => "detail",
            Self::Teaser => "teaser",
            Self::Notice => "notice",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The order to submit one alert to an SMSC: one or more parts that belong together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submit {
    /// Which alert.
    pub alert: AlertId,
    /// Which attempt at it, from 1: tells a late answer to an earlier attempt from the answer to this one.
    pub attempt: u32,
    /// What it is for.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Address,
    /// Where it goes.
    pub destination: Msisdn,
    /// The whole text; the link codes and splits it.
    pub text: String,
    /// How long the SMSC may try.
    pub validity: Duration,
    /// The SMSC that could not take it before: another one is to be tried, if there is one in service.
    pub avoid: Option<SmscName>,
}
