//! SIGTERM: keepalives and new calls get 503, so that peers go elsewhere; calls in hand are released once they are stored, and told by the next life.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use integration_tests::sip::{Datagrams, Message};
use integration_tests::sipp::Forwarded;
use integration_tests::{Network, wait};

fn invite(call: &Forwarded) -> Message {
    Message::invite(call, &call.called[1..])
}

/// Waits until so many calls have had their first final response, none of which is acknowledged: so they stay in hand.
fn wait_finals(peer: &Datagrams, finals: &mut BTreeMap<String, u16>, count: usize) -> Result<()> {
    while finals.len() < count {
        let response = peer.receive()?;
        let name = response.header("Call-ID").and_then(|id| id.split_once('@')).context("Call-ID")?.0;
        if response.status >= 200 {
            finals.entry(format!("+{name}")).or_insert(response.status);
        }
    }
    Ok(())
}

#[test]
fn over_udp() -> Result<()> {
    let mut network = Network::start(|_| {})?;
    let calls = network.calls(0, 41, "no-answer")?;
    let (in_hand, late) = calls.split_at(40);
    let peer = network.datagrams("127.0.0.1")?;
    for call in in_hand {
        peer.send(&invite(call).octets())?;
    }
    let mut finals = BTreeMap::new();
    wait_finals(&peer, &mut finals, 1)?;
    network.gateway.ask_to_stop()?;
    wait_finals(&peer, &mut finals, in_hand.len())?;
    ensure!(finals.values().all(|status| matches!(status, 480 | 503)), "{finals:?}");
    let (released, refused): (Vec<_>, Vec<_>) =
        in_hand.iter().cloned().partition(|call| finals.get(&call.called) == Some(&480));
    ensure!(!released.is_empty(), "the first was answered before the signal: {finals:?}");
    let mut turn = 0;
    let keepalive = wait::until("keepalives are refused", || {
        turn += 1;
        let answer = peer.ask(&Message::options(&format!("keepalive-{turn}")))?;
        Ok((answer.status != 200).then_some(answer))
    })?;
    let new = peer.ask(&invite(&late[0]))?;
    for answer in [keepalive, new] {
        ensure!(answer.status == 503 && answer.header("Retry-After").is_some(), "{answer}");
    }
    for call in in_hand {
        // Any To does: what is acknowledged is found by its Via.
        peer.send(&invite(call).acknowledged().octets())?;
    }
    let exit = network.gateway.wait_exit()?;
    ensure!(exit.code() == Some(0), "{exit}");

    network.gateway = network.world.start_bound()?;
    network.told_once(&released, "no_answer")?;
    network.told_nobody(&refused)?;
    network.told_nobody(late)?;
    network.gateway.stop()
}
