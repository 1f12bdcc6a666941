//! The SIP server without its socket: datagrams and the store's answers in, responses and calls out.

use std::sync::Arc;

use bytes::Bytes;
use model::{MissedCall, Source, Timestamp};
use tokio::time::Instant;

use super::envelope::{Envelope, Via};
use super::extract::{extract, refusal_of};
use super::line::{Line, Origin, Outgoing, Route};
use super::message::{Message, Name, NotARequest};
use super::meter::Meter;
use super::release::Release;
use super::response::{Answer, Echo, destination};
use super::settings::{ReplyTo, Rules};
use super::table::{Key, Table, Way};
use super::transaction::{Event, State};
use super::{SipSettings, Uri};
use crate::offer::known_before;
use crate::{Counts, Refusal, Stored};

/// Extensions that a final response which is no success satisfies, so that requiring them loses no call.
const TOLERATED: [&str; 8] =
    ["100rel", "precondition", "timer", "histinfo", "resource-priority", "199", "replaces", "from-change"];

/// Seconds that a busy answer asks the peer to wait.
const BUSY_SECONDS: u64 = 1;

/// Seconds that a stopping gateway asks the peer to wait: about as long as a restart takes.
const DRAINING_SECONDS: u64 = 10;

/// A call that waits for the store, and how it is released then.
#[derive(Debug)]
pub(super) struct Awaiting {
    key: Key,
    release: Release,
}

/// Calls that arrived together and are handed over together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// No two with the same id and called number.
    pub(super) calls: Vec<MissedCall>,
    awaiting: Vec<Awaiting>,
}

/// What the hand-over of a batch came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The store answered.
    Answered(Stored),
    /// The hand-over was full.
    Full,
    /// Nobody answered in time.
    Silent,
}

/// A batch that was handed over, without its calls.
#[derive(Debug)]
pub(super) struct Handed {
    calls: usize,
    awaiting: Vec<Awaiting>,
}

/// One socket's server.
pub(super) struct Server {
    settings: Arc<SipSettings>,
    counts: Arc<Counts>,
    meter: Arc<Meter>,
    table: Table,
    batch: Batch,
    out: Vec<Outgoing>,
    draining: bool,
}

/// A request on its way through the rules.
#[derive(Clone, Copy)]
struct Request<'a> {
    message: &'a Message,
    envelope: &'a Envelope<'a>,
    origin: Origin,
    rules: &'a Rules,
    now: Instant,
}

impl Server {
    pub(super) fn new(settings: Arc<SipSettings>, counts: Arc<Counts>, meter: Arc<Meter>) -> Self {
        let table = Table::new(settings.timers);
        Self { settings, counts, meter, table, batch: Batch::default(), out: Vec::new(), draining: false }
    }

    /// Takes one message that came at `now`, which is `at` on the wall.
    pub(super) fn receive(&mut self, raw: Bytes, origin: Origin, now: Instant, at: Timestamp) {
        let message = match Message::parse(raw) {
            Ok(message) => message,
            Err(NotARequest::Blank | NotARequest::Stun | NotARequest::Response) => return,
            Err(NotARequest::Garbage) => return self.count(Refusal::Unreadable),
        };
        let Some(via) = Via::topmost(&message).or_else(|| broken_via(&message)) else {
            return self.count(Refusal::Unreadable);
        };
        let settings = Arc::clone(&self.settings);
        let Some(peer) = settings.peer_at(origin.source.ip()).and_then(|place| settings.peers.get(place)) else {
            return self.refuse_statelessly(&message, &via, origin, Refusal::NotAPeer);
        };
        let envelope = match message.envelope() {
            Ok(envelope) => envelope,
            Err(fault) => {
                tracing::debug!(source = %origin.source, %fault, "a SIP request breaks a rule");
                return self.refuse_statelessly(&message, &via, origin, refusal_of(fault));
            }
        };
        let request = Request { message: &message, envelope: &envelope, origin, rules: &peer.rules, now };
        let key = Key::of(&message, &envelope);
        if envelope.method == b"ACK" {
            let sent = self.table.apply(&key, &Event::Ack, now);
            self.out.extend(sent);
        } else if self.table.holds(&key) {
            let sent = self.table.apply(&key, &Event::Repeat, now);
            self.out.extend(sent);
        } else {
            self.begin(request, key, at);
        }
    }

