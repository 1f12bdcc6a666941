//! The tables of the system's page: settings, what is in force for a while, what readiness depends on, users and tokens.

use super::super::table::{Cell, Column, Table, Tone};
use super::says;
use crate::PageLanguage;
use crate::access::{KnownToken, KnownUser};
use crate::api::Status;
use crate::health::Check;
use crate::system::{SettingView, SystemView};

/// Every setting in force, as far as it says what is looked for; secrets came hidden.
pub(super) fn settings(l: PageLanguage, system: &SystemView, find: &str) -> Table {
    let found = |setting: &&SettingView| {
        let SettingView { key, value, source } = setting;
        says(key, find) || says(value, find) || says(source, find)
    };
    let row = |SettingView { key, value, source }: &SettingView| {
        let value = if value.is_empty() { Cell::Empty } else { Cell::Code(value.clone()) };
        (key.clone(), vec![Cell::Code(key.clone()), value, Cell::Text(source.clone())])
    };
    Table {
        name: "settings",
        caption: l.pick("The settings in force", "生效的设置"),
        none: l.pick("no setting says that", "没有匹配的设置"),
        columns: vec![
            Column::words("setting", l.pick("Setting", "设置项")),
            Column::words("value", l.pick("Value", "值")),
            Column::words("source", l.pick("From", "来源")),
        ],
        rows: system.settings.iter().filter(found).map(row).collect(),
    }
}

/// What operators put in force for a while, and where each is ended.
pub(super) fn in_force(l: PageLanguage, system: &SystemView, status: &Status) -> Table {
    let mut rows = Vec::new();
    let database = &status.database;
    if database.forced {
        let cells = vec![
            Cell::State("database", l.pick("database forced abnormal", "数据库人工设为异常").to_owned(), Tone::Bad),
            database.until.map_or(Cell::Empty, Cell::Time),
            Cell::maybe(database.reason.clone()),
            Cell::Link(l.pick("end it on the database's page", "在数据库页面结束").to_owned(), "/database".to_owned()),
        ];
        rows.push(("database".to_owned(), cells));
    }
    for link in &status.links {
        let Some(ordered) = &link.ordered else { continue };
        let said = format!("{} {}", link.name, l.pick("ordered away", "已按指令断开"));
        let cells = vec![
            Cell::State("link", said, Tone::Warning),
            Cell::Time(ordered.until),
            Cell::Text(ordered.what.to_owned()),
            Cell::Link(l.pick("bind anew on the links' page", "在链路页面重新绑定").to_owned(), "/links".to_owned()),
        ];
        rows.push((format!("link-{}", link.name.replace('/', "-")), cells));
    }
    if let Some(until) = system.log.until {
        let cells = vec![
            Cell::State("log", l.pick("logged otherwise", "日志级别已更改").to_owned(), Tone::Warning),
            Cell::Time(until),
            Cell::Code(system.log.filter.clone()),
            Cell::Link(l.pick("end it below", "在下方结束").to_owned(), "#log".to_owned()),
        ];
        rows.push(("log".to_owned(), cells));
    }
    Table {
        name: "in-force",
        caption: l.pick("What is in force for a while", "临时生效的操作"),
        none: l.pick("nothing: all is as the settings say", "无：一切按设置运行"),
        columns: vec![
            Column::words("what", l.pick("What", "项目")),
            Column::words("until", l.pick("Until", "截止")),
            Column::words("how", l.pick("How, or why", "方式或原因")),
            Column::words("end", l.pick("How to end it", "如何结束")),
        ],
        rows,
    }
}

/// What readiness depends on, as found now.
pub(super) fn checks(l: PageLanguage, checks: &[Check]) -> Table {
    let row = |Check { name, ok, degraded, found }: &Check| {
        let (word, said, tone) = match (ok, degraded) {
            (false, _) => ("failing", l.pick("failing", "故障"), Tone::Bad),
            (true, true) => ("degraded", l.pick("degraded", "降级"), Tone::Warning),
            (true, false) => ("ok", l.pick("ok", "正常"), Tone::Good),
        };
        let cells =
            vec![Cell::Code((*name).to_owned()), Cell::State(word, said.to_owned(), tone), Cell::Text(found.words(l))];
        ((*name).replace(|letter: char| !letter.is_ascii_alphanumeric(), "-"), cells)
    };
    Table {
        name: "checks",
        caption: l.pick("What readiness depends on", "就绪检查"),
        none: "–",
        columns: vec![
            Column::words("check", l.pick("Check", "检查项")),
            Column::words("state", l.pick("State", "状态")),
            Column::words("detail", l.pick("Found", "结果")),
        ],
        rows: checks.iter().map(row).collect(),
    }
}

/// Who may sign in.
pub(super) fn users(l: PageLanguage, users: &[KnownUser]) -> Table {
    let row = |KnownUser { name, role }: &KnownUser| {
        (name.clone(), vec![Cell::Code(name.clone()), Cell::Text(role.as_str().to_owned())])
    };
    Table {
        name: "users",
        caption: l.pick("Users", "用户账号"),
        none: l.pick("nobody: whoever is on this machine may do everything", "无：本机上的任何人拥有全部权限"),
        columns: vec![Column::words("user", l.pick("User", "用户名")), Column::words("role", l.pick("Role", "角色"))],
        rows: users.iter().map(row).collect(),
    }
}

/// Which programs may ask.
pub(super) fn tokens(l: PageLanguage, tokens: &[KnownToken]) -> Table {
    let row = |KnownToken { name, scope, since }: &KnownToken| {
        let cells = vec![Cell::Code(name.clone()), Cell::Text(scope.as_str().to_owned()), Cell::Time(*since)];
        (name.clone(), cells)
    };
    Table {
        name: "tokens",
        caption: l.pick("Tokens", "令牌"),
        none: l.pick("none", "无"),
        columns: vec![
            Column::words("token", l.pick("Token", "令牌")),
            Column::words("scope", l.pick("For", "用途")),
            Column::words("since", l.pick("Since", "创建于")),
        ],
        rows: tokens.iter().map(row).collect(),
    }
}
