//! The largest INVITE that a datagram can hold is read to its end.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;

/// 65,535 octets less the headers of IP and UDP.
const LARGEST: usize = 65_507;

#[test]
fn over_udp() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "no-answer")?;
    let peer = network.datagrams("127.0.0.1")?;
    let invite = Message::invite(&calls[0], "large");
    let empty = invite.clone().with_body("application/sdp", b"").with("Content-Length", "00000").octets().len();
    let large = invite
        .with_body("application/sdp", &vec![b'\n'; LARGEST - empty])
        .with("Content-Length", &(LARGEST - empty).to_string());
    ensure!(large.octets().len() == LARGEST, "{}", large.octets().len());
    let released = peer.ask(&large)?;
    ensure!(released.release() == "480/19", "{released}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}
