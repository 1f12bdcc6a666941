//! A seeded simulation of the pure core: calls, an SMSC that misbehaves, people who reply, a database that comes and goes, restarts.
//!
//! `AFTERRING_SIM_SEED` adds a seed, `AFTERRING_SIM_RUNS` sets how many seeds are run. A failure prints its seed.
#![expect(clippy::unwrap_used, reason = "all of this is a test")]

mod gateway;
mod ledger;
mod network;
mod rng;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use model::{
    CallId, Caller, Kind, MissedCall, Msisdn, Reason, Reply, ReplyPart, ShortNumber, SmscName, Source, Timestamp,
    UpdateMode,
};
use routing::text::Texts;
use routing::{
    Alert, AlertState, Audience, Database, Event, HeldWhy, InDoubtPolicy, Limits, NothingWhy, Policy, Ranges,
    ReplyVerdict, Service, Subscriber, SubscriberStatus, Updates, Verdict,
};

use gateway::Gateway;
use ledger::untold;
use network::Network;
use rng::Rng;

const OPERATIONS: usize = 400;
const RUNS: u64 = 300;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Nine people: 0 and 1 are subscribers and only ever fetch or ask for help, 2 is a subscriber with quiet windows, 3 is suspended and stays
/// registered; 4 to 7 are in a range with room for three of them, 8 is in none, and all of these say anything.
const PEOPLE: u64 = 9;
const STEADY: [u64; 2] = [0, 1];
const STRANGERS: [u64; 4] = [4, 5, 6, 7];

fn person(which: u64) -> Msisdn {
    let block = if which == 8 { 8_613_800_000_000 } else { 8_613_900_000_000 };
    Msisdn::try_from(block + which).unwrap()
}

fn policy(in_doubt: InDoubtPolicy) -> Policy {
    let numbers = [("1", Audience::Subscribers), ("2", Audience::Prospects)];
    let service = Service {
        numbers: numbers.into_iter().map(|(digits, who)| (ShortNumber::parse(digits).unwrap(), who)).collect(),
        ..Service::new(ShortNumber::parse("12599").unwrap())
    };
    Policy {
        ranges: Ranges::parse("north=86139*:3").unwrap(),
        limits: Limits { daily_cap: 6, reply_limit: 3, ..Limits::default() },
        in_doubt,
        ..Policy::new(service, Texts::shipped().unwrap())
    }
}

fn subscriber(which: u64, status: SubscriberStatus, since: Timestamp) -> Subscriber {
    Subscriber { status, ..Subscriber::new(person(which), since) }
}

