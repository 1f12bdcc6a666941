//! A batch that the database decides.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use routing::{Database, HealthEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{AGAIN, Batches, Shared};
use crate::postgres::batch::{self, Failed};
use crate::postgres::{Class, Fault};
use crate::{Context, Embedded, Journaled, Settled, StoreError};

/// How long a batch is tried again that meets the locks of others; then it is decided here, and the database is not ill.
const BUSY: Duration = Duration::from_millis(600);

/// Why a batch was not settled by the database.
enum Unsettled {
    /// Nothing was decided.
    Undecided(Fault),
    /// Decided and kept here; the database has it, or not.
    Decided(Settled, Fault),
    /// Something of this node.
    Here(StoreError),
}

impl Shared {
    /// Settles a batch by the database; `None`: it is to be decided here.
    pub(super) async fn settle(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        batch: &Arc<Vec<Journaled>>,
        context: &Context,
    ) -> Result<Option<Settled>, StoreError> {
        let begun = Instant::now();
        while self.health.decides_by() == Database::Normal && !self.is_behind() {
            match self.attempt(local, batches, batch, context).await {
                Ok(settled) => {
                    self.health.tell(HealthEvent::TrafficOk);
                    return Ok(Some(settled));
                }
                Err(Unsettled::Here(error)) => {
                    batches.forget();
                    local.release().await?;
                    return Err(error);
                }
                Err(Unsettled::Decided(settled, fault)) => {
                    tracing::warn!(%fault, events = batch.len(), "a batch was decided, and the database did not confirm it: it is asked again");
                    batches.forget();
                    self.fall_behind(local).await?;
                    self.health.traffic_failed(&fault);
                    return Ok(Some(settled));
                }
                Err(Unsettled::Undecided(fault)) => {
                    batches.session = None;
                    self.health.traffic_failed(&fault);
                    let waited = fault.class == Class::Busy && begun.elapsed() >= BUSY;
                    if waited || fault.class == Class::Poison {
                        tracing::warn!(%fault, "a batch meets a lock or a row of somebody else: it is decided without the database");
                        break;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        self.fall_behind(local).await?;
        Ok(None)
    }

    async fn attempt(
        &self,
        local: &Embedded,
        batches: &mut Batches,
        batch: &Arc<Vec<Journaled>>,
        context: &Context,
    ) -> Result<Settled, Unsettled> {
        let deadline = batches.deadline(self.settings.timeout);
        let applied = batches.applied.unwrap_or(-1);
        let session = self.connect(&mut batches.session).await.map_err(Unsettled::Undecided)?;
        let (early, mut held) = mpsc::channel(1);
        let load = async {
            let Some((attempt, subjects)) = held.recv().await else { return Ok(None) };
            let begun = Instant::now();
            let load = async {
                let mut loaded =
                    batch::load(session, (self.node, applied), &subjects, &context.policy, deadline).await?;
                batch::lock_quotas(session, batch, &context.policy, context.now, &mut loaded).await?;
                Ok::<_, Failed>(loaded)
            };
            self.within(deadline, load).await?.map(|loaded| Some((attempt, loaded, begun.elapsed())))
        };
        let (held, loaded) = tokio::join!(local.hold(Arc::clone(batch), early), load);
        let held = held.map_err(Unsettled::Here)?;
        let (loaded, loading) = match loaded {
            Ok(Some((attempt, loaded, took))) if attempt == held => (loaded, took),
            Ok(_) => {
                let text = "whom the batch is about had to be looked up again".to_owned();
                return Err(Unsettled::Undecided(Fault { class: Class::Busy, text }));
            }
            Err(Failed::Not(fault) | Failed::InDoubt(fault)) => return Err(Unsettled::Undecided(fault)),
            Err(Failed::Here(error)) => return Err(Unsettled::Here(error)),
            Err(Failed::Elsewhere(at)) => {
                // Nothing can be decided before it is known what the database has.
                self.behind.store(true, Ordering::SeqCst);
                batches.applied = None;
                let text = format!("the database has this node's journal up to {at}, not {applied}");
                return Err(Unsettled::Undecided(Fault { class: Class::Busy, text }));
            }
        };
        let (early, mut decided) = mpsc::channel(1);
        let (durable, is_durable) = oneshot::channel();
        let mut write = Box::pin(async {
            let Some((attempt, work)) = decided.recv().await else { return Ok(None) };
            let durable = async { is_durable.await.is_ok_and(|at_last| at_last == attempt) };
            batch::write(session, self.node, &work, durable).await.map(|()| Some(work.through))
        });
        let settle = local.settle_loaded(Arc::clone(batch), Arc::new(loaded), context.clone(), early);
        tokio::pin!(settle);
        let (settled, failed) = tokio::select! {
            biased;
            settled = &mut settle => (settled, None),
            failed = &mut write => (settle.await, Some(failed)),
        };
        let (mut settled, attempt) = settled.map_err(Unsettled::Here)?;
        let _ = durable.send(attempt);
        let begun = Instant::now();
        let written = match failed {
            Some(failed) => {
                drop(write);
                failed
            }
            None => self.within(deadline, write).await.unwrap_or_else(|fault| Err(Failed::InDoubt(fault))),
        };
        let through = match written {
            Ok(Some(through)) => through,
            // Only reading the place finds it elsewhere.
            Ok(None) | Err(Failed::Elsewhere(_)) => {
                let text = "the batch was not given to the database".to_owned();
                return Err(Unsettled::Decided(settled, Fault { class: Class::Busy, text }));
            }
            Err(Failed::Here(error)) => {
                let text = format!("this node can't write the batch: {error}");
                return Err(Unsettled::Decided(settled, Fault { class: Class::Other, text }));
            }
            Err(Failed::Not(fault) | Failed::InDoubt(fault)) => return Err(Unsettled::Decided(settled, fault)),
        };
        let writing = begun.elapsed();
        settled.database = Some(loading + writing);
        batches.took(loading.max(writing));
        batches.applied = Some(through);
        self.note_place(through);
        local.confirm(through).await.map_err(Unsettled::Here)?;
        Ok(settled)
    }
}
