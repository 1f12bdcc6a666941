//! Receipts find their alerts: early, late, repeated, after a restart, and where ids are not unique.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use model::{IdForm, Msisdn, Receipt, ReceiptState, Submit, Timestamp};
use routing::{Database, Event};
use store::{Embedded, Matched, Settled, Store};
use support::*;

async fn submitted(store: &Embedded, people: u64) -> Vec<Submit> {
    register(store, (0..people).map(subscriber)).await;
    happen(store, (0..people).map(|n| call(&n.to_string(), subscriber(n))).collect()).await;
    store.lease(100, &context(now())).await.unwrap()
}

#[tokio::test]
async fn a_receipt_before_its_answer_is_kept_for_it_also_over_a_restart() {
    for restart in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let submits = submitted(&store, 1).await;
        assert_eq!(verdicts(&happen(&store, vec![receipt("7", None)]).await), ["nothing unmatched"]);
        let answer = accepted(&submits[0], &["7"]);
        store.append(vec![answer]).await.unwrap();
        if restart {
            store.close().await;
            store = open(dir.path());
        }
        let settled = settle(&store, &context(now())).await.unwrap();
        assert_eq!(verdicts(&settled), ["alert", "alert"], "the answer, then the receipt that waited for it");
        assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered");
        assert_eq!(verdicts(&happen(&store, vec![receipt("7", None)]).await), ["nothing no_change"]);
        store.close().await;
    }
}

#[tokio::test]
async fn both_parts_of_an_alert_are_matched_whichever_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    let events = vec![receipt("8b", None), accepted(&submits[0], &["8a", "8b"]), receipt("8a", None)];
    assert_eq!(verdicts(&happen(&store, events).await), ["nothing unmatched", "alert", "alert", "alert"]);
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered");
    store.close().await;
}

#[tokio::test]
async fn one_id_for_many_alerts_is_told_apart_by_the_handset_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 3).await;
    happen(&store, submits.iter().map(|submit| accepted(submit, &["0"])).collect()).await;
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", None)]).await), ["nothing unmatched"]);
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", Some(subscriber(9)))]).await), ["nothing unmatched"]);
    assert_eq!(verdicts(&happen(&store, vec![receipt("0", Some(subscriber(1)))]).await), ["alert"]);
    for (n, submit) in submits.iter().enumerate() {
        let expected = if n == 1 { "delivered" } else { "accepted" };
        assert_eq!(state(&store, submit.destination, submit.alert).await, expected);
    }
    store.close().await;
}

#[tokio::test]
async fn an_id_of_another_smsc_is_another_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    happen(&store, vec![accepted(&submits[0], &["7"])]).await;
    let mut foreign = receipt("7", None);
    if let routing::Event::Receipt(receipt) = &mut foreign {
        receipt.smsc.0 = "smsc2".to_owned();
    }
    assert_eq!(verdicts(&happen(&store, vec![foreign]).await), ["nothing unmatched"]);
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "accepted");
    store.close().await;
}

#[tokio::test]
async fn what_was_sending_at_the_end_of_a_life_is_in_doubt_in_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 2).await;
    // The answer to the second was journaled and not settled before the end.
    store.append(vec![accepted(&submits[1], &["2"])]).await.unwrap();
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.backlog(), 2);
    settle(&store, &context(now())).await.unwrap();
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "in_doubt");
    assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "accepted");
    // A late answer still counts.
    happen(&store, vec![accepted(&submits[0], &["1"])]).await;
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "accepted");
    store.close().await;
}

/// Tells one person at a time of a call; the message is on its way.
async fn send_at(store: &Embedded, who: u64, at: Timestamp) -> Submit {
    register(store, [subscriber(who)]).await;
    happen_at(store, vec![call_at(&at.to_string(), subscriber(who), at)], at).await;
    let [submit] = store.lease(2, &context(at)).await.unwrap().try_into().unwrap();
    submit
}

