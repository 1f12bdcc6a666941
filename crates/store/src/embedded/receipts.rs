//! Receipts: whose they are, and where they wait until that is known.

use model::{AlertId, IdForm, Receipt, SmscName, id_key, receipts_of};
use routing::{Alert, Event};

use super::memory::Row;
use super::rows;
use super::settle::{Occurrence, Subject};
use super::turn::Turn;
use crate::matching::{Candidate, Chosen, Known, Match, SAME_ID, is_before, whose};
use crate::{Context, Matched, Outcome, ReceiptMatch, Settled, StoreError};

/// Receipts kept for an answer that has not come yet. A receipt outruns its answer by seconds; this is what a whole SMSC's worth of foreign receipts
/// may take of the disk (some ten megabytes), not what is needed.
const PARKED: u64 = 100_000;

/// Events of an ended alert's chain among which a repeated receipt is looked for: those of its parts, and repeats of them.
const CHAIN: usize = 16;

/// Receipts of proven handsets in one form after which an SMSC is known to write ids in it, as long as there were so many for each in another: ids
/// repeat, and a receipt that is not what it seems proves what is not so.
const ENOUGH: u64 = 10;

/// What this life of the program has seen of an SMSC's receipts.
#[derive(Clone, Copy, Default)]
pub(super) struct Habits {
    /// How many were in each form ([`IdForm::ALL`]), counting those whose handset and id leave no doubt.
    forms: [u64; 3],
    /// Whether one named the handset of the alert that its id names.
    names_handsets: bool,
}

impl Habits {
    fn form(&self) -> Option<IdForm> {
        let (form, most) = IdForm::ALL.into_iter().zip(self.forms).max_by_key(|(_, count)| *count)?;
        let others = self.forms.iter().sum::<u64>().saturating_sub(most);
        (most >= ENOUGH.saturating_mul(others.max(1))).then_some(form)
    }
}

/// A parked receipt of which the database knows the alerts that its id may name.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Its place.
    pub(crate) seq: i64,
    /// The receipt.
    pub(crate) receipt: Receipt,
    /// The alerts, each by the form that names it.
    pub(crate) named: Vec<(IdForm, Alert)>,
}

/// Whose a receipt is.
pub(super) enum Whose {
    /// This alert's.
    Alert {
        /// The alert, taken out of the draft.
        row: Box<Row<Alert>>,
        /// How it was found.
        chosen: Chosen,
    },
    /// Of alerts of which nothing tells which is meant, or whether one is.
    Ambiguous,
    /// Of no alert known here.
    Nobody,
}

/// The alert that a receipt is about, taken out of the draft, and the form that says so.
struct Found {
    row: Box<Row<Alert>>,
    form: IdForm,
}

