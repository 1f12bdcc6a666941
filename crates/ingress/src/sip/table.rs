//! The transactions that are alive, by what names them, with their deadlines (RFC 3261 §17.2.3); bounded in number and octets.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use model::Msisdn;
use tokio::time::Instant;

use super::envelope::Envelope;
use super::line::{Line, Route};
use super::message::Message;
use super::transaction::{Event, Notable, State, Timers};

/// Octets of names and responses for each transaction that may be kept. Real ones have some 800 until the ACK, and 200 after it.
const HELD_EACH: usize = 1024;

/// What every branch made by RFC 3261 begins with (§8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";

/// What names a transaction; cheap to copy. The peer is a part of it: nobody repeats, acknowledges or cancels another's call.
///
/// So are Call-ID and CSeq, which RFC 3261 §17.2.3 leaves out: repeats, ACK and CANCEL have those of their request anyhow, and some
/// stateless proxies and pings write the same branch into every request, so that a second call would pass for a repeat of the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(Arc<[u8]>);

/// What names a call whatever way it came: From tag, Call-ID, CSeq (RFC 3261 §8.2.2.2), and who missed it: whoever rings a group is
/// missed by each of its members, whose forwardings differ in nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Way(Arc<[u8]>);

impl Key {
    /// The transaction that a request belongs to; an ACK belongs to its INVITE.
    pub(super) fn of(peer: usize, message: &Message, envelope: &Envelope<'_>) -> Self {
        let method = if envelope.method == b"ACK" { b"INVITE" } else { envelope.method };
        Self::with_method(peer, message, envelope, method)
    }

    /// The INVITE that a CANCEL is about (RFC 3261 §9.2).
    pub(super) fn cancelled_by(peer: usize, message: &Message, envelope: &Envelope<'_>) -> Self {
        Self::with_method(peer, message, envelope, b"INVITE")
    }

    fn with_method(peer: usize, message: &Message, envelope: &Envelope<'_>, method: &[u8]) -> Self {
        let via = &envelope.via;
        let peer = peer.to_be_bytes();
        let host = via.host.to_ascii_lowercase();
        let port = via.port.map(u16::to_be_bytes).unwrap_or_default();
        let number = envelope.cseq.to_be_bytes();
        match via.branch.filter(|branch| branch.len() > COOKIE.len() && starts_with_cookie(branch)) {
            Some(branch) => Self(joined(&[b"3261", &peer, branch, &host, &port, envelope.call_id, &number, method])),
            // RFC 2543 had no branch: everything that an ACK and a repeat have in common with the INVITE.
            None => {
                let from_tag = envelope.from_tag.unwrap_or_default();
                let parts = [message.uri(), from_tag, envelope.call_id, &number, via.entry, method];
                Self(joined(&[&[b"2543", &peer[..]], &parts[..]].concat()))
            }
        }
    }
}

