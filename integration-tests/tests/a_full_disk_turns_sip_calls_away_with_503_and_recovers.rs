//! A full disk: forwarded calls get 503 and Retry-After, so that the network tries elsewhere; room brings everything back by itself, and what was released is told.

use std::fs;

use anyhow::{Result, ensure};
use integration_tests::disk::SmallDisk;
use integration_tests::sip::{Datagrams, Message, Response};
use integration_tests::sipp::Forwarded;
use integration_tests::{Network, wait};
use tempfile::TempDir;

/// The call of one of ever new people.
fn call(n: u64) -> Forwarded {
    Forwarded { caller: "+4520000001".to_owned(), called: format!("+{}", 4_530_000_000 + n), reason: "no-answer" }
}

/// Calls new people until one is answered with this status; gives that answer, and whose calls were released.
fn call_until(peer: &Datagrams, next: &mut u64, status: u16) -> Result<(Response, Vec<Forwarded>)> {
    let mut released = Vec::new();
    let answer = wait::until(&format!("a call is answered {status}"), || {
        let call = call(*next);
        let answer = peer.ask(&Message::invite(&call, &format!("disk-{next}")))?;
        *next += 1;
        if answer.status == 480 {
            released.push(call);
        }
        Ok((answer.status == status).then_some(answer))
    })?;
    Ok((answer, released))
}

#[test]
fn full_disk() -> Result<()> {
    let folder = TempDir::with_prefix("afterring-test-")?;
    let store = folder.path().join("small");
    let disk = match SmallDisk::mount(&store) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("NOT TESTED: a full disk, because a small one can't be mounted here (run as root): {error:#}");
            return Ok(());
        }
    };
    let network = Network::start(|world| {
        world.set("STORE__DIR", &store.display().to_string()).set("RANGES", "denmark=4530*:100000");
    })?;
    let peer = network.datagrams("127.0.0.1")?;
    let mut next = 0;
    let (_, mut released) = call_until(&peer, &mut next, 480)?;
    let ballast = disk.fill()?;
    let (refused, more) = call_until(&peer, &mut next, 503)?;
    ensure!(refused.header("Retry-After").is_some(), "{refused}");
    released.extend(more);
    fs::remove_file(ballast)?;
    let (_, more) = call_until(&peer, &mut next, 480)?;
    released.extend(more);
    network.gateway.wait_decided()?;
    for call in &released {
        let made = network.call_of(&call.called)?;
        ensure!(made["decision"]["what"] == "send", "{made}");
        wait::until_true("everybody who was released is told", || {
            Ok(network.simulator.submits_to(&call.called[1..])?.len() == 1)
        })?;
    }
    network.gateway.stop()
}
