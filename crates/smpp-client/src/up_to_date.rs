//! One alert that an SMSC has, brought up to date in one way, part after part, and what that comes to.
//!
//! ```text
//! cancel   part 1 ─▶ part 2 ─▶ …   the first refused: nothing was changed; one cancelled: the whole is
//! ```

use std::time::Duration;

use model::{NoAnswer, ReceiptState, UpdateOrder, UpdateOutcome, UpdateWay};

use crate::links::Links;
use crate::updates::{Message, Update, Updated};

/// Times that a further part is asked for again that the SMSC can't cancel now: a message of which a part is gone is of no use to anybody. The link waits in
/// between, and longer each time.
const PART_RETRIES: u8 = 5;

/// Between them, times the attempt: a link that was asked to slow down waits by itself, one that is lost may be back.
const PART_PAUSE: Duration = Duration::from_millis(200);

impl Links {
    /// Brings an alert up to date that an SMSC has. Every step has its own deadline, of twice `update_timeout`; nothing here takes a place in a window.
    pub async fn bring_up_to_date(&self, order: UpdateOrder) -> UpdateOutcome {
        let (before, text, validity) = (order.before.clone(), order.text.clone(), order.validity);
        match order.way {
            UpdateWay::Replace => self.replace(&order, Update::Replace { before, text, validity }).await,
            UpdateWay::Cancel => self.cancel(&order).await,
            UpdateWay::ReplaceIfPresent => {
                self.replace(&order, Update::ReplaceIfPresent { before, text, validity }).await
            }
        }
    }

    async fn replace(&self, order: &UpdateOrder, update: Update) -> UpdateOutcome {
        let [id] = order.message_ids.as_slice() else { return UpdateOutcome::Impossible };
        match self.update(&order.smsc, message(order, id), update).await {
            Updated::Done => UpdateOutcome::Replaced { message_id: None },
            Updated::Taken(id) => UpdateOutcome::Replaced { message_id: Some(id).filter(|id| !id.is_empty()) },
            said => not_done(&said),
        }
    }

    /// Part after part, so that none is cancelled of a message of which the first is delivered.
    async fn cancel(&self, order: &UpdateOrder) -> UpdateOutcome {
        let mut cancelled = false;
        for id in &order.message_ids {
            match self.cancel_part(order, id, cancelled).await {
                Updated::Done => cancelled = true,
                _ if cancelled => {}
                said => return not_done(&said),
            }
        }
        if cancelled { UpdateOutcome::Cancelled } else { UpdateOutcome::Impossible }
    }

    async fn cancel_part(&self, order: &UpdateOrder, id: &str, is_further: bool) -> Updated {
        let mut retries = 0;
        loop {
            let said = self.update(&order.smsc, message(order, id), Update::Cancel).await;
            match said {
                Updated::PutOff(_) | Updated::NotAsked if is_further && retries < PART_RETRIES => {
                    retries += 1;
                    tokio::time::sleep(PART_PAUSE * u32::from(retries)).await;
                }
                // It may have been cancelled by the attempt that was not answered.
                Updated::Refused(_) if order.doubtful && !is_further && self.is_deleted(order, id).await => {
                    return Updated::Done;
                }
                said => return said,
            }
        }
    }

    async fn is_deleted(&self, order: &UpdateOrder, id: &str) -> bool {
        self.update(&order.smsc, message(order, id), Update::Query).await == Updated::State(ReceiptState::Deleted)
    }
}

fn message(order: &UpdateOrder, id: &str) -> Message {
    Message { id: id.to_owned(), source: order.source.clone(), destination: order.destination, kind: order.kind }
}

/// What an answer comes to that does not say that it was done.
const fn not_done(said: &Updated) -> UpdateOutcome {
    match said {
        Updated::Refused(status) => UpdateOutcome::TooLate { status: *status },
        Updated::PutOff(_) | Updated::NotAsked => UpdateOutcome::NotNow,
        Updated::Unanswered => UpdateOutcome::InDoubt(NoAnswer::Timeout),
        Updated::InDoubt => UpdateOutcome::InDoubt(NoAnswer::LinkLost),
        // The last three answer something else.
        Updated::Unsupported(_) | Updated::Unsayable | Updated::Done | Updated::Taken(_) | Updated::State(_) => {
            UpdateOutcome::Impossible
        }
    }
}
