//! Whether the database that nodes share can be relied on: a machine fed by a probe of its own and by what every statement meets.

use std::collections::VecDeque;
use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Database;

/// Changes kept for showing: as many as a reader takes in. The log has all of them.
pub const MAX_CHANGES: usize = 32;

/// What failures in a row must weigh together to make the database abnormal. Six, so that a half and a third of it are whole numbers.
const TOO_HEAVY: u8 = 6;

/// Answers in a row that end the first state, in which nothing was ill: it was not asked yet.
const FIRST: u8 = 1;

/// Answers in a row that end an episode: one may be luck.
const LEAST: u8 = 2;

/// Answers in a row that end an episode of a database that keeps going up and down: a few seconds of probing, and never more.
const MOST: u8 = 16;

/// What lies so long back has no part in what happens now.
const CALM: Duration = Duration::from_secs(60);

/// What is wrong with the database. Only what says something about all of it: a lock that was not got, a deadlock or a refused row concerns one
/// statement, is handled there, and never comes here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It refuses or closes connections, starts up, or shuts down. Connections that break together are one trouble and are reported once; what
    /// the connection made in their place meets is the next report.
    Gone,
    /// A deadline passed without an answer.
    Silent,
    /// It takes no changes: a standby, or a primary that was demoted.
    ReadOnly,
    /// Its disk or its memory is used up.
    Full,
    /// It has no connection left for us.
    Connections,
    /// It doesn't let us in.
    Denied,
    /// Its tables are not those of this program.
    Schema,
    /// Anything else that is not the statement's own fault.
    Other,
}

impl Trouble {
    /// Every trouble, in the order of the documents.
    pub const ALL: [Self; 8] = [
        Self::Gone,
        Self::Silent,
        Self::ReadOnly,
        Self::Full,
        Self::Connections,
        Self::Denied,
        Self::Schema,
        Self::Other,
    ];

    /// The word used in logs, metrics and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Silent => "silent",
            Self::ReadOnly => "read_only",
            Self::Full => "full",
            Self::Connections => "connections",
            Self::Denied => "denied",
            Self::Schema => "schema",
            Self::Other => "other",
        }
    }
}

/// What the machine is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HealthEvent {
    /// The probe's change was committed in time.
    ProbeOk,
    /// It was not.
    ProbeFailed(Trouble),
    /// A batch was committed in time.
    TrafficOk,
    /// It was not.
    TrafficFailed(Trouble),
    /// Nothing is left to hand over.
    Drained,
    /// An operator wants the database left alone.
    Force {
        /// Until when; it ends by itself at the first [`HealthEvent::Tick`] from then on.
        until: Timestamp,
        /// What the operator gave as the reason.
        reason: String,
    },
    /// The operator no longer wants it.
    Lift,
    /// Time has passed.
    Tick,
}

/// The four conditions that are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It works.
    Normal,
    /// It failed, not often enough to stop asking.
    Suspect,
    /// It is left alone, but for the probe.
    Abnormal,
    /// It answers the probe and takes what was decided without it; decisions don't ask it yet.
    Recovering,
}

impl Condition {
    /// Every condition, in the order of the documents.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Suspect, Self::Abnormal, Self::Recovering];

    /// The word used in logs, metrics and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Suspect => "suspect",
            Self::Abnormal => "abnormal",
            Self::Recovering => "recovering",
        }
    }
}

/// Why the condition changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The program started, and the database has not been asked yet.
    NotYetReached,
    /// The probe failed.
    Probe(Trouble),
    /// A batch failed.
    Traffic(Trouble),
    /// The probe is answered.
    ProbeAnswered,
    /// A batch is committed.
    TrafficAnswered,
    /// Nothing is left to hand over.
    Drained,
    /// An operator said so.
    Forced,
    /// An operator took it back.
    Lifted,
    /// The time that an operator set is over.
    TimeOver,
}

