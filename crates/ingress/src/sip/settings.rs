//! How the SIP door behaves: where it listens, who may send, how a peer's messages are read, and how calls are released.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use model::{Numbering, Reason};

use super::peer::Network;
use super::release::ReleaseTable;
use super::transaction::Timers;
use crate::tls::TlsFiles;

/// All that the door is told.
#[derive(Clone, Debug)]
pub struct SipSettings {
    /// Where it listens; empty: off.
    pub listen: Vec<Listen>,
    /// What `tls` listeners show and ask for.
    pub tls: Option<TlsFiles>,
    /// Who may send; the first that holds the source address counts.
    pub peers: Vec<Peer>,
    /// What is kept at most.
    pub limits: Limits,
    /// How long the store may take before the call is turned away with 503; 10 s by default, well below the 32 s that a peer waits.
    pub answer_timeout: Duration,
    /// The timers of RFC 3261 §17.2.
    pub timers: Timers,
}

/// An address to listen on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Listen {
    /// How requests come.
    pub transport: Transport,
    /// Where; an IPv6 address takes no IPv4 (`IPV6_V6ONLY`), so that both can be given for one port.
    pub address: SocketAddr,
}

/// How messages are carried (RFC 3261 §18).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// One message a datagram, anything may be lost.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
}

/// What is kept at most; each holds for all listeners together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Transactions: one is kept for 5 s after its ACK, 32 s without one. 200,000 by default, which is 20,000 calls/s with room to spare.
    /// Their names and responses may take 1 KiB each on average.
    pub transactions: usize,
    /// Connections over TCP and TLS: 1,000 by default. A trunk needs a few.
    pub connections: usize,
    /// How long a connection may be silent before it is closed: 10 min by default. Keepalives count.
    pub idle: Duration,
    /// How long a message that has begun, a handshake, or a response that is being written may take: 10 s by default.
    pub stall: Duration,
}

/// Somebody who may send: one or more networks, with rules and limits of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// What logs and metrics call it; no two have the same.
    pub name: String,
    /// Its addresses.
    pub networks: Vec<Network>,
    /// Most new calls a second; `None`: no limit. More get 503.
    pub rate: Option<NonZeroU32>,
    /// Most calls that wait for the store at one time; `None`: no limit. More get 503.
    pub concurrent: Option<NonZeroU32>,
    /// Most connections at one time; more are closed at once.
    pub connections: usize,
    /// How its messages are read and answered.
    pub rules: Rules,
}

/// How a peer's messages are read and answered. The defaults are those of the common case; ARCHITECTURE.md says where they come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Whether it belongs to the trust domain: only then P-Asserted-Identity, P-Served-User and P-Called-Party-ID count (RFC 3325 §7).
    pub trusted: bool,
    /// How it writes numbers.
    pub numbering: Numbering,
    /// Where it says who missed a call, the first that holds it.
    pub called: Vec<CalledFrom>,
    /// At which end of the Diversion entries the last one to forward stands: on top by RFC 5806 §4, at the bottom with peers that reverse them.
    pub diversion: Last,
    /// Who missed a call that was forwarded more than once.
    pub party: Party,
    /// Where it says who rang, the first that holds it.
    pub caller: Vec<CallerFrom>,
    /// Digits that precede the number of who missed the call in the user of the Request-URI, as in `sip:12599+8613800000001@…`; `None`: not used.
    /// A leading `+` of the user is passed over.
    pub prefix: Option<String>,
    /// What the peer means by cause 404, which is "not logged in" to some and "unknown" to others.
    pub not_found: Reason,
    /// What names a call.
    pub id: IdFrom,
    /// Where responses over UDP go.
    pub reply_to: ReplyTo,
    /// How calls are released, by why they were missed.
    pub release: ReleaseTable,
}

/// Where it may be said who missed a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CalledFrom {
    /// The last to forward among the Diversion entries (RFC 5806).
    Diversion,
    /// The diverting entry of History-Info (RFC 7044).
    HistoryInfo,
    /// `target` of the Request-URI (RFC 4458).
    Target,
    /// Redirecting Number, else Original Called Number of an encapsulated IAM (Q.763 §3.44, §3.39).
    Isup,
    /// P-Served-User (RFC 5502), unless it is the one who rang; trusted peers only.
    ServedUser,
    /// The user of the Request-URI behind a prefix.
    Prefix,
    /// P-Called-Party-ID (RFC 7315 §4.2), where it is not the number that was forwarded to; trusted peers only.
    CalledPartyId,
    /// To, where it is not the number that was forwarded to.
    To,
}

