//! Working beside a database that nodes share: this store decides on what was loaded from there, remembers what is to be handed over, and how far
//! that has come.
//!
//! ```text
//! box      shared ─ decided alone ─▶ changed (base: as others know it) ─ handed over ─▶ shared
//! journal  1 … applied … sent … decided … undecided
//!               │         └ handed over, and the answer not heard: in doubt until the database says how far it has come
//!               └ a failover may take it back: `kept` holds the boxes as they were before each batch
//! ```

mod carry;
mod loaded;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{AlertId, MissedCall, Msisdn, NoAnswer, Receipt, SmscName, Submit, SubmitOutcome, Timestamp, UpdateOrder};
use routing::{Alert, AlertState, CallBox, Effect, Event, Listed, NothingWhy, RangeName, Subscriber, Verdict};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::job::request;
use super::memory::{Row, Shared, Sharing};
use super::receipts::Claim;
use super::turn::Turn;
use super::writer::Message;
use super::{Embedded, rows};
use crate::{Context, Explained, Journaled, ReportRow, Settled, StoreError};

/// A box as the database has it.
#[derive(Clone, Debug)]
pub(crate) struct LoadedBox {
    /// As it is stored, JSON; `null`: there is none.
    pub(crate) before: Box<RawValue>,
    /// The same, read.
    pub(crate) call_box: CallBox,
}

/// An alert as the database has it.
#[derive(Clone, Debug)]
pub(crate) struct LoadedAlert {
    /// The alert.
    pub(crate) alert: Alert,
    /// Whether this node sends it.
    pub(crate) mine: bool,
}

/// Which alert a message id belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LoadedPart {
    /// Who gave the id.
    pub(crate) smsc: SmscName,
    /// The key of the id ([`model::id_key`]).
    pub(crate) id_key: String,
    /// The handset.
    pub(crate) called: Msisdn,
    /// The alert.
    pub(crate) alert: AlertId,
}

/// What the database says of the people of a batch, locked until it is handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// By called number, everyone of the batch.
    pub(crate) boxes: HashMap<u64, LoadedBox>,
    /// The alerts that the boxes call open, and those that events name.
    pub(crate) alerts: Vec<LoadedAlert>,
    /// Message ids that other nodes were given.
    pub(crate) parts: Vec<LoadedPart>,
    /// By number, those registered.
    pub(crate) subscribers: HashMap<u64, Subscriber>,
    /// By number, the lists of those who are on any.
    pub(crate) listed: HashMap<u64, Listed>,
    /// People counted in each range; locked where somebody may be counted.
    pub(crate) usage: HashMap<RangeName, u64>,
}

/// Whom and what a batch is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subjects {
    /// Called numbers, in order.
    pub(crate) called: Vec<Msisdn>,
    /// Alerts that events name.
    pub(crate) alerts: Vec<(Msisdn, AlertId)>,
    /// Receipts of which this node doesn't know, or not for certain, whose they are.
    pub(crate) unknown: Vec<Receipt>,
}

/// A call or reply with what was decided of it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Its place.
    pub(crate) seq: i64,
    /// A call or a reply.
    pub(crate) event: Event,
    /// When it was decided.
    pub(crate) at: Timestamp,
    /// What was decided.
    pub(crate) verdict: Verdict,
    /// The alerts it made or changed.
    pub(crate) alerts: Vec<AlertId>,
}

/// A batch that is durable here and to be written to the database as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    /// The last event of it.
    pub(crate) through: i64,
    /// Boxes that changed.
    pub(crate) boxes: Vec<CallBox>,
    /// Alerts that were made or changed, as they are now.
    pub(crate) alerts: Vec<Alert>,
    /// Calls and replies.
    pub(crate) history: Vec<History>,
    /// All other effects, in order.
    pub(crate) rest: Vec<Effect>,
    /// What it adds to the daily report.
    pub(crate) counted: Vec<ReportRow>,
}

/// A box that was changed here alone.
#[derive(Clone, Debug)]
pub(crate) struct ChangedBox {
    /// As others know it.
    pub(crate) base: CallBox,
    /// As it is here.
    pub(crate) mine: CallBox,
}

/// What was decided here alone and is to be handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carry {
    /// The work, but for its boxes.
    pub(crate) work: Work,
    /// How many events it is.
    pub(crate) events: usize,
    /// Boxes to merge into those of the database.
    pub(crate) changed: Vec<ChangedBox>,
}

