//! The database: whether it can be reached, is safe, is ours, and agrees about the time.

use std::io;
use std::time::Duration;

use model::Clock;
use store::{Class, Examined, Pooler, PostgresSettings, Standby, examine};

use super::report::{Finding, Report};

/// The oldest version that is tested.
const OLDEST: u32 = 130_000;

/// Clocks that differ by more put times into lists of calls that people notice.
const APART: u64 = 1_000;

const OF: &str = "database";

pub(super) async fn look(database: Option<&PostgresSettings>, clock: Clock, report: &mut Report<'_>) -> io::Result<()> {
    let Some(settings) = database else {
        return report.tell(Finding::ok(OF, "", "none is set: the local store holds everything".to_owned()));
    };
    let found = match examine(settings, clock).await {
        Ok(found) => found,
        Err(fault) => {
            report.tell(Finding::fault(OF, "", fault.text.clone(), unreachable(fault.class)))?;
            for what in ["version", "tables", "rights", "safety", "time limits", "clock", "standbys", "pooler"] {
                report.tell(Finding::unchecked(OF, what, "there is no connection"))?;
            }
            return Ok(());
        }
    };
    let connected = format!(
        "connected to {} as {} in {} ms, {} of {} sessions in use",
        found.database,
        found.role,
        found.connected_in.as_millis(),
        found.sessions,
        found.most_sessions
    );
    report.tell(Finding::ok(OF, "", connected))?;
    for finding in [version(&found), tables(&found, settings.migrate), rights(&found), safety(&found)] {
        report.tell(finding)?;
    }
    report.tell(limits(&found, settings.timeout))?;
    report.tell(time(&found))?;
    report.tell(standbys(&found.standbys))?;
    report.tell(pooler(&found.pooler))
}

const fn unreachable(class: Class) -> &'static str {
    match class {
        Class::Denied => "Look at the user and the password in database.url, and at pg_hba.conf of the server.",
        Class::ReadOnly => {
            "Only standbys answered: name every server of the cluster in database.url, the primary among them."
        }
        Class::Schema => "Run 'afterring migrate'.",
        Class::Away | Class::Silent | Class::Full | Class::Connections | Class::Busy | Class::Poison | Class::Other => {
            "Is the server up, and does a firewall or pg_hba.conf let this machine in? Calls are taken and told without it meanwhile."
        }
    }
}

fn version(found: &Examined) -> Finding {
    let said = format!("Postgres {}", found.server);
    if found.server_number < OLDEST {
        return Finding::warning(OF, "version", said, "It is older than any that was tested: use 13 or newer.");
    }
    Finding::ok(OF, "version", said)
}

fn tables(found: &Examined, migrate: bool) -> Finding {
    let said = format!("version {}, this program needs {}", found.tables, found.needed);
    match found.tables {
        tables if tables == found.needed => {
            Finding::ok(OF, "tables", format!("version {tables}, as this program needs"))
        }
        tables if tables > found.needed => {
            Finding::fault(OF, "tables", said, "A newer Afterring migrated them: upgrade this node.")
        }
        _ if migrate && found.may_create => {
            Finding::ok(OF, "tables", format!("{said}: made at the start of the gateway (database.migrate)"))
        }
        _ if migrate => {
            let advice = "This role may not create tables: run 'afterring migrate' with one that may.";
            Finding::fault(OF, "tables", said, advice)
        }
        _ => Finding::fault(OF, "tables", said, "Run 'afterring migrate', or set database.migrate=true."),
    }
}

fn rights(found: &Examined) -> Finding {
    if found.tables == 0 {
        return Finding::unchecked(OF, "rights", "there are no tables yet");
    }
    if found.lacking.is_empty() {
        let create =
            if found.may_create { ", and may create" } else { "; may not create: partitions are made by another role" };
        return Finding::ok(OF, "rights", format!("{} may read and write every table{create}", found.role));
    }
    let said = format!("{} lacks rights on: {}", found.role, found.lacking.join(", "));
    Finding::fault(OF, "rights", said, "Grant select, insert, update and delete on all of Afterring's tables.")
}

fn safety(found: &Examined) -> Finding {
    if !found.fsync || !found.full_page_writes {
        let said = "fsync or full_page_writes is off".to_owned();
        return Finding::fault(OF, "safety", said, "A power cut destroys the whole database: switch both on.");
    }
    if found.synchronous_commit == "off" {
        let advice = "What was decided in the last moments before a crash of the server is lost, and may be told again: set it to on, for this role at least.";
        return Finding::warning(OF, "safety", "synchronous_commit is off".to_owned(), advice);
    }
    Finding::ok(OF, "safety", format!("fsync on, synchronous_commit {}", found.synchronous_commit))
}

fn limits(found: &Examined, timeout: Duration) -> Finding {
    let said = |what: &str, time: Duration| match time {
        Duration::ZERO => format!("no {what}"),
        time => format!("{what} {} ms", time.as_millis()),
    };
    let all = [
        said("statement_timeout", found.statement_timeout),
        said("idle_in_transaction_session_timeout", found.idle_timeout),
    ];
    let all = all.join(", ");
    let too_short = |time: Duration| time > Duration::ZERO && time < timeout;
    if too_short(found.statement_timeout) || too_short(found.idle_timeout) {
        let advice = "The server gives statements up before the gateway does (health.timeout): raise it for this role.";
        return Finding::warning(OF, "time limits", all, advice);
    }
    Finding::ok(OF, "time limits", all)
}

