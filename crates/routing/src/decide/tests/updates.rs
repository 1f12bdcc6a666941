//! One pending alert, updated: the machine of the update against a written table, and short stories.

use super::stories::Story;
use super::*;

/// What each event makes of an alert of two calls whose update adds two more: the state of the update (of the alert, where that ended), the calls that
/// the alert tells then, and those that are untold again. `-` where nothing changes. `:h` and `:r` are the policies hold and resend; the outcomes without
/// them are the same for both. `_c` asks by `cancel_sm`, the others by `replace_sm`, as `auto` does first; `both` asks by `cancel_sm` and has a doubt of either.
/// `final` is an alert whose receipt came while it was asked.
const TABLE: &str = "
state       | replaced        cancelled       too_late:h      too_late:r      impossible:h    impossible:r    not_now         in_doubt:h      in_doubt:r      | delivered:h   delivered:r    lost:h          enroute      | lease      abnormal   drop     late:h      late:r
none        | -               -               -               -               -               -               -               -               -               | delivered/2/0 delivered/2/0  undelivered/2/0 none/2/0     | -          -          -        -           -
wanted      | -               -               -               -               -               -               -               -               -               | delivered/2/2 delivered/2/2  undelivered/2/2 wanted/2/0   | asking/2/0 asking/2/0 done/2/2 given_up/2/2 given_up/2/2
put_off     | -               superseded/2/4  -               -               -               -               -               -               -               | delivered/2/2 delivered/2/2  undelivered/2/2 wanted/2/0   | -          -          done/2/2 given_up/2/2 given_up/2/2
again       | done/4/0        superseded/2/4  given_up/2/2    given_up/2/2    wanted/2/0      wanted/2/0      wanted/2/0      -               -               | delivered/4/0 delivered/2/2  undelivered/4/0 wanted/2/0   | asking/2/0 asking/2/0 -        given_up/4/0 given_up/2/2
again_c     | done/4/0        superseded/2/4  given_up/2/2    given_up/2/2    given_up/2/2    given_up/2/2    wanted/2/0      -               -               | delivered/2/2 delivered/2/2  undelivered/2/2 wanted/2/0   | asking/2/0 asking/2/0 -        given_up/2/2 superseded/2/4
asking      | done/4/0        superseded/2/4  given_up/2/2    given_up/2/2    wanted/2/0      wanted/2/0      wanted/2/0      wanted/2/0      wanted/2/0      | asking/2/0    asking/2/0     asking/2/0      asking/2/0   | -          -          -        -           -
asking_c    | done/4/0        superseded/2/4  given_up/2/2    given_up/2/2    given_up/2/2    given_up/2/2    wanted/2/0      wanted/2/0      wanted/2/0      | asking/2/0    asking/2/0     asking/2/0      asking/2/0   | -          -          -        -           -
both        | done/4/0        superseded/2/4  given_up/4/0    superseded/2/4  given_up/4/0    superseded/2/4  wanted/2/0      given_up/4/0    superseded/2/4  | asking/2/0    asking/2/0     asking/2/0      asking/2/0   | -          -          -        -           -
third_c     | done/4/0        superseded/2/4  given_up/2/2    superseded/2/4  given_up/2/2    superseded/2/4  wanted/2/0      given_up/2/2    superseded/2/4  | asking/2/0    asking/2/0     asking/2/0      asking/2/0   | -          -          -        -           -
third_r     | done/4/0        superseded/2/4  given_up/4/0    given_up/2/2    wanted/2/0      wanted/2/0      wanted/2/0      given_up/4/0    given_up/2/2    | asking/2/0    asking/2/0     asking/2/0      asking/2/0   | -          -          -        -           -
final       | delivered/4/0   delivered/2/2   delivered/2/2   delivered/2/2   delivered/2/2   delivered/2/2   delivered/2/2   delivered/4/0   delivered/2/2   | -        -              -               -            | -          -          -        -           -
final_lost  | undelivered/4/0 superseded/2/4  undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/4/0 undelivered/2/2 | - -    -               -            | -          -          -        -           -
final_lost_c | undelivered/4/0 superseded/2/4  undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/2/2 undelivered/2/2 superseded/2/4  | - -    -               -            | -          -          -        -           -
done        | -               superseded/2/2  -               -               -               -               -               -               -               | delivered/2/0 delivered/2/0  undelivered/2/0 done/2/0     | -          -          -        -           -
given_up    | -               superseded/2/2  -               -               -               -               -               -               -               | delivered/2/0 delivered/2/0  undelivered/2/0 given_up/2/0 | -          -          -        -           -
";

fn accepted(update: Option<Update>, receipt: Option<ReceiptState>) -> Alert {
    let parts = vec![Part { id: "a".to_owned(), state: receipt }];
    alert(Kind::Detail, AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: update.map(Box::new) })
}

