//! Leasing: alerts leave the queue for a link.

use model::Submit;
use routing::{Database, Leased};

use super::rows;
use super::turn::Turn;
use crate::{Context, StoreError};

/// Alerts given up in one lease beside those handed out, so that a queue that became stale in a long outage is cleared in steps.
const DROPS: usize = 1_000;

impl Turn<'_> {
    /// Takes up to `room` alerts out of the queue, the longest waiting first. Teasers aren't even looked at while the database is abnormal.
    pub(super) fn lease(&mut self, room: usize, context: &Context) -> Result<Vec<Submit>, StoreError> {
        self.write_rows()?;
        let limit = room.saturating_add(DROPS);
        let mut waiting = rows::queued(self.conn, rows::LANE_ALERTS, context.now, limit)?;
        if context.database == Database::Normal {
            waiting.extend(rows::queued(self.conn, rows::LANE_TEASERS, context.now, limit)?);
            waiting.sort_unstable();
        }
        let mut submits = Vec::with_capacity(room.min(waiting.len()));
        let mut drops = 0;
        for (_, id) in waiting {
            if submits.len() >= room {
                break;
            }
            let Some(mut row) = self.take_alert(id)? else { continue };
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
                    self.drop_alert(row, context)?;
                    drops += 1;
                }
            }
        }
        Ok(submits)
    }
}
