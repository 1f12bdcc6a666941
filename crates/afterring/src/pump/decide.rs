//! Events: from the journal into decisions, in order, in batches.

use std::sync::Arc;

use routing::{AlertState, FailedWhy};
use store::{Embedded, Journaled, Outcome, Store};
use tokio::sync::{Notify, broadcast};

use super::{Desk, Patience};
use crate::metrics::Metrics;

/// Events decided in one transaction: enough to share a sync, few enough to keep calls from waiting.
const BATCH: usize = 500;

/// Where outcomes go beside the store.
#[derive(Clone)]
pub struct Ear {
    /// Wakes the dispatcher when something was queued.
    pub queued: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// For pages that show what happens; slow ones miss some.
    pub live: broadcast::Sender<Arc<Vec<Outcome>>>,
}

impl Ear {
    /// Tells everyone of a settled batch of the journal (empty where boxes were due).
    pub fn settled(&self, settled: store::Settled, batch: &[Journaled]) {
        self.metrics.decided(&settled.outcomes, batch);
        for alert in settled.outcomes.iter().flat_map(|outcome| &outcome.alerts) {
            if let AlertState::Failed { why: FailedWhy::Refused(status), .. } = alert.state {
                let status = format!("{status:#010x}");
                tracing::info!(alert = %alert.id, to = %alert.to, kind = %alert.kind, status, "refused by the SMSC for good");
            }
        }
        if settled.queued > 0 {
            self.queued.notify_one();
        }
        if self.live.receiver_count() > 0 {
            drop(self.live.send(Arc::new(settled.outcomes)));
        }
    }
}

/// Decides what is journaled, until the store is closed. A batch that can't be settled is handed out again: events are never dropped.
pub async fn run(store: Embedded, desk: Desk, ear: Ear) {
    let mut patience = Patience::new();
    loop {
        let batch = store.next(BATCH).await;
        if batch.is_empty() {
            return;
        }
        match store.settle(batch.clone(), desk.context()).await {
            Ok(settled) => {
                patience = Patience::new();
                ear.settled(settled, &batch);
            }
            Err(error) => {
                tracing::error!(error = %error, events = batch.len(), "events can't be decided: trying again");
                patience.wait().await;
            }
        }
    }
}
