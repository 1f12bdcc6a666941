//! The binary is killed again and again, at random moments, while calls come in by HTTP and SIP and replies by SMPP: nothing answered is lost.
//!
//! With `in_doubt = hold` nobody is told twice, and whoever isn't told has an alert in doubt to show for it; with `resend` nobody stays untold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use integration_tests::dice::Dice;
use integration_tests::http::Client;
use integration_tests::sipp::{Forwarded, Play, Sipp};
use integration_tests::world::SERVICE_CODE;
use integration_tests::{Gateway, Make, Smsc, World, wait};
use serde_json::{Value, json};

const KILLS: u32 = 25;
/// A life may end while it starts, while it recovers, or in the middle of work.
const SHORTEST_LIFE: Duration = Duration::from_millis(20);
const LONGEST_LIFE: Duration = Duration::from_millis(900);
const BATCH: u64 = 10;
const FORWARDED: u64 = 300;
const SUBSCRIBERS: u64 = 50;

const FIRST_HTTP: u64 = 8_613_800_000_000;
const FIRST_SUBSCRIBER: u64 = 8_613_900_000_000;
const FIRST_SIP: u64 = 4_530_000_000;

/// Hands in batch after batch, each again and again until it is answered 202, and gives the numbers that were.
fn feed(url: &str, stop: &AtomicBool) -> Result<Vec<u64>> {
    let client = Client::new(Duration::from_secs(3));
    let mut answered = Vec::new();
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let numbers: Vec<u64> = (next..next + BATCH).map(called).collect();
        let call = |n: &u64| json!({ "id": format!("call-{n}"), "caller": "8613911112222", "called": n.to_string() });
        let batch: Value = numbers.iter().map(call).collect();
        while !stop.load(Ordering::Relaxed) {
            match client.send("POST", url, &batch) {
                Ok(answer) if answer.status == 202 => {
                    let said = answer.json();
                    let taken = said["accepted"].as_u64().unwrap_or(0) + said["duplicate"].as_u64().unwrap_or(0);
                    ensure!(taken == BATCH, "{answer:?}");
                    answered.extend(&numbers);
                    next += BATCH;
                    break;
                }
                Ok(answer) if matches!(answer.status, 429 | 503) => {}
                Ok(answer) => bail!("{answer:?}"),
                // The gateway was killed: whether it has the batch, only asking again tells.
                Err(_) => {}
            }
            sleep(Duration::from_millis(10));
        }
        sleep(Duration::from_millis(20));
    }
    Ok(answered)
}

/// The first calls are for subscribers, the others for prospects.
const fn called(n: u64) -> u64 {
    if n < SUBSCRIBERS { FIRST_SUBSCRIBER + n } else { FIRST_HTTP + n }
}

