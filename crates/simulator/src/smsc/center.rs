//! The owner of everything: sessions, phones, messages. One loop, one turn after the other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;

use model::{Msisdn, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::delivery::Message;
use super::desk::{Desk, REPLIES};
use super::faults::{Faults, Life, MessageIds};
use super::handset::{Handset, Phone, PhoneChange, PhoneEvent};
use super::ids::Names;
use super::receipt::{Dates, Final};
use super::session::{Door, Event, Session, SessionId};
use super::shape::Delivery;
use super::timers::{Due, Timers};
use super::{EsmeAnswer, SessionView, SmscCounts, SmscOptions, Submitted};
use crate::pdu::{self, command, status};

/// Chunks from all sessions that wait for their turn; sessions wait beyond it.
const EVENTS: usize = 256;

/// Chunks taken in one turn: answers of one turn leave in one write per session.
const EVENTS_PER_TURN: usize = 16;

/// What a handle asks. Answers go to one-place channels whose receiver is waiting.
#[derive(Debug)]
pub(crate) enum Command {
    Phones(SyncSender<Vec<Phone>>),
    Phone(Msisdn, SyncSender<Option<Phone>>),
    Switch { number: Msisdn, on: bool, answer: SyncSender<()> },
    Reply { from: Msisdn, to: String, text: String, answer: SyncSender<bool> },
    SetFaults(Faults, SyncSender<()>),
    Counts(SyncSender<SmscCounts>),
    Submitted(SyncSender<Vec<Submitted>>),
    Answers(SyncSender<Vec<EsmeAnswer>>),
    Sessions(SyncSender<Vec<SessionView>>),
    Deliver(Box<Delivery>, SyncSender<bool>),
    Raw { session: Option<SessionId>, octets: Vec<u8>, close: bool, answer: SyncSender<bool> },
    Outbind { address: SocketAddr, system_id: String, password: String, answer: SyncSender<()> },
    Stop,
}

/// The state of the centre.
pub(crate) struct Center {
    pub(crate) options: SmscOptions,
    pub(crate) faults: Faults,
    pub(crate) counts: SmscCounts,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) desks: Vec<Desk>,
    pub(crate) phones: HashMap<Msisdn, Handset>,
    /// What has not reached its phone, by id.
    pub(crate) messages: HashMap<u64, Message>,
    /// What became of the latest ones, for `query_sm`.
    pub(crate) finals: VecDeque<(u64, Final)>,
    pub(crate) submitted: VecDeque<Submitted>,
    pub(crate) answers: VecDeque<EsmeAnswer>,
    pub(crate) names: Names,
    pub(crate) timers: Timers,
    pub(crate) sweeping: bool,
    pub(crate) dates: Dates,
    pub(crate) last_id: u64,
    /// The reference of the last reply in parts.
    pub(crate) last_reference: u8,
    /// The time of this turn, by both clocks.
    pub(crate) now: Timestamp,
    pub(crate) instant: Instant,
    events: broadcast::Sender<PhoneEvent>,
}

impl Center {
    pub(crate) fn new(options: SmscOptions, events: broadcast::Sender<PhoneEvent>) -> Self {
        let now = (options.clock)();
        Self {
            faults: Faults::default(),
            counts: SmscCounts::default(),
            sessions: BTreeMap::new(),
            desks: vec![Desk::default()],
            phones: HashMap::new(),
            messages: HashMap::new(),
            finals: VecDeque::new(),
            submitted: VecDeque::new(),
            answers: VecDeque::new(),
            names: Names::default(),
            timers: Timers::default(),
            sweeping: false,
            dates: Dates::default(),
            // A centre that is started again must not give the ids of its earlier life to other messages.
            last_id: u64::try_from(now.as_millis()).unwrap_or(0) * 1000,
            last_reference: 0,
            now,
            instant: Instant::now(),
            options,
            events,
        }
    }

