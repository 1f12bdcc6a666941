//! Calls that sipp forwards over UDP, TCP and TLS: each is released, and told once, with its caller and reason; keepalives are answered on each.

use anyhow::Result;
use integration_tests::Network;
use integration_tests::sipp::{Carrier, Play, Sipp};

const CALLS: u64 = 20;

#[test]
fn over_udp() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, CALLS, "no-answer")?;
    network.sipp(Carrier::Udp, "uac_mca.xml", &calls)?;
    network.told_once(&calls, "no_answer")?;
    network.sipp(Carrier::Udp, "options_ping.xml", &calls[..3])?;
    network.gateway.stop()
}

#[test]
fn over_tcp() -> Result<()> {
    let network = Network::start_with_tcp()?;
    let calls = network.calls(0, CALLS, "no-answer")?;
    network.sipp(Carrier::Tcp, "uac_mca.xml", &calls)?;
    network.told_once(&calls, "no_answer")?;
    network.sipp(Carrier::Tcp, "options_ping.xml", &calls[..3])?;
    network.gateway.stop()
}

#[test]
fn over_tls() -> Result<()> {
    let (network, door) = Network::start_with_tls()?;
    let tunnel = network.tunnel(&door, Some(&door.peer))?;
    let calls = network.calls(0, CALLS, "no-answer")?;
    for (scenario, calls) in [("uac_mca.xml", &calls[..]), ("options_ping.xml", &calls[..3])] {
        let play = Play { port: tunnel.port(), ..network.play(scenario) };
        Sipp::start_over(Carrier::Tcp, play, calls)?.finish()?;
    }
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}
