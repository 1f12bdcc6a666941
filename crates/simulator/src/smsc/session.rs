//! One connection: octets in, cut into whole PDUs; octets out. It decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::SessionView;
use super::desk::Outgoing;
use crate::pdu::{self, Bind, LAST_SEQUENCE, command, status};

/// Connections at a time; the next ones wait in the listener's backlog.
const SESSIONS: usize = 1024;

/// Chunks of one session that are read but whose answers aren't written yet: beyond it the session stops reading, so a peer that
/// doesn't read its answers is stopped by TCP.
const CHUNKS_UNANSWERED: usize = 16;

/// Batches of octets that wait to be written to one session: the answers to its chunks, and what timers and receipts add meanwhile.
const BATCHES_UNWRITTEN: usize = 1024;

/// Read at a time: some 400 submits, so that a turn of the centre's loop stays short.
const CHUNK: usize = 64 * 1024;

/// Receipts and replies that a session may leave unanswered before it gets more.
const WINDOW: usize = 1000;

/// After a failed accept (out of file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a TLS handshake may take, and connecting to a peer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names a connection; never reused.
pub(crate) type SessionId = u64;

/// What a session tells the centre.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection was made; the greeting is to be written first.
    Opened { id: SessionId, link: mpsc::Sender<Batch>, cut: oneshot::Sender<()>, greeting: Box<[u8]> },
    /// Whole PDUs came in.
    Pdus { id: SessionId, octets: Bytes, permit: OwnedSemaphorePermit },
    /// A length came in that can't be.
    Unframed { id: SessionId },
    /// The connection is gone.
    Closed { id: SessionId },
    /// A peer could not be connected to.
    NotConnected,
}

/// Octets to write, and the permits to read more that are given back once they are written.
#[derive(Debug)]
pub(crate) struct Batch {
    octets: Bytes,
    permit: Option<OwnedSemaphorePermit>,
}

/// Where connections are made, from both sides.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    events: mpsc::Sender<Event>,
    places: Arc<Semaphore>,
    last: Arc<AtomicU64>,
}

impl Door {
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { events, places: Arc::new(Semaphore::new(SESSIONS)), last: Arc::default() }
    }

    /// Accepts connections for ever.
    pub(crate) async fn accept(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (door, tls) = (self.clone(), tls.clone());
                    tokio::spawn(async move {
                        let _place = place;
                        door.begin(stream, tls).await;
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Without it small answers wait for the peer's delayed acknowledgement; a socket that refuses is no worse than slow.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            let (incoming, outgoing) = stream.into_split();
            return self.serve(incoming, outgoing, Box::default()).await;
        };
        // Who can't agree on TLS is gone, and knows why.
        if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
            let (incoming, outgoing) = tokio::io::split(stream);
            self.serve(incoming, outgoing, Box::default()).await;
        }
    }

    /// Connects to an ESME and sends an outbind (SMPP 3.4 §4.1.7); then it is a session like another.
    pub(crate) async fn outbind(self, address: SocketAddr, system_id: String, password: String) {
        let Ok(_place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(address)).await else {
            let _ = self.events.send(Event::NotConnected).await;
            return;
        };
        let _ = stream.set_nodelay(true);
        let mut greeting = BytesMut::new();
        pdu::write(&mut greeting, command::OUTBIND, status::OK, 1, |out| {
            pdu::put_text(out, system_id.as_bytes());
            pdu::put_text(out, password.as_bytes());
        });
        let (incoming, outgoing) = stream.into_split();
        self.serve(incoming, outgoing, greeting[..].into()).await;
    }

    async fn serve(self, incoming: impl AsyncRead + Unpin, outgoing: impl AsyncWrite + Unpin, greeting: Box<[u8]>) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (link, batches) = mpsc::channel(BATCHES_UNWRITTEN);
        let (cut, is_cut) = oneshot::channel();
        if self.events.send(Event::Opened { id, link, cut, greeting }).await.is_err() {
            return;
        }
        tokio::select! {
            _ = read(incoming, id, &self.events) => {}
            _ = write(outgoing, batches) => {}
            _ = is_cut => {}
        }
        let _ = self.events.send(Event::Closed { id }).await;
    }
}

async fn read(mut stream: impl AsyncRead + Unpin, id: SessionId, events: &mpsc::Sender<Event>) -> io::Result<()> {
    let permits = Arc::new(Semaphore::new(CHUNKS_UNANSWERED));
    let mut buffer = BytesMut::new();
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        buffer.reserve(CHUNK);
        if stream.read_buf(&mut buffer).await? == 0 {
            break;
        }
        let (good, framed) = match pdu::whole(&buffer) {
            Ok(good) => (good, true),
            Err(bad) => (bad.good, false),
        };
        if good > 0 {
            let octets = buffer.split_to(good).freeze();
            if events.send(Event::Pdus { id, octets, permit }).await.is_err() {
                break;
            }
        }
        if !framed {
            let _ = events.send(Event::Unframed { id }).await;
            // The centre answers and then closes; the rest can't be understood.
            return std::future::pending().await;
        }
    }
    Ok(())
}

