//! Settling: the rows that an event needs, the decision, and its effects.

use model::{AlertId, Msisdn, Receipt, SubmitOutcome};
use routing::{Alert, AlertState, Decision, Effect, Event, NothingWhy, Verdict, View};

use super::memory::Row;
use super::rows::{self, Decided};
use super::turn::Turn;
use crate::{Context, Journaled, Outcome, Seq, Settled, StoreError};

/// Receipts kept for an answer that has not come yet. A receipt outruns its answer by seconds; this is what a whole SMSC's worth of foreign receipts
/// may take of the disk (some ten megabytes), not what is needed.
const PARKED: u64 = 100_000;

/// Alerts looked at when an SMSC gave one message id to many.
const SAME_ID: i64 = 16;

/// Whom an event is about.
enum Subject {
    /// Nobody known here.
    Nobody,
    /// A person; the event belongs to the person's own chain.
    Person(Msisdn),
    /// An alert; the event belongs to the alert's chain.
    Alert(Box<Row<Alert>>),
}

/// An event to decide, with its place.
struct Occurrence<'a> {
    seq: i64,
    event: &'a Event,
}

impl Turn<'_> {
    /// Settles journaled events in order.
    pub(super) fn settle(&mut self, batch: &[Journaled], context: &Context) -> Result<Settled, StoreError> {
        let mut settled = Settled { outcomes: Vec::with_capacity(batch.len()), queued: 0 };
        for Journaled { seq: Seq(seq), event, .. } in batch {
            if self.is_open(*seq)? {
                self.settle_one(&Occurrence { seq: *seq, event }, context, &mut settled)?;
                self.draft.settled.insert(*seq);
            }
        }
        Ok(settled)
    }

    /// Looks at these boxes now. Each look is journaled with its decision.
    pub(super) fn settle_due(&mut self, called: &[Msisdn], context: &Context) -> Result<Settled, StoreError> {
        let mut settled = Settled { outcomes: Vec::with_capacity(called.len()), queued: 0 };
        let event = Event::Due;
        for called in called {
            let seq = self.take_seq();
            rows::insert_event(self.conn, seq, &event)?;
            let outcome = self.decide(&Occurrence { seq, event: &event }, Subject::Person(*called), context)?;
            settled.add(outcome);
        }
        Ok(settled)
    }

    /// Whether an event is journaled and not decided yet.
    fn is_open(&self, seq: i64) -> Result<bool, StoreError> {
        if self.draft.settled.contains(&seq) {
            return Ok(false);
        }
        if self.memory.outstanding.contains(&seq) {
            return Ok(true);
        }
        Ok(seq >= self.memory.settled_below()
            && rows::is_journaled(self.conn, seq)?
            && !rows::is_decided(self.conn, seq)?)
    }

    fn settle_one(
        &mut self,
        what: &Occurrence<'_>,
        context: &Context,
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        let subject = self.subject(what.event)?;
        if let (Subject::Nobody, Event::Receipt(receipt)) = (&subject, what.event) {
            self.park(what.seq, receipt, context)?;
        }
        let outcome = self.decide(what, subject, context)?;
        let took = matches!((what.event, outcome.verdict), (Event::Submitted { .. }, Verdict::Alert));
        settled.add(outcome);
        if let Event::Submitted { alert, outcome: SubmitOutcome::Accepted { smsc, message_ids }, .. } = what.event
            && took
            && self.draft.parked > 0
        {
            for message_id in message_ids {
                for seq in rows::parked(self.conn, &smsc.0, message_id)? {
                    self.replay(seq, *alert, context, settled)?;
                }
            }
        }
        Ok(())
    }

    /// A receipt that came before the answer it belongs to is decided now.
    fn replay(&mut self, seq: i64, id: AlertId, context: &Context, settled: &mut Settled) -> Result<(), StoreError> {
        let (Some(event), Some(row)) = (rows::event(self.conn, seq)?, self.take_alert(id)?) else { return Ok(()) };
        let to = row.value.to;
        let fits = match &event {
            Event::Receipt(Receipt { handset: Some(handset), .. }) if *handset == to => true,
            Event::Receipt(Receipt { smsc, message_id, .. }) => {
                // Where an SMSC gives one id to many, a receipt that names no handset of ours could be anyone's.
                rows::alerts_of_part(self.conn, &smsc.0, message_id, None, SAME_ID)? == [id]
            }
            _ => false,
        };
        if !fits {
            self.put_alert(row);
            return Ok(());
        }
        rows::unpark(self.conn, seq)?;
        self.draft.parked = self.draft.parked.saturating_sub(1);
        let outcome = self.decide(&Occurrence { seq, event: &event }, Subject::Alert(Box::new(row)), context)?;
        settled.add(outcome);
        Ok(())
    }

    fn park(&mut self, seq: i64, receipt: &Receipt, context: &Context) -> Result<(), StoreError> {
        if self.draft.parked >= PARKED {
            let gone = rows::unpark_oldest(self.conn)?;
            self.draft.parked = self.draft.parked.saturating_sub(gone as u64);
        }
        rows::park(self.conn, seq, context.now, &receipt.smsc.0, &receipt.message_id)?;
        self.draft.parked = self.draft.parked.saturating_add(1);
        Ok(())
    }

    fn subject(&mut self, event: &Event) -> Result<Subject, StoreError> {
        let alert = match event {
            Event::Call(call) => return Ok(Subject::Person(call.called)),
            Event::Reply(reply) => return Ok(Subject::Person(reply.from)),
            Event::Submitted { alert, .. } | Event::Dropped { alert } => self.take_alert(*alert)?,
            Event::Receipt(receipt) => self.alert_of(receipt)?,
            // A look is asked for by number (`settle_due`); without one there is nobody to look at.
            Event::Due => None,
        };
        Ok(alert.map_or(Subject::Nobody, |row| Subject::Alert(Box::new(row))))
    }

    /// The alert that a receipt is about: the only one with that message id, and of that handset where the receipt names one. Where an SMSC gives
    /// one id to many, the only one of that handset that still waits for a receipt.
    fn alert_of(&mut self, receipt: &Receipt) -> Result<Option<Row<Alert>>, StoreError> {
        let ids = rows::alerts_of_part(self.conn, &receipt.smsc.0, &receipt.message_id, receipt.handset, SAME_ID)?;
        if let [only] = ids.as_slice() {
            return self.take_alert(*only);
        }
        if ids.is_empty() && receipt.handset.is_some() {
            // Some SMSCs name themselves, an IMSI or our own code as the source: then the id decides, if only one alert has it.
            let ids = rows::alerts_of_part(self.conn, &receipt.smsc.0, &receipt.message_id, None, SAME_ID)?;
            return if let [only] = ids.as_slice() { self.take_alert(*only) } else { Ok(None) };
        }
        if receipt.handset.is_none() {
            return Ok(None);
        }
        let mut waiting = None;
        for id in ids {
            let Some(row) = self.take_alert(id)? else { continue };
            let waits = matches!(row.value.state, AlertState::Accepted { .. });
            self.put_alert(row);
            match (waits, waiting) {
                (false, _) => {}
                (true, None) => waiting = Some(id),
                (true, Some(_)) => return Ok(None),
            }
        }
        waiting.map_or(Ok(None), |id| self.take_alert(id))
    }

    fn decide(&mut self, what: &Occurrence<'_>, subject: Subject, context: &Context) -> Result<Outcome, StoreError> {
        let (called, concerned) = match subject {
            Subject::Nobody => return self.nobody(what, context),
            Subject::Person(called) => (called, None),
            Subject::Alert(row) => (row.value.to, Some(*row)),
        };
        let call_box = self.take_box(called)?;
        let own_chain = concerned.is_none();
        let alert = match (concerned, call_box.value.open) {
            (Some(row), _) => Some(row),
            (None, Some(open)) => self.take_alert(open)?,
            (None, None) => None,
        };
        let range = context.policy.ranges.find(called);
        let view = View {
            call_box: call_box.value,
            alert: alert.as_ref().map(|row| row.value.clone()),
            subscriber: self.subscriber(called)?,
            registry_loaded: self.draft.registry_loaded,
            range_used: range.map_or(0, |range| self.used(&range.name)),
            database: context.database,
            next_alert: AlertId(self.draft.next_alert),
        };
        let decision = routing::decide(&context.policy, &view, what.event, context.now);
        let alerts: Vec<Alert> = decision.alerts().cloned().collect();
        let mut call_box = Row { value: view.call_box, ..call_box };
        let mut alert = alert;
        let prev = if own_chain {
            call_box.dirty = true;
            call_box.last.replace(what.seq)
        } else {
            alert.as_mut().and_then(|row| {
                row.dirty = true;
                row.last.replace(what.seq)
            })
        };
        self.put_box(call_box);
        if let Some(row) = alert {
            self.put_alert(row);
        }
        let verdict = decision.verdict;
        self.apply(decision)?;
        let ids = alerts.iter().map(|alert| alert.id).collect();
        rows::put_decision(self.conn, &Decided { seq: what.seq, at: context.now, verdict, alerts: ids, prev })?;
        Ok(Outcome { seq: Seq(what.seq), called: Some(called), event: what.event.as_str(), verdict, alerts })
    }

    /// An event about an alert that isn't known here.
    fn nobody(&mut self, what: &Occurrence<'_>, context: &Context) -> Result<Outcome, StoreError> {
        let verdict = Verdict::Nothing(NothingWhy::Unmatched);
        let decided = Decided { seq: what.seq, at: context.now, verdict, alerts: Vec::new(), prev: None };
        rows::put_decision(self.conn, &decided)?;
        Ok(Outcome { seq: Seq(what.seq), called: None, event: what.event.as_str(), verdict, alerts: Vec::new() })
    }

    fn apply(&mut self, decision: Decision) -> Result<(), StoreError> {
        for effect in decision.effects {
            match effect {
                Effect::CallBox(call_box) => {
                    let row = self.take_box(call_box.called)?;
                    self.put_box(Row { value: call_box, dirty: true, ..row });
                }
                Effect::Alert(alert) => self.apply_alert(alert)?,
                Effect::Count(name) => {
                    let used = self.used(&name).saturating_add(1);
                    self.draft.usage.insert(name, used);
                }
                Effect::Charge(charge) => rows::insert_charge(self.conn, &charge)?,
                Effect::Subscribe(subscriber) => self.put_subscriber(&subscriber)?,
                Effect::Unsubscribe(number) => {
                    self.delete_subscriber(number)?;
                }
            }
        }
        Ok(())
    }

    fn apply_alert(&mut self, alert: Alert) -> Result<(), StoreError> {
        let known = if alert.id.0 >= self.draft.next_alert { None } else { self.take_alert(alert.id)? };
        let was_accepted = known.as_ref().is_some_and(|row| matches!(row.value.state, AlertState::Accepted { .. }));
        if let AlertState::Accepted { smsc, parts, .. } = &alert.state
            && !was_accepted
        {
            for part in parts {
                rows::insert_part(self.conn, &smsc.0, &part.id, alert.to, alert.id)?;
            }
        }
        self.count_state(known.as_ref().map(|row| &row.value), Some(&alert));
        self.draft.next_alert = self.draft.next_alert.max(alert.id.0.saturating_add(1));
        let (last, stored) = known.map_or((None, None), |row| (row.last, row.stored));
        self.put_alert(Row { value: alert, last, stored, dirty: true });
        Ok(())
    }

    /// An alert that waited too long is given up, with what follows for its person.
    pub(super) fn drop_alert(&mut self, row: Row<Alert>, context: &Context) -> Result<(), StoreError> {
        let event = Event::Dropped { alert: row.value.id };
        let seq = self.take_seq();
        rows::insert_event(self.conn, seq, &event)?;
        self.decide(&Occurrence { seq, event: &event }, Subject::Alert(Box::new(row)), context)?;
        Ok(())
    }
}

impl Settled {
    fn add(&mut self, outcome: Outcome) {
        let queued = |alert: &&Alert| matches!(alert.state, AlertState::Queued { .. });
        self.queued = self.queued.saturating_add(outcome.alerts.iter().filter(queued).count());
        self.outcomes.push(outcome);
    }
}
