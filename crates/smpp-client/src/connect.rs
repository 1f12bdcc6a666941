//! How a link comes by its connection: by dialling, with TLS or without, or by an outbind.

use std::io;

use bytes::BytesMut;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::link::Link;
use crate::outbind::{self, Called, Visit};
use crate::session::{Event, Session};
use crate::settings::LinkSettings;
use crate::state::{TlsFault, Why};
use crate::tls;

/// Addresses of one host that are tried: an SMSC has a few.
const ADDRESSES: usize = 8;

/// A connection to an SMSC.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Link {
    /// Dials; `None` when the session went on otherwise.
    pub(crate) async fn connect(&mut self) -> Option<Stream> {
        let settings = self.settings.clone();
        let connecting = dial(&settings);
        tokio::pin!(connecting);
        while matches!(self.session, Session::Connecting { .. }) {
            tokio::select! {
                result = &mut connecting => match result {
                    Ok(stream) => return Some(stream),
                    Err(why) => _ = self.step(Event::Failed(why)),
                },
                event = self.offline() => {
                    self.step(event);
                }
            }
        }
        None
    }

    /// Waits until the SMSC connects and says outbind; `None` when the session went on otherwise.
    pub(crate) async fn be_called(&mut self) -> Option<Called> {
        let settings = self.settings.clone();
        let mut listener = self.listener.take();
        let called = self.wait_to_be_called(&settings, &mut listener).await;
        // What the SMSC does next, after this connection, must find somebody who listens.
        self.listener = listener;
        called
    }

    async fn wait_to_be_called(
        &mut self,
        settings: &LinkSettings,
        listener: &mut Option<tokio::net::TcpListener>,
    ) -> Option<Called> {
        let at = settings.outbind?;
        let listener = match outbind::listen(listener, at).await {
            Ok(listener) => listener,
            Err(why) => {
                self.step(Event::Failed(why));
                return None;
            }
        };
        while matches!(self.session, Session::Awaiting { .. }) {
            let visit = async {
                let (stream, from) = listener.accept().await?;
                Ok::<_, io::Error>(outbind::hear(stream, from, &settings.host, settings.bind_timeout).await)
            };
            tokio::select! {
                visit = visit => match visit {
                    Ok(Visit::Outbind(called)) => {
                        tracing::info!(link = %settings.name, from = %called.from, "outbind");
                        return Some(called);
                    }
                    Ok(Visit::Turned { from, why }) if std::mem::replace(&mut self.turned, true) => {
                        tracing::debug!(link = %settings.name, %from, why, "a connection was turned away");
                    }
                    Ok(Visit::Turned { from, why }) => {
                        tracing::warn!(link = %settings.name, %from, why, "a connection was turned away; the next ones are told at debug");
                    }
                    Err(error) => {
                        self.step(Event::Failed(Why::Broken(error.kind())));
                    }
                },
                event = self.offline() => {
                    self.step(event);
                }
            }
        }
        None
    }
}

/// Connects to an SMSC, by TLS where its settings say so, and hangs up without a word of SMPP.
///
/// # Errors
/// With why there is no connection.
pub async fn reach_smsc(settings: &LinkSettings) -> Result<(), Why> {
    match timeout(settings.bind_timeout, dial(settings)).await {
        Ok(dialled) => dialled.map(drop),
        Err(_) => Err(Why::ConnectTimeout),
    }
}

async fn dial(settings: &LinkSettings) -> Result<Stream, Why> {
    let stream = reach(settings).await.map_err(|error| Why::ConnectFailed(error.kind()))?;
    let Some(tls) = &settings.tls else { return Ok(Stream::Plain(stream)) };
    let link = &settings.name;
    let (config, server) = tls.load(&settings.host).map_err(|error| {
        tracing::warn!(%link, %error, "no TLS: our own files can't be used");
        Why::Tls(TlsFault::Files)
    })?;
    let secured = TlsConnector::from(config).connect(server, stream).await;
    let stream = secured.map_err(|error| {
        tracing::warn!(%link, %error, "no TLS");
        refusal(&error)
    })?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// Connects to the first of the host's addresses that answers; one that is silent costs no more than its part of the time.
async fn reach(settings: &LinkSettings) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((settings.host.as_str(), settings.port)).await?.take(ADDRESSES).collect();
    let each = settings.bind_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn refusal(error: &io::Error) -> Why {
    // What is no TLS hangs up on a greeting that it doesn't understand.
    if error.kind() == io::ErrorKind::UnexpectedEof { Why::Tls(TlsFault::NotSpoken) } else { broken(error) }
}

/// What a broken connection comes to. A refusal of our certificate may come when the handshake looks done (TLS 1.3).
pub(crate) fn broken(error: &io::Error) -> Why {
    tls::fault(error).map_or(Why::Broken(error.kind()), Why::Tls)
}

impl Called {
    /// The connection and what was read behind the outbind.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.input)
    }
}
