//! What became of what was sent: the SMSC's answer, and receipts.

use model::{AlertId, Kind, Receipt, ReceiptState, SubmitOutcome};

use super::case::Case;
use super::{courtesy, notify, record, tell, update};
use crate::{Alert, AlertState, CallBox, Calls, FailedWhy, NothingWhy, Offer, Resent, Verdict};

pub(super) fn submitted(case: &mut Case<'_>, id: AlertId, attempt: u32, outcome: &SubmitOutcome) -> Verdict {
    let (policy, now, barred) = (case.policy, case.now, courtesy::barred(case).is_some());
    let Some(alert) = case.alert.as_mut().filter(|alert| alert.id == id) else {
        return Verdict::Nothing(NothingWhy::Unmatched);
    };
    let before = alert.state.clone();
    if alert.submitted(attempt, outcome, policy.in_doubt, &policy.limits, now).is_err() {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    if alert.kind == Kind::Teaser && (case.view.subscriber.is_some() || barred || !promises(alert, &case.call_box)) {
        alert.withdraw(now);
    }
    let alert = alert.clone();
    if matches!(outcome, SubmitOutcome::Accepted { .. }) {
        record::teased(case, &alert);
    }
    after(case, &alert, &before);
    Verdict::Alert
}

/// Whether this teaser's offer is still to be taken: not refused, not fetched, not replaced.
fn promises(teaser: &Alert, call_box: &CallBox) -> bool {
    let own = |offer: &Offer| offer.teased_at == teaser.created_at && offer.fetched.is_none();
    call_box.refused_at.is_none() && call_box.offer.as_ref().is_some_and(own)
}

pub(super) fn receipt(case: &mut Case<'_>, receipt: &Receipt) -> Verdict {
    let (policy, now) = (case.policy, case.now);
    if case.alert.is_none() {
        return Verdict::Nothing(NothingWhy::Unmatched);
    }
    let changed = update::changed(case, |alert| alert.receipt(receipt, policy.in_doubt, now));
    if changed && receipt.state != ReceiptState::Unknown {
        Verdict::Alert
    } else {
        Verdict::Nothing(NothingWhy::NoChange)
    }
}

pub(super) fn dropped(case: &mut Case<'_>, id: AlertId) -> Verdict {
    let (limits, now) = (&case.policy.limits, case.now);
    let Some(alert) = case.alert.as_mut().filter(|alert| alert.id == id) else {
        return Verdict::Nothing(NothingWhy::Unmatched);
    };
    let before = alert.state.clone();
    if alert.drop_late(limits, now).is_err() {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    let alert = alert.clone();
    after(case, &alert, &before);
    Verdict::Alert
}

/// What an alert's new state means for the box.
pub(super) fn after(case: &mut Case<'_>, alert: &Alert, before: &AlertState) {
    match &alert.state {
        // A late answer sends it on its way again: later calls may join it.
        AlertState::Queued { .. } if matches!(before, AlertState::InDoubt { .. }) && is_about_own_calls(alert) => {
            case.call_box.open.get_or_insert(alert.id);
        }
        // What came while it was on its way is added to it.
        AlertState::Accepted { .. } if case.call_box.open == Some(alert.id) => update::goes_on(case, alert),
        AlertState::Queued { .. } | AlertState::Sending { .. } | AlertState::Accepted { .. } => {}
        AlertState::InDoubt { .. } => closed(case, alert),
        AlertState::Delivered { .. } => {
            notify::reached(case, alert.kind);
            arrived(case, alert);
            closed(case, alert);
        }
        AlertState::Superseded { .. } => closed_quietly(case, alert),
        AlertState::Undelivered { .. } | AlertState::Expired { .. } => {
            untell_all(case, alert);
            courtesy::never_seen(case, alert);
            closed_quietly(case, alert);
        }
        AlertState::Failed { why, .. } => {
            if !matches!(before, AlertState::Failed { .. }) {
                failed(case, alert, *why);
            }
        }
    }
}

/// Whether it tells the person of their own calls: calls of theirs must not take the place of what a copy, or a list that is told again, says.
const fn is_about_own_calls(alert: &Alert) -> bool {
    match alert.kind {
        Kind::Teaser => true,
        Kind::Detail | Kind::Fallback => !alert.told.is_empty() || alert.more > 0,
        Kind::Notice | Kind::Notify => false,
    }
}

/// An alert that can no longer be joined or waited for; what waited behind it goes on.
fn closed(case: &mut Case<'_>, alert: &Alert) {
    if case.call_box.open == Some(alert.id) {
        case.call_box.open = None;
        tell::what_waited(case);
    }
}

/// The person can't be reached: what waited stays until the next call, or until it is due.
fn closed_quietly(case: &mut Case<'_>, alert: &Alert) {
    if case.call_box.open == Some(alert.id) {
        case.call_box.open = None;
    }
}

/// The calls of an alert that certainly did not arrive are untold again. Not those that a fetch granted: the offer still holds them, to be fetched
/// again; and not those of a person who is no longer registered.
///
/// Calls that other messages tell too, since one of them was sent again, only once each of those is lost.
fn untell_all(case: &mut Case<'_>, alert: &Alert) {
    let untold = lose(case, alert, alert.calls());
    untell(case, alert, &untold);
}

/// A message is lost, or was taken back: those of its calls that no other message tells.
pub(super) fn lose(case: &mut Case<'_>, alert: &Alert, calls: Calls) -> Calls {
    match same_calls(case, alert) {
        Some(resent) => resent.lose(alert, &calls),
        None => calls,
    }
}

fn arrived(case: &mut Case<'_>, alert: &Alert) {
    if let Some(resent) = same_calls(case, alert) {
        resent.arrived = true;
    }
}

/// The messages that tell the same calls, where it was sent again, or is what was.
fn same_calls<'c>(case: &'c mut Case<'_>, alert: &Alert) -> Option<&'c mut Resent> {
    case.call_box.resent.iter_mut().find(|resent| resent.alerts.contains(&alert.id))
}

/// The same of calls that an update of it was to add, or of all of an alert that was taken back.
pub(super) fn untell(case: &mut Case<'_>, alert: &Alert, calls: &Calls) {
    let fetched = case.call_box.offer.as_ref().and_then(|offer| offer.fetched.as_ref());
    let in_the_offer = fetched.is_some_and(|fetched| fetched.at == alert.created_at);
    if case.view.subscriber.is_some() || (case.abnormal() && !in_the_offer) {
        case.call_box.take_back(&calls.told, calls.more);
    }
}

pub(super) fn failed(case: &mut Case<'_>, alert: &Alert, why: FailedWhy) {
    match alert.kind {
        Kind::Detail | Kind::Fallback => untell_all(case, alert),
        Kind::Teaser => {
            // Nobody can take an offer that never arrived. One that receipts call undelivered stays to its end: it keeps the next teaser away.
            let never_arrived = alert.doubts == 0
                && match why {
                    FailedWhy::Refused(_) | FailedWhy::TooLate | FailedWhy::Withdrawn => true,
                };
            let own = |offer: &mut Offer| offer.teased_at == alert.created_at && offer.fetched.is_none();
            if never_arrived {
                case.call_box.offer.take_if(own);
            }
        }
        Kind::Notice | Kind::Notify => {}
    }
    closed_quietly(case, alert);
}
