//! How far a visitor is in the suggested tour: read off what happened, so that it is right however they got there.

use super::view::{Happening, PhonesView};

/// The steps of the tour that are behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tour {
    current: usize,
}

impl Tour {
    /// Steps: 1 a call was told in full, 2 a phone replied, 3 the database broke, 4 a call was told all the same.
    pub(super) fn of(view: &PhonesView) -> Self {
        let broke = view.database.abnormal
            || view.log.iter().any(|line| matches!(line.what, Happening::Database { abnormal: true }));
        let behind = [
            view.counts.detail > 0,
            view.counts.replies > 0,
            broke || view.counts.fallback > 0,
            view.counts.fallback > 0,
        ];
        Self { current: behind.iter().take_while(|done| **done).count() + 1 }
    }

    /// The step to take now, from 1; 5 when all are behind.
    pub(super) const fn current(self) -> usize {
        self.current
    }

    /// Nothing is left.
    pub(super) const fn is_finished(self) -> bool {
        self.current > 4
    }
}