fn in_state(name: &str) -> Alert {
    let wanted = |after, doubts| update(UpdateState::Wanted { not_before: NOW + after }, doubts, NOW, false);
    let asking = |doubts| update(UpdateState::Asking { since: NOW }, doubts, NOW, false);
    let by_cancel = |update: Update, replaces, cancels| Update {
        way: UpdateWay::Cancel,
        doubts: Doubts { replaces, cancels },
        ..update
    };
    let some = |update| accepted(Some(update), None);
    match name {
        "none" => accepted(None, None),
        "wanted" => some(wanted(Duration::ZERO, 0)),
        "put_off" => some(Update { attempts: 1, ..wanted(MINUTE, 0) }),
        "again" => some(wanted(Duration::ZERO, 1)),
        "again_c" => some(by_cancel(wanted(Duration::ZERO, 1), 0, 1)),
        "asking" => some(asking(0)),
        "asking_c" => some(by_cancel(asking(0), 0, 0)),
        "both" => some(by_cancel(asking(2), 1, 1)),
        "third_c" => some(by_cancel(asking(2), 0, 2)),
        "third_r" => some(asking(2)),
        "final" => accepted(Some(asking(0)), Some(ReceiptState::Delivered)),
        "final_lost" => accepted(Some(asking(0)), Some(ReceiptState::Undeliverable)),
        "final_lost_c" => accepted(Some(by_cancel(asking(0), 0, 0)), Some(ReceiptState::Undeliverable)),
        "done" => some(update(UpdateState::Done { at: NOW }, 0, NOW, false)),
        "given_up" => some(update(UpdateState::GivenUp, 0, NOW, false)),
        other => panic!("no state is called {other}"),
    }
}

fn word(alert: &Alert) -> &'static str {
    match &alert.state {
        AlertState::Accepted { update, .. } => match update.as_ref().map(|update| update.state) {
            None => "none",
            Some(UpdateState::Wanted { .. }) => "wanted",
            Some(UpdateState::Asking { .. }) => "asking",
            Some(UpdateState::Done { .. }) => "done",
            Some(UpdateState::GivenUp) => "given_up",
        },
        state => state.as_str(),
    }
}

fn count(told: &[Tally], more: u32) -> u32 {
    told.iter().map(|tally| tally.count).sum::<u32>() + more
}

/// Applies the event of a column: what it gave back, if it changed anything.
fn on(alert: &mut Alert, event: &str) -> Result<Calls, Refusal> {
    let (event, in_doubt) = match event.split_once(':') {
        Some((event, "r")) => (event, InDoubtPolicy::Resend),
        Some((event, _)) => (event, InDoubtPolicy::Hold),
        None => (event, InDoubtPolicy::Hold),
    };
    let policy = Policy { in_doubt, ..super::policy() };
    let [replaced, cancelled, too_late, impossible, not_now, unanswered] = update_outcomes();
    let mut hear = |outcome| alert.updated(1, &outcome, &policy, NOW);
    let heard = |state| {
        let Event::Receipt(receipt) = receipt(state) else { panic!("not a receipt") };
        receipt
    };
    match event {
        "replaced" => hear(replaced),
        "cancelled" => hear(cancelled),
        "too_late" => hear(too_late),
        "impossible" => hear(impossible),
        "not_now" => hear(not_now),
        "in_doubt" => hear(unanswered),
        "delivered" => alert.receipt(&heard(ReceiptState::Delivered), in_doubt, NOW),
        "lost" => alert.receipt(&heard(ReceiptState::Undeliverable), in_doubt, NOW),
        "enroute" => alert.receipt(&heard(ReceiptState::Enroute), in_doubt, NOW),
        "lease" | "abnormal" => {
            let database = if event == "lease" { Database::Normal } else { Database::Abnormal };
            let order = alert.lease_update(database, &Updates::default(), NOW);
            order.map(|_| Calls::default()).ok_or(Refusal::Unchanged)
        }
        "drop" => Some(alert.drop_update(NOW)).filter(|calls| *calls != Calls::default()).ok_or(Refusal::Unchanged),
        "late" => alert.drop_late_update(&policy, NOW + HOUR),
        other => panic!("no event is called {other}"),
    }
}

#[test]
fn every_state_of_an_update_and_event_does_what_the_table_says() {
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
            let got = match on(&mut after, event) {
                Ok(untold) => {
                    let (told, untold) = (count(&after.told, after.more), count(&untold.told, untold.more));
                    format!("{}/{told}/{untold}", word(&after))
                }
                Err(Refusal::Unchanged) => {
                    assert_eq!(after, before, "{} on {event} changed something", row[0]);
                    "-".to_owned()
                }
            };
            assert_eq!(got, *expected, "{} on {event}", row[0]);
            let text = serde_json::to_string(&after).unwrap();
            assert_eq!(serde_json::from_str::<Alert>(&text).unwrap(), after, "not the same after a restart");
            cells += 1;
        }
    }
    assert_eq!(cells, 15 * 18);
}

#[test]
fn only_a_cancellation_counts_of_an_earlier_attempt() {
    for attempt in [0, 1, 3] {
        for outcome in update_outcomes() {
            let mut alert = in_state("asking");
            let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else { panic!("not accepted") };
            update.attempts = 2;
            let before = alert.clone();
            let heard = alert.updated(attempt, &outcome, &held(), NOW).is_ok();
            assert_eq!(heard, attempt == 1 && outcome == UpdateOutcome::Cancelled, "{attempt} {outcome:?}");
            assert_eq!(heard, alert != before);
        }
    }
}

