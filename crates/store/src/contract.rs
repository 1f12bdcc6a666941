//! What every store does, whatever it is made of.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{AlertId, Day, IdForm, MissedCall, Msisdn, SmscName, Submit, Timestamp, UpdateOrder};
use routing::{
    Alert, CallBox, CampaignName, Charge, Conversion, Database, Event, Evidence, Fact, List, Listed, Policy, Range,
    RangeName, Subscriber, SubscriberChange, Verdict, View,
};
use serde::{Deserialize, Serialize};

use crate::{Committed, ReportRow, StoreError};

/// The place of an event in the journal, from 1; later events have higher places, and a place is never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

/// How long what was decided is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Calls, replies and alerts that ended.
    pub calls: Duration,
    /// The texts of alerts and replies; at most as long as they themselves.
    pub texts: Duration,
    /// What people said that must be provable, and erasures.
    pub evidence: Duration,
}

impl Retention {
    /// Calls and texts so long, evidence for three years.
    #[must_use]
    pub const fn of(calls: Duration) -> Self {
        Self { calls, texts: calls, evidence: Duration::from_secs(1_095 * 24 * 3600) }
    }
}

/// An event that is safe on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Journaled {
    /// Its place.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
    /// Since when it is known in this life of the program: appended then, or read back.
    pub since: Instant,
}

/// What appending to the journal gives.
#[derive(Debug)]
pub struct Appended {
    /// Unwraps what is owed to the peers.
    pub committed: Committed,
    /// For each event, in order: whether it is a call that was reported before (same id, same called number). It is accepted all the same.
    pub duplicate: Vec<bool>,
    /// The place of the last event in the journal.
    pub through: Seq,
}

/// What a decision depends on beside the event and the rows.
#[derive(Clone, Debug)]
pub struct Context {
    /// What the operator decided beforehand.
    pub policy: Arc<Policy>,
    /// Whether the database that nodes share can be asked.
    pub database: Database,
    /// The time.
    pub now: Timestamp,
}

/// What became of one event.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Its place.
    pub seq: Seq,
    /// The person it is about; `None` when nobody is known for it.
    pub called: Option<Msisdn>,
    /// What it was ([`Event::as_str`]).
    pub event: &'static str,
    /// What was decided.
    pub verdict: Verdict,
    /// The alerts it made or changed.
    pub alerts: Vec<Alert>,
    /// Of a receipt: how it found its alert.
    pub receipt: Option<ReceiptMatch>,
}

/// What would be decided of a call now, and on what ground.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The call.
    pub call: MissedCall,
    /// When it would be decided.
    pub at: Timestamp,
    /// What would be decided.
    pub verdict: Verdict,
    /// The alerts that it would make or change.
    pub alerts: Vec<Alert>,
    /// The range that the called number is in.
    pub range: Option<Range>,
    /// What is known of the called person.
    pub view: View,
    /// What the decision rests on, in its order.
    pub because: Vec<Fact>,
}

impl Explained {
    pub(crate) fn of(call: &MissedCall, view: View, context: &Context) -> Self {
        let (policy, now) = (&context.policy, context.now);
        let decision = routing::decide(policy, &view, &Event::Call(call.clone()), now);
        Self {
            call: call.clone(),
            at: now,
            verdict: decision.verdict,
            alerts: decision.alerts().cloned().collect(),
            range: policy.ranges.find(call.called).cloned(),
            because: routing::facts(policy, &view, call, now),
            view,
        }
    }
}

/// How a receipt found its alert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiptMatch {
    /// Who sent it.
    pub smsc: SmscName,
    /// What was found.
    pub how: Matched,
}

/// What the message id of a receipt names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Matched {
    /// One alert, whose answer the receipt writes in this form.
    Alert(IdForm),
    /// Alerts, and nothing tells which is meant, or whether one is: several wait for a receipt, or several have ended, or it may be a repeat. It is kept
    /// for a day, and belongs to none unless that becomes clear.
    Ambiguous,
    /// No alert known here (yet), or none that it may be about: it is kept for a day.
    Nobody,
}

