//! A SIP agent for what sipp can't play: messages written by hand, over sockets that the test opens, closes and cuts short.

mod line;

use std::fmt;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};

pub use line::{Connection, Datagrams};

use crate::sipp::Forwarded;

/// The number that calls are forwarded to, unless a test says otherwise.
pub const SERVICE_NUMBER: &str = "+4591100100";

/// A request as it goes out: its lines in order, then its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    start: String,
    lines: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A response as it came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    lines: Vec<(String, String)>,
}

impl Message {
    /// A call that was forwarded with a Diversion, without body; `name` tells it from others.
    #[must_use]
    pub fn invite(call: &Forwarded, name: &str) -> Self {
        let diversion = format!("<sip:{}@op.example;user=phone>;reason={};counter=1", call.called, call.reason);
        Self::request("INVITE", name)
            .with("From", &format!("<sip:{}@op.example;user=phone>;tag={name}", call.caller))
            .with("Contact", "<sip:switch@127.0.0.1>")
            .with("Diversion", &diversion)
    }

    /// A keepalive, as SBCs send it.
    #[must_use]
    pub fn options(name: &str) -> Self {
        Self::request("OPTIONS", name)
    }

    /// The registration of a phone at a port of 127.0.0.1.
    #[must_use]
    pub fn register(number: &str, port: u16) -> Self {
        let user = format!("<sip:{number}@op.example>");
        Self::request("REGISTER", &format!("register{port}"))
            .to_uri("sip:op.example")
            .with("From", &format!("{user};tag=phone{port}"))
            .with("To", &user)
            .with("Contact", &format!("<sip:{number}@127.0.0.1:{port}>;expires=300"))
    }

    fn request(method: &str, name: &str) -> Self {
        let start = format!("{method} sip:{SERVICE_NUMBER}@afterring.example;user=phone SIP/2.0");
        Self { start, lines: Vec::new(), body: Vec::new() }
            .with("Via", &format!("SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{name};rport"))
            .with("Max-Forwards", "68")
            .with("From", &format!("<sip:switch@op.example>;tag={name}"))
            .with("To", &format!("<sip:{SERVICE_NUMBER}@afterring.example;user=phone>"))
            .with("Call-ID", &format!("{name}@op.example"))
            .with("CSeq", &format!("1 {method}"))
    }

    /// A message as it was captured: a head, an empty line, a body. Lines that were folded are joined.
    ///
    /// # Errors
    /// When there is no head in it.
    pub fn captured(octets: &[u8]) -> Result<Self> {
        let (head, body) = split(octets).context("no empty line behind the head")?;
        let (start, lines) = read_head(head).context("no start line")?;
        Ok(Self { start, lines, body: body.to_vec() })
    }

    /// The same with this header: in the place of the one of its name, else as the last.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.lines.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some((_, written)) => value.clone_into(written),
            None => self.lines.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The same without any header of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.lines.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The same to another Request-URI.
    #[must_use]
    pub fn to_uri(mut self, uri: &str) -> Self {
        let method = self.method().to_owned();
        self.start = format!("{method} {uri} SIP/2.0");
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self.with("Content-Type", content_type)
    }

    /// The acknowledgement of a final response that is no success (RFC 3261 §17.1.1.3): the INVITE's Via, the response's To.
    #[must_use]
    pub fn ack(&self, response: &Response) -> Self {
        self.acknowledged().with("To", response.header("To").unwrap_or_default())
    }

    /// The acknowledgement of whatever this INVITE was answered: it is found by its Via, whatever its To.
    #[must_use]
    pub fn acknowledged(&self) -> Self {
        self.again_as("ACK")
    }

    /// The CANCEL of this INVITE (RFC 3261 §9.1).
    #[must_use]
    pub fn cancel(&self) -> Self {
        self.again_as("CANCEL")
    }

    fn again_as(&self, method: &str) -> Self {
        let uri = self.start.split(' ').nth(1).unwrap_or_default();
        let kept = ["Via", "Max-Forwards", "From", "To", "Call-ID"];
        let lines = self.lines.iter().filter(|(name, _)| kept.contains(&name.as_str())).cloned().collect();
        Self { start: format!("{method} {uri} SIP/2.0"), lines, body: Vec::new() }.with("CSeq", &format!("1 {method}"))
    }

    fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// A header as it goes out.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.lines, name)
    }

    /// What goes over the wire, with the length of its body where the test wrote none.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.lines {
            // Writing into a string can't fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.header("Content-Length").is_none() {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

impl Response {
    fn read(octets: &[u8]) -> Result<Self> {
        let (head, _) = split(octets).with_context(|| format!("no whole head: {}", octets.escape_ascii()))?;
        let (start, lines) = read_head(head).context("no start line")?;
        let status = start.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        Ok(Self { status: status.with_context(|| format!("no response: {start}"))?, lines })
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.lines, name)
    }

    /// Every header of this name, in order.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let same = self.lines.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The status, and the Q.850 cause where it says one.
    #[must_use]
    pub fn release(&self) -> String {
        let cause = self.header("Reason").and_then(|reason| reason.split_once("cause=")).map(|(_, cause)| cause);
        let digits = cause.map(|cause| cause.split(|it: char| !it.is_ascii_digit()).next().unwrap_or_default());
        digits.map_or_else(|| self.status.to_string(), |cause| format!("{}/{cause}", self.status))
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        self.lines.iter().try_for_each(|(name, value)| write!(f, " | {name}: {value}"))
    }
}

fn find<'a>(lines: &'a [(String, String)], name: &str) -> Option<&'a str> {
    lines.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn split(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((&octets[..at], &octets[at + 4..]))
}

fn read_head(head: &[u8]) -> Option<(String, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(head).replace("\r\n ", " ");
    let (start, rest) = text.split_once("\r\n")?;
    let lines = rest.split("\r\n").filter_map(|line| line.split_once(':'));
    Some((start.to_owned(), lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()))
}