/// Where it may be said who rang.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CallerFrom {
    /// P-Asserted-Identity (RFC 3325); trusted peers only, a global number before others.
    AssertedIdentity,
    /// Remote-Party-ID (draft-ietf-sip-privacy-04); trusted peers only.
    RemotePartyId,
    /// From.
    From,
    /// Calling Party Number of an encapsulated IAM (Q.763 §3.10).
    Isup,
}

/// At which end of a list the last one to forward stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Last {
    /// The first entry of the message.
    Top,
    /// The last entry of the message.
    Bottom,
}

/// Who missed a call that was forwarded more than once: A rings C, C forwards to B, B forwards here.
/// The reason is why the call left that one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Party {
    /// B, whose forwarding points here.
    Last,
    /// C, who was called first.
    First,
}

/// What names a call for deduplication.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IdFrom {
    /// `icid-value` of P-Charging-Vector, which the charging records of the same call carry; Call-ID where there is none.
    ChargingVector,
    /// Call-ID, for peers whose `icid-value` does not name one call.
    CallId,
}

/// Where responses over UDP go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ReplyTo {
    /// To the source port with `rport` (RFC 3581 §4), else to the port of sent-by (RFC 3261 §18.2.2).
    Via,
    /// To the source port always, for peers behind an address translation that do not ask for it.
    Source,
}

impl Transport {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// The word used in settings, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport.as_str(), self.address)
    }
}

impl CalledFrom {
    /// Every one, in the default order.
    pub const ALL: [Self; 8] = [
        Self::Diversion,
        Self::HistoryInfo,
        Self::Target,
        Self::Isup,
        Self::ServedUser,
        Self::Prefix,
        Self::CalledPartyId,
        Self::To,
    ];

    /// The word used in settings and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Diversion => "diversion",
            Self::HistoryInfo => "history_info",
            Self::Target => "target",
            Self::Isup => "isup",
            Self::ServedUser => "served_user",
            Self::Prefix => "prefix",
            Self::CalledPartyId => "called_party_id",
            Self::To => "to",
        }
    }
}

impl CallerFrom {
    /// Every one, in the order of preference.
    pub const ALL: [Self; 4] = [Self::AssertedIdentity, Self::RemotePartyId, Self::From, Self::Isup];

    /// The word used in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssertedIdentity => "asserted_identity",
            Self::RemotePartyId => "remote_party_id",
            Self::From => "from",
            Self::Isup => "isup",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: 200_000,
            connections: 1_000,
            idle: Duration::from_secs(600),
            stall: Duration::from_secs(10),
        }
    }
}

impl Rules {
    /// The defaults, for a network that writes numbers like this.
    #[must_use]
    pub fn new(numbering: Numbering) -> Self {
        Self {
            trusted: false,
            numbering,
            called: CalledFrom::ALL.to_vec(),
            diversion: Last::Top,
            party: Party::Last,
            caller: vec![CallerFrom::AssertedIdentity, CallerFrom::From, CallerFrom::Isup],
            prefix: None,
            not_found: Reason::Unreachable,
            id: IdFrom::ChargingVector,
            reply_to: ReplyTo::Via,
            release: ReleaseTable::default(),
        }
    }
}

impl Peer {
    /// Most connections of a peer, unless it is told otherwise.
    pub const CONNECTIONS: usize = 100;

    /// A peer without limits of its own.
    #[must_use]
    pub fn new(name: impl Into<String>, networks: Vec<Network>, rules: Rules) -> Self {
        Self { name: name.into(), networks, rate: None, concurrent: None, connections: Self::CONNECTIONS, rules }
    }

    /// This machine, trusted: who may send where nobody else is named.
    #[must_use]
    pub fn local(numbering: Numbering) -> Self {
        let [v4, v6] = [
            Network::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            Network::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ];
        let networks = [v4, v6].into_iter().filter_map(Result::ok).collect();
        Self::new("local", networks, Rules { trusted: true, ..Rules::new(numbering) })
    }
}

impl SipSettings {
    /// The defaults, for a network that writes numbers like this: no listener, and only this machine may send.
    #[must_use]
    pub fn new(numbering: Numbering) -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            peers: vec![Peer::local(numbering)],
            limits: Limits::default(),
            answer_timeout: Duration::from_secs(10),
            timers: Timers::default(),
        }
    }

    /// The place among the peers of whoever sends from an address.
    #[must_use]
    pub fn peer_at(&self, source: IpAddr) -> Option<usize> {
        let source = source.to_canonical();
        self.peers.iter().position(|peer| peer.networks.iter().any(|network| network.contains(source)))
    }
}
