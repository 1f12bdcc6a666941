//! What an auditor writes down of every decision, and the rules that the books must keep.

use std::collections::{BTreeMap, BTreeSet};

use model::{Caller, Kind, Msisdn, Timestamp, UpdateOutcome};
use routing::{
    Alert, AlertState, CallBox, Database, Decision, Effect, Event, InDoubtPolicy, MAX_CALLERS, MAX_EFFECTS,
    MAX_MESSAGES, MAX_SEEN, NothingWhy, Policy, ReplyVerdict, Tally, Verdict, View,
};

/// One decision and what it was taken on.
pub(crate) struct Step<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) view: &'a View,
    pub(crate) after: &'a CallBox,
    pub(crate) event: &'a Event,
    pub(crate) decision: &'a Decision,
    pub(crate) now: Timestamp,
}

#[derive(Default)]
pub(crate) struct Ledger {
    /// Calls that count, by who missed them and who rang.
    pub(crate) counted: BTreeMap<Msisdn, BTreeMap<Caller, u32>>,
    /// People of whose calls some were told as a number only.
    pub(crate) by_number_only: BTreeSet<Msisdn>,
    /// Calls of alerts whose update stayed in doubt and was held: perhaps never told.
    pub(crate) doubted: BTreeMap<Msisdn, u32>,
    charged: BTreeSet<(Msisdn, Timestamp)>,
    alerted: BTreeMap<Msisdn, Timestamp>,
    /// Until when nobody is teased again.
    silent: BTreeMap<Msisdn, Timestamp>,
    per_day: BTreeMap<(Msisdn, i64), u32>,
}

/// Calls in an alert that is not certain to have failed.
fn live(alert: &Alert) -> u32 {
    match alert.state {
        AlertState::Undelivered { .. }
        | AlertState::Expired { .. }
        | AlertState::Failed { .. }
        | AlertState::Superseded { .. } => 0,
        AlertState::Queued { .. }
        | AlertState::Sending { .. }
        | AlertState::InDoubt { .. }
        | AlertState::Accepted { .. }
        | AlertState::Delivered { .. } => {
            let added = alert.update().map_or(0, |update| {
                total(&update.added) + update.added_more + total(&update.later) + update.later_more
            });
            total(&alert.told) + alert.more + added
        }
    }
}

fn total(list: &[Tally]) -> u32 {
    list.iter().map(|tally| tally.count).sum()
}

pub(crate) fn untold(call_box: &CallBox) -> u32 {
    total(&call_box.untold) + call_box.more
}

/// The number of whom a caller of this simulation rings: each person has callers of their own.
pub(crate) fn rings(caller: &Caller, called: Msisdn) -> bool {
    match caller {
        Caller::Number(number) => number.as_u64() / 100_000 % 1_000 == called.as_u64() % 1_000,
        Caller::Short(_) | Caller::Withheld | Caller::Unknown => true,
    }
}

/// Prints the decision at hand when a rule fails.
struct Shown<'a>(&'a Step<'a>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Step { view, event, decision, now, .. } = self.0;
            eprintln!("at {now}, {view:#?}\non {event:#?}\ndecided {decision:#?}");
        }
    }
}

impl Ledger {
    pub(crate) fn check(&mut self, step: &Step<'_>) {
        let _shown = Shown(step);
        self.count(step);
        conserves(step);
        bounded(step);
        made(step);
        self.charges(step);
        self.intervals(step);
        self.doubts(step);
        if matches!(step.event, Event::Due { .. }) {
            assert!(step.after.due.is_none_or(|due| due > step.now), "a look asks for a look at once");
        }
        if matches!(step.decision.verdict, Verdict::Held(_)) {
            assert!(step.after.due.is_some(), "held, and nobody will look");
        }
    }

    fn count(&mut self, step: &Step<'_>) {
        let Event::Call(call) = step.event else { return };
        if counts(step) {
            *self.counted.entry(call.called).or_default().entry(call.caller.clone()).or_default() += 1;
        }
        if step.after.more > 0 {
            self.by_number_only.insert(call.called);
        }
        let active = step.view.subscriber.as_ref().is_some_and(|s| s.status == routing::SubscriberStatus::Active);
        let answer = step.decision.verdict;
        let excused = matches!(answer, Verdict::Nothing(NothingWhy::Duplicate | NothingWhy::DailyCap));
        assert!(!active || excused || counts(step), "an active subscriber's call: {answer:?}");
    }

