//! `query_sm`, `cancel_sm`, `replace_sm` (SMPP 3.4 §4.8-4.10) and `submit_sm` with `replace_if_present_flag` (§5.2.18): what may be asked about a message that
//! an SMSC has, and what came of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use model::{Address, Kind, Msisdn, ReceiptState};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::status::{self, StatusClass};

/// A message that an SMSC took, as it is known there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// `message_id` of its `submit_sm_resp`.
    pub id: String,
    /// Its originator: the SMSC compares it with the one of the submit.
    pub source: Address,
    /// The handset.
    pub destination: Msisdn,
    /// What it was sent for: decides how addresses are written.
    pub kind: Kind,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Update {
    /// What became of it.
    Query,
    /// Delete it, if it is not delivered.
    Cancel,
    /// Deliver another text in its place, if it is not delivered. The coding stays what it was, and so does the number of parts: one.
    Replace {
        /// The text that the SMSC has.
        before: String,
        /// The text to deliver instead.
        text: String,
        /// How long the SMSC may try, from now on.
        validity: Duration,
    },
    /// Submit another text that takes its place if it is not delivered, and stands beside it otherwise: the SMSC finds it by originator, handset and
    /// service type. Its id says nothing.
    ReplaceIfPresent {
        /// The text that the SMSC has.
        before: String,
        /// The text to deliver instead.
        text: String,
        /// How long the SMSC may try, from now on.
        validity: Duration,
    },
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Updated {
    /// It was cancelled or replaced.
    Done,
    /// A submit that replaces was taken, under this id.
    Taken(String),
    /// What became of it, as `query_sm_resp` says.
    State(ReceiptState),
    /// The SMSC refused: it doesn't have the message any more, or says why in `command_status`.
    Refused(u32),
    /// The SMSC can't do it now, and says why in `command_status`.
    PutOff(u32),
    /// The SMSC can't do this on this link: it said so with this `command_status`, or did not answer in time (`None`), or closed two connections over it. Asked
    /// again on the same connection, it is answered so at once.
    Unsupported(Option<u32>),
    /// The standard can't say this: for `replace_sm` another coding, and for both ways of replacing more than one part, or over 254 octets (SMPP 3.4 §4.10).
    Unsayable,
    /// It was not answered in time, by an SMSC that has answered the like before, or that every SMSC answers: it may have been done.
    Unanswered,
    /// The connection ended before the answer: it may have been done.
    InDoubt,
    /// No link to that SMSC is in service, it has slowed down for too long, or too many are being asked: nothing was asked.
    NotAsked,
}

/// Updates that one link may have unanswered: they are asked one by one by whoever updates an alert, never by the thousand.
pub(crate) const MOST_ASKED: usize = 256;

/// Whether an SMSC does something, as far as a connection to it has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ability {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It has answered.
    Can,
    /// It said that it can't, or did not answer.
    Cannot,
}

impl Ability {
    /// The word used in metrics, pages and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Can => "can",
            Self::Cannot => "cannot",
        }
    }
}

/// What an SMSC can do with messages that it has, as far as a link's last connection has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Abilities {
    /// `query_sm`.
    pub query: Ability,
    /// `cancel_sm`.
    pub cancel: Ability,
    /// `replace_sm`.
    pub replace: Ability,
}

impl Abilities {
    /// What is asked, with the word of whether it can.
    #[must_use]
    pub const fn words(&self) -> [(&'static str, &'static str); 3] {
        [("query_sm", self.query.as_str()), ("cancel_sm", self.cancel.as_str()), ("replace_sm", self.replace.as_str())]
    }

    pub(crate) const fn of(&self, asks: Asks) -> Ability {
        match asks {
            Asks::Query => self.query,
            Asks::Cancel => self.cancel,
            Asks::Replace => self.replace,
            // Every SMSC answers a submit; whether it heeds the flag, no answer says.
            Asks::ReplaceIfPresent => Ability::Unknown,
        }
    }
}

/// An update on its way to a link. Dropped unasked, it was not asked.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) message: Message,
    pub(crate) update: Update,
    pub(crate) answer: oneshot::Sender<Updated>,
}

/// Which of them it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    Query,
    Cancel,
    Replace,
    ReplaceIfPresent,
}

impl Update {
    pub(crate) const fn asks(&self) -> Asks {
        match self {
            Self::Query => Asks::Query,
            Self::Cancel => Asks::Cancel,
            Self::Replace { .. } => Asks::Replace,
            Self::ReplaceIfPresent { .. } => Asks::ReplaceIfPresent,
        }
    }
}

