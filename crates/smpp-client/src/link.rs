//! One link: a task that connects, binds, sends, listens and closes. Everything it owns, it alone changes.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use model::{Clock, NoAnswer, Submit, SubmitOutcome, Timestamp};
use rusmpp::CommandId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::answers::Answers;
use crate::connect::{self, Stream};
use crate::gate::{Door, Gate};
use crate::inbound::{Acknowledgement, Inbound};
use crate::meter::Count;
use crate::outbind::Called;
use crate::pace::SmscRate;
use crate::session::{Action, Event, Jitter, Policy, Session};
use crate::settings::LinkSettings;
use crate::state::{Closed, LinkState, Why};
use crate::status;
use crate::submit;
use crate::talk::Talk;
use crate::trace::Trace;
use crate::updates::{Asking, Updated};
use crate::window::Flight;

/// Orders, or acknowledgements, that are taken at a time.
const BATCH: usize = 64;

/// Submits in a row, at least, without any answer, upon which an SMSC that otherwise lives counts as one that takes none: others get them.
const UNANSWERED: usize = 10;

/// Octets read at a time, at most.
const READ: usize = 64 * 1024;

/// How long the last octets to a peer that unbinds may take.
const FAREWELL: Duration = Duration::from_millis(250);

/// How long the last answers may wait for somebody to take them.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Far beyond any deadline: a timer set to it doesn't fire.
const NEVER: Duration = Duration::from_secs(86_400);

/// What a link is connected to within the program.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<Gate>,
    pub(crate) orders: mpsc::Receiver<Submit>,
    pub(crate) asking: mpsc::Receiver<Asking>,
    pub(crate) answers: Answers,
    pub(crate) inbound: mpsc::Sender<Inbound>,
    /// What all links to the SMSC may send together.
    pub(crate) smsc_rate: Option<Arc<SmscRate>>,
    /// When answers are awaited no longer, once the links are to close.
    pub(crate) drain: watch::Receiver<Option<Instant>>,
    pub(crate) seed: u64,
}

/// What others may see of a link's state.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) state: LinkState,
    pub(crate) since: Timestamp,
    pub(crate) last_closed: Option<Closed>,
    pub(crate) throttled: bool,
    pub(crate) slowed_to: Option<u32>,
    pub(crate) throttled_for: Duration,
}

