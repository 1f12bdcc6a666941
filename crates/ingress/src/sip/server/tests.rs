//! What the server does with requests on both kinds of lines, with limits, and while it stops.

use std::num::NonZeroU32;
use std::time::Duration;

use model::Numbering;

use super::*;
use crate::Stored;
use crate::sip::line::{Line, Route};
use crate::sip::meter::SipStatus;
use crate::sip::settings::CalledFrom;
use crate::sip::{Limits as Settings, Network, Peer, Timers};

pub(super) const DATAGRAMS: Line = Line::Datagrams(0);
pub(super) const CONNECTION: Line = Line::Connection(7);
pub(super) const SOURCE: &str = "192.0.2.99:4000";

/// A server with its clock, and what it sends.
pub(super) struct Bench {
    pub(super) server: Server,
    pub(super) meter: Arc<Meter>,
    pub(super) counts: Arc<Counts>,
    pub(super) now: Instant,
}

pub(super) fn settings() -> SipSettings {
    let numbering = Numbering::new("45", "", "00");
    let network: Network = "192.0.2.0/24".parse().unwrap();
    let peers = vec![Peer::new("lab", vec![network], Rules::new(numbering.clone()))];
    SipSettings { peers, ..SipSettings::new(numbering) }
}

pub(super) fn at() -> Timestamp {
    Timestamp::parse("2026-11-23T08:00:00Z").unwrap()
}

impl Bench {
    pub(super) fn new(settings: SipSettings) -> Self {
        let (meter, counts) = (Arc::new(Meter::new(&settings)), Arc::new(Counts::default()));
        let server = Server::new(Arc::new(settings), Arc::clone(&counts), Arc::clone(&meter));
        Self { server, meter, counts, now: Instant::now() }
    }

    pub(super) fn receive_from(&mut self, message: impl Into<Bytes>, line: Line, source: &str) -> Vec<Outgoing> {
        let origin = Origin { line, source: source.parse().unwrap() };
        self.server.receive(message.into(), origin, self.now, at());
        self.server.take_outgoing()
    }

    fn receive(&mut self, message: String, line: Line) -> Vec<u16> {
        statuses(&self.receive_from(message, line, SOURCE))
    }

    fn hand_over(&mut self) -> Handed {
        self.server.take_batch().expect("a call").1
    }

    fn store(&mut self, handed: Handed, known: bool) -> Vec<Outgoing> {
        let duplicate = handed.keys().map(|_| known).collect();
        self.server.settle(handed, Outcome::Answered(Stored { duplicate }), self.now);
        self.server.take_outgoing()
    }

    fn pass(&mut self, time: Duration) -> Vec<u16> {
        self.now += time;
        self.server.tick(self.now);
        statuses(&self.server.take_outgoing())
    }

    pub(super) fn status(&self) -> SipStatus {
        self.meter.snapshot()
    }

    fn results(&self, result: CallResult) -> u64 {
        let of_peer = |peer: &crate::sip::PeerStatus| peer.results.iter().find(|(it, _)| *it == result).unwrap().1;
        self.status().peers.iter().map(of_peer).sum()
    }
}

pub(super) fn status_of(response: &[u8]) -> u16 {
    std::str::from_utf8(response.get(8..11).unwrap()).unwrap().parse().unwrap()
}

fn statuses(sent: &[Outgoing]) -> Vec<u16> {
    sent.iter().map(|outgoing| status_of(&outgoing.bytes)).collect()
}

pub(super) fn request(method: &str, branch: &str, headers: &str) -> String {
    format!(
        "{method} sip:+4591100100@mca SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bK{branch}\r\n\
         From: <sip:+4520112233@op>;tag=f\r\nTo: <sip:+4591100100@mca>\r\nCall-ID: {branch}@test\r\nCSeq: 1 {method}\r\n{headers}\r\n"
    )
}

fn invite(branch: &str) -> String {
    request("INVITE", branch, "Diversion: <sip:+4530405060@op>;reason=user-busy\r\n")
}

const NONE: [u16; 0] = [];

