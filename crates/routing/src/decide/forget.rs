//! Forgetting the calls of people who are not registered.

use model::Timestamp;

use super::case::Case;
use crate::Offer;

/// Calls of a person who is not registered wait for a teaser to tell of them, or with an offer to be fetched; past its time both go. While nobody can
/// say whether the person is registered, or something of theirs is deferred, all of it stays.
pub(super) fn stale(case: &mut Case<'_>) {
    let registered = case.view.subscriber.is_some() || case.registered;
    if registered || case.in_the_dark() || !case.call_box.deferred.is_empty() {
        return;
    }
    let (now, keep) = (case.now, case.policy.limits.offer_validity);
    if case.call_box.refused_at.is_some() {
        case.call_box.clear_untold();
    }
    match case.call_box.offer.as_ref().map(|offer| ends(case, offer)) {
        Some(end) if end <= now => {
            case.call_box.offer = None;
            case.call_box.clear_untold();
        }
        Some(end) => case.look_again(end),
        None => {
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
    }
}

/// When an offer is of no more use: it can't be fetched, and keeps no teaser away.
fn ends(case: &Case<'_>, offer: &Offer) -> Timestamp {
    offer.expires_at.max(offer.teased_at + case.policy.limits.teaser_interval)
}
