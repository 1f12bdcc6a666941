//! SIP over UDP: all sockets of the door.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::framer::MAX_MESSAGE;

/// Most datagrams that are read from a socket before answers are sent: they make one offer, and none of them waits for more than some
/// milliseconds; nor does any other socket.
const BURST: usize = 64;

/// Room for datagrams: at least one of the largest, and a burst of common ones.
const ROOM: usize = 4 * MAX_MESSAGE;

/// Errors of a socket in a row after which it is given up: a single one is an echo of some peer's ICMP.
const MAX_ERRORS: u32 = 100;

/// How long to leave a socket alone after an error, so that a broken one costs no processor.
const PAUSE: Duration = Duration::from_millis(10);

/// Every UDP socket of the door.
#[derive(Debug)]
pub(super) struct Datagrams {
    sockets: Vec<Socket>,
    buffer: BytesMut,
}

#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    errors: u32,
    /// Until when it is left alone.
    paused_until: Option<Instant>,
}

impl Datagrams {
    pub(super) fn new(sockets: Vec<std::net::UdpSocket>) -> io::Result<Self> {
        let ready =
            |socket| Ok::<_, io::Error>(Socket { socket: UdpSocket::from_std(socket)?, errors: 0, paused_until: None });
        let sockets = sockets.into_iter().map(ready).collect::<Result<_, _>>()?;
        Ok(Self { sockets, buffer: BytesMut::with_capacity(ROOM) })
    }

    /// Waits until a socket has something to read.
    pub(super) async fn readable(&self) {
        poll_fn(|context| self.poll_readable(context)).await;
    }

    /// Every socket is asked, so that each of them wakes us up.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut ready = Poll::Pending;
        for socket in self.sockets.iter().filter(|socket| socket.paused_until.is_none()) {
            // An error is told by the read as well.
            if socket.socket.poll_recv_ready(context).is_ready() {
                ready = Poll::Ready(());
            }
        }
        ready
    }

    /// When a socket that is left alone is looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sockets.iter().filter_map(|socket| socket.paused_until).min()
    }

    /// Reads a burst from each socket: the place of the socket, the datagram, and where it came from.
    ///
    /// # Errors
    /// When a socket fails again and again.
    pub(super) fn read(&mut self, now: Instant, mut take: impl FnMut(usize, Bytes, SocketAddr)) -> io::Result<()> {
        for (place, socket) in self.sockets.iter_mut().enumerate() {
            if socket.paused_until.is_some_and(|until| until > now) {
                continue;
            }
            socket.paused_until = None;
            let read = read_burst(&socket.socket, &mut self.buffer, |datagram, source| take(place, datagram, source));
            match read {
                Ok(()) => socket.errors = 0,
                Err(error) if socket.errors < MAX_ERRORS => {
                    tracing::debug!(%error, "a SIP socket reports an error");
                    socket.errors += 1;
                    socket.paused_until = Some(now + PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a datagram, or says that it is lost, as anything may be over UDP: the peer repeats its request. Never waits.
    pub(super) fn send(&self, place: usize, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let socket = self.sockets.get(place).ok_or(io::ErrorKind::NotFound)?;
        socket.socket.try_send_to(datagram, to).map(drop)
    }
}

fn read_burst(socket: &UdpSocket, buffer: &mut BytesMut, mut take: impl FnMut(Bytes, SocketAddr)) -> io::Result<()> {
    for _ in 0..BURST {
        // What was taken before is forgotten by now, so that this is the same room again.
        buffer.clear();
        if buffer.capacity() < MAX_MESSAGE {
            buffer.reserve(ROOM);
        }
        match socket.try_recv_buf_from(buffer) {
            Ok((_, source)) => take(buffer.split().freeze(), source),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
