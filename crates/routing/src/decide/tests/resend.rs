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
            view.call_box.take_back(&[tally(1, 2)], 0);
            view.call_box.alerted_at = Some(NOW - MINUTE);
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

#[test]
fn a_message_that_is_lost_after_it_was_sent_again_gives_its_calls_to_nobody_and_the_newer_one_does() {
    let parts = vec![Part { id: "a".to_owned(), state: None }];
    let state = AlertState::Accepted { at: NOW, smsc: smsc(), parts, update: None };
    let open = Alert { told: vec![tally(1, 1)], ..alert(Kind::Detail, state) };
    let mut view = View { alert: Some(open.clone()), ..of_a_subscriber() };
    view.call_box.open = Some(OPEN);
    let wanted = Resend { told: open.told.clone(), ..resend(OPEN.0, Kind::Detail) };
    let decision = decide(&policy(), &view, &Event::Resend(wanted), NOW);
    let newer = decision.alerts().find(|alert| alert.again.is_some()).unwrap().clone();
    assert_eq!(newer.told, open.told);
    view = View { alert: Some(open), ..apply(&view, &decision) };
    view = apply(&view, &decide(&policy(), &view, &receipt(ReceiptState::Undeliverable), NOW));
    assert_eq!((untold(&view), view.call_box.open), (0, None), "the newer one answers for them");
    let refused = Alert { attempts: 1, state: AlertState::Sending { since: NOW }, ..newer };
    let outcome = SubmitOutcome::Refused { status: 0xb };
    let event = Event::Submitted { alert: refused.id, attempt: 1, outcome };
    view = View { alert: Some(refused), ..view };
    view = apply(&view, &decide(&policy(), &view, &event, NOW));
    assert_eq!(untold(&view), 1, "and gives them back, once");
}