    /// Answers for a message of which only the head could be had: too large, or its length can't be read.
    pub(super) fn refuse_unframed(&mut self, head: Bytes, origin: Origin, refusal: Refusal) {
        let message = Message::parse(head).ok();
        match message
            .as_ref()
            .and_then(|message| Some((message, Via::topmost(message).or_else(|| broken_via(message))?)))
        {
            Some((message, via)) => self.refuse_statelessly(message, &via, origin, refusal),
            None => self.count(refusal),
        }
    }

    fn begin(&mut self, request: Request<'_>, key: Key, at: Timestamp) {
        let Request { message, envelope, origin, rules, now } = request;
        let Some(echo) = Echo::new(message, &envelope.via, origin.source) else {
            return self.refuse_statelessly(message, &envelope.via, origin, Refusal::TooLarge);
        };
        let route = route(&envelope.via, origin, rules.reply_to);
        let full = self.table.is_full();
        if envelope.method != b"INVITE" {
            let response = echo.response(&self.answer_other(request));
            if !full {
                self.table.insert(key, None, State::answered(response.clone(), now, self.settings.timers), route);
            }
            return self.out.push(Outgoing { route, bytes: response });
        }
        // Nothing is kept of a call that is turned away here: the table must empty, and the same answer is made again.
        let turned_away = match (self.draining, full) {
            (true, _) => Some(DRAINING_SECONDS).inspect(|_| self.count(Refusal::Draining)),
            (false, true) => Some(BUSY_SECONDS).inspect(|_| self.counts.busy(Source::Sip, 1)),
            (false, false) => None,
        };
        if let Some(seconds) = turned_away {
            return self.out.push(Outgoing { route, bytes: echo.response(&Answer::Later(seconds)) });
        }
        match self.examine(request) {
            Ok(call) => {
                let release = rules.release.of(call.reason).clone();
                let state = State::proceeding(echo, now, self.settings.timers);
                self.table.insert(key.clone(), Some(Way::of(envelope)), state, route);
                let call = call.into_call(at);
                // The same call forwarded twice within one burst: one store, two answers.
                if !self.batch.calls.iter().any(|other| other.called == call.called && other.id == call.id) {
                    self.batch.calls.push(call);
                }
                self.batch.awaiting.push(Awaiting { key, release });
            }
            Err(answer) => {
                let response = echo.response(&answer);
                self.table.insert(key, None, State::completed(response.clone(), now, self.settings.timers), route);
                self.out.push(Outgoing { route, bytes: response });
            }
        }
    }

    /// What a new INVITE says, or the answer that refuses it.
    fn examine(&self, request: Request<'_>) -> Result<super::extract::Understood, Answer> {
        let Request { message, envelope, rules, .. } = request;
        let refused = |refusal| {
            self.count(refusal);
            Answer::Refused(refusal)
        };
        if envelope.to_tag.is_some() {
            return Err(refused(Refusal::NoDialog));
        }
        if self.table.is_merged(&Way::of(envelope)) {
            return Err(refused(Refusal::Merged));
        }
        if Uri::parse(message.uri()).is_none() {
            return Err(refused(Refusal::Scheme));
        }
        if let Some(unknown) = unknown_extensions(message) {
            self.count(Refusal::Extension);
            return Err(Answer::Unsupported(unknown));
        }
        extract(message, envelope, rules).map_err(refused)
    }

    /// The answer to a request that is neither INVITE nor ACK.
    fn answer_other(&mut self, request: Request<'_>) -> Answer {
        let Request { message, envelope, now, .. } = request;
        let refused = |refusal| {
            self.count(refusal);
            Answer::Refused(refusal)
        };
        match envelope.method {
            b"CANCEL" => {
                let invite = Key::cancelled_by(message, envelope);
                if !self.table.holds(&invite) {
                    return refused(Refusal::NoDialog);
                }
                // The caller hung up while the call was being stored: it was missed all the same, and its store goes on.
                let sent = self.table.apply(&invite, &Event::Final(Answer::Terminated), now);
                self.out.extend(sent);
                Answer::Cancelled
            }
            b"OPTIONS" if Uri::parse(message.uri()).is_none() => refused(Refusal::Scheme),
            b"OPTIONS" => match unknown_extensions(message) {
                Some(unknown) => {
                    self.count(Refusal::Extension);
                    Answer::Unsupported(unknown)
                }
                None if self.draining => Answer::Later(DRAINING_SECONDS),
                None => Answer::Capabilities,
            },
            b"BYE" | b"PRACK" | b"UPDATE" | b"INFO" => refused(Refusal::NoDialog),
            b"REGISTER" | b"MESSAGE" | b"SUBSCRIBE" | b"NOTIFY" | b"REFER" | b"PUBLISH" => {
                self.count(Refusal::Method);
                Answer::Unserved { status: 405 }
            }
            _ => {
                self.count(Refusal::Method);
                Answer::Unserved { status: 501 }
            }
        }
    }

