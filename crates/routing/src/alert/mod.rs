//! One alert, from queued to its end.

mod outcome;
mod receipt;
mod trail;
mod update;

use std::time::Duration;

use model::{Address, AlertId, Kind, Msisdn, ReceiptState, SmscName, Submit, SubmitOutcome, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CampaignName, Database, InDoubtPolicy, Limits, Tally};

pub use trail::{MAX_TRAIL, Step, StepWhat};
pub use update::{Doubts, Update, UpdateState, Wish};

/// The longest wait between two attempts that an SMSC put off.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Attempts up to which an alert that its link put off keeps its place.
const KEEPS_ITS_PLACE: u32 = 3;
/// What it waits then, times its attempts.
const STEP_BACK: Duration = Duration::from_secs(1);
/// The most that it waits so.
const LONGEST_STEP_BACK: Duration = Duration::from_secs(10);

/// One part of an alert that the SMSC took.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// The SMSC's name for it.
    pub id: String,
    /// The last thing a receipt said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ReceiptState>,
}

impl Part {
    /// Whether a receipt said the last that there is to say of it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state.is_some_and(ReceiptState::is_final)
    }

    fn is_delivered(&self) -> bool {
        self.state == Some(ReceiptState::Delivered)
    }

    fn is_deleted(&self) -> bool {
        self.state == Some(ReceiptState::Deleted)
    }
}

/// Calls by caller, the last caller first, and those known as a number only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    /// By caller.
    pub told: Vec<Tally>,
    /// As a number only.
    pub more: u32,
}

/// Why an alert ended without being taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedWhy {
    /// The SMSC refused it for good, with this `command_status`.
    Refused(u32),
    /// It waited here longer than it is worth.
    TooLate,
    /// It became pointless before it was sent: B refused teasers, has what it promised, subscribed, or unsubscribed.
    Withdrawn,
}

/// Where an alert is.
///
/// ```text
/// queued ─▶ sending ─▶ accepted ─▶ delivered | undelivered | expired
///    ▲         │           └─▶ superseded: taken back from the SMSC
///    │         ├─▶ in doubt ─▶ queued (policy, late answer) | accepted, failed (late answer)
///    └─ retry ─┴─▶ failed
/// ```
///
/// Its update, while it is accepted. A final receipt that comes meanwhile ends the alert once the outcome is known.
///
/// ```text
///           ┌──────── the next calls ───────────┐
/// (none) ─▶ wanted ─▶ asking ─▶ done (replaced) ┘
///             ▲ │        ├─▶ wanted (not now; in doubt: at most three times; can't be replaced: to be cancelled)
///             │ │        ├─▶ given up (too late, impossible; in doubt, by the policy)
///             │ │        └─▶ the alert is superseded (cancelled; in doubt, by the policy)
///             │ └─▶ given up (a final receipt; waited too long) | done (no longer wanted)
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum AlertState {
    /// Waits to be sent, not before a time.
    Queued {
        /// When it may be sent.
        not_before: Timestamp,
    },
    /// Handed to a link.
    Sending {
        /// When.
        since: Timestamp,
    },
    /// Sent and not answered: it may or may not have been taken.
    InDoubt {
        /// When.
        since: Timestamp,
    },
    /// The SMSC has it.
    Accepted {
        /// When.
        at: Timestamp,
        /// Which SMSC.
        smsc: SmscName,
        /// Its parts.
        parts: Vec<Part>,
        /// What is being done, or was tried, to bring it up to date with later calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update: Option<Box<Update>>,
    },
    /// Taken back from the SMSC: a newer alert tells its calls.
    Superseded {
        /// When.
        at: Timestamp,
    },
    /// On the handset.
    Delivered {
        /// When the receipt came.
        at: Timestamp,
    },
    /// The network could not deliver it.
    Undelivered {
        /// When the receipt came.
        at: Timestamp,
    },
    /// The validity period passed first.
    Expired {
        /// When the receipt came.
        at: Timestamp,
    },
    /// It never reached the SMSC.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        why: FailedWhy,
    },
}

