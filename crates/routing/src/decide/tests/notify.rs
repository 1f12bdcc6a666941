//! Notify-me: from a call in vain to one message when the person can be reached.

use super::world::{World, person};
use super::*;

const UNREACHABLE: Reason = Reason::Unreachable;

#[test]
fn phone_off_three_callers_phone_on_each_is_told_once() {
    let mut world = World::new().with_subscriber(1);
    for caller in [2, 3, 2, 4] {
        world.rings(caller, 1, UNREACHABLE);
        world.wait(MINUTE);
    }
    world.phone_on(1);
    let heard: Vec<_> = world.words.iter().map(|word| word.to).collect();
    assert_eq!(heard, [person(3), person(2), person(4)], "each once, in the order of the last calls");
    assert_eq!(world.talk(), ["send notify"; 3]);
    assert_eq!(
        world.sent_to(2),
        [(Kind::Notify, "+8613900000001 can be reached again since 23 Nov 08:04. You may try calling again now.")]
    );
    world.phone_on(1);
    world.wait(DAY);
    world.phone_on(1);
    assert_eq!(world.talk(), [] as [String; 0], "nobody waits any more");
    assert_eq!(world.call_box(1).awaiting, []);
}

#[test]
fn a_prospects_teaser_tells_it_too() {
    let mut world = World::new();
    assert_eq!(world.rings(2, 1, UNREACHABLE), "send teaser");
    world.wait(MINUTE);
    world.phone_on(1);
    assert_eq!(world.talk(), ["send notify"]);
}

#[test]
fn only_callers_of_this_network_who_could_not_reach_the_person_are_told() {
    let mut world = World::new().with_subscriber(1);
    world.policy.notify.on_net = vec![(person(3).as_u64(), person(9).as_u64())];
    for (caller, reason) in [(2, UNREACHABLE), (3, Reason::Busy), (4, Reason::NoAnswer), (5, UNREACHABLE)] {
        world.rings(caller, 1, reason);
    }
    world.wait(MINUTE);
    world.phone_on(1);
    assert_eq!(world.words.iter().map(|word| word.to).collect::<Vec<_>>(), [person(5)]);
}

#[test]
fn a_call_after_the_message_arrived_is_not_meant_by_it() {
    let mut world = World::new().with_subscriber(1);
    world.rings(2, 1, UNREACHABLE);
    world.submit();
    world.wait(MINUTE);
    world.rings(3, 1, UNREACHABLE);
    let first = world.alerts.keys().next().copied().unwrap();
    world.now = world.now - Duration::from_secs(1);
    world.receipt(first, ReceiptState::Delivered);
    assert_eq!(world.words.iter().map(|word| word.to).collect::<Vec<_>>(), [person(2)]);
    assert_eq!(world.call_box(1).awaiting.len(), 1);
}

#[test]
fn the_privacy_of_the_one_who_can_be_reached_wins() {
    for (hides, told) in [("HIDE", vec![]), ("HIDE 13900000002", vec![person(3)]), ("HELP", vec![person(2), person(3)])]
    {
        let mut world = World::new();
        world.text(1, hides);
        world.rings(2, 1, UNREACHABLE);
        world.rings(3, 1, UNREACHABLE);
        world.wait(MINUTE);
        world.phone_on(1);
        assert_eq!(world.words.iter().map(|word| word.to).collect::<Vec<_>>(), told, "{hides}");
        assert_eq!(world.call_box(1).awaiting, [], "they are forgotten all the same");
    }
}

/// What the caller's side decides on a word, in this circumstance.
fn hears(circumstance: impl Fn(&mut World)) -> (World, Vec<String>) {
    let mut world = World::new().with_subscriber(1);
    world.rings(2, 1, UNREACHABLE);
    world.wait(MINUTE);
    world.phone_on(1);
    circumstance(&mut world);
    let verdicts = world.talk();
    (world, verdicts)
}

