//! `query_sm`, `cancel_sm` and `replace_sm` (SMPP 3.4 §4.8-4.10): what may be asked about a message that an SMSC has, and what came of it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use model::{Address, Kind, Msisdn, ReceiptState};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::status;

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
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Updated {
    /// It was cancelled or replaced.
    Done,
    /// What became of it, as `query_sm_resp` says.
    State(ReceiptState),
    /// The SMSC refused: it doesn't have the message any more, or says why in `command_status`.
    Refused(u32),
    /// The SMSC can't do this on this link: it said so with this `command_status`, or did not answer in time (`None`). Asked again on the same connection, it
    /// is answered so at once.
    Unsupported(Option<u32>),
    /// `replace_sm` can't say this: another coding, more than one part, or over 254 octets (SMPP 3.4 §4.10).
    Unsayable,
    /// The connection ended before the answer: it may have been done.
    InDoubt,
    /// No link to that SMSC is in service, or too many are being asked: nothing was asked.
    NotAsked,
}

/// Updates that one link may have unanswered: they are asked one by one by whoever updates an alert, never by the thousand.
pub(crate) const MOST_ASKED: usize = 256;

/// An update on its way to a link. Dropped unasked, it was not asked.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) message: Message,
    pub(crate) update: Update,
    pub(crate) answer: oneshot::Sender<Updated>,
}

/// Which of the three it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    Query,
    Cancel,
    Replace,
}

impl Update {
    pub(crate) const fn asks(&self) -> Asks {
        match self {
            Self::Query => Asks::Query,
            Self::Cancel => Asks::Cancel,
            Self::Replace { .. } => Asks::Replace,
        }
    }
}

#[derive(Debug)]
struct Unanswered {
    asks: Asks,
    answer: oneshot::Sender<Updated>,
}

/// What one connection was asked, and what was learnt of it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    unanswered: HashMap<u32, Unanswered>,
    /// In the order of sending; answered ones are passed over.
    deadlines: VecDeque<(Instant, u32)>,
    /// Asked, and not answered in time.
    late: VecDeque<(u32, Asks)>,
    /// What the SMSC can't do, and what it said of it.
    unsupported: Vec<(Asks, Option<u32>)>,
}

impl Asked {
    /// What is answered without asking; `None` when it is to be asked.
    pub(crate) fn known(&self, asks: Asks) -> Option<Updated> {
        let unsupported = self.unsupported.iter().find(|(known, _)| *known == asks);
        if let Some((_, status)) = unsupported {
            return Some(Updated::Unsupported(*status));
        }
        (self.unanswered.len() >= MOST_ASKED).then_some(Updated::NotAsked)
    }

    /// It was sent under this sequence number.
    pub(crate) fn add(&mut self, sequence: u32, asks: Asks, answer: oneshot::Sender<Updated>, until: Instant) {
        self.deadlines.push_back((until, sequence));
        self.unanswered.insert(sequence, Unanswered { asks, answer });
    }

    /// An answer came, or a nack in its place; `state` is what a `query_sm_resp` says. Whether it was asked here.
    pub(crate) fn answered(&mut self, sequence: u32, status: u32, state: Option<ReceiptState>) -> bool {
        let Some(Unanswered { asks, answer }) = self.unanswered.remove(&sequence) else {
            return self.answered_late(sequence, status);
        };
        let updated = match status {
            // This link, or this SMSC, doesn't know it (SMPP 3.4 §4.10: a transceiver may not replace).
            status::RINVCMDID | status::RINVBNDSTS => {
                self.unsupported.push((asks, Some(status)));
                Updated::Unsupported(Some(status))
            }
            status::ROK if asks == Asks::Query => Updated::State(state.unwrap_or(ReceiptState::Unknown)),
            status::ROK => Updated::Done,
            status => Updated::Refused(status),
        };
        // Whoever asked may have given up.
        let _ = answer.send(updated);
        true
    }

    /// It can do it after all, only slowly.
    fn answered_late(&mut self, sequence: u32, status: u32) -> bool {
        let Some(place) = self.late.iter().position(|(late, _)| *late == sequence) else { return false };
        if let Some((_, asks)) = self.late.remove(place)
            && !matches!(status, status::RINVCMDID | status::RINVBNDSTS)
        {
            self.unsupported.retain(|(known, _)| *known != asks);
        }
        true
    }

    /// When the oldest will have waited too long.
    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        while let Some((until, sequence)) = self.deadlines.front() {
            if self.unanswered.contains_key(sequence) {
                return Some(*until);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// Gives up what has waited too long: an SMSC that never answers can't do it, and is not dead for that.
    pub(crate) fn time_out(&mut self, now: Instant) {
        while self.next_timeout().is_some_and(|until| until <= now) {
            let Some((_, sequence)) = self.deadlines.pop_front() else { return };
            let Some(Unanswered { asks, answer }) = self.unanswered.remove(&sequence) else { continue };
            if self.late.len() >= MOST_ASKED {
                self.late.pop_front();
            }
            self.late.push_back((sequence, asks));
            if self.known(asks).is_none() {
                self.unsupported.push((asks, None));
            }
            let _ = answer.send(Updated::Unsupported(None));
        }
    }

    /// The connection is gone.
    pub(crate) fn end(&mut self) {
        for (_, Unanswered { answer, .. }) in self.unanswered.drain() {
            let _ = answer.send(Updated::InDoubt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(asked: &mut Asked, sequence: u32, asks: Asks, until: Instant) -> oneshot::Receiver<Updated> {
        let (answer, answered) = oneshot::channel();
        asked.add(sequence, asks, answer, until);
        answered
    }

    #[test]
    fn every_answer_says_what_came_of_it() {
        let now = Instant::now();
        for (asks, status, state, expected) in [
            (Asks::Replace, 0, None, Updated::Done),
            (Asks::Cancel, 0, None, Updated::Done),
            (Asks::Query, 0, Some(ReceiptState::Delivered), Updated::State(ReceiptState::Delivered)),
            (Asks::Query, 0, None, Updated::State(ReceiptState::Unknown)),
            (Asks::Replace, 0x13, None, Updated::Refused(0x13)),
            (Asks::Replace, 0x03, None, Updated::Unsupported(Some(0x03))),
            (Asks::Replace, 0x04, None, Updated::Unsupported(Some(0x04))),
        ] {
            let mut asked = Asked::default();
            let mut answered = ask(&mut asked, 7, asks, now);
            assert!(!asked.answered(8, 0, None));
            assert!(asked.answered(7, status, state));
            assert_eq!(answered.try_recv(), Ok(expected), "{asks:?} {status:#x}");
            assert!(!asked.answered(7, status, state), "answered twice");
            let learnt = matches!(expected, Updated::Unsupported(_)).then_some(expected);
            assert_eq!(asked.known(asks), learnt);
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
        assert!(asked.answered(1, 0, None));
        assert_eq!(asked.known(Asks::Replace), None);
        asked.end();
        assert_eq!(second.try_recv(), Ok(Updated::InDoubt));
        assert_eq!(asked.next_timeout(), None);
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
