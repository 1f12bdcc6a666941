//! The embedded store: one SQLite file, one thread that writes it, one that reads it.
//!
//! Everything that waits for the writer is done in one transaction, a *turn*, with one fsync; then all are answered. While a turn is written, the next one
//! gathers: the more there is to do, the more shares an fsync.

mod cache;
#[cfg(test)]
mod effects;
mod erase;
mod job;
mod lease;
mod memory;
mod open;
mod prune;
mod reader;
mod ready;
mod receipts;
mod registry;
mod repeats;
mod rows;
mod schema;
mod settle;
mod sharing;
mod turn;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use model::{Day, MissedCall, Msisdn, Submit, Timestamp, UpdateOrder};
use routing::{Charge, Event, Evidence, List, RangeName, Subscriber, SubscriberChange};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

pub use prune::Pruned;
pub(crate) use receipts::Claim;
pub(crate) use registry::{Everybody, Registrations, RegistryPlace};
pub(crate) use sharing::{Carry, History, Loaded, LoadedAlert, LoadedBox, LoadedPart, Subjects, Work, read_box};
pub use writer::Health;

use crate::{
    AlertCounts, Appended, CampaignCount, Committed, Context, Explained, Journaled, ListEntry, Oldest, ReportRow,
    Retention, Seq, Settled, Store, StoreError, TimelineEntry,
};
use job::request;
use ready::Ready;
use turn::Turn;
use writer::Message;

/// Requests that wait for the writer; beyond that, callers wait before they ask. Two full turns.
const WORK: usize = 1_024;

/// Reads that wait for the reader.
const READS: usize = 64;

/// Where an embedded store is, and how large it may become.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// The directory that holds it; made if it isn't there.
    pub dir: PathBuf,
    /// How long what was decided is kept. Calls at least as long as the policy's deduplication window and greatest age of a call: a call older
    /// than this is no longer known when it is reported again.
    pub retention: Retention,
    /// Bytes of pages kept in memory.
    pub cache: u64,
    /// Bytes of write-ahead log after which it is written back into the file.
    pub log: u64,
    /// Bytes of a page, a power of two from 512 to 65536; only for a file that is new.
    pub page: u32,
    /// Whether a database is the truth, and this store the journal beside it.
    pub shared: bool,
    /// Bytes that the file may take; beyond that the disk counts as full. `None`: as many as there are.
    pub largest: Option<u64>,
}

impl EmbeddedSettings {
    /// What fits most: 64 MiB of cache, 64 MiB of log, pages of 1 KiB (a call rewrites a page at a random place, and its size is what that costs).
    #[must_use]
    pub const fn new(dir: PathBuf, retention: Duration) -> Self {
        let retention = Retention::of(retention);
        Self { dir, retention, cache: 64 << 20, log: 64 << 20, page: 1024, shared: false, largest: None }
    }
}

/// The embedded store. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Embedded {
    work: mpsc::Sender<Message>,
    reads: mpsc::Sender<reader::Read>,
    ready: Arc<Ready>,
    health: watch::Receiver<Health>,
    retention: Retention,
    pruned_to: Arc<StdMutex<prune::Places>>,
    /// Where the snapshot of the registry is.
    snapshot: PathBuf,
    /// Held by whoever writes it.
    snapshots: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

impl Embedded {
    /// Journals events: they are durable when it returns, in the order given.
    ///
    /// Asked for from many tasks at once, all share one fsync.
    ///
    /// # Errors
    /// When the disk is full or broken: none of these events was taken.
    pub async fn append(&self, events: Vec<Event>) -> Result<Appended, StoreError> {
        let (duplicate, through) =
            self.write(events.len(), move |turn| Ok((turn.append(&events)?, turn.draft.next_seq - 1))).await?;
        Ok(Appended { committed: Committed::new(), duplicate, through: Seq(through) })
    }

    /// The oldest events that were journaled and not handed out yet, at most `limit` (at least one); waits until there is one. Empty once the store is
    /// closed. What was journaled together is handed out together as far as the limit allows.
    ///
    /// For one consumer. Each event is handed out once in the life of the process, but for those whose settling failed: they come again, before all
    /// others. Nothing is lost when the future is dropped.
    pub async fn next(&self, limit: usize) -> Vec<Journaled> {
        let (events, ask) = self.ready.take(limit.max(1)).await;
        if ask {
            // A full queue means that turns are coming anyway, and each hands out at its end.
            let _ = self.work.try_send(Message::HandOut);
        }
        events
    }

