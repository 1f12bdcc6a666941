//! Calls: from the core network into the journal, then the answer.

use ingress::{Offer, Stored};
use routing::Event;
use store::{Embedded, Owed};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::traces::Traces;

/// Offers taken into one append. With batches of a thousand calls each that is a transaction of some megabytes.
const OFFERS: usize = 64;
/// Calls taken into one append, roughly: no further offer is added once there are as many.
const CALLS: usize = 4_000;

/// Runs until `shut`, or until the doors are gone, and every offer made before is answered.
pub async fn run(mut offers: mpsc::Receiver<Offer>, journal: Embedded, traces: Traces, shut: CancellationToken) {
    let mut failing = false;
    loop {
        let first = tokio::select! {
            first = offers.recv() => first,
            // What is in the channel is still taken; nothing more comes in.
            () = shut.cancelled(), if !offers.is_closed() => {
                offers.close();
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut owed = Vec::with_capacity(OFFERS);
        let mut events = Vec::new();
        take(first, &mut events, &mut owed);
        while owed.len() < OFFERS && events.len() < CALLS {
            let Ok(offer) = offers.try_recv() else { break };
            take(offer, &mut events, &mut owed);
        }
        let (begun, calls) = (traces.begin(), events.len());
        let appended = journal.append(events).await;
        traces.appended(begun, calls, appended.is_ok());
        match appended {
            Ok(appended) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("the journal takes calls again");
                }
                let mut duplicate = appended.duplicate.into_iter();
                for (calls, answer) in owed {
                    let duplicate = duplicate.by_ref().take(calls).collect();
                    // A peer that has gone is not told; it will ask again, and the call counts once.
                    drop(answer.settle(&appended.committed).send(Stored { duplicate }));
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = %error, "the journal can't take calls: peers are told to come back");
                }
                // What is owed and dropped is refused: the doors say 503 and when to come back.
                drop(owed);
            }
        }
    }
}

type Answers = Vec<(usize, Owed<oneshot::Sender<Stored>>)>;

fn take(offer: Offer, events: &mut Vec<Event>, owed: &mut Answers) {
    owed.push((offer.calls.len(), Owed::new(offer.answer)));
    events.extend(offer.calls.into_iter().map(Event::Call));
}
