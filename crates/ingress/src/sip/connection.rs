//! One connection: cuts what comes into messages for the server, and writes the responses.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::framer::{Frame, Framer};
use super::listener::Accepted;
use super::meter::Ended;
use crate::tls;

/// Most messages that are handed over together, so that no connection keeps the others waiting.
const BURST: usize = 64;

/// Most responses that are written together.
const WRITE_BURST: usize = 64;

/// Room for responses that is kept; what a larger burst needed is given back.
const KEPT: usize = 64 * 1024;

/// Keepalives that may wait for their answer; nothing is read beyond them.
const MAX_PINGS: usize = 1_024;

/// What answers a keepalive (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// How long what still comes is read away after we have closed: unread octets would make the system reset the connection, and the
/// peer would lose the response that tells it why.
const READ_AWAY: Duration = Duration::from_secs(1);

/// Messages of one connection, in order.
#[derive(Debug)]
pub(super) struct Burst {
    pub(super) connection: u64,
    pub(super) source: SocketAddr,
    pub(super) frames: Vec<Frame>,
}

/// How long a connection waits for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For anything at all.
    pub(super) idle: Duration,
    /// For the end of a message, of a handshake, of a write.
    pub(super) stall: Duration,
    /// For responses that are owed, once nothing more can come.
    pub(super) answers: Duration,
}

/// How a connection is tied to the server.
#[derive(Debug)]
pub(super) struct Ties {
    /// Names it.
    pub(super) connection: u64,
    /// Where its messages go. Full means that it reads no more.
    pub(super) bursts: mpsc::Sender<Burst>,
    /// Its responses; closed when the door wants it closed.
    pub(super) responses: mpsc::Receiver<Bytes>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) connection: u64,
    pub(super) why: Ended,
    /// More of it, for the log.
    pub(super) detail: String,
    /// Responses that did not leave.
    pub(super) unsent: usize,
}

/// Serves a connection until it ends.
pub(super) async fn serve(accepted: Accepted, ties: Ties, patience: Patience) -> End {
    let Accepted { stream, source, tls, .. } = accepted;
    let Some(config) = tls else { return Connection::new(stream, source, ties, patience).serve().await };
    let handshake: Result<_, String> = match timeout(patience.stall, TlsAcceptor::from(config).accept(stream)).await {
        Ok(shaken) => shaken.map_err(|error| tls::fault(&error)),
        Err(_) => Err("it was not done in time".to_owned()),
    };
    match handshake {
        Ok(stream) => {
            Connection::<tokio_rustls::server::TlsStream<TcpStream>>::new(stream, source, ties, patience).serve().await
        }
        Err(detail) => End { connection: ties.connection, why: Ended::Handshake, detail, unsent: ties.responses.len() },
    }
}

/// Why a connection is to end.
type Why = (Ended, String);

