//! The SIP server without its sockets: messages and the store's answers in, responses and calls out.

mod batch;
mod complaints;
mod hop;
mod limits;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rfc4475;
#[cfg(test)]
mod tests;
mod verdict;

use std::sync::Arc;

use bytes::Bytes;
use model::{MissedCall, Source, Timestamp};
use tokio::time::Instant;

use super::SipSettings;
use super::envelope::{Envelope, Fault};
use super::extract::refusal_of;
use super::line::{Origin, Outgoing};
use super::message::{Message, NotARequest};
use super::meter::{CallResult, Meter};
use super::response::Answer;
use super::settings::{ReplyTo, Rules};
use super::table::{Applied, Key, Table, Way};
use super::transaction::{Event, Notable, State};
use crate::{Counts, Refusal};
use batch::{Awaiting, Batch};
pub(super) use batch::{Handed, Outcome};
use complaints::Complaints;
use hop::Hop;
use limits::Limits;
pub(super) use verdict::unknown_extensions;
use verdict::{Refused, Served, read_call, read_other};

/// Seconds that a peer is asked to wait whose call was turned away or could not be stored: many peers send nothing at all meanwhile.
const BUSY_SECONDS: u64 = 1;

/// Seconds that a stopping gateway asks the peer to wait: about as long as a restart takes.
const DRAINING_SECONDS: u64 = 10;

/// The server of all sockets and connections.
pub(super) struct Server {
    settings: Arc<SipSettings>,
    counts: Arc<Counts>,
    meter: Arc<Meter>,
    limits: Limits,
    complaints: Complaints,
    table: Table,
    batch: Batch,
    out: Vec<Outgoing>,
    draining: bool,
}

/// A peer's request on its way through the rules.
#[derive(Clone, Copy)]
struct Request<'a> {
    hop: Hop<'a>,
    envelope: &'a Envelope<'a>,
    peer: usize,
    rules: &'a Rules,
    now: Instant,
}

impl Request<'_> {
    fn is_invite(&self) -> bool {
        self.envelope.method == b"INVITE"
    }
}

impl Server {
    pub(super) fn new(settings: Arc<SipSettings>, counts: Arc<Counts>, meter: Arc<Meter>) -> Self {
        Self {
            limits: Limits::new(&settings.peers),
            complaints: Complaints::new(Arc::clone(&settings)),
            table: Table::new(settings.timers, settings.limits.transactions, settings.peers.len()),
            settings,
            counts,
            meter,
            batch: Batch::default(),
            out: Vec::new(),
            draining: false,
        }
    }

    /// Takes one message that came at `now`, which is `at` on the wall.
    pub(super) fn receive(&mut self, raw: Bytes, origin: Origin, now: Instant, at: Timestamp) {
        let settings = Arc::clone(&self.settings);
        let place = settings.peer_at(origin.source.ip());
        let Some((peer, rules)) = place.and_then(|place| Some((place, &settings.peers.get(place)?.rules))) else {
            return self.refuse_stranger(raw, origin, now);
        };
        let message = match Message::parse(raw) {
            Ok(message) => message,
            Err(NotARequest::Blank | NotARequest::Stun | NotARequest::Response) => return,
            Err(NotARequest::Garbage) => return self.refuse(peer, origin, Refusal::Unreadable, None, now),
        };
        let envelope = match message.envelope() {
            Ok(envelope) => envelope,
            Err(fault) => {
                self.refuse(peer, origin, refusal_of(fault), Some(fault), now);
                let Some(hop) = Hop::of(&message, origin, rules.reply_to) else { return };
                if message.method() == b"INVITE" {
                    self.meter.call(peer, CallResult::Refused, 1);
                }
                return self.answer_statelessly(&hop, &Answer::Broken(fault));
            }
        };
        let hop = Hop { message: &message, via: envelope.via, origin, reply_to: rules.reply_to };
        let key = Key::of(peer, &message, &envelope);
        if envelope.method == b"ACK" {
            let applied = self.table.apply(&key, &Event::Ack, now);
            self.carry_out(applied, now);
        } else if self.table.holds(&key) {
            self.meter.repeated();
            let applied = self.table.repeat(&key, hop.route(), now);
            self.carry_out(applied, now);
        } else {
            self.begin(Request { hop, envelope: &envelope, peer, rules, now }, key, at);
        }
    }

