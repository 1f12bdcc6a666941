//! One call: the ladder from the core network to the phone and back, and why.

use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use model::{MissedCall, Timestamp};
use routing::{AlertState, Event};
use store::{Seq, Store as _, TimelineEntry};

use super::super::chart::age;
use super::super::shell::Screen;
use super::super::table::{Cell, Column, Table, Tone, shown_time};
use super::super::visit::{Content, Fault, Visit};
use super::sentence::{Standing, sentence};
use super::{href, opened};
use crate::PageLanguage;
use crate::ladder::{self, Ladder, Value};

/// Events that are looked through for the call and what followed it.
const MOST: usize = 1_000;

/// Who is at the ends of a rung.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Lane {
    Core,
    Gateway,
    Smsc,
    Phone,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Core, Self::Gateway, Self::Smsc, Self::Phone];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Gateway => "gateway",
            Self::Smsc => "smsc",
            Self::Phone => "phone",
        }
    }

    const fn name(self, l: PageLanguage) -> &'static str {
        match self {
            Self::Core => l.pick("Core network", "核心网"),
            Self::Gateway => l.pick("Gateway", "网关"),
            Self::Smsc => l.pick("SMSC", "短信中心"),
            Self::Phone => l.pick("Phone", "手机"),
        }
    }
}

/// One step of the call's way.
struct Rung {
    at: Timestamp,
    from: Lane,
    to: Lane,
    tone: Tone,
    title: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "pages/call.html")]
struct Page<'a> {
    l: PageLanguage,
    v: &'a Visit,
    person: String,
    number: String,
    why: String,
    rungs: Vec<(Rung, String)>,
    messages: Vec<Message>,
    table: String,
    curl: String,
    json: String,
}

