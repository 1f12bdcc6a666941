//! The transactions that are alive, by what names them, with their deadlines (RFC 3261 §17.2.3); bounded in number and octets.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::envelope::Envelope;
use super::line::{Outgoing, Route};
use super::message::Message;
use super::transaction::{Event, State, Timers};

/// Most transactions at one time: one is kept for 5 s after its ACK, so this is 20,000 calls/s with room to spare.
const MAX_TRANSACTIONS: usize = 200_000;

/// Most octets of names and responses at one time. Real ones have some 600 octets each until the ACK, far below it.
const MAX_HELD: usize = 192 * 1024 * 1024;

/// What every branch made by RFC 3261 begins with (§8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";

/// What names a transaction; cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(Arc<[u8]>);

/// What names a request whatever way it came: From tag, Call-ID, CSeq (RFC 3261 §8.2.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Way(Arc<[u8]>);

impl Key {
    /// The transaction that a request belongs to; an ACK belongs to its INVITE.
    pub(super) fn of(message: &Message, envelope: &Envelope<'_>) -> Self {
        let method = if envelope.method == b"ACK" { b"INVITE" } else { envelope.method };
        Self::with_method(message, envelope, method)
    }

    /// The INVITE that a CANCEL is about (RFC 3261 §9.2).
    pub(super) fn cancelled_by(message: &Message, envelope: &Envelope<'_>) -> Self {
        Self::with_method(message, envelope, b"INVITE")
    }

    fn with_method(message: &Message, envelope: &Envelope<'_>, method: &[u8]) -> Self {
        let via = &envelope.via;
        let host = via.host.to_ascii_lowercase();
        let port = via.port.map(u16::to_be_bytes).unwrap_or_default();
        match via.branch.filter(|branch| branch.len() > COOKIE.len() && starts_with_cookie(branch)) {
            Some(branch) => Self(joined(&[b"3261", branch, &host, &port, method])),
            // RFC 2543 had no branch: everything that an ACK and a repeat have in common with the INVITE.
            None => {
                let (from_tag, number) = (envelope.from_tag.unwrap_or_default(), envelope.cseq.to_be_bytes());
                let parts = [b"2543", message.uri(), from_tag, envelope.call_id, &number, via.entry, method];
                Self(joined(&parts))
            }
        }
    }
}

impl Way {
    pub(super) fn of(envelope: &Envelope<'_>) -> Self {
        let number = envelope.cseq.to_be_bytes();
        Self(joined(&[envelope.from_tag.unwrap_or_default(), envelope.call_id, &number, envelope.method]))
    }
}

fn starts_with_cookie(branch: &[u8]) -> bool {
    branch.get(..COOKIE.len()).is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

/// Parts with their lengths, so that no two lists make the same name.
fn joined(parts: &[&[u8]]) -> Arc<[u8]> {
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        name.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        name.extend_from_slice(part);
    }
    name.into()
}

struct Entry {
    state: State,
    route: Route,
    way: Option<Way>,
    held: usize,
}

/// All transactions of one socket.
pub(super) struct Table {
    timers: Timers,
    entries: HashMap<Key, Entry>,
    ways: HashMap<Way, Key>,
    /// Deadlines, the next one on top; one that its transaction no longer has is passed over when it comes up.
    deadlines: BinaryHeap<Reverse<(Instant, Key)>>,
    held: usize,
}