/// How often the SMSC took a message about calls for each number; confirmations don't count.
fn told(smsc: &Smsc) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    let about_calls = |submit: &&Value| submit["text"].as_str().is_some_and(|text| text.contains("missed call"));
    for submit in smsc.submits("accepted").iter().filter(about_calls) {
        *told.entry(submit["to"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    told
}

/// Kills life after life; between them people reply, and the replies that were sent are given.
fn kill_many(world: &World, smsc: &mut Smsc, dice: &mut Dice) -> Result<Vec<String>> {
    let mut refusers = Vec::new();
    for life in 1..=KILLS {
        let gateway = world.spawn()?;
        let length = dice.between(SHORTEST_LIFE, LONGEST_LIFE);
        sleep(length / 2);
        let mut teased = told(smsc).into_keys().filter(|number| number.starts_with("86138"));
        if let Some(number) = teased.next_back().filter(|number| !refusers.contains(number)) {
            smsc.reply(&number, SERVICE_CODE, "R")?;
            refusers.push(number);
        }
        sleep(length / 2);
        gateway.kill().with_context(|| format!("life {life}, printed:\n{}", world.printed().unwrap_or_default()))?;
    }
    Ok(refusers)
}

fn story(in_doubt: &str, judge: impl Fn(&Gateway, u64, usize) -> Result<()>) -> Result<()> {
    let mut dice = Dice::new();
    let mut smsc = Smsc::start(Make::Node)?;
    let mut world = World::new()?;
    world
        .set("SMSC__URLS", &format!("{}?timeout=5s", smsc.url()))
        .set("RANGES", "south=86138*:1000000;denmark=4530*:1000000")
        .set("ALERT__IN_DOUBT", in_doubt)
        .set("ALERT__RESEND_WAIT", "1s")
        .set("INGRESS__SAME_CALL", "0s");
    let gateway = world.start_bound()?;
    (0..SUBSCRIBERS).try_for_each(|n| gateway.subscribe(&called(n).to_string()))?;
    let url = gateway.calls_url();
    gateway.kill()?;

    let forwarded = |n: u64| Forwarded {
        caller: format!("+45200{n:05}"),
        called: format!("+{}", FIRST_SIP + n),
        reason: ["no-answer", "unavailable", "deflection"][usize::try_from(n % 3).unwrap_or(0)],
    };
    let calls: Vec<_> = (0..FORWARDED).map(forwarded).collect();
    let play =
        Play { scenario: "uac_mca_until_answered.xml", port: world.doors().sip, folder: world.folder(), rate: 20 };
    let sipp = Sipp::start(play, &calls)?;

    let stop = AtomicBool::new(false);
    let (answered, refusers, gateway) = thread::scope(|scope| {
        let feeder = scope.spawn(|| feed(&url, &stop));
        let killed = kill_many(&world, &mut smsc, &mut dice);
        let gateway = world.start_bound();
        stop.store(true, Ordering::Relaxed);
        let answered = feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))?;
        anyhow::Ok((answered?, killed?, gateway?))
    })?;
    // A network that heard a 100 sends no more: the call of a life that died then was never answered, and is not ours.
    let released: Vec<u64> = sipp
        .finish_with_the_unheard()?
        .iter()
        .filter_map(|line| line.strip_prefix("answered +")?.parse().ok())
        .collect();

    gateway.wait_decided()?;
    wait::within(Duration::from_secs(60), "nothing waits to be sent", || {
        let waiting =
            gateway.metric("afterring_alerts", &["queued"])? + gateway.metric("afterring_alerts", &["sending"])?;
        Ok((waiting == 0.0).then_some(()))
    })?;
    for number in &refusers {
        gateway.wait_timeline(number, "\"refused\"")?;
    }
    let told = told(&smsc);
    let everybody = answered.iter().chain(&released).copied();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for number in everybody {
        let count = told.get(&number.to_string()).copied().unwrap_or(0);
        *counts.entry(count).or_default() += 1;
        judge(&gateway, number, count).with_context(|| format!("{number} was told {count} times"))?;
    }
    println!("{in_doubt}: {KILLS} kills, {} replies; people by how often they were told: {counts:?}", refusers.len());
    println!("{} calls answered by HTTP, {} of {FORWARDED} by SIP", answered.len(), released.len());
    let real = answered.len() > 100 && released.len() > 100 && refusers.len() > 3;
    ensure!(real, "too little load to prove anything");
    gateway.stop()
}

#[test]
fn hold_tells_nobody_twice() -> Result<()> {
    story("hold", |gateway, number, count| match count {
        0 => gateway.wait_timeline(&format!("+{number}"), "in_doubt"),
        1 => Ok(()),
        _ => bail!("told twice: {}", gateway.timeline(&format!("+{number}"))?),
    })
}

#[test]
fn resend_leaves_nobody_untold() -> Result<()> {
    story("resend", |gateway, number, count| {
        ensure!(count >= 1, "untold: {}", gateway.timeline(&format!("+{number}"))?);
        Ok(())
    })
}
