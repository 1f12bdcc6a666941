//! What was decided alone comes into the database.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::Timestamp;
use routing::HealthEvent;
use tokio::time::Instant;

use super::{AGAIN, Batches, CARRY, Shared, Step};
use crate::embedded::{Carry, Subjects, Work};
use crate::postgres::batch::{self, Failed};
use crate::postgres::{Class, Fault, Session};
use crate::{Context, Embedded, StoreError};

impl Shared {
    pub(super) async fn hand_over(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        context: &Context,
    ) -> Result<Step, Failed> {
        let deadline = batches.deadline(self.settings.timeout);
        let applied = match batches.applied {
            Some(applied) => applied,
            None => self.find_place(local, batches, context, deadline).await?,
        };
        let Some(carry) = local.carry(batches.carry, context.now).await? else {
            // Before the lease is looked at: one that lapses from now on sets it again.
            self.behind.store(false, Ordering::SeqCst);
            if let Err(failed) = self.check_lease(local, batches, deadline).await {
                self.behind.store(true, Ordering::SeqCst);
                return Err(failed);
            }
            self.health.tell(HealthEvent::Drained);
            return Ok(Step::Done);
        };
        let session = self.connect(&mut batches.session).await?;
        let begun = Instant::now();
        match self.within(deadline, self.give(session, applied, &carry, context, deadline)).await {
            Ok(Ok(())) => {
                batches.took(begun.elapsed() / 2);
                batches.applied = Some(carry.work.through);
                batches.carry = (batches.carry * 2).min(CARRY);
                self.note_place(carry.work.through);
                local.confirm(carry.work.through).await?;
                self.health.tell(HealthEvent::TrafficOk);
                Ok(Step::Moved)
            }
            Ok(Err(Failed::Not(fault))) if matches!(fault.class, Class::Poison | Class::Busy) => {
                batches.session = None;
                local.reopen(applied, context.clone()).await?;
                self.set_aside(local, batches, &carry, &fault, context.now).await?;
                Ok(Step::Later)
            }
            Ok(Err(failed)) => Err(failed),
            Err(fault) => Err(Failed::InDoubt(fault)),
        }
    }

    /// One event that is refused never blocks those behind it: the batch is halved until it stands alone.
    async fn set_aside(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        carry: &Carry,
        fault: &Fault,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if fault.class == Class::Busy {
            tokio::time::sleep(AGAIN).await;
        } else if carry.events > 1 {
            batches.carry = (carry.events / 2).max(1);
        } else {
            tracing::error!(seq = carry.work.through, %fault, "the database refuses an event: it is set aside in the store's table quarantine");
            local.quarantine(carry.work.through, fault.text.clone(), now).await?;
        }
        Ok(())
    }

    /// Asks how far this node's journal is applied, and takes back what the database does not have.
    async fn find_place(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        context: &Context,
        deadline: Duration,
    ) -> Result<i64, Failed> {
        let progress = local.progress().await?;
        let session = self.connect(&mut batches.session).await?;
        let place = self.within(deadline, batch::place(session, self.node, deadline)).await??;
        if place > progress.sent {
            let error = StoreError::Older { here: progress.sent, there: place };
            return Err(Failed::Not(Fault { class: Class::Other, text: error.to_string() }));
        }
        if place == progress.sent {
            local.confirm(place).await?;
        } else {
            tracing::info!(
                place,
                handed_over = progress.sent,
                heard = progress.applied,
                "the database doesn't have all that was handed over: it is handed over again"
            );
            local.reopen(place, context.clone()).await?;
        }
        batches.applied = Some(place);
        Ok(place)
    }

    /// Merges what was decided here into what the database has.
    async fn give(
        &self,
        session: &Session,
        applied: i64,
        carry: &Carry,
        context: &Context,
        deadline: Duration,
    ) -> Result<(), Failed> {
        let subjects: Subjects = batch::subjects_of(carry);
        let loaded = batch::load(session, (self.node, applied), &subjects, &context.policy, deadline).await?;
        let work = Work { boxes: batch::merge(carry, &loaded, context.now), ..carry.work.clone() };
        batch::write(session, self.node, &work, std::future::ready(true)).await
    }
}