#[test]
fn the_way_is_that_of_the_texts_and_of_the_smsc() {
    let (long, chinese) = ("x".repeat(161), "有");
    let other = || Address::ShortCode(short("12590"));
    let cases = [
        (UpdateMode::Auto, "short", None, Some(UpdateWay::Replace)),
        (UpdateMode::Auto, &long, None, Some(UpdateWay::Cancel)),
        (UpdateMode::Auto, chinese, None, Some(UpdateWay::Cancel)),
        (UpdateMode::Auto, "short", Some(other()), Some(UpdateWay::Cancel)),
        (UpdateMode::Cancel, "short", None, Some(UpdateWay::Cancel)),
        (UpdateMode::Replace, "short", None, Some(UpdateWay::Replace)),
        (UpdateMode::Replace, &long, None, None),
        (UpdateMode::Replace, chinese, None, None),
        (UpdateMode::Replace, "short", Some(other()), None),
        (UpdateMode::ReplaceIfPresent, chinese, None, Some(UpdateWay::ReplaceIfPresent)),
        (UpdateMode::ReplaceIfPresent, &long, None, None),
        (UpdateMode::ReplaceIfPresent, "short", Some(other()), None),
        (UpdateMode::New, "short", None, None),
    ];
    for (usual, text, source, way) in cases {
        for kind in [Kind::Detail, Kind::Teaser] {
            let mut alert = Alert { kind, ..accepted(None, None) };
            let way = way.filter(|way| kind == Kind::Detail || *way != UpdateWay::Cancel);
            let updates = Updates { usual, ..Updates::default() };
            let source = source.clone().unwrap_or_else(|| alert.source.clone());
            let wish = Wish { kind, source, added: Calls::default(), text: text.to_owned() };
            assert_eq!(alert.want_update(wish, &updates, NOW), way.is_some(), "{usual:?} {text} {kind}");
            let order = alert.lease_update(Database::Normal, &updates, NOW);
            assert_eq!(order.as_ref().map(|order| order.way), way);
            if let Some(order) = order {
                assert_eq!((order.attempt, order.doubtful), (1, false));
                assert_eq!((order.before.as_str(), order.text.as_str()), ("as it was", text));
                let validity = if kind == Kind::Detail { DAY } else { DAY - MINUTE * 2 };
                assert_eq!((order.validity, order.message_ids), (validity, vec!["a".to_owned()]));
            }
        }
    }
}

#[test]
fn receipts_under_old_and_new_ids_end_an_alert_that_was_replaced() {
    for id in ["a", "b", "c", "d"] {
        let mut alert = in_state("asking");
        for (attempt, new) in [(1, "b"), (2, "b"), (3, "c")] {
            let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else { panic!("not accepted") };
            (update.attempts, update.state) = (attempt, UpdateState::Asking { since: NOW });
            let outcome = UpdateOutcome::Replaced { message_id: Some(new.to_owned()) };
            alert.updated(attempt, &outcome, &held(), NOW).unwrap();
        }
        let Event::Receipt(receipt) = receipt(ReceiptState::Delivered) else { panic!("not a receipt") };
        let receipt = Receipt { message_id: id.to_owned(), ..receipt };
        assert_eq!(alert.receipt(&receipt, InDoubtPolicy::Hold, NOW).is_ok(), id != "d", "{id}");
        assert_eq!(alert.state.as_str(), if id == "d" { "accepted" } else { "delivered" });
    }
}

#[test]
fn a_late_answer_of_an_earlier_attempt_still_tells_the_id_that_receipts_may_use() {
    let mut alert = in_state("done");
    let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else { panic!("not accepted") };
    update.attempts = 2;
    let late = UpdateOutcome::Replaced { message_id: Some("late".to_owned()) };
    let hear = |alert: &mut Alert| alert.updated(1, &late, &held(), NOW);
    assert_eq!((hear(&mut alert), hear(&mut alert)), (Ok(Calls::default()), Err(Refusal::Unchanged)));
    assert_eq!(word(&alert), "done");
    for id in ["a", "late"] {
        assert!(
            alert
                .clone()
                .receipt(&Receipt { message_id: id.to_owned(), ..delivered() }, InDoubtPolicy::Hold, NOW)
                .is_ok()
        );
    }
}

/// Of attempts that nobody answers, calls count as told.
fn held() -> Policy {
    Policy { in_doubt: InDoubtPolicy::Hold, ..policy() }
}

fn delivered() -> Receipt {
    let Event::Receipt(receipt) = receipt(ReceiptState::Delivered) else { panic!("not a receipt") };
    receipt
}

fn deleted() -> Receipt {
    Receipt { state: ReceiptState::Deleted, ..delivered() }
}