struct Connection<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    source: SocketAddr,
    ties: Ties,
    patience: Patience,
    framer: Framer,
    /// Messages that wait for room at the server; nothing is read meanwhile.
    pending: Vec<Frame>,
    /// Keepalives that are not answered.
    pings: usize,
    /// Requests handed over that had no final response yet, about: some get none, and a repeat may get one of its own.
    owed: usize,
    /// Why nothing more can come, and until when responses are waited for.
    closing: Option<(Why, Instant)>,
    /// Responses taken to be written.
    taken: Vec<Bytes>,
    out: BytesMut,
    /// Until when `out` must have left; `None` when there is nothing to write.
    write_by: Option<Instant>,
    /// When something came last.
    heard: Instant,
    /// Which message has begun, and until when it must end.
    begun: Option<(u64, Instant)>,
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    fn new(stream: S, source: SocketAddr, ties: Ties, patience: Patience) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader,
            writer,
            source,
            ties,
            patience,
            framer: Framer::default(),
            pending: Vec::new(),
            pings: 0,
            owed: 0,
            closing: None,
            taken: Vec::new(),
            out: BytesMut::new(),
            write_by: None,
            heard: Instant::now(),
            begun: None,
        }
    }

    async fn serve(mut self) -> End {
        let (why, detail) = self.pump().await;
        let unsent = self.taken.len() + self.ties.responses.len();
        let end = End { connection: self.ties.connection, why, detail, unsent };
        match why {
            Ended::Peer | Ended::Unframed | Ended::Draining => self.close().await,
            // Whoever is silent or takes nothing would not take a farewell either.
            Ended::Idle
            | Ended::Stalled
            | Ended::Slow
            | Ended::Handshake
            | Ended::Limit
            | Ended::Displaced
            | Ended::NotAPeer => {}
        }
        end
    }

    async fn pump(&mut self) -> Why {
        let mut alarm = pin!(sleep_until(self.due()));
        let bursts = self.ties.bursts.clone();
        loop {
            if let Some(why) = self.finished() {
                return why;
            }
            // The alarm is only ever brought forward: most deadlines move on before they come, and each move would cost.
            let due = self.due();
            if due < alarm.deadline() {
                alarm.as_mut().reset(due);
            }
            let step = tokio::select! {
                read = self.reader.read_buf(self.framer.room()), if self.closing.is_none() && self.pending.is_empty() && self.pings < MAX_PINGS => {
                    self.on_read(read)
                }
                room = bursts.reserve(), if !self.pending.is_empty() => match room {
                    Ok(room) => {
                        let frames = std::mem::take(&mut self.pending);
                        room.send(Burst { connection: self.ties.connection, source: self.source, frames });
                        self.on_handed_over();
                        Ok(())
                    }
                    Err(_) => Err((Ended::Draining, String::new())),
                },
                taken = self.ties.responses.recv_many(&mut self.taken, WRITE_BURST), if self.write_by.is_none() => {
                    self.on_taken(taken)
                }
                written = write(&mut self.writer, &mut self.out), if self.write_by.is_some() => self.on_written(written),
                () = &mut alarm => {
                    let now = Instant::now();
                    let overdue = self.overdue(now);
                    alarm.as_mut().reset(self.due().max(now));
                    overdue.map_or(Ok(()), Err)
                }
            };
            if let Err(why) = step {
                return why;
            }
        }
    }

    fn on_read(&mut self, read: io::Result<usize>) -> Result<(), Why> {
        self.heard = Instant::now();
        match read {
            Ok(0) => self.close_after_answers(Ended::Peer, String::new()),
            Ok(_) => self.cut(),
            // TLS that ends without saying so.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.close_after_answers(Ended::Peer, String::new());
            }
            Err(error) => return Err((Ended::Peer, error.to_string())),
        }
        Ok(())
    }

    /// Takes the next burst out of what has come.
    fn cut(&mut self) {
        while self.pending.len() < BURST {
            let Some(frame) = self.framer.take() else { break };
            match &frame {
                Frame::Ping => {
                    self.pings += 1;
                    continue;
                }
                Frame::Request(message) => self.owed += usize::from(is_answered(message)),
                Frame::TooLarge(head) => self.owed += usize::from(is_answered(head)),
                Frame::Lost { head, why } => {
                    self.owed += usize::from(is_answered(head));
                    self.close_after_answers(Ended::Unframed, why.to_string());
                }
            }
            self.pending.push(frame);
        }
        let stall_at = self.heard + self.patience.stall;
        self.begun = self.framer.begun().map(|message| match self.begun {
            Some((begun, until)) if begun == message => (begun, until),
            _ => (message, stall_at),
        });
        self.answer_pings();
    }

    /// Whatever was waited for was our own doing, so that the peer's time begins anew.
    fn on_handed_over(&mut self) {
        self.heard = Instant::now();
        self.begun = None;
        self.cut();
    }

    fn answer_pings(&mut self) {
        if self.write_by.is_none() && self.pings > 0 {
            self.begin_writing();
        }
    }

    fn on_taken(&mut self, taken: usize) -> Result<(), Why> {
        if taken == 0 {
            return Err((Ended::Draining, String::new()));
        }
        let finals = self.taken.iter().filter(|response| !response.starts_with(b"SIP/2.0 1")).count();
        self.owed = self.owed.saturating_sub(finals);
        self.begin_writing();
        Ok(())
    }

    fn begin_writing(&mut self) {
        for response in &self.taken {
            self.out.extend_from_slice(response);
        }
        for _ in 0..std::mem::take(&mut self.pings) {
            self.out.extend_from_slice(PONG);
        }
        self.write_by = Some(Instant::now() + self.patience.stall);
    }

    fn on_written(&mut self, written: io::Result<()>) -> Result<(), Why> {
        if let Err(error) = written {
            return Err((Ended::Peer, error.to_string()));
        }
        self.taken.clear();
        self.write_by = None;
        if self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
        self.answer_pings();
        Ok(())
    }

    /// Nothing more can come; what is owed is still written.
    fn close_after_answers(&mut self, why: Ended, detail: String) {
        self.begun = None;
        self.closing = Some(((why, detail), Instant::now() + self.patience.answers));
    }

    /// Why it ends now that all is done.
    fn finished(&mut self) -> Option<Why> {
        let done = self.pending.is_empty() && self.owed == 0 && self.write_by.is_none();
        if self.closing.is_some() && done && self.ties.responses.is_empty() {
            return self.closing.take().map(|(why, _)| why);
        }
        None
    }

    /// When the next patience ends.
    fn due(&self) -> Instant {
        let idle = self.heard + self.patience.idle;
        let reading = match &self.closing {
            Some((_, until)) => *until,
            None => self.begun.map_or(idle, |(_, until)| until.min(idle)),
        };
        self.write_by.map_or(reading, |until| until.min(reading))
    }

    fn overdue(&mut self, now: Instant) -> Option<Why> {
        let over = |until: Instant| until <= now;
        if self.write_by.is_some_and(over) {
            return Some((Ended::Slow, "it does not take its responses".to_owned()));
        }
        if self.closing.as_ref().is_some_and(|(_, until)| over(*until)) {
            return self.closing.take().map(|(why, _)| why);
        }
        if self.closing.is_some() || !self.pending.is_empty() {
            // It is we who don't read.
            (self.heard, self.begun) = (now, None);
            return None;
        }
        if self.begun.is_some_and(|(_, until)| over(until)) {
            return Some((Ended::Stalled, "a message that has begun does not end".to_owned()));
        }
        over(self.heard + self.patience.idle).then(|| (Ended::Idle, String::new()))
    }

    /// Says goodbye so that what was written arrives.
    async fn close(mut self) {
        let farewell = async {
            let _ = self.writer.shutdown().await;
            let room = self.framer.room();
            while self.reader.read_buf(room).await.is_ok_and(|read| read > 0) {
                room.clear();
            }
        };
        let _ = timeout(READ_AWAY, farewell).await;
    }
}

/// Writes everything; when it is dropped before, what has left is no longer in `out`.
async fn write(writer: &mut (impl AsyncWrite + Unpin), out: &mut BytesMut) -> io::Result<()> {
    while out.has_remaining() {
        if writer.write_buf(out).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    writer.flush().await
}

/// Whether the server answers such a request.
fn is_answered(message: &[u8]) -> bool {
    !message.is_empty() && !message.starts_with(b"ACK ") && !message.starts_with(b"SIP/")
}
