//! Leasing: alerts leave the queue for a link, and updates of those that an SMSC has.

use model::{AlertId, Submit, Timestamp, UpdateOrder, UpdateOutcome};
use routing::{Alert, AlertState, Database, Event, Leased, UpdateState};

use super::open::ALERT_BITS;
use super::rows;
use super::turn::Turn;
use crate::{Context, StoreError};

/// Alerts given up in one lease beside those handed out, so that a queue that became stale in a long outage is cleared in steps.
const DROPS: usize = 1_000;

/// Updates looked at in one lease beside those handed out: those of people who are held, a batch of them at most.
const PASSED_OVER: usize = 2_000;

impl Turn<'_> {
    /// Takes up to `room` alerts out of the queue, the longest waiting first. Teasers aren't even looked at while the database is abnormal.
    ///
    /// Those made before `lapsed` wait: another node may have taken them over.
    pub(super) fn lease(
        &mut self,
        room: usize,
        context: &Context,
        lapsed: Option<Timestamp>,
    ) -> Result<Vec<Submit>, StoreError> {
        self.write_rows()?;
        let limit = room.saturating_add(DROPS);
        // Those that wait for the lease don't stand before the others.
        let made = match lapsed {
            Some(lapsed) => (lapsed, self.first_made_after(lapsed)?),
            None => (Timestamp::from_millis(i64::MIN), AlertId(i64::MIN)),
        };
        let mut waiting = rows::queued(self.conn, rows::LANE_ALERTS, made, context.now, limit)?;
        let in_doubt = self.draft.in_doubt.unwrap_or(self.memory.in_doubt);
        if context.database == Database::Normal && !in_doubt {
            waiting.extend(rows::queued(self.conn, rows::LANE_TEASERS, made, context.now, limit)?);
            waiting.sort_unstable();
        }
        let mut submits = Vec::with_capacity(room.min(waiting.len()));
        let mut drops = 0;
        for (_, id) in waiting {
            if submits.len() >= room {
                break;
            }
            if self.memory.dropping.contains(&id.0) {
                continue;
            }
            let Some(mut row) = self.take_alert(id)? else { continue };
            let held = self.draft.held.as_ref().unwrap_or(&self.memory.held);
            if held.contains(&row.value.to.as_u64()) || lapsed.is_some_and(|before| row.value.created_at <= before) {
                self.put_alert(row);
                continue;
            }
            let before = row.value.clone();
            match row.value.lease(context.database, &context.policy.limits, context.now) {
                Leased::Send(submit) => {
                    self.count_state(Some(&before), Some(&row.value));
                    row.dirty = true;
                    self.put_alert(row);
                    submits.push(submit);
                }
                Leased::Wait => self.put_alert(row),
                // Enough were given up for one turn: those behind them that are worth sending are sent all the same.
                Leased::Dropped if drops >= DROPS => {
                    row.value = before;
                    self.put_alert(row);
                }
                Leased::Dropped => {
                    row.value = before;
                    let id = row.value.id;
                    self.put_alert(row);
                    self.append(&[Event::Dropped { alert: id }])?;
                    self.draft.dropping.push(id.0);
                    drops += 1;
                }
            }
        }
        Ok(submits)
    }

    /// Takes up to `room` updates that are wanted, the longest waiting first; none of people who are held, and none of teasers while the database is abnormal.
    ///
    /// Those wanted before `lapsed` wait: another node may have taken the alert for one that nobody brings up to date any more.
    pub(super) fn lease_updates(
        &mut self,
        room: usize,
        context: &Context,
        lapsed: Option<Timestamp>,
    ) -> Result<Vec<UpdateOrder>, StoreError> {
        self.write_rows()?;
        let any = (Timestamp::from_millis(i64::MIN), AlertId(i64::MIN));
        let limit = room.saturating_add(PASSED_OVER);
        let mut waiting = rows::queued(self.conn, rows::LANE_UPDATES, any, context.now, limit)?;
        let in_doubt = self.draft.in_doubt.unwrap_or(self.memory.in_doubt);
        if context.database == Database::Normal && !in_doubt {
            waiting.extend(rows::queued(self.conn, rows::LANE_TEASER_UPDATES, any, context.now, limit)?);
            waiting.sort_unstable();
        }
        let mut orders = Vec::with_capacity(room.min(waiting.len()));
        for (_, id) in waiting {
            if orders.len() >= room {
                break;
            }
            let Some(mut row) = self.take_alert(id)? else { continue };
            let held = self.draft.held.as_ref().unwrap_or(&self.memory.held).contains(&row.value.to.as_u64());
            let stale = |before| row.value.update().is_some_and(|update| update.wanted_at <= before);
            if !held && !lapsed.is_some_and(stale) {
                let order = row.value.lease_update(context.database, &context.policy.updates, context.now);
                row.dirty |= order.is_some();
                orders.extend(order);
            }
            self.put_alert(row);
        }
        Ok(orders)
    }

    /// Updates that were wanted before `lapsed` are decided anew by what the database says: another node may have done more.
    pub(super) fn renew_updates(&mut self, lapsed: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.write_rows()?;
        let mut renewed = 0;
        for lane in [rows::LANE_UPDATES, rows::LANE_TEASER_UPDATES] {
            for alert in rows::of_lane(self.conn, lane)? {
                let Some(mut row) = self.take_alert(alert.id)? else { continue };
                let put_off = put_off(&mut row.value, lapsed, now);
                row.dirty |= put_off.is_some();
                self.put_alert(row);
                if let Some(attempt) = put_off {
                    self.append(&[Event::Updated { alert: alert.id, attempt, outcome: UpdateOutcome::NotNow }])?;
                    renewed += 1;
                }
            }
        }
        Ok(renewed)
    }

    /// The first of this node's alerts that was made after a time, or where it would be: they are named in the order they are made.
    fn first_made_after(&self, after: Timestamp) -> Result<AlertId, StoreError> {
        let node = self.draft.shared.map_or(0, |shared| shared.node);
        let (mut low, mut high) = (node << ALERT_BITS, self.draft.next_alert);
        while low < high {
            let middle = low.midpoint(high);
            match rows::first_alert(self.conn, middle, high)? {
                Some((id, made)) if made <= after => low = id.0.saturating_add(1),
                Some(_) | None => high = middle,
            }
        }
        Ok(AlertId(low))
    }
}

/// An update that was wanted before a time counts as asked; the attempt, which is owed an outcome.
fn put_off(alert: &mut Alert, before: Timestamp, now: Timestamp) -> Option<u32> {
    let AlertState::Accepted { update: Some(update), .. } = &mut alert.state else { return None };
    if !matches!(update.state, UpdateState::Wanted { .. }) || update.wanted_at > before {
        return None;
    }
    update.attempts = update.attempts.saturating_add(1);
    update.state = UpdateState::Asking { since: now };
    Some(update.attempts)
}
