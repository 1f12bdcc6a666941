//! Who sends what waits at a node: the node alone, as long as the database hears of it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Timestamp;

use super::{Batches, Shared};
use crate::postgres::batch::Failed;
use crate::postgres::people;
use crate::{Embedded, StoreError};

/// Until when this node alone may send what waits at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    /// When the database was last heard.
    pub(super) heard: Timestamp,
    /// Set where it was not heard for so long that others may have taken over, until it is known what: what was made before then waits.
    pub(super) lapsed: Option<Timestamp>,
}

impl Shared {
    /// Others may have taken over what waits here if the database was not heard for long; what they took is theirs.
    pub(super) async fn check_lease(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        deadline: Duration,
    ) -> Result<(), Failed> {
        let Some(lapsed) = self.lease().lapsed else { return Ok(()) };
        let waiting = local.waiting().await?;
        let session = self.connect(&mut batches.session).await?;
        for some in waiting.chunks(1_000) {
            let taken = self.within(deadline, people::taken_from(session, self.node, some)).await?.map_err(here)?;
            if !taken.is_empty() {
                tracing::warn!(alerts = taken.len(), "other nodes have taken over what waited here");
                local.give_up(taken).await?;
            }
        }
        let renewed = local.renew_updates(lapsed, (self.clock)()).await?;
        if renewed > 0 {
            tracing::info!(
                alerts = renewed,
                "updates that waited here are decided anew: other nodes may have gone on with them"
            );
        }
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).lapsed = None;
        Ok(())
    }

    fn lease(&self) -> Lease {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        // A tenth is kept for clocks that differ, and for what is on its way.
        if (self.clock)().since(lease.heard) > self.settings.lease.mul_f64(0.9) && lease.lapsed.is_none() {
            lease.lapsed = Some(lease.heard + self.settings.interval + self.settings.timeout * 4);
            // What was taken over is asked for when all else is handed over.
            self.behind.store(true, Ordering::SeqCst);
        }
        *lease
    }

    /// The database was heard: the lease begins anew, unless it had lapsed.
    pub(crate) fn heard(&self, at: Timestamp) {
        let _ = self.lease();
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).heard = at;
    }

    /// When the database was last heard.
    pub(crate) fn last_heard(&self) -> Timestamp {
        self.lease().heard
    }

    /// What was made before is not sent, since others may have taken it over; `None`: nothing was.
    pub(super) fn lapsed(&self) -> Option<Timestamp> {
        self.lease().lapsed
    }
}

fn here(error: StoreError) -> Failed {
    match error {
        StoreError::Shared(fault) => Failed::Not(fault),
        error => Failed::Here(error),
    }
}
