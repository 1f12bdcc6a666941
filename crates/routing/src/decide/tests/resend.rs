//! A message is sent again as it was: to whom, how often, and what doesn't change by it.

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
