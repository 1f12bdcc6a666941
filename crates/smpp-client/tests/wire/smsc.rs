//! An SMSC that says what the test tells it to, octet by octet: it shares no code with the links it talks to.

use std::time::Duration;

use model::{Address, AlertId, Kind, Msisdn, Secret, ShortNumber, SmscName, Submit, SubmitOutcome, Timestamp};
use smpp_client::{Answer, Arrivals, Inbound, LinkSettings, LinkStatus, Links, Permit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub(crate) const BIND_RECEIVER: u32 = 0x01;
pub(crate) const BIND_TRANSMITTER: u32 = 0x02;
pub(crate) const QUERY_SM: u32 = 0x03;
pub(crate) const SUBMIT_SM: u32 = 0x04;
pub(crate) const DELIVER_SM: u32 = 0x05;
pub(crate) const UNBIND: u32 = 0x06;
pub(crate) const REPLACE_SM: u32 = 0x07;
pub(crate) const CANCEL_SM: u32 = 0x08;
pub(crate) const BIND_TRANSCEIVER: u32 = 0x09;
pub(crate) const OUTBIND: u32 = 0x0b;
pub(crate) const ENQUIRE_LINK: u32 = 0x15;
pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
pub(crate) const RESPONSE: u32 = 0x8000_0000;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn clock() -> Timestamp {
    NOW
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pdu {
    pub(crate) id: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

impl Pdu {
    pub(crate) fn octets(&self) -> Vec<u8> {
        let length = u32::try_from(16 + self.body.len()).unwrap();
        let header = [length, self.id, self.status, self.sequence].map(u32::to_be_bytes).concat();
        [header, self.body.clone()].concat()
    }
}

pub(crate) fn pdu(id: u32, status: u32, sequence: u32, body: &[u8]) -> Pdu {
    Pdu { id, status, sequence, body: body.to_vec() }
}

pub(crate) struct Smsc {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Smsc {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    pub(crate) async fn accept_stream(&self) -> TcpStream {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.expect("no connection").unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(crate) async fn accept(&self) -> Peer {
        Peer::new(self.accept_stream().await)
    }

    /// Accepts a connection and its bind.
    pub(crate) async fn bound(&self) -> Peer {
        self.bound_as().await.0
    }

    /// Accepts a connection and its bind, and says what it is bound as.
    pub(crate) async fn bound_as(&self) -> (Peer, u32) {
        let mut peer = self.accept().await;
        let bind = peer.read().await.expect("closed");
        assert!([BIND_TRANSCEIVER, BIND_TRANSMITTER, BIND_RECEIVER].contains(&bind.id), "{bind:x?}");
        peer.answer(&bind, 0, b"smsc\0").await;
        (peer, bind.id)
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(crate) struct Peer {
    stream: Box<dyn Duplex>,
}

impl Peer {
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream) }
    }

    pub(crate) async fn read(&mut self) -> Option<Pdu> {
        let mut header = [0; 16];
        match timeout(PATIENCE, self.stream.read_exact(&mut header)).await.expect("nothing arrives") {
            Ok(_) => {}
            Err(_) => return None,
        }
        let [length, id, status, sequence] =
            [0, 4, 8, 12].map(|at| u32::from_be_bytes(header[at..at + 4].try_into().unwrap()));
        let mut body = vec![0; usize::try_from(length).unwrap() - 16];
        self.stream.read_exact(&mut body).await.unwrap();
        Some(Pdu { id, status, sequence, body })
    }

    pub(crate) async fn expect(&mut self, id: u32) -> Pdu {
        let pdu = self.read().await.expect("closed");
        assert_eq!(pdu.id, id, "{pdu:x?}");
        pdu
    }

    /// The end of the connection, after whatever is still on its way.
    pub(crate) async fn expect_end(&mut self) {
        while self.read().await.is_some() {}
    }

    /// Counts the PDUs with this id up to the end; one that is cut short doesn't count.
    pub(crate) async fn count_whole(&mut self, id: u32) -> usize {
        let mut octets = Vec::new();
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut octets)).await.expect("it doesn't end");
        let (mut rest, mut count) = (&octets[..], 0);
        while let Some(header) = rest.get(..16) {
            let length = usize::try_from(u32::from_be_bytes(header[..4].try_into().unwrap())).unwrap();
            let Some(next) = rest.get(length..) else { break };
            count += usize::from(header[4..8] == id.to_be_bytes());
            rest = next;
        }
        count
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Writes to somebody who may have hung up.
    pub(crate) async fn try_write(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).await;
    }

    pub(crate) async fn send(&mut self, pdu: &Pdu) {
        self.write(&pdu.octets()).await;
    }

    pub(crate) async fn answer(&mut self, request: &Pdu, status: u32, body: &[u8]) {
        self.send(&pdu(request.id | RESPONSE, status, request.sequence, body)).await;
    }

    /// Takes a submit under this id.
    pub(crate) async fn take(&mut self, id: &str) -> Pdu {
        let submit = self.expect(SUBMIT_SM).await;
        self.answer(&submit, 0, &[id.as_bytes(), b"\0"].concat()).await;
        submit
    }

    /// Asks whether the link lives; the answer must be the next PDU.
    pub(crate) async fn enquire(&mut self, sequence: u32) {
        self.send(&pdu(ENQUIRE_LINK, 0, sequence, b"")).await;
        assert_eq!(self.read().await, Some(pdu(ENQUIRE_LINK | RESPONSE, 0, sequence, b"")));
    }

    /// Answers the unbind and waits for the end.
    pub(crate) async fn unbind(&mut self) {
        let unbind = self.expect(UNBIND).await;
        self.answer(&unbind, 0, b"").await;
        self.expect_end().await;
    }
}

pub(crate) struct Gateway {
    pub(crate) links: Links,
    pub(crate) arrivals: Arrivals,
    tracker: TaskTracker,
}

impl Gateway {
    pub(crate) fn start(settings: Vec<LinkSettings>) -> Self {
        let tracker = TaskTracker::new();
        let (links, arrivals) = smpp_client::start(settings, clock, 7, &tracker);
        tracker.close();
        Self { links, arrivals, tracker }
    }

    pub(crate) async fn reserve(&self, at_most: usize) -> Vec<Permit> {
        timeout(PATIENCE, self.links.reserve(at_most)).await.expect("no permit")
    }

    /// One submit is answered: the link trusts the SMSC with a whole window.
    pub(crate) async fn proves(&mut self, peer: &mut Peer) {
        self.submit(order(0, "C")).await;
        peer.take("0").await;
        assert_eq!(self.outcome().await.0, 0);
    }

    /// Submits to the one link there is.
    pub(crate) async fn submit(&self, order: Submit) {
        self.reserve(1).await.pop().unwrap().submit(order);
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.arrivals.answers.recv()).await.expect("no answer").expect("no more answers")
    }

    pub(crate) async fn outcome(&mut self) -> (i64, SubmitOutcome) {
        let answer = self.answer().await;
        assert!(!answer.late, "{answer:?}");
        (answer.alert.0, answer.outcome)
    }

    pub(crate) async fn inbound(&mut self) -> Inbound {
        timeout(PATIENCE, self.arrivals.inbound.recv()).await.expect("nothing arrives").expect("no more")
    }

    pub(crate) fn status(&self) -> LinkStatus {
        self.links.status().remove(0)
    }

    /// Waits until the first link is seen so.
    pub(crate) async fn until(&self, seen: impl Fn(&LinkStatus) -> bool) -> LinkStatus {
        let looking = async {
            let mut looks = tokio::time::interval(Duration::from_millis(1));
            loop {
                looks.tick().await;
                let status = self.status();
                if seen(&status) {
                    return status;
                }
            }
        };
        let found = timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("never seen; it is {:?}", self.status()))
    }

    /// Waits until all links are seen so.
    pub(crate) async fn until_all(&self, seen: impl Fn(&[LinkStatus]) -> bool) {
        self.until(|_| seen(&self.links.status())).await;
    }

    /// Waits until all tasks have ended.
    pub(crate) async fn ended(&self) {
        timeout(PATIENCE, self.tracker.wait()).await.expect("a task goes on");
    }
}

