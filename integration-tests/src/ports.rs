//! Ports to listen on, below the range from which the kernel gives out its own: nobody else's connection can sit on one.

use std::net::{TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 on which nothing listens, neither TCP nor UDP. Test processes that run side by side begin at different places.
///
/// # Errors
/// When all are taken.
pub fn free() -> Result<u16> {
    let start = u16::try_from((u64::from(process::id()) * 97) % u64::from(COUNT))?;
    for _ in 0..COUNT {
        let offset = (u32::from(start) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset)?;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {}", FIRST + COUNT)
}

/// The first of so many ports in a row on which nothing listens, all of them for one program that takes the others by itself.
///
/// # Errors
/// When there is no such row.
pub fn row(count: u16) -> Result<u16> {
    loop {
        let first = free()?;
        let last = first.saturating_add(count - 1);
        let mut taken = first;
        while taken < last && is_free(taken + 1) {
            taken = free()?;
        }
        if taken == last {
            return Ok(first);
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok()
}
