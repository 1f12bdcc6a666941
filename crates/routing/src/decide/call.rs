//! A call was missed.

use std::time::Duration;

use model::{Caller, Kind, MissedCall};

use super::case::Case;
use super::{copies, courtesy, forget, notify, quiet, tell, update};
use crate::text::local_day;
use crate::{
    AlertState, Audience, Deferred, Effect, MAX_SEEN, NothingWhy, Offer, Range, Seen, SubscriberStatus, Verdict,
};

pub(super) fn missed(case: &mut Case<'_>, call: &MissedCall) -> Verdict {
    if !remember(case, call) {
        return Verdict::Nothing(NothingWhy::Duplicate);
    }
    if case.now.since(call.at) > case.policy.limits.max_age {
        return Verdict::Nothing(NothingWhy::TooOld);
    }
    let verdict = if case.abnormal() { abnormal(case, call) } else { normal(case, call) };
    notify::rang_in_vain(case, call);
    verdict
}

/// The table of product.md §2, database normal.
fn normal(case: &mut Case<'_>, call: &MissedCall) -> Verdict {
    match &case.view.subscriber {
        Some(subscriber) if subscriber.status == SubscriberStatus::Suspended => Verdict::Nothing(NothingWhy::Suspended),
        Some(_) => {
            case.call_box.count(&call.caller, call.at);
            copies::count(case, call);
            quiet::held(case).unwrap_or_else(|| tell::calls(case, Kind::Detail))
        }
        None if case.call_box.refused_at.is_some() => Verdict::Nothing(NothingWhy::Refused),
        None if case.view.listed.do_not_contact => {
            courtesy::keep_away(case);
            Verdict::Nothing(NothingWhy::DoNotContact)
        }
        None if audience(case, call) == Some(Audience::Subscribers) => Verdict::Nothing(NothingWhy::NotSubscribed),
        None => {
            forget::stale(case);
            let verdict = prospect(case, call);
            forget::stale(case);
            verdict
        }
    }
}

/// The table of product.md §2, database abnormal: never a teaser.
fn abnormal(case: &mut Case<'_>, call: &MissedCall) -> Verdict {
    let served = match &case.view.subscriber {
        Some(subscriber) if subscriber.status == SubscriberStatus::Suspended => {
            return Verdict::Nothing(NothingWhy::Suspended);
        }
        Some(_) => true,
        None => !case.view.registry_loaded && audience(case, call) == Some(Audience::Subscribers),
    };
    if case.in_the_dark() {
        case.defer(if served { Deferred::Alerts } else { Deferred::Calls });
    }
    if served {
        case.call_box.count(&call.caller, call.at);
        copies::count(case, call);
        return quiet::held(case).unwrap_or_else(|| tell::calls(case, Kind::Fallback));
    }
    if case.call_box.refused_at.is_none() || case.in_the_dark() {
        case.call_box.count(&call.caller, call.at);
        forget::stale(case);
    }
    Verdict::Nothing(if case.view.registry_loaded {
        NothingWhy::AbnormalNotRegistered
    } else {
        NothingWhy::AbnormalNoRegistry
    })
}

fn audience(case: &Case<'_>, call: &MissedCall) -> Option<Audience> {
    call.service_number.as_ref().and_then(|number| case.policy.service.numbers.get(number)).copied()
}

/// Teases at most once in a while, and never late; calls in between are part of the offer, or wait for the next teaser ([`forget::stale`]). First comes
/// whether this person may be teased at all, then whether it is the time for it.
fn prospect(case: &mut Case<'_>, call: &MissedCall) -> Verdict {
    let Some(range) = case.range().filter(|range| range.in_force(case.now)) else {
        return Verdict::Nothing(NothingWhy::OutsideRanges);
    };
    if let Some(why) = courtesy::barred(case) {
        courtesy::keep_away(case);
        return Verdict::Nothing(why);
    }
    let counted = case.call_box.counted_in.contains(&range.name);
    if !counted && case.view.range_used >= range.quota {
        return Verdict::Nothing(NothingWhy::QuotaUsedUp);
    }
    case.call_box.count(&call.caller, call.at);
    if let Some(verdict) = join_teaser(case) {
        return verdict;
    }
    match when(case, call, range) {
        Ok(worth) => {
            tease(case, range, counted, worth);
            Verdict::Send(Kind::Teaser)
        }
        Err(why) => Verdict::Nothing(why),
    }
}

