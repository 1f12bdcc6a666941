//! Several people, the words between them, and their phones: for what concerns more than one box.

use std::collections::VecDeque;

use super::*;

pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    pub(super) database: Database,
    pub(super) boxes: BTreeMap<Msisdn, CallBox>,
    pub(super) subscribers: BTreeMap<Msisdn, Subscriber>,
    pub(super) listed: BTreeMap<Msisdn, Listed>,
    pub(super) alerts: BTreeMap<AlertId, Alert>,
    /// Words that no box heard yet.
    pub(super) words: VecDeque<Word>,
    calls: u32,
}

/// Who is who, by the last digit.
pub(super) fn person(last: u64) -> Msisdn {
    Msisdn::try_from(8_613_900_000_000 + last).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        let blocks = vec![(8_613_900_000_000, 8_613_999_999_999)];
        let notify = NotifyMe { on: true, on_net: blocks, ..NotifyMe::default() };
        let numbering = Some(model::Numbering::new("86", "0", "00"));
        Self {
            policy: Policy { notify, numbering, ..policy() },
            now: NOW,
            database: Database::Normal,
            boxes: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            listed: BTreeMap::new(),
            alerts: BTreeMap::new(),
            words: VecDeque::new(),
            calls: 0,
        }
    }

    pub(super) fn with_subscriber(mut self, who: u64) -> Self {
        self.subscribers.insert(person(who), Subscriber::new(person(who), NOW - DAY));
        self
    }

    pub(super) fn call_box(&self, who: u64) -> CallBox {
        self.boxes.get(&person(who)).cloned().unwrap_or_else(|| CallBox::empty(person(who)))
    }

    /// Decides an event of one box, and commits it.
    pub(super) fn on(&mut self, called: Msisdn, event: &Event) -> String {
        let call_box = self.boxes.get(&called).cloned().unwrap_or_else(|| CallBox::empty(called));
        let concerned = match event {
            Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => Some(*alert),
            Event::Receipt(receipt) => receipt.message_id.parse().ok().map(AlertId),
            Event::Call(_) | Event::Reply(_) | Event::Word(_) | Event::Resend(_) | Event::Due { .. } => call_box.open,
        };
        let view = View {
            alert: concerned.and_then(|id| self.alerts.get(&id).cloned()),
            subscriber: self.subscribers.get(&called).cloned(),
            earlier: None,
            registry_loaded: true,
            range_used: 0,
            listed: self.listed.get(&called).copied().unwrap_or_default(),
            campaign_turn: 0,
            database: self.database,
            next_alert: AlertId(self.alerts.keys().last().map_or(1, |id| id.0 + 1)),
            call_box,
        };
        let decision = decide(&self.policy, &view, event, self.now);
        assert!(decision.effects.len() <= MAX_EFFECTS);
        for effect in decision.effects {
            match effect {
                Effect::CallBox(call_box) => {
                    let text = serde_json::to_string(&call_box).unwrap();
                    assert_eq!(serde_json::from_str::<CallBox>(&text).unwrap(), call_box);
                    self.boxes.insert(called, call_box);
                }
                Effect::Alert(alert) => drop(self.alerts.insert(alert.id, alert)),
                Effect::Subscribe(subscriber) | Effect::ChangeSubscriber(subscriber) => {
                    drop(self.subscribers.insert(called, subscriber));
                }
                Effect::Unsubscribe(number) => drop(self.subscribers.remove(&number)),
                Effect::Word(word) => self.words.push_back(word),
                Effect::Count(_) | Effect::Charge(_) | Effect::Evidence(_) | Effect::Campaign(_) => {}
            }
        }
        words(decision.verdict)
    }

    /// Lets every word be heard, and what follows from it; the verdicts in order. That words end is part of what is tested.
    pub(super) fn talk(&mut self) -> Vec<String> {
        let mut verdicts = Vec::new();
        while let Some(word) = self.words.pop_front() {
            verdicts.push(self.on(word.to, &Event::Word(word.clone())));
            assert!(verdicts.len() < 100, "words without end");
        }
        verdicts
    }

    /// Somebody texts the service code.
    pub(super) fn text(&mut self, who: u64, text: &str) -> String {
        self.text_to("12599", who, text)
    }

    pub(super) fn text_to(&mut self, to: &str, who: u64, text: &str) -> String {
        let Event::Reply(reply) = reply_to(to, text) else { panic!("not a reply") };
        self.on(person(who), &Event::Reply(Reply { from: person(who), at: self.now, ..reply }))
    }

    pub(super) fn rings(&mut self, who: u64, called: u64, reason: Reason) -> String {
        self.calls += 1;
        let Event::Call(call) = call(&format!("call-{}", self.calls)) else { panic!("not a call") };
        let call =
            MissedCall { caller: Caller::Number(person(who)), called: person(called), at: self.now, reason, ..call };
        self.on(person(called), &Event::Call(call))
    }

    /// The SMSC takes everything that waits, in order.
    pub(super) fn submit(&mut self) {
        let queued: Vec<AlertId> = self.alerts.keys().copied().collect();
        for id in queued {
            let alert = self.alerts.get_mut(&id).unwrap();
            if let Leased::Send(submit) = alert.lease(self.database, &self.policy.limits, self.now) {
                let outcome = taken(&[&id.to_string()]);
                self.on(submit.destination, &Event::Submitted { alert: id, attempt: submit.attempt, outcome });
            }
        }
    }

    /// The phone is on: everything that the SMSC has for it arrives.
    pub(super) fn phone_on(&mut self, who: u64) {
        self.submit();
        let accepted = |alert: &&Alert| alert.to == person(who) && matches!(alert.state, AlertState::Accepted { .. });
        let ids: Vec<_> = self.alerts.values().filter(accepted).map(|alert| alert.id).collect();
        for id in ids {
            self.receipt(id, ReceiptState::Delivered);
        }
    }

    pub(super) fn receipt(&mut self, id: AlertId, state: ReceiptState) -> String {
        let Event::Receipt(receipt) = receipt(state) else { panic!("not a receipt") };
        let to = self.alerts[&id].to;
        self.on(to, &Event::Receipt(Receipt { message_id: id.to_string(), at: self.now, ..receipt }))
    }

    /// Time passes; boxes are looked at when they asked for it. What that decided, but for looks that did nothing.
    pub(super) fn wait(&mut self, long: Duration) -> Vec<String> {
        let (until, mut verdicts) = (self.now + long, Vec::new());
        let next = |world: &Self| {
            let due = world.boxes.values().filter_map(|one| one.due.map(|due| (due, one.called)));
            due.min().filter(|(due, _)| *due <= until)
        };
        while let Some((due, called)) = next(self) {
            self.now = self.now.max(due);
            verdicts.push(self.on(called, &Event::Due { called }));
            assert!(verdicts.len() < 500, "looks without end");
        }
        self.now = until;
        verdicts.retain(|verdict| verdict != "nothing nothing_to_tell");
        verdicts
    }

    /// The database is back: whose box has something deferred is looked at.
    pub(super) fn recover(&mut self) -> Vec<String> {
        self.database = Database::Normal;
        let deferred: Vec<_> =
            self.boxes.values().filter(|one| !one.deferred.is_empty()).map(|one| one.called).collect();
        deferred.into_iter().map(|called| self.on(called, &Event::Due { called })).collect()
    }

    /// What one phone was sent, in order: kind and text.
    pub(super) fn sent_to(&self, who: u64) -> Vec<(Kind, &str)> {
        self.alerts
            .values()
            .filter(|alert| alert.to == person(who))
            .map(|alert| (alert.kind, alert.text.as_str()))
            .collect()
    }

    pub(super) fn last_to(&self, who: u64) -> &Alert {
        self.alerts.values().rfind(|alert| alert.to == person(who)).unwrap()
    }

    pub(super) fn count_to(&self, who: u64, kind: Kind) -> usize {
        self.sent_to(who).iter().filter(|(sent, _)| *sent == kind).count()
    }
}