/// How far the journal is handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Progress {
    /// This node.
    pub(crate) node: i64,
    /// Everything up to this place is applied, as far as was heard.
    pub(crate) applied: i64,
    /// Everything up to this place was handed over.
    pub(crate) sent: i64,
}

/// What an attempt at a request found, told before it is committed: the attempt's number, from 1, and what it found.
pub(crate) type Early<T> = mpsc::Sender<(usize, T)>;

impl Embedded {
    /// How far the journal is handed over.
    pub(crate) async fn progress(&self) -> Result<Progress, StoreError> {
        self.write(0, |turn| {
            let Shared { node, applied, sent, .. } = turn.shared()?;
            Ok(Progress { node, applied, sent })
        })
        .await
    }

    /// Whom a batch is about. When this returns, and until [`Self::confirm`] or [`Self::release`], none of their queued alerts leaves.
    ///
    /// They are told `early`, numbered by attempt, so that they may be loaded meanwhile; only those of the attempt that is given back count.
    pub(crate) async fn hold(&self, batch: Arc<Vec<Journaled>>, early: Early<Subjects>) -> Result<usize, StoreError> {
        let mut attempt = 0;
        self.write(batch.len(), move |turn| {
            attempt += 1;
            // Only the first is waited for.
            let _ = early.try_send((attempt, turn.hold(&batch)?));
            Ok(attempt)
        })
        .await
    }