impl Matched {
    /// Every case, in the order of the documents.
    pub const ALL: [Self; 5] = [
        Self::Alert(IdForm::Same),
        Self::Alert(IdForm::Decimal),
        Self::Alert(IdForm::Hexadecimal),
        Self::Ambiguous,
        Self::Nobody,
    ];

    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert(form) => form.as_str(),
            Self::Ambiguous => "ambiguous",
            Self::Nobody => "unmatched",
        }
    }
}

/// What settling gives.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settled {
    /// One for each event that was not settled before, in order. A receipt that came before its answer has two: `unmatched` when it came, and what
    /// it did once the answer was there.
    pub outcomes: Vec<Outcome>,
    /// Alerts that were put into the queue.
    pub queued: usize,
    /// What was added to the daily report, in the order of its key; with it what was counted since the settling before beside any.
    pub counted: Vec<ReportRow>,
    /// What the database took for it, from its first question to its last answer; `None` where it did not decide.
    pub database: Option<Duration>,
}

/// How many alerts are kept in each state ([`routing::AlertState`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlertCounts {
    /// Waiting to be sent.
    pub queued: u64,
    /// Handed to a link.
    pub sending: u64,
    /// Sent and not answered.
    pub in_doubt: u64,
    /// The SMSC has them.
    pub accepted: u64,
    /// On the handset.
    pub delivered: u64,
    /// Not deliverable.
    pub undelivered: u64,
    /// Not delivered in time.
    pub expired: u64,
    /// Never taken by an SMSC.
    pub failed: u64,
    /// Taken back from the SMSC: newer ones tell their calls.
    pub superseded: u64,
}

/// Since when the longest of what an SMSC is to do waits; `None`: nothing waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oldest {
    /// The alert that could be sent longest, but for teasers; a time that is still to come: none may be sent yet.
    pub queued: Option<Timestamp>,
    /// The same of teasers, which wait while the database is abnormal.
    pub teaser: Option<Timestamp>,
    /// The submit that is unanswered longest.
    pub sending: Option<Timestamp>,
    /// The alert that an SMSC has longest, of those that no receipt has ended and that are not being brought up to date.
    pub accepted: Option<Timestamp>,
}

/// A number on a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListEntry {
    /// Who.
    pub number: Msisdn,
    /// Which list.
    pub list: List,
    /// Where the entry came from: a file, `api`, `sql`, `erased`.
    pub source: String,
    /// Since when.
    pub at: Timestamp,
}

/// How far the teasers of one campaign came in one range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CampaignCount {
    /// The campaign.
    pub campaign: CampaignName,
    /// The range of the teasers.
    pub range: RangeName,
    /// Teasers queued.
    pub teased: u64,
    /// Lists fetched.
    pub fetched: u64,
    /// People who subscribed while the offer lived.
    pub subscribed: u64,
}

impl CampaignCount {
    /// Adds a step to rows that come in order: those of one campaign and range follow each other.
    pub(crate) fn add(rows: &mut Vec<Self>, campaign: CampaignName, range: RangeName, step: Conversion, count: u64) {
        if rows.last().is_none_or(|last| last.campaign != campaign || last.range != range) {
            rows.push(Self { campaign, range, teased: 0, fetched: 0, subscribed: 0 });
        }
        let Some(row) = rows.last_mut() else { return };
        match step {
            Conversion::Teased => row.teased = count,
            Conversion::Fetched => row.fetched = count,
            Conversion::Subscribed => row.subscribed = count,
        }
    }
}

