//! The console's pages about people, one call and the live tail, over a real socket.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use console::{Operators, router};
use model::{
    CallId, Caller, MissedCall, Msisdn, Reason, Reply, ShortNumber, SmscName, Source, SubmitOutcome, Timestamp,
};
use routing::text::Texts;
use routing::{Database, Event, List, Policy, Ranges, Service, Subscriber, SubscriberStatus};
use store::{Context, Embedded, EmbeddedSettings, HandOver, Outcome, Store as _};
use support::{Answer, get, open, post_form, read_until, serve};
use tokio::sync::broadcast;

/// What the SMSC calls the message: digits, as many as a number has.
const MESSAGE_ID: &str = "4711000012345";
const CALLED: &str = "8613700000001";
const CALLER: &str = "8613711112222";

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T04:00:00Z").unwrap()
}

fn policy() -> Policy {
    let ranges = Ranges::parse("north=8613700000000-8613700999999:3").unwrap();
    Policy { ranges, ..Policy::new(Service::new(ShortNumber::parse("12599").unwrap()), Texts::shipped().unwrap()) }
}

fn number(digits: &str) -> Msisdn {
    Msisdn::international(digits).unwrap()
}

struct Gateway {
    address: SocketAddr,
    store: HandOver,
    live: broadcast::Sender<Arc<Vec<Outcome>>>,
    _dir: tempfile::TempDir,
}

fn gateway() -> impl Future<Output = Gateway> {
    gateway_with(|_| {})
}

async fn gateway_with(change: impl FnOnce(&mut Operators)) -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let settings = EmbeddedSettings::new(dir.path().to_owned(), Duration::from_secs(86_400));
    let store = HandOver::alone(Embedded::open(settings, noon()).unwrap());
    let mut operators = support::operators(store.clone(), policy(), noon);
    change(&mut operators);
    let live = operators.live.clone();
    Gateway { address: serve(router(operators)).await, store, live, _dir: dir }
}

fn call(id: &str) -> Event {
    Event::Call(MissedCall {
        id: CallId::parse(id).unwrap(),
        caller: Caller::Number(number(CALLER)),
        called: number(CALLED),
        at: noon(),
        reason: Reason::Busy,
        service_number: None,
        source: Source::Sip,
    })
}

impl Gateway {
    /// Decides events, and tells the live tail.
    async fn decide(&self, events: Vec<Event>) -> Vec<Outcome> {
        let wanted = events.len();
        self.store.local().append(events).await.unwrap();
        // They may be handed out one by one. Where none is given, something that follows of earlier ones is awaited.
        let mut batch = self.store.local().next(1_000).await;
        while batch.len() < wanted {
            batch.extend(self.store.local().next(1_000).await);
        }
        let settled = self.store.settle(batch, context()).await.unwrap();
        drop(self.live.send(Arc::new(settled.outcomes.clone())));
        settled.outcomes
    }

    /// Sends what is queued; the SMSC takes it.
    async fn send(&self) {
        let submits = self.store.lease(10, &context()).await.unwrap();
        let taken = |attempt, alert| Event::Submitted {
            alert,
            attempt,
            outcome: SubmitOutcome::Accepted { smsc: SmscName("north".into()), message_ids: vec![MESSAGE_ID.into()] },
        };
        self.decide(submits.iter().map(|submit| taken(submit.attempt, submit.alert)).collect()).await;
    }

