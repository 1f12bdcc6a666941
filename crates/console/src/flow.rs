//! The flow as data: its stages with rates, counts and what waits. The page, the API and `afterring top` show the same.

use std::time::Duration;

use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{maybe_rfc3339, rfc3339};
use crate::reading::{Reading, Series, Waiting};
use crate::samples::{Samples, Span, rate};
use crate::today::Totals;

/// What rates are taken over that are called "now".
pub(crate) const NOW: Duration = Duration::from_secs(10);

/// What "lately" is.
pub(crate) const LATELY: Duration = Duration::from_secs(300);

/// `GET /v1/flow`.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct FlowView {
    /// When it was so.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The stages, from the call to the reply.
    pub stages: Vec<StageView>,
    /// Per second over the span that was asked for, a point for each step.
    pub points: Vec<PointView>,
}

/// One stage of the flow.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct StageView {
    /// `calls`, `alerts`, `submitted`, `accepted`, `delivered` or `replies`.
    pub id: &'static str,
    /// How it is.
    pub state: StageState,
    /// Per second, over the last ten seconds.
    pub rate: f64,
    /// In the last five minutes.
    pub five_minutes: u64,
    /// Today, over all nodes, as the daily report counts it; absent where it does not, or can't be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<u64>,
    /// Since the start.
    pub total: u64,
    /// What it is made of, in the last five minutes.
    pub parts: Vec<PartView>,
    /// What waits before the next stage.
    pub waiting: u64,
    /// Since when the one that waits longest, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Timestamp>,
}

/// How a stage is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageState {
    /// Nothing comes.
    Idle,
    /// It works.
    Flows,
    /// Something waits longer than it should.
    Slow,
    /// Something waits so long that nothing may go on.
    Stuck,
}

impl StageState {
    /// The word used in JSON and CSV.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Flows => "flows",
            Self::Slow => "slow",
            Self::Stuck => "stuck",
        }
    }
}

/// A part of a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct PartView {
    /// The word of its series.
    pub id: &'static str,
    /// How many in the last five minutes.
    pub count: u64,
}

/// What happened per second until a time, since the point before.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct PointView {
    /// Until when.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Calls.
    pub calls: f64,
    /// Alerts queued about calls: details, teasers, fallbacks.
    pub alerts: f64,
    /// Fallbacks among them.
    pub fallback: f64,
    /// Messages that SMSCs took.
    pub accepted: f64,
}

/// How a stage is made: its word, its series, its parts, and how old the longest waiting may be before it is worth a look and before it is stuck.
struct Plan {
    id: &'static str,
    of: &'static [Series],
    parts: &'static [Series],
    waiting: fn(&Reading) -> Waiting,
    /// Whether the daily report counts it.
    reported: bool,
    patience: [Duration; 2],
}

const ALERTS: &[Series] = &[Series::Detail, Series::Teaser, Series::Fallback];

const PLANS: [Plan; 6] = [
    Plan {
        id: "calls",
        of: &[Series::Calls],
        parts: &[],
        waiting: |reading| reading.undecided,
        reported: true,
        patience: [Duration::from_secs(5), Duration::from_secs(30)],
    },
    Plan {
        id: "alerts",
        of: ALERTS,
        parts: &[Series::Detail, Series::Teaser, Series::Fallback, Series::Joined, Series::Held, Series::Nothing],
        waiting: |reading| reading.queued,
        reported: true,
        patience: [Duration::from_secs(30), Duration::from_secs(300)],
    },
    Plan {
        id: "submitted",
        of: &[Series::Submitted],
        parts: &[],
        waiting: |reading| reading.unanswered,
        reported: false,
        patience: [Duration::from_secs(10), Duration::from_secs(60)],
    },
    Plan {
        id: "accepted",
        of: &[Series::Accepted],
        parts: &[Series::Failed],
        waiting: |_| Waiting { count: 0, since: None },
        reported: true,
        patience: [Duration::MAX, Duration::MAX],
    },
    Plan {
        id: "delivered",
        of: &[Series::Delivered],
        parts: &[Series::Undelivered],
        // Phones may be off for a day: that is not the gateway's doing.
        waiting: |reading| reading.undelivered,
        reported: true,
        patience: [Duration::from_secs(36 * 3_600), Duration::from_secs(96 * 3_600)],
    },
    Plan {
        id: "replies",
        of: &[Series::Replies],
        parts: &[Series::Fetched, Series::Subscribed, Series::Unsubscribed],
        waiting: |_| Waiting { count: 0, since: None },
        reported: true,
        patience: [Duration::MAX, Duration::MAX],
    },
];