/// Journals events and settles them, at a time, at which its receipts came too.
async fn happen_at(store: &Embedded, events: Vec<Event>, at: Timestamp) -> Settled {
    let events = events.into_iter().map(|event| match event {
        Event::Receipt(receipt) => Event::Receipt(Receipt { at, ..receipt }),
        other => other,
    });
    store.append(events.collect()).await.unwrap();
    settle(store, &context(at)).await.unwrap()
}

/// How each receipt was matched, in order.
fn matches(settled: &Settled) -> Vec<&'static str> {
    settled.outcomes.iter().filter_map(|outcome| outcome.receipt.as_ref()).map(|receipt| receipt.how.as_str()).collect()
}

fn said(id: &str, who: u64, state: ReceiptState) -> Event {
    with(receipt(id, Some(subscriber(who))), |receipt| receipt.state = state)
}

/// The matrix's name of a pair, the id in the answer, the id in the receipt, the form.
const FORMS: &[(&str, &str, &str, &str)] = &[
    ("R01 hexadecimal, decimal", "1C2", "450", "decimal"),
    ("R01 padded hexadecimal, decimal", "000001C2", "0000000450", "decimal"),
    ("R01 64 bits", "FFFFFFFFFFFFFFFF", "18446744073709551615", "decimal"),
    ("R02 decimal, hexadecimal", "450", "1c2", "hexadecimal"),
    ("R02 decimal, padded hexadecimal", "3405691582", "00CAFEBABE", "hexadecimal"),
    ("R03 the receipt is padded", "123456", "0000123456", "same"),
    ("R04 the receipt is stripped", "0000123456", "123456", "same"),
    ("R05 upper, lower", "12ABCDEF", "12abcdef", "same"),
    ("R05 lower, upper", "s21311242091636504458661711", "S21311242091636504458661711", "same"),
    ("R06 a UUID", "0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5b-d9cb-469f-a165-70867728950e", "same"),
    ("R06 parts with dashes", "1101C1-C9D03D-F000", "1101C1-C9D03D-F000", "same"),
    ("R06 a numbered part", "SAR-77-2-1", "sar-77-2-1", "same"),
    ("R07 more than 20 digits", "04062581461644996000241", "4062581461644996000241", "same"),
    ("R07 more than 20 digits, hexadecimal", "DC3BA4BAE3153839F1", "4062581461644996000241", "decimal"),
    (
        "R07 more digits than any number here",
        "123456789012345678901234567890123456789012",
        "0123456789012345678901234567890123456789012",
        "same",
    ),
    ("R08 a colon and a dot", "0A:7.b", "a:7.B", "same"),
    ("R08 a NUL and a space behind", "8765 ", "8765\0", "same"),
    ("R08 only behind a decimal", "1F \0", "31 ", "decimal"),
    ("both are zeros", "000", "0", "same"),
];

