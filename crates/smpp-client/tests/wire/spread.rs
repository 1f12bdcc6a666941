//! How orders are spread over several links and SMSCs.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{LinkName, SmscName, SubmitOutcome};
use smpp_client::{Bind, LinkSettings, LinkState, LinkStatus, Permit, Why};

use crate::smsc::{Gateway, SUBMIT_SM, Smsc, accepted_by, order, poll_once, settings};

fn named(port: u16, smsc: &str) -> LinkSettings {
    LinkSettings { name: LinkName(format!("{smsc}/1")), smsc: SmscName(smsc.into()), ..settings(port) }
}

async fn all_bound(gateway: &Gateway) {
    gateway.until_all(|all| all.iter().all(|status| status.state == LinkState::Bound)).await;
}

fn count(permits: &[Permit]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for permit in permits {
        *counts.entry(permit.smsc().unwrap().0.clone()).or_default() += 1;
    }
    counts
}

fn counts(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn links_get_orders_by_their_weights() {
    let (one, two) = (Smsc::open().await, Smsc::open().await);
    let heavy = LinkSettings { weight: 3, ..named(two.port, "heavy") };
    let gateway = Gateway::start(vec![named(one.port, "light"), heavy]);
    let _peers = (one.bound().await, two.bound().await);
    all_bound(&gateway).await;
    assert_eq!(count(&gateway.reserve(8).await), counts(&[("light", 2), ("heavy", 6)]));
    // There are more permits than orders, mostly.
    let mut used = BTreeMap::new();
    for alert in 0..8 {
        let permit = gateway.reserve(100).await.remove(0);
        *used.entry(permit.smsc().unwrap().0.clone()).or_default() += 1;
        permit.submit(order(alert, "C"));
    }
    assert_eq!(used, counts(&[("light", 2), ("heavy", 6)]));
}

#[tokio::test]
async fn the_second_choice_gets_orders_only_while_the_first_is_out_of_service() {
    let (first, second) = (Smsc::open().await, Smsc::open().await);
    let backup = LinkSettings { priority: 1, ..named(second.port, "backup") };
    let mut gateway = Gateway::start(vec![named(first.port, "main"), backup]);
    let mut main = first.bound().await;
    let mut spare = second.bound().await;
    all_bound(&gateway).await;
    assert_eq!(count(&gateway.reserve(100).await), counts(&[("main", 10)]));
    // All of the first one's slots are out: that is no reason to leave it.
    let held = gateway.reserve(100).await;
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none());
    drop(held);
    gateway.submit(order(1, "C")).await;
    main.expect(SUBMIT_SM).await;
    drop(main);
    assert_eq!(gateway.outcome().await.0, 1);
    let permits = gateway.reserve(100).await;
    assert_eq!(count(&permits), counts(&[("backup", 10)]));
    drop(permits);
    gateway.submit(order(2, "C")).await;
    spare.take("b").await;
    assert_eq!(gateway.outcome().await, (2, accepted_by("backup", &["b"])));
    let _main = first.bound().await;
    all_bound(&gateway).await;
    assert_eq!(count(&gateway.reserve(100).await), counts(&[("main", 10)]));
}

#[tokio::test]
async fn an_smsc_that_answers_nothing_holds_up_no_other() {
    let (silent, quick) = (Smsc::open().await, Smsc::open().await);
    let mut gateway = Gateway::start(vec![named(silent.port, "silent"), named(quick.port, "quick")]);
    let _silent = silent.bound().await;
    let mut peer = quick.bound().await;
    all_bound(&gateway).await;
    let mut alert = 0;
    for _ in 0..5 {
        for permit in gateway.reserve(20).await {
            alert += 1;
            permit.submit(order(alert, "C"));
        }
        let quick = gateway.links.status().remove(1);
        for _ in quick.counts.accepted..u64::try_from(alert).unwrap().saturating_sub(10) {
            peer.take("q").await;
            assert_eq!(gateway.outcome().await.1, accepted_by("quick", &["q"]));
        }
    }
    let status = gateway.links.status();
    assert_eq!((status[0].counts.submits, status[0].in_flight), (10, 10));
    assert!(status[1].counts.accepted >= 40, "{}", status[1].counts.accepted);
}

#[tokio::test]
async fn an_smsc_that_lives_and_answers_no_submit_is_left_for_another() {
    let (sick, spare) = (Smsc::open().await, Smsc::open().await);
    let quick = |port, name: &str, priority| LinkSettings {
        response_timeout: Duration::from_millis(20),
        reconnect_min: Duration::from_secs(60),
        reconnect_max: Duration::from_secs(60),
        priority,
        ..named(port, name)
    };
    let mut gateway = Gateway::start(vec![quick(sick.port, "sick", 0), quick(spare.port, "spare", 1)]);
    let mut sick = sick.bound().await;
    let mut peer = spare.bound().await;
    all_bound(&gateway).await;
    for alert in 1..=10 {
        gateway.submit(order(alert, "C")).await;
        assert!(matches!(gateway.outcome().await.1, SubmitOutcome::InDoubt(_)));
        sick.expect(SUBMIT_SM).await;
    }
    // From then on others get them; a while later it is bound anew.
    gateway.submit(order(11, "C")).await;
    peer.take("s").await;
    assert_eq!(gateway.outcome().await, (11, accepted_by("spare", &["s"])));
    sick.expect_end().await;
    let why = |status: &LinkStatus| status.last_closed.map(|closed| closed.why);
    gateway.until_all(|all| why(&all[0]) == Some(Why::NoSubmitAnswer)).await;
}