    fn doubts(&mut self, step: &Step<'_>) {
        let Some(alert) = step.view.alert.as_ref().filter(|alert| alert.is_updating()) else { return };
        let goes_on = step.decision.alerts().find(|after| after.id == alert.id).is_none_or(Alert::is_updating);
        let unanswered = match step.event {
            Event::Updated { outcome: UpdateOutcome::InDoubt(_), .. } => true,
            Event::Due { .. } => alert.is_asking(),
            _ => false,
        };
        let known = matches!(
            step.event,
            Event::Updated { outcome: UpdateOutcome::Replaced { .. } | UpdateOutcome::Cancelled, .. }
        );
        let doubtful = !known && alert.update().is_some_and(|update| update.doubts.count() > 0);
        if !goes_on && (unanswered || doubtful) && step.policy.in_doubt == InDoubtPolicy::Hold {
            *self.doubted.entry(alert.to).or_default() += live(alert);
        }
    }

    /// One charge an offer, for what its list holds.
    fn charges(&mut self, step: &Step<'_>) {
        for effect in &step.decision.effects {
            let Effect::Charge(charge) = effect else { continue };
            assert!(self.charged.insert((charge.called, charge.teased_at)), "an offer is charged twice");
            let list = step.decision.alerts().find(|alert| alert.id == charge.alert).unwrap();
            assert_eq!(live(list), untold(&step.view.call_box), "the list is not what waited");
            assert!(step.view.call_box.offer.as_ref().is_some_and(|offer| offer.teased_at == charge.teased_at));
        }
    }

    /// The silence after a teaser ends when the person texts something of ours, and when the teaser certainly never left; with its offer, when the network
    /// gave it up.
    fn silences(&mut self, step: &Step<'_>) {
        let called = step.after.called;
        for alert in step.decision.alerts().filter(|alert| alert.kind == Kind::Teaser) {
            match alert.state {
                AlertState::Failed { .. } if alert.doubts == 0 => drop(self.silent.remove(&called)),
                AlertState::Undelivered { .. } | AlertState::Expired { .. } => {
                    let end = alert.created_at + step.policy.limits.offer_validity;
                    self.silent.entry(called).and_modify(|until| *until = end.min(*until));
                }
                _ => {}
            }
        }
        if acted(step) {
            self.silent.remove(&called);
        }
    }

    /// Alerts that nobody asked for keep their distance and the day's number. Lists that were asked for (grants) are free of both, by design.
    fn intervals(&mut self, step: &Step<'_>) {
        let (called, limits) = (step.after.called, &step.policy.limits);
        self.silences(step);
        for alert in new(step).filter(|alert| alert.kind != Kind::Notice) {
            if alert.kind == Kind::Teaser {
                let until = self.silent.insert(called, step.now + limits.teaser_interval);
                assert!(until.is_none_or(|until| until <= step.now), "teased too often");
            }
            if asked_for(step) || takes_a_place(step) {
                continue;
            }
            let last = self.alerted.insert(called, step.now);
            assert!(last.is_none_or(|last| step.now.since(last) >= limits.min_interval), "alerted too often");
            let day = step.now.as_millis().div_euclid(24 * 3_600_000);
            let today = self.per_day.entry((called, day)).or_default();
            *today += 1;
            assert!(*today <= limits.daily_cap, "more alerts than a day may have");
        }
    }
}

/// Whether a person texted something of ours.
fn acted(step: &Step<'_>) -> bool {
    match step.decision.verdict {
        Verdict::Reply(verdict) => {
            !matches!(verdict, ReplyVerdict::WrongKeyword | ReplyVerdict::NotOurNumber | ReplyVerdict::Waiting)
        }
        _ => false,
    }
}

