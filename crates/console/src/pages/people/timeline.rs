//! A person's timeline as a table, the newest first.

use model::{Caller, MissedCall, Receipt};
use routing::Event;
use store::{TimelineAlert, TimelineEntry};

use super::super::table::{Cell, Column, Table, Tone};
use super::super::visit::Visit;
use crate::PageLanguage;

/// The table of these events, which are in order, the oldest first; `here` is the person's page.
pub(super) fn table(visit: &Visit, entries: &[TimelineEntry], here: &str) -> Table {
    let l = visit.l;
    Table {
        name: "timeline",
        caption: l.pick("What happened, the newest first", "经过，最新的在前"),
        none: l.pick("Nothing is known of this person.", "没有该用户的记录。"),
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("seq", l.pick("No.", "序号")),
            Column::words("event", l.pick("Event", "事件")),
            Column::words("detail", l.pick("Detail", "详情")),
            Column::words("decided", l.pick("Decided", "处理结果")),
            Column::words("why", l.pick("Why", "原因")),
            Column::words("kind", l.pick("SMS", "短信类型")),
            Column::words("state", l.pick("The SMS now", "短信现状")),
        ],
        rows: entries.iter().rev().map(|entry| row(visit, entry, here)).collect(),
    }
}

fn row(visit: &Visit, entry: &TimelineEntry, here: &str) -> (String, Vec<Cell>) {
    let l = visit.l;
    let seq = entry.seq.0.to_string();
    let (what, why) = entry.verdict.words();
    let alert = entry.alerts.last();
    let cells = vec![
        Cell::Time(entry.at),
        match entry.event {
            Event::Call(_) => Cell::Link(seq.clone(), format!("{here}/calls/{seq}")),
            Event::Submitted { .. }
            | Event::Updated { .. }
            | Event::Receipt(_)
            | Event::Reply(_)
            | Event::Word(_)
            | Event::Dropped { .. }
            | Event::Resend(_)
            | Event::Due { .. } => Cell::Code(seq.clone()),
        },
        Cell::State(entry.event.as_str(), l.event(entry.event.as_str()).to_owned(), Tone::Plain),
        Cell::maybe(Some(detail(visit, &entry.event)).filter(|text| !text.is_empty())),
        Cell::State(what, l.verdict(entry.verdict).to_owned(), l.verdict_tone(entry.verdict)),
        if why.is_empty() { Cell::Empty } else { Cell::Code(why.to_owned()) },
        kind(visit, alert),
        state(visit, alert),
    ];
    (format!("{seq}-{}", entry.at.as_millis()), cells)
}

fn kind(visit: &Visit, alert: Option<&TimelineAlert>) -> Cell {
    let kind = alert.and_then(|named| named.alert.as_ref()).map(|alert| alert.kind);
    kind.map_or(Cell::Empty, |kind| Cell::State(kind.as_str(), visit.l.kind(kind).to_owned(), Tone::Plain))
}

fn state(visit: &Visit, alert: Option<&TimelineAlert>) -> Cell {
    let pruned = || visit.l.pick("no longer kept", "已清理").to_owned();
    match alert {
        None => Cell::Empty,
        Some(TimelineAlert { alert: None, .. }) => Cell::State("pruned", pruned(), Tone::Plain),
        Some(TimelineAlert { alert: Some(alert), .. }) => {
            let (tone, word) = visit.l.alert_state(&alert.state);
            Cell::State(alert.state.as_str(), word.to_owned(), tone)
        }
    }
}

/// Who called, as this viewer may see them.
pub(super) fn caller(visit: &Visit, caller: &Caller) -> String {
    match caller {
        Caller::Number(number) => visit.number(*number),
        Caller::Short(number) => visit.text(number.as_str()),
        Caller::Withheld => visit.l.pick("number withheld", "隐藏号码").to_owned(),
        Caller::Unknown => visit.l.pick("caller unknown", "号码未知").to_owned(),
    }
}

/// A call in a few words.
pub(super) fn call(visit: &Visit, call: &MissedCall) -> String {
    let l = visit.l;
    format!("{} · {} · {}", caller(visit, &call.caller), l.missed_because(call.reason), l.source(call.source))
}

/// What an event says beside its name.
fn detail(visit: &Visit, event: &Event) -> String {
    let l = visit.l;
    match event {
        Event::Call(missed) => call(visit, missed),
        Event::Submitted { attempt, outcome, .. } => {
            format!("{}: {}", attempt_of(l, *attempt), l.submit_outcome(outcome).1)
        }
        Event::Updated { outcome, .. } => l.update_outcome(outcome).1.to_owned(),
        Event::Receipt(receipt) => {
            format!("{} · {}", l.receipt(receipt.state).1, receipt_of(receipt))
        }
        Event::Reply(reply) => format!("“{}” → {}", visit.text(&reply.text), visit.text(&reply.to)),
        Event::Word(word) => format!("{} · {}", visit.number(word.from), word.saying.as_str()),
        Event::Dropped { .. } => l.failed(routing::FailedWhy::TooLate).to_owned(),
        Event::Resend(resend) => resend.by.clone(),
        Event::Due { .. } => String::new(),
    }
}

/// Which attempt.
fn attempt_of(l: PageLanguage, attempt: u32) -> String {
    match l {
        PageLanguage::En => format!("attempt {attempt}"),
        PageLanguage::Zh => format!("第 {attempt} 次提交"),
    }
}

/// Whose receipt it is, of which message, and with which error.
fn receipt_of(receipt: &Receipt) -> String {
    let error = if receipt.error.is_empty() { String::new() } else { format!(" · {}", receipt.error) };
    format!("{} {}{error}", receipt.smsc.0, receipt.message_id)
}
