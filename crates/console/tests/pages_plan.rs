//! The screens of ranges, texts, reports and the system over a real socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use console::access::{AccessSettings, Local, Network, Proxy, User, Users, hash_password};
use console::{Access, LogView, Operators, ReloadView, Role, Scope, SettingView, SystemView, router};
use model::{CallId, Caller, MissedCall, Msisdn, Reason, ShortNumber, Source, Timestamp};
use routing::text::Texts;
use routing::{Database, Event, Policy, Ranges, Service};
use serde_json::Value;
use store::{Context, Embedded, EmbeddedSettings, HandOver, Store as _};
use support::{ask, get, post_form, serve};

const DAY: Duration = Duration::from_secs(86_400);

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

fn policy() -> Policy {
    let ranges = Ranges::parse("north=8613900000000-8613900999999:10?quiet=21:00-02:00;south=86138*:3").unwrap();
    Policy { ranges, ..Policy::new(Service::new(ShortNumber::parse("12599").unwrap()), Texts::shipped().unwrap()) }
}

struct Gateway {
    address: SocketAddr,
    store: HandOver,
    _dir: tempfile::TempDir,
}

async fn gateway(change: impl FnOnce(&mut Operators)) -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings::new(dir.path().to_owned(), 40 * DAY);
    let store = HandOver::alone(Embedded::open(settings, noon() - 30 * DAY).unwrap());
    let mut operators = support::operators(store.clone(), policy(), noon);
    change(&mut operators);
    Gateway { address: serve(router(operators)).await, store, _dir: dir }
}

impl Gateway {
    /// Somebody's call so many days ago, decided.
    async fn missed(&self, called: &str, days_ago: u32) {
        let at = noon() - days_ago * DAY;
        let call = MissedCall {
            id: CallId::parse(&format!("{called}-{days_ago}")).unwrap(),
            caller: Caller::Withheld,
            called: Msisdn::international(called).unwrap(),
            at,
            reason: Reason::Busy,
            service_number: None,
            source: Source::Http,
        };
        self.store.local().append(vec![Event::Call(call)]).await.unwrap();
        let batch = self.store.local().next(10).await;
        let context = Context { policy: Arc::new(policy()), database: Database::Normal, now: at };
        self.store.settle(batch, context).await.unwrap();
    }

    async fn json(&self, path: &str) -> Value {
        let answer = get(self.address, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }
}

/// The records of CSV (RFC 4180).
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut fields, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                fields.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut fields));
            }
            other => field.push(other),
        }
    }
    records
}

fn same(json: &Value, csv: &str) -> bool {
    match json {
        Value::Null => csv.is_empty(),
        // What a spreadsheet would take for a formula is told to be text.
        Value::String(text) => text == csv || Some(text.as_str()) == csv.strip_prefix('\''),
        other => other.as_f64() == csv.parse().ok(),
    }
}

