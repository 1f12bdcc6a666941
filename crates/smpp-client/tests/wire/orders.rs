//! What operators order: drain, unbind, bind anew.

use std::collections::HashMap;
use std::time::Duration;

use model::{Address, Kind, LinkName, Msisdn, NoAnswer, ShortNumber, SmscName, SubmitOutcome};
use smpp_client::{
    Bind, Closed, LinkOrder, LinkSettings, LinkState, Message, NotOrdered, Ordered, Update, Updated, Why,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::smsc::{
    self, BIND_TRANSCEIVER, CANCEL_SM, DELIVER_SM, Gateway, RESPONSE, SUBMIT_SM, Smsc, UNBIND, accepted, accepted_by,
    delivery, order, pdu, settings,
};
use crate::storms::serve;

const HOUR: Duration = Duration::from_secs(3_600);

fn for_an_hour() -> LinkOrder {
    LinkOrder::Drain { until: smsc::NOW + HOUR }
}

fn message(id: &str) -> Message {
    Message {
        id: id.into(),
        source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
        destination: Msisdn::international("8613800000001").unwrap(),
        kind: Kind::Detail,
    }
}

fn closed(what: Ordered) -> Option<Closed> {
    Some(Closed { why: Why::Ordered(what), at: smsc::NOW })
}

#[tokio::test]
async fn a_link_that_is_to_drain_awaits_its_answers_and_leaves_the_work_to_others() {
    let (first, second) = (Smsc::open().await, Smsc::open().await);
    let main = LinkSettings { name: LinkName("main/1".into()), ..settings(first.port) };
    let backup = LinkSettings {
        name: LinkName("backup/1".into()),
        smsc: SmscName("backup".into()),
        priority: 1,
        ..settings(second.port)
    };
    let mut gateway = Gateway::start(vec![main, backup]);
    let (mut peer, mut spare) = (first.bound().await, second.bound().await);
    gateway.until_all(|all| all.iter().all(|status| status.state == LinkState::Bound)).await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    let held = gateway.reserve(1).await.remove(0);
    assert_eq!(gateway.links.order(Some("nobody"), LinkOrder::Rebind), Err(NotOrdered::NoSuchLink));
    gateway.links.order(Some("main/1"), for_an_hour()).unwrap();
    let status = gateway.until(|status| status.state == LinkState::Draining).await;
    assert_eq!(status.ordered, Some(for_an_hour()));
    // What comes in meanwhile stays with the SMSC, which has another bind for it, or keeps it.
    peer.send(&pdu(DELIVER_SM, 0, 5, &delivery("8613800000001", 0, b"C"))).await;
    assert_eq!(peer.read().await, Some(pdu(DELIVER_SM | RESPONSE, 0x64, 5, b"\0")));
    gateway.submit(order(2, "C")).await;
    spare.take("b").await;
    assert_eq!(gateway.outcome().await, (2, accepted_by("backup", &["b"])));
    // A permit that was given before is honoured.
    held.submit(order(3, "C"));
    peer.take("3").await;
    assert_eq!(gateway.outcome().await, (3, accepted(&["3"])));
    peer.answer(&submit, 0, b"1\0").await;
    peer.unbind().await;
    assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
    let away = gateway.until(|status| status.state == LinkState::Away { until: smsc::NOW + HOUR }).await;
    assert_eq!((away.last_closed, away.counts.disconnects), (closed(Ordered::Drain), 1));
    assert_eq!(away.ends, [(smpp_client::By::Us, "ordered", 1)]);
    gateway.links.order(Some("main/1"), LinkOrder::Rebind).unwrap();
    let _peer = first.bound().await;
    let bound = gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!((bound.ordered, bound.last_closed), (None, closed(Ordered::Drain)));
}

#[tokio::test]
async fn an_order_ends_by_itself_at_its_time() {
    let smsc = Smsc::open().await;
    let gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.until(|status| status.state == LinkState::Bound).await;
    gateway.links.order(None, for_an_hour()).unwrap();
    peer.unbind().await;
    gateway.until(|status| status.state == LinkState::Away { until: smsc::NOW + HOUR }).await;
    // A later order takes the place of the first, and one whose time has come lets go.
    let sooner = smsc::NOW + Duration::from_millis(300);
    gateway.links.order(None, LinkOrder::Unbind { until: sooner }).unwrap();
    let away = gateway.until(|status| status.state == LinkState::Away { until: sooner }).await;
    assert_eq!((away.ordered, away.last_closed), (Some(LinkOrder::Unbind { until: sooner }), closed(Ordered::Drain)));
    let mut peer = smsc.bound().await;
    let bound = gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!(bound.ordered, None);
    peer.enquire(1).await;
}

#[tokio::test]
async fn a_link_that_is_to_unbind_does_so_at_once_and_what_is_unanswered_is_in_doubt() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    peer.expect(SUBMIT_SM).await;
    gateway.links.order(None, LinkOrder::Unbind { until: smsc::NOW + HOUR }).unwrap();
    let unbind = peer.expect(UNBIND).await;
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::LinkLost)));
    peer.answer(&unbind, 0, b"").await;
    peer.expect_end().await;
    let away = gateway.until(|status| status.state == LinkState::Away { until: smsc::NOW + HOUR }).await;
    assert_eq!(away.last_closed, closed(Ordered::Unbind));
    gateway.links.drain(Duration::from_secs(1)).await;
    assert_eq!(gateway.links.order(None, LinkOrder::Rebind), Err(NotOrdered::Closing));
    gateway.ended().await;
}

