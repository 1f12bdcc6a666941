//! The tables of a report: by day, range and kind; by day; and every row that was counted.

use std::borrow::Cow;

use model::{Day, Kind};
use store::ReportRow;

use super::super::table::{Cell, Column, Table, Tone};
use super::super::visit::{Form, Visit};
use super::period::Period;
use crate::PageLanguage;
use crate::reading::{Reading, Series};
use crate::report::{Figures, Line, ReportView, RowView};

/// The report, and those of its tables that are wanted: the one that is named, all as JSON, else that of the lines.
pub(super) fn wanted(visit: &Visit, period: &Period, counted: Vec<ReportRow>) -> (ReportView, Vec<Table>) {
    let (l, from, to) = (visit.l, period.from, period.to);
    let named = visit.table.as_deref();
    let with_rows = named == Some("rows") || (named.is_none() && visit.form == Form::Json);
    let view = if with_rows { ReportView::of(from, to, counted) } else { ReportView::table_of(from, to, &counted) };
    let tables = match (named, visit.form) {
        (Some("report"), _) | (None, Form::Html | Form::Csv) => vec![lines(l, &view)],
        (Some("days"), _) => vec![by_day(l, &view)],
        (Some("rows"), _) => vec![rows(l, &view)],
        (Some(_), _) => Vec::new(),
        (None, Form::Json) => vec![lines(l, &view), by_day(l, &view), rows(l, &view)],
    };
    (view, tables)
}

/// Each day that something was counted on, with all of it.
pub(super) fn days(view: &ReportView) -> Vec<(Day, Figures)> {
    let mut days: Vec<(Day, Figures)> = Vec::new();
    for Line { day, figures, .. } in &view.table {
        match days.last_mut().filter(|(last, _)| last == day) {
            Some((_, sum)) => *sum = added(*sum, *figures),
            None => days.push((*day, *figures)),
        }
    }
    days
}

fn added(a: Figures, b: Figures) -> Figures {
    Figures {
        calls: a.calls + b.calls,
        told: a.told + b.told,
        joined: a.joined + b.joined,
        held: a.held + b.held,
        nothing: a.nothing + b.nothing,
        queued: a.queued + b.queued,
        accepted: a.accepted + b.accepted,
        delivered: a.delivered + b.delivered,
        undelivered: a.undelivered + b.undelivered,
        expired: a.expired + b.expired,
        failed: a.failed + b.failed,
        superseded: a.superseded + b.superseded,
        replies: a.replies + b.replies,
        fetched: a.fetched + b.fetched,
        subscribed: a.subscribed + b.subscribed,
        unsubscribed: a.unsubscribed + b.unsubscribed,
    }
}

fn lines(l: PageLanguage, view: &ReportView) -> Table {
    let mut columns = vec![
        Column::words("day", l.pick("Day", "日期")),
        Column::words("range", l.pick("Range", "号段")),
        Column::words("kind", l.pick("Kind", "类型")),
    ];
    columns.extend(figures(l));
    let named = |name: &str| if name.is_empty() { Cell::Empty } else { Cell::Text(name.to_owned()) };
    let of_kind = |name: &str| match Kind::ALL.into_iter().find(|kind| kind.as_str() == name) {
        Some(kind) => Cell::State(kind.as_str(), l.kind(kind).to_owned(), Tone::Plain),
        None => named(name),
    };
    let mut rows: Vec<(String, Vec<Cell>)> = Vec::with_capacity(view.table.len() + 1);
    for Line { day, range, kind, figures } in &view.table {
        let mut cells = vec![Cell::Text(day.to_string()), named(range), of_kind(kind)];
        cells.extend(figures.values().map(Cell::Count));
        rows.push((format!("{day}-{range}-{kind}"), cells));
    }
    if !rows.is_empty() {
        rows.push(("total".to_owned(), total(l, &view.totals, 2)));
    }
    Table {
        name: "report",
        caption: l.pick("By day, range and kind of message", "按日期、号段与短信类型"),
        none: l.pick("nothing was counted in these days", "所选日期内没有计数"),
        columns,
        rows,
    }
}