#[tokio::test]
async fn every_table_says_the_same_as_a_page_as_csv_and_as_json() {
    let gateway = gateway(|operators| {
        operators.system = Arc::new(|| system(Vec::new(), None));
        operators.ready = Arc::new(|| {
            vec![console::Check { name: "smsc", ok: true, degraded: true, found: console::Found::Terms("a".into()) }]
        });
    })
    .await;
    gateway.missed("8613900000001", 1).await;
    gateway.missed("8618600000001", 0).await;
    for (path, tables) in [
        ("/ranges", &["range-table", "campaigns"][..]),
        ("/texts?language=all", &["texts"]),
        ("/reports", &["report", "days", "rows"]),
        ("/system", &["settings", "in-force", "checks", "audit", "users", "tokens"]),
    ] {
        let all = gateway.json(&format!("{path}{}format=json", if path.contains('?') { '&' } else { '?' })).await;
        assert_eq!(all.as_object().unwrap().len(), tables.len(), "{path}");
        for name in tables {
            let at = format!("{path}{}table={name}", if path.contains('?') { '&' } else { '?' });
            let json = gateway.json(&format!("{at}&format=json")).await;
            assert_eq!(all[name], json, "{at}");
            let rows = json.as_array().unwrap();
            let text = get(gateway.address, &format!("{at}&format=csv")).await;
            let records = csv(&text.body);
            let (head, records) = records.split_first().unwrap();
            assert_eq!(records.len(), rows.len(), "{at}");
            for (record, row) in records.iter().zip(rows) {
                for (key, field) in head.iter().zip(record) {
                    assert!(same(&row[key], field), "{at}: {key}: {} is not {field:?}", row[key]);
                }
            }
            let page = get(gateway.address, &at).await;
            assert_eq!(page.body.matches(&format!("<tr id=\"{name}-")).count(), rows.len(), "{at}");
        }
        for lang in ["en", "zh"] {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = get(gateway.address, &format!("{path}{separator}lang={lang}")).await;
            assert_eq!(page.status, 200, "{path} {lang}");
            assert!(!page.body.contains(" style=") && !page.body.contains("<style"), "{path}");
        }
    }
    assert!(!gateway.json("/texts?table=texts&format=json").await.as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_report_of_a_month_adds_up_and_says_how_many() {
    let gateway = gateway(|_| {}).await;
    for (called, days_ago) in [("8613900000001", 2), ("8613900000002", 2), ("8613800000001", 1), ("8618600000001", 1)] {
        gateway.missed(called, days_ago).await;
    }
    gateway.missed("8613900000003", 25).await;
    let page = get(gateway.address, "/reports?lang=en").await;
    assert!(page.body.contains("<b>November 2026: 4 calls</b>"), "{}", page.body);
    assert!(page.body.contains("agrees") && !page.body.contains("does not agree"), "{}", page.body);
    let report = gateway.json("/reports?table=report&format=json").await;
    let (total, lines) = report.as_array().unwrap().split_last().unwrap();
    assert_eq!((&total["day"], &total["calls"]), (&"total".into(), &4.into()));
    for key in ["calls", "told", "joined", "held", "nothing", "queued", "accepted"] {
        let sum: u64 = lines.iter().map(|line| line[key].as_u64().unwrap()).sum();
        assert_eq!(total[key], sum, "{key}");
    }
    for line in report.as_array().unwrap() {
        let of = |key: &str| line[key].as_u64().unwrap();
        assert_eq!(of("calls"), of("told") + of("joined") + of("held") + of("nothing"), "{line}");
    }
    let days = gateway.json("/reports?table=days&format=json").await;
    let of = |row: &Value| (row["day"].as_str().unwrap().to_owned(), row["calls"].as_u64().unwrap());
    assert_eq!(
        days.as_array().unwrap().iter().map(of).collect::<Vec<_>>(),
        [("2026-11-21".to_owned(), 2), ("2026-11-22".to_owned(), 2), ("total".to_owned(), 4)]
    );
    let rows = gateway.json("/reports?table=rows&format=json").await;
    let calls: u64 = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["event"] == "call")
        .map(|row| row["count"].as_u64().unwrap())
        .sum();
    assert_eq!(calls, 4);
    let north = gateway.json("/reports?range=north&table=days&format=json").await;
    assert_eq!(north.as_array().unwrap().last().unwrap()["calls"], 2);
    let october = get(gateway.address, "/reports?month=2026-10&lang=en").await;
    assert!(october.body.contains("<b>October 2026: 1 call</b>"), "{}", october.body);
}

#[tokio::test]
async fn a_range_says_what_is_used_and_from_how_many_days_it_is_projected() {
    let gateway = gateway(|_| {}).await;
    let known = gateway.json("/ranges?table=range-table&format=json").await;
    assert_eq!(known[1]["projection"], "unknown", "nothing was counted yet: {known}");
    for n in 1..=4 {
        gateway.missed(&format!("861390000000{n}"), 2).await;
    }
    for n in 1..=3 {
        gateway.missed(&format!("861380000000{n}"), 1).await;
    }
    let known = gateway.json("/ranges?table=range-table&format=json").await;
    let (south, north) = (&known[0], &known[1]);
    assert_eq!(
        (&south["range"], &south["projection"], &south["share"]),
        (&"south".into(), &"used_up".into(), &1.0.into())
    );
    assert_eq!((&north["used"], &north["teasers_a_day"]), (&4.into(), &2.0.into()));
    assert_eq!(north["exhausted_not_before"], "2026-11-26", "6 are left at 2 a day");
    let page = get(gateway.address, "/ranges?lang=en").await;
    assert!(page.body.contains("lasts 3 days or more (from 2 days)"), "{}", page.body);
}

#[tokio::test]
async fn a_number_is_looked_up_by_a_form_and_shown_masked() {
    let gateway = gateway(|_| {}).await;
    let answer = post_form(gateway.address, "/ranges/look-up?lang=en", "", "number=139%200000%200001").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("<dd>north</dd>") && answer.body.contains("quiet 21:00-02:00"), "{}", answer.body);
    assert!(!answer.body.contains("8613900000001"), "{}", answer.body);
    let none = post_form(gateway.address, "/ranges/look-up?lang=en", "", "number=18600000001").await;
    assert!(none.body.contains("in none"), "{}", none.body);
    let wrong = post_form(gateway.address, "/ranges/look-up?lang=en", "", "number=x").await;
    assert!(wrong.body.contains("That is no number"), "{}", wrong.body);
}