#[test]
fn a_connection_repeats_nothing_and_gives_up_an_unacknowledged_final() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.receive(invite("a"), CONNECTION), NONE);
    let handed = bench.hand_over();
    let released = bench.store(handed, false);
    assert_eq!(statuses(&released), [486]);
    assert_eq!(released[0].route, Route { line: CONNECTION, to: SOURCE.parse().unwrap() }, "whatever Via says");
    assert_eq!(bench.pass(Duration::from_secs(31)), NONE, "no timer G");
    assert_eq!(bench.receive(invite("a"), CONNECTION), [486], "a repeat");
    assert_eq!(bench.pass(Duration::from_secs(1)), NONE);
    assert!(bench.server.table.is_empty(), "timer H");
    assert_eq!((bench.status().unacknowledged, bench.status().repeats), (1, 1));
}

#[test]
fn an_invite_after_the_ack_is_absorbed_over_udp_and_a_duplicate_to_the_store_on_a_connection() {
    let mut bench = Bench::new(settings());
    for line in [DATAGRAMS, CONNECTION] {
        bench.receive(invite("a"), line);
        let handed = bench.hand_over();
        bench.store(handed, false);
        assert_eq!(bench.receive(request("ACK", "a", ""), line), NONE);
        assert_eq!(bench.receive(invite("a"), line), NONE);
        let again = bench.server.take_batch();
        match line {
            Line::Datagrams(_) => {
                assert!(again.is_none(), "the transaction is confirmed");
                bench.pass(Duration::from_secs(5));
            }
            // Timer I is zero, so that this is another transaction; it has the id and called number of the first.
            Line::Connection(_) => {
                let (calls, handed) = again.unwrap();
                assert_eq!((calls.len(), calls[0].id.as_str()), (1, "sip:a@test"));
                assert_eq!(statuses(&bench.store(handed, true)), [486]);
            }
        }
    }
    assert_eq!((bench.results(CallResult::Accepted), bench.results(CallResult::Duplicate)), (2, 1));
}

#[test]
fn requests_with_one_branch_are_told_apart_by_call_id_and_cseq() {
    for (from, to) in [("Call-ID: a@", "Call-ID: b@"), ("CSeq: 1", "CSeq: 2")] {
        let mut bench = Bench::new(settings());
        let other = |text: String| text.replace(from, to);
        bench.receive(invite("a"), DATAGRAMS);
        bench.receive(other(invite("a")), DATAGRAMS);
        let handed = bench.hand_over();
        assert_eq!(bench.receive(request("CANCEL", "a", ""), DATAGRAMS), [200]);
        let answered = bench.store(handed, false);
        assert_eq!(statuses(&answered), [487, 486], "{to}");
        bench.receive(other(request("ACK", "a", "")), DATAGRAMS);
        assert_eq!(bench.pass(Duration::from_millis(500)), [487], "only the second is acknowledged");
        bench.receive(request("OPTIONS", "ping", ""), DATAGRAMS);
        let again =
            request("OPTIONS", "ping", "").replace("Call-ID: ping@", "Call-ID: pong@").replace("CSeq: 1", "CSeq: 2");
        let pong = bench.receive_from(again, DATAGRAMS, SOURCE);
        let text = String::from_utf8(pong[0].bytes.to_vec()).unwrap();
        assert!(text.contains("Call-ID: pong@") && text.contains("CSeq: 2 "), "{text}");
    }
}

/// The call of branch `a` by another branch.
fn by_another_way(branch: &str) -> String {
    invite(branch).replace(&format!("Call-ID: {branch}@"), "Call-ID: a@")
}

#[test]
fn one_call_that_two_miss_is_two_calls() {
    let mut bench = Bench::new(settings());
    bench.receive(invite("a"), DATAGRAMS);
    let first = bench.hand_over();
    assert_eq!(statuses(&bench.store(first, false)), [486]);
    // Whoever rings a group is forwarded here by each of its members: all but branch and called number is the same.
    let other = by_another_way("b").replace("+4530405060", "+4530405061");
    assert_eq!(bench.receive(other, DATAGRAMS), NONE);
    let second = bench.hand_over();
    assert_eq!(statuses(&bench.store(second, false)), [486]);
    assert_eq!(bench.receive(by_another_way("c"), DATAGRAMS), [482], "merged with the first");
    assert_eq!(bench.results(CallResult::Accepted), 2);
}

