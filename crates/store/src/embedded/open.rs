//! Opening: the lock, the file, what an earlier life left behind, the threads.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex as StdMutex};
use std::thread;

use model::{NoAnswer, SubmitOutcome, Timestamp, UpdateOutcome};
use routing::Event;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, watch};

use super::memory::{Memory, new_caches};
use super::ready::Ready;
use super::turn::Turn;
use super::writer::{Ends, Health, Writer};
use super::{Embedded, EmbeddedSettings, READS, WORK, reader, rows, schema};
use crate::StoreError;

/// Bits of a node's number, and of the counter below it in the ids of its alerts: 2^41 alerts are six years at 10,000 a second.
const NODE_BITS: u32 = 22;
pub(super) const ALERT_BITS: u32 = 41;

/// Statements that a connection keeps prepared: more than there are.
const STATEMENTS: usize = 128;

impl Embedded {
    /// Opens the store in a directory, or makes one. Alerts that an earlier life handed to a link and got no answer for are journaled as in doubt.
    ///
    /// Blocks: it reads the registry and the newest part of the history.
    ///
    /// # Errors
    /// When the directory can't be used, another process uses it, or the file is damaged or of a newer version.
    #[expect(clippy::needless_pass_by_value, reason = "the settings end here")]
    pub fn open(settings: EmbeddedSettings, now: Timestamp) -> Result<Self, StoreError> {
        let directory =
            |source: io::Error| StoreError::Directory { path: settings.dir.clone(), source: Arc::new(source) };
        std::fs::create_dir_all(&settings.dir).map_err(directory)?;
        let lock = lock(&settings.dir)?;
        let path = settings.dir.join("afterring.db");
        let conn = connect(&path, &settings)?;
        schema::migrate(&conn)?;
        let snapshot = settings.dir.join("registry.snapshot");
        share(&conn, settings.shared)?;
        let mut memory = Memory::load(&conn, &snapshot)?;
        let in_doubt = doubt(&conn, &mut memory)?;
        tracing::info!(backlog = memory.undecided, subscribers = memory.registry.len(), in_doubt, at = %now, "store opened");

        let (work, work_end) = mpsc::channel(WORK);
        let (reads, reads_end) = mpsc::channel(READS);
        let (health_end, health) = watch::channel(Health::default());
        let ready = Arc::new(Ready::default());
        let read_only = read_only(&path)?;
        let ends = Ends { work: work_end, ready: Arc::clone(&ready), health: health_end };
        let writer = Writer::new(conn, memory, ends, lock);
        spawn("store-writer", move || writer.run()).map_err(directory)?;
        spawn("store-reader", move || reader::run(read_only, reads_end)).map_err(directory)?;
        Ok(Self {
            work,
            reads,
            ready,
            health,
            retention: settings.retention,
            pruned_to: Arc::new(StdMutex::default()),
            snapshot,
            snapshots: Arc::default(),
        })
    }
}

/// Gives a new store beside a database its number. What a store decided without one is not handed over, so it can't begin with one, nor go on
/// without the one it had.
fn share(conn: &Connection, shared: bool) -> Result<(), StoreError> {
    match (shared, rows::meta(conn, "node")?.is_some(), rows::meta(conn, "next_seq")?.is_some()) {
        (false, true, _) => Err(StoreError::NeedsDatabase),
        (true, false, true) => Err(StoreError::HasHistory),
        (false, false, _) | (true, true, _) => Ok(()),
        (true, false, false) => {
            let node = i64::from(random()? % ((1 << NODE_BITS) - 1)) + 1;
            let transaction = conn.unchecked_transaction()?;
            rows::set_meta(&transaction, "node", node)?;
            rows::set_meta(&transaction, "next_alert", (node << ALERT_BITS) + 1)?;
            transaction.commit()?;
            Ok(())
        }
    }
}

fn random() -> Result<u32, StoreError> {
    getrandom::u32().map_err(|error| StoreError::Random(error.to_string()))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Takes the directory for this process; the system gives it back however the process ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("afterring.lock");
    let failed = |source| StoreError::Directory { path: path.clone(), source: Arc::new(source) };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn connect(path: &Path, settings: &EmbeddedSettings) -> Result<Connection, StoreError> {
    let conn = Connection::open(path)?;
    prepare_once(&conn)?;
    let EmbeddedSettings { page, cache, log, .. } = settings;
    // The page size of a file that has pages already stays what it is.
    conn.execute_batch(&format!(
        "PRAGMA page_size = {page}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{}; \
         PRAGMA journal_size_limit = {log}; PRAGMA temp_store = MEMORY;",
        cache / 1024
    ))?;
    let page: i64 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let pages = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(512);
    conn.pragma_update(None, "wal_autocheckpoint", pages(*log))?;
    if let Some(largest) = settings.largest {
        conn.execute_batch(&format!("PRAGMA max_page_count = {}", pages(largest)))?;
    }
    Ok(conn)
}

fn read_only(path: &Path) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare_once(&conn)?;
    Ok(conn)
}

/// A statement is prepared once and kept; by default SQLite plans some anew for each value that they are given.
fn prepare_once(conn: &Connection) -> Result<(), StoreError> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Journals "in doubt" for every alert, and every update of one, that was handed to a link before this start, unless what became of it is in the journal
/// already.
fn doubt(conn: &Connection, memory: &mut Memory) -> Result<usize, StoreError> {
    let mut sending: Vec<_> =
        rows::of_lane(conn, rows::LANE_SENDING)?.into_iter().map(|alert| (alert.id, alert.attempts)).collect();
    let asked = rows::of_lane(conn, rows::LANE_ASKING)?;
    let mut asking: Vec<_> =
        asked.into_iter().filter_map(|alert| alert.asking().map(|attempt| (alert.id, attempt))).collect();
    if sending.is_empty() && asking.is_empty() {
        return Ok(0);
    }
    for journaled in rows::undecided_from(conn, memory.settled_below(), usize::MAX)? {
        match journaled.event {
            Event::Submitted { alert, attempt, .. } => sending.retain(|asked| *asked != (alert, attempt)),
            Event::Updated { alert, attempt, .. } => asking.retain(|asked| *asked != (alert, attempt)),
            Event::Call(_)
            | Event::Receipt(_)
            | Event::Reply(_)
            | Event::Word(_)
            | Event::Resend(_)
            | Event::Dropped { .. }
            | Event::Due { .. } => {}
        }
    }
    let submitted =
        |(alert, attempt)| Event::Submitted { alert, attempt, outcome: SubmitOutcome::InDoubt(NoAnswer::Restart) };
    let updated =
        |(alert, attempt)| Event::Updated { alert, attempt, outcome: UpdateOutcome::InDoubt(NoAnswer::Restart) };
    let events: Vec<_> = sending.into_iter().map(submitted).chain(asking.into_iter().map(updated)).collect();
    let (mut boxes, mut alerts) = new_caches();
    let mut turn = Turn::open(conn, memory, &mut boxes, &mut alerts)?;
    turn.append(&events)?;
    let draft = turn.commit()?;
    memory.absorb(draft);
    Ok(events.len())
}