/// How long a teaser is worth sending now, or why none is made now.
fn when(case: &mut Case<'_>, call: &MissedCall, range: &Range) -> Result<Duration, NothingWhy> {
    if courtesy::silent(case) || tell::told_lately(case) || (case.call_box.open.is_some() && !tell::waited_enough(case))
    {
        return Err(NothingWhy::TeaserCapped);
    }
    let worth = courtesy::worth(case, range).ok_or(NothingWhy::QuietHours)?;
    if case.now.since(call.at) >= case.policy.limits.teaser_patience {
        return Err(NothingWhy::TooOld);
    }
    if tell::day_is_full(case) {
        return Err(NothingWhy::DailyCap);
    }
    Ok(worth)
}

fn tease(case: &mut Case<'_>, range: &Range, counted: bool, worth: Duration) {
    if !counted {
        case.effect(Effect::Count(range.name.clone()));
        case.call_box.counted_in.push(range.name.clone());
    }
    let (policy, turn) = (case.policy, case.view.campaign_turn);
    let campaign =
        policy.campaigns.choose(&range.terms.campaigns, turn, case.now).map(|campaign| campaign.name.clone());
    // The text depends on the offer's campaign.
    case.call_box.offer = Some(Offer {
        range: range.name.clone(),
        teased_at: case.now,
        expires_at: case.now + policy.limits.offer_validity,
        campaign: campaign.clone(),
        fetched: None,
        silent_until: None,
    });
    let text = teaser_text(case);
    let id = case.queue_teaser(text, campaign, worth);
    case.call_box.open = Some(id);
    tell::note_alert(case);
}

/// A teaser that has not left yet and still may, or that the SMSC still has, tells of this call too.
fn join_teaser(case: &mut Case<'_>) -> Option<Verdict> {
    let (limits, now) = (&case.policy.limits, case.now);
    let teaser = case.open_alert().filter(|alert| alert.kind == Kind::Teaser)?;
    // One that is worth nothing any more is not brought up to date: it would be revived.
    if now.since(teaser.created_at) >= teaser.validity {
        return None;
    }
    if !matches!(teaser.state, AlertState::Queued { .. }) {
        return update::teaser(case);
    }
    if teaser.doubts > 0 || teaser.is_too_late(limits, now) {
        return None;
    }
    let text = teaser_text(case);
    if let Some(alert) = case.open_alert() {
        alert.text = text;
    }
    Some(Verdict::Joined(Kind::Teaser))
}

/// The teaser knows how many calls wait and when the last one was; it is never given a caller.
pub(super) fn teaser_text(case: &Case<'_>) -> String {
    let untold = &case.call_box.untold;
    let count = untold.iter().fold(case.call_box.more, |sum, tally| sum.saturating_add(tally.count));
    let last_at = untold.last().map_or(case.now, |tally| tally.last_at);
    case.policy.texts.teaser(case.reader(), count, last_at, &case.policy.keywords)
}

/// Remembers a call; `false` when it was counted before: the same id, or the same caller by another way at the same time.
fn remember(case: &mut Case<'_>, call: &MissedCall) -> bool {
    let limits = &case.policy.limits;
    let number = |caller: &Caller| match caller {
        Caller::Number(number) => Some(*number),
        Caller::Short(_) | Caller::Withheld | Caller::Unknown => None,
    };
    let new = Seen { key: fnv1a(call.id.as_str()), at: call.at, source: call.source, caller: number(&call.caller) };
    let same = |old: &Seen| {
        let apart = old.at.since(new.at).max(new.at.since(old.at));
        let two_ways = old.source != new.source && old.caller.is_some() && old.caller == new.caller;
        (old.key == new.key && apart <= limits.dedup_window) || (two_ways && apart <= limits.same_call)
    };
    if case.call_box.seen.iter().any(same) {
        return false;
    }
    // Kept by the time of the call; a call reported late is remembered as long after its own time as any other.
    let oldest = case.now.max(call.at) - limits.dedup_window.max(limits.max_age);
    case.call_box.seen.retain(|old| old.at >= oldest);
    if case.call_box.seen.len() >= MAX_SEEN {
        case.call_box.seen.remove(0);
    }
    case.call_box.seen.push(new);
    true
}

/// FNV-1a, 64 bits: the same in every version of this program, unlike the standard library's hasher.
pub(super) fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The day of the called person's own calendar.
pub(super) fn today(case: &Case<'_>) -> i32 {
    local_day(case.now, case.time_zone())
}
