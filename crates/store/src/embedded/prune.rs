//! Pruning: what is old enough is forgotten, a few rows at a time, so that no turn is long.

use std::time::Duration;

use model::{AlertId, Day, Timestamp};
use routing::{Alert, AlertState, CallBox};

use super::rows;
use super::turn::Turn;
use crate::{Retention, StoreError};

/// Rows looked at in each table per step: a few milliseconds.
const STEP: usize = 500;

/// How long a receipt waits for the answer it belongs to.
const PARKED_FOR: Duration = Duration::from_secs(24 * 3600);

/// How long is kept here what the database has too: as long as it may be lost there, and asked for when it is away.
const SHARED_FOR: Duration = Duration::from_secs(900);

/// How long a box is kept here that the database has too: the day over which alerts are counted.
const MIRRORED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What one step of pruning did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Rows removed.
    pub removed: usize,
    /// Whether every table was looked at to its end since the last time this was said; then there is nothing to do for a while.
    pub done: bool,
}

/// How far the walk through the tables has come.
#[derive(Clone, Default, Debug)]
pub(super) struct Places {
    alert: i64,
    called: i64,
    part: Option<rows::PartKey>,
    replies_done: bool,
    alerts_done: bool,
    boxes_done: bool,
    parts_done: bool,
}

