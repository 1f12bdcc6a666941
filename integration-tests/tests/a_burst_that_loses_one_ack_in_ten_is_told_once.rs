//! A burst of calls on a line that loses one ACK in ten: every call is released and told once.

use anyhow::Result;
use integration_tests::Network;
use integration_tests::sipp::{Carrier, Play, Sipp};

#[test]
fn over_udp() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 300, "user-busy-or-so")?;
    let play = Play { rate: 300, ..network.play("uac_lost_acks.xml") };
    Sipp::start_over(Carrier::Udp, play, &calls)?.finish()?;
    network.told_once(&calls, "unknown")?;
    network.gateway.stop()
}
