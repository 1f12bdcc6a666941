//! What peers ask: bind, submit, query, cancel, replace.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use model::Msisdn;

use super::Submitted;
use super::center::Center;
use super::delivery::{Message, Originator};
use super::faults::{Fate, Updates};
use super::receipt::message_id;
use super::session::{Bound, Mode, SessionId};
use super::timers::Due;
use super::validity;
use crate::pdu::{self, About, Address, Bind, Cancel, Pdu, Replace, Submit, command, status, tag};
use crate::text::{self, Alphabet, UserData};

/// What the centre calls itself in answers to binds.
const SYSTEM_ID: &[u8] = b"SIMULATOR";

/// Answers held back for one session; beyond it submits are throttled.
const HELD: usize = 200_000;

/// Messages that may wait for phones, all phones together: some 500 MB.
const WAITING: usize = 1_000_000;

/// What an answer needs.
#[derive(Debug, Clone, Copy)]
struct Request {
    session: SessionId,
    command: u32,
    sequence: u32,
}

impl Center {
    /// Serves one PDU.
    pub(crate) fn serve(&mut self, session: SessionId, pdu: Pdu<'_>) {
        let Some(state) = self.sessions.get(&session).filter(|session| !session.closing) else { return };
        let request = Request { session, command: pdu.command, sequence: pdu.sequence };
        let bound = state.bound;
        match pdu.command {
            command::BIND_TRANSMITTER => self.bind(request, Mode::Transmitter, pdu.body),
            command::BIND_RECEIVER => self.bind(request, Mode::Receiver, pdu.body),
            command::BIND_TRANSCEIVER => self.bind(request, Mode::Transceiver, pdu.body),
            command::ENQUIRE_LINK => self.answer(request, status::OK, &[]),
            command::UNBIND => {
                self.answer(request, status::OK, &[]);
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.closing = true;
                }
            }
            command::SUBMIT_SM => match bound.filter(|bound| bound.mode != Mode::Receiver) {
                Some(bound) => self.submit(request, bound.desk, pdu.body),
                None => self.answer(request, status::WRONG_BIND_STATE, &[]),
            },
            command::QUERY_SM | command::CANCEL_SM | command::REPLACE_SM => match self.faults.updates {
                Updates::Silent => {}
                Updates::Refused => self.answer(request, status::INVALID_COMMAND, &[]),
                Updates::Work if bound.is_none_or(|bound| bound.mode == Mode::Receiver) => {
                    self.answer(request, status::WRONG_BIND_STATE, &[]);
                }
                Updates::Work => self.update(request, pdu.body),
            },
            response if response & command::RESPONSE != 0 => match response {
                // A generic_nack to a receipt or reply refuses it.
                command::GENERIC_NACK => self.acknowledged(session, pdu.sequence, pdu.status.max(1)),
                _ if response & !command::RESPONSE == command::DELIVER_SM => {
                    self.acknowledged(session, pdu.sequence, pdu.status);
                }
                _ => self.counts.bad_pdus += 1,
            },
            _ => {
                self.counts.bad_pdus += 1;
                self.answer(Request { command: command::GENERIC_NACK, ..request }, status::INVALID_COMMAND, &[]);
            }
        }
    }

    fn answer(&mut self, request: Request, status: u32, body: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&request.session) {
            let command = request.command | command::RESPONSE;
            pdu::write(&mut session.out, command, status, request.sequence, |out| out.put_slice(body));
        }
    }

    fn malformed(&mut self, request: Request) {
        self.counts.bad_pdus += 1;
        self.answer(request, status::INVALID_PARAMETER_LENGTH, &[]);
    }

    fn bind(&mut self, request: Request, mode: Mode, body: &[u8]) {
        let Ok(bind) = Bind::read(body) else { return self.malformed(request) };
        match self.admit(request.session, bind) {
            Ok(desk) => {
                self.counts.binds += 1;
                if let Some(session) = self.sessions.get_mut(&request.session) {
                    session.bound = Some(Bound { desk, mode });
                }
                let mut body = BytesMut::new();
                pdu::put_text(&mut body, SYSTEM_ID);
                pdu::put_option(&mut body, tag::INTERFACE_VERSION, &[0x34]);
                self.answer(request, status::OK, &body);
            }
            Err(status) => {
                self.counts.binds_refused += 1;
                self.answer(request, status, &[]);
            }
        }
    }

    fn admit(&mut self, session: SessionId, bind: Bind<'_>) -> Result<usize, u32> {
        if let Some(status) = self.faults.refuse_binds {
            return Err(status);
        }
        if self.sessions.get(&session).is_some_and(|session| session.bound.is_some()) {
            return Err(status::ALREADY_BOUND);
        }
        let accounts = &self.options.accounts;
        match accounts.iter().find(|(system_id, _)| system_id.as_bytes() == bind.system_id) {
            Some((_, password)) if password.as_bytes() != bind.password => return Err(status::INVALID_PASSWORD),
            None if !accounts.is_empty() => return Err(status::INVALID_SYSTEM_ID),
            _ => {}
        }
        self.desk_of(bind.system_id).ok_or(status::SYSTEM_ERROR)
    }

    fn submit(&mut self, request: Request, desk: usize, body: &[u8]) {
        let Ok(submit) = Submit::read(body) else { return self.malformed(request) };
        self.counts.submits += 1;
        let fate = self.faults.next();
        let mut message = match fate {
            Fate::Throttled => return self.refuse(request, status::THROTTLED),
            Fate::QueueFull => return self.refuse(request, status::QUEUE_FULL),
            Fate::Refused(status) => return self.refuse(request, status),
            Fate::Silent { lost: true } => {
                self.counts.silent += 1;
                return;
            }
            Fate::Normal | Fate::Silent { lost: false } | Fate::Late(_) => match self.accept(request, desk, &submit) {
                Ok(message) => message,
                Err(status) => return self.refuse(request, status),
            },
        };
        self.counts.accepted += 1;
        if submit.replace != 0 {
            self.replace_if_present(&mut message);
        }
        self.remember(&message);
        let delay = self.options.answer_delay
            + match fate {
                Fate::Late(by) => by,
                _ => Duration::ZERO,
            };
        let mut answer = message_id(message.id).into_bytes();
        answer.push(0);
        let early = self.faults.receipts_before_answer;
        if !early {
            message.due += delay + self.options.delivery_delay;
        }
        if early {
            self.bring(message);
            self.send_waiting();
            self.answer_after(request, fate, delay, &answer);
        } else {
            self.answer_after(request, fate, delay, &answer);
            self.bring(message);
        }
    }

    fn answer_after(&mut self, request: Request, fate: Fate, delay: Duration, body: &[u8]) {
        if matches!(fate, Fate::Silent { .. }) {
            self.counts.silent += 1;
            return;
        }
        if delay.is_zero() {
            return self.answer(request, status::OK, body);
        }
        let mut pdu = BytesMut::new();
        pdu::write(&mut pdu, request.command | command::RESPONSE, status::OK, request.sequence, |out| {
            out.put_slice(body);
        });
        if let Some(session) = self.sessions.get_mut(&request.session) {
            session.held += 1;
            let answer = Due::Answer { session: request.session, pdu: pdu[..].into() };
            self.timers.set(self.instant + delay, answer);
        }
    }

    fn refuse(&mut self, request: Request, status: u32) {
        match status {
            status::THROTTLED => self.counts.throttled += 1,
            status::QUEUE_FULL => self.counts.queue_full += 1,
            _ => self.counts.refused += 1,
        }
        self.answer(request, status, &[]);
    }

    /// Checks a submit and makes a message of it, or gives the status to refuse it with.
    fn accept(&mut self, request: Request, desk: usize, submit: &Submit<'_>) -> Result<Message, u32> {
        let digits = std::str::from_utf8(submit.destination.digits).map_err(|_| status::INVALID_DESTINATION)?;
        let destination = Msisdn::international(digits).map_err(|_| status::INVALID_DESTINATION)?;
        let header = submit.esm_class & 0x40 != 0;
        let data = match header {
            true => text::take_header(submit.user_data).map_err(|_| status::INVALID_ESM_CLASS)?,
            false => UserData { header: 0, part: submit.sar, body: submit.user_data },
        };
        let alphabet = Alphabet::of(submit.data_coding);
        if !submit.payload && !alphabet.fits(data.header, data.body.len()) {
            return Err(status::INVALID_MESSAGE_LENGTH);
        }
        let validity = validity::read(submit.validity, self.now).map_err(|_| status::INVALID_EXPIRY)?;
        let wants_receipt = self.options.receipts && submit.registered & 0x03 != 0;
        let no_room_for_receipt = wants_receipt && self.desks.get(desk).is_some_and(super::desk::Desk::is_full);
        let answers_held = self.sessions.get(&request.session).map_or(0, |session| session.held);
        if no_room_for_receipt || answers_held >= HELD {
            return Err(status::THROTTLED);
        }
        let room = self.phones.get(&destination).is_none_or(|phone| phone.waiting.len() < self.options.inbox_limit);
        if !room && submit.replace == 0 || self.messages.len() >= WAITING {
            return Err(status::QUEUE_FULL);
        }
        self.last_id += 1;
        Ok(Message {
            id: self.last_id,
            desk,
            service_type: submit.service_type.into(),
            source: Originator::new(submit.source),
            destination,
            alphabet,
            part: data.part,
            body: data.body.into(),
            registered: submit.registered,
            submitted: self.now,
            due: self.instant,
            expires: self.instant + validity,
            timer: None,
        })
    }

    /// Replaces the waiting message with the same service type, source and destination: its id lives on (SMPP 3.4 §4.4.1.2).
    fn replace_if_present(&mut self, message: &mut Message) {
        let Some(phone) = self.phones.get(&message.destination) else { return };
        let same = |old: &Message| old.service_type == message.service_type && old.source == message.source;
        let found = phone.waiting.iter().copied().find(|id| self.messages.get(id).is_some_and(same));
        if let Some(old) = found.and_then(|id| self.take_waiting(id)) {
            self.counts.replaced += 1;
            message.id = old.id;
        }
    }

    fn remember(&mut self, message: &Message) {
        let limit = self.options.keep_submitted;
        if limit == 0 {
            return;
        }
        while self.submitted.len() >= limit {
            self.submitted.pop_front();
        }
        self.submitted.push_back(Submitted {
            destination: message.destination,
            source: message.source.digits.to_string(),
            text: message.alphabet.decode(&message.body),
            at: message.submitted,
            message_id: message_id(message.id),
        });
    }

    fn update(&mut self, request: Request, body: &[u8]) {
        let done = match request.command {
            command::QUERY_SM => About::read_query(body).map(|about| self.query(about)),
            command::CANCEL_SM => Cancel::read(body).map(|cancel| self.cancel(&cancel).map(|()| Vec::new())),
            _ => Replace::read(body).map(|replace| self.replace(&replace).map(|()| Vec::new())),
        };
        match done {
            Ok(Ok(body)) => self.answer(request, status::OK, &body),
            Ok(Err(status)) => self.answer(request, status, &[]),
            Err(pdu::Malformed) => self.malformed(request),
        }
    }

    /// The id of the waiting message that is meant: by id and source address (SMPP 3.4 §4.8 to §4.10).
    fn find(&self, about: About<'_>) -> Option<u64> {
        let id = parse_id(about.message_id)?;
        self.messages.get(&id).filter(|message| message.source == Originator::new(about.source)).map(|_| id)
    }

    fn query(&self, about: About<'_>) -> Result<Vec<u8>, u32> {
        /// `message_state` of what is on its way (SMPP 3.4 §5.2.28).
        const ENROUTE: u8 = 1;
        let id = parse_id(about.message_id).ok_or(status::INVALID_MESSAGE_ID)?;
        let became = self.finals.iter().rev().find(|(known, _)| *known == id).map(|(_, became)| became.state());
        let waiting = self.find(about).map(|_| ENROUTE);
        let state = waiting.or(became).ok_or(status::INVALID_MESSAGE_ID)?;
        let mut body = about.message_id.to_vec();
        body.extend([0, 0, state, 0]); // end of the id, no final_date, message_state, error_code
        Ok(body)
    }

    /// One message by its id, or all from a source to a destination with a service type when no id is given.
    fn cancel(&mut self, cancel: &Cancel<'_>) -> Result<(), u32> {
        let meant: Vec<u64> = if cancel.about.message_id.is_empty() {
            let (source, phone) = (Originator::new(cancel.about.source), destination(cancel.destination));
            let waiting = phone.and_then(|phone| self.phones.get(&phone)).into_iter().flat_map(|phone| &phone.waiting);
            let same = |message: &Message| message.source == source && *message.service_type == *cancel.service_type;
            waiting.copied().filter(|id| self.messages.get(id).is_some_and(same)).collect()
        } else {
            self.find(cancel.about).into_iter().collect()
        };
        if meant.is_empty() {
            return Err(status::CANCEL_FAILED);
        }
        for id in meant {
            self.delete(id);
        }
        Ok(())
    }

    fn replace(&mut self, replace: &Replace<'_>) -> Result<(), u32> {
        let id = self.find(replace.about).ok_or(status::REPLACE_FAILED)?;
        // Empty keeps the validity that the message has (SMPP 3.4 §4.10.1).
        let validity = match replace.validity {
            [] => None,
            text => Some(validity::read(text, self.now).map_err(|_| status::INVALID_EXPIRY)?),
        };
        let message = self.messages.get_mut(&id).ok_or(status::REPLACE_FAILED)?;
        if !message.alphabet.fits(0, replace.user_data.len()) {
            return Err(status::INVALID_MESSAGE_LENGTH);
        }
        message.body = replace.user_data.into();
        message.part = None;
        message.registered = replace.registered;
        message.submitted = self.now;
        if let Some(validity) = validity {
            message.expires = self.instant + validity;
            self.reset_timer(id);
        }
        self.counts.replaced += 1;
        Ok(())
    }
}

fn parse_id(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

fn destination(address: Address<'_>) -> Option<Msisdn> {
    Msisdn::international(std::str::from_utf8(address.digits).ok()?).ok()
}
