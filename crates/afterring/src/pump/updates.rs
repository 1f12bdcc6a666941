//! Updates of alerts that an SMSC has: from the store to the links, and what came of each into the journal.

use std::sync::Arc;
use std::time::Duration;

use model::UpdateOrder;
use routing::Event;
use smpp_client::Links;
use store::{Embedded, HandOver, Store};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Desk, Patience};
use crate::metrics::Metrics;

/// Updates that are asked at a time: at an SMSC that takes 100 ms to answer some hundreds a second, and a quarter of what one link holds, so that one that never
/// answers costs others nothing but its timeout.
const AT_A_TIME: usize = 64;

/// How often wanted updates are looked for unasked: those that wait for a time become due without a notice.
const LOOK: Duration = Duration::from_millis(250);

/// Asks for what is wanted until it is told to stop, and then waits for what is on its way: links that are closing leave none unanswered.
pub async fn run(
    store: HandOver,
    links: Links,
    desk: Desk,
    metrics: Arc<Metrics>,
    wanted: Arc<Notify>,
    stop: CancellationToken,
) {
    let (places, asking) = (Arc::new(Semaphore::new(AT_A_TIME)), TaskTracker::new());
    let mut patience = Patience::new();
    while let Some(room) = room(&places, &stop).await {
        let orders = match store.lease_updates(room, &desk.context()).await {
            Ok(orders) => {
                patience = Patience::new();
                orders
            }
            Err(error) => {
                tracing::error!(error = %error, "updates can't be leased: trying again");
                patience.wait().await;
                continue;
            }
        };
        let leased = orders.len();
        for order in orders {
            // Only this loop takes places, and it leased no more than there are.
            let place = Arc::clone(&places).try_acquire_owned().ok();
            let (links, journal, metrics) = (links.clone(), store.local().clone(), Arc::clone(&metrics));
            asking.spawn(async move {
                ask(order, links, &journal, &metrics).await;
                drop(place);
            });
        }
        if leased < room {
            tokio::select! {
                () = wanted.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    asking.close();
    drop((store, links));
    asking.wait().await;
}

/// How many may be asked now, at least one; `None` once it is to stop.
async fn room(places: &Semaphore, stop: &CancellationToken) -> Option<usize> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        free = places.acquire() => free.ok().map(|free| {
            drop(free);
            places.available_permits().max(1)
        }),
    }
}

/// Nobody asks again for what became of it, so it is kept until the journal takes it.
async fn ask(order: UpdateOrder, links: Links, journal: &Embedded, metrics: &Metrics) {
    let (alert, attempt, smsc) = (order.alert, order.attempt, order.smsc.clone());
    let outcome = links.bring_up_to_date(order).await;
    drop(links);
    metrics.updated(&smsc, &outcome);
    let event = Event::Updated { alert, attempt, outcome };
    let mut patience = Patience::new();
    while let Err(error) = journal.append(vec![event.clone()]).await {
        tracing::error!(error = %error, "the journal can't take what became of an update: trying again");
        patience.wait().await;
    }
}