#[test]
fn the_callers_own_box_decides() {
    let refused = |world: &mut World| drop(world.text(2, "R"));
    let listed = |world: &mut World| {
        world.listed.insert(person(2), Listed { do_not_contact: true, ..Listed::default() });
    };
    let suspended = |world: &mut World| {
        let status = SubscriberStatus::Suspended;
        world.subscribers.insert(person(2), Subscriber { status, ..Subscriber::new(person(2), NOW) });
    };
    let full = |world: &mut World| {
        let today = crate::text::local_day(world.now, "UTC");
        world.boxes.insert(person(2), CallBox { notified: Some((today, 5)), ..CallBox::empty(person(2)) });
    };
    let verdict = |circumstance: &dyn Fn(&mut World)| hears(circumstance).1;
    assert_eq!(verdict(&|_| {}), ["send notify"]);
    assert_eq!(verdict(&|world| world.policy.notify.usual = false), ["nothing not_notified"]);
    assert_eq!(verdict(&|world| drop(world.text(2, "NOTIFY OFF"))), ["nothing not_notified"]);
    assert_eq!(
        verdict(&|world| {
            world.policy.notify.usual = false;
            world.text(2, "NOTIFY ON");
        }),
        ["send notify"]
    );
    assert_eq!(verdict(&refused), ["nothing refused"]);
    assert_eq!(
        verdict(&|world| {
            refused(world);
            world.text(2, "NOTIFY ON");
        }),
        ["send notify"],
        "the last word"
    );
    assert_eq!(verdict(&listed), ["nothing do_not_contact"]);
    assert_eq!(verdict(&suspended), ["nothing suspended"]);
    assert_eq!(verdict(&full), ["nothing notify_cap"]);
    assert_eq!(verdict(&|world| world.now = world.now + DAY), ["nothing notify_too_late"]);
    assert_eq!(verdict(&|world| world.database = Database::Abnormal), ["nothing deferred"]);
    assert_eq!(verdict(&|world| world.words.extend(world.words.clone())), ["send notify", "nothing no_change"]);
}

#[test]
fn a_caller_who_asked_for_quiet_hears_of_it_at_the_end() {
    let (mut world, verdicts) = hears(|world| {
        world
            .subscribers
            .insert(person(2), Subscriber { paused_until: Some(NOW + HOUR), ..Subscriber::new(person(2), NOW) });
    });
    assert_eq!(verdicts, ["held paused"]);
    assert_eq!(world.wait(HOUR), ["send notify"]);
    assert_eq!(world.wait(DAY), [] as [String; 0]);
    assert_eq!(world.count_to(2, Kind::Notify), 1);
}

#[test]
fn the_callers_side_waits_for_the_database() {
    let (mut world, _) = hears(|world| world.database = Database::Abnormal);
    assert_eq!(world.count_to(2, Kind::Notify), 0);
    assert_eq!(world.recover(), ["send notify"]);
    assert_eq!((world.call_box(2).reachable, world.call_box(2).deferred), (vec![], vec![]));
    world.wait(DAY * 2);
    assert_eq!((world.call_box(2).told_of, world.call_box(2).due), (vec![], None), "forgotten when it can't matter");
}

#[test]
fn the_other_side_waits_for_the_database_too_and_later_calls_are_not_meant() {
    let mut world = World::new().with_subscriber(1);
    world.rings(2, 1, UNREACHABLE);
    world.wait(MINUTE);
    world.database = Database::Abnormal;
    world.phone_on(1);
    assert_eq!(world.talk(), [] as [String; 0]);
    world.wait(MINUTE);
    world.rings(3, 1, UNREACHABLE);
    // Meanwhile the person may have hidden elsewhere, or another node may have said it.
    world.recover();
    assert_eq!(world.talk(), ["send notify"]);
    assert_eq!(world.last_to(2).kind, Kind::Notify);
    assert_eq!(world.call_box(1).awaiting.iter().map(|one| one.caller).collect::<Vec<_>>(), [person(3)]);
}

#[test]
fn what_waits_is_bounded_and_forgotten() {
    let mut world = World::new().with_subscriber(1);
    for caller in 100..200 {
        world.rings(caller, 1, UNREACHABLE);
    }
    assert_eq!(world.call_box(1).awaiting.len(), MAX_AWAITING);
    world.wait(DAY * 2);
    assert_eq!(world.call_box(1).awaiting, []);
}

#[test]
fn two_nodes_that_see_a_receipt_each_say_it_once_together() {
    // Both nodes have the box as it was shared; each is cut off and gets a receipt of an alert of its own.
    let mut shared = World::new().with_subscriber(1);
    shared.rings(2, 1, UNREACHABLE);
    let base = shared.call_box(1);
    let node = |later: Duration| CallBox {
        reached: Some(NOW + MINUTE + later),
        deferred: vec![Deferred::Reached],
        ..base.clone()
    };
    let both = merge(&base, &node(Duration::ZERO), &node(MINUTE));
    // Or one has said it in the database before the other hands over.
    let said = CallBox { awaiting: Vec::new(), ..base.clone() };
    let after = merge(&base, &node(Duration::ZERO), &said);
    for (call_box, words) in [(both, 1), (after, 0)] {
        let mut world = World::new().with_subscriber(1);
        world.now = NOW + HOUR;
        world.boxes.insert(person(1), call_box);
        world.recover();
        assert_eq!(world.words.len(), words);
        assert_eq!(world.call_box(1).reached, None);
    }
}
