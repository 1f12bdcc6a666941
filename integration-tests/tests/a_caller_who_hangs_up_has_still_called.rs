//! CANCEL, late or early: it is answered, the call ends, and was missed all the same.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;
use integration_tests::sipp::Carrier;

#[test]
fn as_the_release_is_on_its_way() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 10, "no-answer")?;
    network.sipp(Carrier::Udp, "uac_cancel_late.xml", &calls)?;
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

/// The CANCEL comes in the same moment: the call ends with 487 where it was still being stored, else with its release.
#[test]
fn at_once() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "no-answer")?;
    let peer = network.datagrams("127.0.0.1")?;
    let invite = Message::invite(&calls[0], "hung-up");
    peer.send(&invite.octets())?;
    peer.send(&invite.cancel().octets())?;
    let (mut cancelled, mut released) = (None, None);
    while cancelled.is_none() || released.is_none() {
        let response = peer.receive()?;
        let cseq = response.header("CSeq").unwrap_or_default().to_owned();
        match (cseq.as_str(), response.status) {
            ("1 CANCEL", _) => cancelled = Some(response),
            (_, 100) => {}
            _ => released = Some(response),
        }
    }
    let (cancelled, released) = (cancelled.map_or(0, |it| it.status), released.map_or(0, |it| it.status));
    ensure!(cancelled == 200 && matches!(released, 487 | 480), "CANCEL: {cancelled}, INVITE: {released}");
    network.told_once(&calls, "no_answer")?;
    network.gateway.stop()
}

/// Of a call that nobody knows nothing is cancelled.
#[test]
fn of_a_call_that_is_not_known() -> Result<()> {
    let network = Network::start(|_| {})?;
    let calls = network.calls(0, 1, "no-answer")?;
    let peer = network.datagrams("127.0.0.1")?;
    let answer = peer.ask(&Message::invite(&calls[0], "never-sent").cancel())?;
    ensure!(answer.status == 481, "{answer}");
    network.told_nobody(&calls)?;
    network.gateway.stop()
}
