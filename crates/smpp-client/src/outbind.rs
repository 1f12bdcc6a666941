//! Outbind: the SMSC connects to us, says so, and we bind on that connection (SMPP 3.4 §2.2.1, §4.1.7).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use rusmpp::CommandId;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::frame;
use crate::state::Why;

/// Octets that a peer may send before its outbind is whole: the PDU has at most 16 + 16 + 9.
const ROOM: usize = 256;

/// A connection that began with an outbind, and what was read behind it.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) stream: TcpStream,
    pub(crate) from: SocketAddr,
    pub(crate) input: BytesMut,
}

/// What came of a connection that somebody made to us.
#[derive(Debug)]
pub(crate) enum Visit {
    /// The SMSC, and it said outbind.
    Outbind(Called),
    /// Somebody else, or something else.
    Turned { from: SocketAddr, why: &'static str },
}

/// Listens, unless that is done already.
pub(crate) async fn listen(listener: &mut Option<TcpListener>, at: SocketAddr) -> Result<&TcpListener, Why> {
    if listener.is_none() {
        *listener = Some(TcpListener::bind(at).await.map_err(|error| Why::Unlistenable(error.kind()))?);
    }
    listener.as_ref().ok_or(Why::Unlistenable(io::ErrorKind::NotFound))
}

/// Hears out a connection that was made to us; only the host of the SMSC is listened to, and not for longer than `patience`.
pub(crate) async fn hear(stream: TcpStream, from: SocketAddr, host: &str, patience: Duration) -> Visit {
    if !is_host(host, from.ip()).await {
        return Visit::Turned { from, why: "it is not the SMSC's address" };
    }
    let heard = timeout(patience, read_outbind(stream, from)).await;
    heard
        .unwrap_or(Err("its outbind did not come in time"))
        .map_or_else(|why| Visit::Turned { from, why }, Visit::Outbind)
}

async fn read_outbind(mut stream: TcpStream, from: SocketAddr) -> Result<Called, &'static str> {
    let mut input = BytesMut::with_capacity(ROOM);
    loop {
        match frame::cut(&input) {
            Ok(Some((frame, length))) if frame.id == CommandId::Outbind => {
                let _ = input.split_to(length);
                return Ok(Called { stream, from, input });
            }
            Ok(None) if input.len() < ROOM => {}
            Ok(_) | Err(_) => return Err("it did not begin with an outbind"),
        }
        if !stream.read_buf(&mut input).await.is_ok_and(|count| count > 0) {
            return Err("it hung up before its outbind");
        }
    }
}

async fn is_host(host: &str, from: IpAddr) -> bool {
    let found = lookup_host((host, 0)).await;
    found.is_ok_and(|mut addresses| addresses.any(|address| address.ip().to_canonical() == from.to_canonical()))
}
