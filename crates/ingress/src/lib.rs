//! The doors to the core network: missed calls come in over HTTP and SIP and leave as [`Offer`]s; nothing is decided or stored here.
//!
//! Both doors do the same: read, refuse with a reason what can't be used, hand the rest over, and answer the peer only once
//! the calls are durable. When the hand-over is full they say so at once and never wait: the core network has somewhere else to go.

mod caller;
mod counts;
pub mod http;
mod offer;
pub mod sip;
pub mod tls;

pub use caller::read_service_number;
pub use counts::{Counts, DoorCounts, Refusal, Snapshot};
pub use offer::{Intake, Offer, Stored};
