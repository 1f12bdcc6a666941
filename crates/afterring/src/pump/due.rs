//! Call boxes that asked to be looked at, and what waited for the database.

use std::time::Duration;

use model::Clock;
use routing::{Database, Event};
use store::{HandOver, Store, StoreError};
use tokio::time::MissedTickBehavior;

use super::Desk;

/// How often boxes are asked for; calls wait for minutes here, so half a second more is nothing.
const LOOK: Duration = Duration::from_millis(500);
/// Between two steps of removing old history while there is more: the store's other work goes on in between.
const PRUNE_STEP: Duration = Duration::from_millis(20);
/// Between two rounds of it.
const PRUNE_ROUND: Duration = Duration::from_secs(60);
/// Boxes looked at in one transaction.
const BATCH: usize = 500;

/// Looks at due boxes, for ever.
pub async fn run(store: HandOver, desk: Desk) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        look_at_due(&store, &desk).await;
    }
}

/// Removes what is older than the retention, for ever.
pub async fn prune(store: HandOver, clock: Clock) {
    loop {
        let pause = match store.local().prune(clock()).await {
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

/// Journals a look at each box that is due; they are decided with everything else, in order. Waits until they are, so that none is found due twice.
async fn look_at_due(store: &HandOver, desk: &Desk) {
    loop {
        let context = desk.context();
        let found = store.due(context.now, BATCH, context.database == Database::Normal).await;
        let looked = match found {
            Ok(called) if called.is_empty() => return,
            Ok(called) => {
                let full = called.len() == BATCH;
                let looks = called.into_iter().map(|called| Event::Due { called }).collect();
                store.local().append(looks).await.map(|appended| (appended.through, full))
            }
            Err(error) => Err(error),
        };
        match looked {
            Ok((through, full)) => {
                let settled = |health: &store::Health| health.settled_through >= through.0;
                if store.local().watch().wait_for(settled).await.is_err() || !full {
                    return;
                }
            }
            Err(StoreError::Shared(fault)) => {
                tracing::debug!(%fault, "due call boxes can't be asked for: trying again");
                return;
            }
            Err(error) => {
                tracing::error!(error = %error, "due call boxes can't be looked at: trying again");
                return;
            }
        }
    }
}
