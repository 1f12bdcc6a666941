//! What becomes of orders, over the wire.

use std::time::Duration;

use model::{NoAnswer, SubmitOutcome};
use smpp_client::{LinkState, LinkStatus, Why};

use crate::smsc::{self, GENERIC_NACK, Gateway, SUBMIT_SM, Smsc, accepted, message, order, pdu, poll_once, settings};

#[tokio::test]
async fn an_order_is_submitted_and_its_answer_names_the_message() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.accept().await;
    let bind = peer.read().await.unwrap();
    assert_eq!((bind.id, bind.sequence), (smsc::BIND_TRANSCEIVER, 1));
    assert_eq!(bind.body, b"afterring\0secret\0\0\x34\0\0\0");
    assert_eq!(gateway.status().state, LinkState::Binding);
    peer.answer(&bind, 0, b"smsc\0").await;
    gateway.submit(order(1, "Missed: +86")).await;
    let submit = peer.take("4A5F").await;
    assert_eq!(message(&submit), (0, &b"Missed: +86"[..]));
    assert_eq!(gateway.outcome().await, (1, accepted(&["4A5F"])));
    let status = gateway.until(|status| status.in_flight == 0).await;
    assert_eq!((status.counts.submits, status.counts.accepted, status.counts.connects), (1, 1, 1));
    assert_eq!(status.answer_seconds.counts.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn no_more_permits_are_out_than_the_window_holds() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let mut permits = gateway.reserve(100).await;
    assert_eq!(permits.len(), 10);
    let mut more = Box::pin(gateway.links.reserve(100));
    assert!(poll_once(&mut more).await.is_none());
    drop(permits.split_off(8));
    assert_eq!(more.await.len(), 2);
    for (alert, permit) in (1..).zip(permits) {
        permit.submit(order(alert, "C"));
    }
    for alert in 1..=8 {
        peer.take(&alert.to_string()).await;
        assert_eq!(gateway.outcome().await, (alert, accepted(&[&alert.to_string()])));
    }
    gateway.until(|status| status.in_flight == 0).await;
    let mut all = Vec::new();
    while all.len() < 10 {
        all.extend(gateway.reserve(100).await);
    }
    assert_eq!(all.len(), 10);
}

#[tokio::test]
async fn answers_out_of_order_find_their_orders_and_unknown_ones_are_counted() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (alert, permit) in (1..).zip(gateway.reserve(3).await) {
        permit.submit(order(alert, "C"));
    }
    let mut submits = Vec::new();
    for _ in 0..3 {
        submits.push(peer.expect(SUBMIT_SM).await);
    }
    peer.answer(&submits[2], 0, b"c\0").await;
    peer.answer(&submits[0], 0x0b, b"").await;
    peer.send(&pdu(GENERIC_NACK, 0x02, submits[1].sequence, b"")).await;
    peer.answer(&submits[0], 0, b"again\0").await;
    assert_eq!(gateway.outcome().await, (3, accepted(&["c"])));
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::Refused { status: 0x0b }));
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::Refused { status: 0x02 }));
    let status = gateway.until(|status| status.counts.unknown_answers == 1).await;
    assert_eq!((status.counts.refused, status.counts.accepted, status.state), (2, 1, LinkState::Bound));
}

#[tokio::test]
async fn a_throttled_link_pauses_and_gives_no_permits_meanwhile() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (alert, permit) in (1..).zip(gateway.reserve(2).await) {
        permit.submit(order(alert, "C"));
    }
    let mut held = gateway.reserve(1).await;
    for _ in 0..2 {
        let submit = peer.expect(SUBMIT_SM).await;
        peer.answer(&submit, 0x58, b"").await;
    }
    for alert in [1, 2] {
        let (answered, outcome) = gateway.outcome().await;
        assert_eq!(answered, alert);
        assert!(matches!(outcome, SubmitOutcome::Later { status: 0x58, after: Duration::ZERO, avoid: None }));
    }
    let status = gateway.until(|status| status.throttled).await;
    assert_eq!((status.state, status.counts.throttles, status.counts.later), (LinkState::Bound, 1, 2));
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none());
    // What was let in before the pause leaves after it: the enquiry overtakes it.
    held.remove(0).submit(order(3, "C"));
    peer.enquire(9).await;
    assert!(gateway.status().throttled);
    peer.take("3").await;
    assert_eq!(gateway.outcome().await, (3, accepted(&["3"])));
    assert_eq!(gateway.reserve(1).await.len(), 1);
}

#[tokio::test]
async fn a_congested_smsc_halts_the_link() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let state = |level: u8| [&b"id\0\x04\x28\0\x01"[..], &[level]].concat();
    for (alert, level, slowed_to, throttled) in [(1, 89, None, false), (2, 100, Some(1), true)] {
        gateway.submit(order(alert, "C")).await;
        let submit = peer.expect(SUBMIT_SM).await;
        peer.answer(&submit, 0, &state(level)).await;
        assert_eq!(gateway.outcome().await, (alert, accepted(&["id"])));
        let seen = |status: &LinkStatus| (status.slowed_to, status.throttled) == (slowed_to, throttled);
        gateway.until(seen).await;
    }
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none());
    let status = gateway.status();
    assert_eq!((status.counts.throttles, status.throttled_for.is_zero()), (1, false));
}

