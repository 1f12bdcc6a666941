//! The ranges: which numbers are served, how much of each quota is used, and when it will be used up.

mod look_up;
mod projection;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::Response;
use axum::routing::{get, post};
use model::{Day, Timestamp};
use routing::RangeName;
use store::{CampaignCount, ReportRow, Store as _};

use self::look_up::{Asked, Found};
use self::projection::{Lately, Projection};
use super::Console;
use super::shell::Screen;
use super::table::{Cell, Column, Table, Tone};
use super::visit::{Content, Fault, Visit};
use crate::api::{RangeView, SpanView, range_views};
use crate::{PageLanguage, Permission};

/// Whole days that growth is seen from, at most.
const LATELY: i32 = 14;

pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/ranges", get(page)).route("/ranges/look-up", post(look_up))
}

#[derive(Template)]
#[template(path = "pages/ranges.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    found: Option<Found>,
    ranges: String,
    campaigns: String,
    /// Why usage isn't known.
    fault: Option<String>,
    /// From how many whole days growth is seen; `None`: it can't be.
    days: Option<u32>,
}

/// A range with what is known of its growth.
struct Row {
    view: RangeView,
    /// People counted; `None`: not known now.
    used: Option<u64>,
    lately: Option<Lately>,
    projection: Projection,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    show(&console, &visit, None).await
}

/// A number is never in an address: it is looked up by a form, and the answer is the page.
async fn look_up(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(asked): Form<Asked>,
) -> Result<Response, Fault> {
    visit.needs(Permission::Read)?;
    let found = look_up::find(&console, &visit, &asked).await;
    show(&console, &visit, Some(found)).await
}

async fn show(console: &Console, visit: &Visit, found: Option<Found>) -> Result<Response, Fault> {
    let policy = (console.operators.policy)();
    let store = &console.operators.store;
    let today = Day::of(visit.now, &policy.time_zone);
    let usage = store.usage().await;
    // What the report can't say is not known, and nothing else of the page depends on it.
    let counted = store.report(today.plus(-LATELY), today.plus(-1)).await.unwrap_or_default();
    let days = known_days(&counted, today);
    let views = range_views(&policy.ranges, usage.as_deref().unwrap_or_default(), visit.now);
    let rows: Vec<Row> = views.into_iter().map(|view| row(view, usage.is_ok(), &counted, days, today)).collect();
    let campaigns = store.campaigns().await;
    let fault = usage.as_ref().err().or(campaigns.as_ref().err()).map(ToString::to_string);
    let tables = [ranges(visit, &rows), campaign_table(visit.l, &campaigns.unwrap_or_default())];
    visit.answer(Screen::Ranges, &tables, || {
        let [ranges, campaigns] = &tables;
        let page = Page {
            v: visit,
            l: visit.l,
            found,
            ranges: ranges.html(&visit.zone, Some("/ranges"))?,
            campaigns: campaigns.html(&visit.zone, Some("/ranges"))?,
            fault,
            days,
        };
        Ok(Content { title: Screen::Ranges.name(visit.l).to_owned(), html: page.render()?, events: None })
    })
}

/// Whole days before today that something was counted on, or after such a one; `None`: none.
fn known_days(counted: &[ReportRow], today: Day) -> Option<u32> {
    let first = counted.iter().map(|row| row.day).min()?;
    u32::try_from(today.0 - first.0).ok().filter(|days| *days > 0)
}

fn row(view: RangeView, usage_known: bool, counted: &[ReportRow], days: Option<u32>, today: Day) -> Row {
    let name = RangeName(view.name.clone());
    let queued = |row: &&ReportRow| row.range == name && is_teaser(row);
    let teasers = counted.iter().filter(queued).map(|row| row.count).sum();
    let lately = days.map(|days| Lately { teasers, days });
    let used = usage_known.then_some(view.used);
    let projection = match used {
        Some(used) => Projection::of(used, view.quota, lately, today),
        None => Projection::Unknown,
    };
    Row { view, used, lately, projection }
}

/// Whether a row counts teasers. Each counts at most one person more.
fn is_teaser(row: &ReportRow) -> bool {
    (row.event.as_ref(), row.verdict.as_ref(), row.why.as_ref()) == ("alert", "teaser", "queued")
}

fn state(view: &RangeView, now: Timestamp, l: PageLanguage) -> Cell {
    if view.in_force {
        return Cell::State("in_force", l.pick("in force", "生效").to_owned(), Tone::Good);
    }
    if view.from.is_some_and(|from| now < from) {
        return Cell::State("not_yet", l.pick("not yet", "未开始").to_owned(), Tone::Plain);
    }
    Cell::State("ended", l.pick("ended", "已结束").to_owned(), Tone::Plain)
}

