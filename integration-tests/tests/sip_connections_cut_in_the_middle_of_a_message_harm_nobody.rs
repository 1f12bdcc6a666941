//! Connections over TCP and TLS that end in the middle of a message, by a close or a reset: nothing of it counts, and others are served.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::{Connection, Message};

/// Cuts connections at several places of a message, some by a reset; a connection that was open before, and one that comes after, are served.
fn cut(network: &Network, door: SocketAddr) -> Result<()> {
    let calls = network.calls(0, 12, "no-answer")?;
    let (cut, whole) = calls.split_at(10);
    let mut before = Connection::open(door)?;
    for (n, call) in cut.iter().enumerate() {
        let message = Message::invite(call, &format!("cut-{n}")).with_body("application/sdp", b"v=0\r\n").octets();
        let mut connection = Connection::open(door)?;
        // From a few octets of the start line to all but the last one of the body.
        connection.send(&message[..message.len() * (n + 1) / cut.len() - 1])?;
        if n % 2 == 0 {
            connection.reset()?;
        }
    }
    let mut after = Connection::open(door)?;
    for (connection, call) in [&mut before, &mut after].into_iter().zip(whole) {
        let released = connection.ask(&Message::invite(call, &call.called[1..]))?;
        ensure!(released.release() == "480/19", "{released}");
    }
    network.told_once(whole, "no_answer")?;
    network.told_nobody(cut)
}

#[test]
fn over_tcp() -> Result<()> {
    let network = Network::start_with_tcp()?;
    cut(&network, network.sip())?;
    network.gateway.stop()
}

#[test]
fn over_tls() -> Result<()> {
    let (network, door) = Network::start_with_tls()?;
    let tunnel = network.tunnel(&door, Some(&door.peer))?;
    cut(&network, SocketAddr::from(([127, 0, 0, 1], tunnel.port())))?;
    network.gateway.stop()
}

/// A trunk that is cut after its call was stored and before it heard so: the call is told, and its repeat on another connection is the same call.
#[test]
fn after_the_message_the_call_counts() -> Result<()> {
    let network = Network::start_with_tcp()?;
    let calls = network.calls(0, 1, "no-answer")?;
    let mut connection = network.connection()?;
    connection.send(&Message::invite(&calls[0], "cut-off").octets())?;
    connection.reset()?;
    let mut again = network.connection()?;
    let released = again.ask(&Message::invite(&calls[0], "cut-off"))?;
    ensure!(released.release() == "480/19", "{released}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}
