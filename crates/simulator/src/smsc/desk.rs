//! What waits to be sent to the peers: receipts by `system_id`, replies for whoever receives.

use std::collections::VecDeque;

use super::center::Center;
use super::faults::Life;
use super::session::{Sent, SessionId};
use super::timers::Due;
use crate::pdu::{command, status};

/// The desk of the replies, which any session may get; the others belong to a `system_id` each.
pub(crate) const REPLIES: usize = 0;

/// Receipts or replies of one desk that are not acknowledged: some 40 MB. Beyond it submits that ask for receipts are throttled.
const UNACKNOWLEDGED: usize = 100_000;

/// Looks for unanswered ones so many times in the time after which they are sent again.
const SWEEPS: u32 = 4;

/// A `deliver_sm` or `data_sm` that is sent until it is acknowledged.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) desk: usize,
    pub(crate) command: u32,
    pub(crate) body: Box<[u8]>,
    /// Not by this session, while there is another.
    pub(crate) not_by: Option<SessionId>,
    pub(crate) attempts: u32,
}

impl Outgoing {
    /// A `deliver_sm` for whichever session has its turn.
    pub(crate) fn new(desk: usize, body: Box<[u8]>) -> Self {
        Self { desk, command: command::DELIVER_SM, body, not_by: None, attempts: 0 }
    }
}

/// What waits for the sessions of one `system_id`, or for any session.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) system_id: Box<[u8]>,
    waiting: VecDeque<Outgoing>,
    /// Waiting, sent without an answer, or pausing.
    pub(crate) unacknowledged: usize,
    /// Where in the list of receiving sessions the last one went.
    turn: usize,
}

impl Desk {
    pub(crate) fn of(system_id: &[u8]) -> Self {
        Self { system_id: system_id.into(), ..Self::default() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.unacknowledged >= UNACKNOWLEDGED
    }
}

impl Center {
    /// Takes a receipt or part of a reply to send.
    pub(crate) fn post(&mut self, outgoing: Outgoing) {
        if let Some(desk) = self.desks.get_mut(outgoing.desk) {
            desk.unacknowledged += 1;
            desk.waiting.push_back(outgoing);
        }
    }

    /// Sends what waits to sessions that receive and have room, one after the other.
    pub(crate) fn send_waiting(&mut self) {
        if self.faults.sessions != Life::Served {
            return;
        }
        let mut any = false;
        for (index, desk) in self.desks.iter_mut().enumerate().filter(|(_, desk)| !desk.waiting.is_empty()) {
            let mut receivers: Vec<_> = self.sessions.iter_mut().filter(|(_, s)| s.receives_from(index)).collect();
            let count = receivers.len();
            while let Some(not_by) = desk.waiting.front().map(|outgoing| outgoing.not_by.filter(|_| count > 1))
                && let Some(place) = (1..=count).map(|step| (desk.turn + step) % count).find(|place| {
                    receivers.get(*place).is_some_and(|(id, session)| session.has_room() && Some(**id) != not_by)
                })
                && let Some((_, session)) = receivers.get_mut(place)
                && let Some(mut outgoing) = desk.waiting.pop_front()
            {
                desk.turn = place;
                self.counts.resent += u64::from(outgoing.attempts > 0);
                outgoing.attempts += 1;
                let sent =
                    if index == REPLIES { &mut self.counts.replies_sent } else { &mut self.counts.receipts_sent };
                *sent += 1;
                session.deliver(outgoing, self.instant);
                any = true;
            }
        }
        if any && !self.sweeping {
            self.sweeping = true;
            self.timers.set(self.instant + self.options.resend_unanswered / SWEEPS, Due::Sweep);
        }
    }

    /// A `deliver_sm` was answered.
    pub(crate) fn acknowledged(&mut self, session: SessionId, sequence: u32, answer: u32) {
        let sent = self.sessions.get_mut(&session).and_then(|session| session.unanswered.remove(&sequence));
        let Some(Sent { outgoing, .. }) = sent else {
            self.counts.bad_pdus += 1;
            return;
        };
        if answer != status::OK {
            if outgoing.attempts >= self.options.attempts {
                self.give_up(&outgoing);
            } else {
                self.timers.set(self.instant + self.options.resend_pause, Due::Resend(outgoing));
            }
            return;
        }
        let acked =
            if outgoing.desk == REPLIES { &mut self.counts.replies_acked } else { &mut self.counts.receipts_acked };
        *acked += 1;
        self.forget(&outgoing);
    }

    /// Puts what has no answer back, before what was never sent.
    pub(crate) fn take_back(&mut self, unanswered: impl DoubleEndedIterator<Item = Sent>) {
        for Sent { outgoing, .. } in unanswered.rev() {
            self.wait_again(outgoing);
        }
    }

    /// Puts one back, unless it has had its attempts.
    pub(crate) fn wait_again(&mut self, outgoing: Outgoing) {
        if outgoing.attempts >= self.options.attempts {
            self.give_up(&outgoing);
        } else if let Some(desk) = self.desks.get_mut(outgoing.desk) {
            desk.waiting.push_front(outgoing);
        }
    }

    /// Takes back what has gone unanswered for too long.
    pub(crate) fn sweep(&mut self) {
        let (now, patience) = (self.instant, self.options.resend_unanswered);
        let mut overdue = Vec::new();
        for session in self.sessions.values_mut() {
            while let Some(oldest) = session.unanswered.first_entry().filter(|sent| sent.get().at + patience <= now) {
                overdue.push(oldest.remove());
            }
        }
        self.take_back(overdue.into_iter());
        self.sweeping = self.sessions.values().any(|session| !session.unanswered.is_empty());
        if self.sweeping {
            self.timers.set(now + patience / SWEEPS, Due::Sweep);
        }
    }

    fn give_up(&mut self, outgoing: &Outgoing) {
        self.counts.given_up += 1;
        self.forget(outgoing);
    }

    fn forget(&mut self, outgoing: &Outgoing) {
        if let Some(desk) = self.desks.get_mut(outgoing.desk) {
            desk.unacknowledged = desk.unacknowledged.saturating_sub(1);
        }
    }
}
