//! Whoever is no peer: over UDP refused with 403 a few times a second at most, over TCP closed at once; nothing of it counts, and peers are served.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use integration_tests::network::{self, Network};
use integration_tests::sip::{Connection, Message};

fn start() -> Result<Network> {
    Network::start(|world| {
        network::listen_by_tcp(world);
        world.set("SIP__PEERS", "127.0.0.2;name=switch");
    })
}

#[test]
fn over_udp() -> Result<()> {
    // As many as the system lets wait in a socket, also where the gateway has no processor meanwhile.
    const SENT: usize = 100;
    let network = start()?;
    let calls = network.calls(0, 2, "no-answer")?;
    let (stranger, peer) = (network.datagrams("127.0.0.9")?, network.datagrams("127.0.0.2")?);
    let strange = Message::invite(&calls[0], "strange");
    for _ in 0..SENT {
        stranger.send(&strange.octets())?;
    }
    // Over the same socket of the gateway: when this is answered, all before it was looked at.
    let released = peer.ask(&Message::invite(&calls[1], "known"))?;
    ensure!(released.release() == "480/19", "{released}");
    let mut refused = 0;
    while let Some(answer) = stranger.has_come()? {
        ensure!(answer.status == 403, "{answer}");
        refused += 1;
    }
    ensure!(refused < SENT / 2, "{refused} of {SENT} were answered");
    network.told_once(&calls[1..], "no_answer")?;
    network.told_nobody(&calls[..1])?;
    let counted = network.gateway.metric("afterring_sip_strangers_total", &[])?;
    ensure!(counted >= refused as f64 && counted > 0.0, "{counted} counted");
    network.gateway.stop()
}

#[test]
fn over_tcp() -> Result<()> {
    let network = start()?;
    let calls = network.calls(0, 1, "no-answer")?;
    // This machine speaks from 127.0.0.1, which is nobody's here.
    let mut stranger = Connection::open(network.sip())?;
    drop(stranger.send(&Message::invite(&calls[0], "strange").octets()));
    ensure!(stranger.receive()?.is_none(), "closed without a word");
    network.told_nobody(&calls)?;
    network.gateway.stop()
}

/// Whoever connects by TLS without a certificate that the gateway asks for is not let in, peer or not.
#[test]
fn over_tls_without_a_certificate() -> Result<()> {
    let (network, door) = Network::start_with_tls()?;
    let calls = network.calls(0, 2, "no-answer")?;
    for (call, shown) in calls.iter().zip([None, Some(&door.peer)]) {
        let tunnel = network.tunnel(&door, shown)?;
        let mut peer = Connection::open(SocketAddr::from(([127, 0, 0, 1], tunnel.port())))?;
        // It may be closed before all of it is written.
        drop(peer.send(&Message::invite(call, &call.called[1..]).octets()));
        let released = peer.receive_final()?.map(|response| response.status);
        ensure!(released == shown.map(|_| 480), "{shown:?}: {released:?}");
    }
    network.told_nobody(&calls[..1])?;
    network.told_once(&calls[1..], "no_answer")?;
    network.gateway.stop()
}
