//! One person is forgotten: in the database by who is asked, and then by every node in its own store.

use std::time::Duration;

use model::{Msisdn, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::{HandOver, Shared};
use crate::postgres::Session;
use crate::postgres::erase::{self, Erasure};
use crate::{Erased, Person, StoreError};

/// How long it is waited for that what is undecided of a person is decided and handed over.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(50);

impl HandOver {
    /// Everything that is known of a person.
    ///
    /// # Errors
    /// When it can't be read, or the database is away.
    pub async fn person(&self, number: Msisdn) -> Result<Person, StoreError> {
        let Some(shared) = &self.shared else { return self.local.person(number).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| erase::person(session, number).await).await
    }

    /// Forgets a person: in the database, in this node's store, and, as soon as they see it, in the stores of all other nodes. What is undecided of the
    /// person here is decided first. Done again it does nothing more; where it dies, what the database has done is finished by every node by itself.
    ///
    /// # Errors
    /// When the database is away, or something of the person stays undecided.
    pub async fn erase(&self, number: Msisdn, reason: &str, now: Timestamp) -> Result<Erased, StoreError> {
        let Some(shared) = &self.shared else { return self.local.erase(number, reason, now).await };
        self.open().ok_or(StoreError::Away)?;
        // It may take long, and batches go on meanwhile.
        let prepared = shared.ask_apart(async |session: &Session| erase::prepare(session, number, None).await).await?;
        let begun = Instant::now();
        loop {
            self.open().ok_or(StoreError::Away)?;
            // No batch is under way, and none begins.
            let batches = shared.batches.lock().await;
            if !shared.is_behind() && !self.local.has_undecided(number).await? {
                let erase = async |session: &Session| erase::erase(session, number, reason, prepared).await;
                let (erased, erasure) = shared.ask_apart(erase).await?;
                if self.local.erase_here(number, erasure.at).await? {
                    shared.note_erased(erasure).await?;
                }
                return Ok(erased);
            }
            drop(batches);
            if begun.elapsed() >= PATIENCE {
                return Err(StoreError::Undecided);
            }
            sleep(LOOK).await;
        }
    }

    /// Forgets in this node's store whom the database has forgotten.
    pub(crate) async fn follow_erasures(&self, shared: &Shared) -> Result<(), StoreError> {
        let node = shared.node;
        for erasure in shared.ask(async |session: &Client| erase::to_do(session, node).await).await? {
            let (number, at) = (erasure.number, Some(erasure.at));
            let prepare = async |session: &Session| erase::prepare(session, number, at).await;
            let prepared = shared.ask_apart(prepare).await?;
            let batches = shared.batches.lock().await;
            if shared.is_behind() || self.local.has_undecided(number).await? {
                continue;
            }
            // What this node brought back there, where it was away.
            shared.ask_apart(async |session: &Session| erase::erase_late(session, erasure, prepared).await).await?;
            if self.local.erase_here(erasure.number, erasure.at).await? {
                shared.note_erased(erasure).await?;
                tracing::info!(erasure = erasure.id, "a person was erased from this node's store");
            }
            drop(batches);
        }
        Ok(())
    }
}

impl Shared {
    async fn note_erased(&self, erasure: Erasure) -> Result<(), StoreError> {
        let (node, deadline) = (self.node, self.settings.timeout);
        self.ask(async |session: &Client| erase::done(session, node, erasure.id, deadline).await).await
    }
}