impl Turn<'_> {
    /// One step. What was decided, and alerts that ended, before `now` − `retention` go, their texts perhaps earlier; then message ids without an alert,
    /// receipts nobody claimed, boxes that say nothing any more, evidence, and the report of old days.
    pub(super) fn prune(
        &mut self,
        places: &Places,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<(Places, Pruned), StoreError> {
        self.write_rows()?;
        let (mut places, mut removed) = (places.clone(), 0);
        let before = match self.draft.shared {
            None => now - retention.calls,
            Some(shared) if rows::has_pending(self.conn, shared.sent)? => {
                // What the database doesn't have yet is nowhere else.
                return Ok((places, Pruned { removed, done: true }));
            }
            Some(_) => now - SHARED_FOR,
        };
        let settled = self.memory.settled_below();
        let shared = self.draft.shared.map_or(settled, |shared| settled.min(shared.applied.saturating_add(1)));
        let history = rows::prune_history(self.conn, before, shared, STEP)?;
        removed += history;
        let parked = rows::prune_parked(self.conn, now - PARKED_FOR, STEP)?;
        self.draft.parked = self.draft.parked.saturating_sub(parked as u64);
        removed += parked;
        let in_doubt = self.draft.shared.is_some_and(|shared| shared.sent > shared.applied);
        let evidence = rows::prune_evidence(self.conn, now - retention.evidence, STEP)?;
        // A day more: where the report's calendar is behind UTC, its days end later.
        let report = rows::prune_report(self.conn, Day::of(now - retention.evidence, "UTC").plus(-1), STEP)?;
        removed += report + evidence + rows::prune_erased(self.conn, now - retention.evidence)?;
        let texts = now - retention.texts;
        if !places.replies_done {
            places.replies_done = self.draft.shared.is_some() || rows::blank_replies(self.conn, texts, STEP)?;
        }
        if !places.alerts_done && !in_doubt {
            removed += self.prune_alerts(&mut places, before, texts)?;
        }
        if !places.boxes_done {
            removed += self.prune_boxes(&mut places, before)?;
        }
        if places.alerts_done && !places.parts_done {
            removed += self.prune_parts(&mut places)?;
        }
        let walked = places.replies_done && places.alerts_done && places.boxes_done && places.parts_done;
        let done = history < STEP && parked < STEP && evidence < STEP && report < STEP && walked;
        if done {
            places = Places::default();
        }
        Ok((places, Pruned { removed, done }))
    }

    fn prune_alerts(&mut self, places: &mut Places, before: Timestamp, texts: Timestamp) -> Result<usize, StoreError> {
        let found = rows::alerts_after(self.conn, AlertId(places.alert), STEP)?;
        // Alerts of one node are in the order they were made: behind one that was made after the cutoff there are none that ended before it.
        let cutoff = before.max(texts);
        let young = self.draft.shared.is_none() && found.last().is_some_and(|alert| alert.created_at >= cutoff);
        places.alerts_done = found.len() < STEP || young;
        let mut removed = 0;
        for alert in found {
            places.alert = alert.id.0;
            let Some(ended) = ended_by(&alert) else { continue };
            if ended < before {
                self.forget_alert(alert.id)?;
                self.count_state(Some(&alert), None);
                rows::delete_alert(self.conn, alert.id)?;
                removed += 1;
            } else if ended < texts && !alert.text.is_empty() {
                self.blank_text(alert.id)?;
            }
        }
        Ok(removed)
    }

    fn blank_text(&mut self, id: AlertId) -> Result<(), StoreError> {
        if let Some(mut row) = self.take_alert(id)? {
            row.value.text.clear();
            row.dirty = true;
            self.put_alert(row);
        }
        Ok(())
    }

    fn prune_boxes(&mut self, places: &mut Places, before: Timestamp) -> Result<usize, StoreError> {
        let found = rows::boxes_after(self.conn, places.called, STEP)?;
        places.boxes_done = found.len() < STEP;
        let mut removed = 0;
        for call_box in found {
            places.called = rows::key(call_box.called);
            let old = match self.draft.shared {
                None => says_nothing(&call_box, before),
                Some(_) => is_quiet(&call_box, before - MIRRORED_FOR) && rows::is_shared(self.conn, call_box.called)?,
            };
            if old {
                self.forget_box(call_box.called)?;
                rows::delete_box(self.conn, call_box.called)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn prune_parts(&mut self, places: &mut Places) -> Result<usize, StoreError> {
        let found = rows::parts_after(self.conn, places.part.as_ref(), STEP)?;
        places.parts_done = found.len() < STEP;
        let mut removed = 0;
        for part in found {
            if !rows::has_alert(self.conn, part.3)? {
                rows::delete_part(self.conn, &part)?;
                removed += 1;
            }
            places.part = Some(part);
        }
        Ok(removed)
    }
}

/// When an alert ended; one that the SMSC took, or may have taken, and that no receipt came for, ends with its validity.
fn ended_by(alert: &Alert) -> Option<Timestamp> {
    match &alert.state {
        AlertState::Queued { .. } | AlertState::Sending { .. } => None,
        // It holds calls that are neither told nor untold.
        AlertState::Accepted { update: Some(update), .. } if update.goes_on() => None,
        AlertState::InDoubt { .. } | AlertState::Accepted { .. } => Some(alert.created_at + alert.validity),
        AlertState::Superseded { at }
        | AlertState::Delivered { at }
        | AlertState::Undelivered { at }
        | AlertState::Expired { at }
        | AlertState::Failed { at, .. } => Some(*at),
    }
}

/// Whether nothing has happened in a box since the cutoff.
fn is_quiet(call_box: &CallBox, before: Timestamp) -> bool {
    let old = |at: Timestamp| at < before;
    call_box.alerted_at.is_none_or(old)
        && call_box.seen.iter().all(|seen| old(seen.at))
        && call_box.replies.is_none_or(|window| old(window.since))
        && call_box.resent.iter().all(|resent| old(resent.at))
}

/// Whether a box is as good as an empty one: nothing in it but traces from before the cutoff.
fn says_nothing(call_box: &CallBox, before: Timestamp) -> bool {
    let old = |at: Timestamp| at < before;
    let mut rest = call_box.clone();
    rest.seen.retain(|seen| !old(seen.at));
    if rest.alerted_at.is_some_and(old) {
        // A count of the day is as old as the last alert in it.
        rest.alerted_at = None;
        rest.today = None;
    }
    // A day of the person's own calendar has ended everywhere a day and a half after it began in UTC.
    let ended = |day: i32| old(Timestamp::from_millis(i64::from(day) * 86_400_000 + 129_600_000));
    rest.notified = rest.notified.filter(|(day, _)| !ended(*day));
    // What is sent again counts in the day, and is no alert about calls.
    rest.today = rest.today.filter(|(day, _)| !ended(*day));
    rest.resent.retain(|resent| !old(resent.at));
    rest.awaiting.retain(|awaiting| !old(awaiting.at));
    rest.reachable.retain(|reachable| !old(reachable.at));
    rest.pending = rest.pending.filter(|pending| !old(pending.until));
    rest.replies = rest.replies.filter(|window| !old(window.since));
    rest == CallBox::empty(call_box.called)
}
