//! People: finding one, and who is registered.

mod actions;
mod call;
mod person;
mod sentence;
mod timeline;

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use model::Msisdn;
use routing::Subscriber;
use serde::Deserialize;
use store::Store as _;

use super::Console;
use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone, grouped};
use super::visit::{Content, Fault, Visit};
use crate::tail::{DIGITS, ends_with};
use crate::{PageLanguage, Permission, access};

/// People on one page.
const PAGE: usize = 100;

/// People that a search lists.
const FOUND: usize = 50;

/// Registered people that a search by last digits looks at, and in how many at a time.
const LOOKED_AT: usize = 100_000;
const AT_A_TIME: usize = 5_000;

pub(super) fn routes() -> Router<Arc<Console>> {
    let changes = Router::new()
        .route("/people/{handle}/export", post(actions::export))
        .route("/people/{handle}/{action}", post(actions::act));
    Router::new()
        .route("/people", get(registered).post(find))
        .route("/people/{handle}", get(person::page))
        .route("/people/{handle}/calls/{seq}", get(call::page))
        .merge(access::guarded(Permission::ChangePeople, changes))
}

#[derive(Template)]
#[template(path = "pages/people.html")]
struct Page<'a> {
    l: PageLanguage,
    v: &'a Visit,
    /// What was searched, and what was found.
    said: Option<String>,
    list: Option<String>,
    /// Where the next page of the list is.
    next: Option<String>,
    heading: &'static str,
}

/// Where a person's page is.
fn href(visit: &Visit, number: Msisdn) -> String {
    format!("/people/{}", visit.console.operators.handles.seal(number))
}

/// The person that an address names.
fn opened(visit: &Visit, handle: &str) -> Result<Msisdn, Fault> {
    visit.console.operators.handles.open_handle(handle).ok_or(Fault::NotFound)
}

/// Who is registered, a page at a time, for who may see numbers; the search for everybody.
async fn registered(visit: Visit) -> Result<Response, Fault> {
    if !visit.may(Permission::SeeNumbers) {
        if visit.form != super::visit::Form::Html {
            return Err(Fault::Forbidden);
        }
        return page(&visit, None, None, None);
    }
    // What leaves as a file is for who sees numbers now, or answers for the people.
    let takes = visit.sees_numbers() || visit.may(Permission::Administer);
    if visit.form != super::visit::Form::Html && !takes {
        return Err(Fault::Forbidden);
    }
    let after = visit.asked("after").map(|handle| opened(&visit, handle)).transpose()?;
    let people = visit.console.operators.store.subscribers(after, PAGE).await?;
    let next = (people.len() == PAGE).then(|| people.last()).flatten();
    let next = next.map(|last| visit.with(&[("after", &visit.console.operators.handles.seal(last.number))]));
    let table = table(&visit, &people.iter().map(|person| (person.number, Some(person))).collect::<Vec<_>>());
    visit.answer(Screen::People, std::slice::from_ref(&table), || {
        let here = visit.here();
        let list = table.html(&visit.zone, takes.then_some(here.as_str()))?;
        content(&visit, None, Some(list), next.clone())
    })
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    number: String,
}

/// Finds people by a number as people write it, or by its last digits. The answer to a number is an address that doesn't hold it.
async fn find(visit: Visit, Form(asked): Form<Asked>) -> Result<Response, Fault> {
    let l = visit.l;
    let text = asked.number.trim();
    let number = visit.console.operators.numbering.normalise(text).ok();
    let is_digits = DIGITS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let by_digits = is_digits && visit.may(Permission::SeeNumbers);
    match number {
        Some(number) if !by_digits => return Ok(Redirect::to(&href(&visit, number)).into_response()),
        _ if by_digits => {}
        None if is_digits => {
            let said = l.pick(
                "Give the whole number: last digits are for those who may see numbers.",
                "请输入完整号码：仅有权查看号码者可按后几位查找。",
            );
            return page(&visit, Some(said.to_owned()), None, None);
        }
        _ => {
            let said = l.pick(
                "That is no number: give it as it is dialled, or its last 4 to 8 digits.",
                "号码无法识别：请按拨号方式输入，或输入后 4 至 8 位。",
            );
            return page(&visit, Some(said.to_owned()), None, None);
        }
    }
    let (mut found, looked_at, more) = ending(&visit, text).await?;
    for lately in visit.console.recent.people(text, FOUND) {
        if found.len() < FOUND && found.iter().all(|(number, _)| *number != lately) {
            found.push((lately, None));
        }
    }
    // Eight digits may be a whole number, too.
    if let Some(number) = number.filter(|number| found.iter().all(|(found, _)| found != number)) {
        found.insert(0, (number, None));
    }
    let (count, looked_at) = (found.len(), grouped(u64::try_from(looked_at).unwrap_or(u64::MAX)));
    let said = match (l, more) {
        (PageLanguage::En, false) => format!(
            "{count} found whose numbers end in {text}, among {looked_at} registered people and those of the last calls."
        ),
        (PageLanguage::En, true) => format!(
            "{count} found whose numbers end in {text}, among the first {looked_at} registered people and those of the last calls. There may be more: give more digits, or the whole number."
        ),
        (PageLanguage::Zh, false) => {
            format!("在 {looked_at} 位已开通用户及最近来电的用户中，找到 {count} 个以 {text} 结尾的号码。")
        }
        (PageLanguage::Zh, true) => format!(
            "在前 {looked_at} 位已开通用户及最近来电的用户中，找到 {count} 个以 {text} 结尾的号码。可能还有更多：请输入更多位数或完整号码。"
        ),
    };
    let known: Vec<(Msisdn, Option<&Subscriber>)> =
        found.iter().map(|(number, person)| (*number, person.as_ref())).collect();
    let list = table(&visit, &known).html(&visit.zone, None)?;
    page(&visit, Some(said), Some(list), None)
}

