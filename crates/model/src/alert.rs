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
    /// For callers: the person they rang can be reached again.
    Notify,
}

impl Kind {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; 5] = [Self::Fallback, Self::Detail, Self::Teaser, Self::Notice, Self::Notify];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Detail => "detail",
            Self::Teaser => "teaser",
            Self::Notice => "notice",
            Self::Notify => "notify",
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

/// How an alert that an SMSC has, and that is not delivered yet, is brought up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateMode {
    /// `replace_sm` where it can say the new text and the SMSC can do it, else `cancel_sm` and a new message, else a new message with what is untold.
    Auto,
    /// `replace_sm` (SMPP 3.4 §4.10).
    Replace,
    /// `cancel_sm` (SMPP 3.4 §4.9) and a new message with everything.
    Cancel,
    /// `submit_sm` with `replace_if_present_flag` (SMPP 3.4 §5.2.18).
    ReplaceIfPresent,
    /// Not at all: a new message with what is untold, once the first is delivered or was waited for.
    New,
}

/// One way of bringing up to date an alert that an SMSC has: an order asks by one, so that what nobody answered is in doubt by that one alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateWay {
    /// `replace_sm` (SMPP 3.4 §4.10).
    Replace,
    /// `cancel_sm` (SMPP 3.4 §4.9) of each part.
    Cancel,
    /// `submit_sm` with `replace_if_present_flag` (SMPP 3.4 §5.2.18).
    ReplaceIfPresent,
}

impl UpdateWay {
    /// The word used in pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Cancel => "cancel",
            Self::ReplaceIfPresent => "replace_if_present",
        }
    }
}

/// The order to bring up to date one alert that an SMSC has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateOrder {
    /// Which alert.
    pub alert: AlertId,
    /// Which attempt at updating it, from 1: tells a late answer to an earlier attempt from the answer to this one.
    pub attempt: u32,
    /// What it is for.
    pub kind: Kind,
    /// The SMSC that has it.
    pub smsc: SmscName,
    /// The originator that it was submitted with.
    pub source: Address,
    /// Where it goes.
    pub destination: Msisdn,
    /// `message_id` of each part.
    pub message_ids: Vec<String>,
    /// The text that the SMSC has.
    pub before: String,
    /// The text that it is to have.
    pub text: String,
    /// How long the SMSC may try, from now on.
    pub validity: Duration,
    /// How.
    pub way: UpdateWay,
    /// Whether an attempt before this one that asked the same was not answered: what it did is not known.
    pub doubtful: bool,
}
