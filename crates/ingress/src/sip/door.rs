//! The pump between sockets, the server and the hand-over.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use model::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connection::{Burst, End};
use super::connections::Connections;
use super::datagrams::Datagrams;
use super::framer::Frame;
use super::line::{Line, Origin, Outgoing};
use super::listener::{Accepted, Listener};
use super::meter::Meter;
use super::server::{Handed, Outcome, Server};
use super::settings::{Listen, SipSettings, Transport};
use super::sockets;
use crate::tls::{Credentials, TlsError};
use crate::{Counts, Intake, Offer, Refusal, Stored};

/// Connections that may wait for the pump to let them live; others wait in the system.
const ACCEPTED: usize = 16;

/// Most answers of the store that are taken in one turn: it answers many at once, and their responses leave together.
const ANSWERS: usize = 64;

/// Offers that may wait for the store before calls gather for the next one. Calls that come one by one make an offer each: a disk that
/// hesitates for a moment would fill the hand-over with few calls, and the others would be turned away.
const IN_HAND: usize = 16;

/// How far the alarm is set when there is nothing to wait for.
const FAR: Duration = Duration::from_secs(3_600);

type Waiting = FuturesUnordered<Pin<Box<dyn Future<Output = (Handed, Outcome)> + Send>>>;

/// A listener that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or needs a right that we don't have.
    #[error("can't listen on {listen}")]
    Listen {
        /// Which.
        listen: Listen,
        /// What the system says.
        source: io::Error,
    },
    /// The files of TLS can't be used.
    #[error("can't speak TLS on {listen}")]
    Tls {
        /// Which.
        listen: Listen,
        /// Which file, and why.
        source: TlsError,
    },
}

/// The door with its listeners bound; nothing is taken before [`Door::serve`], which may run in another runtime.
#[derive(Debug)]
pub struct Door {
    settings: Arc<SipSettings>,
    meter: Arc<Meter>,
    listens: Vec<Listen>,
    sockets: Vec<UdpSocket>,
    listeners: Vec<Listener>,
}

impl Door {
    /// Binds every listener of the settings, and reads the files of TLS.
    ///
    /// # Errors
    /// With the first that can't be had.
    pub async fn bind(settings: SipSettings) -> Result<Self, BindError> {
        let meter = Arc::new(Meter::new(&settings));
        let settings = Arc::new(settings);
        let (listens, sockets, listeners) = (Vec::new(), Vec::new(), Vec::new());
        let mut door = Self { settings: Arc::clone(&settings), meter, listens, sockets, listeners };
        for listen in &settings.listen {
            door.listen(*listen)?;
        }
        if let Some(granted) = door.sockets.iter().filter_map(sockets::small_receive_buffer).min() {
            sockets::warn_of_small_buffer(granted);
        }
        Ok(door)
    }

    fn listen(&mut self, listen: Listen) -> Result<(), BindError> {
        let failed = |source| BindError::Listen { listen, source };
        let address = match listen.transport {
            Transport::Udp => {
                let socket = sockets::datagrams(listen.address).map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                self.sockets.push(socket);
                address
            }
            Transport::Tcp | Transport::Tls => {
                let credentials = self.credentials(listen.transport);
                let credentials = credentials.map_err(|source| BindError::Tls { listen, source })?;
                let socket = sockets::listener(listen.address).map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                self.listeners.push(Listener { listen, socket, credentials });
                address
            }
        };
        self.listens.push(Listen { address, ..listen });
        Ok(())
    }

    fn credentials(&self, transport: Transport) -> Result<Option<Credentials>, TlsError> {
        if transport != Transport::Tls {
            return Ok(None);
        }
        let files = self.settings.tls.clone().ok_or(TlsError::Missing)?;
        Credentials::read(files, "sip").map(Some)
    }

    /// Where it listens, with the ports that the system chose, in the order of the settings.
    #[must_use]
    pub fn listens(&self) -> Vec<Listen> {
        self.listens.clone()
    }

    /// What it counts.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Serves until `drain` is cancelled and everyone who waits for an answer has got and acknowledged it: at most
    /// `answer_timeout` and 64 T1 (42 s) later, and two seconds for connections to say goodbye.
    ///
    /// While it drains, new calls and keepalives over UDP and over the connections that there are get 503 with Retry-After, so that
    /// peers go elsewhere; new connections are refused by the system, which tells peers the same and sooner.
    ///
    /// # Errors
    /// When a socket fails again and again, or a listener ends.
    pub async fn serve(
        self,
        intake: Intake,
        clock: Clock,
        counts: Arc<Counts>,
        drain: CancellationToken,
    ) -> io::Result<()> {
        let Self { settings, meter, sockets, listeners, .. } = self;
        let (accepted, taking) = mpsc::channel(ACCEPTED);
        let mut listening = JoinSet::new();
        for listener in listeners {
            listening.spawn(listener.serve(Arc::clone(&settings), Arc::clone(&meter), accepted.clone()));
        }
        let pump = Pump {
            server: Server::new(Arc::clone(&settings), counts, Arc::clone(&meter)),
            datagrams: Datagrams::new(sockets)?,
            connections: Connections::new(Arc::clone(&settings), Arc::clone(&meter)),
            waiting: Waiting::new(),
            bursts: Vec::new(),
            meter,
            intake,
            clock,
            answer_timeout: settings.answer_timeout,
        };
        pump.run(taking, listening, drain).await
    }
}

