//! One connection: octets in, cut into whole PDUs; octets out. It decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::desk::Outgoing;
use crate::pdu::{self, LAST_SEQUENCE, command, status};

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

/// Names a connection; never reused.
pub(crate) type SessionId = u64;

/// What a session tells the centre.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection was made.
    Opened { id: SessionId, link: mpsc::Sender<Batch>, cut: oneshot::Sender<()> },
    /// Whole PDUs came in.
    Pdus { id: SessionId, octets: Bytes, permit: OwnedSemaphorePermit },
    /// A length came in that can't be.
    Unframed { id: SessionId },
    /// The connection is gone.
    Closed { id: SessionId },
}

/// Octets to write, and the permits to read more that are given back once they are written.
#[derive(Debug)]
pub(crate) struct Batch {
    octets: Bytes,
    permit: Option<OwnedSemaphorePermit>,
}

/// Accepts connections for ever.
pub(crate) async fn accept(listener: TcpListener, events: mpsc::Sender<Event>) {
    let places = Arc::new(Semaphore::new(SESSIONS));
    let mut last = 0;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                last += 1;
                let (id, events) = (last, events.clone());
                tokio::spawn(async move {
                    let _place = place;
                    serve(stream, id, events).await;
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(mut stream: TcpStream, id: SessionId, events: mpsc::Sender<Event>) {
    // Without it small answers wait for the peer's delayed acknowledgement; a socket that refuses is no worse than slow.
    let _ = stream.set_nodelay(true);
    let (link, batches) = mpsc::channel(BATCHES_UNWRITTEN);
    let (cut, is_cut) = oneshot::channel();
    if events.send(Event::Opened { id, link, cut }).await.is_err() {
        return;
    }
    let (incoming, outgoing) = stream.split();
    tokio::select! {
        _ = read(incoming, id, &events) => {}
        _ = write(outgoing, batches) => {}
        _ = is_cut => {}
    }
    let _ = events.send(Event::Closed { id }).await;
}

async fn read(mut stream: ReadHalf<'_>, id: SessionId, events: &mpsc::Sender<Event>) -> io::Result<()> {
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

async fn write(mut stream: WriteHalf<'_>, mut batches: mpsc::Receiver<Batch>) -> io::Result<()> {
    while let Some(batch) = batches.recv().await {
        stream.write_all(&batch.octets).await?;
        drop(batch.permit);
    }
    stream.shutdown().await
}

/// What a session was bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Transmitter,
    Receiver,
    Transceiver,
}

/// Who bound a session, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// The desk of its `system_id`.
    pub(crate) desk: usize,
    pub(crate) mode: Mode,
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
    pub(crate) out: BytesMut,
    /// By sequence number, and thereby by time, until the numbers start again.
    pub(crate) unanswered: BTreeMap<u32, Sent>,
    /// Answers that are held back.
    pub(crate) held: usize,
    /// Close once everything is written.
    pub(crate) closing: bool,
    link: Option<mpsc::Sender<Batch>>,
    /// Dropping it ends the connection at once.
    _cut: oneshot::Sender<()>,
    permit: Option<OwnedSemaphorePermit>,
    last_sequence: u32,
}

/// The peer doesn't read what it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowPeer;

impl Session {
    pub(crate) fn new(link: mpsc::Sender<Batch>, cut: oneshot::Sender<()>) -> Self {
        Self {
            bound: None,
            out: BytesMut::new(),
            unanswered: BTreeMap::new(),
            held: 0,
            closing: false,
            link: Some(link),
            _cut: cut,
            permit: None,
            last_sequence: 0,
        }
    }

    /// Keeps a permit to read until the answers are written.
    pub(crate) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
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
        pdu::write(&mut self.out, command::DELIVER_SM, status::OK, self.last_sequence, |out| {
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
