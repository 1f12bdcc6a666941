//! Whatever happens in whatever order: no teaser goes to who refused, to who is on the do-not-contact list, without the consent that the range asks for,
//! in the quiet hours, or before the silence is over; and each campaign gets its share.
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::time::Duration;

use model::{
    AlertId, CallId, Caller, Kind, MissedCall, Msisdn, NoAnswer, Reason, Receipt, ReceiptState, Reply, ShortNumber,
    SmscName, Source, SubmitOutcome, Timestamp,
};
use proptest::prelude::*;
use routing::text::Texts;
use routing::{
    Alert, AlertState, CallBox, CampaignName, Campaigns, Conversion, Database, DayWindow, Decision, Effect, Event,
    Leased, Listed, Policy, Ranges, Service, Subscriber, View, decide,
};

/// 2026-11-23T08:00:00Z
const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);
const QUIET: &str = "21:00-08:00";
/// East of Greenwich, in a zone that puts no clock forward.
const OFFSET: Duration = Duration::from_secs(8 * 3600);

fn person() -> Msisdn {
    Msisdn::try_from(8_613_900_000_001).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Call(u64),
    /// The teasers in the queue are sent, as far as they may be, with this outcome.
    Send(u8),
    Receipt(bool),
    Text(&'static str),
    Database(bool),
    DoNotContact(bool),
    Consent(bool),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![0_u64..300, 0_u64..7200, 0_u64..86_400, Just(86_400 * 3)].prop_map(Step::Wait),
        8 => (0_u64..40).prop_map(Step::Call),
        8 => (0_u8..10).prop_map(Step::Send),
        2 => any::<bool>().prop_map(Step::Receipt),
        3 => prop::sample::select(vec!["C", "?", "R", "KT", "QX", "hello"]).prop_map(Step::Text),
        1 => any::<bool>().prop_map(Step::Database),
        1 => any::<bool>().prop_map(Step::DoNotContact),
        1 => prop::bool::weighted(0.8).prop_map(Step::Consent),
        3 => Just(Step::Look),
    ]
}

/// One person, and what a node does around them.
struct World {
    policy: Policy,
    view: View,
    alerts: Vec<Alert>,
    now: Timestamp,
    calls: u64,
    /// When the last teaser left that may have arrived, and whether the person texted a keyword, or the network gave it up, since.
    teased: Option<(Timestamp, bool)>,
    /// Teasers that the SMSC took, and that were counted for campaigns.
    taken: u32,
    counted: u32,
}

impl World {
    fn new() -> Self {
        let ranges = format!("north=86139*:5?consent=explicit&quiet={QUIET}&time_zone=Asia/Shanghai");
        let service = Service::new(ShortNumber::parse("12599").unwrap());
        let campaigns = Campaigns::parse("summer:2;autumn:1").unwrap();
        let policy = Policy {
            ranges: Ranges::parse(&ranges).unwrap(),
            campaigns,
            ..Policy::new(service, Texts::shipped().unwrap())
        };
        let view = View {
            call_box: CallBox::empty(person()),
            alert: None,
            subscriber: None,
            earlier: None,
            registry_loaded: true,
            range_used: 0,
            listed: Listed { consent: true, ..Listed::default() },
            campaign_turn: 0,
            database: Database::Normal,
            next_alert: AlertId(1),
        };
        Self { policy, view, alerts: Vec::new(), now: START, calls: 0, teased: None, taken: 0, counted: 0 }
    }

    fn on(&mut self, event: &Event) -> Decision {
        let concerned = match event {
            Event::Submitted { alert, .. } | Event::Dropped { alert } => Some(*alert),
            Event::Receipt(receipt) => self.with_part(&receipt.message_id),
            _ => self.view.call_box.open,
        };
        self.view.alert = concerned.and_then(|id| self.alerts.iter().find(|alert| alert.id == id).cloned());
        if self.view.database == Database::Abnormal {
            self.view.listed = Listed::default();
        }
        let decision = decide(&self.policy, &self.view, event, self.now);
        for effect in &decision.effects {
            self.apply(effect);
        }
        decision
    }