impl Way {
    pub(super) fn of(envelope: &Envelope<'_>, called: Msisdn) -> Self {
        let (number, called) = (envelope.cseq.to_be_bytes(), called.as_u64().to_be_bytes());
        Self(joined(&[envelope.from_tag.unwrap_or_default(), envelope.call_id, &number, &called]))
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

/// A transaction that is kept.
struct Entry {
    state: State,
    /// Where responses go; `None` once the connection is closed that the request came by.
    route: Option<Route>,
    peer: usize,
    way: Option<Way>,
    held: usize,
}

/// What an event made of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) send: Option<Bytes>,
    /// Where to; `None`: nowhere any more.
    pub(super) route: Option<Route>,
    pub(super) peer: usize,
    pub(super) notable: Option<Notable>,
}

/// All transactions of the door.
pub(super) struct Table {
    timers: Timers,
    most: usize,
    entries: HashMap<Key, Entry>,
    ways: HashMap<Way, Key>,
    /// The deadline of each transaction that has one.
    deadlines: BTreeSet<(Instant, Key)>,
    /// The transactions whose responses go to a connection.
    connections: HashMap<u64, HashSet<Key>>,
    /// What each peer has of it.
    shares: Vec<Share>,
    held: usize,
    open: usize,
}

/// What a peer has of the table.
#[derive(Debug, Clone, Default)]
struct Share {
    entries: usize,
    held: usize,
}

impl Table {
    /// A table for so many peers that keeps this many transactions at most.
    pub(super) fn new(timers: Timers, most: usize, peers: usize) -> Self {
        let (entries, ways, deadlines, connections) = (HashMap::new(), HashMap::new(), BTreeSet::new(), HashMap::new());
        let shares = vec![Share::default(); peers];
        Self { timers, most, entries, ways, deadlines, connections, shares, held: 0, open: 0 }
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.entries.contains_key(key)
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the same call came by another way and is stored. One that is being stored may yet fail, and its peer may have given that
    /// way up: so every way is tried, and the store knows the call by its id.
    pub(super) fn is_merged(&self, way: &Way) -> bool {
        let first = self.ways.get(way).and_then(|key| self.entries.get(key));
        first.is_some_and(|first| !matches!(first.state, State::Proceeding(_)))
    }

    /// Whether no call of a peer can be kept any more: one of several may have half of the table, so that it can't shut out the others.
    pub(super) fn is_full_for(&self, peer: usize) -> bool {
        let takes =
            |entries: usize, held: usize, most: usize| entries >= most || held >= most.saturating_mul(HELD_EACH);
        let own = self.shares.get(peer).filter(|_| self.shares.len() > 1);
        takes(self.entries.len(), self.held, self.most)
            || own.is_some_and(|own| takes(own.entries, own.held, self.most / 2))
    }

    /// Whether there is room for what can be answered the same without being kept: half of the table is for calls.
    pub(super) fn has_room_to_spare(&self) -> bool {
        self.entries.len() < self.most / 2 && self.held < self.most.saturating_mul(HELD_EACH / 2)
    }

    /// Whether nothing waits for the store or for an ACK.
    pub(super) const fn is_idle(&self) -> bool {
        self.open == 0
    }

    pub(super) fn insert(&mut self, key: Key, peer: usize, way: Option<Way>, state: State, route: Route) {
        let names = key.0.len() + way.as_ref().map_or(0, |way| way.0.len());
        let held = names + state.held();
        if let Some(way) = &way {
            self.ways.insert(way.clone(), key.clone());
        }
        self.keep(key, Entry { state, route: Some(route), peer, way, held });
    }

    /// Gives a transaction an event; whatever it doesn't know is passed over.
    pub(super) fn apply(&mut self, key: &Key, event: &Event, now: Instant) -> Option<Applied> {
        let entry = self.take(key)?;
        Some(self.step(key, entry, event, now))
    }

    /// The request came again, and is answered where it came from now.
    pub(super) fn repeat(&mut self, key: &Key, route: Route, now: Instant) -> Option<Applied> {
        let entry = self.take(key)?;
        Some(self.step(key, Entry { route: Some(route), ..entry }, &Event::Repeat, now))
    }

    fn step(&mut self, key: &Key, entry: Entry, event: &Event, now: Instant) -> Applied {
        let Entry { state, route, peer, way, held } = entry;
        let names = held - state.held();
        // Where there is no line any more, the first one's kind is as good as the other: what is sent next is the last.
        let line = route.map_or(Line::Connection(0), |route| route.line);
        let step = state.on(event, now, self.timers.on(line));
        // Nobody is there to acknowledge what could not be sent, and a repeat by another connection is known to the store.
        let ends = route.is_none() && matches!(event, Event::Final(_));
        match step.state.filter(|_| !ends) {
            Some(state) => {
                let held = names + state.held();
                self.keep(key.clone(), Entry { state, route, peer, way, held });
            }
            None => self.forget_way(key, way.as_ref()),
        }
        let missed = route.is_none() && matches!(event, Event::Tick);
        Applied { send: step.send.filter(|_| !missed), route, peer, notable: step.notable }
    }

    /// Lets go of what only a connection's other end could have acknowledged; calls that are being stored go on.
    pub(super) fn close(&mut self, connection: u64) {
        for key in self.connections.remove(&connection).unwrap_or_default() {
            let Some(entry) = self.take(&key) else { continue };
            self.forget_way(&key, entry.way.as_ref());
            match &entry.state {
                State::Proceeding(_) => self.keep(key, Entry { route: None, way: None, ..entry }),
                State::Completed(_) | State::Confirmed { .. } | State::Answered { .. } => {}
            }
        }
    }

    fn keep(&mut self, key: Key, entry: Entry) {
        self.held += entry.held;
        self.open += usize::from(entry.state.is_open());
        if let Some(share) = self.shares.get_mut(entry.peer) {
            *share = Share { entries: share.entries + 1, held: share.held + entry.held };
        }
        if let Some(at) = entry.state.deadline() {
            self.deadlines.insert((at, key.clone()));
        }
        if let Some(Line::Connection(number)) = entry.route.map(|route| route.line) {
            self.connections.entry(number).or_default().insert(key.clone());
        }
        self.entries.insert(key, entry);
    }

    fn take(&mut self, key: &Key) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.held -= entry.held;
        self.open -= usize::from(entry.state.is_open());
        if let Some(share) = self.shares.get_mut(entry.peer) {
            *share = Share { entries: share.entries - 1, held: share.held - entry.held };
        }
        let line = entry.route.map(|route| route.line);
        if let Some(Line::Connection(number)) = line
            && let Some(keys) = self.connections.get_mut(&number)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.connections.remove(&number);
            }
        }
        if let Some(at) = entry.state.deadline() {
            self.deadlines.remove(&(at, key));
        }
        Some(entry)
    }

    /// Lets the same request come by another way: after a 503 the peer is asked to try again.
    pub(super) fn allow_again(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let Some(way) = entry.way.take() else { return };
        entry.held -= way.0.len();
        self.held -= way.0.len();
        if let Some(share) = self.shares.get_mut(entry.peer) {
            share.held -= way.0.len();
        }
        self.forget_way(key, Some(&way));
    }

    /// Lets a transaction go.
    pub(super) fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.take(key) {
            self.forget_way(key, entry.way.as_ref());
        }
    }

    fn forget_way(&mut self, key: &Key, way: Option<&Way>) {
        if let Some(way) = way.filter(|way| self.ways.get(way) == Some(key)) {
            self.ways.remove(way);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A transaction whose time has come; a [`Event::Tick`] moves its deadline on.
    pub(super) fn due(&self, now: Instant) -> Option<Key> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }
}