impl Why {
    /// Two words for logs, metrics and pages: who noticed, and what.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NotYetReached => ("start", "not_yet_reached"),
            Self::Probe(trouble) => ("probe", trouble.as_str()),
            Self::Traffic(trouble) => ("traffic", trouble.as_str()),
            Self::ProbeAnswered => ("probe", "answered"),
            Self::TrafficAnswered => ("traffic", "answered"),
            Self::Drained => ("hand_over", "drained"),
            Self::Forced => ("operator", "forced"),
            Self::Lifted => ("operator", "lifted"),
            Self::TimeOver => ("operator", "time_over"),
        }
    }
}

/// One change, for one line of the log. `from` and `to` are the same when only the reason changed: the first failure after the start, an operator's
/// order while the database is abnormal anyway.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// What it was.
    pub from: Condition,
    /// What it is.
    pub to: Condition,
    /// Why.
    pub why: Why,
    /// When.
    pub at: Timestamp,
}

/// An operator's order to leave the database alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forced {
    /// Since when.
    pub since: Timestamp,
    /// Until when; it ends by itself.
    pub until: Timestamp,
    /// What the operator gave as the reason.
    pub reason: String,
}

/// Where the machine is.
///
/// ```text
///              failed                 failed until too heavy
///    normal ◀──────────▶ suspect ───────────────────────────▶ abnormal ◀─ start
///    ▲  │     answered                                        ▲  ▲  │
///    │  └── traffic silent, denied, schema, forced ───────────┘  │  │ probe answered often enough,
///    │                                     any failure, forced   │  │ and not forced
///    └───────────────── drained ───────────────────────── recovering ◀┘
/// ```
///
/// An operator's order lies over it: as long as it lasts the machine stays abnormal and goes on counting answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// It works.
    Normal {
        /// Since when, suspicions that were cleared included.
        since: Timestamp,
    },
    /// It failed; the weights are below [`TOO_HEAVY`], and not both zero.
    Suspect {
        /// Since when decisions ask it.
        normal_since: Timestamp,
        /// What the probe's failures weigh since it was answered.
        probe: u8,
        /// What traffic's failures weigh since a batch was committed.
        traffic: u8,
        /// When the last failure was.
        failed_at: Timestamp,
    },
    /// It is left alone.
    Abnormal {
        /// The last known reason.
        why: Why,
        /// Probes answered in a row.
        answers: u8,
        /// How many it takes.
        enough: u8,
    },
    /// It takes what was decided without it.
    Recovering,
}

/// Who noticed a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reporter {
    Probe,
    Traffic,
}

/// The last episode that is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Episode {
    /// How many answers it took.
    enough: u8,
    /// When it was over.
    ended: Timestamp,
}

/// The health of the database that nodes share, as this node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    state: State,
    forced: Option<Forced>,
    /// Whether there is a database at all.
    configured: bool,
    last_episode: Option<Episode>,
    since: Timestamp,
    changes: VecDeque<Change>,
}

impl Health {
    /// Of a database that has not been asked yet: abnormal, until one probe is answered.
    #[must_use]
    pub const fn starting(now: Timestamp) -> Self {
        Self::new(State::Abnormal { why: Why::NotYetReached, answers: 0, enough: FIRST }, true, now)
    }

    /// Of a gateway without a shared database: normal, unless an operator says otherwise. It takes no notice of probe and traffic.
    #[must_use]
    pub const fn unconfigured(now: Timestamp) -> Self {
        Self::new(State::Normal { since: now }, false, now)
    }

    const fn new(state: State, configured: bool, now: Timestamp) -> Self {
        Self { state, forced: None, configured, last_episode: None, since: now, changes: VecDeque::new() }
    }

