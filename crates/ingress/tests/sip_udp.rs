//! The SIP door over a real socket, against messages written by hand: what a switch sees, and what is handed over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingress::sip::{Door, Listen, Peer, Rules, SipSettings, Timers, Transport};
use ingress::{Counts, Offer, Refusal, Stored};
use model::{Numbering, Reason, Timestamp};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for any answer on a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

/// Timers that leave a test alone: nothing is repeated unless the test says so.
fn settings() -> SipSettings {
    let denmark = Numbering::new("45", "", "00");
    let timers = Timers { t1: Duration::from_secs(100), trying_after: Duration::from_secs(100), ..Timers::default() };
    SipSettings { timers, ..SipSettings::new(denmark) }
}

struct Gateway {
    address: SocketAddr,
    offers: mpsc::Receiver<Offer>,
    counts: Arc<Counts>,
    drain: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Gateway {
    async fn start(settings: SipSettings) -> Self {
        Self::with_room(settings, 100).await
    }

    async fn with_room(settings: SipSettings, room: usize) -> Self {
        let listen = Listen { transport: Transport::Udp, address: "127.0.0.1:0".parse().unwrap() };
        let door = Door::bind(SipSettings { listen: vec![listen], ..settings }).await.unwrap();
        let address = door.listens()[0].address;
        let (intake, offers) = mpsc::channel(room);
        let (counts, drain) = (Arc::new(Counts::default()), CancellationToken::new());
        let serving = tokio::spawn(door.serve(intake, now, Arc::clone(&counts), drain.clone()));
        Self { address, offers, counts, drain, serving }
    }

    async fn offer(&mut self) -> Offer {
        tokio::time::timeout(PATIENCE, self.offers.recv()).await.expect("an offer").unwrap()
    }

    /// Stores the next offer, and says what it held.
    async fn store(&mut self) -> Vec<model::MissedCall> {
        let Offer { calls, answer } = self.offer().await;
        answer.send(Stored { duplicate: vec![false; calls.len()] }).unwrap();
        calls
    }
}

struct Switch {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Switch {
    async fn facing(gateway: &Gateway) -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(), gateway: gateway.address }
    }

    async fn send(&self, message: impl AsRef<[u8]>) {
        self.socket.send_to(message.as_ref(), self.gateway).await.unwrap();
    }

    async fn receive(&self) -> String {
        let mut buffer = vec![0; 65_535];
        let length = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await.expect("an answer").unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// The status of the answer to a message.
    async fn ask(&self, message: impl AsRef<[u8]>) -> u16 {
        self.send(message).await;
        status(&self.receive().await)
    }

    /// Proves that nothing else is under way: the answer to a keepalive comes next.
    async fn expect_nothing(&self, branch: &str) {
        let options = request("OPTIONS", &format!("quiet-{branch}"), "");
        let answer = self.answer_to(&options).await;
        assert!(answer.contains("OPTIONS\r\n"), "something else came first: {answer}");
    }

    async fn answer_to(&self, message: &str) -> String {
        self.send(message).await;
        self.receive().await
    }
}

fn status(response: &str) -> u16 {
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

fn request(method: &str, branch: &str, headers: &str) -> String {
    format!(
        "{method} sip:+4591100100@mca SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK{branch}\r\n\
         From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:+4591100100@mca>\r\nCall-ID: {branch}@test\r\nCSeq: 1 {method}\r\n{headers}\r\n"
    )
}

fn invite(branch: &str) -> String {
    request("INVITE", branch, "Diversion: <sip:+4530405060@op>;reason=user-busy\r\n")
}

/// The ACK that a switch sends to a final response: the To of the response, the branch of the INVITE.
fn ack(branch: &str, response: &str) -> String {
    let to = response.lines().find(|line| line.starts_with("To:")).unwrap();
    request("ACK", branch, "").replace("To: <sip:+4591100100@mca>", to)
}

#[tokio::test]
async fn a_call_is_released_with_its_cause_once_it_is_stored() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    let Offer { calls, answer } = gateway.offer().await;
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].called.reveal().as_str(), calls[0].reason, calls[0].at), ("4530405060", Reason::Busy, now()));
    assert_eq!(calls[0].id.as_str(), "sip:a@test");
    switch.expect_nothing("before").await;
    answer.send(Stored { duplicate: vec![false] }).unwrap();
    let response = switch.receive().await;
    assert!(response.starts_with("SIP/2.0 486 Busy Here\r\n"), "{response}");
    assert!(response.contains("\r\nReason: Q.850;cause=17\r\n"));
    let port = switch.socket.local_addr().unwrap().port();
    let via = format!("Via: SIP/2.0/UDP 127.0.0.1;rport={port};branch=z9hG4bKa;received=127.0.0.1\r\n");
    assert!(response.contains(&via), "{response}");
    assert_eq!(gateway.counts.snapshot().sip.accepted, 1);
}