#[test]
fn that_a_message_was_deleted_after_we_asked_for_it_says_that_it_was_taken_back_whatever_the_policy() {
    let unanswered = UpdateOutcome::InDoubt(NoAnswer::Restart);
    for in_doubt in [InDoubtPolicy::Hold, InDoubtPolicy::Resend] {
        let policy = Policy { in_doubt, ..policy() };
        for (way, calls) in [(UpdateWay::Cancel, 4), (UpdateWay::Replace, 0)] {
            let state = if calls > 0 { "superseded" } else { "undelivered" };
            let asking = || {
                let mut alert = in_state("asking");
                let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else {
                    panic!("not accepted")
                };
                update.way = way;
                alert
            };
            let untold = |calls: &Calls| count(&calls.told, calls.more);

            // The receipt, then a restart.
            let mut alert = asking();
            assert_eq!(alert.receipt(&deleted(), in_doubt, NOW), Ok(Calls::default()));
            let back = alert.updated(1, &unanswered, &policy, NOW).unwrap();
            assert_eq!(alert.state.as_str(), state, "{way:?}");
            if calls > 0 {
                assert_eq!(untold(&back), calls, "{way:?}");
            }

            // A restart, then the receipt.
            let mut alert = asking();
            assert_eq!(alert.updated(1, &unanswered, &policy, NOW), Ok(Calls::default()));
            let back = alert.receipt(&deleted(), in_doubt, NOW).unwrap();
            assert_eq!(alert.state.as_str(), state, "{way:?}");
            if calls > 0 {
                assert_eq!(untold(&back), calls, "{way:?}");
            }
        }
    }
}

#[test]
fn that_it_was_taken_back_is_still_heard_when_nobody_answered_and_it_was_held() {
    let mut story = subscriber_with_phone_off();
    story.policy.in_doubt = InDoubtPolicy::Hold;
    story.policy.updates.usual = UpdateMode::Cancel;
    story.policy.limits.update_wait = DAY;
    ring(&mut story, 2);
    for _ in 0..3 {
        ask(&mut story, UpdateOutcome::InDoubt(NoAnswer::Timeout));
        story.now = story.now + MINUTE;
    }
    assert_eq!((word(story.last()), story.alerts.len()), ("given_up", 1));
    let first = story.last().id;
    assert_eq!(story.receipt(ReceiptState::Deleted), "alert");
    assert_eq!(story.alerts[&first].state.as_str(), "superseded");
    assert_eq!((story.last().told.len(), story.alerts.len(), story.untold()), (2, 2, 0));
}

#[test]
fn what_an_smsc_can_not_replace_is_taken_back() {
    for policy in [InDoubtPolicy::Hold, InDoubtPolicy::ResendOnce] {
        for unanswered in [0, 1] {
            let mut story = subscriber_with_phone_off();
            story.policy.in_doubt = policy;
            ring(&mut story, 2);
            for _ in 0..unanswered {
                ask(&mut story, UpdateOutcome::InDoubt(NoAnswer::LinkLost));
                story.now = story.now + MINUTE;
            }
            let (order, said) = ask(&mut story, UpdateOutcome::Impossible);
            assert_eq!((order.way, said.as_str()), (UpdateWay::Replace, "alert"));
            let (order, _) = ask(&mut story, UpdateOutcome::Cancelled);
            assert_eq!((order.way, order.attempt, order.doubtful), (UpdateWay::Cancel, 2 + 2 * unanswered, false));
            assert_eq!(story.alerts[&order.alert].state.as_str(), "superseded");
            assert_eq!((story.last().told.len(), story.alerts.len(), story.untold()), (2, 2, 0), "all of it, once");
        }
    }
}

#[test]
fn an_smsc_that_hangs_up_over_replacing_is_not_taken_to_have_taken_the_message_back() {
    for (policy, told_by_first) in [(InDoubtPolicy::Hold, 2), (InDoubtPolicy::ResendOnce, 1)] {
        let mut story = subscriber_with_phone_off();
        story.policy.in_doubt = policy;
        story.policy.limits.update_wait = DAY;
        ring(&mut story, 2);
        let first = story.last().id;
        for _ in 0..3 {
            ask(&mut story, UpdateOutcome::InDoubt(NoAnswer::LinkLost));
            story.now = story.now + MINUTE;
        }
        story.receipt(ReceiptState::Delivered);
        assert_eq!(story.alerts[&first].told.len(), told_by_first, "{policy:?}");
        let told: usize = story.alerts.values().map(|alert| alert.told.len()).sum();
        assert_eq!((told, story.untold()), (2, 0), "each call once: {policy:?}");
    }
}

#[test]
fn that_a_message_was_deleted_which_another_replaced_ends_nothing() {
    let outcome = UpdateOutcome::Replaced { message_id: Some("b".to_owned()) };
    let hear = |alert: &mut Alert| alert.updated(1, &outcome, &held(), NOW);
    let mut before = in_state("asking");
    before.receipt(&deleted(), InDoubtPolicy::Hold, NOW).unwrap();
    hear(&mut before).unwrap();
    let mut after = in_state("asking");
    hear(&mut after).unwrap();
    assert_eq!(after.receipt(&deleted(), InDoubtPolicy::Hold, NOW), Err(Refusal::Unchanged));
    for mut alert in [before, after] {
        assert_eq!(word(&alert), "done");
        let receipt = Receipt { message_id: "b".to_owned(), ..delivered() };
        assert!(alert.receipt(&receipt, InDoubtPolicy::Hold, NOW).is_ok());
        assert_eq!((alert.state.as_str(), count(&alert.told, 0)), ("delivered", 4));
    }
}

