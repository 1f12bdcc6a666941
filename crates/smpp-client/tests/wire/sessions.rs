//! How links bind, stay alive, and end, over the wire.

use std::time::Duration;

use model::{NoAnswer, SubmitOutcome};
use smpp_client::{LinkState, Why};
use tokio::task::JoinSet;

use crate::smsc::{
    self, BIND_TRANSCEIVER, DELIVER_SM, ENQUIRE_LINK, GENERIC_NACK, Gateway, RESPONSE, SUBMIT_SM, Smsc, UNBIND,
    accepted, delivery, order, pdu, poll_once, settings,
};

#[tokio::test]
async fn a_refused_password_is_tried_again_after_its_own_wait() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.refused_wait = Duration::from_secs(3_600);
    let gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.accept().await;
    let bind = peer.expect(BIND_TRANSCEIVER).await;
    peer.answer(&bind, 0x0e, b"").await;
    peer.expect_end().await;
    let status = gateway.until(|status| matches!(status.state, LinkState::Down { .. })).await;
    let (until, why) = (smsc::NOW + Duration::from_secs(3_600), Why::BindRefused { status: 0x0e });
    assert_eq!(status.state, LinkState::Down { until, why });
    assert_eq!(why.to_string(), "bind refused with status 0x0000000e (ESME_RINVPASWD)");
    assert_eq!((status.counts.connects, status.counts.disconnects), (0, 0));
}

#[tokio::test]
async fn refusals_and_broken_binds_are_followed_by_new_attempts() {
    let smsc = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(smsc.port)]);
    for status in [0x0e, 0x08] {
        let mut peer = smsc.accept().await;
        let bind = peer.expect(BIND_TRANSCEIVER).await;
        peer.answer(&bind, status, b"smsc\0").await;
        peer.expect_end().await;
    }
    let mut nacked = smsc.accept().await;
    let bind = nacked.expect(BIND_TRANSCEIVER).await;
    nacked.send(&pdu(GENERIC_NACK, 0x03, bind.sequence, b"")).await;
    nacked.expect_end().await;
    drop(smsc.accept().await);
    let _peer = smsc.bound().await;
    let status = gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!(status.last_closed.map(|closed| closed.why), Some(Why::PeerClosed));
}

#[tokio::test]
async fn settings_that_no_bind_holds_keep_the_link_down() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.system_id = "more than fifteen".into();
    settings.refused_wait = Duration::from_secs(3_600);
    let gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.accept().await;
    peer.expect_end().await;
    let status = gateway.until(|status| matches!(status.state, LinkState::Down { .. })).await;
    assert!(matches!(status.state, LinkState::Down { why: Why::Settings(_), .. }));
}

#[tokio::test]
async fn an_unanswered_bind_is_given_up() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.bind_timeout = Duration::from_millis(30);
    let gateway = Gateway::start(vec![settings]);
    let mut silent = smsc.accept().await;
    silent.expect(BIND_TRANSCEIVER).await;
    silent.expect_end().await;
    gateway.until(|status| status.last_closed.is_some_and(|closed| closed.why == Why::BindTimeout)).await;
    smsc.accept().await;
}

#[tokio::test]
async fn a_silent_peer_is_asked_and_then_given_up() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.enquire_interval = Duration::from_millis(20);
    settings.enquire_timeout = Duration::from_secs(1);
    let mut gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.bound().await;
    for _ in 0..3 {
        let enquiry = peer.expect(ENQUIRE_LINK).await;
        peer.answer(&enquiry, 0, b"").await;
    }
    gateway.submit(order(1, "C")).await;
    peer.expect_end().await;
    let (_, outcome) = gateway.outcome().await;
    assert!(matches!(outcome, SubmitOutcome::InDoubt(_)));
    gateway.until(|status| status.last_closed.is_some_and(|closed| closed.why == Why::NoEnquireAnswer)).await;
}

