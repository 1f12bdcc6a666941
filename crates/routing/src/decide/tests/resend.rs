//! A message is sent again as it was: to whom, how often, and what doesn't change by it.

use proptest::prelude::*;

use super::*;

fn of_a_subscriber() -> View {
    View { subscriber: Some(subscriber()), ..view() }
}

/// Decides it, commits it, and gives the words.
fn again(view: &mut View, wanted: &Resend, now: Timestamp) -> String {
    let decision = decide(&policy(), view, &Event::Resend(wanted.clone()), now);
    *view = apply(view, &decision);
    words(decision.verdict)
}

#[test]
fn the_same_message_goes_again_once_a_minute_and_others_at_once() {
    let mut view = of_a_subscriber();
    let (first, other) = (resend(3, Kind::Detail), resend(4, Kind::Notice));
    assert_eq!(again(&mut view, &first, NOW), "send detail");
    assert_eq!(again(&mut view, &first, NOW + MINUTE - Duration::from_millis(1)), "nothing duplicate");
    assert_eq!(again(&mut view, &other, NOW), "send notice");
    assert_eq!(again(&mut view, &first, NOW + MINUTE), "send detail");
    assert_eq!(view.call_box.today.map(|(_, count)| count), Some(3), "they count in the day");
    assert_eq!(view.call_box.alerted_at, None, "and hold up no call");
}

#[test]
fn the_day_bounds_what_is_sent_again_and_what_is_remembered_of_it() {
    let mut view = of_a_subscriber();
    let cap = policy().limits.daily_cap;
    let verdicts: Vec<_> = (0..60).map(|n| again(&mut view, &resend(n, Kind::Detail), NOW)).collect();
    let sent = verdicts.iter().filter(|words| *words == "send detail").count();
    assert_eq!(u32::try_from(sent), Ok(cap.min(60)));
    assert!(verdicts.iter().skip(sent).all(|words| words == "nothing daily_cap"));
    assert!(view.call_box.resent.len() <= MAX_RESENT);
}

#[test]
fn nobody_reads_what_was_not_theirs_and_nobody_hears_what_they_refused() {
    let fetched = |at| Fetched { at, list: vec![tally(1, 1)], more: 0 };
    let offer_fetched = |at| Some(Offer { fetched: Some(fetched(at)), ..offer() });
    let detail = resend(3, Kind::Detail);
    let old = Resend { at: NOW - DAY * 30, ..detail.clone() };
    let before = Resend { made_at: NOW - HOUR, ..detail.clone() };
    let strangers = Resend { called: number(1), ..detail.clone() };
    let suspended = Subscriber { status: SubscriberStatus::Suspended, ..subscriber() };
    let with = |change: &dyn Fn(&mut View)| {
        let mut view = view();
        change(&mut view);
        view
    };
    for (what, mut view, wanted, expected) in [
        ("an active subscriber", of_a_subscriber(), &detail, "send detail"),
        ("asked long ago", of_a_subscriber(), &old, "nothing too_old"),
        ("for another box", of_a_subscriber(), &strangers, "nothing no_change"),
        ("suspended", with(&|view| view.subscriber = Some(suspended.clone())), &detail, "nothing suspended"),
        ("no longer registered", view(), &detail, "nothing not_subscribed"),
        ("refused", with(&|view| view.call_box.refused_at = Some(NOW)), &detail, "nothing refused"),
        ("do not contact", with(&|view| view.listed.do_not_contact = true), &detail, "nothing do_not_contact"),
        ("who fetched it", with(&|view| view.call_box.offer = offer_fetched(NOW - HOUR)), &detail, "send detail"),
        (
            "who fetched another since",
            with(&|view| view.call_box.offer = offer_fetched(NOW)),
            &before,
            "nothing not_subscribed",
        ),
        ("abnormal", with(&|view| view.database = Database::Abnormal), &detail, "nothing abnormal_not_registered"),
    ] {
        assert_eq!(again(&mut view, wanted, NOW), expected, "{what}");
    }
}

#[test]
fn a_number_that_changed_hands_reads_nothing_of_before() {
    let newcomer = Subscriber { since: NOW - HOUR, ..subscriber() };
    let mut view = View { subscriber: Some(newcomer), ..view() };
    let old = Resend { made_at: NOW - DAY, ..resend(3, Kind::Detail) };
    assert_eq!(again(&mut view, &old, NOW), "nothing not_subscribed");
}