    /// Answers for a message of which only the head could be had: too large, or its length can't be read.
    pub(super) fn refuse_unframed(&mut self, head: Bytes, origin: Origin, refusal: Refusal, now: Instant) {
        let settings = Arc::clone(&self.settings);
        let place = settings.peer_at(origin.source.ip());
        let Some((place, peer)) = place.and_then(|place| Some((place, settings.peers.get(place)?))) else {
            return self.refuse_stranger(head, origin, now);
        };
        let message = Message::parse(head).ok();
        // The head alone breaks a rule for certain where its length does; which one is said in the answer.
        let fault = (refusal == Refusal::Unreadable)
            .then(|| message.as_ref().and_then(|message| message.envelope().err()).unwrap_or(Fault::ContentLength));
        self.refuse(place, origin, refusal, fault, now);
        if let Some(hop) = message.as_ref().and_then(|message| Hop::of(message, origin, peer.rules.reply_to)) {
            self.answer_statelessly(&hop, &fault.map_or(Answer::Refused(refusal), Answer::Broken));
        }
    }

    /// The other end of a connection is gone: what waits for its ACK is let go, what is being stored is stored and then answered nowhere,
    /// unless it comes again by another way.
    pub(super) fn connection_closed(&mut self, number: u64) {
        self.table.close(number);
    }

    fn begin(&mut self, request: Request<'_>, key: Key, at: Timestamp) {
        let Request { hop, envelope, peer, rules, now } = request;
        let Some(echo) = hop.echo() else {
            self.refuse_request(request, Refusal::TooLarge);
            return self.answer_statelessly(&hop, &Answer::Refused(Refusal::TooLarge));
        };
        let route = hop.route();
        let schedule = self.settings.timers.on(route.line);
        if !request.is_invite() {
            let response = echo.response(&self.answer_other(request));
            // One that isn't kept gets the same answer when it comes again.
            if let Some(state) = State::answered(response.clone(), now, schedule).filter(|_| self.spares_room()) {
                self.table.insert(key, peer, None, state, route);
            }
            return self.out.push(Outgoing { route, bytes: response });
        }
        // Nothing is kept of a call that is turned away here: the table must empty, and the same answer is made again.
        if let Some(seconds) = self.turns_away(request) {
            return self.out.push(Outgoing { route, bytes: echo.response(&Answer::Later(seconds)) });
        }
        match read_call(hop.message, envelope, rules, &self.table) {
            Ok(call) => {
                let release = rules.release.of(call.reason).clone();
                self.meter.called(call.from);
                self.meter.waiting(peer, self.limits.wait(peer));
                let state = State::proceeding(echo, now, schedule);
                self.table.insert(key.clone(), peer, Some(Way::of(envelope, call.called)), state, route);
                self.batch.add(call.into_call(at), Awaiting { key, release, peer, arrived: now });
            }
            Err(refused) => {
                self.refuse_request(request, refused.refusal);
                let response = echo.response(&refused.answer);
                if self.spares_room() {
                    let state = State::completed(response.clone(), now, schedule);
                    self.table.insert(key, peer, None, state, route);
                }
                self.out.push(Outgoing { route, bytes: response });
            }
        }
    }

    /// What is answered the same without being kept takes no room from calls.
    fn spares_room(&self) -> bool {
        self.table.has_room_to_spare()
    }

    /// The seconds after which a new call may come again that can't be taken now.
    fn turns_away(&mut self, request: Request<'_>) -> Option<u64> {
        let Request { hop, peer, now, .. } = request;
        let source = hop.origin.source;
        if self.draining {
            self.counts.refused(Source::Sip, Refusal::Draining);
            self.meter.call(peer, CallResult::Unavailable, 1);
            return Some(DRAINING_SECONDS);
        }
        if self.table.is_full_for(peer) {
            self.count_call(peer, CallResult::Busy);
            self.complaints.full(peer, source, now);
            return Some(BUSY_SECONDS);
        }
        if self.batch.is_full_for(self.limits.share_of_waiting(peer)) {
            self.count_call(peer, CallResult::Busy);
            self.complaints.store_behind(peer, source, now);
            return Some(BUSY_SECONDS);
        }
        if !self.limits.admit(peer, now) {
            self.count_call(peer, CallResult::Limited);
            self.complaints.limited(peer, source, now);
            return Some(BUSY_SECONDS);
        }
        None
    }

    /// The answer to a request that is neither INVITE nor ACK.
    fn answer_other(&mut self, request: Request<'_>) -> Answer {
        let Request { hop: Hop { message, .. }, envelope, peer, now, .. } = request;
        let refused = match read_other(message, envelope) {
            Ok(Served::Cancel) => {
                let invite = Key::cancelled_by(peer, message, envelope);
                if self.table.holds(&invite) {
                    let applied = self.table.apply(&invite, &Event::Cancel, now);
                    self.carry_out(applied, now);
                    return Answer::Cancelled;
                }
                Refused::from(Refusal::NoDialog)
            }
            // A busy second must not take the trunk down: keepalives get 503 only from a gateway that stops.
            Ok(Served::Options) if self.draining => return Answer::Later(DRAINING_SECONDS),
            Ok(Served::Options) => return Answer::Capabilities,
            Err(refused) => refused,
        };
        self.refuse_request(request, refused.refusal);
        refused.answer
    }