    /// Answers without keeping anything, so that strangers and broken peers cost no memory; an ACK is never answered.
    fn refuse_statelessly(&mut self, message: &Message, via: &Via<'_>, origin: Origin, refusal: Refusal) {
        self.count(refusal);
        if message.method() == b"ACK" {
            return;
        }
        // What is too large to be given back is answered with the topmost Via alone: that is all its sender needs.
        let echo = Echo::new(message, via, origin.source);
        let Some(echo) = echo.or_else(|| Echo::topmost(message, via, origin.source)) else { return };
        let bytes = echo.response(&Answer::Refused(refusal));
        let rules = self
            .settings
            .peer_at(origin.source.ip())
            .and_then(|place| self.settings.peers.get(place))
            .map(|peer| &peer.rules);
        let reply_to = rules.map_or(ReplyTo::Via, |rules| rules.reply_to);
        self.out.push(Outgoing { route: route(via, origin, reply_to), bytes });
    }

    fn count(&self, refusal: Refusal) {
        self.counts.refused(Source::Sip, refusal);
    }

    /// Gives out the calls that have arrived since the last time, if any.
    pub(super) fn take_batch(&mut self) -> Option<(Vec<MissedCall>, Handed)> {
        if self.batch.awaiting.is_empty() {
            return None;
        }
        let Batch { calls, awaiting } = std::mem::take(&mut self.batch);
        let handed = Handed { calls: calls.len(), awaiting };
        Some((calls, handed))
    }

    /// Answers the calls of a batch, now that it is known what became of them.
    pub(super) fn settle(&mut self, handed: Handed, outcome: Outcome, now: Instant) {
        let Handed { calls, awaiting } = handed;
        let later = match outcome {
            Outcome::Answered(Stored { duplicate }) => {
                let known = known_before(&duplicate, calls);
                self.counts.accepted(Source::Sip, calls - known);
                self.counts.duplicate(Source::Sip, awaiting.len() - (calls - known));
                None
            }
            Outcome::Silent => {
                self.counts.unavailable(Source::Sip, awaiting.len());
                Some(BUSY_SECONDS)
            }
            Outcome::Full => {
                self.counts.busy(Source::Sip, awaiting.len());
                Some(BUSY_SECONDS)
            }
        };
        for Awaiting { key, release } in awaiting {
            let answer = later.map_or(Answer::Released(release), Answer::Later);
            let sent = self.table.apply(&key, &Event::Final(answer), now);
            self.out.extend(sent);
            if later.is_some() {
                self.table.allow_again(&key);
            }
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some(key) = self.table.due(now) {
            let sent = self.table.apply(&key, &Event::Tick, now);
            self.out.extend(sent);
        }
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

fn route(via: &Via<'_>, origin: Origin, reply_to: ReplyTo) -> Route {
    let to = match origin.line {
        Line::Datagrams(_) => destination(via, origin.source, reply_to),
        Line::Connection(_) => origin.source,
    };
    Route { line: origin.line, to }
}

/// A Via of which only the beginning can be read is enough to say so to its sender, at its source port.
fn broken_via(message: &Message) -> Option<Via<'_>> {
    let entry =
        message.first(Name::Via).filter(|value| value.get(..4).is_some_and(|it| it.eq_ignore_ascii_case(b"SIP/")))?;
    Some(Via { entry, host: b"", port: None, branch: None, rport: true })
}

/// The tags of Require that are not known, as they are written in Unsupported; `None` when all are (RFC 3261 §8.2.2.3).
fn unknown_extensions(message: &Message) -> Option<Vec<u8>> {
    let known = |tag: &[u8]| TOLERATED.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(tag));
    let unknown: Vec<&[u8]> = message.entries(Name::Require, MAX_EXTENSIONS).filter(|tag| !known(tag)).collect();
    (!unknown.is_empty()).then(|| unknown.join(&b", "[..]))
}

/// Tags of Require that are looked at.
const MAX_EXTENSIONS: usize = 32;
