//! The live tail: what is decided, as it happens; filtered before anything is formatted, and bounded for each viewer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Caller, Clock, Kind, Msisdn, Timestamp};
use routing::{AlertState, RangeName, Ranges, Verdict};
use serde::Serialize;
use store::Outcome;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::words::{EVENTS, VERDICTS};

/// Outcomes that are remembered, for who begins to look.
const REMEMBERED: usize = 1_000;

/// The fewest and the most last digits that people are looked for by.
pub(crate) const DIGITS: std::ops::RangeInclusive<usize> = 4..=8;

/// Which outcomes are wanted. What is absent may be anything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Filter {
    /// The event's word.
    pub(crate) event: Option<String>,
    /// What was decided.
    pub(crate) verdict: Option<String>,
    /// Why.
    pub(crate) why: Option<String>,
    /// The range of the person.
    pub(crate) range: Option<String>,
    /// The kind of an alert.
    pub(crate) kind: Option<String>,
    /// The last digits of the person, or of a caller who is told.
    pub(crate) digits: Option<String>,
}

/// Why a filter can't be applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FilterError {
    /// The field.
    pub(crate) field: &'static str,
    /// What is wrong.
    pub(crate) why: &'static str,
}

impl Filter {
    /// Reads a filter; `digits` only where numbers may be seen.
    ///
    /// # Errors
    /// When something in it can't match anything, ever.
    pub(crate) fn read<'a>(asked: impl Fn(&str) -> Option<&'a str>, sees_numbers: bool) -> Result<Self, FilterError> {
        let one = |field: &'static str, known: &dyn Fn(&str) -> bool| match asked(field) {
            Some(word) if !known(word) => Err(FilterError { field, why: "there is no such word" }),
            word => Ok(word.map(str::to_owned)),
        };
        let digits = asked("digits").map(str::to_owned);
        let fits = |digits: &String| DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if digits.as_ref().is_some_and(|digits| !fits(digits)) {
            return Err(FilterError { field: "digits", why: "give the last 4 to 8 digits" });
        }
        if digits.is_some() && !sees_numbers {
            return Err(FilterError { field: "digits", why: "numbers are hidden" });
        }
        Ok(Self {
            event: one("event", &|word| EVENTS.iter().any(|(name, ..)| *name == word))?,
            verdict: one("verdict", &|word| VERDICTS.iter().any(|(name, ..)| *name == word))?,
            why: one("why", &|word| !word.is_empty())?,
            range: one("range", &|word| !word.is_empty())?,
            kind: one("kind", &|word| Kind::ALL.into_iter().any(|kind| kind.as_str() == word))?,
            digits,
        })
    }

    /// Whether an outcome is wanted.
    pub(crate) fn wants(&self, outcome: &Outcome, ranges: &Ranges) -> bool {
        let (what, why) = outcome.verdict.words();
        let is = |wanted: &Option<String>, word: &str| wanted.as_ref().is_none_or(|wanted| wanted == word);
        is(&self.event, outcome.event)
            && is(&self.verdict, what)
            && is(&self.why, why)
            && self.kind.as_ref().is_none_or(|kind| kind_of(outcome).is_some_and(|of| of.as_str() == kind))
            && self.digits.as_ref().is_none_or(|digits| ends_so(outcome, digits))
            && self.range.as_ref().is_none_or(|range| range_of(outcome, ranges).is_some_and(|of| of.0 == *range))
    }
}

/// Of what kind the alert is that an outcome is about.
fn kind_of(outcome: &Outcome) -> Option<Kind> {
    match outcome.verdict {
        Verdict::Send(kind) | Verdict::Joined(kind) => Some(kind),
        Verdict::Held(_) | Verdict::Nothing(_) | Verdict::Reply(_) | Verdict::Alert => {
            outcome.alerts.last().map(|alert| alert.kind)
        }
    }
}

fn range_of<'a>(outcome: &Outcome, ranges: &'a Ranges) -> Option<&'a RangeName> {
    outcome.called.and_then(|called| ranges.find(called)).map(|range| &range.name)
}

/// Whether the number of the person, or of a caller of whom they are told, ends so.
fn ends_so(outcome: &Outcome, digits: &str) -> bool {
    let told = outcome.alerts.iter().flat_map(|alert| &alert.told);
    let callers = told.filter_map(|tally| match &tally.caller {
        Caller::Number(number) => Some(*number),
        Caller::Short(_) | Caller::Withheld | Caller::Unknown => None,
    });
    outcome.called.into_iter().chain(callers).any(|number| ends_with(number, digits))
}

/// Whether a number ends with these digits, of which there are at most eight.
pub(crate) fn ends_with(number: Msisdn, digits: &str) -> bool {
    let wanted = digits.parse::<u64>().ok();
    let modulus = u32::try_from(digits.len()).ok().and_then(|length| 10_u64.checked_pow(length));
    wanted.zip(modulus).is_some_and(|(wanted, modulus)| number.as_u64() % modulus == wanted)
}

