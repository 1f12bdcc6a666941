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
    AlertState::Accepted { at: NOW, smsc: smsc(), parts: ["a", "b"].into_iter().zip(states).map(part).collect() }
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
        "delivered" => alert.receipt("a", ReceiptState::Delivered, NOW).is_ok(),
        "expired" => alert.receipt("a", ReceiptState::Expired, NOW).is_ok(),
        "deleted" => alert.receipt("a", ReceiptState::Deleted, NOW).is_ok(),
        "undeliverable" => alert.receipt("a", ReceiptState::Undeliverable, NOW).is_ok(),
        "rejected" => alert.receipt("a", ReceiptState::Rejected, NOW).is_ok(),
        "enroute" => alert.receipt("a", ReceiptState::Enroute, NOW).is_ok(),
        "accepted_r" => alert.receipt("a", ReceiptState::Accepted, NOW).is_ok(),
        "unknown" => alert.receipt("a", ReceiptState::Unknown, NOW).is_ok(),
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
