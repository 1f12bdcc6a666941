//! What surrounds every page: the screens, who is signed in, the language, the colours, and the banner that says how the gateway is.

use askama::Template;
use routing::Condition;

use super::table::{Tone, shown_time};
use super::visit::{Content, Theme, Visit};
use crate::{PageLanguage, Permission};

/// The screens, in the order of the navigation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Screen {
    /// Is it working, and where is it stuck?
    Flow,
    /// Calls as they happen.
    Tail,
    /// One person; one call.
    People,
    /// When was the database away, and what did it cost?
    Database,
    /// Is each link up, and who closed it?
    Links,
    /// Which numbers are served, at what limit?
    Ranges,
    /// What do people read?
    Texts,
    /// How many this month?
    Reports,
    /// What is running, how is it set, and who changed what?
    System,
}

impl Screen {
    /// Every one.
    pub(crate) const ALL: [Self; 9] = [
        Self::Flow,
        Self::Tail,
        Self::People,
        Self::Database,
        Self::Links,
        Self::Ranges,
        Self::Texts,
        Self::Reports,
        Self::System,
    ];

    /// Its address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Flow => "/flow",
            Self::Tail => "/tail",
            Self::People => "/people",
            Self::Database => "/database",
            Self::Links => "/links",
            Self::Ranges => "/ranges",
            Self::Texts => "/texts",
            Self::Reports => "/reports",
            Self::System => "/system",
        }
    }

    /// Its name.
    pub(crate) const fn name(self, l: PageLanguage) -> &'static str {
        match self {
            Self::Flow => l.pick("Flow", "流程"),
            Self::Tail => l.pick("Live tail", "实时"),
            Self::People => l.pick("Subscribers", "用户"),
            Self::Database => l.pick("Database", "数据库"),
            Self::Links => l.pick("SMSC links", "短信中心链路"),
            Self::Ranges => l.pick("Ranges and quotas", "号段与配额"),
            Self::Texts => l.pick("Texts", "短信文本"),
            Self::Reports => l.pick("Reports", "报表"),
            Self::System => l.pick("System", "系统"),
        }
    }
}

/// One thing that the banner says.
struct Note {
    /// Stays the same while it is about the same thing.
    id: String,
    tone: Tone,
    text: String,
    href: &'static str,
}

#[derive(Template)]
#[template(path = "pages/page.html")]
struct Page<'a> {
    v: &'a Visit,
    l: PageLanguage,
    screen: Screen,
    content: &'a Content,
    banner: String,
    node: String,
}

impl Page<'_> {
    fn languages(&self) -> [(PageLanguage, &'static str); 2] {
        [(PageLanguage::Zh, "中文"), (PageLanguage::En, "English")]
    }

    fn themes(&self) -> [(Theme, &'static str); 3] {
        let l = self.l;
        [
            (Theme::System, l.pick("as the system", "跟随系统")),
            (Theme::Light, l.pick("light", "浅色")),
            (Theme::Dark, l.pick("dark", "深色")),
        ]
    }

    fn here(&self, key: &str, value: &str) -> String {
        self.v.with(&[(key, value)])
    }
}

#[derive(Template)]
#[template(path = "pages/banner.html")]
struct Banner {
    notes: Vec<Note>,
}

/// The whole page around its content.
///
/// # Errors
/// When a template fails, which would be a fault in it.
pub(super) fn page(v: &Visit, screen: Screen, content: &Content) -> Result<String, askama::Error> {
    let node = (v.console.operators.system)().node;
    Page { v, l: v.l, screen, content, banner: banner(v)?, node }.render()
}

/// How the gateway is, in a line; it stands above every page.
///
/// # Errors
/// When a template fails, which would be a fault in it.
pub(super) fn banner(v: &Visit) -> Result<String, askama::Error> {
    let l = v.l;
    let status = (v.console.operators.status)();
    let system = (v.console.operators.system)();
    let mut notes = Vec::new();
    let database = &status.database;
    if database.configured {
        let (tone, word) = condition(database.state, l);
        let mut text = format!("{} {word}", l.pick("Database", "数据库"));
        if let Some(until) = database.until {
            let clock = shown_time(until, &v.zone);
            text = format!("{text} · {} {clock}", l.pick("forced until", "人工设定至"));
        }
        notes.push(Note { id: "database".into(), tone, text, href: Screen::Database.path() });
    }
    let (links, bound) = (status.links.len(), status.links.iter().filter(|link| link.state == "bound").count());
    let tone = match (links, bound) {
        (_, 0) => Tone::Bad,
        _ if bound < links => Tone::Warning,
        _ => Tone::Good,
    };
    let text = match l {
        PageLanguage::En => format!("{bound} of {links} links bound"),
        PageLanguage::Zh => format!("{links} 条链路中 {bound} 条已绑定"),
    };
    notes.push(Note { id: "links".into(), tone, text, href: Screen::Links.path() });
    for check in
        (v.console.operators.ready)().iter().filter(|check| !check.ok && matches!(check.name, "journal" | "running"))
    {
        notes.push(Note {
            id: check.name.into(),
            tone: Tone::Bad,
            text: check.found.words(l),
            href: Screen::Flow.path(),
        });
    }
    if system.reloaded.is_some_and(|reload| !reload.faults.is_empty()) {
        let text = l.pick("Reload refused: the old settings are in force", "重新加载被拒绝：原设置仍在使用").to_owned();
        notes.push(Note { id: "reload".into(), tone: Tone::Warning, text, href: Screen::System.path() });
    }
    if let Some(until) = system.log.until {
        let text = format!("{} {}", l.pick("Log level changed until", "日志级别已更改至"), shown_time(until, &v.zone));
        notes.push(Note { id: "log".into(), tone: Tone::Plain, text, href: Screen::System.path() });
    }
    Banner { notes }.render()
}

/// The database's state in words, and how good it is.
pub(crate) const fn condition(state: Condition, l: PageLanguage) -> (Tone, &'static str) {
    match state {
        Condition::Normal => (Tone::Good, l.pick("normal", "正常")),
        Condition::Suspect => (Tone::Warning, l.pick("suspect", "可疑")),
        Condition::Abnormal => (Tone::Bad, l.pick("abnormal", "异常")),
        Condition::Recovering => (Tone::Warning, l.pick("recovering", "恢复中")),
    }
}

impl Visit {
    /// The time zone's IANA name, for scripts.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// Whether the viewer may; forms are shown only to who may use them.
    pub(crate) fn may(&self, asked: Permission) -> bool {
        self.viewer.may(asked)
    }
}