fn ranges(visit: &Visit, rows: &[Row]) -> Table {
    let l = visit.l;
    let cells = |Row { view, used, lately, projection }: &Row| {
        #[expect(clippy::cast_precision_loss, reason = "a share has four digits")]
        let share = |used: u64| if view.quota == 0 { 1.0 } else { used as f64 / view.quota as f64 };
        let (word, said, tone) = projection.said(l);
        let cells = vec![
            Cell::Code(view.name.clone()),
            state(view, visit.now, l),
            used.map_or(Cell::Empty, Cell::Count),
            Cell::Count(view.quota),
            used.map_or(Cell::Empty, |used| Cell::Used(share(used))),
            lately.map_or(Cell::Empty, |lately| Cell::Figure(lately.per_day(), 1)),
            match projection.day() {
                Some(day) => Cell::Text(day.to_string()),
                None => Cell::Empty,
            },
            Cell::State(word, said, tone),
            Cell::Text(numbers(view)),
            view.from.map_or(Cell::Empty, Cell::Time),
            view.until.map_or(Cell::Empty, Cell::Time),
            Cell::Text(terms(view, l)),
        ];
        (view.name.clone(), cells)
    };
    Table {
        name: "range-table",
        caption: l.pick("The ranges and their quotas", "号段与配额"),
        none: l
            .pick("no range is set (ranges): nobody but subscribers is told", "未设置号段（ranges）：仅通知注册用户"),
        columns: vec![
            Column::words("range", l.pick("Range", "号段")),
            Column::words("state", l.pick("Now", "状态")),
            Column::figures("used", l.pick("Used", "已用")),
            Column::figures("quota", l.pick("Quota", "配额")),
            Column::figures("share", l.pick("Share", "占比")),
            Column::figures("teasers_a_day", l.pick("Teasers a day", "日均推广短信")),
            Column::words("exhausted_not_before", l.pick("Used up not before", "最早用尽日")),
            Column::words("projection", l.pick("Projection", "预测")),
            Column::words("numbers", l.pick("Numbers", "号码")),
            Column::words("from", l.pick("From", "起")),
            Column::words("until", l.pick("Until", "止")),
            Column::words("terms", l.pick("Terms", "条件")),
        ],
        rows: rows.iter().map(cells).collect(),
    }
}

/// The numbers of a range: from one to another, or all that begin with a prefix, which has a span for each length.
fn numbers(view: &RangeView) -> String {
    if let [span] = view.spans.as_slice() {
        return format!("{} – {}", span.first, span.last);
    }
    let common = |span: &SpanView| span.first.bytes().zip(span.last.bytes()).take_while(|(a, b)| a == b).count();
    let prefix = view.spans.iter().min_by_key(|span| span.first.len());
    let prefix = prefix.and_then(|span| span.first.get(..common(span))).unwrap_or_default();
    let all_of = |span: &SpanView| {
        let rest =
            |number: &str, digit| number.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b == digit));
        rest(&span.first, b'0') && rest(&span.last, b'9')
    };
    if view.spans.iter().all(all_of) {
        return format!("{prefix}*");
    }
    let spans: Vec<String> = view.spans.iter().map(|span| format!("{} – {}", span.first, span.last)).collect();
    spans.join("; ")
}

/// What a range says of its people, in a line.
fn terms(view: &RangeView, l: PageLanguage) -> String {
    let terms = &view.terms;
    let mut said = vec![format!("{} {}", l.pick("consent", "同意"), terms.consent)];
    let campaigns = Some(terms.campaigns.join("+")).filter(|campaigns| !campaigns.is_empty());
    for (word, value) in [
        (l.pick("quiet", "免打扰"), terms.quiet.clone()),
        (l.pick("time zone", "时区"), terms.time_zone.clone()),
        (l.pick("language", "语言"), terms.language.clone()),
        (l.pick("clock", "时制"), terms.clock.map(str::to_owned)),
        (l.pick("campaigns", "推广活动"), campaigns),
    ] {
        said.extend(value.map(|value| format!("{word} {value}")));
    }
    said.join(l.pick(", ", "，"))
}

fn campaign_table(l: PageLanguage, campaigns: &[CampaignCount]) -> Table {
    #[expect(clippy::cast_precision_loss, reason = "a share has four digits")]
    let share = |of: u64, all: u64| if all == 0 { Cell::Empty } else { Cell::Share(of as f64 / all as f64) };
    let row = |CampaignCount { campaign, range, teased, fetched, subscribed }: &CampaignCount| {
        let cells = vec![
            Cell::Code(campaign.to_string()),
            Cell::Code(range.to_string()),
            Cell::Count(*teased),
            Cell::Count(*fetched),
            share(*fetched, *teased),
            Cell::Count(*subscribed),
            share(*subscribed, *teased),
        ];
        (format!("{campaign}-{range}"), cells)
    };
    Table {
        name: "campaigns",
        caption: l.pick("The campaigns", "推广活动"),
        none: l.pick("no teaser with a campaign was sent", "尚未发送带推广活动的短信"),
        columns: vec![
            Column::words("campaign", l.pick("Campaign", "推广活动")),
            Column::words("range", l.pick("Range", "号段")),
            Column::figures("teased", l.pick("Teasers taken by an SMSC", "短信中心已接收")),
            Column::figures("fetched", l.pick("Lists fetched", "查询")),
            Column::figures("fetch_rate", l.pick("of those teased", "占比")),
            Column::figures("subscribed", l.pick("Subscribed", "开通")),
            Column::figures("subscribe_rate", l.pick("of those teased", "占比")),
        ],
        rows: campaigns.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_of_a_prefix_are_shown_as_the_prefix() {
        let shown = |text| {
            let ranges = routing::Ranges::parse(text).unwrap();
            numbers(&range_views(&ranges, &[], Timestamp::from_millis(0))[0])
        };
        assert_eq!(shown("south=86138*:1"), "+86138*");
        assert_eq!(shown("one=8613900000000-8613900999999:1"), "+8613900000000 – +8613900999999");
    }

    #[test]
    fn growth_is_seen_from_whole_days_since_something_was_counted() {
        let row = |day: i32| ReportRow {
            day: Day(day),
            range: RangeName(String::new()),
            event: "call".into(),
            verdict: "nothing".into(),
            why: "outside_ranges".into(),
            count: 1,
        };
        assert_eq!(known_days(&[], Day(20_000)), None);
        assert_eq!(known_days(&[row(19_990), row(19_999)], Day(20_000)), Some(10));
        assert_eq!(known_days(&[row(19_999)], Day(20_000)), Some(1));
    }
}
