//! Calls that arrived together, are handed over together, and are answered when the store has answered.

use std::collections::HashMap;

use model::{CallId, MissedCall, Msisdn};
use tokio::time::Instant;

use crate::Stored;
use crate::sip::meter::CallResult;
use crate::sip::release::Release;
use crate::sip::table::Key;

/// Calls that may gather while the store is busy: a second's worth of the busiest hour, so that a disk that hesitates turns nobody away,
/// and few enough to be stored well before their peers give up.
pub(super) const MOST_GATHERED: usize = 4_096;

/// A call that waits for the store, and how it is released then.
#[derive(Debug)]
pub(super) struct Awaiting {
    pub(super) key: Key,
    pub(super) release: Release,
    pub(super) peer: usize,
    pub(super) arrived: Instant,
}

/// Calls that arrived together and are handed over together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// No two with the same id and called number.
    calls: Vec<MissedCall>,
    /// The place of each call.
    places: HashMap<(Msisdn, CallId), usize>,
    /// Who waits, each with the place of its call.
    awaiting: Vec<(usize, Awaiting)>,
}

/// What the hand-over of a batch came to.
#[derive(Debug)]
pub(in crate::sip) enum Outcome {
    /// The store answered.
    Answered(Stored),
    /// The hand-over was full.
    Full,
    /// Nobody answered in time.
    Silent,
}

/// A batch that was handed over, without its calls.
#[derive(Debug)]
pub(in crate::sip) struct Handed {
    awaiting: Vec<(usize, Awaiting)>,
}

impl Batch {
    /// Adds a call. The same call forwarded twice within one burst is one call to the store, and gets two answers.
    pub(super) fn add(&mut self, call: MissedCall, awaiting: Awaiting) {
        let next = self.calls.len();
        let place = *self.places.entry((call.called, call.id.clone())).or_insert(next);
        if place == next {
            self.calls.push(call);
        }
        self.awaiting.push((place, awaiting));
    }

    /// Whether no more calls may gather of a peer that has `waiting` at the store already: one of several that has as many as half of those that
    /// may gather gets no more than half of the room, so that it can't shut out the others.
    pub(super) const fn is_full_for(&self, waiting: usize) -> bool {
        let most = if waiting >= MOST_GATHERED / 2 { MOST_GATHERED / 2 } else { MOST_GATHERED };
        self.awaiting.len() >= most
    }

    /// Gives out the calls that were added, if any.
    pub(super) fn take(&mut self) -> Option<(Vec<MissedCall>, Handed)> {
        if self.awaiting.is_empty() {
            return None;
        }
        let Self { calls, places: _, awaiting } = std::mem::take(self);
        Some((calls, Handed { awaiting }))
    }
}

impl Handed {
    /// When the first of its calls arrived.
    pub(in crate::sip) fn arrived(&self) -> Option<Instant> {
        self.awaiting.first().map(|(_, awaiting)| awaiting.arrived)
    }

    /// What became of each call, in order of arrival: of one that came twice the first is the new one.
    pub(super) fn results(self, outcome: Outcome) -> impl Iterator<Item = (Awaiting, CallResult)> {
        // Places are given in order, so that the first of each call is the one whose place comes next.
        let mut next = 0;
        self.awaiting.into_iter().map(move |(place, awaiting)| {
            let is_first = place == next;
            next += usize::from(is_first);
            let result = match &outcome {
                Outcome::Answered(Stored { duplicate }) => {
                    let known = duplicate.get(place).copied().unwrap_or(false);
                    if is_first && !known { CallResult::Accepted } else { CallResult::Duplicate }
                }
                Outcome::Full => CallResult::Busy,
                Outcome::Silent => CallResult::Unavailable,
            };
            (awaiting, result)
        })
    }
}

#[cfg(test)]
impl Handed {
    /// The transactions that wait.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.awaiting.iter().map(|(_, awaiting)| &awaiting.key)
    }
}