#[tokio::test]
async fn an_unanswered_submit_is_in_doubt_and_a_late_answer_settles_it() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.response_timeout = Duration::from_millis(30);
    let mut gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::Timeout)));
    assert_eq!(gateway.status().state, LinkState::Bound);
    peer.answer(&submit, 0, b"late\0").await;
    let answer = gateway.answer().await;
    assert_eq!((answer.alert.0, answer.attempt, answer.late, answer.outcome), (1, 1, true, accepted(&["late"])));
    peer.answer(&submit, 0, b"late\0").await;
    let status = gateway.until(|status| status.counts.unknown_answers == 1).await;
    assert_eq!((status.counts.in_doubt, status.counts.late_answers, status.in_flight), (1, 1, 0));
}

#[tokio::test]
async fn a_lost_link_leaves_the_written_in_doubt_and_the_unwritten_not_sent() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    // The second order has to wait for the rate, so that it is unwritten for sure.
    settings.rate = 1;
    let mut gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.bound().await;
    let mut permits = gateway.reserve(3).await;
    let unused = permits.pop().unwrap();
    for (alert, permit) in (1..).zip(permits) {
        permit.submit(order(alert, "C"));
    }
    peer.expect(SUBMIT_SM).await;
    drop(peer);
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::LinkLost)));
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::NotSent));
    let mut peer = smsc.bound().await;
    let status = gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!((status.counts.connects, status.counts.disconnects), (2, 1));
    unused.submit(order(3, "C"));
    peer.take("3").await;
    assert_eq!(gateway.outcome().await, (3, accepted(&["3"])));
}

#[tokio::test]
async fn a_permit_of_a_link_that_is_down_is_answered_not_sent() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.reconnect_min = Duration::from_secs(60);
    settings.reconnect_max = Duration::from_secs(60);
    let mut gateway = Gateway::start(vec![settings]);
    let peer = smsc.bound().await;
    let permit = gateway.reserve(1).await.pop().unwrap();
    drop(peer);
    let down = gateway.until(|status| matches!(status.state, LinkState::Down { .. })).await;
    assert_eq!(down.last_closed.map(|closed| (closed.why, closed.at)), Some((Why::PeerClosed, smsc::NOW)));
    permit.submit(order(1, "C"));
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::NotSent));
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none());
}

#[tokio::test]
async fn parts_go_one_after_another_and_have_one_answer() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let text = "查".repeat(67 + 67 + 1);
    gateway.submit(order(1, &text)).await;
    let mut joined = Vec::new();
    let mut references = Vec::new();
    for number in 1..=3_u8 {
        let submit = peer.expect(SUBMIT_SM).await;
        // Nothing more is on its way before the part is answered.
        peer.enquire(u32::from(number)).await;
        let (class, text) = message(&submit);
        assert_eq!((class, &text[..3], &text[4..6]), (0x40, &[5, 0, 3][..], &[3, number][..]));
        references.push(text[3]);
        joined.extend(&text[6..]);
        peer.answer(&submit, 0, format!("part{number}\0").as_bytes()).await;
    }
    assert_eq!(gateway.outcome().await, (1, accepted(&["part1", "part2", "part3"])));
    assert_eq!(model::decode_ucs2(&joined), text);
    assert!(references.iter().all(|reference| *reference == references[0]));
    assert_eq!((gateway.status().counts.submits, gateway.status().counts.accepted), (3, 1));
}

#[tokio::test]
async fn a_refused_part_ends_its_message_and_a_throttled_one_is_sent_again() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let text = "a".repeat(161);
    gateway.submit(order(1, &text)).await;
    peer.take("1").await;
    let second = peer.expect(SUBMIT_SM).await;
    peer.answer(&second, 0x0b, b"").await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::Refused { status: 0x0b }));
    gateway.submit(order(2, &text)).await;
    peer.take("2a").await;
    let second = peer.expect(SUBMIT_SM).await;
    peer.answer(&second, 0x14, b"").await;
    let again = peer.take("2b").await;
    assert_eq!((message(&again), again.sequence), (message(&second), second.sequence + 1));
    assert_eq!(gateway.outcome().await, (2, accepted(&["2a", "2b"])));
    gateway.submit(order(3, &text)).await;
    let first = peer.expect(SUBMIT_SM).await;
    peer.answer(&first, 0x58, b"").await;
    assert!(matches!(gateway.outcome().await, (3, SubmitOutcome::Later { status: 0x58, .. })));
}

#[tokio::test]
async fn an_order_that_no_pdu_holds_is_refused_and_frees_its_slot() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.window = 1;
    let mut gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, &"a".repeat(153 * 255 + 1))).await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::Refused { status: 0x01 }));
    gateway.submit(order(2, "C")).await;
    peer.take("2").await;
    assert_eq!(gateway.outcome().await, (2, accepted(&["2"])));
}

#[tokio::test]
async fn an_smsc_that_holds_us_for_unbound_is_bound_to_again() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (alert, permit) in (1..).zip(gateway.reserve(2).await) {
        permit.submit(order(alert, "C"));
    }
    let first = peer.expect(SUBMIT_SM).await;
    peer.expect(SUBMIT_SM).await;
    peer.answer(&first, 0x04, b"").await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::NotSent));
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::InDoubt(NoAnswer::LinkLost)));
    let mut peer = smsc.bound().await;
    gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!(gateway.status().last_closed.map(|closed| closed.why), Some(Why::NotBound { status: 0x04 }));
    peer.enquire(1).await;
}
