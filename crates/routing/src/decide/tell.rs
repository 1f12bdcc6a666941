//! Telling a subscriber of the calls not yet told: now, with what is queued already, or later.

use model::Kind;

use super::call::today;
use super::case::{Case, NewAlert};
use super::{quiet, update};
use crate::text::ListKind;
use crate::{Alert, AlertState, Deferred, HeldWhy, NothingWhy, Tally, Verdict};

/// Tells all untold calls of the box, in one message of this kind.
pub(super) fn calls(case: &mut Case<'_>, kind: Kind) -> Verdict {
    if case.call_box.untold.is_empty() && case.call_box.more == 0 {
        return Verdict::Nothing(NothingWhy::NothingToTell);
    }
    stop_teasing(case);
    if join(case, kind) {
        return Verdict::Joined(kind);
    }
    if let Some(verdict) = update::add(case, kind) {
        return verdict;
    }
    if case.call_box.open.is_some() && !waited_enough(case) {
        case.look_again(case.now + case.policy.limits.update_wait);
        return Verdict::Held(HeldWhy::AlertPending);
    }
    let limits = &case.policy.limits;
    if let Some(last) = case.call_box.alerted_at
        && case.now.since(last) < limits.min_interval
    {
        case.look_again(last + limits.min_interval);
        return Verdict::Held(HeldWhy::MinInterval);
    }
    if day_is_full(case) {
        return Verdict::Nothing(NothingWhy::DailyCap);
    }
    send(case, kind);
    note_alert(case);
    Verdict::Send(kind)
}

/// Tells all untold calls at once in an alert that takes the place of one that was taken back.
pub(super) fn instead(case: &mut Case<'_>) {
    if let Ok(kind) = kind_now(case)
        && case.call_box.waiting()
    {
        send(case, kind);
    }
}

/// Who is told everything waits for no teaser: one from before they were registered is withdrawn, or left behind.
fn stop_teasing(case: &mut Case<'_>) {
    case.withdraw(&[Kind::Teaser]);
    if case.open_alert().is_some_and(|alert| alert.kind == Kind::Teaser) {
        case.call_box.open = None;
    }
}

/// Queues the list of all untold calls; from then on they count as told.
fn send(case: &mut Case<'_>, kind: Kind) {
    let (told, more) = case.call_box.take_untold();
    let text = list_text(case, kind, &told, more);
    let id = case.queue(NewAlert { kind, text, told, more });
    case.call_box.open = Some(id);
}

/// An alert that has not left yet takes the untold calls along. One that was sent before, and perhaps taken, is left as it is.
fn join(case: &mut Case<'_>, kind: Kind) -> bool {
    let joinable = |alert: &Alert| {
        matches!(alert.kind, Kind::Detail | Kind::Fallback)
            && alert.doubts == 0
            && matches!(alert.state, AlertState::Queued { .. })
    };
    let Some(alert) = case.open_alert().filter(|alert| joinable(alert)) else { return false };
    let (told, more) = (std::mem::take(&mut alert.told), std::mem::take(&mut alert.more));
    case.call_box.take_back(&told, more);
    let (told, more) = case.call_box.take_untold();
    let text = list_text(case, kind, &told, more);
    let source = case.policy.service.source(kind, &told, more);
    if let Some(alert) = case.open_alert() {
        alert.kind = kind;
        alert.source = source;
        alert.told = told;
        alert.more = more;
        alert.text = text;
    }
    true
}

/// Whether the calls have waited long enough for the receipt of an alert that the SMSC has.
pub(super) fn waited_enough(case: &mut Case<'_>) -> bool {
    let (now, wait) = (case.now, case.policy.limits.update_wait);
    match case.open_alert().map(|alert| (&alert.state, alert.created_at)) {
        Some((AlertState::Accepted { update: Some(update), .. }, _)) if update.goes_on() => false,
        Some((AlertState::Accepted { at, .. }, _)) => now.since(*at) >= wait,
        Some((AlertState::Queued { .. } | AlertState::Sending { .. }, _)) => false,
        Some((_, _)) | None => true,
    }
}

pub(super) fn list_text(case: &Case<'_>, kind: Kind, told: &[Tally], more: u32) -> String {
    let list = if kind == Kind::Fallback { ListKind::Fallback } else { ListKind::Detail };
    case.policy.texts.list(list, case.reader(), told, more, case.policy.limits.max_parts)
}

/// Counts an alert about calls against the interval and the day.
pub(super) fn note_alert(case: &mut Case<'_>) {
    case.call_box.alerted_at = Some(case.now);
    count_today(case);
}

/// Counts a message against the day.
pub(super) fn count_today(case: &mut Case<'_>) {
    let today = today(case);
    case.call_box.today = match case.call_box.today {
        Some((day, count)) if day == today => Some((day, count.saturating_add(1))),
        Some(_) | None => Some((today, 1)),
    };
}

/// Whether the last alert about calls was too short ago for another.
pub(super) fn told_lately(case: &Case<'_>) -> bool {
    case.call_box.alerted_at.is_some_and(|last| case.now.since(last) < case.policy.limits.min_interval)
}

/// Whether the day has as many alerts about calls as it may.
pub(super) fn day_is_full(case: &Case<'_>) -> bool {
    let today = today(case);
    case.call_box.today.is_some_and(|(day, count)| day == today && count >= case.policy.limits.daily_cap)
}

/// What waited is told now, to those who are told without asking.
pub(super) fn what_waited(case: &mut Case<'_>) -> Verdict {
    match kind_now(case) {
        Ok(kind) => calls(case, kind),
        Err(verdict) => verdict,
    }
}

/// How this person is told of calls now without asking; where they are not, why.
fn kind_now(case: &mut Case<'_>) -> Result<Kind, Verdict> {
    let taken_for_one = case.in_the_dark() && case.call_box.deferred.contains(&Deferred::Alerts);
    if case.active().is_none() && !taken_for_one {
        return Err(Verdict::Nothing(NothingWhy::NothingToTell));
    }
    if let Some(held) = quiet::held(case) {
        return Err(held);
    }
    Ok(if case.abnormal() { Kind::Fallback } else { Kind::Detail })
}
