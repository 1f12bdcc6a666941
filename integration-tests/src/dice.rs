//! Randomness that can be repeated: a seed that is printed, and numbers from it.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A seeded source of numbers (splitmix64).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Takes the seed from `AFTERRING_TEST_SEED`, else a new one; prints it.
    #[must_use]
    pub fn new() -> Self {
        let given = env::var("AFTERRING_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
        println!("AFTERRING_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }

    /// A duration of whole milliseconds between the two.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_millis();
        low + Duration::from_millis(self.below(u64::try_from(span).unwrap_or(u64::MAX)))
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