impl Turn<'_> {
    /// Decides a receipt by the alert that it is about, or parks it.
    pub(super) fn receive(&mut self, seq: i64, receipt: &Receipt, context: &Context) -> Result<Outcome, StoreError> {
        let how = match self.alert_of(receipt)? {
            Whose::Alert { row, chosen } => {
                self.learn(&receipt.smsc, chosen);
                return self.decide_receipt(seq, receipt, Found { row, form: chosen.form }, context);
            }
            Whose::Ambiguous => Matched::Ambiguous,
            Whose::Nobody => Matched::Nobody,
        };
        self.park(seq, receipt, context)?;
        let event = Event::Receipt(receipt.clone());
        let outcome = self.decide(&Occurrence { seq, event: &event }, Subject::Nobody, context)?;
        Ok(Outcome { receipt: Some(ReceiptMatch { smsc: receipt.smsc.clone(), how }), ..outcome })
    }

    /// The alert finds its part by the form that the receipt was found in.
    fn decide_receipt(
        &mut self,
        seq: i64,
        receipt: &Receipt,
        Found { row, form }: Found,
        context: &Context,
    ) -> Result<Outcome, StoreError> {
        let event = Event::Receipt(Receipt { id_form: Some(form), ..receipt.clone() });
        let outcome = self.decide(&Occurrence { seq, event: &event }, Subject::Alert(row), context)?;
        let how = Matched::Alert(form);
        Ok(Outcome { receipt: Some(ReceiptMatch { smsc: receipt.smsc.clone(), how }), ..outcome })
    }

    /// Receipts that came before the answer with this message id are decided now.
    pub(super) fn replay(
        &mut self,
        smsc: &SmscName,
        message_id: &str,
        alert: AlertId,
        context: &Context,
        settled: &mut Settled,
    ) -> Result<(), StoreError> {
        for (seq, receipt) in rows::parked(self.conn, &smsc.0, &receipts_of(message_id))? {
            let Some(found) = self.waited_for(&receipt, message_id, alert)? else { continue };
            self.unpark(seq)?;
            if rows::is_journaled(self.conn, seq)? {
                let outcome = self.decide_receipt(seq, &receipt, found, context)?;
                settled.add(outcome);
            } else {
                // Its own event was pruned meanwhile.
                self.put_alert(*found.row);
                self.append(&[Event::Receipt(receipt)])?;
            }
        }
        Ok(())
    }

    /// This alert, if a parked receipt is about its part with this message id, and the form that says so.
    fn waited_for(&mut self, receipt: &Receipt, message_id: &str, alert: AlertId) -> Result<Option<Found>, StoreError> {
        match self.alert_of(receipt)? {
            // A receipt outruns its answer by seconds, and others' are kept for a day: a guess is worth nothing here.
            Whose::Alert { row, chosen }
                if row.value.id == alert && chosen.is_certain(receipt, self.known_of(receipt).form) =>
            {
                return Ok(Some(Found { row, form: chosen.form }));
            }
            Whose::Alert { row, .. } => {
                self.put_alert(*row);
                return Ok(None);
            }
            Whose::Nobody => return Ok(None),
            Whose::Ambiguous => {}
        }
        // Where an SMSC gives one id to many, a receipt that names no handset of ours could be anyone's; of several of one handset, it is the newest's.
        let key = id_key(message_id);
        let form = receipt.answers().into_iter().find(|(_, known)| *known == key).map(|(form, _)| form);
        let (Some(form), Some(row)) = (form, self.take_alert(alert)?) else { return Ok(None) };
        if receipt.handset == Some(row.value.to) && !is_before(receipt, row.value.created_at) {
            return Ok(Some(Found { row: Box::new(row), form }));
        }
        self.put_alert(row);
        Ok(None)
    }

    /// Receipts that were parked happen anew where it is certain now whose they are; how many.
    pub(super) fn receive_again(&mut self, claims: &[Claim]) -> Result<usize, StoreError> {
        let mut again = 0;
        for Claim { seq, receipt, named } in claims {
            let mut candidates = Vec::with_capacity(named.len());
            for (form, alert) in named {
                let last = self.take_alert(alert.id)?.and_then(|row| {
                    let last = row.last;
                    self.put_alert(row);
                    last
                });
                candidates.push(self.candidate(*form, alert, last, receipt)?);
            }
            let known = self.known_of(receipt);
            let Match::One(chosen) = whose(receipt, known, &candidates) else { continue };
            if chosen.is_certain(receipt, known.form) && self.unpark(*seq)? {
                self.append(&[Event::Receipt(receipt.clone())])?;
                again += 1;
            }
        }
        Ok(again)
    }

    fn unpark(&mut self, seq: i64) -> Result<bool, StoreError> {
        let was = rows::unpark(self.conn, seq)?;
        self.draft.parked = self.draft.parked.saturating_sub(u64::from(was));
        Ok(was)
    }

    fn park(&mut self, seq: i64, receipt: &Receipt, context: &Context) -> Result<(), StoreError> {
        if self.draft.parked >= PARKED {
            let gone = rows::unpark_oldest(self.conn)? as u64;
            self.draft.parked = self.draft.parked.saturating_sub(gone);
            self.draft.parked_dropped = self.draft.parked_dropped.saturating_add(gone);
        }
        // One that happened anew and waits again is not kept for a day more.
        rows::park(self.conn, seq, receipt.at.min(context.now), receipt)?;
        self.draft.parked = self.draft.parked.saturating_add(1);
        Ok(())
    }

    /// The alert that a receipt is about ([`whose`]), of all that are known here.
    pub(super) fn alert_of(&mut self, receipt: &Receipt) -> Result<Whose, StoreError> {
        let (smsc, keys) = (&receipt.smsc.0, receipt.answers());
        let mut named = Vec::new();
        if receipt.handset.is_some() {
            named = rows::alerts_of_part(self.conn, smsc, &keys, receipt.handset, SAME_ID)?;
        }
        if named.is_empty() {
            named = rows::alerts_of_part(self.conn, smsc, &keys, None, SAME_ID)?;
            if named.len() >= SAME_ID {
                return Ok(Whose::Ambiguous);
            }
        }
        let mut candidates = Vec::with_capacity(named.len());
        for (form, id) in named {
            if let Some(row) = self.take_alert(id)? {
                candidates.push(self.candidate(form, &row.value, row.last, receipt)?);
                self.put_alert(row);
            }
        }
        Ok(match whose(receipt, self.known_of(receipt), &candidates) {
            Match::One(chosen) => match self.take_alert(chosen.alert)? {
                Some(row) => Whose::Alert { row: Box::new(row), chosen },
                None => Whose::Nobody,
            },
            Match::Ambiguous => Whose::Ambiguous,
            Match::Nobody => Whose::Nobody,
        })
    }

    /// An alert that a receipt's id names, with the newest decision of its chain. What came of it before is asked where it may tell something: where only
    /// the id speaks for it, in another form.
    fn candidate(
        &self,
        form: IdForm,
        alert: &Alert,
        last: Option<i64>,
        receipt: &Receipt,
    ) -> Result<Candidate, StoreError> {
        let by_id_alone = form != IdForm::Same && receipt.handset != Some(alert.to);
        let had_it = by_id_alone && alert.state.is_final() && self.had(last, receipt)?;
        Ok(Candidate::new(form, alert, receipt, had_it))
    }

    /// Whether a receipt with this id is among the newest events of an alert's chain.
    fn had(&self, last: Option<i64>, receipt: &Receipt) -> Result<bool, StoreError> {
        let (key, mut place) = (id_key(&receipt.message_id), last);
        for _ in 0..CHAIN {
            let Some(seq) = place else { return Ok(false) };
            if let Some(Event::Receipt(known)) = rows::event(self.conn, seq)?
                && known.smsc == receipt.smsc
                && id_key(&known.message_id) == key
            {
                return Ok(true);
            }
            place = rows::decision(self.conn, seq)?.and_then(|decided| decided.prev);
        }
        Ok(false)
    }

    /// What is known of a receipt's SMSC: its form as was set, else as was learned from earlier batches. A batch learns nothing for itself: people are
    /// looked up for it by what is known before.
    fn known_of(&self, receipt: &Receipt) -> Known {
        let habits = self.memory.habits.get(&receipt.smsc);
        let Habits { names_handsets, .. } = habits.copied().unwrap_or_default();
        Known { form: receipt.id_form.or_else(|| habits?.form()), names_handsets }
    }

    fn learn(&mut self, smsc: &SmscName, Chosen { form, by_handset, proves, .. }: Chosen) {
        if !by_handset {
            return;
        }
        let known = || self.memory.habits.get(smsc).copied().unwrap_or_default();
        let habits = self.draft.habits.entry(smsc.clone()).or_insert_with(known);
        habits.names_handsets = true;
        if proves {
            for (_, count) in IdForm::ALL.into_iter().zip(&mut habits.forms).filter(|(one, _)| *one == form) {
                *count = count.saturating_add(1);
            }
        }
    }
}
