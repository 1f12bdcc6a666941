//! What comes from the SMSC, and when it is acknowledged.

use model::{Msisdn, ReceiptState};
use smpp_client::Inbound;

use crate::smsc::{self, DELIVER_SM, Gateway, RESPONSE, Smsc, delivery, pdu, settings};

const RECEIPT: &[u8] =
    b"id:4A5F sub:001 dlvrd:001 submit date:2611230800 done date:2611230801 stat:DELIVRD err:000 text:";

#[tokio::test]
async fn a_reply_is_acknowledged_only_after_it_was_accepted() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for sequence in 1..=3 {
        peer.send(&pdu(DELIVER_SM, 0, sequence, &delivery("8613800000001", 0, b"C"))).await;
    }
    let mut owed = Vec::new();
    for _ in 0..3 {
        let Inbound::Reply(reply, acknowledge) = gateway.inbound().await else { panic!("not a reply") };
        assert_eq!((reply.text.as_str(), reply.to.as_str(), reply.at), ("C", "12599", smsc::NOW));
        assert_eq!(reply.from, Msisdn::international("8613800000001").unwrap());
        owed.push(acknowledge);
    }
    // The answer to the enquiry is the first that the SMSC hears.
    peer.enquire(9).await;
    let (third, second, first) = (owed.pop().unwrap(), owed.pop().unwrap(), owed.pop().unwrap());
    second.accept();
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, 2, b"\0")));
    first.refuse();
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0x64, 1, b"\0")));
    drop(third);
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0x64, 3, b"\0")));
    assert_eq!(gateway.status().counts.replies, 3);
}

#[tokio::test]
async fn a_receipt_is_handed_on_whatever_its_class() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (sequence, class) in (1..).zip([0x04, 0x00, 0x07, 0x20]) {
        peer.send(&pdu(DELIVER_SM, 0, sequence, &delivery("8613800000001", class, RECEIPT))).await;
        let Inbound::Receipt(receipt, acknowledge) = gateway.inbound().await else { panic!("not a receipt") };
        assert_eq!((receipt.message_id.as_str(), receipt.state), ("4A5F", ReceiptState::Delivered));
        assert_eq!((receipt.smsc.0.as_str(), receipt.error.as_str()), ("smsc1", "000"));
        acknowledge.accept();
        assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, sequence, b"\0")));
    }
    assert_eq!(gateway.status().counts.receipts, 4);
}

#[tokio::test]
async fn a_robot_is_acknowledged_and_not_handed_on() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    for (sequence, source) in (1..).zip(["10086", "Bank", ""]) {
        peer.send(&pdu(DELIVER_SM, 0, sequence, &delivery(source, 0, b"C"))).await;
        assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, sequence, b"\0")));
    }
    assert_eq!(gateway.status().counts.ignored_replies, 3);
    assert!(gateway.arrivals.inbound.try_recv().is_err());
}

#[tokio::test]
async fn what_is_not_acknowledged_is_bounded_and_the_rest_stays_with_the_smsc() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    let reply = delivery("8613800000001", 0, b"C");
    let burst: Vec<u8> = (1..=1_030).flat_map(|sequence| pdu(DELIVER_SM, 0, sequence, &reply).octets()).collect();
    peer.write(&burst).await;
    for sequence in 1_025..=1_030 {
        assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0x64, sequence, b"\0")));
    }
    let status = gateway.until(|status| status.counts.refused_inbound == 6).await;
    assert_eq!(status.counts.replies, 1_024);
    for _ in 0..1_024 {
        let Inbound::Reply(_, acknowledge) = gateway.inbound().await else { panic!("not a reply") };
        acknowledge.accept();
    }
    for sequence in 1..=1_024 {
        assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0, sequence, b"\0")));
    }
    peer.send(&pdu(DELIVER_SM, 0, 2_000, &reply)).await;
    assert!(matches!(gateway.inbound().await, Inbound::Reply(..)));
}

#[tokio::test]
async fn an_acknowledgement_of_a_lost_session_goes_to_no_other() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    peer.send(&pdu(DELIVER_SM, 0, 1, &delivery("8613800000001", 0, b"C"))).await;
    let Inbound::Reply(_, acknowledge) = gateway.inbound().await else { panic!("not a reply") };
    drop(peer);
    let mut peer = smsc.bound().await;
    acknowledge.accept();
    peer.enquire(1).await;
    peer.enquire(2).await;
}