/// All that a turn works on.
struct Pump {
    server: Server,
    datagrams: Datagrams,
    connections: Connections,
    waiting: Waiting,
    /// Messages of connections that are to be given to the server.
    bursts: Vec<Burst>,
    meter: Arc<Meter>,
    intake: Intake,
    clock: Clock,
    answer_timeout: Duration,
}

impl Pump {
    async fn run(
        mut self,
        mut accepted: mpsc::Receiver<Accepted>,
        mut listening: JoinSet<io::Result<()>>,
        drain: CancellationToken,
    ) -> io::Result<()> {
        let mut draining = false;
        let mut alarm = pin!(sleep_until(Instant::now() + FAR));
        while !self.server.is_drained() {
            // The alarm is only ever brought forward: most deadlines are gone before they come, and each move would cost.
            if let Some(due) = self.deadline().filter(|due| *due < alarm.deadline()) {
                alarm.as_mut().reset(due);
            }
            tokio::select! {
                () = self.datagrams.readable() => {}
                end = self.connections.next(&mut self.bursts) => if let Some(end) = end {
                    self.close(end);
                },
                Some(accepted) = accepted.recv() => self.connections.open(accepted),
                Some((handed, outcome)) = self.waiting.next() => self.server.settle(handed, outcome, Instant::now()),
                () = &mut alarm => alarm.as_mut().reset(Instant::now() + FAR),
                Some(ended) = listening.join_next(), if !draining => {
                    return Err(ended.map_or_else(io::Error::other, |ended| {
                        ended.err().unwrap_or_else(|| io::Error::other("a SIP listener came to grief"))
                    }));
                }
                () = drain.cancelled(), if !draining => {
                    draining = true;
                    listening.abort_all();
                    self.server.drain();
                }
            }
            self.turn()?;
        }
        self.connections.close_all().await;
        Ok(())
    }

    /// Takes all that has come, whatever woke us up, and sends all that came of it.
    fn turn(&mut self) -> io::Result<()> {
        let (now, at) = (Instant::now(), (self.clock)());
        let server = &mut self.server;
        self.datagrams.read(now, |place, datagram, source| {
            server.receive(datagram, Origin { line: Line::Datagrams(place), source }, now, at);
        })?;
        for burst in self.bursts.drain(..) {
            receive(server, burst, now, (self.clock)());
        }
        for _ in 0..ANSWERS {
            let Some(Some((handed, outcome))) = self.waiting.next().now_or_never() else { break };
            self.server.settle(handed, outcome, now);
        }
        self.hand_over();
        self.server.tick(Instant::now());
        self.send();
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        [self.server.deadline(), self.datagrams.deadline()].into_iter().flatten().min()
    }

    /// A connection has ended: its last messages count all the same.
    fn close(&mut self, end: Result<End, JoinError>) {
        self.connections.take_arrived(&mut self.bursts);
        for burst in self.bursts.drain(..) {
            receive(&mut self.server, burst, Instant::now(), (self.clock)());
        }
        // Responses to it that were not sent before are counted as such while it is known.
        self.send();
        if let Some(connection) = self.connections.close(end) {
            self.server.connection_closed(connection);
        }
    }

    /// Hands over what has gathered. Where it goes on gathering, the store's answer to an earlier offer wakes us up.
    fn hand_over(&mut self) {
        if self.waiting.len() >= IN_HAND {
            return;
        }
        let Some((calls, handed)) = self.server.take_batch() else { return };
        let (answer, stored) = oneshot::channel();
        match self.intake.try_send(Offer { calls, answer }) {
            Ok(()) => {
                let until = handed.arrived().unwrap_or_else(Instant::now) + self.answer_timeout;
                self.waiting.push(Box::pin(await_store(handed, stored, until)));
            }
            Err(mpsc::error::TrySendError::Full(_)) => self.server.settle(handed, Outcome::Full, Instant::now()),
            Err(mpsc::error::TrySendError::Closed(_)) => self.server.settle(handed, Outcome::Silent, Instant::now()),
        }
    }

    fn send(&mut self) {
        for Outgoing { route, bytes } in self.server.take_outgoing() {
            match route.line {
                Line::Datagrams(place) => {
                    if let Err(error) = self.datagrams.send(place, &bytes, route.to) {
                        tracing::debug!(%error, to = %route.to, "a SIP response could not be sent");
                        self.meter.unsent(1);
                    }
                }
                Line::Connection(connection) => {
                    if !self.connections.send(connection, bytes) {
                        self.meter.unsent(1);
                    }
                }
            }
        }
    }
}

fn receive(server: &mut Server, burst: Burst, now: Instant, at: model::Timestamp) {
    let origin = Origin { line: Line::Connection(burst.connection), source: burst.source };
    for frame in burst.frames {
        match frame {
            Frame::Request(message) => server.receive(message, origin, now, at),
            Frame::TooLarge(head) => server.refuse_unframed(head, origin, Refusal::TooLarge, now),
            Frame::Lost { head, why } => server.refuse_unframed(head, origin, why.refusal(), now),
            // The connection answers it.
            Frame::Ping => {}
        }
    }
}

async fn await_store(handed: Handed, stored: oneshot::Receiver<Stored>, until: Instant) -> (Handed, Outcome) {
    match tokio::time::timeout_at(until, stored).await {
        Ok(Ok(stored)) => (handed, Outcome::Answered(stored)),
        Ok(Err(_)) | Err(_) => (handed, Outcome::Silent),
    }
}
