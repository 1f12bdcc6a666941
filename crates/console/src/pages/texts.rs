//! The texts: what people read, what each takes on its way, and where it was written.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use model::Kind;
use routing::Policy;
use routing::text::{Preview, Source, Warning};

use super::Console;
use super::shell::Screen;
use super::table::{Cell, Column, Table};
use super::visit::{Content, Fault, Visit};
use crate::PageLanguage;
use crate::api::texts::Asked;

/// In the filter: texts in every language.
const EVERY: &str = "all";

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/texts", get(page))
}

/// What may be chosen.
struct Choices {
    languages: Vec<String>,
    ranges: Vec<String>,
    campaigns: Vec<String>,
}

#[derive(Template)]
#[template(path = "pages/texts.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    asked: &'a Asked,
    choices: Choices,
    /// By kind: its name, what it is for, and its texts.
    kinds: Vec<(Kind, &'static str, Vec<&'a Preview>)>,
    /// Why nothing is shown.
    fault: Option<String>,
    every: &'static str,
    count: usize,
    warned: usize,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let policy = (console.operators.policy)();
    let asked = Asked {
        language: Some(visit.asked("language").unwrap_or_else(|| policy.language.as_str()).to_owned()),
        range: visit.asked("range").map(str::to_owned),
        campaign: visit.asked("campaign").map(str::to_owned),
        kind: visit.asked("kind").map(str::to_owned),
    };
    let (previews, fault) = match previews(&policy, &asked) {
        Ok(previews) => (previews, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    visit.answer(Screen::Texts, &[table(visit.l, &previews)], || {
        let of = |kind| previews.iter().filter(|preview| preview.kind == kind).collect::<Vec<_>>();
        let kinds = Kind::ALL.into_iter().map(|kind| (kind, purpose(kind, visit.l), of(kind)));
        let page = Page {
            v: &visit,
            l: visit.l,
            asked: &asked,
            choices: choices(&policy),
            kinds: kinds.filter(|(_, _, previews)| !previews.is_empty()).collect(),
            fault,
            every: EVERY,
            count: previews.len(),
            warned: previews.iter().filter(|preview| !preview.warnings.is_empty()).count(),
        };
        Ok(Content { title: Screen::Texts.name(visit.l).to_owned(), html: page.render()?, events: None })
    })
}

fn previews(policy: &Policy, asked: &Asked) -> Result<Vec<Preview>, String> {
    let Asked { language, range, campaign, kind } = asked;
    let language = language.clone().filter(|language| language != EVERY);
    let asked = Asked { language, range: range.clone(), campaign: campaign.clone(), kind: kind.clone() };
    let wanted = asked.wanted().map_err(|(field, why)| format!("{field}: {why}"))?;
    Source::of(policy).previews(&wanted).map_err(|unknown| unknown.to_string())
}

fn choices(policy: &Policy) -> Choices {
    let mut ranges: Vec<String> = policy.ranges.iter().map(|range| range.name.0.clone()).collect();
    ranges.sort();
    ranges.dedup();
    Choices {
        languages: policy.texts.languages().map(ToString::to_string).collect(),
        ranges,
        campaigns: policy.texts.campaigns().map(ToString::to_string).collect(),
    }
}

/// What a kind of message is for.
pub(super) const fn purpose(kind: Kind, l: PageLanguage) -> &'static str {
    match kind {
        Kind::Fallback => l.pick("for subscribers while the database is abnormal", "数据库异常期间发给注册用户"),
        Kind::Detail => l.pick("for subscribers, and for who asked", "发给注册用户，以及回复查询的人"),
        Kind::Teaser => l.pick("the offer, for people in ranges", "推广短信，发给号段内的非注册用户"),
        Kind::Notice => l.pick("the answers to replies", "对回复的答复"),
        Kind::Notify => l.pick("for callers: somebody can be reached again", "告知主叫：对方已可接通"),
    }
}

impl Page<'_> {
    fn is(&self, chosen: &Option<String>, one: &str) -> bool {
        chosen.as_deref() == Some(one)
    }

    fn parts(&self, parts: &usize) -> String {
        counted(*parts, self.l)
    }

    fn says(&self, warning: &Warning) -> String {
        said(warning, self.l)
    }
}

fn counted(parts: usize, l: PageLanguage) -> String {
    match l {
        PageLanguage::En => routing::text::counted(parts),
        PageLanguage::Zh => format!("{parts} 条"),
    }
}

fn said(warning: &Warning, l: PageLanguage) -> String {
    match (l, warning) {
        (PageLanguage::En, warning) => warning.to_string(),
        (PageLanguage::Zh, Warning::Wide { characters, without, parts }) => {
            format!("{}：去掉后可用 GSM 7-bit 编码，由 {parts} 条减为 {without} 条", Warning::named(characters))
        }
        (PageLanguage::Zh, Warning::Longish { over, parts }) => {
            format!("再少 {over} 个字符，即可由 {parts} 条减为 {} 条", parts.saturating_sub(1))
        }
        (PageLanguage::Zh, Warning::CostlyTeaser { parts }) => {
            format!("推广短信占 {parts} 条，每次按 {parts} 条计费")
        }
    }
}

fn table(l: PageLanguage, previews: &[Preview]) -> Table {
    let row = |preview: &Preview| {
        let warnings: Vec<String> = preview.warnings.iter().map(|warning| said(warning, l)).collect();
        let cells = vec![
            Cell::Code(preview.name.clone()),
            Cell::Text(preview.kind.to_string()),
            Cell::Text(preview.language.to_string()),
            Cell::Text(preview.text.clone()),
            Cell::Text(preview.coding.to_owned()),
            count(preview.characters),
            count(preview.parts),
            Cell::maybe(Some(warnings.join("; ")).filter(|text| !text.is_empty())),
            Cell::Code(preview.place.clone()),
        ];
        let id = format!("{} {}", preview.language, preview.name);
        (id.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"), cells)
    };
    Table {
        name: "texts",
        caption: l.pick("The texts", "短信文本"),
        none: l.pick("no texts", "没有文本"),
        columns: vec![
            Column::words("name", l.pick("Text", "文本")),
            Column::words("kind", l.pick("Kind", "类型")),
            Column::words("language", l.pick("Language", "语言")),
            Column::words("text", l.pick("As a phone shows it", "手机显示")),
            Column::words("coding", l.pick("Coding", "编码")),
            Column::figures("characters", l.pick("Characters", "字符数")),
            Column::figures("parts", l.pick("Parts", "条数")),
            Column::words("warnings", l.pick("Warnings", "提示")),
            Column::words("place", l.pick("From", "来源")),
        ],
        rows: previews.iter().map(row).collect(),
    }
}

fn count(count: usize) -> Cell {
    Cell::Count(u64::try_from(count).unwrap_or(u64::MAX))
}
