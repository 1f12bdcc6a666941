//! What the SIP door counts beside calls and refusals; shared, and only ever added to, the gauges aside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::settings::{CalledFrom, SipSettings, Transport};

/// Upper bounds of [`SipStatus::answer_seconds`].
const BOUNDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 10.0];

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ended {
    /// The peer closed or reset it.
    Peer,
    /// Nothing came for [`super::Limits::idle`].
    Idle,
    /// A message that had begun did not end within [`super::Limits::stall`].
    Stalled,
    /// The peer did not take its responses.
    Slow,
    /// What came can't be cut into messages.
    Unframed,
    /// TLS could not be agreed upon.
    Handshake,
    /// There were too many connections, of this peer or altogether.
    Limit,
    /// There were as many as there may be, and it made room for a new one: nothing had come by it for long.
    Displaced,
    /// It came from nobody's network.
    NotAPeer,
    /// The gateway is stopping.
    Draining,
}

impl Ended {
    /// Every reason, in the order of the documents.
    pub const ALL: [Self; 10] = [
        Self::Peer,
        Self::Idle,
        Self::Stalled,
        Self::Slow,
        Self::Unframed,
        Self::Handshake,
        Self::Limit,
        Self::Displaced,
        Self::NotAPeer,
        Self::Draining,
    ];

    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Slow => "slow",
            Self::Unframed => "unframed",
            Self::Handshake => "handshake",
            Self::Limit => "limit",
            Self::Displaced => "displaced",
            Self::NotAPeer => "not_a_peer",
            Self::Draining => "draining",
        }
    }
}

/// What became of a peer's call, or of what should have been one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallResult {
    /// Durable, and new.
    Accepted,
    /// Known before.
    Duplicate,
    /// Refused for what it says.
    Refused,
    /// Turned away: over the peer's rate or concurrency.
    Limited,
    /// Turned away: the hand-over or a table was full.
    Busy,
    /// Turned away: it could not be stored in time, or the gateway is stopping.
    Unavailable,
}

impl CallResult {
    /// Every one, in the order of the documents.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Duplicate, Self::Refused, Self::Limited, Self::Busy, Self::Unavailable];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Counts of the door.
#[derive(Debug)]
pub struct Meter {
    peers: Vec<PeerMeter>,
    connections: [AtomicU64; Transport::ALL.len()],
    ended: [AtomicU64; Ended::ALL.len()],
    called: [AtomicU64; CalledFrom::ALL.len()],
    transactions: AtomicU64,
    repeats: AtomicU64,
    unacknowledged: AtomicU64,
    cancelled: AtomicU64,
    strangers: AtomicU64,
    unsent: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

#[derive(Debug)]
struct PeerMeter {
    name: String,
    results: [AtomicU64; CallResult::ALL.len()],
    waiting: AtomicU64,
}

/// The counts at one moment; they may be a few calls apart from each other.
#[derive(Clone, PartialEq, Debug)]
pub struct SipStatus {
    /// Each peer, in the order of the settings.
    pub peers: Vec<PeerStatus>,
    /// Open connections by transport.
    pub connections: Vec<(Transport, u64)>,
    /// Connections that ended, by why.
    pub ended: Vec<(Ended, u64)>,
    /// Calls by where it was said who missed them.
    pub called: Vec<(CalledFrom, u64)>,
    /// Transactions that are kept.
    pub transactions: u64,
    /// Requests that came again: their answer was lost or late.
    pub repeats: u64,
    /// Final responses to an INVITE that were never acknowledged.
    pub unacknowledged: u64,
    /// Calls whose caller hung up before they were released; they count as missed all the same.
    pub cancelled: u64,
    /// Datagrams and connections from nobody's network.
    pub strangers: u64,
    /// Responses that could not be sent.
    pub unsent: u64,
    /// Seconds from an INVITE to its final response, of the calls that were handed over; whatever is refused is answered at once.
    pub answer_seconds: AnswerSeconds,
}

/// Counts of one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// Its calls by what became of them.
    pub results: Vec<(CallResult, u64)>,
    /// Calls that wait for the store.
    pub waiting: u64,
}

/// Durations by bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct AnswerSeconds {
    /// Upper bounds, in seconds.
    pub bounds: &'static [f64],
    /// How many fell into each, one more than there are bounds.
    pub counts: Vec<u64>,
    /// The sum, in seconds.
    pub sum: f64,
}

impl Meter {
    /// Counts for a door with these settings.
    #[must_use]
    pub fn new(settings: &SipSettings) -> Self {
        let peer =
            |name: &str| PeerMeter { name: name.to_owned(), results: Default::default(), waiting: AtomicU64::new(0) };
        Self {
            peers: settings.peers.iter().map(|it| peer(&it.name)).collect(),
            connections: Default::default(),
            ended: Default::default(),
            called: Default::default(),
            transactions: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
            unacknowledged: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            strangers: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            buckets: Default::default(),
            micros: AtomicU64::new(0),
        }
    }

    pub(super) fn call(&self, peer: usize, result: CallResult, calls: usize) {
        if let Some(count) = self.peers.get(peer).and_then(|peer| peer.results.get(result as usize)) {
            count.fetch_add(u64::try_from(calls).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    pub(super) fn waiting(&self, peer: usize, calls: usize) {
        if let Some(peer) = self.peers.get(peer) {
            peer.waiting.store(u64::try_from(calls).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    pub(super) fn called(&self, from: CalledFrom) {
        if let Some(count) = self.called.get(from as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn connected(&self, transport: Transport) {
        if let Some(count) = self.connections.get(transport as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn disconnected(&self, transport: Transport) {
        if let Some(count) = self.connections.get(transport as usize) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn ended(&self, why: Ended) {
        if let Some(count) = self.ended.get(why as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn transactions(&self, kept: usize) {
        self.transactions.store(u64::try_from(kept).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn repeated(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unacknowledged(&self) {
        self.unacknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unsent(&self, responses: usize) {
        self.unsent.fetch_add(u64::try_from(responses).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn answered(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Reads everything.
    #[must_use]
    pub fn snapshot(&self) -> SipStatus {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let peers = self.peers.iter().map(|peer| PeerStatus {
            name: peer.name.clone(),
            results: CallResult::ALL.into_iter().zip(peer.results.iter().map(read)).collect(),
            waiting: read(&peer.waiting),
        });
        SipStatus {
            peers: peers.collect(),
            connections: Transport::ALL
                .into_iter()
                .zip(self.connections.iter().map(read))
                .filter(|(transport, _)| *transport != Transport::Udp)
                .collect(),
            ended: Ended::ALL.into_iter().zip(self.ended.iter().map(read)).collect(),
            called: CalledFrom::ALL.into_iter().zip(self.called.iter().map(read)).collect(),
            transactions: read(&self.transactions),
            repeats: read(&self.repeats),
            unacknowledged: read(&self.unacknowledged),
            cancelled: read(&self.cancelled),
            strangers: read(&self.strangers),
            unsent: read(&self.unsent),
            answer_seconds: AnswerSeconds {
                bounds: &BOUNDS,
                counts: self.buckets.iter().map(read).collect(),
                sum: Duration::from_micros(read(&self.micros)).as_secs_f64(),
            },
        }
    }
}
