//! The live tail: calls and what was decided of them, as it happens.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use model::{Kind, Msisdn};
use routing::{HeldWhy, NothingWhy, ReplyVerdict, Verdict};
use store::Outcome;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone, grouped};
use super::visit::{Content, Fault, Visit};
use super::{Console, live};
use crate::PageLanguage;
use crate::tail::{Filter, FilterError, Follower, Shown};
use crate::words::{EVENTS, VERDICTS};

/// Rows that a page keeps.
const ROWS: usize = 100;

/// New rows in a second: more than anybody reads.
const MOST: usize = 20;

/// The fields of the filter, as addresses name them.
const FIELDS: [&str; 5] = ["event", "verdict", "why", "kind", "range"];

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/tail", get(page)).route("/tail/events", get(events))
}

/// What one viewer's page holds.
struct Held {
    follower: Follower,
    /// The rows on the page, the newest first.
    rows: VecDeque<Shown>,
    /// Rows that came since the stream began.
    came: u64,
    /// Those that were wanted and are not shown.
    not_shown: u64,
    /// Batches that came too fast for this page.
    missed: u64,
}

#[derive(Template)]
#[template(path = "pages/tail.html")]
struct Page<'a> {
    l: PageLanguage,
    v: &'a Visit,
    fields: Vec<Field>,
    fault: Option<String>,
    rows: String,
    told: String,
}

/// One field of the filter.
struct Field {
    name: &'static str,
    title: &'static str,
    /// What may be chosen, in groups; none: it is typed.
    groups: Vec<Group>,
    value: String,
}

struct Group {
    title: &'static str,
    /// The word, and what it means.
    choices: Vec<(String, String)>,
}

async fn page(visit: Visit) -> Result<Response, Fault> {
    let read = filter(&visit);
    let policy = (visit.console.operators.policy)();
    let rows = match &read {
        Ok(filter) => visit.console.recent.newest(filter, &policy.ranges, ROWS),
        Err(_) => Vec::new(),
    };
    let table = table(&visit, &mut rows.iter().rev());
    visit.answer(Screen::Tail, std::slice::from_ref(&table), || {
        let asked = FIELDS.iter().filter_map(|name| visit.asked(name).map(|value| (*name, value)));
        let query = serde_urlencoded::to_string(asked.collect::<Vec<_>>()).unwrap_or_default();
        let fault = read.as_ref().err().map(|error| fault(visit.l, *error));
        let page = Page {
            l: visit.l,
            v: &visit,
            fields: fields(&visit),
            rows: table.html(&visit.zone, None)?,
            told: told(visit.l, 0, 0, 0),
            fault,
        };
        let events = read.is_ok().then(|| format!("/tail/events?{query}"));
        Ok(Content { title: Screen::Tail.name(visit.l).to_owned(), html: page.render()?, events })
    })
}

async fn events(visit: Visit) -> Result<Response, Fault> {
    let filter = filter(&visit).map_err(|_| Fault::NotFound)?;
    let operators = &visit.console.operators;
    let heard = BroadcastStream::new(operators.live.subscribe());
    let (policy, clock) = (Arc::clone(&operators.policy), operators.clock);
    let rows = visit.console.recent.newest(&filter, &policy().ranges, ROWS);
    let held = Held {
        follower: Follower::new(filter, MOST),
        rows: rows.into_iter().rev().collect(),
        came: 0,
        not_shown: 0,
        missed: 0,
    };
    let feed = heard.map(move |batch| (batch, policy(), clock()));
    Ok(live::follow(
        visit,
        feed,
        held,
        |held, (batch, policy, at): (Result<Arc<Vec<Outcome>>, _>, _, _)| match batch {
            Ok(batch) => held.follower.take(&batch, &policy.ranges, at),
            Err(BroadcastStreamRecvError::Lagged(batches)) => held.follower.miss(batches),
        },
        draw,
    ))
}

fn draw(visit: &Visit, held: &mut Held) -> Result<live::Parts, askama::Error> {
    let look = held.follower.look();
    held.came += u64::try_from(look.shown.len()).unwrap_or(u64::MAX) + look.not_shown;
    held.not_shown += look.not_shown;
    held.missed += look.missed;
    for shown in look.shown {
        held.rows.push_front(shown);
    }
    held.rows.truncate(ROWS);
    let rows = table(visit, &mut held.rows.iter()).html(&visit.zone, None)?;
    Ok(vec![
        visit.banner()?,
        ("tail-rows".to_owned(), rows),
        ("tail-told".to_owned(), told(visit.l, held.came, held.not_shown, held.missed)),
    ])
}

/// Reads the filter of the address. Digits of numbers are no part of it: an address is kept in many places.
fn filter(visit: &Visit) -> Result<Filter, FilterError> {
    Filter::read(|name| visit.asked(name), false)
}

fn fault(l: PageLanguage, error: FilterError) -> String {
    match l {
        PageLanguage::En => format!("The filter can't be applied: '{}': {}.", error.field, error.why),
        PageLanguage::Zh => format!("筛选条件“{}”无效。", error.field),
    }
}

/// How many came and how many of them are not on the page. The first is read by the script that freezes the page.
fn told(l: PageLanguage, came: u64, not_shown: u64, missed: u64) -> String {
    let mut text = match l {
        PageLanguage::En => format!("<data value=\"{came}\">{} came</data>", grouped(came)),
        PageLanguage::Zh => format!("<data value=\"{came}\">新增 {} 条</data>", grouped(came)),
    };
    if not_shown > 0 {
        text.push_str(&match l {
            PageLanguage::En => {
                format!(" · {} not shown: at most {MOST} a second are", grouped(not_shown))
            }
            PageLanguage::Zh => format!(" · {} 条未显示：每秒最多显示 {MOST} 条", grouped(not_shown)),
        });
    }
    if missed > 0 {
        text.push_str(&match l {
            PageLanguage::En => {
                format!(" · {} batches came too fast and were not looked at", grouped(missed))
            }
            PageLanguage::Zh => format!(" · 另有 {} 批来得太快，未能查看", grouped(missed)),
        });
    }
    text
}