#[test]
fn a_node_learns_of_an_update_of_another_but_not_of_one_that_is_older_than_its_own() {
    let mut mine = in_state("none");
    assert!(mine.learn(&in_state("wanted")));
    assert_eq!(mine, in_state("wanted"));
    assert!(!mine.learn(&in_state("none")), "the other node has not heard of it");
    assert!(!mine.learn(&in_state("wanted")));

    mine.lease_update(Database::Normal, &Updates::default(), NOW).unwrap();
    let asking = mine.clone();
    assert!(!mine.learn(&in_state("wanted")), "it is asked here");
    assert_eq!(mine, asking);
    let mut theirs = in_state("wanted");
    let AlertState::Accepted { update: Some(update), .. } = &mut theirs.state else { panic!("not accepted") };
    update.added.push(tally(4, 3));
    assert!(mine.learn(&theirs), "a call was added there meanwhile");
    assert!(!mine.learn(&theirs));
    let replaced = UpdateOutcome::Replaced { message_id: None };
    let untold = mine.updated(1, &replaced, &held(), NOW).unwrap();
    assert_eq!((count(&mine.told, 0), untold), (4, Calls { told: vec![tally(4, 3)], more: 0 }));
}

#[test]
fn an_alert_of_which_another_node_heard_the_end_is_not_updated_and_ends_at_the_next_look() {
    let mut mine = in_state("wanted");
    assert!(mine.learn(&accepted(None, Some(ReceiptState::Delivered))));
    assert_eq!(mine.lease_update(Database::Normal, &Updates::default(), NOW), None);
    assert_eq!(mine.update_look_at(&held().limits, NOW), Some(NOW));
    let untold = mine.drop_late_update(&held(), NOW).unwrap();
    assert_eq!((word(&mine), count(&mine.told, 0), count(&untold.told, 0)), ("delivered", 2, 2));
}

#[test]
fn an_update_that_a_node_wanted_which_is_gone_is_in_doubt_and_asked_by_whoever_looks() {
    let mut alert = in_state("asking");
    let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else { panic!("not accepted") };
    update.attempts = 0;
    let unanswered = UpdateOutcome::InDoubt(NoAnswer::Timeout);
    assert_eq!(alert.updated(alert.asking().unwrap(), &unanswered, &held(), NOW), Ok(Calls::default()));
    let order = alert.lease_update(Database::Normal, &Updates::default(), NOW + MINUTE).unwrap();
    assert_eq!((order.attempt, order.doubtful), (1, true));
}

#[test]
fn what_an_smsc_can_not_replace_is_not_asked_so_again_for_a_further_call() {
    let mut story = subscriber_with_phone_off();
    ring(&mut story, 2);
    ask(&mut story, UpdateOutcome::Impossible);
    assert_eq!(ring(&mut story, 3), "held updating");
    let (order, _) = ask(&mut story, UpdateOutcome::Cancelled);
    assert_eq!((order.way, story.last().told.len()), (UpdateWay::Cancel, 3));
}

/// Leases the update of the last alert and answers its attempt.
fn ask(story: &mut Story, outcome: UpdateOutcome) -> (UpdateOrder, String) {
    let order = lease(story);
    let words = story.on(&Event::Updated { alert: order.alert, attempt: order.attempt, outcome });
    (order, words)
}

fn lease(story: &mut Story) -> UpdateOrder {
    let (id, database, now) = (story.last().id, story.view.database, story.now);
    let updates = story.policy.updates.clone();
    story.alerts.get_mut(&id).unwrap().lease_update(database, &updates, now).expect("an update that may be asked")
}

const REPLACED: UpdateOutcome = UpdateOutcome::Replaced { message_id: None };

/// Somebody rings, other than before.
fn ring(story: &mut Story, who: u64) -> String {
    let Event::Call(call) = call(&format!("{who} at {}", story.now)) else { panic!("not a call") };
    story.on(&Event::Call(MissedCall { at: story.now, caller: Caller::Number(number(who)), ..call }))
}

fn subscriber_with_phone_off() -> Story {
    let mut story = Story::of_a_subscriber();
    assert_eq!(ring(&mut story, 1), "send detail");
    story.send(taken(&["a"]));
    story.now = NOW + HOUR;
    story
}

