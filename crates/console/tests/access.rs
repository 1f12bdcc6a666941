//! Who may ask for what, over a real socket: every route for everybody, signing in and out, and what is noted of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use console::access::{AccessSettings, Local, Network, Proxy, User, Users, hash_password};
use console::{Access, Audit, Permission, Role, Scope, router};
use model::{Clock, Secret, ShortNumber, Timestamp};
use routing::text::Texts;
use routing::{Policy, Service};
use store::{Embedded, EmbeddedSettings, HandOver};
use support::{Answer, ask, get, open, post_form, read_until, serve};
use tokio::io::AsyncReadExt as _;

const PASSWORD: &str = "correct horse";

/// Whom a route is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum For {
    /// Everybody, known or not.
    Everybody,
    /// Those who have this.
    Those(Permission),
}

use For::{Everybody, Those};
use Permission::{Administer, ChangePeople, Operate, Read, SeeNumbers};

/// Every route, as it stands in the sources, and whom it is for.
const ROUTES: &[(&str, &str, For)] = &[
    ("GET", "/livez", Everybody),
    ("GET", "/readyz", Everybody),
    ("GET", "/metrics", Everybody),
    ("GET", "/assets/{name}", Everybody),
    ("GET", "/login", Everybody),
    ("POST", "/unmask", Those(Read)),
    ("GET", "/", Those(Read)),
    ("GET", "/flow", Those(Read)),
    ("GET", "/database", Those(Read)),
    ("POST", "/database/force", Those(Operate)),
    ("POST", "/database/lift", Those(Operate)),
    ("GET", "/links", Those(Read)),
    ("POST", "/links/order", Those(Operate)),
    ("GET", "/tail", Those(Read)),
    ("GET", "/people", Those(Read)),
    ("POST", "/people", Those(Read)),
    ("GET", "/people/{handle}", Those(Read)),
    ("GET", "/people/{handle}/calls/{seq}", Those(Read)),
    ("POST", "/people/{handle}/export", Those(ChangePeople)),
    ("POST", "/people/{handle}/{action}", Those(ChangePeople)),
    ("GET", "/ranges", Those(Read)),
    ("POST", "/ranges/look-up", Those(Read)),
    ("GET", "/texts", Those(Read)),
    ("GET", "/reports", Those(Read)),
    ("GET", "/system", Those(Read)),
    ("GET", "/system/diagnostics.json", Those(Read)),
    ("POST", "/system/reload", Those(Operate)),
    ("POST", "/system/log", Those(Operate)),
    ("POST", "/system/log/end", Those(Operate)),
    ("GET", "/openapi.json", Those(Read)),
    ("GET", "/v1/status", Those(Read)),
    ("GET", "/v1/flow", Those(Read)),
    ("GET", "/v1/links", Those(Read)),
    ("POST", "/v1/links/{name}/drain", Those(Operate)),
    ("POST", "/v1/links/{name}/unbind", Those(Operate)),
    ("POST", "/v1/links/{name}/rebind", Those(Operate)),
    ("GET", "/v1/reports", Those(Read)),
    ("GET", "/v1/system", Those(Read)),
    ("POST", "/v1/reload", Those(Operate)),
    ("POST", "/v1/log", Those(Operate)),
    ("DELETE", "/v1/log", Those(Operate)),
    ("GET", "/v1/texts", Those(Read)),
    ("GET", "/v1/explain", Those(SeeNumbers)),
    ("GET", "/v1/subscribers/{number}/calls/{seq}", Those(SeeNumbers)),
    ("POST", "/v1/subscribers/{number}/resend", Those(ChangePeople)),
    ("POST", "/v1/subscribers/{number}/pause", Those(ChangePeople)),
    ("POST", "/v1/subscribers/{number}/resume", Those(ChangePeople)),
    ("GET", "/v1/ranges", Those(Read)),
    ("GET", "/v1/campaigns", Those(Read)),
    ("GET", "/v1/audit", Those(Read)),
    ("GET", "/v1/subscribers/{number}", Those(SeeNumbers)),
    ("PUT", "/v1/subscribers/{number}", Those(ChangePeople)),
    ("PATCH", "/v1/subscribers/{number}", Those(ChangePeople)),
    ("DELETE", "/v1/subscribers/{number}", Those(ChangePeople)),
    ("GET", "/v1/subscribers/{number}/timeline", Those(SeeNumbers)),
    ("GET", "/v1/lists/{list}", Those(SeeNumbers)),
    ("GET", "/v1/lists/{list}/{number}", Those(SeeNumbers)),
    ("PUT", "/v1/lists/{list}/{number}", Those(ChangePeople)),
    ("DELETE", "/v1/lists/{list}/{number}", Those(ChangePeople)),
    ("GET", "/v1/people/{number}", Those(SeeNumbers)),
    ("DELETE", "/v1/people/{number}", Those(Administer)),
    ("POST", "/v1/database/force", Those(Operate)),
    ("DELETE", "/v1/database/force", Those(Operate)),
    // These take away what others need, and come last.
    ("POST", "/mask", Those(Read)),
    ("POST", "/logout", Those(Read)),
];

