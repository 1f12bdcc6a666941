//! The reports: how many this month, and does it add up?

mod period;
mod tables;

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use model::Day;
use routing::RangeName;
use store::{ReportRow, StoreError};

use self::period::Period;
use super::Console;
use super::bars::{Bars, Part};
use super::shell::Screen;
use super::table::grouped;
use super::visit::{Content, Fault, Form, Visit};
use crate::PageLanguage;
use crate::report::{Figures, ReportView};

/// In the filter: numbers in no range.
const NOWHERE: &str = "-";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/reports", get(page))
}

/// One equation between figures: what is on its left, and the parts on its right.
struct Sum {
    all: (&'static str, u64),
    parts: Vec<(&'static str, u64)>,
    /// What the parts lack: what is the rest of it, and how much; fewer than none where parts came in from other days.
    rest: Option<(&'static str, i128)>,
    holds: bool,
}

#[derive(Template)]
#[template(path = "pages/reports.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    period: &'a Period,
    zone: &'a str,
    ranges: Vec<String>,
    range: &'a str,
    nowhere: &'static str,
    /// Why there is no report.
    fault: Option<String>,
    totals: Figures,
    sums: Vec<Sum>,
    bars: Vec<String>,
    report: String,
    since_start: String,
    empty: bool,
    /// What this node decided that isn't handed over yet.
    unshared: u64,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let today = Day::of(visit.now, &(console.operators.policy)().time_zone);
    let period = Period::of(&visit, today);
    let days = (period.from, period.to);
    let made = console.reports.make(&console.operators.store, days, move |counted| made(&visit, &period, counted));
    made.await?
}

/// The answer of what was counted.
fn made(visit: &Visit, period: &Period, counted: Result<Vec<ReportRow>, StoreError>) -> Result<Response, Fault> {
    let console = &visit.console;
    let policy = (console.operators.policy)();
    let (rows, fault) = match counted {
        Ok(rows) => (rows, None),
        // A page can say that nothing is known; figures for programs can't.
        Err(error) if visit.form == Form::Html && visit.table.is_none() => (Vec::new(), Some(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let mut ranges: BTreeSet<String> = policy.ranges.iter().map(|range| range.name.0.clone()).collect();
    for RangeName(name) in rows.iter().map(|row| &row.range) {
        if !name.is_empty() && !ranges.contains(name) {
            ranges.insert(name.clone());
        }
    }
    let range = visit.asked("range").unwrap_or("");
    let (view, tables) = tables::wanted(visit, period, of_range(rows, range));
    visit.answer(Screen::Reports, &tables, || {
        let newest = console.samples.newest();
        let page = Page {
            v: visit,
            l: visit.l,
            period,
            zone: &policy.time_zone,
            ranges: ranges.into_iter().collect(),
            range,
            nowhere: NOWHERE,
            totals: view.totals,
            sums: sums(visit.l, &view.totals).into(),
            bars: bars(visit.l, &view).iter().map(Bars::html).collect::<Result<_, _>>()?,
            report: match tables.first() {
                Some(table) => visit.table_html(table)?,
                None => String::new(),
            },
            since_start: match &fault {
                Some(_) => tables::since_start(visit.l, &newest).html(&visit.zone, None)?,
                None => String::new(),
            },
            fault,
            empty: view.table.is_empty(),
            unshared: newest.unshared,
        };
        Ok(Content { title: Screen::Reports.name(visit.l).to_owned(), html: page.render()?, events: None })
    })
}

fn of_range(mut rows: Vec<ReportRow>, range: &str) -> Vec<ReportRow> {
    match range {
        "" => {}
        NOWHERE => rows.retain(|row| row.range.0.is_empty()),
        name => rows.retain(|row| row.range.0 == name),
    }
    rows
}

/// How the figures agree with each other ([`crate::report`] says why).
fn sums(l: PageLanguage, totals: &Figures) -> [Sum; 3] {
    let Figures { calls, told, joined, held, nothing, queued, accepted, failed, .. } = *totals;
    let Figures { delivered, undelivered, expired, superseded, .. } = *totals;
    let sum = |all: (&'static str, u64), parts: Vec<(&'static str, u64)>, rest: Option<&'static str>| {
        let lacks = i128::from(all.1) - parts.iter().map(|(_, count)| i128::from(*count)).sum::<i128>();
        Sum { all, parts, rest: rest.map(|what| (what, lacks)), holds: rest.is_some() || lacks == 0 }
    };
    [
        sum(
            (l.pick("calls", "来电"), calls),
            vec![
                (l.pick("told", "已通知"), told),
                (l.pick("joined", "合并"), joined),
                (l.pick("held", "等待"), held),
                (l.pick("nothing", "不发"), nothing),
            ],
            None,
        ),
        sum(
            (l.pick("messages queued", "入队短信"), queued),
            vec![(l.pick("accepted", "短信中心已接收"), accepted), (l.pick("failed", "失败"), failed)],
            Some(l.pick("waiting, or sent on other days", "等待中或在其他日期发出")),
        ),
        sum(
            (l.pick("accepted", "短信中心已接收"), accepted),
            vec![
                (l.pick("delivered", "已送达"), delivered),
                (l.pick("undelivered", "未送达"), undelivered),
                (l.pick("expired", "过期"), expired),
                (l.pick("superseded", "被替换"), superseded),
            ],
            Some(l.pick("without a receipt yet, or with one on other days", "尚无状态报告，或报告在其他日期到达")),
        ),
    ]
}

/// Calls and messages, a bar a day.
fn bars(l: PageLanguage, view: &ReportView) -> [Bars; 2] {
    let days = filled(&tables::days(view));
    let labels = || days.iter().map(|(day, _)| day.to_string()).collect();
    let part = |title, colour, count: fn(&Figures) -> u64| Part {
        title,
        colour,
        counts: days.iter().map(|(_, figures)| count(figures)).collect(),
    };
    [
        Bars {
            name: "calls",
            title: l.pick("Calls a day, and what became of them", "每日来电及处理结果"),
            labels: labels(),
            parts: vec![
                part(l.pick("told", "已通知"), 2, |of| of.told),
                part(l.pick("joined", "合并"), 1, |of| of.joined),
                part(l.pick("held", "等待"), 3, |of| of.held),
                part(l.pick("nothing", "不发"), 5, |of| of.nothing),
            ],
        },
        Bars {
            name: "messages",
            title: l.pick("Messages that ended, by day", "每日结束的短信"),
            labels: labels(),
            parts: vec![
                part(l.pick("delivered", "已送达"), 2, |of| of.delivered),
                part(l.pick("superseded", "被替换"), 1, |of| of.superseded),
                part(l.pick("undelivered", "未送达"), 3, |of| of.undelivered + of.expired),
                part(l.pick("failed", "失败"), 4, |of| of.failed),
            ],
        },
    ]
}

/// The days with those between them on which nothing was counted.
fn filled(days: &[(Day, Figures)]) -> Vec<(Day, Figures)> {
    let Some(((first, _), (last, _))) = days.first().zip(days.last()) else { return Vec::new() };
    let found = |day: Day| days.iter().find(|(other, _)| *other == day).map_or_else(Figures::default, |(_, of)| *of);
    (first.0..=last.0).map(|day| (Day(day), found(Day(day)))).collect()
}

impl Page<'_> {
    fn count(&self, count: &u64) -> String {
        grouped(*count)
    }

    /// The rest of an equation with its sign, and how much it is.
    fn rest(&self, rest: &i128) -> (char, String) {
        let count = u64::try_from(rest.unsigned_abs()).unwrap_or(u64::MAX);
        (if *rest < 0 { '−' } else { '+' }, grouped(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_a_place_for_days_without_a_count() {
        let calls = |calls| Figures { calls, ..Figures::default() };
        let days = filled(&[(Day(7), calls(1)), (Day(10), calls(2))]);
        let counts: Vec<_> = days.iter().map(|(day, figures)| (day.0, figures.calls)).collect();
        assert_eq!(counts, [(7, 1), (8, 0), (9, 0), (10, 2)]);
        assert!(filled(&[]).is_empty());
    }

    #[test]
    fn an_equation_says_what_it_lacks_and_whether_it_holds() {
        let totals =
            Figures { calls: 7, told: 4, nothing: 3, queued: 4, accepted: 5, delivered: 2, ..Figures::default() };
        let [calls, queued, accepted] = sums(PageLanguage::En, &totals);
        assert!(calls.holds && calls.rest.is_none());
        assert_eq!((queued.rest.unwrap().1, accepted.rest.unwrap().1), (-1, 3));
        let [calls, ..] = sums(PageLanguage::En, &Figures { calls: 8, ..totals });
        assert!(!calls.holds);
    }
}