impl AlertState {
    /// The word used in pages, metrics and documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Sending { .. } => "sending",
            Self::InDoubt { .. } => "in_doubt",
            Self::Accepted { .. } => "accepted",
            Self::Superseded { .. } => "superseded",
            Self::Delivered { .. } => "delivered",
            Self::Undelivered { .. } => "undelivered",
            Self::Expired { .. } => "expired",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Queued { .. } | Self::Sending { .. } | Self::InDoubt { .. } | Self::Accepted { .. } => false,
            Self::Superseded { .. }
            | Self::Delivered { .. }
            | Self::Undelivered { .. }
            | Self::Expired { .. }
            | Self::Failed { .. } => true,
        }
    }
}

/// One alert: what is told to whom, and where it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alert {
    /// Its name.
    pub id: AlertId,
    /// Who gets it.
    pub to: Msisdn,
    /// What it is for.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Address,
    /// The text as it is sent.
    pub text: String,
    /// The calls it tells, the last caller first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Tally>,
    /// Calls it tells of as a number only.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub more: u32,
    /// When it was decided.
    pub created_at: Timestamp,
    /// How long it is worth telling, from then on.
    pub validity: Duration,
    /// Attempts at sending, the current one included.
    #[serde(default)]
    pub attempts: u32,
    /// Attempts that were not answered.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub doubts: u32,
    /// Attempts that the SMSC put off for a reason of this alert or of a moment.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub put_off: u32,
    /// The SMSC that could not take it at the last attempt, where another one is to be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoid: Option<SmscName>,
    /// Of a teaser: the campaign that it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignName>,
    /// Of one that an operator sent again: which one, and who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Box<Again>>,
    /// What was done with it and heard of it, at most [`MAX_TRAIL`] steps ([`Alert::life`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<Step>,
    /// Where it is.
    #[serde(flatten)]
    pub state: AlertState,
}

/// Which alert one says again, and who wanted that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Again {
    /// Which one.
    pub of: AlertId,
    /// When that was made.
    pub made_at: Timestamp,
    /// Who, as the audit log names them.
    pub by: String,
}

/// What leasing an alert gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leased {
    /// Send this; the alert is now `sending`.
    Send(Submit),
    /// Not now: it stays queued.
    Wait,
    /// Not any more. The alert is unchanged, and nothing is to be saved: decide [`crate::Event::Dropped`], which ends it and gives its calls back
    /// to the box.
    Dropped,
}

/// What an SMSC's answer or a receipt did to an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The event doesn't fit the state: a repeat, or an answer to an attempt that no longer counts. Nothing changed.
    Unchanged,
}