/// Whether the lists of this decision answer a request. A look after recovery may grant a deferred one.
fn asked_for(step: &Step<'_>) -> bool {
    let asked = [ReplyVerdict::Granted, ReplyVerdict::AlreadyFetched].map(Verdict::Reply);
    let deferred =
        step.view.call_box.deferred.contains(&routing::Deferred::Fetch) && matches!(step.event, Event::Due { .. });
    asked.contains(&step.decision.verdict) || (deferred && step.view.database == Database::Normal)
}

/// Whether the new alert takes the place of one that was taken back from the SMSC: it is no further one.
fn takes_a_place(step: &Step<'_>) -> bool {
    step.decision.alerts().any(|alert| matches!(alert.state, AlertState::Superseded { .. }))
}

fn new<'a>(step: &Step<'a>) -> impl Iterator<Item = &'a Alert> {
    let first = step.view.next_alert;
    step.decision.alerts().filter(move |alert| alert.id >= first)
}

fn counts(step: &Step<'_>) -> bool {
    if !matches!(step.event, Event::Call(_)) {
        return false;
    }
    match step.decision.verdict {
        Verdict::Send(_) | Verdict::Joined(_) | Verdict::Held(_) => true,
        Verdict::Nothing(why) => match why {
            // Calls of this simulation are at most too old for a teaser, not to be counted in the next.
            NothingWhy::TeaserCapped | NothingWhy::DailyCap | NothingWhy::AbnormalNoRegistry | NothingWhy::TooOld => {
                true
            }
            NothingWhy::AbnormalNotRegistered => step.view.call_box.refused_at.is_none(),
            _ => false,
        },
        Verdict::Reply(_) | Verdict::Alert => false,
    }
}

/// Each call is in one place: not yet told, told by an alert that has not certainly failed, or gone for a reason.
fn conserves(step: &Step<'_>) {
    let old = step.view.alert.as_ref();
    let changed = step.decision.alerts().any(|alert| old.is_some_and(|old| old.id == alert.id));
    let before = untold(&step.view.call_box) + old.filter(|_| changed).map_or(0, live) + u32::from(counts(step));
    let after = untold(step.after) + step.decision.alerts().map(live).sum::<u32>();
    assert!(after <= before, "{after} calls from {before}");
    if after < before {
        let in_the_dark = step.view.database == Database::Abnormal && !step.view.registry_loaded;
        let left = step.decision.verdict == Verdict::Reply(ReplyVerdict::Unsubscribed);
        let in_the_offer = step.view.call_box.offer.as_ref().is_some_and(|offer| offer.fetched.is_some());
        let stranger = step.view.subscriber.is_none() && (!in_the_dark || in_the_offer);
        assert!(left || stranger, "{} calls of a subscriber are lost by {:?}", before - after, step.decision.verdict);
    }
}

fn bounded(step: &Step<'_>) {
    let call_box = step.after;
    assert!(call_box.untold.len() <= MAX_CALLERS && call_box.seen.len() <= MAX_SEEN);
    assert!(call_box.deferred.len() <= 4 && call_box.counted_in.len() <= 1);
    assert!(call_box.messages.len() <= MAX_MESSAGES);
    assert!(step.decision.effects.len() <= MAX_EFFECTS);
}

/// What was made may go where it goes.
fn made(step: &Step<'_>) {
    let abnormal = step.view.database == Database::Abnormal;
    for alert in step.decision.alerts() {
        assert_eq!(alert.to, step.after.called, "an alert to somebody else");
        assert!(alert.told.iter().all(|tally| rings(&tally.caller, alert.to)), "somebody else's calls");
        if matches!(alert.kind, Kind::Teaser | Kind::Notice) {
            assert!(!alert.text.contains("86137") && alert.told.is_empty(), "a caller in {}", alert.text);
        }
    }
    for alert in new(step) {
        match alert.kind {
            Kind::Teaser => {
                assert!(!abnormal && step.view.subscriber.is_none() && step.view.call_box.refused_at.is_none());
            }
            Kind::Fallback => assert!(abnormal),
            Kind::Detail => assert!(!abnormal),
            Kind::Notice | Kind::Notify => {}
        }
    }
}
