//! `AFTERRING_SERVICE__NUMBERS`: what a number that the core network forwards to says of who is forwarded to it, while the database is abnormal.

use anyhow::{Result, ensure};
use integration_tests::Network;
use integration_tests::sip::Message;
use integration_tests::sipp::Forwarded;

const SUBSCRIBERS: &str = "4591100100";
const PROSPECTS: &str = "4591100200";

fn forwarded(n: u64) -> Forwarded {
    Forwarded {
        caller: format!("+{}", 4_520_000_000 + n),
        called: format!("+{}", 4_530_000_000 + n),
        reason: "no-answer",
    }
}

/// Nobody is registered and no registry was ever loaded: only the number says who the called person is.
#[test]
fn while_the_database_is_abnormal() -> Result<()> {
    let network = Network::start(|world| {
        world
            .set("SERVICE__NUMBERS", &format!("{SUBSCRIBERS}=subscribers;{PROSPECTS}=prospects"))
            .set("RANGES", "denmark=45300*:1000")
            // A database that never answers.
            .set("DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    })?;
    let peer = network.datagrams("127.0.0.1")?;
    for (n, number) in [(1, SUBSCRIBERS), (2, PROSPECTS), (3, "4591100300")] {
        let uri = format!("sip:+{number}@afterring.example;user=phone");
        let released =
            peer.ask(&Message::invite(&forwarded(n), number).to_uri(&uri).with("To", &format!("<{uri}>")))?;
        ensure!(released.release() == "480/19", "{released}");
        let made = network.call_of(&forwarded(n).called)?;
        ensure!(made["service_number"] == number, "{made}");
    }
    network.told_once(&[forwarded(1)], "no_answer")?;
    for n in [2, 3] {
        let made = network.call_of(&forwarded(n).called)?;
        ensure!(made["decision"]["what"] == "nothing", "{made}");
        ensure!(network.simulator.inbox(&forwarded(n).called[1..])?.is_empty(), "nobody else is told");
    }
    network.gateway.stop()
}
