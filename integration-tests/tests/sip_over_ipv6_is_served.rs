//! IPv6: a call over UDP and TCP at ::1 is released and told; IPv4 at the same port is a listener of its own.

use std::net::{Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::{Connection, Datagrams, Message};

#[test]
fn over_udp_and_tcp() -> Result<()> {
    let network = Network::start(|world| {
        let port = world.doors().sip;
        let listen = format!("udp://127.0.0.1:{port},udp://[::1]:{port},tcp://[::1]:{port}");
        world.set("SIP__LISTEN", &listen);
    })?;
    let calls = network.calls(0, 3, "no-answer")?;
    let door = SocketAddr::from((Ipv6Addr::LOCALHOST, network.sip().port()));
    let peer = Datagrams::open("[::1]:0", door)?;
    let invite = |n: usize| Message::invite(&calls[n], &format!("six-{n}"));
    let by_rport = peer.ask(&invite(0).with("Via", "SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bKsix-0;rport"))?;
    let back = by_rport.header("Via").unwrap_or_default();
    ensure!(by_rport.release() == "480/19" && back.contains("received=::1"), "{by_rport}");
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bKsix-1", peer.address()?);
    let by_sent_by = peer.ask(&invite(1).with("Via", &via))?;
    ensure!(by_sent_by.release() == "480/19", "{by_sent_by}");
    let by_tcp = Connection::open(door)?.ask(&invite(2))?;
    ensure!(by_tcp.release() == "480/19", "{by_tcp}");
    let by_four = network.datagrams("127.0.0.1")?.ask(&Message::options("four"))?;
    ensure!(by_four.status == 200, "{by_four}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}
