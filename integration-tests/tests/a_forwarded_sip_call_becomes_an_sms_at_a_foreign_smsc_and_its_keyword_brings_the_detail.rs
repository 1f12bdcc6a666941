//! sipp's forwarded call → teaser at a foreign SMSC; keyword C from there → detail with the caller and the local time.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::sipp::{Forwarded, Play, Sipp};
use integration_tests::world::SERVICE_CODE;
use integration_tests::{Make, Smsc, World, clock};

const CALLER: &str = "4520414002";
const CALLED: &str = "4530682554";

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    smsc.handset(CALLED)?;
    let mut world = World::with(&smsc)?;
    world
        .set("RANGES", "denmark=4530*:1000")
        .set("NUMBERING__COUNTRY_CODE", "45")
        .set("NUMBERING__NATIONAL_PREFIX", "");
    world.set("TEXT__TIME_ZONE", "Asia/Kathmandu").set("SMSC__URLS", &smsc.url());
    let gateway = world.start_bound()?;

    let before = clock::now();
    let call = Forwarded { caller: format!("+{CALLER}"), called: format!("+{CALLED}"), reason: "no-answer" };
    let play = Play { scenario: "uac_mca.xml", port: world.doors().sip, folder: world.folder(), rate: 10 };
    Sipp::start(play, &[call])?.finish()?;
    let after = clock::now();

    let teaser = smsc.message_to(CALLED, 1)?;
    ensure!(teaser.from == SERVICE_CODE, "a teaser comes from the service code: {teaser:?}");
    ensure!(teaser.text.starts_with("1 missed call,") && teaser.text.contains("Reply C"), "{teaser:?}");
    ensure!(!teaser.text.contains(CALLER), "a teaser never holds the caller: {teaser:?}");

    smsc.reply(CALLED, SERVICE_CODE, "c")?;
    let detail = smsc.message_to(CALLED, 2)?;
    // Nepal is 5:45 ahead of UTC: neither the machine's zone nor a whole number of hours.
    let shown = |at: jiff::Timestamp| clock::local(at + Duration::from_secs(45 * 60), 5, "%-d %b %H:%M");
    let times = [shown(before), shown(after)];
    ensure!(
        times.iter().any(|time| detail.text == format!("1 missed call:\n+{CALLER} {time}")),
        "{detail:?}, at one of {times:?}"
    );
    gateway.stop()
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
