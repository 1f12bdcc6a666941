//! Counts what a link does: written by its task alone, read by whoever asks for the status.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::state::{AnswerSeconds, By, LinkCounts, Why};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    Submits,
    Accepted,
    Later,
    Refused,
    NotSent,
    InDoubt,
    LateAnswers,
    Receipts,
    DisagreeingReceipts,
    Replies,
    IgnoredReplies,
    RefusedInbound,
    BadPdus,
    UnknownAnswers,
    Connects,
    Disconnects,
    Throttles,
    Updates,
}

const COUNTS: usize = Count::Updates as usize + 1;

/// Upper bounds of the answer times, in seconds: an SMSC answers in 1 to 100 ms, a sick one up to the timeout.
const BOUNDS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const BOUNDS_MS: [u64; BOUNDS.len()] = [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// The counts of one link.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    counts: [AtomicU64; COUNTS],
    in_flight: AtomicU64,
    answers: [AtomicU64; BOUNDS.len() + 1],
    answer_micros: AtomicU64,
    /// By [`Why::WORDS`], and for each by who.
    ends: [[AtomicU64; 3]; Why::WORDS.len()],
    /// Of the last `enquire_link`, in microseconds and one more; 0 while there was none.
    round_trip: AtomicU64,
}

const ENDED_BY: [By; 3] = [By::Us, By::Peer, By::Network];

impl Meter {
    /// Counts one.
    pub(crate) fn count(&self, what: Count) {
        if let Some(cell) = self.counts.get(what as usize) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// Says how many submits are unanswered.
    pub(crate) fn set_in_flight(&self, count: usize) {
        self.in_flight.store(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
    }

    /// Counts an answer that took so long.
    pub(crate) fn answered_in(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|&bound| bound < took.as_secs_f64());
        if let Some(cell) = self.answers.get(bucket) {
            cell.fetch_add(1, Relaxed);
        }
        self.answer_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Counts the end of a connection, or of an attempt at one.
    pub(crate) fn ended(&self, why: Why) {
        let by = ENDED_BY.iter().position(|by| *by == why.by());
        let of = Why::WORDS.iter().position(|word| *word == why.as_str());
        if let Some(cell) = of.and_then(|of| self.ends.get(of)).zip(by).and_then(|(ends, by)| ends.get(by)) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// Every end that happened, with how often.
    pub(crate) fn ends(&self) -> Vec<(By, &'static str, u64)> {
        let all = Why::WORDS.iter().zip(&self.ends);
        all.flat_map(|(word, ends)| ENDED_BY.iter().zip(ends).map(|(by, count)| (*by, *word, count.load(Relaxed))))
            .filter(|(_, _, count)| *count > 0)
            .collect()
    }

    /// An `enquire_link` was answered after so long.
    pub(crate) fn enquired_in(&self, took: Duration) {
        self.round_trip.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).saturating_add(1), Relaxed);
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.load(Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    pub(crate) fn in_flight(&self) -> usize {
        usize::try_from(self.in_flight.load(Relaxed)).unwrap_or(usize::MAX)
    }

    pub(crate) fn counts(&self) -> LinkCounts {
        let of = |what: Count| self.counts.get(what as usize).map_or(0, |cell| cell.load(Relaxed));
        LinkCounts {
            submits: of(Count::Submits),
            accepted: of(Count::Accepted),
            later: of(Count::Later),
            refused: of(Count::Refused),
            not_sent: of(Count::NotSent),
            in_doubt: of(Count::InDoubt),
            late_answers: of(Count::LateAnswers),
            receipts: of(Count::Receipts),
            disagreeing_receipts: of(Count::DisagreeingReceipts),
            replies: of(Count::Replies),
            ignored_replies: of(Count::IgnoredReplies),
            refused_inbound: of(Count::RefusedInbound),
            bad_pdus: of(Count::BadPdus),
            unknown_answers: of(Count::UnknownAnswers),
            connects: of(Count::Connects),
            disconnects: of(Count::Disconnects),
            throttles: of(Count::Throttles),
            updates: of(Count::Updates),
        }
    }

    pub(crate) fn answer_seconds(&self) -> AnswerSeconds {
        AnswerSeconds {
            bounds: &BOUNDS,
            bounds_ms: &BOUNDS_MS,
            counts: self.answers.iter().map(|cell| cell.load(Relaxed)).collect(),
            sum: Duration::from_micros(self.answer_micros.load(Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_falls_into_the_bucket_that_bounds_it() {
        let meter = Meter::default();
        for millis in [1, 2, 3, 10_000, 10_001] {
            meter.answered_in(Duration::from_millis(millis));
        }
        let seconds = meter.answer_seconds();
        assert_eq!(seconds.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert!((seconds.sum - 20.007).abs() < 1e-9);
        let millis = BOUNDS.map(|bound| Duration::from_secs_f64(bound).as_millis());
        assert_eq!(millis, BOUNDS_MS.map(u128::from));
    }
}
