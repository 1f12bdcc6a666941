//! A person texted us.

use model::{Kind, Reply};

use super::case::{Case, NewAlert};
use super::tell::list_text;
use super::{courtesy, record};
use crate::parts::{self, Collected};
use crate::{
    Action, Charge, Conversion, Deferred, Effect, EvidenceOf, Fetched, NothingWhy, RateWindow, ReplyVerdict,
    Subscriber, SubscriberStatus, Verdict,
};

pub(super) fn replied(case: &mut Case<'_>, reply: &Reply) -> Verdict {
    if !case.policy.service.is_ours(&reply.to) {
        return Verdict::Reply(ReplyVerdict::NotOurNumber);
    }
    let Some(part) = reply.part else { return Verdict::Reply(answer(case, &reply.text)) };
    let collected = parts::collect(&mut case.call_box.messages, part, &reply.text, case.now);
    case.look_at_messages();
    match collected {
        Collected::Whole(text) => Verdict::Reply(answer(case, &text)),
        Collected::Alone => Verdict::Reply(answer(case, &reply.text)),
        Collected::Waiting => Verdict::Reply(ReplyVerdict::Waiting),
        Collected::Repeated => Verdict::Nothing(NothingWhy::NoChange),
    }
}

/// Decides the text of a whole message, or what came of it in time.
pub(super) fn answer(case: &mut Case<'_>, text: &str) -> ReplyVerdict {
    let action = case.policy.keywords.action(text);
    case.said = Some(text.to_owned());
    if action.is_some() {
        courtesy::acted(case);
    }
    let over = over_the_limit(case);
    match action {
        // A refusal always counts, whatever the rate and whatever the database.
        Some(Action::Refuse) => refuse(case, over.is_some()),
        Some(Action::Unsubscribe) => unsubscribe(case, over.is_some()),
        _ if over.is_some() => {
            if over == Some(Over::Just) {
                case.notice(ReplyVerdict::RateLimited);
            }
            ReplyVerdict::RateLimited
        }
        Some(Action::Fetch) => fetch(case),
        Some(Action::Subscribe) => subscribe(case),
        Some(Action::Help) => {
            case.notice(ReplyVerdict::Help);
            ReplyVerdict::Help
        }
        Some(
            Action::Confirm
            | Action::Pause
            | Action::Resume
            | Action::NotifyOn
            | Action::NotifyOff
            | Action::Hide
            | Action::Show
            | Action::Language
            | Action::Copy,
        )
        | None => {
            // Only people who have to do with us are answered: two robots would never stop.
            if case.view.subscriber.is_some() || case.call_box.offer.is_some() {
                case.notice(ReplyVerdict::WrongKeyword);
            }
            ReplyVerdict::WrongKeyword
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The first reply over the limit: told once.
    Just,
    /// A further one: not answered.
    Well,
}

/// Counts a reply against the rate limit.
fn over_the_limit(case: &mut Case<'_>) -> Option<Over> {
    let limits = &case.policy.limits;
    let window = case.call_box.replies.filter(|window| case.now.since(window.since) < limits.reply_window);
    let window = window.unwrap_or(RateWindow { since: case.now, count: 0 });
    let count = window.count.saturating_add(1);
    case.call_box.replies = Some(RateWindow { count, ..window });
    match count.saturating_sub(limits.reply_limit) {
        0 => None,
        1 => Some(Over::Just),
        _ => Some(Over::Well),
    }
}

/// Verification of a fetch: exactly one of its answers.
pub(super) fn fetch(case: &mut Case<'_>) -> ReplyVerdict {
    let verdict = verify(case);
    match verdict {
        ReplyVerdict::Granted => grant(case),
        ReplyVerdict::AlreadyFetched => repeat(case),
        _ => {
            if verdict == ReplyVerdict::Deferred {
                case.defer(Deferred::Fetch);
            }
            case.notice(verdict);
        }
    }
    verdict
}

fn verify(case: &Case<'_>) -> ReplyVerdict {
    if case.abnormal() {
        return ReplyVerdict::Deferred;
    }
    let waiting = case.call_box.waiting();
    if suspended(case) {
        return ReplyVerdict::Suspended;
    }
    if case.active().is_some() || case.registered {
        return if waiting { ReplyVerdict::Granted } else { ReplyVerdict::NoOffer };
    }
    if case.call_box.refused_at.is_some() {
        return ReplyVerdict::RefusedEarlier;
    }
    match &case.call_box.offer {
        None => ReplyVerdict::NoOffer,
        Some(offer) if case.now >= offer.expires_at => ReplyVerdict::OfferExpired,
        Some(offer) if offer.fetched.is_some() => ReplyVerdict::AlreadyFetched,
        // Its calls were told another way.
        Some(_) if !waiting => ReplyVerdict::NoOffer,
        Some(_) => ReplyVerdict::Granted,
    }
}

fn suspended(case: &Case<'_>) -> bool {
    case.view.subscriber.as_ref().is_some_and(|subscriber| subscriber.status == SubscriberStatus::Suspended)
}

/// Sends the list to the person who asked, which is the person who missed the calls: there is no other address in reach here.
fn grant(case: &mut Case<'_>) {
    case.withdraw(&[Kind::Teaser]);
    let (told, more) = case.call_box.take_untold();
    let text = list_text(case, Kind::Detail, &told, more);
    let alert = case.queue(NewAlert { kind: Kind::Detail, text, told: told.clone(), more });
    // An alert whose update is on its way is waited for before this one: its outcome says whether calls are untold again.
    if !case.open_alert().is_some_and(|open| open.is_updating()) {
        case.call_box.open = Some(alert);
    }
    if case.active().is_some() || case.registered {
        return;
    }
    let (called, at) = (case.call_box.called, case.now);
    if let Some(offer) = &mut case.call_box.offer {
        offer.fetched = Some(Fetched { at, list: told, more });
        let charge = Charge { called, at, alert, teased_at: offer.teased_at, range: offer.range.clone() };
        case.effect(Effect::Charge(charge));
        record::evidence(case, EvidenceOf::Fetched);
        record::converted(case, Conversion::Fetched);
    }
}

/// The same list again, without a second charge.
fn repeat(case: &mut Case<'_>) {
    let fetched = case.call_box.offer.as_ref().and_then(|offer| offer.fetched.as_ref());
    let (list, more) = fetched.map(|fetched| (fetched.list.clone(), fetched.more)).unwrap_or_default();
    let text = list_text(case, Kind::Detail, &list, more);
    // What was told already is not told anew when this repeat fails: it carries no calls of its own.
    case.queue(NewAlert { kind: Kind::Detail, text, told: Vec::new(), more: 0 });
}

fn refuse(case: &mut Case<'_>, over: bool) -> ReplyVerdict {
    case.withdraw(&[Kind::Teaser]);
    let first = case.call_box.refused_at.is_none();
    case.call_box.refused_at.get_or_insert(case.now);
    case.call_box.offer = None;
    // The last word counts: nobody is registered after a refusal.
    case.call_box.deferred.retain(|deferred| !matches!(deferred, Deferred::Fetch | Deferred::Subscribe));
    if case.view.subscriber.is_none() && !case.in_the_dark() {
        case.call_box.clear_untold();
    }
    if first && !over {
        case.notice(ReplyVerdict::Refused);
    }
    if first {
        record::evidence(case, EvidenceOf::Refused);
    }
    ReplyVerdict::Refused
}

/// A subscription, by the person's own request: it also lifts an earlier refusal of teasers, which no longer concern them. The calls of an open offer
/// are told as a subscriber's, a little later.
pub(super) fn subscribe(case: &mut Case<'_>) -> ReplyVerdict {
    if case.abnormal() {
        let first = !case.call_box.deferred.contains(&Deferred::Subscribe);
        case.defer(Deferred::Subscribe);
        case.notice(ReplyVerdict::Deferred);
        // Their words: what is decided after recovery has none.
        if first {
            record::evidence(case, EvidenceOf::SubscriptionAsked);
        }
        return ReplyVerdict::Deferred;
    }
    if suspended(case) {
        case.notice(ReplyVerdict::Suspended);
        return ReplyVerdict::Suspended;
    }
    let called = case.call_box.called;
    if case.view.subscriber.is_none() {
        case.withdraw(&[Kind::Teaser]);
        case.effect(Effect::Subscribe(Subscriber::new(called, case.now)));
        record::converted(case, Conversion::Subscribed);
        case.call_box.refused_at = None;
        case.call_box.offer = None;
        case.registered = true;
        if case.call_box.waiting() {
            case.look_again(case.now + case.policy.limits.min_interval);
        }
    }
    case.notice(ReplyVerdict::Subscribed);
    if case.view.subscriber.is_none() {
        record::evidence(case, EvidenceOf::Subscribed);
    }
    ReplyVerdict::Subscribed
}

fn unsubscribe(case: &mut Case<'_>, over: bool) -> ReplyVerdict {
    case.call_box.deferred.retain(|deferred| *deferred != Deferred::Subscribe);
    // While the database can't be asked, the registration may be unknown here and must end all the same.
    if case.view.subscriber.is_some() || case.abnormal() {
        case.effect(Effect::Unsubscribe(case.call_box.called));
    }
    if case.view.subscriber.is_some() || case.in_the_dark() {
        case.withdraw(&[Kind::Detail, Kind::Fallback]);
        case.call_box.clear_untold();
        case.call_box.deferred.retain(|deferred| !matches!(deferred, Deferred::Calls | Deferred::Alerts));
    }
    if !over {
        case.notice(ReplyVerdict::Unsubscribed);
    }
    // Where nobody can say whether they are registered, a robot's many requests are many nothings.
    if case.view.subscriber.is_some() || (case.abnormal() && !over) {
        record::evidence(case, EvidenceOf::Unsubscribed);
    }
    ReplyVerdict::Unsubscribed
}
