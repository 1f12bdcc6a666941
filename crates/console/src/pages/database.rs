//! The database: when was it away, and what did that cost?

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use model::Kind;
use serde::Deserialize;

use super::band::Band;
use super::chart::{self, Chart, Line, age};
use super::shell::{Screen, condition};
use super::table::{Cell, Column, Table, Tone, grouped, shown_time};
use super::visit::{Content, Fault, Visit};
use super::{Console, history, live};
use crate::api::{self, DatabaseStatus, ForceRequest};
use crate::audit::Action;
use crate::reading::{Reading, Series};
use crate::samples::Span;
use crate::{Permission, access};

pub(super) fn routes() -> Router<Arc<Console>> {
    let orders = Router::new().route("/database/force", post(force)).route("/database/lift", post(lift));
    Router::new()
        .route("/database", get(page))
        .route("/database/events", get(events))
        .merge(access::guarded(Permission::Operate, orders))
}

/// A time in which the database was not used, and what that cost.
struct Outage {
    from: model::Timestamp,
    /// `None` while it lasts.
    until: Option<model::Timestamp>,
    who: &'static str,
    why: &'static str,
    /// Fallbacks told meanwhile; `None` where that was before the oldest reading.
    fallbacks: Option<u64>,
}

#[derive(Template)]
#[template(path = "pages/database.html")]
struct Page<'a> {
    v: &'a Visit,
    l: crate::PageLanguage,
    configured: bool,
    now: String,
    band: String,
    charts: Vec<String>,
    outages: String,
    noted: String,
    spans: [Span; 5],
    operates: bool,
    forced: bool,
}