/// A message that told these calls and is known to be lost since then.
fn lost(of: i64, told: Vec<Tally>, lost_at: Timestamp) -> Resend {
    Resend { made_at: NOW - HOUR, told, lost_at: Some(lost_at), ..resend(of, Kind::Detail) }
}

fn untold(view: &View) -> u32 {
    view.call_box.untold.iter().map(|tally| tally.count).sum::<u32>() + view.call_box.more
}

#[test]
fn what_is_sent_again_of_a_lost_message_is_not_told_by_the_next_alert() {
    let mut view = of_a_subscriber();
    view.call_box.take_back(&[tally(1, 2), tally(2, 1)], 0);
    assert_eq!(again(&mut view, &lost(3, vec![tally(1, 2)], NOW - MINUTE), NOW), "send detail");
    assert_eq!(view.call_box.untold, [tally(2, 1)], "what else waits goes on waiting");
    assert_eq!(view.call_box.alerted_at, Some(NOW), "it is an alert about calls");
    let later = NOW + DAY;
    let Event::Call(call) = call("c") else { unreachable!("it is one") };
    let next = decide(&policy(), &view, &Event::Call(MissedCall { at: later, ..call }), later);
    let told: Vec<_> = next.alerts().flat_map(|alert| alert.told.iter().map(|one| one.caller.clone())).collect();
    assert_eq!(told, [tally(9, 1).caller, tally(2, 1).caller]);
}

#[test]
fn a_lost_message_whose_calls_a_later_alert_told_is_not_sent_again() {
    let told = vec![tally(1, 2)];
    for (what, change) in [
        ("nothing waits", (|_: &mut View| {}) as fn(&mut View)),
        ("fewer wait", |view| view.call_box.take_back(&[tally(1, 1)], 0)),
        ("an alert told all, and the caller rang again", |view| {
            view.call_box.take_back(&[Tally { last_at: NOW - MINUTE, ..tally(1, 2) }], 0);
        }),
    ] {
        let mut view = of_a_subscriber();
        change(&mut view);
        let before = view.call_box.clone();
        assert_eq!(again(&mut view, &lost(3, told.clone(), NOW - HOUR), NOW), "nothing nothing_to_tell", "{what}");
        assert_eq!(view.call_box, before, "{what}");
    }
}

#[test]
fn calls_that_an_offer_holds_are_sent_again_and_stay_in_it() {
    let mut view = view();
    let fetched = Fetched { at: NOW - HOUR, list: vec![tally(1, 1)], more: 0 };
    view.call_box.offer = Some(Offer { fetched: Some(fetched), ..offer() });
    view.call_box.take_back(&[tally(1, 1)], 0);
    assert_eq!(again(&mut view, &lost(3, vec![tally(1, 1)], NOW - MINUTE), NOW), "send detail");
    assert_eq!(untold(&view), 1, "calls since the fetch are others");
}

/// A message that the SMSC has, which tells one call, and the same sent again, on its way.
fn sent_twice() -> (View, Alert, Alert) {
    let parts = vec![Part { id: "a".to_owned(), state: None }];
    let state = AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: None };
    let earlier = Alert { told: vec![tally(1, 1)], ..alert(Kind::Detail, state) };
    let mut view = View { alert: Some(earlier.clone()), earlier: Some(earlier.clone()), ..of_a_subscriber() };
    view.call_box.open = Some(OPEN);
    let decision = decide(&policy(), &view, &Event::Resend(resend(OPEN.0, Kind::Detail)), NOW);
    let newer = decision.alerts().find(|alert| alert.again.is_some()).unwrap().clone();
    assert_eq!(newer.told, earlier.told);
    let newer = Alert { attempts: 1, state: AlertState::Sending { since: NOW }, ..newer };
    (View { earlier: None, ..apply(&view, &decision) }, earlier, newer)
}

/// What becomes of a message.
fn ends(view: &mut View, alert: &Alert, arrives: bool, now: Timestamp) {
    view.alert = Some(alert.clone());
    let mut hear = |event| *view = apply(view, &decide(&policy(), view, &event, now));
    let is_newer = alert.again.is_some();
    match (is_newer, arrives) {
        (true, false) => {
            let outcome = SubmitOutcome::Refused { status: 0xb };
            hear(Event::Submitted { alert: alert.id, attempt: 1, outcome });
        }
        (true, true) => {
            hear(Event::Submitted { alert: alert.id, attempt: 1, outcome: taken(&["a"]) });
            hear(receipt(ReceiptState::Delivered));
        }
        (false, true) => hear(receipt(ReceiptState::Delivered)),
        (false, false) => hear(receipt(ReceiptState::Undeliverable)),
    }
}

