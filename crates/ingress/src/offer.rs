//! The hand-over: calls on their way in, and the token that says they are durable.

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

/// All calls of an [`Offer`] are durable: the peer may be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// For each call of the offer, in its order, whether it was known before.
    pub duplicate: Vec<bool>,
}

/// Where a door puts its offers. Full means busy: a door never waits for room.
pub type Intake = mpsc::Sender<Offer>;

/// How many of `calls` were known before, by the store's answer.
pub(crate) fn known_before(duplicate: &[bool], calls: usize) -> usize {
    duplicate.iter().take(calls).filter(|known| **known).count()
}