    /// How many events are journaled and undecided.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.health.borrow().backlog
    }

    /// The store as of its last turn.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// Since when the longest of what an SMSC is to do waits; of what one has, that it took after a time: of what is older nothing more is heard. Four looks into an
    /// index.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn oldest(&self, accepted_after: Timestamp) -> Result<Oldest, StoreError> {
        self.read(move |conn| {
            let ever = Timestamp::from_millis(i64::MIN);
            Ok(Oldest {
                queued: rows::earliest(conn, rows::LANE_ALERTS, ever)?,
                teaser: rows::earliest(conn, rows::LANE_TEASERS, ever)?,
                sending: rows::earliest(conn, rows::LANE_SENDING, ever)?,
                accepted: rows::earliest(conn, rows::LANE_ACCEPTED, accepted_after)?,
            })
        })
        .await
    }

    /// The store after every turn, for those who wait for something in it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Forgets some of what is older than the retention; to be called again soon until it says `done`, and then now and then.
    ///
    /// # Errors
    /// When nothing could be committed.
    pub async fn prune(&self, now: Timestamp) -> Result<Pruned, StoreError> {
        let places = self.pruned_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let retention = self.retention;
        let (places, pruned) = self.write(1_000, move |turn| turn.prune(&places, &retention, now)).await?;
        *self.pruned_to.lock().unwrap_or_else(PoisonError::into_inner) = places;
        Ok(pruned)
    }

    /// Ends the store: what was asked before is done, the log is written back, the directory is free for another process. Other clones get
    /// [`StoreError::Closed`] from then on.
    pub async fn close(self) {
        let (closed, wait) = oneshot::channel();
        drop(self.reads);
        if self.work.send(Message::Close(closed)).await.is_ok() {
            let _ = wait.await;
        }
    }

    async fn write<T, F>(&self, weight: usize, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Turn<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = request(weight, run);
        self.work.send(Message::Job(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |conn: &rusqlite::Connection| {
            let _ = reply.send(read(conn));
        });
        self.reads.send(read).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Store for Embedded {
    async fn settle(&self, batch: Vec<Journaled>, context: Context) -> Result<Settled, StoreError> {
        let batch = Arc::new(batch);
        let asked = Arc::clone(&batch);
        let settled = self.write(batch.len(), move |turn| turn.settle(&asked, &context)).await;
        if settled.is_err() {
            self.give_back(batch);
        }
        settled
    }

    async fn explain(&self, call: MissedCall, context: Context) -> Result<Explained, StoreError> {
        self.write(1, move |turn| turn.explain(&call, &context)).await
    }

    async fn due(&self, now: Timestamp, limit: usize, include_deferred: bool) -> Result<Vec<Msisdn>, StoreError> {
        self.read(move |conn| {
            let mut called = if include_deferred { rows::deferred(conn, limit)? } else { Vec::new() };
            for number in rows::due(conn, now, limit.saturating_sub(called.len()))? {
                // Both lists together are as short as the limit; what is deferred is rarely due as well.
                if !called.contains(&number) {
                    called.push(number);
                }
            }
            Ok(called)
        })
        .await
    }

    async fn lease(&self, room: usize, context: &Context) -> Result<Vec<Submit>, StoreError> {
        self.lease_after(room, context, None).await
    }

    async fn lease_updates(&self, room: usize, context: &Context) -> Result<Vec<UpdateOrder>, StoreError> {
        self.lease_updates_after(room, context, None).await
    }

    async fn subscriber(&self, number: Msisdn) -> Result<Option<Subscriber>, StoreError> {
        self.read(move |conn| rows::subscriber(conn, number)).await
    }

    async fn put_subscribers(&self, subscribers: Vec<Subscriber>) -> Result<(), StoreError> {
        self.write(subscribers.len(), move |turn| {
            subscribers.iter().try_for_each(|subscriber| turn.put_subscriber(subscriber))
        })
        .await
    }

    async fn change_subscriber(
        &self,
        number: Msisdn,
        change: SubscriberChange,
    ) -> Result<Option<Subscriber>, StoreError> {
        self.write(1, move |turn| {
            let Some(before) = turn.subscriber(number)? else { return Ok(None) };
            let changed = change.clone().of(before);
            turn.put_subscriber(&changed)?;
            Ok(Some(changed))
        })
        .await
    }

    async fn delete_subscriber(&self, number: Msisdn) -> Result<bool, StoreError> {
        self.write(1, move |turn| turn.delete_subscriber(number)).await
    }

    async fn subscribers(&self, after: Option<Msisdn>, limit: usize) -> Result<Vec<Subscriber>, StoreError> {
        self.read(move |conn| rows::subscribers(conn, after, limit)).await
    }

    fn subscriber_count(&self) -> u64 {
        self.health.borrow().subscribers
    }

    async fn timeline(&self, called: Msisdn, limit: usize) -> Result<Vec<TimelineEntry>, StoreError> {
        self.read(move |conn| reader::timeline(conn, called, limit)).await
    }

    async fn usage(&self) -> Result<Vec<(RangeName, u64)>, StoreError> {
        self.read(rows::usage).await
    }

    async fn charges(&self, called: Msisdn) -> Result<Vec<Charge>, StoreError> {
        self.read(move |conn| rows::charges(conn, called)).await
    }

    async fn evidence(&self, called: Msisdn) -> Result<Vec<Evidence>, StoreError> {
        self.read(move |conn| rows::evidence(conn, called)).await
    }

    async fn campaigns(&self) -> Result<Vec<CampaignCount>, StoreError> {
        self.read(rows::campaigns).await
    }

    async fn report(&self, from: Day, to: Day) -> Result<Vec<ReportRow>, StoreError> {
        self.read(move |conn| rows::report(conn, from, to)).await
    }

    async fn entries_of(&self, number: Msisdn) -> Result<Vec<ListEntry>, StoreError> {
        self.read(move |conn| rows::entries_of(conn, number)).await
    }

    async fn list(&self, list: List, after: Option<Msisdn>, limit: usize) -> Result<Vec<ListEntry>, StoreError> {
        self.read(move |conn| rows::list_after(conn, list, after, limit)).await
    }

    async fn put_listed(&self, entries: Vec<ListEntry>) -> Result<u64, StoreError> {
        self.write(entries.len(), move |turn| {
            let mut new = 0;
            for entry in &entries {
                if rows::put_listed(turn.conn, entry)? {
                    new += 1;
                    turn.look_again(entry.number)?;
                }
            }
            Ok(new)
        })
        .await
    }

    async fn delete_listed(&self, list: List, number: Msisdn) -> Result<bool, StoreError> {
        self.write(1, move |turn| {
            let was = rows::delete_listed(turn.conn, list, number)?;
            if was {
                turn.look_again(number)?;
            }
            Ok(was)
        })
        .await
    }

    fn alert_counts(&self) -> AlertCounts {
        self.health.borrow().alerts
    }
}
