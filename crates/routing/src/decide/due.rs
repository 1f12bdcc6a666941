//! The call box asked to be looked at, or the database is back.

use super::case::Case;
use super::{forget, reply, tell, update};
use crate::parts;
use crate::{Deferred, ReplyVerdict, Verdict};

pub(super) fn looked_at(case: &mut Case<'_>) -> Verdict {
    if case.call_box.due.is_some_and(|due| due <= case.now) {
        case.call_box.due = None;
    }
    update::look(case);
    let answers = !case.abnormal() && !case.call_box.deferred.is_empty();
    // One answer a look: what else is due is looked at next.
    if !answers && let Some(text) = parts::take_due(&mut case.call_box.messages, case.now) {
        case.look_again(case.now);
        return Verdict::Reply(reply::answer(case, &text));
    }
    case.look_at_messages();
    let answered = if answers { answer_deferred(case) } else { None };
    let told = tell::what_waited(case);
    forget::stale(case);
    answered.map_or(told, Verdict::Reply)
}

/// Answers what was asked while the database was abnormal, in the order it was asked.
fn answer_deferred(case: &mut Case<'_>) -> Option<ReplyVerdict> {
    let mut answered = None;
    for what in std::mem::take(&mut case.call_box.deferred) {
        answered = match what {
            Deferred::Fetch => {
                honour_offer(case);
                Some(reply::fetch(case))
            }
            Deferred::Subscribe => Some(reply::subscribe(case)),
            Deferred::Calls | Deferred::Alerts | Deferred::Asked | Deferred::Reachable => answered,
        };
    }
    answered
}

/// An offer that ended while the request waited for us is honoured, if its calls are still there: the oldest is one that the teaser told of.
fn honour_offer(case: &mut Case<'_>) {
    let until = case.now + case.policy.limits.min_interval;
    let oldest = case.call_box.untold.first().map(|tally| tally.last_at);
    if let Some(offer) = &mut case.call_box.offer
        && oldest.is_some_and(|oldest| oldest <= offer.teased_at)
    {
        offer.expires_at = offer.expires_at.max(until);
    }
}
