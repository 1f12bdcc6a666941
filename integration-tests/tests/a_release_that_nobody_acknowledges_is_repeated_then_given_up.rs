//! Peers that never acknowledge: the release comes again, the same, until 64 T1 have passed; then it is given up, and the call was one call.

use anyhow::{Result, ensure};
use integration_tests::sip::Message;
use integration_tests::sipp::{Carrier, Sipp};
use integration_tests::{Network, wait};

#[test]
fn by_sipp() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 10, "user-busy-no-more")?;
    // Never acknowledged, and told before the release is given up.
    let sipp = Sipp::start_over(Carrier::Udp, network.play("uac_no_ack.xml"), &calls)?;
    network.told_once(&calls, "unknown")?;
    sipp.finish()?;
    wait::until_true("every release is given up", || {
        Ok(network.gateway.metric("afterring_sip_unacknowledged_total", &[])? >= 10.0)
    })?;
    network.told_once(&calls, "unknown")?;
    network.gateway.stop()
}

#[test]
fn the_repeats_are_the_same() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "user-busy")?;
    let peer = network.datagrams("127.0.0.1")?;
    let invite = Message::invite(&calls[0], "unacknowledged");
    peer.send(&invite.octets())?;
    let first = peer.receive_final()?;
    ensure!(first.release() == "486/17" && first.header("To").is_some_and(|to| to.contains(";tag=")), "{first}");
    for _ in 0..3 {
        let again = peer.receive()?;
        ensure!(again == first, "{again}\nafter\n{first}");
    }
    // An INVITE that comes again is answered at once, by the same.
    peer.send(&invite.octets())?;
    let again = peer.receive()?;
    ensure!(again == first, "{again}\nafter\n{first}");
    peer.send(&invite.ack(&first).octets())?;
    network.told_once(&calls, "busy")?;
    network.gateway.stop()
}