#[tokio::test]
async fn a_repeated_invite_is_one_call() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    for _ in 0..3 {
        switch.send(invite("a")).await;
    }
    switch.expect_nothing("pending").await;
    gateway.store().await;
    let first = switch.receive().await;
    for _ in 0..2 {
        assert_eq!(switch.answer_to(&invite("a")).await, first, "the same final response, To tag and all");
    }
    switch.send(ack("a", &first)).await;
    switch.send(invite("a")).await;
    switch.expect_nothing("acknowledged").await;
    assert!(gateway.offers.try_recv().is_err(), "no second offer");
    assert_eq!(gateway.counts.snapshot().sip.accepted, 1);
}

#[tokio::test]
async fn a_slow_store_gets_the_switch_a_100_and_repeats_of_it() {
    let mut short = settings();
    short.timers.trying_after = Duration::from_millis(10);
    let mut gateway = Gateway::start(short).await;
    let switch = Switch::facing(&gateway).await;
    assert_eq!(switch.ask(invite("a")).await, 100);
    assert_eq!(switch.ask(invite("a")).await, 100);
    assert_eq!(gateway.store().await.len(), 1);
    assert_eq!(status(&switch.receive().await), 486);
}

#[tokio::test]
async fn an_unacknowledged_final_is_repeated_until_the_ack() {
    let mut quick = settings();
    quick.timers.t1 = Duration::from_millis(20);
    let mut gateway = Gateway::start(quick).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    gateway.store().await;
    let first = switch.receive().await;
    assert_eq!(switch.receive().await, first, "timer G");
    assert_eq!(switch.receive().await, first);
    switch.send(ack("a", &first)).await;
    // What was sent before the ACK arrived is still on its way; after the keepalive's answer nothing is.
    switch.send(request("OPTIONS", "quiet", "")).await;
    while switch.receive().await == first {}
    switch.expect_nothing("acknowledged").await;
}

#[tokio::test]
async fn a_cancelled_call_was_missed_all_the_same() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    let offer = gateway.offer().await;
    let cancel = request("CANCEL", "a", "");
    let cancelled = switch.answer_to(&cancel).await;
    assert_eq!(status(&cancelled), 200, "at once");
    assert_eq!(switch.answer_to(&cancel).await, cancelled, "a repeated CANCEL");
    switch.expect_nothing("pending").await;
    offer.answer.send(Stored { duplicate: vec![false] }).unwrap();
    let terminated = switch.receive().await;
    assert_eq!(status(&terminated), 487, "once it is stored");
    let to = |response: &str| response.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
    assert_eq!(to(&terminated), to(&cancelled));
    switch.send(ack("a", &terminated)).await;
    switch.expect_nothing("stored").await;
    assert_eq!(gateway.counts.snapshot().sip.accepted, 1);
}

#[tokio::test]
async fn a_cancelled_call_that_cannot_be_stored_may_come_again() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    let offer = gateway.offer().await;
    assert_eq!(switch.ask(request("CANCEL", "a", "")).await, 200);
    drop(offer);
    let refused = switch.receive().await;
    assert!(refused.starts_with("SIP/2.0 503 ") && refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");
    assert_eq!(gateway.counts.snapshot().sip.unavailable, 1);
}

