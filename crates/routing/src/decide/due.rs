//! The call box asked to be looked at, or the database is back.

use super::case::Case;
use super::{forget, notify, reply, tell, update, word};
use crate::parts;
use crate::{Deferred, ReplyVerdict, Verdict};

pub(super) fn looked_at(case: &mut Case<'_>) -> Verdict {
    if case.call_box.due.is_some_and(|due| due <= case.now) {
        case.call_box.due = None;
    }
    update::look(case);
    let answers = !case.abnormal() && !case.call_box.deferred.is_empty();
    // One answer a look: what else is due is looked at next.
    if !answers && let Some((text, to)) = parts::take_due(&mut case.call_box.messages, case.now) {
        case.look_again(case.now);
        case.texted = to;
        return Verdict::Reply(reply::answer(case, &text));
    }
    case.look_at_messages();
    let answered = if answers { answer_deferred(case) } else { None };
    let told = tell::what_waited(case);
    let notified = notify::what_waited(case);
    forget::stale(case);
    match (answered, told, notified) {
        (Some(answered), _, _) => Verdict::Reply(answered),
        (None, Verdict::Nothing(_), Some(notified)) => notified,
        (None, told, _) => told,
    }
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
            Deferred::Asked if case.call_box.asked.is_empty() => answered,
            Deferred::Asked => {
                let text = case.call_box.asked.remove(0);
                Some(reply::asked(case, &text))
            }
            Deferred::Reached => {
                notify::say_so_now(case);
                answered
            }
            Deferred::Heard => {
                word::what_was_heard(case);
                answered
            }
            // What waited is told at every look.
            Deferred::Calls | Deferred::Alerts | Deferred::Reachable => answered,
        };
    }
    // A request that nothing names any longer is answered all the same.
    for text in std::mem::take(&mut case.call_box.asked) {
        answered = Some(reply::asked(case, &text));
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
