//! Copies to another number, on request.

use super::super::case::Case;
use super::super::{copies, record};
use super::{answered, of_a_subscriber};
use crate::text::Say;
use crate::{Action, EvidenceOf, ReplyVerdict, Subscriber};

pub(super) fn copy(case: &mut Case<'_>, argument: &str) -> ReplyVerdict {
    if ends(case, argument) {
        return end(case);
    }
    let subscriber = match of_a_subscriber(case) {
        Ok(subscriber) => subscriber,
        Err(verdict) => return verdict,
    };
    let other = case.number(argument).filter(|other| *other != case.call_box.called);
    let Some(other) = other else { return answered(case, ReplyVerdict::BadArgument) };
    let number = case.shown(other);
    if subscriber.copy_to == Some(other) {
        let text = case.say(Say::CopyBegins, &[("number", &number)]);
        case.queue_notice(text);
        return ReplyVerdict::CopyAgreed;
    }
    copies::offer(case, other);
    case.notice_with(ReplyVerdict::CopyAsked, &[("number", &number)]);
    ReplyVerdict::CopyAsked
}

/// `OFF`, or the operator's own words for an end.
fn ends(case: &Case<'_>, argument: &str) -> bool {
    let own = case.policy.keywords.action(argument);
    argument == "OFF" || matches!(own, Some(Action::Unsubscribe | Action::Refuse))
}

/// Ends copies from here; who sends none ends those that come here.
fn end(case: &mut Case<'_>) -> ReplyVerdict {
    let subscriber = case.subscriber().cloned();
    let sends = subscriber.as_ref().is_some_and(|subscriber| subscriber.copy_to.is_some());
    if sends || case.call_box.copies.asked.is_some() {
        copies::end_from_here(case);
        if let Some(subscriber) = subscriber.filter(|_| sends) {
            case.register(Subscriber { copy_to: None, ..subscriber });
        }
    } else {
        copies::end_to_here(case);
    }
    case.notice(ReplyVerdict::CopyEnded);
    record::evidence(case, EvidenceOf::CopyEnded);
    ReplyVerdict::CopyEnded
}