#[tokio::test]
async fn texts_are_the_same_in_the_api_and_on_the_page() {
    let gateway = gateway(|_| {}).await;
    let api = gateway.json("/v1/texts?language=zh-CN&range=north&kind=teaser").await;
    let page = gateway.json("/texts?language=zh-CN&range=north&kind=teaser&table=texts&format=json").await;
    let texts = |list: &Value| -> Vec<(String, u64)> {
        let of = |text: &Value| (text["text"].as_str().unwrap().to_owned(), text["parts"].as_u64().unwrap());
        list.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(texts(&api["texts"]), texts(&page));
    assert_eq!(api["texts"].as_array().unwrap().len(), 2);
    assert_eq!(api["texts"][0]["coding"], "UCS-2");
    assert!(api["texts"][0]["place"].as_str().unwrap().starts_with("shipped zh-CN.toml:"), "{api}");
    let unknown = get(gateway.address, "/v1/texts?range=west").await;
    assert_eq!((unknown.status, &unknown.json()["error"]), (400, &"'range': no range is called 'west'".into()));
    assert_eq!(get(gateway.address, "/v1/texts?kind=letter").await.status, 400);
    let page = get(gateway.address, "/texts?range=west&lang=en").await;
    assert!(page.body.contains("no range is called &#39;west&#39;"), "{}", page.body);
}

fn system(settings: Vec<SettingView>, reloaded: Option<ReloadView>) -> SystemView {
    SystemView {
        version: "0.1.0".to_owned(),
        started: noon(),
        node: "one".to_owned(),
        digest: "0123456789abcdef".to_owned(),
        settings: settings.into(),
        reloaded,
        log: LogView { filter: "debug".to_owned(), until: Some(noon() + DAY) },
    }
}

/// A gateway behind a proxy that says who asks and as what, with users and tokens of its own.
async fn guarded(dir: &tempfile::TempDir) -> (Gateway, [String; 2]) {
    let path = dir.path().join("users.json");
    let password = hash_password("a long password").unwrap();
    let mut users = Users::default();
    users.users.push(User { name: "anna".into(), role: Role::Care, password: password.clone() });
    let token = users.add_token("crm", Scope::Read, noon()).unwrap();
    users.write(&path).unwrap();
    let proxy = Proxy {
        name: "x-remote-user".parse().unwrap(),
        role_header: Some("x-role".parse().unwrap()),
        role: Role::Viewer,
        from: vec![Network::parse("127.0.0.0/8").unwrap()],
    };
    let settings = AccessSettings { users: Some(path), proxy: Some(proxy), ..AccessSettings::none(Local::Nobody) };
    let access = Access::open(settings, noon).unwrap();
    let reloaded = Arc::new(Mutex::new(None));
    let setting = SettingView {
        key: "database.url".into(),
        value: "postgres://afterring:***@db1/afterring".into(),
        source: "environment".into(),
    };
    let gateway = gateway(move |operators| {
        let last = Arc::clone(&reloaded);
        operators.access = access;
        operators.system = Arc::new(move || system(vec![setting.clone()], last.lock().unwrap().clone()));
        operators.reload = Arc::new(move || {
            let (applied, needs_restart) = (vec!["ranges".to_owned()], vec!["smsc.urls".to_owned()]);
            let view = ReloadView { at: noon(), applied, needs_restart, faults: Vec::new() };
            *reloaded.lock().unwrap() = Some(view.clone());
            view
        });
        operators.metrics = Arc::new(|| "afterring_calls_total 7\n".to_owned());
    })
    .await;
    (gateway, [password, token])
}

fn by(role: &str) -> String {
    format!("x-remote-user: olga\r\nx-role: {role}\r\n")
}

/// What the forms of a page carry.
fn form_token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_operators_reload_is_noted_with_its_reason_and_others_see_no_forms() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, _) = guarded(&dir).await;
    let read = async |role: &str| ask(gateway.address, "GET", "/system?lang=en", &by(role), "").await.body;
    let forms = ["/system/reload", "/system/log", "/system/log/end"];
    let page = read("viewer").await;
    let fields = "reason=why&filter=debug&minutes=5";
    for form in forms {
        assert!(!page.contains(&format!("action=\"{form}\"")), "{form}");
        let sent = format!("csrf={}&{fields}", form_token(&page));
        assert_eq!(post_form(gateway.address, form, &by("viewer"), &sent).await.status, 403, "{form}");
    }
    let page = read("operator").await;
    let csrf = form_token(&page);
    for form in forms {
        assert!(page.contains(&format!("action=\"{form}\"")), "{form}");
        let sent = format!("csrf={csrf}&reason=%20&filter=debug&minutes=5");
        assert_eq!(
            post_form(gateway.address, form, &by("operator"), &sent).await.status,
            400,
            "{form} without a reason"
        );
        let sent = format!("csrf={csrf}&{fields}");
        let done = post_form(gateway.address, form, &by("operator"), &sent).await;
        assert_eq!(done.status, 303, "{form}: {}", done.body);
    }
    let forever = format!("csrf={csrf}&reason=why&filter=debug&minutes=1441");
    assert_eq!(post_form(gateway.address, "/system/log", &by("operator"), &forever).await.status, 400);
    let page = read("operator").await;
    assert!(page.contains("waits for a restart") && page.contains("<code>smsc.urls</code>"), "{page}");
    let log = ask(gateway.address, "GET", "/system?table=audit&format=json", &by("operator"), "").await.json();
    let said = |entry: &Value| ["who", "action", "reason"].map(|key| entry[key].as_str().unwrap_or("").to_owned());
    let noted: Vec<_> = log.as_array().unwrap().iter().map(said).collect();
    let of = |action: &str| ["proxy:olga".to_owned(), action.to_owned(), "why".to_owned()];
    assert_eq!(noted, [of("log_level"), of("log_level"), of("reloaded")], "the newest first");
    assert_eq!(log[2]["detail"], "applied: ranges; waits for a restart: smsc.urls");
}