/// A link's task.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) settings: LinkSettings,
    pub(crate) clock: Clock,
    pub(crate) gate: Arc<Gate>,
    pub(crate) answers: Answers,
    pub(crate) inbound: mpsc::Sender<Inbound>,
    pub(crate) session: Session,
    pub(crate) trace: Option<Arc<Trace>>,
    /// Where the SMSC connects to, if it does.
    pub(crate) listener: Option<TcpListener>,
    orders: mpsc::Receiver<Submit>,
    orders_open: bool,
    asking: mpsc::Receiver<Asking>,
    asking_open: bool,
    smsc_rate: Option<Arc<SmscRate>>,
    /// How long the connections before this one were paused.
    paused_before: Duration,
    drain: watch::Receiver<Option<Instant>>,
    draining: bool,
    view: watch::Sender<View>,
    jitter: Jitter,
    /// The reason that was warned of; it isn't repeated at each attempt.
    warned: Option<Why>,
    /// Joins the parts of a message on the handset.
    reference: u16,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, wiring: Wiring) -> (Self, watch::Receiver<View>) {
        let Wiring { clock, gate, orders, asking, answers, inbound, smsc_rate, drain, seed } = wiring;
        let view = View {
            state: if settings.outbind.is_some() { LinkState::Awaiting } else { LinkState::Connecting },
            since: clock(),
            last_closed: None,
            throttled: false,
            slowed_to: None,
            throttled_for: Duration::ZERO,
        };
        let (view, seen) = watch::channel(view);
        let session = Session::start(Instant::now(), &settings);
        let trace = settings.trace.as_ref().and_then(|trace| Trace::start(trace, &settings.name, clock)).map(Arc::new);
        let link = Self {
            settings,
            clock,
            gate,
            answers,
            inbound,
            session,
            trace,
            listener: None,
            orders,
            orders_open: true,
            asking,
            asking_open: true,
            smsc_rate,
            paused_before: Duration::ZERO,
            drain,
            draining: false,
            view,
            jitter: Jitter::new(seed),
            warned: None,
            reference: 0,
        };
        (link, seen)
    }

    /// Runs until the links are drained.
    pub(crate) async fn run(mut self) {
        loop {
            match self.session {
                Session::Down { .. } => {
                    let event = self.offline().await;
                    self.step(event);
                }
                Session::Connecting { .. } => match self.connect().await {
                    Some(Stream::Plain(stream)) => self.converse_plainly(stream, BytesMut::new()).await,
                    Some(Stream::Tls(stream)) => {
                        let (reader, writer) = tokio::io::split(*stream);
                        self.converse(reader, writer, BytesMut::new()).await;
                    }
                    None => {}
                },
                Session::Awaiting { .. } => {
                    if let Some((stream, input)) = self.be_called().await.map(Called::into_parts) {
                        self.converse_plainly(stream, input).await;
                    }
                }
                // A conversation ends in none of these.
                Session::Binding { .. }
                | Session::Bound { .. }
                | Session::Draining { .. }
                | Session::Unbinding { .. } => {
                    self.step(Event::Failed(Why::PeerClosed));
                }
                Session::Closed { .. } => break,
            }
        }
        self.close().await;
    }

    /// Whether there is a connection to be talked over.
    pub(crate) const fn is_connected(&self) -> bool {
        match self.session {
            Session::Binding { .. } | Session::Bound { .. } | Session::Draining { .. } | Session::Unbinding { .. } => {
                true
            }
            Session::Down { .. } | Session::Connecting { .. } | Session::Awaiting { .. } | Session::Closed { .. } => {
                false
            }
        }
    }

    /// Tells the session what happened, and everybody what came of it.
    pub(crate) fn step(&mut self, event: Event) -> Action {
        let now = Instant::now();
        let policy = Policy { settings: &self.settings, jitter: self.jitter.permille() };
        let (next, action) = self.session.on(event, now, policy);
        let before = std::mem::replace(&mut self.session, next);
        if std::mem::discriminant(&before) != std::mem::discriminant(&next) {
            self.moved(before, now);
        }
        action
    }

    fn moved(&mut self, before: Session, now: Instant) {
        let name = &self.settings.name;
        let in_service = |session| matches!(session, Session::Bound { .. } | Session::Draining { .. });
        if in_service(before) && !in_service(self.session) {
            self.gate.set(Door::Closed, self.gate.window());
            self.gate.meter.count(Count::Disconnects);
        }
        let at = (self.clock)();
        let (state, closed) = match self.session {
            Session::Down { until, why, .. } => {
                let wait = until.saturating_duration_since(now);
                if self.warned.replace(why) == Some(why) {
                    tracing::debug!(link = %name, %why, ?wait, "link down");
                } else {
                    tracing::warn!(link = %name, %why, ?wait, "link down");
                }
                (LinkState::Down { until: at + wait, why }, Some(Closed { why, at }))
            }
            Session::Connecting { .. } => (LinkState::Connecting, None),
            Session::Awaiting { .. } => (LinkState::Awaiting, None),
            Session::Binding { .. } => (LinkState::Binding, None),
            Session::Bound { .. } => {
                self.gate.meter.count(Count::Connects);
                self.warned = None;
                tracing::info!(link = %name, "link bound");
                (LinkState::Bound, None)
            }
            Session::Draining { .. } | Session::Unbinding { .. } => (LinkState::Draining, None),
            // Shown by `close`, when the last answers are given.
            Session::Closed { why } => {
                tracing::info!(link = %name, %why, "link closed");
                (LinkState::Draining, Some(Closed { why, at }))
            }
        };
        self.show(state, at, closed);
    }

    fn show(&self, state: LinkState, since: Timestamp, closed: Option<Closed>) {
        self.view.send_modify(|view| {
            *view = View {
                state,
                since,
                last_closed: closed.or(view.last_closed),
                throttled: false,
                slowed_to: None,
                ..*view
            };
        });
    }

    /// Without a connection: waits for the time to act, and answers orders that came too late for the last one.
    pub(crate) async fn offline(&mut self) -> Event {
        let mut orders = Vec::new();
        loop {
            for order in orders.drain(..) {
                let Submit { alert, attempt, .. } = order;
                self.answers.give(alert, attempt, SubmitOutcome::NotSent);
            }
            self.answers.flush();
            let wake = self.session.wakes_at(&self.settings).unwrap_or_else(|| Instant::now() + NEVER);
            tokio::select! {
                () = sleep_until(wake) => return Event::Tick,
                changed = self.drain.changed(), if !self.draining => return self.on_drain(changed.is_err()),
                count = self.orders.recv_many(&mut orders, BATCH), if self.orders_open => self.orders_open = count > 0,
                // Dropped, it is not asked.
                asking = self.asking.recv(), if self.asking_open => self.asking_open = asking.is_some(),
                () = self.answers.room(), if !self.answers.is_empty() => {}
            }
        }
    }

    fn on_drain(&mut self, abandoned: bool) -> Event {
        self.draining = true;
        // When nobody holds the links any more, what was ordered still gets its time.
        let until = if abandoned { None } else { *self.drain.borrow() };
        Event::Drain(until.unwrap_or_else(|| Instant::now() + self.settings.response_timeout))
    }

    async fn converse_plainly(&mut self, mut stream: TcpStream, input: BytesMut) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(link = %self.settings.name, %error, "TCP_NODELAY not set");
        }
        let (reader, writer) = stream.split();
        self.converse(reader, writer, input).await;
    }

    /// From the bind to the end of the connection; `input` was read before.
    async fn converse<R, W>(&mut self, mut reader: R, mut writer: W, mut input: BytesMut)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut talk = Talk::new(&self.settings, self.smsc_rate.clone(), self.trace.clone(), Instant::now());
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
                result = writer.write_buf(&mut talk.out.buffer), if !talk.out.buffer.is_empty() => match result {
                    Ok(0) => self.follow(Event::Failed(Why::PeerClosed), &mut talk),
                    Ok(_) => {}
                    Err(error) => self.follow(Event::Failed(connect::broken(&error)), &mut talk),
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
                () = self.gate.returned(), if self.draining => {}
                changed = self.drain.changed(), if !self.draining => {
                    let event = self.on_drain(changed.is_err());
                    self.follow(event, &mut talk);
                }
                () = timer.as_mut() => self.follow(Event::Tick, &mut talk),
            }
        }
        if self.is_farewell() {
            let _ = timeout(FAREWELL, writer.write_all_buf(&mut talk.out.buffer)).await;
            let _ = writer.shutdown().await;
        }
        self.end(&mut talk);
    }

    /// Whether the peer is still told something: the answer to its unbind, or why nothing more is understood.
    const fn is_farewell(&self) -> bool {
        matches!(
            self.session,
            Session::Down { why: Why::PeerUnbound | Why::Framing { .. }, .. }
                | Session::Closed { why: Why::PeerUnbound | Why::Framing { .. } | Why::Drained }
        )
    }

    /// Does what an event asks for.
    fn follow(&mut self, event: Event, talk: &mut Talk) {
        match self.step(event) {
            Action::None | Action::Connect | Action::HangUp => {}
            Action::Bind => match self.settings.check().and_then(|()| submit::bind(&self.settings)) {
                Ok(bind) => _ = talk.out.put_next(&bind),
                Err(error) => _ = self.step(Event::Failed(Why::Settings(error))),
            },
            Action::Enquire => talk.out.put_request(CommandId::EnquireLink),
            Action::Unbind => {
                self.give_up(talk, |_, _| SubmitOutcome::InDoubt(NoAnswer::Timeout));
                talk.out.put_request(CommandId::Unbind);
            }
        }
    }

    /// Brings everything up to this moment: timeouts, orders that may go, answers, the gate. Gives when that is to be done again.
    fn settle(&mut self, talk: &mut Talk) -> Instant {
        let now = Instant::now();
        while let Some((alert, attempt)) = talk.window.take_overdue(now) {
            self.answers.give(alert, attempt, SubmitOutcome::InDoubt(NoAnswer::Timeout));
            talk.unanswered += 1;
        }
        if talk.unanswered >= self.gate.window().max(UNANSWERED) {
            self.step(Event::Failed(Why::NoSubmitAnswer));
            return now;
        }
        talk.asked.time_out(now);
        let mut wake = self.session.wakes_at(&self.settings).unwrap_or(now + NEVER);
        let may_send = matches!(self.session, Session::Bound { .. } | Session::Draining { .. });
        if may_send {
            let (count, next) = talk.send_waiting(now);
            (0..count).for_each(|_| self.gate.meter.count(Count::Submits));
            wake = next.map_or(wake, |next| wake.min(next));
        }
        self.answers.flush();
        let paused_until = talk.pace.paused_until(now);
        self.open_gate(talk, paused_until.is_some());
        self.gate.meter.set_in_flight(talk.window.len());
        let is_settled = talk.is_settled() && self.answers.is_empty() && self.gate.is_idle();
        if is_settled && matches!(self.session, Session::Draining { .. }) {
            self.follow(Event::Settled, talk);
            return now;
        }
        [paused_until, talk.window.next_timeout(), talk.asked.next_timeout()]
            .into_iter()
            .flatten()
            .fold(wake, Instant::min)
    }

    /// Gives as many permits as can go soon, and shows how the link is slowed down.
    fn open_gate(&self, talk: &Talk, paused: bool) {
        let door = match self.session {
            Session::Bound { .. } if !self.settings.bind.transmits() => Door::Closed,
            Session::Bound { .. } if paused => Door::Paused,
            Session::Bound { .. } => Door::Open,
            _ => Door::Closed,
        };
        let slowed_to = talk.pace.slowed_to();
        let ceiling = slowed_to.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(self.gate.window());
        self.gate.set(door, ceiling);
        let throttled_for = self.paused_before + talk.pace.paused_for();
        self.view.send_if_modified(|view| {
            let before = (view.throttled, view.slowed_to, view.throttled_for);
            (view.throttled, view.slowed_to, view.throttled_for) = (paused, slowed_to, throttled_for);
            before != (paused, slowed_to, throttled_for)
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
            None => match submit::update(&message, &update, &self.settings, (self.clock)()) {
                Err(_) => Updated::Unsayable,
                Ok(pdu) => {
                    let sequence = talk.out.put_next(&pdu);
                    return talk.asked.add(sequence, asks, answer, Instant::now() + self.settings.update_timeout);
                }
            },
        };
        // Whoever asked may have given up.
        let _ = answer.send(said);
    }

    fn take_order(&mut self, talk: &mut Talk, order: &Submit) {
        self.reference = self.reference.wrapping_add(1);
        match submit::pdus(order, self.reference, &self.settings, (self.clock)()) {
            Ok(parts) => talk.waiting.push_back(Flight::new(order.alert, order.attempt, parts)),
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
        talk.asked.end();
        self.paused_before += talk.pace.paused_for();
        self.gate.set(Door::Closed, self.gate.window());
        self.gate.meter.set_in_flight(0);
        self.answers.flush();
    }

    /// Gives the last answers, then shows that it is closed.
    async fn close(mut self) {
        self.orders.close();
        self.asking.close();
        while let Some(Submit { alert, attempt, .. }) = self.orders.recv().await {
            self.answers.give(alert, attempt, SubmitOutcome::NotSent);
        }
        let until = Instant::now() + LAST_ANSWERS;
        self.answers.flush();
        while !self.answers.is_empty() && tokio::time::timeout_at(until, self.answers.room()).await.is_ok() {
            self.answers.flush();
        }
        if !self.answers.is_empty() {
            tracing::warn!(link = %self.settings.name, "nobody took the last answers");
        }
        self.show(LinkState::Closed, (self.clock)(), None);
    }
}
