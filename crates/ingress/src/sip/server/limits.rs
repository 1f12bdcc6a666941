//! What a peer may have: new calls a second, and calls that wait for the store at one time; and how often strangers are answered.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use crate::sip::settings::Peer;

/// How often strangers over UDP are told that they are no peers, all of them together: enough to find a wrong setting, too little
/// for whoever sends with another's source address.
const STRANGERS_A_SECOND: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The limits of all peers, and what is used of them.
#[derive(Debug)]
pub(super) struct Limits {
    peers: Vec<PeerLimits>,
    strangers: Pace,
}

#[derive(Debug)]
struct PeerLimits {
    pace: Option<Pace>,
    concurrent: usize,
    waiting: usize,
}

impl Limits {
    pub(super) fn new(peers: &[Peer]) -> Self {
        let peers = peers.iter().map(|peer| PeerLimits {
            pace: peer.rate.map(Pace::new),
            concurrent: peer.concurrent.map_or(usize::MAX, |most| usize::try_from(most.get()).unwrap_or(usize::MAX)),
            waiting: 0,
        });
        Self { peers: peers.collect(), strangers: Pace::new(STRANGERS_A_SECOND) }
    }

    /// Whether a peer may offer a new call now. One that may counts towards its rate; [`Limits::wait`] says that it waits for the store.
    pub(super) fn admit(&mut self, peer: usize, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(peer) else { return false };
        peer.waiting < peer.concurrent && peer.pace.as_mut().is_none_or(|pace| pace.take(now))
    }

    /// A call of this peer waits for the store; says how many do.
    pub(super) fn wait(&mut self, peer: usize) -> usize {
        let Some(peer) = self.peers.get_mut(peer) else { return 0 };
        peer.waiting += 1;
        peer.waiting
    }

    /// A call of this peer waits no more; says how many still do.
    pub(super) fn end_wait(&mut self, peer: usize) -> usize {
        let Some(peer) = self.peers.get_mut(peer) else { return 0 };
        peer.waiting = peer.waiting.saturating_sub(1);
        peer.waiting
    }

    /// Calls of this peer that wait for the store, where there are others that it might keep waiting.
    pub(super) fn share_of_waiting(&self, peer: usize) -> usize {
        let own = self.peers.get(peer).filter(|_| self.peers.len() > 1);
        own.map_or(0, |peer| peer.waiting)
    }

    /// Whether a stranger is answered now.
    pub(super) fn answers_stranger(&mut self, now: Instant) -> bool {
        self.strangers.take(now)
    }
}

/// A rate with a second's worth of burst: a token bucket, kept as the time at which it is full again.
#[derive(Debug)]
struct Pace {
    /// What one token costs.
    cost: Duration,
    full_at: Option<Instant>,
}

impl Pace {
    fn new(a_second: NonZeroU32) -> Self {
        Self { cost: Duration::from_secs(1) / a_second.get(), full_at: None }
    }

    /// Takes a token, where there is one.
    fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.cost;
        let has_one = full_at.duration_since(now) <= Duration::from_secs(1);
        if has_one {
            self.full_at = Some(full_at);
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::SipSettings;
    use model::Numbering;

    fn limits(rate: Option<u32>, concurrent: Option<u32>) -> Limits {
        let numbering = Numbering::new("45", "", "00");
        let mut peers = SipSettings::new(numbering).peers;
        peers[0].rate = rate.and_then(NonZeroU32::new);
        peers[0].concurrent = concurrent.and_then(NonZeroU32::new);
        Limits::new(&peers)
    }

    #[test]
    fn a_rate_has_a_second_of_burst_and_then_its_pace() {
        let start = Instant::now();
        for rate in [1, 2, 7, 1_000] {
            let mut limits = limits(Some(rate), None);
            let mut admitted = |millis| {
                let now = start + Duration::from_millis(millis);
                u32::try_from((0..3_000).filter(|_| limits.admit(0, now)).count()).unwrap()
            };
            assert_eq!(admitted(0), rate, "a burst");
            assert_eq!(admitted(0), 0);
            let later: u32 = (1..=10).map(|tenth| admitted(tenth * 100)).sum();
            assert_eq!(later, rate, "one second's worth in one second");
            assert_eq!(admitted(100_000), rate, "silence saves no more than a burst");
        }
    }

    #[test]
    fn no_limit_is_no_limit() {
        let mut limits = limits(None, None);
        let now = Instant::now();
        for _ in 0..100_000 {
            assert!(limits.admit(0, now));
            limits.wait(0);
        }
        assert!(!limits.admit(1, now), "there is no such peer");
    }

    #[test]
    fn only_so_many_calls_wait_at_one_time() {
        let mut limits = limits(None, Some(2));
        let now = Instant::now();
        assert!(limits.admit(0, now));
        assert_eq!(limits.wait(0), 1);
        assert!(limits.admit(0, now));
        assert_eq!(limits.wait(0), 2);
        assert!(!limits.admit(0, now));
        assert_eq!(limits.end_wait(0), 1);
        assert!(limits.admit(0, now));
    }

    #[test]
    fn strangers_are_answered_ten_times_a_second_altogether() {
        let mut limits = limits(None, None);
        let now = Instant::now();
        assert_eq!((0..1_000).filter(|_| limits.answers_stranger(now)).count(), 10);
    }
}
