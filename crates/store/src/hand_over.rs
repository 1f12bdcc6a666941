//! The hand-over between the two stores: who decides a batch, and how what was decided alone comes into the database, each batch exactly once.
//!
//! ```text
//!                     database normal, nothing left to hand over
//!   batch ──┬──▶ load and lock there ▶ decide and keep here ▶ write and commit there ▶ confirm here
//!           │         │ fails: again, or ▼       │ fails, or is not answered: what is kept here counts
//!           └──▶ decide and keep here alone ─────┴──▶ behind: handed over in order before anything is decided by the database again
//! ```
//!
//! The database holds this node's place, the last event of its journal that is applied. A batch moves the place in its own transaction, so that it
//! applies once whatever becomes of the answer, and so that a database which lost its newest transactions in a failover says by itself what to replay.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use model::{Clock, Msisdn, Submit, Timestamp};
use routing::{Charge, Condition, Database, HealthEvent, RangeName, Subscriber};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::embedded::{Carry, Subjects, Work};
use crate::health::DatabaseHealth;
use crate::postgres::batch::{self, Failed};
use crate::postgres::{Class, Connector, Fault, PostgresSettings, Session, people, pool_fault};
use crate::{AlertCounts, Context, Embedded, Journaled, Settled, Store, StoreError, TimelineEntry};
use tokio_postgres::Client;

/// Events handed over in one transaction.
const CARRY: usize = 1_000;

/// How long a batch is tried again that meets the locks of others; then it is decided here, and the database is not ill.
const BUSY: Duration = Duration::from_millis(600);

/// Pause before a batch is tried again.
const AGAIN: Duration = Duration::from_millis(15);

/// The longest that a statement is waited for, however slow the link.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest for what may take long: fifty million registrations are read in less.
const APART: Duration = Duration::from_secs(600);

/// Ends of batches whose way to a standby is followed.
const PLACES: usize = 4_096;

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

/// Until when this node alone may send what waits at it.
#[derive(Clone, Copy, Debug)]
struct Lease {
    /// When the database was last heard.
    heard: Timestamp,
    /// Set where it was not heard for so long that others may have taken over, until it is known what: what was made before then waits.
    lapsed: Option<Timestamp>,
}

/// The end of a batch that was committed.
struct Place {
    through: i64,
    committed: Instant,
    /// Where the database's log was at most when it was committed, once that is known.
    log: Option<u64>,
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

/// Why a batch was not settled by the database.
enum Unsettled {
    /// Nothing was decided.
    Undecided(Fault),
    /// Decided and kept here; the database has it, or not.
    Decided(Settled, Fault),
    /// Something of this node.
    Here(StoreError),
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

