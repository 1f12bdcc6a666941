//! A receipt ends the alert that it is about, and no other: the timeline says `delivered`, and the SMSC is answered, so that it sends the receipt once.

use anyhow::{Result, ensure};
use integration_tests::{Make, Skill, Smsc, World, wait};
use serde_json::json;

const UNDELIVERED: &str = "8613900000001";
const DELIVERED: &str = "8613900000002";

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    smsc.handset(DELIVERED)?;
    let world = World::with(&smsc)?;
    let gateway = world.start_bound()?;
    let obedient = make.has(Skill::AnswersAsTold);
    let stories = [(false, UNDELIVERED, "submitted"), (true, DELIVERED, "delivered")];
    // An SMSC that always sends receipts plays the second one only.
    for (receipts, person, says) in stories.into_iter().filter(|(receipts, ..)| *receipts || obedient) {
        if obedient {
            smsc.order(&json!({ "receipts": receipts }))?;
        }
        gateway.subscribe(person)?;
        gateway.take(&json!({ "id": person, "caller": "8613911112222", "called": person }))?;
        smsc.message_to(person, 1)?;
        gateway.wait_timeline(person, says)?;
    }
    wait::until_true("the receipt is acknowledged", || Ok(smsc.count("acknowledged") > 0))?;
    if obedient {
        ensure!(!gateway.timeline(UNDELIVERED)?.contains("delivered"), "{}", gateway.timeline(UNDELIVERED)?);
    }
    gateway.stop()?;
    let answers: Vec<_> = smsc.events().into_iter().filter(|event| event["event"] == "acknowledged").collect();
    ensure!(answers.len() == 1 && answers[0]["status"] == 0 && answers[0]["what"] == "receipt", "{answers:#?}");
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
