//! The flow: is the service working now, and where is it stuck?

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use model::Kind;

use super::chart::{self, Chart, Line, age, short};
use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone, grouped};
use super::visit::{Content, Fault, Visit};
use super::{Console, live};
use crate::PageLanguage;
use crate::flow::{FlowView, StageState, StageView};
use crate::reading::Series;
use crate::samples::Span;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/flow", get(page)).route("/flow/events", get(events))
}

/// A stage with the words and the tone that it is shown in.
struct Shown {
    stage: StageView,
    title: &'static str,
    tone: Tone,
    word: &'static str,
    parts: Vec<(&'static str, u64)>,
    waits: String,
}

#[derive(Template)]
#[template(path = "pages/flow.html")]
struct Page<'a> {
    l: PageLanguage,
    v: &'a Visit,
    strip: String,
    charts: Vec<String>,
    spans: [Span; 5],
}

#[derive(Template)]
#[template(path = "pages/flow_strip.html")]
struct Strip {
    l: PageLanguage,
    stages: Vec<Shown>,
}

async fn page(State(_): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let charts = charts(&visit);
    let mut tables = vec![table(&visit, &stages(&visit))];
    tables.extend(charts.iter().map(|chart| chart.table(visit.l)));
    visit.answer(Screen::Flow, &tables, || {
        let here = visit.here();
        let drawn = charts.iter().map(|chart| chart.html(visit.l, &here)).collect::<Result<_, _>>()?;
        let page = Page { l: visit.l, v: &visit, strip: strip(&visit)?, charts: drawn, spans: Span::ALL };
        Ok(Content {
            title: Screen::Flow.name(visit.l).to_owned(),
            html: page.render()?,
            events: Some(format!("/flow/events?span={}", visit.span.as_str())),
        })
    })
}

async fn events(visit: Visit) -> Response {
    live::stream(visit, |visit| {
        let mut parts = vec![visit.banner()?, ("strip".to_owned(), strip(visit)?)];
        parts.extend(charts(visit).iter().map(|chart| (chart.part(), chart.numbers())));
        Ok(parts)
    })
}

fn strip(visit: &Visit) -> Result<String, askama::Error> {
    Strip { l: visit.l, stages: stages(visit) }.render()
}

fn stages(visit: &Visit) -> Vec<Shown> {
    let today = visit.console.today.counts(visit.now);
    let flow = FlowView::of(&visit.console.samples, visit.span, visit.now, today.as_ref());
    flow.stages.into_iter().map(|stage| shown(visit, stage)).collect()
}

fn title(stage: &str, l: PageLanguage) -> &'static str {
    match stage {
        "calls" => l.pick("Calls", "来电"),
        "alerts" => l.pick("Alerts", "提醒"),
        "submitted" => l.pick("Submitted", "已提交"),
        "accepted" => l.pick("Accepted by SMSCs", "短信中心已接收"),
        "delivered" => l.pick("Delivered", "已送达"),
        _ => l.pick("Replies", "回复"),
    }
}

