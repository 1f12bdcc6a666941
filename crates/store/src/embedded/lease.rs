//! Leasing: alerts leave the queue for a link.

use model::{AlertId, Submit, Timestamp};
use routing::{Database, Event, Leased};

use super::open::ALERT_BITS;
use super::rows;
use super::turn::Turn;
use crate::{Context, StoreError};

/// Alerts given up in one lease beside those handed out, so that a queue that became stale in a long outage is cleared in steps.
const DROPS: usize = 1_000;

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
