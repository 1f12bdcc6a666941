//! The alert's machine: every state × every event, against a written table.

use super::*;

/// What each event makes of an alert in each state; `-` where nothing changes. The attempt answered is the current one, the receipt is about the only
/// part (or the first of two). `unanswered` is given for each policy.
const TABLE: &str = "
state      | accepted later  refused not_sent | hold     once     resend | delivered expired deleted     undeliverable rejected    enroute  accepted_r unknown  | lease   abnormal withdraw late
queued     | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | sending sending  failed   failed
retried    | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | sending sending  failed   failed
doubted    | accepted -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | sending sending  failed   failed
later      | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        failed   failed
sending    | accepted queued failed  queued   | in_doubt queued   queued | -         -       -           -             -           -        -          -        | -       -        -        -
again      | accepted queued failed  queued   | in_doubt in_doubt queued | -         -       -           -             -           -        -          -        | -       -        -        -
in_doubt   | accepted queued failed  queued   | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
accepted   | -        -      -       -        | -        -        -      | delivered expired undelivered undelivered   undelivered accepted accepted   accepted | -       -        -        -
two_parts  | -        -      -       -        | -        -        -      | accepted  accepted accepted   accepted      accepted    accepted accepted   accepted | -       -        -        -
other_done | -        -      -       -        | -        -        -      | delivered expired undelivered undelivered   undelivered accepted accepted   accepted | -       -        -        -
other_lost | -        -      -       -        | -        -        -      | undelivered undelivered undelivered undelivered undelivered accepted accepted accepted | -       -        -        -
part_done  | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
delivered  | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
undelivered| -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
expired    | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
failed     | -        -      -       -        | -        -        -      | -         -       -           -             -           -        -          -        | -       -        -        -
";

fn parts(states: &[Option<ReceiptState>]) -> AlertState {
    let part = |(id, state): (&str, &Option<ReceiptState>)| Part { id: id.to_owned(), state: *state };
    AlertState::Accepted {
        at: NOW,
        smsc: smsc(),
        parts: ["a", "b"].into_iter().zip(states).map(part).collect(),
        update: None,
    }
}

fn in_state(name: &str) -> Alert {
    let (delivered, lost) = (Some(ReceiptState::Delivered), Some(ReceiptState::Undeliverable));
    let (state, attempts, doubts) = match name {
        "queued" => (AlertState::Queued { not_before: NOW }, 0, 0),
        "retried" => (AlertState::Queued { not_before: NOW }, 1, 0),
        "doubted" => (AlertState::Queued { not_before: NOW }, 1, 1),
        "later" => (AlertState::Queued { not_before: NOW + MINUTE }, 1, 0),
        "sending" => (AlertState::Sending { since: NOW }, 1, 0),
        "again" => (AlertState::Sending { since: NOW }, 2, 1),
        "in_doubt" => (AlertState::InDoubt { since: NOW }, 1, 1),
        "accepted" => (parts(&[None]), 1, 0),
        "two_parts" => (parts(&[None, None]), 1, 0),
        "other_done" => (parts(&[None, delivered]), 1, 0),
        "other_lost" => (parts(&[None, lost]), 1, 0),
        "part_done" => (parts(&[delivered, None]), 1, 0),
        "delivered" => (AlertState::Delivered { at: NOW }, 1, 0),
        "undelivered" => (AlertState::Undelivered { at: NOW }, 1, 0),
        "expired" => (AlertState::Expired { at: NOW }, 1, 0),
        "failed" => (AlertState::Failed { at: NOW, why: FailedWhy::TooLate }, 1, 0),
        other => panic!("no state is called {other}"),
    };
    Alert { attempts, doubts, ..alert(Kind::Detail, state) }
}

/// A receipt about this id, which names no form; whether it changed anything.
fn receipt(alert: &mut Alert, id: &str, state: ReceiptState) -> bool {
    receipt_in(alert, id, None, state)
}