#[test]
fn phone_off_three_callers_phone_on() {
    let mut story = subscriber_with_phone_off();
    assert_eq!(ring(&mut story, 2), "held updating");
    assert_eq!(ask(&mut story, REPLACED).1, "alert");
    story.now = NOW + HOUR * 2;
    assert_eq!(ring(&mut story, 3), "held updating");
    let (order, _) = ask(&mut story, REPLACED);
    assert_eq!((order.attempt, order.way), (2, UpdateWay::Replace));
    assert_eq!(story.receipt(ReceiptState::Delivered), "alert");
    assert_eq!((story.alerts.len(), story.untold(), story.view.call_box.open), (1, 0, None));
    let told = story.last();
    assert_eq!((told.told.len(), told.state.as_str()), (3, "delivered"));
    assert_eq!(told.text, order.text);
    assert!(order.before.lines().count() == 3 && order.text.lines().count() == 4, "{}", order.text);
}

#[test]
fn several_calls_before_the_link_is_free_make_one_update_and_calls_during_it_the_next() {
    let mut story = subscriber_with_phone_off();
    for who in [2, 3] {
        assert_eq!(ring(&mut story, who), "held updating");
    }
    let first = lease(&mut story);
    assert_eq!(ring(&mut story, 4), "held updating");
    assert_eq!(story.untold(), 1);
    story.on(&Event::Updated { alert: first.alert, attempt: 1, outcome: REPLACED });
    let alert = story.last();
    assert_eq!((alert.told.len(), alert.update_wanted_at()), (3, Some(story.now + Duration::from_secs(1))));
    story.now = story.now + Duration::from_secs(1);
    let (second, _) = ask(&mut story, REPLACED);
    assert_eq!((second.before, second.attempt), (first.text, 2));
    assert_eq!((story.last().told.len(), story.untold()), (4, 0));
}

#[test]
fn calls_that_come_while_the_alert_is_on_its_way_are_added_once_the_smsc_has_it() {
    let mut story = Story::of_a_subscriber();
    ring(&mut story, 1);
    let Leased::Send(submit) = story.lease() else { panic!("not leased") };
    assert_eq!(ring(&mut story, 2), "held alert_pending");
    story.on(&Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome: taken(&["a"]) });
    ask(&mut story, REPLACED);
    assert_eq!((story.last().told.len(), story.alerts.len(), story.untold()), (2, 1, 0));
}

#[test]
fn an_alert_that_was_taken_back_is_told_at_once_with_what_came_since_whatever_the_interval_and_the_day() {
    let mut story = subscriber_with_phone_off();
    story.policy.limits.daily_cap = 1;
    story.policy.limits.min_interval = DAY;
    ring(&mut story, 2);
    let first = story.last().id;
    let order = lease(&mut story);
    ring(&mut story, 3);
    story.on(&Event::Updated { alert: order.alert, attempt: 1, outcome: UpdateOutcome::Cancelled });
    assert_eq!(story.alerts[&first].state.as_str(), "superseded");
    assert_eq!((story.last().told.len(), story.alerts.len(), story.untold()), (3, 2, 0));
    assert_eq!(story.view.call_box.open, Some(story.last().id));
    assert_eq!(story.receipt(ReceiptState::Deleted), "nothing no_change", "the receipt of what was taken back");
}

#[test]
fn delivered_while_being_replaced_in_both_orders() {
    for receipt_first in [true, false] {
        for (outcome, told_by_first) in [(REPLACED, 2), (UpdateOutcome::TooLate { status: 0x13 }, 1)] {
            let mut story = subscriber_with_phone_off();
            ring(&mut story, 2);
            let order = lease(&mut story);
            let answer = Event::Updated { alert: order.alert, attempt: order.attempt, outcome };
            if receipt_first {
                story.receipt(ReceiptState::Delivered);
                assert_eq!(story.alerts.len(), 1, "what is told is not known yet");
                story.on(&answer);
            } else {
                story.on(&answer);
                story.receipt(ReceiptState::Delivered);
            }
            let first = &story.alerts[&order.alert];
            assert_eq!((first.told.len(), first.state.as_str()), (told_by_first, "delivered"));
            let told: usize = story.alerts.values().map(|alert| alert.told.len()).sum();
            assert_eq!((told, story.untold()), (2, 0), "each call once");
        }
    }
}

#[test]
fn what_can_not_be_added_waits_for_the_receipt_or_long_enough() {
    for outcome in [UpdateOutcome::Impossible, UpdateOutcome::TooLate { status: 0x13 }] {
        let mut story = Story::of_a_subscriber();
        story.policy.updates.usual = UpdateMode::Replace;
        ring(&mut story, 1);
        story.send(taken(&["a"]));
        story.now = NOW + MINUTE * 2;
        ring(&mut story, 2);
        ask(&mut story, outcome);
        assert_eq!((story.untold(), story.alerts.len()), (1, 1));
        assert_eq!(ring(&mut story, 3), "held alert_pending", "not tried again");
        story.now = NOW + MINUTE * 13;
        assert_eq!(story.on(&Event::Due { called: called() }), "send detail");
        assert_eq!((story.last().told.len(), story.untold()), (2, 0));
    }
}

