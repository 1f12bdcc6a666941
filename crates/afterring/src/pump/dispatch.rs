//! Alerts: from the store to the links. The window slot comes first, then the lease, then the submit.

use std::sync::Arc;
use std::time::Duration;

use smpp_client::Links;
use store::{HandOver, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Desk, Patience};
use crate::metrics::Metrics;

/// Alerts leased in one transaction.
const BATCH: usize = 500;
/// How often the queue is looked at unasked: alerts that wait for a time become due without a notice.
const LOOK: Duration = Duration::from_millis(250);

/// Sends what is queued until it is told to stop.
pub async fn run(
    store: HandOver,
    links: Links,
    desk: Desk,
    metrics: Arc<Metrics>,
    queued: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut patience = Patience::new();
    loop {
        let permits = tokio::select! {
            permits = links.reserve(BATCH) => permits,
            () = stop.cancelled() => return,
        };
        let room = permits.len();
        let orders = match store.lease(room, &desk.context()).await {
            Ok(orders) => {
                patience = Patience::new();
                orders
            }
            Err(error) => {
                tracing::error!(error = %error, "alerts can't be leased: trying again");
                drop(permits);
                patience.wait().await;
                continue;
            }
        };
        let leased = orders.len();
        metrics.leased(&orders);
        desk.traces.leased(&orders);
        // Whatever is leased is handed over even while stopping: a link that is closing answers that it was not sent.
        for (permit, order) in permits.into_iter().zip(orders) {
            links.submit(permit, order);
        }
        if leased < room {
            tokio::select! {
                () = queued.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