impl FlowView {
    /// The flow as it is, and as it was over a span.
    #[must_use]
    pub(crate) fn of(samples: &Samples, span: Span, now: Timestamp, today: Option<&Totals>) -> Self {
        let (newest, before, lately) = (samples.newest(), samples.ago(NOW), samples.ago(LATELY));
        let stage = |plan: &Plan| stage(plan, [&newest, &before, &lately], now, today);
        let readings = samples.over(span);
        let pairs = readings.iter().zip(readings.iter().skip(1));
        let point = |(then, now): (&std::sync::Arc<Reading>, &std::sync::Arc<Reading>)| {
            let per_second = |of: &[Series]| rate(then, now, |reading| sum(reading, of)).unwrap_or(0.0);
            PointView {
                at: now.at,
                calls: per_second(&[Series::Calls]),
                alerts: per_second(ALERTS),
                fallback: per_second(&[Series::Fallback]),
                accepted: per_second(&[Series::Accepted]),
            }
        };
        Self { at: newest.at, stages: PLANS.iter().map(stage).collect(), points: pairs.map(point).collect() }
    }
}

fn stage(plan: &Plan, [newest, before, lately]: [&Reading; 3], now: Timestamp, today: Option<&Totals>) -> StageView {
    let total = sum(newest, plan.of);
    let rate = rate(before, newest, |reading| sum(reading, plan.of)).unwrap_or(0.0);
    let waiting = (plan.waiting)(newest);
    let [look, stuck] = plan.patience;
    let state = match waiting.since.map(|since| now.since(since)) {
        Some(old) if old >= stuck => StageState::Stuck,
        Some(old) if old >= look => StageState::Slow,
        _ if rate > 0.0 => StageState::Flows,
        _ => StageState::Idle,
    };
    let part = |of: &Series| PartView { id: of.as_str(), count: newest.total(*of).saturating_sub(lately.total(*of)) };
    StageView {
        id: plan.id,
        state,
        rate,
        five_minutes: total.saturating_sub(sum(lately, plan.of)),
        today: today.filter(|_| plan.reported).map(|today| count(today, plan.of)),
        total,
        parts: plan.parts.iter().map(part).collect(),
        waiting: waiting.count,
        waiting_since: waiting.since,
    }
}

fn sum(reading: &Reading, of: &[Series]) -> u64 {
    count(&reading.totals, of)
}

fn count(totals: &Totals, of: &[Series]) -> u64 {
    of.iter().filter_map(|one| totals.get(*one as usize)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + second * 1_000)
    }

    fn reading(second: i64, calls: u64, queued: Option<i64>) -> Reading {
        let mut reading = Reading::none(at(second));
        reading.set(Series::Calls, calls);
        reading.set(Series::Detail, calls / 2);
        reading.queued = Waiting { count: u64::from(queued.is_some()), since: queued.map(at) };
        reading
    }

    #[test]
    fn a_stage_that_waits_too_long_says_so() {
        let samples = Samples::new(reading(0, 0, None));
        for second in 1..=400 {
            samples.add(Arc::new(reading(second, u64::try_from(second).unwrap() * 10, Some(380))));
        }
        let state = |now: i64| FlowView::of(&samples, Span::FiveMinutes, at(now), None).stages[1].state;
        assert_eq!((state(400), state(410), state(680)), (StageState::Flows, StageState::Slow, StageState::Stuck));
        let mut today = [0; Series::ALL.len()];
        today[Series::Calls as usize] = 9_000;
        let flow = FlowView::of(&samples, Span::FiveMinutes, at(400), Some(&today));
        let counts: Vec<_> = flow.stages.iter().map(|stage| stage.today).collect();
        assert_eq!(
            counts,
            [Some(9_000), Some(0), None, Some(0), Some(0), Some(0)],
            "links count what is submitted, the report does not"
        );
        let calls = &flow.stages[0];
        assert_eq!((calls.rate, calls.five_minutes, calls.total), (10.0, 3_000, 4_000));
        assert_eq!(flow.stages[1].parts[0], PartView { id: "detail", count: 1_500 });
        assert!((flow.points[10].calls - 10.0).abs() < 1e-9 && (flow.points[10].alerts - 5.0).abs() < 1e-9);
        assert_eq!(flow.stages[5].state, StageState::Idle);
    }
}