/// An update that waits for the link's pace.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) pdu: BytesMut,
    pub(crate) asks: Asks,
    /// What the message is known by, where not by the SMSC's ids.
    pub(crate) named: Option<String>,
    pub(crate) answer: oneshot::Sender<Updated>,
    /// When it is no longer worth asking.
    pub(crate) until: Instant,
}

#[derive(Debug)]
struct Unanswered {
    asks: Asks,
    named: Option<String>,
    answer: oneshot::Sender<Updated>,
}

/// An answer to an update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    /// Of the status, as this SMSC means it.
    pub(crate) class: StatusClass,
    pub(crate) says: Says,
}

/// What an answer says beside its status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Says {
    Nothing,
    /// Of a `query_sm_resp`.
    State(ReceiptState),
    /// Of a `submit_sm_resp`.
    Id(String),
}

/// Connections in a row that may end over a command that the SMSC has never answered, until it is taken for the cause: an SMSC that can't read it, and closes.
const MOST_CUTS: u8 = 2;

/// How long it is not asked then.
const SHUNNED: Duration = Duration::from_secs(3_600);

/// What the connections of one link ended over.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// What the SMSC has answered on any of them: these connections ended for other reasons.
    answered: Vec<Asks>,
    cuts: Vec<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    asks: Asks,
    times: u8,
    last: Instant,
}

impl Cuts {
    /// What a new connection is not asked; all others are.
    pub(crate) fn asked(&mut self, now: Instant) -> Asked {
        self.cuts.retain(|cut| now.saturating_duration_since(cut.last) < SHUNNED);
        let shunned = self.cuts.iter().filter(|cut| cut.times >= MOST_CUTS);
        Asked { unsupported: shunned.map(|cut| (cut.asks, None)).collect(), ..Asked::default() }
    }

    /// A connection ended: what it answered is no cause.
    pub(crate) fn learn(&mut self, asked: &Asked) {
        for asks in asked.answered.iter().filter(|asks| **asks != Asks::ReplaceIfPresent) {
            if !self.answered.contains(asks) {
                self.answered.push(*asks);
            }
            self.cuts.retain(|cut| cut.asks != *asks);
        }
    }

    /// The SMSC, or nobody known, ended a connection, with these unanswered.
    pub(crate) fn blame(&mut self, asked: &Asked, now: Instant) {
        for asks in [Asks::Query, Asks::Cancel, Asks::Replace] {
            let is_unanswered = asked.unanswered.values().any(|unanswered| unanswered.asks == asks);
            if self.answered.contains(&asks) || !is_unanswered {
                continue;
            }
            match self.cuts.iter_mut().find(|cut| cut.asks == asks) {
                Some(cut) => (cut.times, cut.last) = (cut.times.saturating_add(1), now),
                None => self.cuts.push(Cut { asks, times: 1, last: now }),
            }
        }
    }
}

/// What one connection was asked, and what was learnt of it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// To be sent as the link's pace allows.
    waiting: VecDeque<Waiting>,
    unanswered: HashMap<u32, Unanswered>,
    /// In the order of sending; answered ones are passed over.
    deadlines: VecDeque<(Instant, u32)>,
    /// Asked, and not answered in time.
    late: VecDeque<(u32, Asks)>,
    /// What the SMSC can't do, and what it said of it.
    unsupported: Vec<(Asks, Option<u32>)>,
    /// What it has answered.
    answered: Vec<Asks>,
}

impl Asked {
    /// What is answered without asking; `None` when it is to be asked.
    pub(crate) fn known(&self, asks: Asks) -> Option<Updated> {
        let unsupported = self.unsupported.iter().find(|(known, _)| *known == asks);
        if let Some((_, status)) = unsupported {
            return Some(Updated::Unsupported(*status));
        }
        (self.unanswered.len() + self.waiting.len() >= MOST_ASKED).then_some(Updated::NotAsked)
    }

    /// What the connection has shown of the SMSC.
    pub(crate) fn abilities(&self) -> Abilities {
        let of = |asks: Asks| match (
            self.unsupported.iter().any(|(known, _)| *known == asks),
            self.answered.contains(&asks),
        ) {
            (true, _) => Ability::Cannot,
            (false, true) => Ability::Can,
            (false, false) => Ability::Unknown,
        };
        Abilities { query: of(Asks::Query), cancel: of(Asks::Cancel), replace: of(Asks::Replace) }
    }

    /// It is to be sent as soon as the link's pace allows.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether an answer may be to something that was asked here.
    pub(crate) fn has_asked(&self) -> bool {
        !self.unanswered.is_empty() || !self.late.is_empty()
    }

