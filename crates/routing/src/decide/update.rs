//! An alert that the SMSC has is brought up to date with later calls.

use model::{AlertId, Kind, NoAnswer, UpdateOutcome};

use super::call::teaser_text;
use super::case::Case;
use super::{sent, tell};
use crate::{Alert, AlertState, Calls, HeldWhy, NothingWhy, Refusal, Update, Verdict, Wish};

/// Adds all untold calls to the open alert by an update, if the SMSC has it and that can be; behind an update that is on its way they wait for its end.
pub(super) fn add(case: &mut Case<'_>, kind: Kind) -> Option<Verdict> {
    let (policy, now) = (case.policy, case.now);
    let alert = case.open_alert()?;
    if is_closed_to_calls(alert) {
        return Some(wait(case));
    }
    if !alert.may_be_updated(now) {
        return None;
    }
    let told = alert.calls();
    let wanted = alert.update().map(Update::adds).unwrap_or_default();
    let before = case.call_box.clone();
    case.call_box.take_back(&wanted.told, wanted.more);
    let (list, more) = case.call_box.take_untold();
    let added = Calls { told: list, more };
    let all = told.and(&added, case.call_box.called);
    let text = tell::list_text(case, kind, &all.told, all.more);
    let source = policy.service.source(kind, &all.told, all.more);
    let wish = Wish { kind, source, added, text };
    if !case.open_alert().is_some_and(|alert| alert.want_update(wish, &policy.updates, now)) {
        case.call_box = before;
        return None;
    }
    Some(wait(case))
}

/// Tells in a teaser that the SMSC has how many calls there are by now; nobody is told anything else by it. The calls stay with the offer.
pub(super) fn teaser(case: &mut Case<'_>) -> Option<Verdict> {
    let (policy, now) = (case.policy, case.now);
    let offer = case.call_box.offer.clone()?;
    let alert = case.open_alert().filter(|alert| alert.kind == Kind::Teaser)?;
    if offer.teased_at != alert.created_at || offer.fetched.is_some() || now >= offer.expires_at {
        return None;
    }
    if is_closed_to_calls(alert) {
        return Some(wait(case));
    }
    let source = alert.source.clone();
    let wish = Wish { kind: Kind::Teaser, source, added: Calls::default(), text: teaser_text(case) };
    let wanted = case.open_alert().is_some_and(|alert| alert.want_update(wish, &policy.updates, now));
    wanted.then(|| wait(case))
}

/// Whether an update is on its way, or was and is tried again: what comes now is for the next.
fn is_closed_to_calls(alert: &Alert) -> bool {
    alert.is_updating() && (alert.is_asking() || alert.update().is_some_and(|update| update.doubts.count() > 0))
}

/// Looks again when the update of the open alert should have an outcome.
fn wait(case: &mut Case<'_>) -> Verdict {
    let (limits, now) = (&case.policy.limits, case.now);
    if let Some(at) = case.open_alert().and_then(|alert| alert.update_look_at(limits, now)) {
        case.look_again(at);
    }
    Verdict::Held(HeldWhy::Updating)
}

pub(super) fn updated(case: &mut Case<'_>, id: AlertId, attempt: u32, outcome: &UpdateOutcome) -> Verdict {
    let (policy, now) = (case.policy, case.now);
    if case.alert.as_ref().is_none_or(|alert| alert.id != id) {
        return Verdict::Nothing(NothingWhy::Unmatched);
    }
    let change = |alert: &mut Alert| alert.updated(attempt, outcome, policy, now);
    if changed(case, change) { Verdict::Alert } else { Verdict::Nothing(NothingWhy::NoChange) }
}

/// Looks after the update of the open alert: one that nobody answers for is in doubt, one that could not be asked in time is given up.
pub(super) fn look(case: &mut Case<'_>) {
    let (policy, now) = (case.policy, case.now);
    let Some(alert) = case.open_alert() else { return };
    let Some(at) = alert.update_look_at(&policy.limits, now) else { return };
    if at > now {
        case.look_again(at);
        return;
    }
    let unanswered = UpdateOutcome::InDoubt(NoAnswer::Timeout);
    changed(case, |alert| match alert.asking() {
        Some(attempt) => alert.updated(attempt, &unanswered, policy, now),
        None => alert.drop_late_update(policy, now),
    });
}

/// Changes the alert of the view and does what its new state means for the box; whether it was changed.
pub(super) fn changed(case: &mut Case<'_>, change: impl FnOnce(&mut Alert) -> Result<Calls, Refusal>) -> bool {
    let Some(alert) = case.alert.as_mut() else { return false };
    let before = alert.state.clone();
    let Ok(mut untold) = change(alert) else { return false };
    let alert = alert.clone();
    if matches!(alert.state, AlertState::Superseded { .. }) {
        untold = sent::lose(case, &alert, untold);
    }
    sent::untell(case, &alert, &untold);
    match (&alert.state, &before) {
        (AlertState::Superseded { .. }, _) => superseded(case, &alert),
        (AlertState::Accepted { update, .. }, AlertState::Accepted { update: earlier, .. }) => {
            if update != earlier {
                goes_on(case, &alert);
            }
        }
        _ => sent::after(case, &alert, &before),
    }
    true
}

/// It was taken back from the SMSC: a new alert takes its place at once. It is no further alert, so neither the interval nor the day's number
/// concerns it.
fn superseded(case: &mut Case<'_>, alert: &Alert) {
    if case.call_box.open != Some(alert.id) {
        tell::what_waited(case);
        return;
    }
    case.call_box.open = None;
    if alert.kind != Kind::Teaser {
        tell::instead(case);
    }
}

/// The SMSC still has it: what waits may be added now, or is looked at again.
pub(super) fn goes_on(case: &mut Case<'_>, alert: &Alert) {
    if case.call_box.open != Some(alert.id) {
        // Its calls that are untold again wait behind another alert, or for none.
        tell::what_waited(case);
        return;
    }
    if alert.is_updating() {
        wait(case);
    } else if alert.kind == Kind::Teaser {
        // Calls that came since it was written make an update, or the next one.
        let is_told_more = case.call_box.waiting() && alert.text != teaser_text(case);
        if is_told_more && case.view.subscriber.is_none() && !case.abnormal() {
            teaser(case);
        }
    } else if case.call_box.waiting() {
        tell::what_waited(case);
    }
}
