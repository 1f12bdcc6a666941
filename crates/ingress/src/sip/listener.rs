//! Takes connections, and lets none in that comes from nobody's network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::log_pace::{LINES, LogPace};
use super::meter::{Ended, Meter};
use super::settings::{Listen, SipSettings, Transport};
use super::sockets;
use crate::tls::Credentials;

/// How long to wait when no connection can be had: there are no file descriptors or no memory, and asking again at once costs processor.
const PAUSE: Duration = Duration::from_millis(200);

/// How often TLS files are looked at where nobody connects, so that one who replaces them reads soon whether they serve.
const LOOK_AT_FILES: Duration = Duration::from_secs(30);

/// A connection of a peer.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) source: SocketAddr,
    /// The peer's place in the settings.
    pub(super) peer: usize,
    /// What to shake hands with; `None` over TCP.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

/// One listener over TCP or TLS.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) listen: Listen,
    pub(super) socket: std::net::TcpListener,
    /// Of a listener over TLS.
    pub(super) credentials: Option<Credentials>,
}

impl Accepted {
    pub(super) const fn transport(&self) -> Transport {
        if self.tls.is_some() { Transport::Tls } else { Transport::Tcp }
    }
}

impl Listener {
    /// Accepts until nobody takes what is accepted.
    ///
    /// # Errors
    /// When it can't be served at all.
    pub(super) async fn serve(
        self,
        settings: Arc<SipSettings>,
        meter: Arc<Meter>,
        accepted: mpsc::Sender<Accepted>,
    ) -> io::Result<()> {
        let Self { listen, socket, credentials } = self;
        let socket = TcpListener::from_std(socket)?;
        let pace = LogPace::new(LINES);
        let mut entrance = Entrance { listen, socket, credentials, settings, meter, pace };
        loop {
            let next = entrance.next().await?;
            if accepted.send(next).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// A listener at work.
struct Entrance {
    listen: Listen,
    socket: TcpListener,
    credentials: Option<Credentials>,
    settings: Arc<SipSettings>,
    meter: Arc<Meter>,
    pace: LogPace,
}

impl Entrance {
    /// The next connection of a peer.
    async fn next(&mut self) -> io::Result<Accepted> {
        loop {
            let taken = tokio::select! {
                taken = self.socket.accept() => taken,
                () = tokio::time::sleep(LOOK_AT_FILES), if self.credentials.is_some() => {
                    self.refresh().await?;
                    continue;
                }
            };
            let (stream, source) = match taken {
                Ok(taken) => taken,
                Err(error) => {
                    self.recover(&error).await;
                    continue;
                }
            };
            let Some(peer) = self.settings.peer_at(source.ip()) else {
                self.turn_away(source);
                continue;
            };
            if let Err(error) = sockets::prepare(&stream) {
                tracing::debug!(%error, %source, "a SIP connection can't be set up as wanted");
            }
            return Ok(Accepted { stream, source, peer, tls: self.refresh().await? });
        }
    }

    /// Waits, unless the error is that of the connection that would have been the next.
    async fn recover(&mut self, error: &io::Error) {
        if is_of_one_connection(error) {
            return;
        }
        if let Some(left_out) = self.pace.admit(Instant::now()) {
            tracing::warn!(%error, listen = %self.listen, left_out, "no SIP connection can be taken; it is tried again and again");
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn turn_away(&mut self, source: SocketAddr) {
        self.meter.stranger();
        self.meter.ended(Ended::NotAPeer);
        if let Some(left_out) = self.pace.admit(Instant::now()) {
            tracing::info!(%source, listen = %self.listen, left_out, "a SIP connection from nobody's network is closed");
        }
    }

    /// What to shake hands with over TLS, by the files as they are now. A disk that hangs keeps up nobody but this listener.
    async fn refresh(&mut self) -> io::Result<Option<Arc<ServerConfig>>> {
        let Some(mut credentials) = self.credentials.take() else { return Ok(None) };
        let read = spawn_blocking(move || {
            let config = credentials.refresh();
            (credentials, config)
        });
        // Were it to panic, the listener ends: never plain text where TLS is asked for.
        let (credentials, config) = read.await.map_err(io::Error::other)?;
        self.credentials = Some(credentials);
        Ok(Some(config))
    }
}

/// Errors that say something of the connection that would have been the next, and nothing of the listener (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
