//! When the next submit may go: the rates of the link and of its SMSC, the pauses that the SMSC asks for, and how the link finds its way back. Pure.
//!
//! An SMSC that has enough says so (`ESME_RTHROTTLED`, `ESME_RMSGQFUL`, `congestion_state`), never how much it would take. So the link pauses, goes on a little
//! below what was taken in the last second, and asks for more by and by, until nothing holds it back any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// An SMSC counts by the second: the first pause lets it begin a new one.
const FIRST_PAUSE: Duration = SECOND;
/// The first pause of a link that has slowed down already: it was above the limit by a little only.
const SLOWED_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A pause as long as this follows others after which nothing was taken: the SMSC is not of use for now.
const STUCK: Duration = Duration::from_secs(4);

/// The part of a second's submits that may go at once: timers tick every millisecond or so, and an SMSC counts by the second.
const BURSTS_PER_SECOND: u32 = 100;

/// From so many a second on, one submit may make up for a late timer.
const SMALLEST_BURST: u32 = 10;

/// A link that was never held back for so long by what it slowed down to is free again.
const UNNEEDED: Duration = Duration::from_secs(10);

/// `congestion_state` from which on an SMSC is about to have enough, and when it has (SMPP 5.0 §4.8.4.18).
const NEARING_CONGESTION: u8 = 90;
const CONGESTED: u8 = 100;

/// So many a second, evenly, with small bursts.
#[derive(Debug)]
struct Rate {
    interval: Duration,
    /// How far the next submit's time may lie behind: what was not used of the last burst.
    burst: Duration,
    next: Instant,
}

impl Rate {
    /// `None` without a limit.
    fn new(per_second: u32, now: Instant) -> Option<Self> {
        let (interval, burst) = shape(per_second)?;
        Some(Self { interval, burst, next: now })
    }

    /// The time that a submit would take now.
    fn ready(&self, now: Instant) -> Result<Instant, Instant> {
        let next = self.next.max(now.checked_sub(self.burst).unwrap_or(now));
        if next > now { Err(next) } else { Ok(next + self.interval) }
    }
}

/// Interval and burst.
fn shape(per_second: u32) -> Option<(Duration, Duration)> {
    let interval = SECOND.checked_div(per_second)?;
    // Below some ten a second a late timer costs nothing; above, one submit's time must be made up for.
    let least = u32::from(per_second >= SMALLEST_BURST);
    Some((interval, interval * (per_second / BURSTS_PER_SECOND).saturating_sub(1).max(least)))
}

/// What all links to one SMSC may send together.
#[derive(Debug)]
pub(crate) struct SmscRate {
    start: Instant,
    interval: u64,
    burst: u64,
    /// Nanoseconds after `start` at which the next submit's time is.
    next: AtomicU64,
}

impl SmscRate {
    /// `None` without a limit.
    pub(crate) fn new(per_second: u32, now: Instant) -> Option<Arc<Self>> {
        let (interval, burst) = shape(per_second)?;
        Some(Arc::new(Self { start: now, interval: nanos(interval), burst: nanos(burst), next: AtomicU64::new(0) }))
    }

    fn take(&self, now: Instant) -> Result<(), Instant> {
        let at = nanos(now.saturating_duration_since(self.start));
        let place = |next: u64| {
            let next = next.max(at.saturating_sub(self.burst));
            (next <= at).then(|| next.saturating_add(self.interval))
        };
        let taken = self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, place);
        taken.map(drop).map_err(|next| self.start + Duration::from_nanos(next))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a link allows itself since the SMSC asked to slow down.
#[derive(Debug)]
struct Slowed {
    /// Submits per second.
    limit: u32,
    rate: Rate,
    /// When it asks for more.
    grows_at: Instant,
    /// When something waited for it last.
    needed: Instant,
}

/// A link's pace.
#[derive(Debug)]
pub(crate) struct Pace {
    own: Option<Rate>,
    smsc: Option<Arc<SmscRate>>,
    slowed: Option<Slowed>,
    /// When the SMSC last said that it is about to have enough.
    eased: Option<Instant>,
    paused_until: Option<Instant>,
    /// The pauses one after another; `None` once something was taken after one.
    pause: Option<Duration>,
    paused_for: Duration,
    taken: Taken,
}

/// Submits taken by the SMSC, by the second.
#[derive(Debug)]
struct Taken {
    since: Instant,
    now: u32,
    before: u32,
    /// The most in any second.
    best: u32,
}

impl Taken {
    fn roll(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed < SECOND {
            return;
        }
        self.best = self.best.max(self.now);
        self.before = if passed < 2 * SECOND { self.now } else { 0 };
        (self.since, self.now) = (now, 0);
    }