#[cfg(test)]
impl Table {
    /// Whether nothing is left of anything.
    pub(super) fn is_empty(&self) -> bool {
        let Self { timers: _, most: _, entries, ways, deadlines, connections, shares, held, open } = self;
        let lists = entries.is_empty() && ways.is_empty() && deadlines.is_empty() && connections.is_empty();
        lists && (*held, *open) == (0, 0) && shares.iter().all(|share| (share.entries, share.held) == (0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        let message = Message::parse(Bytes::from(text.to_owned())).unwrap();
        let envelope = message.envelope().unwrap();
        Key::of(0, &message, &envelope)
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

    const NOBODY: &str = "192.0.2.1:5060";

    fn route(line: Line) -> Route {
        Route { line, to: NOBODY.parse().unwrap() }
    }

    /// Puts so many more calls of the first peer into the table.
    fn filled(table: &mut Table, calls: usize, line: Line, now: Instant) {
        let called = Msisdn::international("4530405060").unwrap();
        for call in table.len()..table.len() + calls {
            let text = request("INVITE", &format!("h;branch=z9hG4bK{call}"), "");
            let message = Message::parse(Bytes::from(text)).unwrap();
            let envelope = message.envelope().unwrap();
            let state = State::completed(Bytes::from(vec![b'x'; 600]), now, table.timers.on(line));
            table.insert(Key::of(0, &message, &envelope), 0, Some(Way::of(&envelope, called)), state, route(line));
        }
    }

    fn emptied(table: &mut Table) -> (usize, Instant) {
        let (mut sent, mut end) = (0, Instant::now());
        while let Some(at) = table.deadline() {
            while let Some(key) = table.due(at) {
                sent += usize::from(table.apply(&key, &Event::Tick, at).unwrap().send.is_some());
            }
            end = at;
        }
        assert!(table.is_empty());
        (sent, end)
    }

    #[test]
    fn everything_held_is_given_back_in_the_end() {
        let (now, timers) = (Instant::now(), Timers::default());
        for (line, repeats) in [(Line::Datagrams(0), 10), (Line::Connection(3), 0)] {
            let mut table = Table::new(timers, 100, 1);
            filled(&mut table, 50, line, now);
            assert_eq!((table.entries.len(), table.ways.len(), table.deadlines.len()), (50, 1, 50));
            assert!(table.held >= 50 * 600 && !table.is_idle());
            let acked = key(&request("ACK", "h;branch=z9hG4bK7", ";tag=t"));
            assert_eq!(table.apply(&acked, &Event::Ack, now).unwrap().send, None);
            assert_eq!(table.holds(&acked), !line.is_reliable(), "I is zero on a connection");
            let (sent, end) = emptied(&mut table);
            assert_eq!((sent, end), (49 * repeats, now + timers.t1 * 64), "timers G and H, for all but one");
        }
    }

    #[test]
    fn a_table_is_full_by_number_and_by_octets() {
        let (now, line) = (Instant::now(), Line::Datagrams(0));
        let mut table = Table::new(Timers::default(), 10, 1);
        filled(&mut table, 5, line, now);
        assert_eq!((table.is_full_for(0), table.has_room_to_spare()), (false, false));
        filled(&mut table, 5, line, now);
        assert!(table.is_full_for(0));
        let mut table = Table::new(Timers::default(), 10, 1);
        let text = request("INVITE", "h;branch=z9hG4bKx", "");
        let message = Message::parse(Bytes::from(text)).unwrap();
        let envelope = message.envelope().unwrap();
        let state = State::completed(Bytes::from(vec![b'x'; 10 * HELD_EACH]), now, table.timers.on(line));
        table.insert(Key::of(0, &message, &envelope), 0, None, state, route(line));
        assert!(table.is_full_for(0));
    }

    #[test]
    fn one_of_several_peers_may_have_half_of_the_table() {
        let (now, line) = (Instant::now(), Line::Datagrams(0));
        let mut table = Table::new(Timers::default(), 10, 2);
        filled(&mut table, 4, line, now);
        assert_eq!((table.is_full_for(0), table.is_full_for(1)), (false, false));
        filled(&mut table, 1, line, now);
        assert_eq!((table.is_full_for(0), table.is_full_for(1)), (true, false));
        emptied(&mut table);
        assert!(!table.is_full_for(0));
    }

    #[test]
    fn a_closed_connection_frees_what_it_held() {
        let now = Instant::now();
        let mut table = Table::new(Timers::default(), 100, 1);
        filled(&mut table, 5, Line::Connection(3), now);
        table.close(4);
        assert_eq!(table.len(), 5);
        table.close(3);
        assert!(table.is_empty());
    }
}
