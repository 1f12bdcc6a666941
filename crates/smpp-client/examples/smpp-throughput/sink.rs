//! The sink: an SMSC that takes everything at once and writes all answers to one read in one go; with receipts and latency where asked for.
//!
//! It shares no code with the clients. One thread serves all sessions; each empty line on stdin is answered with what it has seen.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Result;
use bytes::{Buf as _, BufMut as _, BytesMut};
use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

/// Octets read at a time: more than a window of 1,000 submits.
const READ: usize = 256 * 1024;

/// The header of a PDU (SMPP 3.4 §3.2).
const HEADER: usize = 16;

const BIND_RECEIVER: u32 = 0x01;
const BIND_TRANSMITTER: u32 = 0x02;
const SUBMIT_SM: u32 = 0x04;
const DELIVER_SM: u32 = 0x05;
const UNBIND: u32 = 0x06;
const BIND_TRANSCEIVER: u32 = 0x09;
const ENQUIRE_LINK: u32 = 0x15;
const RESPONSE: u32 = 0x8000_0000;

/// Message ids are these and the number of the submit, in hexadecimal: ten digits.
const FIRST_ID: u64 = 0x3a_0000_0000;

/// What follows the id in a receipt's text.
const REST_OF_RECEIPT: &[u8] = b" sub:001 dlvrd:001 submit date:2611230800 done date:2611230801 \
stat:DELIVRD err:000 text:You missed 3 calls. R";

/// How a sink behaves.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct SinkOptions {
    /// A receipt follows each answer at once.
    #[arg(long)]
    receipts: bool,
    /// How long each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

/// What all sessions count together.
#[derive(Debug, Default)]
struct Counters {
    binds: AtomicU64,
    submits: AtomicU64,
    acknowledged: AtomicU64,
    callbacks: AtomicU64,
}

fn add(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Relaxed) + 1
}

/// Runs until stdin ends.
pub(crate) fn run(options: SinkOptions) -> Result<()> {
    let counters = Arc::new(Counters::default());
    let of_sessions = Arc::clone(&counters);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (smpp, http) = runtime.block_on(listen())?;
    println!("{} {}", smpp.local_addr()?.port(), http.local_addr()?.port());
    std::io::stdout().flush()?;
    runtime.spawn(serve(options, smpp, http, of_sessions));
    for line in std::io::stdin().lines() {
        line?;
        let Counters { binds, submits, acknowledged, callbacks } = &*counters;
        let [binds, submits, acknowledged, callbacks] =
            [binds, submits, acknowledged, callbacks].map(|counter| counter.load(Relaxed));
        println!("{binds} {submits} {acknowledged} {callbacks}");
        std::io::stdout().flush()?;
    }
    runtime.shutdown_background();
    Ok(())
}

async fn listen() -> Result<(TcpListener, TcpListener)> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    Ok((TcpListener::bind(any).await?, TcpListener::bind(any).await?))
}

async fn serve(options: SinkOptions, smpp: TcpListener, http: TcpListener, counters: Arc<Counters>) -> Result<()> {
    loop {
        tokio::select! {
            peer = smpp.accept() => {
                let session = Session::new(options, Arc::clone(&counters));
                let (stream, _) = peer?;
                stream.set_nodelay(true)?;
                tokio::spawn(async move {
                    if let Err(error) = session.serve(stream).await {
                        eprintln!("sink: a session ended: {error}");
                    }
                });
            }
            peer = http.accept() => {
                let (stream, _) = peer?;
                tokio::spawn(take_callbacks(stream, Arc::clone(&counters)));
            }
        }
    }
}

/// One connection.
#[derive(Debug)]
struct Session {
    receipts: bool,
    latency: Duration,
    counters: Arc<Counters>,
    input: BytesMut,
    output: BytesMut,
    /// Submits whose answers are due later: when, and their sequence numbers.
    due: VecDeque<(Instant, u32)>,
    open: bool,
}

impl Session {
    fn new(options: SinkOptions, counters: Arc<Counters>) -> Self {
        Self {
            receipts: options.receipts,
            latency: Duration::from_millis(options.latency_ms),
            counters,
            input: BytesMut::with_capacity(READ),
            output: BytesMut::with_capacity(READ),
            due: VecDeque::new(),
            open: true,
        }
    }