    /// In about the last second.
    fn lately(&mut self, now: Instant) -> u32 {
        self.roll(now);
        self.now.max(self.before)
    }
}

impl Pace {
    /// `rate` is the link's own in submits per second, 0 for no limit; `smsc` what it shares with the other links there.
    pub(crate) fn new(rate: u32, smsc: Option<Arc<SmscRate>>, now: Instant) -> Self {
        Self {
            own: Rate::new(rate, now),
            smsc,
            slowed: None,
            eased: None,
            paused_until: None,
            pause: None,
            paused_for: Duration::ZERO,
            taken: Taken { since: now, now: 0, before: 0, best: 0 },
        }
    }

    /// Takes leave for one submit.
    ///
    /// # Errors
    /// With the time to ask again.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if let Some(until) = self.paused_until(now) {
            return Err(until);
        }
        self.grow(now);
        let own = self.own.as_ref().map(|rate| rate.ready(now)).transpose()?;
        let slowed = match &mut self.slowed {
            Some(slowed) => Some(slowed.rate.ready(now).inspect_err(|_| slowed.needed = now)?),
            None => None,
        };
        self.smsc.as_ref().map_or(Ok(()), |smsc| smsc.take(now))?;
        if let (Some(rate), Some(next)) = (&mut self.own, own) {
            rate.next = next;
        }
        if let (Some(slowed), Some(next)) = (&mut self.slowed, slowed) {
            slowed.rate.next = next;
        }
        Ok(())
    }

    /// A second has passed without a complaint: a tenth more, or twice as much while it is far below what was taken once.
    fn grow(&mut self, now: Instant) {
        let Some(slowed) = &mut self.slowed else { return };
        if now < slowed.grows_at {
            return;
        }
        if now.saturating_duration_since(slowed.needed) >= UNNEEDED {
            self.slowed = None;
            return;
        }
        let far_below = slowed.limit < self.taken.best / 2;
        let more = if far_below { slowed.limit } else { (slowed.limit / 10).max(1) };
        self.slowed = Slowed::to(slowed.limit.saturating_add(more), slowed.needed, now);
    }

    /// The SMSC asked to slow down: nothing goes out for a while. Answers to what was sent before the pause don't lengthen it; whether it is a new one.
    pub(crate) fn throttle(&mut self, now: Instant) -> bool {
        if self.is_paused(now) {
            return false;
        }
        let first = if self.slowed.is_some() { SLOWED_PAUSE } else { FIRST_PAUSE };
        let pause = self.pause.map_or(first, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.paused_until = Some(now + pause);
        self.paused_for += pause;
        self.slow_down(now, now + pause);
        true
    }

    fn slow_down(&mut self, now: Instant, from: Instant) {
        let lately = self.taken.lately(now);
        // With nothing taken lately there is nothing to go by but what it allowed itself before.
        let limit = match (lately, &self.slowed) {
            (0, Some(slowed)) => slowed.limit / 2,
            (0, None) => 1,
            (lately, _) => lately - lately.div_ceil(10),
        };
        self.slowed = Slowed::to(limit.max(1), from, from);
    }

    /// What the SMSC says of its load, 0 to 100 (`congestion_state`); whether it begins a pause.
    pub(crate) fn congestion(&mut self, level: u8, now: Instant) -> bool {
        if level >= CONGESTED {
            return self.throttle(now);
        }
        let lately = self.eased.is_some_and(|eased| now.saturating_duration_since(eased) < SECOND);
        self.taken.roll(now);
        // Before a second has passed there is nothing that a tenth could be taken off.
        if level >= NEARING_CONGESTION && self.taken.before > 0 && !lately && !self.is_paused(now) {
            self.eased = Some(now);
            self.slow_down(now, now);
        }
        false
    }

    /// The SMSC took a submit; one sent before a pause that still lasts proves nothing.
    pub(crate) fn accepted(&mut self, now: Instant) {
        self.taken.roll(now);
        self.taken.now = self.taken.now.saturating_add(1);
        if self.pause.is_some() && !self.is_paused(now) {
            self.pause = None;
        }
    }

    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until(now).is_some()
    }

    /// When a pause ends that lasts now.
    pub(crate) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|&until| now < until)
    }

    /// Whether nothing was taken after several pauses, and it pauses once more.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.is_paused(now) && self.pause.is_some_and(|pause| pause >= STUCK)
    }

    /// What the link allows itself since it was asked to slow down, in submits per second.
    pub(crate) fn slowed_to(&self) -> Option<u32> {
        self.slowed.as_ref().map(|slowed| slowed.limit)
    }

    /// How long it paused altogether, the pause that lasts included.
    pub(crate) const fn paused_for(&self) -> Duration {
        self.paused_for
    }
}

