//! One connection of a link, from the bind to its end.

use std::time::Duration;

use bytes::BytesMut;
use model::{NoAnswer, Submit, SubmitOutcome};
use rusmpp::CommandId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::connect;
use crate::deliver;
use crate::gate::Door;
use crate::inbound::Acknowledgement;
use crate::link::{BATCH, Link, NEVER};
use crate::meter::Count;
use crate::session::{Action, Event, Session, Then};
use crate::state::{Ordered, Why};
use crate::status;
use crate::submit;
use crate::talk::{Outgoing, Talk, UNANSWERED};
use crate::updates::{Asking, Asks, Updated, Waiting};
use crate::window::Flight;

/// Octets read at a time, at most.
const READ: usize = 64 * 1024;

/// How long the last octets to a peer that unbinds may take.
const FAREWELL: Duration = Duration::from_millis(250);

impl Link {
    pub(crate) async fn converse_plainly(&mut self, mut stream: TcpStream, input: BytesMut) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(link = %self.settings.name, %error, "TCP_NODELAY not set");
        }
        let (reader, writer) = stream.split();
        self.converse(reader, writer, input).await;
    }

    /// From the bind to the end of the connection; `input` was read before.
    pub(crate) async fn converse<R, W>(&mut self, mut reader: R, mut writer: W, mut input: BytesMut)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let now = Instant::now();
        let mut talk = Talk::new(&self.settings, self.smsc_rate.clone(), self.trace.clone(), now);
        talk.asked = self.cuts.asked(now);
        let mut orders: Vec<Submit> = Vec::with_capacity(BATCH);
        let mut given: Vec<Acknowledgement> = Vec::with_capacity(BATCH);
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        self.follow(Event::Connected, &mut talk);
        while self.is_connected() {
            let wake = self.settle(&mut talk);
            if timer.is_elapsed() || wake < timer.deadline() {
                timer.as_mut().reset(wake);
            }
            input.reserve(READ);
            tokio::select! {
                result = write(&mut writer, &mut talk.out), if !talk.out.is_written() => if let Err(why) = result {
                    self.hear_out(&mut reader, &mut input, &mut talk).await;
                    self.follow(Event::Failed(why), &mut talk);
                },
                result = reader.read_buf(&mut input), if !talk.out.is_flooded() => match result {
                    Ok(0) => self.follow(Event::Failed(Why::PeerClosed), &mut talk),
                    Ok(_) => self.on_read(&mut talk, &mut input),
                    Err(error) => self.follow(Event::Failed(connect::broken(&error)), &mut talk),
                },
                count = self.orders.recv_many(&mut orders, BATCH), if self.orders_open && !talk.out.is_worth_writing() => {
                    self.orders_open = count > 0;
                    orders.drain(..).for_each(|order| self.take_order(&mut talk, &order));
                }
                asking = self.asking.recv(), if self.asking_open => match asking {
                    Some(asking) => self.ask(&mut talk, asking),
                    None => self.asking_open = false,
                },
                _ = talk.acknowledgements.recv_many(&mut given, BATCH) => {
                    given.drain(..).for_each(|given| talk.acknowledge(given));
                }
                () = self.answers.room(), if !self.answers.is_empty() => {}
                () = self.gate.returned(), if matches!(self.session, Session::Draining { .. }) => {}
                changed = self.drain.changed(), if !self.draining => {
                    let event = self.on_drain(changed.is_err());
                    self.follow(event, &mut talk);
                }
                changed = self.ordered.changed(), if self.ordered_open => {
                    if let Some(event) = self.on_ordered(changed.is_err()) {
                        self.follow(event, &mut talk);
                    }
                }
                () = timer.as_mut() => self.follow(Event::Tick, &mut talk),
            }
        }
        if self.is_farewell() {
            // Shutting down flushes.
            let _ = timeout(FAREWELL, async {
                writer.write_all_buf(&mut talk.out.buffer).await?;
                writer.shutdown().await
            })
            .await;
        }
        self.end(&mut talk);
    }

    /// Takes what the peer said before it stopped listening: answers that lie here already are not in doubt.
    async fn hear_out<R: AsyncRead + Unpin>(&mut self, reader: &mut R, input: &mut BytesMut, talk: &mut Talk) {
        let until = Instant::now() + FAREWELL;
        while self.is_connected() {
            input.reserve(READ);
            match timeout_at(until, reader.read_buf(input)).await {
                Ok(Ok(1..)) => self.on_read(talk, input),
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            }
        }
    }

    /// Whether the peer is still told something: the answer to its unbind, or why nothing more is understood.
    const fn is_farewell(&self) -> bool {
        matches!(
            self.session,
            Session::Down { why: Why::PeerUnbound | Why::Framing { .. } | Why::Ordered(_), .. }
                | Session::Away { why: Why::PeerUnbound | Why::Framing { .. } | Why::Ordered(_), .. }
                | Session::Closed { why: Why::PeerUnbound | Why::Framing { .. } | Why::Drained }
        )
    }

    /// Does what an event asks for.
    pub(crate) fn follow(&mut self, event: Event, talk: &mut Talk) {
        let action = self.step(event);
        if !matches!(self.session, Session::Bound { .. }) {
            talk.asked.close();
        }
        match action {
            Action::None | Action::Connect | Action::HangUp => {}
            Action::Bind => match submit::bind(&self.settings) {
                Ok(bind) => _ = talk.out.put_next(&bind),
                Err(error) => _ = self.step(Event::Failed(Why::Settings(error))),
            },
            Action::Enquire => {
                talk.enquired = Some(Instant::now());
                talk.out.put_request(CommandId::EnquireLink);
            }
            Action::Part => {
                if let Some(sequence) = talk.unbind.take() {
                    talk.out.put_response(CommandId::UnbindResp, status::ROK, sequence);
                }
            }
            Action::Unbind => {
                let awaited = !matches!(self.session, Session::Unbinding { then: Then::Obey(Ordered::Unbind), .. });
                let no_answer = if awaited { NoAnswer::Timeout } else { NoAnswer::LinkLost };
                // Even what is not written yet still may be, before the unbind; and what the SMSC answers before it answers that is no longer in doubt.
                for (alert, attempt) in talk.window.give_up(Instant::now()) {
                    self.answers.give(alert, attempt, SubmitOutcome::InDoubt(no_answer));
                }
                self.give_up(talk, |_, _| SubmitOutcome::InDoubt(no_answer));
                match talk.unbind.take() {
                    Some(sequence) => talk.out.put_response(CommandId::UnbindResp, status::ROK, sequence),
                    None => talk.out.put_request(CommandId::Unbind),
                }
            }
        }
    }

    /// Brings everything up to this moment: timeouts, orders that may go, answers, the gate. Gives when that is to be done again.
    fn settle(&mut self, talk: &mut Talk) -> Instant {
        let now = Instant::now();
        while let Some((alert, attempt)) = talk.window.take_overdue(now) {
            self.answers.give(alert, attempt, SubmitOutcome::InDoubt(NoAnswer::Timeout));
            talk.overdue(now);
        }
        // Answers that come late after all are worth some patience.
        let silent_until = talk.silent_since.map(|since| since + self.settings.response_timeout * 2);
        if silent_until.is_some_and(|until| until <= now) {
            self.step(Event::Failed(Why::NoSubmitAnswer));
            return now;
        }
        talk.asked.time_out(now);
        let mut wake = self.session.wakes_at(&self.settings).unwrap_or(now + NEVER);
        let may_send = matches!(self.session, Session::Bound { .. } | Session::Draining { .. });
        if may_send {
            let going = talk.send_waiting(now, self.settings.update_timeout);
            (0..going.submits).for_each(|_| self.gate.meter.count(Count::Submits));
            (0..going.updates).for_each(|_| self.gate.meter.count(Count::Updates));
            wake = going.next.map_or(wake, |next| wake.min(next));
        }
        self.answers.flush();
        let paused_until = talk.pace.paused_until(now);
        self.open_gate(talk, now);
        self.gate.meter.set_in_flight(talk.window.len());
        let is_settled = match self.session {
            Session::Draining { .. } => talk.is_settled() && self.answers.is_empty() && self.gate.is_idle(),
            // What waits was not sent, and goes by another link.
            Session::Parting { .. } => talk.is_answered(),
            _ => false,
        };
        if is_settled {
            self.follow(Event::Settled, talk);
            return now;
        }
        [paused_until, silent_until, talk.window.next_timeout(), talk.asked.next_timeout()]
            .into_iter()
            .flatten()
            .fold(wake, Instant::min)
    }

    /// Gives as many permits as can go soon, and shows how the link is slowed down.
    fn open_gate(&self, talk: &Talk, now: Instant) {
        let paused = talk.pace.is_paused(now);
        let door = match self.session {
            Session::Bound { .. } if !self.settings.bind.transmits() => Door::Closed,
            // Others may take over what it would get.
            Session::Bound { .. } if talk.pace.is_stuck(now) || talk.silent_since.is_some() => Door::Closed,
            Session::Bound { .. } if paused => Door::Paused,
            Session::Bound { .. } => Door::Open,
            _ => Door::Closed,
        };
        let slowed_to = talk.pace.slowed_to();
        // Twice a second's worth, for SMSCs that take as long to answer.
        let slowed = slowed_to.and_then(|limit| usize::try_from(limit).ok()).map(|limit| limit.saturating_mul(2));
        let unproved = Some(UNANSWERED).filter(|_| !talk.proved);
        self.gate.set(door, slowed.into_iter().chain(unproved).fold(self.gate.window(), usize::min));
        let throttled_for = self.paused_before + talk.pace.paused_for();
        let abilities = talk.asked.abilities();
        self.view.send_if_modified(|view| {
            let before = (view.throttled, view.slowed_to, view.throttled_for, view.abilities);
            (view.throttled, view.slowed_to, view.throttled_for, view.abilities) =
                (paused, slowed_to, throttled_for, abilities);
            before != (paused, slowed_to, throttled_for, abilities)
        });
    }

    /// Asks about a message that the SMSC has.
    fn ask(&mut self, talk: &mut Talk, asking: Asking) {
        let Asking { message, update, answer } = asking;
        let asks = update.asks();
        let known = match self.session {
            Session::Bound { .. } => talk.asked.known(asks),
            // Dropped, it is not asked.
            _ => return,
        };
        let said = match known {
            Some(known) => known,
            None => match submit::update(&message, &update, self.reference, &self.settings, (self.clock)()) {
                Err(error) => {
                    tracing::debug!(link = %self.settings.name, %error, "not asked about a message");
                    Updated::Unsayable
                }
                Ok(pdu) => {
                    let until = Instant::now() + self.settings.update_timeout;
                    let named = self.reference_of(asks);
                    return talk.asked.wait(Waiting { pdu, asks, named, answer, until });
                }
            },
        };
        // Whoever asked may have given up.
        let _ = answer.send(said);
    }

    /// A submit that replaces is known by a reference of its own where messages are known so.
    fn reference_of(&mut self, asks: Asks) -> Option<String> {
        if asks != Asks::ReplaceIfPresent {
            return None;
        }
        let reference = self.reference;
        self.reference = reference.wrapping_add(1);
        self.settings.references.then(|| deliver::id_of_reference(reference))
    }

    fn take_order(&mut self, talk: &mut Talk, order: &Submit) {
        let reference = self.reference;
        match submit::pdus(order, reference, submit::Flag::New, &self.settings, (self.clock)()) {
            Ok(parts) => {
                self.reference = reference.wrapping_add(u16::try_from(parts.len()).unwrap_or(1));
                let flight = Flight::new(order.alert, order.attempt, parts);
                talk.waiting.push_back(if self.settings.references { flight.by_reference(reference) } else { flight });
            }
            Err(error) => {
                tracing::warn!(link = %self.settings.name, alert = %order.alert, %error, "order refused");
                let status = match error {
                    submit::Unsendable::TooLong => status::RINVMSGLEN,
                    submit::Unsendable::Source(_) => status::RINVSRCADR,
                };
                self.answers.give(order.alert, order.attempt, SubmitOutcome::Refused { status });
            }
        }
    }

    /// The connection is gone: what left by it is in doubt, what did not was not sent.
    fn end(&mut self, talk: &mut Talk) {
        self.give_up(talk, |out, sent| {
            if out.has_left(sent.ends) { SubmitOutcome::InDoubt(NoAnswer::LinkLost) } else { sent.flight.unwritten() }
        });
        self.cuts.learn(&talk.asked);
        // A connection that an operator ended did not end over what it was asked.
        if !matches!(self.session.why(), Some(Why::Ordered(_))) {
            self.cuts.blame(&talk.asked, Instant::now());
        }
        talk.asked.end();
        self.paused_before += talk.pace.paused_for();
        self.gate.set(Door::Closed, self.gate.window());
        self.gate.meter.set_in_flight(0);
        self.answers.flush();
    }
}

/// Writes what can be written now. TLS keeps what a full socket didn't take until it is flushed.
async fn write<W: AsyncWrite + Unpin>(writer: &mut W, out: &mut Outgoing) -> Result<(), Why> {
    if out.buffer.is_empty() {
        writer.flush().await.map_err(|error| connect::broken(&error))?;
        out.flushed = true;
        return Ok(());
    }
    out.flushed = false;
    match writer.write_buf(&mut out.buffer).await {
        Ok(0) => Err(Why::PeerClosed),
        Ok(_) => Ok(()),
        Err(error) => Err(connect::broken(&error)),
    }
}