    /// Whether nothing is unanswered, and nothing waits to be asked.
    pub(crate) fn is_settled(&self) -> bool {
        self.unanswered.is_empty() && self.waiting.is_empty()
    }

    /// The next to send; what was found impossible meanwhile is answered so.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        while let Some(waiting) = self.waiting.pop_front() {
            match self.unsupported.iter().find(|(known, _)| *known == waiting.asks) {
                Some((_, status)) => _ = waiting.answer.send(Updated::Unsupported(*status)),
                None => return Some(waiting),
            }
        }
        None
    }

    /// Nothing more is asked: what waits was not.
    pub(crate) fn close(&mut self) {
        for waiting in self.waiting.drain(..) {
            // Whoever asked may have given up.
            let _ = waiting.answer.send(Updated::NotAsked);
        }
    }

    /// It was sent under this sequence number.
    pub(crate) fn add(&mut self, sequence: u32, sent: Waiting, until: Instant) {
        let Waiting { asks, named, answer, .. } = sent;
        self.deadlines.push_back((until, sequence));
        self.unanswered.insert(sequence, Unanswered { asks, named, answer });
    }

    /// An answer came, or a nack in its place. Whether it was asked here.
    pub(crate) fn answered(&mut self, sequence: u32, reply: Reply) -> bool {
        let Some(Unanswered { asks, named, answer }) = self.unanswered.remove(&sequence) else {
            return self.answered_late(sequence, reply.status);
        };
        // Whoever asked may have given up.
        let _ = answer.send(self.meaning(asks, named, reply));
        true
    }

    fn meaning(&mut self, asks: Asks, named: Option<String>, reply: Reply) -> Updated {
        let Reply { status, class, says } = reply;
        if says_unsupported(asks, status) {
            self.unsupported.push((asks, Some(status)));
            return Updated::Unsupported(Some(status));
        }
        self.can(asks);
        match class {
            StatusClass::Throttled | StatusClass::Later | StatusClass::Elsewhere | StatusClass::LinkFault => {
                Updated::PutOff(status)
            }
            StatusClass::Refused => Updated::Refused(status),
            StatusClass::Accepted => match (asks, says) {
                (Asks::Query, Says::State(state)) => Updated::State(state),
                (Asks::Query, Says::Nothing | Says::Id(_)) => Updated::State(ReceiptState::Unknown),
                (Asks::ReplaceIfPresent, Says::Id(id)) => Updated::Taken(named.unwrap_or(id)),
                (Asks::ReplaceIfPresent, Says::Nothing | Says::State(_)) => Updated::Taken(named.unwrap_or_default()),
                (Asks::Cancel | Asks::Replace, _) => Updated::Done,
            },
        }
    }

    fn can(&mut self, asks: Asks) {
        if !self.answered.contains(&asks) {
            self.answered.push(asks);
        }
    }

    /// It can do it after all, only slowly.
    fn answered_late(&mut self, sequence: u32, status: u32) -> bool {
        let Some(place) = self.late.iter().position(|(late, _)| *late == sequence) else { return false };
        if let Some((_, asks)) = self.late.remove(place)
            && !says_unsupported(asks, status)
        {
            self.unsupported.retain(|(known, _)| *known != asks);
            self.can(asks);
        }
        true
    }

    /// When the oldest will have waited too long.
    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|waiting| waiting.until);
        while let Some((until, sequence)) = self.deadlines.front() {
            if self.unanswered.contains_key(sequence) {
                return Some(waiting.map_or(*until, |waiting| waiting.min(*until)));
            }
            self.deadlines.pop_front();
        }
        waiting
    }

    /// Gives up what has waited too long: an SMSC that never answers can't do it, and is not dead for that.
    pub(crate) fn time_out(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|waiting| waiting.until <= now) {
            let Some(waiting) = self.waiting.pop_front() else { break };
            let _ = waiting.answer.send(Updated::NotAsked);
        }
        while self.next_timeout().is_some_and(|until| until <= now) {
            let Some((_, sequence)) = self.deadlines.pop_front() else { return };
            let Some(Unanswered { asks, answer, .. }) = self.unanswered.remove(&sequence) else { continue };
            if self.late.len() >= MOST_ASKED {
                self.late.pop_front();
            }
            self.late.push_back((sequence, asks));
            let updated = if asks == Asks::ReplaceIfPresent || self.answered.contains(&asks) {
                Updated::Unanswered
            } else {
                if !self.unsupported.iter().any(|(known, _)| *known == asks) {
                    self.unsupported.push((asks, None));
                }
                Updated::Unsupported(None)
            };
            let _ = answer.send(updated);
        }
    }

    /// The connection is gone.
    pub(crate) fn end(&mut self) {
        self.close();
        for (_, Unanswered { answer, .. }) in self.unanswered.drain() {
            let _ = answer.send(Updated::InDoubt);
        }
    }
}

