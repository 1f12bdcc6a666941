//! Copies to another number: agreed to, made once, ended by either side, and never copied on.

use super::world::{World, person};
use super::*;

fn agreed() -> World {
    let mut world = World::new().with_subscriber(1);
    assert_eq!(world.text(1, "COPY 139 0000 0002"), "reply copy_asked");
    assert_eq!(world.talk(), ["send notice"]);
    assert_eq!(
        world.last_to(2).text,
        "+8613900000001 wants to send you copies of missed call messages. Reply YES to agree; else nothing is sent."
    );
    assert_eq!(world.text(2, "YES"), "reply copy_agreed");
    assert_eq!(world.talk(), ["send notice"]);
    assert_eq!(world.subscribers[&person(1)].copy_to, Some(person(2)));
    world
}

fn copy(world: &World) -> Vec<&str> {
    world.sent_to(2).into_iter().filter(|(kind, _)| *kind != Kind::Notice).map(|(_, text)| text).collect()
}

#[test]
fn each_call_is_in_one_copy_whatever_becomes_of_the_alert() {
    let mut world = agreed();
    world.rings(5, 1, Reason::NoAnswer);
    assert_eq!(world.talk(), ["send detail"]);
    assert_eq!(copy(&world), ["Copy for +8613900000001:\n1 missed call:\n+8613900000005 23 Nov 08:00"]);
    // It joins what waits: the copy tells what is new, a little later.
    world.rings(6, 1, Reason::NoAnswer);
    assert_eq!(world.talk(), [] as [String; 0]);
    world.wait(MINUTE);
    assert_eq!(world.talk(), ["send detail"]);
    assert_eq!(copy(&world)[1], "Copy for +8613900000001:\n1 missed call:\n+8613900000006 23 Nov 08:00");
    // It expires, and its calls are told again with the next: not so in the copy.
    world.submit();
    let alert = world.alerts.values().rfind(|alert| alert.to == person(1)).unwrap().id;
    world.receipt(alert, ReceiptState::Expired);
    world.wait(HOUR);
    world.rings(7, 1, Reason::NoAnswer);
    world.talk();
    assert_eq!(world.last_to(1).told.len(), 3);
    assert_eq!(copy(&world)[2..], ["Copy for +8613900000001:\n1 missed call:\n+8613900000007 23 Nov 09:01"]);
}

#[test]
fn a_copy_of_a_held_detail_comes_with_it() {
    let mut world = agreed();
    world.text(1, "PAUSE 1");
    for caller in 5..8 {
        world.rings(caller, 1, Reason::NoAnswer);
    }
    assert_eq!(world.talk(), [] as [String; 0]);
    world.wait(HOUR);
    assert_eq!(world.talk(), ["send detail"]);
    assert_eq!(copy(&world).len(), 1);
    assert_eq!(copy(&world)[0].lines().count(), 5);
}

#[test]
fn a_copy_is_never_copied_and_its_calls_are_nobody_elses() {
    let mut world = agreed().with_subscriber(2);
    world.text(2, "COPY 13900000001");
    world.talk();
    world.text(1, "YES");
    world.talk();
    assert_eq!(world.subscribers[&person(2)].copy_to, Some(person(1)), "both send each other copies");
    world.rings(5, 1, Reason::NoAnswer);
    assert_eq!(world.talk(), ["send detail"]);
    world.submit();
    let id = world.last_to(2).id;
    world.receipt(id, ReceiptState::Undeliverable);
    assert!(!world.call_box(2).waiting(), "not the reader's calls");
    world.wait(DAY);
    assert_eq!(world.talk(), [] as [String; 0]);
    assert_eq!(world.count_to(1, Kind::Detail), 1);
}

#[test]
fn a_refusal_ends_copies_at_once_and_both_know() {
    let mut world = agreed();
    assert_eq!(world.text(2, "R"), "reply refused");
    assert_eq!(world.talk(), ["send notice"]);
    assert_eq!(world.subscribers[&person(1)].copy_to, None);
    assert_eq!(world.last_to(1).text, "No more copies of missed call messages are sent.");
    world.rings(5, 1, Reason::NoAnswer);
    assert_eq!(world.talk(), [] as [String; 0]);
    assert_eq!(world.text(1, "COPY 13900000002"), "reply copy_asked");
    assert_eq!(world.talk(), ["nothing refused"], "and they are not asked again");
}

#[test]
fn a_refusal_during_an_outage_ends_copies_at_once_and_the_sender_learns_of_it_afterwards() {
    let mut world = agreed();
    world.database = Database::Abnormal;
    world.text(2, "R");
    assert_eq!(world.talk(), ["nothing deferred"]);
    world.rings(5, 1, Reason::NoAnswer);
    assert_eq!(world.talk(), ["nothing refused", "nothing deferred"]);
    assert_eq!(copy(&world), [] as [&str; 0]);
    world.recover();
    assert_eq!(world.subscribers[&person(1)].copy_to, None);
    assert_eq!(world.count_to(1, Kind::Notice), 3, "asked, began, ended: once each");
}

