//! What the SMSC says: each PDU, and what the link does about it.

use bytes::{Buf, BytesMut};
use model::SubmitOutcome;
use rusmpp::CommandId;
use tokio::time::Instant;

use crate::deliver::{self, Delivery, Meaning};
use crate::frame::{self, Frame, LengthError};
use crate::inbound::{Acknowledge, Acknowledgement, Inbound};
use crate::link::Link;
use crate::meter::Count;
use crate::session::{Event, Session};
use crate::state::Why;
use crate::status::{self, StatusClass};
use crate::talk::{Outgoing, Talk};
use crate::trace::Way;
use crate::updates::{Reply, Says};
use crate::window::{Flight, Judgement, Said, Sent};

impl Link {
    /// Takes all whole PDUs from the front of what was read.
    pub(crate) fn on_read(&mut self, talk: &mut Talk, input: &mut BytesMut) {
        self.step(Event::Heard);
        let now = Instant::now();
        let mut used = 0;
        while self.is_connected() {
            let passed_over = talk.skipped.min(input.len().saturating_sub(used));
            talk.skipped -= passed_over;
            used += passed_over;
            let rest = input.get(used..).unwrap_or_default();
            match frame::cut(rest) {
                Ok(Some((frame, length))) => {
                    used += length;
                    if let Some(trace) = &self.trace {
                        trace.pdu(Way::In, frame, rest.get(..length).unwrap_or_default());
                    }
                    self.on_pdu(talk, frame, now);
                }
                Ok(None) => break,
                Err(error) if frame::may_be_oversized(error, rest) => break,
                Err(error) => self.on_bad_length(talk, error, frame::oversized(rest)),
            }
        }
        input.advance(used.min(input.len()));
    }

