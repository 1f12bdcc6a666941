//! What the operator writes into its texts is what arrives, by the SMSC's own codec: the GSM alphabet with its extension, Chinese, emoji, and emoji cut into parts.

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World};
use serde_json::json;

/// Code points of the coding that a text needs (SMPP 3.4 §5.2.19).
const GSM: u64 = 0;
const UCS2: u64 = 8;

/// A price as the operator words it, the `data_coding` of the teaser that holds it, and its fewest parts.
const PRICES: [(&str, u64, usize); 6] = [
    ("DKK 2", GSM, 1),
    ("€2 {or} [3] ~|^\\ £¥ åÆø ÄÖÑÜ§", GSM, 1),
    ("两元", UCS2, 2),
    ("2 🪙", UCS2, 2),
    // Emoji at each place of a part's end: a surrogate pair that is cut in two arrives as two unreadable characters.
    ("🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉", UCS2, 3),
    ("x🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉🐉", UCS2, 3),
];

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    for (number, (price, data_coding, parts)) in (8_613_800_000_000_u64..).zip(PRICES) {
        let number = number.to_string();
        smsc.handset(&number)?;
        let mut world = World::with(&smsc)?;
        world.set("RANGES", "south=86138*:1000").set("TEASER__FETCH_PRICE", price).set("ALERT__MAX_PARTS", "10");
        let gateway = world.start_bound()?;
        gateway.take(&json!({ "id": "1", "called": number }))?;
        let teaser = smsc.message_to(&number, 1)?;
        ensure!(teaser.text.contains(price), "{price}: {teaser:?}");
        ensure!(teaser.data_coding == data_coding && teaser.parts >= parts, "{price}: {teaser:?}");
        gateway.stop()?;
    }
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
