//! `submit_sm` (SMPP 3.4 §4.4) and its answers.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use model::Msisdn;

use super::Submitted;
use super::center::Center;
use super::delivery::{Message, Originator};
use super::faults::{AnswerForm, Fate};
use super::requests::Request;
use super::shape::{Hex, WireAddress};
use super::timers::Due;
use super::validity;
use crate::pdu::{self, Address, Submit, command, status, tag};
use crate::text::{self, Alphabet, UserData};

/// Answers held back for one session; beyond it submits are throttled.
const HELD: usize = 200_000;

/// Messages that may wait for phones, all phones together: some 500 MB.
const WAITING: usize = 1_000_000;

/// Makes of a sequence number one that nobody used: peers count from 1.
const STRAY: u32 = 0x4000_0000;

impl Center {
    /// Takes, refuses or ignores a `submit_sm`.
    pub(crate) fn submit(&mut self, request: Request, desk: usize, body: &[u8]) {
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
        self.remember(&submit, &message);
        let delay = self.options.answer_delay
            + match fate {
                Fate::Late(by) => by,
                _ => Duration::ZERO,
            };
        let answer = self.answer_body(message.id);
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
        if !delay.is_zero() {
            return self.answer_later(request, status::OK, delay, body);
        }
        if self.faults.stray_answers {
            self.answer(Request { sequence: request.sequence ^ STRAY, ..request }, status::OK, body);
        }
        if self.faults.answers_reversed == 0 {
            return self.answer(request, status::OK, body);
        }
        let pdu = answer_pdu(request, status::OK, body);
        if let Some(session) = self.sessions.get_mut(&request.session) {
            session.reversed.push(pdu);
            if session.reversed.len() >= self.faults.answers_reversed {
                session.write_reversed();
            }
        }
    }

    /// Writes an answer after a while.
    pub(crate) fn answer_later(&mut self, request: Request, status: u32, delay: Duration, body: &[u8]) {
        let pdu = answer_pdu(request, status, body);
        if let Some(session) = self.sessions.get_mut(&request.session) {
            session.held += 1;
            self.timers.set(self.instant + delay, Due::Answer { session: request.session, pdu });
        }
    }

    /// What the answer to a submit that was taken says.
    fn answer_body(&self, id: u64) -> Vec<u8> {
        let mut body = match self.faults.answer_form {
            AnswerForm::NoBody => Vec::new(),
            AnswerForm::NoNul => self.name(id).into_bytes(),
            AnswerForm::Standard | AnswerForm::BodyAlways => {
                let mut name = self.name(id).into_bytes();
                name.push(0);
                name
            }
        };
        if let Some(level) = self.faults.congestion {
            body.extend(tag::CONGESTION_STATE.to_be_bytes());
            body.extend([0, 1, level]);
        }
        body
    }

    fn refuse(&mut self, request: Request, status: u32) {
        match status {
            status::THROTTLED => self.counts.throttled += 1,
            status::QUEUE_FULL => self.counts.queue_full += 1,
            _ => self.counts.refused += 1,
        }
        let body: &[u8] = if self.faults.answer_form == AnswerForm::BodyAlways { b"0\0" } else { &[] };
        self.answer(request, status, body);
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
        let alphabet = Alphabet::of(submit.data_coding, self.faults.alphabet, data.header);
        if !submit.payload && !alphabet.fits(data.header, data.body) {
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
        if let Some(name) = self.faults.next_ids.pop_front() {
            self.names.give(self.last_id, name);
        }
        Ok(Message {
            id: self.last_id,
            session: request.session,
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

    fn remember(&mut self, submit: &Submit<'_>, message: &Message) {
        let limit = self.options.keep_submitted;
        if limit == 0 {
            return;
        }
        while self.submitted.len() >= limit {
            self.submitted.pop_front();
        }
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let address =
            |address: Address<'_>| WireAddress { ton: address.ton, npi: address.npi, digits: text(address.digits) };
        self.submitted.push_back(Submitted {
            destination: message.destination,
            source: message.source.digits.to_string(),
            text: message.alphabet.decode(&message.body),
            at: message.submitted,
            message_id: self.name(message.id),
            session: message.session,
            service_type: text(submit.service_type),
            source_address: address(submit.source),
            destination_address: address(submit.destination),
            esm_class: submit.esm_class,
            protocol_id: submit.protocol_id,
            priority_flag: submit.priority,
            validity_period: text(submit.validity),
            registered_delivery: submit.registered,
            data_coding: submit.data_coding,
            user_data: Hex(submit.user_data.to_vec()),
            payload: submit.payload,
            sar: submit.sar.is_some(),
            part: message.part.map(|part| (part.reference, part.number, part.total)),
        });
    }
}

fn answer_pdu(request: Request, status: u32, body: &[u8]) -> Box<[u8]> {
    let mut pdu = BytesMut::new();
    pdu::write(&mut pdu, request.command | command::RESPONSE, status, request.sequence, |out| out.put_slice(body));
    pdu[..].into()
}