    fn with_part(&self, id: &str) -> Option<AlertId> {
        let has = |alert: &&Alert| match &alert.state {
            AlertState::Accepted { parts, .. } => parts.iter().any(|part| part.id == id),
            _ => false,
        };
        self.alerts.iter().find(has).map(|alert| alert.id)
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::CallBox(call_box) => self.view.call_box = call_box.clone(),
            Effect::Alert(alert) => {
                // The turn moves on with each teaser that is queued, whatever becomes of it.
                if alert.id >= self.view.next_alert && alert.campaign.is_some() {
                    self.view.campaign_turn += 1;
                }
                self.alerts.retain(|known| known.id != alert.id);
                self.alerts.push(alert.clone());
                self.view.next_alert = self.view.next_alert.max(AlertId(alert.id.0 + 1));
            }
            Effect::Count(_) => self.view.range_used += 1,
            Effect::Campaign(step) => match step.step {
                Conversion::Teased => self.counted += 1,
                Conversion::Fetched | Conversion::Subscribed => {}
            },
            Effect::Subscribe(subscriber) | Effect::ChangeSubscriber(subscriber) => {
                self.view.subscriber = Some(Subscriber::clone(subscriber));
            }
            Effect::Unsubscribe(_) => self.view.subscriber = None,
            Effect::Charge(_) | Effect::Evidence(_) | Effect::Word(_) => {}
        }
    }

    fn step(&mut self, step: Step, consent: &mut bool, unwanted: &mut bool) {
        match step {
            Step::Wait(seconds) => self.now = self.now + Duration::from_secs(seconds),
            Step::Call(who) => self.call(who),
            Step::Send(outcome) => self.send(outcome),
            Step::Receipt(delivered) => self.receipt(delivered),
            Step::Text(text) => self.text(text),
            Step::Database(abnormal) => {
                self.view.database = if abnormal { Database::Abnormal } else { Database::Normal };
            }
            Step::DoNotContact(listed) => *unwanted = listed,
            Step::Consent(given) => *consent = given,
            Step::Look => drop(self.on(&Event::Due { called: person() })),
        }
        self.view.listed = Listed { consent: *consent, do_not_contact: *unwanted, customers: true };
        // Who changes a list has the box looked at.
        if matches!(step, Step::DoNotContact(_) | Step::Consent(_)) {
            self.on(&Event::Due { called: person() });
        }
    }

    fn call(&mut self, who: u64) {
        self.calls += 1;
        let event = Event::Call(MissedCall {
            id: CallId::parse(&format!("c{}", self.calls)).unwrap(),
            caller: Caller::Number(Msisdn::try_from(8_613_711_110_000 + who).unwrap()),
            called: person(),
            at: self.now,
            reason: Reason::NoAnswer,
            service_number: None,
            source: Source::Sip,
        });
        let decision = self.on(&event);
        if decision.alerts().any(|alert| alert.kind == Kind::Teaser && alert.attempts == 0 && !alert.state.is_final()) {
            assert!(self.may_be_teased(), "teased without leave");
        }
    }

    fn may_be_teased(&self) -> bool {
        let Listed { consent, do_not_contact, .. } = self.view.listed;
        let allowed = consent && !do_not_contact && self.view.call_box.refused_at.is_none();
        allowed && self.view.subscriber.is_none() && self.view.database == Database::Normal
    }

    /// The minute of the day on the person's own clock, by arithmetic that the gateway doesn't do.
    fn is_quiet(&self, at: Timestamp) -> bool {
        let minute = (at + OFFSET).as_millis().div_euclid(60_000).rem_euclid(1440);
        DayWindow::parse(QUIET).unwrap().left(u16::try_from(minute).unwrap()).is_some()
    }

    fn send(&mut self, outcome: u8) {
        let queued = |alert: &&Alert| matches!(alert.state, AlertState::Queued { .. });
        for id in self.alerts.iter().filter(queued).map(|alert| alert.id).collect::<Vec<_>>() {
            let Some(place) = self.alerts.iter().position(|alert| alert.id == id) else { continue };
            let submit = match self.alerts[place].lease(self.view.database, &self.policy.limits, self.now) {
                Leased::Send(submit) => submit,
                Leased::Wait => continue,
                Leased::Dropped => {
                    self.on(&Event::Dropped { alert: id });
                    continue;
                }
            };
            let smsc = SmscName("smsc1".to_owned());
            let accepted = || SubmitOutcome::Accepted { smsc, message_ids: vec![format!("m{}", id.0)] };
            let outcome = match outcome {
                0 => SubmitOutcome::Refused { status: 0x0b },
                1 => SubmitOutcome::Later { status: 0x58, avoid: None, after: Duration::from_secs(60) },
                2 => SubmitOutcome::InDoubt(NoAnswer::Timeout),
                3 => SubmitOutcome::NotSent,
                _ => accepted(),
            };
            if submit.kind == Kind::Teaser {
                self.leaves(&submit.validity, &outcome);
            }
            self.on(&Event::Submitted { alert: id, attempt: submit.attempt, outcome });
        }
    }

    /// A teaser leaves, and may reach the phone until its validity ends.
    fn leaves(&mut self, validity: &Duration, outcome: &SubmitOutcome) {
        assert!(self.may_be_teased(), "a teaser leaves without leave");
        assert!(!self.is_quiet(self.now), "a teaser leaves in the quiet hours");
        let end = self.now + *validity - Duration::from_millis(1);
        let mut at = self.now;
        while at < end {
            assert!(!self.is_quiet(at), "the SMSC may deliver it in the quiet hours");
            at = at + Duration::from_secs(60);
        }
        assert!(!self.is_quiet(end.max(self.now)), "the SMSC may deliver it in the quiet hours");
        if matches!(outcome, SubmitOutcome::Accepted { .. } | SubmitOutcome::InDoubt(_)) {
            let usual = self.policy.limits.teaser_interval;
            let silent = self.teased.is_some_and(|(last, lifted)| !lifted && self.now.since(last) < usual);
            assert!(!silent, "teased too often");
            self.teased = Some((self.now, false));
        }
        self.taken += u32::from(matches!(outcome, SubmitOutcome::Accepted { .. }));
    }

    fn receipt(&mut self, delivered: bool) {
        let accepted = |alert: &&Alert| matches!(alert.state, AlertState::Accepted { .. });
        let Some(alert) = self.alerts.iter().find(accepted) else { return };
        let message_id = format!("m{}", alert.id.0);
        if alert.kind == Kind::Teaser && !delivered {
            self.lift();
        }
        let state = if delivered { ReceiptState::Delivered } else { ReceiptState::Undeliverable };
        let (smsc, error) = (SmscName("smsc1".to_owned()), String::new());
        self.on(&Event::Receipt(Receipt {
            smsc,
            message_id,
            id_form: None,
            state,
            handset: None,
            error,
            at: self.now,
        }));
    }

    fn text(&mut self, text: &str) {
        if text != "hello" {
            self.lift();
        }
        let smsc = SmscName("smsc1".to_owned());
        let reply =
            Reply { from: person(), to: "12599".to_owned(), text: text.to_owned(), part: None, smsc, at: self.now };
        self.on(&Event::Reply(reply));
    }

    fn lift(&mut self) {
        if let Some((_, lifted)) = &mut self.teased {
            *lifted = true;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nobody_is_teased_against_their_will_or_at_night_whatever_happens(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        let (mut consent, mut unwanted) = (true, false);
        for step in steps {
            world.step(step, &mut consent, &mut unwanted);
        }
        prop_assert_eq!(world.counted, world.taken, "what the SMSC took is what is counted as teased");
    }

    #[test]
    fn each_campaign_is_chosen_by_its_weight(weights in prop::collection::vec(1_u32..6, 1..5), rounds in 1_u32..4) {
        let written: Vec<_> = weights.iter().enumerate().map(|(n, weight)| format!("c{n}:{weight}")).collect();
        let mut world = World::new();
        world.policy.campaigns = Campaigns::parse(&written.join(";")).unwrap();
        let mut shares = vec![0; weights.len()];
        for _ in 0..rounds * weights.iter().sum::<u32>() {
            // Another person each time: they have the turns of the range in common.
            world.view.call_box = CallBox::empty(person());
            world.view.range_used = 0;
            world.now = START + Duration::from_secs(3600);
            world.call(1);
            let CampaignName(name) = world.view.call_box.offer.as_ref().unwrap().campaign.clone().unwrap();
            shares[name[1..].parse::<usize>().unwrap()] += 1;
        }
        prop_assert_eq!(shares, weights.iter().map(|weight| weight * rounds).collect::<Vec<_>>());
    }
}

#[test]
fn the_world_of_this_test_does_tease() {
    let mut world = World::new();
    world.call(1);
    world.send(9);
    world.text("C");
    world.send(9);
    world.now = world.now + Duration::from_secs(3600);
    world.call(2);
    world.send(9);
    assert_eq!((world.taken, world.counted, world.view.campaign_turn), (2, 2, 2), "teased, fetched, and teased again");
}
