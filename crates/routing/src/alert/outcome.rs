//! What becomes of an update: by its outcome, by its silence, and by what another node did.

use std::time::Duration;

use model::{ReceiptState, Timestamp, UpdateOutcome};

use super::{Alert, AlertState, Calls, Part, Refusal, StepWhat, Update, UpdateState};
use crate::{InDoubtPolicy, Policy};

/// How long an update waits that was put off.
const PUT_OFF: Duration = Duration::from_secs(5);
/// Attempts at one update that may stay unanswered; then the policy says what counts.
const MOST_DOUBTS: u32 = 3;
/// Earlier ids of a message that are remembered. An SMSC that gives a new one with each update has forgotten those before the last.
const MAX_ALIASES: usize = 4;

impl Alert {
    /// Applies what became of an attempt at an update; the calls that are untold again, those that the alert itself told among them if it is superseded.
    ///
    /// # Errors
    /// When the outcome no longer concerns this alert.
    pub fn updated(
        &mut self,
        attempt: u32,
        outcome: &UpdateOutcome,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Calls, Refusal> {
        let untold = self.hear(attempt, outcome, policy, now)?;
        self.note(now, StepWhat::Updated(outcome.clone()));
        Ok(untold)
    }

    fn hear(
        &mut self,
        attempt: u32,
        outcome: &UpdateOutcome,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Calls, Refusal> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else {
            return Err(Refusal::Unchanged);
        };
        if !counts(update, attempt, outcome) {
            return match outcome {
                // It says nothing new of the calls, but by which id receipts may come.
                UpdateOutcome::Replaced { message_id: Some(id) }
                    if (1..=update.attempts).contains(&attempt) && !update.aliases.contains(id) =>
                {
                    if take_id(parts, &mut update.aliases, id) { Ok(Calls::default()) } else { Err(Refusal::Unchanged) }
                }
                UpdateOutcome::Replaced { .. }
                | UpdateOutcome::Cancelled
                | UpdateOutcome::TooLate { .. }
                | UpdateOutcome::Impossible
                | UpdateOutcome::NotNow
                | UpdateOutcome::InDoubt(_) => Err(Refusal::Unchanged),
            };
        }
        let doubts = update.doubts.by(update.way);
        if matches!(update.state, UpdateState::Wanted { .. }) {
            // The answer came after all: no doubt is left about that attempt.
            *doubts = doubts.saturating_sub(1);
        }
        let ended = parts.iter().any(Part::has_ended);
        let in_time = now.since(update.wanted_at) < policy.limits.update_wait;
        let untold = match outcome {
            UpdateOutcome::Replaced { message_id } => self.replaced(message_id.as_deref(), now),
            UpdateOutcome::Cancelled => self.cancelled(now),
            UpdateOutcome::NotNow if in_time && !ended => {
                update.follow(now + PUT_OFF);
                return Ok(Calls::default());
            }
            UpdateOutcome::Impossible => {
                if in_time && !ended && self.want_cancel(&policy.updates, now) {
                    return Ok(Calls::default());
                }
                self.give_up(policy.in_doubt, now)
            }
            UpdateOutcome::NotNow | UpdateOutcome::TooLate { .. } => self.give_up(policy.in_doubt, now),
            UpdateOutcome::InDoubt(_) => {
                *doubts = doubts.saturating_add(1);
                if update.doubts.count() < MOST_DOUBTS && !ended {
                    update.state = UpdateState::Wanted { not_before: now + policy.limits.resend_wait };
                    return Ok(Calls::default());
                }
                self.give_up(policy.in_doubt, now)
            }
        };
        self.end_by_parts(now);
        Ok(untold)
    }

    /// Gives up an update that could not be asked for so long that its calls are better told another way, or that comes too late.
    ///
    /// # Errors
    /// When there is none, or it may still wait.
    pub fn drop_late_update(&mut self, policy: &Policy, now: Timestamp) -> Result<Calls, Refusal> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &self.state else {
            return Err(Refusal::Unchanged);
        };
        let late = now.since(update.wanted_at) >= policy.limits.update_wait || parts.iter().any(Part::has_ended);
        if !matches!(update.state, UpdateState::Wanted { .. }) || !late {
            return Err(Refusal::Unchanged);
        }
        self.note(now, StepWhat::UpdateDropped);
        let untold = self.give_up(policy.in_doubt, now);
        self.end_by_parts(now);
        Ok(untold)
    }

    /// The SMSC has the new text: it tells all of it.
    fn replaced(&mut self, id: Option<&str>, now: Timestamp) -> Calls {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        if let Some(id) = id
            && take_id(parts, &mut update.aliases, id)
        {
            // Of the message that was replaced, it may have been said that it is gone.
            parts.iter_mut().for_each(|part| _ = part.state.take_if(|state| *state == ReceiptState::Deleted));
        }
        let added = Calls { told: std::mem::take(&mut update.added), more: std::mem::take(&mut update.added_more) };
        self.text.clone_from(&update.text);
        self.kind = update.kind;
        let untold = update.end(UpdateState::Done { at: now });
        self.tell_also(&added);
        untold
    }

