//! The phones page over a real socket, with a gateway that is only a channel.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use console::phones::{
    Counts, DatabaseView, Happening, Label, LogLine, MessageView, PhoneCaller, PhoneCommand, PhoneView, PhonesHandle,
    PhonesView, REPLY_LONGEST, Role, Scene,
};
use model::{Kind, Msisdn, Reason, Timestamp};
use routing::{NothingWhy, Verdict};
use support::{ask, get, open, post_form, read_until, serve};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{mpsc, watch};

const ONE: &str = "8613900000001";
const THREE: &str = "8613800000003";

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

fn number(digits: &str) -> Msisdn {
    Msisdn::international(digits).unwrap()
}

fn phone(digits: &str, en: &str, zh: &str, role: Role) -> PhoneView {
    PhoneView {
        number: number(digits),
        name: Label { zh: zh.into(), en: en.into() },
        role,
        on: true,
        pending: 0,
        messages: Vec::new(),
        last_decision: None,
    }
}

fn two_phones() -> PhonesView {
    PhonesView {
        service: "12599".into(),
        time_zone: "Asia/Shanghai".into(),
        phones: vec![
            phone(ONE, "Phone 1", "手机一", Role::Subscriber),
            phone(THREE, "Phone 3", "手机三", Role::Prospect),
        ],
        database: DatabaseView { abnormal: false, since: noon() },
        ..PhonesView::default()
    }
}

struct Demo {
    address: SocketAddr,
    commands: mpsc::Receiver<PhoneCommand>,
    view: watch::Sender<Arc<PhonesView>>,
}

async fn demo(view: PhonesView, room: usize) -> Demo {
    let (sender, commands) = mpsc::channel(room);
    let (view, shown) = watch::channel(Arc::new(view));
    let router = console::phones::router(PhonesHandle { commands: sender, view: shown }, noon).merge(console::assets());
    Demo { address: serve(router).await, commands, view }
}

#[tokio::test]
async fn the_page_shows_every_phone_in_the_language_asked_for() {
    let mut view = two_phones();
    view.phones[0].messages.push(MessageView {
        id: 7,
        incoming: true,
        from: "12599".into(),
        text: "1 missed call:\n<b>+8613800000003</b>".into(),
        at: noon(),
        kind: Some(Kind::Detail),
    });
    view.phones[1].last_decision = Some(Verdict::Nothing(NothingWhy::OutsideRanges));
    let demo = demo(view, 1).await;
    let page = get(demo.address, "/phones").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<html lang=\"en\">"));
    for text in ["Phone 1", "+86 139 0000 0001", "Not told: outside every number range", "full list", "12:00:00"] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(page.body.contains("1 missed call:\n&#60;b&#62;"), "texts are escaped");
    let page = ask(demo.address, "GET", "/phones", "accept-language: zh-CN\r\n", "").await;
    assert!(page.body.contains("<html lang=\"zh-CN\">") && page.body.contains("手机一"));
    assert!(get(demo.address, "/phones?lang=zh").await.body.contains("未通知：不在任何号段内"));
}

#[tokio::test]
async fn nothing_inline_is_needed_under_the_strict_policy() {
    let demo = demo(two_phones(), 1).await;
    let page = get(demo.address, "/phones").await;
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self';"));
    assert!(!page.body.contains(" style=") && !page.body.contains("<style") && !page.body.contains(" onclick="));
    for script in page.body.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/assets/"), "{}", &script[..40]);
    }
}

#[tokio::test]
async fn forms_become_commands() {
    let mut demo = demo(two_phones(), 8).await;
    for (path, form, command) in [
        (
            "call",
            format!("called={ONE}&caller={THREE}&reason=busy&lang=zh"),
            PhoneCommand::Call { called: number(ONE), caller: PhoneCaller::Phone(number(THREE)), reason: Reason::Busy },
        ),
        (
            "call",
            format!("called={ONE}&caller=withheld&reason=unreachable"),
            PhoneCommand::Call { called: number(ONE), caller: PhoneCaller::Withheld, reason: Reason::Unreachable },
        ),
        (
            "reply",
            format!("from={THREE}&text=+%E6%9F%A5+"),
            PhoneCommand::Reply { from: number(THREE), text: "查".into() },
        ),
        ("switch", format!("number={THREE}&on=false"), PhoneCommand::Switch { number: number(THREE), on: false }),
        ("database", "abnormal=true".into(), PhoneCommand::Database { abnormal: true }),
        ("scene", "scene=notify".into(), PhoneCommand::Scene(Scene::Notify)),
    ] {
        let answer = post_form(demo.address, &format!("/phones/{path}"), "hx-request: true\r\n", &form).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path} {form}");
        assert_eq!(demo.commands.recv().await, Some(command));
    }
}

#[tokio::test]
async fn without_scripts_a_form_leads_back_to_its_phone() {
    let demo = demo(two_phones(), 8).await;
    let answer =
        post_form(demo.address, "/phones/call", "", &format!("called={ONE}&caller=withheld&reason=busy&lang=zh")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), Some("/phones?lang=zh#phone-8613900000001"));
}

