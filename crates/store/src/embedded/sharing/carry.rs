//! What was decided alone, to be handed over; and what was handed over and is to be so again.

use std::collections::HashSet;

use model::{AlertId, Day, Kind, Msisdn, Timestamp};
use routing::{Alert, AlertState, Effect, Event};

use super::{Carry, ChangedBox, History, is_history, read_box};
use crate::embedded::memory::{Row, Shared, Sharing};
use crate::embedded::rows;
use crate::embedded::turn::Turn;
use crate::{Context, ReportRow, StoreError};

impl Turn<'_> {
    pub(super) fn reopen(&mut self, applied: i64, context: &Context) -> Result<(), StoreError> {
        self.write_rows()?;
        let shared = self.shared()?;
        if applied > shared.sent {
            return Err(StoreError::Older { here: shared.sent, there: applied });
        }
        // The newest batch first: in the end each box has the oldest of what it was.
        for (seq, batch) in rows::take_kept(self.conn, applied)? {
            for (called, before) in batch {
                if let Ok(called) = Msisdn::try_from(called) {
                    self.give_back_aside(called, seq)?;
                    rows::set_base(self.conn, called, Some(&before))?;
                }
            }
        }
        // What came after was decided while the database was away, and then no teasers are made.
        let handed_over = usize::try_from(shared.sent.saturating_sub(applied)).unwrap_or(0);
        for pending in rows::pending(self.conn, applied, handed_over)? {
            self.withdraw_teasers(&pending, context)?;
        }
        self.draft.shared = Some(Shared { applied, sent: applied, ..shared });
        self.draft.held = Some(HashSet::new());
        self.draft.in_doubt = Some(false);
        self.draft.doubted = Some(HashSet::new());
        Ok(())
    }

    /// What was left aside of a box is this node's alone again when the database lost the batch that it came from.
    fn give_back_aside(&mut self, called: Msisdn, seq: i64) -> Result<(), StoreError> {
        let Some((_, whole)) = rows::aside(self.conn, called)?.filter(|(sent, _)| seq <= *sent) else { return Ok(()) };
        if let Some((base, mine)) = rows::changed_box(self.conn, called)? {
            let base = read_box(Some(&base), called)?;
            let row = self.take_box(called)?;
            self.draft.sharing = Sharing::Local;
            self.put_box(Row { value: routing::merge(&base, &mine, &whole), dirty: true, ..row });
            self.write_rows()?;
        }
        rows::set_aside(self.conn, called, None)
    }

    /// A teaser whose decision the database doesn't have is not sent: its quota and its reader's refusal can't be known.
    fn withdraw_teasers(&mut self, pending: &rows::Pending, context: &Context) -> Result<(), StoreError> {
        for id in &pending.alerts {
            let Some(mut row) = self.take_alert(*id)? else { continue };
            let queued = matches!(row.value.state, AlertState::Queued { .. });
            if row.value.kind != Kind::Teaser || !queued {
                self.put_alert(row);
                continue;
            }
            let (called, before) = (row.value.to, row.value.clone());
            let base = rows::changed_box(self.conn, called)?.map(|(base, _)| base);
            let base = read_box(base.as_deref(), called)?;
            let mut call_box = self.take_box(called)?;
            let withdrawn = routing::withdraw_unshared_teaser(&mut call_box.value, &mut row.value, &base, context.now);
            if withdrawn {
                self.count_state(Some(&before), Some(&row.value));
                self.count_withdrawn(pending.seq, &row.value, context)?;
                row.dirty = true;
                call_box.dirty = true;
                self.draft.sharing = Sharing::Local;
                let rest: Vec<_> =
                    pending.rest.iter().filter(|effect| !matches!(effect, Effect::Count(_))).cloned().collect();
                rows::set_rest(self.conn, pending.seq, &rest)?;
            }
            self.put_box(call_box);
            self.put_alert(row);
        }
        Ok(())
    }

    /// Counts an alert that was withdrawn with the event that made or changed it, which is to be handed over.
    fn count_withdrawn(&mut self, seq: i64, alert: &Alert, context: &Context) -> Result<(), StoreError> {
        let range = context.policy.ranges.find(alert.to).map(|range| &range.name);
        let counted = ReportRow::of_alert(Day::of(context.now, &context.policy.time_zone), range, alert);
        rows::add_counted(self.conn, seq, counted.clone())?;
        self.draft.untold.push(counted);
        Ok(())
    }

    pub(super) fn carry(&mut self, limit: usize, now: Timestamp) -> Result<Option<Carry>, StoreError> {
        self.write_rows()?;
        let shared = self.shared()?;
        let pending = rows::pending(self.conn, shared.sent, limit)?;
        let Some(last) = pending.last() else { return Ok(None) };
        let through = last.seq;
        let (mut carry, mut called, mut ids) =
            (Carry { events: pending.len(), ..Carry::default() }, HashSet::new(), HashSet::new());
        carry.work.through = through;
        carry.work.counted = rows::counted(self.conn, shared.sent, through)?;
        for one in pending.into_iter().filter(|one| !one.quarantined) {
            called.extend(self.person_of(&one)?);
            ids.extend(one.alerts.iter().map(|id| id.0));
            carry.work.rest.extend(one.rest);
            if is_history(&one.event, one.verdict) {
                let rows::Pending { seq, event, at, verdict, alerts, .. } = one;
                carry.work.history.push(History { seq, event, at, verdict, alerts });
            }
        }
        let mut before = Vec::new();
        for called in called {
            if let Some((base, mine)) = rows::changed_box(self.conn, called)? {
                carry.changed.push(ChangedBox { base: read_box(Some(&base), called)?, mine });
                rows::set_base(self.conn, called, None)?;
                before.push((called.as_u64(), base));
            }
        }
        carry.changed.sort_unstable_by_key(|changed| changed.mine.called);
        self.doubt(&before);
        rows::keep(self.conn, through, now, &before)?;
        // Whether the open alert has ended is needed for the merge.
        ids.extend(carry.changed.iter().filter_map(|changed| changed.mine.open).map(|id| id.0));
        for id in ids {
            if let Some(row) = self.take_alert(AlertId(id))? {
                carry.work.alerts.push(row.value.clone());
                self.put_alert(row);
            }
        }
        carry.work.alerts.sort_unstable_by_key(|alert| alert.id);
        self.draft.shared = Some(Shared { sent: through, ..shared });
        Ok(Some(carry))
    }

    fn person_of(&mut self, pending: &rows::Pending) -> Result<Option<Msisdn>, StoreError> {
        if let Some(called) = pending.event.called() {
            return Ok(Some(called));
        }
        let id = match (&pending.event, pending.alerts.first()) {
            (_, Some(id)) => *id,
            (Event::Submitted { alert, .. } | Event::Updated { alert, .. } | Event::Dropped { alert }, None) => *alert,
            _ => return Ok(None),
        };
        let row = self.take_alert(id)?;
        Ok(row.map(|row| {
            let to = row.value.to;
            self.put_alert(row);
            to
        }))
    }
}
