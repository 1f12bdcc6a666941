//! The pump between sockets, the server and the hand-over.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::Clock;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::line::{Line, Origin};
use super::meter::Meter;
use super::server::{Handed, Outcome, Server};
use super::settings::{Listen, SipSettings, Transport};
use crate::{Counts, Intake, Offer, Stored};

/// The largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// Most datagrams that are read before answers are sent: they make one offer, and none of them waits for more than some milliseconds.
const BURST: usize = 64;

/// Errors of the socket in a row after which it is given up: a single one is an echo of some peer's ICMP.
const MAX_ERRORS: u32 = 100;

/// How long to wait after an error of the socket, so that a broken one costs no processor.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

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
}

/// The door with its listeners bound; nothing is taken before [`Door::serve`].
#[derive(Debug)]
pub struct Door {
    settings: SipSettings,
    meter: Arc<Meter>,
    sockets: Vec<UdpSocket>,
}

impl Door {
    /// Binds every listener of the settings.
    ///
    /// # Errors
    /// With the first that can't be had.
    pub async fn bind(settings: SipSettings) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for listen in settings.listen.iter().filter(|listen| listen.transport == Transport::Udp) {
            let socket = UdpSocket::bind(listen.address).await;
            sockets.push(socket.map_err(|source| BindError::Listen { listen: *listen, source })?);
        }
        let meter = Arc::new(Meter::new(&settings));
        Ok(Self { settings, meter, sockets })
    }

    /// Where it listens, with the ports that the system chose.
    #[must_use]
    pub fn listens(&self) -> Vec<Listen> {
        let local = self.sockets.iter().filter_map(|socket| socket.local_addr().ok());
        local.map(|address| Listen { transport: Transport::Udp, address }).collect()
    }

    /// What it counts.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Serves until `drain` is cancelled and everyone who waits for an answer has got and acknowledged it: at most
    /// `answer_timeout` and 64 T1 (42 s) later.
    ///
    /// While it drains, new calls and keepalives get 503 with Retry-After, so that peers go elsewhere.
    ///
    /// # Errors
    /// When a socket fails again and again.
    pub async fn serve(
        self,
        intake: Intake,
        clock: Clock,
        counts: Arc<Counts>,
        drain: CancellationToken,
    ) -> io::Result<()> {
        let Self { settings, meter, sockets } = self;
        let settings = Arc::new(settings);
        let mut serving: FuturesUnordered<_> = (sockets.into_iter())
            .map(|socket| {
                serve(
                    socket,
                    Server::new(Arc::clone(&settings), Arc::clone(&counts), Arc::clone(&meter)),
                    settings.answer_timeout,
                    intake.clone(),
                    clock,
                    drain.clone(),
                )
            })
            .collect();
        while let Some(ended) = serving.next().await {
            ended?;
        }
        Ok(())
    }
}

async fn serve(
    socket: UdpSocket,
    mut server: Server,
    answer_timeout: Duration,
    intake: Intake,
    clock: Clock,
    drain: CancellationToken,
) -> io::Result<()> {
    let mut waiting = Waiting::new();
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut errors = 0;
    let mut draining = false;
    while !server.is_drained() {
        let due = server.deadline();
        tokio::select! {
            ready = socket.readable() => {
                let read = ready.and_then(|()| read_burst(&socket, &mut buffer, &mut server, clock));
                errors = if read.is_ok() { 0 } else { errors + 1 };
                if let Err(error) = read {
                    if errors >= MAX_ERRORS {
                        return Err(error);
                    }
                    tracing::debug!(%error, "the SIP socket reports an error");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
            Some((handed, outcome)) = waiting.next() => server.settle(handed, outcome, Instant::now()),
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            () = drain.cancelled(), if !draining => {
                draining = true;
                server.drain();
            }
        }
        hand_over(&mut server, &intake, &waiting, answer_timeout);
        server.tick(Instant::now());
        send(&socket, &mut server).await;
    }
    Ok(())
}

fn read_burst(socket: &UdpSocket, buffer: &mut [u8], server: &mut Server, clock: Clock) -> io::Result<()> {
    for _ in 0..BURST {
        match socket.try_recv_from(buffer) {
            Ok((length, source)) => {
                let datagram = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                let origin = Origin { line: Line::Datagrams(0), source };
                server.receive(datagram, origin, Instant::now(), clock());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn hand_over(server: &mut Server, intake: &Intake, waiting: &Waiting, answer_timeout: Duration) {
    let Some((calls, handed)) = server.take_batch() else { return };
    let (answer, stored) = oneshot::channel();
    match intake.try_send(Offer { calls, answer }) {
        Ok(()) => waiting.push(Box::pin(await_store(handed, stored, answer_timeout))),
        Err(mpsc::error::TrySendError::Full(_)) => server.settle(handed, Outcome::Full, Instant::now()),
        Err(mpsc::error::TrySendError::Closed(_)) => server.settle(handed, Outcome::Silent, Instant::now()),
    }
}

async fn await_store(handed: Handed, stored: oneshot::Receiver<Stored>, timeout: Duration) -> (Handed, Outcome) {
    match tokio::time::timeout(timeout, stored).await {
        Ok(Ok(stored)) => (handed, Outcome::Answered(stored)),
        Ok(Err(_)) | Err(_) => (handed, Outcome::Silent),
    }
}

/// Sends what there is to send. What can't be sent is lost, as anything may be over UDP: the peer repeats its request.
async fn send(socket: &UdpSocket, server: &mut Server) {
    for outgoing in server.take_outgoing() {
        if let Err(error) = socket.send_to(&outgoing.bytes, outgoing.route.to).await {
            tracing::debug!(%error, to = %outgoing.route.to, "a SIP response could not be sent");
        }
    }
}
