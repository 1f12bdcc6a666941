//! What messages go over: a socket for datagrams, or a connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::{Message, Response, find, read_head, split};
use crate::wait::PATIENCE;

/// The largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;

/// A socket for datagrams.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
}

impl Datagrams {
    /// One at this address that talks to a gateway; nothing of anybody else is received.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn open(from: &str, gateway: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(from).with_context(|| from.to_owned())?;
        socket.connect(gateway)?;
        Ok(Self { socket })
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Sends octets as one datagram.
    ///
    /// # Errors
    /// When they can't be sent.
    pub fn send(&self, octets: &[u8]) -> Result<()> {
        let sent = self.socket.send(octets)?;
        ensure!(sent == octets.len(), "{sent} of {} octets were sent", octets.len());
        Ok(())
    }

    /// The next response, whatever it is.
    ///
    /// # Errors
    /// When none comes.
    pub fn receive(&self) -> Result<Response> {
        self.has_come_within(PATIENCE)?.context("no response")
    }

    /// The next final response, whatever it is; 100 comes before it where the disk takes its time.
    ///
    /// # Errors
    /// When none comes.
    pub fn receive_final(&self) -> Result<Response> {
        loop {
            let response = self.receive()?;
            if response.status >= 200 {
                return Ok(response);
            }
        }
    }

    /// What has come by now.
    ///
    /// # Errors
    /// When it is no response.
    pub fn has_come(&self) -> Result<Option<Response>> {
        self.has_come_within(Duration::from_millis(1))
    }

    /// What comes within `patience`.
    ///
    /// # Errors
    /// When it is no response.
    pub fn has_come_within(&self, patience: Duration) -> Result<Option<Response>> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Response::read(&buffer[..length]).map(Some),
            Err(error) if is_timeout(error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a request and gives the final response to it, which is acknowledged where it must be.
    ///
    /// # Errors
    /// When none comes.
    pub fn ask(&self, request: &Message) -> Result<Response> {
        self.send(&request.octets())?;
        let response = loop {
            let response = self.receive()?;
            // A repeated response to an earlier request is none to this one.
            if response.status >= 200 && is_answer(&response, request) {
                break response;
            }
        };
        if request.method() == "INVITE" {
            self.send(&request.ack(&response).octets())?;
        }
        Ok(response)
    }
}

/// A connection over TCP, or over TLS through `tls::Tunnel`.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn open(gateway: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(gateway).with_context(|| format!("connecting to {gateway}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Writes octets.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(octets)?)
    }

    /// The next response; `None` when the gateway closed the connection instead.
    ///
    /// # Errors
    /// When neither happens.
    pub fn receive(&mut self) -> Result<Option<Response>> {
        loop {
            if let Some(end) = frame_end(&self.read) {
                let frame: Vec<u8> = self.read.drain(..end).collect();
                return Response::read(&frame).map(Some);
            }
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    /// The next final response; `None` when the gateway closed the connection instead.
    ///
    /// # Errors
    /// When neither happens.
    pub fn receive_final(&mut self) -> Result<Option<Response>> {
        loop {
            let response = self.receive()?;
            if response.as_ref().is_none_or(|response| response.status >= 200) {
                return Ok(response);
            }
        }
    }

    /// Waits for so many octets that are no message, such as the answer to a keepalive.
    ///
    /// # Errors
    /// When they don't come.
    pub fn receive_octets(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.read.len() < count {
            ensure!(self.read_more()?, "closed after {:?}", self.read.escape_ascii().to_string());
        }
        Ok(self.read.drain(..count).collect())
    }

    fn read_more(&mut self) -> Result<bool> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Ok(false),
            Err(error) if is_timeout(error.kind()) => bail!("neither a response nor the end of the connection came"),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a request and gives the final response to it, which is acknowledged where it must be.
    ///
    /// # Errors
    /// When none comes.
    pub fn ask(&mut self, request: &Message) -> Result<Response> {
        self.send(&request.octets())?;
        let response = loop {
            let response = self.receive()?.context("closed before the final response")?;
            if response.status >= 200 {
                break response;
            }
        };
        ensure!(is_answer(&response, request), "an answer to something else: {response}");
        if request.method() == "INVITE" {
            self.send(&request.ack(&response).octets())?;
        }
        Ok(response)
    }

    /// Ends the connection by a reset instead of an orderly close.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn reset(self) -> Result<()> {
        // With a linger time of zero the system throws away what is unsent and resets.
        Ok(rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?)
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn is_answer(response: &Response, request: &Message) -> bool {
    ["Call-ID", "CSeq"].iter().all(|name| response.header(name) == request.header(name))
}

/// Where the first message in a stream ends, once it is there.
fn frame_end(stream: &[u8]) -> Option<usize> {
    let (head, body) = split(stream)?;
    let (_, lines) = read_head(head)?;
    let length: usize = find(&lines, "Content-Length").and_then(|value| value.parse().ok()).unwrap_or(0);
    (body.len() >= length).then_some(head.len() + 4 + length)
}
