//! The SIP door: takes forwarded calls, reads who missed them, and releases them with the cause that the operator chose.
//!
//! Only the server side of SIP, and of that only what ends in a final response that is not a success: no dialogs, no requests of
//! its own. A call is never answered: no 2xx to an INVITE, so that nobody is charged.
//!
//! ```text
//! datagram ─▶ message ─▶ envelope ─▶ server ─▶ extract ─▶ Offer
//!                                      │  ▲                 │
//!                           response ◀─┘  └── transaction ◀─┘ Stored
//! ```

mod diversion;
mod envelope;
pub mod extract;
mod history_info;
mod lexer;
mod message;
mod peer;
mod release;
mod response;
mod server;
mod table;
mod transaction;
pub mod udp;
mod uri;

use std::net::IpAddr;
use std::time::Duration;

use model::{Numbering, Reason};

pub use envelope::{Envelope, Fault, Via};
pub use message::{MAX_HEADERS, Message, Name, NotARequest};
pub use peer::{Network, NetworkError, PeerNet};
pub use release::{Release, ReleaseError, ReleaseTable};
pub use transaction::Timers;
pub use uri::{Address, Scheme, Uri};

/// How the SIP door behaves.
#[derive(Clone, Debug)]
pub struct SipSettings {
    /// How numbers are written in this network.
    pub numbering: Numbering,
    /// Who may send; the first network that holds the source address counts. Empty: this machine alone, and it is trusted.
    pub peers: Vec<PeerNet>,
    /// How calls are released, by why they were missed.
    pub release: ReleaseTable,
    /// What the network means by cause 404, which is "not logged in" to some and "unknown" to others.
    pub not_found: Reason,
    /// How long the store may take before the call is turned away with 503; 10 s by default, well below the 32 s that a peer waits.
    pub answer_timeout: Duration,
    /// The timers of RFC 3261 §17.2.
    pub timers: Timers,
}

impl SipSettings {
    /// The defaults, for a network that writes numbers like this.
    #[must_use]
    pub fn new(numbering: Numbering) -> Self {
        Self {
            numbering,
            peers: Vec::new(),
            release: ReleaseTable::default(),
            not_found: Reason::Unreachable,
            answer_timeout: Duration::from_secs(10),
            timers: Timers::default(),
        }
    }

    /// Whether a source is a peer: `None` when not, else whether it is trusted.
    #[must_use]
    pub fn trust(&self, source: IpAddr) -> Option<bool> {
        let source = source.to_canonical();
        if self.peers.is_empty() {
            return source.is_loopback().then_some(true);
        }
        self.peers.iter().find(|peer| peer.network.contains(source)).map(|peer| peer.trusted)
    }
}
