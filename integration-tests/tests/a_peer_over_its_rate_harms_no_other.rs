//! A peer that sends more calls a second than its setting allows gets 503 and Retry-After; its calls in hand, and another peer's calls, are released.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;

const RATE: usize = 5;
const OFFERED: usize = 60;

#[test]
fn over_udp() -> Result<()> {
    let network = Network::start(|world| {
        world.set("SIP__PEERS", &format!("127.0.0.2;name=eager;rate={RATE},127.0.0.3;name=modest"));
    })?;
    let (many, few) = (network.calls(0, OFFERED as u64, "no-answer")?, network.calls(1, 10, "no-answer")?);
    let (eager, modest) = (network.datagrams("127.0.0.2")?, network.datagrams("127.0.0.3")?);
    let name = |n: usize| format!("eager-{n}");
    for (n, call) in many.iter().enumerate() {
        eager.send(&Message::invite(call, &name(n)).octets())?;
    }
    // While the other one is being turned away.
    for call in &few {
        let released = modest.ask(&Message::invite(call, &call.called[1..]))?;
        ensure!(released.release() == "480/19", "{released}");
    }
    let (mut released, mut turned_away) = (BTreeSet::new(), BTreeSet::new());
    while released.len() + turned_away.len() < OFFERED {
        let response = eager.receive()?;
        let id = response.header("Call-ID").and_then(|id| id.split_once('@')).context("Call-ID")?.0.to_owned();
        let number: usize = id.trim_start_matches("eager-").parse()?;
        match response.status {
            100 => {}
            480 => drop(released.insert(number)),
            503 => {
                ensure!(response.header("Retry-After").is_some(), "{response}");
                turned_away.insert(number);
            }
            _ => anyhow::bail!("{response}"),
        }
        if response.status >= 200 {
            eager.send(&Message::invite(&many[number], &name(number)).ack(&response).octets())?;
        }
    }
    // A second's worth at once is allowed, and more came within some seconds at most.
    ensure!(
        released.len() >= RATE && !turned_away.is_empty(),
        "{} released, {} not",
        released.len(),
        turned_away.len()
    );
    let pick = |numbers: &BTreeSet<usize>| numbers.iter().map(|n| many[*n].clone()).collect::<Vec<_>>();
    network.told_once(&pick(&released), "no_answer")?;
    network.told_once(&few, "no_answer")?;
    network.told_nobody(&pick(&turned_away))?;
    let counted = network.gateway.metric("afterring_sip_calls_total", &["peer=\"eager\"", "result=\"limited\""])?;
    ensure!(counted >= turned_away.len() as f64, "{counted} counted");
    // What was turned away may come again, as Retry-After says, and is then a call like any other.
    let first = *turned_away.first().context("one")?;
    let again = integration_tests::wait::until("it is taken", || {
        let answer = eager.ask(&Message::invite(&many[first], &format!("again-{first}")))?;
        Ok((answer.status != 503).then_some(answer))
    })?;
    ensure!(again.release() == "480/19", "{again}");
    network.told_once(&pick(&BTreeSet::from([first])), "no_answer")?;
    network.gateway.stop()
}
