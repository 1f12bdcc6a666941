//! What peers ask and answer: sorted by `command_id`; binds.

use bytes::{BufMut, BytesMut};

use super::EsmeAnswer;
use super::center::Center;
use super::faults::Binds;
use super::session::{Bound, Identity, Mode, SessionId};
use super::shape::Hex;
use crate::pdu::{self, Bind, Pdu, command, status, tag};

/// What the centre calls itself in answers to binds.
const SYSTEM_ID: &[u8] = b"SIMULATOR";

/// What an answer needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) session: SessionId,
    pub(crate) command: u32,
    pub(crate) sequence: u32,
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
            command::QUERY_SM | command::CANCEL_SM | command::REPLACE_SM => {
                self.update(request, bound.map(|bound| bound.mode), pdu.body);
            }
            response if response & command::RESPONSE != 0 => self.answered(session, pdu),
            _ => {
                self.counts.bad_pdus += 1;
                self.answer(Request { command: command::GENERIC_NACK, ..request }, status::INVALID_COMMAND, &[]);
            }
        }
    }

    /// A peer answered something of ours.
    fn answered(&mut self, session: SessionId, pdu: Pdu<'_>) {
        if self.options.keep_answers > 0 {
            self.note(session, pdu);
        }
        if pdu.command == command::GENERIC_NACK {
            // It refuses a receipt or reply.
            return self.acknowledged(session, pdu.sequence, pdu.status.max(1));
        }
        match pdu.command & !command::RESPONSE {
            command::DELIVER_SM | command::DATA_SM => self.acknowledged(session, pdu.sequence, pdu.status),
            // Those that were asked by hand.
            command::ENQUIRE_LINK => {}
            command::UNBIND => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.closing = true;
                }
            }
            _ => self.counts.bad_pdus += 1,
        }
    }

    /// Remembers an answer.
    fn note(&mut self, session: SessionId, pdu: Pdu<'_>) {
        while self.answers.len() >= self.options.keep_answers {
            self.answers.pop_front();
        }
        let Pdu { command, status, sequence, body } = pdu;
        self.answers.push_back(EsmeAnswer { session, command, status, sequence, body: Hex(body.to_vec()) });
    }

    pub(crate) fn answer(&mut self, request: Request, status: u32, body: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&request.session) {
            let command = request.command | command::RESPONSE;
            pdu::write(&mut session.out, command, status, request.sequence, |out| out.put_slice(body));
        }
    }

    pub(crate) fn malformed(&mut self, request: Request) {
        self.counts.bad_pdus += 1;
        self.answer(request, status::INVALID_PARAMETER_LENGTH, &[]);
    }

    fn bind(&mut self, request: Request, mode: Mode, body: &[u8]) {
        let Ok(bind) = Bind::read(body) else { return self.malformed(request) };
        if self.faults.binds == Binds::Silent {
            return;
        }
        let desk = match self.admit(request.session, bind) {
            Ok(desk) => desk,
            Err(status) => {
                self.counts.binds_refused += 1;
                return self.answer(request, status, &[]);
            }
        };
        self.counts.binds += 1;
        if let Some(session) = self.sessions.get_mut(&request.session) {
            session.bound = Some(Bound { desk, mode });
            session.identity = Some(Identity::of(bind));
            session.closing = self.faults.binds == Binds::Closed;
        }
        let mut body = BytesMut::new();
        pdu::put_text(&mut body, SYSTEM_ID);
        // A peer of 3.3 knows no optional parameters (SMPP 3.4 §1.6).
        if bind.interface_version >= 0x34 {
            let version = if bind.interface_version >= 0x50 { 0x50 } else { 0x34 };
            pdu::put_option(&mut body, tag::INTERFACE_VERSION, &[version]);
        }
        self.answer(request, status::OK, &body);
    }

    fn admit(&mut self, session: SessionId, bind: Bind<'_>) -> Result<usize, u32> {
        if let Binds::Refused(status) = self.faults.binds {
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
}