#[test]
fn an_update_that_nobody_answers_for_is_in_doubt_and_asked_three_times() {
    for (policy, told, alerts) in [(InDoubtPolicy::Hold, 2, 1), (InDoubtPolicy::Resend, 1, 2)] {
        let mut story = subscriber_with_phone_off();
        story.policy.in_doubt = policy;
        ring(&mut story, 2);
        for attempt in 1..=3 {
            let order = lease(&mut story);
            assert_eq!((order.attempt, order.doubtful), (attempt, attempt > 1));
            // The node died: its box is looked at.
            let due = story.view.call_box.due.expect("somebody looks");
            assert!(due <= story.now + MINUTE * 2);
            story.now = story.now + MINUTE * 2;
            story.on(&Event::Due { called: called() });
            story.now = story.now + MINUTE;
        }
        assert_eq!((story.last().told.len(), story.alerts.len(), story.untold()), (told, alerts, 0));
        assert!(!story.last().is_updating());
    }
}

#[test]
fn an_update_that_can_not_be_asked_in_time_gives_its_calls_back() {
    let mut story = subscriber_with_phone_off();
    ring(&mut story, 2);
    let mut looks = 0;
    while story.last().is_updating() {
        story.now = story.view.call_box.due.expect("somebody looks");
        story.on(&Event::Due { called: called() });
        looks += 1;
    }
    assert_eq!(looks, 5, "each two minutes, for ten");
    assert_eq!((story.alerts.len(), story.untold()), (2, 0));
    assert_eq!(story.last().told.len(), 1, "told another way, once");
}

#[test]
fn one_part_of_several_that_arrived_leaves_the_alert_as_it_is() {
    let mut story = Story::of_a_subscriber();
    ring(&mut story, 1);
    story.send(taken(&["a", "b"]));
    ring(&mut story, 2);
    let AlertState::Accepted { parts, .. } = &story.last().state else { panic!("not accepted") };
    assert_eq!(parts.len(), 2);
    story.receipt(ReceiptState::Delivered);
    assert_eq!(story.untold(), 1, "half of it is there: nothing is taken back");
    assert_eq!(story.last().update_wanted_at(), None);
    assert_eq!(ring(&mut story, 3), "held alert_pending");
}

#[test]
fn an_alert_of_several_parts_is_taken_back_with_all_its_ids() {
    let mut story = Story::of_a_subscriber();
    ring(&mut story, 1);
    story.send(taken(&["a", "b"]));
    story.now = story.now + MINUTE;
    ring(&mut story, 2);
    let (order, _) = ask(&mut story, UpdateOutcome::Cancelled);
    assert_eq!((order.way, order.message_ids.len()), (UpdateWay::Cancel, 2));
    assert_eq!((story.last().told.len(), story.alerts.len()), (2, 2));
}

#[test]
fn who_unsubscribes_is_told_nothing_by_an_update() {
    for asking in [true, false] {
        for outcome in update_outcomes() {
            let mut story = subscriber_with_phone_off();
            ring(&mut story, 2);
            let order = asking.then(|| lease(&mut story));
            story.on(&reply("QX"));
            if let Some(order) = order {
                story.on(&Event::Updated { alert: order.alert, attempt: order.attempt, outcome });
            }
            assert_eq!(story.untold(), 0);
            assert!(story.alerts.values().skip(1).all(|alert| alert.kind == Kind::Notice));
        }
    }
}

#[test]
fn a_fallback_becomes_a_detail_with_its_new_text_or_is_taken_back_where_that_has_another_originator() {
    for (same, way) in [(true, UpdateWay::Replace), (false, UpdateWay::Cancel)] {
        let mut story = Story::of_a_subscriber();
        if same {
            story.policy.service.originators.clear();
        }
        story.view.database = Database::Abnormal;
        assert_eq!(ring(&mut story, 1), "send fallback");
        story.send(taken(&["a"]));
        story.view.database = Database::Normal;
        story.now = story.now + MINUTE;
        assert_eq!(ring(&mut story, 2), "held updating");
        let outcome = if same { REPLACED } else { UpdateOutcome::Cancelled };
        assert_eq!(ask(&mut story, outcome).0.way, way);
        assert_eq!((story.last().kind, story.last().told.len()), (Kind::Detail, 2));
    }
}

#[test]
fn a_list_in_the_name_of_its_only_caller_is_taken_back_when_another_rings() {
    let mut story = Story::of_a_subscriber();
    story.policy.service.originators.insert(Kind::Detail, Originator::Caller);
    ring(&mut story, 1);
    story.send(taken(&["a"]));
    story.now = story.now + MINUTE;
    ring(&mut story, 1);
    assert_eq!(lease(&mut story).way, UpdateWay::Replace, "still the same caller");
    let alert = story.last().id;
    story.on(&Event::Updated { alert, attempt: 1, outcome: REPLACED });
    story.now = story.now + MINUTE;
    ring(&mut story, 2);
    assert_eq!(ask(&mut story, UpdateOutcome::Cancelled).0.way, UpdateWay::Cancel);
    assert_eq!(story.last().source, Address::ShortCode(short("12599")));
}

