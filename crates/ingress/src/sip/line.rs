//! The ways that requests come by and responses go back.

use std::net::SocketAddr;

use bytes::Bytes;

/// What carries messages: a socket for datagrams, or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// The place of a socket among those of the door. Anything may be lost.
    Datagrams(usize),
    /// The number of a connection; no two of a door have the same. Nothing is lost while it lives.
    Connection(u64),
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) line: Line,
    pub(super) source: SocketAddr,
}

/// Where responses go. On a connection `to` is its other end, whatever Via says (RFC 3261 §18.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) line: Line,
    pub(super) to: SocketAddr,
}

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) route: Route,
    pub(super) bytes: Bytes,
}

impl Line {
    /// Whether what is sent arrives while the line lives: then nothing is repeated (RFC 3261 §17.2).
    pub(super) const fn is_reliable(self) -> bool {
        match self {
            Self::Datagrams(_) => false,
            Self::Connection(_) => true,
        }
    }
}