    /// Lets the alerts of everyone go who was held.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        self.write(0, |turn| {
            turn.draft.held = Some(HashSet::new());
            // A batch that is in doubt may have made teasers: they wait until it is known.
            turn.draft.in_doubt = Some(true);
            Ok(())
        })
        .await
    }

    /// Decides a batch by what the database says. When this returns it is durable here, and counts as handed over with its answer not heard.
    ///
    /// What is decided is told `early`, numbered by attempt, so that the database may have it written by the time that it is durable here; it must not
    /// be committed there before, and only what the attempt decided that is given back.
    pub(crate) async fn settle_loaded(
        &self,
        batch: Arc<Vec<Journaled>>,
        loaded: Arc<Loaded>,
        context: Context,
        early: Early<Work>,
    ) -> Result<(Settled, usize), StoreError> {
        let mut attempt = 0;
        self.write(batch.len(), move |turn| {
            attempt += 1;
            let (settled, work) = turn.settle_loaded(&batch, &loaded, &context)?;
            // Only the first is waited for.
            let _ = early.try_send((attempt, work));
            Ok((settled, attempt))
        })
        .await
    }

    /// What would be decided of a call by what the database says, which changes nothing.
    pub(crate) async fn explain_loaded(
        &self,
        call: MissedCall,
        loaded: Arc<Loaded>,
        context: Context,
    ) -> Result<Explained, StoreError> {
        self.write(1, move |turn| turn.explain_loaded(&call, &loaded, &context)).await
    }

    /// The database has everything up to here; all who were held are let go. Asked for and not waited for: whatever is asked next comes after it.
    pub(crate) async fn confirm(&self, through: i64) -> Result<(), StoreError> {
        let confirm = move |turn: &mut Turn<'_>| {
            let shared = turn.shared()?;
            turn.draft.shared = Some(Shared { applied: through, sent: shared.sent.max(through), ..shared });
            turn.draft.held = Some(HashSet::new());
            turn.draft.in_doubt = Some(false);
            turn.draft.doubted = Some(HashSet::new());
            Ok(())
        };
        let (job, _) = request(1, confirm);
        self.work.send(Message::Job(job)).await.map_err(|_| StoreError::Closed)
    }

    /// The database has nothing after this place, whatever was heard: what came later was decided here alone, and is to be handed over.
    pub(crate) async fn reopen(&self, applied: i64, context: Context) -> Result<(), StoreError> {
        self.write(1_000, move |turn| turn.reopen(applied, &context)).await
    }

    /// Leases as [`crate::Store::lease`]; those made before `lapsed` wait.
    pub(crate) async fn lease_after(
        &self,
        room: usize,
        context: &Context,
        lapsed: Option<Timestamp>,
    ) -> Result<Vec<Submit>, StoreError> {
        let context = context.clone();
        self.write(room, move |turn| turn.lease(room, &context, lapsed)).await
    }

    /// Leases updates as [`crate::Store::lease_updates`]; those wanted before `lapsed` wait.
    pub(crate) async fn lease_updates_after(
        &self,
        room: usize,
        context: &Context,
        lapsed: Option<Timestamp>,
    ) -> Result<Vec<UpdateOrder>, StoreError> {
        let context = context.clone();
        self.write(room, move |turn| turn.lease_updates(room, &context, lapsed)).await
    }

    /// Lets updates be decided anew that were wanted before a time; how many.
    pub(crate) async fn renew_updates(&self, lapsed: Timestamp, now: Timestamp) -> Result<usize, StoreError> {
        self.write(1_000, move |turn| turn.renew_updates(lapsed, now)).await
    }

    /// When the database was last heard, as far as was noted.
    pub(crate) async fn heard(&self) -> Result<Option<Timestamp>, StoreError> {
        let heard = self.read(|conn| rows::meta(conn, "heard")).await?;
        Ok(heard.map(Timestamp::from_millis))
    }

    /// Notes when the database was last heard.
    pub(crate) async fn note_heard(&self, at: Timestamp) -> Result<(), StoreError> {
        self.write(1, move |turn| rows::set_meta(turn.conn, "heard", at.as_millis())).await
    }

    /// Alerts that wait to be sent.
    pub(crate) async fn waiting(&self) -> Result<Vec<(Msisdn, AlertId)>, StoreError> {
        self.read(rows::waiting).await
    }

    /// Forgets alerts that other nodes send.
    pub(crate) async fn give_up(&self, alerts: Vec<AlertId>) -> Result<(), StoreError> {
        self.write(alerts.len(), move |turn| alerts.iter().try_for_each(|id| turn.give_up(*id))).await
    }

    /// Takes over alerts that another node may have sent: they are in doubt, which is journaled. How many of them were new here.
    pub(crate) async fn adopt(&self, alerts: Vec<Alert>) -> Result<usize, StoreError> {
        self.write(alerts.len(), move |turn| {
            let mut new = 0;
            for alert in &alerts {
                new += usize::from(turn.adopt(alert)?);
            }
            Ok(new)
        })
        .await
    }

    /// Whether no other node works with the database.
    pub(crate) async fn alone(&self, alone: bool) -> Result<(), StoreError> {
        self.write(1, move |turn| {
            turn.draft.shared = Some(Shared { alone, ..turn.shared()? });
            Ok(())
        })
        .await
    }

    /// Receipts that are parked after a place, in order.
    pub(crate) async fn parked_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Receipt)>, StoreError> {
        self.read(move |conn| rows::parked_after(conn, after, limit)).await
    }

    /// Lets those parked receipts happen anew of which it is certain now whose they are; how many.
    pub(crate) async fn receive_again(&self, claims: Vec<Claim>) -> Result<usize, StoreError> {
        self.write(claims.len(), move |turn| turn.receive_again(&claims)).await
    }

    /// Gives a batch back that could not be settled: it is handed out again before all others.
    pub(crate) fn give_back(&self, batch: Arc<Vec<Journaled>>) {
        let events = Arc::try_unwrap(batch).unwrap_or_else(|shared| shared.as_ref().clone());
        self.ready.put_back(events);
    }

    /// The oldest of what was decided alone, at most `limit` events; `None`: nothing. It counts as handed over with its answer not heard.
    pub(crate) async fn carry(&self, limit: usize, now: Timestamp) -> Result<Option<Carry>, StoreError> {
        self.write(limit, move |turn| turn.carry(limit, now)).await
    }

    /// Sets an event aside that the database refuses.
    pub(crate) async fn quarantine(&self, seq: i64, error: String, now: Timestamp) -> Result<(), StoreError> {
        self.write(1, move |turn| {
            rows::quarantine(turn.conn, seq, now, &error)?;
            turn.draft.quarantined = rows::quarantined_count(turn.conn)?;
            Ok(())
        })
        .await
    }

    /// A standby has everything up to here.
    pub(crate) async fn flushed(&self, through: i64, before: Timestamp) -> Result<usize, StoreError> {
        self.write(100, move |turn| rows::forget_kept(turn.conn, through, before, 1_000)).await
    }
}