fn receipt_in(alert: &mut Alert, id: &str, id_form: Option<IdForm>, state: ReceiptState) -> bool {
    let receipt = Receipt {
        smsc: smsc(),
        message_id: id.to_owned(),
        id_form,
        state,
        handset: None,
        error: String::new(),
        at: NOW,
    };
    alert.receipt(&receipt, InDoubtPolicy::Hold, NOW).is_ok()
}

/// Applies the event of a column; the state's word when it changed.
fn on(alert: &mut Alert, event: &str) -> Option<&'static str> {
    let limits = Limits::default();
    let attempt = alert.attempts;
    let mut submitted = |which: usize, policy| {
        let [accepted, later, refused, not_sent, unanswered] = outcomes();
        let outcome = [accepted, later, refused, not_sent, unanswered][which].clone();
        alert.submitted(attempt, &outcome, policy, &limits, NOW).is_ok()
    };
    let changed = match event {
        "accepted" => submitted(0, InDoubtPolicy::Hold),
        "later" => submitted(1, InDoubtPolicy::Hold),
        "refused" => submitted(2, InDoubtPolicy::Hold),
        "not_sent" => submitted(3, InDoubtPolicy::Hold),
        "hold" => submitted(4, InDoubtPolicy::Hold),
        "once" => submitted(4, InDoubtPolicy::ResendOnce),
        "resend" => submitted(4, InDoubtPolicy::Resend),
        "delivered" => receipt(alert, "a", ReceiptState::Delivered),
        "expired" => receipt(alert, "a", ReceiptState::Expired),
        "deleted" => receipt(alert, "a", ReceiptState::Deleted),
        "undeliverable" => receipt(alert, "a", ReceiptState::Undeliverable),
        "rejected" => receipt(alert, "a", ReceiptState::Rejected),
        "enroute" => receipt(alert, "a", ReceiptState::Enroute),
        "accepted_r" => receipt(alert, "a", ReceiptState::Accepted),
        "unknown" => receipt(alert, "a", ReceiptState::Unknown),
        "lease" => matches!(alert.lease(Database::Normal, &limits, NOW), Leased::Send(_)),
        "abnormal" => matches!(alert.lease(Database::Abnormal, &limits, NOW), Leased::Send(_)),
        "withdraw" => alert.withdraw(NOW),
        "late" => alert.drop_late(&limits, NOW + DAY).is_ok(),
        other => panic!("no event is called {other}"),
    };
    changed.then(|| alert.state.as_str())
}