fn by_day(l: PageLanguage, view: &ReportView) -> Table {
    let mut columns = vec![Column::words("day", l.pick("Day", "日期"))];
    columns.extend(figures(l));
    let mut rows: Vec<(String, Vec<Cell>)> = Vec::new();
    for (day, figures) in days(view) {
        let cells = std::iter::once(Cell::Text(day.to_string())).chain(figures.values().map(Cell::Count)).collect();
        rows.push((day.to_string(), cells));
    }
    if !rows.is_empty() {
        rows.push(("total".to_owned(), total(l, &view.totals, 0)));
    }
    Table {
        name: "days",
        caption: l.pick("By day", "按日期"),
        none: l.pick("nothing was counted in these days", "所选日期内没有计数"),
        columns,
        rows,
    }
}

fn total(l: PageLanguage, totals: &Figures, empty: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::State("total", l.pick("total", "合计").to_owned(), Tone::Plain)];
    cells.extend((0..empty).map(|_| Cell::Empty));
    cells.extend(totals.values().map(Cell::Count));
    cells
}

fn rows(l: PageLanguage, view: &ReportView) -> Table {
    let row = |RowView { day, range, event, verdict, why, count }: &RowView| {
        let named = |name: &str| if name.is_empty() { Cell::Empty } else { Cell::Text(name.to_owned()) };
        let cells = vec![
            Cell::Text(day.to_string()),
            named(range),
            named(event),
            named(verdict),
            named(why),
            Cell::Count(*count),
        ];
        (format!("{day}-{range}-{event}-{verdict}-{why}"), cells)
    };
    Table {
        name: "rows",
        caption: l.pick("Everything that was counted", "全部计数"),
        none: l.pick("nothing was counted in these days", "所选日期内没有计数"),
        columns: vec![
            Column::words("day", l.pick("Day", "日期")),
            Column::words("range", l.pick("Range", "号段")),
            Column::words("event", l.pick("Event", "事件")),
            Column::words("verdict", l.pick("Decided, or kind", "处理结果或类型")),
            Column::words("why", l.pick("Why, or state", "原因或状态")),
            Column::figures("count", l.pick("Count", "次数")),
        ],
        rows: view.rows.iter().map(row).collect(),
    }
}

/// What this node counted since it started: known also while the database is away.
pub(super) fn since_start(l: PageLanguage, reading: &Reading) -> Table {
    let row = |of: Series| {
        let name = of.as_str();
        (name.to_owned(), vec![Cell::Code(name.to_owned()), Cell::Count(reading.total(of))])
    };
    Table {
        name: "since-start",
        caption: l.pick("What this node counted since it started", "本节点启动以来的计数"),
        none: "",
        columns: vec![
            Column::words("what", l.pick("What", "项目")),
            Column::figures("count", l.pick("Since the start", "启动以来")),
        ],
        rows: Series::ALL.into_iter().map(row).collect(),
    }
}

/// The columns of [`Figures`], in their order.
fn figures(l: PageLanguage) -> impl Iterator<Item = Column> {
    let titles = [
        l.pick("Calls", "来电"),
        l.pick("Told", "已通知"),
        l.pick("Joined", "合并"),
        l.pick("Held", "等待"),
        l.pick("Nothing", "不发"),
        l.pick("Queued", "入队短信"),
        l.pick("Accepted", "已接收"),
        l.pick("Delivered", "已送达"),
        l.pick("Undelivered", "未送达"),
        l.pick("Expired", "过期"),
        l.pick("Failed", "失败"),
        l.pick("Superseded", "被替换"),
        l.pick("Replies", "回复"),
        l.pick("Fetched", "查询"),
        l.pick("Subscribed", "开通"),
        l.pick("Unsubscribed", "退订"),
    ];
    let column = |(key, title)| Column { key: Cow::Borrowed(key), title: Cow::Borrowed(title), figures: true };
    Figures::COLUMNS.into_iter().zip(titles).map(column)
}