#[tokio::test]
async fn a_cancel_after_the_final_changes_nothing_and_one_of_nothing_is_a_481() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    gateway.store().await;
    let released = switch.receive().await;
    assert_eq!(switch.ask(request("CANCEL", "a", "")).await, 200);
    assert_eq!(switch.answer_to(&invite("a")).await, released);
    assert_eq!(switch.ask(request("CANCEL", "never", "")).await, 481);
}

#[tokio::test]
async fn options_are_answered_for_keepalives() {
    let gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let response = switch.answer_to(&request("OPTIONS", "a", "")).await;
    assert_eq!(status(&response), 200);
    for header in ["Allow: INVITE, ACK, CANCEL, OPTIONS\r\n", "Accept: application/sdp", "Supported: histinfo\r\n"] {
        assert!(response.contains(header), "{response}");
    }
}

#[tokio::test]
async fn without_rport_the_answer_goes_to_the_port_of_sent_by() {
    let gateway = Gateway::start(settings()).await;
    let sender = Switch::facing(&gateway).await;
    let listener = Switch::facing(&gateway).await;
    let port = listener.socket.local_addr().unwrap().port();
    let options = request("OPTIONS", "a", "").replace("127.0.0.1;rport", &format!("switch.example:{port}"));
    sender.send(options).await;
    let response = listener.receive().await;
    let via = format!("Via: SIP/2.0/UDP switch.example:{port};branch=z9hG4bKa;received=127.0.0.1\r\n");
    assert!(response.contains(&via), "{response}");
}

#[tokio::test]
async fn what_can_not_be_used_is_refused_with_its_status_and_counted() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let good = |branch: &str| invite(branch);
    for (message, expected, refusal) in [
        (request("INVITE", "1", ""), 404, Refusal::NoCalled),
        (request("INVITE", "2", "Diversion: <sip:3@x>\r\n"), 484, Refusal::CalledOutsidePlan),
        (good("3").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505, Refusal::Version),
        (good("4").replace("sip:+4591100100@mca SIP", "http:x SIP"), 416, Refusal::Scheme),
        (good("5").replace("CSeq: 1", "CSeq: one"), 400, Refusal::Unreadable),
        (good("6").replace("Call-ID: 6@test", "Call-ID: 6@test\r\nCall-ID: 7@test"), 400, Refusal::Unreadable),
        (good("7").replace("To: <sip:+4591100100@mca>", "To: <sip:+4591100100@mca>;tag=x"), 481, Refusal::NoDialog),
        (good("8").replace("branch=", ";,;,,branch="), 400, Refusal::Unreadable),
        (good("9").replace("CSeq", "Require: 100rel, holodeck\r\nCSeq"), 420, Refusal::Extension),
        (request("BYE", "10", ""), 481, Refusal::NoDialog),
        (request("REGISTER", "11", ""), 405, Refusal::Method),
        (request("JUMP", "12", ""), 501, Refusal::Method),
        (
            good("13").replace("CSeq", &format!("Via: SIP/2.0/UDP {}\r\nCSeq", "x".repeat(9_000))),
            513,
            Refusal::TooLarge,
        ),
        (good("14").replace("CSeq", "Content-Length: 5\r\nCSeq"), 400, Refusal::Unreadable),
    ] {
        let before = gateway.counts.snapshot().sip.refused_for(refusal);
        let response = switch.answer_to(&message).await;
        assert_eq!(status(&response), expected, "{message}\n{response}");
        assert_eq!(gateway.counts.snapshot().sip.refused_for(refusal), before + 1, "{message}");
        match expected {
            404 => assert!(
                response.contains("Reason: Q.850;cause=1\r\n") && response.contains("Warning: 399 "),
                "{response}"
            ),
            405 => assert!(response.contains("\r\nAllow: INVITE"), "{response}"),
            420 => assert!(response.contains("\r\nUnsupported: holodeck\r\n"), "{response}"),
            _ => {}
        }
    }
    assert!(gateway.offers.try_recv().is_err());
}

