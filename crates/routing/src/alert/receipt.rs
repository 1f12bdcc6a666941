//! What receipts say of an alert, and what other nodes were told of it.

use model::{IdForm, Receipt, ReceiptState, Timestamp, id_key};

use super::{Alert, AlertState, Calls, Part, Refusal};
use crate::InDoubtPolicy;

impl Alert {
    /// Applies a receipt about one of its parts. The alert ends when every part has ended: delivered when all were, expired when no part was
    /// lost another way, else undelivered. While an update is on its way, the outcome of that is waited for; one that is only wanted is given up. Gives
    /// the calls that such an update was to add, which are untold again.
    ///
    /// # Errors
    /// When it is a repeat, or the alert is not waiting for one.
    pub fn receipt(&mut self, receipt: &Receipt, policy: InDoubtPolicy, now: Timestamp) -> Result<Calls, Refusal> {
        let said = receipt.state;
        let AlertState::Accepted { parts, update, .. } = &mut self.state else { return Err(Refusal::Unchanged) };
        let aliases = update.as_ref().map_or(&[][..], |update| &update.aliases);
        let place = part_of(parts, aliases, receipt).ok_or(Refusal::Unchanged)?;
        let part = parts.get_mut(place).filter(|part| part.state != Some(said)).ok_or(Refusal::Unchanged)?;
        part.state = Some(said);
        self.note_receipt(place, said, &receipt.error, now);
        let untold = if said.is_final() && self.update_wanted_at().is_some() {
            self.give_up(policy, now)
        } else {
            self.cancelled_after_all(now).unwrap_or_default()
        };
        self.end_by_parts(now);
        Ok(untold)
    }

    /// Ends it if every part has ended and no update is on its way.
    pub(super) fn end_by_parts(&mut self, now: Timestamp) {
        if self.is_updating() {
            return;
        }
        let AlertState::Accepted { parts, .. } = &self.state else { return };
        let mut worst = ReceiptState::Delivered;
        for part in parts {
            match part.state {
                Some(ReceiptState::Delivered) => {}
                Some(ReceiptState::Expired) if worst != ReceiptState::Delivered => {}
                Some(state) if state.is_final() => worst = state,
                Some(_) | None => return,
            }
        }
        self.state = match worst {
            ReceiptState::Delivered => AlertState::Delivered { at: now },
            ReceiptState::Expired => AlertState::Expired { at: now },
            _ => AlertState::Undelivered { at: now },
        };
    }

    /// Takes over what another node was told of the parts and this one was not, and what it did about an update; whether that is anything. What is on its
    /// way here stays so, and calls that another node added meanwhile are told after it.
    pub fn learn(&mut self, known: &Self) -> bool {
        let (AlertState::Accepted { parts: mine, .. }, AlertState::Accepted { parts: theirs, .. }) =
            (&mut self.state, &known.state)
        else {
            return false;
        };
        let mut learnt = false;
        for part in mine.iter_mut().filter(|part| !part.has_ended()) {
            let told = theirs.iter().find(|other| other.id == part.id).and_then(|other| other.state);
            if told.is_some_and(|told| part.state.is_none() || told.is_final()) {
                part.state = told;
                learnt = true;
            }
        }
        let learnt = self.learn_update(known) || learnt;
        if learnt {
            self.learn_trail(known);
        }
        learnt
    }
}

/// The place of the part that a receipt is about, unless it has ended: of the parts with its id as it is spelled, else of those with its id in the first form that
/// any part has, the first that has not ended. An SMSC may have given one id to all of them. An id that the message had before an update is that of its only
/// part.
fn part_of(parts: &[Part], aliases: &[String], receipt: &Receipt) -> Option<usize> {
    let open = |part: &Part| !part.has_ended();
    if receipt.id_form.is_none_or(|form| form == IdForm::Same) && parts.iter().any(|part| part.id == receipt.message_id)
    {
        return parts.iter().position(|part| part.id == receipt.message_id && open(part));
    }
    let keys = receipt.answers();
    if let Some(key) = keys.iter().map(|(_, key)| key).find(|key| parts.iter().any(|part| id_key(&part.id) == **key)) {
        return parts.iter().position(|part| id_key(&part.id) == *key && open(part));
    }
    // Under an earlier id, that it is deleted says that it was replaced.
    let was_its_own = receipt.state != ReceiptState::Deleted
        && aliases.iter().any(|alias| keys.iter().any(|(_, key)| id_key(alias) == *key));
    parts.iter().position(|part| was_its_own && open(part))
}
