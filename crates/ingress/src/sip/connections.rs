//! The connections of the door: how many there may be, which response goes to which, and how they end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;

use super::connection::{Burst, End, Patience, Ties, serve};
use super::listener::Accepted;
use super::log_pace::{LINES, LogPace};
use super::meter::{Ended, Meter};
use super::settings::{SipSettings, Transport};

/// Bursts that may wait for the server, of all connections together; then they read no more, and TCP holds their peers back.
const BURSTS: usize = 64;

/// Bursts that are taken in one turn.
const TURN: usize = 16;

/// Responses that may wait for a connection: as many as one that is quick may get at once; one that has more of them waiting is not taking them.
const RESPONSES: usize = 8_192;

/// The part of [`super::Limits::idle`] after which a connection makes room for another of its peer: one whose end was never heard of would shut
/// the peer out until then.
const QUIET: u32 = 10;

/// How long connections have to say goodbye when the door ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection that lives.
struct Live {
    peer: usize,
    source: SocketAddr,
    transport: Transport,
    /// `None` once it is to write what it was given, and end.
    responses: Option<mpsc::Sender<Bytes>>,
    task: AbortHandle,
    /// When its last message came, or it began.
    heard: Instant,
    /// Why it is to end, where we decided that.
    parting: Option<Ended>,
}

/// All connections over TCP and TLS.
pub(super) struct Connections {
    settings: Arc<SipSettings>,
    meter: Arc<Meter>,
    live: HashMap<u64, Live>,
    /// How many each peer has.
    of_peer: Vec<usize>,
    tasks: JoinSet<End>,
    last: u64,
    bursts: mpsc::Sender<Burst>,
    arrived: mpsc::Receiver<Burst>,
    pace: LogPace,
}

impl Connections {
    pub(super) fn new(settings: Arc<SipSettings>, meter: Arc<Meter>) -> Self {
        let (bursts, arrived) = mpsc::channel(BURSTS);
        let of_peer = vec![0; settings.peers.len()];
        let (live, tasks, pace) = (HashMap::new(), JoinSet::new(), LogPace::new(LINES));
        Self { settings, meter, live, of_peer, tasks, last: 0, bursts, arrived, pace }
    }

    /// Lets a connection live, unless there are too many.
    pub(super) fn open(&mut self, accepted: Accepted) {
        let (peer, source, transport) = (accepted.peer, accepted.source, accepted.transport());
        if let Some(detail) = self.lacks_room(peer).filter(|_| !self.make_room(peer)) {
            self.meter.ended(Ended::Limit);
            return self.log(Ended::Limit, peer, source, transport, detail);
        }
        self.last += 1;
        let connection = self.last;
        let (responses, to_write) = mpsc::channel(RESPONSES);
        let ties = Ties { connection, bursts: self.bursts.clone(), responses: to_write };
        let task = self.tasks.spawn(serve(accepted, ties, self.patience()));
        let live =
            Live { peer, source, transport, responses: Some(responses), task, heard: Instant::now(), parting: None };
        self.live.insert(connection, live);
        self.count(peer, |connections| connections + 1);
        self.meter.connected(transport);
        tracing::debug!(peer = self.name(peer), %source, transport = transport.as_str(), "a SIP connection begins");
    }