#[tokio::test]
async fn extensions_that_a_release_satisfies_lose_no_call() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let required =
        "Require: 100rel, precondition, Timer\r\nRequire: histinfo,resource-priority,199,replaces,from-change\r\nCSeq";
    switch.send(invite("a").replace("CSeq", required)).await;
    gateway.store().await;
    assert_eq!(status(&switch.receive().await), 486);
}

#[tokio::test]
async fn noise_is_not_answered() {
    let gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let no_via = invite("a").replace("Via:", "Nothing:");
    for noise in [
        &b""[..],
        b"\r\n\r\n",
        b"\0",
        b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl",
        b"SIP/2.0 200 OK\r\n\r\n",
        no_via.as_bytes(),
        b"hello",
    ] {
        switch.send(noise).await;
    }
    switch.send(ack("a", "To: <sip:x@y>;tag=z")).await;
    switch.expect_nothing("noise").await;
    assert_eq!(gateway.counts.snapshot().sip.refused_for(Refusal::Unreadable), 2, "no Via, and not SIP");
}

#[tokio::test]
async fn strangers_are_refused_and_peers_trusted_as_far_as_they_are() {
    let peer = |network: &str, trusted| {
        let rules = Rules { trusted, ..settings().peers[0].rules.clone() };
        Peer::new(network, vec![network.parse().unwrap()], rules)
    };
    let stranger = peer("192.0.2.0/24", true);
    let mut gateway = Gateway::start(SipSettings { peers: vec![stranger.clone()], ..settings() }).await;
    let switch = Switch::facing(&gateway).await;
    assert_eq!(switch.ask(invite("a")).await, 403);
    assert_eq!(switch.ask(request("OPTIONS", "b", "")).await, 403);
    assert_eq!(gateway.counts.snapshot().sip.refused_for(Refusal::NotAPeer), 2);
    assert!(gateway.offers.try_recv().is_err());

    for (trusted, caller) in [(true, "4520888888"), (false, "4520112233")] {
        let peer = peer("127.0.0.0/8", trusted);
        let mut gateway = Gateway::start(SipSettings { peers: vec![stranger.clone(), peer], ..settings() }).await;
        let switch = Switch::facing(&gateway).await;
        switch.send(invite("a").replace("CSeq", "P-Asserted-Identity: <tel:+4520888888>\r\nCSeq")).await;
        let calls = gateway.store().await;
        assert!(matches!(&calls[0].caller, model::Caller::Number(number) if number.reveal() == caller));
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_stored_may_come_again_by_another_way() {
    let mut gateway = Gateway::start(SipSettings { answer_timeout: Duration::from_millis(50), ..settings() }).await;
    let switch = Switch::facing(&gateway).await;
    let again = |branch: &str| invite("a").replace("branch=z9hG4bKa", &format!("branch=z9hG4bK{branch}"));

    switch.send(again("1")).await;
    drop(gateway.offer().await);
    let refused = switch.receive().await;
    assert!(refused.starts_with("SIP/2.0 503 ") && refused.contains("\r\nRetry-After: 1\r\n"), "{refused}");

    switch.send(again("2")).await;
    let kept = gateway.offer().await;
    assert_eq!(status(&switch.receive().await), 503, "no answer in time");
    drop(kept);

    switch.send(again("3")).await;
    gateway.store().await;
    assert_eq!(status(&switch.receive().await), 486);
    assert_eq!(switch.ask(again("4")).await, 482, "merged: it is stored already");
    let counted = gateway.counts.snapshot().sip;
    assert_eq!((counted.accepted, counted.unavailable, counted.refused_for(Refusal::Merged)), (1, 2, 1));
}

#[tokio::test]
async fn a_full_hand_over_is_a_503_at_once() {
    let mut gateway = Gateway::with_room(settings(), 1).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    while gateway.offers.is_empty() {
        tokio::task::yield_now().await;
    }
    let busy = switch.answer_to(&invite("b")).await;
    assert!(busy.starts_with("SIP/2.0 503 ") && busy.contains("\r\nRetry-After: 1\r\n"), "{busy}");
    assert_eq!(gateway.counts.snapshot().sip.busy, 1);
    gateway.store().await;
    assert_eq!(status(&switch.receive().await), 486);
}

#[tokio::test]
async fn a_store_that_hesitates_turns_nobody_away() {
    let mut gateway = Gateway::with_room(settings(), 20).await;
    let switch = Switch::facing(&gateway).await;
    // Each comes by itself, so that each would be an offer; their answers fit into the switch's socket.
    for call in 0..100 {
        switch.send(invite(&call.to_string())).await;
        switch.expect_nothing(&call.to_string()).await;
    }
    let mut stored = 0;
    while stored < 100 {
        stored += gateway.store().await.len();
    }
    for _ in 0..100 {
        assert_eq!(status(&switch.receive().await), 486);
    }
    let counted = gateway.counts.snapshot().sip;
    assert_eq!((counted.accepted, counted.busy), (100, 0));
}

#[tokio::test]
async fn calls_that_gathered_wait_no_longer_than_others() {
    let timeout = Duration::from_secs(1);
    let gateway = Gateway::start(SipSettings { answer_timeout: timeout, ..settings() }).await;
    let switch = Switch::facing(&gateway).await;
    let start = std::time::Instant::now();
    for call in 0..100 {
        switch.send(invite(&call.to_string())).await;
        switch.expect_nothing(&call.to_string()).await;
    }
    let sent = start.elapsed();
    for _ in 0..100 {
        assert_eq!(status(&switch.receive().await), 503);
    }
    assert!(start.elapsed() < sent + timeout * 3 / 2, "what gathered is not given the time of an offer once more");
}

#[tokio::test]
async fn the_same_call_by_two_forwardings_is_stored_once_and_answered_twice() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let charged = |branch: &str| invite(branch).replace("CSeq", "P-Charging-Vector: icid-value=one\r\nCSeq");
    switch.send(charged("a")).await;
    let calls = gateway.store().await;
    switch.send(charged("b")).await;
    let Offer { calls: second, answer } = gateway.offer().await;
    answer.send(Stored { duplicate: vec![true] }).unwrap();
    assert_eq!(calls, second, "the store knows them by id and called number");
    assert_eq!([status(&switch.receive().await), status(&switch.receive().await)], [486, 486]);
    let counted = gateway.counts.snapshot().sip;
    assert_eq!((counted.accepted, counted.duplicate), (1, 1));
}

#[tokio::test]
async fn draining_answers_those_who_wait_and_turns_the_others_away() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    switch.send(invite("a")).await;
    let offer = gateway.offer().await;
    gateway.drain.cancel();
    // The order in which the drain and a datagram are seen is open: ask until it has been seen.
    for attempt in 0.. {
        if switch.ask(request("OPTIONS", &format!("o{attempt}"), "")).await == 503 {
            break;
        }
    }
    let away = switch.answer_to(&invite("b")).await;
    assert!(away.starts_with("SIP/2.0 503 ") && away.contains("\r\nRetry-After: 10\r\n"), "{away}");
    // No ACK for that one: a busy switch must not keep the gateway from ending.
    offer.answer.send(Stored { duplicate: vec![false] }).unwrap();
    let released = switch.receive().await;
    assert_eq!(status(&released), 486);
    assert!(!gateway.serving.is_finished());
    switch.send(ack("a", &released)).await;
    tokio::time::timeout(PATIENCE, gateway.serving).await.expect("it ends").unwrap().unwrap();
}

#[tokio::test]
async fn a_large_invite_is_read_whole() {
    let mut gateway = Gateway::start(settings()).await;
    let switch = Switch::facing(&gateway).await;
    let body = "x".repeat(40_000);
    let large = invite("a").replace("CSeq", &format!("Content-Length: {}\r\nCSeq", body.len())) + &body;
    switch.send(large).await;
    gateway.store().await;
    assert_eq!(status(&switch.receive().await), 486);
}