impl Slowed {
    fn to(limit: u32, needed: Instant, from: Instant) -> Option<Self> {
        let rate = Rate::new(limit, from)?;
        Some(Self { limit, rate, grows_at: from + SECOND, needed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as it may for so long; how many left.
    fn send(pace: &mut Pace, now: &mut Instant, seconds: u32) -> u32 {
        let (end, mut sent) = (*now + SECOND * seconds, 0);
        while *now < end {
            match pace.take(*now) {
                Ok(()) => sent += 1,
                Err(next) => *now = next.max(*now + Duration::from_nanos(1)),
            }
        }
        sent
    }

    #[test]
    fn a_rate_is_kept_and_unused_time_is_not_saved_up() {
        for rate in [1, 10, 250, 20_000] {
            let start = Instant::now();
            let shared = |own, smsc| Pace::new(own, SmscRate::new(smsc, start), start);
            for mut pace in [shared(rate, 0), shared(0, rate), shared(rate, rate * 2), shared(rate * 2, rate)] {
                let mut now = start + 60 * SECOND;
                let sent = send(&mut pace, &mut now, 2);
                assert!((2 * rate..=2 * rate + rate / BURSTS_PER_SECOND + 1).contains(&sent), "{rate}: {sent}");
            }
        }
    }

    #[test]
    fn links_of_one_smsc_share_its_rate() {
        let start = Instant::now();
        let smsc = SmscRate::new(100, start);
        let mut links = [0, 30].map(|own| Pace::new(own, smsc.clone(), start));
        let (mut now, mut sent) = (start, [0; 2]);
        for turn in 0..2_000 {
            // Neither is always the first to ask.
            let first = turn / 10 % 2;
            for which in [first, 1 - first] {
                sent[which] += u32::from(links[which].take(now).is_ok());
            }
            now += Duration::from_millis(1);
        }
        assert!((199..=202).contains(&(sent[0] + sent[1])), "{sent:?}");
        assert!(sent[1] <= 61 && sent[1] > 0, "{sent:?}");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        assert!((0..1_000_000).all(|_| pace.take(now).is_ok()));
    }

    #[test]
    fn pauses_grow_until_something_is_accepted_after_one() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert!(pace.throttle(now));
            assert!(!pace.throttle(now), "a second refusal of the same burst");
            pace.accepted(now);
            let until = pace.paused_until(now).unwrap();
            assert_eq!(pace.take(now), Err(until));
            pauses.push((until - now).as_secs());
            assert_eq!(pace.is_stuck(now), until - now >= STUCK);
            assert!(!pace.is_stuck(until));
            now = until;
            assert_eq!(pace.take(now), Ok(()));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!(pace.paused_for(), 35 * SECOND);
        pace.accepted(now);
        assert!(pace.throttle(now));
        assert_eq!(pace.paused_until(now), Some(now + SLOWED_PAUSE));
    }

    /// An SMSC that takes `limit` a second, and the second's rest throttled, at once.
    fn against(pace: &mut Pace, now: &mut Instant, limit: u32, seconds: u32) -> (u32, u32) {
        let (mut taken, mut throttled) = (0, 0);
        for _ in 0..seconds {
            let (end, mut this_second) = (*now + SECOND, 0);
            while *now < end {
                match pace.take(*now) {
                    Ok(()) if this_second < limit => {
                        this_second += 1;
                        pace.accepted(*now);
                    }
                    Ok(()) => {
                        throttled += 1;
                        pace.throttle(*now);
                    }
                    Err(next) => *now = next.min(end).max(*now + Duration::from_nanos(1)),
                }
            }
            taken += this_second;
        }
        (taken, throttled)
    }

    #[test]
    fn a_link_finds_what_the_smsc_takes_and_comes_back_when_it_takes_more() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        let (taken, throttled) = against(&mut pace, &mut now, 50, 60);
        assert!(taken > 60 * 50 * 6 / 10, "{taken} of 3000 taken");
        assert!(throttled < 60, "{throttled} refused");
        let (before, _) = against(&mut pace, &mut now, 1_000_000, 1);
        assert!(before < 100, "{before}");
        let (_, refused) = against(&mut pace, &mut now, 5_000, 60);
        assert!(refused < 60, "{refused} refused");
        let (taken, _) = against(&mut pace, &mut now, 5_000, 10);
        assert!(taken > 10 * 5_000 / 2, "{taken} of 50000 taken");
    }

    #[test]
    fn what_holds_nothing_back_for_a_while_is_forgotten() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        pace.throttle(now);
        assert_eq!(pace.slowed_to(), Some(1));
        now += FIRST_PAUSE;
        for _ in 0..30 {
            now += SECOND;
            assert_eq!(pace.take(now), Ok(()), "one in a second is not held back");
        }
        assert_eq!(pace.slowed_to(), None);
    }

