//! The daily report, as the second round trip writes it.

use tokio_postgres::types::Type;

use super::Parameter;
use crate::ReportRow;
use crate::report::sum;

/// Rows of the table, a list a column.
#[derive(Default)]
pub(super) struct Counted {
    day: Vec<i32>,
    range: Vec<String>,
    event: Vec<String>,
    verdict: Vec<String>,
    why: Vec<String>,
    count: Vec<i64>,
}

impl Counted {
    /// A row is of one node: no two batches wait for each other here.
    pub(super) const WRITE: &str = "insert into report_count as r (day, range, event, verdict, why, node, count) \
        select date '1970-01-01' + u.day, u.range, u.event, u.verdict, u.why, $1::bigint::integer, u.count \
        from unnest($2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]) u(day, range, event, verdict, why, count) \
        on conflict (day, range, event, verdict, why, node) do update set count = r.count + excluded.count";

    /// Of several batches: each row once.
    pub(super) fn of(rows: &[ReportRow]) -> Self {
        let mut columns = Self::default();
        for row in sum(rows.iter().cloned()) {
            columns.day.push(row.day.0);
            columns.range.push(row.range.0);
            columns.event.push(row.event.into_owned());
            columns.verdict.push(row.verdict.into_owned());
            columns.why.push(row.why.into_owned());
            columns.count.push(i64::try_from(row.count).unwrap_or(i64::MAX));
        }
        columns
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.day.is_empty()
    }

    pub(super) fn parameters<'a>(&'a self, node: &'a i64) -> [Parameter<'a>; 7] {
        [
            (node, Type::INT8),
            (&self.day, Type::INT4_ARRAY),
            (&self.range, Type::TEXT_ARRAY),
            (&self.event, Type::TEXT_ARRAY),
            (&self.verdict, Type::TEXT_ARRAY),
            (&self.why, Type::TEXT_ARRAY),
            (&self.count, Type::INT8_ARRAY),
        ]
    }
}
