//! An operator sends an earlier message again.

use std::time::Duration;

use model::{AlertId, Kind};

use super::case::Case;
use super::tell;
use crate::{AlertState, Calls, MAX_RESENT, NotAgain, NothingWhy, Resend, Resent, SubscriberStatus, Verdict, resent};

/// The same message is sent again at most once in this time: a form that is sent twice is one wish.
pub(super) const APART: Duration = Duration::from_secs(60);

/// Sends the message as it was. Nothing is told twice by it: where the earlier message is lost, its calls, which would be told by the next alert, are told by
/// this one instead; where it may arrive yet, they are untold again only once all messages that tell them are lost. It counts in the day's number.
///
/// A pause and the quiet hours don't hold it: who asks for a message again wants it now.
pub(super) fn again(case: &mut Case<'_>, wanted: &Resend) -> Verdict {
    // More may have become of the message since somebody looked at it. While the database is abnormal, that was perhaps seen elsewhere.
    let may_be_behind = |state: &AlertState| {
        case.abnormal() && matches!(state, AlertState::Accepted { .. } | AlertState::InDoubt { .. })
    };
    let earlier = case.view.earlier.as_ref().filter(|alert| !may_be_behind(&alert.state));
    let now_known = earlier.map(|alert| Resend::of(alert, wanted.at, wanted.by.clone())).transpose();
    let wanted = match &now_known {
        Ok(known) => known.as_ref().unwrap_or(wanted),
        Err(NotAgain::ToldSince) => return Verdict::Nothing(NothingWhy::NothingToTell),
        Err(NotAgain::OnItsWay | NotAgain::OfItsMoment | NotAgain::TextGone) => {
            return Verdict::Nothing(NothingWhy::NoChange);
        }
    };
    // Whom the message is to, and nobody else.
    if wanted.called != case.call_box.called {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    if let Some(why) = forbidden(case, wanted) {
        return Verdict::Nothing(why);
    }
    let known = case.call_box.resent.iter().find(|one| one.alerts.contains(&wanted.of)).cloned();
    if known.as_ref().is_some_and(|one| case.now.since(one.at) < APART) {
        return Verdict::Nothing(NothingWhy::Duplicate);
    }
    let undecided = case.call_box.resent.iter().filter(|one| one.is_undecided()).count();
    if tell::day_is_full(case) || (known.is_none() && undecided >= MAX_RESENT) {
        return Verdict::Nothing(NothingWhy::DailyCap);
    }
    let Some(calls) = calls(case, wanted, known.as_ref()) else {
        return Verdict::Nothing(NothingWhy::NothingToTell);
    };
    let tells = calls != Calls::default();
    let newer = case.queue_again(wanted, calls.clone());
    note(case, wanted, known, tells.then_some(newer), calls);
    if tells {
        tell::note_alert(case);
    } else {
        tell::count_today(case);
    }
    Verdict::Send(wanted.kind)
}

/// Notes that it was sent again, and what tells its calls too.
fn note(case: &mut Case<'_>, wanted: &Resend, known: Option<Resent>, newer: Option<AlertId>, calls: Calls) {
    let resent = &mut case.call_box.resent;
    resent.retain(|one| !one.alerts.contains(&wanted.of));
    let mut one = known.filter(Resent::tells).unwrap_or_else(|| Resent {
        at: case.now,
        alerts: vec![wanted.of],
        lost: wanted.lost_at.map(|_| wanted.of).into_iter().collect(),
        arrived: false,
        told: calls.told,
        more: calls.more,
    });
    one.at = case.now;
    one.alerts.extend(newer);
    resent.push(one);
    resent::bound(resent);
}

/// The calls that this message tells from now on, alone or as others do; `None`: another message tells them already, or they were given up.
fn calls(case: &mut Case<'_>, wanted: &Resend, known: Option<&Resent>) -> Option<Calls> {
    let calls = Calls { told: wanted.told.clone(), more: wanted.more };
    let nothing = Some(Calls::default());
    if calls == Calls::default() {
        return nothing;
    }
    let fetched = case.call_box.offer.as_ref().and_then(|offer| offer.fetched.as_ref());
    let in_the_offer = fetched.is_some_and(|fetched| fetched.at == wanted.made_at);
    // The offer holds them: they never wait to be told without asking.
    if in_the_offer && case.view.subscriber.is_none() {
        return nothing;
    }
    let is_lost = wanted.lost_at.is_some() || known.is_some_and(|one| one.lost.contains(&wanted.of));
    if let Some(one) = known.filter(|one| one.tells() && !one.is_lost()) {
        // Another tells them, or may yet; or this one tells more, and its text can't tell less.
        if is_lost || calls.without(&one.calls()) != Calls::default() {
            return None;
        }
        return if one.arrived { nothing } else { Some(one.calls()) };
    }
    if !is_lost {
        return Some(calls);
    }
    // How many a number tells of is known, and not which: every alert since took along all that waited.
    let told_since = case.call_box.alerted_at.is_some_and(|last| wanted.lost_at.is_none_or(|lost_at| last >= lost_at));
    let waiting = calls.more == 0 || !told_since;
    if waiting && case.call_box.take_out(&calls.told, calls.more) {
        return Some(calls);
    }
    if in_the_offer { nothing } else { None }
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
