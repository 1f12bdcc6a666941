//! Leasing: alerts leave the queue for a link.

use model::{Submit, Timestamp};
use routing::{Database, Event, Leased};

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
        // Those that wait for the lease don't stand before the others: none of them may leave before it was made.
        let after = lapsed.unwrap_or(Timestamp::from_millis(i64::MIN));
        let mut waiting = rows::queued(self.conn, rows::LANE_ALERTS, after, context.now, limit)?;
        let in_doubt = self.draft.in_doubt.unwrap_or(self.memory.in_doubt);
        if context.database == Database::Normal && !in_doubt {
            waiting.extend(rows::queued(self.conn, rows::LANE_TEASERS, after, context.now, limit)?);
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
}
