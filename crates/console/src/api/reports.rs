//! `GET /v1/reports`: what happened on each day.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Day;
use serde::Deserialize;
use store::ReportRow;
use utoipa::IntoParams;

use super::asked::Query;
use super::refusal::Refusal;
use super::{Operators, words};
use crate::report::{ReportView, Reports, rows_csv};

/// Days in one answer: a year.
const DAYS: i32 = 366;

/// `from` and `to` are days, both included; without `to` it is today, without `from` that one day. As JSON, or `format=csv`: the table, or with
/// `table=rows` everything that was counted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The first day; `to` unless it is said. At most 366 days are reported at once.
    #[param(format = Date, example = "2026-11-01")]
    from: Option<String>,
    /// The last day; today unless it is said.
    #[param(format = Date, example = "2026-11-23")]
    to: Option<String>,
    /// `json` unless asked otherwise.
    #[param(schema_with = words::formats, required = false)]
    format: Option<String>,
    /// What CSV holds: the `table`, or the `rows` that it was made of.
    #[param(schema_with = words::report_tables, required = false)]
    table: Option<String>,
}

impl Asked {
    /// The days asked for, in order.
    fn days(&self, today: Day) -> Result<(Day, Day), Refusal> {
        let day = |field, text: &Option<String>, or: Day| {
            let why = "a day like 2026-11-23 is expected";
            text.as_deref().map_or(Ok(or), Day::parse).map_err(|_| Refusal::Field { field, why })
        };
        let to = day("to", &self.to, today)?;
        let from = day("from", &self.from, to)?;
        if from > to {
            return Err(Refusal::Field { field: "from", why: "it is after 'to'" });
        }
        if to.0.saturating_sub(from.0) >= DAYS {
            return Err(Refusal::Field { field: "from", why: "at most 366 days are reported at once" });
        }
        Ok((from, to))
    }
}

/// What happened on each day.
#[utoipa::path(
    get,
    path = "/v1/reports",
    tag = "plan",
    params(Asked),
    responses((status = 200, content((ReportView = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn get(
    State(operators): State<Operators>,
    State(reports): State<Reports>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let today = Day::of((operators.clock)(), &(operators.policy)().time_zone);
    let (from, to) = asked.days(today)?;
    let (format, table) = (asked.format.as_deref().unwrap_or("json"), asked.table.as_deref().unwrap_or("table"));
    let answer: fn(Day, Day, Vec<ReportRow>) -> Response = match (format, table) {
        ("json", "table" | "rows") => |from, to, rows| Json(ReportView::of(from, to, rows)).into_response(),
        ("csv", "table") => |from, to, rows| csv(ReportView::table_of(from, to, &rows).table_csv()),
        ("csv", "rows") => |_, _, rows| csv(rows_csv(&rows)),
        ("json" | "csv", _) => return Err(Refusal::Field { field: "table", why: "table or rows is expected" }),
        _ => return Err(Refusal::Field { field: "format", why: "json or csv is expected" }),
    };
    let made = reports.make(&operators.store, (from, to), move |counted| counted.map(|rows| answer(from, to, rows)));
    Ok(made.await??)
}

fn csv(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response()
}