#[tokio::test]
async fn a_rebind_hears_out_what_is_on_its_way_and_binds_at_once() {
    let smsc = Smsc::open().await;
    let link = LinkSettings { reconnect_min: HOUR, reconnect_max: HOUR, refused_wait: HOUR, ..settings(smsc.port) };
    let mut gateway = Gateway::start(vec![link]);
    // It lifts the wait after a refusal.
    let mut refused = smsc.accept().await;
    let bind = refused.expect(BIND_TRANSCEIVER).await;
    refused.answer(&bind, 0x0e, b"").await;
    gateway.until(|status| matches!(status.state, LinkState::Down { .. })).await;
    gateway.links.order(None, LinkOrder::Rebind).unwrap();
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    let submit = peer.expect(SUBMIT_SM).await;
    gateway.links.order(None, LinkOrder::Rebind).unwrap();
    gateway.until(|status| status.state == LinkState::Draining).await;
    peer.answer(&submit, 0, b"1\0").await;
    peer.unbind().await;
    assert_eq!(gateway.outcome().await, (1, accepted(&["1"])));
    let mut peer = smsc.bound().await;
    let bound = gateway.until(|status| status.state == LinkState::Bound).await;
    assert_eq!((bound.last_closed, bound.ordered), (closed(Ordered::Rebind), None));
    // An SMSC that answers nothing any more does not keep it.
    gateway.submit(order(2, "C")).await;
    peer.expect(SUBMIT_SM).await;
    gateway.links.order(None, LinkOrder::Rebind).unwrap();
    peer.expect(UNBIND).await;
    assert_eq!(gateway.outcome().await, (2, SubmitOutcome::InDoubt(NoAnswer::Timeout)));
    peer.expect_end().await;
    let _peer = smsc.bound().await;
}

#[tokio::test]
async fn an_smsc_that_leaves_while_the_link_drains_finds_it_away() {
    let smsc = Smsc::open().await;
    let mut gateway = Gateway::start(vec![settings(smsc.port)]);
    let mut peer = smsc.bound().await;
    gateway.submit(order(1, "C")).await;
    peer.expect(SUBMIT_SM).await;
    gateway.links.order(None, for_an_hour()).unwrap();
    gateway.until(|status| status.state == LinkState::Draining).await;
    drop(peer);
    assert_eq!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(NoAnswer::LinkLost)));
    let away = gateway.until(|status| status.state == LinkState::Away { until: smsc::NOW + HOUR }).await;
    assert_eq!(away.last_closed.map(|closed| closed.why), Some(Why::PeerClosed));
}

