//! The hand-over between the two stores: who decides a batch, and how what was decided alone comes into the database, each batch exactly once.
//!
//! ```text
//!                     database normal, nothing left to hand over
//!   batch ──┬──▶ load and lock there ▶ decide ▶ keep here, write there ▶ commit there ▶ confirm here
//!           │         │ fails: again, or ▼       │ fails, or is not answered: what is kept here counts
//!           └──▶ decide and keep here alone ─────┴──▶ behind: handed over in order before anything is decided by the database again
//! ```
//!
//! The database holds this node's place, the last event of its journal that is applied. A batch moves the place in its own transaction, so that it
//! applies once whatever becomes of the answer, and so that a database which lost its newest transactions in a failover says by itself what to replay.

mod drain;
mod erase;
mod lease;
mod places;
mod settle;
mod store;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use model::{Clock, Timestamp};
use routing::Condition;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use self::lease::Lease;
use self::places::Place;
use crate::health::DatabaseHealth;
use crate::postgres::batch::Failed;
use crate::postgres::{Class, Connector, Fault, PostgresSettings, Session, pool_fault};
use crate::{Context, Embedded, StoreError};

/// Events handed over in one transaction.
const CARRY: usize = 1_000;

/// Pause before a batch is tried again.
const AGAIN: Duration = Duration::from_millis(15);

/// The longest that a statement is waited for, however slow the link.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest for what may take long: fifty million registrations are read in less.
const APART: Duration = Duration::from_secs(600);

/// The store of a gateway: the embedded one, and beside it the database that nodes share where there is one. Cheap to clone.
#[derive(Clone)]
pub struct HandOver {
    pub(crate) local: Embedded,
    pub(crate) shared: Option<Arc<Shared>>,
}

/// The database, as this node works with it.
pub(crate) struct Shared {
    pub(crate) settings: PostgresSettings,
    pub(crate) connector: Connector,
    pub(crate) health: DatabaseHealth,
    pub(crate) clock: Clock,
    pub(crate) node: i64,
    /// Whether something was decided alone and is not handed over, or the node's place there is not known.
    behind: AtomicBool,
    batches: Mutex<Batches>,
    places: StdMutex<VecDeque<Place>>,
    lease: StdMutex<Lease>,
}

/// What the loop that hands over keeps between batches.
struct Batches {
    session: Option<Session>,
    /// The node's place in the database, where it is known.
    applied: Option<i64>,
    /// The slowest of the last answers, forgotten slowly.
    slowest: Duration,
    /// The recovery in which the place was asked for.
    episode: Option<Timestamp>,
    /// How many events to hand over at once: fewer while one among them is refused.
    carry: usize,
}

/// What a step of handing over did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There was nothing to do, or nothing is left.
    Done,
    /// Some was handed over, and there may be more.
    Moved,
    /// It did not work; to be tried again.
    Later,
}

impl HandOver {
    /// An embedded store alone.
    #[must_use]
    pub const fn alone(local: Embedded) -> Self {
        Self { local, shared: None }
    }

    /// An embedded store beside a database, which it need not have reached.
    ///
    /// # Errors
    /// When the settings can't be used, or the store was opened for working alone.
    pub async fn beside(
        local: Embedded,
        settings: PostgresSettings,
        health: DatabaseHealth,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let connector = Connector::new(&settings).map_err(|error| StoreError::Url(error.to_string()))?;
        let node = local.progress().await?.node;
        let heard = local.heard().await?.unwrap_or_else(&clock);
        let shared = Shared {
            connector,
            health,
            clock,
            node,
            behind: AtomicBool::new(true),
            batches: Mutex::new(Batches {
                session: None,
                applied: None,
                slowest: Duration::ZERO,
                episode: None,
                carry: CARRY,
            }),
            places: StdMutex::default(),
            lease: StdMutex::new(Lease { heard, lapsed: None }),
            settings,
        };
        Ok(Self { local, shared: Some(Arc::new(shared)) })
    }

    /// The journal, and the queue of what is sent from here.
    #[must_use]
    pub const fn local(&self) -> &Embedded {
        &self.local
    }

