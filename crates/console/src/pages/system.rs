//! The system: what is running, how it is set, what is in force for a while, and who changed what.

mod audit;
mod diagnostics;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::Console;
use super::shell::Screen;
use super::table::shown_time;
use super::visit::{Content, Fault, Reasoned, Visit};
use crate::api;
use crate::system::{LogWish, ReloadView, SystemView};
use crate::{PageLanguage, Permission, access};

/// The longest that another filter logs: a forgotten one ends within a day.
const LONGEST_MINUTES: u64 = 24 * 60;

/// The longest filter, in octets.
const FILTER_LONGEST: usize = 1_000;

pub(super) fn routes() -> Router<Arc<Console>> {
    let orders = Router::new()
        .route("/system/reload", post(reload))
        .route("/system/log", post(log))
        .route("/system/log/end", post(end_log));
    Router::new()
        .route("/system", get(page))
        .route("/system/diagnostics.json", get(diagnostics::get))
        .merge(access::guarded(Permission::Operate, orders))
}

#[derive(Template)]
#[template(path = "pages/system.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    system: &'a SystemView,
    started: String,
    /// What was just done.
    done: Option<&'static str>,
    reloaded: Option<(&'a ReloadView, String)>,
    log_until: Option<String>,
    in_force: String,
    checks: String,
    settings: String,
    find: &'a str,
    audit: audit::Shown,
    access: Option<(String, String)>,
    operates: bool,
    administers: bool,
}

async fn page(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Fault> {
    let l = visit.l;
    let system = (console.operators.system)();
    let status = (console.operators.status)();
    let log = audit::read(&console, &visit).await;
    let find = visit.asked("find").unwrap_or("");
    let mut all = vec![
        tables::settings(l, &system, find),
        tables::in_force(l, &system, &status),
        tables::checks(l, &(console.operators.ready)()),
        log.table(l),
    ];
    let administers = visit.may(Permission::Administer);
    if administers {
        let (users, tokens) = console.operators.access.known();
        all.extend([tables::users(l, &users), tables::tokens(l, &tokens)]);
    }
    visit.answer(Screen::System, &all, || {
        let html = |name: &str| match all.iter().find(|table| table.name == name) {
            Some(table) => visit.table_html(table),
            None => Ok(String::new()),
        };
        let access = if administers { Some((html("users")?, html("tokens")?)) } else { None };
        let reloaded = system.reloaded.as_ref().map(|view| (view, shown_time(view.at, &visit.zone)));
        let page = Page {
            v: &visit,
            l,
            system: &system,
            started: shown_time(system.started, &visit.zone),
            done: visit.asked("done").and_then(|word| done(word, l)),
            reloaded,
            log_until: system.log.until.map(|until| shown_time(until, &visit.zone)),
            in_force: html("in-force")?,
            checks: html("checks")?,
            settings: html("settings")?,
            find,
            audit: log.shown(&visit, html("audit")?),
            access,
            operates: visit.may(Permission::Operate),
            administers,
        };
        Ok(Content { title: Screen::System.name(l).to_owned(), html: page.render()?, events: None })
    })
}

/// What is said after something was done.
fn done(word: &str, l: PageLanguage) -> Option<&'static str> {
    match word {
        "reload" => {
            Some(l.pick("The settings were read anew; what came of it stands below.", "已重新读取设置，结果见下。"))
        }
        "log" => Some(l.pick("The other log filter is in force.", "新的日志过滤已生效。")),
        "log-end" => Some(l.pick("The log is as the settings say again.", "日志已恢复为设置的级别。")),
        _ => None,
    }
}

/// Reads the settings anew.
async fn reload(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(asked): Form<Reasoned>,
) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    api::system::read_anew(console.operators.clone(), &visit.viewer, Some(reason)).await?;
    Ok(Redirect::to("/system?done=reload").into_response())
}

#[derive(Deserialize)]
struct Logged {
    filter: String,
    minutes: u64,
    reason: String,
}

async fn log(State(console): State<Arc<Console>>, visit: Visit, Form(asked): Form<Logged>) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    let l = visit.l;
    if !(1..=LONGEST_MINUTES).contains(&asked.minutes) {
        return Err(Fault::Form(l.pick("1 minute to 24 hours", "1 分钟至 24 小时")));
    }
    let filter = asked.filter.trim().to_owned();
    if filter.is_empty() || filter.len() > FILTER_LONGEST {
        return Err(Fault::Form(
            l.pick("a level, or target=level separated by commas", "填写级别，或以逗号分隔的 target=级别"),
        ));
    }
    let until = visit.now + Duration::from_secs(asked.minutes * 60);
    let wish = LogWish { filter, until };
    api::system::log_by(console.operators.clone(), &visit.viewer, Some(wish), Some(reason)).await?;
    Ok(Redirect::to("/system?done=log").into_response())
}

async fn end_log(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Form(asked): Form<Reasoned>,
) -> Result<Response, Fault> {
    visit.needs(Permission::Operate)?;
    let reason = visit.reason(&asked.reason)?;
    api::system::log_by(console.operators.clone(), &visit.viewer, None, Some(reason)).await?;
    Ok(Redirect::to("/system?done=log-end").into_response())
}

/// Whether a row of a table says what is looked for, in any of its cells.
fn says(text: &str, find: &str) -> bool {
    find.is_empty() || text.to_lowercase().contains(&find.to_lowercase())
}
