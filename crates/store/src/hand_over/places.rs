//! How far a standby has what this node handed over.

use std::sync::PoisonError;

use tokio::time::Instant;

use super::Shared;

/// Ends of batches whose way to a standby is followed.
const PLACES: usize = 4_096;

/// The end of a batch that was committed.
pub(super) struct Place {
    through: i64,
    committed: Instant,
    /// Where the database's log was at most when it was committed, once that is known.
    log: Option<u64>,
}

impl Shared {
    pub(super) fn note_place(&self, through: i64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES {
            places.pop_front();
        }
        places.push_back(Place { through, committed: Instant::now(), log: None });
    }

    /// A probe that began then found the log of the database here: what was committed before it began is at most there.
    pub(crate) fn log_reached(&self, log: u64, began: Instant) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for place in places.iter_mut().filter(|place| place.log.is_none() && place.committed < began) {
            place.log = Some(log);
        }
    }

    /// A standby has the log up to here: the last event that it has.
    pub(crate) fn standby_has(&self, flushed: u64) -> Option<i64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut through = None;
        while let Some(place) = places.front().filter(|place| place.log.is_some_and(|log| log <= flushed)) {
            through = Some(place.through);
            places.pop_front();
        }
        through
    }
}
