//! One person: who they are here, why they did or didn't get an SMS, what happened, and what can be done for them.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use model::{Msisdn, Timestamp};
use routing::{Evidence, EvidenceOf, List, Range, Resend, Subscriber, SubscriberStatus, Verdict};
use store::{ListEntry, Store as _, TimelineEntry};

use super::super::shell::Screen;
use super::super::table::{Cell, Column, Table, Tone, grouped, shown_time};
use super::super::visit::{Content, Fault, Visit};
use super::actions::{Done, Refused};
use super::sentence::{Standing, sentence};
use super::{href, opened, timeline};
use crate::api::explain::next_call;
use crate::{PageLanguage, Permission};

/// Events on the page, and at most in its files.
const SHOWN: usize = 200;
const MOST: usize = 1_000;

/// What is known of one person.
struct Known {
    number: Msisdn,
    subscriber: Option<Subscriber>,
    entries: Vec<TimelineEntry>,
    /// `None`: they can't be read now.
    lists: Option<Vec<ListEntry>>,
    evidence: Option<Vec<Evidence>>,
    /// What the next call would give.
    next: Option<Verdict>,
}

#[derive(Template)]
#[template(path = "pages/person.html")]
struct Page<'a> {
    l: PageLanguage,
    v: &'a Visit,
    here: String,
    subscriber: Option<&'a Subscriber>,
    facts: Vec<(&'static str, Fact)>,
    sentence: String,
    said: Option<(bool, &'static str)>,
    timeline: String,
    evidence: String,
    /// What is stored, where numbers may be seen.
    raw: Option<String>,
    lists: Vec<(List, bool)>,
    /// Messages that can be sent again, the newest first.
    again: Vec<(i64, String)>,
    paused: bool,
}

/// What stands beside a heading.
enum Fact {
    Text(String),
    Mark(Tone, String),
}

pub(super) async fn page(visit: Visit, Path(handle): Path<String>) -> Result<Response, Fault> {
    let number = opened(&visit, &handle)?;
    let html = visit.form == super::super::visit::Form::Html;
    let known = known(&visit, number, if html { SHOWN } else { MOST }).await?;
    let here = href(&visit, number);
    let tables = [timeline::table(&visit, &known.entries, &here), evidence(&visit, &known)];
    visit.answer(Screen::People, &tables, || content(&visit, &known, &here, &tables))
}

async fn known(visit: &Visit, number: Msisdn, most: usize) -> Result<Known, Fault> {
    let store = &visit.console.operators.store;
    Ok(Known {
        number,
        subscriber: store.subscriber(number).await?,
        entries: store.timeline(number, most).await?,
        // A page is of use also while the database is away.
        lists: store.entries_of(number).await.ok(),
        evidence: store.evidence(number).await.ok(),
        next: next_call(&visit.console.operators, number).await.ok().map(|explained| explained.verdict),
    })
}

impl Known {
    /// When the person refused offers, unless they subscribed since.
    fn refused_at(&self) -> Option<Timestamp> {
        let said = self.evidence.iter().flatten().rev();
        let mut deciding =
            said.filter(|evidence| matches!(evidence.what, EvidenceOf::Refused | EvidenceOf::Subscribed));
        deciding.next().filter(|evidence| evidence.what == EvidenceOf::Refused).map(|evidence| evidence.at)
    }

    fn is_on(&self, list: List) -> bool {
        self.lists.iter().flatten().any(|entry| entry.list == list)
    }
}

fn content(visit: &Visit, known: &Known, here: &str, tables: &[Table; 2]) -> Result<Content, Fault> {
    let l = visit.l;
    let standing = Standing { status: known.subscriber.as_ref().map(|one| one.status), refused_at: known.refused_at() };
    let done = visit.asked("done").and_then(Done::parse).map(|done| (true, done.words(l)));
    let refused = visit.asked("fault").and_then(Refused::parse).map(|fault| (false, fault.words(l)));
    let [entries, said] = tables;
    let raw = visit.sees_numbers().then(|| serde_json::to_string_pretty(&known.entries));
    let page = Page {
        l,
        v: visit,
        here: here.to_owned(),
        subscriber: known.subscriber.as_ref(),
        facts: facts(visit, known),
        sentence: if visit.knows_less() && known.entries.is_empty() {
            let why = "The database is away: what happened to this person before can't be looked up now.";
            l.pick(why, "数据库暂时不可用，无法查询该用户此前的记录。").to_owned()
        } else {
            sentence(l, &visit.zone, visit.now, &known.entries, standing)
        },
        said: done.or(refused),
        timeline: entries.html(&visit.zone, Some(here))?,
        evidence: said.html(&visit.zone, Some(here))?,
        raw: raw.and_then(Result::ok),
        again: again(visit, known),
        lists: List::ALL.into_iter().map(|list| (list, known.is_on(list))).collect(),
        paused: known.subscriber.as_ref().is_some_and(|one| one.paused_until.is_some_and(|until| until > visit.now)),
    };
    let title = format!("{} {}", l.pick("Subscriber", "用户"), visit.number(known.number));
    Ok(Content { title, html: page.render()?, events: None })
}

/// The last messages that can be sent again: by id, with what they are.
fn again(visit: &Visit, known: &Known) -> Vec<(i64, String)> {
    let alerts = known.entries.iter().rev().flat_map(|entry| &entry.alerts).filter_map(|named| named.alert.as_ref());
    let may = alerts.filter(|alert| alert.to == known.number && Resend::of(alert, visit.now, String::new()).is_ok());
    let mut again: Vec<(i64, String)> = Vec::new();
    for alert in may {
        if again.len() < 20 && again.iter().all(|(id, _)| *id != alert.id.0) {
            let (_, state) = visit.l.alert_state(&alert.state);
            let at = shown_time(alert.created_at, &visit.zone);
            again.push((alert.id.0, format!("{at} · {} · {state}", visit.l.kind(alert.kind))));
        }
    }
    again
}

/// Who the person is here, in the order of what is asked first.
fn facts(visit: &Visit, known: &Known) -> Vec<(&'static str, Fact)> {
    let l = visit.l;
    let text = |text: String| Fact::Text(text);
    let (tone, word) = known
        .subscriber
        .as_ref()
        .map_or((Tone::Plain, l.pick("not registered", "未开通")), |one| l.subscriber_status(one.status));
    let mut facts = vec![(l.pick("Registration", "开通状态"), Fact::Mark(tone, word.to_owned()))];
    if let Some(one) = &known.subscriber {
        facts.push((l.pick("Since", "开通时间"), text(shown_time(one.since, &visit.zone))));
        let paused = one.paused_until.filter(|until| *until > visit.now);
        if let Some(until) = paused {
            facts.push((l.pick("Paused until", "暂停至"), Fact::Mark(Tone::Warning, shown_time(until, &visit.zone))));
        }
        let chosen = |value: Option<String>| text(value.unwrap_or_else(|| l.pick("as usual", "默认").to_owned()));
        facts.push((l.pick("Language", "语言"), chosen(one.language.as_ref().map(ToString::to_string))));
        facts.push((l.pick("Time zone", "时区"), chosen(one.time_zone.clone())));
        if let Some(quiet) = one.quiet {
            facts.push((l.pick("Quiet hours", "免打扰时段"), text(quiet.to_string())));
        }
        if let Some(copy) = one.copy_to {
            facts.push((l.pick("Copies go to", "抄送至"), text(visit.number(copy))));
        }
    }
    let policy = (visit.console.operators.policy)();
    facts.push((l.pick("Range", "号段"), range(visit, policy.ranges.find(known.number))));
    if let Some(at) = known.refused_at() {
        let at = shown_time(at, &visit.zone);
        facts.push((l.pick("Refused offers", "拒收邀请"), Fact::Mark(Tone::Warning, at)));
    }
    let lists = match &known.lists {
        None => l.pick("can't be read now", "暂时无法读取").to_owned(),
        Some(lists) if lists.is_empty() => l.pick("none", "无").to_owned(),
        Some(lists) => {
            let words: Vec<&str> = lists.iter().map(|entry| l.list(entry.list)).collect();
            words.join(l.pick(", ", "、"))
        }
    };
    facts.push((l.pick("Lists", "名单"), text(lists)));
    facts.push((
        l.pick("A call now", "现在若有来电"),
        match known.next {
            Some(verdict) => Fact::Mark(l.verdict_tone(verdict), l.verdict(verdict).to_owned()),
            None => text(l.pick("can't be told now", "暂时无法判断").to_owned()),
        },
    ));
    facts
}

/// The range and what it says of its people.
fn range(visit: &Visit, range: Option<&Range>) -> Fact {
    let l = visit.l;
    let Some(range) = range else { return Fact::Text(l.pick("in none", "不在任何号段").to_owned()) };
    let mut words = vec![range.name.0.clone()];
    if !range.in_force(visit.now) {
        words.push(l.pick("not in force", "未生效").to_owned());
    }
    words.push(format!("{} {}", l.pick("quota", "配额"), grouped(range.quota)));
    let terms = &range.terms;
    match terms.consent {
        routing::ConsentRule::None => {}
        routing::ConsentRule::ExistingCustomers => {
            words.push(l.pick("offers to customers only", "仅向现有客户发送邀请").to_owned());
        }
        routing::ConsentRule::Explicit => {
            words.push(l.pick("offers need consent", "须经同意才发送邀请").to_owned());
        }
    }
    if let Some(quiet) = terms.quiet {
        words.push(format!("{} {quiet}", l.pick("no offers", "不发送邀请")));
    }
    words.extend(terms.language.as_ref().map(ToString::to_string));
    words.extend(terms.time_zone.clone());
    Fact::Text(words.join(" · "))
}

/// What the person said that is kept.
fn evidence(visit: &Visit, known: &Known) -> Table {
    let l = visit.l;
    let row = |(place, said): (usize, &Evidence)| {
        let cells = vec![
            Cell::Time(said.at),
            Cell::State(said.what.as_str(), l.evidence(said.what).to_owned(), Tone::Plain),
            Cell::maybe(said.text.as_ref().map(|text| visit.text(text))),
            Cell::maybe(said.to.as_ref().map(|to| visit.text(to))),
            Cell::maybe(said.smsc.as_ref().map(|smsc| smsc.0.clone())),
            Cell::maybe(said.range.as_ref().map(|range| range.0.clone())),
        ];
        (place.to_string(), cells)
    };
    let none = match known.evidence {
        Some(_) => l.pick("Nothing.", "没有记录。"),
        None => l.pick("It can't be read now.", "暂时无法读取。"),
    };
    Table {
        name: "evidence",
        caption: l.pick("What the person said, kept as evidence", "用户的意愿记录"),
        none,
        columns: vec![
            Column::words("at", l.pick("Time", "时间")),
            Column::words("what", l.pick("What", "内容")),
            Column::words("text", l.pick("Word for word", "原文")),
            Column::words("to", l.pick("Sent to", "发往")),
            Column::words("smsc", l.pick("SMSC", "短信中心")),
            Column::words("range", l.pick("Range", "号段")),
        ],
        rows: known.evidence.as_deref().unwrap_or_default().iter().enumerate().rev().map(row).collect(),
    }
}

impl Page<'_> {
    fn is_active(&self) -> bool {
        self.subscriber.is_some_and(|one| one.status == SubscriberStatus::Active)
    }

    fn language(&self) -> String {
        self.subscriber.and_then(|one| one.language.as_ref()).map(ToString::to_string).unwrap_or_default()
    }
}
