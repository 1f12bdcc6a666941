//! Submits on their way: what is unanswered, what an answer means for its alert, and what is remembered for late answers. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use model::{AlertId, NoAnswer, SmscName, SubmitOutcome};
use tokio::time::Instant;

use crate::deliver;
use crate::status::StatusClass;

/// Times that a part is sent again when the SMSC wants it later and has taken parts before it; with growing pauses that is about a minute.
const PART_RETRIES: u8 = 8;

/// What is proposed to whoever gave an order that is to be tried again, when only that message was put off.
const LATER_AFTER: Duration = Duration::from_secs(5);
/// The same when another SMSC may take it at once.
const ELSEWHERE_AFTER: Duration = Duration::from_secs(1);

/// Unanswered submits that are remembered for late answers: ten minutes at 100 timeouts a second, some 10 MB.
const REMEMBERED: usize = 60_000;
/// How long they are remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// One attempt at an alert: its parts are sent one after another, so that the SMSC never holds a later part of a message whose earlier part it refused.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Flight {
    pub(crate) alert: AlertId,
    pub(crate) attempt: u32,
    parts: Vec<BytesMut>,
    /// The ids of the parts taken so far; the part to send is the one after them.
    taken: Vec<String>,
    /// The first part's reference, where parts are known by theirs and not by the SMSC's ids.
    reference: Option<u16>,
    retries: u8,
}

/// What an SMSC said of a part.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) class: StatusClass,
    pub(crate) status: u32,
    pub(crate) message_id: String,
}

/// What an answer means for its alert.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// Another part is to be sent, or the same once more.
    GoOn(Flight),
    /// That was all.
    Done(SubmitOutcome),
}

impl Flight {
    pub(crate) const fn new(alert: AlertId, attempt: u32, parts: Vec<BytesMut>) -> Self {
        Self { alert, attempt, parts, taken: Vec::new(), reference: None, retries: 0 }
    }

    /// Its parts are known by references from this one on.
    pub(crate) fn by_reference(self, first: u16) -> Self {
        Self { reference: Some(first), ..self }
    }

    fn name(&self, message_id: String) -> String {
        let place = u16::try_from(self.taken.len()).unwrap_or(u16::MAX);
        self.reference.map_or(message_id, |first| deliver::id_of_reference(first.wrapping_add(place)))
    }

    /// The PDU to send; `None` when every part was taken, which [`Flight::answered`] ends.
    pub(crate) fn part(&self) -> Option<&BytesMut> {
        self.parts.get(self.taken.len())
    }

    /// The part on its way was answered.
    pub(crate) fn answered(mut self, said: Said, smsc: &SmscName) -> Judgement {
        let Said { class, status, message_id } = said;
        match class {
            StatusClass::Accepted => {
                self.taken.push(self.name(message_id));
                self.retries = 0;
                if self.part().is_some() {
                    return Judgement::GoOn(self);
                }
                Judgement::Done(SubmitOutcome::Accepted { smsc: smsc.clone(), message_ids: self.taken })
            }
            StatusClass::Throttled | StatusClass::Later | StatusClass::Elsewhere if self.taken.is_empty() => {
                let (after, avoid) = match class {
                    StatusClass::Later => (LATER_AFTER, None),
                    StatusClass::Elsewhere => (ELSEWHERE_AFTER, Some(smsc.clone())),
                    // The link itself waits.
                    _ => (Duration::ZERO, None),
                };
                Judgement::Done(SubmitOutcome::Later { status, after, avoid })
            }
            StatusClass::Throttled | StatusClass::Later | StatusClass::Elsewhere if self.retries < PART_RETRIES => {
                self.retries += 1;
                Judgement::GoOn(self)
            }
            StatusClass::Throttled | StatusClass::Later | StatusClass::Elsewhere | StatusClass::Refused => {
                Judgement::Done(SubmitOutcome::Refused { status })
            }
            StatusClass::LinkFault => Judgement::Done(self.unwritten()),
        }
    }

    /// Whether a message can be delivered in part: then neither "not sent" nor "later" is true of it.
    pub(crate) const fn is_partly_taken(&self) -> bool {
        !self.taken.is_empty()
    }

    /// What became of it when its next part never left.
    pub(crate) const fn unwritten(&self) -> SubmitOutcome {
        if self.is_partly_taken() { SubmitOutcome::InDoubt(NoAnswer::LinkLost) } else { SubmitOutcome::NotSent }
    }
}

/// A part that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) flight: Flight,
    pub(crate) at: Instant,
    /// Where its last octet stands in all that this session sends: it left when that many were written.
    pub(crate) ends: u64,
}