    async fn serve(mut self, mut stream: TcpStream) -> Result<()> {
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        while self.open {
            self.input.reserve(READ);
            tokio::select! {
                read = stream.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    self.take_pdus()?;
                }
                () = timer.as_mut(), if !self.due.is_empty() => self.answer_due(),
            }
            if let Some((at, _)) = self.due.front() {
                timer.as_mut().reset(*at);
            }
            stream.write_all_buf(&mut self.output).await?;
        }
        Ok(())
    }

    fn take_pdus(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some(length) = self.input.first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length))?;
            anyhow::ensure!(length >= HEADER, "a PDU of {length} octets");
            if self.input.len() < length {
                break;
            }
            let mut header = &self.input[4..HEADER];
            let (id, status, sequence) = (header.get_u32(), header.get_u32(), header.get_u32());
            self.input.advance(length);
            self.take_pdu(id, status, sequence, now);
        }
        Ok(())
    }

    fn take_pdu(&mut self, id: u32, status: u32, sequence: u32, now: Instant) {
        match id {
            SUBMIT_SM if self.latency.is_zero() => self.answer_submit(sequence),
            SUBMIT_SM => self.due.push_back((now + self.latency, sequence)),
            BIND_RECEIVER | BIND_TRANSMITTER | BIND_TRANSCEIVER => {
                add(&self.counters.binds);
                self.put(id | RESPONSE, sequence, b"sink\0");
            }
            ENQUIRE_LINK => self.put(id | RESPONSE, sequence, b""),
            UNBIND => {
                self.put(id | RESPONSE, sequence, b"");
                self.open = false;
            }
            _ if id == DELIVER_SM | RESPONSE && status == 0 => _ = add(&self.counters.acknowledged),
            // Refused: it is delivered again. A receipt's sequence number is that of its submit among all.
            _ if id == DELIVER_SM | RESPONSE => self.put_receipt(u64::from(sequence)),
            _ => {}
        }
    }

    fn answer_due(&mut self) {
        let now = Instant::now();
        while let Some((_, sequence)) = self.due.front().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_front();
            self.answer_submit(sequence);
        }
    }

    fn answer_submit(&mut self, sequence: u32) {
        let number = add(&self.counters.submits);
        let id = message_id(number);
        self.put(SUBMIT_SM | RESPONSE, sequence, &id);
        if self.receipts {
            self.put_receipt(number);
        }
    }

    /// A receipt in the form of SMPP 3.4 appendix B, with `receipted_message_id` and `message_state`.
    fn put_receipt(&mut self, number: u64) {
        let id = message_id(number);
        let mut body = [0; 256];
        let mut rest = &mut body[..];
        // No service type; addresses in international form; esm_class says that it is a receipt.
        rest.put_slice(b"\0\x01\x01491701234567\0\x05\0afterring\0\x04\0\0\0\0\0\0\0\0");
        rest.put_u8(u8::try_from(3 + 10 + REST_OF_RECEIPT.len()).unwrap_or(0));
        rest.put_slice(b"id:");
        rest.put_slice(&id[..10]);
        rest.put_slice(REST_OF_RECEIPT);
        rest.put_slice(b"\x00\x1e\x00\x0b");
        rest.put_slice(&id);
        rest.put_slice(b"\x04\x27\x00\x01\x02");
        let length = 256 - rest.len();
        let sequence = u32::try_from(number & 0x7fff_ffff).unwrap_or(0);
        self.put(DELIVER_SM, sequence, &body[..length]);
    }

    fn put(&mut self, id: u32, sequence: u32, body: &[u8]) {
        self.output.reserve(HEADER + body.len());
        self.output.put_u32(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX));
        self.output.put_u32(id);
        self.output.put_u32(0);
        self.output.put_u32(sequence);
        self.output.put_slice(body);
    }
}

/// Ten hexadecimal digits and a NUL.
fn message_id(number: u64) -> [u8; 11] {
    let mut id = [0; 11];
    let mut rest = FIRST_ID + number;
    for digit in id[..10].iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::try_from(rest & 0xf).unwrap_or(0)];
        rest >>= 4;
    }
    id
}

/// Answers every request by HTTP with 200: what Kannel tells of receipts.
async fn take_callbacks(mut stream: TcpStream, counters: Arc<Counters>) {
    let mut input = BytesMut::with_capacity(4096);
    while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        while let Some(end) = input.windows(4).position(|octets| octets == b"\r\n\r\n") {
            input.advance(end + 4);
            add(&counters.callbacks);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}