fn part_title(part: &'static str, l: PageLanguage) -> &'static str {
    match part {
        "joined" => l.pick("joined", "合并"),
        "held" => l.pick("held", "等待"),
        "nothing" => l.pick("nothing sent", "不发"),
        "failed" => l.pick("failed", "失败"),
        "undelivered" => l.pick("undelivered", "未送达"),
        "fetched" => l.pick("fetched", "查询"),
        "subscribed" => l.pick("subscribed", "开通"),
        "unsubscribed" => l.pick("unsubscribed", "退订"),
        "detail" => l.kind(Kind::Detail),
        "teaser" => l.kind(Kind::Teaser),
        "fallback" => l.kind(Kind::Fallback),
        part => part,
    }
}

fn shown(visit: &Visit, stage: StageView) -> Shown {
    let l = visit.l;
    let (tone, word) = match stage.state {
        StageState::Stuck => (Tone::Bad, l.pick("stuck", "阻塞")),
        StageState::Slow => (Tone::Warning, l.pick("slow", "缓慢")),
        StageState::Flows => (Tone::Good, l.pick("flows", "正常")),
        StageState::Idle => (Tone::Plain, l.pick("idle", "空闲")),
    };
    let old = stage.waiting_since.map(|since| age(visit.now.since(since)));
    let waits = match (stage.waiting, old) {
        (0, _) => String::new(),
        (count, None) => format!("{} {}", grouped(count), l.pick("waiting", "等待中")),
        (count, Some(old)) => format!("{} {} {old}", grouped(count), l.pick("waiting, the oldest", "等待中，最久")),
    };
    let parts = stage.parts.iter().map(|part| (part_title(part.id, l), part.count)).collect();
    Shown { title: title(stage.id, l), tone, word, parts, waits, stage }
}

fn table(visit: &Visit, stages: &[Shown]) -> Table {
    let l = visit.l;
    let row = |shown: &Shown| {
        let stage = &shown.stage;
        let cells = vec![
            Cell::Code(stage.id.to_owned()),
            Cell::State(stage.state.as_str(), shown.word.to_owned(), shown.tone),
            Cell::Figure(stage.rate, 2),
            Cell::Count(stage.five_minutes),
            stage.today.map_or(Cell::Empty, Cell::Count),
            Cell::Count(stage.total),
            Cell::Count(stage.waiting),
            stage.waiting_since.map_or(Cell::Empty, Cell::Time),
        ];
        (stage.id.to_owned(), cells)
    };
    Table {
        name: "stages",
        caption: l.pick("The stages of the flow", "流程各阶段"),
        none: "",
        columns: vec![
            Column::words("stage", l.pick("Stage", "阶段")),
            Column::words("state", l.pick("State", "状态")),
            Column::figures("rate", l.pick("Per second", "每秒")),
            Column::figures("five_minutes", l.pick("5 minutes", "5 分钟")),
            Column::figures("today", l.pick("Today, all nodes", "今天（全部节点）")),
            Column::figures("total", l.pick("Since the start", "启动以来")),
            Column::figures("waiting", l.pick("Waiting", "等待中")),
            Column::words("oldest", l.pick("Oldest", "最久")),
        ],
        rows: stages.iter().map(row).collect(),
    }
}

fn charts(visit: &Visit) -> [Chart; 2] {
    let l = visit.l;
    let readings = visit.console.samples.over(visit.span);
    let times = chart::times(&readings);
    let line = |key: &str, title: &str, colour, of: Series| Line {
        key: key.to_owned(),
        title: title.to_owned(),
        colour,
        values: chart::rates(&readings, |reading| reading.total(of)),
    };
    let took = |key: &str, colour, of_thousand| Line {
        key: key.to_owned(),
        title: key.to_owned(),
        colour,
        values: chart::between(&readings, |before, after| {
            chart::within(&before.accept_to_submit, &after.accept_to_submit, of_thousand)
        }),
    };
    [
        Chart {
            name: "decisions",
            title: l.pick("Calls and what was decided", "来电与处理结果"),
            unit: "/s",
            times: times.clone(),
            lines: vec![
                line("calls", l.pick("calls", "来电"), 1, Series::Calls),
                line("detail", l.kind(Kind::Detail), 2, Series::Detail),
                line("teaser", l.kind(Kind::Teaser), 3, Series::Teaser),
                line("fallback", l.kind(Kind::Fallback), 4, Series::Fallback),
                line("nothing", l.pick("nothing", "不发"), 5, Series::Nothing),
            ],
        },
        Chart {
            name: "took",
            title: l.pick("From the call to its submit", "从来电到提交"),
            unit: "ms",
            times,
            lines: vec![took("p50", 1, 500), took("p99", 4, 990)],
        },
    ]
}

impl Strip {
    fn rate(&self, stage: &StageView) -> String {
        short(stage.rate)
    }

    fn count(&self, count: &u64) -> String {
        grouped(*count)
    }
}
