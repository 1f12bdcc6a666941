//! A batch that is decided by what the database says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{AlertId, MissedCall, Msisdn, Receipt, SmscName, SubmitOutcome, Timestamp, id_key};
use routing::{Alert, AlertState, CallBox, Event, UpdateState};

use super::{History, Loaded, LoadedAlert, LoadedPart, Subjects, Work, is_history};
use crate::embedded::memory::{Row, Shared, Sharing};
use crate::embedded::receipts::Whose;
use crate::embedded::rows;
use crate::embedded::turn::Turn;
use crate::{Context, Explained, Journaled, Seq, Settled, StoreError};

/// By SMSC and key, to whom the answers of a batch give an id.
type Given<'a> = HashMap<(&'a SmscName, String), Vec<Msisdn>>;

impl Turn<'_> {
    pub(super) fn hold(&mut self, batch: &[Journaled]) -> Result<Subjects, StoreError> {
        let (mut subjects, mut given) = (Subjects::default(), Given::new());
        for Journaled { event, .. } in batch {
            let row = match event {
                Event::Call(_) | Event::Reply(_) | Event::Word(_) | Event::Due { .. } => {
                    subjects.called.extend(event.called());
                    continue;
                }
                // Another node may have heard what became of it.
                Event::Resend(resend) => {
                    subjects.called.push(resend.called);
                    subjects.alerts.push((resend.called, resend.of));
                    continue;
                }
                Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert } => {
                    self.take_alert(*alert)?
                }
                Event::Receipt(receipt) => {
                    let (row, certain) = match self.alert_of(receipt)? {
                        // By a form that is only guessed, or against the handset, what another node sent may be meant.
                        Whose::Alert { row, chosen } => (Some(*row), chosen.is_certain(receipt, receipt.id_form)),
                        Whose::Ambiguous | Whose::Nobody => (None, false),
                    };
                    if !certain && !is_answered(receipt, &given) {
                        subjects.unknown.push(receipt.clone());
                    }
                    row
                }
            };
            if let Some(row) = row {
                if let Event::Submitted { outcome: SubmitOutcome::Accepted { smsc, message_ids }, .. } = event {
                    for id in message_ids {
                        given.entry((smsc, id_key(id))).or_default().push(row.value.to);
                    }
                }
                subjects.called.push(row.value.to);
                subjects.alerts.push((row.value.to, row.value.id));
                self.put_alert(row);
            }
        }
        subjects.called.sort_unstable();
        subjects.called.dedup();
        subjects.alerts.sort_unstable();
        subjects.alerts.dedup();
        self.draft.held = Some(subjects.called.iter().map(|called| called.as_u64()).collect());
        Ok(subjects)
    }

    pub(super) fn settle_loaded(
        &mut self,
        batch: &[Journaled],
        loaded: &Arc<Loaded>,
        context: &Context,
    ) -> Result<(Settled, Work), StoreError> {
        self.write_rows()?;
        // Whom receipts are about was not known before.
        self.draft.held = Some(loaded.boxes.keys().copied().collect());
        self.lay_out(loaded)?;
        self.draft.rest.clear();
        self.draft.counted.clear();
        self.draft.loaded = Some(Arc::clone(loaded));
        let settled = self.settle(batch, context);
        self.draft.loaded = None;
        self.draft.people.clear();
        let settled = settled?;
        let through = batch.last().map_or(0, |journaled| journaled.seq.0);
        let (rest, counted) = (std::mem::take(&mut self.draft.rest), std::mem::take(&mut self.draft.counted));
        let mut work = Work { through, rest, counted, ..Work::default() };
        let mut before = Vec::new();
        for (called, known) in &loaded.boxes {
            match self.draft.boxes.get(called) {
                Some(row) if row.dirty => {
                    if row.value != known.call_box {
                        before.push((*called, known.before.clone()));
                        work.boxes.push(row.value.clone());
                    }
                }
                // What was only looked at is not kept: the table has it as it was last shared.
                Some(_) | None => drop(self.draft.boxes.remove(called)),
            }
        }
        work.boxes.sort_unstable_by_key(|call_box| call_box.called);
        self.doubt(&before);
        rows::keep(self.conn, through, context.now, &before)?;
        work.alerts = self.touched(&settled);
        for known in &loaded.alerts {
            let id = known.alert.id.0;
            if self.draft.alerts.get(&id).is_some_and(|row| !row.dirty && (!known.mine || row.stored.is_none())) {
                self.draft.alerts.remove(&id);
            }
        }
        work.history = history(batch, &settled, context.now);
        self.draft.shared = Some(Shared { sent: through, ..self.shared()? });
        Ok((settled, work))
    }

    /// Puts what the database says in place of what is known here.
    fn lay_out(&mut self, loaded: &Loaded) -> Result<(), StoreError> {
        for LoadedPart { smsc, id_key, called, alert } in &loaded.parts {
            rows::insert_part(self.conn, &smsc.0, id_key, *called, *alert)?;
        }
        for known in loaded.boxes.values() {
            let row = self.take_box(known.call_box.called)?;
            self.put_box(Row { value: known.call_box.clone(), dirty: false, ..row });
        }
        for known in &loaded.alerts {
            self.lay_out_alert(known)?;
        }
        self.draft.usage.extend(loaded.usage.iter().map(|(name, used)| (name.clone(), *used)));
        Ok(())
    }

    /// An alert that this node sends is as it is here, unless others know that it has ended. One that waits at another node, or was taken over from one
    /// and is not known here yet, is as good as sent: it may be leaving at this moment.
    fn lay_out_alert(&mut self, known: &LoadedAlert) -> Result<(), StoreError> {
        let local = self.take_alert(known.alert.id)?;
        let row = match local {
            Some(mut local) if counts_here(&local.value, known) => {
                local.dirty |= local.value.learn(&known.alert);
                local
            }
            local => {
                let mut value = as_elsewhere(&known.alert);
                if let Some(local) = &local {
                    value.learn_trail(&local.value);
                }
                // What ended elsewhere has ended here too, and what another node has brought further is so far.
                let moved = local.as_ref().filter(|row| !row.value.state.is_final() && row.value != value);
                let dirty = moved.is_some();
                if let Some(row) = moved.filter(|row| row.stored.is_some()) {
                    self.count_state(Some(&row.value), Some(&value));
                }
                let (last, stored) = local.map_or((None, None), |row| (row.last, row.stored));
                Row { value, last, stored, dirty, sharing: Sharing::Alone }
            }
        };
        self.put_alert(row);
        Ok(())
    }

    /// What a decision about one person would see of what the database says, without anything being put in its place here.
    pub(super) fn explain_loaded(
        &mut self,
        call: &MissedCall,
        loaded: &Arc<Loaded>,
        context: &Context,
    ) -> Result<Explained, StoreError> {
        let called = call.called;
        let call_box = loaded.boxes.get(&called.as_u64()).map(|known| known.call_box.clone());
        let call_box = call_box.unwrap_or_else(|| CallBox::empty(called));
        let known = loaded.alerts.iter().find(|known| Some(known.alert.id) == call_box.open);
        let alert = known.map(|known| self.standing(known)).transpose()?;
        self.draft.loaded = Some(Arc::clone(loaded));
        let view = self.view(call_box, alert, context);
        self.draft.loaded = None;
        let mut view = view?;
        if let Some(range) = context.policy.ranges.find(called) {
            view.range_used = loaded.usage.get(&range.name).copied().unwrap_or(view.range_used);
        }
        Ok(Explained::of(call, view, context))
    }

    /// An alert that the database knows, as [`Self::lay_out_alert`] would have it here.
    fn standing(&mut self, known: &LoadedAlert) -> Result<Alert, StoreError> {
        let Some(local) = self.take_alert(known.alert.id)? else { return Ok(as_elsewhere(&known.alert)) };
        let value = if counts_here(&local.value, known) {
            let mut value = local.value.clone();
            value.learn(&known.alert);
            value
        } else {
            as_elsewhere(&known.alert)
        };
        self.put_alert(local);
        Ok(value)
    }

    /// The alerts that were made or changed, as they are now.
    fn touched(&self, settled: &Settled) -> Vec<Alert> {
        let alerts = settled.outcomes.iter().flat_map(|outcome| &outcome.alerts);
        let ids: BTreeMap<AlertId, &Alert> = alerts.map(|alert| (alert.id, alert)).collect();
        let now = |(id, alert): (AlertId, &Alert)| {
            self.draft.alerts.get(&id.0).map_or_else(|| alert.clone(), |row| row.value.clone())
        };
        ids.into_iter().map(now).collect()
    }
}