    async fn page(&self, path: &str) -> Answer {
        let answer = get(self.address, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// The address of the person's page.
    async fn find(&self) -> String {
        let found = post_form(self.address, "/people", "", "number=137+0000+0001").await;
        assert_eq!(found.status, 303, "{}", found.body);
        found.header("location").unwrap().to_owned()
    }

    /// Submits one of the person's forms; the page that it leads to, and its address.
    async fn act(&self, action: &str, form: &str) -> (String, String) {
        let here = self.find().await;
        let done = post_form(self.address, &format!("{here}/{action}"), "", form).await;
        assert_eq!(done.status, 303, "{action}: {}", done.body);
        let to = done.header("location").unwrap().to_owned();
        let page = self.page(&to).await.body;
        (to.rsplit('?').next().unwrap().to_owned(), page)
    }
}

fn context() -> Context {
    Context { policy: Arc::new(policy()), database: Database::Normal, now: noon() }
}

#[tokio::test]
async fn no_page_and_no_file_and_no_address_holds_a_number() {
    let gateway = gateway().await;
    gateway.store.put_subscriber(Subscriber::new(number(CALLED), noon())).await.unwrap();
    let seq = gateway.decide(vec![call("sip:8613711112222@core")]).await[0].seq.0;
    gateway.send().await;
    let reply = Reply {
        from: number(CALLED),
        to: "12599".into(),
        text: "COPY 137 1111-2222".into(),
        part: None,
        smsc: SmscName("north".into()),
        at: noon(),
    };
    gateway.decide(vec![Event::Reply(reply)]).await;
    let here = gateway.find().await;
    let paths = [
        "/tail".to_owned(),
        "/tail?format=json".to_owned(),
        "/tail?format=csv".to_owned(),
        "/people".to_owned(),
        here.clone(),
        format!("{here}?format=json"),
        format!("{here}?format=csv"),
        format!("{here}/calls/{seq}"),
        format!("{here}/calls/{seq}?lang=zh"),
        format!("{here}/calls/{seq}?format=json"),
    ];
    for path in paths {
        let answer = gateway.page(&path).await;
        let plain: String = answer.body.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
        for digits in ["13700000001", "13711112222"] {
            assert!(!plain.contains(digits) && !path.contains(digits), "{path}: {}", answer.body);
        }
    }
    let page = gateway.page(&format!("{here}/calls/{seq}")).await.body;
    assert!(page.contains(MESSAGE_ID), "what the SMSC calls a message is no number of a person: {page}");
    let page = gateway.page(&here).await.body;
    assert!(page.contains("86*********01") && page.contains("86*********22"), "{page}");
    assert!(page.contains("1 call today: it was alerted at 04:00 (at the SMSC, not on the phone yet)."), "{page}");
    let ladder = gateway.page(&format!("{here}/calls/{seq}?format=json")).await.json();
    let steps: Vec<&str> =
        ladder["ladder"].as_array().unwrap().iter().map(|rung| rung["what"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        ["missed call", "Told: who called, when, how often", "SMS written", "submitted", "taken", "reply"]
    );
}

#[tokio::test]
async fn people_are_found_by_their_number_and_by_nothing_else() {
    let gateway = gateway().await;
    gateway.store.put_subscriber(Subscriber::new(number(CALLED), noon())).await.unwrap();
    let here = gateway.find().await;
    assert_eq!(here, gateway.find().await, "an address stays the same");
    for path in ["/people/nobody", &format!("{here}/calls/7"), &format!("{}0", &here[..here.len() - 1])] {
        let answer = get(gateway.address, path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let by_digits = post_form(gateway.address, "/people", "", "number=0001").await;
    assert_eq!(by_digits.status, 200);
    assert!(
        by_digits.body.contains("1 found whose numbers end in 0001, among 1 registered people"),
        "{}",
        by_digits.body
    );
    assert!(by_digits.body.contains(&here), "{}", by_digits.body);
    gateway.decide(vec![call("a")]).await;
    let none = post_form(gateway.address, "/people", "", "number=nobody").await;
    assert!(none.body.contains("That is no number"), "{}", none.body);
}

#[tokio::test]
async fn actions_do_what_they_say_and_say_what_they_did() {
    let gateway = gateway().await;
    let known = async || gateway.store.subscriber(number(CALLED)).await.unwrap();
    for (action, form, said, text) in [
        ("pause", "reason=asked&hours=8", "fault=not_registered", "is not registered."),
        ("register", "reason=", "fault=reason", "give a reason"),
        ("register", "reason=asked", "done=registered", "Registered."),
        ("register", "reason=asked", "done=unchanged", "it was so already"),
        ("pause", "reason=asked&hours=0", "fault=hours", "1 to 720 hours"),
        ("pause", "reason=asked&hours=8", "done=paused", "Paused: calls are held"),
        ("suspend", "reason=arrears", "done=suspended", "Suspended"),
        ("language", "reason=asked&language=zh-CN", "done=language", "The language is set"),
        ("language", "reason=asked&language=!", "fault=language", "give a language"),
        ("list", "reason=asked&list=do_not_contact&put=on", "done=listed", "On the list."),
        ("list", "reason=asked&list=dance&put=on", "fault=list", "no such list"),
    ] {
        let (to, page) = gateway.act(action, form).await;
        assert_eq!(to, said, "{action} {form}");
        assert!(page.contains(text), "{action}: {page}");
    }
    let subscriber = known().await.unwrap();
    assert_eq!(subscriber.status, SubscriberStatus::Suspended);
    assert_eq!(subscriber.paused_until, Some(noon() + Duration::from_secs(8 * 3_600)));
    assert_eq!(subscriber.language.map(|language| language.to_string()), Some("zh-CN".to_owned()));
    let lists: Vec<List> =
        gateway.store.entries_of(number(CALLED)).await.unwrap().into_iter().map(|entry| entry.list).collect();
    assert_eq!(lists, [List::DoNotContact]);
    gateway.act("activate", "reason=paid").await;
    gateway.act("resume", "reason=asked").await;
    let subscriber = known().await.unwrap();
    assert_eq!((subscriber.status, subscriber.paused_until), (SubscriberStatus::Active, None));
    assert_eq!(gateway.act("list", "reason=asked&list=do_not_contact&put=off").await.0, "done=unlisted");
    assert_eq!(gateway.act("unregister", "reason=asked").await.0, "done=unregistered");
    assert_eq!(known().await, None);
    let here = gateway.find().await;
    let unknown = post_form(gateway.address, &format!("{here}/dance"), "", "reason=asked").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_resumed_person_is_told_at_once_what_was_held() {
    let gateway = gateway().await;
    gateway.act("register", "reason=asked").await;
    gateway.act("pause", "reason=asked&hours=8").await;
    // The look that a pause asks for, before anything else is handed out.
    assert_eq!(gateway.decide(Vec::new()).await.len(), 1);
    let held = gateway.decide(vec![call("a")]).await;
    assert_eq!(held[0].verdict.words(), ("held", "paused"));
    gateway.act("resume", "reason=asked").await;
    let told = gateway.decide(Vec::new()).await;
    assert_eq!(told.iter().map(|outcome| outcome.verdict.words()).collect::<Vec<_>>(), [("send", "detail")]);
}

#[tokio::test]
async fn forgetting_asks_twice_and_exporting_says_everything() {
    let gateway = gateway().await;
    gateway.store.put_subscriber(Subscriber::new(number(CALLED), noon())).await.unwrap();
    gateway.decide(vec![call("a")]).await;
    let here = gateway.find().await;
    let file = post_form(gateway.address, &format!("{here}/export"), "", "reason=asked+by+the+person").await;
    assert_eq!((file.status, file.json()["events"].as_array().map(Vec::len)), (200, Some(1)));
    assert!(file.header("content-disposition").unwrap().contains("attachment"));
    for (form, said) in [
        ("reason=asked", "fault=confirm"),
        ("reason=asked&confirm=22", "fault=confirm"),
        ("confirm=01", "fault=reason"),
        ("reason=asked&confirm=01", "done=forgotten"),
    ] {
        assert_eq!(gateway.act("forget", form).await.0, said, "{form}");
    }
    assert_eq!(gateway.store.subscriber(number(CALLED)).await.unwrap(), None);
    assert!(gateway.store.timeline(number(CALLED), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_tail_tells_what_the_filter_wants() {
    let gateway = gateway().await;
    let mut all = open(gateway.address, "GET", "/v1/tail", "", "").await;
    let mut sent = open(gateway.address, "GET", "/v1/tail?verdict=send&range=north&digits=0001", "", "").await;
    read_until(&mut all, "text/event-stream").await;
    read_until(&mut sent, "text/event-stream").await;
    wait_for_followers(&gateway.live, 3).await;
    let outcomes = gateway.decide(vec![call("a"), call("b")]).await;
    let (first, second) = (outcomes[0].seq.0, outcomes[1].seq.0);
    assert_ne!(outcomes[1].verdict.words().0, "send");
    let told = within(read_until(&mut all, &format!("\"seq\":{second},"))).await;
    let says =
        "\"event\":\"call\",\"called\":\"+8613700000001\",\"range\":\"north\",\"verdict\":\"send\",\"why\":\"teaser\"";
    assert!(told.contains(says), "{told}");
    let mut other = call("c");
    if let Event::Call(call) = &mut other {
        call.called = number("8613700990001");
    }
    let third = gateway.decide(vec![other]).await[0].seq.0;
    let told = within(read_until(&mut sent, &format!("\"seq\":{third},"))).await;
    assert!(told.contains(&format!("\"seq\":{first},")), "{told}");
    assert!(!told.contains(&format!("\"seq\":{second},")), "{told}");
    for wrong in ["event=dance", "digits=01", "kind=x"] {
        let answer = get(gateway.address, &format!("/v1/tail?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    let page = gateway.page("/tail?verdict=nothing").await.body;
    assert!(page.contains("Nothing yet."), "{page}");
}

#[tokio::test]
async fn the_tail_says_how_many_it_does_not_show() {
    let gateway = gateway().await;
    let mut page = open(gateway.address, "GET", "/tail/events", "", "").await;
    let mut program = open(gateway.address, "GET", "/v1/tail", "", "").await;
    read_until(&mut page, "tail-told").await;
    read_until(&mut program, "text/event-stream").await;
    wait_for_followers(&gateway.live, 3).await;
    let mut outcomes = gateway.decide(vec![call("a")]).await;
    let one = outcomes.remove(0);
    // More than one look shows, and in one batch.
    drop(gateway.live.send(Arc::new(vec![one.clone(); 200])));
    let told = within(read_until(&mut page, "not shown")).await;
    assert!(told.contains("not shown: at most 20 a second are"), "{told}");
    within(read_until(&mut program, "\"not_shown\":")).await;
}

/// What must come comes within this; on a busy machine late.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

/// Waits until so many listen: what is sent before is not heard.
async fn wait_for_followers(live: &broadcast::Sender<Arc<Vec<Outcome>>>, count: usize) {
    let listen = async {
        while live.receiver_count() < count {
            tokio::task::yield_now().await;
        }
    };
    within(listen).await;
}
