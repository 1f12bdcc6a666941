//! Answer times in a table of fixed size: 16 steps to each doubling.

use std::time::Duration;

/// Steps to each doubling: a step is at most 1/16 wide.
const STEPS: u64 = 16;

/// Up to 2^40 µs, twelve days.
const PLACES: usize = 16 * 38;

/// Answer times.
pub(super) struct Latency {
    counts: Vec<u64>,
    max: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: vec![0; PLACES], max: Duration::ZERO }
    }
}

/// Below 16 µs every microsecond has its place; above, the four bits after the leading one choose it.
fn place(micros: u64) -> usize {
    let doublings = micros.max(STEPS).ilog2() - STEPS.ilog2();
    let place = u64::from(doublings) * STEPS + (micros >> doublings);
    usize::try_from(place).unwrap_or(usize::MAX).min(PLACES - 1)
}

/// The longest time of a place.
fn longest(place: usize) -> Duration {
    let place = place as u64;
    let doublings = (place / STEPS).saturating_sub(1);
    Duration::from_micros(((place - doublings * STEPS + 1) << doublings) - 1)
}

impl Latency {
    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(place(micros)) {
            *count += 1;
        }
        self.max = self.max.max(time);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.max = self.max.max(other.max);
    }

    /// The time that this share of the answers took at most; zero when there are none.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.counts.iter().sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map_or(Duration::ZERO, |place| longest(place).min(self.max))
    }

    pub(super) const fn max(&self) -> Duration {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_one_another_and_are_narrow() {
        for micros in 0..100_000 {
            let (here, next) = (place(micros), place(micros + 1));
            assert!(next == here || next == here + 1, "{micros}");
            let top = longest(here).as_micros() as u64;
            assert!(top >= micros && top - micros <= micros / STEPS, "{micros} {top}");
        }
        assert_eq!(place(u64::MAX), PLACES - 1);
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), Duration::ZERO);
        for millis in 1..=100 {
            latency.record(Duration::from_millis(millis));
        }
        let p50 = latency.quantile(0.5).as_secs_f64();
        assert!((0.050..0.054).contains(&p50), "{p50}");
        assert_eq!(latency.quantile(1.0), Duration::from_millis(100));
    }
}