#[tokio::test]
async fn an_smsc_that_answers_late_gets_orders_again() {
    let smsc = Smsc::open().await;
    let link = LinkSettings { response_timeout: Duration::from_millis(200), ..named(smsc.port, "late") };
    let mut gateway = Gateway::start(vec![link]);
    let mut peer = smsc.bound().await;
    for (alert, permit) in (1..).zip(gateway.reserve(100).await) {
        permit.submit(order(alert, "C"));
    }
    let mut submits = Vec::new();
    for _ in 0..10 {
        submits.push(peer.expect(SUBMIT_SM).await);
        assert!(matches!(gateway.outcome().await.1, SubmitOutcome::InDoubt(_)));
    }
    peer.enquire(1).await;
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none(), "none before it answers");
    for submit in &submits {
        peer.answer(submit, 0, b"id\0").await;
    }
    for _ in 0..10 {
        let answer = gateway.answer().await;
        assert_eq!((answer.late, answer.outcome), (true, accepted_by("late", &["id"])));
    }
    gateway.submit(order(11, "C")).await;
    peer.take("id").await;
    assert_eq!(gateway.outcome().await, (11, accepted_by("late", &["id"])));
    assert_eq!(gateway.status().counts.disconnects, 0);
}

#[tokio::test]
async fn what_one_smsc_cannot_take_goes_to_another_of_whatever_priority() {
    let (first, second) = (Smsc::open().await, Smsc::open().await);
    let backup = LinkSettings { priority: 1, ..named(second.port, "backup") };
    let mut gateway = Gateway::start(vec![named(first.port, "main"), backup]);
    let mut main = first.bound().await;
    let mut spare = second.bound().await;
    all_bound(&gateway).await;
    gateway.submit(order(1, "C")).await;
    let submit = main.expect(SUBMIT_SM).await;
    main.answer(&submit, 0x08, b"").await;
    let (_, outcome) = gateway.outcome().await;
    let SubmitOutcome::Later { status: 0x08, after, avoid } = outcome else { panic!("{outcome:?}") };
    assert_eq!((after, &avoid), (Duration::from_secs(1), &Some(SmscName("main".into()))));
    let again = model::Submit { avoid, attempt: 2, ..order(1, "C") };
    let permit = gateway.reserve(1).await.remove(0);
    assert_eq!(permit.smsc(), Some(&SmscName("main".into())));
    gateway.links.submit(permit, again.clone());
    spare.take("b").await;
    assert_eq!(gateway.outcome().await, (1, accepted_by("backup", &["b"])));
    // Where there is no other, it is tried here once more.
    drop(spare);
    gateway.until_all(|all| all[1].state != LinkState::Bound).await;
    gateway.links.submit(gateway.reserve(1).await.remove(0), again);
    main.take("m").await;
    assert_eq!(gateway.outcome().await, (1, accepted_by("main", &["m"])));
}

#[tokio::test]
async fn a_receiver_gives_no_permits() {
    let smsc = Smsc::open().await;
    let receiver = LinkSettings { bind: Bind::Receiver, ..named(smsc.port, "main") };
    let gateway = Gateway::start(vec![receiver]);
    let _peer = smsc.bound().await;
    all_bound(&gateway).await;
    assert!(poll_once(&mut Box::pin(gateway.links.reserve(1))).await.is_none());
}

#[tokio::test]
async fn links_of_one_smsc_keep_its_rate_together() {
    let smsc = Smsc::open().await;
    let link = |number: u32| LinkSettings {
        name: LinkName(format!("main/{number}")),
        smsc_rate: 1,
        ..named(smsc.port, "main")
    };
    let mut gateway = Gateway::start(vec![link(1), link(2)]);
    let mut peers = [smsc.bound().await, smsc.bound().await];
    all_bound(&gateway).await;
    for (alert, permit) in (1..).zip(gateway.reserve(2).await) {
        permit.submit(order(alert, "C"));
    }
    gateway.until_all(|all| all.iter().map(|status| status.counts.submits).sum::<u64>() == 1).await;
    let status = gateway.links.status();
    // The other one's is sent a second later; until then neither has an answer.
    assert_eq!(status.iter().map(|status| status.counts.submits).sum::<u64>(), 1);
    let first = usize::from(status[0].counts.submits == 0);
    peers[first].take("a").await;
    peers[1 - first].take("b").await;
    assert_eq!(gateway.outcome().await.1, accepted_by("main", &["a"]));
    assert_eq!(gateway.outcome().await.1, accepted_by("main", &["b"]));
}
