//! A server on an ephemeral port, and an HTTP client of a few lines.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file takes what it needs"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use console::access::Local;
use console::{
    Access, Audit, DatabaseStatus, Handles, JournalView, LogView, Operators, Reading, ReloadView, Status, SystemView,
};
use model::{Clock, Numbering};
use routing::{Condition, Policy};
use store::HandOver;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// A gateway at rest without a database; tests put in what they look at.
pub fn operators(store: HandOver, policy: Policy, clock: Clock) -> Operators {
    let policy = Arc::new(policy);
    Operators {
        store,
        numbering: Numbering::new("86", "0", "00"),
        status: Arc::new(move || Status {
            database: DatabaseStatus {
                state: Condition::Normal,
                forced: false,
                configured: false,
                since: clock(),
                reason: None,
                until: None,
                behind: false,
                quarantined: 0,
                changes: Vec::new(),
            },
            links: Vec::new(),
            sip: None,
            journal: JournalView { pending: 0 },
            counts: std::collections::BTreeMap::new(),
        }),
        force: Arc::new(|_| Ok(())),
        policy: Arc::new(move || Arc::clone(&policy)),
        reading: Arc::new(move || Reading::none(clock())),
        live: broadcast::Sender::new(16),
        system: Arc::new(move || SystemView {
            version: "0.1.0".to_owned(),
            started: clock(),
            node: "one".to_owned(),
            digest: "0000000000000000".to_owned(),
            settings: Arc::default(),
            reloaded: None,
            log: LogView { filter: "info".to_owned(), until: None },
        }),
        order_link: Arc::new(|_| Ok(())),
        reload: Arc::new(move || ReloadView {
            at: clock(),
            applied: Vec::new(),
            needs_restart: Vec::new(),
            faults: Vec::new(),
        }),
        log: Arc::new(|_| Ok(LogView { filter: "info".to_owned(), until: None })),
        metrics: Arc::new(String::new),
        ready: Arc::new(Vec::new),
        clock,
        access: Access::unguarded(Local::Everybody, clock),
        audit: audit(),
        handles: Handles::passing().unwrap(),
    }
}

/// An audit log of its own, where nobody else looks.
pub fn audit() -> Audit {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{}-{next}", std::process::id()));
    Audit::open(dir, Duration::from_secs(3600)).unwrap()
}

/// Serves until the test's runtime ends.
pub async fn serve(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    address
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// One request on a connection of its own; `headers` are lines that end with CRLF.
pub async fn ask(to: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = open(to, method, path, headers, body).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, "", "").await
}

pub async fn post_form(to: SocketAddr, path: &str, headers: &str, form: &str) -> Answer {
    let headers = format!("content-type: application/x-www-form-urlencoded\r\n{headers}");
    ask(to, "POST", path, &headers, form).await
}

/// Sends a request and leaves the answer to be read.
pub async fn open(to: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads on until the text was seen; the stream of all that was read before and with it.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.unwrap();
        assert!(n > 0, "the stream ended before {text:?}: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&chunk[..n]);
        let seen = String::from_utf8_lossy(&read);
        if seen.contains(text) {
            return seen.into_owned();
        }
    }
}