#[tokio::test]
async fn forms_that_make_no_sense_are_refused() {
    let mut view = two_phones();
    view.phones[1].on = false;
    let mut demo = demo(view, 8).await;
    let long = "x".repeat(REPLY_LONGEST + 1);
    for (path, form, status, says) in [
        ("call", "called=8613911112222&caller=withheld&reason=busy".to_owned(), 400, "no such phone"),
        ("call", format!("called={ONE}&caller={ONE}&reason=busy"), 400, "call itself"),
        ("call", format!("called={ONE}&caller=withheld&reason=tired"), 400, "the reason is none of"),
        ("call", format!("called={ONE}"), 400, "can't be read"),
        ("call", format!("called={ONE}&caller=withheld&reason=busy&more=1"), 400, "can't be read"),
        ("reply", format!("from={ONE}&text=+++"), 400, "1 to 134"),
        ("reply", format!("from={ONE}&text={long}"), 400, "1 to 134"),
        ("reply", format!("from={THREE}&text=C"), 409, "switched off"),
        ("switch", format!("number={ONE}&on=maybe"), 400, "can't be read"),
        ("scene", "scene=goodbye".to_owned(), 400, "no such scene"),
    ] {
        let answer = post_form(demo.address, &format!("/phones/{path}"), "", &form).await;
        assert_eq!(answer.status, status, "{path} {form}");
        assert!(answer.body.contains(says), "{}", answer.body);
    }
    let foreign = post_form(demo.address, "/phones/database", "sec-fetch-site: cross-site\r\n", "abnormal=true").await;
    assert_eq!(foreign.status, 403);
    assert!(demo.commands.try_recv().is_err(), "nothing got through");
}

#[tokio::test]
async fn a_gateway_that_cannot_keep_up_is_not_waited_for() {
    let mut demo = demo(two_phones(), 1).await;
    let (path, form) = ("/phones/database", "abnormal=true");
    assert_eq!(post_form(demo.address, path, "hx-request: true\r\n", form).await.status, 204);
    assert_eq!(post_form(demo.address, path, "hx-request: true\r\n", form).await.status, 503);
    demo.commands.close();
    assert_eq!(post_form(demo.address, path, "hx-request: true\r\n", form).await.status, 503);
}

#[tokio::test]
async fn viewers_get_everything_once_and_then_only_what_changed() {
    let demo = demo(two_phones(), 1).await;
    let mut stream = open(demo.address, "GET", "/phones/events?lang=en", "", "").await;
    let first = read_until(&mut stream, "\n\n").await;
    for id in ["tour", "database", "counts", "log", "news", "head-8613900000001", "screen-8613800000003"] {
        assert!(first.contains(&format!("<hx-partial hx-target=\"#{id}\" hx-swap=\"innerMorph\">")), "{id}");
    }
    demo.view.send_modify(|view| Arc::make_mut(view).phones[1].last_decision = Some(Verdict::Send(Kind::Teaser)));
    let second = read_until(&mut stream, "\n\n").await;
    assert_eq!(second.matches("<hx-partial").count(), 1);
    assert!(second.contains("#verdict-8613800000003") && second.contains("Told: there was a call"));
}

#[tokio::test]
async fn streams_end_with_the_demo() {
    let demo = demo(two_phones(), 1).await;
    let mut stream = open(demo.address, "GET", "/phones/events", "", "").await;
    read_until(&mut stream, "hx-partial").await;
    drop(demo.view);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn the_tour_goes_on_by_what_happened() {
    let broke = |id, abnormal| LogLine { id, at: noon(), phone: None, what: Happening::Database { abnormal } };
    for (counts, log, step) in [
        (Counts::default(), vec![], 1),
        (Counts { detail: 1, ..Counts::default() }, vec![], 2),
        (Counts { detail: 1, replies: 1, ..Counts::default() }, vec![], 3),
        (Counts { detail: 1, replies: 1, ..Counts::default() }, vec![broke(1, true), broke(2, false)], 4),
        (Counts { detail: 1, replies: 1, fallback: 1, ..Counts::default() }, vec![], 5),
        (Counts { fallback: 1, ..Counts::default() }, vec![], 1),
    ] {
        let demo = demo(PhonesView { counts, log, ..two_phones() }, 1).await;
        let page = get(demo.address, "/phones").await.body;
        assert!(page.contains(&format!("data-step=\"{step}\"")), "{counts:?}");
    }
}

#[tokio::test]
async fn a_phone_that_is_off_tells_what_waits_for_it() {
    let mut view = two_phones();
    view.phones[0].on = false;
    view.phones[0].pending = 2;
    let demo = demo(view, 1).await;
    let page = get(demo.address, "/phones?lang=en").await.body;
    assert!(page.contains("2 waiting at the SMSC") && page.contains("aria-checked=\"false\""));
    assert!(get(demo.address, "/phones?lang=zh").await.body.contains("2 条短信在短信中心等待"));
}

#[tokio::test]
async fn assets_are_served_once() {
    let demo = demo(two_phones(), 1).await;
    let page = get(demo.address, "/phones").await.body;
    let named: Vec<&str> = page.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        let path = format!("/assets/{name}");
        let answer = get(demo.address, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        let etag = answer.header("etag").unwrap().to_owned();
        let again = ask(demo.address, "GET", &path, &format!("if-none-match: {etag}\r\n"), "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
    }
    for path in ["/assets/README.md", "/assets/..%2fCargo.toml", "/assets/none.css"] {
        assert_eq!(get(demo.address, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn vendored_scripts_are_what_their_list_says() {
    let demo = demo(two_phones(), 1).await;
    let list = include_str!("../assets/README.md");
    for name in ["htmx.min.js", "hx-sse.min.js", "uplot.min.js", "uplot.min.css"] {
        // The validator of an asset is its SHA-256.
        let answer = get(demo.address, &format!("/assets/{name}")).await;
        let sum = answer.header("etag").unwrap().trim_matches('"').to_owned();
        let row = list.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        assert!(row.contains(&sum), "{name} has {sum}");
    }
}
