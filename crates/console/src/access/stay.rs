//! How long a live stream may go on: until the sign-in ends that it began with, or somebody may see less than before.

use std::sync::atomic::Ordering;

use super::Viewer;
use super::door::Access;
use super::sessions::SessionKey;

/// A live stream's leave to go on; who comes again is looked at anew.
pub(crate) struct Stay {
    access: Access,
    turn: u64,
    session: Option<SessionKey>,
}

impl Access {
    /// The leave of whoever begins a stream now.
    pub(crate) fn stay(&self, viewer: &Viewer) -> Stay {
        Stay { access: self.clone(), turn: self.turn(), session: viewer.session }
    }

    fn turn(&self) -> u64 {
        self.0.turn.load(Ordering::Relaxed)
    }
}

impl Stay {
    /// Whether it may still go on.
    pub(crate) fn lasts(&self) -> bool {
        let ended = |key| self.access.sessions().look(key, self.access.now()).is_none();
        self.access.turn() == self.turn && !self.session.as_ref().is_some_and(ended)
    }
}
