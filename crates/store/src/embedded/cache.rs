//! A bounded cache that keeps what was used lately: two generations, the older one dropped whole.

use std::collections::HashMap;
use std::hash::Hash;

/// Keeps at least the `capacity` newest entries, and at most twice as many.
pub(super) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            // The map dropped is reused, so that it need not grow again.
            self.old.clear();
            std::mem::swap(&mut self.young, &mut self.old);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_it_never_holds_more_than_twice_its_capacity() {
        let mut cache = Cache::new(10);
        for key in 0..1000_i32 {
            cache.insert(key, key);
            assert!(cache.young.len() + cache.old.len() <= 20);
            for kept in (key - 9).max(0)..=key {
                assert_eq!(cache.get(&kept), Some(&kept));
            }
        }
        cache.insert(995, 7);
        assert_eq!(cache.get(&995), Some(&7));
        assert_eq!(cache.remove(&995), Some(7));
        assert_eq!(cache.get(&995), None);
    }
}