/// Everything that is known of one person, for who asks what that is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Person {
    /// Who.
    pub number: Msisdn,
    /// The registration.
    pub subscriber: Option<Subscriber>,
    /// What is remembered of the person.
    pub call_box: Option<CallBox>,
    /// Calls and replies with what was decided of them, and what became of the alerts; without a database also receipts and answers of SMSCs.
    pub events: Vec<TimelineEntry>,
    /// What the person was sent.
    pub alerts: Vec<Alert>,
    /// What the person was charged for.
    pub charges: Vec<Charge>,
    /// What the person said that is kept as evidence.
    pub evidence: Vec<Evidence>,
    /// The lists that the number is on.
    pub lists: Vec<ListEntry>,
}

impl Person {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        let Self { number: _, subscriber, call_box, events, alerts, charges, evidence, lists } = self;
        subscriber.is_none()
            && call_box.is_none()
            && events.is_empty()
            && alerts.is_empty()
            && charges.is_empty()
            && evidence.is_empty()
            && lists.is_empty()
    }
}

/// What an erasure took away, and what it left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Erased {
    /// Whether the person was registered.
    pub subscriber: bool,
    /// Calls, replies and other events.
    pub events: u64,
    /// Alerts.
    pub alerts: u64,
    /// Records of what the person said.
    pub evidence: u64,
    /// Entries in lists, but that of the do-not-contact list.
    pub lists: u64,
    /// Whether the number stays on the do-not-contact list: the person refused, or was on it.
    pub do_not_contact: bool,
    /// Charges, which stay.
    pub charges_kept: u64,
}

/// Most events of one person in an export.
pub(crate) const EVERYTHING: usize = 100_000;

/// Notes that a person is on a list.
pub(crate) const fn put_on(listed: &mut Listed, list: List) {
    match list {
        List::Consent => listed.consent = true,
        List::Customers => listed.customers = true,
        List::DoNotContact => listed.do_not_contact = true,
    }
}

/// An alert in a timeline, as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimelineAlert {
    /// Its name.
    pub id: AlertId,
    /// The alert; `None` once it was pruned.
    pub alert: Option<Alert>,
}

/// One event in a person's timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TimelineEntry {
    /// Its place in the journal.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub verdict: Verdict,
    /// The alerts it made or changed, with their state now.
    pub alerts: Vec<TimelineAlert>,
}

