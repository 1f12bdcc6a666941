//! What a decision about a call rests on, fact by fact, for who asks why: the same questions that the decision asks, in the order of its table.

use model::{AlertId, Kind, MissedCall, Timestamp};
use serde::{Serialize, Serializer};

use super::case::Case;
use super::{courtesy, quiet, tell};
use crate::{Audience, ConsentRule, Database, Policy, RangeName, SubscriberStatus, View};

/// One thing that is so, with its values. A closed list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// The database can be asked, or not.
    Database {
        /// Whether it can.
        normal: bool,
    },
    /// Registered.
    Registered {
        /// Since when.
        #[serde(serialize_with = "rfc3339")]
        since: Timestamp,
    },
    /// Not registered.
    NotRegistered,
    /// Nobody can say who is registered: the database is abnormal and the registry was never loaded.
    RegistryNotLoaded,
    /// Registered, and not served.
    Suspended,
    /// Alerts are held: a pause, or the person's own window of the day.
    Paused {
        /// Until then.
        #[serde(serialize_with = "rfc3339")]
        until: Timestamp,
    },
    /// The person refused teasers.
    Refused {
        /// When.
        #[serde(serialize_with = "rfc3339")]
        at: Timestamp,
    },
    /// On the do-not-contact list.
    DoNotContact,
    /// The forwarded-to number serves only registered people.
    ForSubscribers,
    /// In no range.
    NoRange,
    /// In a range.
    Range {
        /// Which.
        name: RangeName,
        /// Whether it is in force now.
        in_force: bool,
    },
    /// What the range asks for before somebody is teased.
    Consent {
        /// What.
        rule: ConsentRule,
        /// Whether the person gave it.
        given: bool,
    },
    /// The range's quota.
    Quota {
        /// People counted in it.
        used: u64,
        /// As many as may be.
        quota: u64,
        /// Whether this person is among them.
        counted: bool,
    },
    /// The last teaser, and until when it keeps the next one away.
    Teased {
        /// When.
        #[serde(serialize_with = "rfc3339")]
        at: Timestamp,
        /// Until then.
        #[serde(serialize_with = "rfc3339")]
        silent_until: Timestamp,
        /// Until when its list may be fetched.
        #[serde(serialize_with = "rfc3339")]
        offer_until: Timestamp,
        /// Whether it was.
        fetched: bool,
    },
    /// The range's quiet hours: no teaser is sent within them, or so shortly before that it would not arrive.
    QuietHours {
        /// Whether it is such a time.
        now: bool,
    },
    /// The last alert about calls.
    Alerted {
        /// When.
        #[serde(serialize_with = "rfc3339")]
        at: Timestamp,
        /// Whether that is too short ago for another.
        lately: bool,
    },
    /// Alerts about calls in the current day, of as many as there may be.
    Today {
        /// How many.
        count: u32,
        /// The most.
        cap: u32,
    },
    /// The alert that later calls wait for or join.
    Open {
        /// Which.
        alert: AlertId,
        /// What it is for.
        kind: Kind,
        /// Where it is.
        state: &'static str,
    },
    /// Calls not yet told.
    Waiting {
        /// How many.
        calls: u32,
    },
    /// The call is older than calls may be.
    TooOld,
}

impl Fact {
    /// The word used in pages, the API and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Database { .. } => "database",
            Self::Registered { .. } => "registered",
            Self::NotRegistered => "not_registered",
            Self::RegistryNotLoaded => "registry_not_loaded",
            Self::Suspended => "suspended",
            Self::Paused { .. } => "paused",
            Self::Refused { .. } => "refused",
            Self::DoNotContact => "do_not_contact",
            Self::ForSubscribers => "for_subscribers",
            Self::NoRange => "no_range",
            Self::Range { .. } => "range",
            Self::Consent { .. } => "consent",
            Self::Quota { .. } => "quota",
            Self::Teased { .. } => "teased",
            Self::QuietHours { .. } => "quiet_hours",
            Self::Alerted { .. } => "alerted",
            Self::Today { .. } => "today",
            Self::Open { .. } => "open",
            Self::Waiting { .. } => "waiting",
            Self::TooOld => "too_old",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// What a decision about this call rests on, as it is before the call.
#[must_use]
pub fn facts(policy: &Policy, view: &View, call: &MissedCall, now: Timestamp) -> Vec<Fact> {
    let mut case = Case::open(policy, view, now);
    let mut facts = vec![Fact::Database { normal: view.database == Database::Normal }];
    if now.since(call.at) > policy.limits.max_age {
        facts.push(Fact::TooOld);
    }
    registration(&case, &mut facts);
    if view.subscriber.is_none() {
        prospect(&mut case, call, &mut facts);
    }
    courtesies(&mut case, &mut facts);
    facts
}

fn registration(case: &Case<'_>, facts: &mut Vec<Fact>) {
    let Some(subscriber) = &case.view.subscriber else {
        facts.push(if case.in_the_dark() { Fact::RegistryNotLoaded } else { Fact::NotRegistered });
        return;
    };
    facts.push(Fact::Registered { since: subscriber.since });
    if subscriber.status == SubscriberStatus::Suspended {
        facts.push(Fact::Suspended);
    }
    facts.extend(quiet::until(case).map(|until| Fact::Paused { until }));
}

fn prospect(case: &mut Case<'_>, call: &MissedCall, facts: &mut Vec<Fact>) {
    let (view, now) = (case.view, case.now);
    facts.extend(view.call_box.refused_at.map(|at| Fact::Refused { at }));
    if view.listed.do_not_contact {
        facts.push(Fact::DoNotContact);
    }
    let forwarded = call.service_number.as_ref().and_then(|number| case.policy.service.numbers.get(number));
    if forwarded == Some(&Audience::Subscribers) {
        facts.push(Fact::ForSubscribers);
    }
    let Some(range) = case.range() else {
        facts.push(Fact::NoRange);
        return;
    };
    facts.push(Fact::Range { name: range.name.clone(), in_force: range.in_force(now) });
    let rule = range.terms.consent;
    if rule != ConsentRule::default() {
        facts.push(Fact::Consent { rule, given: rule.met_by(view.listed) });
    }
    let counted = view.call_box.counted_in.contains(&range.name);
    facts.push(Fact::Quota { used: view.range_used, quota: range.quota, counted });
    if let Some(offer) = &view.call_box.offer {
        facts.push(Fact::Teased {
            at: offer.teased_at,
            silent_until: offer.silence_ends(case.policy.limits.teaser_interval),
            offer_until: offer.expires_at,
            fetched: offer.fetched.is_some(),
        });
    }
    if range.terms.quiet.is_some() {
        facts.push(Fact::QuietHours { now: courtesy::worth(case, range).is_none() });
    }
}

fn courtesies(case: &mut Case<'_>, facts: &mut Vec<Fact>) {
    let lately = tell::told_lately(case);
    facts.extend(case.call_box.alerted_at.map(|at| Fact::Alerted { at, lately }));
    let today = super::call::today(case);
    if let Some((_, count)) = case.call_box.today.filter(|(day, _)| *day == today) {
        facts.push(Fact::Today { count, cap: case.policy.limits.daily_cap });
    }
    if let Some(alert) = case.open_alert() {
        facts.push(Fact::Open { alert: alert.id, kind: alert.kind, state: alert.state.as_str() });
    }
    let untold = &case.call_box.untold;
    let calls = untold.iter().fold(case.call_box.more, |sum, tally| sum.saturating_add(tally.count));
    if calls > 0 {
        facts.push(Fact::Waiting { calls });
    }
}
