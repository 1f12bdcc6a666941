//! Events: from the journal into decisions, in order, in batches.

use std::sync::Arc;
use std::time::Duration;

use routing::{AlertState, FailedWhy};
use store::{HandOver, Journaled, Outcome, Step, Store};
use tokio::sync::{Notify, broadcast};
use tokio::time::Instant;

use super::{Desk, Patience};
use crate::metrics::Metrics;

/// Events decided in one transaction: enough to share a sync, few enough to keep calls from waiting.
const BATCH: usize = 2_000;

/// How often it is looked at unasked whether something is to be handed over.
const IDLE: Duration = Duration::from_millis(500);

/// Parts handed over between two batches of new events.
const PARTS: usize = 3;

/// Pause before handing over is tried again; what comes meanwhile is decided.
const AGAIN: Duration = Duration::from_millis(100);

/// Where outcomes go beside the store.
#[derive(Clone)]
pub struct Ear {
    /// Wakes the dispatcher when something was queued.
    pub queued: Arc<Notify>,
    /// Wakes whoever asks for updates when one is wanted.
    pub wanted: Arc<Notify>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// For pages that show what happens; slow ones miss some.
    pub live: broadcast::Sender<Arc<Vec<Outcome>>>,
}

impl Ear {
    /// Tells everyone of a settled batch of the journal (empty where boxes were due).
    pub fn settled(&self, settled: store::Settled, batch: &[Journaled]) {
        self.metrics.decided(&settled, batch);
        for alert in settled.outcomes.iter().flat_map(|outcome| &outcome.alerts) {
            if let AlertState::Failed { why: FailedWhy::Refused(status), .. } = alert.state {
                let status = format!("{status:#010x}");
                tracing::info!(alert = %alert.id, to = %alert.to, kind = %alert.kind, status, "refused by the SMSC for good");
            }
        }
        if settled.queued > 0 {
            self.queued.notify_one();
        }
        let mut alerts = settled.outcomes.iter().flat_map(|outcome| &outcome.alerts);
        if alerts.any(|alert| alert.update_wanted_at().is_some()) {
            self.wanted.notify_one();
        }
        if self.live.receiver_count() > 0 {
            drop(self.live.send(Arc::new(settled.outcomes)));
        }
    }
}

/// Hands over some parts of what was decided without the database: more than comes in while it is done.
async fn hand_over(store: &HandOver, desk: &Desk) -> Step {
    let mut step = Step::Done;
    for _ in 0..PARTS {
        step = store.hand_over(&desk.context()).await.unwrap_or_else(|error| {
            tracing::error!(%error, "what was decided without the database can't be handed over: trying again");
            Step::Later
        });
        if step != Step::Moved {
            break;
        }
    }
    step
}

/// Decides what is journaled, until the store is closed. A batch that can't be settled is handed out again: events are never dropped.
///
/// What was decided without the database is handed over by the same loop, a part between two batches, so that both are in order.
pub async fn run(store: HandOver, desk: Desk, ear: Ear) {
    let (mut patience, mut again) = (Patience::new(), None::<Instant>);
    let mut changes = desk.database.health.watch();
    loop {
        ear.metrics.turned();
        changes.mark_unchanged();
        if again.is_none_or(|at| at <= Instant::now()) {
            again = match hand_over(&store, &desk).await {
                Step::Done => None,
                Step::Moved => Some(Instant::now()),
                Step::Later => Some(Instant::now() + AGAIN),
            };
        }
        let wait = again.map(|at| at.saturating_duration_since(Instant::now()));
        let batch = tokio::select! {
            biased;
            batch = store.local().next(BATCH) => batch,
            () = tokio::time::sleep(wait.unwrap_or(IDLE)) => continue,
            _ = changes.changed(), if wait.is_none() => continue,
        };
        if batch.is_empty() {
            return;
        }
        let begun = desk.traces.begin();
        match store.settle(batch.clone(), desk.context()).await {
            Ok(settled) => {
                desk.traces.settled(begun, &settled.outcomes, &batch);
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