/// Whether this link, or this SMSC, doesn't know it (SMPP 3.4 §4.10: a transceiver may not replace).
const fn says_unsupported(asks: Asks, status: u32) -> bool {
    match asks {
        Asks::Query | Asks::Cancel | Asks::Replace => matches!(status, status::RINVCMDID | status::RINVBNDSTS),
        // A submit that the SMSC doesn't take for want of a bind was not taken; that it doesn't replace, it says by the name of the flag.
        Asks::ReplaceIfPresent => matches!(status, status::RINVCMDID | status::RINVREPFLAG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::StatusTable;

    fn ask(asked: &mut Asked, sequence: u32, asks: Asks, until: Instant) -> oneshot::Receiver<Updated> {
        let (answer, answered) = oneshot::channel();
        asked.add(sequence, Waiting { pdu: BytesMut::new(), asks, named: None, answer, until }, until);
        answered
    }

    fn reply(status: u32, says: Says) -> Reply {
        Reply { status, class: StatusTable::default().class(status), says }
    }

    #[test]
    fn every_answer_says_what_came_of_it() {
        let now = Instant::now();
        let (state, id) = (Says::State(ReceiptState::Delivered), Says::Id("7".to_owned()));
        for (asks, status, says, expected) in [
            (Asks::Replace, 0, Says::Nothing, Updated::Done),
            (Asks::Cancel, 0, Says::Nothing, Updated::Done),
            (Asks::Query, 0, state, Updated::State(ReceiptState::Delivered)),
            (Asks::Query, 0, Says::Nothing, Updated::State(ReceiptState::Unknown)),
            (Asks::Replace, 0x13, Says::Nothing, Updated::Refused(0x13)),
            (Asks::Cancel, 0x11, Says::Nothing, Updated::Refused(0x11)),
            (Asks::Replace, 0x0c, Says::Nothing, Updated::Refused(0x0c)),
            (Asks::Replace, 0x58, Says::Nothing, Updated::PutOff(0x58)),
            (Asks::Cancel, 0x14, Says::Nothing, Updated::PutOff(0x14)),
            (Asks::Cancel, 0x08, Says::Nothing, Updated::PutOff(0x08)),
            (Asks::Replace, 0x03, Says::Nothing, Updated::Unsupported(Some(0x03))),
            (Asks::Replace, 0x04, Says::Nothing, Updated::Unsupported(Some(0x04))),
            (Asks::ReplaceIfPresent, 0, id, Updated::Taken("7".to_owned())),
            (Asks::ReplaceIfPresent, 0x04, Says::Nothing, Updated::PutOff(0x04)),
            (Asks::ReplaceIfPresent, 0x54, Says::Nothing, Updated::Unsupported(Some(0x54))),
            (Asks::ReplaceIfPresent, 0x0b, Says::Nothing, Updated::Refused(0x0b)),
        ] {
            let mut asked = Asked::default();
            let mut answered = ask(&mut asked, 7, asks, now);
            assert!(!asked.answered(8, reply(0, Says::Nothing)));
            assert!(asked.answered(7, reply(status, says.clone())));
            assert_eq!(answered.try_recv().as_ref(), Ok(&expected), "{asks:?} {status:#x}");
            assert!(!asked.answered(7, reply(status, says)), "answered twice");
            let learnt = matches!(expected, Updated::Unsupported(_)).then_some(expected);
            let ability = match (&learnt, asks) {
                (_, Asks::ReplaceIfPresent) => Ability::Unknown,
                (Some(_), _) => Ability::Cannot,
                (None, _) => Ability::Can,
            };
            assert_eq!((asked.known(asks), asked.abilities().of(asks)), (learnt, ability));
        }
    }

    #[test]
    fn no_answer_means_that_it_cannot_and_a_late_one_that_it_can() {
        let now = Instant::now();
        let mut asked = Asked::default();
        let mut first = ask(&mut asked, 1, Asks::Replace, now);
        let mut second = ask(&mut asked, 2, Asks::Query, now + Duration::from_secs(1));
        assert_eq!(asked.next_timeout(), Some(now));
        asked.time_out(now);
        assert_eq!(first.try_recv(), Ok(Updated::Unsupported(None)));
        assert_eq!((asked.known(Asks::Replace), asked.known(Asks::Query)), (Some(Updated::Unsupported(None)), None));
        assert!(asked.answered(1, reply(0, Says::Nothing)));
        assert_eq!((asked.known(Asks::Replace), asked.abilities().replace), (None, Ability::Can));
        // From now on it is known to answer.
        let later = now + Duration::from_secs(1);
        let mut third = ask(&mut asked, 3, Asks::Replace, later);
        let mut fourth = ask(&mut asked, 4, Asks::Replace, later + Duration::from_secs(1));
        asked.time_out(later);
        assert_eq!(second.try_recv(), Ok(Updated::Unsupported(None)));
        assert_eq!((third.try_recv(), asked.known(Asks::Replace)), (Ok(Updated::Unanswered), None));
        asked.end();
        assert_eq!(fourth.try_recv(), Ok(Updated::InDoubt));
        assert_eq!(asked.next_timeout(), None);
    }

    #[test]
    fn a_submit_that_replaces_and_is_not_answered_is_in_doubt_whatever_was_before() {
        let now = Instant::now();
        let mut asked = Asked::default();
        let mut answered = ask(&mut asked, 1, Asks::ReplaceIfPresent, now);
        asked.time_out(now);
        assert_eq!((answered.try_recv(), asked.known(Asks::ReplaceIfPresent)), (Ok(Updated::Unanswered), None));
    }

    #[test]
    fn what_waits_too_long_for_the_pace_was_not_asked() {
        let now = Instant::now();
        let mut asked = Asked::default();
        let mut wait = |until| {
            let (answer, answered) = oneshot::channel();
            asked.wait(Waiting { pdu: BytesMut::new(), asks: Asks::Cancel, named: None, answer, until });
            answered
        };
        let (mut first, mut second) = (wait(now), wait(now + Duration::from_secs(1)));
        assert_eq!(asked.next_timeout(), Some(now));
        asked.time_out(now);
        assert_eq!((first.try_recv(), asked.is_settled()), (Ok(Updated::NotAsked), false));
        asked.close();
        assert_eq!((second.try_recv(), asked.is_settled()), (Ok(Updated::NotAsked), true));
    }

    #[test]
    fn what_connections_end_over_and_was_never_answered_is_not_asked_for_a_while() {
        let (mut cuts, now) = (Cuts::default(), Instant::now());
        for times in 1..=2 {
            let mut asked = cuts.asked(now);
            assert_eq!(asked.known(Asks::Replace), None, "{times}");
            let _answer = ask(&mut asked, times, Asks::Replace, now);
            cuts.learn(&asked);
            cuts.blame(&asked, now);
        }
        let asked = cuts.asked(now);
        assert_eq!(asked.known(Asks::Replace), Some(Updated::Unsupported(None)));
        assert_eq!((asked.known(Asks::Cancel), asked.abilities().replace), (None, Ability::Cannot));
        // A connection that ends over nothing says nothing.
        cuts.learn(&asked);
        cuts.blame(&asked, now);
        assert_eq!(cuts.asked(now + SHUNNED).known(Asks::Replace), None, "it is tried again");
    }

    #[test]
    fn what_was_ever_answered_is_not_what_a_connection_ends_over() {
        let (mut cuts, now) = (Cuts::default(), Instant::now());
        for times in 0..3 {
            let mut asked = cuts.asked(now);
            assert_eq!(asked.known(Asks::Cancel), None, "{times}");
            let _answer = ask(&mut asked, 1, Asks::Cancel, now);
            if times == 0 {
                assert!(asked.answered(1, reply(0, Says::Nothing)));
            }
            let _answer = ask(&mut asked, 2, Asks::Cancel, now);
            cuts.learn(&asked);
            cuts.blame(&asked, now);
        }
        assert_eq!(cuts.asked(now).known(Asks::Cancel), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut asked = Asked::default();
        let most = u32::try_from(MOST_ASKED).unwrap();
        let all: Vec<_> = (0..most).map(|sequence| ask(&mut asked, sequence, Asks::Query, now)).collect();
        assert_eq!(asked.known(Asks::Cancel), Some(Updated::NotAsked));
        asked.time_out(now);
        let _last = ask(&mut asked, most, Asks::Cancel, now);
        asked.time_out(now);
        assert_eq!((asked.late.len(), asked.unsupported.len(), all.len()), (MOST_ASKED, 2, MOST_ASKED));
    }
}
