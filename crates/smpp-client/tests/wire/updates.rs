//! `query_sm`, `cancel_sm` and `replace_sm`, as SMSCs do them, refuse them, or never answer (group P of what was found in the field).

use std::time::Duration;

use model::{Address, Kind, Msisdn, ReceiptState, ShortNumber, SmscName};
use smpp_client::{Bind, LinkSettings, LinkState, Message, Update, Updated};

use crate::smsc::{
    CANCEL_SM, DELIVER_SM, GENERIC_NACK, Gateway, Peer, QUERY_SM, REPLACE_SM, RESPONSE, Smsc, delivery, order, pdu,
    settings,
};

fn message() -> Message {
    Message {
        id: "4a5f".into(),
        source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
        destination: Msisdn::international("8613800000001").unwrap(),
        kind: Kind::Detail,
    }
}

fn replace(before: &str, text: &str) -> Update {
    Update::Replace { before: before.into(), text: text.into(), validity: Duration::from_secs(3_600) }
}

async fn update(gateway: &Gateway, update: Update) -> Updated {
    gateway.links.update(&SmscName("smsc1".into()), message(), update).await
}

async fn started(change: impl FnOnce(&mut LinkSettings)) -> (Smsc, Gateway, Peer) {
    let smsc = Smsc::open().await;
    let mut settings = settings(smsc.port);
    change(&mut settings);
    let gateway = Gateway::start(vec![settings]);
    let peer = smsc.bound().await;
    gateway.until(|status| status.state == LinkState::Bound).await;
    (smsc, gateway, peer)
}

/// Asks, and lets the peer answer with this status.
async fn asked(gateway: &Gateway, peer: &mut Peer, what: Update, id: u32, status: u32) -> (Updated, Vec<u8>) {
    let answering = async {
        let asked = peer.expect(id).await;
        peer.answer(&asked, status, b"").await;
        asked.body
    };
    tokio::join!(update(gateway, what), answering)
}

#[tokio::test]
async fn p01_a_message_is_replaced_cancelled_and_asked_about() {
    let (_smsc, gateway, mut peer) = started(|_| {}).await;
    let (done, body) = asked(&gateway, &mut peer, replace("1 call", "2 calls"), REPLACE_SM, 0).await;
    assert_eq!((done, &body[..13]), (Updated::Done, &b"4a5f\0\x03\x0012599\0"[..]));
    assert!(body.ends_with(b"\x072 calls"), "{body:?}");
    let (done, body) = asked(&gateway, &mut peer, Update::Cancel, CANCEL_SM, 0).await;
    assert_eq!((done, &body[..]), (Updated::Done, &b"\x004a5f\0\x03\x0012599\0\x01\x018613800000001\0"[..]));
    let answering = async {
        let query = peer.expect(QUERY_SM).await;
        assert_eq!(query.body, b"4a5f\0\x03\x0012599\0");
        peer.answer(&query, 0, b"4a5f\x00261126080000000+\0\x02\x00").await;
    };
    let (state, ()) = tokio::join!(update(&gateway, Update::Query), answering);
    assert_eq!(state, Updated::State(ReceiptState::Delivered));
}

#[tokio::test]
async fn p02_what_the_smsc_has_no_more_is_refused_and_it_is_asked_again_next_time() {
    let (_smsc, gateway, mut peer) = started(|_| {}).await;
    for (what, id, status) in [
        (replace("a", "b"), REPLACE_SM, 0x13),
        (Update::Cancel, CANCEL_SM, 0x11),
        (Update::Query, QUERY_SM, 0x67),
        (replace("a", "b"), REPLACE_SM, 0x0c),
    ] {
        assert_eq!(asked(&gateway, &mut peer, what, id, status).await.0, Updated::Refused(status));
    }
}

#[tokio::test]
async fn p03_what_a_transceiver_may_not_do_is_learnt_for_the_connection() {
    let (smsc, gateway, mut peer) = started(|_| {}).await;
    for status in [0x03, 0x04] {
        let (said, _) = asked(&gateway, &mut peer, replace("a", "b"), REPLACE_SM, status).await;
        assert_eq!(said, Updated::Unsupported(Some(status)));
        assert_eq!(update(&gateway, replace("a", "b")).await, Updated::Unsupported(Some(status)));
        // The others are another matter, and the link is none.
        assert_eq!(asked(&gateway, &mut peer, Update::Cancel, CANCEL_SM, 0).await.0, Updated::Done);
        drop(peer);
        peer = smsc.bound().await;
        let connects = gateway.status().counts.connects;
        gateway.until(|status| status.counts.connects > connects || status.state == LinkState::Bound).await;
    }
}

