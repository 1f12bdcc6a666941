//! The links to SMSCs: is each up and fast enough, and who closed it?

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::band::Band;
use super::chart::{self, Chart, Line};
use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone};
use super::visit::{Content, Fault, Visit};
use super::{Console, history, live};
use crate::api::{self, LinkView};
use crate::audit::Action;
use crate::flow::{LATELY, NOW};
use crate::reading::{LinkReading, Reading};
use crate::samples::{Span, rate};
use crate::system::LinkWish;
use crate::{PageLanguage, Permission, access};

/// Lines in one chart: more can't be told apart.
const DRAWN: usize = 6;

/// The longest that a link may be ordered away: a forgotten one comes back within a day.
const LONGEST_MINUTES: u64 = 24 * 60;

pub(super) fn routes() -> Router<Arc<Console>> {
    let orders = Router::new().route("/links/order", post(order));
    let looks = Router::new().route("/links", get(page)).route("/links/events", get(events));
    looks.merge(access::guarded(Permission::Operate, orders))
}

#[derive(Template)]
#[template(path = "pages/links.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    list: String,
    bands: String,
    ended: String,
    charts: Vec<String>,
    spans: [Span; 5],
    names: Vec<String>,
    operates: bool,
    more: usize,
}

#[derive(Template)]
#[template(path = "pages/links_bands.html")]
struct Bands {
    bands: Vec<(String, String)>,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let links = (console.operators.status)().links;
    let charts = charts(&visit);
    let caption = visit.l.pick("Sessions that ended", "已结束的会话");
    let ended = history::of(&visit, "ended", caption, Action::LinkClosed).await;
    let mut tables = vec![table(&visit, &links), ended];
    tables.extend(charts.iter().map(|chart| chart.table(visit.l)));
    visit.answer(Screen::Links, &tables, || {
        let here = visit.here();
        let page = Page {
            v: &visit,
            l: visit.l,
            list: match tables.first() {
                Some(table) => visit.table_html(table)?,
                None => String::new(),
            },
            ended: match tables.get(1) {
                Some(table) => visit.table_html(table)?,
                None => String::new(),
            },
            bands: bands(&visit)?,
            charts: charts.iter().map(|chart| chart.html(visit.l, &here)).collect::<Result<_, _>>()?,
            spans: Span::ALL,
            names: links.iter().map(|link| link.name.clone()).collect(),
            operates: visit.may(Permission::Operate),
            more: links.len().saturating_sub(DRAWN),
        };
        Ok(Content {
            title: Screen::Links.name(visit.l).to_owned(),
            html: page.render()?,
            events: Some(format!("/links/events?span={}", visit.span.as_str())),
        })
    })
}

async fn events(visit: Visit) -> Response {
    live::stream(visit, |visit| {
        let links = (visit.console.operators.status)().links;
        let mut parts = vec![
            visit.banner()?,
            ("link-list".to_owned(), visit.table_html(&table(visit, &links))?),
            ("bands".to_owned(), bands(visit)?),
        ];
        parts.extend(charts(visit).iter().map(|chart| (chart.part(), chart.numbers())));
        Ok(parts)
    })
}

/// A link's state in words, and how good it is.
fn state(link: &LinkView, l: PageLanguage) -> (Tone, &'static str) {
    match link.state {
        "bound" if link.throttled => (Tone::Warning, l.pick("bound, throttled", "已绑定，被限速")),
        "bound" => (Tone::Good, l.pick("bound", "已绑定")),
        "connecting" => (Tone::Warning, l.pick("connecting", "连接中")),
        "binding" => (Tone::Warning, l.pick("binding", "绑定中")),
        "awaiting" => (Tone::Warning, l.pick("waits for the SMSC to connect", "等待短信中心连接")),
        "draining" => (Tone::Warning, l.pick("draining", "排空中")),
        "away" => (Tone::Warning, l.pick("away by order", "按指令离线")),
        "closed" => (Tone::Plain, l.pick("closed", "已关闭")),
        _ => (Tone::Bad, l.pick("down", "中断")),
    }
}