/// What a session waits for.
#[derive(Debug)]
pub(crate) struct Window {
    timeout: Duration,
    sent: HashMap<u32, Sent>,
    /// Sequence numbers in the order of sending; answered ones are passed over.
    order: VecDeque<(Instant, u32)>,
    late: HashMap<u32, Flight>,
    late_order: VecDeque<(Instant, u32)>,
}

impl Window {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            sent: HashMap::new(),
            order: VecDeque::new(),
            late: HashMap::new(),
            late_order: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// A part was sent under this sequence number.
    pub(crate) fn add(&mut self, sequence: u32, sent: Sent) {
        // One slow answer at the front must not let the answered ones behind it pile up.
        if self.order.len() > 2 * self.sent.len() + 64 {
            self.order.retain(|(_, sequence)| self.sent.contains_key(sequence));
        }
        self.order.push_back((sent.at, sequence));
        self.sent.insert(sequence, sent);
    }

    /// The part that was answered.
    pub(crate) fn take(&mut self, sequence: u32) -> Option<Sent> {
        self.sent.remove(&sequence)
    }

    /// When the oldest part will have waited too long.
    pub(crate) fn next_timeout(&mut self) -> Option<Instant> {
        while let Some((at, sequence)) = self.order.front() {
            if self.sent.contains_key(sequence) {
                return Some(*at + self.timeout);
            }
            self.order.pop_front();
        }
        None
    }