/// What was sent, as it was coded.
struct Message {
    text: String,
    coding: &'static str,
    /// In how many parts.
    size: String,
    parts: Vec<String>,
    state: (Tone, &'static str),
    ids: String,
}

pub(super) async fn page(visit: Visit, Path((handle, seq)): Path<(String, i64)>) -> Result<Response, Fault> {
    let number = opened(&visit, &handle)?;
    let entries = visit.console.operators.store.timeline(number, MOST).await?;
    let found = entries.iter().enumerate().find_map(|(place, entry)| match &entry.event {
        Event::Call(call) if entry.seq.0 == seq => Some((place, call)),
        _ => None,
    });
    let missing = || if visit.knows_less() { Fault::Store(store::StoreError::Away) } else { Fault::NotFound };
    let (place, call) = found.ok_or_else(missing)?;
    let (_, following) = entries.split_at(place);
    let ladder = Ladder::of(Seq(seq), &entries).ok_or(Fault::NotFound)?;
    let rungs: Vec<Rung> = following
        .first()
        .into_iter()
        .flat_map(|entry| ladder.rungs.iter().map(|rung| shown(&visit, entry, rung)))
        .collect();
    let table = table(&visit, &rungs);
    visit.answer(Screen::People, std::slice::from_ref(&table), || {
        let l = visit.l;
        let mut alone: Vec<TimelineEntry> = following.to_vec();
        // The sentence is about this call and what told it.
        alone.retain(|entry| entry.seq.0 == seq || !matches!(entry.event, Event::Call(_)));
        let (curl, json) = copies(&visit, call);
        let page = Page {
            l,
            v: &visit,
            person: href(&visit, number),
            number: visit.number(number),
            why: sentence(l, &visit.zone, visit.now, &alone, Standing::default()),
            messages: following.first().into_iter().flat_map(|entry| messages(&visit, entry)).collect(),
            rungs: with_waits(rungs),
            table: table.html(&visit.zone, Some(&visit.here()))?,
            curl,
            json,
        };
        let title = format!("{} {}", l.pick("Call", "来电"), shown_time(call.at, &visit.zone));
        Ok(Content { title, html: page.render()?, events: None })
    })
}

/// Each rung with how long it came after the one before.
fn with_waits(rungs: Vec<Rung>) -> Vec<(Rung, String)> {
    let mut before = None;
    let wait = |rung: Rung| {
        let waited = before.map_or_else(String::new, |before| waited(rung.at.since(before)));
        before = Some(rung.at);
        (rung, waited)
    };
    rungs.into_iter().map(wait).collect()
}

/// How long after the step before.
fn waited(time: Duration) -> String {
    if time < Duration::from_secs(1) { format!("+{} ms", time.as_millis()) } else { format!("+{}", age(time)) }
}

/// A rung as it is shown: between which lanes, which way, and in words.
fn shown(visit: &Visit, entry: &TimelineEntry, rung: &ladder::Rung) -> Rung {
    let l = visit.l;
    let word = |name: &str| match rung.facts.get(name) {
        Some(Value::Word(word)) => *word,
        _ => "",
    };
    let (from, to, tone, title) = match rung.what {
        "call" => (Lane::Core, Lane::Gateway, Tone::Plain, l.pick("missed call", "未接来电")),
        "decision" => (Lane::Gateway, Lane::Gateway, l.verdict_tone(entry.verdict), l.verdict(entry.verdict)),
        "alert" => (Lane::Gateway, Lane::Gateway, Tone::Plain, l.pick("SMS written", "生成短信")),
        "sent" => (Lane::Gateway, Lane::Smsc, Tone::Plain, l.pick("submitted", "提交短信")),
        "update_asked" => (Lane::Gateway, Lane::Smsc, Tone::Plain, l.pick("update asked", "请求更新")),
        "accepted" => (Lane::Smsc, Lane::Gateway, Tone::Good, l.pick("taken", "已接收")),
        "put_off" => (Lane::Smsc, Lane::Gateway, Tone::Warning, l.pick("not now, try again", "稍后重试")),
        "in_doubt" => (Lane::Gateway, Lane::Gateway, Tone::Warning, l.pick("no answer", "无应答")),
        "updated" => (Lane::Smsc, Lane::Gateway, Tone::Plain, l.pick("answer to the update", "更新应答")),
        "update_dropped" => (Lane::Gateway, Lane::Gateway, Tone::Plain, l.pick("update given up", "放弃更新")),
        "superseded" => (Lane::Smsc, Lane::Gateway, Tone::Plain, l.pick("taken back", "已撤回")),
        "receipt" => (Lane::Smsc, Lane::Gateway, Tone::Plain, l.pick("receipt", "送达回执")),
        "delivered" => (Lane::Phone, Lane::Gateway, Tone::Good, l.pick("delivered", "已送达")),
        "undelivered" => (Lane::Smsc, Lane::Gateway, Tone::Bad, l.pick("not deliverable", "无法送达")),
        "expired" => (Lane::Smsc, Lane::Gateway, Tone::Warning, l.pick("expired undelivered", "过期未送达")),
        "failed" if word("why") == "refused" => (Lane::Smsc, Lane::Gateway, Tone::Bad, l.pick("refused", "拒绝")),
        "failed" => (Lane::Gateway, Lane::Gateway, Tone::Bad, l.pick("never sent", "未能发出")),
        "not_sent" => (Lane::Gateway, Lane::Gateway, Tone::Warning, l.pick("not sent: no link", "未提交：无可用链路")),
        "omitted" => (Lane::Gateway, Lane::Gateway, Tone::Plain, l.pick("steps that are not kept", "未保留的步骤")),
        "joined" => (Lane::Core, Lane::Gateway, Tone::Good, l.pick("a later call joined", "后续来电并入")),
        "reply" => (Lane::Phone, Lane::Gateway, Tone::Plain, l.pick("reply", "用户回复")),
        other => (Lane::Gateway, Lane::Gateway, Tone::Plain, other),
    };
    Rung { at: rung.at, from, to, tone, title: title.to_owned(), detail: facts(visit, rung) }
}

/// What else a rung says; the text of an SMS stands below.
fn facts(visit: &Visit, rung: &ladder::Rung) -> String {
    let told = rung.facts.iter().filter(|(name, _)| {
        !(matches!(**name, "verdict" | "originator") || (**name == "text" && rung.what == "alert"))
    });
    let value = |value: &Value| match value {
        Value::Word(word) => (*word).to_owned(),
        Value::Text(text) => visit.text(text),
        Value::Name(name) => name.clone(),
        Value::Count(count) => count.to_string(),
        Value::Phone(number) => visit.number(*number),
        Value::Time(at) => shown_time(*at, &visit.zone),
    };
    told.map(|(name, fact)| format!("{name} {}", value(fact))).collect::<Vec<_>>().join(" · ")
}

/// The messages that the call made.
fn messages(visit: &Visit, entry: &TimelineEntry) -> Vec<Message> {
    let alerts = entry.alerts.iter().filter_map(|named| named.alert.as_ref());
    alerts
        .map(|alert| {
            let segments = model::split(&alert.text);
            let coding = match segments.coding {
                model::Coding::Gsm7 => "GSM 7-bit",
                model::Coding::Ucs2 => "UCS-2",
            };
            let ids = match &alert.state {
                AlertState::Accepted { parts, .. } => {
                    parts.iter().map(|part| part.id.as_str()).collect::<Vec<_>>().join(", ")
                }
                AlertState::Queued { .. }
                | AlertState::Sending { .. }
                | AlertState::InDoubt { .. }
                | AlertState::Superseded { .. }
                | AlertState::Delivered { .. }
                | AlertState::Undelivered { .. }
                | AlertState::Expired { .. }
                | AlertState::Failed { .. } => String::new(),
            };
            Message {
                text: visit.text(&alert.text),
                coding,
                size: size(visit.l, segments.parts.len()),
                parts: segments.parts.iter().map(|part| visit.text(part)).collect(),
                state: visit.l.alert_state(&alert.state),
                ids,
            }
        })
        .collect()
}

fn size(l: PageLanguage, parts: usize) -> String {
    match (l, parts) {
        (PageLanguage::En, 1) => "1 part".to_owned(),
        (PageLanguage::En, parts) => format!("{parts} parts"),
        (PageLanguage::Zh, parts) => format!("{parts} 段"),
    }
}

/// The call as a program would report it, and as JSON.
fn copies(visit: &Visit, call: &MissedCall) -> (String, String) {
    let caller = match &call.caller {
        model::Caller::Number(number) => Some(visit.number(*number)),
        model::Caller::Short(number) => Some(visit.text(number.as_str())),
        model::Caller::Withheld => Some("withheld".to_owned()),
        model::Caller::Unknown => None,
    };
    let json = serde_json::json!({
        "id": visit.text(call.id.as_str()),
        "called": visit.number(call.called),
        "caller": caller,
        "at": call.at.to_string(),
        "reason": call.reason.as_str(),
        "service_number": call.service_number.as_ref().map(model::ShortNumber::as_str),
    });
    let curl = format!(
        "curl -H \"authorization: Bearer $TOKEN\" 'http://localhost:8081/v1/subscribers/{}/timeline?limit=100'",
        visit.number(call.called)
    );
    (curl, serde_json::to_string_pretty(&json).unwrap_or_default())
}

fn table(visit: &Visit, rungs: &[Rung]) -> Table {
    let l = visit.l;
    let row = |(place, rung): (usize, &Rung)| {
        let cells = vec![
            Cell::Time(rung.at),
            Cell::Text(rung.from.name(l).to_owned()),
            Cell::Text(rung.to.name(l).to_owned()),
            Cell::Text(rung.title.clone()),
            Cell::maybe(Some(rung.detail.clone()).filter(|text| !text.is_empty())),
        ];
        (place.to_string(), cells)
    };
    Table {
        name: "ladder",
        caption: l.pick("The way of the call", "来电处理过程"),
        none: "",
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("from", l.pick("From", "发送方")),
            Column::words("to", l.pick("To", "接收方")),
            Column::words("what", l.pick("What", "内容")),
            Column::words("detail", l.pick("Detail", "详情")),
        ],
        rows: rungs.iter().enumerate().map(row).collect(),
    }
}

impl Page<'_> {
    /// The time of the day to the millisecond: a ladder is about what came right after what.
    fn clock(&self, at: &Timestamp) -> String {
        let at = at.to_jiff().map(|at| at.to_zoned(self.v.zone.clone()));
        at.map(|at| at.strftime("%H:%M:%S%.3f").to_string()).unwrap_or_default()
    }

    /// The class of the arrow: its lanes from the left, and which way it points.
    fn arrow(&self, rung: &Rung) -> String {
        let (left, right) = (rung.from.min(rung.to), rung.from.max(rung.to));
        let way = match rung.from.cmp(&rung.to) {
            std::cmp::Ordering::Less => "right",
            std::cmp::Ordering::Equal => "stays",
            std::cmp::Ordering::Greater => "left",
        };
        format!("{}-{} {way}", left.as_str(), right.as_str())
    }
}
