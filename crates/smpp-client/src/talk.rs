//! What one connection to an SMSC holds: octets to write, orders to send, answers and acknowledgements awaited.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rusmpp::CommandId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::frame::{self, Sequence};
use crate::inbound::{Acknowledge, Acknowledgement};
use crate::pace::{Pace, SmscRate};
use crate::settings::LinkSettings;
use crate::trace::{Trace, Way};
use crate::updates::Asked;
use crate::window::{Flight, Sent, Window};

/// Receipts and replies that one connection may have unacknowledged: more than SMSCs send ahead; the rest stays with them.
const OWED: usize = 1_024;

/// Submits in a row without any answer upon which an SMSC that otherwise lives counts as one that takes none: others get them. Before the first answer of
/// a connection no more are under way, so that one that is found silent costs no more.
pub(crate) const UNANSWERED: usize = 10;

/// Octets to write at which no more orders are taken before they are written: an SMSC that has some thirty submits can begin while we code the next.
const WORTH_WRITING: usize = 4 * 1024;

/// Octets to write at which no more submits are added: more than a kernel takes at once.
const OUT_FULL: usize = 256 * 1024;

/// Octets to write at which nothing more is read: a peer that asks and doesn't read must not fill the memory. It lies above the other
/// limit, since submits alone must not stop the reading: a peer may read only once we have read.
const OUT_FLOODED: usize = 2 * OUT_FULL;

/// What left in one go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Going {
    pub(crate) submits: usize,
    pub(crate) updates: usize,
    /// When to go on, if that is a matter of time.
    pub(crate) next: Option<Instant>,
}

/// One connection's state; it ends with it.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) out: Outgoing,
    pub(crate) window: Window,
    /// Orders and further parts that wait for the rate or for the end of a pause. Each holds a slot of the window.
    pub(crate) waiting: VecDeque<Flight>,
    pub(crate) pace: Pace,
    pub(crate) asked: Asked,
    /// Whether an update had the last place of the pace.
    updates_turn: bool,
    /// Whether a submit was answered.
    pub(crate) proved: bool,
    /// Submits that were not answered in time since the last that was answered, and since when they are too many.
    pub(crate) unanswered: usize,
    pub(crate) silent_since: Option<Instant>,
    /// When an `enquire_link` was sent that is not answered.
    pub(crate) enquired: Option<Instant>,
    /// Sequence number of the peer's unbind, to be answered when it may close.
    pub(crate) unbind: Option<u32>,
    /// Octets to come of a PDU that is longer than any that is taken.
    pub(crate) skipped: usize,
    pub(crate) acknowledgements: mpsc::Receiver<Acknowledgement>,
    acknowledge: mpsc::Sender<Acknowledgement>,
    owed: usize,
}

impl Talk {
    pub(crate) fn new(
        settings: &LinkSettings,
        smsc_rate: Option<Arc<SmscRate>>,
        trace: Option<Arc<Trace>>,
        now: Instant,
    ) -> Self {
        let (acknowledge, acknowledgements) = mpsc::channel(OWED);
        Self {
            out: Outgoing { buffer: BytesMut::new(), flushed: true, queued: 0, sequence: Sequence::default(), trace },
            window: Window::new(settings.response_timeout),
            waiting: VecDeque::new(),
            pace: Pace::new(settings.rate, smsc_rate, now),
            asked: Asked::default(),
            updates_turn: false,
            proved: false,
            unanswered: 0,
            silent_since: None,
            enquired: None,
            unbind: None,
            skipped: 0,
            acknowledgements,
            acknowledge,
            owed: 0,
        }
    }

    /// Sends what waits, as far as pace and buffer allow; gives the number of submits and of updates, and when to go on, if that is a matter of time. Updates
    /// take a place of the pace like submits, and have every other one, so that neither waits for all of the others.
    pub(crate) fn send_waiting(&mut self, now: Instant, update_timeout: Duration) -> Going {
        let mut going = Going::default();
        while (!self.waiting.is_empty() || self.asked.is_waiting()) && !self.out.is_full() {
            if let Err(next) = self.pace.take(now) {
                going.next = Some(next);
                return going;
            }
            self.updates_turn = !self.updates_turn;
            let asks = self.asked.is_waiting() && (self.updates_turn || self.waiting.is_empty());
            if asks && let Some(waiting) = self.asked.next() {
                let sequence = self.out.put_next(&waiting.pdu);
                self.asked.add(sequence, waiting, now + update_timeout);
                going.updates += 1;
                continue;
            }
            let Some(flight) = self.waiting.pop_front() else { continue };
            let Some(part) = flight.part() else { continue };
            let sequence = self.out.put_next(part);
            let ends = self.out.queued;
            self.window.add(sequence, Sent { flight, at: now, ends });
            going.submits += 1;
        }
        going
    }

    /// The acknowledgement of a PDU, to be handed on with it; `None` when too many are owed.
    pub(crate) fn owe(&mut self, response: CommandId, sequence: u32) -> Option<Acknowledge> {
        if self.owed >= OWED {
            return None;
        }
        self.owed += 1;
        Some(Acknowledge::new(self.acknowledge.clone(), response, sequence))
    }

    /// Writes an acknowledgement that was owed.
    pub(crate) fn acknowledge(&mut self, given: Acknowledgement) {
        self.owed = self.owed.saturating_sub(1);
        self.out.put_delivery_response(given);
    }

    /// A submit was answered, in time or late.
    pub(crate) const fn answered(&mut self) {
        (self.proved, self.unanswered, self.silent_since) = (true, 0, None);
    }

