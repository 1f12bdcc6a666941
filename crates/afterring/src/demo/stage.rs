//! The owner of what the demo's page shows: does what visitors ask, notes what happens, and draws the picture that the page is made of.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use console::phones::{
    Counts, DatabaseView, Happening, Label, LogLine, MessageView, PhoneCaller, PhoneCommand, PhoneView, PhonesView,
    Role, Scene,
};
use ingress::{Intake, Offer};
use model::{CallId, Caller, Clock, Kind, MissedCall, Msisdn, Reason, Source, split};
use routing::{Database, Verdict};
use simulator::{Direction, PhoneChange, PhoneEvent, Smsc};
use store::{Outcome, Store as _};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Lines of the log that are kept; the page shows fewer.
const LOG: usize = 200;
/// Texts remembered to tell what an SMS on a phone was for.
const TEXTS: usize = 500;
/// How long the "database" stays abnormal in the demo when nobody repairs it.
const BROKEN: Duration = Duration::from_secs(3600);

/// The owner of what the page shows.
pub(super) struct Stage {
    pub(super) clock: Clock,
    pub(super) service: String,
    pub(super) time_zone: String,
    pub(super) phones: Vec<(Msisdn, Label)>,
    pub(super) smsc: Smsc,
    pub(super) store: store::Embedded,
    pub(super) intake: Intake,
    pub(super) database: crate::database::DatabaseState,
    pub(super) ranges: routing::Ranges,
    pub(super) kinds: VecDeque<(Msisdn, String, Kind)>,
    pub(super) verdicts: HashMap<Msisdn, Verdict>,
    pub(super) log: VecDeque<LogLine>,
    pub(super) logged: u64,
    pub(super) counts: Counts,
    pub(super) calls: u64,
    pub(super) scenes: mpsc::Sender<Scene>,
}

