//! Call boxes that asked to be looked at, and what waited for the database.

use std::time::Duration;

use model::Clock;
use routing::Database;
use store::{Embedded, Store};
use tokio::time::MissedTickBehavior;

use super::Desk;
use super::decide::Ear;

/// How often boxes are asked for; calls wait for minutes here, so half a second more is nothing.
const LOOK: Duration = Duration::from_millis(500);
/// Between two steps of removing old history while there is more: the store's other work goes on in between.
const PRUNE_STEP: Duration = Duration::from_millis(20);
/// Between two rounds of it.
const PRUNE_ROUND: Duration = Duration::from_secs(60);
/// Boxes looked at in one transaction.
const BATCH: usize = 500;

/// Looks at due boxes, for ever.
pub async fn run(store: Embedded, desk: Desk, ear: Ear) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        look_at_due(&store, &desk, &ear).await;
    }
}

/// Removes what is older than the retention, for ever.
pub async fn prune(store: Embedded, clock: Clock) {
    loop {
        let pause = match store.prune(clock()).await {
            Ok(pruned) if !pruned.done => PRUNE_STEP,
            Ok(_) => PRUNE_ROUND,
            Err(error) => {
                tracing::warn!(error = %error, "old history can't be removed: trying again in a minute");
                PRUNE_ROUND
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn look_at_due(store: &Embedded, desk: &Desk, ear: &Ear) {
    loop {
        let context = desk.context();
        let deferred = context.database == Database::Normal;
        let settled = match store.due(context.now, BATCH, deferred).await {
            Ok(boxes) if boxes.is_empty() => return,
            Ok(boxes) => {
                let full = boxes.len() == BATCH;
                store.settle_due(boxes, context).await.map(|settled| (settled, full))
            }
            Err(error) => Err(error),
        };
        match settled {
            Ok((settled, full)) => {
                ear.settled(settled, &[]);
                if !full {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(error = %error, "due call boxes can't be looked at: trying again");
                return;
            }
        }
    }
}
