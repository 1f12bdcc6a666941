//! The SMSC is away for a minute while 500 calls a second come in: everybody who was called is told once, but for those in doubt when it died.
//!
//! With `in_doubt = hold` those are told at most once, and each shows as in doubt; with `resend_once` they are told at least once and at most twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use integration_tests::load::{Load, called};
use integration_tests::outage::tell;
use integration_tests::{Gateway, Make, Smsc, World, wait};
use serde_json::json;

/// How long the SMSC is away.
const AWAY: Duration = Duration::from_secs(60);
/// How long it may take until a minute's calls are told: far longer than it does.
const DRAINED: Duration = Duration::from_secs(90);
/// Submits that may be unanswered, and so in doubt, at a time.
const WINDOW: usize = 100;
/// Submits that the SMSC takes and leaves unanswered when it dies: what is in doubt isn't left to chance.
const UNANSWERED: usize = 5;

/// What an SMSC took for one number.
#[derive(Clone, Copy, Default)]
struct Told {
    answered: usize,
    unanswered: usize,
}

impl Told {
    const fn times(self) -> usize {
        self.answered + self.unanswered
    }
}

fn told(smsc: &Smsc) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for (answer, unanswered) in [("accepted", false), ("silent", true)] {
        for submit in smsc.submits(answer) {
            let told = told.entry(submit["to"].as_str().unwrap_or_default().to_owned()).or_default();
            let count = if unanswered { &mut told.unanswered } else { &mut told.answered };
            *count += 1;
        }
    }
    told
}

fn in_doubt(gateway: &Gateway) -> Result<usize> {
    let shown = gateway.metric("afterring_alerts", &["in_doubt"])?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
    Ok(shown as usize)
}

/// Lets calls come, pulls the SMSC away for [`AWAY`] and waits until all is told; how many calls were answered.
fn pull(gateway: &Gateway, smsc: &mut Smsc) -> Result<u64> {
    let load = Load::start(gateway.calls_url());
    load.go_on_for(1_500)?;
    smsc.order(&json!({ "silent": UNANSWERED }))?;
    wait::until_true("submits are unanswered", || Ok(smsc.submits("silent").len() == UNANSWERED))?;
    smsc.kill()?;
    let gone = Instant::now();
    while gone.elapsed() < AWAY {
        load.go_on_for(500)?;
    }
    smsc.revive()?;
    load.go_on_for(1_500)?;
    let answered = load.finish()?;
    ensure!(answered >= AWAY.as_secs() * 250, "{answered} calls are too few to prove anything");
    wait::within(DRAINED, "nothing waits to be decided or sent", || {
        let decided = gateway.status()?["journal"]["pending"] == json!(0);
        let waiting = ["queued", "sending"].map(|state| gateway.metric("afterring_alerts", &[state]));
        let [queued, sending] = waiting;
        Ok((decided && queued? + sending? == 0.0).then_some(()))
    })?;
    Ok(answered)
}

fn story(policy: &str, judge: impl Fn(&Gateway, u64, Told) -> Result<()>) -> Result<()> {
    let mut smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world
        .set("SMSC__URLS", &format!("{}?window={WINDOW}&reconnect_max=2s", smsc.url()))
        .set("RANGES", "south=86138*:1000000;north=86139*:1000000")
        .set("ALERT__IN_DOUBT", policy)
        .set("ALERT__RESEND_WAIT", "5s");
    let gateway = world.start_bound()?;
    let answered = pull(&gateway, &mut smsc).with_context(|| tell(&gateway, &world))?;

    let told = told(&smsc);
    let doubtful = in_doubt(&gateway)?;
    let mut times: BTreeMap<usize, usize> = BTreeMap::new();
    for number in (0..answered).map(called) {
        let told = told.get(&number.to_string()).copied().unwrap_or_default();
        *times.entry(told.times()).or_default() += 1;
        judge(&gateway, number, told)
            .with_context(|| format!("{number} told {} and {} times", told.answered, told.unanswered))?;
    }
    println!("{policy}: {answered} calls; people by how often they were told: {times:?}; in doubt: {doubtful}");
    ensure!(told.len() as u64 <= answered, "{} people told of {answered} calls", told.len());
    let odd: usize = times.iter().filter(|(times, _)| **times != 1).map(|(_, people)| people).sum();
    ensure!(odd <= WINDOW, "{odd} people not told once: more than can have been unanswered");
    match policy {
        "hold" => ensure!((UNANSWERED..=WINDOW).contains(&doubtful), "{doubtful} in doubt"),
        _ => ensure!(doubtful == 0 && odd >= UNANSWERED, "{doubtful} in doubt, {odd} told twice"),
    }
    gateway.stop()
}

#[test]
fn hold_tells_nobody_twice() -> Result<()> {
    story("hold", |gateway, number, told| {
        ensure!(told.times() <= 1, "told twice: {}", gateway.timeline(&format!("+{number}"))?);
        if told.answered == 0 {
            return gateway.wait_timeline(&format!("+{number}"), "in_doubt");
        }
        Ok(())
    })
}

#[test]
fn resend_once_leaves_nobody_untold() -> Result<()> {
    story("resend_once", |gateway, number, told| {
        let right = told.answered >= 1 && told.times() <= 2;
        ensure!(right, "{}", gateway.timeline(&format!("+{number}"))?);
        Ok(())
    })
}
