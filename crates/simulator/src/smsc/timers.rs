//! What is due later, in order of time and then of setting.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::desk::Outgoing;
use super::session::SessionId;

/// Names a timer, so that it can be taken back.
pub(crate) type TimerId = (Instant, u64);

/// What is to be done then.
#[derive(Debug)]
pub(crate) enum Due {
    /// Write an answer that was held back.
    Answer { session: SessionId, pdu: Box<[u8]> },
    /// Bring a message to its phone, if that is on.
    Deliver(u64),
    /// Give a message up.
    Expire(u64),
    /// Send a refused receipt or reply again.
    Resend(Outgoing),
    /// Look for receipts and replies without an answer.
    Sweep,
}

/// All timers. As many as there are held answers, waiting messages and unacknowledged receipts and replies, each bounded where it arises.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeMap<TimerId, Due>,
    set: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, due: Due) -> TimerId {
        self.set += 1;
        let id = (at, self.set);
        self.entries.insert(id, due);
        id
    }

    pub(crate) fn cancel(&mut self, id: TimerId) {
        self.entries.remove(&id);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the first one that is due by `now`.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Due> {
        let first = self.entries.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_at_the_same_time_comes_in_the_order_it_was_set() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut timers = Timers::default();
        timers.set(later, Due::Deliver(1));
        timers.set(later, Due::Deliver(2));
        let cancelled = timers.set(now, Due::Expire(3));
        timers.cancel(cancelled);
        assert_eq!(timers.next(), Some(later));
        assert!(timers.take(now).is_none());
        assert!(matches!(timers.take(later), Some(Due::Deliver(1))));
        assert!(matches!(timers.take(later), Some(Due::Deliver(2))));
    }
}
