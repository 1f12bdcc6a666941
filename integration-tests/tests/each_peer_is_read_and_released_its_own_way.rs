//! Peers with settings of their own: releases by reason, a redirect for one, what is believed of whom.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;

const PEERS: &str = "127.0.0.2;name=a;busy=302/sip:busy@announce.example,\
                     127.0.0.3;name=b;trusted;busy=603/21;no_answer=404/1;diversion=bottom,\
                     127.0.0.4;name=c";

fn start() -> Result<Network> {
    Network::start(|world| {
        world.set("SIP__PEERS", PEERS);
    })
}

#[test]
fn releases() -> Result<()> {
    let network = start()?;
    for (series, source, reason, diversion, release) in [
        (0, "127.0.0.2", "busy", "user-busy", "302"),
        (1, "127.0.0.2", "no_answer", "no-answer", "480/19"),
        (2, "127.0.0.3", "busy", "user-busy", "603/21"),
        (3, "127.0.0.3", "no_answer", "no-answer", "404/1"),
        (4, "127.0.0.3", "unreachable", "unavailable", "480/20"),
        (5, "127.0.0.4", "busy", "user-busy", "486/17"),
    ] {
        let calls = network.calls(series, 1, diversion)?;
        let released = network.datagrams(source)?.ask(&Message::invite(&calls[0], &format!("from-{series}")))?;
        ensure!(released.release() == release, "{source} {reason}: {released}");
        let contact = released.header("Contact");
        let expected = (release == "302").then_some("<sip:busy@announce.example>");
        ensure!(contact == expected, "{source} {reason}: {released}");
        network.told_once(&calls, reason)?;
    }
    network.gateway.stop()
}

/// An asserted identity counts only from a trusted peer; the order of Diversion is the peer's own.
#[test]
fn reading() -> Result<()> {
    let network = start()?;
    for (series, source, caller, called) in
        [(0, "127.0.0.2", "from", "top"), (1, "127.0.0.3", "asserted", "bottom"), (2, "127.0.0.4", "from", "top")]
    {
        let [mut top, bottom] =
            <[_; 2]>::try_from(network.calls(series, 2, "no-answer")?).map_err(|_| anyhow::anyhow!("two calls"))?;
        let both = format!(
            "<sip:{}@op.example>;reason=no-answer, <sip:{}@op.example>;reason=no-answer",
            top.called, bottom.called
        );
        let invite = Message::invite(&top, &format!("read-{series}"))
            .with("Diversion", &both)
            .with("P-Asserted-Identity", &format!("<sip:{}@op.example;user=phone>", bottom.caller));
        let released = network.datagrams(source)?.ask(&invite)?;
        ensure!(released.release().starts_with('4'), "{released}");
        if caller == "asserted" {
            top.caller = bottom.caller;
        }
        if called == "bottom" {
            top.called = bottom.called;
        }
        network.told_once(&[top], "no_answer")?;
    }
    network.gateway.stop()
}
