//! The gateway as the pure core sees it: a store in memory that applies effects, and what a node does around it.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AlertId, Kind, MissedCall, Msisdn, NoAnswer, Receipt, Submit, SubmitOutcome, Timestamp, UpdateOrder, UpdateOutcome,
};
use routing::{
    Alert, AlertState, CallBox, Database, Decision, Effect, Event, Leased, Listed, Policy, Subscriber, Verdict, View,
    decide,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ledger::{Ledger, Step};

pub(crate) struct Gateway {
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    pub(crate) database: Database,
    pub(crate) boxes: BTreeMap<Msisdn, CallBox>,
    pub(crate) alerts: BTreeMap<AlertId, Alert>,
    pub(crate) subscribers: BTreeMap<Msisdn, Subscriber>,
    /// The copy of the subscribers that is asked while the database is abnormal.
    pub(crate) registry: Option<BTreeMap<Msisdn, Subscriber>>,
    pub(crate) ledger: Ledger,
    pub(crate) decisions: u64,
    /// Every verdict that was given.
    pub(crate) verdicts: BTreeSet<(&'static str, &'static str)>,
    /// Every outcome of an update that counted, and whether an attempt before it was not answered.
    pub(crate) updated: BTreeSet<(&'static str, bool)>,
    /// Everybody counted in the one range.
    counted: BTreeSet<Msisdn>,
    /// Whose message is whose.
    message_ids: BTreeMap<String, AlertId>,
    /// Receipts that came before the answer to their submit.
    parked: Vec<Receipt>,
    next_alert: AlertId,
}

impl Gateway {
    pub(crate) fn new(policy: Policy, now: Timestamp) -> Self {
        Self {
            policy,
            now,
            database: Database::Normal,
            boxes: BTreeMap::new(),
            alerts: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            registry: None,
            ledger: Ledger::default(),
            decisions: 0,
            verdicts: BTreeSet::new(),
            updated: BTreeSet::new(),
            counted: BTreeSet::new(),
            message_ids: BTreeMap::new(),
            parked: Vec::new(),
            next_alert: AlertId(1),
        }
    }

    pub(crate) fn abnormal(&self) -> bool {
        self.database == Database::Abnormal
    }

    fn view(&self, called: Msisdn, event: &Event) -> View {
        let call_box = self.boxes.get(&called).cloned().unwrap_or_else(|| CallBox::empty(called));
        let concerned = match event {
            Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => Some(*alert),
            // By its new id, or one that it had before.
            Event::Receipt(receipt) => self.message_ids.get(&receipt.message_id).copied(),
            Event::Call(_) | Event::Reply(_) | Event::Word(_) | Event::Resend(_) | Event::Due { .. } => call_box.open,
        };
        let registered = if self.abnormal() { self.registry.as_ref() } else { Some(&self.subscribers) };
        View {
            alert: concerned.and_then(|id| self.alerts.get(&id).cloned()),
            subscriber: registered.and_then(|known| known.get(&called).cloned()),
            earlier: None,
            registry_loaded: self.registry.is_some(),
            listed: Listed::default(),
            campaign_turn: 0,
            range_used: self.counted.len() as u64,
            database: self.database,
            next_alert: self.next_alert,
            call_box,
        }
    }

    /// Decides an event about this person, checks the decision, and commits it.
    pub(crate) fn on(&mut self, called: Msisdn, event: &Event) -> Verdict {
        let view = self.view(called, event);
        let decision = decide(&self.policy, &view, event, self.now);
        if self.decisions.is_multiple_of(16) {
            assert_eq!(decide(&self.policy, &view, event, self.now), decision, "decided twice, decided differently");
        }
        self.decisions += 1;
        self.verdicts.insert(decision.verdict.words());
        self.commit(&decision);
        let after = self.boxes.get(&called).cloned().unwrap_or_else(|| CallBox::empty(called));
        assert!(self.counted.len() as u64 <= 3, "more people are counted than the quota has");
        let step = Step { policy: &self.policy, view: &view, after: &after, event, decision: &decision, now: self.now };
        self.ledger.check(&step);
        self.match_parked(called);
        decision.verdict
    }

    fn commit(&mut self, decision: &Decision) {
        for effect in &decision.effects {
            match effect {
                Effect::CallBox(call_box) => drop(self.boxes.insert(call_box.called, call_box.clone())),
                Effect::Alert(alert) => {
                    if let AlertState::Accepted { parts, .. } = &alert.state {
                        self.message_ids.extend(parts.iter().map(|part| (part.id.clone(), alert.id)));
                    }
                    self.next_alert = self.next_alert.max(AlertId(alert.id.0 + 1));
                    self.alerts.insert(alert.id, alert.clone());
                }
                Effect::Count(_) => {
                    let called = decision.alerts().next().map(|alert| alert.to).unwrap();
                    assert!(self.counted.insert(called), "counted twice");
                }
                Effect::Charge(_) | Effect::Evidence(_) | Effect::Campaign(_) | Effect::Word(_) => {}
                Effect::Subscribe(subscriber) | Effect::ChangeSubscriber(subscriber) => {
                    self.subscribers.insert(subscriber.number, subscriber.clone());
                }
                Effect::Unsubscribe(number) => {
                    self.subscribers.remove(number);
                    self.registry.as_mut().map(|known| known.remove(number));
                }
            }
        }
    }

    /// A call, accepted from the network.
    pub(crate) fn call(&mut self, call: &MissedCall) -> Verdict {
        self.on(call.called, &Event::Call(call.clone()))
    }

    /// A receipt, matched with its alert now or when the answer to the submit names it.
    pub(crate) fn receipt(&mut self, receipt: Receipt) {
        match self.message_ids.get(&receipt.message_id).and_then(|id| self.alerts.get(id)).map(|alert| alert.to) {
            Some(called) => drop(self.on(called, &Event::Receipt(receipt))),
            None => self.parked.push(receipt),
        }
    }

    fn match_parked(&mut self, called: Msisdn) {
        while let Some(place) = self.parked.iter().position(|r| self.message_ids.contains_key(&r.message_id)) {
            let receipt = self.parked.remove(place);
            self.on(called, &Event::Receipt(receipt));
        }
    }

    pub(crate) fn queued(&self) -> Vec<AlertId> {
        let queued = |alert: &&Alert| matches!(alert.state, AlertState::Queued { .. });
        self.alerts.values().filter(queued).map(|alert| alert.id).collect()
    }

    /// Leases an alert for a link: what to send, if it is time, and the calls it tells.
    pub(crate) fn lease(&mut self, id: AlertId) -> Option<(Submit, Alert)> {
        let mut alert = self.alerts.get(&id).cloned()?;
        match alert.lease(self.database, &self.policy.limits, self.now) {
            Leased::Wait => None,
            Leased::Dropped => {
                self.on(alert.to, &Event::Dropped { alert: id });
                None
            }
            Leased::Send(submit) => {
                if submit.kind == Kind::Teaser {
                    assert!(!self.abnormal(), "a teaser is submitted while the database is abnormal");
                    let refused = self.boxes.get(&alert.to).and_then(|call_box| call_box.refused_at);
                    assert_eq!(refused, None, "a teaser is submitted to who refused");
                }
                self.alerts.insert(id, alert.clone());
                Some((submit, alert))
            }
        }
    }

    pub(crate) fn answered(&mut self, submit: &Submit, outcome: SubmitOutcome) {
        let event = Event::Submitted { alert: submit.alert, attempt: submit.attempt, outcome };
        self.on(submit.destination, &event);
    }

    pub(crate) fn updates_wanted(&self) -> Vec<AlertId> {
        self.alerts.values().filter(|alert| alert.update_wanted_at().is_some()).map(|alert| alert.id).collect()
    }

    /// Leases an update for a link: what to ask, if it is time, and the alert as it would be.
    pub(crate) fn lease_update(&mut self, id: AlertId) -> Option<(UpdateOrder, Alert)> {
        let mut alert = self.alerts.get(&id).cloned()?;
        let order = alert.lease_update(self.database, &self.policy.updates, self.now)?;
        let before = self.alerts.insert(id, alert.clone())?;
        assert_eq!((&order.before, order.destination), (&before.text, before.to));
        let done = UpdateOutcome::Replaced { message_id: None };
        alert.updated(order.attempt, &done, &self.policy, self.now).unwrap();
        assert_eq!(alert.text, order.text);
        Some((order, alert))
    }

    pub(crate) fn asked(&mut self, order: &UpdateOrder, outcome: UpdateOutcome) {
        let word = outcome.as_str();
        let event = Event::Updated { alert: order.alert, attempt: order.attempt, outcome };
        if self.on(order.destination, &event) == Verdict::Alert {
            self.updated.insert((word, order.doubtful));
        }
    }

    /// Looks at every box that asked for it by now.
    pub(crate) fn look(&mut self) {
        let due = |call_box: &&CallBox| call_box.due.is_some_and(|due| due <= self.now);
        let called: Vec<_> = self.boxes.values().filter(due).map(|call_box| call_box.called).collect();
        for called in called {
            self.on(called, &Event::Due { called });
        }
    }

    /// The database is back: what was deferred is answered.
    pub(crate) fn recover(&mut self) {
        self.database = Database::Normal;
        let waits = |call_box: &&CallBox| !call_box.deferred.is_empty();
        let called: Vec<_> = self.boxes.values().filter(waits).map(|call_box| call_box.called).collect();
        for called in called {
            self.on(called, &Event::Due { called });
            assert_eq!(self.boxes[&called].deferred, [], "something is still deferred after recovery");
        }
    }

    /// Stops and starts: all that is known is what was written down, and what was on its way is in doubt.
    pub(crate) fn restart(&mut self) {
        self.boxes.values_mut().for_each(through_json);
        self.alerts.values_mut().for_each(through_json);
        self.subscribers.values_mut().for_each(through_json);
        let sending = |alert: &&Alert| matches!(alert.state, AlertState::Sending { .. });
        let sending: Vec<_> = self.alerts.values().filter(sending).map(|a| (a.id, a.attempts, a.to)).collect();
        for (alert, attempt, called) in sending {
            let outcome = SubmitOutcome::InDoubt(NoAnswer::Restart);
            self.on(called, &Event::Submitted { alert, attempt, outcome });
        }
        let asking: Vec<_> = self.alerts.values().filter_map(|a| Some((a.id, a.asking()?, a.to))).collect();
        for (alert, attempt, called) in asking {
            let outcome = UpdateOutcome::InDoubt(NoAnswer::Restart);
            self.on(called, &Event::Updated { alert, attempt, outcome });
        }
    }
}

fn through_json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &mut T) {
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, value, "not the same after a restart");
    *value = back;
}
