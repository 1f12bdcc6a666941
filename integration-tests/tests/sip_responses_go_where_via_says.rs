//! Over UDP a response goes to the source port where Via asks for it (`rport`), else to the source address and the port in Via; headers come back as they were.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::{Datagrams, Message};

fn via(name: &str, sent_by: &str, parameters: &str) -> Message {
    Message::options(name).with("Via", &format!("SIP/2.0/UDP {sent_by};branch=z9hG4bK{name}{parameters}"))
}

#[test]
fn to_the_source_with_rport() -> Result<()> {
    let network = Network::start(|_| {})?;
    let peer = network.datagrams("127.0.0.1")?;
    // What it says of itself is not true, as behind an address translation.
    let answer = peer.ask(&via("translated", "192.0.2.77:5060", ";rport"))?;
    let back = answer.header("Via").unwrap_or_default();
    let (received, rport) = (";received=127.0.0.1", format!(";rport={}", peer.address()?.port()));
    ensure!(answer.status == 200 && back.contains(received) && back.contains(&rport), "{answer}");
    ensure!(back.starts_with("SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKtranslated"), "{back}");
    network.gateway.stop()
}

#[test]
fn to_the_port_in_via_without() -> Result<()> {
    let network = Network::start(|_| {})?;
    let sends = network.datagrams("127.0.0.1")?;
    let listens = Datagrams::open("127.0.0.1:0", network.sip())?;
    let at = listens.address()?;
    sends.send(&via("two-ports", &at.to_string(), "").octets())?;
    let answer = listens.receive()?;
    ensure!(answer.status == 200 && answer.header("Call-ID") == Some("two-ports@op.example"), "{answer}");
    // A name, or another address, as sent-by: the port is its, the address is where it came from.
    for (name, host) in [("by-name", "switch.op.example"), ("by-address", "192.0.2.77")] {
        sends.send(&via(name, &format!("{host}:{}", at.port()), "").octets())?;
        let answer = listens.receive()?;
        let back = answer.header("Via").unwrap_or_default();
        ensure!(answer.status == 200 && back.contains(";received=127.0.0.1") && !back.contains("rport"), "{answer}");
    }
    let astray = sends.has_come()?;
    ensure!(astray.is_none(), "something went to the source port: {astray:?}");
    network.gateway.stop()
}

/// For peers behind an address translation that don't ask: a setting of the peer.
#[test]
fn to_the_source_when_the_peer_is_set_so() -> Result<()> {
    let network = Network::start(|world| {
        world.set("SIP__PEERS", "127.0.0.1;name=translated;reply_to=source");
    })?;
    let peer = network.datagrams("127.0.0.1")?;
    let answer = peer.ask(&via("does-not-ask", "192.0.2.77:5060", ""))?;
    ensure!(answer.status == 200, "{answer}");
    network.gateway.stop()
}

#[test]
fn every_via_comes_back_in_its_order() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "user-busy")?;
    let peer = network.datagrams("127.0.0.1")?;
    let below = "SIP/2.0/TLS  proxy.op.example : 5061 ;branch=z9hG4bKbelow;odd=\"a;b\"";
    let invite = Message::invite(&calls[0], "two-hops").with("Record-Route", "<sip:proxy.op.example;lr>");
    // A second Via below the first, written oddly on purpose.
    let octets =
        String::from_utf8(invite.octets())?.replacen("Max-Forwards", &format!("Via: {below}\r\nMax-Forwards"), 1);
    peer.send(octets.as_bytes())?;
    let released = peer.receive_final()?;
    peer.send(&invite.ack(&released).octets())?;
    let vias = released.headers("Via");
    ensure!(vias.len() == 2 && vias[1] == below, "{vias:?}");
    for name in ["From", "Call-ID", "CSeq"] {
        ensure!(released.header(name) == invite.header(name), "{name}: {released}");
    }
    network.told_once(&calls, "busy")?;
    network.gateway.stop()
}
