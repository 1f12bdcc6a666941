//! `afterring doctor`, the built command against simulated SMSCs, a real Postgres, and what isn't there.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::net::TcpListener;
use std::process::Command;

use model::Timestamp;
use serde_json::Value;
use simulator::{Smsc, SmscOptions};
use tempfile::TempDir;
use throwaway_postgres::{Bouncer, Cluster, sql};

async fn smsc() -> Smsc {
    let accounts = vec![("ring".to_owned(), "s3cret".to_owned())];
    let options = SmscOptions { accounts, ..SmscOptions::new(|| Timestamp::from_millis(1_795_000_000_000)) };
    Smsc::start(options).await.unwrap()
}

/// What the command found, by what it looked at, and its exit code.
fn doctor(settings: &[(&str, &str)], arguments: &[&str]) -> (i32, Vec<Value>) {
    let here = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterring"));
    command.args(["doctor", "--json"]).args(arguments).env_clear().current_dir(here.path());
    // Where a test that runs beside this one can't listen.
    command.env("AFTERRING_HTTP__LISTEN", "").env("AFTERRING_ADMIN__LISTEN", "").env("AFTERRING_SIP__LISTEN", "");
    command.env("AFTERRING_SERVICE__CODE", "12599").env("AFTERRING_STORE__DIR", here.path());
    command.envs(settings.iter().map(|(key, value)| (format!("AFTERRING_{key}"), value)));
    let said = command.output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert!(!out.contains("s3cret"), "{out}");
    (said.status.code().unwrap(), out.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The verdict on one thing, and what was found.
fn on<'a>(findings: &'a [Value], check: &str, of: &str) -> (&'a str, &'a str) {
    let found = findings.iter().find(|one| one["check"] == check && one["of"].as_str().unwrap_or_default() == of);
    let found = found.unwrap_or_else(|| panic!("{check} {of} was not looked at: {findings:#?}"));
    (found["verdict"].as_str().unwrap(), found["found"].as_str().unwrap())
}

#[tokio::test]
async fn each_smsc_is_bound_once_and_what_it_refuses_is_a_fault() {
    let smsc = smsc().await;
    let (right, wrong) = (format!("smpp://ring:s3cret@{}?name=north&binds=3", smsc.addr()), "smpp://ring:s3cre7@");
    let urls = format!("{right},{wrong}{}?name=south", smsc.addr());
    let (code, found) = doctor(&[("SMSC__URLS", &urls)], &[]);
    assert_eq!(code, 69);
    assert_eq!(on(&found, "smsc", "north transceiver: name"), ("ok", "127.0.0.1 is 127.0.0.1"));
    assert_eq!(on(&found, "smsc", "north transceiver: bind").0, "ok");
    let (verdict, why) = on(&found, "smsc", "south transceiver: bind");
    assert!(verdict == "fault" && why.contains("ESME_RINVPASWD"), "{why}");
    // A busy machine may have a slow disk.
    assert!(on(&found, "store", "sync time").1.ends_with(" writes"), "{found:#?}");
    // One of three binds is enough, and none is left behind.
    assert_eq!(found.iter().filter(|one| one["check"] == "smsc").count(), 6);
    while !smsc.sessions().is_empty() {
        tokio::task::yield_now().await;
    }
    let (code, found) = doctor(&[("SMSC__URLS", &right)], &["--no-bind"]);
    assert_eq!(code, 0, "{found:#?}");
    assert_eq!(on(&found, "smsc", "north transceiver: connection").0, "ok");
    assert_eq!(on(&found, "smsc", "north transceiver: bind"), ("not_checked", "--no-bind"));
}

#[test]
fn what_could_not_be_looked_at_is_never_called_well() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let urls = format!("smpp://ring:s3cret@127.0.0.1:{free}?name=north");
    let database = format!("postgres://ring:s3cret@127.0.0.1:{free}/calls");
    let (code, found) = doctor(&[("SMSC__URLS", &urls), ("DATABASE__URL", &database)], &[]);
    assert_eq!(code, 69);
    assert_eq!(on(&found, "smsc", "north transceiver: connection").0, "fault");
    assert_eq!(on(&found, "smsc", "north transceiver: bind").0, "not_checked");
    assert_eq!(on(&found, "database", "").0, "fault");
    for what in ["version", "tables", "rights", "safety", "time limits", "clock", "standbys", "pooler"] {
        assert_eq!(on(&found, "database", what), ("not_checked", "there is no connection"));
    }
    // Settings that can't be used are told, and what is left of them is looked at.
    let (code, found) = doctor(&[("SMSC__URLS", "smpp://"), ("STORE__DIR", "/dev/null")], &[]);
    assert_eq!((code, on(&found, "settings", "").0, on(&found, "smsc", "").0), (69, "fault", "not_checked"));
    assert_eq!(on(&found, "store", "/dev/null").0, "fault");
    assert_eq!(on(&found, "store", "sync time").0, "not_checked");
}

#[test]
fn a_database_is_looked_into() {
    let cluster = Cluster::start(&[]);
    let url = cluster.database();
    let (_, found) = doctor(&[("DATABASE__URL", &url)], &[]);
    assert_eq!((on(&found, "database", "").0, on(&found, "database", "rights").0), ("ok", "not_checked"));
    assert_eq!(on(&found, "database", "tables").0, "ok");
    let (_, found) = doctor(&[("DATABASE__URL", &url), ("DATABASE__MIGRATE", "false")], &[]);
    assert_eq!(on(&found, "database", "tables").0, "fault");
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_afterring"));
    assert!(migrate.arg("migrate").env_clear().env("AFTERRING_DATABASE__URL", &url).status().unwrap().success());
    sql(
        &url,
        "do $$ begin execute format('alter database %I set statement_timeout = 900', current_database()); end $$; \
         create role weak login; grant usage on schema public to weak; grant select on all tables in schema public to weak",
    );
    let (_, found) = doctor(&[("DATABASE__URL", &url)], &[]);
    // A cluster for tests is a quick one, without fsync.
    for (what, verdict) in [
        ("version", "ok"),
        ("tables", "ok"),
        ("rights", "ok"),
        ("safety", "fault"),
        ("time limits", "warning"),
        ("clock", "ok"),
    ] {
        assert_eq!(on(&found, "database", what).0, verdict, "{what}");
    }
    assert_eq!(on(&found, "database", "standbys").1, "none is fed by this server");
    assert_eq!(on(&found, "database", "pooler"), ("ok", "none: sessions are the server's own"));
    sql(&url, "do $$ begin execute format('alter role %I set role = weak', current_user); end $$");
    let (_, found) = doctor(&[("DATABASE__URL", &url)], &[]);
    let (verdict, which) = on(&found, "database", "rights");
    assert_eq!(verdict, "fault");
    assert!(which.contains("call_box") && which.contains("weak"), "{which}");
}

#[test]
fn a_pooler_is_told_and_one_that_takes_transactions_apart_is_a_fault() {
    let cluster = Cluster::start(&[]);
    let pooler = |mode: &str| {
        let bouncer = Bouncer::in_mode(&cluster, 3, mode);
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", bouncer.port());
        let (_, found) = doctor(&[("DATABASE__URL", &url)], &[]);
        let (verdict, said) = on(&found, "database", "pooler");
        (verdict.to_owned(), said.to_owned())
    };
    for mode in ["session", "transaction"] {
        let (verdict, said) = pooler(mode);
        assert!(verdict == "ok" && said.starts_with("one stands between"), "{mode}: {verdict} {said}");
    }
    let (verdict, said) = pooler("statement");
    assert_eq!(verdict, "fault", "{said}");
}
