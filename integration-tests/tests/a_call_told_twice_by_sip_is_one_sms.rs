//! One call that comes twice: its INVITE again after the ACK, by another transaction, or by UDP and TCP. One SMS, and each is released.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;

#[test]
fn again_after_the_ack() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "no-answer")?;
    let peer = network.datagrams("127.0.0.1")?;
    let invite = Message::invite(&calls[0], "late-duplicate");
    let released = peer.ask(&invite)?;
    ensure!(released.release() == "480/19", "{released}");
    network.told_once(&calls, "no_answer")?;
    // A duplicate on the network arrives after the ACK: it is absorbed (RFC 3261 §17.2.1, Confirmed), and what follows is served.
    peer.send(&invite.octets())?;
    let options = peer.ask(&Message::options("still-there"))?;
    ensure!(options.status == 200, "{options}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

/// A peer that tries again later, with a new branch: the same Call-ID, or the same charging identifier under another Call-ID, as SBCs write it.
#[test]
fn again_by_another_transaction() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 2, "no-answer")?;
    let peer = network.datagrams("127.0.0.1")?;
    let first = |n: usize, name: &str| Message::invite(&calls[n], name);
    let same_call_id = first(0, "second-try").with("Call-ID", "first-try@op.example");
    let charging = "icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\";orig-ioi=op.example";
    let one = first(1, "one").with("P-Charging-Vector", charging);
    let two = first(1, "two").with("P-Charging-Vector", charging);
    for invite in [first(0, "first-try"), same_call_id, one, two] {
        let released = peer.ask(&invite)?;
        ensure!(released.release() == "480/19", "{released}");
    }
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

#[test]
fn by_udp_and_by_tcp() -> Result<()> {
    let network = Network::start_with_tcp()?;
    let calls = network.calls(0, 1, "no-answer")?;
    // An INVITE too large for UDP goes by TCP (RFC 3261 §18.1.1), and a peer may do both.
    let by_udp = Message::invite(&calls[0], "by-both");
    let by_tcp = by_udp.clone().with("Via", "SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKby-tcp");
    let released = [network.datagrams("127.0.0.1")?.ask(&by_udp)?, network.connection()?.ask(&by_tcp)?];
    // 482 says that it is the same request by two ways (RFC 3261 §8.2.2.2).
    let ends = released.each_ref().map(|it| it.release());
    ensure!(ends[0] == "480/19" && matches!(ends[1].as_str(), "480/19" | "482"), "{ends:?}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}