    fn tell_also(&mut self, added: &Calls) {
        let all = self.calls().and(added, self.to);
        (self.told, self.more) = (all.told, all.more);
    }

    /// The SMSC doesn't have it any more, and the person gets nothing of it: all is untold. But what its receipts say is on the handset is there.
    fn cancelled(&mut self, now: Timestamp) -> Calls {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        let untold = update.end(UpdateState::GivenUp);
        if parts.iter().all(Part::is_delivered) {
            return untold;
        }
        self.state = AlertState::Superseded { at: now };
        self.calls().and(&untold, self.to)
    }

    /// Takes over what another node did about an update, unless this node did more; whether that is anything.
    pub(super) fn learn_update(&mut self, known: &Self) -> bool {
        let (
            AlertState::Accepted { parts, update: mine, .. },
            AlertState::Accepted { parts: others, update: theirs, .. },
        ) = (&mut self.state, &known.state)
        else {
            return false;
        };
        let Some(theirs) = theirs.as_deref() else { return false };
        if let Some(mine) = mine.as_deref_mut().filter(|mine| mine.place() > theirs.place()) {
            let later = match (mine.state, theirs.state) {
                (UpdateState::Asking { .. }, UpdateState::Wanted { .. }) => theirs.beyond(mine),
                _ => return false,
            };
            let changed = (&mine.later, mine.later_more) != (&later.told, later.more);
            (mine.later, mine.later_more) = (later.told, later.more);
            return changed;
        }
        if mine.as_deref() == Some(theirs) && self.told == known.told && self.more == known.more {
            return false;
        }
        if let ([part], [other]) = (parts.as_mut_slice(), others.as_slice()) {
            part.id.clone_from(&other.id);
        }
        *mine = Some(Box::new(theirs.clone()));
        self.kind = known.kind;
        self.text.clone_from(&known.text);
        self.told.clone_from(&known.told);
        self.more = known.more;
        true
    }

    /// No more of this update. Where an attempt may have been done, the policy says what counts; but that a part was deleted after we asked for it says itself
    /// that it was done.
    pub(super) fn give_up(&mut self, policy: InDoubtPolicy, now: Timestamp) -> Calls {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        let delivered = parts.iter().all(Part::is_delivered);
        let doubts = update.doubts;
        let (replaced, cancelled) = (doubts.replaces > 0, doubts.cancels > 0);
        // A receipt answers what the SMSC did not: it took it back.
        if cancelled && !delivered && parts.iter().any(Part::is_deleted) {
            return self.cancelled(now);
        }
        match policy {
            // Told as far as can be: never twice.
            InDoubtPolicy::Hold => {
                let mut added = Calls::default();
                if replaced {
                    added.told.append(&mut update.added);
                    added.more = std::mem::take(&mut update.added_more);
                }
                let untold = update.end(UpdateState::GivenUp);
                // A receipt may still say that it was taken back.
                update.doubts.cancels = doubts.cancels;
                if replaced {
                    self.tell_also(&added);
                }
                untold
            }
            InDoubtPolicy::ResendOnce | InDoubtPolicy::Resend if cancelled && !delivered => self.cancelled(now),
            InDoubtPolicy::ResendOnce | InDoubtPolicy::Resend => update.end(UpdateState::GivenUp),
        }
    }

    /// It was given up while it was in doubt whether it had been taken back, and a receipt says that it was; the calls that are untold again.
    pub(super) fn cancelled_after_all(&mut self, now: Timestamp) -> Option<Calls> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &self.state else { return None };
        let in_doubt = update.state == UpdateState::GivenUp && update.doubts.cancels > 0;
        (in_doubt && parts.iter().any(Part::is_deleted)).then(|| self.cancelled(now))
    }
}

/// Whether an outcome is to be heard: that of the attempt on its way, or a late one of the last attempt, which was not answered in time. That it was
/// taken back counts whichever attempt did it: the SMSC doesn't have it any more.
fn counts(update: &Update, attempt: u32, outcome: &UpdateOutcome) -> bool {
    if matches!(outcome, UpdateOutcome::Cancelled) {
        return (1..=update.attempts).contains(&attempt);
    }
    if attempt != update.attempts {
        return false;
    }
    match update.state {
        UpdateState::Asking { .. } => true,
        UpdateState::Wanted { .. } => update.doubts.count() > 0 && !matches!(outcome, UpdateOutcome::InDoubt(_)),
        UpdateState::Done { .. } | UpdateState::GivenUp => false,
    }
}

/// Notes another id of a message of one part; whether it is another than the last.
fn take_id(parts: &mut [Part], aliases: &mut Vec<String>, id: &str) -> bool {
    let [part] = parts else { return false };
    if part.id == id {
        return false;
    }
    aliases.retain(|alias| alias != id);
    aliases.push(std::mem::replace(&mut part.id, id.to_owned()));
    let forgotten = aliases.len().saturating_sub(MAX_ALIASES);
    aliases.drain(..forgotten);
    true
}
