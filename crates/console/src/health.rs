//! Whether the program lives and whether it should get work: `/livez`, `/readyz`, and what `/readyz` looks at.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};

use routing::Condition as DatabaseState;

use crate::PageLanguage;
use crate::api::Operators;

/// One thing that readiness depends on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// Work can be taken as far as this goes.
    pub ok: bool,
    /// It works, but not as it should.
    pub degraded: bool,
    /// What was found, in a few words.
    #[serde(rename = "detail", serialize_with = "in_english")]
    pub found: Found,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// The gateway runs, or is stopping.
    Running {
        /// It is stopping.
        draining: bool,
    },
    /// The journal stores, or what the machine says why it can't.
    Journal(Option<String>),
    /// How many links there are, and how many are bound.
    Links {
        /// Links that are configured.
        links: usize,
        /// Links that are bound.
        bound: usize,
        /// Links that an operator ordered away.
        away: usize,
        /// One was bound at least once.
        ever_bound: bool,
    },
    /// The database's state.
    Database(DatabaseState),
    /// Whether the audit log can be written.
    Audit {
        /// It can.
        writes: bool,
    },
    /// The state of one link or door, in terms of its protocol.
    Terms(String),
}

impl Found {
    /// In the words of a language; what others said stays in theirs.
    #[must_use]
    pub fn words(&self, l: PageLanguage) -> String {
        match self {
            Self::Running { draining: false } => l.pick("running", "运行中").to_owned(),
            Self::Running { draining: true } => {
                l.pick("draining: no new work is taken", "正在停止：不再接收新业务").to_owned()
            }
            Self::Journal(None) => l.pick("stores", "可写入").to_owned(),
            Self::Journal(Some(fault)) => format!("{}{fault}", l.pick("", "无法写入日志：")),
            Self::Links { links, bound, away, ever_bound } => links_in_words(l, *links, *bound, *away, *ever_bound),
            Self::Database(DatabaseState::Normal) => l.pick("normal", "正常").to_owned(),
            Self::Database(DatabaseState::Suspect) => {
                l.pick("suspect: a statement failed or was slow", "可疑：有语句失败或过慢").to_owned()
            }
            Self::Database(DatabaseState::Abnormal) => l
                .pick("abnormal: subscribers get fallback alerts, offers wait", "异常：用户收到降级通知，推广短信等待")
                .to_owned(),
            Self::Database(DatabaseState::Recovering) => {
                l.pick("recovering: the journal is being replayed", "恢复中：正在回放日志").to_owned()
            }
            Self::Audit { writes: true } => l.pick("is written", "可写入").to_owned(),
            Self::Audit { writes: false } => {
                l.pick("can't be written: actions are refused", "无法写入：操作被拒绝").to_owned()
            }
            Self::Terms(text) => text.clone(),
        }
    }
}

fn links_in_words(l: PageLanguage, links: usize, bound: usize, away: usize, ever_bound: bool) -> String {
    let text = match (l, links, bound, ever_bound) {
        (PageLanguage::En, 0, ..) => "no SMSC is configured".to_owned(),
        (PageLanguage::Zh, 0, ..) => "未配置短信中心".to_owned(),
        (PageLanguage::En, _, 0, false) => format!("none of {links} links was ever bound"),
        (PageLanguage::Zh, _, 0, false) => format!("{links} 条链路均未绑定过"),
        (PageLanguage::En, _, 0, true) => format!("none of {links} links is bound now: alerts wait"),
        (PageLanguage::Zh, _, 0, true) => format!("{links} 条链路目前均未绑定：短信等待发送"),
        (PageLanguage::En, ..) => format!("{bound} of {links} links are bound"),
        (PageLanguage::Zh, ..) => format!("{links} 条链路中 {bound} 条已绑定"),
    };
    match (l, away) {
        (_, 0) => text,
        (PageLanguage::En, _) => format!("{text}, {away} away by order"),
        (PageLanguage::Zh, _) => format!("{text}，{away} 条按指令离线"),
    }
}

fn in_english<S: Serializer>(found: &Found, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&found.words(PageLanguage::En))
}

/// What the binary knows about its readiness.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// The program is stopping.
    pub draining: bool,
    /// Why the journal can't store, when it can't.
    pub journal_fault: Option<String>,
    /// Links that are configured.
    pub links: usize,
    /// Links that are bound now.
    pub bound: usize,
    /// Links that an operator ordered away.
    pub away: usize,
    /// A link was bound at least once since the start.
    pub ever_bound: bool,
    /// The database as the gateway sees it.
    pub database: DatabaseState,
}