#[test]
fn either_side_ends_them_by_keyword_and_an_unsubscription_does() {
    for (who, text) in [(1, "COPY OFF"), (1, "COPY QX"), (2, "COPY OFF"), (1, "QX")] {
        let mut world = agreed();
        world.text(who, text);
        assert_eq!(world.talk(), ["send notice"], "{text}");
        assert_eq!(world.subscribers.get(&person(1)).and_then(|one| one.copy_to), None);
        assert_eq!(world.call_box(2).copies, Copies::default());
    }
}

#[test]
fn an_offer_taken_back_is_no_agreement() {
    let mut world = World::new().with_subscriber(1);
    world.text(1, "COPY 13900000002");
    world.talk();
    // The yes and the end cross each other.
    world.text(2, "YES");
    world.text(1, "COPY OFF");
    world.talk();
    assert_eq!(world.subscribers[&person(1)].copy_to, None);
    assert_eq!(world.call_box(2).copies, Copies::default());
    assert_eq!(world.last_to(2).text, "No more copies of missed call messages are sent.");
}

#[test]
fn nobody_is_asked_about_copies_who_must_not_be_and_not_twice_in_a_day() {
    let mut world = World::new().with_subscriber(1).with_subscriber(3);
    world.listed.insert(person(2), Listed { do_not_contact: true, ..Listed::default() });
    world.text(1, "COPY 13900000002");
    assert_eq!(world.talk(), ["nothing do_not_contact"]);
    world.listed.clear();
    for (who, verdict) in [(1, "send notice"), (1, "nothing no_change"), (3, "nothing no_change")] {
        world.text(who, "COPY 13900000002");
        assert_eq!(world.talk(), [verdict]);
    }
    assert_eq!(world.text(2, "YES"), "reply copy_agreed");
    assert_eq!(world.words[0].to, person(1), "the question was the first one's");
}

#[test]
fn a_new_number_takes_the_place_of_the_old_one_once_it_agrees() {
    let mut world = agreed();
    world.text(1, "COPY 13900000003");
    world.talk();
    assert_eq!(world.subscribers[&person(1)].copy_to, Some(person(2)));
    world.text(3, "YES");
    assert_eq!(world.talk(), ["send notice", "send notice"]);
    assert_eq!(world.subscribers[&person(1)].copy_to, Some(person(3)));
    assert_eq!(world.call_box(2).copies, Copies::default());
}

#[test]
fn a_copy_that_is_sent_again_after_a_late_answer_takes_no_calls_of_its_reader() {
    let mut world = agreed().with_subscriber(2);
    world.rings(5, 1, Reason::Busy);
    world.talk();
    let Leased::Send(submit) = ({
        let id = world.last_to(2).id;
        let (database, limits, now) = (world.database, world.policy.limits, world.now);
        world.alerts.get_mut(&id).unwrap().lease(database, &limits, now)
    }) else {
        panic!("not leased")
    };
    let text = world.last_to(2).text.clone();
    for outcome in [SubmitOutcome::InDoubt(NoAnswer::Timeout), SubmitOutcome::NotSent] {
        world.on(person(2), &Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome });
    }
    assert_eq!(world.alerts[&submit.alert].state.as_str(), "queued");
    world.rings(7, 2, Reason::Busy);
    assert_eq!(world.alerts[&submit.alert].text, text, "the copy still tells what it told");
    assert_eq!(world.last_to(2).told.len(), 1, "and the reader is told of the own call");
}

#[test]
fn copies_are_no_more_than_alerts_may_be_though_one_alert_is_brought_up_to_date_again_and_again() {
    let mut world = agreed();
    world.policy.limits.daily_cap = 3;
    world.rings(5, 1, Reason::NoAnswer);
    let mut told = 0;
    let hear = |world: &mut World, told: &mut u32| {
        for word in &world.words {
            let Saying::Copy { told: calls, more } = &word.saying else { continue };
            *told += calls.iter().map(|tally| tally.count).sum::<u32>() + more;
        }
        world.talk();
    };
    hear(&mut world, &mut told);
    world.submit();
    for caller in 0..200 {
        world.wait(Duration::from_secs(2));
        assert_eq!(world.rings(100 + caller, 1, Reason::Unreachable), "held updating");
        let id = world.last_to(1).id;
        let (updates, now) = (world.policy.updates.clone(), world.now);
        let alert = world.alerts.get_mut(&id).unwrap();
        let order = alert.lease_update(Database::Normal, &updates, now).expect("an update");
        let outcome = UpdateOutcome::Replaced { message_id: None };
        world.on(person(1), &Event::Updated { alert: id, attempt: order.attempt, outcome });
        hear(&mut world, &mut told);
    }
    assert_eq!((world.count_to(1, Kind::Detail), copy(&world).len()), (1, 3));
    world.wait(DAY);
    hear(&mut world, &mut told);
    assert_eq!((told, copy(&world).len()), (201, 4), "each call is in one of them");
}

#[test]
fn an_offer_that_is_made_and_taken_back_again_and_again_asks_once() {
    let mut world = World::new().with_subscriber(1);
    for _ in 0..4 {
        world.text(1, "COPY 13900000002");
        world.talk();
        world.text(1, "COPY OFF");
        world.talk();
    }
    assert_eq!(world.count_to(2, Kind::Notice), 1);
    world.wait(DAY);
    world.text(1, "COPY 13900000002");
    assert_eq!(world.talk(), ["send notice"], "another day");
}
