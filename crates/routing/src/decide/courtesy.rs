//! Consent and courtesy: who may be teased at all, and when it is better to wait.

use std::time::Duration;

use model::Kind;

use super::case::Case;
use crate::{Alert, AlertState, NothingWhy, Offer, Range, local};

/// A teaser that has less time than that before the quiet hours is not begun: it would not arrive in time.
const LEAST_WORTH: Duration = Duration::from_secs(60);

/// Why a person is never teased, whatever the time: what they said, and what lists say of them. Nothing is known of lists while the database is abnormal,
/// and then no teaser leaves.
pub(super) fn barred(case: &Case<'_>) -> Option<NothingWhy> {
    let listed = case.view.listed;
    if case.call_box.refused_at.is_some() {
        return Some(NothingWhy::Refused);
    }
    if case.abnormal() {
        return None;
    }
    if listed.do_not_contact {
        return Some(NothingWhy::DoNotContact);
    }
    let consents = case.range().is_none_or(|range| range.terms.consent.met_by(listed));
    (!consents).then_some(NothingWhy::NoConsent)
}

/// Takes the teaser of a person who may not be teased any more out of the queue, and its offer with it, unless an attempt that was not answered may have
/// brought it to them.
pub(super) fn keep_away(case: &mut Case<'_>) {
    if barred(case).is_none() {
        return;
    }
    let made_at = unsent(case).map(|alert| alert.created_at);
    case.withdraw(&[Kind::Teaser]);
    case.call_box.offer.take_if(|offer| Some(offer.teased_at) == made_at && offer.fetched.is_none());
}

/// The teaser that is queued and certainly did not arrive.
fn unsent<'b>(case: &'b mut Case<'_>) -> Option<&'b mut Alert> {
    let queued = |alert: &&mut Alert| {
        alert.kind == Kind::Teaser && alert.doubts == 0 && matches!(alert.state, AlertState::Queued { .. })
    };
    case.open_alert().filter(queued)
}

/// How long a teaser of now is worth sending: it is nowhere any more when the quiet hours begin, neither here nor at the SMSC. `None` within them, and
/// so shortly before that it would not arrive.
pub(super) fn worth(case: &Case<'_>, range: &Range) -> Option<Duration> {
    let usual = case.policy.limits.validity.teaser;
    let Some(quiet) = range.terms.quiet else { return Some(usual) };
    let left = local::until(quiet, case.now, case.time_zone())?;
    (left >= LEAST_WORTH).then(|| left.min(usual))
}

/// Whether the last teaser keeps the next one away: for long, unless the person did something about it.
pub(super) fn silent(case: &Case<'_>) -> bool {
    let usual = case.policy.limits.teaser_interval;
    case.call_box.offer.as_ref().is_some_and(|offer| case.now < offer.silence_ends(usual))
}

/// The person answered by a keyword of ours: the next call may be told by a teaser again. Nobody answers a teaser that has not left.
pub(super) fn acted(case: &mut Case<'_>) {
    let now = case.now;
    if unsent(case).is_some() {
        return;
    }
    if let Some(offer) = &mut case.call_box.offer {
        offer.silent_until = Some(offer.silent_until.map_or(now, |until| until.min(now)));
    }
}

/// The network gave a teaser up: it keeps the next one away as long as its offer lasts, so that who can't be reached isn't tried at every call, and no longer.
pub(super) fn never_seen(case: &mut Case<'_>, teaser: &Alert) {
    // An answer to a text may be as old as the teaser.
    let own = |offer: &&mut Offer| teaser.kind == Kind::Teaser && offer.teased_at == teaser.created_at;
    if let Some(offer) = case.call_box.offer.as_mut().filter(own) {
        let end = offer.expires_at;
        offer.silent_until = Some(offer.silent_until.map_or(end, |until| until.min(end)));
    }
}