#[test]
fn a_teaser_counts_the_later_calls_too_and_is_never_taken_back() {
    let mut story = Story::new();
    assert_eq!(ring(&mut story, 1), "send teaser");
    story.send(taken(&["t"]));
    assert_eq!(ring(&mut story, 2), "held updating");
    let order = lease(&mut story);
    assert!(order.way == UpdateWay::Replace && order.text.starts_with("2 missed calls"), "{}", order.text);
    assert_eq!(ring(&mut story, 3), "held updating");
    story.on(&Event::Updated { alert: order.alert, attempt: 1, outcome: REPLACED });
    story.now = story.now + MINUTE;
    let order = lease(&mut story);
    assert!(order.text.starts_with("3 missed calls"), "{}", order.text);
    assert_eq!(story.on(&reply("C")), "reply granted");
    story.on(&Event::Updated { alert: order.alert, attempt: 2, outcome: UpdateOutcome::Impossible });
    assert_eq!((story.last().told.len(), story.untold(), story.charges), (3, 0, 1));
}

#[test]
fn a_teaser_is_not_updated_while_the_database_is_abnormal() {
    let mut story = Story::new();
    ring(&mut story, 1);
    story.send(taken(&["t"]));
    ring(&mut story, 2);
    let mut alert = story.last().clone();
    assert_eq!(alert.lease_update(Database::Abnormal, &Updates::default(), story.now), None);
    story.view.database = Database::Abnormal;
    assert_eq!(ring(&mut story, 3), "nothing abnormal_not_registered");
}

#[test]
fn a_list_that_is_fetched_while_an_update_is_asked_does_not_hide_its_outcome() {
    let mut story = subscriber_with_phone_off();
    ring(&mut story, 2);
    let order = lease(&mut story);
    ring(&mut story, 3);
    assert_eq!(story.on(&reply("C")), "reply granted");
    assert_eq!((story.last().told.len(), story.view.call_box.open), (1, Some(order.alert)));
    story.now = story.now + MINUTE * 2;
    story.on(&Event::Due { called: called() });
    let alert = &story.alerts[&order.alert];
    assert!(alert.update().is_some_and(|update| update.doubts.count() == 1), "somebody looked after it");
}

#[test]
fn an_update_in_a_pause_holds_what_was_taken_back() {
    let mut story = subscriber_with_phone_off();
    ring(&mut story, 2);
    let order = lease(&mut story);
    let until = story.now + HOUR;
    story.view.subscriber = Some(Subscriber { paused_until: Some(until), ..subscriber() });
    story.on(&Event::Updated { alert: order.alert, attempt: 1, outcome: UpdateOutcome::Cancelled });
    assert_eq!((story.untold(), story.alerts.len()), (2, 1));
    story.now = until;
    assert_eq!(story.on(&Event::Due { called: called() }), "send detail");
}

#[test]
fn what_a_receipt_calls_deleted_after_an_unanswered_cancel_is_told_again_whatever_the_policy() {
    for policy in [InDoubtPolicy::Hold, InDoubtPolicy::ResendOnce, InDoubtPolicy::Resend] {
        for receipt_first in [true, false] {
            let mut story = subscriber_with_phone_off();
            story.policy.in_doubt = policy;
            story.policy.updates.usual = UpdateMode::Cancel;
            ring(&mut story, 2);
            let order = lease(&mut story);
            let unanswered =
                Event::Updated { alert: order.alert, attempt: 1, outcome: UpdateOutcome::InDoubt(NoAnswer::Timeout) };
            if receipt_first {
                story.receipt(ReceiptState::Deleted);
                story.on(&unanswered);
            } else {
                story.on(&unanswered);
                story.receipt(ReceiptState::Deleted);
            }
            assert_eq!(story.alerts[&order.alert].state.as_str(), "superseded", "{policy:?}");
            assert_eq!((story.alerts.len(), story.last().told.len(), story.untold()), (2, 2, 0), "{policy:?}");
        }
    }
}

#[test]
fn a_call_that_is_added_late_is_worth_as_long_as_any_other() {
    let mut story = subscriber_with_phone_off();
    story.now = NOW + DAY - MINUTE;
    assert_eq!(ring(&mut story, 2), "held updating");
    assert_eq!(lease(&mut story).validity, story.policy.limits.validity.alert);
}

#[test]
fn somebody_who_rings_without_end_costs_the_smsc_no_more_where_alerts_are_taken_back() {
    let mut story = Story::of_a_subscriber();
    story.policy.updates.usual = UpdateMode::Cancel;
    ring(&mut story, 1);
    let mut submits = 0;
    for tick in 0..100_u64 {
        story.now = NOW + Duration::from_millis(100) * u32::try_from(tick).unwrap();
        ring(&mut story, 100 + tick);
        if let Leased::Send(submit) = story.lease() {
            submits += 1;
            story.on(&Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome: taken(&["a"]) });
        }
        let id = story.last().id;
        let updates = story.policy.updates.clone();
        let order = story.alerts.get_mut(&id).unwrap().lease_update(Database::Normal, &updates, story.now);
        if let Some(order) = order {
            let outcome = UpdateOutcome::Cancelled;
            story.on(&Event::Updated { alert: order.alert, attempt: order.attempt, outcome });
        }
    }
    assert!(submits <= 11, "{submits} submits in ten seconds");
}