    /// Serves until told to stop, or until the last handle is gone.
    pub(crate) async fn run(
        mut self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        mut commands: mpsc::Receiver<Command>,
    ) {
        let (events, mut incoming) = mpsc::channel(EVENTS);
        let door = Door::new(events);
        tokio::spawn(door.clone().accept(listener, tls));
        let mut batch = Vec::with_capacity(EVENTS_PER_TURN);
        loop {
            let due = self.timers.next();
            let mut asked = None;
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Stop) | None => return,
                    Some(command) => asked = Some(command),
                },
                _ = incoming.recv_many(&mut batch, EVENTS_PER_TURN) => {}
                () = tokio::time::sleep_until(due.unwrap_or(self.instant)), if due.is_some() => {}
            }
            self.now = (self.options.clock)();
            self.instant = Instant::now();
            if let Some(command) = asked {
                self.obey(command, &door);
            }
            for event in batch.drain(..) {
                self.take(event);
            }
            while let Some(due) = self.timers.take(self.instant) {
                self.fire(due);
            }
            self.send_waiting();
            self.flush();
        }
    }

    /// Does what a handle asks. A caller that no longer waits for the answer is none of our business.
    fn obey(&mut self, command: Command, door: &Door) {
        match command {
            Command::Phones(answer) => {
                let mut phones: Vec<Phone> = self.phones.iter().map(|(number, phone)| phone.view(*number)).collect();
                phones.sort_by_key(|phone| phone.number);
                let _ = answer.try_send(phones);
            }
            Command::Phone(number, answer) => {
                let _ = answer.try_send(self.phones.get(&number).map(|phone| phone.view(number)));
            }
            Command::Switch { number, on, answer } => {
                self.switch(number, on);
                let _ = answer.try_send(());
            }
            Command::Reply { from, to, text, answer } => {
                let _ = answer.try_send(self.reply(from, &to, text));
            }
            Command::SetFaults(faults, answer) => {
                self.set_faults(faults);
                let _ = answer.try_send(());
            }
            Command::Counts(answer) => {
                let _ = answer.try_send(self.count());
            }
            Command::Submitted(answer) => {
                let _ = answer.try_send(self.submitted.iter().cloned().collect());
            }
            Command::Answers(answer) => {
                let _ = answer.try_send(self.answers.iter().cloned().collect());
            }
            Command::Sessions(answer) => {
                let views = self.sessions.iter().filter_map(|(id, session)| session.view(*id)).collect();
                let _ = answer.try_send(views);
            }
            Command::Deliver(delivery, answer) => {
                let _ = answer.try_send(self.post_delivery(&delivery));
            }
            Command::Raw { session, octets, close, answer } => {
                let _ = answer.try_send(self.write_raw(session, &octets, close));
            }
            Command::Outbind { address, system_id, password, answer } => {
                tokio::spawn(door.clone().outbind(address, system_id, password));
                let _ = answer.try_send(());
            }
            Command::Stop => {}
        }
    }

    fn set_faults(&mut self, faults: Faults) {
        if faults.drop_sessions {
            self.drop_sessions();
        }
        for session in self.sessions.values_mut() {
            session.write_reversed();
            session.go_on();
        }
        self.faults = Faults { drop_sessions: false, ..faults };
    }

    /// Writes octets into a session, the bound one that came last when none is named; `false` when there is none.
    fn write_raw(&mut self, session: Option<SessionId>, octets: &[u8], close: bool) -> bool {
        let found = match session {
            Some(id) => self.sessions.get_mut(&id),
            None => self.sessions.values_mut().rfind(|session| session.bound.is_some()),
        };
        let Some(session) = found else { return false };
        session.out.extend_from_slice(octets);
        session.closing |= close;
        true
    }

    fn count(&self) -> SmscCounts {
        let bound = self.sessions.values().filter(|session| session.bound.is_some()).count();
        let unacknowledged: usize = self.desks.iter().map(|desk| desk.unacknowledged).sum();
        SmscCounts {
            bound: u64::try_from(bound).unwrap_or(u64::MAX),
            waiting: u64::try_from(self.messages.len()).unwrap_or(u64::MAX),
            unacknowledged: u64::try_from(unacknowledged).unwrap_or(u64::MAX),
            ..self.counts
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Opened { id, link, cut, greeting } => {
                let mut session = Session::new(link, cut);
                session.out.extend_from_slice(&greeting);
                self.sessions.insert(id, session);
            }
            Event::Pdus { id, octets, permit } if self.faults.sessions != Life::Served => {
                let mut rest = &octets[..];
                while pdu::next(&mut rest).is_some() {
                    self.counts.ignored += 1;
                }
                if let Some(session) = self.sessions.get_mut(&id).filter(|_| self.faults.sessions == Life::Stalled) {
                    session.stall(permit);
                }
            }
            Event::Pdus { id, octets, permit } => {
                let mut rest = &octets[..];
                while let Some(pdu) = pdu::next(&mut rest) {
                    self.serve(id, pdu);
                }
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.hold(permit);
                }
            }
            Event::Unframed { id } => {
                self.counts.bad_pdus += 1;
                if let Some(session) = self.sessions.get_mut(&id) {
                    pdu::write(&mut session.out, command::GENERIC_NACK, status::INVALID_COMMAND_LENGTH, 0, |_| {});
                    session.closing = true;
                }
            }
            Event::Closed { id } => self.close(id),
            Event::NotConnected => self.counts.outbinds_failed += 1,
        }
    }

    fn fire(&mut self, due: Due) {
        match due {
            Due::Answer { session, pdu } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.held = session.held.saturating_sub(1);
                    if self.faults.sessions == Life::Served {
                        session.out.extend_from_slice(&pdu);
                    }
                }
            }
            Due::Deliver(id) => self.try_phone(id),
            Due::Expire(id) => self.expire(id),
            Due::Resend(outgoing) => self.wait_again(outgoing),
            Due::Sweep => self.sweep(),
        }
    }

    /// Forgets a session; what it left unanswered goes out again elsewhere.
    fn close(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.take_back(session.unanswered.into_values());
        }
    }

    fn drop_sessions(&mut self) {
        while let Some((_, session)) = self.sessions.pop_last() {
            self.take_back(session.unanswered.into_values());
        }
    }

    fn flush(&mut self) {
        let slow: Vec<SessionId> =
            self.sessions.iter_mut().filter_map(|(id, session)| session.flush().err().map(|_| *id)).collect();
        for id in slow {
            self.counts.slow_peers += 1;
            self.close(id);
        }
    }

    /// A message's id, as answers and receipts give it.
    pub(crate) fn name(&self, id: u64) -> String {
        self.names.given(id).map_or_else(|| self.faults.message_ids.write(id), str::to_owned)
    }

    /// The message with this id.
    pub(crate) fn id_of(&self, name: &[u8]) -> Option<u64> {
        let name = std::str::from_utf8(name).ok()?;
        if self.names.are_none() && self.faults.message_ids == MessageIds::Hex {
            return u64::from_str_radix(name, 16).ok();
        }
        let finals = self.finals.iter().rev().map(|(id, _)| *id);
        self.messages.keys().copied().chain(finals).find(|id| self.name(*id) == name)
    }

    /// The desk of a `system_id`; `None` when there are too many.
    pub(crate) fn desk_of(&mut self, system_id: &[u8]) -> Option<usize> {
        /// Different `system_id`s known at a time, when anyone may bind.
        const DESKS: usize = 1024;
        let own = REPLIES + 1..self.desks.len();
        let known = own.zip(self.desks.iter().skip(REPLIES + 1)).find(|(_, desk)| *desk.system_id == *system_id);
        if let Some((index, _)) = known {
            return Some(index);
        }
        if self.desks.len() > DESKS {
            return None;
        }
        self.desks.push(Desk::of(system_id));
        Some(self.desks.len() - 1)
    }

    /// Tells watchers, if there are any.
    pub(crate) fn tell(&self, number: Msisdn, what: impl FnOnce() -> PhoneChange) {
        if self.events.receiver_count() > 0 {
            // It fails only when the last watcher has just left.
            let _ = self.events.send(PhoneEvent { number, what: what() });
        }
    }
}