#[tokio::test]
async fn no_page_and_no_file_tells_a_secret_or_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let (gateway, secrets) = guarded(&dir).await;
    let sha256 = Users::read(&dir.path().join("users.json")).unwrap().tokens[0].sha256.clone();
    for path in ["/system", "/system?format=json", "/system?table=tokens&format=csv", "/system/diagnostics.json"] {
        let answer = ask(gateway.address, "GET", path, &by("admin"), "").await;
        assert_eq!(answer.status, 200, "{path}");
        for secret in secrets.iter().chain([&sha256]) {
            assert!(!answer.body.contains(secret), "{path}");
        }
    }
    let users = ask(gateway.address, "GET", "/system?format=json", &by("admin"), "").await.json();
    assert_eq!((&users["users"][0]["user"], &users["tokens"][0]["scope"]), (&"anna".into(), &"read".into()));
    let others = ask(gateway.address, "GET", "/system?format=json", &by("operator"), "").await.json();
    assert!(others.get("users").is_none() && others.get("tokens").is_none(), "{others}");
    let found = ask(gateway.address, "GET", "/system/diagnostics.json", &by("viewer"), "").await.json();
    assert_eq!(found["system"]["digest"], "0123456789abcdef");
    assert_eq!(found["metrics"], "afterring_calls_total 7\n");
    assert_eq!(found["system"]["settings"][0]["value"], "postgres://afterring:***@db1/afterring");
}