    #[test]
    fn congestion_is_eased_before_it_is_complete() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        for _ in 0..100 {
            assert_eq!(pace.take(now), Ok(()));
            pace.accepted(now);
        }
        assert!(!pace.congestion(95, now));
        now += SECOND;
        assert!(!pace.congestion(89, now));
        assert_eq!(pace.slowed_to(), None);
        assert!(!pace.congestion(95, now));
        assert!(!pace.congestion(95, now));
        assert_eq!((pace.slowed_to(), pace.is_paused(now)), (Some(90), false));
        now += 2 * SECOND;
        assert!(pace.congestion(100, now));
        assert!(pace.is_paused(now));
    }

    #[test]
    fn an_smsc_that_stays_near_congestion_is_approached_by_tenths() {
        let mut now = Instant::now();
        let mut pace = Pace::new(0, None, now);
        let mut by_second = Vec::new();
        for _ in 0..6 {
            let (end, mut sent) = (now + SECOND, 0_u32);
            while now < end {
                match pace.take(now) {
                    Ok(()) => {
                        sent += 1;
                        pace.accepted(now);
                        pace.congestion(95, now);
                        now += Duration::from_millis(1);
                    }
                    Err(next) => now = next.min(end),
                }
            }
            by_second.push(sent);
        }
        assert!(by_second.windows(2).skip(1).all(|pair| pair[1] * 10 >= pair[0] * 7), "{by_second:?}");
        assert!(by_second[5] < by_second[0], "{by_second:?}");
    }
}
