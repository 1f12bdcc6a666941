//! One link: a task that connects, binds, sends, listens and closes. Everything it owns, it alone changes.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use model::{Clock, NoAnswer, Submit, SubmitOutcome, Timestamp};
use rusmpp::CommandId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::answers::Answers;
use crate::gate::Gate;
use crate::inbound::{Acknowledgement, Inbound};
use crate::meter::Count;
use crate::session::{Action, Event, Jitter, Policy, Session};
use crate::settings::LinkSettings;
use crate::state::{Closed, LinkState, Why};
use crate::status;
use crate::submit;
use crate::talk::Talk;
use crate::window::Flight;

/// Orders, or acknowledgements, that are taken at a time: they are then written together.
const BATCH: usize = 256;

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
    pub(crate) answers: Answers,
    pub(crate) inbound: mpsc::Sender<Inbound>,
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
    orders: mpsc::Receiver<Submit>,
    orders_open: bool,
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
        let Wiring { clock, gate, orders, answers, inbound, drain, seed } = wiring;
        let view = View {
            state: LinkState::Connecting,
            since: clock(),
            last_closed: None,
            throttled: false,
            slowed_to: None,
            throttled_for: Duration::ZERO,
        };
        let (view, seen) = watch::channel(view);
        let session = Session::start(Instant::now(), &settings);
        let link = Self {
            settings,
            clock,
            gate,
            answers,
            inbound,
            session,
            orders,
            orders_open: true,
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
                Session::Connecting { .. } => {
                    if let Some(stream) = self.connect().await {
                        self.converse(stream).await;
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
            Session::Down { .. } | Session::Connecting { .. } | Session::Closed { .. } => false,
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
            self.gate.set_open(false);
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
    async fn offline(&mut self) -> Event {
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

    async fn connect(&mut self) -> Option<TcpStream> {
        let connecting = TcpStream::connect((self.settings.host.clone(), self.settings.port));
        tokio::pin!(connecting);
        while matches!(self.session, Session::Connecting { .. }) {
            tokio::select! {
                result = &mut connecting => match result {
                    Ok(stream) => return Some(stream),
                    Err(error) => {
                        self.step(Event::Failed(Why::ConnectFailed(error.kind())));
                    }
                },
                event = self.offline() => {
                    self.step(event);
                }
            }
        }
        None
    }

    /// From the bind to the end of the connection.
    async fn converse(&mut self, mut stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(link = %self.settings.name, %error, "TCP_NODELAY not set");
        }
        let mut talk = Talk::new(&self.settings, Instant::now());
        let (mut reader, mut writer) = stream.split();
        let mut input = BytesMut::new();
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
                    Err(error) => self.follow(Event::Failed(Why::Broken(error.kind())), &mut talk),
                },
                result = reader.read_buf(&mut input), if !talk.out.is_flooded() => match result {
                    Ok(0) => self.follow(Event::Failed(Why::PeerClosed), &mut talk),
                    Ok(_) => self.on_read(&mut talk, &mut input),
                    Err(error) => self.follow(Event::Failed(Why::Broken(error.kind())), &mut talk),
                },
                count = self.orders.recv_many(&mut orders, BATCH), if self.orders_open => {
                    self.orders_open = count > 0;
                    orders.drain(..).for_each(|order| self.take_order(&mut talk, &order));
                }
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

    /// Whether the peer still listens: it waits for our answer to its unbind.
    const fn is_farewell(&self) -> bool {
        matches!(
            self.session,
            Session::Down { why: Why::PeerUnbound, .. } | Session::Closed { why: Why::PeerUnbound | Why::Drained }
        )
    }

    /// Does what an event asks for.
    fn follow(&mut self, event: Event, talk: &mut Talk) {
        match self.step(event) {
            Action::None | Action::Connect | Action::HangUp => {}
            Action::Bind => match submit::bind(&self.settings) {
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
        }
        let mut wake = self.session.wakes_at(&self.settings).unwrap_or(now + NEVER);
        let may_send = matches!(self.session, Session::Bound { .. } | Session::Draining { .. });
        if may_send {
            let (count, next) = talk.send_waiting(now);
            (0..count).for_each(|_| self.gate.meter.count(Count::Submits));
            wake = next.map_or(wake, |next| wake.min(next));
        }
        self.answers.flush();
        let paused_until = talk.pace.paused_until(now);
        self.gate.set_open(matches!(self.session, Session::Bound { .. }) && paused_until.is_none());
        self.view.send_if_modified(|view| {
            let throttled = paused_until.is_some();
            std::mem::replace(&mut view.throttled, throttled) != throttled
        });
        self.gate.meter.set_in_flight(talk.window.len());
        let is_settled = talk.is_settled() && self.answers.is_empty() && self.gate.is_idle();
        if is_settled && matches!(self.session, Session::Draining { .. }) {
            self.follow(Event::Settled, talk);
            return now;
        }
        [paused_until, talk.window.next_timeout()].into_iter().flatten().fold(wake, Instant::min)
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
        self.gate.set_open(false);
        self.gate.meter.set_in_flight(0);
        self.answers.flush();
    }

    /// Gives the last answers, then shows that it is closed.
    async fn close(mut self) {
        self.orders.close();
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
