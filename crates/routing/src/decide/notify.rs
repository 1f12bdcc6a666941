//! Notify-me: callers who rang in vain hear that a person can be reached again. The person's side waits for a receipt, the caller's side decides.

use model::{Caller, Kind, MissedCall, Reason, Timestamp};

use super::call::today;
use super::case::{Case, NewAlert};
use super::quiet;
use crate::text::Say;
use crate::{
    Awaiting, Deferred, Effect, HeldWhy, MAX_AWAITING, NothingWhy, Reachable, Saying, SubscriberStatus, Verdict, Word,
};

/// Remembers a caller of our network who rang while the person could not be reached, if a message to that person may tell when they can be: one that
/// is on its way, or waits.
pub(super) fn rang_in_vain(case: &mut Case<'_>, call: &MissedCall) {
    let notify = &case.policy.notify;
    let Caller::Number(caller) = call.caller else { return };
    let told_of = case.call_box.open.is_some() || (case.active().is_some() && case.call_box.waiting());
    if !notify.on
        || call.reason != Reason::Unreachable
        || !notify.is_on_net(caller)
        || caller == call.called
        || !told_of
    {
        return;
    }
    let awaiting = &mut case.call_box.awaiting;
    let earlier = awaiting.iter().find(|known| known.caller == caller).map(|known| known.at);
    awaiting.retain(|known| known.caller != caller);
    awaiting.push(Awaiting { caller, at: earlier.map_or(call.at, |earlier| earlier.max(call.at)) });
    awaiting.sort_by_key(|known| known.at);
    awaiting.drain(..awaiting.len().saturating_sub(MAX_AWAITING));
}

/// A message about calls arrived on the handset: the person can be reached. Who may hear of it, and whether another node has said so already, is known
/// while the database is normal; else it is said afterwards.
pub(super) fn reached(case: &mut Case<'_>, kind: Kind) {
    let about_calls = match kind {
        Kind::Detail | Kind::Fallback | Kind::Teaser => true,
        Kind::Notice | Kind::Notify => false,
    };
    if !about_calls || case.call_box.awaiting.is_empty() {
        return;
    }
    if case.abnormal() {
        case.call_box.reached = Some(case.now);
        case.defer(Deferred::Reached);
    } else {
        say_so(case, case.now);
    }
}

/// The database is back: says that the person could be reached meanwhile.
pub(super) fn say_so_now(case: &mut Case<'_>) {
    if let Some(at) = case.call_box.reached.take() {
        say_so(case, at);
    }
}

/// A word to each caller who rang before then, in the order of their calls, but those from whom the person hides. Each is told once.
fn say_so(case: &mut Case<'_>, at: Timestamp) {
    let (rang, later): (Vec<_>, Vec<_>) = case.call_box.awaiting.drain(..).partition(|one| one.at < at);
    case.call_box.awaiting = later;
    if !case.policy.notify.on {
        return;
    }
    let from = case.call_box.called;
    for one in rang.into_iter().filter(|one| case.call_box.privacy.lets_know(one.caller)).collect::<Vec<_>>() {
        let saying = Saying::Reachable { rang_at: one.at };
        case.effect(Effect::Word(Word { to: one.caller, from, at, saying }));
    }
}

/// The caller's side: somebody whom they rang in vain can be reached again.
pub(super) fn heard_of(case: &mut Case<'_>, of: Reachable) -> Verdict {
    if let Some(why) = unwanted(case, of) {
        return Verdict::Nothing(why);
    }
    if case.abnormal() {
        keep(case, of);
        case.defer(Deferred::Reachable);
        return Verdict::Nothing(NothingWhy::Deferred);
    }
    if let Some(why) = forbidden(case) {
        return Verdict::Nothing(why);
    }
    if let Some(until) = quiet::until(case) {
        keep(case, of);
        case.look_again(until);
        return Verdict::Held(HeldWhy::Paused);
    }
    tell(case, of);
    Verdict::Send(Kind::Notify)
}

/// Tells what waited for the database, or for the end of the caller's quiet; what became of the last one.
pub(super) fn what_waited(case: &mut Case<'_>) -> Option<Verdict> {
    if case.abnormal() || case.call_box.reachable.is_empty() || quiet::until(case).is_some() {
        return None;
    }
    let waited = std::mem::take(&mut case.call_box.reachable);
    waited.into_iter().map(|of| heard_of(case, of)).last()
}

/// Why the caller isn't told, as far as their box says it.
fn unwanted(case: &Case<'_>, of: Reachable) -> Option<NothingWhy> {
    let notify = &case.policy.notify;
    if !notify.on || !case.call_box.privacy.notify.unwrap_or(notify.usual) {
        return Some(NothingWhy::NotNotified);
    }
    let of_the_same = |told: &&Reachable| told.person == of.person && told.rang_at >= of.rang_at;
    if case.call_box.told_of.iter().any(|told| of_the_same(&told)) {
        return Some(NothingWhy::NoChange);
    }
    (case.now.since(of.rang_at) > notify.within).then_some(NothingWhy::NotifyTooLate)
}

/// Why the caller isn't told, as far as the database is needed to say it.
fn forbidden(case: &Case<'_>) -> Option<NothingWhy> {
    if case.view.listed.do_not_contact {
        return Some(NothingWhy::DoNotContact);
    }
    match case.subscriber() {
        Some(subscriber) if subscriber.status == SubscriberStatus::Suspended => return Some(NothingWhy::Suspended),
        // Who refused our messages and asked for none of these wants none of these.
        None if case.call_box.refused_at.is_some() && case.call_box.privacy.notify != Some(true) => {
            return Some(NothingWhy::Refused);
        }
        Some(_) | None => {}
    }
    let today = today(case);
    let full = case.call_box.notified.is_some_and(|(day, count)| day == today && count >= case.policy.notify.daily_cap);
    full.then_some(NothingWhy::NotifyCap)
}

/// Each person once, with the last call.
fn keep(case: &mut Case<'_>, of: Reachable) {
    let reachable = &mut case.call_box.reachable;
    let later = reachable.iter().any(|known| known.person == of.person && known.rang_at > of.rang_at);
    if later {
        return;
    }
    reachable.retain(|known| known.person != of.person);
    reachable.push(of);
    reachable.drain(..reachable.len().saturating_sub(MAX_AWAITING));
}

fn tell(case: &mut Case<'_>, of: Reachable) {
    let (texts, keywords) = (&case.policy.texts, &case.policy.keywords);
    let (number, time) = (case.shown(of.person), texts.time(case.reader(), of.at));
    let values = [("number", number.as_str()), ("time", time.as_str())];
    let text = texts.say(case.reader(), Say::Reachable, keywords, &values);
    case.queue(NewAlert { kind: Kind::Notify, text, told: Vec::new(), more: 0 });
    let today = today(case);
    case.call_box.notified = match case.call_box.notified {
        Some((day, count)) if day == today => Some((day, count.saturating_add(1))),
        Some(_) | None => Some((today, 1)),
    };
    let told_of = &mut case.call_box.told_of;
    told_of.retain(|known| known.person != of.person);
    told_of.push(of);
    told_of.drain(..told_of.len().saturating_sub(MAX_AWAITING));
}