#[tokio::test]
async fn every_form_of_an_id_finds_its_alert_with_the_handset_and_without() {
    for (name, answer, written, form) in FORMS {
        for handset in [Some(subscriber(0)), None] {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            let submits = submitted(&store, 2).await;
            happen(&store, vec![accepted(&submits[0], &[answer]), accepted(&submits[1], &["other"])]).await;
            let settled = happen(&store, vec![receipt(written, handset)]).await;
            assert_eq!((verdicts(&settled), matches(&settled)), (vec!["alert".to_owned()], vec![*form]), "{name}");
            assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered", "{name}");
            assert_eq!(store.health().parked, 0);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_receipt_in_another_form_waits_for_its_answer_too() {
    for (name, answer, written, form) in FORMS {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let submits = submitted(&store, 1).await;
        let settled = happen(&store, vec![receipt(written, Some(subscriber(0)))]).await;
        assert_eq!((matches(&settled), store.health().parked), (vec!["unmatched"], 1), "{name}");
        let settled = happen(&store, vec![accepted(&submits[0], &[answer])]).await;
        assert_eq!((matches(&settled), store.health().parked), (vec![*form], 0), "{name}");
        assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered", "{name}");
        store.close().await;
    }
}

/// Receipts in time: the events that follow an alert's submit, what is decided of each, and the alert's state in the end.
fn stories(submit: &Submit) -> Vec<(&'static str, Vec<Event>, Vec<&'static str>, &'static str)> {
    use ReceiptState::{Accepted, Delivered, Expired};
    let answer = || accepted(submit, &["1C2"]);
    let (same, decimal) = ("1c2", "450");
    let (nobody, again) = ("nothing unmatched", "nothing no_change");
    vec![
        (
            "R29 before the answer",
            vec![said(decimal, 0, Delivered), answer()],
            vec![nobody, "alert", "alert"],
            "delivered",
        ),
        (
            "R29 twice before the answer",
            vec![said(same, 0, Delivered), said(same, 0, Delivered), answer()],
            vec![nobody, nobody, "alert", "alert", again],
            "delivered",
        ),
        (
            "R30 twice",
            vec![answer(), said(decimal, 0, Delivered), said(decimal, 0, Delivered)],
            vec!["alert", "alert", again],
            "delivered",
        ),
        (
            "R31 ACCEPTD, then DELIVRD",
            vec![answer(), said(same, 0, Accepted), said(same, 0, Accepted), said(same, 0, Delivered)],
            vec!["alert", "alert", again, "alert"],
            "delivered",
        ),
        (
            "R32 DELIVRD after EXPIRED",
            vec![answer(), said(same, 0, Expired), said(same, 0, Delivered)],
            vec!["alert", "alert", again],
            "expired",
        ),
        (
            "R33 of an id that no longer counts",
            vec![answer(), said("1c1", 0, Delivered)],
            vec!["alert", nobody],
            "accepted",
        ),
        (
            "R35 unsolicited",
            vec![said("99", 7, Delivered), answer(), said("99", 7, Delivered)],
            vec![nobody, "alert", nobody],
            "accepted",
        ),
    ]
}

#[tokio::test]
async fn receipts_come_early_twice_late_and_unasked_and_count_once() {
    for story in 0..7 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let submit = submitted(&store, 1).await.remove(0);
        let (name, events, expected, last) = stories(&submit).remove(story);
        let mut decided = Vec::new();
        for event in events {
            decided.extend(verdicts(&happen(&store, vec![event]).await));
        }
        assert_eq!(decided, expected, "{name}");
        assert_eq!(state(&store, subscriber(0), submit.alert).await, last, "{name}");
        assert!(store.lease(10, &context(now())).await.unwrap().is_empty(), "{name}: nothing is told twice");
        store.close().await;
    }
}

#[tokio::test]
async fn r34_a_receipt_for_an_id_of_a_former_run_counts_with_the_database_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submit = submitted(&store, 1).await.remove(0);
    happen(&store, vec![accepted(&submit, &["1C2"])]).await;
    store.close().await;
    let store = open(dir.path());
    let down = store::Context { database: Database::Abnormal, ..context(now()) };
    store.append(vec![receipt("450", Some(subscriber(0)))]).await.unwrap();
    let settled = settle(&store, &down).await.unwrap();
    assert_eq!(matches(&settled), ["decimal"]);
    assert_eq!(state(&store, subscriber(0), submit.alert).await, "delivered");
    store.close().await;
}

/// Everybody's message is taken under an id of their own; then one receipt comes.
async fn after_answers(ids: &[&str], receipt: Event) -> (Vec<&'static str>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, ids.len() as u64).await;
    happen(&store, submits.iter().zip(ids).map(|(submit, id)| accepted(submit, &[id])).collect()).await;
    let settled = happen(&store, vec![receipt]).await;
    let mut delivered = Vec::new();
    for (submit, id) in submits.iter().zip(ids) {
        if state(&store, submit.destination, submit.alert).await == "delivered" {
            delivered.push((*id).to_owned());
        }
    }
    store.close().await;
    (matches(&settled), delivered)
}

#[tokio::test]
async fn among_several_the_handset_decides_then_the_order_of_forms_then_the_spelling_else_nobody() {
    let who = |n| Some(subscriber(n));
    let set = |form| move |receipt: &mut Receipt| receipt.id_form = Some(form);
    for (name, ids, receipt, how, delivered) in [
        ("the handset's, by another form", vec!["450", "1C2"], receipt("450", who(1)), "decimal", vec!["1C2"]),
        ("the handset's, the same", vec!["450", "1C2"], receipt("450", who(0)), "same", vec!["450"]),
        ("no handset, two forms", vec!["450", "1C2"], receipt("450", None), "ambiguous", vec![]),
        ("nobody's handset, two forms", vec!["450", "1C2"], receipt("450", who(9)), "ambiguous", vec![]),
        (
            "no handset, the form is set",
            vec!["450", "1C2"],
            with(receipt("450", None), set(IdForm::Decimal)),
            "decimal",
            vec!["1C2"],
        ),
        (
            "another form is set",
            vec!["450"],
            with(receipt("450", who(0)), set(IdForm::Hexadecimal)),
            "unmatched",
            vec![],
        ),
        ("no handset, one spelled alike", vec!["ABC", "abc"], receipt("abc", None), "same", vec!["abc"]),
        ("no handset, none spelled alike", vec!["ABC", "abc"], receipt("Abc", None), "ambiguous", vec![]),
        ("an IMSI as the source", vec!["450", "7"], receipt("450", who(9)), "same", vec!["450"]),
        ("another's, by another form", vec!["10", "7"], receipt("16", who(9)), "unmatched", vec![]),
    ] {
        let (matched, ended) = after_answers(&ids, receipt).await;
        assert_eq!((matched, ended), (vec![how], delivered.iter().map(ToString::to_string).collect()), "{name}");
    }
}

#[tokio::test]
async fn two_ids_of_one_handset_that_differ_in_case_are_told_apart_by_the_spelling() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    register(&store, [subscriber(0)]).await;
    let mut submits = Vec::new();
    for (n, id) in ["ABC", "abc"].into_iter().enumerate() {
        let later = now() + DAY * u32::try_from(n).unwrap();
        store.append(vec![call_at(id, subscriber(0), later)]).await.unwrap();
        settle(&store, &context(later)).await.unwrap();
        let submit = store.lease(1, &context(later)).await.unwrap().remove(0);
        happen(&store, vec![accepted(&submit, &[id])]).await;
        submits.push(submit);
    }
    happen(&store, vec![receipt("ABC", Some(subscriber(0)))]).await;
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "delivered");
    assert_eq!(state(&store, subscriber(0), submits[1].alert).await, "accepted");
    store.close().await;
}