pub(crate) fn settings(port: u16) -> LinkSettings {
    let numbering = model::Numbering::new("86", "0", "00");
    let smsc = SmscName("smsc1".into());
    LinkSettings {
        window: 10,
        enquire_interval: Duration::from_secs(60),
        enquire_timeout: Duration::from_secs(60),
        response_timeout: Duration::from_secs(60),
        bind_timeout: Duration::from_secs(10),
        reconnect_min: Duration::from_millis(2),
        reconnect_max: Duration::from_millis(20),
        refused_wait: Duration::from_millis(50),
        ..LinkSettings::new(smsc, "127.0.0.1", port, "afterring", Secret::new("secret".into()), numbering)
    }
}

pub(crate) fn order(alert: i64, text: &str) -> Submit {
    Submit {
        alert: AlertId(alert),
        attempt: 1,
        kind: Kind::Detail,
        source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
        destination: Msisdn::international("8613800000001").unwrap(),
        text: text.to_owned(),
        validity: Duration::from_secs(3_600),
        avoid: None,
    }
}

pub(crate) fn accepted(ids: &[&str]) -> SubmitOutcome {
    accepted_by("smsc1", ids)
}

pub(crate) fn accepted_by(smsc: &str, ids: &[&str]) -> SubmitOutcome {
    let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    SubmitOutcome::Accepted { smsc: SmscName(smsc.into()), message_ids }
}

/// The body of a `deliver_sm`.
pub(crate) fn delivery(source: &str, esm_class: u8, text: &[u8]) -> Vec<u8> {
    let mut body = b"\0\x01\x01".to_vec();
    body.extend(source.as_bytes());
    body.extend(b"\0\x03\x0012599\0");
    body.extend([esm_class, 0, 0, 0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()]);
    body.extend(text);
    body
}

/// `short_message` of a submit from 12599 to 8613800000001 that has a validity.
pub(crate) fn message(submit: &Pdu) -> (u8, &[u8]) {
    let class_at = 1 + 2 + 6 + 2 + 14;
    let length_at = class_at + 3 + 1 + 17 + 4;
    let text = &submit.body[length_at + 1..];
    assert_eq!(text.len(), usize::from(submit.body[length_at]));
    (submit.body[class_at], text)
}

/// Polls once, without giving any other task a turn.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