impl Turn<'_> {
    fn shared(&self) -> Result<Shared, StoreError> {
        self.draft.shared.ok_or(StoreError::Alone)
    }

    /// Notes the people of a batch that is handed over: what is known of them here may be nowhere else.
    fn doubt(&mut self, before: &[rows::Before]) {
        let people = before.iter().map(|(called, _)| *called);
        let doubted = self.draft.doubted.get_or_insert_with(|| self.memory.doubted.clone());
        doubted.extend(people);
    }

    fn give_up(&mut self, id: AlertId) -> Result<(), StoreError> {
        if let Some(row) = self.take_alert(id)? {
            self.count_state(Some(&row.value), None);
            rows::delete_alert(self.conn, id)?;
        }
        Ok(())
    }

    fn adopt(&mut self, alert: &Alert) -> Result<bool, StoreError> {
        if let Some(known) = self.take_alert(alert.id)? {
            self.put_alert(known);
            return Ok(false);
        }
        let mut value = alert.clone();
        // One that was queued there may have left in an attempt that nobody heard of.
        if matches!(value.state, AlertState::Queued { .. }) {
            value.attempts = value.attempts.saturating_add(1);
        }
        let attempt = value.attempts;
        value.state = AlertState::Sending { since: value.created_at };
        self.count_state(None, Some(&value));
        self.put_alert(Row { value, last: None, stored: None, dirty: true, sharing: Sharing::Alone });
        let outcome = SubmitOutcome::InDoubt(NoAnswer::Restart);
        self.append(&[Event::Submitted { alert: alert.id, attempt, outcome }])?;
        Ok(true)
    }

    /// A box as a decision without the database sees it, which changes nothing.
    pub(super) fn trusted(&self, row: &Row<CallBox>) -> Result<CallBox, StoreError> {
        let mut call_box = row.value.clone();
        if self.is_distrusted(row)? {
            forget_shared(&mut call_box);
        }
        Ok(call_box)
    }

    /// Whether another node may have told meanwhile what a box holds.
    fn is_distrusted(&self, row: &Row<CallBox>) -> Result<bool, StoreError> {
        let Some(Shared { alone: false, .. }) = self.draft.shared else { return Ok(false) };
        let called = row.value.called;
        // What the last batch left is as the database had it a moment ago, and may be nowhere else.
        let in_doubt = self.draft.doubted.as_ref().unwrap_or(&self.memory.doubted).contains(&called.as_u64());
        Ok(!in_doubt && !row.dirty && row.stored.is_some() && rows::is_shared(self.conn, called)?)
    }

    /// Forgets of a box what another node may have told meanwhile: it waits in the database until that is back.
    pub(super) fn distrust(&mut self, row: &mut Row<CallBox>) -> Result<(), StoreError> {
        if !self.is_distrusted(row)? {
            return Ok(());
        }
        let called = row.value.called;
        rows::set_aside(self.conn, called, Some((self.shared()?.sent, &row.value)))?;
        row.dirty = true;
        row.sharing = Sharing::Local;
        forget_shared(&mut row.value);
        let base = rows::write(&row.value, "box")?;
        rows::set_base(self.conn, called, Some(&RawValue::from_string(base).unwrap_or_default()))
    }
}

/// Forgets of a box what another node may have told meanwhile.
fn forget_shared(call_box: &mut CallBox) {
    call_box.clear_untold();
    call_box.open = None;
    call_box.due = None;
    call_box.deferred.clear();
    call_box.asked.clear();
    call_box.heard.clear();
    call_box.reachable.clear();
    call_box.reached = None;
    call_box.copies.untold.clear();
    call_box.copies.more = 0;
    call_box.messages.clear();
}

/// A box as it is stored; `null` and nothing at all: an empty one.
pub(crate) fn read_box(body: Option<&RawValue>, called: Msisdn) -> Result<CallBox, StoreError> {
    let text = body.map_or("null", RawValue::get);
    let found: Option<CallBox> = serde_json::from_str(text)
        .map_err(|source| StoreError::Unreadable { what: "box", source: Arc::new(source) })?;
    Ok(found.unwrap_or_else(|| CallBox::empty(called)))
}

/// Whether an event is kept in the database: calls and replies, but no call that was counted before.
fn is_history(event: &Event, verdict: Verdict) -> bool {
    match event {
        Event::Call(_) => verdict != Verdict::Nothing(NothingWhy::Duplicate),
        Event::Reply(_) => true,
        Event::Submitted { .. }
        | Event::Updated { .. }
        | Event::Receipt(_)
        | Event::Word(_)
        | Event::Resend(_)
        | Event::Dropped { .. }
        | Event::Due { .. } => false,
    }
}