    /// Answers without keeping anything, so that strangers and broken peers cost no memory; an ACK is never answered.
    fn answer_statelessly(&mut self, hop: &Hop<'_>, answer: &Answer) {
        if hop.message.method() == b"ACK" {
            return;
        }
        if let Some(echo) = hop.echo().or_else(|| hop.least_echo()) {
            self.out.push(Outgoing { route: hop.route(), bytes: echo.response(answer) });
        }
    }

    /// What comes from nobody's network is counted, and answered only so often that the gateway is no use to whoever forges its source.
    fn refuse_stranger(&mut self, raw: Bytes, origin: Origin, now: Instant) {
        self.meter.stranger();
        self.counts.refused(Source::Sip, Refusal::NotAPeer);
        self.complaints.stranger(origin.source, now);
        if !self.limits.answers_stranger(now) {
            return;
        }
        let Ok(message) = Message::parse(raw) else { return };
        if let Some(hop) = Hop::of(&message, origin, ReplyTo::Via) {
            self.answer_statelessly(&hop, &Answer::Refused(Refusal::NotAPeer));
        }
    }

    fn refuse_request(&mut self, request: Request<'_>, refusal: Refusal) {
        self.refuse(request.peer, request.hop.origin, refusal, None, request.now);
        if request.is_invite() {
            self.meter.call(request.peer, CallResult::Refused, 1);
        }
    }

    fn refuse(&mut self, peer: usize, origin: Origin, refusal: Refusal, fault: Option<Fault>, now: Instant) {
        self.counts.refused(Source::Sip, refusal);
        self.complaints.refused(peer, origin.source, refusal, fault, now);
    }

    fn count_call(&self, peer: usize, result: CallResult) {
        self.meter.call(peer, result, 1);
        match result {
            CallResult::Accepted => self.counts.accepted(Source::Sip, 1),
            CallResult::Duplicate => self.counts.duplicate(Source::Sip, 1),
            CallResult::Limited | CallResult::Busy => self.counts.busy(Source::Sip, 1),
            CallResult::Unavailable => self.counts.unavailable(Source::Sip, 1),
            // Counted with its reason.
            CallResult::Refused => {}
        }
    }

    /// Sends what a transaction wants sent, and counts what is worth it.
    fn carry_out(&mut self, applied: Option<Applied>, now: Instant) {
        let Some(Applied { send, route, peer, notable }) = applied else { return };
        match (send, route) {
            (Some(bytes), Some(route)) => self.out.push(Outgoing { route, bytes }),
            (Some(_), None) => self.meter.unsent(1),
            (None, _) => {}
        }
        match notable {
            Some(Notable::HungUp) => self.meter.cancelled(),
            Some(Notable::Unacknowledged) => {
                self.meter.unacknowledged();
                if let Some(route) = route {
                    self.complaints.unacknowledged(peer, route, now);
                }
            }
            None => {}
        }
    }

    /// Gives out the calls that have arrived since the last time, if any.
    pub(super) fn take_batch(&mut self) -> Option<(Vec<MissedCall>, Handed)> {
        self.batch.take()
    }

    /// Answers the calls of a batch, now that it is known what became of them.
    pub(super) fn settle(&mut self, handed: Handed, outcome: Outcome, now: Instant) {
        for (awaiting, result) in handed.results(outcome) {
            self.count_call(awaiting.peer, result);
            self.meter.waiting(awaiting.peer, self.limits.end_wait(awaiting.peer));
            self.meter.answered(now.saturating_duration_since(awaiting.arrived));
            let answer = match result {
                CallResult::Accepted | CallResult::Duplicate => Answer::Released(awaiting.release),
                CallResult::Refused | CallResult::Limited | CallResult::Busy | CallResult::Unavailable => {
                    Answer::Later(BUSY_SECONDS)
                }
            };
            let applied = self.table.apply(&awaiting.key, &Event::Final(answer), now);
            self.carry_out(applied, now);
            match result {
                // It is turned away before there was a 100, so that a lost answer is asked for again: the excess takes no room.
                CallResult::Busy => self.table.forget(&awaiting.key),
                CallResult::Unavailable => self.table.allow_again(&awaiting.key),
                CallResult::Accepted | CallResult::Duplicate | CallResult::Refused | CallResult::Limited => {}
            }
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some(key) = self.table.due(now) {
            let applied = self.table.apply(&key, &Event::Tick, now);
            self.carry_out(applied, now);
        }
        self.meter.transactions(self.table.len());
    }

    /// When [`Server::tick`] is wanted next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.table.deadline()
    }

    /// From now on new calls are turned away.
    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether it is draining, and nobody waits for an answer any more.
    pub(super) fn is_drained(&self) -> bool {
        self.draining && self.table.is_idle()
    }

    /// Gives out what is to be sent, in order.
    pub(super) fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.out)
    }
}