impl Condition {
    /// The checks, worst news of each.
    ///
    /// An abnormal database only degrades: calls are taken and subscribers told all the same. Links that were bound once and are down now only
    /// degrade too: calls are kept and told when a link is back, and another node could do no better with the same SMSC.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        vec![self.running(), self.journal(), self.smsc(), self.database()]
    }

    fn running(&self) -> Check {
        let found = Found::Running { draining: self.draining };
        Check { name: "running", ok: !self.draining, degraded: false, found }
    }

    fn journal(&self) -> Check {
        let ok = self.journal_fault.is_none();
        Check { name: "journal", ok, degraded: false, found: Found::Journal(self.journal_fault.clone()) }
    }

    fn smsc(&self) -> Check {
        let Self { links, bound, away, ever_bound, .. } = *self;
        let ok = links > 0 && (bound > 0 || ever_bound);
        let found = Found::Links { links, bound, away, ever_bound };
        Check { name: "smsc", ok, degraded: ok && bound < links, found }
    }

    fn database(&self) -> Check {
        let degraded = self.database != DatabaseState::Normal;
        Check { name: "database", ok: true, degraded, found: Found::Database(self.database) }
    }
}

/// `GET /livez`: 200 as long as requests are answered at all.
pub(crate) async fn livez() -> &'static str {
    "live\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    degraded: bool,
    checks: Vec<Check>,
}

/// `GET /readyz`: 200 or 503, with one line per check that has something to say; with `?verbose`, every check as JSON.
pub(crate) async fn readyz(State(operators): State<Operators>, RawQuery(query): RawQuery) -> Response {
    let checks = (operators.ready)();
    let ready = checks.iter().all(|check| check.ok);
    let degraded = checks.iter().any(|check| check.degraded);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose =
        query.is_some_and(|query| query.split('&').any(|word| word == "verbose" || word.starts_with("verbose=")));
    if verbose {
        return (status, Json(Readiness { ready, degraded, checks })).into_response();
    }
    let mut text = match (ready, degraded) {
        (true, false) => "ready\n".to_owned(),
        (true, true) => "ready, degraded\n".to_owned(),
        (false, _) => "not ready\n".to_owned(),
    };
    for check in checks.iter().filter(|check| !check.ok || check.degraded) {
        text.push_str(&format!("{}: {}\n", check.name, check.found.words(PageLanguage::En)));
    }
    (status, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Condition {
        Condition {
            draining: false,
            journal_fault: None,
            links: 2,
            bound: 2,
            away: 0,
            ever_bound: true,
            database: DatabaseState::Normal,
        }
    }

    /// Ready, degraded, and the names of the checks that are either not ok or degraded.
    fn summary(condition: &Condition) -> (bool, bool, Vec<&'static str>) {
        let checks = condition.checks();
        let noted = checks.iter().filter(|check| !check.ok || check.degraded).map(|check| check.name).collect();
        (checks.iter().all(|check| check.ok), checks.iter().any(|check| check.degraded), noted)
    }

    #[test]
    fn only_what_stops_work_makes_unready() {
        assert_eq!(summary(&fine()), (true, false, vec![]));
        for database in [DatabaseState::Suspect, DatabaseState::Abnormal, DatabaseState::Recovering] {
            assert_eq!(summary(&Condition { database, ..fine() }), (true, true, vec!["database"]));
        }
        let ordered = Condition { bound: 1, away: 1, ..fine() };
        let found = ordered.smsc().found;
        assert_eq!(found.words(PageLanguage::En), "1 of 2 links are bound, 1 away by order");
        assert_eq!(found.words(PageLanguage::Zh), "2 条链路中 1 条已绑定，1 条按指令离线");
        assert_eq!(summary(&Condition { bound: 1, ..fine() }), (true, true, vec!["smsc"]));
        assert_eq!(summary(&Condition { bound: 0, ..fine() }), (true, true, vec!["smsc"]));
        assert_eq!(summary(&Condition { bound: 0, ever_bound: false, ..fine() }), (false, false, vec!["smsc"]));
        assert_eq!(
            summary(&Condition { links: 0, bound: 0, ever_bound: false, ..fine() }),
            (false, false, vec!["smsc"])
        );
        assert_eq!(summary(&Condition { draining: true, ..fine() }), (false, false, vec!["running"]));
        let full = Condition { journal_fault: Some("the disk is full".to_owned()), ..fine() };
        assert_eq!(summary(&full), (false, false, vec!["journal"]));
    }

    #[test]
    fn what_is_found_is_said_in_two_languages_and_programs_read_the_english_one() {
        let all = [
            fine(),
            Condition { draining: true, journal_fault: Some("EROFS".to_owned()), links: 0, ..fine() },
            Condition { bound: 0, database: DatabaseState::Suspect, ..fine() },
            Condition { bound: 0, ever_bound: false, database: DatabaseState::Abnormal, ..fine() },
            Condition { database: DatabaseState::Recovering, ..fine() },
        ];
        for check in all.iter().flat_map(Condition::checks) {
            let (en, zh) = (check.found.words(PageLanguage::En), check.found.words(PageLanguage::Zh));
            assert!(en.is_ascii() && !zh.is_ascii(), "{en}: {zh}");
            assert_eq!(serde_json::to_value(&check).unwrap()["detail"], en);
        }
    }
}
