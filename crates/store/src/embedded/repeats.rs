//! Calls reported lately, to tell their repeats at once. The exact check is in the call box; this one saves a repeat its place in the journal.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use model::{MissedCall, Timestamp};

use super::cache::Cache;

/// Calls kept: at 10,000 calls a second about a minute of them, twice what a retry of a feed takes. 32 bytes each.
const CAPACITY: usize = 1 << 19;

/// Two reports further apart than this are two calls, whatever their ids.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Names a call: its called number and a keyed hash of its id.
pub(super) type Key = (u64, u64);

pub(super) struct Repeats {
    seen: Cache<Key, Timestamp>,
    hasher: RandomState,
}

impl Repeats {
    pub(super) fn new() -> Self {
        Self { seen: Cache::new(CAPACITY), hasher: RandomState::new() }
    }

    pub(super) fn key(&self, call: &MissedCall) -> Key {
        (call.called.as_u64(), self.hasher.hash_one(call.id.as_str()))
    }

    pub(super) fn contains(&self, key: Key, at: Timestamp) -> bool {
        self.seen.get(&key).is_some_and(|seen| at.since(*seen).max(seen.since(at)) <= WINDOW)
    }

    pub(super) fn insert(&mut self, key: Key, at: Timestamp) {
        self.seen.insert(key, at);
    }
}