#[tokio::test]
async fn p03_a_nack_says_so_too() {
    let (_smsc, gateway, mut peer) = started(|_| {}).await;
    let answering = async {
        let asked = peer.expect(REPLACE_SM).await;
        peer.send(&pdu(GENERIC_NACK, 0x03, asked.sequence, b"")).await;
    };
    let (said, ()) = tokio::join!(update(&gateway, replace("a", "b")), answering);
    assert_eq!(said, Updated::Unsupported(Some(0x03)));
    assert_eq!(gateway.status().counts.unknown_answers, 0);
}

#[tokio::test]
async fn p04_no_answer_is_no_dead_link_and_a_late_one_teaches_otherwise() {
    let (_smsc, mut gateway, mut peer) = started(|settings| settings.update_timeout = Duration::from_millis(30)).await;
    assert_eq!(update(&gateway, replace("a", "b")).await, Updated::Unsupported(None));
    let unanswered = peer.expect(REPLACE_SM).await;
    assert_eq!(update(&gateway, replace("a", "b")).await, Updated::Unsupported(None));
    peer.enquire(1).await;
    gateway.submit(order(1, "C")).await;
    peer.take("1").await;
    gateway.outcome().await;
    peer.answer(&unanswered, 0, b"").await;
    peer.enquire(2).await;
    assert_eq!(asked(&gateway, &mut peer, replace("a", "b"), REPLACE_SM, 0).await.0, Updated::Done);
    assert_eq!((gateway.status().state, gateway.status().counts.disconnects), (LinkState::Bound, 0));
}

#[tokio::test]
async fn p05_a_receipt_that_overtakes_the_answer_is_handed_on_first() {
    let (_smsc, mut gateway, mut peer) = started(|_| {}).await;
    let links = gateway.links.clone();
    let asking =
        tokio::spawn(async move { links.update(&SmscName("smsc1".into()), message(), replace("a", "b")).await });
    let asked = peer.expect(REPLACE_SM).await;
    let receipt = delivery("8613800000001", 4, b"id:4a5f stat:DELIVRD err:000");
    peer.send(&pdu(DELIVER_SM, 0, 5, &receipt)).await;
    let smpp_client::Inbound::Receipt(receipt, acknowledge) = gateway.inbound().await else { panic!("no receipt") };
    assert_eq!((receipt.message_id.as_str(), asking.is_finished()), ("4a5f", false));
    acknowledge.accept();
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, 5, b"\0")));
    peer.answer(&asked, 0x13, b"").await;
    assert_eq!(asking.await.unwrap(), Updated::Refused(0x13));
}

#[tokio::test]
async fn p06_p07_what_replace_sm_cannot_say_is_not_asked() {
    let (_smsc, gateway, mut peer) = started(|_| {}).await;
    let long = "a".repeat(161);
    for (before, text) in [("a", "查"), ("查", "a"), ("a", long.as_str()), (long.as_str(), "a")] {
        assert_eq!(update(&gateway, replace(before, text)).await, Updated::Unsayable, "{before} {text}");
    }
    assert_eq!(asked(&gateway, &mut peer, replace("查", "看"), REPLACE_SM, 0).await.0, Updated::Done);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_it_in_doubt_and_without_one_nothing_is_asked() {
    let (_smsc, gateway, mut peer) = started(|settings| settings.reconnect_min = Duration::from_secs(60)).await;
    let answering = async {
        peer.expect(REPLACE_SM).await;
        drop(peer);
    };
    let (said, ()) = tokio::join!(update(&gateway, replace("a", "b")), answering);
    assert_eq!(said, Updated::InDoubt);
    gateway.until(|status| status.state != LinkState::Bound).await;
    assert_eq!(update(&gateway, replace("a", "b")).await, Updated::NotAsked);
    let other = SmscName("another".into());
    assert_eq!(gateway.links.update(&other, message(), Update::Query).await, Updated::NotAsked);
}

#[tokio::test]
async fn a_transmitter_is_asked_rather_than_a_transceiver() {
    let smsc = Smsc::open().await;
    let mut transmitter = settings(smsc.port);
    (transmitter.bind, transmitter.name) = (Bind::Transmitter, model::LinkName("smsc1/tx1".into()));
    let gateway = Gateway::start(vec![settings(smsc.port), transmitter]);
    let (one, other) = (smsc.bound_as().await, smsc.bound_as().await);
    gateway.until_all(|all| all.iter().all(|status| status.state == LinkState::Bound)).await;
    let mut peer = if one.1 == crate::smsc::BIND_TRANSMITTER { one.0 } else { other.0 };
    assert_eq!(asked(&gateway, &mut peer, replace("a", "b"), REPLACE_SM, 0).await.0, Updated::Done);
}
