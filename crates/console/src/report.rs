//! The daily report as people read it: the rows of the store, and a table of a line per day, range and kind.
//!
//! How the columns agree with each other, in every line and in the totals:
//!
//! - `calls` = `told` + `joined` + `held` + `nothing`: each call that was reported is one of them, on the day when that was decided. Calls that were held are told by
//!   later messages, which are counted as messages and not as calls again.
//! - Over all days, `queued` = `accepted` + `failed` + those that still wait (queued, being sent, in doubt): a message that is made is taken by an SMSC, or
//!   never is. And `accepted` = `delivered` + `undelivered` + `expired` + `superseded` + those without a receipt. Within some days they differ by what came
//!   into them before and left after.
//!
//! A message may change its kind while it is brought up to date (a fallback becomes a detail): then its end is counted in another line than its beginning,
//! and the totals agree. One that a node sent that was taken for dead, and that another sent too, was accepted twice, and counts so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::{Day, Kind};
use serde::Serialize;
use store::{HandOver, ReportRow, Store as _, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use utoipa::ToSchema;

/// Reports that are made at once: a year of hundreds of ranges takes seconds and hundreds of megabytes.
const AT_ONCE: usize = 2;

/// How long a report waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where reports are made: few at once, and off the threads that answer everybody else. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reports {
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// Too many reports are being made.
#[derive(Debug, thiserror::Error)]
#[error("as many reports are being made as may be at once: ask again, or for fewer days")]
pub(crate) struct Busy;

impl Default for Reports {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE }
    }
}

impl Reports {
    /// Reads what was counted on these days, the last included, and makes something of it.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        store: &HandOver,
        (from, to): (Day, Day),
        make: impl FnOnce(Result<Vec<ReportRow>, StoreError>) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = self.turn().await?;
        let counted = store.report(from, to).await;
        let making = tokio::task::spawn_blocking(move || {
            let made = make(counted);
            drop(turn);
            made
        });
        // Nothing comes of it where the program is stopping.
        making.await.map_err(|_| Busy)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let turn = timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(Busy)
    }
}

/// What one line counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[schema(as = ReportFigures)]
pub struct Figures {
    /// Calls that were reported, repeats by other ways among them.
    pub calls: u64,
    /// Calls told at once by a message made for them.
    pub told: u64,
    /// Calls told by a message that was there already.
    pub joined: u64,
    /// Calls that wait to be told.
    pub held: u64,
    /// Calls that nobody is told of, at least not by then.
    pub nothing: u64,
    /// Messages made.
    pub queued: u64,
    /// Messages that an SMSC took.
    pub accepted: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Messages that the network could not deliver.
    pub undelivered: u64,
    /// Messages not delivered in time.
    pub expired: u64,
    /// Messages that no SMSC took.
    pub failed: u64,
    /// Messages taken back from the SMSC: newer ones tell their calls.
    pub superseded: u64,
    /// Replies, parts of long ones each.
    pub replies: u64,
    /// Lists fetched.
    pub fetched: u64,
    /// Subscriptions by keyword.
    pub subscribed: u64,
    /// Unsubscriptions by keyword.
    pub unsubscribed: u64,
}

impl Figures {
    /// The columns, in order.
    pub const COLUMNS: [&'static str; 16] = [
        "calls",
        "told",
        "joined",
        "held",
        "nothing",
        "queued",
        "accepted",
        "delivered",
        "undelivered",
        "expired",
        "failed",
        "superseded",
        "replies",
        "fetched",
        "subscribed",
        "unsubscribed",
    ];

    /// The values, in the order of [`Self::COLUMNS`].
    #[must_use]
    pub const fn values(&self) -> [u64; 16] {
        [
            self.calls,
            self.told,
            self.joined,
            self.held,
            self.nothing,
            self.queued,
            self.accepted,
            self.delivered,
            self.undelivered,
            self.expired,
            self.failed,
            self.superseded,
            self.replies,
            self.fetched,
            self.subscribed,
            self.unsubscribed,
        ]
    }