#[test]
fn a_call_that_comes_by_another_way_while_it_is_being_stored_hangs_on_no_other_way() {
    let mut bench = Bench::new(settings());
    bench.receive(invite("a"), DATAGRAMS);
    let first = bench.hand_over();
    assert_eq!(bench.receive(by_another_way("b"), DATAGRAMS), NONE, "it is not known yet whether the first is stored");
    let second = bench.hand_over();
    bench.server.settle(first, Outcome::Silent, bench.now);
    assert_eq!(statuses(&bench.server.take_outgoing()), [503]);
    assert_eq!(statuses(&bench.store(second, false)), [486]);
    assert_eq!(bench.receive(by_another_way("c"), DATAGRAMS), [482], "now it is");
}

#[test]
fn a_repeat_is_answered_where_it_came_from() {
    let mut bench = Bench::new(settings());
    let (first, second) = (Line::Connection(1), Line::Connection(2));
    bench.receive(invite("a"), first);
    assert_eq!(bench.receive(invite("a"), second), NONE, "before the 100 is due");
    let handed = bench.hand_over();
    let released = bench.store(handed, false);
    assert_eq!(released.iter().map(|outgoing| outgoing.route.line).collect::<Vec<_>>(), [second]);
    let again = bench.receive_from(invite("a"), DATAGRAMS, SOURCE);
    assert_eq!(again.iter().map(|outgoing| outgoing.route.line).collect::<Vec<_>>(), [DATAGRAMS]);
    assert_eq!(again[0].route.to, "192.0.2.99:5060".parse().unwrap(), "the port of sent-by");
}

#[test]
fn what_can_not_be_sent_is_dropped_and_counted_and_its_call_is_stored_all_the_same() {
    let mut bench = Bench::new(settings());
    bench.receive(invite("a"), CONNECTION);
    let handed = bench.hand_over();
    bench.server.connection_closed(7);
    assert_eq!(bench.pass(Duration::from_secs(1)), NONE, "nobody misses a 100");
    assert_eq!(bench.status().unsent, 0);
    // The same call by another way, while the first is being stored: it is not merged with what nobody is answered for.
    let again = invite("b").replace("Call-ID: b@", "Call-ID: a@");
    bench.receive(again, Line::Connection(8));
    let second = bench.hand_over();
    assert_eq!(statuses(&bench.store(handed, false)), NONE);
    assert_eq!((bench.status().unsent, bench.results(CallResult::Accepted)), (1, 1));
    assert_eq!(statuses(&bench.store(second, true)), [486]);
    assert_eq!(bench.server.table.len(), 1, "only the second is kept");
    bench.server.connection_closed(8);
    assert!(bench.server.table.is_empty());
}

#[test]
fn a_call_that_comes_again_by_another_connection_gets_its_answer_there() {
    let mut bench = Bench::new(settings());
    bench.receive(invite("a"), CONNECTION);
    let handed = bench.hand_over();
    bench.server.connection_closed(7);
    assert_eq!(bench.receive(invite("a"), Line::Connection(8)), NONE);
    let released = bench.store(handed, false);
    assert_eq!((statuses(&released), released[0].route.line), (vec![486], Line::Connection(8)));
    assert_eq!(bench.status().unsent, 0);
}

#[test]
fn a_cancel_is_answered_at_once_and_its_invite_when_the_call_is_stored() {
    for line in [DATAGRAMS, CONNECTION] {
        for (stored, expected) in [(true, 487), (false, 503)] {
            let mut bench = Bench::new(settings());
            bench.receive(invite("a"), line);
            assert_eq!(bench.receive(request("CANCEL", "a", ""), line), [200]);
            assert_eq!(bench.receive(request("CANCEL", "a", ""), line), [200], "again");
            assert_eq!(bench.receive(request("CANCEL", "b", ""), line), [481]);
            let handed = bench.hand_over();
            let outcome = if stored { Outcome::Answered(Stored { duplicate: vec![false] }) } else { Outcome::Silent };
            bench.server.settle(handed, outcome, bench.now);
            assert_eq!(statuses(&bench.server.take_outgoing()), [expected]);
            assert_eq!(bench.status().cancelled, 1, "once");
        }
    }
}

