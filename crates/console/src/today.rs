//! What was counted today, over all nodes: the rows of the daily report, read again every few seconds. The flow and the reports say the same.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use model::{Day, Timestamp};
use store::{ReportRow, Store as _};

use crate::api::Operators;
use crate::reading::Series;

/// How often the report is read.
const EVERY: Duration = Duration::from_secs(5);

/// How old what was read may be; then it is not known how many there are today.
const FRESH: Duration = Duration::from_secs(30);

/// By [`Series::ALL`]; 0 for what the report does not count.
pub(crate) type Totals = [u64; Series::ALL.len()];

/// Today's counts. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Today(Arc<ArcSwapOption<Read>>);

/// What was read, and of which day.
struct Read {
    at: Timestamp,
    day: Day,
    time_zone: String,
    totals: Totals,
}

impl Today {
    /// Reads the report now and then, for ever.
    pub(crate) async fn read(self, operators: Operators) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = (operators.clock)();
            let time_zone = (operators.policy)().time_zone.clone();
            let day = Day::of(now, &time_zone);
            // Where it can't be asked, what was read grows old, and is no longer shown.
            if let Ok(rows) = operators.store.report(day, day).await {
                self.0.store(Some(Arc::new(Read { at: now, day, time_zone, totals: totals(&rows) })));
            }
        }
    }

    /// Today's counts, where they are known.
    pub(crate) fn counts(&self, now: Timestamp) -> Option<Totals> {
        let read = self.0.load_full()?;
        let fresh = now.since(read.at) <= FRESH && Day::of(now, &read.time_zone) == read.day;
        fresh.then_some(read.totals)
    }
}

/// Every decision about a call is a call.
fn totals(rows: &[ReportRow]) -> Totals {
    let mut totals = [0; Series::ALL.len()];
    for row in rows {
        let calls = (row.event == "call").then_some(Series::Calls);
        for series in Series::of(row).chain(calls) {
            if let Some(total) = totals.get_mut(series as usize) {
                *total += row.count;
            }
        }
    }
    totals
}
