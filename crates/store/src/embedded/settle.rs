//! Settling: the rows that an event needs, the decision, and its effects.

use model::{AlertId, Day, MissedCall, Msisdn, SmscName, SubmitOutcome, UpdateOutcome, id_key};
use routing::{Alert, AlertState, CallBox, Decision, Effect, Event, NothingWhy, Part, RangeName, Verdict, View};

use super::memory::{Row, Sharing};
use super::open::ALERT_BITS;
use super::rows::{self, Decided};
use super::turn::Turn;
use crate::{Context, Explained, Journaled, Outcome, ReportRow, Seq, Settled, StoreError};

/// Whom an event is about.
pub(super) enum Subject {
    /// Nobody known here.
    Nobody,
    /// A person; the event belongs to the person's own chain.
    Person(Msisdn),
    /// An alert; the event belongs to the alert's chain.
    Alert(Box<Row<Alert>>),
}

/// An event to decide, with its place.
pub(super) struct Occurrence<'a> {
    pub(super) seq: i64,
    pub(super) event: &'a Event,
}

impl Turn<'_> {
    /// Settles journaled events in order.
    pub(super) fn settle(&mut self, batch: &[Journaled], context: &Context) -> Result<Settled, StoreError> {
        let mut settled = Settled { outcomes: Vec::with_capacity(batch.len()), ..Settled::default() };
        let mut last = None;
        self.draft.sharing = match (self.memory.shared, &self.draft.loaded) {
            (None, _) => Sharing::Alone,
            (Some(_), None) => Sharing::Local,
            (Some(_), Some(_)) => Sharing::Shared,
        };
        for Journaled { seq: Seq(seq), event, .. } in batch {
            if let Event::Dropped { alert } = event {
                self.draft.undropped.push(alert.0);
            }
            if self.is_open(*seq)? {
                self.settle_one(&Occurrence { seq: *seq, event }, context, &mut settled)?;
                self.draft.settled.insert(*seq);
                last = last.max(Some(*seq));
            }
        }
        if let Some(last) = last {
            settled.counted = self.count(last, Day::of(context.now, &context.policy.time_zone))?;
        }
        Ok(settled)
    }

    /// Adds what was counted to the report; beside a database it goes there with the batch that ends at this place.
    fn count(&mut self, last: i64, day: Day) -> Result<Vec<ReportRow>, StoreError> {
        let mut counted = self.draft.tally.take(day);
        if self.draft.shared.is_none() {
            rows::add_report(self.conn, &counted)?;
        } else if !counted.is_empty() {
            rows::put_counted(self.conn, last, counted.clone())?;
            self.draft.counted.clone_from(&counted);
        }
        counted.append(&mut self.draft.untold);
        Ok(counted)
    }

    /// Whether an event is journaled and not decided yet.
    fn is_open(&self, seq: i64) -> Result<bool, StoreError> {
        if self.draft.settled.contains(&seq) {
            return Ok(false);
        }
        if self.memory.outstanding.contains_key(&seq) {
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
        if let Event::Receipt(receipt) = what.event {
            let outcome = self.receive(what.seq, receipt, context)?;
            settled.add(outcome);
            return Ok(());
        }
        let subject = self.subject(what.event)?;
        let outcome = self.decide(what, subject, context)?;
        let given = given_ids(what.event, &outcome);
        settled.add(outcome);
        if let Some((alert, smsc, message_ids)) = given
            && self.draft.parked > 0
        {
            let before = settled.outcomes.len();
            for message_id in message_ids {
                self.replay(&smsc, &message_id, alert, context, settled)?;
            }
            // What the receipt changed is handed over with the answer that it waited for: its own place may have been handed over long ago.
            let replayed = settled.outcomes.get(before..).unwrap_or_default();
            let ids: Vec<_> = replayed.iter().flat_map(|outcome| outcome.alerts.iter().map(|alert| alert.id)).collect();
            if self.draft.shared.is_some() && !ids.is_empty() {
                rows::add_alerts(self.conn, what.seq, &ids)?;
            }
        }
        Ok(())
    }

    fn subject(&mut self, event: &Event) -> Result<Subject, StoreError> {
        let alert = match event {
            Event::Call(call) => return Ok(Subject::Person(call.called)),
            Event::Reply(reply) => return Ok(Subject::Person(reply.from)),
            Event::Due { called } => return Ok(Subject::Person(*called)),
            Event::Word(word) => return Ok(Subject::Person(word.to)),
            Event::Resend(resend) => return Ok(Subject::Person(resend.called)),
            Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => {
                self.take_alert(*alert)?
            }
            // Whose it is, is found apart.
            Event::Receipt(_) => None,
        };
        Ok(alert.map_or(Subject::Nobody, |row| Subject::Alert(Box::new(row))))
    }

    pub(super) fn decide(
        &mut self,
        what: &Occurrence<'_>,
        subject: Subject,
        context: &Context,
    ) -> Result<Outcome, StoreError> {
        let (called, concerned) = match subject {
            Subject::Nobody => return self.nobody(what, context),
            Subject::Person(called) => (called, None),
            Subject::Alert(row) => (row.value.to, Some(*row)),
        };
        let mut call_box = self.take_box(called)?;
        match &self.draft.loaded {
            Some(loaded) if !loaded.boxes.contains_key(&called.as_u64()) => return Err(StoreError::NotLoaded),
            Some(_) => {}
            None => self.distrust(&mut call_box)?,
        }
        let own_chain = concerned.is_none();
        let earlier = if let Event::Resend(resend) = what.event { self.look_at_alert(resend.of)? } else { None };
        let alert = match (concerned, call_box.value.open) {
            (Some(row), _) => Some(row),
            (None, Some(open)) => self.take_alert(open)?,
            (None, None) => None,
        };
        let range = context.policy.ranges.find(called);
        let view = View { earlier, ..self.view(call_box.value, alert.as_ref().map(|row| row.value.clone()), context)? };
        let decision = routing::decide(&context.policy, &view, what.event, context.now);
        let alerts: Vec<Alert> = decision.alerts().cloned().collect();
        if let Some(row) = alert.as_ref().filter(|row| !own_chain && !row.dirty && row.stored.is_none()) {
            // Another node's, which becomes a row here.
            self.count_state(None, Some(&row.value));
        }
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
        self.draft.tally.decided(range.map(|range| &range.name), what.event, verdict);
        let rest = self.apply(decision, range.map(|range| &range.name))?;
        let ids = alerts.iter().map(|alert| alert.id).collect();
        rows::put_decision(self.conn, &Decided { seq: what.seq, at: context.now, verdict, alerts: ids, prev, rest })?;
        Ok(Outcome {
            seq: Seq(what.seq),
            called: Some(called),
            event: what.event.as_str(),
            verdict,
            alerts,
            receipt: None,
        })
    }

    /// What is known of a person beside box and alert.
    pub(super) fn view(&self, call_box: CallBox, alert: Option<Alert>, context: &Context) -> Result<View, StoreError> {
        let called = call_box.called;
        let range = context.policy.ranges.find(called);
        Ok(View {
            call_box,
            alert,
            earlier: None,
            subscriber: self.subscriber(called)?,
            registry_loaded: self.draft.registry_loaded,
            listed: self.listed(called)?,
            campaign_turn: range.map_or(0, |range| self.campaign_turn(&range.name)),
            range_used: range.map_or(0, |range| self.used(&range.name)),
            database: context.database,
            next_alert: AlertId(self.draft.next_alert),
        })
    }

    /// What would be decided of a call now. Box and alert are looked at, and nothing is applied.
    pub(super) fn explain(&mut self, call: &MissedCall, context: &Context) -> Result<Explained, StoreError> {
        let row = self.take_box(call.called)?;
        let call_box = self.trusted(&row)?;
        // Of somebody of whom nothing is known, nothing is kept in memory.
        if row.stored.is_some() || row.dirty {
            self.put_box(row);
        }
        let alert = call_box.open.map(|open| self.look_at_alert(open)).transpose()?.flatten();
        let view = self.view(call_box, alert, context)?;
        Ok(Explained::of(call, view, context))
    }

    fn look_at_alert(&mut self, id: AlertId) -> Result<Option<Alert>, StoreError> {
        Ok(self.take_alert(id)?.map(|row| {
            let alert = row.value.clone();
            self.put_alert(row);
            alert
        }))
    }

    /// An event about an alert that isn't known here.
    fn nobody(&mut self, what: &Occurrence<'_>, context: &Context) -> Result<Outcome, StoreError> {
        let verdict = Verdict::Nothing(NothingWhy::Unmatched);
        let (alerts, rest) = (Vec::new(), Vec::new());
        let decided = Decided { seq: what.seq, at: context.now, verdict, alerts, prev: None, rest };
        rows::put_decision(self.conn, &decided)?;
        Ok(Outcome {
            seq: Seq(what.seq),
            called: None,
            event: what.event.as_str(),
            verdict,
            alerts: Vec::new(),
            receipt: None,
        })
    }

    /// Applies what was decided; gives back what is to be handed over beside box and alerts, where there is somebody to hand it to.
    pub(super) fn apply(&mut self, decision: Decision, range: Option<&RangeName>) -> Result<Vec<Effect>, StoreError> {
        let mut rest = Vec::new();
        let shared = self.memory.shared.is_some();
        for effect in decision.effects {
            if shared && !matches!(effect, Effect::CallBox(_) | Effect::Alert(_) | Effect::Word(_)) {
                rest.push(effect.clone());
            }
            match effect {
                Effect::CallBox(call_box) => {
                    let row = self.take_box(call_box.called)?;
                    self.put_box(Row { value: call_box, dirty: true, ..row });
                }
                Effect::Alert(alert) => self.apply_alert(alert, range)?,
                Effect::Count(name) => {
                    let used = self.used(&name).saturating_add(1);
                    self.draft.usage.insert(name, used);
                }
                Effect::Charge(charge) => rows::insert_charge(self.conn, &charge)?,
                Effect::Subscribe(subscriber) => {
                    self.put_subscriber(&subscriber)?;
                    self.remember(subscriber.number, Some(subscriber));
                }
                Effect::ChangeSubscriber(subscriber) => {
                    // Whom this node does not know, or no longer, the database's change feed tells it of.
                    if self.is_registered(subscriber.number) {
                        self.put_subscriber(&subscriber)?;
                    }
                    self.remember(subscriber.number, Some(subscriber));
                }
                Effect::Unsubscribe(number) => {
                    self.delete_subscriber(number)?;
                    self.remember(number, None);
                }
                // In the transaction of the decision: the word is there if and only if that is, and has a place of its own, decided once like any event.
                Effect::Word(word) => {
                    self.append(&[Event::Word(word)])?;
                }
                // Beside a database these are its own: they go there with the decision.
                Effect::Evidence(_) | Effect::Campaign(_) if shared => {}
                Effect::Evidence(evidence) => rows::insert_evidence(self.conn, &evidence)?,
                Effect::Campaign(step) => rows::count_campaign(self.conn, &step)?,
            }
        }
        self.draft.rest.extend(rest.iter().cloned());
        Ok(rest)
    }

    fn apply_alert(&mut self, alert: Alert, range: Option<&RangeName>) -> Result<(), StoreError> {
        // An alert that another node made has its number, which says nothing of ours.
        let own = self.draft.shared.is_none_or(|shared| alert.id.0 >> ALERT_BITS == shared.node);
        let known = if own && alert.id.0 >= self.draft.next_alert { None } else { self.take_alert(alert.id)? };
        // One that was only looked at is not among those that are counted here.
        let counted = known.as_ref().filter(|row| row.dirty || row.stored.is_some()).map(|row| &row.value);
        let before: &[Part] = match known.as_ref().map(|row| &row.value.state) {
            Some(AlertState::Accepted { parts, .. }) => parts,
            Some(_) | None => &[],
        };
        if let AlertState::Accepted { smsc, parts, .. } = &alert.state {
            // An update may have given it another id; receipts may still come by the one before, which stays.
            for part in parts.iter().filter(|part| !before.iter().any(|known| known.id == part.id)) {
                rows::insert_part(self.conn, &smsc.0, &id_key(&part.id), alert.to, alert.id)?;
            }
        }
        self.count_state(counted, Some(&alert));
        self.draft.tally.moved(range, known.as_ref().map(|row| &row.value.state), &alert);
        if let (None, Some(_), Some(range)) = (&known, &alert.campaign, range) {
            let turn = self.campaign_turn(range).saturating_add(1);
            self.draft.turns.insert(range.clone(), turn);
        }
        if own {
            self.draft.next_alert = self.draft.next_alert.max(alert.id.0.saturating_add(1));
        }
        let (last, stored) = known.map_or((None, None), |row| (row.last, row.stored));
        self.put_alert(Row { value: alert, last, stored, dirty: true, sharing: Sharing::Alone });
        Ok(())
    }
}