/// Live streams never end, so that nobody waits for their answers here; they are guarded with the page that they are of.
const STREAMS: &[&str] = &["/live", "/flow/events", "/database/events", "/links/events", "/tail/events", "/v1/tail"];

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

struct Gateway {
    address: SocketAddr,
    dir: tempfile::TempDir,
    access: Access,
    tokens: BTreeMap<&'static str, String>,
}

/// Users of every role and tokens of every scope, all with one password.
async fn gateway(change: impl FnOnce(&mut AccessSettings)) -> Gateway {
    gateway_by(noon, change).await
}

async fn gateway_by(clock: Clock, change: impl FnOnce(&mut AccessSettings)) -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.json");
    let password = hash_password(PASSWORD).unwrap();
    let user = |role: Role| User { name: role.as_str().to_owned(), role, password: password.clone() };
    let mut users = Users { users: Role::ALL.map(user).to_vec(), tokens: Vec::new() };
    let mut tokens = BTreeMap::from([("admin.token", "everything".to_owned())]);
    for scope in Scope::ALL {
        tokens.insert(scope.as_str(), users.add_token(scope.as_str(), scope, noon()).unwrap());
    }
    users.write(&path).unwrap();
    let mut settings = AccessSettings {
        users: Some(path),
        admin_token: Some(Secret::new("everything".to_owned())),
        ..AccessSettings::none(Local::Loopback)
    };
    change(&mut settings);
    let access = Access::open(settings, clock).unwrap();
    let retention = Duration::from_secs(90 * 24 * 3600);
    let store = Embedded::open(EmbeddedSettings::new(dir.path().join("store"), retention), noon()).unwrap();
    let mut operators = support::operators(HandOver::alone(store), policy(), noon);
    operators.access = access.clone();
    operators.audit = Audit::open(dir.path().join("audit"), retention).unwrap();
    operators.clock = clock;
    let audit = operators.audit.clone();
    operators.ready = Arc::new(move || vec![audit.check()]);
    let address = serve(router(operators)).await;
    Gateway { address, dir, access, tokens }
}

fn policy() -> Policy {
    Policy::new(Service::new(ShortNumber::parse("12599").unwrap()), Texts::shipped().unwrap())
}

/// A number that every route can read, and a list.
fn filled(path: &str) -> String {
    let path = path.replace("{number}", "8613800000001").replace("{list}", "consent").replace("{seq}", "1");
    path.replace("{name}", "mark.svg").replace("{handle}", "nobody").replace("{action}", "register")
}

/// What somebody sends with every request: a cookie and the token of forms, or a bearer token.
async fn headers_of(gateway: &Gateway, role: Role) -> String {
    let cookie = sign_in(gateway, role.as_str()).await;
    let page = ask(gateway.address, "GET", "/flow", &cookie, "").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap();
    let headers = format!("{cookie}x-csrf-token: {csrf}\r\n");
    if role.may(SeeNumbers) {
        let shown = post_form(gateway.address, "/unmask", &headers, "reason=a+test&next=/flow").await;
        assert_eq!((shown.status, shown.header("location")), (303, Some("/flow")));
    }
    headers
}

async fn sign_in(gateway: &Gateway, name: &str) -> String {
    let form = format!("name={name}&password=correct+horse&next=/flow");
    let answer = post_form(gateway.address, "/login", "", &form).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/flow")), "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    format!("cookie: {}\r\n", cookie.split(';').next().unwrap())
}