    /// Whether the database has everything that was decided, or can't be asked.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.open().is_none() || (!self.is_behind() && self.local.health().unshared == 0)
    }

    /// Whether something is to be handed over, or the node's place in the database is not known.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| shared.is_behind())
    }

    /// Hands over some of what was decided alone, if the database may be asked.
    ///
    /// # Errors
    /// When this node's own store fails.
    pub async fn hand_over(&self, context: &Context) -> Result<Step, StoreError> {
        let Some(shared) = self.open() else { return Ok(Step::Done) };
        let mut batches = shared.batches.lock().await;
        let seen = shared.health.now().machine;
        if seen.condition() == Condition::Recovering && batches.episode != Some(seen.since()) {
            // Also where nothing was decided meanwhile: the database may have lost what it had.
            batches.episode = Some(seen.since());
            batches.forget();
            shared.behind.store(true, Ordering::SeqCst);
        }
        if !shared.is_behind() {
            return Ok(Step::Done);
        }
        match shared.hand_over(&self.local, &mut batches, context).await {
            Ok(step) => Ok(step),
            Err(Failed::Here(error)) => Err(error),
            Err(Failed::Not(fault) | Failed::InDoubt(fault)) => {
                batches.forget();
                shared.health.traffic_failed(&fault);
                tracing::debug!(%fault, "handing over failed");
                Ok(Step::Later)
            }
            Err(Failed::Elsewhere(at)) => {
                tracing::warn!(at, "the database has this node at another place than was thought: it is asked again");
                batches.forget();
                Ok(Step::Later)
            }
        }
    }

    /// The database, where it may be asked for something that is no batch.
    fn open(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref().filter(|shared| shared.health.may_ask())
    }

    /// The database, where what it says is all there is: nothing was decided alone.
    fn whole(&self) -> Option<&Arc<Shared>> {
        self.open().filter(|shared| !shared.is_behind())
    }
}

impl Batches {
    fn forget(&mut self) {
        self.session = None;
        self.applied = None;
    }

    /// Slow is not down: the bound follows what the link and the server need.
    fn deadline(&self, least: Duration) -> Duration {
        least.max(self.slowest * 4).min(LONGEST)
    }

    fn took(&mut self, took: Duration) {
        self.slowest = took.max(self.slowest.mul_f64(0.98));
    }
}

impl Shared {
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::SeqCst)
    }

    /// From now on batches are decided here, until all of it is handed over.
    async fn fall_behind(&self, local: &Embedded) -> Result<(), StoreError> {
        self.behind.store(true, Ordering::SeqCst);
        local.release().await
    }

    /// Waits for the database, at most so long, and no longer than it may be asked.
    async fn within<T>(&self, deadline: Duration, asked: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            answer = asked => Ok(answer),
            () = self.health.closes() => Err(given_up()),
            () = tokio::time::sleep(deadline) => Err(Fault::silent(deadline)),
        }
    }

    async fn connect<'a>(&self, session: &'a mut Option<Session>) -> Result<&'a Session, Fault> {
        if session.as_ref().is_none_or(|session| session.is_closed()) {
            *session = None;
            let connected = tokio::select! {
                connected = self.connector.connect() => connected?,
                () = self.health.closes() => return Err(given_up()),
            };
            return Ok(session.insert(connected));
        }
        session.as_ref().ok_or_else(|| Fault { class: Class::Away, text: "not connected".to_owned() })
    }

    /// Asks something that may take long, on a session of its own.
    pub(crate) async fn ask_apart<T>(
        &self,
        asked: impl AsyncFnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.connector.connect().await?;
        tokio::select! {
            answer = asked(&session) => answer,
            () = self.health.closes() => Err(given_up().into()),
            () = tokio::time::sleep(APART) => Err(Fault::silent(APART).into()),
        }
    }

    /// Asks something that is no batch.
    pub(crate) async fn ask<T>(
        &self,
        asked: impl AsyncFnOnce(&Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pool = self.connector.pool()?;
        let session = self.within(self.settings.timeout * 4, pool.get()).await?.map_err(pool_fault)?;
        let answer = self.within(self.settings.timeout * 4, asked(&session)).await;
        if !matches!(&answer, Ok(Ok(_))) {
            // What was asked may still be on its way: nobody else is to wait behind it.
            drop(deadpool_postgres::Object::take(session));
        }
        answer?
    }
}

fn given_up() -> Fault {
    Fault { class: Class::Away, text: "given up: the database became abnormal meanwhile".to_owned() }
}
