//! What the gateway counted over the last day: readings once a second, thinned out as they age. Every figure and every chart is made of these.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use model::Timestamp;
use tokio::sync::watch;

use crate::reading::Reading;

/// How often the gateway is read.
const EVERY: Duration = Duration::from_secs(1);

/// The readings that are kept: each ring one of its step, so long. A reading has one to three KiB, all rings some ten MiB with many links.
const RINGS: [(i64, usize); 3] = [(1_000, 15 * 60 + 1), (10_000, 2 * 360 + 1), (60_000, 25 * 60 + 1)];

/// How much of the past is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Span {
    /// The last five minutes.
    #[default]
    FiveMinutes,
    /// The last quarter of an hour.
    Quarter,
    /// The last hour.
    Hour,
    /// The last six hours.
    SixHours,
    /// The last day.
    Day,
}

impl Span {
    /// Every one, the shortest first.
    pub(crate) const ALL: [Self; 5] = [Self::FiveMinutes, Self::Quarter, Self::Hour, Self::SixHours, Self::Day];

    /// The word in `?span=`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
        }
    }

    /// What a word in `?span=` says.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.as_str() == word)
    }

    /// How long it is.
    pub(crate) const fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveMinutes => 300,
            Self::Quarter => 900,
            Self::Hour => 3_600,
            Self::SixHours => 6 * 3_600,
            Self::Day => 24 * 3_600,
        })
    }

    /// The time between two points of a chart: some 150 points, whatever the span.
    pub(crate) const fn step(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveMinutes => 2,
            Self::Quarter => 6,
            Self::Hour => 20,
            Self::SixHours => 120,
            Self::Day => 600,
        })
    }
}

/// The readings of the last day. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Samples {
    rings: Arc<RwLock<[VecDeque<Arc<Reading>>; RINGS.len()]>>,
    newest: watch::Sender<Arc<Reading>>,
}

impl Samples {
    /// Begins with this reading.
    #[must_use]
    pub(crate) fn new(first: Reading) -> Self {
        let first = Arc::new(first);
        let samples = Self { rings: Arc::default(), newest: watch::Sender::new(Arc::clone(&first)) };
        samples.add(first);
        samples
    }

    /// Reads the gateway once a second, for ever.
    pub(crate) async fn read(self, reading: Arc<dyn Fn() -> Reading + Send + Sync>) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.add(Arc::new(reading()));
        }
    }

    /// Takes a reading into every ring whose step it begins.
    pub(crate) fn add(&self, reading: Arc<Reading>) {
        let mut rings = self.rings.write().unwrap_or_else(PoisonError::into_inner);
        for (ring, (step, most)) in rings.iter_mut().zip(RINGS) {
            let at = |reading: &Reading| reading.at.as_millis().div_euclid(step);
            if ring.back().is_none_or(|last| at(last) < at(&reading)) {
                ring.push_back(Arc::clone(&reading));
                if ring.len() > most {
                    ring.pop_front();
                }
            }
        }
        drop(rings);
        self.newest.send_replace(reading);
    }

    /// The newest.
    pub(crate) fn newest(&self) -> Arc<Reading> {
        Arc::clone(&self.newest.borrow())
    }

    /// Sees each new one.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Reading>> {
        self.newest.subscribe()
    }

    /// The last one that is at least so old; the oldest where there is none.
    pub(crate) fn ago(&self, age: Duration) -> Arc<Reading> {
        let newest = self.newest();
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let old_enough = |reading: &&Arc<Reading>| newest.at.since(reading.at) >= age;
        let mut found = rings.iter().filter_map(|ring| ring.iter().rev().find(old_enough));
        let oldest = || rings.iter().filter_map(VecDeque::front).min_by_key(|reading| reading.at);
        found.next().or_else(oldest).map_or_else(|| Arc::clone(&newest), Arc::clone)
    }

    /// Readings of a span, the oldest first, about one for each of its steps (aligned to the clock, so that points stay where they are) and the newest.
    /// Where the gateway has not run so long, those that there are.
    pub(crate) fn over(&self, span: Span) -> Vec<Arc<Reading>> {
        let newest = self.newest();
        let step = i64::try_from(span.step().as_millis()).unwrap_or(i64::MAX);
        let from = newest.at.as_millis() - i64::try_from(span.lasts().as_millis()).unwrap_or(0);
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        // The finest ring that reaches back so far; the coarsest reaches farthest.
        let reaches = |ring: &&VecDeque<Arc<Reading>>| ring.front().is_some_and(|first| first.at.as_millis() <= from);
        let Some(ring) = rings.iter().find(reaches).or_else(|| rings.iter().max_by_key(|ring| reach(ring))) else {
            return vec![newest];
        };
        let mut kept: Vec<Arc<Reading>> = Vec::new();
        for reading in ring.iter().filter(|reading| reading.at.as_millis() >= from - step) {
            let slot = |reading: &Reading| reading.at.as_millis().div_euclid(step);
            if kept.last().is_none_or(|last| slot(last) < slot(reading)) {
                kept.push(Arc::clone(reading));
            }
        }
        if kept.last().is_none_or(|last| last.at < newest.at) {
            kept.push(newest);
        }
        kept
    }
}

/// How far back a ring goes, and the finer of two that go back equally far.
fn reach(ring: &VecDeque<Arc<Reading>>) -> (i64, usize) {
    let first = ring.front().map_or(Timestamp::from_millis(i64::MAX), |first| first.at);
    (-first.as_millis(), ring.len())
}

/// Per second between two readings; `None` where no time passed.
pub(crate) fn rate(before: &Reading, after: &Reading, total: impl Fn(&Reading) -> u64) -> Option<f64> {
    let seconds = after.at.since(before.at).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 events nobody counts one by one")]
    let more = total(after).saturating_sub(total(before)) as f64;
    (seconds > 0.0).then(|| more / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Series;

    fn filled(seconds: i64) -> Samples {
        let at = |second: i64| {
            let mut reading = Reading::none(Timestamp::from_millis(1_700_000_000_000 + second * 1_000));
            reading.set(Series::Calls, u64::try_from(second).unwrap());
            reading
        };
        let samples = Samples::new(at(0));
        for second in 1..=seconds {
            samples.add(Arc::new(at(second)));
        }
        samples
    }

    #[test]
    fn readings_thin_out_and_are_bounded() {
        let samples = filled(26 * 3_600);
        let rings = samples.rings.read().unwrap();
        let lengths: Vec<usize> = rings.iter().map(VecDeque::len).collect();
        assert_eq!(lengths, [901, 721, 1_501]);
    }

    #[test]
    fn what_was_so_long_ago_is_found_also_before_there_was_so_much() {
        let samples = filled(7_200);
        let then = |age: u64| samples.ago(Duration::from_secs(age)).total(Series::Calls);
        assert_eq!((then(0), then(300), then(900)), (7_200, 6_900, 6_300));
        assert!((3_590..=3_600).contains(&then(3_600)), "{}", then(3_600));
        assert_eq!(then(90_000), 0);
        assert_eq!(filled(0).ago(Duration::from_secs(60)).total(Series::Calls), 0);
    }

    #[test]
    fn every_span_has_some_150_points_and_ends_with_the_newest() {
        let samples = filled(26 * 3_600);
        for span in Span::ALL {
            let points = samples.over(span);
            assert!((144..=182).contains(&points.len()), "{}: {}", span.as_str(), points.len());
            assert_eq!(points.last().unwrap().total(Series::Calls), 26 * 3_600);
            assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        }
        assert_eq!(filled(3).over(Span::Day).len(), 2, "too young for more");
    }
}
