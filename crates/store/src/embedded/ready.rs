//! Journaled events that wait to be decided, in memory: from the writer to whoever decides.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Journaled;

/// Events that wait in memory; beyond that they wait in the file. Two full turns.
const READY: usize = 8_192;

/// The queue between the two. What is put in together may be taken together: calls that came in one request are decided as one, if the limit allows.
#[derive(Default)]
pub(super) struct Ready {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Journaled>,
    /// Whether more is journaled than there was room for.
    more: bool,
    closed: bool,
}

impl Ready {
    /// How many more it has room for. With none, whoever makes room asks for more.
    pub(super) fn room(&self) -> usize {
        let mut queue = self.lock();
        let room = READY.saturating_sub(queue.events.len());
        queue.more = room == 0;
        room
    }

    /// There are more, which can't be read now: whoever makes room asks for them.
    pub(super) fn leave_behind(&self) {
        self.lock().more = true;
    }

    pub(super) fn put(&self, events: Vec<Journaled>) {
        self.lock().events.extend(events);
        self.filled.notify_one();
    }

    /// Before all others, in their order.
    pub(super) fn put_back(&self, events: Vec<Journaled>) {
        let mut queue = self.lock();
        for event in events.into_iter().rev() {
            queue.events.push_front(event);
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Nothing is taken any more; what waits is in the journal.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// The first events, and whether the writer is to be asked for more; waits until there is one. None once it is closed. For one at a time.
    pub(super) async fn take(&self, limit: usize) -> (Vec<Journaled>, bool) {
        loop {
            {
                let mut queue = self.lock();
                if queue.closed {
                    return (Vec::new(), false);
                }
                let count = limit.min(queue.events.len());
                if count > 0 {
                    let events = queue.events.drain(..count).collect();
                    return (events, queue.more && queue.events.len() < READY / 2);
                }
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
