//! The SIP door over real sockets: TCP, TLS, and both versions of IP, against messages written by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod gateway;
mod ip;
mod tcp;
mod tls;