fn table(visit: &Visit, links: &[LinkView]) -> Table {
    let l = visit.l;
    let samples = &visit.console.samples;
    let (now, before, lately) = (samples.newest(), samples.ago(NOW), samples.ago(LATELY));
    let row = |link: &LinkView| {
        let (tone, word) = state(link, l);
        let rate = rate(&before, &now, |reading| of(reading, &link.name).map_or(0, |link| link.submits));
        let answers = of(&lately, &link.name).zip(of(&now, &link.name));
        let within = |thousandths| {
            let value = answers.and_then(|(then, now)| chart::within(&then.answers, &now.answers, thousandths));
            value.map_or(Cell::Empty, |value| Cell::Figure(value, 0))
        };
        let count = |name: &str| Cell::Count(link.counts.get(name).copied().unwrap_or(0));
        let cells = vec![
            Cell::Code(link.name.clone()),
            Cell::State(link.state, word.to_owned(), tone),
            link.since.map_or(Cell::Empty, Cell::Time),
            link.ordered.map_or(Cell::Empty, |ordered| Cell::Time(ordered.until)),
            link.last_closed.as_ref().map_or(Cell::Empty, |closed| Cell::Text(by(closed.by, l).to_owned())),
            Cell::maybe(link.last_closed.as_ref().map(|closed| l.link_end(closed))),
            link.last_closed.as_ref().map_or(Cell::Empty, |closed| Cell::Time(closed.at)),
            Cell::Text(link.bind.to_owned()),
            Cell::Text(format!("{} / {}", link.in_flight, link.window)),
            Cell::Figure(rate.unwrap_or(0.0), 1),
            if link.rate == 0 { Cell::Empty } else { Cell::Count(u64::from(link.slowed_to.unwrap_or(link.rate))) },
            within(500),
            within(990),
            count("throttles"),
            count("refused"),
            count("in_doubt"),
            count("disconnects"),
        ];
        (link.name.replace('/', "-"), cells)
    };
    Table {
        name: "link-table",
        caption: l.pick("The links to SMSCs", "到短信中心的链路"),
        none: l.pick("no SMSC is configured: smsc.urls", "未配置短信中心：smsc.urls"),
        columns: columns(l),
        rows: links.iter().map(row).collect(),
    }
}

fn columns(l: PageLanguage) -> Vec<Column> {
    vec![
        Column::words("link", l.pick("Link", "链路")),
        Column::words("state", l.pick("State", "状态")),
        Column::words("since", l.pick("Since", "起始时间")),
        Column::words("away_until", l.pick("Away until", "离线至")),
        Column::words("closed_by", l.pick("Last end or failed attempt: by", "最近一次中断或连接失败：由谁")),
        Column::words("why", l.pick("Why", "原因")),
        Column::words("closed_at", l.pick("When", "时间")),
        Column::words("bind", l.pick("Bind", "绑定类型")),
        Column::figures("window", l.pick("Window used", "窗口占用")),
        Column::figures("rate", l.pick("Submits/s", "提交/秒")),
        Column::figures("limit", l.pick("Limit/s", "上限/秒")),
        Column::figures("p50_ms", l.pick("Answer p50, ms", "应答 p50，毫秒")),
        Column::figures("p99_ms", l.pick("p99, ms", "p99，毫秒")),
        Column::figures("throttled", l.pick("Throttled", "被限速")),
        Column::figures("refused", l.pick("Refused", "被拒绝")),
        Column::figures("in_doubt", l.pick("In doubt", "无应答")),
        Column::figures("disconnects", l.pick("Sessions ended", "会话中断")),
    ]
}