fn authorized(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn every_route_is_for_those_who_may_and_for_nobody_else() {
    let gateway = gateway(|_| {}).await;
    let mut known: Vec<(String, String, Vec<Permission>)> = Vec::new();
    for role in Role::ALL {
        let may = Permission::ALL.into_iter().filter(|asked| role.may(*asked)).collect();
        known.push((role.as_str().to_owned(), headers_of(&gateway, role).await, may));
    }
    for scope in Scope::ALL {
        let headers = authorized(&gateway.tokens[scope.as_str()]);
        known.push((format!("token {}", scope.as_str()), headers, scope.permissions().to_vec()));
    }
    known.push(("admin.token".to_owned(), authorized("everything"), Permission::ALL.to_vec()));
    for (method, path, whom) in ROUTES {
        let (path, api) = (filled(path), path.starts_with("/v1/") || *path == "/openapi.json");
        let unknown = ask(gateway.address, method, &path, "", "").await;
        let wrong = ask(gateway.address, method, &path, &authorized("aft_wrong"), "").await;
        for (who, answer) in [("nobody", &unknown), ("a wrong token", &wrong)] {
            match whom {
                Everybody => assert_eq!(answer.status, 200, "{method} {path} for {who}"),
                Those(_) if api => {
                    assert_eq!(answer.status, 401, "{method} {path} for {who}");
                    assert!(answer.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer")));
                    assert!(answer.json()["error"].is_string());
                }
                Those(_) => {
                    assert_eq!(answer.status, 303, "{method} {path} for {who}");
                    assert!(answer.header("location").unwrap().starts_with("/login?next=/"), "{}", answer.head);
                }
            }
        }
        for (who, headers, may) in &known {
            let answer = ask(gateway.address, method, &path, headers, "").await;
            let permitted = match whom {
                Everybody => true,
                Those(permission) => may.contains(permission),
            };
            let refused = answer.status == 403 && !answer.body.contains("'reason'");
            assert_eq!(refused, !permitted, "{method} {path} for {who}: {} {}", answer.status, answer.body);
            assert_ne!(answer.status, 401, "{method} {path} for {who}");
        }
    }
}

#[test]
fn every_route_of_the_sources_is_in_the_table() {
    let mut found = BTreeSet::new();
    routes(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    let listed: BTreeSet<String> = ROUTES.iter().map(|(_, path, _)| (*path).to_owned()).collect();
    let listed: BTreeSet<String> = listed.into_iter().chain(STREAMS.iter().map(|path| (*path).to_owned())).collect();
    assert_eq!(found, listed, "say in ROUTES whom each route is for");
}

/// Paths of `.route("…"` and of the API's documents in the sources, but for the demo's phones, which have a listener of their own.
fn routes(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("phones") {
                routes(&path, found);
            }
            continue;
        }
        if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("phones.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for mark in [".route(\"", " path = \"/"] {
            for rest in text.split(mark).skip(1) {
                let route = rest.split('"').next().unwrap();
                found.insert(format!("/{}", route.trim_start_matches('/')));
            }
        }
    }
}

#[tokio::test]
async fn a_form_without_its_token_or_of_another_site_changes_nothing() {
    let gateway = gateway(|_| {}).await;
    let cookie = sign_in(&gateway, "admin").await;
    let path = "/v1/lists/consent/8613800000001";
    for headers in [cookie.clone(), format!("{cookie}x-csrf-token: wrong\r\n")] {
        assert_eq!(ask(gateway.address, "PUT", path, &headers, "").await.status, 403, "{headers}");
    }
    let full = headers_of(&gateway, Role::Admin).await;
    for foreign in ["sec-fetch-site: cross-site\r\n", "origin: https://elsewhere.example\r\n"] {
        let answer = ask(gateway.address, "PUT", path, &format!("{full}{foreign}"), "").await;
        assert_eq!(answer.status, 403, "{foreign}");
    }
    let listed = ask(gateway.address, "GET", "/v1/lists/consent", &full, "").await;
    assert_eq!(listed.json()["entries"].as_array().unwrap().len(), 0);
    assert_eq!(ask(gateway.address, "PUT", path, &full, "").await.status, 201);
    let csrf = full.split("x-csrf-token: ").nth(1).unwrap().trim();
    let form = format!("csrf={csrf}&next=/links");
    let masked =
        post_form(gateway.address, "/mask", &full.replace(&format!("x-csrf-token: {csrf}\r\n"), ""), &form).await;
    assert_eq!((masked.status, masked.header("location")), (303, Some("/links")), "{}", masked.body);
}

#[tokio::test]
async fn numbers_are_seen_by_those_who_said_why_and_that_is_noted() {
    let gateway = gateway(|_| {}).await;
    let cookie = sign_in(&gateway, "care").await;
    let path = "/v1/lists/consent";
    let hidden = ask(gateway.address, "GET", path, &cookie, "").await;
    assert_eq!(hidden.status, 403);
    assert!(hidden.body.contains("/unmask"), "{}", hidden.body);
    let care = headers_of(&gateway, Role::Care).await;
    assert_eq!(ask(gateway.address, "GET", path, &care, "").await.status, 200);
    let none = post_form(gateway.address, "/unmask", &care, "reason=+").await;
    assert_eq!(none.status, 400);
    let operator = headers_of(&gateway, Role::Operator).await;
    assert_eq!(post_form(gateway.address, "/unmask", &operator, "reason=curious").await.status, 403);
    let admin = headers_of(&gateway, Role::Admin).await;
    let log = ask(gateway.address, "GET", "/v1/audit?action=numbers_shown&who=user:care", &admin, "").await.json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 1, "{log}");
    assert_eq!(log["entries"][0]["reason"], "a test");
    assert_eq!(log["entries"][0]["until"], "2026-11-23T04:15:00.000Z");
    let hidden_again = post_form(gateway.address, "/mask", &care, "next=/flow").await;
    assert_eq!(hidden_again.status, 303);
    assert_eq!(ask(gateway.address, "GET", path, &care, "").await.status, 403);
}

#[tokio::test]
async fn what_somebody_did_is_seen_by_them_and_by_administrators() {
    let gateway = gateway(|_| {}).await;
    let care = headers_of(&gateway, Role::Care).await;
    let headers = format!("{care}x-reason: asked on the phone\r\n");
    assert_eq!(ask(gateway.address, "PUT", "/v1/subscribers/8613800000001", &headers, "").await.status, 201);
    let operator = headers_of(&gateway, Role::Operator).await;
    let others = ask(gateway.address, "GET", "/v1/audit?who=user:care", &operator, "").await.json();
    let who: BTreeSet<_> = others["entries"].as_array().unwrap().iter().map(|entry| entry["who"].as_str()).collect();
    assert_eq!(who, BTreeSet::from([Some("user:operator")]));
    let own = ask(gateway.address, "GET", "/v1/audit?action=registered", &care, "").await.json();
    assert_eq!(own["entries"][0]["subject"], "+8613800000001");
    assert_eq!(own["entries"][0]["reason"], "asked on the phone");
    let admin = sign_in(&gateway, "admin").await;
    let csv = ask(gateway.address, "GET", "/v1/audit?action=registered&format=csv", &admin, "").await;
    let lines: Vec<_> = csv.body.lines().collect();
    assert_eq!(
        lines,
        [
            "at,who,action,subject,reason,until,detail",
            "2026-11-23T04:00:00.000Z,user:care,registered,+86*********01,asked on the phone,,"
        ]
    );
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_soon_not_even_compared() {
    let gateway = gateway(|_| {}).await;
    for name in ["admin", "nobody"] {
        for _ in 0..5 {
            let form = format!("name={name}&password=wrong+horse");
            assert_eq!(post_form(gateway.address, "/login", "", &form).await.status, 401);
        }
        let form = format!("name={name}&password=correct+horse");
        let answer = post_form(gateway.address, "/login", "", &form).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("60")), "{name}");
        assert!(answer.header("set-cookie").is_none());
    }
    assert!(!sign_in(&gateway, "care").await.is_empty(), "others can still sign in");
    let token = authorized("everything");
    let log = ask(gateway.address, "GET", "/v1/audit?action=sign_in_failed", &token, "").await.json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 10);
    assert_eq!(log["entries"][9]["subject"], "user:admin");
}