impl Alert {
    /// The calls that it tells.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls { told: self.told.clone(), more: self.more }
    }

    /// Marks a queued alert as handed to a link, if it is still worth sending. Teasers wait while the database is abnormal.
    pub fn lease(&mut self, database: Database, limits: &Limits, now: Timestamp) -> Leased {
        let AlertState::Queued { not_before } = self.state else { return Leased::Wait };
        if self.is_too_late(limits, now) {
            return Leased::Dropped;
        }
        if not_before > now || (self.kind == Kind::Teaser && database == Database::Abnormal) {
            return Leased::Wait;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.state = AlertState::Sending { since: now };
        self.note(now, StepWhat::Sent { attempt: self.attempts });
        Leased::Send(Submit {
            alert: self.id,
            attempt: self.attempts,
            kind: self.kind,
            source: self.source.clone(),
            destination: self.to,
            text: self.text.clone(),
            validity: self.validity.saturating_sub(now.since(self.created_at)),
            avoid: self.avoid.take(),
        })
    }

    /// Whether a queued alert has waited longer than it is worth.
    pub(crate) fn is_too_late(&self, limits: &Limits, now: Timestamp) -> bool {
        let patience = match self.kind {
            Kind::Teaser => limits.teaser_patience.min(self.validity),
            Kind::Fallback | Kind::Detail | Kind::Notice | Kind::Notify => self.validity,
        };
        now.since(self.created_at) >= patience
    }

    /// Ends a queued alert that waited longer than it is worth.
    ///
    /// # Errors
    /// When it is no longer queued, or not too late.
    pub fn drop_late(&mut self, limits: &Limits, now: Timestamp) -> Result<(), Refusal> {
        if !matches!(self.state, AlertState::Queued { .. }) || !self.is_too_late(limits, now) {
            return Err(Refusal::Unchanged);
        }
        self.state = AlertState::Failed { at: now, why: FailedWhy::TooLate };
        Ok(())
    }

    /// Applies what became of an attempt.
    ///
    /// # Errors
    /// When the outcome no longer concerns this alert.
    pub fn submitted(
        &mut self,
        attempt: u32,
        outcome: &SubmitOutcome,
        policy: InDoubtPolicy,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if let SubmitOutcome::Accepted { smsc, message_ids } = outcome {
            self.accepted(attempt, smsc, message_ids, now)?;
            self.note_answer(outcome, now);
            return Ok(());
        }
        if attempt != self.attempts {
            return Err(Refusal::Unchanged);
        }
        match (&self.state, outcome) {
            (AlertState::Sending { .. }, _) => {}
            // The answer came after all, and says that nothing was taken: no doubt is left.
            (
                AlertState::InDoubt { .. },
                SubmitOutcome::Later { .. } | SubmitOutcome::NotSent | SubmitOutcome::Refused { .. },
            ) => self.doubts = self.doubts.saturating_sub(1),
            _ => return Err(Refusal::Unchanged),
        }
        self.note_answer(outcome, now);
        self.state = match outcome {
            SubmitOutcome::Later { after, avoid, .. } => {
                self.avoid.clone_from(avoid);
                AlertState::Queued { not_before: self.again(*after, now) }
            }
            SubmitOutcome::NotSent => AlertState::Queued { not_before: self.again(Duration::ZERO, now) },
            SubmitOutcome::Refused { status } => AlertState::Failed { at: now, why: FailedWhy::Refused(*status) },
            SubmitOutcome::InDoubt(_) | SubmitOutcome::Accepted { .. } => {
                self.doubts = self.doubts.saturating_add(1);
                let again = match policy {
                    InDoubtPolicy::Hold => false,
                    InDoubtPolicy::ResendOnce => self.doubts <= 1,
                    InDoubtPolicy::Resend => true,
                };
                if again {
                    AlertState::Queued { not_before: now + limits.resend_wait }
                } else {
                    AlertState::InDoubt { since: now }
                }
            }
        };
        Ok(())
    }

    /// When it may be sent again. What its link put off keeps its place among the others, unless that was in vain a few times: it may be this handset that the
    /// SMSC can't take anything for, and nobody else is to wait for it. What the SMSC put off itself waits the longer the more often that was, so that one
    /// that no SMSC ever takes costs a few attempts an hour.
    fn again(&mut self, after: Duration, now: Timestamp) -> Timestamp {
        if after.is_zero() {
            return match self.attempts {
                0..=KEEPS_ITS_PLACE => self.created_at.min(now),
                attempts => now + (STEP_BACK * attempts).min(LONGEST_STEP_BACK),
            };
        }
        let wait = after.saturating_mul(1 << self.put_off.min(16)).min(LONGEST_WAIT.max(after));
        self.put_off = self.put_off.saturating_add(1);
        now + wait
    }

    /// The SMSC has it. The answer to an earlier, unanswered attempt counts too, unless a later attempt is already on its way.
    fn accepted(&mut self, attempt: u32, smsc: &SmscName, ids: &[String], now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            AlertState::Sending { .. } if attempt == self.attempts => {}
            AlertState::InDoubt { .. } if (1..=self.attempts).contains(&attempt) => {}
            // Without a doubt nothing was taken, and the text may have changed since.
            AlertState::Queued { .. } if self.doubts > 0 && (1..=self.attempts).contains(&attempt) => {}
            _ => return Err(Refusal::Unchanged),
        }
        let parts = ids.iter().map(|id| Part { id: id.clone(), state: None }).collect();
        self.state = AlertState::Accepted { at: now, smsc: smsc.clone(), parts, update: None };
        Ok(())
    }

    /// Takes a queued alert out of the queue; whether it was there.
    pub fn withdraw(&mut self, now: Timestamp) -> bool {
        let queued = matches!(self.state, AlertState::Queued { .. });
        if queued {
            self.state = AlertState::Failed { at: now, why: FailedWhy::Withdrawn };
        }
        queued
    }
}
