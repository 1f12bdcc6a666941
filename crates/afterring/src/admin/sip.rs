//! What operators see of the SIP door.

use std::sync::Arc;

use console::{Check, Found, SipPeerView, SipView};
use ingress::sip::{Listen, Meter, PeerStatus};

use super::link::answers;

/// The door as it is watched.
#[derive(Debug)]
pub struct SipDoor {
    /// Where it listens.
    pub listens: Vec<Listen>,
    /// What it counts.
    pub meter: Arc<Meter>,
}

/// The door in `/v1/status`.
pub(super) fn view(door: &SipDoor) -> SipView {
    let status = door.meter.snapshot();
    let peer = |peer: &PeerStatus| SipPeerView {
        name: peer.name.clone(),
        waiting: peer.waiting,
        counts: peer.results.iter().map(|(result, count)| (result.as_str(), *count)).collect(),
    };
    SipView {
        listens: door.listens.iter().map(ToString::to_string).collect(),
        peers: status.peers.iter().map(peer).collect(),
        connections: status.connections.iter().map(|(transport, open)| (transport.as_str(), *open)).collect(),
        transactions: status.transactions,
        unacknowledged: status.unacknowledged,
        strangers: status.strangers,
        answers: answers(status.answer_seconds.bounds, &status.answer_seconds.counts),
    }
}

/// The door among the checks of `/readyz?verbose`. It listens or the gateway ends, so it never makes the gateway unready by itself.
pub(super) fn check(door: &SipDoor) -> Check {
    let status = door.meter.snapshot();
    let listens: Vec<String> = door.listens.iter().map(ToString::to_string).collect();
    let mut detail = format!("listens on {}", listens.join(", "));
    let open: u64 = status.connections.iter().map(|(_, open)| open).sum();
    if open > 0 {
        detail = format!("{detail}; {open} connections are open");
    }
    for peer in &status.peers {
        detail = format!("{detail}; {}", of_peer(peer));
    }
    if status.strangers > 0 {
        detail = format!("{detail}; {} times somebody sent who is no peer", status.strangers);
    }
    Check { name: "sip", ok: true, degraded: false, found: Found::Terms(detail) }
}

/// What a peer sent: `msc: 120 calls accepted, 3 refused`.
fn of_peer(peer: &PeerStatus) -> String {
    let happened = peer.results.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = happened.map(|(result, count)| format!("{count} {}", result.as_str())).collect();
    if told.is_empty() {
        format!("{}: no calls yet", peer.name)
    } else {
        format!("{}: calls {}", peer.name, told.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use ingress::sip::{SipSettings, Transport};
    use model::Numbering;

    use super::*;

    #[test]
    fn the_door_says_where_it_listens_and_what_peers_sent() {
        let numbering = Numbering::new("45", "", "00");
        let listens = vec![Listen { transport: Transport::Udp, address: "127.0.0.1:5060".parse().unwrap() }];
        let door = SipDoor { listens, meter: Arc::new(Meter::new(&SipSettings::new(numbering))) };
        let check = check(&door);
        assert_eq!((check.name, check.ok), ("sip", true));
        assert_eq!(check.found, Found::Terms("listens on udp://127.0.0.1:5060; local: no calls yet".to_owned()));
        let view = view(&door);
        assert_eq!(
            (view.listens, view.peers[0].counts["accepted"], view.answers),
            (vec!["udp://127.0.0.1:5060".to_owned()], 0, None)
        );
        let calls = PeerStatus {
            results: ingress::sip::CallResult::ALL.into_iter().zip([120, 0, 3]).collect(),
            ..door.meter.snapshot().peers.remove(0)
        };
        assert_eq!(of_peer(&calls), "local: calls 120 accepted, 3 refused");
    }
}
