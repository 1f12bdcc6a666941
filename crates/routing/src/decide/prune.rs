//! Forgetting what no longer matters of questions, notify-me, copies and what was sent again: all of it has an end.

use std::time::Duration;

use model::Kind;

use super::call::today;
use super::case::Case;
use super::resend::APART;
use crate::Resent;

/// How long texts that changed nothing are remembered: whoever is silent so long is answered again.
pub(super) const FUTILE_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long after the last of them may arrive messages that tell the same calls are remembered: receipts may be late.
const RECEIPTS_LATE: Duration = Duration::from_secs(24 * 3600);

/// Drops what is over, and asks to be looked at when the next of it will be. What a day counts, and what was said in vain, is small and goes with the
/// next decision.
pub(super) fn stale(case: &mut Case<'_>) {
    let (now, within) = (case.now, case.policy.notify.within);
    if case.call_box.notified.is_some_and(|(day, _)| day < today(case)) {
        case.call_box.notified = None;
    }
    let limits = &case.policy.limits;
    let may_arrive = limits.max_age.max(limits.validity.of(Kind::Detail)) + RECEIPTS_LATE;
    let call_box = &mut case.call_box;
    call_box.resent.retain(|one| now.since(one.at) < if one.tells() { may_arrive } else { APART });
    call_box.awaiting.retain(|one| one.at + within >= now);
    call_box.reachable.retain(|one| one.rang_at + within >= now);
    call_box.told_of.retain(|one| one.rang_at + within >= now);
    // What was asked, and answered while the database was abnormal, stays until the answer is decided.
    if call_box.asked.is_empty() {
        call_box.pending.take_if(|pending| pending.until <= now);
    }
    call_box.copies.asked.take_if(|asked| asked.until <= now);
    call_box.copies.questioned.take_if(|until| *until <= now);
    call_box.futile.take_if(|futile| now.since(futile.at) >= FUTILE_FOR);
    let rang = call_box.awaiting.iter().map(|one| one.at);
    let told = call_box.reachable.iter().chain(&call_box.told_of).map(|one| one.rang_at);
    let notify = rang.chain(told).min().map(|at| at + within + Duration::from_millis(1));
    let pending = call_box.pending.filter(|_| call_box.asked.is_empty()).map(|pending| pending.until);
    let asked = call_box.copies.asked.map(|asked| asked.until);
    let resent = call_box.resent.iter().filter(|one| Resent::tells(one)).map(|one| one.at + may_arrive).min();
    if let Some(next) = notify.into_iter().chain(pending).chain(asked).chain(resent).min() {
        case.look_again(next);
    }
}
