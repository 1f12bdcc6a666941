//! The hand-made limit: PDUs encoded once, whose sequence numbers alone change; answers are counted, not understood.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Result, ensure};
use bytes::BytesMut;
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::{Command, CommandStatus, Pdu};
use tokio_util::codec::Encoder as _;

use crate::framed;
use crate::load::{Load, Progress};

/// Octets read at a time: all answers to a window of 1,000.
const READ: usize = 64 * 1024;

/// Where a PDU has its sequence number (SMPP 3.4 §3.2).
const SEQUENCE: std::ops::Range<usize> = 12..16;

/// One thread for each bind.
pub(crate) fn run(load: &Load, progress: &Arc<Progress>) -> Result<()> {
    let session = |_| {
        let (port, window, progress) = (load.port, load.window, Arc::clone(progress));
        thread::spawn(move || session(port, window, &progress))
    };
    let sessions: Vec<_> = (0..load.binds).map(session).collect();
    for session in sessions {
        session.join().map_err(|_| anyhow::anyhow!("a session panicked"))??;
    }
    Ok(())
}

fn encode(pdu: Pdu) -> Result<BytesMut> {
    let mut octets = BytesMut::new();
    CommandCodec::new().encode(Command::new(CommandStatus::EsmeRok, 1, pdu), &mut octets)?;
    Ok(octets)
}

fn session(port: u16, window: usize, progress: &Progress) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    let mut answers = Answers { octets: vec![0; READ], filled: 0 };
    stream.write_all(&encode(framed::bind()?)?)?;
    ensure!(answers.read(&mut stream)? == 1, "one answer to the bind");
    let one = encode(framed::submit()?)?;
    let mut pdus = one.repeat(window);
    let mut sequence = 1_u32;
    let (mut free, mut in_flight) = (window, 0);
    loop {
        if progress.is_over() {
            free = 0;
        }
        for pdu in pdus.chunks_exact_mut(one.len()).take(free) {
            sequence = sequence.wrapping_add(1);
            pdu[SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
        }
        stream.write_all(&pdus[..free * one.len()])?;
        in_flight += free;
        if in_flight == 0 {
            return Ok(());
        }
        free = answers.read(&mut stream)?;
        in_flight -= free;
        progress.add(u64::try_from(free)?);
    }
}

/// What was read and is not yet a whole PDU.
#[derive(Debug)]
struct Answers {
    octets: Vec<u8>,
    filled: usize,
}

impl Answers {
    /// Waits for octets; gives the number of PDUs that they complete.
    fn read(&mut self, stream: &mut TcpStream) -> Result<usize> {
        let read = stream.read(&mut self.octets[self.filled..])?;
        ensure!(read > 0, "the sink closed");
        self.filled += read;
        let (mut count, mut used) = (0, 0);
        while let Some(length) = self.octets[used..self.filled].first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length))?;
            if used + length > self.filled {
                break;
            }
            used += length;
            count += 1;
        }
        self.octets.copy_within(used..self.filled, 0);
        self.filled -= used;
        Ok(count)
    }
}