#[test]
fn calls_that_two_messages_tell_are_untold_only_when_both_are_lost() {
    for earlier_first in [true, false] {
        for (earlier_arrives, newer_arrives) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut view, earlier, newer) = sent_twice();
            let order = [(&earlier, earlier_arrives), (&newer, newer_arrives)];
            for place in if earlier_first { [0, 1] } else { [1, 0] } {
                assert_eq!(untold(&view), 0);
                let (alert, arrives) = order[place];
                ends(&mut view, alert, arrives, NOW);
            }
            let lost = u32::from(!earlier_arrives && !newer_arrives);
            assert_eq!((untold(&view), view.call_box.open), (lost, None), "{order:?}");
        }
    }
}

#[test]
fn a_third_time_is_told_by_what_is_still_on_its_way() {
    let (mut view, earlier, newer) = sent_twice();
    ends(&mut view, &newer, false, NOW);
    view.earlier = Some(earlier.clone());
    let decision = decide(&policy(), &view, &Event::Resend(resend(OPEN.0, Kind::Detail)), NOW + MINUTE);
    let third = decision.alerts().find(|alert| alert.again.is_some()).unwrap().clone();
    assert_eq!(third.told, earlier.told, "the second is lost");
    view = View { earlier: None, ..apply(&view, &decision) };
    ends(&mut view, &earlier, false, NOW);
    assert_eq!(untold(&view), 0);
    ends(&mut view, &Alert { attempts: 1, state: AlertState::Sending { since: NOW }, ..third }, false, NOW);
    assert_eq!(untold(&view), 1, "all three are");
}

#[test]
fn what_is_taken_back_for_a_later_call_is_not_told_by_a_third_message() {
    let (mut view, mut earlier, _) = sent_twice();
    let AlertState::Accepted { update: wanted, .. } = &mut earlier.state else { unreachable!("the SMSC has it") };
    let asking = update(UpdateState::Asking { since: NOW }, 0, NOW, false);
    *wanted = Some(Box::new(Update { way: UpdateWay::Cancel, ..asking }));
    view.alert = Some(earlier);
    view.call_box.open = Some(OPEN);
    let event = Event::Updated { alert: OPEN, attempt: 1, outcome: UpdateOutcome::Cancelled };
    let decision = decide(&policy(), &view, &event, NOW);
    let told: Vec<_> = decision.alerts().filter(|alert| alert.id != OPEN).flat_map(|alert| &alert.told).collect();
    assert_eq!(told, [&tally(3, 2)], "only what the update was to add");
}

#[test]
fn what_became_of_the_message_since_somebody_looked_counts() {
    let wanted = Resend { told: vec![tally(1, 2)], ..resend(OPEN.0, Kind::Detail) };
    let with = |state| Alert { created_at: NOW - HOUR, ..alert(Kind::Detail, state) };
    for (what, earlier, waits, expected) in [
        ("not known here", None, 0, ("send detail", 2, 0)),
        ("delivered", Some(with(AlertState::Delivered { at: NOW })), 0, ("send detail", 0, 0)),
        ("lost, and its calls wait", Some(with(AlertState::Undelivered { at: NOW })), 2, ("send detail", 2, 0)),
        (
            "lost, and its calls told",
            Some(with(AlertState::Undelivered { at: NOW })),
            0,
            ("nothing nothing_to_tell", 0, 0),
        ),
        (
            "another person's",
            Some(Alert { to: number(1), ..with(AlertState::Delivered { at: NOW }) }),
            0,
            ("nothing no_change", 0, 0),
        ),
        ("taken back", Some(with(AlertState::Superseded { at: NOW })), 0, ("nothing nothing_to_tell", 0, 0)),
        ("sent again by itself", Some(with(AlertState::Queued { not_before: NOW })), 0, ("nothing no_change", 0, 0)),
    ] {
        let mut view = View { earlier, ..of_a_subscriber() };
        if waits > 0 {
            view.call_box.take_back(&[tally(1, waits)], 0);
        }
        let decision = decide(&policy(), &view, &Event::Resend(wanted.clone()), NOW);
        let told: u32 = decision.alerts().flat_map(|alert| &alert.told).map(|tally| tally.count).sum();
        let after = apply(&view, &decision);
        assert_eq!((words(decision.verdict).as_str(), told, untold(&after)), expected, "{what}");
    }
}

