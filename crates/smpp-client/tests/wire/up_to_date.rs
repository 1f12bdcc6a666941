//! Whole alerts brought up to date: what each way asks, and what the answers of all parts come to.

use std::time::Duration;

use model::{Address, AlertId, Kind, Msisdn, NoAnswer, ShortNumber, SmscName, UpdateOrder, UpdateOutcome, UpdateWay};
use smpp_client::{Ability, LinkSettings, LinkState};

use crate::smsc::{CANCEL_SM, Gateway, Peer, QUERY_SM, REPLACE_SM, SUBMIT_SM, Smsc, settings};

/// An answer that the SMSC gives: to what, with which status and body. `None`: it gives none.
type Turn = (u32, Option<(u32, &'static [u8])>);

fn update(way: UpdateWay, ids: &[&str]) -> UpdateOrder {
    UpdateOrder {
        alert: AlertId(1),
        attempt: 1,
        kind: Kind::Detail,
        smsc: SmscName("smsc1".into()),
        source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
        destination: Msisdn::international("8613800000001").unwrap(),
        message_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        before: "1 call".into(),
        text: "2 calls".into(),
        validity: Duration::from_secs(3_600),
        way,
        doubtful: false,
    }
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

/// Brings it up to date at an SMSC that answers so, and is asked nothing else.
async fn brought(gateway: &Gateway, peer: &mut Peer, order: UpdateOrder, turns: &[Turn]) -> UpdateOutcome {
    let answering = async {
        for (id, answer) in turns {
            let asked = peer.expect(*id).await;
            if let Some((status, body)) = answer {
                peer.answer(&asked, *status, body).await;
            }
        }
    };
    let (outcome, ()) = tokio::join!(gateway.links.bring_up_to_date(order), answering);
    peer.enquire(77).await;
    outcome
}

const OK: Option<(u32, &[u8])> = Some((0, b""));
const CANCELFAIL: Option<(u32, &[u8])> = Some((0x11, b""));
const REPLACEFAIL: Option<(u32, &[u8])> = Some((0x13, b""));
const UNKNOWN_COMMAND: Option<(u32, &[u8])> = Some((0x03, b""));
const THROTTLED: Option<(u32, &[u8])> = Some((0x58, b""));
const DELETED: Option<(u32, &[u8])> = Some((0, b"4a\x00\x00\x04\x00"));
const EXPIRED: Option<(u32, &[u8])> = Some((0, b"4a\x00\x00\x03\x00"));

/// What it is, how it is asked, the ids of the parts, what is asked and answered in turn, and what comes of it.
type Case<'a> = (&'a str, UpdateWay, &'a [&'a str], &'a [Turn], UpdateOutcome);

#[tokio::test]
async fn each_way_asks_what_it_says_and_all_answers_make_one_outcome() {
    use UpdateWay::{Cancel, Replace, ReplaceIfPresent};
    let replaced = |id: Option<&str>| UpdateOutcome::Replaced { message_id: id.map(str::to_owned) };
    let too_late = |status| UpdateOutcome::TooLate { status };
    let (one, three) = (&["4a"][..], &["4a", "4b", "4c"][..]);
    let cases: &[Case<'_>] = &[
        ("replaced", Replace, one, &[(REPLACE_SM, OK)], replaced(None)),
        ("delivered before", Replace, one, &[(REPLACE_SM, REPLACEFAIL)], too_late(0x13)),
        ("it can't replace", Replace, one, &[(REPLACE_SM, UNKNOWN_COMMAND)], UpdateOutcome::Impossible),
        ("several parts", Replace, three, &[], UpdateOutcome::Impossible),
        (
            "several parts are cancelled in order",
            Cancel,
            three,
            &[(CANCEL_SM, OK), (CANCEL_SM, OK), (CANCEL_SM, OK)],
            UpdateOutcome::Cancelled,
        ),
        ("the first is delivered", Cancel, three, &[(CANCEL_SM, CANCELFAIL)], too_late(0x11)),
        (
            "one is cancelled",
            Cancel,
            three,
            &[(CANCEL_SM, OK), (CANCEL_SM, CANCELFAIL), (CANCEL_SM, OK)],
            UpdateOutcome::Cancelled,
        ),
        ("put off", Cancel, one, &[(CANCEL_SM, Some((0x08, b"")))], UpdateOutcome::NotNow),
        ("no id", Cancel, one, &[(CANCEL_SM, Some((0x0c, b"")))], too_late(0x0c)),
        ("by a submit", ReplaceIfPresent, one, &[(SUBMIT_SM, Some((0, b"5c\0")))], replaced(Some("5c"))),
        ("by a submit of no name", ReplaceIfPresent, one, &[(SUBMIT_SM, Some((0, b"\0")))], replaced(None)),
        ("by a submit, put off", ReplaceIfPresent, one, &[(SUBMIT_SM, Some((0x08, b"")))], UpdateOutcome::NotNow),
        ("several parts by a submit", ReplaceIfPresent, three, &[], UpdateOutcome::Impossible),
    ];
    for (what, way, ids, turns, expected) in cases {
        let (_smsc, gateway, mut peer) = started(|_| {}).await;
        assert_eq!(brought(&gateway, &mut peer, update(*way, ids), turns).await, *expected, "{what}");
        let sent = u64::try_from(turns.len()).unwrap();
        let counts = gateway.until(|status| status.counts.updates == sent).await.counts;
        assert_eq!((counts.submits, counts.unknown_answers), (0, 0), "{what}");
    }
}

#[tokio::test]
async fn what_replace_sm_cannot_say_is_not_asked() {
    for (before, text) in [("1 call", "2 个"), ("1 call", &*"2 calls ".repeat(30))] {
        let (_smsc, gateway, mut peer) = started(|_| {}).await;
        let order = UpdateOrder { before: before.into(), text: text.into(), ..update(UpdateWay::Replace, &["4a"]) };
        assert_eq!(brought(&gateway, &mut peer, order, &[]).await, UpdateOutcome::Impossible);
    }
}

#[tokio::test]
async fn a_submit_that_replaces_is_the_submit_it_replaces_but_for_text_and_flag() {
    let (_smsc, mut gateway, mut peer) = started(|_| {}).await;
    gateway.submit(crate::smsc::order(1, "1 call")).await;
    let first = peer.take("4a").await;
    gateway.outcome().await;
    let asking = gateway.links.bring_up_to_date(update(UpdateWay::ReplaceIfPresent, &["4a"]));
    let (outcome, second) = tokio::join!(asking, peer.take("4a"));
    assert_eq!(outcome, UpdateOutcome::Replaced { message_id: Some("4a".into()) });
    // registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id, sm_length, text
    assert!(first.body.ends_with(b"\x01\0\0\0\x061 call"), "{first:x?}");
    assert!(second.body.ends_with(b"\x01\x01\0\0\x072 calls"), "{second:x?}");
    assert_eq!(first.body[..24], second.body[..24]);
}

#[tokio::test]
async fn an_smsc_that_never_answers_is_taken_as_unable_and_the_session_lives() {
    let (_smsc, gateway, mut peer) = started(|settings| settings.update_timeout = Duration::from_millis(30)).await;
    for (way, command) in [(UpdateWay::Replace, REPLACE_SM), (UpdateWay::Cancel, CANCEL_SM)] {
        let order = update(way, &["4a"]);
        assert_eq!(brought(&gateway, &mut peer, order.clone(), &[(command, None)]).await, UpdateOutcome::Impossible);
        // It has learnt, and asks no more.
        assert_eq!(brought(&gateway, &mut peer, order, &[]).await, UpdateOutcome::Impossible);
    }
    let status = gateway.until(|status| status.abilities.cancel == Ability::Cannot).await;
    assert_eq!((status.abilities.replace, status.abilities.query), (Ability::Cannot, Ability::Unknown));
    assert_eq!((status.state, status.counts.disconnects), (LinkState::Bound, 0));
}

#[tokio::test]
async fn no_answer_of_one_that_answered_before_is_in_doubt_and_query_sm_may_say_that_it_was_done() {
    for (state, expected) in [(DELETED, UpdateOutcome::Cancelled), (EXPIRED, UpdateOutcome::TooLate { status: 0x11 })] {
        let (_smsc, gateway, mut peer) = started(|settings| settings.update_timeout = Duration::from_millis(200)).await;
        let order = update(UpdateWay::Cancel, &["4a"]);
        assert_eq!(
            brought(&gateway, &mut peer, order.clone(), &[(CANCEL_SM, CANCELFAIL)]).await,
            UpdateOutcome::TooLate { status: 0x11 },
            "nobody asks about an attempt that was answered"
        );
        let silent = brought(&gateway, &mut peer, order.clone(), &[(CANCEL_SM, None)]).await;
        assert_eq!(silent, UpdateOutcome::InDoubt(NoAnswer::Timeout));
        let again = UpdateOrder { attempt: 2, doubtful: true, ..order };
        let turns = [(CANCEL_SM, CANCELFAIL), (QUERY_SM, state)];
        assert_eq!(brought(&gateway, &mut peer, again, &turns).await, expected);
    }
}

#[tokio::test]
async fn a_connection_that_ends_leaves_it_in_doubt_and_without_one_it_waits() {
    let (_smsc, gateway, mut peer) = started(|settings| settings.reconnect_min = Duration::from_secs(60)).await;
    let ending = async {
        peer.expect(REPLACE_SM).await;
        drop(peer);
    };
    let order = update(UpdateWay::Replace, &["4a"]);
    let (outcome, ()) = tokio::join!(gateway.links.bring_up_to_date(order.clone()), ending);
    assert_eq!(outcome, UpdateOutcome::InDoubt(NoAnswer::LinkLost));
    gateway.until(|status| status.state != LinkState::Bound).await;
    assert_eq!(gateway.links.bring_up_to_date(order).await, UpdateOutcome::NotNow);
}

#[tokio::test]
async fn an_smsc_that_closes_over_what_it_can_not_read_is_asked_twice_and_then_not_again() {
    let (smsc, gateway, mut peer) = started(|settings| settings.reconnect_min = Duration::from_millis(1)).await;
    let order = update(UpdateWay::Replace, &["4a"]);
    for disconnects in 1..=2 {
        let ending = async {
            peer.expect(REPLACE_SM).await;
            drop(peer);
        };
        let (outcome, ()) = tokio::join!(gateway.links.bring_up_to_date(order.clone()), ending);
        assert_eq!(outcome, UpdateOutcome::InDoubt(NoAnswer::LinkLost));
        gateway.until(|status| status.counts.disconnects == disconnects).await;
        peer = smsc.bound().await;
        gateway.until(|status| status.state == LinkState::Bound).await;
    }
    assert_eq!(brought(&gateway, &mut peer, order, &[]).await, UpdateOutcome::Impossible);
    let cancel = update(UpdateWay::Cancel, &["4a"]);
    assert_eq!(brought(&gateway, &mut peer, cancel, &[(CANCEL_SM, OK)]).await, UpdateOutcome::Cancelled);
    assert_eq!(gateway.status().counts.disconnects, 2);
}

#[tokio::test]
async fn a_storm_of_updates_keeps_the_rate_of_the_smsc_and_what_finds_no_place_was_not_asked() {
    const STORM: usize = 40;
    let (_smsc, gateway, mut peer) = started(|settings| {
        settings.smsc_rate = 5;
        settings.update_timeout = Duration::from_secs(1);
    })
    .await;
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..STORM {
        let links = gateway.links.clone();
        storm.spawn(async move { links.bring_up_to_date(update(UpdateWay::Cancel, &["4a"])).await });
    }
    let answering = tokio::spawn(async move {
        while let Some(asked) = peer.read().await {
            peer.answer(&asked, 0, b"").await;
        }
    });
    let (mut cancelled, mut not_now) = (0_usize, 0);
    while let Some(outcome) = storm.join_next().await {
        match outcome.unwrap() {
            UpdateOutcome::Cancelled => cancelled += 1,
            UpdateOutcome::NotNow => not_now += 1,
            outcome => panic!("{outcome:?}"),
        }
    }
    assert_eq!(gateway.status().counts.updates, u64::try_from(cancelled).unwrap());
    // A second's worth, and what a busy machine adds.
    assert!((1..20).contains(&cancelled) && cancelled + not_now == STORM, "{cancelled} {not_now}");
    answering.abort();
}

#[tokio::test]
async fn an_smsc_that_asks_to_slow_down_is_not_asked_for_a_while() {
    let (_smsc, gateway, mut peer) = started(|_| {}).await;
    let order = update(UpdateWay::Cancel, &["4a"]);
    assert_eq!(brought(&gateway, &mut peer, order, &[(CANCEL_SM, THROTTLED)]).await, UpdateOutcome::NotNow);
    gateway.until(|status| status.counts.throttles == 1).await;
}