#[tokio::test]
async fn a_form_that_ten_handsets_prove_decides_where_no_handset_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 16).await;
    // Ten people's ids prove the form; those of the last six are each other's in another form.
    let ids: Vec<_> = (0..10)
        .map(|n| format!("{:X}", 1_000 + n))
        .chain(["450", "1C2", "460", "1CC", "470", "1D6"].map(str::to_owned))
        .collect();
    happen(&store, submits.iter().zip(&ids).map(|(submit, id)| accepted(submit, &[id])).collect()).await;
    for n in 0..10_u64 {
        assert_eq!(matches(&happen(&store, vec![receipt("450", None)]).await), ["ambiguous"], "after {n}");
        let proof = receipt(&(1_000 + n).to_string(), Some(subscriber(n)));
        assert_eq!(matches(&happen(&store, vec![proof]).await), ["decimal"]);
    }
    let settled = happen(&store, vec![receipt("450", None), receipt("460", None)]).await;
    assert_eq!(matches(&settled), ["decimal", "decimal"]);
    assert_eq!(state(&store, subscriber(11), submits[11].alert).await, "delivered");
    assert_eq!(state(&store, subscriber(10), submits[10].alert).await, "accepted");
    // It also comes first among the alerts of one handset.
    let later = now() + DAY;
    store.append(vec![call_at("again", subscriber(14), later)]).await.unwrap();
    settle(&store, &context(later)).await.unwrap();
    let second = store.lease(1, &context(later)).await.unwrap().remove(0);
    happen(&store, vec![accepted(&second, &["1D6"])]).await;
    let settled = happen_at(&store, vec![receipt("470", Some(subscriber(14)))], later).await;
    assert_eq!(matches(&settled), ["decimal"]);
    assert_eq!(state(&store, subscriber(14), second.alert).await, "delivered");
    // One proof of another form in ten is none; a second one counts, until there are ten times as many again.
    assert_eq!(matches(&happen(&store, vec![receipt("450", Some(subscriber(10)))]).await), ["same"]);
    assert_eq!(matches(&happen(&store, vec![receipt("450", None)]).await), ["decimal"]);
    assert_eq!(matches(&happen(&store, vec![receipt("460", Some(subscriber(12)))]).await), ["same"]);
    assert_ne!(matches(&happen(&store, vec![receipt("450", None)]).await), ["decimal"]);
    for n in 0..10_u64 {
        happen(&store, vec![receipt(&(1_000 + n).to_string(), Some(subscriber(n)))]).await;
    }
    assert_eq!(matches(&happen(&store, vec![receipt("450", None)]).await), ["decimal"]);
    store.close().await;
}

