//! Links against an SMSC written by hand, over the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of a test are part of it")]

mod arrivals;
mod binds;
mod orders;
mod sessions;
mod smsc;
mod spread;
mod storms;
mod submits;
mod up_to_date;
mod updates;