    /// Adds a row of the store.
    pub fn add(&mut self, row: &ReportRow) {
        let (event, count) = (row.event.as_ref(), row.count);
        if event == "reply" {
            self.replies += count;
        }
        let cell = match (event, row.verdict.as_ref(), row.why.as_ref()) {
            ("call", verdict, _) => {
                self.calls += count;
                match verdict {
                    "send" => &mut self.told,
                    "joined" => &mut self.joined,
                    "held" => &mut self.held,
                    _ => &mut self.nothing,
                }
            }
            ("alert", _, "queued") => &mut self.queued,
            ("alert", _, "accepted") => &mut self.accepted,
            ("alert", _, "delivered") => &mut self.delivered,
            ("alert", _, "undelivered") => &mut self.undelivered,
            ("alert", _, "expired") => &mut self.expired,
            ("alert", _, "failed") => &mut self.failed,
            ("alert", _, "superseded") => &mut self.superseded,
            (_, "reply", "granted") => &mut self.fetched,
            (_, "reply", "subscribed") => &mut self.subscribed,
            (_, "reply", "unsubscribed") => &mut self.unsubscribed,
            _ => return,
        };
        *cell += count;
    }
}

/// One day, range and kind of message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = ReportLine)]
pub struct Line {
    /// The day.
    #[serde(serialize_with = "written")]
    #[schema(value_type = String, format = Date)]
    pub day: Day,
    /// The range; empty: numbers in none.
    pub range: String,
    /// The kind; empty: what is about no message.
    pub kind: &'static str,
    /// What was counted.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A row of the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(as = ReportRow)]
pub struct RowView {
    /// The day.
    #[serde(serialize_with = "written")]
    #[schema(value_type = String, format = Date)]
    pub day: Day,
    /// The range; empty: numbers in none.
    pub range: String,
    /// `call`, `reply`, `due`, `word` or `alert`.
    pub event: String,
    /// What was decided; of an alert, its kind.
    pub verdict: String,
    /// Why, or which; of an alert, the state it came into.
    pub why: String,
    /// How many.
    pub count: u64,
}

/// The report of some days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct ReportView {
    /// The first day.
    #[serde(serialize_with = "written")]
    #[schema(value_type = String, format = Date)]
    pub from: Day,
    /// The last day.
    #[serde(serialize_with = "written")]
    #[schema(value_type = String, format = Date)]
    pub to: Day,
    /// Everything that was counted, in the order of day, range, event, verdict and reason.
    pub rows: Vec<RowView>,
    /// The same by day, range and kind.
    pub table: Vec<Line>,
    /// All lines together.
    pub totals: Figures,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn written<S: serde::Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

impl ReportView {
    /// Of the store's rows.
    #[must_use]
    pub fn of(from: Day, to: Day, rows: Vec<ReportRow>) -> Self {
        let table = Self::table_of(from, to, &rows);
        Self { rows: rows.into_iter().map(RowView::from).collect(), ..table }
    }

    /// The same without the rows.
    #[must_use]
    pub fn table_of(from: Day, to: Day, rows: &[ReportRow]) -> Self {
        let (mut lines, mut totals) = (BTreeMap::<_, Figures>::new(), Figures::default());
        for row in rows {
            totals.add(row);
            lines.entry((row.day, row.range.0.clone(), kind_of(row))).or_default().add(row);
        }
        // What only was looked at, and came to nothing, fills no line.
        lines.retain(|_, figures| *figures != Figures::default());
        let table = lines.into_iter().map(|((day, range, kind), figures)| Line { day, range, kind, figures }).collect();
        Self { from, to, rows: Vec::new(), table, totals }
    }

    /// The table as CSV, its last line the totals.
    #[must_use]
    pub fn table_csv(&self) -> String {
        let mut csv = format!("day,range,kind,{}\r\n", Figures::COLUMNS.join(","));
        for Line { day, range, kind, figures } in &self.table {
            let _ = write!(csv, "{day},{range},{kind}");
            values(&mut csv, figures);
        }
        csv.push_str("total,,");
        values(&mut csv, &self.totals);
        csv
    }
}

/// Rows of the store as CSV.
#[must_use]
pub fn rows_csv(rows: &[ReportRow]) -> String {
    let mut csv = "day,range,event,verdict,why,count\r\n".to_owned();
    for ReportRow { day, range, event, verdict, why, count } in rows {
        // Names of ranges and words have nothing in them that would have to be quoted.
        let _ = write!(csv, "{day},{},{event},{verdict},{why},{count}\r\n", range.0);
    }
    csv
}

fn values(csv: &mut String, figures: &Figures) {
    for value in figures.values() {
        let _ = write!(csv, ",{value}");
    }
    csv.push_str("\r\n");
}

impl From<ReportRow> for RowView {
    fn from(row: ReportRow) -> Self {
        let ReportRow { day, range, event, verdict, why, count } = row;
        let (event, verdict, why) = (event.into_owned(), verdict.into_owned(), why.into_owned());
        Self { day, range: range.0, event, verdict, why, count }
    }
}

/// The kind of message that a row is about.
fn kind_of(row: &ReportRow) -> &'static str {
    let word = match (row.event.as_ref(), row.verdict.as_ref()) {
        ("alert", kind) => kind,
        (_, "send" | "joined") => row.why.as_ref(),
        _ => "",
    };
    Kind::ALL.into_iter().map(Kind::as_str).find(|kind| *kind == word).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use routing::RangeName;