impl Table {
    pub(super) fn new(timers: Timers) -> Self {
        let (entries, ways, deadlines) = (HashMap::new(), HashMap::new(), BinaryHeap::new());
        Self { timers, entries, ways, deadlines, held: 0 }
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// Whether the same request came by another way and is alive.
    pub(super) fn is_merged(&self, way: &Way) -> bool {
        self.ways.contains_key(way)
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_TRANSACTIONS || self.held >= MAX_HELD
    }

    /// Whether nothing waits for the store or for an ACK.
    pub(super) fn is_idle(&self) -> bool {
        !self.entries.values().any(|entry| matches!(entry.state, State::Proceeding { .. } | State::Completed { .. }))
    }

    pub(super) fn insert(&mut self, key: Key, way: Option<Way>, state: State, route: Route) {
        let names = key.0.len() + way.as_ref().map_or(0, |way| way.0.len());
        let held = names + state.held();
        self.held += held;
        if let Some(way) = &way {
            self.ways.insert(way.clone(), key.clone());
        }
        if let Some(at) = state.deadline() {
            self.deadlines.push(Reverse((at, key.clone())));
        }
        self.entries.insert(key, Entry { state, route, way, held });
    }

    /// Gives a transaction an event; whatever it doesn't know is passed over.
    pub(super) fn apply(&mut self, key: &Key, event: &Event, now: Instant) -> Option<Outgoing> {
        let entry = self.entries.remove(key)?;
        self.held -= entry.held;
        let (before, kept) = (entry.state.deadline(), entry.held - entry.state.held());
        let step = entry.state.on(event, now, self.timers);
        match step.state {
            Some(state) => {
                if let Some(at) = state.deadline().filter(|at| Some(*at) != before) {
                    self.deadlines.push(Reverse((at, key.clone())));
                }
                let held = kept + state.held();
                self.held += held;
                self.entries.insert(key.clone(), Entry { state, route: entry.route, way: entry.way, held });
            }
            None => self.forget_way(key, entry.way.as_ref()),
        }
        step.send.map(|bytes| Outgoing { route: entry.route, bytes })
    }

    /// Lets the same request come by another way: after a 503 the peer is asked to try again.
    pub(super) fn allow_again(&mut self, key: &Key) {
        let way = self.entries.get_mut(key).and_then(|entry| entry.way.take());
        self.forget_way(key, way.as_ref());
    }

    fn forget_way(&mut self, key: &Key, way: Option<&Way>) {
        if let Some(way) = way.filter(|way| self.ways.get(way) == Some(key)) {
            self.ways.remove(way);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one transaction whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Key> {
        loop {
            if self.deadline().is_none_or(|at| at > now) {
                return None;
            }
            let Reverse((at, key)) = self.deadlines.pop()?;
            if self.entries.get(&key).is_some_and(|entry| entry.state.deadline() == Some(at)) {
                return Some(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::line::Line;
    use bytes::Bytes;

    fn key(text: &str) -> Key {
        let message = Message::parse(Bytes::from(text.to_owned())).unwrap();
        let envelope = message.envelope().unwrap();
        Key::of(&message, &envelope)
    }

    fn request(method: &str, via: &str, to: &str) -> String {
        format!(
            "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:c@d>;tag=f\r\nTo: <sip:a@b>{to}\r\nCall-ID: i\r\nCSeq: 7 {method}\r\n\r\n"
        )
    }

    #[test]
    fn an_ack_belongs_to_its_invite_with_and_without_a_branch() {
        for via in ["h:5070;branch=z9hG4bKx", "h", "h;branch=1", "h;branch=z9hG4bK"] {
            let invite = key(&request("INVITE", via, ""));
            assert_eq!(invite, key(&request("ACK", via, ";tag=ours")), "{via}");
            assert_ne!(invite, key(&request("CANCEL", via, "")), "{via}");
        }
        let invite = key(&request("INVITE", "h:5070;branch=z9hG4bKx", ""));
        assert_eq!(invite, key(&request("INVITE", "H:5070;rport;branch=z9hG4bKx", "")));
        assert_ne!(invite, key(&request("INVITE", "h:5071;branch=z9hG4bKx", "")));
        assert_ne!(invite, key(&request("INVITE", "h:5070;branch=z9hG4bKy", "")));
    }

    #[test]
    fn everything_held_is_given_back_in_the_end() {
        let (now, timers) = (Instant::now(), Timers::default());
        let mut table = Table::new(timers);
        let route = Route { line: Line::Datagrams(0), to: "192.0.2.1:5060".parse().unwrap() };
        for call in 0..50 {
            let text = request("INVITE", &format!("h;branch=z9hG4bK{call}"), "");
            let message = Message::parse(Bytes::from(text)).unwrap();
            let envelope = message.envelope().unwrap();
            let state = State::completed(Bytes::from(vec![b'x'; 600]), now, timers);
            table.insert(Key::of(&message, &envelope), Some(Way::of(&envelope)), state, route);
        }
        assert_eq!((table.entries.len(), table.ways.len()), (50, 1));
        assert!(table.held >= 50 * 600 && !table.is_idle());
        let acked = key(&request("ACK", "h;branch=z9hG4bK7", ";tag=t"));
        assert_eq!(table.apply(&acked, &Event::Ack, now), None);
        let end = now + timers.t1 * 64;
        let mut sent = 0;
        while let Some(at) = table.deadline() {
            while let Some(key) = table.due(at) {
                sent += usize::from(table.apply(&key, &Event::Tick, at).is_some());
            }
            assert!(at <= end);
        }
        assert_eq!(sent, 49 * 10, "timer G, for all but the one acknowledged");
        assert_eq!((table.entries.len(), table.ways.len(), table.deadlines.len(), table.held), (0, 0, 0, 0));
    }
}
