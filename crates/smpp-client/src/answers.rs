//! The answers that a link gives to its orders, on their way to whoever gave them.

use std::collections::VecDeque;
use std::sync::Arc;

use model::{AlertId, SubmitOutcome};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::gate::Gate;
use crate::meter::Count;

/// What became of one order. There is exactly one for each that was submitted, and at most one more that is late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Which alert.
    pub alert: AlertId,
    /// Which attempt at it.
    pub attempt: u32,
    /// What became of it.
    pub outcome: SubmitOutcome,
    /// Whether it follows an [`InDoubt`](SubmitOutcome::InDoubt) answer to the same attempt, after the response timeout.
    pub late: bool,
}

/// Holds answers while nobody takes them. It holds one for each slot of the window at most: an alert's slot is given back when its answer is taken.
#[derive(Debug)]
pub(crate) struct Answers {
    sender: mpsc::Sender<Answer>,
    waiting: VecDeque<Answer>,
    gate: Arc<Gate>,
}

impl Answers {
    pub(crate) const fn new(sender: mpsc::Sender<Answer>, gate: Arc<Gate>) -> Self {
        Self { sender, waiting: VecDeque::new(), gate }
    }

    /// Answers an order; its slot is free once the answer is taken.
    pub(crate) fn give(&mut self, alert: AlertId, attempt: u32, outcome: SubmitOutcome) {
        self.gate.meter.count(match outcome {
            SubmitOutcome::Accepted { .. } => Count::Accepted,
            SubmitOutcome::Later { .. } => Count::Later,
            SubmitOutcome::Refused { .. } => Count::Refused,
            SubmitOutcome::NotSent => Count::NotSent,
            SubmitOutcome::InDoubt(_) => Count::InDoubt,
        });
        self.waiting.push_back(Answer { alert, attempt, outcome, late: false });
    }

    /// Answers an order once more, if that finds room: a late answer is a help, and holds no slot.
    pub(crate) fn give_late(&mut self, alert: AlertId, attempt: u32, outcome: SubmitOutcome) {
        if self.waiting.is_empty() {
            let _ = self.sender.try_send(Answer { alert, attempt, outcome, late: true });
        } else if self.waiting.len() < 2 * self.gate.window() {
            self.waiting.push_back(Answer { alert, attempt, outcome, late: true });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands on as many as find room, and frees their slots.
    pub(crate) fn flush(&mut self) {
        let mut freed = 0;
        while let Some(answer) = self.waiting.pop_front() {
            let holds_slot = usize::from(!answer.late);
            match self.sender.try_send(answer) {
                // Nobody asks any more: the orders are over all the same.
                Ok(()) | Err(TrySendError::Closed(_)) => freed += holds_slot,
                Err(TrySendError::Full(answer)) => {
                    self.waiting.push_front(answer);
                    break;
                }
            }
        }
        self.gate.give_back(freed);
    }

    /// Waits until there is room again; cancel safe.
    pub(crate) async fn room(&self) {
        let _ = self.sender.reserve().await;
    }
}