struct Simulation {
    rng: Rng,
    gateway: Gateway,
    network: Network,
    /// Calls told to the gateway lately: some are told again.
    recent: VecDeque<MissedCall>,
    calls: u64,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let in_doubt = [InDoubtPolicy::Hold, InDoubtPolicy::ResendOnce, InDoubtPolicy::Resend][(seed % 3) as usize];
        let start = Timestamp::parse("2026-11-23T08:00:00Z").unwrap();
        let ways =
            [UpdateMode::Auto, UpdateMode::Replace, UpdateMode::Cancel, UpdateMode::ReplaceIfPresent, UpdateMode::New];
        let usual = ways[(seed / 3 % 5) as usize];
        let policy = Policy { updates: Updates { usual, ..Updates::default() }, ..policy(in_doubt) };
        let mut gateway = Gateway::new(policy, start);
        for which in 0..4 {
            let status = if which == 3 { SubscriberStatus::Suspended } else { SubscriberStatus::Active };
            gateway.subscribers.insert(person(which), subscriber(which, status, start));
        }
        let mut rng = Rng::new(seed);
        if rng.percent(70) {
            gateway.registry = Some(gateway.subscribers.clone());
        }
        Self { rng, gateway, network: Network::default(), recent: VecDeque::new(), calls: 0 }
    }

    fn operate(&mut self) {
        match self.rng.below(100) {
            0..24 => self.call(),
            24..29 => self.call_told_again(),
            29..44 => self.lease(),
            44..49 => self.ask(),
            49..54 => {
                if let Some((order, outcome)) = self.network.answer_update(&mut self.rng) {
                    self.gateway.asked(&order, outcome);
                }
            }
            54..56 => {
                if let Some((order, outcome)) = self.network.late_update(&mut self.rng) {
                    self.gateway.asked(&order, outcome);
                }
            }
            56..64 => {
                if let Some((submit, outcome)) = self.network.answer(&mut self.rng) {
                    self.gateway.answered(&submit, outcome);
                }
            }
            64..67 => {
                if let Some((submit, outcome)) = self.network.late_answer(&mut self.rng) {
                    self.gateway.answered(&submit, outcome);
                }
            }
            67..82 => {
                if let Some(receipt) = self.network.receipt(&mut self.rng, self.gateway.now) {
                    self.gateway.receipt(receipt);
                }
            }
            82..88 => self.reply(),
            88..91 => self.database(),
            91..97 => self.wait(),
            97 => {
                self.network.cut(&mut self.rng);
                self.gateway.restart();
            }
            _ => self.administrate(),
        }
    }

    fn call(&mut self) {
        let which = self.rng.below(PEOPLE);
        self.gateway.now = self.gateway.now + Duration::from_secs(1 + self.rng.below(30));
        let call = self.new_call(which);
        let verdict = self.gateway.call(&call);
        assert_ne!(verdict, Verdict::Nothing(NothingWhy::Duplicate), "a call of its own");
        self.recent.push_back(call);
        if self.recent.len() > 10 {
            self.recent.pop_front();
        }
    }

    fn new_call(&mut self, which: u64) -> MissedCall {
        self.calls += 1;
        // Each person has callers of their own: mostly new ones, some who ring again, some unknown.
        let caller = |n: u64| Msisdn::try_from(8_613_700_000_000 + which * 100_000 + n).map(Caller::Number).unwrap();
        let caller = match self.rng.below(10) {
            0 => Caller::Withheld,
            1..4 => caller(self.rng.below(5)),
            _ => caller(10 + self.calls),
        };
        let lag = if self.rng.percent(5) { 3600 } else { self.rng.below(3) };
        let number = self.rng.pick(&[None, None, Some("1"), Some("2")]);
        MissedCall {
            id: CallId::parse(&format!("call-{}", self.calls)).unwrap(),
            caller,
            called: person(which),
            at: self.gateway.now - Duration::from_secs(lag),
            reason: Reason::NoAnswer,
            service_number: number.map(|digits| ShortNumber::parse(digits).unwrap()),
            source: Source::Sip,
        }
    }

    /// The same report again, or the same call by another way under another name.
    fn call_told_again(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let place = self.rng.place(self.recent.len());
        let mut call = self.recent[place].clone();
        if self.rng.percent(50) && matches!(call.caller, Caller::Number(_)) {
            call.id = CallId::parse(&format!("{}-again", call.id.as_str())).unwrap();
            call.source = Source::Http;
            call.at = call.at + Duration::from_millis(self.rng.below(5_000));
        }
        if self.gateway.now.since(call.at) < DAY {
            assert_eq!(self.gateway.call(&call), Verdict::Nothing(NothingWhy::Duplicate));
        }
    }

    fn lease(&mut self) {
        let queued = self.gateway.queued();
        if queued.is_empty() {
            return;
        }
        let id = self.rng.pick(&queued);
        if let Some((submit, alert)) = self.gateway.lease(id) {
            self.network.submit(submit, alert);
        }
    }

    fn ask(&mut self) {
        let wanted = self.gateway.updates_wanted();
        if wanted.is_empty() {
            return;
        }
        let id = self.rng.pick(&wanted);
        if let Some((order, told)) = self.gateway.lease_update(id) {
            self.network.ask(order, told, self.gateway.now);
        }
    }

    fn reply(&mut self) {
        let which = self.rng.below(PEOPLE);
        let words: &[&str] = match which {
            0..3 => &["C", "HELP", "?", "查"],
            3 => &["C", "KT", "R", "what?"],
            _ => &["C", "C", "Ｃ", "KT", "QX", "R", "2", "?", "who is this", ""],
        };
        let (text, code) = (self.rng.pick(words), self.rng.pick(&["12599", "12599", "12599", "+12599", "10086"]));
        if self.rng.percent(70) {
            return self.text(which, code, text, None);
        }
        // In two parts, in any order; one may be repeated, or never come.
        let half = text.chars().count() / 2;
        let split = text.char_indices().nth(half).map_or(text.len(), |(place, _)| place);
        let (reference, swapped) = (self.rng.below(4) as u16, self.rng.below(2) as u8);
        for place in [0, 1] {
            let number = 1 + (place ^ swapped);
            let part = if number == 1 { &text[..split] } else { &text[split..] };
            for _ in 0..self.rng.pick(&[0, 1, 1, 1, 1, 2]) {
                self.text(which, code, part, Some(ReplyPart { reference, total: 2, number }));
            }
        }
    }

    fn text(&mut self, which: u64, code: &str, text: &str, part: Option<ReplyPart>) {
        let reply = Reply {
            from: person(which),
            to: code.to_owned(),
            text: text.to_owned(),
            part,
            smsc: SmscName("smsc1".to_owned()),
            at: self.gateway.now,
        };
        self.gateway.on(person(which), &Event::Reply(reply));
    }

    fn database(&mut self) {
        if self.gateway.abnormal() {
            self.gateway.recover();
        } else {
            self.gateway.database = Database::Abnormal;
        }
    }

    fn wait(&mut self) {
        let seconds = match self.rng.below(20) {
            0 => 2 * 24 * 3600,
            1..4 => self.rng.below(8 * 3600),
            4..10 => self.rng.below(1800),
            _ => self.rng.below(120),
        };
        self.gateway.now = self.gateway.now + Duration::from_secs(seconds);
        self.network.forget_updates(&mut self.rng, self.gateway.now);
        self.gateway.look();
    }

    /// The registry is refreshed; a quiet window begins; a stranger is registered by hand or leaves.
    fn administrate(&mut self) {
        if self.gateway.abnormal() {
            return;
        }
        match self.rng.below(4) {
            0 | 1 => self.gateway.registry = Some(self.gateway.subscribers.clone()),
            2 => {
                let until = self.gateway.now + Duration::from_secs(self.rng.below(4 * 3600));
                if let Some(quiet) = self.gateway.subscribers.get_mut(&person(2)) {
                    quiet.paused_until = Some(until);
                }
            }
            _ => {
                let which = self.rng.pick(&STRANGERS);
                let new = subscriber(which, SubscriberStatus::Active, self.gateway.now);
                if self.gateway.subscribers.remove(&person(which)).is_none() {
                    self.gateway.subscribers.insert(person(which), new);
                }
            }
        }
    }

    /// All is well for three days: everything that was going to happen happens.
    fn settle(&mut self) {
        self.gateway.recover();
        while let Some((submit, outcome)) = self.network.late_answer(&mut self.rng) {
            self.gateway.answered(&submit, outcome);
        }
        while let Some((order, outcome)) = self.network.late_update(&mut self.rng) {
            self.gateway.asked(&order, outcome);
        }
        for _ in 0..3 * 24 * 2 {
            for id in self.gateway.queued() {
                if let Some((submit, alert)) = self.gateway.lease(id) {
                    self.network.submit(submit, alert);
                }
            }
            while let Some((submit, outcome)) = self.network.answer_well(&mut self.rng) {
                self.gateway.answered(&submit, outcome);
            }
            for id in self.gateway.updates_wanted() {
                if let Some((order, told)) = self.gateway.lease_update(id) {
                    self.network.ask(order, told, self.gateway.now);
                }
            }
            while let Some((order, outcome)) = self.network.answer_update_well(&mut self.rng) {
                self.gateway.asked(&order, outcome);
            }
            for receipt in self.network.remaining_receipts(self.gateway.now) {
                self.gateway.receipt(receipt);
            }
            self.gateway.now = self.gateway.now + Duration::from_secs(1800);
            self.gateway.look();
        }
    }

    /// What people have in their hands when all has settled, and after one more call on a later day.
    fn audit(&mut self) {
        self.settle();
        for which in 0..3 {
            let call = self.new_call(which);
            self.gateway.call(&call);
        }
        self.settle();
        let unfinished = |state: &AlertState| matches!(state, AlertState::Queued { .. } | AlertState::Sending { .. });
        assert!(!self.gateway.alerts.values().any(|alert| unfinished(&alert.state)), "alerts are left over");
        assert!(!self.gateway.alerts.values().any(Alert::is_updating), "updates are left over");
        for which in 0..PEOPLE {
            self.not_told_twice(person(which));
        }
        for which in STEADY {
            self.told_everything(person(which));
            assert_eq!(self.network.teasers_to(person(which)), 0, "a teaser to a subscriber");
        }
        assert_eq!(self.network.teasers_to(person(3)), 0, "a teaser to a subscriber");
    }

    fn not_told_twice(&self, called: Msisdn) {
        if self.gateway.policy.in_doubt != InDoubtPolicy::Hold {
            return;
        }
        let counted = self.gateway.ledger.counted.get(&called).cloned().unwrap_or_default();
        let (shown, all) = self.network.shown_to(called);
        assert!(all <= counted.values().sum(), "{all} calls shown of {}", counted.values().sum::<u32>());
        for (caller, count) in shown {
            assert!(Some(&count) <= counted.get(&caller), "a call is told twice");
        }
    }

    fn told_everything(&self, called: Msisdn) {
        let Some(call_box) = self.gateway.boxes.get(&called) else { return };
        assert_eq!(untold(call_box), 0, "calls are still untold");
        let counted = &self.gateway.ledger.counted[&called];
        let (shown, all) = self.network.shown_to(called);
        let in_doubt = |state: &AlertState| matches!(state, AlertState::InDoubt { .. });
        let held = self.gateway.alerts.values().filter(|alert| alert.to == called && in_doubt(&alert.state));
        let held: u32 = held.map(|alert| alert.more + alert.told.iter().map(|tally| tally.count).sum::<u32>()).sum();
        let doubted = self.gateway.ledger.doubted.get(&called).copied().unwrap_or_default();
        let counted_all: u32 = counted.values().sum();
        let known = all + held + doubted;
        assert!(known >= counted_all, "{all} calls shown, {held} and {doubted} in doubt of {counted_all}");
        if self.gateway.policy.in_doubt == InDoubtPolicy::Resend {
            assert_eq!(held, 0, "held, though everything is sent again");
            if !self.gateway.ledger.by_number_only.contains(&called) {
                for (caller, count) in counted {
                    assert!(shown.get(caller) >= Some(count), "a call is never told");
                }
            }
        }
    }
}