    /// What there is too much of for another connection of a peer.
    fn lacks_room(&self, peer: usize) -> Option<&'static str> {
        let most = self.settings.peers.get(peer).map_or(0, |peer| peer.connections);
        if self.of_peer.get(peer).is_none_or(|connections| *connections >= most) {
            return Some("the peer has as many as it may");
        }
        let all = self.of_peer.iter().sum::<usize>();
        (all >= self.settings.limits.connections).then_some("there are too many of all peers")
    }

    /// Lets the peer's quietest connection end, if it has been quiet for long; whether it had one.
    fn make_room(&mut self, peer: usize) -> bool {
        let quiet = self.settings.limits.idle / QUIET;
        let own = self.live.values_mut().filter(|live| live.peer == peer && live.parting.is_none());
        let Some(live) = own.min_by_key(|live| live.heard).filter(|live| live.heard.elapsed() >= quiet) else {
            return false;
        };
        live.parting = Some(Ended::Displaced);
        // It writes what it was given, and ends.
        live.responses = None;
        self.count(peer, |connections| connections - 1);
        true
    }

    fn patience(&self) -> Patience {
        let SipSettings { limits, answer_timeout, .. } = &*self.settings;
        Patience { idle: limits.idle, stall: limits.stall, answers: *answer_timeout + FAREWELL }
    }

    /// Waits for messages, of which it takes some bursts, or for the end of a connection. The last messages of that one are to be
    /// taken by [`Connections::take_arrived`] before [`Connections::close`] is told of it.
    pub(super) async fn next(&mut self, bursts: &mut Vec<Burst>) -> Option<Result<End, JoinError>> {
        let end = tokio::select! {
            _ = self.arrived.recv_many(bursts, TURN) => None,
            Some(end) = self.tasks.join_next() => Some(end),
        };
        self.hear(bursts);
        end
    }

    fn hear(&mut self, bursts: &[Burst]) {
        let now = Instant::now();
        for burst in bursts {
            if let Some(live) = self.live.get_mut(&burst.connection) {
                live.heard = now;
            }
        }
    }

    /// Gives a response to a connection; whether it takes it.
    pub(super) fn send(&mut self, connection: u64, response: Bytes) -> bool {
        let Some(live) = self.live.get_mut(&connection) else { return false };
        let Some(responses) = &live.responses else { return false };
        match responses.try_send(response) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.give_up(connection);
                self.meter.unsent(RESPONSES);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }

    fn give_up(&mut self, connection: u64) {
        let Some(live) = self.live.get_mut(&connection) else { return };
        live.parting = Some(Ended::Slow);
        live.responses = None;
        live.task.abort();
        let peer = live.peer;
        self.count(peer, |connections| connections - 1);
    }

    /// Takes what has come meanwhile.
    pub(super) fn take_arrived(&mut self, bursts: &mut Vec<Burst>) {
        while bursts.len() < BURSTS
            && let Ok(burst) = self.arrived.try_recv()
        {
            bursts.push(burst);
        }
        self.hear(bursts);
    }

    /// Forgets a connection that has ended: which one.
    pub(super) fn close(&mut self, end: Result<End, JoinError>) -> Option<u64> {
        let end = end.or_else(|error| self.end_of_task(&error)).ok()?;
        let live = self.live.remove(&end.connection)?;
        // One that was told to part makes room from then on.
        if live.parting.is_none() {
            self.count(live.peer, |connections| connections - 1);
        }
        let why = live.parting.unwrap_or(end.why);
        self.meter.disconnected(live.transport);
        self.meter.ended(why);
        self.meter.unsent(end.unsent);
        self.log(why, live.peer, live.source, live.transport, &end.detail);
        Some(end.connection)
    }

    /// The end of a connection that couldn't say why: it was given up, or there is a bug in it.
    fn end_of_task(&self, error: &JoinError) -> Result<End, ()> {
        let found = self.live.iter().find(|(_, live)| live.task.id() == error.id());
        let (connection, live) = found.ok_or(())?;
        let detail = if live.parting == Some(Ended::Slow) {
            "too many responses wait for it".to_owned()
        } else {
            tracing::error!(%error, "a SIP connection came to grief");
            error.to_string()
        };
        Ok(End { connection: *connection, why: Ended::Peer, detail, unsent: 0 })
    }

    /// Closes every connection once it has written what it was given.
    pub(super) async fn close_all(mut self) {
        // A connection whose responses are closed takes what is there, and ends.
        for live in self.live.values_mut() {
            live.responses = None;
        }
        let ended = async {
            while let Some(end) = self.tasks.join_next().await {
                self.close(end);
            }
        };
        let _ = tokio::time::timeout(FAREWELL, ended).await;
        for live in self.live.values() {
            self.meter.disconnected(live.transport);
            self.meter.ended(Ended::Draining);
        }
    }

    fn count(&mut self, peer: usize, change: impl FnOnce(usize) -> usize) {
        if let Some(connections) = self.of_peer.get_mut(peer) {
            *connections = change(*connections);
        }
    }

    fn name(&self, peer: usize) -> &str {
        self.settings.peers.get(peer).map_or("", |peer| &peer.name)
    }

    fn log(&mut self, why: Ended, peer: usize, source: SocketAddr, transport: Transport, detail: &str) {
        let Some(left_out) = self.pace.admit(Instant::now()) else { return };
        let (peer, transport, why) = (self.name(peer), transport.as_str(), why.as_str());
        tracing::info!(peer, %source, transport, why, detail, left_out, "a SIP connection ended");
    }
}
