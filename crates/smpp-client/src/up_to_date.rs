//! One alert that an SMSC has, brought up to date: by which means, part after part, and what that comes to.
//!
//! ```text
//! auto     replace ──▶ done, or refused: that is what came of it
//!             └ can't be said, or can't be done ──▶ cancel, where that may be ──▶ …
//! cancel   part 1 ─▶ part 2 ─▶ …   the first refused: nothing was changed; one cancelled: the whole is
//! ```

use std::time::Duration;

use model::{NoAnswer, ReceiptState, UpdateMode, UpdateOrder, UpdateOutcome};

use crate::links::Links;
use crate::updates::{Message, Update, Updated};

/// Times that a further part is asked for again that the SMSC can't cancel now: a message of which a part is gone is of no use to anybody. The link waits in
/// between, and longer each time.
const PART_RETRIES: u8 = 5;

/// Between them, times the attempt: a link that was asked to slow down waits by itself, one that is lost may be back.
const PART_PAUSE: Duration = Duration::from_millis(200);

/// What one means came to.
enum Tried {
    Done(UpdateOutcome),
    /// The standard can't say it, or the SMSC can't do it: another means may.
    Unable,
}

use Tried::{Done, Unable};

impl Links {
    /// Brings an alert up to date that an SMSC has. Every step has its own deadline, of twice `update_timeout`; nothing here takes a place in a window.
    pub async fn bring_up_to_date(&self, order: UpdateOrder) -> UpdateOutcome {
        let tried = match order.mode {
            UpdateMode::Replace => self.replace(&order).await,
            UpdateMode::Cancel => self.cancel(&order).await,
            UpdateMode::ReplaceIfPresent => self.replace_if_present(&order).await,
            UpdateMode::Auto => match self.replace(&order).await {
                Unable => self.cancel(&order).await,
                done @ Done(_) => done,
            },
            UpdateMode::New => Unable,
        };
        match tried {
            Done(outcome) => outcome,
            Unable => UpdateOutcome::Impossible,
        }
    }

    async fn replace(&self, order: &UpdateOrder) -> Tried {
        let [id] = order.message_ids.as_slice() else { return Unable };
        let (before, text, validity) = (order.before.clone(), order.text.clone(), order.validity);
        let said = self.update(&order.smsc, message(order, id), Update::Replace { before, text, validity }).await;
        replaced(said)
    }

    async fn replace_if_present(&self, order: &UpdateOrder) -> Tried {
        let [id] = order.message_ids.as_slice() else { return Unable };
        let (before, text, validity) = (order.before.clone(), order.text.clone(), order.validity);
        let update = Update::ReplaceIfPresent { before, text, validity };
        replaced(self.update(&order.smsc, message(order, id), update).await)
    }

    /// Part after part, so that none is cancelled of a message of which the first is delivered.
    async fn cancel(&self, order: &UpdateOrder) -> Tried {
        if !order.may_cancel {
            return Unable;
        }
        let mut cancelled = false;
        for id in &order.message_ids {
            match self.cancel_part(order, id, cancelled).await {
                Updated::Done => cancelled = true,
                _ if cancelled => {}
                Updated::Refused(status) => return Done(UpdateOutcome::TooLate { status }),
                Updated::PutOff(_) | Updated::NotAsked => return Done(UpdateOutcome::NotNow),
                Updated::Unanswered => return Done(UpdateOutcome::InDoubt(NoAnswer::Timeout)),
                Updated::InDoubt => return Done(UpdateOutcome::InDoubt(NoAnswer::LinkLost)),
                Updated::Unsupported(_) | Updated::Unsayable | Updated::Taken(_) | Updated::State(_) => return Unable,
            }
        }
        if cancelled { Done(UpdateOutcome::Cancelled) } else { Unable }
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

/// What an answer to either way of replacing comes to.
fn replaced(said: Updated) -> Tried {
    Done(match said {
        Updated::Done => UpdateOutcome::Replaced { message_id: None },
        Updated::Taken(id) => UpdateOutcome::Replaced { message_id: Some(id).filter(|id| !id.is_empty()) },
        Updated::Refused(status) => UpdateOutcome::TooLate { status },
        Updated::PutOff(_) | Updated::NotAsked => UpdateOutcome::NotNow,
        Updated::Unanswered => UpdateOutcome::InDoubt(NoAnswer::Timeout),
        Updated::InDoubt => UpdateOutcome::InDoubt(NoAnswer::LinkLost),
        Updated::Unsupported(_) | Updated::Unsayable | Updated::State(_) => return Unable,
    })
}