#[tokio::test]
async fn whoever_signs_out_or_is_removed_is_out_and_a_broken_file_changes_nothing() {
    let gateway = gateway(|_| {}).await;
    let viewer = headers_of(&gateway, Role::Viewer).await;
    let care = headers_of(&gateway, Role::Care).await;
    let out = post_form(gateway.address, "/logout", &viewer, "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(ask(gateway.address, "GET", "/flow", &viewer, "").await.status, 303);
    let path = gateway.dir.path().join("users.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    gateway.access.refresh();
    assert_eq!(ask(gateway.address, "GET", "/flow", &care, "").await.status, 200);
    std::fs::remove_file(&path).unwrap();
    gateway.access.refresh();
    assert_eq!(ask(gateway.address, "GET", "/flow", &care, "").await.status, 200);
    let mut users: Users = serde_json::from_str(&whole).unwrap();
    users.users.retain(|user| user.role != Role::Care);
    users.tokens.retain(|token| token.scope != Scope::Read);
    users.write(&path).unwrap();
    gateway.access.refresh();
    assert_eq!(ask(gateway.address, "GET", "/flow", &care, "").await.status, 303);
    let gone = authorized(&gateway.tokens["read"]);
    assert_eq!(ask(gateway.address, "GET", "/v1/status", &gone, "").await.status, 401);
}

/// Minutes after noon, by the clock of one test.
static MINUTES: AtomicI64 = AtomicI64::new(0);

fn later() -> Timestamp {
    Timestamp::from_millis(noon().as_millis() + MINUTES.load(Ordering::Relaxed) * 60_000)
}

#[tokio::test]
async fn a_page_that_is_open_with_nobody_before_it_ends_with_its_sign_in() {
    let gateway = gateway_by(later, |_| {}).await;
    let cookie = sign_in(&gateway, "viewer").await;
    let stream = format!("{cookie}accept: text/html, text/event-stream\r\n");
    let mut page = open(gateway.address, "GET", "/live", &stream, "").await;
    read_until(&mut page, "text/event-stream").await;
    let mut tail = open(gateway.address, "GET", "/v1/tail", &stream, "").await;
    read_until(&mut tail, "text/event-stream").await;
    MINUTES.store(29, Ordering::Relaxed);
    let mut again = open(gateway.address, "GET", "/live", &stream, "").await;
    read_until(&mut again, "text/event-stream").await;
    MINUTES.store(30, Ordering::Relaxed);
    for stream in [&mut page, &mut tail, &mut again] {
        // Until it is closed, which a stream whose sign-in lasts is not.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }
    assert_eq!(ask(gateway.address, "GET", "/live", &stream, "").await.status, 401);
    let cookie = sign_in(&gateway, "viewer").await;
    MINUTES.store(59, Ordering::Relaxed);
    assert_eq!(ask(gateway.address, "GET", "/flow", &cookie, "").await.status, 200);
    MINUTES.store(88, Ordering::Relaxed);
    assert_eq!(ask(gateway.address, "GET", "/flow", &cookie, "").await.status, 200, "what a person does keeps it");
}

#[tokio::test]
async fn a_full_disk_keeps_nobody_from_reading_and_lets_nothing_be_done() {
    let gateway = gateway(|_| {}).await;
    let place = gateway.dir.path().join("audit");
    // A file where the directory was: nobody can write there, whoever runs this test.
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "").unwrap();
    let wrong = post_form(gateway.address, "/login", "", "name=admin&password=wrong+horse").await;
    assert_eq!(wrong.status, 401);
    let cookie = sign_in(&gateway, "admin").await;
    let page = ask(gateway.address, "GET", "/flow", &cookie, "").await;
    assert_eq!(page.status, 200);
    let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").unwrap();
    let headers = format!("{cookie}x-csrf-token: {}\r\n", rest.split('"').next().unwrap());
    let unmasked = post_form(gateway.address, "/unmask", &headers, "reason=a+test").await;
    assert_eq!((unmasked.status, unmasked.header("retry-after")), (503, Some("5")));
    assert!(unmasked.body.starts_with("nothing was done"), "{}", unmasked.body);
    assert_eq!(ask(gateway.address, "GET", "/v1/lists/consent", &headers, "").await.status, 403, "numbers are hidden");
    let token = authorized("everything");
    let path = "/v1/lists/consent/8613800000001";
    assert_eq!(ask(gateway.address, "PUT", path, &token, "").await.status, 503);
    let ready = get(gateway.address, "/readyz").await;
    assert_eq!((ready.status, ready.body.contains("audit log: can't be written")), (200, true), "{}", ready.body);
    assert_eq!(post_form(gateway.address, "/logout", &headers, "").await.status, 303);
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    let listed = ask(gateway.address, "GET", "/v1/lists/consent", &token, "").await;
    assert_eq!(listed.json()["entries"].as_array().unwrap().len(), 0);
    assert_eq!(ask(gateway.address, "PUT", path, &token, "").await.status, 201);
}

#[tokio::test]
async fn a_body_that_is_refused_ends_its_connection() {
    let gateway = gateway(|_| {}).await;
    let body = "x".repeat(20_000);
    for (path, headers) in [("/login", String::new()), ("/v1/reload", authorized("everything"))] {
        let answer = ask(gateway.address, "POST", path, &headers, &body).await;
        assert_eq!((answer.status, answer.header("connection")), (413, Some("close")), "{path}");
    }
}

#[tokio::test]
async fn calls_are_reported_with_a_token_for_that_and_with_no_other() {
    let gateway = gateway(|_| {}).await;
    for (token, admitted) in [("ingest", true), ("read", false), ("operate", false), ("admin.token", false)] {
        let shown = gateway.tokens[token].as_bytes();
        assert_eq!(gateway.access.admits_calls(Some(shown), false), admitted, "{token}");
    }
    assert!(!gateway.access.admits_calls(None, false), "there is a token for it");
    let open = Access::unguarded(Local::Loopback, noon);
    assert_eq!([open.admits_calls(None, false), open.admits_calls(None, true)], [true, false]);
}

#[tokio::test]
async fn whom_the_proxy_names_is_known_and_its_headers_from_elsewhere_are_nobodys() {
    let proxy = |from: &str| Proxy {
        name: "x-remote-user".parse().unwrap(),
        role_header: Some("x-remote-groups".parse().unwrap()),
        role: Role::Viewer,
        from: vec![Network::parse(from).unwrap()],
    };
    let near = gateway(|settings| settings.proxy = Some(proxy("127.0.0.1"))).await;
    let anna = "x-remote-user: anna\r\nx-remote-groups: staff,operator\r\n";
    assert_eq!(ask(near.address, "GET", "/v1/status", anna, "").await.status, 200);
    assert_eq!(ask(near.address, "DELETE", "/v1/database/force", anna, "").await.status, 403, "no token of a form");
    assert_eq!(ask(near.address, "GET", "/flow", "", "").await.status, 303);
    let far = gateway(|settings| settings.proxy = Some(proxy("192.0.2.0/24"))).await;
    assert_eq!(ask(far.address, "GET", "/v1/status", anna, "").await.status, 401);
}

#[tokio::test]
async fn where_nothing_is_set_this_machine_may_everything_but_no_page_of_another_name() {
    let gateway = gateway(|settings| {
        settings.users = None;
        settings.admin_token = None;
    })
    .await;
    assert_eq!(get(gateway.address, "/v1/status").await.status, 200);
    assert_eq!(get(gateway.address, "/flow").await.status, 200);
    let rebound: Answer = ask(gateway.address, "GET", "/v1/status", "x-first: 1\r\n", "").await;
    assert_eq!(rebound.status, 200);
    let link = "sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\n";
    assert_eq!(ask(gateway.address, "GET", "/flow", link, "").await.status, 200, "a link in a wiki leads here");
    assert_eq!(ask(gateway.address, "GET", "/v1/status", link, "").await.status, 401);
    let script = "sec-fetch-site: cross-site\r\nsec-fetch-mode: cors\r\n";
    assert_eq!(ask(gateway.address, "GET", "/flow", script, "").await.status, 303);
    let first = gateway_with_first_admin().await;
    let form = "name=root&password=a+first+password";
    assert_eq!(post_form(first.address, "/login", "", form).await.status, 303);
    assert_eq!(get(first.address, "/v1/status").await.status, 401);
}

async fn gateway_with_first_admin() -> Gateway {
    gateway(|settings| {
        settings.users = None;
        settings.admin_token = None;
        settings.first_admin = Some(("root".to_owned(), Secret::new("a first password".to_owned())));
    })
    .await
}