#[test]
fn every_state_and_event_does_what_the_table_says() {
    let mut lines = TABLE.lines().filter(|line| !line.is_empty()).map(|line| {
        line.split(|c: char| c == '|' || c.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>()
    });
    let events = lines.next().unwrap();
    let mut cells = 0;
    for row in lines {
        assert_eq!(row.len(), events.len(), "{row:?}");
        for (event, expected) in events.iter().zip(&row).skip(1) {
            let before = in_state(row[0]);
            let mut after = before.clone();
            let got = on(&mut after, event).unwrap_or("-");
            assert_eq!(got, *expected, "{} on {event}", row[0]);
            if got == "-" {
                assert_eq!(after, before, "{} on {event} changed something", row[0]);
            } else {
                // Every change is told: by a step, or by the end that the state is.
                assert!(after.life().len() > before.life().len(), "{} on {event} leaves no trace", row[0]);
            }
            cells += 1;
        }
    }
    assert_eq!(cells, 16 * 19);
}

#[test]
fn only_an_acceptance_of_an_earlier_attempt_counts_and_only_when_none_is_on_its_way() {
    let limits = Limits::default();
    for (state, earlier) in
        [("doubted", "accepted"), ("in_doubt", "accepted"), ("again", "-"), ("queued", "-"), ("retried", "-")]
    {
        let before = Alert { attempts: in_state(state).attempts.max(2), ..in_state(state) };
        for (attempt, outcome) in [0, 1, 3].into_iter().flat_map(|n| outcomes().map(|outcome| (n, outcome))) {
            let mut after = before.clone();
            let changed = after.submitted(attempt, &outcome, InDoubtPolicy::Resend, &limits, NOW).is_ok();
            let counts = attempt == 1 && matches!(outcome, SubmitOutcome::Accepted { .. });
            let expected = if counts { earlier } else { "-" };
            assert_eq!(if changed { after.state.as_str() } else { "-" }, expected, "{state}, attempt {attempt}");
        }
    }
}

#[test]
fn a_teaser_is_not_leased_while_the_database_is_abnormal_and_not_late() {
    let limits = Limits::default();
    let teaser = alert(Kind::Teaser, AlertState::Queued { not_before: NOW });
    let lease = |database, at| teaser.clone().lease(database, &limits, at);
    assert_eq!(lease(Database::Abnormal, NOW), Leased::Wait);
    assert!(matches!(lease(Database::Normal, NOW), Leased::Send(_)));
    let late = teaser.created_at + limits.teaser_patience;
    assert_eq!(lease(Database::Normal, late), Leased::Dropped);
    assert_eq!(lease(Database::Abnormal, late), Leased::Dropped);
}

#[test]
fn a_lease_says_which_attempt_it_is_and_how_long_is_left() {
    let mut alert = in_state("retried");
    let Leased::Send(submit) = alert.lease(Database::Normal, &Limits::default(), NOW) else { panic!("not leased") };
    assert_eq!((submit.attempt, submit.validity), (2, DAY - MINUTE * 2));
}

#[test]
fn a_late_answer_that_nothing_was_taken_leaves_no_doubt() {
    for (outcome, state) in outcomes().into_iter().zip(["accepted", "queued", "failed", "queued"]).skip(1) {
        let mut alert = in_state("in_doubt");
        alert.submitted(1, &outcome, InDoubtPolicy::Hold, &Limits::default(), NOW).unwrap();
        assert_eq!((alert.state.as_str(), alert.doubts), (state, 0));
    }
}

#[test]
fn a_receipt_finds_its_part_by_the_spelling_else_by_the_first_form_that_fits() {
    use IdForm::{Decimal, Hexadecimal, Same};
    for (ids, said, form, expected) in [
        (["10", "a"], "10", None, Some(0)),
        (["10", "a"], "10", Some(Decimal), Some(1)),
        (["10", "a"], "0010", None, Some(0)),
        (["1C2", "1C3"], "451", None, Some(1)),
        (["1C2", "1C3"], "451", Some(Same), None),
        (["450", "451"], "1c3", None, Some(1)),
        (["450", "451"], "1c3", Some(Hexadecimal), Some(1)),
        (["450", "451"], "1c3", Some(Decimal), None),
        (["ABC", "abc"], "abc", None, Some(1)),
        (["ABC", "abc"], "aBc", None, Some(0)),
        (["0", "0"], "0", None, Some(0)),
        (["x:1.F", "x:2.F"], " X:2.f\0", None, Some(1)),
    ] {
        let part = |id: &&str| Part { id: (*id).to_owned(), state: None };
        let state = AlertState::Accepted { at: NOW, smsc: smsc(), parts: ids.iter().map(part).collect(), update: None };
        let mut alert = alert(Kind::Detail, state);
        let changed = receipt_in(&mut alert, said, form, ReceiptState::Delivered);
        let AlertState::Accepted { parts, .. } = &alert.state else { panic!("ended by one of two") };
        let ended: Vec<_> = parts.iter().map(|part| part.state.is_some()).collect();
        assert_eq!(ended, [expected == Some(0), expected == Some(1)], "{said} of {ids:?} as {form:?}");
        assert_eq!(changed, expected.is_some());
        // The same again: it is the other part's only where both have one id.
        let again = receipt_in(&mut alert, said, form, ReceiptState::Delivered);
        assert_eq!(again, ids[0] == ids[1] || (ids == ["ABC", "abc"] && said == "aBc"), "{said} of {ids:?} twice");
    }
}

/// An alert that an SMSC put off so many times before, and once more for this long, after more attempts that only its link put off; what it waits.
fn put_off(before: u32, after: Duration) -> Duration {
    let attempts = before.saturating_add(10);
    let mut alert = Alert { attempts, put_off: before, ..in_state("sending") };
    let outcome = SubmitOutcome::Later { status: 0x14, after, avoid: None };
    alert.submitted(attempts, &outcome, InDoubtPolicy::Hold, &Limits::default(), NOW).unwrap();
    let AlertState::Queued { not_before } = alert.state else { panic!("not queued") };
    not_before.since(NOW)
}

#[test]
fn an_alert_that_is_put_off_itself_waits_twice_as_long_each_time_at_most_ten_minutes() {
    let waits = [0, 1, 2, 3, 4, 5, 6, 40, u32::MAX].map(|before| put_off(before, MINUTE / 2).as_secs());
    assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600, 600, 600]);
    assert_eq!(put_off(0, HOUR), HOUR, "what the SMSC asks for is never cut");
    assert_eq!(put_off(9, HOUR), HOUR);
}

