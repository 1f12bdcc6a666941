//! The case at hand: what is known, what has changed so far, and what is to be committed.

use std::time::Duration;

use model::{AlertId, Kind, Timestamp};

use crate::parts;
use crate::text::Reader;
use crate::{
    Alert, AlertState, CallBox, Database, Decision, Deferred, Effect, MAX_EFFECTS, Policy, Range, ReplyVerdict,
    Subscriber, SubscriberStatus, Tally, Verdict, View,
};

/// The least time until a box is looked at again: bounds what one box can cost, whatever the limits are set to.
const SOONEST_LOOK: Duration = Duration::from_secs(1);

/// A decision in the making.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) view: &'a View,
    pub(super) now: Timestamp,
    /// The box as it will be.
    pub(super) call_box: CallBox,
    /// The alert of the view as it will be.
    pub(super) alert: Option<Alert>,
    /// Whether this decision registers the person.
    pub(super) registered: bool,
    effects: Vec<Effect>,
    next_alert: AlertId,
}

/// A new alert, but for what the case fills in.
pub(super) struct NewAlert {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) told: Vec<Tally>,
    pub(super) more: u32,
}

impl<'a> Case<'a> {
    pub(super) fn open(policy: &'a Policy, view: &'a View, now: Timestamp) -> Self {
        Self {
            policy,
            view,
            now,
            call_box: view.call_box.clone(),
            alert: view.alert.clone(),
            registered: false,
            effects: Vec::new(),
            next_alert: view.next_alert,
        }
    }

    /// The decision: alerts that were changed, then the box if it was, then the rest in the order it was asked for.
    pub(super) fn close(mut self, verdict: Verdict) -> Decision {
        if self.alert != self.view.alert
            && let Some(alert) = self.alert
        {
            self.effects.push(Effect::Alert(alert));
        }
        if self.call_box != self.view.call_box {
            self.effects.push(Effect::CallBox(self.call_box));
        }
        debug_assert!(self.effects.len() <= MAX_EFFECTS, "a decision has a bounded number of effects");
        Decision { verdict, effects: self.effects }
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Queues a new alert and names it.
    pub(super) fn queue(&mut self, new: NewAlert) -> AlertId {
        let id = self.next_alert;
        self.next_alert = AlertId(id.0.saturating_add(1));
        self.effects.push(Effect::Alert(Alert {
            id,
            to: self.call_box.called,
            kind: new.kind,
            source: self.policy.service.source(new.kind, &new.told, new.more),
            text: new.text,
            told: new.told,
            more: new.more,
            created_at: self.now,
            validity: self.policy.limits.validity.of(new.kind),
            attempts: 0,
            doubts: 0,
            put_off: 0,
            avoid: None,
            campaign: None,
            state: AlertState::Queued { not_before: self.now },
        }));
        id
    }

    /// Queues the answer to a reply, where that verdict has one.
    pub(super) fn notice(&mut self, verdict: ReplyVerdict) {
        if let Some(text) = self.policy.texts.notice(self.reader(), verdict, &self.policy.keywords, &[]) {
            self.queue(NewAlert { kind: Kind::Notice, text, told: Vec::new(), more: 0 });
        }
    }

    pub(super) fn abnormal(&self) -> bool {
        self.view.database == Database::Abnormal
    }

    /// Whether nobody can say if this person is registered: the database can't be asked and the registry was never loaded.
    pub(super) fn in_the_dark(&self) -> bool {
        self.abnormal() && !self.view.registry_loaded && self.view.subscriber.is_none()
    }

    /// The registration, if it is served.
    pub(super) fn active(&self) -> Option<&'a Subscriber> {
        self.view.subscriber.as_ref().filter(|subscriber| subscriber.status == SubscriberStatus::Active)
    }

    /// For whom texts are written: what the called person chose, else what their range says, else the default.
    pub(super) fn reader(&self) -> Reader<'_> {
        let (subscriber, range) = (self.view.subscriber.as_ref(), self.range());
        let language = subscriber.and_then(|subscriber| subscriber.language.as_ref());
        let language = language.or_else(|| range?.terms.language.as_ref()).unwrap_or(&self.policy.language);
        let clock = subscriber.and_then(|subscriber| subscriber.clock);
        let clock = clock.or_else(|| range?.terms.clock).unwrap_or(self.policy.clock);
        let campaign = self.call_box.offer.as_ref().and_then(|offer| offer.campaign.as_ref());
        Reader { language, time_zone: self.time_zone(), clock, range: range.map(|range| &range.name), campaign }
    }

    pub(super) fn time_zone(&self) -> &'a str {
        let chosen = self.view.subscriber.as_ref().and_then(|subscriber| subscriber.time_zone.as_deref());
        chosen.or_else(|| self.range()?.terms.time_zone.as_deref()).unwrap_or(&self.policy.time_zone)
    }

    fn range(&self) -> Option<&'a Range> {
        self.policy.ranges.find(self.call_box.called)
    }

    /// The open alert of the box, if the view holds it.
    pub(super) fn open_alert(&mut self) -> Option<&mut Alert> {
        let open = self.call_box.open?;
        self.alert.as_mut().filter(|alert| alert.id == open)
    }

    /// Takes the open alert out of the queue if it is one of these kinds and still there; if the SMSC has it, nothing more is added to it.
    pub(super) fn withdraw(&mut self, kinds: &[Kind]) {
        let now = self.now;
        let Some(alert) = self.open_alert().filter(|alert| kinds.contains(&alert.kind)) else { return };
        let (withdrawn, untold) = (alert.withdraw(now), alert.drop_update(now));
        if withdrawn {
            self.call_box.open = None;
        }
        self.call_box.take_back(&untold.told, untold.more);
    }

    /// Notes what is looked at when the database is normal again.
    pub(super) fn defer(&mut self, what: Deferred) {
        if !self.call_box.deferred.contains(&what) {
            self.call_box.deferred.push(what);
        }
    }

    /// Asks to be looked at by then, at the latest; never at once, or a look that asks for a look would not end.
    pub(super) fn look_again(&mut self, at: Timestamp) {
        let at = at.max(self.now + SOONEST_LOOK);
        self.call_box.due = Some(self.call_box.due.map_or(at, |due| due.min(at)));
    }

    /// Asks to be looked at when the next message in parts is no longer waited for.
    pub(super) fn look_at_messages(&mut self) {
        if let Some(at) = parts::next_look(&self.call_box.messages, self.now) {
            self.look_again(at);
        }
    }
}