#[tokio::test]
async fn what_a_batch_proves_decides_from_the_next_one_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 12).await;
    let ids: Vec<_> = (0..10).map(|n| format!("{:X}", 1_000 + n)).chain(["450", "1C2"].map(str::to_owned)).collect();
    happen(&store, submits.iter().zip(&ids).map(|(submit, id)| accepted(submit, &[id])).collect()).await;
    let mut batch: Vec<_> = (0..10).map(|n| receipt(&(1_000 + n).to_string(), Some(subscriber(n)))).collect();
    batch.push(receipt("450", None));
    assert_eq!(matches(&happen(&store, batch).await).last(), Some(&"ambiguous"));
    assert_eq!(matches(&happen(&store, vec![receipt("450", None)]).await), ["decimal"]);
    store.close().await;
}

#[tokio::test]
async fn a_receipt_that_outruns_its_answer_is_not_taken_for_that_of_an_older_message() {
    for handset in [Some(subscriber(1)), None] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let submits = submitted(&store, 2).await;
        // The SMSC counts: 16 is 10 in hexadecimal, whose message has arrived.
        happen(&store, vec![accepted(&submits[0], &["10"]), receipt("10", Some(subscriber(0)))]).await;
        let settled = happen(&store, vec![receipt("16", handset), accepted(&submits[1], &["16"])]).await;
        assert_eq!(matches(&settled), ["unmatched", "same"]);
        assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "delivered");
        store.close().await;
    }
}

#[tokio::test]
async fn of_an_smsc_that_names_handsets_no_receipt_is_taken_for_another_handsets() {
    for older in ["accepted", "delivered"] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let submits = submitted(&store, 3).await;
        happen(&store, vec![accepted(&submits[0], &["0"]), accepted(&submits[1], &["5"])]).await;
        happen(&store, vec![receipt("0", Some(subscriber(0)))]).await;
        if older == "delivered" {
            happen(&store, vec![receipt("5", Some(subscriber(1)))]).await;
        }
        // The id is given again, and its receipt outruns its answer.
        let early = happen(&store, vec![said("5", 2, ReceiptState::Expired)]).await;
        assert_eq!((matches(&early), store.health().parked), (vec!["unmatched"], 1));
        assert_eq!(state(&store, subscriber(1), submits[1].alert).await, older);
        assert_eq!(matches(&happen(&store, vec![accepted(&submits[2], &["5"])]).await), ["same"]);
        assert_eq!(state(&store, subscriber(2), submits[2].alert).await, "expired");
        store.close().await;
    }
}