#[tokio::test]
async fn what_can_not_be_understood_is_answered_and_the_session_lives() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    let odd = [
        pdu(0x7777, 0, 1, b"unknown request"),
        pdu(0x8000_7777, 0, 2, b"unknown response"),
        pdu(DELIVER_SM, 0, 3, b"\0\x01\x01861380000"),
        pdu(ENQUIRE_LINK | RESPONSE, 0, 4, b"a body where none belongs"),
        pdu(0x102, 0, 5, b"alert_notification"),
        pdu(GENERIC_NACK, 0x03, 0, b""),
        pdu(SUBMIT_SM, 0, 6, b""),
        pdu(BIND_TRANSCEIVER | RESPONSE, 0, 7, b""),
        pdu(SUBMIT_SM | RESPONSE, 0, submit.sequence, b"an id without an end"),
        pdu(ENQUIRE_LINK, 0, 8, b"and a body"),
    ];
    // Octet by octet: whole PDUs don't come in whole segments.
    for octet in odd.iter().flat_map(|pdu| pdu.octets()) {
        peer.write(&[octet]).await;
    }
    for expected in [
        pdu(GENERIC_NACK, 0x03, 1, b""),
        pdu(DELIVER_SM | RESPONSE, 0x65, 3, b"\0"),
        pdu(GENERIC_NACK, 0x03, 6, b""),
        pdu(ENQUIRE_LINK | RESPONSE, 0, 8, b""),
    ] {
        assert_eq!(peer.read().await, Some(expected));
    }
    assert_eq!(gateway.outcome().await, (1, accepted(&["an id without an end"])));
    let status = gateway.status();
    assert_eq!((status.state, status.counts.bad_pdus, status.counts.unknown_answers), (LinkState::Bound, 3, 3));
}

#[tokio::test]
async fn an_impossible_length_ends_the_session() {
    let smsc = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(smsc.port)]);
    for length in [0, 15_u32, 1024 * 1024 + 1, u32::MAX] {
        let mut peer = smsc.bound().await;
        peer.write(&length.to_be_bytes()).await;
        assert_eq!(peer.read().await, Some(pdu(GENERIC_NACK, 0x02, 0, b"")));
        peer.expect_end().await;
        let why = Why::Framing { length };
        gateway.until(|status| status.last_closed.is_some_and(|closed| closed.why == why)).await;
    }
}

#[tokio::test]
async fn a_pdu_that_is_too_long_is_passed_over_and_the_session_lives() {
    let smsc = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (sequence, size) in [(7, 64 * 1024 - 15), (8, 1024 * 1024 - 16)] {
        let long = pdu(DELIVER_SM, 0, sequence, &vec![0; size]).octets();
        // The header comes in pieces.
        for piece in [&long[..4], &long[4..15], &long[15..], &pdu(ENQUIRE_LINK, 0, 9, b"").octets()] {
            peer.write(piece).await;
        }
        assert_eq!(peer.read().await, Some(pdu(GENERIC_NACK, 0x02, sequence, b"")));
        assert_eq!(peer.read().await, Some(pdu(ENQUIRE_LINK | RESPONSE, 0, 9, b"")));
    }
    peer.send(&pdu(SUBMIT_SM | RESPONSE, 0, 1, &vec![0; 64 * 1024])).await;
    peer.enquire(10).await;
    assert_eq!((gateway.status().counts.bad_pdus, gateway.status().state), (3, LinkState::Bound));
}

#[tokio::test]
async fn an_unbind_of_the_smsc_is_answered_and_the_link_comes_back() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    peer.expect(SUBMIT_SM).await;
    peer.send(&pdu(UNBIND, 0, 77, b"")).await;
    assert_eq!(peer.read().await, Some(pdu(UNBIND | RESPONSE, 0, 77, b"")));
    peer.expect_end().await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::LinkLost)));
    let mut peer = smsc.bound().await;
    gateway.submit(order(2, "C")).await;
    peer.take("2").await;
    assert_eq!(gateway.outcome().await, (2, accepted(&["2"])));
}

#[tokio::test]
async fn what_an_smsc_that_unbinds_still_answers_is_not_in_doubt() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    let held = gateway.reserve(1).await;
    peer.send(&pdu(UNBIND, 0, 77, b"")).await;
    gateway.until(|status| status.state == LinkState::Draining).await;
    peer.answer(&submit, 0, b"1\0").await;
    assert_eq!(peer.read().await, Some(pdu(UNBIND | RESPONSE, 0, 77, b"")));
    peer.expect_end().await;
    assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
    drop(held);
    smsc.bound().await;
}

#[tokio::test]
async fn an_smsc_that_serves_us_no_more_is_bound_anew_once_it_has_answered() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.proves(&mut peer).await;
    for (alert, permit) in (1..).zip(gateway.reserve(3).await) {
        permit.submit(order(alert, "C"));
    }
    let mut answers = Vec::new();
    for (status, body) in [(0x04, &b""[..]), (0x04, b""), (0, b"3\0")] {
        let submit = peer.expect(SUBMIT_SM).await;
        answers.extend(pdu(SUBMIT_SM | RESPONSE, status, submit.sequence, body).octets());
    }
    peer.write(&answers).await;
    peer.expect_end().await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::NotSent));
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::NotSent));
    assert_eq!(gateway.outcome().await, (3, accepted(&["3"])));
    let _peer = smsc.bound().await;
    let why = gateway.status().last_closed.map(|closed| closed.why);
    assert_eq!(why, Some(Why::NotBound { status: 0x04 }));
}