    /// What is shown.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        match self.state {
            State::Normal { .. } => Condition::Normal,
            State::Suspect { .. } => Condition::Suspect,
            State::Abnormal { .. } => Condition::Abnormal,
            State::Recovering => Condition::Recovering,
        }
    }

    /// Since when the condition is what it is.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Why the database is left alone, while it is.
    #[must_use]
    pub const fn why(&self) -> Option<Why> {
        match self.state {
            State::Abnormal { .. } if self.forced.is_some() => Some(Why::Forced),
            State::Abnormal { why, .. } => Some(why),
            State::Normal { .. } | State::Suspect { .. } | State::Recovering => None,
        }
    }

    /// The operator's order, while it lasts.
    #[must_use]
    pub const fn forced(&self) -> Option<&Forced> {
        self.forced.as_ref()
    }

    /// The last changes, the oldest first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.changes.iter()
    }

    /// What decisions are taken by. Not the database while it recovers: what was decided without it is not in it yet.
    #[must_use]
    pub const fn decides_by(&self) -> Database {
        match self.state {
            State::Normal { .. } | State::Suspect { .. } => Database::Normal,
            State::Abnormal { .. } | State::Recovering => Database::Abnormal,
        }
    }

    /// Whether traffic may use the database: to decide while it is normal, to hand over while it recovers. The probe always may.
    #[must_use]
    pub const fn may_ask(&self) -> bool {
        match self.state {
            State::Normal { .. } | State::Suspect { .. } | State::Recovering => true,
            State::Abnormal { .. } => false,
        }
    }

    /// Takes an event; a change when there is something to log.
    pub fn on(&mut self, event: HealthEvent, now: Timestamp) -> Option<Change> {
        let from = self.condition();
        let why = match event {
            HealthEvent::Force { until, reason } => Some(self.force(Forced { since: now, until, reason }, now)),
            HealthEvent::Lift => self.lift(Why::Lifted, now),
            HealthEvent::Tick if self.forced.as_ref().is_some_and(|forced| forced.until <= now) => {
                self.lift(Why::TimeOver, now)
            }
            HealthEvent::Tick => None,
            HealthEvent::ProbeOk => self.probe_answered(now),
            HealthEvent::TrafficOk => self.traffic_answered(),
            HealthEvent::Drained => self.drained(now),
            HealthEvent::ProbeFailed(trouble) => self.failed(Reporter::Probe, trouble, now),
            HealthEvent::TrafficFailed(trouble) => self.failed(Reporter::Traffic, trouble, now),
        }?;
        let change = Change { from, to: self.condition(), why, at: now };
        if change.from != change.to {
            self.since = now;
        }
        if self.changes.len() >= MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
        Some(change)
    }

    /// Whatever is decided meanwhile is decided without the database, so there is no way back to normal but by recovering.
    fn force(&mut self, forced: Forced, now: Timestamp) -> Why {
        self.forced = Some(forced);
        self.state = match self.state {
            State::Abnormal { .. } => self.state,
            State::Normal { .. } | State::Suspect { .. } | State::Recovering => {
                State::Abnormal { why: Why::Forced, answers: 0, enough: self.usual(now) }
            }
        };
        Why::Forced
    }

    fn lift(&mut self, how: Why, now: Timestamp) -> Option<Why> {
        self.forced.take()?;
        self.state = match self.state {
            State::Abnormal { .. } if !self.configured => State::Normal { since: now },
            State::Abnormal { answers, enough, .. } if answers >= enough => self.recovering(enough, now),
            State::Abnormal { why: Why::Forced, answers, enough } => State::Abnormal { why: how, answers, enough },
            State::Abnormal { .. } | State::Normal { .. } | State::Suspect { .. } | State::Recovering => self.state,
        };
        Some(how)
    }

    /// What the probe reported is over. What traffic reported is not: a probe's small row may be written while the tables can't be; only when traffic
    /// has not failed for a while, as at night, is it forgotten.
    fn probe_answered(&mut self, now: Timestamp) -> Option<Why> {
        match self.state {
            State::Normal { .. } | State::Recovering => None,
            State::Suspect { normal_since, traffic, failed_at, .. } => {
                if traffic == 0 || now.since(failed_at) >= CALM {
                    self.state = State::Normal { since: normal_since };
                    return Some(Why::ProbeAnswered);
                }
                self.state = State::Suspect { normal_since, probe: 0, traffic, failed_at };
                None
            }
            // A gateway without a database has no probe.
            State::Abnormal { .. } if !self.configured => None,
            State::Abnormal { why, answers, enough } => {
                let answers = answers.saturating_add(1).min(enough);
                if answers < enough || self.forced.is_some() {
                    self.state = State::Abnormal { why, answers, enough };
                    return None;
                }
                self.state = self.recovering(enough, now);
                Some(Why::ProbeAnswered)
            }
        }
    }

    /// A batch that was under way when the database became abnormal says nothing of what is now; while it recovers, the next batch may still fail.
    fn traffic_answered(&mut self) -> Option<Why> {
        match self.state {
            State::Suspect { normal_since, .. } => {
                self.state = State::Normal { since: normal_since };
                Some(Why::TrafficAnswered)
            }
            State::Normal { .. } | State::Abnormal { .. } | State::Recovering => None,
        }
    }

    fn drained(&mut self, now: Timestamp) -> Option<Why> {
        match self.state {
            State::Recovering => {
                self.state = State::Normal { since: now };
                Some(Why::Drained)
            }
            State::Normal { .. } | State::Suspect { .. } | State::Abnormal { .. } => None,
        }
    }

    fn failed(&mut self, by: Reporter, trouble: Trouble, now: Timestamp) -> Option<Why> {
        if !self.configured {
            return None;
        }
        let why = match by {
            Reporter::Probe => Why::Probe(trouble),
            Reporter::Traffic => Why::Traffic(trouble),
        };
        let before = self.state;
        self.state = match before {
            State::Normal { since } => self.weighed(why, since, by.weighs(trouble, (0, 0)), now),
            State::Suspect { normal_since, probe, traffic, .. } => {
                self.weighed(why, normal_since, by.weighs(trouble, (probe, traffic)), now)
            }
            State::Abnormal { enough, .. } => match by {
                Reporter::Probe => State::Abnormal { why, answers: 0, enough },
                // It began before, and says nothing of what is now.
                Reporter::Traffic => before,
            },
            State::Recovering => State::Abnormal { why, answers: 0, enough: self.stricter(now) },
        };
        let worth_a_line = match (before, self.state) {
            // Further failures are no news, but the first after the start is: it says what to repair.
            (State::Abnormal { why: known, .. }, _) => known == Why::NotYetReached && by == Reporter::Probe,
            (State::Suspect { .. }, State::Suspect { .. }) => false,
            (State::Normal { .. } | State::Suspect { .. } | State::Recovering, _) => true,
        };
        worth_a_line.then_some(why)
    }

    /// Suspect, or abnormal when all failures together weigh too much.
    fn weighed(&self, why: Why, normal_since: Timestamp, (probe, traffic): (u8, u8), now: Timestamp) -> State {
        if probe.saturating_add(traffic) >= TOO_HEAVY {
            State::Abnormal { why, answers: 0, enough: self.stricter(now) }
        } else {
            State::Suspect { normal_since, probe, traffic, failed_at: now }
        }
    }

    fn recovering(&mut self, enough: u8, now: Timestamp) -> State {
        self.last_episode = Some(Episode { enough, ended: now });
        State::Recovering
    }

    /// The answers that end an episode which begins now: as many as last time, until the database was normal for a while.
    fn usual(&self, now: Timestamp) -> u8 {
        let calm = match self.state {
            State::Normal { since: normal_since } | State::Suspect { normal_since, .. } => {
                now.since(normal_since) >= CALM
            }
            State::Abnormal { .. } | State::Recovering => false,
        };
        self.last_episode.filter(|_| !calm).map_or(LEAST, |last| last.enough.max(LEAST))
    }

    /// The same for an episode that is the database's own doing: twice as many when it follows close upon another.
    fn stricter(&self, now: Timestamp) -> u8 {
        match self.last_episode {
            Some(last) if now.since(last.ended) < CALM => last.enough.saturating_mul(2).clamp(LEAST, MOST),
            Some(_) | None => self.usual(now),
        }
    }
}