#[tokio::test]
async fn a_strangers_receipt_that_waits_here_is_not_taken_for_a_new_message_with_its_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    happen(&store, vec![said("5", 77, ReceiptState::Undeliverable)]).await;
    assert_eq!(verdicts(&happen(&store, vec![accepted(&submits[0], &["5"])]).await), ["alert"]);
    assert_eq!((state(&store, subscriber(0), submits[0].alert).await, store.health().parked), ("accepted", 1));
    store.close().await;
}

#[tokio::test]
async fn a_receipt_that_came_before_a_message_was_made_is_not_taken_for_it() {
    let (dir, hour) = (tempfile::tempdir().unwrap(), DAY / 24);
    let store = open(dir.path());
    // One id for every message, and each receipt comes twice.
    let delivered = || receipt("0", Some(subscriber(0)));
    for n in 0..2 {
        let at = now() + hour * n;
        let submit = send_at(&store, 0, at).await;
        happen_at(&store, vec![accepted(&submit, &["0"])], at).await;
        assert_eq!(verdicts(&happen_at(&store, vec![delivered()], at).await), ["alert"]);
        happen_at(&store, vec![delivered()], at).await;
    }
    assert_eq!(store.health().parked, 1, "of two that have arrived, nothing tells whose the second is");
    let at = now() + hour * 5;
    let third = send_at(&store, 0, at).await;
    assert_eq!(matches(&happen_at(&store, vec![accepted(&third, &["0"])], at).await), [] as [&str; 0]);
    assert_eq!(state(&store, subscriber(0), third.alert).await, "accepted");
    // Nor without a handset, for another person.
    happen_at(&store, vec![receipt("17", None)], at).await;
    let other = send_at(&store, 1, at + hour).await;
    assert_eq!(matches(&happen_at(&store, vec![accepted(&other, &["17"])], at + hour).await), [] as [&str; 0]);
    // Its own counts, by a clock that is a little behind, too.
    let early = happen_at(&store, vec![delivered()], at - hour / 120).await;
    assert_eq!(matches(&early), ["same"]);
    assert_eq!(state(&store, subscriber(0), third.alert).await, "delivered");
    store.close().await;
}

#[tokio::test]
async fn a_receipt_long_after_an_alert_has_ended_waits_for_the_next_one_with_its_id() {
    let (dir, minute) = (tempfile::tempdir().unwrap(), DAY / 1_440);
    let store = open(dir.path());
    let delivered = || vec![receipt("5", Some(subscriber(0)))];
    let first = send_at(&store, 0, now()).await;
    happen_at(&store, vec![accepted(&first, &["5"])], now()).await;
    assert_eq!(verdicts(&happen_at(&store, delivered(), now()).await), ["alert"]);
    assert_eq!(verdicts(&happen_at(&store, delivered(), now() + minute * 4).await), ["nothing no_change"]);
    let later = now() + minute * 60;
    let second = send_at(&store, 0, later).await;
    assert_eq!(matches(&happen_at(&store, delivered(), later).await), ["unmatched"]);
    assert_eq!(matches(&happen_at(&store, vec![accepted(&second, &["5"])], later).await), ["same"]);
    assert_eq!(state(&store, subscriber(0), second.alert).await, "delivered");
    store.close().await;
}

#[tokio::test]
async fn a_repeat_is_not_taken_for_a_message_whose_id_is_the_same_number_in_another_form() {
    for before_its_answer in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let submits = submitted(&store, 2).await;
        // Answers are hexadecimal, receipts decimal, and nobody is named.
        happen(&store, vec![accepted(&submits[0], &["10"])]).await;
        assert_eq!(matches(&happen(&store, vec![receipt("16", None)]).await), ["decimal"]);
        let mut events = vec![accepted(&submits[1], &["16"]), receipt("16", None)];
        if before_its_answer {
            events.reverse();
        }
        let repeat = happen(&store, events).await;
        assert_eq!(matches(&repeat), [if before_its_answer { "unmatched" } else { "ambiguous" }]);
        assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "accepted");
        assert_eq!(matches(&happen(&store, vec![receipt("22", None)]).await), ["decimal"]);
        assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "delivered");
        store.close().await;
    }
}

