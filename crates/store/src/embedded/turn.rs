//! One transaction: what it has read and changed so far, and how that is written at its end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use model::{AlertId, Msisdn, SmscName, Timestamp};
use roaring::RoaringTreemap;
use routing::{Alert, CallBox, Effect, Event, Listed, RangeName, Subscriber};
use rusqlite::Connection;

use super::memory::{Alerts, Boxes, Memory, Row, STATES, Shared, Sharing, due, lane, place_of};
use super::receipts::Habits;
use super::sharing::Loaded;
use super::{repeats, rows};
use crate::report::Tally;
use crate::{Journaled, ReportRow, Seq, StoreError};

/// What a transaction changes in memory once it is committed. Dropped whole when it is not.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) boxes: HashMap<u64, Row<CallBox>>,
    pub(super) alerts: HashMap<i64, Row<Alert>>,
    pub(super) usage: HashMap<RangeName, u64>,
    /// Teasers with a campaign queued, by range, where one is new.
    pub(super) turns: HashMap<RangeName, u64>,
    pub(super) registered: HashMap<u64, bool>,
    /// By number, what the batch that is settled with what the database says has made of people so far; `None`: no longer registered.
    pub(super) people: HashMap<u64, Option<Subscriber>>,
    /// The registry, where it is taken anew.
    pub(super) registry: Option<RoaringTreemap>,
    pub(super) registry_loaded: bool,
    pub(super) settled: HashSet<i64>,
    pub(super) journaled: Vec<Journaled>,
    pub(super) repeats: HashMap<repeats::Key, Timestamp>,
    pub(super) next_seq: i64,
    pub(super) next_alert: i64,
    pub(super) counts: [u64; 9],
    pub(super) parked: u64,
    pub(super) parked_dropped: u64,
    /// Of the SMSCs of which something was learned.
    pub(super) habits: HashMap<SmscName, Habits>,
    pub(super) shared: Option<Shared>,
    pub(super) held: Option<HashSet<u64>>,
    pub(super) in_doubt: Option<bool>,
    pub(super) doubted: Option<HashSet<u64>>,
    pub(super) dropping: Vec<i64>,
    pub(super) undropped: Vec<i64>,
    pub(super) quarantined: u64,
    /// What the job at hand changes means for others.
    pub(super) sharing: Sharing,
    /// What the database says, while a batch is decided by it.
    pub(super) loaded: Option<Arc<Loaded>>,
    /// Effects of the job at hand beside boxes and alerts.
    pub(super) rest: Vec<Effect>,
    /// What the job at hand adds to the report, as it is decided.
    pub(super) tally: Tally,
    /// The same at its end, to be handed over.
    pub(super) counted: Vec<ReportRow>,
    /// What was counted outside of settling, and is told with the next.
    pub(super) untold: Vec<ReportRow>,
}

impl Draft {
    fn new(memory: &Memory) -> Self {
        Self {
            registry_loaded: memory.registry_loaded,
            next_seq: memory.next_seq,
            next_alert: memory.next_alert,
            counts: memory.counts,
            parked: memory.parked,
            parked_dropped: memory.parked_dropped,
            shared: memory.shared,
            quarantined: memory.quarantined,
            untold: memory.untold.clone(),
            ..Self::default()
        }
    }

    /// Gives the rows of a committed transaction back to the caches.
    pub(super) fn keep_rows(&mut self, boxes: &mut Boxes, alerts: &mut Alerts) {
        for (called, row) in self.boxes.drain() {
            boxes.insert(called, row);
        }
        for (id, row) in self.alerts.drain() {
            if row.value.state.is_final() {
                alerts.remove(&id);
            } else {
                alerts.insert(id, row);
            }
        }
    }
}

/// One transaction of the writer, open on its connection.
pub(super) struct Turn<'a> {
    pub(super) conn: &'a Connection,
    pub(super) memory: &'a Memory,
    boxes: &'a mut Boxes,
    alerts: &'a mut Alerts,
    pub(super) draft: Draft,
}

