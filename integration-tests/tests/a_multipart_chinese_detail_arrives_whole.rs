//! A long Chinese detail: several parts in UCS-2, joined again by the SMSC's own codec to exactly the list.

use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World, clock};
use serde_json::{Value, json};

const SUBSCRIBER: &str = "8613900000001";
const CALLERS: u64 = 4;

fn story(make: Make) -> Result<()> {
    let mut smsc = Smsc::start(make)?;
    smsc.handset(SUBSCRIBER)?;
    let mut world = World::with(&smsc)?;
    world.set("TEXT__LANGUAGE", "zh-CN").set("ALERT__MAX_PARTS", "3");
    let gateway = world.start_bound()?;
    gateway.subscribe(SUBSCRIBER)?;
    let at = clock::minute_ago(Duration::from_secs(600));
    let call = |n: u64| {
        let minute = Duration::from_secs(60) * u32::try_from(n).unwrap_or(0);
        let at = (at + minute).to_string();
        json!({ "id": n.to_string(), "caller": (8_613_911_110_000 + n).to_string(), "called": SUBSCRIBER, "at": at })
    };
    gateway.take(&(0..CALLERS).map(call).collect::<Value>())?;
    let detail = smsc.message_to(SUBSCRIBER, 1)?;

    let line = |n: u64| {
        let minute = Duration::from_secs(60) * u32::try_from(n).unwrap_or(0);
        format!("\n+{} {}", 8_613_911_110_000 + n, clock::local(at + minute, 8, "%m-%d %H:%M"))
    };
    let list: String = (0..CALLERS).rev().map(line).collect();
    ensure!(detail.text == format!("您有{CALLERS}个未接来电：{list}"), "{detail:?}");
    ensure!(detail.parts > 1 && detail.data_coding == 8, "{detail:?}");
    gateway.stop()
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