#[test]
fn nobody_cancels_or_acknowledges_the_call_of_another_peer() {
    let mut settings = settings();
    let network: Network = "198.51.100.0/24".parse().unwrap();
    settings.peers.push(Peer::new("other", vec![network], settings.peers[0].rules.clone()));
    let mut bench = Bench::new(settings);
    bench.receive(invite("a"), DATAGRAMS);
    let cancel = bench.receive_from(request("CANCEL", "a", ""), DATAGRAMS, "198.51.100.1:5060");
    assert_eq!(statuses(&cancel), [481]);
    let handed = bench.hand_over();
    assert_eq!(statuses(&bench.store(handed, false)), [486]);
    bench.receive_from(request("ACK", "a", ""), DATAGRAMS, "198.51.100.1:5060");
    assert_eq!(bench.pass(Duration::from_millis(500)), [486], "timer G goes on");
}

#[test]
fn a_peer_over_its_rate_gets_503_and_its_calls_in_hand_are_unharmed() {
    let mut settings = settings();
    settings.peers[0].rate = NonZeroU32::new(3);
    let mut bench = Bench::new(settings);
    let answers: Vec<_> = (0..1_000).flat_map(|call| bench.receive(invite(&call.to_string()), DATAGRAMS)).collect();
    assert_eq!(answers, [503; 997]);
    assert_eq!(bench.server.table.len(), 3, "nothing is kept of the others");
    assert_eq!(bench.receive(request("OPTIONS", "o", ""), DATAGRAMS), [200], "a busy second is no outage");
    assert_eq!(bench.receive(request("CANCEL", "1", ""), DATAGRAMS), [200]);
    assert_eq!(bench.receive(request("ACK", "500", ""), DATAGRAMS), NONE);
    let handed = bench.hand_over();
    assert_eq!(statuses(&bench.store(handed, false)), [486, 487, 486]);
    assert_eq!((bench.results(CallResult::Limited), bench.results(CallResult::Accepted)), (997, 3));
    assert_eq!(bench.counts.snapshot().sip.busy, 997);
    bench.pass(Duration::from_secs(1));
    let retried = bench.receive_from(invite("500"), DATAGRAMS, SOURCE);
    assert_eq!(statuses(&retried), NONE, "a second later there is room again");
}

#[test]
fn a_peer_with_too_many_calls_at_the_store_gets_503_until_one_is_answered() {
    let mut settings = settings();
    settings.peers[0].concurrent = NonZeroU32::new(2);
    let mut bench = Bench::new(settings);
    bench.receive(invite("a"), DATAGRAMS);
    let first = bench.hand_over();
    bench.receive(invite("b"), CONNECTION);
    let waiting = |bench: &Bench| bench.status().peers[0].waiting;
    assert_eq!(waiting(&bench), 2);
    let limited = bench.receive_from(invite("c"), DATAGRAMS, SOURCE);
    let text = String::from_utf8(limited[0].bytes.to_vec()).unwrap();
    assert!(text.starts_with("SIP/2.0 503 ") && text.contains("\r\nRetry-After: 1\r\n"), "{text}");
    assert_eq!(statuses(&bench.store(first, false)), [486]);
    assert_eq!(waiting(&bench), 1);
    assert_eq!(bench.receive(invite("c"), DATAGRAMS), NONE);
    let both = bench.hand_over();
    bench.server.settle(both, Outcome::Full, bench.now);
    assert_eq!(statuses(&bench.server.take_outgoing()), [503, 503]);
    assert_eq!(bench.server.table.len(), 1, "nothing is kept of what the hand-over had no room for");
    assert_eq!(waiting(&bench), 0);
    let results = [CallResult::Accepted, CallResult::Limited, CallResult::Busy].map(|result| bench.results(result));
    assert_eq!(results, [1, 1, 2]);
}

