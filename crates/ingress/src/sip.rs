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

mod body;
mod connection;
mod connections;
mod datagrams;
mod diversion;
mod door;
mod envelope;
pub mod explain;
pub mod extract;
mod framer;
mod history_info;
mod isup;
mod lexer;
mod line;
mod listener;
mod log_pace;
mod message;
mod meter;
mod peer;
mod release;
mod response;
mod server;
mod settings;
mod sockets;
mod table;
mod trail;
mod transaction;
mod uri;

pub use crate::tls::{TlsError, TlsFiles};
pub use door::{BindError, Door};
pub use envelope::{Envelope, Fault, Via};
pub use framer::{Frame, Framer, Lost, MAX_MESSAGE};
pub use message::{MAX_HEADERS, Message, Name, NotARequest};
pub use meter::{AnswerSeconds, CallResult, Ended, Meter, PeerStatus, SipStatus};
pub use peer::{Network, NetworkError};
pub use release::{Release, ReleaseError, ReleaseTable};
pub use settings::{
    CalledFrom, CallerFrom, IdFrom, Last, Limits, Listen, Party, Peer, ReplyTo, Rules, SipSettings, Transport,
};
pub use transaction::Timers;
pub use uri::{Address, Scheme, Uri};
