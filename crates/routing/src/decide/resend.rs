//! An operator sends an earlier message again.

use std::time::Duration;

use model::Kind;

use super::case::Case;
use super::tell;
use crate::{MAX_RESENT, NothingWhy, Resend, Resent, SubscriberStatus, Verdict};

/// The same message is sent again at most once in this time: a form that is sent twice is one wish.
const APART: Duration = Duration::from_secs(60);

/// Sends the message as it was. It tells no calls anew, so nothing that waits, or counts as told, changes by it; it counts in the day's number.
///
/// A pause and the quiet hours don't hold it: who asks for a message again wants it now.
pub(super) fn again(case: &mut Case<'_>, wanted: &Resend) -> Verdict {
    if wanted.called != case.call_box.called {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    if let Some(why) = forbidden(case, wanted) {
        return Verdict::Nothing(why);
    }
    let now = case.now;
    case.call_box.resent.retain(|one| now.since(one.at) < APART);
    if case.call_box.resent.iter().any(|one| one.of == wanted.of) {
        return Verdict::Nothing(NothingWhy::Duplicate);
    }
    if tell::day_is_full(case) {
        return Verdict::Nothing(NothingWhy::DailyCap);
    }
    if case.call_box.resent.len() >= MAX_RESENT {
        case.call_box.resent.remove(0);
    }
    case.call_box.resent.push(Resent { of: wanted.of, at: now });
    case.queue_again(wanted);
    tell::count_today(case);
    Verdict::Send(wanted.kind)
}

/// Why it may not be sent to this person now, whatever the time: the number may be another person's by now, who must read nobody else's calls.
fn forbidden(case: &Case<'_>, wanted: &Resend) -> Option<NothingWhy> {
    // An offer, and news of others, are of their moment.
    if matches!(wanted.kind, Kind::Teaser | Kind::Notify) {
        return Some(NothingWhy::NoChange);
    }
    if case.now.since(wanted.at) > case.policy.limits.max_age {
        return Some(NothingWhy::TooOld);
    }
    match &case.view.subscriber {
        Some(subscriber) if subscriber.status == SubscriberStatus::Suspended => return Some(NothingWhy::Suspended),
        Some(subscriber) if subscriber.since <= wanted.made_at => return None,
        // Who registered since may be another person.
        Some(_) | None => {}
    }
    if case.abnormal() {
        let known = case.view.registry_loaded;
        return Some(if known { NothingWhy::AbnormalNotRegistered } else { NothingWhy::AbnormalNoRegistry });
    }
    // What answers the person's own words is theirs, whatever they said of teasers.
    let answers = match wanted.kind {
        Kind::Notice => case.now.since(wanted.made_at) <= case.policy.limits.max_age,
        Kind::Detail => {
            let fetched = case.call_box.offer.as_ref().and_then(|offer| offer.fetched.as_ref());
            fetched.is_some_and(|fetched| fetched.at <= wanted.made_at)
        }
        Kind::Fallback | Kind::Teaser | Kind::Notify => false,
    };
    if answers {
        return None;
    }
    if case.call_box.refused_at.is_some() {
        return Some(NothingWhy::Refused);
    }
    Some(if case.view.listed.do_not_contact { NothingWhy::DoNotContact } else { NothingWhy::NotSubscribed })
}