impl Reporter {
    /// The weights of the probe's and of traffic's failures with this one added.
    ///
    /// A batch without an answer has cost a whole deadline already, so it is enough; a probe without an answer is half of it. A closed connection is
    /// tried again at once, so three in a row come within some ten milliseconds, and one that only had to be made anew stays below.
    const fn weighs(self, trouble: Trouble, (probe, traffic): (u8, u8)) -> (u8, u8) {
        let weight = match (self, trouble) {
            (Self::Probe | Self::Traffic, Trouble::Denied | Trouble::Schema) | (Self::Traffic, Trouble::Silent) => {
                TOO_HEAVY
            }
            (Self::Probe, Trouble::Silent) | (Self::Probe | Self::Traffic, Trouble::ReadOnly) => TOO_HEAVY / 2,
            (Self::Probe | Self::Traffic, Trouble::Gone | Trouble::Full | Trouble::Connections | Trouble::Other) => {
                TOO_HEAVY / 3
            }
        };
        match self {
            Self::Probe => (probe.saturating_add(weight), traffic),
            Self::Traffic => (probe, traffic.saturating_add(weight)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T0: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const UNTIL: Timestamp = Timestamp::from_millis(1_800_000_600_000);

    fn force() -> HealthEvent {
        HealthEvent::Force { until: UNTIL, reason: "maintenance".to_owned() }
    }

    fn after(mut health: Health, events: &[HealthEvent]) -> Health {
        for event in events {
            health.on(event.clone(), T0);
        }
        health
    }

    fn normal() -> Health {
        after(Health::starting(T0), &[HealthEvent::ProbeOk, HealthEvent::Drained])
    }

    /// The columns of the table: three successes, eight failures of the probe, eight of traffic, and four of the operator's.
    fn columns() -> Vec<(HealthEvent, Timestamp)> {
        let mut events = vec![HealthEvent::ProbeOk, HealthEvent::TrafficOk, HealthEvent::Drained];
        events.extend(Trouble::ALL.map(HealthEvent::ProbeFailed));
        events.extend(Trouble::ALL.map(HealthEvent::TrafficFailed));
        events.extend([force(), HealthEvent::Lift, HealthEvent::Tick]);
        let mut columns: Vec<_> = events.into_iter().map(|event| (event, T0)).collect();
        columns.push((HealthEvent::Tick, UNTIL));
        columns
    }

    /// Every state, with what each event makes of it: N, S, A, R. Failures in the order of [`Trouble::ALL`].
    fn table() -> Vec<(&'static str, Health, &'static str)> {
        use HealthEvent::{ProbeFailed, ProbeOk, TrafficFailed};
        let (gone, silent) = (TrafficFailed(Trouble::Gone), TrafficFailed(Trouble::Silent));
        let ill = || after(normal(), std::slice::from_ref(&silent));
        vec![
            ("starting", Health::starting(T0), "RAA AAAAAAAA AAAAAAAA AAA A"),
            ("normal", normal(), "NNN SSSSSAAS SASSSAAS ANN N"),
            ("suspected by the probe", after(normal(), &[ProbeFailed(Trouble::Gone)]), "NNS SSSSSAAS SASSSAAS ASS S"),
            ("nearly silent", after(normal(), &[ProbeFailed(Trouble::Silent)]), "NNS SAASSAAS SAASSAAS ASS S"),
            ("suspected by traffic", after(normal(), &[gone.clone(), gone]), "SNS AAAAAAAA AAAAAAAA ASS S"),
            ("abnormal", ill(), "AAA AAAAAAAA AAAAAAAA AAA A"),
            ("answering", after(ill(), &[ProbeOk]), "RAA AAAAAAAA AAAAAAAA AAA A"),
            ("recovering", after(ill(), &[ProbeOk, ProbeOk]), "RRN AAAAAAAA AAAAAAAA ARR R"),
            ("forced", after(normal(), &[force()]), "AAA AAAAAAAA AAAAAAAA AAA A"),
            ("forced, answering", after(normal(), &[force(), ProbeOk, ProbeOk]), "AAA AAAAAAAA AAAAAAAA ARA R"),
            ("forced while abnormal", after(ill(), &[force()]), "AAA AAAAAAAA AAAAAAAA AAA A"),
            ("no database", Health::unconfigured(T0), "NNN NNNNNNNN NNNNNNNN ANN N"),
            ("no database, forced", after(Health::unconfigured(T0), &[force()]), "AAA AAAAAAAA AAAAAAAA ANA N"),
        ]
    }

    fn letter(condition: Condition) -> char {
        match condition {
            Condition::Normal => 'N',
            Condition::Suspect => 'S',
            Condition::Abnormal => 'A',
            Condition::Recovering => 'R',
        }
    }

    #[test]
    fn every_event_in_every_state_does_what_the_table_says() {
        for (name, health, row) in table() {
            let row: Vec<char> = row.chars().filter(|letter| *letter != ' ').collect();
            assert_eq!(row.len(), columns().len(), "{name}");
            for ((event, now), expected) in columns().into_iter().zip(row) {
                let mut next = health.clone();
                let change = next.on(event.clone(), now);
                assert_eq!(letter(next.condition()), expected, "{name}: {event:?}");
                check(&health, &event, &next, change, now);
            }
        }
    }

    /// What holds for every step.
    fn check(before: &Health, event: &HealthEvent, after: &Health, change: Option<Change>, now: Timestamp) {
        use Condition::{Abnormal, Normal, Recovering, Suspect};
        let (from, to) = (before.condition(), after.condition());
        match change {
            Some(change) => {
                assert_eq!((change.from, change.to, change.at), (from, to, now));
                assert_eq!(after.changes().next_back(), Some(&change));
            }
            None => assert!(before.changes().eq(after.changes())),
        }
        assert_eq!(after.since(), if from == to { before.since() } else { now });
        assert!(after.changes().count() <= MAX_CHANGES);
        match (from, to) {
            (Abnormal, Normal) => assert!(!after.configured, "{event:?} skips recovering"),
            (Normal | Suspect, Recovering) | (Recovering | Abnormal, Suspect) => {
                panic!("{from:?} to {to:?}")
            }
            (Normal | Suspect, Normal | Suspect | Abnormal) | (Abnormal | Recovering, Abnormal | Recovering) => {}
            (Recovering, Normal) => assert_eq!(*event, HealthEvent::Drained),
        }
        if from != to || before.forced() != after.forced() {
            assert!(change.is_some(), "{event:?} changed something in silence");
        }
        assert_eq!(after.why().is_some(), to == Abnormal);
        assert_eq!(after.decides_by() == Database::Normal, matches!(to, Normal | Suspect));
        assert_eq!(after.may_ask(), to != Abnormal);
        if after.forced().is_some() {
            assert_eq!((to, after.why()), (Abnormal, Some(Why::Forced)));
        }
        if let State::Abnormal { answers, enough, .. } = after.state {
            assert!(answers <= enough && (FIRST..=MOST).contains(&enough));
            assert!(answers < enough || after.forced().is_some());
        }
        if let State::Suspect { probe, traffic, .. } = after.state {
            assert!((1..TOO_HEAVY).contains(&(probe + traffic)));
        }
    }

    fn any_event() -> impl Strategy<Value = HealthEvent> {
        let trouble = || proptest::sample::select(Trouble::ALL.to_vec());
        prop_oneof![
            6 => Just(HealthEvent::ProbeOk),
            4 => Just(HealthEvent::TrafficOk),
            2 => Just(HealthEvent::Drained),
            2 => trouble().prop_map(HealthEvent::ProbeFailed),
            2 => trouble().prop_map(HealthEvent::TrafficFailed),
            1 => (0_u64..100).prop_map(|secs| HealthEvent::Force { until: T0 + SECOND * u32::try_from(secs).unwrap(), reason: String::new() }),
            1 => Just(HealthEvent::Lift),
            2 => Just(HealthEvent::Tick),
        ]
    }

    proptest! {
        #[test]
        fn the_rules_hold_on_every_way(
            configured: bool,
            steps in proptest::collection::vec((any_event(), 0_u64..20_000), 1..200),
        ) {
            let mut now = T0;
            let mut health = if configured { Health::starting(now) } else { Health::unconfigured(now) };
            for (event, millis) in steps {
                now = now + Duration::from_millis(millis);
                let before = health.clone();
                let change = health.on(event.clone(), now);
                check(&before, &event, &health, change, now);
            }
        }

        #[test]
        fn whatever_happened_a_database_that_answers_becomes_normal(events in proptest::collection::vec(any_event(), 0..100)) {
            let mut health = after(Health::starting(T0), &events);
            health.on(HealthEvent::Lift, T0);
            let probes = usize::from(MOST);
            let answered = after(health, &vec![HealthEvent::ProbeOk; probes]);
            let healthy = after(answered, &[HealthEvent::TrafficOk, HealthEvent::Drained]);
            prop_assert!(healthy.condition() == Condition::Normal);
        }
    }

    #[test]
    fn the_start_needs_one_answer_and_says_what_keeps_it_waiting() {
        let mut health = Health::starting(T0);
        assert_eq!((health.condition(), health.why()), (Condition::Abnormal, Some(Why::NotYetReached)));
        let change = health.on(HealthEvent::ProbeFailed(Trouble::Denied), T0).unwrap();
        assert_eq!(
            (change.from, change.to, change.why.words()),
            (Condition::Abnormal, Condition::Abnormal, ("probe", "denied"))
        );
        assert_eq!(health.on(HealthEvent::ProbeFailed(Trouble::Gone), T0), None);
        assert_eq!(health.why(), Some(Why::Probe(Trouble::Gone)));
        assert_eq!(health.on(HealthEvent::ProbeOk, T0).unwrap().to, Condition::Recovering);
    }

    #[test]
    fn a_hung_database_is_noticed_by_one_batch_or_by_two_probes() {
        let silent = |event: fn(Trouble) -> HealthEvent, times| {
            after(normal(), &vec![event(Trouble::Silent); times]).condition()
        };
        assert_eq!(silent(HealthEvent::TrafficFailed, 1), Condition::Abnormal);
        assert_eq!(silent(HealthEvent::ProbeFailed, 1), Condition::Suspect);
        assert_eq!(silent(HealthEvent::ProbeFailed, 2), Condition::Abnormal);
    }

    #[test]
    fn a_connection_that_is_made_anew_is_no_trouble_and_three_that_are_not_are() {
        use HealthEvent::{ProbeFailed, TrafficFailed, TrafficOk};
        let (traffic, probe) = (TrafficFailed(Trouble::Gone), ProbeFailed(Trouble::Gone));
        let health = after(normal(), &[traffic.clone(), probe.clone(), TrafficOk, traffic.clone(), probe.clone()]);
        assert_eq!(health.condition(), Condition::Suspect);
        for three in [[&traffic, &traffic, &traffic], [&traffic, &probe, &traffic], [&probe, &probe, &probe]] {
            assert_eq!(after(normal(), &three.map(Clone::clone)).condition(), Condition::Abnormal);
        }
    }

    #[test]
    fn a_probe_that_succeeds_hides_no_failing_traffic() {
        use HealthEvent::{ProbeOk, TrafficFailed};
        for trouble in Trouble::ALL {
            let failing = TrafficFailed(trouble);
            let health = after(normal(), &[failing.clone(), ProbeOk, failing.clone(), ProbeOk, failing]);
            assert_eq!(health.condition(), Condition::Abnormal, "{trouble:?}");
        }
    }

    #[test]
    fn failures_of_traffic_are_forgotten_when_none_followed_for_a_while() {
        let mut health = after(normal(), &[HealthEvent::TrafficFailed(Trouble::Gone)]);
        assert_eq!(health.on(HealthEvent::ProbeOk, T0 + CALM - Duration::from_millis(1)), None);
        assert_eq!(health.on(HealthEvent::ProbeOk, T0 + CALM).unwrap().to, Condition::Normal);
    }

    /// Makes it ill at `at`, counts the answers that it takes to recover, and leaves it normal.
    fn episode(health: &mut Health, at: Timestamp) -> usize {
        health.on(HealthEvent::TrafficFailed(Trouble::Silent), at);
        let mut answers = 0;
        while health.condition() == Condition::Abnormal {
            health.on(HealthEvent::ProbeOk, at);
            answers += 1;
        }
        health.on(HealthEvent::Drained, at);
        answers
    }

    #[test]
    fn a_database_that_keeps_going_up_and_down_must_answer_longer_until_it_was_calm() {
        let mut health = normal();
        let every = |step: Duration, times: u32, from: Timestamp| (1..=times).map(move |n| from + step * n);
        let hasty: Vec<_> = every(SECOND * 59, 6, T0).map(|at| episode(&mut health, at)).collect();
        assert_eq!(hasty, [2, 4, 8, 16, 16, 16]);
        let last = T0 + SECOND * 59 * 6;
        assert_eq!(episode(&mut health, last + CALM), 2);
    }

    #[test]
    fn a_long_recovery_is_no_calm() {
        use HealthEvent::{ProbeOk, TrafficFailed};
        let mut health = normal();
        episode(&mut health, T0 + SECOND);
        episode(&mut health, T0 + SECOND);
        for event in
            [TrafficFailed(Trouble::Silent), ProbeOk, ProbeOk, ProbeOk, ProbeOk, ProbeOk, ProbeOk, ProbeOk, ProbeOk]
        {
            health.on(event, T0 + SECOND);
        }
        assert_eq!(health.condition(), Condition::Recovering);
        // Ten minutes of handing over, then it fails: as many answers as last time, and not the least.
        assert_eq!(episode(&mut health, T0 + SECOND * 600), 8);
    }

    #[test]
    fn a_suspicion_that_was_cleared_does_not_break_the_calm() {
        let mut health = normal();
        episode(&mut health, T0 + SECOND);
        health.on(HealthEvent::TrafficFailed(Trouble::Gone), T0 + SECOND * 30);
        health.on(HealthEvent::TrafficOk, T0 + SECOND * 30);
        assert_eq!(episode(&mut health, T0 + SECOND * 61), 2);
    }

    #[test]
    fn a_forced_state_ends_by_itself_and_what_came_meanwhile_is_handed_over_first() {
        let mut health = normal();
        assert_eq!(health.on(force(), T0).unwrap().why, Why::Forced);
        for event in [HealthEvent::ProbeOk, HealthEvent::ProbeOk, HealthEvent::TrafficOk, HealthEvent::Drained] {
            assert_eq!(health.on(event, T0), None);
        }
        assert_eq!(health.decides_by(), Database::Abnormal);
        assert_eq!(health.on(HealthEvent::Tick, UNTIL - SECOND), None);
        let change = health.on(HealthEvent::Tick, UNTIL).unwrap();
        assert_eq!((change.to, change.why), (Condition::Recovering, Why::TimeOver));
        assert_eq!(health.on(HealthEvent::Drained, UNTIL).unwrap().to, Condition::Normal);
        assert_eq!(health.on(HealthEvent::Lift, UNTIL), None);
    }

    #[test]
    fn a_database_that_fell_ill_while_it_was_left_alone_stays_abnormal() {
        let mut health = after(normal(), &[force(), HealthEvent::ProbeOk, HealthEvent::ProbeFailed(Trouble::Gone)]);
        assert_eq!(health.on(HealthEvent::Lift, T0).unwrap().to, Condition::Abnormal);
        assert_eq!((health.why(), health.forced()), (Some(Why::Probe(Trouble::Gone)), None));
        assert_eq!(after(health, &[HealthEvent::ProbeOk, HealthEvent::ProbeOk]).condition(), Condition::Recovering);
    }

    #[test]
    fn a_batch_that_began_before_says_nothing_of_an_abnormal_database() {
        let ill = after(normal(), &[HealthEvent::TrafficFailed(Trouble::Silent), HealthEvent::ProbeOk]);
        let late = [HealthEvent::TrafficFailed(Trouble::Gone), HealthEvent::TrafficOk, HealthEvent::Drained];
        assert_eq!(after(ill.clone(), &late), ill);
    }

    #[test]
    fn a_second_order_takes_the_place_of_the_first() {
        let mut health = after(normal(), &[force()]);
        let longer = HealthEvent::Force { until: UNTIL + SECOND, reason: "longer".to_owned() };
        assert_eq!(health.on(longer, T0).unwrap().why, Why::Forced);
        assert_eq!(health.on(HealthEvent::Tick, UNTIL), None);
        assert_eq!(health.forced().unwrap().reason, "longer");
    }

    #[test]
    fn words_are_distinct() {
        let mut words: Vec<_> =
            Condition::ALL.map(Condition::as_str).into_iter().chain(Trouble::ALL.map(Trouble::as_str)).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Condition::ALL.len() + Trouble::ALL.len());
    }
}
