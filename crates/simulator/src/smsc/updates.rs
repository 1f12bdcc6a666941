//! `query_sm`, `cancel_sm`, `replace_sm` (SMPP 3.4 §4.8 to §4.10).

use std::time::Duration;

use model::Msisdn;

use super::center::Center;
use super::delivery::{Message, Originator};
use super::faults::Updates;
use super::requests::Request;
use super::session::Mode;
use super::validity;
use crate::pdu::{About, Address, Cancel, Replace, command, status};

impl Center {
    /// Answers `query_sm`, `cancel_sm` or `replace_sm`, as it is played.
    pub(crate) fn update(&mut self, request: Request, mode: Option<Mode>, body: &[u8]) {
        let late = match self.faults.updates {
            Updates::Silent => return,
            Updates::Refused(status) => return self.answer(request, status, &[]),
            Updates::TransmittersOnly if mode != Some(Mode::Transmitter) => {
                return self.answer(request, status::WRONG_BIND_STATE, &[]);
            }
            Updates::Late(milliseconds) => Duration::from_millis(milliseconds),
            Updates::Work | Updates::TransmittersOnly => Duration::ZERO,
        };
        if !matches!(mode, Some(Mode::Transmitter | Mode::Transceiver)) {
            return self.answer(request, status::WRONG_BIND_STATE, &[]);
        }
        let done = match request.command {
            command::QUERY_SM => About::read_query(body).map(|about| self.query(about)),
            command::CANCEL_SM => Cancel::read(body).map(|cancel| self.cancel(&cancel).map(|()| Vec::new())),
            _ => Replace::read(body).map(|replace| self.replace(&replace).map(|()| Vec::new())),
        };
        let Ok(done) = done else { return self.malformed(request) };
        let (status, body) = done.map_or_else(|status| (status, Vec::new()), |body| (status::OK, body));
        if late.is_zero() {
            self.answer(request, status, &body);
        } else {
            self.answer_later(request, status, late, &body);
        }
    }

    /// The id of the waiting message that is meant: by id and source address (SMPP 3.4 §4.8 to §4.10).
    fn find(&self, about: About<'_>) -> Option<u64> {
        let id = self.id_of(about.message_id)?;
        self.messages.get(&id).filter(|message| message.source == Originator::new(about.source)).map(|_| id)
    }

    fn query(&self, about: About<'_>) -> Result<Vec<u8>, u32> {
        /// `message_state` of what is on its way (SMPP 3.4 §5.2.28).
        const ENROUTE: u8 = 1;
        let id = self.id_of(about.message_id).ok_or(status::INVALID_MESSAGE_ID)?;
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
        if !message.alphabet.fits(0, replace.user_data) {
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

fn destination(address: Address<'_>) -> Option<Msisdn> {
    Msisdn::international(std::str::from_utf8(address.digits).ok()?).ok()
}
