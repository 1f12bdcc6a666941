//! As much of an HTTP/1.1 client as the generator needs: POST on a connection that is kept.

use std::io;
use std::io::Write;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head of an answer that is read.
const HEAD: usize = 16 * 1024;

/// The longest answer that is read: a big batch, each call of it rejected with a reason.
const BODY: usize = 16 * 1024 * 1024;

/// Where requests go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Host and port.
    authority: String,
    /// The head of each request, up to the value of Content-Length.
    head: String,
}

impl Target {
    /// Reads `http://host:port/path`; without a port it is 80.
    pub(super) fn parse(url: &str, token: Option<&str>) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let visible = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !visible(rest) || !token.is_none_or(visible) {
            return None;
        }
        let path = if path.is_empty() { "/" } else { path };
        let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{token}Content-Type: application/json\r\nContent-Length: "
        );
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { host.to_owned() } else { format!("{host}:80") };
        Some(Self { authority, head })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// The server said something that isn't an answer to this.
    #[error("the answer can't be read")]
    Unreadable,
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
}

/// What the server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What became of the calls, in a 202.
    pub(super) counts: Option<Counts>,
    /// The connection ends with this answer.
    pub(super) close: bool,
}

/// The body of a 202.
#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) rejected: Vec<IgnoredAny>,
}

/// One kept connection.
pub(super) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(&target.authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), buffer: Vec::new() })
    }

    /// Sends one request and reads its answer. After a failure the connection is of no more use.
    pub(super) async fn post(&mut self, target: &Target, body: &[u8]) -> Result<Answer, Failure> {
        self.request.clear();
        write!(self.request, "{}{}\r\n\r\n", target.head, body.len())?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|octets| octets == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(HEAD).await?;
        };
        let head = self.buffer.get(..end).and_then(read_head).ok_or(Failure::Unreadable)?;
        let whole = end.saturating_add(head.length);
        while self.buffer.len() < whole {
            self.more(HEAD + BODY).await?;
        }
        let body = self.buffer.get(end..whole).unwrap_or_default();
        let counts = if head.status == 202 { serde_json::from_slice(body).ok() } else { None };
        Ok(Answer { status: head.status, counts, close: head.close })
    }

    async fn more(&mut self, limit: usize) -> Result<(), Failure> {
        if self.buffer.len() >= limit {
            return Err(Failure::Unreadable);
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(Failure::Broken(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: usize,
    close: bool,
}

/// Reads status, length and whether the connection ends. Chunked answers aren't read: no answer that is expected here needs them.
fn read_head(head: &[u8]) -> Option<Head> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let version = words.next()?;
    let status = words.next()?.parse().ok()?;
    let mut head = Head { status, length: 0, close: version != "HTTP/1.1" };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = value.parse().ok()?;
        } else if name.eq_ignore_ascii_case("connection") {
            head.close = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let target = Target::parse("http://localhost:8080/v1/calls", Some("secret")).unwrap();
        assert_eq!(target.authority, "localhost:8080");
        assert!(
            target
                .head
                .starts_with("POST /v1/calls HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer secret\r\n")
        );
        assert_eq!(Target::parse("http://host", None).unwrap().authority, "host:80");
        for url in ["https://host/", "host:80", "http://", "http:///v1", "http://h/a b", "http://h/\r\nX: y"] {
            assert_eq!(Target::parse(url, None), None, "{url}");
        }
        assert_eq!(Target::parse("http://h/", Some("a\r\nb")), None);
    }

    #[test]
    fn heads_are_read() {
        let read = |head: &str| read_head(head.as_bytes());
        assert_eq!(
            read("HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n"),
            Some(Head { status: 202, length: 12, close: false })
        );
        assert!(read("HTTP/1.0 503 x\r\n\r\n").unwrap().close);
        assert!(read("HTTP/1.1 429\r\nConnection: close\r\n\r\n").unwrap().close);
        for bad in [
            "",
            "HTTP/1.1",
            "HTTP/1.1 abc",
            "HTTP/1.1 200 OK\r\nContent-Length: x",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