    /// Takes out a part that has waited too long, and remembers it; gives its alert and attempt.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<(AlertId, u32)> {
        if self.next_timeout()? > now {
            return None;
        }
        let (_, sequence) = self.order.pop_front()?;
        let flight = self.sent.remove(&sequence)?.flight;
        let named = (flight.alert, flight.attempt);
        self.remember(sequence, flight, now);
        Some(named)
    }

    fn remember(&mut self, sequence: u32, flight: Flight, now: Instant) {
        while self.late_order.len() >= REMEMBERED {
            let Some((_, oldest)) = self.late_order.pop_front() else { break };
            self.late.remove(&oldest);
        }
        self.late_order.push_back((now, sequence));
        self.late.insert(sequence, flight);
    }

    /// The attempt that a late answer is for.
    pub(crate) fn take_late(&mut self, sequence: u32, now: Instant) -> Option<Flight> {
        while let Some((at, oldest)) = self.late_order.front().copied() {
            if now < at + REMEMBERED_FOR {
                break;
            }
            self.late_order.pop_front();
            self.late.remove(&oldest);
        }
        self.late.remove(&sequence)
    }

    /// Gives up waiting for all that is unanswered, in the order of sending; what is answered after all is late.
    pub(crate) fn give_up(&mut self, now: Instant) -> Vec<(AlertId, u32)> {
        let order = std::mem::take(&mut self.order);
        let mut named = Vec::with_capacity(order.len());
        for (_, sequence) in order {
            let Some(Sent { flight, .. }) = self.sent.remove(&sequence) else { continue };
            named.push((flight.alert, flight.attempt));
            self.remember(sequence, flight, now);
        }
        named
    }

    /// Takes out all that is unanswered, in the order of sending.
    pub(crate) fn take_all(&mut self) -> Vec<Sent> {
        let order = std::mem::take(&mut self.order);
        order.into_iter().filter_map(|(_, sequence)| self.sent.remove(&sequence)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::StatusTable;

    const SECOND: Duration = Duration::from_secs(1);

    fn flight(alert: i64, parts: usize) -> Flight {
        Flight::new(AlertId(alert), 1, vec![BytesMut::zeroed(16); parts])
    }

    fn smsc() -> SmscName {
        SmscName("smsc1".into())
    }

    /// Answers part after part; the outcome, and how many answers it took.
    fn outcome(parts: usize, statuses: &[u32]) -> (SubmitOutcome, usize) {
        let mut flight = flight(1, parts);
        for (used, &status) in (1..).zip(statuses) {
            let said = Said { class: StatusTable::default().class(status), status, message_id: format!("id{used}") };
            match flight.answered(said, &smsc()) {
                Judgement::GoOn(next) => flight = next,
                Judgement::Done(outcome) => return (outcome, used),
            }
        }
        panic!("no outcome after {statuses:x?}");
    }

    #[test]
    fn one_outcome_for_all_parts() {
        let accepted = |ids: &[&str]| SubmitOutcome::Accepted {
            smsc: smsc(),
            message_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let later = |status, after, avoid| SubmitOutcome::Later { status, after, avoid };
        for (parts, statuses, expected) in [
            (1, &[0][..], accepted(&["id1"])),
            (3, &[0, 0, 0], accepted(&["id1", "id2", "id3"])),
            (1, &[0x58], later(0x58, Duration::ZERO, None)),
            (3, &[0x14], later(0x14, Duration::ZERO, None)),
            (1, &[0x64], later(0x64, LATER_AFTER, None)),
            (1, &[0x08], later(0x08, ELSEWHERE_AFTER, Some(smsc()))),
            (3, &[0, 0x58, 0, 0], accepted(&["id1", "id3", "id4"])),
            (2, &[0, 0x0b], SubmitOutcome::Refused { status: 0x0b }),
            (3, &[0x0b], SubmitOutcome::Refused { status: 0x0b }),
            (1, &[0x04], SubmitOutcome::NotSent),
            (2, &[0, 0x04], SubmitOutcome::InDoubt(NoAnswer::LinkLost)),
        ] {
            assert_eq!(outcome(parts, statuses), (expected, statuses.len()), "{parts} {statuses:x?}");
        }
        let mut stubborn = vec![0x58; usize::from(PART_RETRIES) + 2];
        stubborn[0] = 0;
        assert_eq!(outcome(2, &stubborn), (SubmitOutcome::Refused { status: 0x58 }, stubborn.len()));
    }

    #[test]
    fn parts_may_be_known_by_their_references() {
        let mut flight = flight(1, 2).by_reference(u16::MAX);
        let said = || Said { class: StatusClass::Accepted, status: 0, message_id: "msg_id_not_implemented".to_owned() };
        match flight.answered(said(), &smsc()) {
            Judgement::GoOn(next) => flight = next,
            Judgement::Done(outcome) => panic!("{outcome:?}"),
        }
        let message_ids = vec!["reference 255".to_owned(), "reference 0".to_owned()];
        let outcome = SubmitOutcome::Accepted { smsc: smsc(), message_ids };
        assert_eq!(flight.answered(said(), &smsc()), Judgement::Done(outcome));
    }

    #[test]
    fn timeouts_come_in_the_order_of_sending_and_late_answers_find_their_attempt() {
        let now = Instant::now();
        let mut window = Window::new(10 * SECOND);
        for sequence in 1..=3 {
            let at = now + SECOND * sequence;
            window.add(sequence, Sent { flight: flight(i64::from(sequence), 1), at, ends: 0 });
        }
        assert_eq!(window.next_timeout(), Some(now + 11 * SECOND));
        assert!(window.take(1).is_some());
        assert!(window.take(1).is_none());
        assert_eq!(window.next_timeout(), Some(now + 12 * SECOND));
        assert_eq!(window.take_overdue(now + 11 * SECOND), None);
        assert_eq!(window.take_overdue(now + 13 * SECOND), Some((AlertId(2), 1)));
        assert_eq!(window.take_overdue(now + 13 * SECOND), Some((AlertId(3), 1)));
        assert_eq!(window.take_overdue(now + 13 * SECOND), None);
        let soon = now + 14 * SECOND;
        assert_eq!(window.take_late(2, soon).map(|flight| flight.alert), Some(AlertId(2)));
        assert!(window.take_late(2, soon).is_none());
        assert!(window.take_late(3, now + 13 * SECOND + REMEMBERED_FOR).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut window = Window::new(SECOND);
        window.add(1, Sent { flight: flight(1, 1), at: now, ends: 0 });
        for sequence in 2..10_000 {
            window.add(sequence, Sent { flight: flight(2, 1), at: now, ends: 0 });
            window.take(sequence);
        }
        assert!(window.order.len() < 100);
        for sequence in 0..u32::try_from(REMEMBERED).unwrap() + 5 {
            window.remember(sequence, flight(3, 1), now);
        }
        assert_eq!((window.late.len(), window.late_order.len()), (REMEMBERED, REMEMBERED));
        assert!(window.take_late(4, now).is_none());
        assert!(window.take_late(5, now).is_some());
    }

    #[test]
    fn all_that_is_unanswered_comes_out_in_the_order_of_sending() {
        let now = Instant::now();
        let mut window = Window::new(SECOND);
        for sequence in [7, 3, 9, 1] {
            window.add(sequence, Sent { flight: flight(i64::from(sequence), 1), at: now, ends: 0 });
        }
        window.take(9);
        let all: Vec<i64> = window.take_all().into_iter().map(|sent| sent.flight.alert.0).collect();
        assert_eq!((all, window.is_empty()), (vec![7, 3, 1], true));
    }
}
