//! Whether the program lives and whether it should get work: `/livez`, `/readyz`, and what `/readyz` looks at.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use routing::Condition as DatabaseState;

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
    pub detail: String,
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
        let detail = if self.draining { "draining: no new work is taken" } else { "running" };
        Check { name: "running", ok: !self.draining, degraded: false, detail: detail.to_owned() }
    }

    fn journal(&self) -> Check {
        let ok = self.journal_fault.is_none();
        let detail = self.journal_fault.clone().unwrap_or_else(|| "stores".to_owned());
        Check { name: "journal", ok, degraded: false, detail }
    }

    fn smsc(&self) -> Check {
        let (links, bound) = (self.links, self.bound);
        let (ok, degraded, detail) = match (links, bound, self.ever_bound) {
            (0, _, _) => (false, false, "no SMSC is configured".to_owned()),
            (_, 0, false) => (false, false, format!("none of {links} links was ever bound")),
            (_, 0, true) => (true, true, format!("none of {links} links is bound now: alerts wait")),
            (_, _, _) => (true, bound < links, format!("{bound} of {links} links are bound")),
        };
        let detail = if self.away > 0 { format!("{detail}, {} away by order", self.away) } else { detail };
        Check { name: "smsc", ok, degraded, detail }
    }

    fn database(&self) -> Check {
        let (degraded, detail) = match self.database {
            DatabaseState::Normal => (false, "normal"),
            DatabaseState::Suspect => (true, "suspect: a statement failed or was slow"),
            DatabaseState::Abnormal => (true, "abnormal: subscribers get fallback alerts, offers wait"),
            DatabaseState::Recovering => (true, "recovering: the journal is being replayed"),
        };
        Check { name: "database", ok: true, degraded, detail: detail.to_owned() }
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
        text.push_str(&format!("{}: {}\n", check.name, check.detail));
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
        assert_eq!(ordered.smsc().detail, "1 of 2 links are bound, 1 away by order");
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
}