/// An outcome as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// When it was heard of.
    pub(crate) at: Timestamp,
    /// The event's place.
    pub(crate) seq: i64,
    /// The event's word.
    pub(crate) event: &'static str,
    /// The person.
    pub(crate) called: Option<Msisdn>,
    /// Their range.
    pub(crate) range: Option<RangeName>,
    /// What was decided.
    pub(crate) verdict: Verdict,
    /// The alert's kind.
    pub(crate) kind: Option<Kind>,
    /// Where the alert is that moved on.
    pub(crate) state: Option<AlertState>,
}

/// An outcome in JSON.
#[derive(Serialize)]
pub(crate) struct TailView {
    #[serde(serialize_with = "crate::api::rfc3339")]
    at: Timestamp,
    seq: i64,
    event: &'static str,
    /// Masked for who may not see numbers.
    called: Option<String>,
    range: Option<String>,
    verdict: &'static str,
    why: &'static str,
    kind: Option<&'static str>,
    /// Where the alert is that moved on.
    state: Option<&'static str>,
}

impl Shown {
    fn of(outcome: &Outcome, ranges: &Ranges, at: Timestamp) -> Self {
        let moved = matches!(outcome.verdict, Verdict::Alert);
        Self {
            at,
            seq: outcome.seq.0,
            event: outcome.event,
            called: outcome.called,
            range: range_of(outcome, ranges).cloned(),
            verdict: outcome.verdict,
            kind: kind_of(outcome),
            state: outcome.alerts.last().filter(|_| moved).map(|alert| alert.state.clone()),
        }
    }

    /// For programs.
    pub(crate) fn view(&self, number: impl Fn(Msisdn) -> String) -> TailView {
        let (verdict, why) = self.verdict.words();
        TailView {
            at: self.at,
            seq: self.seq,
            event: self.event,
            called: self.called.map(number),
            range: self.range.as_ref().map(|range| range.0.clone()),
            verdict,
            why,
            kind: self.kind.map(Kind::as_str),
            state: self.state.as_ref().map(AlertState::as_str),
        }
    }
}

/// What one viewer sees: so many a second, and how many those are that they don't see.
#[derive(Debug)]
pub(crate) struct Follower {
    filter: Filter,
    /// Most in one second.
    most: usize,
    /// What came since the last look, the oldest first.
    new: Vec<Shown>,
    /// What came and is not shown since the last look.
    not_shown: u64,
    /// Batches that were overwritten before this viewer read them since the last look; what was in them nobody knows.
    missed: u64,
}

/// What a viewer is told at one look.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// What came, the oldest first.
    pub(crate) shown: Vec<Shown>,
    /// How many more came that were wanted.
    pub(crate) not_shown: u64,
    /// How many batches of outcomes were missed.
    pub(crate) missed: u64,
}

impl Follower {
    /// Sees what the filter wants, at most so many between two looks.
    pub(crate) const fn new(filter: Filter, most: usize) -> Self {
        Self { filter, most, new: Vec::new(), not_shown: 0, missed: 0 }
    }

    /// Outcomes came.
    pub(crate) fn take(&mut self, outcomes: &[Outcome], ranges: &Ranges, at: Timestamp) {
        for outcome in outcomes {
            if !self.filter.wants(outcome, ranges) {
                continue;
            }
            if self.new.len() < self.most {
                self.new.push(Shown::of(outcome, ranges, at));
            } else {
                self.not_shown += 1;
            }
        }
    }

    /// Batches were lost.
    pub(crate) const fn miss(&mut self, batches: u64) {
        self.missed += batches;
    }

    /// What came since the last look.
    pub(crate) fn look(&mut self) -> Look {
        Look {
            shown: std::mem::take(&mut self.new),
            not_shown: std::mem::take(&mut self.not_shown),
            missed: std::mem::take(&mut self.missed),
        }
    }
}

/// The last outcomes, for who begins to look and for the search of people. It holds what was sent anyway, and computes nothing.
#[derive(Clone)]
pub(crate) struct Recent(Arc<Mutex<VecDeque<Batch>>>);

/// Outcomes that were told together, and when.
type Batch = (Timestamp, Arc<Vec<Outcome>>);