#[tokio::test]
async fn an_update_that_is_asked_is_awaited_and_one_that_is_not_goes_by_another_link() {
    let smsc = Smsc::open().await;
    let link = |name: &str, bind| LinkSettings { name: LinkName(name.into()), bind, ..settings(smsc.port) };
    let gateway = Gateway::start(vec![link("tx", Bind::Transmitter), link("trx", Bind::Transceiver)]);
    let (one, other) = (smsc.bound_as().await, smsc.bound_as().await);
    let (mut tx, mut trx) = if one.1 == BIND_TRANSCEIVER { (other.0, one.0) } else { (one.0, other.0) };
    gateway.until_all(|all| all.iter().all(|status| status.state == LinkState::Bound)).await;
    let name = SmscName("smsc1".into());
    let mut asked = JoinSet::new();
    let links = gateway.links.clone();
    let (to, first) = (name.clone(), message("1"));
    asked.spawn(async move { links.update(&to, first, Update::Cancel).await });
    let cancel = tx.expect(CANCEL_SM).await;
    gateway.links.order(Some("tx"), for_an_hour()).unwrap();
    gateway.until(|status| status.state == LinkState::Draining).await;
    let links = gateway.links.clone();
    asked.spawn(async move { links.update(&name, message("2"), Update::Cancel).await });
    let second = trx.expect(CANCEL_SM).await;
    trx.answer(&second, 0, b"").await;
    tx.answer(&cancel, 0x11, b"").await;
    tx.unbind().await;
    let mut said = asked.join_all().await;
    said.sort_by_key(|said| *said == Updated::Done);
    assert_eq!(said, [Updated::Refused(0x11), Updated::Done]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_under_load_lose_nothing_and_double_nothing() {
    const ORDERS: i64 = 20_000;
    let mut served = JoinSet::new();
    let mut links = Vec::new();
    for name in ["smsc1/1", "smsc1/2"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        links.push(LinkSettings { name: LinkName(name.into()), window: 200, ..settings(port) });
        served.spawn(serve(listener, usize::MAX));
    }
    let mut gateway = Gateway::start(links);
    let handle = gateway.links.clone();
    // Room for each twice: what was put off comes again.
    let (queue, mut queued) = tokio::sync::mpsc::channel(2 * usize::try_from(ORDERS).unwrap());
    (1..=ORDERS).for_each(|alert| queue.try_send(alert).unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(alert) = queued.recv().await {
            handle.reserve(1).await.remove(0).submit(order(alert, "Missed: +8613911112222 at 09:15, 2 calls"));
        }
    });
    let mut accepted: HashMap<i64, u32> = HashMap::new();
    let mut answers = 0;
    while accepted.len() < usize::try_from(ORDERS).unwrap() {
        let (alert, outcome) = gateway.outcome().await;
        answers += 1;
        // In turn, each while the other is in service or about to be.
        if answers % 1_000 == 0 {
            let link = ["smsc1/1", "smsc1/2"][usize::from(answers % 2_000 == 0)];
            let what = match answers % 3_000 {
                0 => LinkOrder::Rebind,
                _ => LinkOrder::Drain { until: smsc::NOW + Duration::from_millis(20) },
            };
            gateway.links.order(Some(link), what).unwrap();
        }
        match outcome {
            SubmitOutcome::Accepted { .. } => *accepted.entry(alert).or_default() += 1,
            SubmitOutcome::NotSent => queue.send(alert).await.unwrap(),
            outcome => panic!("{alert}: {outcome:?}"),
        }
    }
    drop(queue);
    tasks.join_all().await;
    assert!(accepted.values().all(|times| *times == 1));
    let status = gateway.links.status();
    let submits: u64 = status.iter().map(|status| status.counts.submits).sum();
    assert_eq!(submits, u64::try_from(ORDERS).unwrap(), "each left once");
    assert!(status.iter().all(|status| status.counts.disconnects > 2), "{status:?}");
    gateway.links.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn what_is_answered_before_the_unbind_is_not_left_in_doubt() {
    for order_given in [LinkOrder::Unbind { until: smsc::NOW + HOUR }, LinkOrder::Rebind] {
        let smsc = Smsc::open().await;
        let mut gateway = Gateway::start(vec![settings(smsc.port)]);
        let mut peer = smsc.bound().await;
        gateway.submit(order(1, "C")).await;
        let submit = peer.expect(SUBMIT_SM).await;
        gateway.links.order(None, order_given).unwrap();
        let unbind = peer.expect(UNBIND).await;
        assert!(matches!(gateway.outcome().await, (1, SubmitOutcome::InDoubt(_))));
        // As SMSCs do: what was sent before is answered before.
        peer.answer(&submit, 0, b"1\0").await;
        peer.answer(&unbind, 0, b"").await;
        let late = gateway.answer().await;
        assert_eq!((late.alert.0, late.late, late.outcome), (1, true, accepted(&["1"])));
    }
}
