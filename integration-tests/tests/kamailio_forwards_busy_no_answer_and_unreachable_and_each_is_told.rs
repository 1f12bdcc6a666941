//! A Kamailio switch forwards calls that nobody answers, with the configuration of the guide: each becomes one SMS, and the caller hears our release.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use integration_tests::kamailio::Kamailio;
use integration_tests::sip::{Datagrams, Message};
use integration_tests::sipp::{Carrier, Forwarded, Play, Sipp};
use integration_tests::{Network, ports};

const CALLS: u64 = 3;

/// A phone that ends its calls in one way: the scenario that plays it, if it is registered at all; why its calls are missed; what their callers hear.
struct Phone {
    scenario: Option<&'static str>,
    reason: &'static str,
    release: &'static str,
}

const PHONES: [Phone; 4] = [
    Phone { scenario: Some("uas_busy.xml"), reason: "busy", release: "486 Reason: Q.850;cause=17" },
    Phone { scenario: Some("uas_rings.xml"), reason: "no_answer", release: "480 Reason: Q.850;cause=19" },
    Phone { scenario: Some("uas_absent.xml"), reason: "unreachable", release: "480 Reason: Q.850;cause=20" },
    Phone { scenario: None, reason: "unreachable", release: "480 Reason: Q.850;cause=20" },
];

/// Calls one kind of phone by the switch, and looks at what became of it.
fn play_one(network: &Network, switch: &Kamailio, phone: &Phone, series: u64) -> Result<()> {
    let calls = network.calls(series, CALLS, "")?;
    let port = ports::free()?;
    let played = phone.scenario.map(|scenario| {
        let play = Play { scenario, port, folder: network.folder(), rate: 10 };
        Sipp::answer(play, calls.len())
    });
    let rings = played.transpose()?;
    if rings.is_some() {
        calls.iter().try_for_each(|call| switch.register(&call.called, port))?;
    }
    let released = dial(network, switch, &calls)?;
    rings.map(Sipp::finish).transpose()?;
    for call in &calls {
        let heard: Vec<_> = released.iter().filter(|line| line.ends_with(&call.called)).collect();
        let whole = |line: &&String| line.contains(&format!("released {}", phone.release));
        ensure!(heard.len() == 1 && heard.iter().all(whole), "{}: the caller heard {released:?}", phone.reason);
    }
    network.told_once(&calls, phone.reason)
}

fn dial(network: &Network, switch: &Kamailio, calls: &[Forwarded]) -> Result<Vec<String>> {
    let play = Play { scenario: "uac_dials.xml", port: switch.address().port(), folder: network.folder(), rate: 10 };
    Sipp::start_over(Carrier::Udp, play, calls)?.finish()
}

/// Every kind of phone is called by a switch.
fn play_all(network: &Network, switch: &Kamailio) -> Result<()> {
    for (series, phone) in (0..).zip(&PHONES) {
        play_one(network, switch, phone, series).with_context(|| format!("{}\n{}", phone.reason, switch.said()))?;
    }
    Ok(())
}

#[test]
fn over_udp() -> Result<()> {
    let network = Network::start(|_| {})?;
    let switch = Kamailio::start(network.folder(), &[network.sip()])?;
    play_all(&network, &switch)?;
    network.gateway.stop()
}

#[test]
fn over_tls_with_a_certificate_of_its_own() -> Result<()> {
    let (network, door) = Network::start_with_tls()?;
    let switch = Kamailio::start_over_tls(network.folder(), door.address, &door.peer)?;
    play_all(&network, &switch)?;
    network.gateway.stop()
}

/// Where nothing listens at the first node, the call goes to the second.
#[test]
fn to_the_next_node_when_one_is_gone() -> Result<()> {
    let network = Network::start(|_| {})?;
    let gone = SocketAddr::from(([127, 0, 0, 1], ports::free()?));
    let switch = Kamailio::start(network.folder(), &[gone, network.sip()])?;
    play_one(&network, &switch, &PHONES[0], 7).with_context(|| switch.said())?;
    network.gateway.stop()
}

/// Where the first node says 503, the call goes to the second, and that one's release is heard.
#[test]
fn to_the_next_node_when_one_says_503() -> Result<()> {
    let network = Network::start(|_| {})?;
    let port = ports::free()?;
    let play = Play { scenario: "uas_full.xml", port, folder: network.folder(), rate: 10 };
    let full = Sipp::answer(play, usize::try_from(CALLS)?)?;
    let switch = Kamailio::start(network.folder(), &[SocketAddr::from(([127, 0, 0, 1], port)), network.sip()])?;
    play_one(&network, &switch, &PHONES[0], 7).with_context(|| switch.said())?;
    full.finish()?;
    network.gateway.stop()
}

/// Who hangs up while it rings has missed nobody, as this switch sees it: nothing is forwarded.
#[test]
fn not_what_its_caller_gave_up() -> Result<()> {
    let network = Network::start(|_| {})?;
    let switch = Kamailio::start(network.folder(), &[network.sip()])?;
    let calls = network.calls(8, 1, "")?;
    let port = ports::free()?;
    let phone = Sipp::answer(Play { scenario: "uas_rings.xml", port, folder: network.folder(), rate: 10 }, 1)?;
    switch.register(&calls[0].called, port)?;
    let caller = Datagrams::open("127.0.0.1:0", switch.address())?;
    let dials = Message::invite(&calls[0], "gives-up").without("Diversion");
    let dials = dials.to_uri(&format!("sip:{}@op.example", calls[0].called));
    caller.send(&dials.octets())?;
    while caller.receive()?.status != 180 {}
    let cancelled = caller.ask(&dials.cancel())?;
    let ended = caller.receive()?;
    ensure!((cancelled.status, ended.status) == (200, 487), "{cancelled}\n{ended}");
    caller.send(&dials.ack(&ended).octets())?;
    phone.finish()?;
    network.told_nobody(&calls)?;
    network.gateway.stop()
}