impl Stage {
    /// Does what visitors ask, notes what happens, and shows the result; until the page is gone.
    pub(super) async fn play(
        mut self,
        mut orders: mpsc::Receiver<PhoneCommand>,
        mut live: broadcast::Receiver<Arc<Vec<Outcome>>>,
        mut phones: broadcast::Receiver<PhoneEvent>,
        show: watch::Sender<Arc<PhonesView>>,
    ) {
        loop {
            show.send_replace(Arc::new(self.view().await));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                outcomes = live.recv() => match outcomes {
                    Ok(outcomes) => self.decided(&outcomes),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                event = phones.recv() => match event {
                    Ok(event) => self.happened(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    async fn obey(&mut self, order: PhoneCommand) {
        match order {
            PhoneCommand::Call { called, caller, reason } => self.call(called, caller, reason).await,
            PhoneCommand::Reply { from, text } => {
                self.smsc.reply(from, &self.service, &text);
                self.counts.replies += 1;
                self.note(Some(from), Happening::Reply { text });
            }
            PhoneCommand::Switch { number, on } => {
                self.smsc.switch(number, on);
                self.note(Some(number), Happening::Switched { on });
            }
            PhoneCommand::Database { abnormal } => {
                if abnormal {
                    self.database.force(BROKEN, "the demo's switch".to_owned());
                } else {
                    self.database.lift();
                }
                self.note(None, Happening::Database { abnormal });
            }
            // Full: one has just been asked for, and is played.
            PhoneCommand::Scene(scene) => drop(self.scenes.try_send(scene)),
        }
    }

    /// Places a call the way the core network does: offered, and on disk before it counts.
    async fn call(&mut self, called: Msisdn, from: PhoneCaller, reason: Reason) {
        let at = (self.clock)();
        self.calls += 1;
        let Ok(id) = CallId::parse(&format!("demo-{}-{}", at.as_millis(), self.calls)) else { return };
        let caller = match from {
            PhoneCaller::Phone(number) => Caller::Number(number),
            PhoneCaller::Withheld => Caller::Withheld,
        };
        let call = MissedCall { id, caller, called, at, reason, service_number: None, source: Source::Http };
        self.note(Some(called), Happening::Call { caller: from, reason });
        let (answer, stored) = oneshot::channel();
        if self.intake.send(Offer { calls: vec![call], answer }).await.is_ok() {
            drop(stored.await);
        }
    }

    fn decided(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let Some(called) = outcome.called else { continue };
            self.counts.calls += u64::from(outcome.event == "call");
            for alert in outcome.alerts.iter().filter(|alert| alert.attempts == 0) {
                self.kinds.push_back((alert.to, alert.text.clone(), alert.kind));
            }
            match outcome.verdict {
                Verdict::Alert => self.moved(called, outcome),
                verdict
                    if outcome.event == "call" || outcome.event == "reply" || matches!(verdict, Verdict::Send(_)) =>
                {
                    self.verdicts.insert(called, verdict);
                    if matches!(verdict, Verdict::Nothing(_)) {
                        self.counts.nothing += 1;
                    }
                    self.note(Some(called), Happening::Decision(verdict));
                }
                _ => {}
            }
        }
        while self.kinds.len() > TEXTS {
            self.kinds.pop_front();
        }
    }

    /// An alert that the SMSC has taken.
    fn moved(&mut self, called: Msisdn, outcome: &Outcome) {
        let taken = |alert: &&routing::Alert| matches!(alert.state, routing::AlertState::Accepted { .. });
        for alert in outcome.alerts.iter().filter(taken).filter(|_| outcome.event == "submitted") {
            match alert.kind {
                Kind::Detail => self.counts.detail += 1,
                Kind::Teaser => self.counts.teaser += 1,
                Kind::Fallback => self.counts.fallback += 1,
                Kind::Notice | Kind::Notify => self.counts.notice += 1,
            }
            let parts = split(&alert.text).parts.len();
            self.note(Some(called), Happening::Submit { kind: alert.kind, parts });
        }
    }

    fn happened(&mut self, event: &PhoneEvent) {
        match &event.what {
            PhoneChange::Received(sms) => {
                self.counts.delivered += 1;
                let kind = self.kind(event.number, &sms.text);
                self.note(Some(event.number), Happening::Delivered { kind });
            }
            PhoneChange::Pending(waiting) if *waiting > 0 => {
                let off = self.smsc.phone(event.number).is_some_and(|phone| !phone.on);
                if off {
                    self.note(Some(event.number), Happening::Waiting);
                }
            }
            PhoneChange::Pending(_) | PhoneChange::Sent(_) | PhoneChange::Switched(_) => {}
        }
    }

    fn kind(&self, number: Msisdn, text: &str) -> Option<Kind> {
        self.kinds.iter().rev().find(|(to, known, _)| *to == number && known == text).map(|(_, _, kind)| *kind)
    }

    fn note(&mut self, phone: Option<Msisdn>, what: Happening) {
        self.logged += 1;
        self.log.push_back(LogLine { id: self.logged, at: (self.clock)(), phone, what });
        if self.log.len() > LOG {
            self.log.pop_front();
        }
    }

    async fn view(&self) -> PhonesView {
        let mut phones = Vec::with_capacity(self.phones.len());
        for (number, name) in &self.phones {
            let handset = self.smsc.phone(*number);
            let role = match self.store.subscriber(*number).await {
                Ok(Some(_)) => Role::Subscriber,
                _ if self.ranges.find(*number).is_some() => Role::Prospect,
                _ => Role::Outside,
            };
            let messages = handset.iter().flat_map(|handset| &handset.inbox).map(|sms| MessageView {
                id: sms.id,
                incoming: sms.direction == Direction::In,
                from: sms.from.clone(),
                text: sms.text.clone(),
                at: sms.at,
                kind: self.kind(*number, &sms.text),
            });
            phones.push(PhoneView {
                number: *number,
                name: name.clone(),
                role,
                on: handset.as_ref().is_none_or(|handset| handset.on),
                pending: handset.as_ref().map_or(0, |handset| handset.pending),
                messages: messages.collect(),
                last_decision: self.verdicts.get(number).copied(),
            });
        }
        let abnormal = self.database.now() == Database::Abnormal;
        PhonesView {
            service: self.service.clone(),
            time_zone: self.time_zone.clone(),
            phones,
            database: DatabaseView { abnormal, since: self.database.since() },
            log: self.log.iter().cloned().collect(),
            counts: self.counts,
        }
    }
}
