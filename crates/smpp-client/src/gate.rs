//! The slots of one link's window, and whether they may be given out: shared by its task and by those who reserve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::meter::Meter;

/// A link's slots. A slot is taken by a permit and given back by exactly one of: the permit when dropped, or the answer to its order when it is handed on.
#[derive(Debug)]
pub(crate) struct Gate {
    window: usize,
    free: AtomicUsize,
    open: AtomicBool,
    /// Tells those who reserve, on any link, that there may be a slot.
    opened: Arc<Notify>,
    /// Tells the link's task that a permit was dropped.
    returned: Notify,
    pub(crate) meter: Meter,
}

impl Gate {
    /// A closed gate with all slots free.
    pub(crate) fn new(window: usize, opened: Arc<Notify>) -> Self {
        Self {
            window,
            free: AtomicUsize::new(window),
            open: AtomicBool::new(false),
            opened,
            returned: Notify::new(),
            meter: Meter::default(),
        }
    }

    pub(crate) const fn window(&self) -> usize {
        self.window
    }

    /// Slots that could be taken now.
    pub(crate) fn available(&self) -> usize {
        if self.open.load(Ordering::Acquire) { self.free.load(Ordering::Acquire) } else { 0 }
    }

    /// Takes up to so many slots; gives how many.
    pub(crate) fn take(&self, at_most: usize) -> usize {
        let taken =
            self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| Some(free.saturating_sub(at_most)));
        taken.map_or(0, |free| free.min(at_most))
    }

    /// Gives slots back.
    pub(crate) fn give_back(&self, slots: usize) {
        if slots > 0 {
            self.free.fetch_add(slots, Ordering::AcqRel);
            self.opened.notify_waiters();
        }
    }

    /// Gives back the slot of a permit that was not used.
    pub(crate) fn give_back_unused(&self) {
        self.give_back(1);
        self.returned.notify_one();
    }

    /// Opens or closes the gate.
    pub(crate) fn set_open(&self, open: bool) {
        if self.open.swap(open, Ordering::AcqRel) != open && open {
            self.opened.notify_waiters();
        }
    }

    /// Whether no permit is out and no order unanswered.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.load(Ordering::Acquire) == self.window
    }

    /// Waits until a permit was dropped since the last call; cancel safe.
    pub(crate) async fn returned(&self) {
        self.returned.notified().await;
    }
}