async fn write(mut stream: impl AsyncWrite + Unpin, mut batches: mpsc::Receiver<Batch>) -> io::Result<()> {
    while let Some(batch) = batches.recv().await {
        stream.write_all(&batch.octets).await?;
        // TLS keeps a record until it is full or flushed; TCP has nothing to flush.
        stream.flush().await?;
        drop(batch.permit);
    }
    stream.shutdown().await
}

/// What a session was bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It submits.
    Transmitter,
    /// It receives.
    Receiver,
    /// Both.
    Transceiver,
}

/// Who bound a session, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// The desk of its `system_id`.
    pub(crate) desk: usize,
    pub(crate) mode: Mode,
}

/// What a peer said of itself when it bound.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    system_id: String,
    system_type: String,
    interface_version: u8,
    address_range: String,
}

impl Identity {
    pub(crate) fn of(bind: Bind<'_>) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Self {
            system_id: text(bind.system_id),
            system_type: text(bind.system_type),
            interface_version: bind.interface_version,
            address_range: text(bind.address_range),
        }
    }
}

/// A receipt or reply that was written and has no answer yet.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) outgoing: Outgoing,
}

/// A connection as the centre sees it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) bound: Option<Bound>,
    pub(crate) identity: Option<Identity>,
    pub(crate) out: BytesMut,
    /// By sequence number, and thereby by time, until the numbers start again.
    pub(crate) unanswered: BTreeMap<u32, Sent>,
    /// Answers that are held back.
    pub(crate) held: usize,
    /// Answers that are to be written in reverse order.
    pub(crate) reversed: Vec<Box<[u8]>>,
    /// Close once everything is written.
    pub(crate) closing: bool,
    link: Option<mpsc::Sender<Batch>>,
    /// Dropping it ends the connection at once.
    _cut: oneshot::Sender<()>,
    permit: Option<OwnedSemaphorePermit>,
    /// Permits to read that are not given back.
    stalled: Option<OwnedSemaphorePermit>,
    last_sequence: u32,
}

/// The peer doesn't read what it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowPeer;

impl Session {
    pub(crate) fn new(link: mpsc::Sender<Batch>, cut: oneshot::Sender<()>) -> Self {
        Self {
            bound: None,
            identity: None,
            out: BytesMut::new(),
            unanswered: BTreeMap::new(),
            held: 0,
            reversed: Vec::new(),
            closing: false,
            link: Some(link),
            _cut: cut,
            permit: None,
            stalled: None,
            last_sequence: 0,
        }
    }

    /// Keeps a permit to read until the answers are written.
    pub(crate) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        merge(&mut self.permit, permit);
    }

    /// Keeps a permit to read until [`go_on`](Self::go_on).
    pub(crate) fn stall(&mut self, permit: OwnedSemaphorePermit) {
        merge(&mut self.stalled, permit);
    }

    /// Reads again.
    pub(crate) fn go_on(&mut self) {
        self.stalled = None;
    }

    /// Writes the answers that were held back to be written in reverse order.
    pub(crate) fn write_reversed(&mut self) {
        while let Some(pdu) = self.reversed.pop() {
            self.out.extend_from_slice(&pdu);
        }
    }

    /// How it looks from outside; `None` while it is not bound.
    pub(crate) fn view(&self, id: SessionId) -> Option<SessionView> {
        let (bound, identity) = (self.bound?, self.identity.clone()?);
        Some(SessionView {
            id,
            mode: bound.mode,
            system_id: identity.system_id,
            system_type: identity.system_type,
            interface_version: identity.interface_version,
            address_range: identity.address_range,
            unanswered: self.unanswered.len(),
        })
    }

    /// Whether it gets receipts and replies from this desk.
    pub(crate) fn receives_from(&self, desk: usize) -> bool {
        let bound = self.bound.filter(|bound| bound.mode != Mode::Transmitter && !self.closing);
        bound.is_some_and(|bound| desk == super::desk::REPLIES || desk == bound.desk)
    }

    pub(crate) fn has_room(&self) -> bool {
        self.unanswered.len() < WINDOW
    }

    /// Writes a receipt or a part of a reply.
    pub(crate) fn deliver(&mut self, outgoing: Outgoing, at: Instant) {
        self.last_sequence = if self.last_sequence >= LAST_SEQUENCE { 1 } else { self.last_sequence + 1 };
        pdu::write(&mut self.out, outgoing.command, status::OK, self.last_sequence, |out| {
            out.extend_from_slice(&outgoing.body);
        });
        self.unanswered.insert(self.last_sequence, Sent { at, outgoing });
    }

    /// Hands over what is to be written.
    pub(crate) fn flush(&mut self) -> Result<(), SlowPeer> {
        if !self.out.is_empty()
            && let Some(link) = &self.link
        {
            let batch = Batch { octets: self.out.split().freeze(), permit: self.permit.take() };
            if let Err(mpsc::error::TrySendError::Full(_)) = link.try_send(batch) {
                return Err(SlowPeer);
            }
        }
        self.permit = None;
        if self.closing && self.held == 0 {
            self.link = None;
        }
        Ok(())
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, permit: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
}