fn table(visit: &Visit, rows: &mut dyn Iterator<Item = &Shown>) -> Table {
    let l = visit.l;
    Table {
        name: "tail",
        caption: l.pick("What was decided lately, the newest first", "最近的处理结果，最新的在前"),
        none: l.pick("Nothing yet. Rows appear as calls come.", "暂无记录。有来电时会显示在这里。"),
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("seq", l.pick("No.", "序号")),
            Column::words("event", l.pick("Event", "事件")),
            Column::words("called", l.pick("Person", "用户")),
            Column::words("verdict", l.pick("Decided", "处理结果")),
            Column::words("why", l.pick("Why", "原因")),
            Column::words("kind", l.pick("SMS", "短信类型")),
            Column::words("range", l.pick("Range", "号段")),
        ],
        rows: each_by_its_own_id(rows.map(|shown| row(visit, shown)).collect()),
    }
}

/// The same rows, the newest first, no two with one id: what an event did twice is numbered from the oldest on, so that a row keeps its id while others come.
fn each_by_its_own_id<T>(mut rows: Vec<(String, T)>) -> Vec<(String, T)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (id, _) in rows.iter_mut().rev() {
        let times = seen.entry(id.clone()).or_default();
        *times += 1;
        if *times > 1 {
            id.push_str(&format!("-{times}"));
        }
    }
    rows
}

fn row(visit: &Visit, shown: &Shown) -> (String, Vec<Cell>) {
    let l = visit.l;
    let (what, why) = shown.verdict.words();
    let (tone, said) = match (&shown.state, shown.verdict) {
        (Some(state), Verdict::Alert) => l.alert_state(state),
        (_, verdict) => (l.verdict_tone(verdict), l.verdict(verdict)),
    };
    let person = |number: Msisdn| {
        Cell::Link(visit.number(number), format!("/people/{}", visit.console.operators.handles.seal(number)))
    };
    let cells = vec![
        Cell::Time(shown.at),
        Cell::Code(shown.seq.to_string()),
        Cell::Text(l.event(shown.event).to_owned()),
        shown.called.map_or(Cell::Empty, person),
        Cell::State(what, said.to_owned(), tone),
        if why.is_empty() { Cell::Empty } else { Cell::Code(why.to_owned()) },
        shown.kind.map_or(Cell::Empty, |kind| Cell::State(kind.as_str(), l.kind(kind).to_owned(), Tone::Plain)),
        Cell::maybe(shown.range.as_ref().map(|range| range.0.clone())),
    ];
    // A receipt that came before its answer is decided twice, and may come to the same.
    (format!("{}-{what}-{why}", shown.seq), cells)
}

fn fields(visit: &Visit) -> Vec<Field> {
    let l = visit.l;
    let value = |name: &str| visit.asked(name).unwrap_or("").to_owned();
    let field = |name: &'static str, title: &'static str, groups| Field { name, title, groups, value: value(name) };
    let one = |choices| vec![Group { title: "", choices }];
    let words = |words: &[(&'static str, &'static str, &'static str)]| {
        words.iter().map(|(word, en, zh)| ((*word).to_owned(), l.pick(en, zh).to_owned())).collect()
    };
    let why = |title, verdicts: Vec<Verdict>| Group {
        title,
        choices: verdicts
            .into_iter()
            .map(|verdict| (verdict.words().1.to_owned(), l.because(verdict).to_owned()))
            .collect(),
    };
    let whys = vec![
        why(l.pick("nothing is sent", "不发"), NothingWhy::ALL.into_iter().map(Verdict::Nothing).collect()),
        why(l.pick("held", "等待"), HeldWhy::ALL.into_iter().map(Verdict::Held).collect()),
        why(l.pick("a reply", "回复"), ReplyVerdict::ALL.into_iter().map(Verdict::Reply).collect()),
    ];
    let kinds = Kind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), l.kind(kind).to_owned())).collect();
    let mut ranges: Vec<(String, String)> = Vec::new();
    for range in (visit.console.operators.policy)().ranges.iter() {
        if ranges.iter().all(|(name, _)| *name != range.name.0) {
            ranges.push((range.name.0.clone(), range.name.0.clone()));
        }
    }
    vec![
        field("event", l.pick("Event", "事件"), one(words(&EVENTS))),
        field("verdict", l.pick("Decided", "处理结果"), one(words(&VERDICTS))),
        field("why", l.pick("Why", "原因"), whys),
        field("kind", l.pick("SMS", "短信类型"), one(kinds)),
        field("range", l.pick("Range", "号段"), one(ranges)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_one_id_and_a_row_keeps_its_own_while_others_come() {
        let ids = |rows: &[&str]| -> Vec<String> {
            let rows = rows.iter().map(|id| ((*id).to_owned(), ())).collect();
            each_by_its_own_id(rows).into_iter().map(|(id, ())| id).collect()
        };
        let before = ids(&["7-alert-", "6-call-", "7-alert-"]);
        assert_eq!(before, ["7-alert--2", "6-call-", "7-alert-"]);
        let after = ids(&["7-alert-", "7-alert-", "6-call-", "7-alert-"]);
        assert_eq!((after[0].as_str(), &after[1..]), ("7-alert--3", &before[..]));
    }
}