/// Who ended a session.
fn by(who: &str, l: PageLanguage) -> &'static str {
    match who {
        "us" => l.pick("us", "本网关"),
        "peer" => l.pick("the SMSC", "短信中心"),
        _ => l.pick("the network", "网络"),
    }
}

fn of<'a>(reading: &'a Reading, link: &str) -> Option<&'a LinkReading> {
    reading.links.iter().find(|other| other.name == link)
}

/// Up or down over time, a band for each link.
fn bands(visit: &Visit) -> Result<String, askama::Error> {
    let l = visit.l;
    let samples = &visit.console.samples;
    let readings = samples.over(visit.span);
    let newest = samples.newest();
    let lasts = i64::try_from(visit.span.lasts().as_millis()).unwrap_or(0);
    let from = model::Timestamp::from_millis(newest.at.as_millis() - lasts);
    let band = |link: &LinkReading| {
        let seen = readings.iter().filter_map(|reading| {
            let bound = of(reading, &link.name)?.bound;
            let (tone, word) =
                if bound { (Tone::Good, l.pick("bound", "已绑定")) } else { (Tone::Bad, l.pick("down", "中断")) };
            Some((reading.at, tone, word))
        });
        let label = format!("{}: {}", link.name, l.pick("bound or down over time", "绑定状态随时间的变化"));
        let band = Band::of(from, newest.at, seen, l.pick("unknown", "未知"), label);
        Ok((link.name.clone(), band.html(&visit.zone)?))
    };
    Bands { bands: newest.links.iter().map(band).collect::<Result<_, askama::Error>>()? }.render()
}

fn charts(visit: &Visit) -> [Chart; 2] {
    let l = visit.l;
    let readings = visit.console.samples.over(visit.span);
    let newest = visit.console.samples.newest();
    let times = chart::times(&readings);
    let lines = |value: &dyn Fn(&LinkReading) -> Vec<Option<f64>>| {
        let drawn = newest.links.iter().take(DRAWN);
        (1_u8..)
            .zip(drawn)
            .map(|(colour, link)| Line {
                key: link.name.clone(),
                title: link.name.clone(),
                colour,
                values: value(link),
            })
            .collect()
    };
    let submits =
        |link: &LinkReading| chart::rates(&readings, |reading| of(reading, &link.name).map_or(0, |link| link.submits));
    let answers = |link: &LinkReading| {
        chart::between(&readings, |before, after| {
            let (before, after) = of(before, &link.name).zip(of(after, &link.name))?;
            chart::within(&before.answers, &after.answers, 990)
        })
    };
    [
        Chart {
            name: "submits",
            title: l.pick("Submitted by link", "各链路提交量"),
            unit: "/s",
            times: times.clone(),
            lines: lines(&submits),
        },
        Chart {
            name: "answers",
            title: l.pick("99 of 100 answers within", "99% 的应答用时"),
            unit: "ms",
            times,
            lines: lines(&answers),
        },
    ]
}

#[derive(Deserialize)]
struct Ordered {
    link: String,
    what: String,
    minutes: Option<u64>,
    reason: String,
}

async fn order(visit: Visit, Form(asked): Form<Ordered>) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    let minutes = asked.minutes.filter(|minutes| (1..=LONGEST_MINUTES).contains(minutes));
    let until = minutes
        .map(|minutes| visit.now + Duration::from_secs(minutes * 60))
        .ok_or_else(|| Fault::Form(visit.l.pick("1 minute to 24 hours", "1 分钟至 24 小时")));
    let what = match asked.what.as_str() {
        "drain" => LinkWish::Drain { until: until? },
        "unbind" => LinkWish::Unbind { until: until? },
        "rebind" => LinkWish::Rebind,
        _ => return Err(Fault::Form(visit.l.pick("drain, unbind or rebind", "drain、unbind 或 rebind"))),
    };
    api::links::order(visit.console.operators.clone(), &visit.viewer, asked.link, what, reason).await?;
    Ok(Redirect::to("/links").into_response())
}
