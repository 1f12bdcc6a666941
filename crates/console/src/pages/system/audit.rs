//! The audit log: who did what and why, and what happened to the gateway; the newest first, page by page.

use super::super::Console;
use super::super::table::{Cell, Column, Table};
use super::super::visit::Visit;
use crate::PageLanguage;
use crate::api::audit::{EntryView, filter};
use crate::audit::{Action, Cursor};

/// Entries of a page.
const LIMIT: usize = 50;

/// What was read of the log.
pub(super) struct Log {
    entries: Vec<EntryView>,
    next: Option<String>,
    skipped: u64,
    fault: Option<String>,
}

/// What the page shows of it.
pub(super) struct Shown {
    pub(super) table: String,
    pub(super) who: String,
    pub(super) actions: Vec<(&'static str, &'static str, bool)>,
    /// The address of the next page, which is older.
    pub(super) older: Option<String>,
    /// The address of the first page, where this is another.
    pub(super) newest: Option<String>,
    pub(super) skipped: u64,
    pub(super) fault: Option<String>,
}

pub(super) async fn read(console: &Console, visit: &Visit) -> Log {
    let nothing = |fault: String| Log { entries: Vec::new(), next: None, skipped: 0, fault: Some(fault) };
    let before = match visit.asked("before").map(str::parse::<Cursor>).transpose() {
        Ok(before) => before,
        Err(error) => return nothing(error.to_string()),
    };
    let who = visit.asked("who").map(str::to_owned);
    let wanted = filter(&visit.viewer, who, visit.asked("action").and_then(Action::parse));
    match console.operators.audit.newest(before, LIMIT, wanted).await {
        Ok(page) => Log {
            entries: page.entries.into_iter().map(|entry| EntryView::of(entry, &visit.viewer, visit.now)).collect(),
            next: page.next.map(|next| next.to_string()),
            skipped: page.skipped,
            fault: None,
        },
        Err(error) => nothing(error.to_string()),
    }
}

impl Log {
    pub(super) fn table(&self, l: PageLanguage) -> Table {
        let row = |(place, entry): (usize, &EntryView)| {
            let EntryView { at, who, action, subject, reason, until, detail } = entry;
            let said = Action::parse(action).map_or(*action, |action| word(action, l));
            let cells = vec![
                Cell::Time(*at),
                Cell::Text(who.clone()),
                Cell::State(action, said.to_owned(), super::super::table::Tone::Plain),
                Cell::maybe(subject.clone()),
                Cell::maybe(reason.clone()),
                until.map_or(Cell::Empty, Cell::Time),
                Cell::maybe(detail.clone()),
            ];
            (format!("{}-{place}", at.as_millis()), cells)
        };
        Table {
            name: "audit",
            caption: l.pick("The audit log", "审计日志"),
            none: l.pick("no such entry", "没有匹配的记录"),
            columns: vec![
                Column::words("at", l.pick("When", "时间")),
                Column::words("who", l.pick("Who", "操作者")),
                Column::words("action", l.pick("What", "操作")),
                Column::words("subject", l.pick("Whom or what", "对象")),
                Column::words("reason", l.pick("Why", "原因")),
                Column::words("until", l.pick("Until", "截止")),
                Column::words("detail", l.pick("More", "详情")),
            ],
            rows: self.entries.iter().enumerate().map(row).collect(),
        }
    }

    pub(super) fn shown(self, visit: &Visit, table: String) -> Shown {
        let Self { entries: _, next, skipped, fault } = self;
        let asked = visit.asked("action").and_then(Action::parse);
        let choice = |action: Action| (action.as_str(), word(action, visit.l), asked == Some(action));
        Shown {
            table,
            who: visit.asked("who").unwrap_or("").to_owned(),
            actions: Action::ALL.into_iter().map(choice).collect(),
            older: next.map(|next| format!("{}#audit-log", visit.with(&[("before", &next)]))),
            newest: visit.asked("before").map(|_| format!("{}#audit-log", visit.with(&[("before", "")]))),
            skipped,
            fault,
        }
    }
}

/// What was done or happened, in a few words.
const fn word(action: Action, l: PageLanguage) -> &'static str {
    match action {
        Action::SignedIn => l.pick("signed in", "登录"),
        Action::SignInFailed => l.pick("sign-in failed", "登录失败"),
        Action::SignedOut => l.pick("signed out", "退出"),
        Action::NumbersShown => l.pick("numbers shown", "显示号码"),
        Action::Registered => l.pick("registered", "开通业务"),
        Action::RegistrationChanged => l.pick("registration changed", "更改开通信息"),
        Action::Unregistered => l.pick("unregistered", "退订"),
        Action::Paused => l.pick("paused", "暂停提醒"),
        Action::Resumed => l.pick("resumed", "恢复提醒"),
        Action::SentAgain => l.pick("sent again", "重新发送"),
        Action::Listed => l.pick("put on a list", "加入名单"),
        Action::Unlisted => l.pick("taken off a list", "移出名单"),
        Action::PersonExported => l.pick("person exported", "导出个人数据"),
        Action::Erased => l.pick("person forgotten", "删除个人数据"),
        Action::DatabaseForced => l.pick("database forced abnormal", "数据库设为异常"),
        Action::DatabaseLifted => l.pick("database no longer forced", "结束数据库人工设定"),
        Action::LinkOrdered => l.pick("link ordered", "链路操作"),
        Action::LogLevel => l.pick("log filter", "日志级别"),
        Action::Reloaded => l.pick("settings reloaded", "重新加载设置"),
        Action::AccessChanged => l.pick("users or tokens changed", "账号或令牌变更"),
        Action::Started => l.pick("gateway started", "网关启动"),
        Action::Stopped => l.pick("gateway stopped", "网关停止"),
        Action::DatabaseChanged => l.pick("database's state changed", "数据库状态变化"),
        Action::LinkClosed => l.pick("link closed", "链路断开"),
    }
}