#[tokio::test]
async fn what_was_answered_before_the_smsc_hung_up_is_not_in_doubt() {
    for _ in 0..20 {
        let smsc = Smsc::open().await;
        let mut link = settings(smsc.port);
        link.window = 1_000;
        let mut gateway = Gateway::start(vec![link]);
        let mut peer = smsc.bound().await;
        gateway.proves(&mut peer).await;
        let mut permits = gateway.reserve(300).await;
        for (alert, permit) in (1..).zip(permits.drain(..100)) {
            permit.submit(order(alert, "C"));
        }
        let mut answers = Vec::new();
        for _ in 0..100 {
            let submit = peer.expect(SUBMIT_SM).await;
            answers.extend(pdu(SUBMIT_SM | RESPONSE, 0, submit.sequence, b"id\0").octets());
        }
        peer.write(&answers).await;
        drop(peer);
        // These find a connection that takes nothing any more.
        for (alert, permit) in (101..).zip(permits) {
            permit.submit(order(alert, "C"));
        }
        for alert in 1..=100 {
            assert_eq!(gateway.outcome().await, (alert, accepted(&["id"])));
        }
    }
}

#[tokio::test]
async fn draining_waits_for_answers_then_unbinds() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    let links = gateway.links.clone();
    let mut drains = JoinSet::new();
    drains.spawn(async move { links.drain(Duration::from_secs(60)).await });
    gateway.until(|status| status.state == LinkState::Draining).await;
    // While it drains nothing new comes in: the SMSC keeps it.
    peer.send(&pdu(DELIVER_SM, 0, 5, &delivery("8613800000001", 0, b"C"))).await;
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0x64, 5, b"\0")));
    peer.answer(&submit, 0, b"1\0").await;
    peer.unbind().await;
    drains.join_all().await;
    assert_eq!(gateway.status().state, LinkState::Closed);
    assert_eq!(gateway.status().last_closed.map(|closed| closed.why), Some(Why::Drained));
    assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
    assert!(gateway.arrivals.answers.recv().await.is_none());
    assert!(gateway.arrivals.inbound.recv().await.is_none());
    gateway.ended().await;
}

#[tokio::test]
async fn draining_gives_no_permits_and_waits_for_those_that_are_out() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let mut permits = gateway.reserve(2).await;
    let links = gateway.links.clone();
    let mut drain = Box::pin(links.drain(Duration::from_secs(60)));
    assert!(poll_once(&mut drain).await.is_none());
    // The link's task has not run yet: its gate is still open.
    assert!(poll_once(&mut Box::pin(links.reserve(1))).await.is_none());
    gateway.until(|status| status.state == LinkState::Draining).await;
    permits.remove(0).submit(order(1, "C"));
    peer.take("1").await;
    assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
    peer.enquire(1).await;
    drop(permits);
    peer.unbind().await;
    drain.await;
}

#[tokio::test]
async fn after_the_deadline_the_unanswered_is_in_doubt_and_the_unwritten_not_sent() {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    settings.rate = 1;
    let mut gateway = Gateway::start(vec![settings]);
    let mut peer = smsc.bound().await;
    let mut permits = gateway.reserve(3).await;
    let too_late = permits.pop().unwrap();
    for (alert, permit) in (1..).zip(permits) {
        permit.submit(order(alert, "C"));
    }
    peer.expect(SUBMIT_SM).await;
    // Nobody answers the unbind: it is closed all the same.
    gateway.links.drain(Duration::ZERO).await;
    peer.expect(UNBIND).await;
    peer.expect_end().await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::Timeout)));
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::NotSent));
    assert!(gateway.arrivals.answers.recv().await.is_none());
    too_late.submit(order(3, "C"));
    gateway.ended().await;
}

#[tokio::test]
async fn links_without_a_connection_close_at_once() {
    let smsc = Smsc::open().await;
    let port = smsc.port;
    drop(smsc);
    let silent = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(port), settings(silent.port)]);
    gateway.until(|status| matches!(status.state, LinkState::Down { why: Why::ConnectFailed(_), .. })).await;
    let _binding = silent.accept().await;
    gateway.links.drain(Duration::from_secs(60)).await;
    assert!(gateway.links.status().iter().all(|status| status.state == LinkState::Closed));
    gateway.ended().await;
}

#[tokio::test]
async fn links_that_nobody_holds_any_more_unbind_by_themselves() {
    let smsc = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.until(|status| status.state == LinkState::Bound).await;
    let Gateway { links, mut arrivals, .. } = gateway;
    drop(links);
    peer.unbind().await;
    assert!(arrivals.answers.recv().await.is_none());
}
