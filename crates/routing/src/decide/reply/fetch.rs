//! The list of calls, on request.

use model::Kind;

use super::super::case::{Case, NewAlert};
use super::super::record;
use super::super::tell::list_text;
use super::suspended;
use crate::{Charge, Conversion, Effect, EvidenceOf, Fetched, ReplyVerdict};

/// Verification of a fetch: exactly one of its answers.
pub(in crate::decide) fn fetch(case: &mut Case<'_>) -> ReplyVerdict {
    let verdict = verify(case);
    match verdict {
        ReplyVerdict::Granted => grant(case),
        ReplyVerdict::AlreadyFetched => repeat(case),
        _ => case.notice(verdict),
    }
    verdict
}

fn verify(case: &Case<'_>) -> ReplyVerdict {
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