#[tokio::test]
async fn a_receipt_finds_its_answer_behind_many_strangers_with_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    let strangers = (100..140).map(|who| receipt("0", Some(subscriber(who))));
    happen(
        &store,
        strangers.chain([said("0", 0, ReceiptState::Accepted), said("0", 0, ReceiptState::Expired)]).collect(),
    )
    .await;
    let settled = happen(&store, vec![accepted(&submits[0], &["0"])]).await;
    assert_eq!((verdicts(&settled), store.health().parked), (vec!["alert".to_owned(); 3], 40), "in order");
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "expired");
    store.close().await;
}

#[tokio::test]
async fn a_parked_receipt_outlives_its_event_by_a_day_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let hour = DAY / 24;
    let store = Embedded::open(
        store::EmbeddedSettings { retention: store::Retention::of(hour / 2), ..settings(dir.path()) },
        now(),
    )
    .unwrap();
    let submits = submitted(&store, 1).await;
    happen(&store, vec![receipt("7", Some(subscriber(0))), receipt("8", None)]).await;
    while !store.prune(now() + hour).await.unwrap().done {}
    assert_eq!(
        (store.timeline(subscriber(0), 10).await.unwrap().len(), store.health().parked),
        (0, 2),
        "only they are left"
    );
    assert_eq!(verdicts(&happen(&store, vec![accepted(&submits[0], &["7"])]).await), ["alert"]);
    assert_eq!((store.backlog(), store.health().parked), (1, 1), "it happens anew");
    assert_eq!(matches(&settle(&store, &context(now())).await.unwrap()), ["same"]);
    assert_eq!(store.alert_counts().delivered, 1);
    while !store.prune(now() + DAY + hour).await.unwrap().done {}
    assert_eq!((store.health().parked, store.health().parked_dropped), (0, 0));
    store.close().await;
}

#[tokio::test]
async fn receipts_of_nobody_are_kept_up_to_a_bound_the_oldest_go_first_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 2).await;
    let first = receipt("first", Some(subscriber(0)));
    happen(&store, std::iter::once(first).chain((1..100_000).map(|n| receipt(&format!("x{n}"), None))).collect()).await;
    assert_eq!((store.health().parked, store.health().parked_dropped), (100_000, 0));
    happen(&store, vec![receipt("last", Some(subscriber(1)))]).await;
    assert_eq!((store.health().parked, store.health().parked_dropped), (100_000, 1));
    let answers = vec![accepted(&submits[0], &["first"]), accepted(&submits[1], &["last"])];
    assert_eq!(verdicts(&happen(&store, answers).await), ["alert", "alert", "alert"]);
    assert_eq!(state(&store, subscriber(0), submits[0].alert).await, "accepted", "forgotten");
    assert_eq!(state(&store, subscriber(1), submits[1].alert).await, "delivered");
    store.close().await;
}

#[tokio::test]
async fn a_strangers_receipt_is_not_kept_for_a_message_that_another_form_would_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    happen(&store, vec![receipt("16", None), receipt("16", Some(subscriber(9)))]).await;
    assert_eq!(verdicts(&happen(&store, vec![accepted(&submits[0], &["10"])]).await), ["alert"]);
    assert_eq!((state(&store, subscriber(0), submits[0].alert).await, store.health().parked), ("accepted", 2));
    store.close().await;
}

#[tokio::test]
async fn an_id_that_is_too_long_or_empty_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submits = submitted(&store, 1).await;
    happen(&store, vec![accepted(&submits[0], &["1"])]).await;
    let who: Option<Msisdn> = Some(subscriber(0));
    let odd = ["", "\0", " ", "ﬀ", &"9".repeat(5_000), &"f".repeat(64)].map(|id| receipt(id, who));
    assert_eq!(matches(&happen(&store, odd.to_vec()).await), ["unmatched"; 6]);
    assert_eq!(store.health().parked, 6);
    assert_eq!(Matched::ALL.map(Matched::as_str), ["same", "decimal", "hexadecimal", "ambiguous", "unmatched"]);
    store.close().await;
}