    /// A PDU that is too long is passed over; where the next one begins after any other length, nobody knows.
    fn on_bad_length(&mut self, talk: &mut Talk, error: LengthError, oversized: Option<(Frame<'_>, usize)>) {
        self.gate.meter.count(Count::BadPdus);
        let sequence = oversized.map_or(0, |(frame, _)| frame.sequence);
        tracing::warn!(link = %self.settings.name, length = error.length, "PDU of an impossible length");
        if oversized.is_none_or(|(frame, _)| !frame.id.is_response()) {
            talk.out.put_response(CommandId::GenericNack, status::RINVCMDLEN, sequence);
        }
        match oversized {
            Some((_, length)) => talk.skipped = length,
            None => _ = self.step(Event::Failed(Why::Framing { length: error.length })),
        }
    }

    fn on_pdu(&mut self, talk: &mut Talk, frame: Frame<'_>, now: Instant) {
        match frame.id {
            CommandId::SubmitSmResp => self.on_submit_answer(talk, frame, now),
            CommandId::DeliverSm | CommandId::DataSm => self.on_delivery(talk, frame),
            CommandId::EnquireLink => {
                talk.out.put_response(CommandId::EnquireLinkResp, status::ROK, frame.sequence);
            }
            CommandId::Unbind => {
                talk.unbind = Some(frame.sequence);
                self.follow(Event::PeerUnbind, talk);
            }
            CommandId::UnbindResp => {
                self.step(Event::UnbindAnswered);
            }
            CommandId::BindTransceiverResp | CommandId::BindTransmitterResp | CommandId::BindReceiverResp => {
                self.on_bind_answer(frame.status);
            }
            CommandId::QuerySmResp | CommandId::CancelSmResp | CommandId::ReplaceSmResp => {
                let state = deliver::query_state(frame.body).map(|(state, _)| state);
                let says = state.map_or(Says::Nothing, Says::State);
                if !self.on_update_answer(talk, frame.sequence, frame.status, says, now) {
                    self.gate.meter.count(Count::UnknownAnswers);
                }
            }
            CommandId::GenericNack => self.on_generic_nack(talk, frame, now),
            CommandId::EnquireLinkResp => {
                if let Some(at) = talk.enquired.take() {
                    self.gate.meter.enquired_in(now.saturating_duration_since(at));
                }
            }
            // They have no response (SMPP 3.4 §4.12.1, §4.1.7).
            CommandId::AlertNotification | CommandId::Outbind => {}
            id if id.is_response() => self.gate.meter.count(Count::UnknownAnswers),
            id => {
                self.gate.meter.count(Count::BadPdus);
                tracing::debug!(link = %self.settings.name, id = u32::from(id), "PDU that an ESME doesn't take");
                talk.out.put_response(CommandId::GenericNack, status::RINVCMDID, frame.sequence);
            }
        }
    }

    fn on_bind_answer(&mut self, status: u32) {
        if matches!(self.session, Session::Binding { .. }) {
            self.step(Event::BindAnswered(status));
        } else {
            self.gate.meter.count(Count::UnknownAnswers);
        }
    }

    /// A nack stands in the place of the answer with the same sequence number (SMPP 3.4 §4.3.1).
    fn on_generic_nack(&mut self, talk: &mut Talk, frame: Frame<'_>, now: Instant) {
        let status = if frame.status == status::ROK { status::RUNKNOWNERR } else { frame.status };
        if matches!(self.session, Session::Binding { .. }) {
            self.step(Event::BindAnswered(status));
        } else if !self.on_update_answer(talk, frame.sequence, status, Says::Nothing, now) {
            self.on_submit_answer(talk, Frame { status, body: &[], ..frame }, now);
        }
    }

    /// An answer to an update, if it is one: it says of the link's pace what one to a submit does.
    fn on_update_answer(&self, talk: &mut Talk, sequence: u32, status: u32, says: Says, now: Instant) -> bool {
        let class = self.settings.statuses.class(status);
        let asked = talk.asked.answered(sequence, Reply { status, class, says });
        match class {
            StatusClass::Accepted if asked => talk.pace.accepted(now),
            StatusClass::Throttled if asked => self.throttle(talk, now),
            StatusClass::Accepted
            | StatusClass::Throttled
            | StatusClass::Later
            | StatusClass::Elsewhere
            | StatusClass::Refused
            | StatusClass::LinkFault => {}
        }
        asked
    }

    fn on_submit_answer(&mut self, talk: &mut Talk, frame: Frame<'_>, now: Instant) {
        // Most connections are never asked for anything: then this costs nothing.
        let says = || Says::Id(deliver::message_id(frame.body));
        if talk.asked.has_asked() && self.on_update_answer(talk, frame.sequence, frame.status, says(), now) {
            return;
        }
        self.on_any_submit_answer(talk, frame, now);
        if let Some(level) = deliver::congestion(frame.body)
            && talk.pace.congestion(level, now)
        {
            self.gate.meter.count(Count::Throttles);
        }
    }

    fn on_any_submit_answer(&mut self, talk: &mut Talk, frame: Frame<'_>, now: Instant) {
        if let Some(sent) = talk.window.take(frame.sequence) {
            talk.answered();
            self.gate.meter.answered_in(now.duration_since(sent.at));
            let (alert, attempt) = (sent.flight.alert, sent.flight.attempt);
            match self.judge(talk, sent.flight, frame, now) {
                // A message that was begun is finished before another is.
                Judgement::GoOn(flight) => talk.waiting.push_front(flight),
                Judgement::Done(outcome) => self.answers.give(alert, attempt, outcome),
            }
        } else if let Some(flight) = talk.window.take_late(frame.sequence, now) {
            talk.answered();
            self.gate.meter.count(Count::LateAnswers);
            let (alert, attempt) = (flight.alert, flight.attempt);
            // Of a message with parts left nothing new is known: they were not sent after the timeout.
            if let Judgement::Done(outcome) = self.judge(talk, flight, frame, now) {
                self.answers.give_late(alert, attempt, outcome);
            }
        } else {
            self.gate.meter.count(Count::UnknownAnswers);
        }
    }

    fn judge(&mut self, talk: &mut Talk, flight: Flight, frame: Frame<'_>, now: Instant) -> Judgement {
        let (status, class) = (frame.status, self.settings.statuses.class(frame.status));
        match class {
            StatusClass::Accepted => talk.pace.accepted(now),
            StatusClass::Throttled => self.throttle(talk, now),
            // The part would be next to go, so that the link has to wait for it.
            StatusClass::Later | StatusClass::Elsewhere if flight.is_partly_taken() => self.throttle(talk, now),
            StatusClass::Later | StatusClass::Elsewhere | StatusClass::Refused => {}
            // What was read behind it, and what still comes, counts all the same.
            StatusClass::LinkFault => _ = self.step(Event::NotServed(status)),
        }
        flight.answered(Said { class, status, message_id: deliver::message_id(frame.body) }, &self.settings.smsc)
    }

    fn throttle(&self, talk: &mut Talk, now: Instant) {
        if talk.pace.throttle(now) {
            self.gate.meter.count(Count::Throttles);
        }
    }

    fn on_delivery(&mut self, talk: &mut Talk, frame: Frame<'_>) {
        let read = if frame.id == CommandId::DataSm { Delivery::read_data_sm } else { Delivery::read_deliver_sm };
        let meaning = read(frame.body).map(|delivery| delivery.meaning(&self.settings, (self.clock)()));
        let status = match meaning {
            Ok(Meaning::Receipt { receipt, disagrees }) => {
                if disagrees {
                    self.gate.meter.count(Count::DisagreeingReceipts);
                    tracing::debug!(link = %self.settings.name, "receipt whose text and optional parameters disagree");
                }
                return self.hand_on(talk, frame, Count::Receipts, |owed| Inbound::Receipt(receipt, owed));
            }
            Ok(Meaning::Reply(reply)) => {
                return self.hand_on(talk, frame, Count::Replies, |owed| Inbound::Reply(reply, owed));
            }
            Ok(Meaning::NotFromASubscriber) => {
                self.gate.meter.count(Count::IgnoredReplies);
                tracing::debug!(link = %self.settings.name, "message from a name or a short number dropped");
                status::ROK
            }
            Ok(Meaning::NamelessReceipt) => {
                self.gate.meter.count(Count::BadPdus);
                tracing::debug!(link = %self.settings.name, "receipt without a message id dropped");
                status::ROK
            }
            Err(error) => {
                self.gate.meter.count(Count::BadPdus);
                tracing::debug!(link = %self.settings.name, %error, "message refused");
                status::RX_P_APPN
            }
        };
        respond(talk, frame, status);
    }

    /// Hands it on with the acknowledgement that is owed, if it finds room.
    fn hand_on(&mut self, talk: &mut Talk, frame: Frame<'_>, what: Count, with: impl FnOnce(Acknowledge) -> Inbound) {
        let place = self.inbound.try_reserve().ok().filter(|_| matches!(self.session, Session::Bound { .. }));
        let Some((place, owed)) =
            place.and_then(|place| talk.owe(frame.id.matching_response(), frame.sequence).map(|owed| (place, owed)))
        else {
            self.gate.meter.count(Count::RefusedInbound);
            return respond(talk, frame, status::RX_T_APPN);
        };
        self.gate.meter.count(what);
        place.send(with(owed));
    }

    /// Ends everything that is under way: each submit as `outcome_of_sent` says, and what waits as not sent.
    pub(crate) fn give_up(&mut self, talk: &mut Talk, outcome_of_sent: impl Fn(&Outgoing, &Sent) -> SubmitOutcome) {
        for sent in talk.window.take_all() {
            let outcome = outcome_of_sent(&talk.out, &sent);
            self.answers.give(sent.flight.alert, sent.flight.attempt, outcome);
        }
        for flight in talk.waiting.drain(..) {
            self.answers.give(flight.alert, flight.attempt, flight.unwritten());
        }
    }
}

fn respond(talk: &mut Talk, frame: Frame<'_>, status: u32) {
    let id = frame.id.matching_response();
    talk.out.put_delivery_response(Acknowledgement { id, sequence: frame.sequence, status });
}