/// The message ids that an answer gave to its alert, if it took it or its update: receipts may have come before.
fn given_ids(event: &Event, outcome: &Outcome) -> Option<(AlertId, SmscName, Vec<String>)> {
    match event {
        Event::Submitted { alert, outcome: SubmitOutcome::Accepted { smsc, message_ids }, .. } => {
            (outcome.verdict == Verdict::Alert).then(|| (*alert, smsc.clone(), message_ids.clone()))
        }
        Event::Updated { alert, outcome: UpdateOutcome::Replaced { message_id: Some(id) }, .. } => {
            let state = outcome.alerts.iter().find(|changed| changed.id == *alert).map(|changed| &changed.state)?;
            let AlertState::Accepted { smsc, .. } = state else { return None };
            Some((*alert, smsc.clone(), vec![id.clone()]))
        }
        Event::Submitted { .. }
        | Event::Updated { .. }
        | Event::Call(_)
        | Event::Receipt(_)
        | Event::Reply(_)
        | Event::Word(_)
        | Event::Resend(_)
        | Event::Dropped { .. }
        | Event::Due { .. } => None,
    }
}

impl Settled {
    pub(super) fn add(&mut self, outcome: Outcome) {
        let queued = |alert: &&Alert| matches!(alert.state, AlertState::Queued { .. });
        self.queued = self.queued.saturating_add(outcome.alerts.iter().filter(queued).count());
        self.outcomes.push(outcome);
    }
}
