//! A SIP door whose store the test plays, and the other end of its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ingress::sip::{Door, Ended, Listen, Meter, SipSettings, Timers, Transport};
use ingress::{Counts, Offer, Stored};
use model::{MissedCall, Numbering, Timestamp};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough for anything on a busy machine; only a failing test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

/// Listens there. Nothing is repeated while a test runs.
pub(crate) fn settings(listen: &[(Transport, &str)]) -> SipSettings {
    let denmark = Numbering::new("45", "", "00");
    let timers = Timers { t1: Duration::from_secs(100), trying_after: Duration::from_secs(100), ..Timers::default() };
    let listen =
        listen.iter().map(|(transport, address)| Listen { transport: *transport, address: address.parse().unwrap() });
    SipSettings { listen: listen.collect(), timers, ..SipSettings::new(denmark) }
}

pub(crate) fn over_tcp() -> SipSettings {
    settings(&[(Transport::Tcp, "127.0.0.1:0")])
}

pub(crate) struct Gateway {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) offers: mpsc::Receiver<Offer>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) drain: CancellationToken,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
}

impl Gateway {
    pub(crate) async fn start(settings: SipSettings) -> Self {
        Self::serve(Door::bind(settings).await.unwrap())
    }

    /// Listens at several addresses, all with the same port.
    pub(crate) async fn on_one_port(listen: &[(Transport, &str)]) -> Self {
        loop {
            let (transport, host) = listen[0];
            let any = format!("{host}:0");
            let free = Door::bind(settings(&[(transport, any.as_str())])).await.unwrap().listens()[0].address.port();
            let addresses: Vec<String> = listen.iter().map(|(_, host)| format!("{host}:{free}")).collect();
            let all: Vec<_> = listen.iter().zip(&addresses).map(|((it, _), address)| (*it, address.as_str())).collect();
            // Somebody else may take the port meanwhile.
            if let Ok(door) = Door::bind(settings(&all)).await {
                return Self::serve(door);
            }
        }
    }

    fn serve(door: Door) -> Self {
        let (addresses, meter) = (door.listens().iter().map(|listen| listen.address).collect(), door.meter());
        let (intake, offers) = mpsc::channel(1_000);
        let (counts, drain) = (Arc::new(Counts::default()), CancellationToken::new());
        let serving = tokio::spawn(door.serve(intake, now, Arc::clone(&counts), drain.clone()));
        Self { addresses, offers, counts, meter, drain, serving }
    }

    pub(crate) async fn offer(&mut self) -> Offer {
        within("an offer", self.offers.recv()).await.unwrap()
    }

    /// Stores the next offer, and says what it held.
    pub(crate) async fn store(&mut self) -> Vec<MissedCall> {
        store(self.offer().await)
    }

    /// Stores as many calls, whatever offers they come in.
    pub(crate) async fn store_calls(&mut self, calls: usize) {
        let mut stored = 0;
        while stored < calls {
            stored += self.store().await.len();
        }
        assert_eq!(stored, calls);
    }

    pub(crate) fn ended(&self, why: Ended) -> u64 {
        self.meter.snapshot().ended.iter().find(|(it, _)| *it == why).unwrap().1
    }

    pub(crate) fn open(&self) -> u64 {
        self.meter.snapshot().connections.iter().map(|(_, open)| open).sum()
    }

    /// Waits until so many connections have ended for this reason, and none for another.
    pub(crate) async fn wait_for_end(&self, why: Ended, times: u64) {
        self.wait_until(|gateway| gateway.ended(why) == times).await;
        let others: u64 = self.meter.snapshot().ended.iter().filter(|(it, _)| *it != why).map(|(_, ends)| ends).sum();
        assert_eq!(others, 0, "{:?}", self.meter.snapshot().ended);
    }

    pub(crate) async fn wait_until(&self, reached: impl Fn(&Self) -> bool) {
        within("a count", async {
            while !reached(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    pub(crate) async fn trunk(&self) -> Trunk<TcpStream> {
        Trunk::over(TcpStream::connect(self.addresses[0]).await.unwrap())
    }
}

/// The other end of a connection.
pub(crate) struct Trunk<S> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Trunk<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, message: impl AsRef<[u8]>) {
        self.stream.write_all(message.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next response, none of which has a body.
    pub(crate) async fn receive(&mut self) -> String {
        loop {
            if let Some(at) = self.read.windows(4).position(|octets| octets == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..at + 4).collect()).unwrap();
            }
            let read = within("a response", self.stream.read_buf(&mut self.read)).await.unwrap();
            assert!(read > 0, "closed after {}", self.read.escape_ascii());
        }
    }

    pub(crate) async fn ask(&mut self, message: impl AsRef<[u8]>) -> u16 {
        self.send(message).await;
        status(&self.receive().await)
    }

    /// Waits for the end; whether anything came before.
    pub(crate) async fn expect_end(&mut self) {
        let mut rest = std::mem::take(&mut self.read);
        let read = within("the end", self.stream.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{read:?}: {}", rest.escape_ascii());
    }
}

/// Stores an offer, and says what it held.
pub(crate) fn store(offer: Offer) -> Vec<MissedCall> {
    let Offer { calls, answer } = offer;
    let duplicate = vec![false; calls.len()];
    answer.send(Stored { duplicate }).unwrap();
    calls
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited for {what}"))
}

pub(crate) fn status(response: &str) -> u16 {
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

pub(crate) fn call_id(response: &str) -> &str {
    let line = response.lines().find_map(|line| line.strip_prefix("Call-ID: "));
    line.unwrap().strip_suffix("@test").unwrap()
}

pub(crate) fn request(method: &str, branch: &str, headers: &str) -> String {
    format!(
        "{method} sip:+4591100100@mca SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;rport;branch=z9hG4bK{branch}\r\n\
         From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:+4591100100@mca>\r\nCall-ID: {branch}@test\r\nCSeq: 1 {method}\r\n{headers}\r\n"
    )
}

pub(crate) fn invite(branch: &str) -> String {
    request("INVITE", branch, "Diversion: <sip:+4530405060@op>;reason=user-busy\r\n")
}

pub(crate) fn options(branch: &str) -> String {
    request("OPTIONS", branch, "")
}

/// The ACK to a final response: the To of the response, the branch of the INVITE.
pub(crate) fn ack(branch: &str, response: &str) -> String {
    let to = response.lines().find(|line| line.starts_with("To:")).unwrap();
    request("ACK", branch, "").replace("To: <sip:+4591100100@mca>", to)
}