/// Names the seed when a run fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with AFTERRING_SIM_SEED={} AFTERRING_SIM_RUNS=0", self.0);
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn no_call_is_lost_none_told_twice_and_no_rule_broken_whatever_happens() {
    let runs = setting("AFTERRING_SIM_RUNS").unwrap_or(RUNS);
    let (mut verdicts, mut updated) = (BTreeSet::new(), BTreeSet::new());
    for seed in setting("AFTERRING_SIM_SEED").into_iter().chain(1..=runs) {
        let _guard = Seed(seed);
        let mut simulation = Simulation::new(seed);
        for _ in 0..OPERATIONS {
            simulation.operate();
        }
        simulation.audit();
        verdicts.append(&mut simulation.gateway.verdicts);
        updated.append(&mut simulation.gateway.updated);
    }
    if runs >= RUNS {
        let never: Vec<_> = all_verdicts().filter(|verdict| !verdicts.contains(&verdict.words())).collect();
        assert_eq!(never, NOT_HERE, "verdicts that no run came to");
        assert_eq!(updated.len(), 2 * 6, "each outcome of an update, after a doubt and without one: {updated:?}");
    }
}

/// Verdicts that this simulation doesn't come to. Receipts that match nothing wait in the store and are not decided. These people text none of the keywords
/// of self-service, are on no list, and their range asks for no consent and keeps no hours; nobody tells callers of who can be reached again. The tests
/// of replies, consent and notify-me in `decide/tests` prove those.
const NOT_HERE: [Verdict; 23] = [
    Verdict::Nothing(NothingWhy::DoNotContact),
    Verdict::Nothing(NothingWhy::NoConsent),
    Verdict::Nothing(NothingWhy::QuietHours),
    Verdict::Nothing(NothingWhy::Unmatched),
    Verdict::Nothing(NothingWhy::NotNotified),
    Verdict::Nothing(NothingWhy::NotifyCap),
    Verdict::Nothing(NothingWhy::NotifyTooLate),
    Verdict::Nothing(NothingWhy::Deferred),
    Verdict::Reply(ReplyVerdict::ConfirmationAsked),
    Verdict::Reply(ReplyVerdict::NothingToConfirm),
    Verdict::Reply(ReplyVerdict::Paused),
    Verdict::Reply(ReplyVerdict::Resumed),
    Verdict::Reply(ReplyVerdict::NotifyOn),
    Verdict::Reply(ReplyVerdict::NotifyOff),
    Verdict::Reply(ReplyVerdict::Hidden),
    Verdict::Reply(ReplyVerdict::Shown),
    Verdict::Reply(ReplyVerdict::LanguageSet),
    Verdict::Reply(ReplyVerdict::LanguageUnknown),
    Verdict::Reply(ReplyVerdict::CopyAsked),
    Verdict::Reply(ReplyVerdict::CopyAgreed),
    Verdict::Reply(ReplyVerdict::CopyEnded),
    Verdict::Reply(ReplyVerdict::NotSubscribed),
    Verdict::Reply(ReplyVerdict::BadArgument),
];

/// Every verdict that there is.
fn all_verdicts() -> impl Iterator<Item = Verdict> {
    let told = [Kind::Fallback, Kind::Detail, Kind::Teaser];
    let alerts = told.into_iter().flat_map(|kind| [Verdict::Send(kind), Verdict::Joined(kind)]);
    let others = HeldWhy::ALL.map(Verdict::Held).into_iter().chain(NothingWhy::ALL.map(Verdict::Nothing));
    alerts.chain(others).chain(ReplyVerdict::ALL.map(Verdict::Reply)).chain([Verdict::Alert])
}