impl Recent {
    /// Remembers from now on.
    pub(crate) fn begin(live: &broadcast::Sender<Arc<Vec<Outcome>>>, clock: Clock) -> Self {
        let recent = Self(Arc::default());
        let (kept, mut heard) = (recent.clone(), live.subscribe());
        tokio::spawn(async move {
            loop {
                match heard.recv().await {
                    Ok(batch) => kept.push(clock(), batch),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
        recent
    }

    fn push(&self, at: Timestamp, batch: Arc<Vec<Outcome>>) {
        if batch.is_empty() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((at, batch));
        let mut count: usize = kept.iter().map(|(_, batch)| batch.len()).sum();
        while count > REMEMBERED && kept.len() > 1 {
            count -= kept.pop_front().map_or(0, |(_, batch)| batch.len());
        }
    }

    fn batches(&self) -> Vec<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The newest outcomes that are wanted, at most so many, the oldest first.
    pub(crate) fn newest(&self, filter: &Filter, ranges: &Ranges, most: usize) -> Vec<Shown> {
        let batches = self.batches();
        let newest = batches.iter().rev().flat_map(|(at, batch)| batch.iter().rev().map(move |outcome| (*at, outcome)));
        let wanted = newest.filter(|(_, outcome)| filter.wants(outcome, ranges)).take(most);
        let mut shown: Vec<Shown> = wanted.map(|(at, outcome)| Shown::of(outcome, ranges, at)).collect();
        shown.reverse();
        shown
    }

    /// The people of the last outcomes whose numbers end so, each once, the latest first.
    pub(crate) fn people(&self, digits: &str, most: usize) -> Vec<Msisdn> {
        let mut people = Vec::new();
        for (_, batch) in self.batches().iter().rev() {
            for called in batch.iter().rev().filter_map(|outcome| outcome.called) {
                if people.len() < most && ends_with(called, digits) && !people.contains(&called) {
                    people.push(called);
                }
            }
        }
        people
    }
}

#[cfg(test)]
mod tests {
    use routing::NothingWhy;
    use store::Seq;

    use super::*;

    fn outcome(seq: i64, called: &str, verdict: Verdict) -> Outcome {
        Outcome {
            seq: Seq(seq),
            called: Some(Msisdn::international(called).unwrap()),
            event: "call",
            verdict,
            alerts: Vec::new(),
            receipt: None,
        }
    }

    fn ranges() -> Ranges {
        Ranges::parse("north=8613900000000-8613900999999:50").unwrap()
    }

    fn read(pairs: &[(&str, &str)], sees: bool) -> Result<Filter, FilterError> {
        let pairs = pairs.to_vec();
        Filter::read(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value), sees)
    }

    #[test]
    fn a_filter_wants_what_it_says() {
        let (sent, refused) = (Verdict::Send(Kind::Detail), Verdict::Nothing(NothingWhy::Refused));
        let outcomes = [
            outcome(1, "8613900000001", sent),
            outcome(2, "8613900000002", refused),
            outcome(3, "8613800000001", refused),
        ];
        for (pairs, wanted) in [
            (&[][..], &[1, 2, 3][..]),
            (&[("event", "call")], &[1, 2, 3]),
            (&[("event", "reply")], &[]),
            (&[("verdict", "nothing")], &[2, 3]),
            (&[("why", "refused"), ("range", "north")], &[2]),
            (&[("kind", "detail")], &[1]),
            (&[("digits", "0001")], &[1, 3]),
            (&[("digits", "00000001"), ("range", "north")], &[1]),
        ] {
            let filter = read(pairs, true).unwrap();
            let found: Vec<i64> = outcomes
                .iter()
                .filter(|outcome| filter.wants(outcome, &ranges()))
                .map(|outcome| outcome.seq.0)
                .collect();
            assert_eq!(found, wanted, "{pairs:?}");
        }
    }

    #[test]
    fn a_filter_that_wants_nothing_ever_is_refused() {
        for (pairs, sees, field) in [
            (&[("event", "dance")][..], true, "event"),
            (&[("kind", "x")], true, "kind"),
            (&[("digits", "01")], true, "digits"),
            (&[("digits", "123456789")], true, "digits"),
            (&[("digits", "0001")], false, "digits"),
        ] {
            assert_eq!(read(pairs, sees).map_err(|error| error.field), Err(field), "{pairs:?}");
        }
    }

    #[test]
    fn a_viewer_sees_so_many_and_is_told_of_the_others() {
        let at = Timestamp::from_millis(0);
        let batch: Vec<Outcome> =
            (1..=7).map(|seq| outcome(seq, "8613900000001", Verdict::Send(Kind::Detail))).collect();
        let mut follower = Follower::new(Filter::default(), 5);
        follower.take(&batch, &ranges(), at);
        follower.miss(3);
        let look = follower.look();
        assert_eq!((look.shown.len(), look.not_shown, look.missed), (5, 2, 3));
        follower.take(&batch[..1], &ranges(), at);
        let look = follower.look();
        assert_eq!((look.shown.len(), look.not_shown, look.missed), (1, 0, 0), "each look is of its own time");
    }

    #[test]
    fn the_last_are_remembered_and_no_more() {
        let recent = Recent(Arc::default());
        for batch in 0..40_i64 {
            let outcomes = (0..100)
                .map(|place| outcome(batch * 100 + place, "8613900000001", Verdict::Send(Kind::Detail)))
                .collect();
            recent.push(Timestamp::from_millis(batch), Arc::new(outcomes));
        }
        let newest = recent.newest(&Filter::default(), &ranges(), 5_000);
        assert_eq!(
            (newest.len(), newest.first().map(|shown| shown.seq), newest.last().map(|shown| shown.seq)),
            (1_000, Some(3_000), Some(3_999))
        );
        assert_eq!(recent.people("0001", 50).len(), 1);
        assert!(recent.people("0002", 50).is_empty());
    }
}
