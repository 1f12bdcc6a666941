//! The slots of one link's window, and whether they may be given out: shared by its task and by those who reserve.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::meter::Meter;

/// Whether a link gives permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Door {
    /// It is not in service.
    Closed,
    /// It is in service, and gives none for the moment.
    Paused,
    /// It gives them.
    Open,
}

/// A link's slots. A slot is taken by a permit and given back by exactly one of: the permit when dropped, or the answer to its order when it is handed on.
#[derive(Debug)]
pub(crate) struct Gate {
    window: usize,
    free: AtomicUsize,
    /// Slots that may be out at a time now: fewer than the window while the link has slowed down, so that nothing waits in it that can't be withdrawn.
    ceiling: AtomicUsize,
    door: AtomicU8,
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
            ceiling: AtomicUsize::new(window),
            door: AtomicU8::new(Door::Closed as u8),
            opened,
            returned: Notify::new(),
            meter: Meter::default(),
        }
    }

    pub(crate) const fn window(&self) -> usize {
        self.window
    }

    /// Whether the link is in service, paused or not.
    pub(crate) fn is_in_service(&self) -> bool {
        self.door.load(Ordering::Acquire) != Door::Closed as u8
    }

    /// Slots that could be taken now.
    pub(crate) fn available(&self) -> usize {
        let open = self.door.load(Ordering::Acquire) == Door::Open as u8;
        if open { self.below_ceiling(self.free.load(Ordering::Acquire)) } else { 0 }
    }

    fn below_ceiling(&self, free: usize) -> usize {
        let out = self.window - free.min(self.window);
        free.min(self.ceiling.load(Ordering::Relaxed).saturating_sub(out))
    }

    /// Takes up to so many slots; gives how many.
    pub(crate) fn take(&self, at_most: usize) -> usize {
        let mut taken = 0;
        let less = |free| {
            taken = self.below_ceiling(free).min(at_most);
            Some(free - taken)
        };
        // It never fails: there is always a number to put in its place.
        let _ = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        taken
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

    /// Opens or closes the gate, with so many slots that may be out at a time.
    pub(crate) fn set(&self, door: Door, ceiling: usize) {
        let ceiling = ceiling.clamp(1, self.window);
        let higher = self.ceiling.swap(ceiling, Ordering::AcqRel) < ceiling;
        // A link that leaves service lets those of a lower priority take over.
        let changed = self.door.swap(door as u8, Ordering::AcqRel) != door as u8;
        if changed || (higher && door == Door::Open) {
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
