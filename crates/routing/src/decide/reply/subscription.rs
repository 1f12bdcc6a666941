//! Being registered, no longer being registered, and never being teased again.

use model::Kind;

use super::super::case::Case;
use super::super::{copies, record};
use super::{answered, forget_asked, has_to_do_with_us, suspended};
use crate::{Action, Conversion, Deferred, Effect, EvidenceOf, Pending, Question, ReplyVerdict, Saying, Subscriber};

/// A subscription, by the person's own request; where the operator wants it confirmed, they are asked first.
pub(in crate::decide) fn subscribe(case: &mut Case<'_>) -> ReplyVerdict {
    if suspended(case) {
        return answered(case, ReplyVerdict::Suspended);
    }
    if case.subscriber().is_none() && case.policy.self_service.double_opt_in {
        let until = case.now + case.policy.self_service.confirm_within;
        case.call_box.pending = Some(Pending { question: Question::Subscribe, until });
        case.notice(ReplyVerdict::ConfirmationAsked);
        record::evidence(case, EvidenceOf::SubscriptionAsked);
        return ReplyVerdict::ConfirmationAsked;
    }
    subscribed(case)
}

/// Registers. It also lifts an earlier refusal of teasers, which no longer concern them. The calls of an open offer are told as a subscriber's, a little
/// later.
fn subscribed(case: &mut Case<'_>) -> ReplyVerdict {
    let new = case.subscriber().is_none();
    if new {
        case.withdraw(&[Kind::Teaser]);
        record::converted(case, Conversion::Subscribed);
        case.register(Subscriber::new(case.call_box.called, case.now));
        case.call_box.refused_at = None;
        case.call_box.offer = None;
        case.registered = true;
        if case.call_box.waiting() {
            case.look_again(case.now + case.policy.limits.min_interval);
        }
    }
    case.notice(ReplyVerdict::Subscribed);
    if new {
        record::evidence(case, EvidenceOf::Subscribed);
    }
    ReplyVerdict::Subscribed
}

/// Yes, to what was asked: once, and in time.
pub(super) fn confirm(case: &mut Case<'_>) -> ReplyVerdict {
    let in_time = |pending: &Pending| pending.until > case.now || case.afterwards;
    let pending = case.call_box.pending.filter(in_time);
    case.call_box.pending = None;
    match pending.map(|pending| pending.question) {
        Some(Question::Subscribe) if suspended(case) => answered(case, ReplyVerdict::Suspended),
        Some(Question::Subscribe) => subscribed(case),
        Some(Question::CopiesOf(sender)) => {
            case.call_box.copies.questioned = None;
            if !case.call_box.copies.of.contains(&sender) {
                case.call_box.copies.of.push(sender);
            }
            copies::say(case, sender, Saying::CopyAgreed);
            let number = case.shown(sender);
            case.notice_with(ReplyVerdict::CopyAgreed, &[("number", &number)]);
            record::evidence(case, EvidenceOf::CopyAgreed);
            ReplyVerdict::CopyAgreed
        }
        None => {
            if has_to_do_with_us(case) {
                case.notice(ReplyVerdict::NothingToConfirm);
            }
            ReplyVerdict::NothingToConfirm
        }
    }
}

pub(super) fn refuse(case: &mut Case<'_>, over: bool) -> ReplyVerdict {
    case.withdraw(&[Kind::Teaser]);
    let first = case.call_box.refused_at.is_none();
    case.call_box.refused_at.get_or_insert(case.now);
    case.call_box.offer = None;
    // The last word counts: nobody is registered, or gets copies, after a refusal.
    case.call_box.deferred.retain(|deferred| !matches!(deferred, Deferred::Fetch | Deferred::Subscribe));
    case.call_box.pending.take_if(|pending| pending.question == Question::Subscribe);
    copies::end_to_here(case);
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

pub(super) fn unsubscribe(case: &mut Case<'_>, over: bool) -> ReplyVerdict {
    case.call_box.deferred.retain(|deferred| *deferred != Deferred::Subscribe);
    case.call_box.pending.take_if(|pending| pending.question == Question::Subscribe);
    forget_requests(case);
    copies::end_from_here(case);
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

/// What was asked for as a subscriber, while the database was abnormal, is pointless for who no longer is one.
fn forget_requests(case: &mut Case<'_>) {
    forget_asked(case, |_, request| !matches!(request.action, Action::Show | Action::NotifyOn | Action::Confirm));
}
