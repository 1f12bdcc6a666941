//! A gateway that stops says good-bye: one `unbind` to the SMSC, and exit code 0.

use anyhow::{Result, ensure};
use integration_tests::{Make, Smsc, World, wait};

fn story(make: Make) -> Result<()> {
    let smsc = Smsc::start(make)?;
    let world = World::with(&smsc)?;
    for life in 1..=2 {
        let gateway = world.start_bound()?;
        gateway.stop()?;
        // Everything of a life comes before the end of its session.
        wait::until_true("the session is closed", || Ok(smsc.count("closed") == life))?;
        ensure!(smsc.count("bound") == life && smsc.count("unbound") == life, "{:#?}", smsc.events());
    }
    Ok(())
}

#[test]
fn at_every_smsc() -> Result<()> {
    Make::each(&[], story)
}