    /// A submit was not answered in time. When that is so of as many in a row, the SMSC is silent, and gets no more.
    pub(crate) fn overdue(&mut self, now: Instant) {
        self.unanswered += 1;
        if self.unanswered >= UNANSWERED {
            self.silent_since.get_or_insert(now);
        }
    }

    /// Whether nothing that was sent is unanswered, in either direction.
    pub(crate) fn is_answered(&self) -> bool {
        self.window.is_empty() && self.owed == 0 && self.asked.is_settled()
    }

    /// Whether nothing is on its way, and nothing waits for it.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_answered() && self.waiting.is_empty()
    }
}

/// Octets on their way to the SMSC.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) buffer: BytesMut,
    /// Whether the connection keeps nothing back of what it took.
    pub(crate) flushed: bool,
    /// All octets ever put into the buffer.
    queued: u64,
    sequence: Sequence,
    trace: Option<Arc<Trace>>,
}

impl Outgoing {
    pub(crate) fn is_written(&self) -> bool {
        self.buffer.is_empty() && self.flushed
    }

    pub(crate) fn is_worth_writing(&self) -> bool {
        self.buffer.len() >= WORTH_WRITING
    }

    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= OUT_FULL
    }

    pub(crate) fn is_flooded(&self) -> bool {
        self.buffer.len() >= OUT_FLOODED
    }

    /// Whether the connection took all of the PDU that ends there. One cut short can't have been understood by the peer.
    pub(crate) fn has_left(&self, ends: u64) -> bool {
        ends <= self.queued.saturating_sub(octets(self.buffer.len()))
    }

    /// Appends an answer: a header under the peer's sequence number.
    pub(crate) fn put_response(&mut self, id: CommandId, status: u32, sequence: u32) {
        self.put(|buffer| frame::put(buffer, id, status, sequence, &[]));
    }

    /// Appends a request that is a header only.
    pub(crate) fn put_request(&mut self, id: CommandId) {
        let sequence = self.sequence.next();
        self.put(|buffer| frame::put(buffer, id, 0, sequence, &[]));
    }

    /// Appends a `deliver_sm_resp` or `data_sm_resp`, whose `message_id` is empty (SMPP 3.4 §4.6.2).
    pub(crate) fn put_delivery_response(&mut self, given: Acknowledgement) {
        self.put(|buffer| frame::put(buffer, given.id, given.status, given.sequence, &[0]));
    }

    /// Appends an encoded request under the next sequence number, and gives that.
    pub(crate) fn put_next(&mut self, pdu: &[u8]) -> u32 {
        let sequence = self.sequence.next();
        self.put(|buffer| frame::put_numbered(buffer, pdu, sequence));
        sequence
    }

    fn put(&mut self, append: impl FnOnce(&mut BytesMut)) {
        let before = self.buffer.len();
        append(&mut self.buffer);
        self.queued += octets(self.buffer.len() - before);
        if let Some(trace) = &self.trace {
            trace.pdus(Way::Out, self.buffer.get(before..).unwrap_or_default());
        }
    }
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use model::AlertId;

    use super::*;
    use crate::updates::{Asks, Waiting};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn updates_and_submits_take_turns_in_the_pace_of_the_link() {
        let settings = LinkSettings { rate: 10, ..crate::settings_for_tests() };
        let mut now = Instant::now();
        let mut talk = Talk::new(&settings, None, None, now);
        talk.waiting.extend((0..10).map(|alert| Flight::new(AlertId(alert), 1, vec![BytesMut::zeroed(20)])));
        let mut answers = Vec::new();
        for _ in 0..10 {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let (pdu, until) = (BytesMut::zeroed(20), now + SECOND * 60);
            talk.asked.wait(Waiting { pdu, asks: Asks::Cancel, named: None, answer, until });
            answers.push(answered);
        }
        let (mut submits, mut updates) = (0, 0);
        for _ in 0..10 {
            let going = talk.send_waiting(now, SECOND);
            (submits, updates) = (submits + going.submits, updates + going.updates);
            now = going.next.expect("the rate allows all at once");
        }
        assert_eq!((submits, updates), (5, 5));
    }

    #[test]
    fn a_submit_has_left_when_its_last_octet_was_written() {
        let settings = crate::settings_for_tests();
        let now = Instant::now();
        let mut talk = Talk::new(&settings, None, None, now);
        talk.waiting.extend([1, 2].map(|alert| Flight::new(AlertId(alert), 1, vec![BytesMut::zeroed(20)])));
        assert_eq!(talk.send_waiting(now, SECOND), Going { submits: 2, ..Going::default() });
        let (first, second) = (talk.window.take(1).unwrap().ends, talk.window.take(2).unwrap().ends);
        for (written, left) in
            [(0, (false, false)), (19, (false, false)), (1, (true, false)), (19, (true, false)), (1, (true, true))]
        {
            talk.out.buffer.advance(written);
            assert_eq!((talk.out.has_left(first), talk.out.has_left(second)), left);
        }
    }

    #[test]
    fn a_peer_that_does_not_read_gets_no_more_to_read() {
        let settings = crate::settings_for_tests();
        let now = Instant::now();
        let mut talk = Talk::new(&settings, None, None, now);
        talk.waiting.extend((0..300).map(|alert| Flight::new(AlertId(alert), 1, vec![BytesMut::zeroed(1024)])));
        assert_eq!(talk.send_waiting(now, SECOND), Going { submits: 256, ..Going::default() });
        assert!(talk.out.is_full());
        talk.out.buffer.advance(1);
        let one = Going { submits: 1, ..Going::default() };
        assert_eq!((talk.send_waiting(now, SECOND), talk.waiting.len()), (one, 43));
    }
}
