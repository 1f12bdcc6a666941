//! One link: a task that connects, binds, sends, listens and closes. Everything it owns, it alone changes.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use model::{Clock, Submit, SubmitOutcome, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::answers::Answers;
use crate::connect::Stream;
use crate::gate::{Door, Gate};
use crate::inbound::Inbound;
use crate::meter::Count;
use crate::outbind::Called;
use crate::pace::SmscRate;
use crate::session::{Action, Event, Jitter, Policy, Session};
use crate::settings::LinkSettings;
use crate::state::{Closed, LinkOrder, LinkState, Why};
use crate::trace::Trace;
use crate::updates::{Abilities, Asking, Cuts};

/// Orders, or acknowledgements, that are taken at a time.
pub(crate) const BATCH: usize = 64;

/// How long the last answers may wait for somebody to take them.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Far beyond any deadline: a timer set to it doesn't fire.
pub(crate) const NEVER: Duration = Duration::from_secs(86_400);

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
    /// What operators order; the last one counts.
    pub(crate) ordered: watch::Receiver<Option<LinkOrder>>,
    pub(crate) seed: u64,
}

/// What others may see of a link's state.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) state: LinkState,
    pub(crate) since: Timestamp,
    pub(crate) last_closed: Option<Closed>,
    pub(crate) ordered: Option<LinkOrder>,
    pub(crate) throttled: bool,
    pub(crate) slowed_to: Option<u32>,
    pub(crate) throttled_for: Duration,
    pub(crate) abilities: Abilities,
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
    /// Whether it was told that somebody else connected there.
    pub(crate) turned: bool,
    pub(crate) orders: mpsc::Receiver<Submit>,
    pub(crate) orders_open: bool,
    pub(crate) asking: mpsc::Receiver<Asking>,
    pub(crate) asking_open: bool,
    /// What connections before this one ended over.
    pub(crate) cuts: Cuts,
    pub(crate) smsc_rate: Option<Arc<SmscRate>>,
    /// How long the connections before this one were paused.
    pub(crate) paused_before: Duration,
    pub(crate) drain: watch::Receiver<Option<Instant>>,
    pub(crate) draining: bool,
    pub(crate) ordered: watch::Receiver<Option<LinkOrder>>,
    pub(crate) ordered_open: bool,
    /// Until when an order keeps it away.
    pub(crate) away: Option<Instant>,
    pub(crate) view: watch::Sender<View>,
    pub(crate) jitter: Jitter,
    /// The reason that was warned of; it isn't repeated at each attempt.
    pub(crate) warned: Option<Why>,
    /// The next part's: joins the parts of a message on the handset, and names them where the SMSC's ids don't. It begins anywhere, so that what an
    /// earlier life sent is not mixed up with it.
    pub(crate) reference: u16,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, wiring: Wiring) -> (Self, watch::Receiver<View>) {
        let Wiring { clock, gate, orders, asking, answers, inbound, smsc_rate, drain, ordered, seed } = wiring;
        let view = View {
            state: if settings.outbind.is_some() { LinkState::Awaiting } else { LinkState::Connecting },
            since: clock(),
            last_closed: None,
            ordered: None,
            throttled: false,
            slowed_to: None,
            throttled_for: Duration::ZERO,
            abilities: Abilities::default(),
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
            turned: false,
            orders,
            orders_open: true,
            asking,
            asking_open: true,
            cuts: Cuts::default(),
            smsc_rate,
            paused_before: Duration::ZERO,
            drain,
            draining: false,
            ordered,
            ordered_open: true,
            away: None,
            view,
            reference: Jitter::new(!seed).permille().wrapping_mul(64),
            jitter: Jitter::new(seed),
            warned: None,
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
                Session::Away { .. } => {
                    // Who connects meanwhile is to find nobody.
                    self.listener = None;
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
                | Session::Parting { .. }
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
            Session::Binding { .. }
            | Session::Bound { .. }
            | Session::Parting { .. }
            | Session::Draining { .. }
            | Session::Unbinding { .. } => true,
            Session::Down { .. }
            | Session::Connecting { .. }
            | Session::Awaiting { .. }
            | Session::Away { .. }
            | Session::Closed { .. } => false,
        }
    }

    /// Tells the session what happened, and everybody what came of it.
    pub(crate) fn step(&mut self, event: Event) -> Action {
        let now = Instant::now();
        let policy = Policy { settings: &self.settings, jitter: self.jitter.permille(), away: self.away };
        let (next, action) = self.session.on(event, now, policy);
        let before = std::mem::replace(&mut self.session, next);
        let (was_away, is_away) = (before.is_away_until(), next.is_away_until());
        if std::mem::discriminant(&before) != std::mem::discriminant(&next) || was_away != is_away {
            self.moved(before, now);
        }
        action
    }

    fn moved(&mut self, before: Session, now: Instant) {
        let name = &self.settings.name;
        let in_service =
            |session| matches!(session, Session::Bound { .. } | Session::Parting { .. } | Session::Draining { .. });
        if in_service(before) && !in_service(self.session) {
            self.gate.set(Door::Closed, self.gate.window());
            self.gate.meter.count(Count::Disconnects);
        }
        let at = (self.clock)();
        let had_ended = matches!(before, Session::Down { .. } | Session::Away { .. });
        let (state, closed) = match self.session {
            Session::Down { until, why, .. } => {
                let wait = until.saturating_duration_since(now);
                if let Why::Ordered(_) = why {
                    tracing::info!(link = %name, %why, "link down");
                } else if self.warned.replace(why) == Some(why) {
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
            Session::Parting { .. } | Session::Draining { .. } | Session::Unbinding { .. } => {
                (LinkState::Draining, None)
            }
            Session::Away { until, why } => {
                let wait = until.saturating_duration_since(now);
                tracing::info!(link = %name, %why, ?wait, "link away by order");
                // Measured by two clocks, it would be off by what they differ.
                let until = self.view.borrow().ordered.and_then(LinkOrder::until).unwrap_or(at + wait);
                (LinkState::Away { until }, Some(Closed { why, at }).filter(|_| !had_ended))
            }
            // Shown by `close`, when the last answers are given.
            Session::Closed { why } => {
                tracing::info!(link = %name, %why, "link closed");
                (LinkState::Draining, Some(Closed { why, at }))
            }
        };
        if before.is_away_until().is_some() && self.session.is_away_until().is_none() {
            self.lift();
        }
        if let Some(Closed { why, .. }) = closed.filter(|_| !had_ended) {
            self.gate.meter.ended(why);
        }
        self.show(state, at, closed);
    }

    /// An order is over, by its time or by another.
    fn lift(&mut self) {
        self.away = None;
        self.view.send_modify(|view| view.ordered = None);
    }

    /// Takes up what an operator ordered last.
    pub(crate) fn on_ordered(&mut self, abandoned: bool) -> Option<Event> {
        self.ordered_open = !abandoned;
        // When nobody is left who could order anything, nothing was ordered.
        let order = self.ordered.borrow_and_update().filter(|_| !abandoned)?;
        tracing::info!(link = %self.settings.name, order = order.what().as_str(), "an operator's order");
        let wait = order.until().map(|until| until.since((self.clock)()));
        self.away = wait.map(|wait| Instant::now() + wait);
        self.view.send_modify(|view| view.ordered = order.until().map(|_| order));
        Some(Event::Ordered(order.what()))
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
                changed = self.ordered.changed(), if self.ordered_open => if let Some(event) = self.on_ordered(changed.is_err()) {
                    return event;
                },
                count = self.orders.recv_many(&mut orders, BATCH), if self.orders_open => self.orders_open = count > 0,
                // Dropped, it is not asked.
                asking = self.asking.recv(), if self.asking_open => self.asking_open = asking.is_some(),
                () = self.answers.room(), if !self.answers.is_empty() => {}
            }
        }
    }

    pub(crate) fn on_drain(&mut self, abandoned: bool) -> Event {
        self.draining = true;
        // When nobody holds the links any more, what was ordered still gets its time.
        let until = if abandoned { None } else { *self.drain.borrow() };
        Event::Drain(until.unwrap_or_else(|| Instant::now() + self.settings.response_timeout))
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