type Found = Vec<(Msisdn, Option<Subscriber>)>;

/// Registered people whose numbers end so; how many were looked at, and whether there may be more.
async fn ending(visit: &Visit, digits: &str) -> Result<(Found, usize, bool), Fault> {
    let (mut found, mut looked_at, mut after) = (Found::new(), 0, None);
    while looked_at < LOOKED_AT {
        let people = visit.console.operators.store.subscribers(after, AT_A_TIME).await?;
        let ended = people.len() < AT_A_TIME;
        after = people.last().map(|person| person.number);
        for person in people {
            looked_at += 1;
            if ends_with(person.number, digits) {
                found.push((person.number, Some(person)));
            }
            if found.len() == FOUND {
                return Ok((found, looked_at, true));
            }
        }
        if ended {
            return Ok((found, looked_at, false));
        }
    }
    Ok((found, looked_at, true))
}

fn page(visit: &Visit, said: Option<String>, list: Option<String>, next: Option<String>) -> Result<Response, Fault> {
    visit.page(Screen::People, &content(visit, said, list, next)?)
}

fn content(visit: &Visit, said: Option<String>, list: Option<String>, next: Option<String>) -> Result<Content, Fault> {
    let l = visit.l;
    let heading =
        if said.is_some() { l.pick("Found", "查找结果") } else { l.pick("Registered people", "已开通用户") };
    let html = Page { l, v: visit, said, list, next, heading }.render()?;
    Ok(Content { title: Screen::People.name(l).to_owned(), html, events: None })
}

fn table(visit: &Visit, people: &[(Msisdn, Option<&Subscriber>)]) -> Table {
    let l = visit.l;
    let policy = (visit.console.operators.policy)();
    let row = |(number, person): &(Msisdn, Option<&Subscriber>)| {
        let handle = visit.console.operators.handles.seal(*number);
        let range = policy.ranges.find(*number).map(|range| range.name.0.clone());
        let status = match person {
            Some(person) => {
                let (tone, word) = l.subscriber_status(person.status);
                Cell::State(status_word(person), word.to_owned(), tone)
            }
            None => Cell::State("unregistered", l.pick("not registered", "未开通").to_owned(), Tone::Plain),
        };
        let cells = vec![
            Cell::Link(visit.number(*number), format!("/people/{handle}")),
            status,
            Cell::maybe(person.and_then(|person| person.language.as_ref()).map(ToString::to_string)),
            Cell::maybe(range),
            person.map_or(Cell::Empty, |person| Cell::Time(person.since)),
            person.and_then(|person| person.paused_until).map_or(Cell::Empty, Cell::Time),
        ];
        (handle, cells)
    };
    Table {
        name: "people",
        caption: l.pick("People", "用户"),
        none: l.pick("Nobody.", "没有用户。"),
        columns: vec![
            Column::words("number", l.pick("Number", "号码")),
            Column::words("status", l.pick("Status", "状态")),
            Column::words("language", l.pick("Language", "语言")),
            Column::words("range", l.pick("Range", "号段")),
            Column::words("since", l.pick("Registered", "开通时间")),
            Column::words("paused_until", l.pick("Paused until", "暂停至")),
        ],
        rows: people.iter().map(row).collect(),
    }
}

const fn status_word(person: &Subscriber) -> &'static str {
    match person.status {
        routing::SubscriberStatus::Active => "active",
        routing::SubscriberStatus::Suspended => "suspended",
    }
}