    /// Settles a batch by the database; `None`: it is to be decided here.
    async fn settle(
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
        let (settled, attempt) = settled.map_err(Unsettled::Here)?;
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
                return Err(Unsettled::Decided(settled, Fault { class: Class::Other, text }));
            }
            Err(Failed::Here(error)) => {
                let text = format!("this node can't write the batch: {error}");
                return Err(Unsettled::Decided(settled, Fault { class: Class::Other, text }));
            }
            Err(Failed::Not(fault) | Failed::InDoubt(fault)) => return Err(Unsettled::Decided(settled, fault)),
        };
        batches.took(loading.max(begun.elapsed()));
        batches.applied = Some(through);
        self.note_place(through);
        local.confirm(through).await.map_err(Unsettled::Here)?;
        Ok(settled)
    }

    async fn hand_over(&self, local: &Embedded, batches: &mut Batches, context: &Context) -> Result<Step, Failed> {
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

    /// Others may have taken over what waits here if the database was not heard for long; what they took is theirs.
    async fn check_lease(&self, local: &Embedded, batches: &mut Batches, deadline: Duration) -> Result<(), Failed> {
        if self.lease().lapsed.is_none() {
            return Ok(());
        }
        let waiting = local.waiting().await?;
        let session = self.connect(&mut batches.session).await?;
        for some in waiting.chunks(1_000) {
            let taken = self.within(deadline, people::taken_from(session, self.node, some)).await?.map_err(here)?;
            if !taken.is_empty() {
                tracing::warn!(alerts = taken.len(), "other nodes have taken over what waited here");
                local.give_up(taken).await?;
            }
        }
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).lapsed = None;
        Ok(())
    }

    fn lease(&self) -> Lease {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        // A tenth is kept for clocks that differ, and for what is on its way.
        if (self.clock)().since(lease.heard) > self.settings.lease.mul_f64(0.9) && lease.lapsed.is_none() {
            lease.lapsed = Some(lease.heard + self.settings.interval + self.settings.timeout * 4);
            // What was taken over is asked for when all else is handed over.
            self.behind.store(true, Ordering::SeqCst);
        }
        *lease
    }

    /// The database was heard: the lease begins anew, unless it had lapsed.
    pub(crate) fn heard(&self, at: Timestamp) {
        let _ = self.lease();
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).heard = at;
    }

    /// When the database was last heard.
    pub(crate) fn last_heard(&self) -> Timestamp {
        self.lease().heard
    }

    /// What was made before is not sent, since others may have taken it over; `None`: nothing was.
    fn lapsed(&self) -> Option<Timestamp> {
        self.lease().lapsed
    }

    fn note_place(&self, through: i64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= PLACES {
            places.pop_front();
        }
        places.push_back(Place { through, committed: Instant::now(), log: None });
    }

    /// A probe that began then found the log of the database here: what was committed before it began is at most there.
    pub(crate) fn log_reached(&self, log: u64, began: Instant) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for place in places.iter_mut().filter(|place| place.log.is_none() && place.committed < began) {
            place.log = Some(log);
        }
    }

    /// A standby has the log up to here: the last event that it has.
    pub(crate) fn standby_has(&self, flushed: u64) -> Option<i64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut through = None;
        while let Some(place) = places.front().filter(|place| place.log.is_some_and(|log| log <= flushed)) {
            through = Some(place.through);
            places.pop_front();
        }
        through
    }

    /// Asks something that may take long, on a session of its own.
    pub(crate) async fn ask_apart<T>(
        &self,
        asked: impl AsyncFnOnce(&Session) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.connector.connect().await?;
        tokio::select! {
            answer = asked(&session) => answer,
            () = self.health.closes() => Err(StoreError::Away),
            () = tokio::time::sleep(APART) => Err(StoreError::Away),
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

fn here(error: StoreError) -> Failed {
    match error {
        StoreError::Shared(fault) => Failed::Not(fault),
        error => Failed::Here(error),
    }
}

impl Store for HandOver {
    async fn settle(&self, batch: Vec<Journaled>, context: Context) -> Result<Settled, StoreError> {
        let Some(shared) = &self.shared else { return self.local.settle(batch, context).await };
        let mut batches = shared.batches.lock().await;
        let batch = Arc::new(batch);
        if context.database == Database::Normal && !shared.is_behind() {
            match shared.settle(&self.local, &mut batches, &batch, &context).await {
                Ok(Some(settled)) => return Ok(settled),
                Ok(None) => {}
                Err(error) => {
                    self.local.give_back(batch);
                    return Err(error);
                }
            }
        } else if !shared.is_behind() {
            shared.fall_behind(&self.local).await?;
        }
        let batch = Arc::try_unwrap(batch).unwrap_or_else(|shared| shared.as_ref().clone());
        self.local.settle(batch, Context { database: Database::Abnormal, ..context }).await
    }

    async fn due(&self, now: Timestamp, limit: usize, include_deferred: bool) -> Result<Vec<Msisdn>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.due(now, limit, include_deferred).await };
        if self.whole().is_none() {
            return self.local.due(now, limit, false).await;
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::due(session, shared.node, now, limit).await).await
    }

    async fn lease(&self, room: usize, context: &Context) -> Result<Vec<Submit>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.lease(room, context).await };
        // A teaser leaves only when the database is known to have its decision.
        let database = if shared.is_behind() { Database::Abnormal } else { context.database };
        let context = Context { database, ..context.clone() };
        self.local.lease_after(room, &context, shared.lapsed()).await
    }

    async fn subscriber(&self, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
        let Some(shared) = self.open() else { return self.local.subscriber(number).await };
        shared.ask(async |session: &Client| people::subscriber_of(session, number).await).await
    }

    async fn put_subscribers(&self, subscribers: Vec<Subscriber>) -> Result<(), StoreError> {
        let Some(shared) = &self.shared else { return self.local.put_subscribers(subscribers).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        shared.ask(async |session: &Client| people::put(session, &subscribers, deadline).await).await?;
        self.local.put_subscribers(subscribers).await
    }

    async fn delete_subscriber(&self, number: Msisdn) -> Result<bool, StoreError> {
        let Some(shared) = &self.shared else { return self.local.delete_subscriber(number).await };
        self.open().ok_or(StoreError::Away)?;
        let deadline = shared.settings.timeout;
        let known = shared.ask(async |session: &Client| people::delete(session, number, deadline).await).await?;
        self.local.delete_subscriber(number).await?;
        Ok(known)
    }

    async fn subscribers(&self, after: Option<Msisdn>, limit: usize) -> Result<Vec<Subscriber>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.subscribers(after, limit).await };
        self.open().ok_or(StoreError::Away)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::subscribers(session, after, limit).await).await
    }

    fn subscriber_count(&self) -> u64 {
        self.local.subscriber_count()
    }

    async fn timeline(&self, called: Msisdn, limit: usize) -> Result<Vec<TimelineEntry>, StoreError> {
        let Some(shared) = self.whole() else { return self.local.timeline(called, limit).await };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        shared.ask(async |session: &Client| people::timeline(session, called, limit).await).await
    }

    async fn usage(&self) -> Result<Vec<(RangeName, u64)>, StoreError> {
        let Some(shared) = self.open() else { return self.local.usage().await };
        shared.ask(async |session: &Client| people::usage(session).await).await
    }

    async fn charges(&self, called: Msisdn) -> Result<Vec<Charge>, StoreError> {
        let Some(shared) = &self.shared else { return self.local.charges(called).await };
        self.open().ok_or(StoreError::Away)?;
        shared.ask(async |session: &Client| people::charges(session, called).await).await
    }

    fn alert_counts(&self) -> AlertCounts {
        self.local.alert_counts()
    }
}
