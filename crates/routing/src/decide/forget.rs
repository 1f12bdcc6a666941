//! Forgetting the calls of people who are not registered.

use model::Timestamp;

use super::case::Case;
use super::courtesy;
use crate::Offer;

/// A teaser that the person may not get any more is taken back. Calls of a person who is not registered are kept while an offer holds them, else as long as an offer would hold them: the next teaser counts them.
/// An offer is remembered longer than it can be taken, to say that it is over. While nobody can say whether the person is registered, or something
/// of theirs is deferred, all of it stays.
pub(super) fn stale(case: &mut Case<'_>) {
    let registered = case.view.subscriber.is_some() || case.registered;
    if registered || case.in_the_dark() || !case.call_box.deferred.is_empty() {
        return;
    }
    courtesy::keep_away(case);
    if case.call_box.refused_at.is_some() {
        case.call_box.clear_untold();
    }
    forget_offer(case);
    let now = case.now;
    match &case.call_box.offer {
        Some(offer) if offer.fetched.is_none() && now < offer.expires_at => case.look_again(offer.expires_at),
        Some(_) | None => forget_calls(case),
    }
}

fn forget_offer(case: &mut Case<'_>) {
    let Some(end) = case.call_box.offer.as_ref().map(|offer| forgotten_at(case, offer)) else { return };
    if end <= case.now {
        case.call_box.offer = None;
    } else {
        case.look_again(end);
    }
}

fn forget_calls(case: &mut Case<'_>) {
    let (now, keep) = (case.now, case.policy.limits.offer_validity);
    let before = case.call_box.untold.len();
    case.call_box.untold.retain(|tally| tally.last_at + keep > now);
    // The calls known by number only are the oldest.
    if case.call_box.untold.len() < before {
        case.call_box.more = 0;
    }
    if let Some(last) = case.call_box.untold.last().map(|tally| tally.last_at) {
        case.look_again(last + keep);
    }
}

/// When an offer can no longer be taken, keeps no teaser away, and was over for as long as it lasted.
fn forgotten_at(case: &Case<'_>, offer: &Offer) -> Timestamp {
    let limits = &case.policy.limits;
    offer.expires_at.max(offer.silence_ends(limits.teaser_interval)) + limits.offer_validity
}
