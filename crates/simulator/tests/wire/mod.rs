//! A peer of few words: PDUs made of bytes by hand, over a blocking socket.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One PDU as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) command: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

impl Got {
    /// The C-octet string that the body of a response begins with.
    pub(crate) fn id(&self) -> String {
        String::from_utf8(self.body.split(|octet| *octet == 0).next().unwrap().to_vec()).unwrap()
    }

    /// The body with everything unprintable escaped.
    pub(crate) fn shown(&self) -> String {
        self.body.escape_ascii().to_string()
    }
}

pub(crate) struct Esme {
    stream: TcpStream,
}

pub(crate) fn pdu(command: u32, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut octets = u32::try_from(16 + body.len()).unwrap().to_be_bytes().to_vec();
    for word in [command, status, sequence] {
        octets.extend(word.to_be_bytes());
    }
    octets.extend(body);
    octets
}

/// A `submit_sm` body: from service code 12599, validity and coding as given, receipt wanted.
pub(crate) fn submit(to: &str, esm_class: u8, validity: &str, data_coding: u8, user_data: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x03\x0012599\0\x01\x01".to_vec();
    body.extend(to.as_bytes());
    body.extend([0, esm_class, 0, 0, 0]);
    body.extend(validity.as_bytes());
    body.extend([0, 1, 0, data_coding, 0, u8::try_from(user_data.len()).unwrap()]);
    body.extend(user_data);
    body
}

pub(crate) fn text(to: &str, text: &str) -> Vec<u8> {
    submit(to, 0, "", 0, text.as_bytes())
}

impl Esme {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::accepted(TcpStream::connect(to).unwrap())
    }

    /// Over a connection that the other side made.
    pub(crate) fn accepted(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// Connected and bound as a transceiver.
    pub(crate) fn bound(to: SocketAddr) -> Self {
        let mut esme = Self::connect(to);
        let got = esme.ask(9, 1, b"tester\0secret\0\0\x34\0\0\0");
        assert_eq!((got.command, got.status), (0x8000_0009, 0));
        esme
    }

    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    pub(crate) fn send(&mut self, command: u32, sequence: u32, body: &[u8]) {
        self.raw(&pdu(command, 0, sequence, body));
    }

    pub(crate) fn answer(&mut self, got: &Got, status: u32) {
        self.raw(&pdu(got.command | 0x8000_0000, status, got.sequence, b"\0"));
    }

    pub(crate) fn get(&mut self) -> Got {
        self.try_get().expect("the connection was closed")
    }

    /// `None` at the end of the connection.
    pub(crate) fn try_get(&mut self) -> Option<Got> {
        let mut head = [0; 16];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came in {PATIENCE:?}"),
            Err(_) => return None,
        }
        let word = |place: usize| u32::from_be_bytes(head[place..place + 4].try_into().unwrap());
        let mut body = vec![0; word(0) as usize - 16];
        self.stream.read_exact(&mut body).unwrap();
        Some(Got { command: word(4), status: word(8), sequence: word(12), body })
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    pub(crate) fn ask(&mut self, command: u32, sequence: u32, body: &[u8]) -> Got {
        self.send(command, sequence, body);
        let got = self.get();
        assert_eq!(got.sequence, sequence, "{got:?}");
        got
    }

    /// Proves that nothing is on its way: the answer to `enquire_link` is the next thing that comes.
    pub(crate) fn expect_silence(&mut self) {
        let got = self.ask(0x15, 0x77, &[]);
        assert_eq!(got.command, 0x8000_0015, "{got:?}");
    }
}

/// Waits for a level.
pub(crate) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < PATIENCE, "not reached: {what}");
        std::thread::yield_now();
    }
}
