//! The call box asked to be looked at, or the database is back.

use model::Timestamp;

use super::call::expire_offer;
use super::case::Case;
use super::{reply, tell};
use crate::{Deferred, Verdict};

pub(super) fn looked_at(case: &mut Case<'_>) -> Verdict {
    if case.call_box.due.is_some_and(|due| due <= case.now) {
        case.call_box.due = None;
    }
    if !case.abnormal() {
        let deferred = std::mem::take(&mut case.call_box.deferred);
        let mut verdict = None;
        for what in deferred {
            verdict = Some(match what {
                Deferred::Fetch => reply::fetch(case),
                Deferred::Subscribe => reply::subscribe(case),
            });
        }
        if let Some(verdict) = verdict {
            return Verdict::Reply(verdict);
        }
    }
    let verdict = tell::what_waited(case);
    expire_offer(case);
    if let Some(at) = offer_ends(case) {
        case.look_again(at);
    }
    verdict
}

/// When the offer can be forgotten.
fn offer_ends(case: &Case<'_>) -> Option<Timestamp> {
    let offer = case.call_box.offer.as_ref()?;
    let at = offer.expires_at.max(offer.teased_at + case.policy.limits.teaser_interval);
    (at > case.now).then_some(at)
}