/// An alert that waits at another node, or was taken over from one: it may be leaving at this moment.
fn as_elsewhere(known: &Alert) -> Alert {
    let mut value = known.clone();
    if matches!(value.state, AlertState::Queued { .. }) {
        value.state = AlertState::Sending { since: value.created_at };
    }
    is_asked_elsewhere(&mut value);
    value
}

/// An update that another node wants is as good as asked: it may be leaving at this moment.
fn is_asked_elsewhere(alert: &mut Alert) {
    if let AlertState::Accepted { update: Some(update), .. } = &mut alert.state
        && let UpdateState::Wanted { not_before } = update.state
    {
        update.state = UpdateState::Asking { since: not_before };
    }
}

/// Whether an alert is as it is known here, and not as the database has it: this node sends it or brings it up to date, and no other has gone further.
fn counts_here(local: &Alert, known: &LoadedAlert) -> bool {
    if known.alert.state.is_final() {
        return false;
    }
    match (local.update(), known.alert.update()) {
        (None, None) => known.mine,
        (Some(_), None) => known.mine || local.is_updating(),
        // Another node wants, or wanted, to bring it up to date.
        (None, Some(_)) => !matches!(local.state, AlertState::Accepted { .. }) && known.mine,
        (Some(here), Some(there)) => {
            let further = there.attempts > here.attempts
                || there.doubts.count() > here.doubts.count()
                || matches!(there.state, UpdateState::GivenUp) && !matches!(here.state, UpdateState::GivenUp)
                || there.goes_on() && !here.goes_on();
            !further && (known.mine || here.goes_on())
        }
    }
}

