//! Sockets as the door wants them: each for one version of IP, with room for a burst, and not yet bound to the runtime that will serve them.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

/// Octets of datagrams that may wait in a socket: a second and more of 3,000 calls/s of 1 KiB, while the machine is busy elsewhere.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Connections that may wait to be accepted: all trunks after a restart at once.
const BACKLOG: i32 = 1_024;

/// After how much silence a connection is asked whether its other end still lives, and how often: firewalls forget sooner than the system asks.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// Binds a socket for datagrams.
pub(super) fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // The system gives less rather than fail; it is said when that is so.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// How many octets may wait in a socket, where that is much less than wanted. Linux counts its own overhead in, as much again.
pub(super) fn small_receive_buffer(socket: &UdpSocket) -> Option<usize> {
    let granted = SockRef::from(socket).recv_buffer_size().ok()?;
    let granted = if cfg!(target_os = "linux") { granted / 2 } else { granted };
    (granted < RECEIVE_BUFFER / 2).then_some(granted)
}

/// Says what to do about small receive buffers.
pub(super) fn warn_of_small_buffer(granted: usize) {
    tracing::warn!(
        granted,
        wanted = RECEIVE_BUFFER,
        "the system gives SIP over UDP a small receive buffer, so that bursts are lost and repeated: set net.core.rmem_max={RECEIVE_BUFFER} with sysctl"
    );
}

/// Binds a socket for connections.
pub(super) fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // Connections of the process before may still be closing.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Readies a connection: responses leave at once, and an end that has vanished is noticed.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&KEEPALIVE)
}