#[test]
fn an_alert_that_its_link_puts_off_keeps_its_place_unless_that_was_in_vain() {
    for outcome in [SubmitOutcome::Later { status: 0x58, after: Duration::ZERO, avoid: None }, SubmitOutcome::NotSent] {
        for (attempts, seconds) in [(4, 4), (9, 9), (11, 10), (u32::MAX, 10)] {
            let mut alert = Alert { attempts, ..in_state("sending") };
            alert.submitted(attempts, &outcome, InDoubtPolicy::Hold, &Limits::default(), NOW).unwrap();
            let not_before = NOW + Duration::from_secs(seconds);
            assert_eq!(alert.state, AlertState::Queued { not_before }, "others go first after {attempts}");
        }
        let mut alert = Alert { attempts: 3, ..in_state("sending") };
        alert.submitted(3, &outcome, InDoubtPolicy::Hold, &Limits::default(), NOW).unwrap();
        assert_eq!(alert.state, AlertState::Queued { not_before: alert.created_at });
        assert!(matches!(alert.lease(Database::Normal, &Limits::default(), NOW), Leased::Send(_)), "at once");
        // A clock that was set back makes nobody wait.
        let mut early = Alert { created_at: NOW + MINUTE, attempts: 1, ..in_state("sending") };
        early.submitted(1, &outcome, InDoubtPolicy::Hold, &Limits::default(), NOW).unwrap();
        assert_eq!(early.state, AlertState::Queued { not_before: NOW });
    }
}

#[test]
fn the_smsc_to_avoid_goes_with_the_next_attempt_and_no_further() {
    let limits = Limits::default();
    let lease = |alert: &mut Alert| {
        let Leased::Send(submit) = alert.lease(Database::Normal, &limits, NOW + MINUTE) else { panic!("not leased") };
        submit.avoid
    };
    let mut alert = in_state("sending");
    let later = |avoid| SubmitOutcome::Later { status: 0x14, after: MINUTE, avoid };
    alert.submitted(1, &later(Some(smsc())), InDoubtPolicy::Hold, &limits, NOW).unwrap();
    assert_eq!(alert.clone().lease(Database::Normal, &limits, NOW), Leased::Wait);
    assert_eq!(alert.avoid, Some(smsc()), "kept while it waits");
    assert_eq!(lease(&mut alert), Some(smsc()));
    alert.submitted(2, &SubmitOutcome::NotSent, InDoubtPolicy::Hold, &limits, NOW).unwrap();
    assert_eq!((alert.avoid.clone(), lease(&mut alert)), (None, None));
    alert.submitted(3, &later(Some(smsc())), InDoubtPolicy::Hold, &limits, NOW - HOUR).unwrap();
    let back: Alert = serde_json::from_str(&serde_json::to_string(&alert).unwrap()).unwrap();
    assert_eq!(back.avoid, Some(smsc()), "over a restart");
    alert.state = AlertState::Sending { since: NOW };
    alert.submitted(3, &later(None), InDoubtPolicy::Hold, &limits, NOW - HOUR).unwrap();
    assert_eq!(alert.avoid, None, "the last word counts");
}