    use super::*;

    fn row(day: i32, range: &str, words: [&'static str; 3], count: u64) -> ReportRow {
        let [event, verdict, why] = words.map(Into::into);
        ReportRow { day: Day(day), range: RangeName(range.to_owned()), event, verdict, why, count }
    }

    #[tokio::test]
    async fn few_reports_are_made_at_once_and_the_next_waits_and_is_refused() {
        let reports = Reports::default();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(reports.turn().await.unwrap());
        }
        let impatient = Reports { patience: Duration::ZERO, ..reports.clone() };
        assert!(impatient.turn().await.is_err());
        let (next, _) = tokio::join!(reports.turn(), async { drop(turns.pop()) });
        assert!(next.is_ok(), "who waits is served once one is done");
        assert!(impatient.turn().await.is_err(), "one for one");
    }

    #[test]
    fn every_call_is_in_one_column_of_its_line_and_all_lines_together_are_the_totals() {
        let rows = vec![
            row(20_000, "", ["call", "nothing", "outside_ranges"], 5),
            row(20_000, "north", ["alert", "teaser", "accepted"], 6),
            row(20_000, "north", ["alert", "teaser", "queued"], 7),
            row(20_000, "north", ["call", "held", "paused"], 2),
            row(20_000, "north", ["call", "joined", "teaser"], 3),
            row(20_000, "north", ["call", "send", "teaser"], 7),
            row(20_000, "north", ["due", "nothing", "no_change"], 9),
            row(20_000, "north", ["reply", "reply", "granted"], 1),
            row(20_000, "north", ["reply", "nothing", "no_change"], 1),
            row(20_001, "north", ["due", "reply", "subscribed"], 1),
            row(20_001, "south", ["due", "nothing", "no_change"], 1),
        ];
        let view = ReportView::of(Day(20_000), Day(20_001), rows.clone());
        assert_eq!(rows_csv(&rows).lines().nth(1), Some("2024-10-04,,call,nothing,outside_ranges,5"));
        let line = |line: &Line| (line.day.0, line.range.clone(), line.kind, line.figures.calls, line.figures.replies);
        assert_eq!(
            view.table.iter().map(line).collect::<Vec<_>>(),
            [
                (20_000, String::new(), "", 5, 0),
                (20_000, "north".to_owned(), "", 2, 2),
                (20_000, "north".to_owned(), "teaser", 10, 0),
                (20_001, "north".to_owned(), "", 0, 0),
            ]
        );
        let mut sums = [0; 16];
        for figures in view.table.iter().map(|line| line.figures) {
            assert_eq!(figures.calls, figures.told + figures.joined + figures.held + figures.nothing);
            sums.iter_mut().zip(figures.values()).for_each(|(sum, value)| *sum += value);
        }
        assert_eq!(sums, view.totals.values());
        assert_eq!(sums, [17, 7, 3, 2, 5, 7, 6, 0, 0, 0, 0, 0, 2, 1, 1, 0]);
        assert_eq!(view.rows.len(), rows.len(), "nothing is left out of the rows");
        let csv = view.table_csv();
        assert_eq!(csv.lines().nth(3), Some("2024-10-04,north,teaser,10,7,3,0,0,7,6,0,0,0,0,0,0,0,0,0"));
        assert_eq!(csv.lines().last(), Some("total,,,17,7,3,2,5,7,6,0,0,0,0,0,2,1,1,0"));
    }
}
