//! When the next submit may go: the link's rate, and the pauses that the SMSC asks for. Pure.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The part of a second's submits that may go at once: timers tick every millisecond or so, and an SMSC counts by the second.
const BURSTS_PER_SECOND: u32 = 100;

/// A link's pace.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Time that one submit takes; `None` without a limit.
    interval: Option<Duration>,
    /// How far the next submit's time may lie behind: what was not used of the last burst.
    burst: Duration,
    next: Instant,
    paused_until: Option<Instant>,
    pause: Duration,
}

impl Pace {
    /// `rate` is in submits per second, 0 for no limit.
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        let interval = (rate > 0).then(|| Duration::from_secs(1) / rate);
        let burst = interval.map_or(Duration::ZERO, |interval| interval * (rate / BURSTS_PER_SECOND).saturating_sub(1));
        Self { interval, burst, next: now, paused_until: None, pause: FIRST_PAUSE }
    }

    /// Takes leave for one submit.
    ///
    /// # Errors
    /// With the time to ask again.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if let Some(until) = self.paused_until {
            if now < until {
                return Err(until);
            }
            self.paused_until = None;
        }
        let Some(interval) = self.interval else { return Ok(()) };
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let next = self.next.max(earliest);
        if next > now {
            return Err(next);
        }
        self.next = next + interval;
        Ok(())
    }

    /// The SMSC asked to slow down; gives how long nothing goes out. Answers to what was sent before the pause don't lengthen it.
    pub(crate) fn throttle(&mut self, now: Instant) -> Duration {
        if let Some(until) = self.paused_until.filter(|&until| now < until) {
            return until - now;
        }
        let pause = self.pause;
        self.paused_until = Some(now + pause);
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// The SMSC took a submit; one sent before a pause that still lasts proves nothing.
    pub(crate) fn accepted(&mut self, now: Instant) {
        if self.pause != FIRST_PAUSE && !self.is_paused(now) {
            self.pause = FIRST_PAUSE;
        }
    }

    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// When a pause ends that lasts now.
    pub(crate) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|&until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_kept_and_unused_time_is_not_saved_up() {
        for rate in [1, 10, 250, 20_000] {
            let start = Instant::now();
            let mut pace = Pace::new(rate, start);
            let (mut now, mut sent) = (start + 60 * SECOND, 0);
            let end = now + 2 * SECOND;
            while now < end {
                match pace.take(now) {
                    Ok(()) => sent += 1,
                    Err(next) => now = next,
                }
            }
            assert!((2 * rate..=2 * rate + rate / BURSTS_PER_SECOND + 1).contains(&sent), "{rate}: {sent}");
        }
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace::new(0, now);
        assert!((0..1_000_000).all(|_| pace.take(now).is_ok()));
    }

    #[test]
    fn pauses_grow_until_something_is_accepted_after_one() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, now);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = pace.throttle(now);
            assert_eq!(pace.throttle(now), pause, "a second refusal of the same burst");
            pace.accepted(now);
            assert_eq!(pace.take(now), Err(now + pause));
            now += pause;
            assert_eq!(pace.take(now), Ok(()));
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        pace.accepted(now);
        assert_eq!(pace.throttle(now), SECOND);
    }
}
