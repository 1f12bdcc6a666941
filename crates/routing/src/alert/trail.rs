//! The alert's own trail: what was done with it and what was heard of it, so that its life can be told where answers and receipts are no rows.

use model::{NoAnswer, ReceiptState, SmscName, SubmitOutcome, Timestamp, UpdateOutcome, UpdateWay};
use serde::{Deserialize, Serialize};

use super::{Alert, AlertState, FailedWhy};

/// Steps kept of one alert. A usual life has three; of one that no SMSC ever takes, the first and the newest tell all that the ones between would.
pub const MAX_TRAIL: usize = 16;

/// Characters kept of an SMSC's error code: those found in the field have at most a few.
const MAX_ERROR: usize = 32;

/// What happened to an alert. What its creation and its state say is not kept beside them: [`Alert::life`] puts all of it together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepWhat {
    /// It waits to be sent. Never kept: it is what every life begins with.
    Queued,
    /// It was handed to a link.
    Sent {
        /// Which attempt, from 1.
        #[serde(rename = "n")]
        attempt: u32,
    },
    /// The SMSC put it off: nothing was taken.
    PutOff {
        /// `command_status` of the response.
        status: u32,
    },
    /// The link went down before it was written: it waits again.
    NotSent,
    /// Sent, and not answered.
    InDoubt(NoAnswer),
    /// The SMSC took it.
    Accepted {
        /// Which one.
        smsc: SmscName,
        /// `message_id` of each part.
        ids: Vec<String>,
    },
    /// The SMSC was asked to bring it up to date.
    UpdateAsked {
        /// Which attempt, from 1.
        #[serde(rename = "n")]
        attempt: u32,
        /// How.
        way: UpdateWay,
    },
    /// What became of that.
    Updated(UpdateOutcome),
    /// An update that was wanted could not be asked in time.
    UpdateDropped,
    /// A receipt said something new of a part.
    Receipt {
        /// Which part, from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        part: u8,
        /// What.
        state: ReceiptState,
        /// The SMSC's error code, as written.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        error: String,
    },
    /// So many steps that came here are not kept.
    Omitted(u32),
    /// It is on the handset. Never kept, as the ends that follow: the alert's state says so.
    Delivered,
    /// The network could not deliver it.
    Undelivered,
    /// The validity period passed first.
    Expired,
    /// Taken back from the SMSC: a newer alert tells its calls.
    Superseded,
    /// It never reached the SMSC.
    Failed(FailedWhy),
}

impl StepWhat {
    /// The word used in pages, the API and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent { .. } => "sent",
            Self::PutOff { .. } => "put_off",
            Self::NotSent => "not_sent",
            Self::InDoubt(_) => "in_doubt",
            Self::Accepted { .. } => "accepted",
            Self::UpdateAsked { .. } => "update_asked",
            Self::Updated(_) => "updated",
            Self::UpdateDropped => "update_dropped",
            Self::Receipt { .. } => "receipt",
            Self::Omitted(_) => "omitted",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Failed(_) => "failed",
        }
    }
}

/// One step; written as a pair, since every alert has some.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "(Timestamp, StepWhat)", into = "(Timestamp, StepWhat)")]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: StepWhat,
}

impl From<(Timestamp, StepWhat)> for Step {
    fn from((at, what): (Timestamp, StepWhat)) -> Self {
        Self { at, what }
    }
}

impl From<Step> for (Timestamp, StepWhat) {
    fn from(step: Step) -> Self {
        (step.at, step.what)
    }
}

const fn first() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_first(part: &u8) -> bool {
    *part == first()
}

impl Alert {
    /// Everything that is known to have happened to it, in order: from its creation to its end, if it has ended.
    #[must_use]
    pub fn life(&self) -> Vec<Step> {
        let mut life = Vec::with_capacity(self.trail.len() + 2);
        life.push(Step { at: self.created_at, what: StepWhat::Queued });
        life.extend(self.trail.iter().cloned());
        let end = match &self.state {
            AlertState::Queued { .. }
            | AlertState::Sending { .. }
            | AlertState::InDoubt { .. }
            | AlertState::Accepted { .. } => None,
            AlertState::Superseded { at } => Some((*at, StepWhat::Superseded)),
            AlertState::Delivered { at } => Some((*at, StepWhat::Delivered)),
            AlertState::Undelivered { at } => Some((*at, StepWhat::Undelivered)),
            AlertState::Expired { at } => Some((*at, StepWhat::Expired)),
            AlertState::Failed { at, why } => Some((*at, StepWhat::Failed(*why))),
        };
        life.extend(end.map(Step::from));
        life
    }

    pub(super) fn note(&mut self, at: Timestamp, what: StepWhat) {
        self.trail.push(Step { at, what });
        bound(&mut self.trail);
    }

    /// Notes what became of an attempt. That it was refused for good is its end, which its state says.
    pub(super) fn note_answer(&mut self, outcome: &SubmitOutcome, now: Timestamp) {
        let what = match outcome {
            SubmitOutcome::Accepted { smsc, message_ids } => {
                StepWhat::Accepted { smsc: smsc.clone(), ids: message_ids.clone() }
            }
            SubmitOutcome::Later { status, .. } => StepWhat::PutOff { status: *status },
            SubmitOutcome::Refused { .. } => return,
            SubmitOutcome::NotSent => StepWhat::NotSent,
            SubmitOutcome::InDoubt(why) => StepWhat::InDoubt(*why),
        };
        self.note(now, what);
    }

    /// Notes a receipt about one of its parts, counted from 0.
    pub(super) fn note_receipt(&mut self, part: usize, state: ReceiptState, error: &str, now: Timestamp) {
        let part = u8::try_from(part).unwrap_or(u8::MAX).saturating_add(1);
        let error = error.chars().take(MAX_ERROR).collect();
        self.note(now, StepWhat::Receipt { part, state, error });
    }

    /// Takes over the steps that another account of the same alert has and this one has not; whether there were any.
    pub fn learn_trail(&mut self, known: &Self) -> bool {
        let kept = |step: &&Step| !matches!(step.what, StepWhat::Omitted(_));
        let new: Vec<Step> =
            known.trail.iter().filter(kept).filter(|step| !self.trail.contains(step)).cloned().collect();
        // Where some are omitted, the others may be among them.
        let omits = self.trail.iter().any(|step| matches!(step.what, StepWhat::Omitted(_)));
        if new.is_empty() || omits {
            return false;
        }
        self.trail.extend(new);
        self.trail.sort_by_key(|step| step.at);
        bound(&mut self.trail);
        true
    }
}

/// Keeps the first step and the newest; how many are missing in between stands behind the first.
fn bound(trail: &mut Vec<Step>) {
    while trail.len() > MAX_TRAIL {
        let before = match trail.get(1) {
            Some(Step { what: StepWhat::Omitted(before), .. }) => {
                let before = *before;
                trail.remove(1);
                before
            }
            Some(_) | None => 0,
        };
        // The place of the count, and of the step that it counts.
        let gone = trail.remove(1);
        let mut omitted = before.saturating_add(1);
        let mut at = gone.at;
        if trail.len() >= MAX_TRAIL {
            at = trail.remove(1).at;
            omitted = omitted.saturating_add(1);
        }
        trail.insert(1, Step { at, what: StepWhat::Omitted(omitted) });
    }
}
