//! The trail: the life of an alert can be told from itself, whatever happened, and in little room.

use super::*;

fn step_words(alert: &Alert) -> Vec<&'static str> {
    alert.life().iter().map(|step| step.what.as_str()).collect()
}

fn lease(alert: &mut Alert, at: Timestamp) {
    assert!(matches!(alert.lease(Database::Normal, &Limits::default(), at), Leased::Send(_)));
}

fn answer(alert: &mut Alert, outcome: &SubmitOutcome, at: Timestamp) {
    alert.submitted(alert.attempts, outcome, InDoubtPolicy::Resend, &Limits::default(), at).unwrap();
}

fn receive(alert: &mut Alert, state: ReceiptState, at: Timestamp) {
    let Event::Receipt(receipt) = receipt(state) else { panic!("not a receipt") };
    alert.receipt(&Receipt { error: "000".to_owned(), ..receipt }, InDoubtPolicy::Hold, at).unwrap();
}

/// One that was put off once, and arrived.
fn delivered() -> Alert {
    let mut alert = alert(Kind::Detail, AlertState::Queued { not_before: NOW });
    let later = SubmitOutcome::Later { status: 0x58, after: Duration::ZERO, avoid: None };
    lease(&mut alert, NOW);
    answer(&mut alert, &later, NOW + MINUTE);
    lease(&mut alert, NOW + MINUTE * 2);
    answer(&mut alert, &taken(&["a"]), NOW + MINUTE * 3);
    receive(&mut alert, ReceiptState::Delivered, NOW + MINUTE * 4);
    alert
}

#[test]
fn a_life_is_told_in_order_and_comes_back_from_json() {
    let alert = delivered();
    assert_eq!(step_words(&alert), ["queued", "sent", "put_off", "sent", "accepted", "receipt", "delivered"]);
    assert!(alert.life().is_sorted_by_key(|step| step.at));
    let text = serde_json::to_string(&alert).unwrap();
    assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), alert);
    let (smsc, ids) = (smsc(), vec!["a".to_owned()]);
    assert_eq!(alert.trail[3].what, StepWhat::Accepted { smsc, ids });
    assert_eq!(
        serde_json::to_value(&alert.trail[1..]).unwrap(),
        serde_json::json!([
            [1_795_420_860_000_i64, { "put_off": { "status": 0x58 } }],
            [1_795_420_920_000_i64, { "sent": { "n": 2 } }],
            [1_795_420_980_000_i64, { "accepted": { "smsc": "smsc1", "ids": ["a"] } }],
            [1_795_421_040_000_i64, { "receipt": { "state": "delivered", "error": "000" } }],
        ])
    );
}

#[test]
fn a_row_from_before_trails_is_read_and_one_without_steps_says_nothing_of_them() {
    let alert = alert(Kind::Detail, AlertState::Delivered { at: NOW });
    let text = serde_json::to_string(&alert).unwrap();
    assert!(!text.contains("trail") && !text.contains("again"), "{text}");
    assert_eq!(step_words(&serde_json::from_str(&text).unwrap()), ["queued", "delivered"]);
}

#[test]
fn a_usual_life_takes_little_room() {
    let mut alert = alert(Kind::Detail, AlertState::Queued { not_before: NOW });
    lease(&mut alert, NOW);
    answer(&mut alert, &taken(&["1101c1c9d03df000"]), NOW);
    let Event::Receipt(receipt) = receipt(ReceiptState::Delivered) else { panic!("not a receipt") };
    let receipt = Receipt { message_id: "1101c1c9d03df000".to_owned(), error: "000".to_owned(), ..receipt };
    alert.receipt(&receipt, InDoubtPolicy::Hold, NOW).unwrap();
    let bare = Alert { trail: Vec::new(), ..alert.clone() };
    let [with, without] = [&alert, &bare].map(|alert| serde_json::to_string(alert).unwrap().len());
    assert!(with - without < 200, "{without} octets without its trail, {with} with it");
}

#[test]
fn a_thousand_attempts_leave_the_first_the_newest_and_how_many_are_missing() {
    let mut alert = alert(Kind::Detail, AlertState::Queued { not_before: NOW });
    let mut now = NOW;
    for _ in 0..1_000 {
        alert.validity = DAY * 365;
        lease(&mut alert, now);
        answer(&mut alert, &SubmitOutcome::NotSent, now + MINUTE);
        assert!(alert.trail.len() <= MAX_TRAIL);
        now = now + MINUTE * 2;
    }
    assert_eq!(alert.trail.len(), MAX_TRAIL);
    assert_eq!(alert.trail[0], Step { at: NOW, what: StepWhat::Sent { attempt: 1 } });
    let StepWhat::Omitted(omitted) = alert.trail[1].what else { panic!("{:?}", alert.trail[1]) };
    assert_eq!(omitted as usize + MAX_TRAIL - 1, 2_000, "every step is kept or counted");
    assert_eq!(alert.trail[MAX_TRAIL - 2].what, StepWhat::Sent { attempt: 1_000 });
    assert!(alert.life().is_sorted_by_key(|step| step.at));
}

#[test]
fn what_two_nodes_know_of_one_alert_comes_together_once() {
    let whole = delivered();
    let (mut mine, mut theirs) = (whole.clone(), whole.clone());
    mine.trail.truncate(3);
    theirs.trail.remove(0);
    assert!(mine.learn_trail(&theirs));
    assert_eq!(mine.trail, whole.trail);
    assert!(!mine.learn_trail(&theirs), "and nothing more the second time");
}

#[test]
fn an_update_leaves_what_was_asked_and_what_became_of_it() {
    let expected = ["replaced", "cancelled", "too_late", "impossible", "not_now", "in_doubt"];
    for (outcome, word) in update_outcomes().into_iter().zip(expected) {
        let parts = vec![Part { id: "a".to_owned(), state: None }];
        let wanted = Some(Box::new(update(UpdateState::Wanted { not_before: NOW }, 0, NOW, false)));
        let state = AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: wanted };
        let mut alert = alert(Kind::Detail, state);
        let order = alert.lease_update(Database::Normal, &Updates::default(), NOW).unwrap();
        alert.updated(order.attempt, &outcome, &policy(), NOW).unwrap();
        let steps: Vec<_> = alert.trail.iter().map(|step| step.what.clone()).collect();
        assert_eq!(
            steps,
            [StepWhat::UpdateAsked { attempt: order.attempt, way: order.way }, StepWhat::Updated(outcome),],
            "{word}"
        );
    }
}