/// Whether an answer in the same batch gives the id of a receipt to its handset; to anyone, where it names none.
fn is_answered(receipt: &Receipt, given: &Given<'_>) -> bool {
    receipt.answers().into_iter().any(|(_, key)| {
        let called = given.get(&(&receipt.smsc, key));
        called.is_some_and(|called| receipt.handset.is_none_or(|handset| called.contains(&handset)))
    })
}

/// Calls and replies of a batch with what was decided of them.
fn history(batch: &[Journaled], settled: &Settled, at: Timestamp) -> Vec<History> {
    let outcomes: HashMap<Seq, _> = settled.outcomes.iter().map(|outcome| (outcome.seq, outcome)).collect();
    let kept = batch.iter().filter_map(|Journaled { seq, event, .. }| {
        let outcome = outcomes.get(seq).filter(|outcome| is_history(event, outcome.verdict))?;
        let alerts = outcome.alerts.iter().map(|alert| alert.id).collect();
        Some(History { seq: seq.0, event: event.clone(), at, verdict: outcome.verdict, alerts })
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{Address, AlertId, Kind, ShortNumber, UpdateWay};
    use routing::{Doubts, Part, Update};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn update(attempts: u32, replaces: u32, state: UpdateState) -> Option<Update> {
        Some(Update {
            attempts,
            doubts: Doubts { replaces, cancels: 0 },
            wanted_at: NOW,
            kind: Kind::Detail,
            only_cancel: false,
            way: UpdateWay::Replace,
            added: Vec::new(),
            added_more: 1,
            later: Vec::new(),
            later_more: 0,
            aliases: Vec::new(),
            text: "2 calls".to_owned(),
            state,
        })
    }

    fn alert(update: Option<Update>) -> Alert {
        let parts = vec![Part { id: "77".to_owned(), state: None }];
        Alert {
            id: AlertId(1),
            to: Msisdn::try_from(8_613_800_000_001).unwrap(),
            kind: Kind::Detail,
            source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
            text: "1 call".to_owned(),
            told: Vec::new(),
            more: 1,
            created_at: NOW,
            validity: Duration::from_secs(3_600),
            attempts: 1,
            doubts: 0,
            put_off: 0,
            avoid: None,
            campaign: None,
            again: None,
            trail: Vec::new(),
            state: AlertState::Accepted {
                at: NOW,
                smsc: SmscName("north".to_owned()),
                parts,
                update: update.map(Box::new),
            },
        }
    }

    #[test]
    fn an_update_is_asked_by_the_node_that_wants_it_and_by_no_other_unless_that_went_further() {
        let wanted = UpdateState::Wanted { not_before: NOW };
        let asking = UpdateState::Asking { since: NOW };
        let done = UpdateState::Done { at: NOW };
        let given_up = UpdateState::GivenUp;
        for (what, here, there, mine, counts) in [
            ("nothing wanted, ours", None, None, true, true),
            ("nothing wanted, another's", None, None, false, false),
            ("wanted here, the same there", update(0, 0, wanted), update(0, 0, wanted), false, true),
            ("asked here, wanted there as was handed over", update(1, 0, asking), update(0, 0, wanted), false, true),
            ("wanted here alone", update(0, 0, wanted), None, false, true),
            ("wanted elsewhere, of our alert", None, update(0, 0, wanted), true, false),
            ("a further one wanted elsewhere", update(1, 0, done), update(1, 0, wanted), true, false),
            ("asked elsewhere again", update(1, 0, asking), update(2, 0, wanted), true, false),
            ("in doubt for another node, which looked", update(0, 0, wanted), update(0, 1, wanted), true, false),
            ("given up elsewhere", update(1, 0, wanted), update(1, 0, given_up), true, false),
            ("given up here as there", update(1, 0, given_up), update(1, 0, given_up), true, true),
        ] {
            let known = LoadedAlert { alert: alert(there), mine };
            assert_eq!(counts_here(&alert(here), &known), counts, "{what}");
        }
    }

    #[test]
    fn what_another_node_wants_counts_as_asked_since_it_might_be() {
        let mut other = alert(update(1, 0, UpdateState::Wanted { not_before: NOW }));
        is_asked_elsewhere(&mut other);
        assert_eq!(other.update().unwrap().state, UpdateState::Asking { since: NOW });
        let mut done = alert(update(1, 0, UpdateState::GivenUp));
        is_asked_elsewhere(&mut done);
        assert_eq!(done, alert(update(1, 0, UpdateState::GivenUp)));
    }
}
