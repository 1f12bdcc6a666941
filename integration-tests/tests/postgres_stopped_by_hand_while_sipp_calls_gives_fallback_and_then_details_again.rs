//! Postgres is stopped and started by hand while sipp goes on calling: details, then fallback at a foreign SMSC, then details again, and every call in
//! the database once.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::outage::{register, wait_registered, wait_whole};
use integration_tests::sipp::{Forwarded, Play, Sipp};
use integration_tests::{Make, Smsc, World, wait};
use serde_json::Value;
use throwaway_postgres::{Cluster, sql};

/// As [`register`] numbers them.
const FIRST: u64 = integration_tests::load::FIRST_SUBSCRIBER;
const CALLS: u64 = 600;
const A_SECOND: u32 = 60;

/// How many messages begin so.
fn begin(smsc: &Smsc, text: &str) -> usize {
    let begins = |submit: &&Value| submit["text"].as_str().is_some_and(|said| said.starts_with(text));
    smsc.submits("accepted").iter().filter(begins).count()
}

fn told(smsc: &Smsc, text: &str, least: usize) -> Result<()> {
    wait::within(Duration::from_secs(30), &format!("{least} messages begin with {text}"), || {
        Ok((begin(smsc, text) >= least).then_some(()))
    })
}

#[test]
fn details_fallback_details() -> Result<()> {
    let mut cluster = Cluster::start(&[]);
    let database = cluster.database();
    let smsc = Smsc::start(Make::Node)?;
    let mut world = World::with(&smsc)?;
    world.set("DATABASE__URL", &database);
    let gateway = world.start_bound()?;
    wait_whole(&gateway)?;
    register(&database, CALLS);
    wait_registered(&gateway, CALLS)?;

    let call = |n: u64| Forwarded {
        caller: "+8613911112222".to_owned(),
        called: format!("+{}", FIRST + n),
        reason: "no-answer",
    };
    let play = Play { scenario: "uac_mca.xml", port: world.doors().sip, folder: world.folder(), rate: A_SECOND };
    let sipp = Sipp::start(play, &(0..CALLS).map(call).collect::<Vec<_>>())?;
    told(&smsc, "1 missed call:", 60)?;
    cluster.stop();
    told(&smsc, "Missed call:", 120)?;
    cluster.restart();
    wait_whole(&gateway)?;
    let details = begin(&smsc, "1 missed call:");
    told(&smsc, "1 missed call:", details + 60)?;
    sipp.finish()?;
    wait::within(Duration::from_secs(30), "everybody is told", || {
        let told = begin(&smsc, "1 missed call:") + begin(&smsc, "Missed call:");
        Ok((u64::try_from(told)? == CALLS).then_some(()))
    })?;
    wait_whole(&gateway)?;
    let recorded =
        sql(&database, "select count(*), count(distinct called), count(distinct body->>'id') from missed_call");
    ensure!(recorded.trim() == format!("{CALLS}|{CALLS}|{CALLS}"), "{recorded}");
    gateway.stop()
}