fn time(found: &Examined) -> Finding {
    let said = format!("{} ms ahead of ours, give or take {} ms", found.ahead, found.round_trip.as_millis() / 2 + 1);
    if found.ahead.unsigned_abs() > APART {
        let advice =
            "Let both machines keep their clocks by NTP: times in lists of calls and the ends of leases follow them.";
        return Finding::warning(OF, "clock", said, advice);
    }
    Finding::ok(OF, "clock", said)
}

fn standbys(standbys: &[Standby]) -> Finding {
    if standbys.is_empty() {
        return Finding::ok(OF, "standbys", "none is fed by this server".to_owned());
    }
    if standbys.iter().any(|standby| standby.state.is_none()) {
        let why = format!("{} there, but this role may not see their state: grant pg_monitor", standbys.len());
        return Finding::unchecked(OF, "standbys", why);
    }
    let one = |standby: &Standby| {
        let (state, sync) = standby.state.clone().unwrap_or_default();
        format!("{} {state} ({sync}), {} bytes behind", standby.name, standby.behind.unwrap_or_default())
    };
    let said = standbys.iter().map(one).collect::<Vec<_>>().join("; ");
    if standbys.iter().any(|standby| standby.state.as_ref().is_some_and(|(state, _)| state != "streaming")) {
        return Finding::warning(OF, "standbys", said, "One does not follow: look at its log.");
    }
    Finding::ok(OF, "standbys", said)
}

fn pooler(pooler: &Pooler) -> Finding {
    match pooler {
        Pooler::None => Finding::ok(OF, "pooler", "none: sessions are the server's own".to_owned()),
        Pooler::Whole => {
            let said = "one stands between (PgBouncer or its like) and leaves transactions whole, which serves; PgBouncer's server_login_retry should be 1, \
                        or it lengthens each outage by up to 15 s";
            Finding::ok(OF, "pooler", said.to_owned())
        }
        Pooler::TakesApart => {
            let said = "one stands between and refuses transactions (PgBouncer's pool_mode = statement)".to_owned();
            Finding::fault(OF, "pooler", said, "Nothing is stored through it: set pool_mode = transaction or session.")
        }
        Pooler::Unknown(why) => Finding::unchecked(OF, "pooler", format!("a second connection did not say: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::report::Verdict;

    fn fine() -> Examined {
        Examined {
            connected_in: Duration::from_millis(3),
            role: "afterring".into(),
            database: "calls".into(),
            server: "16.4".into(),
            server_number: 160_004,
            synchronous_commit: "on".into(),
            fsync: true,
            full_page_writes: true,
            statement_timeout: Duration::ZERO,
            idle_timeout: Duration::ZERO,
            most_sessions: 100,
            sessions: 7,
            ahead: 12,
            round_trip: Duration::from_millis(2),
            may_create: true,
            lacking: Vec::new(),
            port: Some(5432),
            tables: 2,
            needed: 2,
            standbys: Vec::new(),
            pooler: Pooler::None,
        }
    }

    #[test]
    fn what_is_set_otherwise_than_it_should_be_is_told() {
        use Verdict::{Fault, NotChecked, Ok, Warning};
        let second = Duration::from_secs(1);
        for (found, expected) in [
            (fine(), [Ok, Ok, Ok, Ok, Ok, Ok]),
            (Examined { server_number: 120_000, ..fine() }, [Warning, Ok, Ok, Ok, Ok, Ok]),
            (Examined { tables: 3, ..fine() }, [Ok, Fault, Ok, Ok, Ok, Ok]),
            (Examined { tables: 0, ..fine() }, [Ok, Ok, NotChecked, Ok, Ok, Ok]),
            (Examined { tables: 1, may_create: false, ..fine() }, [Ok, Fault, Ok, Ok, Ok, Ok]),
            (Examined { lacking: vec!["alert".into()], ..fine() }, [Ok, Ok, Fault, Ok, Ok, Ok]),
            (Examined { fsync: false, ..fine() }, [Ok, Ok, Ok, Fault, Ok, Ok]),
            (Examined { synchronous_commit: "off".into(), ..fine() }, [Ok, Ok, Ok, Warning, Ok, Ok]),
            (Examined { statement_timeout: second / 2, ..fine() }, [Ok, Ok, Ok, Ok, Warning, Ok]),
            (Examined { statement_timeout: second, ..fine() }, [Ok, Ok, Ok, Ok, Ok, Ok]),
            (Examined { ahead: -1_001, ..fine() }, [Ok, Ok, Ok, Ok, Ok, Warning]),
        ] {
            let findings = [
                version(&found),
                tables(&found, true),
                rights(&found),
                safety(&found),
                limits(&found, second),
                time(&found),
            ];
            assert_eq!(findings.map(|finding| finding.verdict), expected, "{found:?}");
        }
        assert_eq!(tables(&Examined { tables: 0, ..fine() }, false).verdict, Fault);
        let standby = |state: Option<&str>| Standby {
            name: "two".into(),
            state: state.map(|state| (state.into(), "async".into())),
            behind: Some(16),
        };
        assert_eq!(standbys(&[standby(Some("streaming"))]).found, "two streaming (async), 16 bytes behind");
        assert_eq!(standbys(&[standby(Some("catchup"))]).verdict, Warning);
        assert_eq!(standbys(&[standby(None)]).verdict, NotChecked);
    }
}
