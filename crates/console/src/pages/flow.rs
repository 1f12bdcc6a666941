//! The flow: is the service working now, and where is it stuck?

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::chart::{self, Chart, Line, age, short};
use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone, grouped};
use super::visit::{Content, Fault, Visit};
use super::{Console, live};
use crate::PageLanguage;
use crate::reading::{Reading, Series, Waiting};
use crate::samples::Span;

/// What rates are taken over that are called "now".
const NOW: Duration = Duration::from_secs(10);

/// What "lately" is.
const LATELY: Duration = Duration::from_secs(300);

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/flow", get(page)).route("/flow/events", get(events))
}

/// One stage of the flow.
struct Stage {
    id: &'static str,
    title: &'static str,
    /// Per second now.
    rate: f64,
    /// In the last five minutes.
    lately: u64,
    /// Since the start.
    total: u64,
    /// What it is made of, with the count of the last five minutes.
    parts: Vec<(&'static str, u64)>,
    /// What waits before the next stage.
    waiting: Waiting,
    /// How old the longest waiting may be before the stage is worth a look, and before it is stuck.
    patience: (Duration, Duration),
}

/// A stage with the words and the tone that it is shown in.
struct Shown {
    stage: Stage,
    tone: Tone,
    word: &'static str,
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
    let l = visit.l;
    let samples = &visit.console.samples;
    let (now, before, lately) = (samples.newest(), samples.ago(NOW), samples.ago(LATELY));
    let sum = |of: &'static [Series]| move |reading: &Reading| of.iter().map(|one| reading.total(*one)).sum::<u64>();
    let more = |of: &'static [Series]| sum(of)(&now).saturating_sub(sum(of)(&lately));
    let stage = |id, title, of: &'static [Series], waiting: Waiting, patience: (u64, u64)| Stage {
        id,
        title,
        rate: chart::rate(&before, &now, sum(of)).unwrap_or(0.0),
        lately: more(of),
        total: sum(of)(&now),
        parts: Vec::new(),
        waiting,
        patience: (Duration::from_secs(patience.0), Duration::from_secs(patience.1)),
    };
    let told: &[Series] = &[Series::Detail, Series::Teaser, Series::Fallback];
    let part = |title: &'static str, of: &'static [Series]| (title, more(of));
    let stages = vec![
        stage("calls", l.pick("Calls", "来电"), &[Series::Calls], now.undecided, (5, 30)),
        Stage {
            parts: vec![
                part("detail", &[Series::Detail]),
                part("teaser", &[Series::Teaser]),
                part("fallback", &[Series::Fallback]),
                part(l.pick("joined", "合并"), &[Series::Joined]),
                part(l.pick("held", "等待"), &[Series::Held]),
                part(l.pick("nothing", "不发"), &[Series::Nothing]),
            ],
            ..stage("alerts", l.pick("Alerts", "提醒"), told, now.queued, (30, 300))
        },
        stage("submitted", l.pick("Submitted", "已提交"), &[Series::Submitted], now.unanswered, (10, 60)),
        stage(
            "accepted",
            l.pick("Accepted by SMSCs", "短信中心已接收"),
            &[Series::Accepted],
            Waiting::default(),
            (1, 1),
        ),
        Stage {
            parts: vec![
                part(l.pick("undelivered", "未送达"), &[Series::Undelivered]),
                part(l.pick("failed", "失败"), &[Series::Failed]),
            ],
            ..stage(
                "delivered",
                l.pick("Delivered", "已送达"),
                &[Series::Delivered],
                now.undelivered,
                (24 * 3_600, 72 * 3_600),
            )
        },
        Stage {
            parts: vec![
                part(l.pick("fetched", "查询"), &[Series::Fetched]),
                part(l.pick("subscribed", "开通"), &[Series::Subscribed]),
                part(l.pick("unsubscribed", "退订"), &[Series::Unsubscribed]),
            ],
            ..stage("replies", l.pick("Replies", "回复"), &[Series::Replies], Waiting::default(), (1, 1))
        },
    ];
    stages.into_iter().map(|stage| shown(visit, stage)).collect()
}

fn shown(visit: &Visit, stage: Stage) -> Shown {
    let l = visit.l;
    let old = stage.waiting.since.map(|since| visit.now.since(since));
    let (look, stuck) = stage.patience;
    let (tone, word) = match old {
        Some(old) if old >= stuck => (Tone::Bad, l.pick("stuck", "阻塞")),
        Some(old) if old >= look => (Tone::Warning, l.pick("slow", "缓慢")),
        _ if stage.rate > 0.0 => (Tone::Good, l.pick("flows", "正常")),
        _ => (Tone::Plain, l.pick("idle", "空闲")),
    };
    let waits = match (stage.waiting.count, old) {
        (0, _) => String::new(),
        (count, None) => format!("{} {}", grouped(count), l.pick("waiting", "等待中")),
        (count, Some(old)) => {
            format!("{} {} {}", grouped(count), l.pick("waiting, the oldest", "等待中，最久"), age(old))
        }
    };
    Shown { stage, tone, word, waits }
}

fn table(visit: &Visit, stages: &[Shown]) -> Table {
    let l = visit.l;
    let row = |shown: &Shown| {
        let stage = &shown.stage;
        let waiting = stage.waiting.since.map_or(Cell::Empty, Cell::Time);
        let cells = vec![
            Cell::Code(stage.id.to_owned()),
            Cell::State(shown.tone.as_str(), shown.word.to_owned(), shown.tone),
            Cell::Figure(stage.rate, 2),
            Cell::Count(stage.lately),
            Cell::Count(stage.total),
            Cell::Count(stage.waiting.count),
            waiting,
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
                line("detail", "detail", 2, Series::Detail),
                line("teaser", "teaser", 3, Series::Teaser),
                line("fallback", "fallback", 4, Series::Fallback),
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
    fn rate(&self, stage: &Stage) -> String {
        short(stage.rate)
    }

    fn count(&self, count: &u64) -> String {
        grouped(*count)
    }
}