#[test]
fn of_two_lost_messages_each_is_sent_again_and_what_is_too_much_is_not_forgotten() {
    let mut view = of_a_subscriber();
    let all: Vec<_> = (1..=9).map(|who| tally(who, 1)).collect();
    view.call_box.take_back(&all, 0);
    let last = all.len() - 1;
    for (which, told) in all.iter().enumerate() {
        let of = 100 + i64::try_from(which).unwrap();
        let at = NOW + MINUTE * u32::try_from(which).unwrap();
        let said = again(&mut view, &lost(of, vec![told.clone()], NOW - MINUTE), at);
        assert_eq!(said, if which < last { "send detail" } else { "nothing daily_cap" }, "{which}");
    }
    assert_eq!(view.call_box.untold, all[last..]);
    assert!(view.call_box.resent.iter().all(Resent::is_undecided));
}

/// A message of one life, the calls that its text tells by caller, and whether it arrived.
struct Sent {
    alert: Alert,
    text: Vec<u64>,
    arrived: Option<bool>,
}

/// What happens in it, to which message.
#[derive(Clone, Copy, Debug)]
enum Step {
    Again(usize),
    Ends(usize, bool),
    /// Another call is added to the first message, by an update.
    Grows,
    /// The first caller rings again, and waits.
    Rings,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_usize..4).prop_map(Step::Again),
        ((0_usize..5), any::<bool>()).prop_map(|(which, arrives)| Step::Ends(which, arrives)),
        ((0_usize..5), Just(false)).prop_map(|(which, arrives)| Step::Ends(which, arrives)),
        Just(Step::Grows),
        Just(Step::Rings),
    ]
}

fn send_again(view: &mut View, sent: &mut Vec<Sent>, which: usize, now: Timestamp) {
    let mut policy = policy();
    policy.limits.daily_cap = 1_000;
    let earlier = sent[which].alert.clone();
    view.earlier = Some(earlier.clone());
    let Ok(wanted) = Resend::of(&earlier, now, "user:anna".to_owned()) else { return };
    let decision = decide(&policy, view, &Event::Resend(wanted), now);
    if let Some(newer) = decision.alerts().find(|alert| alert.again.is_some()) {
        let alert = Alert { attempts: 1, state: AlertState::Sending { since: now }, ..newer.clone() };
        sent.push(Sent { alert, text: sent[which].text.clone(), arrived: None });
    }
    *view = View { earlier: None, next_alert: AlertId(view.next_alert.0 + 1), ..apply(view, &decision) };
}

proptest! {
    /// A call is untold exactly while each message that tells it is lost, also one that was added to the first of them meanwhile.
    #[test]
    fn no_call_is_lost_between_messages_that_tell_it(steps in proptest::collection::vec(any_step(), 1..24)) {
        let parts = vec![Part { id: "a".to_owned(), state: None }];
        let state = AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: None };
        let first = Alert { told: vec![tally(1, 1)], ..alert(Kind::Detail, state) };
        let mut view = of_a_subscriber();
        let mut sent = vec![Sent { alert: first, text: vec![1], arrived: None }];
        let (mut now, mut rings) = (NOW, 0);
        for step in steps {
            now = now + MINUTE * 2;
            match step {
                Step::Again(which) if which < sent.len() => send_again(&mut view, &mut sent, which, now),
                Step::Ends(which, arrives) if which < sent.len() && sent[which].arrived.is_none() => {
                    ends(&mut view, &sent[which].alert, arrives, now);
                    sent[which].alert = view.alert.clone().unwrap();
                    sent[which].arrived = Some(arrives);
                    prop_assert!(sent[which].alert.state.is_final());
                }
                Step::Grows if sent[0].arrived.is_none() => {
                    let caller = 10 + u64::try_from(sent[0].text.len()).unwrap();
                    sent[0].alert.told.push(tally(caller, 1));
                    sent[0].text.push(caller);
                }
                Step::Rings => {
                    view.call_box.take_back(&[Tally { last_at: now, ..tally(1, 1) }], 0);
                    rings += 1;
                }
                Step::Again(_) | Step::Ends(..) | Step::Grows => {}
            }
            for caller in sent[0].text.clone() {
                let telling = || sent.iter().filter(|one| one.text.contains(&caller));
                let is_lost = telling().all(|one| one.arrived == Some(false));
                let waits = if caller == 1 { rings } else { 0 };
                let who = tally(caller, 1).caller;
                let untold = view.call_box.untold.iter().find(|known| known.caller == who).map_or(0, |known| known.count);
                prop_assert_eq!(untold, waits + u32::from(is_lost), "{} after {:?}", caller, step);
            }
        }
    }
}
