//! Everything a gateway prints, at its most talkative, holds no telephone number, no message text and no secret.

use anyhow::{Result, ensure};
use integration_tests::sipp::{Forwarded, Play, Sipp};
use integration_tests::world::SERVICE_CODE;
use integration_tests::{Make, Smsc, World};
use serde_json::json;

const PROSPECT: &str = "8613800012345";
const SUBSCRIBER: &str = "8613900054321";
const CALLER: &str = "8613911167890";
const SIP_CALLER: &str = "8613922298765";

#[test]
fn at_the_most_talkative() -> Result<()> {
    let mut smsc = Smsc::start(Make::chosen()?)?;
    let mut world = World::with(&smsc)?;
    world.set("LOG__FILTER", "trace").set("RANGES", "south=86138*:100");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    gateway.take(&json!([
        { "id": "1", "caller": CALLER, "called": PROSPECT },
        { "id": "2", "caller": CALLER, "called": SUBSCRIBER },
    ]))?;
    gateway.post(&json!({ "id": "3", "caller": CALLER, "called": "8613800012345678901234567890" }))?;
    let call = Forwarded { caller: format!("+{SIP_CALLER}"), called: format!("+{SUBSCRIBER}"), reason: "no-answer" };
    let play = Play { scenario: "uac_mca.xml", port: world.doors().sip, folder: world.folder(), rate: 10 };
    Sipp::start(play, &[call])?.finish()?;
    smsc.message_to(PROSPECT, 1)?;
    smsc.reply(PROSPECT, SERVICE_CODE, "C")?;
    smsc.message_to(PROSPECT, 2)?;
    smsc.reply(SUBSCRIBER, SERVICE_CODE, "what is a zephyrheuristic")?;
    gateway.wait_timeline(SUBSCRIBER, "wrong_keyword")?;
    gateway.force_abnormal()?;
    gateway.look(&format!("/v1/subscribers/{SUBSCRIBER}"))?;
    gateway.lift_force()?;
    smsc.order(&json!({ "close": true }))?;
    gateway.wait_bound()?;
    gateway.stop()?;

    let printed = world.printed()?;
    ensure!(printed.lines().count() > 10, "it logs something:\n{printed}");
    // The last digits of each number, so that no prefix or spelling of it is missed.
    for digits in [PROSPECT, SUBSCRIBER, CALLER, SIP_CALLER].map(|number| &number[number.len() - 7..]) {
        let line = printed.lines().find(|line| line.contains(digits));
        ensure!(line.is_none(), "a number is in the log: {line:?}");
    }
    for word in ["zephyrheuristic", "missed call", "secret@", "password=secret", "\"secret\""] {
        let line = printed.lines().find(|line| line.contains(word));
        ensure!(line.is_none(), "'{word}' is in the log: {line:?}");
    }
    let json = printed.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    ensure!(json, "every line is JSON:\n{printed}");
    Ok(())
}
