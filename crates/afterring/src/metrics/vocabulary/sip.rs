//! What is counted of the SIP door beside calls and refusals.

use super::Definition;

pub(in crate::metrics) const SIP_CALLS: Definition = Definition {
    name: "sip_calls",
    kind: "counter",
    labels: "peer, result",
    help: "INVITEs by peer and by what became of them: accepted, duplicate (known before), refused (for what it says), limited (over the peer's rate or \
           concurrency), busy (a queue or table was full), unavailable (not stored in time)",
    rise: "refused: afterring_refused_calls_total says why, afterring sip explain what to do; limited: raise rate= or concurrent= in sip.peers, or ask the \
           peer what it does; busy: more calls come than are taken; unavailable: the disk is slow, full or broken",
};
pub(in crate::metrics) const SIP_WAITING: Definition = Definition {
    name: "sip_waiting",
    kind: "gauge",
    labels: "peer",
    help: "Calls of the peer that wait for the journal, each with its release",
    rise: "the disk is slow: see afterring_journal_failing and afterring_sip_answer_seconds",
};
pub(in crate::metrics) const SIP_CALLED_FROM: Definition = Definition {
    name: "sip_called_from",
    kind: "counter",
    labels: "from",
    help: "Calls by where it was said who missed them (the words of called= in sip.peers)",
    rise: "to, called_party_id: a peer no longer says who forwarded, and the wrong person may be told; let it add Diversion or History-Info",
};
pub(in crate::metrics) const SIP_CONNECTIONS: Definition = Definition {
    name: "sip_connections",
    kind: "gauge",
    labels: "transport",
    help: "Open connections of SIP peers by transport (tcp, tls)",
    rise: "a peer opens one for each call, or doesn't close what it no longer uses: see sip.max_connections and sip.idle_timeout",
};
pub(in crate::metrics) const SIP_CONNECTIONS_ENDED: Definition = Definition {
    name: "sip_connections_ended",
    kind: "counter",
    labels: "why",
    help: "Connections of SIP peers that ended, by why: peer (it closed), idle, stalled (a message did not end), slow (it took no responses), unframed (what came \
           can't be cut into messages), handshake (TLS), limit (too many), displaced (as limit, but a \
           connection by which nothing had come for a tenth of sip.idle_timeout made room), not_a_peer, draining",
    rise: "stalled, slow: the network to the peer loses data; unframed: the peer sends a wrong Content-Length, or no SIP; handshake: certificates or \
           versions of TLS don't fit; limit, displaced: the peer does not close what it does not use; else raise connections= or sip.max_connections; not_a_peer: name its network in sip.peers",
};
pub(in crate::metrics) const SIP_TRANSACTIONS: Definition = Definition {
    name: "sip_transactions",
    kind: "gauge",
    labels: "",
    help: "SIP transactions that are remembered: each for 5 s after its ACK, for 32 s without one",
    rise: "at sip.max_transactions new calls get 503: raise it, or see afterring_sip_unacknowledged_total",
};
pub(in crate::metrics) const SIP_REPEATS: Definition = Definition {
    name: "sip_repeats",
    kind: "counter",
    labels: "",
    help: "Requests that came again over UDP, because their answer was lost or late; they make no second call",
    rise: "the network loses datagrams, or answers take longer than half a second: see afterring_sip_answer_seconds",
};
pub(in crate::metrics) const SIP_UNACKNOWLEDGED: Definition = Definition {
    name: "sip_unacknowledged",
    kind: "counter",
    labels: "",
    help: "Final answers to an INVITE for which no ACK came within 32 s; the calls are stored all the same",
    rise: "answers don't reach the peer (a NAT or firewall: try reply_to=source in sip.peers), or its ACK doesn't reach us",
};
pub(in crate::metrics) const SIP_CANCELLED: Definition = Definition {
    name: "sip_cancelled",
    kind: "counter",
    labels: "",
    help: "Calls whose caller hung up before they were released; they count as missed",
    rise: "answers take long: see afterring_sip_answer_seconds",
};
pub(in crate::metrics) const SIP_STRANGERS: Definition = Definition {
    name: "sip_strangers",
    kind: "counter",
    labels: "",
    help: "Datagrams and connections from nobody's network; nothing of them is read",
    rise: "somebody scans the network, or a switch got a new address: name it in sip.peers",
};
pub(in crate::metrics) const SIP_UNSENT: Definition = Definition {
    name: "sip_unsent",
    kind: "counter",
    labels: "",
    help: "Responses that could not be sent, because a connection had ended or the system refused; the calls are stored all the same",
    rise: "connections end before calls are answered: see afterring_sip_connections_ended_total",
};
pub(in crate::metrics) const SIP_ANSWER_SECONDS: Definition = Definition {
    name: "sip_answer_seconds",
    kind: "histogram",
    labels: "",
    help: "Seconds from an INVITE to its final response, of which most is the journal's sync to disk",
    rise: "the disk is slow or shared; above 0.2 s peers get 100 Trying first",
};