#[test]
fn a_full_table_turns_new_calls_away_and_answers_everything_else() {
    let settings = SipSettings { limits: Settings { transactions: 10, ..Settings::default() }, ..settings() };
    let mut bench = Bench::new(settings);
    for other in 0..1_000 {
        assert_eq!(bench.receive(request("OPTIONS", &format!("o{other}"), ""), DATAGRAMS), [200]);
        assert_eq!(bench.receive(request("INVITE", &format!("i{other}"), ""), DATAGRAMS), [404]);
    }
    assert_eq!(bench.server.table.len(), 5, "half of the room is for calls");
    for call in 0..5 {
        assert_eq!(bench.receive(invite(&format!("c{call}")), DATAGRAMS), NONE);
    }
    assert_eq!(bench.receive(invite("more"), DATAGRAMS), [503]);
    assert_eq!(bench.receive(invite("c0"), DATAGRAMS), NONE, "a repeat");
    assert_eq!(bench.receive(request("CANCEL", "c1", ""), DATAGRAMS), [200]);
    assert_eq!(bench.receive(request("OPTIONS", "last", ""), DATAGRAMS), [200]);
    assert_eq!(bench.results(CallResult::Busy), 1);
    let handed = bench.hand_over();
    assert_eq!(statuses(&bench.store(handed, false)), [486, 487, 486, 486, 486]);
    while let Some(due) = bench.server.deadline() {
        bench.pass(due - bench.now);
    }
    assert!(bench.server.table.is_empty());
    assert_eq!(bench.status().transactions, 0);
}

#[test]
fn calls_gather_while_the_store_is_busy_up_to_a_bound() {
    let mut bench = Bench::new(settings());
    for call in 0..batch::MOST_GATHERED {
        assert_eq!(bench.receive(invite(&call.to_string()), DATAGRAMS), NONE);
    }
    assert_eq!(bench.receive(invite("more"), DATAGRAMS), [503]);
    assert_eq!(bench.receive(invite("0"), DATAGRAMS), NONE, "a repeat");
    let handed = bench.hand_over();
    assert_eq!(bench.receive(invite("more"), DATAGRAMS), NONE, "there is room again");
    assert_eq!(bench.store(handed, false).len(), batch::MOST_GATHERED);
    assert_eq!(bench.results(CallResult::Busy), 1);
}

#[test]
fn one_of_several_peers_gathers_no_more_than_half() {
    let mut two = settings();
    let rules = two.peers[0].rules.clone();
    two.peers.push(Peer::new("other", vec!["198.51.100.0/24".parse().unwrap()], rules));
    let mut bench = Bench::new(two);
    for call in 0..batch::MOST_GATHERED / 2 {
        assert_eq!(bench.receive(invite(&call.to_string()), DATAGRAMS), NONE);
    }
    assert_eq!(bench.receive(invite("more"), DATAGRAMS), [503]);
    assert_eq!(bench.receive_from(invite("other"), DATAGRAMS, "198.51.100.1:5060"), []);
    let handed = bench.hand_over();
    assert_eq!(bench.receive(invite("more"), DATAGRAMS), NONE, "there is room again");
    assert_eq!(bench.store(handed, false).len(), batch::MOST_GATHERED / 2 + 1);
}

#[test]
fn strangers_hear_ten_times_a_second_that_they_are_no_peers() {
    let mut bench = Bench::new(settings());
    let stranger = "203.0.113.5:5060";
    let ask = |bench: &mut Bench| {
        let asked = (0..100).map(|call| bench.receive_from(invite(&call.to_string()), DATAGRAMS, stranger));
        statuses(&asked.collect::<Vec<_>>().concat())
    };
    assert_eq!(ask(&mut bench), [403; 10]);
    bench.pass(Duration::from_millis(500));
    assert_eq!(ask(&mut bench), [403; 5]);
    assert_eq!(bench.receive_from(request("ACK", "a", ""), DATAGRAMS, stranger), []);
    assert_eq!((bench.status().strangers, bench.counts.snapshot().sip.refused_for(Refusal::NotAPeer)), (201, 201));
    assert!(bench.server.table.is_empty() && bench.server.take_batch().is_none());
}

