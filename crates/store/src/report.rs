//! The daily report: what happened to the numbers of each range, counted in the transaction of the decisions.
//!
//! ```text
//! call, reply, due, word    an outcome, by its verdict and why; not of those that only moved an alert on
//! alert                     by its kind, each time that it comes into a state: queued when it is new, accepted, or one of the last
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::Day;
use routing::{Alert, AlertState, Event, RangeName, Verdict};
use serde::{Deserialize, Serialize};

/// The word that stands for an event where alerts are counted.
const ALERT: &str = "alert";

/// How often one thing happened on one day to the numbers of one range.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ReportRow {
    /// The day, by the calendar of the policy's time zone.
    pub day: Day,
    /// The range that the number called was in; of an alert, the number it goes to. Empty: in none.
    pub range: RangeName,
    /// [`Event::as_str`], or `alert`.
    pub event: Cow<'static, str>,
    /// The first of [`Verdict::words`]; of an alert, its kind.
    pub verdict: Cow<'static, str>,
    /// The second of [`Verdict::words`]; of an alert, the state it came into.
    pub why: Cow<'static, str>,
    /// How often.
    pub count: u64,
}

impl ReportRow {
    /// One alert that came into a state.
    pub(crate) fn of_alert(day: Day, range: Option<&RangeName>, alert: &Alert) -> Self {
        let (event, kind, state) = words_of(alert);
        let range = range.cloned().unwrap_or_else(nowhere);
        Self { day, range, event: event.into(), verdict: kind.into(), why: state.into(), count: 1 }
    }
}

/// What a row counts, beside its range.
type What = (&'static str, &'static str, &'static str);

/// What a batch adds to the report, while it is decided.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<RangeName, BTreeMap<What, u64>>);

impl Tally {
    /// Counts what was decided of an event.
    pub(crate) fn decided(&mut self, range: Option<&RangeName>, event: &Event, verdict: Verdict) {
        if is_reported(event) && verdict != Verdict::Alert {
            let (verdict, why) = verdict.words();
            self.add(range, (event.as_str(), verdict, why));
        }
    }

    /// Counts an alert that was in one state, or is new, and is in another.
    pub(crate) fn moved(&mut self, range: Option<&RangeName>, before: Option<&AlertState>, alert: &Alert) {
        if comes_into(before, &alert.state) {
            self.add(range, words_of(alert));
        }
    }

    fn add(&mut self, range: Option<&RangeName>, what: What) {
        let none = nowhere();
        let range = range.unwrap_or(&none);
        if !self.0.contains_key(range) {
            self.0.insert(range.clone(), BTreeMap::new());
        }
        if let Some(counts) = self.0.get_mut(range) {
            *counts.entry(what).or_default() += 1;
        }
    }

    /// All of it, as of a day; nothing is left.
    pub(crate) fn take(&mut self, day: Day) -> Vec<ReportRow> {
        let mut rows = Vec::new();
        for (range, counts) in std::mem::take(&mut self.0) {
            rows.extend(counts.into_iter().map(|((event, verdict, why), count)| ReportRow {
                day,
                range: range.clone(),
                event: event.into(),
                verdict: verdict.into(),
                why: why.into(),
                count,
            }));
        }
        rows
    }
}

const fn nowhere() -> RangeName {
    RangeName(String::new())
}

const fn words_of(alert: &Alert) -> What {
    (ALERT, alert.kind.as_str(), alert.state.as_str())
}

/// Whether what is decided of an event is counted: of what people do and of what the gateway itself looks at. What SMSCs say is counted by the states that it
/// brings alerts into.
const fn is_reported(event: &Event) -> bool {
    match event {
        Event::Call(_) | Event::Reply(_) | Event::Word(_) | Event::Due { .. } | Event::Resend(_) => true,
        Event::Submitted { .. } | Event::Updated { .. } | Event::Receipt(_) | Event::Dropped { .. } => false,
    }
}

/// Whether an alert comes into a state that is counted: back into the queue it does not, nor is it counted on its way.
fn comes_into(before: Option<&AlertState>, now: &AlertState) -> bool {
    match now {
        AlertState::Queued { .. } => before.is_none(),
        AlertState::Sending { .. } | AlertState::InDoubt { .. } => false,
        AlertState::Accepted { .. }
        | AlertState::Superseded { .. }
        | AlertState::Delivered { .. }
        | AlertState::Undelivered { .. }
        | AlertState::Expired { .. }
        | AlertState::Failed { .. } => before.is_none_or(|before| before.as_str() != now.as_str()),
    }
}

/// Brings rows of the same together, in their order.
pub(crate) fn sum(rows: impl IntoIterator<Item = ReportRow>) -> Vec<ReportRow> {
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for ReportRow { day, range, event, verdict, why, count } in rows {
        *sums.entry((day, range, event, verdict, why)).or_default() += count;
    }
    let row = |((day, range, event, verdict, why), count)| ReportRow { day, range, event, verdict, why, count };
    sums.into_iter().map(row).collect()
}