impl<'a> Turn<'a> {
    pub(super) fn open(
        conn: &'a Connection,
        memory: &'a Memory,
        boxes: &'a mut Boxes,
        alerts: &'a mut Alerts,
    ) -> Result<Self, StoreError> {
        conn.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { conn, memory, boxes, alerts, draft: Draft::new(memory) })
    }

    /// Writes what is still only in memory and commits.
    pub(super) fn commit(mut self) -> Result<Draft, StoreError> {
        self.write_rows()?;
        for (name, used) in &self.draft.usage {
            rows::put_usage(self.conn, name, *used)?;
        }
        for (range, turn) in &self.draft.turns {
            rows::put_turn(self.conn, range, *turn)?;
        }
        self.write_meta()?;
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(self.draft)
    }

    fn write_meta(&self) -> Result<(), StoreError> {
        let (draft, memory) = (&self.draft, self.memory);
        if draft.next_seq != memory.next_seq {
            rows::set_meta(self.conn, "next_seq", draft.next_seq)?;
        }
        if draft.next_alert != memory.next_alert {
            rows::set_meta(self.conn, "next_alert", draft.next_alert)?;
        }
        if !draft.settled.is_empty() {
            rows::set_meta(self.conn, "settled_below", memory.settled_below())?;
        }
        if let (Some(now), Some(before)) = (draft.shared, memory.shared) {
            if now.applied != before.applied {
                rows::set_meta(self.conn, "applied", now.applied)?;
            }
            if now.alone != before.alone {
                rows::set_meta(self.conn, "alone", i64::from(now.alone))?;
            }
            if now.sent != before.sent {
                rows::set_meta(self.conn, "sent", now.sent)?;
            }
        }
        if draft.registry_loaded != memory.registry_loaded {
            rows::set_meta(self.conn, "registry_loaded", 1)?;
        }
        for ((state, count), before) in STATES.iter().zip(draft.counts).zip(memory.counts) {
            if count != before {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                rows::set_meta(self.conn, &format!("alerts_{state}"), count)?;
            }
        }
        Ok(())
    }

    /// Writes changed boxes and alerts, in the order of their keys, so that neighbours meet in one page.
    pub(super) fn write_rows(&mut self) -> Result<(), StoreError> {
        let mut boxes: Vec<_> = self.draft.boxes.values_mut().filter(|row| row.dirty).collect();
        boxes.sort_unstable_by_key(|row| row.value.called);
        for row in boxes {
            let indexed = due(&row.value);
            rows::put_box(self.conn, row, indexed)?;
            row.stored = Some(indexed);
            row.dirty = false;
        }
        let mut alerts: Vec<_> = self.draft.alerts.values_mut().filter(|row| row.dirty).collect();
        alerts.sort_unstable_by_key(|row| row.value.id);
        for row in alerts {
            let indexed = lane(&row.value);
            rows::put_alert(self.conn, row, indexed)?;
            row.stored = Some(indexed);
            row.dirty = false;
        }
        Ok(())
    }

    /// Journals events; whether each is a call reported before. Such a repeat isn't journaled again: the first one is committed, or is with this one.
    pub(super) fn append(&mut self, events: &[Event]) -> Result<Vec<bool>, StoreError> {
        events.iter().map(|event| self.append_one(event)).collect()
    }

    fn append_one(&mut self, event: &Event) -> Result<bool, StoreError> {
        if let Event::Call(call) = event {
            let key = self.memory.repeats.key(call);
            if self.draft.repeats.contains_key(&key) || self.memory.repeats.contains(key, call.at) {
                return Ok(true);
            }
            self.draft.repeats.insert(key, call.at);
        }
        let seq = self.take_seq();
        rows::insert_event(self.conn, seq, event)?;
        self.draft.journaled.push(Journaled { seq: Seq(seq), event: event.clone(), since: Instant::now() });
        Ok(false)
    }

    pub(super) fn take_seq(&mut self) -> i64 {
        let seq = self.draft.next_seq;
        self.draft.next_seq = seq.saturating_add(1);
        seq
    }

    /// Takes a box out of the draft, to be put back.
    pub(super) fn take_box(&mut self, called: Msisdn) -> Result<Row<CallBox>, StoreError> {
        let key = called.as_u64();
        if let Some(row) = self.draft.boxes.remove(&key).or_else(|| self.boxes.remove(&key)) {
            return Ok(row);
        }
        let sharing = Sharing::Alone;
        let empty = || Row { value: CallBox::empty(called), last: None, stored: None, dirty: false, sharing };
        Ok(rows::call_box(self.conn, called)?.unwrap_or_else(empty))
    }

    pub(super) fn put_box(&mut self, mut row: Row<CallBox>) {
        if row.dirty {
            row.sharing = self.draft.sharing;
        }
        self.draft.boxes.insert(row.value.called.as_u64(), row);
    }

    /// Takes an alert out of the draft, to be put back.
    pub(super) fn take_alert(&mut self, id: AlertId) -> Result<Option<Row<Alert>>, StoreError> {
        match self.draft.alerts.remove(&id.0).or_else(|| self.alerts.remove(&id.0)) {
            Some(row) => Ok(Some(row)),
            None => rows::alert(self.conn, id),
        }
    }

    pub(super) fn put_alert(&mut self, row: Row<Alert>) {
        self.draft.alerts.insert(row.value.id.0, row);
    }

    /// Forgets what memory holds of an alert whose row goes.
    pub(super) fn forget_alert(&mut self, id: AlertId) -> Result<(), StoreError> {
        self.take_alert(id).map(drop)
    }

    /// Forgets what memory holds of a box whose row goes.
    pub(super) fn forget_box(&mut self, called: Msisdn) -> Result<(), StoreError> {
        self.take_box(called).map(drop)
    }

    /// Counts an alert that moved from one state to another; `None`: it is new, or gone.
    pub(super) fn count_state(&mut self, before: Option<&Alert>, after: Option<&Alert>) {
        for (alert, by) in [(before, -1), (after, 1)] {
            if let Some(count) = alert.and_then(|alert| self.draft.counts.get_mut(place_of(&alert.state))) {
                *count = count.saturating_add_signed(by);
            }
        }
    }

    pub(super) fn subscriber(&self, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
        if let Some(loaded) = &self.draft.loaded {
            let number = number.as_u64();
            let changed = self.draft.people.get(&number).map(Option::as_ref);
            return Ok(changed.unwrap_or_else(|| loaded.subscribers.get(&number)).cloned());
        }
        if !self.is_registered(number) {
            return Ok(None);
        }
        let found = rows::subscriber(self.conn, number)?;
        // Beside a database only those are kept in rows of whom more is known than that they are registered.
        Ok(found.or_else(|| self.memory.shared.map(|_| plain_subscriber(number))))
    }

    pub(super) fn put_subscriber(&mut self, subscriber: &Subscriber) -> Result<(), StoreError> {
        if self.memory.shared.is_none() {
            rows::put_subscriber(self.conn, subscriber)?;
        } else {
            let plain = plain_subscriber(subscriber.number);
            if (Subscriber { since: plain.since, ..subscriber.clone() }) == plain {
                rows::delete_subscriber(self.conn, subscriber.number)?;
            } else {
                rows::put_subscriber(self.conn, subscriber)?;
            }
            rows::note_registration(self.conn, subscriber.number, true)?;
        }
        self.draft.registered.insert(subscriber.number.as_u64(), true);
        self.draft.registry_loaded = true;
        Ok(())
    }

    /// What a decision makes of a registration, for those after it in a batch that is settled with what the database says.
    pub(super) fn remember(&mut self, number: Msisdn, now: Option<Subscriber>) {
        if self.draft.loaded.is_some() {
            self.draft.people.insert(number.as_u64(), now);
        }
    }

    pub(super) fn is_registered(&self, number: Msisdn) -> bool {
        let changed = self.draft.registered.get(&number.as_u64()).copied();
        changed.unwrap_or_else(|| self.memory.is_registered(number))
    }

    pub(super) fn delete_subscriber(&mut self, number: Msisdn) -> Result<bool, StoreError> {
        let known = self.is_registered(number);
        self.draft.registered.insert(number.as_u64(), false);
        if self.memory.shared.is_some() {
            rows::note_registration(self.conn, number, false)?;
        }
        rows::delete_subscriber(self.conn, number)?;
        Ok(known)
    }

    /// Teasers with a campaign that this node has queued for a range.
    pub(super) fn campaign_turn(&self, range: &RangeName) -> u64 {
        self.draft.turns.get(range).or_else(|| self.memory.turns.get(range)).copied().unwrap_or(0)
    }

    /// The lists that a person is on, as far as this store may know: beside a database only while that decides.
    pub(super) fn listed(&self, number: Msisdn) -> Result<Listed, StoreError> {
        match (&self.draft.loaded, self.memory.shared) {
            (Some(loaded), _) => Ok(loaded.listed.get(&number.as_u64()).copied().unwrap_or_default()),
            (None, Some(_)) => Ok(Listed::default()),
            (None, None) => rows::listed(self.conn, number),
        }
    }

    /// Looks at who waits for an alert again, whose lists changed: a teaser that is queued may not be wanted any more.
    pub(super) fn look_again(&mut self, called: Msisdn) -> Result<(), StoreError> {
        let row = self.take_box(called)?;
        let waits = row.value.open.is_some();
        // Of all others, who may be many, nothing is kept in memory.
        if waits || row.dirty {
            self.put_box(row);
        }
        if waits {
            self.append(&[Event::Due { called }])?;
        }
        Ok(())
    }

    pub(super) fn used(&self, name: &RangeName) -> u64 {
        self.draft.usage.get(name).or_else(|| self.memory.usage.get(name)).copied().unwrap_or(0)
    }
}

/// A registered person of whom nothing else is known.
pub(super) const fn plain_subscriber(number: Msisdn) -> Subscriber {
    Subscriber::new(number, Timestamp::from_millis(0))
}