#[test]
fn what_can_not_be_framed_is_answered_with_what_is_wrong() {
    let mut bench = Bench::new(settings());
    let origin = Origin { line: CONNECTION, source: SOURCE.parse().unwrap() };
    let mut refuse = |head: String, refusal| {
        bench.server.refuse_unframed(head.into(), origin, refusal, bench.now);
        bench.server.take_outgoing().iter().map(|it| String::from_utf8(it.bytes.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    let with = |length: &str| request("INVITE", "a", &format!("Content-Length: {length}\r\n"));
    let unreadable = refuse(with("many"), Refusal::Unreadable);
    assert!(unreadable[0].starts_with(&format!("SIP/2.0 400 {}\r\n", Fault::ContentLength)), "{unreadable:?}");
    let large = refuse(with("99999999"), Refusal::TooLarge);
    assert!(large[0].starts_with("SIP/2.0 513 Message Too Large\r\n"), "{large:?}");
    assert_eq!(refuse(with("many").replace("INVITE", "ACK"), Refusal::Unreadable), [""; 0]);
    assert_eq!(refuse("\u{0}garbage".to_owned(), Refusal::Unreadable), [""; 0]);
}

#[test]
fn a_stopping_server_turns_calls_and_keepalives_away_and_ends_when_nobody_waits() {
    let mut bench = Bench::new(settings());
    bench.receive(invite("a"), CONNECTION);
    bench.server.drain();
    assert_eq!(bench.receive(invite("b"), CONNECTION), [503]);
    assert_eq!(bench.receive(request("OPTIONS", "o", ""), CONNECTION), [503]);
    assert_eq!(bench.receive(invite("a"), CONNECTION), NONE);
    let handed = bench.hand_over();
    assert_eq!(statuses(&bench.store(handed, false)), [486]);
    assert!(!bench.server.is_drained(), "its ACK");
    bench.receive(request("ACK", "a", ""), CONNECTION);
    assert!(bench.server.is_drained());
    assert_eq!((bench.results(CallResult::Unavailable), bench.results(CallResult::Accepted)), (1, 1));
}

#[test]
fn what_became_of_calls_is_counted_with_where_they_named_whom() {
    let mut bench = Bench::new(settings());
    let named = |branch: &str| invite(branch).replace("CSeq", "P-Charging-Vector: icid-value=one\r\nCSeq");
    bench.receive(named("a"), DATAGRAMS);
    bench.receive(named("b"), CONNECTION);
    bench.receive(invite("c"), DATAGRAMS);
    bench.receive(request("INVITE", "d", ""), DATAGRAMS);
    bench.receive(invite("e").replace("CSeq: 1", "CSeq: one"), DATAGRAMS);
    let (calls, handed) = bench.server.take_batch().unwrap();
    assert_eq!(calls.len(), 2, "one call forwarded twice within a burst is stored once");
    bench.now += Duration::from_millis(3);
    bench.server.settle(handed, Outcome::Answered(Stored { duplicate: vec![false, true] }), bench.now);
    assert_eq!(statuses(&bench.server.take_outgoing()), [486, 486, 486], "and answered twice");
    let results = [CallResult::Accepted, CallResult::Duplicate, CallResult::Refused].map(|it| bench.results(it));
    assert_eq!(results, [1, 2, 2]);
    let status = bench.status();
    assert_eq!(status.called.iter().find(|(from, _)| *from == CalledFrom::Diversion).unwrap().1, 3);
    assert_eq!((status.answer_seconds.counts.iter().sum::<u64>(), status.answer_seconds.sum), (3, 0.009));
    let counted = bench.counts.snapshot().sip;
    assert_eq!((counted.accepted, counted.duplicate), (1, 2));
}

#[test]
fn timers_can_be_set() {
    let timers = Timers { t1: Duration::from_millis(10), ..Timers::default() };
    let mut bench = Bench::new(SipSettings { timers, ..settings() });
    bench.receive(request("INVITE", "a", ""), DATAGRAMS);
    assert_eq!(bench.pass(Duration::from_millis(10)), [404]);
}
