//! Everything that a decision is taken on.

use model::{Address, AlertId, Kind, MissedCall, Msisdn, Receipt, Reply, SubmitOutcome, Timestamp, UpdateOutcome};
use serde::{Deserialize, Serialize};

use crate::{Alert, AlertState, Tally, Word};

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

/// Why a message is not sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAgain {
    /// It goes by itself: sent again, it would be told twice.
    #[error("this message has not left yet, and will by itself")]
    OnItsWay,
    /// An offer, or news of others.
    #[error("a teaser, and news of others, are of their moment and never sent again")]
    OfItsMoment,
    /// Its text is not kept any more.
    #[error("what this message said is no longer kept")]
    TextGone,
    /// Another message tells its calls, or may yet.
    #[error(
        "another message tells what this one said, or may yet: sent again, it would be told twice. Send that one again, if need be"
    )]
    ToldSince,
}

impl Resend {
    /// The wish to send this message again, as far as is known of it now.
    ///
    /// # Errors
    /// Why it can't be.
    pub fn of(alert: &Alert, at: Timestamp, by: String) -> Result<Self, NotAgain> {
        let (told, more, lost_at) = match alert.state {
            AlertState::Queued { .. } | AlertState::Sending { .. } => return Err(NotAgain::OnItsWay),
            AlertState::Superseded { .. } => return Err(NotAgain::ToldSince),
            AlertState::Delivered { .. } => (Vec::new(), 0, None),
            AlertState::Undelivered { at } | AlertState::Expired { at } | AlertState::Failed { at, .. } => {
                (alert.told.clone(), alert.more, Some(at))
            }
            AlertState::InDoubt { .. } | AlertState::Accepted { .. } => (alert.told.clone(), alert.more, None),
        };
        match alert.kind {
            Kind::Teaser | Kind::Notify => return Err(NotAgain::OfItsMoment),
            Kind::Detail | Kind::Fallback | Kind::Notice if alert.text.is_empty() => return Err(NotAgain::TextGone),
            Kind::Detail | Kind::Fallback | Kind::Notice => {}
        }
        Ok(Self {
            called: alert.to,
            at,
            by,
            of: alert.id,
            made_at: alert.created_at,
            kind: alert.kind,
            source: alert.source.clone(),
            text: alert.text.clone(),
            told,
            more,
            lost_at,
        })
    }
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