/// Where decisions are taken and kept. Every method is one transaction; on an error nothing was applied.
pub trait Store: Clone + Send + Sync + 'static {
    /// Decides journaled events, in order, and applies their effects. An event that was settled before changes nothing and has no outcome.
    ///
    /// # Errors
    /// When nothing could be committed; the events stay undecided and are handed out again.
    fn settle(
        &self,
        batch: Vec<Journaled>,
        context: Context,
    ) -> impl Future<Output = Result<Settled, StoreError>> + Send;

    /// What [`Self::settle`] would decide of a call now, changing nothing. It neither waits for batches nor makes them wait.
    ///
    /// # Errors
    /// When what is known of the person can't be read.
    fn explain(&self, call: MissedCall, context: Context)
    -> impl Future<Output = Result<Explained, StoreError>> + Send;

    /// People whose call box asked to be looked at by `now`, the longest due first, at most `limit`; with `include_deferred`, those first who wait for
    /// the database to be normal.
    ///
    /// # Errors
    /// When it can't be read.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
        include_deferred: bool,
    ) -> impl Future<Output = Result<Vec<Msisdn>, StoreError>> + Send;

    /// Takes up to `room` alerts out of the queue, the longest waiting first. They are durably `sending` when it returns; of those no longer worth
    /// sending, [`Event::Dropped`] is journaled.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn lease(&self, room: usize, context: &Context) -> impl Future<Output = Result<Vec<Submit>, StoreError>> + Send;

    /// Takes up to `room` updates that are wanted of alerts that an SMSC has, the longest waiting first. They are durably on their way when it returns, and
    /// each is owed an [`Event::Updated`].
    ///
    /// # Errors
    /// When nothing could be committed.
    fn lease_updates(
        &self,
        room: usize,
        context: &Context,
    ) -> impl Future<Output = Result<Vec<UpdateOrder>, StoreError>> + Send;

    /// One subscriber.
    ///
    /// # Errors
    /// When it can't be read.
    fn subscriber(&self, number: Msisdn) -> impl Future<Output = Result<Option<Subscriber>, StoreError>> + Send;

    /// Registers or changes subscribers, all or none.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn put_subscribers(&self, subscribers: Vec<Subscriber>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Registers or changes one subscriber.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn put_subscriber(&self, subscriber: Subscriber) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.put_subscribers(vec![subscriber])
    }

    /// Changes one subscriber, and nobody who is not registered at this moment: what else is set meanwhile stays, and who unregisters meanwhile stays
    /// unregistered. The registration as it is now; `None`: the number is not registered.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn change_subscriber(
        &self,
        number: Msisdn,
        change: SubscriberChange,
    ) -> impl Future<Output = Result<Option<Subscriber>, StoreError>> + Send;

    /// Unregisters; whether the number was registered.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn delete_subscriber(&self, number: Msisdn) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Up to `limit` subscribers with numbers above `after`, in order of their numbers.
    ///
    /// # Errors
    /// When they can't be read.
    fn subscribers(
        &self,
        after: Option<Msisdn>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Subscriber>, StoreError>> + Send;

    /// How many people are registered.
    fn subscriber_count(&self) -> u64;

    /// The newest `limit` events of one person, the oldest of them first.
    ///
    /// # Errors
    /// When they can't be read.
    fn timeline(
        &self,
        called: Msisdn,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<TimelineEntry>, StoreError>> + Send;

    /// People counted in each range's quota.
    ///
    /// # Errors
    /// When it can't be read.
    fn usage(&self) -> impl Future<Output = Result<Vec<(RangeName, u64)>, StoreError>> + Send;

    /// What one person was charged for, the oldest first.
    ///
    /// # Errors
    /// When it can't be read.
    fn charges(&self, called: Msisdn) -> impl Future<Output = Result<Vec<Charge>, StoreError>> + Send;

    /// What one person said that is kept as evidence, the oldest first.
    ///
    /// # Errors
    /// When it can't be read.
    fn evidence(&self, called: Msisdn) -> impl Future<Output = Result<Vec<Evidence>, StoreError>> + Send;

    /// How far the teasers of each campaign came in each range, over all days, in the order of their names.
    ///
    /// # Errors
    /// When it can't be read.
    fn campaigns(&self) -> impl Future<Output = Result<Vec<CampaignCount>, StoreError>> + Send;

    /// The report of some days, the last included, of all nodes together, in the order of its key. What was decided without the database and is not handed
    /// over yet is not in it.
    ///
    /// # Errors
    /// When it can't be read; [`StoreError::Away`] while the database can't be asked.
    fn report(&self, from: Day, to: Day) -> impl Future<Output = Result<Vec<ReportRow>, StoreError>> + Send;

    /// The lists that a number is on.
    ///
    /// # Errors
    /// When they can't be read.
    fn entries_of(&self, number: Msisdn) -> impl Future<Output = Result<Vec<ListEntry>, StoreError>> + Send;

    /// Up to `limit` entries of a list with numbers above `after`, in order of their numbers.
    ///
    /// # Errors
    /// When they can't be read.
    fn list(
        &self,
        list: List,
        after: Option<Msisdn>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ListEntry>, StoreError>> + Send;

    /// Puts numbers on lists, all or none; how many were not on them yet. Who is on the list stays as they are.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn put_listed(&self, entries: Vec<ListEntry>) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Takes a number off a list; whether it was on it.
    ///
    /// # Errors
    /// When nothing could be committed.
    fn delete_listed(&self, list: List, number: Msisdn) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How many alerts are in each state.
    fn alert_counts(&self) -> AlertCounts;
}
