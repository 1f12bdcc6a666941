//! The hand-over: calls on their way in, and the token that says they are durable.

use std::time::Duration;

use model::MissedCall;
use tokio::sync::{mpsc, oneshot};

/// Calls handed over together; whoever takes them owes an answer.
#[derive(Debug)]
pub struct Offer {
    /// At least one call, in order of arrival; no two with the same id and called number.
    pub calls: Vec<MissedCall>,
    /// Where the answer goes. Dropping it unanswered tells the peer that the calls could not be stored.
    pub answer: oneshot::Sender<Stored>,
}

/// What became of an [`Offer`], of all its calls together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stored {
    /// Durable: the peer may be told.
    Yes {
        /// For each call of the offer, in its order, whether it was known before.
        duplicate: Vec<bool>,
    },
    /// Nothing was stored; the peer should come again.
    No {
        /// How long the peer should wait.
        retry_after: Duration,
    },
}

/// Where a door puts its offers. Full means busy: a door never waits for room.
pub type Intake = mpsc::Sender<Offer>;

/// Whole seconds for a Retry-After header, never none (RFC 9110 §10.2.3, RFC 3261 §20.33).
pub(crate) fn retry_after_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// How many of `calls` were known before, by the store's answer.
pub(crate) fn known_before(duplicate: &[bool], calls: usize) -> usize {
    duplicate.iter().take(calls).filter(|known| **known).count()
}