#[derive(Template)]
#[template(path = "pages/database_now.html")]
struct Now {
    l: crate::PageLanguage,
    tone: Tone,
    word: &'static str,
    since: String,
    lasts: String,
    reason: Option<String>,
    until: Option<String>,
    facts: Vec<(&'static str, String)>,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let status = (console.operators.status)();
    let charts = charts(&visit);
    let caption = visit.l.pick("What is noted of it, also before the last start", "历史记录（含上次启动之前）");
    let noted = history::of(&visit, "noted", caption, Action::DatabaseChanged).await;
    let mut tables = vec![outage_table(&visit, &status.database), noted];
    tables.extend(charts.iter().map(|chart| chart.table(visit.l)));
    visit.answer(Screen::Database, &tables, || {
        let here = visit.here();
        let page = Page {
            v: &visit,
            l: visit.l,
            configured: status.database.configured,
            now: now(&visit, &status.database)?,
            band: band(&visit)?,
            charts: charts.iter().map(|chart| chart.html(visit.l, &here)).collect::<Result<_, _>>()?,
            outages: match tables.first() {
                Some(table) => visit.table_html(table)?,
                None => String::new(),
            },
            noted: match tables.get(1) {
                Some(table) => visit.table_html(table)?,
                None => String::new(),
            },
            spans: Span::ALL,
            operates: visit.may(Permission::Operate),
            forced: status.database.forced,
        };
        Ok(Content {
            title: Screen::Database.name(visit.l).to_owned(),
            html: page.render()?,
            events: Some(format!("/database/events?span={}", visit.span.as_str())),
        })
    })
}

async fn events(visit: Visit) -> Response {
    live::stream(visit, |visit| {
        let status = (visit.console.operators.status)();
        let mut parts = vec![
            visit.banner()?,
            ("now".to_owned(), now(visit, &status.database)?),
            ("band".to_owned(), band(visit)?),
            ("outage-list".to_owned(), visit.table_html(&outage_table(visit, &status.database))?),
        ];
        parts.extend(charts(visit).iter().map(|chart| (chart.part(), chart.numbers())));
        Ok(parts)
    })
}

fn now(visit: &Visit, database: &DatabaseStatus) -> Result<String, askama::Error> {
    let l = visit.l;
    let (tone, word) = condition(database.state, l);
    let newest = visit.console.samples.newest();
    let mut facts = vec![
        (l.pick("decided here, not handed over", "本地已处理、未移交"), grouped(newest.unshared)),
        (l.pick("refused by the database, set aside", "被数据库拒收、已搁置"), grouped(database.quarantined)),
    ];
    if newest.undecided.count > 0 {
        facts.push((l.pick("stored, not decided", "已存储、未处理"), grouped(newest.undecided.count)));
    }
    let now = Now {
        l,
        tone,
        word,
        since: shown_time(database.since, &visit.zone),
        lasts: age(visit.now.since(database.since)),
        reason: database.reason.clone(),
        until: database.until.map(|until| shown_time(until, &visit.zone)),
        facts,
    };
    now.render()
}

/// What state it was in at each reading.
fn band(visit: &Visit) -> Result<String, askama::Error> {
    let l = visit.l;
    let readings = visit.console.samples.over(visit.span);
    let until = visit.console.samples.newest().at;
    let from =
        model::Timestamp::from_millis(until.as_millis() - i64::try_from(visit.span.lasts().as_millis()).unwrap_or(0));
    let seen = readings.iter().filter_map(|reading| {
        let (tone, word) = condition(reading.database?, l);
        Some((reading.at, tone, word))
    });
    let label = l.pick("The database's state over time", "数据库状态随时间的变化").to_owned();
    Band::of(from, until, seen, l.pick("unknown", "未知"), label).html(&visit.zone)
}

fn charts(visit: &Visit) -> [Chart; 3] {
    let l = visit.l;
    let readings = visit.console.samples.over(visit.span);
    let times = chart::times(&readings);
    let took = |key: &str, colour, of_thousand| Line {
        key: key.to_owned(),
        title: key.to_owned(),
        colour,
        values: chart::between(&readings, |before, after| {
            chart::within(&before.database_took, &after.database_took, of_thousand)
        }),
    };
    #[expect(clippy::cast_precision_loss, reason = "a backlog of 2^53 fits no disk")]
    let behind = chart::between(&readings, |_, after| Some(after.unshared as f64));
    [
        Chart {
            name: "fallbacks",
            title: l.pick("Alerts without the database", "数据库异常时发出的提醒"),
            unit: "/s",
            times: times.clone(),
            lines: vec![Line {
                key: "fallback".to_owned(),
                title: l.kind(Kind::Fallback).to_owned(),
                colour: 4,
                values: chart::rates(&readings, |reading| reading.total(Series::Fallback)),
            }],
        },
        Chart {
            name: "database-took",
            title: l.pick("What a batch takes at the database", "数据库处理一批的用时"),
            unit: "ms",
            times: times.clone(),
            lines: vec![took("p50", 1, 500), took("p99", 4, 990)],
        },
        Chart {
            name: "behind",
            title: l.pick("Waiting to be handed over", "等待移交"),
            unit: l.pick("events", "条"),
            times,
            lines: vec![Line {
                key: "unshared".to_owned(),
                title: l.pick("events", "事件").to_owned(),
                colour: 3,
                values: behind,
            }],
        },
    ]
}

/// The times in which it was not used, the newest first, from the changes that the gateway remembers.
fn outages(visit: &Visit, database: &DatabaseStatus) -> Vec<Outage> {
    use routing::Condition::{Abnormal, Normal};
    let mut found: Vec<Outage> = Vec::new();
    for change in &database.changes {
        if change.to == Abnormal && found.last().is_none_or(|last| last.until.is_some()) {
            found.push(Outage { from: change.at, until: None, who: change.who, why: change.why, fallbacks: None });
        }
        if let Some(last) = found.last_mut().filter(|last| change.to == Normal && last.until.is_none()) {
            last.until = Some(change.at);
        }
    }
    for outage in &mut found {
        outage.fallbacks = told_between(visit, outage.from, outage.until);
    }
    found.reverse();
    found
}

/// Fallbacks between two points in time; `None` where the readings don't reach back so far.
fn told_between(visit: &Visit, from: model::Timestamp, until: Option<model::Timestamp>) -> Option<u64> {
    let samples = &visit.console.samples;
    let newest = samples.newest();
    let ago = |at: model::Timestamp| samples.ago(newest.at.since(at));
    let before = ago(from);
    // The oldest reading is given where there is none so old.
    let reaches = before.at <= from;
    let after = until.map_or_else(|| Arc::clone(&newest), |until| first_after(visit, until));
    let total = |reading: &Reading| reading.total(Series::Fallback);
    reaches.then(|| total(&after).saturating_sub(total(&before)))
}

/// The first reading that is not before a time, within the coarsest step.
fn first_after(visit: &Visit, at: model::Timestamp) -> Arc<Reading> {
    let samples = &visit.console.samples;
    let newest = samples.newest();
    let age = newest.at.since(at);
    for later in [0_u64, 1, 10, 60] {
        let reading = samples.ago(age.saturating_sub(Duration::from_secs(later)));
        if reading.at >= at {
            return reading;
        }
    }
    newest
}

fn outage_table(visit: &Visit, database: &DatabaseStatus) -> Table {
    let l = visit.l;
    let row = |outage: Outage| {
        let lasted = outage.until.unwrap_or(visit.now).since(outage.from);
        let cells = vec![
            Cell::Time(outage.from),
            outage
                .until
                .map_or_else(|| Cell::State("now", l.pick("still", "持续中").to_owned(), Tone::Bad), Cell::Time),
            Cell::Text(age(lasted)),
            Cell::Text(l.change(outage.who, outage.why)),
            outage.fallbacks.map_or(Cell::Empty, Cell::Count),
        ];
        (outage.from.as_millis().to_string(), cells)
    };
    Table {
        name: "outages",
        caption: l.pick("Times without the database", "数据库不可用的时段"),
        none: l.pick("none among the last changes of its state", "最近的状态变化中没有"),
        columns: vec![
            Column::words("from", l.pick("From", "开始")),
            Column::words("until", l.pick("Until", "结束")),
            Column::words("lasted", l.pick("Lasted", "持续")),
            Column::words("why", l.pick("Why", "原因")),
            Column::figures("fallbacks", l.pick("Fallbacks told", "发出的应急提醒")),
        ],
        rows: outages(visit, database).into_iter().map(row).collect(),
    }
}

#[derive(Deserialize)]
struct Forced {
    minutes: u64,
    reason: String,
}

async fn force(visit: Visit, Form(asked): Form<Forced>) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    if !(1..=7 * 24 * 60).contains(&asked.minutes) {
        return Err(Fault::Form(visit.l.pick("1 minute to 7 days", "1 分钟至 7 天")));
    }
    let until = visit.now + Duration::from_secs(asked.minutes * 60);
    order(&visit, ForceRequest::Abnormal { until, reason: reason.clone() }, reason).await
}

async fn lift(visit: Visit, Form(asked): Form<super::visit::Reasoned>) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    order(&visit, ForceRequest::Lift, reason).await
}

async fn order(visit: &Visit, request: ForceRequest, reason: String) -> Result<Response, Fault> {
    api::force::order(visit.console.operators.clone(), &visit.viewer, request, Some(reason)).await?;
    Ok(Redirect::to("/database").into_response())
}
