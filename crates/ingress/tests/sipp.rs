//! The SIP door against sipp, which shares no code with it; skipped, and said so, where sipp is not installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Stdio;
use std::sync::Arc;

use ingress::sip::{Door, Listen, Release, SipSettings, Transport};
use ingress::{Counts, Offer, Stored};
use model::{Numbering, Timestamp};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Calls that sipp makes, one per line of `calls.csv`, over and over.
const CALLS: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_gets_every_call_released_over_udp() {
    release_all(Transport::Udp, "u1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_gets_every_call_released_over_one_connection() {
    release_all(Transport::Tcp, "t1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_gets_every_call_released_over_a_connection_each() {
    release_all(Transport::Tcp, "tn").await;
}

/// `mode` is how sipp calls the transport.
async fn release_all(transport: Transport, mode: &str) {
    if std::process::Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("skipped: sipp is not on the PATH");
        return;
    }
    let numbering = Numbering::new("45", "", "00");
    // The scenario expects 480 for every reason.
    let listen = Listen { transport, address: "127.0.0.1:0".parse().unwrap() };
    let mut settings = SipSettings { listen: vec![listen], ..SipSettings::new(numbering) };
    settings.peers[0].rules.release.busy = Release::new(480, 17).unwrap();
    let door = Door::bind(settings).await.unwrap();
    let (target, meter) = (door.listens()[0].address.to_string(), door.meter());
    let (intake, mut offers) = mpsc::channel(64);
    let (counts, drain) = (Arc::new(Counts::default()), CancellationToken::new());
    let clock = || Timestamp::from_millis(1_795_420_800_000);
    let serving = tokio::spawn(door.serve(intake, clock, Arc::clone(&counts), drain.clone()));
    let store = tokio::spawn(async move {
        let mut called = Vec::new();
        while let Some(Offer { calls, answer }) = offers.recv().await {
            answer.send(Stored { duplicate: vec![false; calls.len()] }).unwrap();
            called.extend(calls.into_iter().map(|call| call.called.reveal()));
        }
        called
    });

    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sipp");
    let limit = CALLS.to_string();
    let mut sipp = tokio::process::Command::new("sipp")
        .args([target.as_str(), "-i", "127.0.0.1", "-sf", "uac_mca.xml", "-inf", "calls.csv", "-m", limit.as_str()])
        .args(["-r", "200", "-nostdin", "-timeout", "40s", "-t", mode, "-max_socket", "500"])
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut screen, mut errors) = (Vec::new(), String::new());
    let (mut stdout, mut stderr) = (sipp.stdout.take().unwrap(), sipp.stderr.take().unwrap());
    let (ended, _, _) = tokio::join!(sipp.wait(), stdout.read_to_end(&mut screen), stderr.read_to_string(&mut errors));
    let status = ended.unwrap();
    assert!(status.success(), "sipp: {status}\n{errors}");

    drain.cancel();
    serving.await.unwrap().unwrap();
    let called = store.await.unwrap();
    assert_eq!(called.len() as u64, CALLS);
    assert_eq!(called[0], "4530993908", "the first line of calls.csv");
    let counted = counts.snapshot().sip;
    assert_eq!((counted.accepted, counted.unavailable, counted.busy), (CALLS, 0, 0));
    let status = meter.snapshot();
    assert_eq!((status.unsent, status.connections.iter().map(|(_, open)| open).sum::<u64>()), (0, 0));
}
