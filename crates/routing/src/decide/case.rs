//! The case at hand: what is known, what has changed so far, and what is to be committed.

use std::time::Duration;

use model::{Address, AlertId, Kind, Msisdn, Reply, ShortNumber, Timestamp};

use crate::parts;
use crate::text::{Reader, Say};
use crate::{
    Again, Alert, AlertState, CallBox, Calls, CampaignName, Database, Decision, Deferred, Effect, MAX_EFFECTS, Policy,
    Range, ReplyVerdict, Resend, Subscriber, SubscriberStatus, Tally, Verdict, View,
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
    /// The reply that is decided, or its last part.
    pub(super) reply: Option<&'a Reply>,
    /// What was texted, as a whole, where this decision answers a text.
    pub(super) said: Option<String>,
    /// The registration, where this decision changes it.
    changed: Option<Subscriber>,
    /// Whether this decides what was asked earlier, in time, while the database was abnormal.
    pub(super) afterwards: bool,
    /// Our number that was texted: answers come from it.
    pub(super) texted: Option<ShortNumber>,
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
            reply: None,
            said: None,
            changed: None,
            afterwards: false,
            texted: None,
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
        let alert = self.new_alert(new);
        self.add(alert)
    }

    /// Queues a teaser and names it; it is worth no more than `validity`.
    pub(super) fn queue_teaser(&mut self, text: String, campaign: Option<CampaignName>, validity: Duration) -> AlertId {
        let alert = self.new_alert(NewAlert { kind: Kind::Teaser, text, told: Vec::new(), more: 0 });
        self.add(Alert { campaign, validity, ..alert })
    }

    /// Queues a message that was sent before, as it was, which answers for these calls.
    pub(super) fn queue_again(&mut self, wanted: &Resend, calls: Calls) -> AlertId {
        let (kind, text) = (wanted.kind, wanted.text.clone());
        let alert = self.new_alert(NewAlert { kind, text, told: calls.told, more: calls.more });
        let again = Some(Box::new(Again { of: wanted.of, made_at: wanted.made_at, by: wanted.by.clone() }));
        self.add(Alert { source: wanted.source.clone(), again, ..alert })
    }

    fn new_alert(&self, new: NewAlert) -> Alert {
        Alert {
            id: self.next_alert,
            to: self.call_box.called,
            kind: new.kind,
            source: self.source(&new),
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
            again: None,
            trail: Vec::new(),
            state: AlertState::Queued { not_before: self.now },
        }
    }

    fn add(&mut self, alert: Alert) -> AlertId {
        let id = alert.id;
        self.next_alert = AlertId(id.0.saturating_add(1));
        self.effects.push(Effect::Alert(alert));
        id
    }

    /// The last alert that this decision queued.
    pub(super) fn answer(&self) -> Option<AlertId> {
        (self.next_alert > self.view.next_alert).then(|| AlertId(self.next_alert.0 - 1))
    }

    /// An answer comes from the number that was texted, unless lists have an originator of their own.
    fn source(&self, new: &NewAlert) -> Address {
        let service = &self.policy.service;
        let answers = match new.kind {
            Kind::Notice => true,
            Kind::Detail => !service.originators.contains_key(&Kind::Detail),
            Kind::Fallback | Kind::Teaser | Kind::Notify => false,
        };
        match &self.texted {
            Some(code) if answers => Address::ShortCode(code.clone()),
            _ => service.source(new.kind, &new.told, new.more),
        }
    }

    /// Queues the answer to a reply, where that verdict has one.
    pub(super) fn notice(&mut self, verdict: ReplyVerdict) {
        self.notice_with(verdict, &[]);
    }

    /// The same, with what the answer says beside the keywords.
    pub(super) fn notice_with(&mut self, verdict: ReplyVerdict, values: &[(&str, &str)]) {
        if let Some(text) = self.policy.texts.notice(self.reader(), verdict, &self.policy.keywords, values) {
            self.queue_notice(text);
        }
    }

    /// Queues a text that answers, asks or informs.
    pub(super) fn queue_notice(&mut self, text: String) {
        self.queue(NewAlert { kind: Kind::Notice, text, told: Vec::new(), more: 0 });
    }

    /// A text beside the answers.
    pub(super) fn say(&self, what: Say, values: &[(&str, &str)]) -> String {
        self.policy.texts.say(self.reader(), what, &self.policy.keywords, values)
    }

    /// Another person's number as this one reads it.
    pub(super) fn shown(&self, number: Msisdn) -> String {
        self.policy.texts.number(number)
    }

    /// A number as people write it in this network.
    pub(super) fn number(&self, written: &str) -> Option<Msisdn> {
        match &self.policy.numbering {
            Some(numbering) => numbering.normalise(written).ok(),
            None => Msisdn::international(written).ok(),
        }
    }

    /// Whether this decision has done nothing yet but make messages, or end a registration that nobody knows of.
    pub(super) fn only_answers(&self) -> bool {
        self.alert == self.view.alert
            && self.effects.iter().all(|effect| match effect {
                Effect::Alert(_) | Effect::Evidence(_) => true,
                Effect::Unsubscribe(_) => self.view.subscriber.is_none(),
                Effect::CallBox(_)
                | Effect::Count(_)
                | Effect::Charge(_)
                | Effect::Subscribe(_)
                | Effect::ChangeSubscriber(_)
                | Effect::Campaign(_)
                | Effect::Word(_) => false,
            })
    }

    /// Takes back the messages that this decision made: it answers nothing after all.
    pub(super) fn unsay(&mut self) {
        self.effects.retain(|effect| !matches!(effect, Effect::Alert(_)));
        self.next_alert = self.view.next_alert;
    }

    /// The registration as it will be.
    pub(super) fn subscriber(&self) -> Option<&Subscriber> {
        self.changed.as_ref().or(self.view.subscriber.as_ref())
    }

    /// Registers the person, or changes what the registration says.
    pub(super) fn register(&mut self, subscriber: Subscriber) {
        self.effects.retain(|effect| !matches!(effect, Effect::Subscribe(_) | Effect::ChangeSubscriber(_)));
        let effect = if self.view.subscriber.is_some() { Effect::ChangeSubscriber } else { Effect::Subscribe };
        self.effects.push(effect(subscriber.clone()));
        self.changed = Some(subscriber);
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
        let (subscriber, range) = (self.subscriber(), self.range());
        let language = subscriber.and_then(|subscriber| subscriber.language.as_ref());
        let language = language.or_else(|| range?.terms.language.as_ref()).unwrap_or(&self.policy.language);
        let clock = subscriber.and_then(|subscriber| subscriber.clock);
        let clock = clock.or_else(|| range?.terms.clock).unwrap_or(self.policy.clock);
        let campaign = self.call_box.offer.as_ref().and_then(|offer| offer.campaign.as_ref());
        Reader { language, time_zone: self.time_zone(), clock, range: range.map(|range| &range.name), campaign }
    }

    pub(super) fn time_zone(&self) -> &str {
        let chosen = self.subscriber().and_then(|subscriber| subscriber.time_zone.as_deref());
        chosen.or_else(|| self.range()?.terms.time_zone.as_deref()).unwrap_or(&self.policy.time_zone)
    }

    /// The range that the person is in, whether it is in force or not.
    pub(super) fn range(&self) -> Option<&'a Range> {
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
