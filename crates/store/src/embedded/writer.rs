//! The writer: the one thread that changes the file, in turns of one transaction each.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::job::Job;
use super::memory::{Alerts, Boxes, Memory, new_caches};
use super::ready::Ready;
use super::rows;
use super::turn::{Draft, Turn};
use crate::{AlertCounts, StoreError};

/// Requests taken into one turn: more than callers there are at a time, so that all that wait share one fsync.
const TURN_REQUESTS: usize = 512;

/// Events and rows taken into one turn: some 100 ms of work, so that nobody waits much longer than that for the turn before.
const TURN_WEIGHT: usize = 4_096;

/// What is asked of the writer.
pub(super) enum Message {
    /// To do something in a transaction.
    Job(Box<dyn Job>),
    /// To hand out what waits, now that there is room.
    HandOut,
    /// To end.
    Close(oneshot::Sender<()>),
}

/// What everyone may see of the store at any time, as of the last turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Journaled and undecided events.
    pub backlog: u64,
    /// Since when the oldest of them is known in this life of the program.
    pub undecided_since: Option<Instant>,
    /// Everything up to this place is decided.
    pub settled_through: i64,
    /// Decided events that the database beside has not confirmed; 0 without one.
    pub unshared: u64,
    /// Events that the database refused and that were set aside.
    pub quarantined: u64,
    /// Receipts that wait for the answer they belong to, or are nobody's; a day at most.
    pub parked: u64,
    /// Such receipts that were forgotten for newer ones, in this life of the program.
    pub parked_dropped: u64,
    /// Alerts by state.
    pub alerts: AlertCounts,
    /// People registered.
    pub subscribers: u64,
    /// Set while the last thing that was written met a full disk.
    pub full: bool,
    /// What went wrong last, until something is written again.
    pub error: Option<String>,
}

pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) memory: Memory,
    boxes: Boxes,
    alerts: Alerts,
    work: mpsc::Receiver<Message>,
    ready: Arc<Ready>,
    health: watch::Sender<Health>,
    /// What went wrong last, until something is written again.
    fault: Option<StoreError>,
    /// Held as long as the thread lives: no other process opens the directory.
    _lock: File,
}

/// The writer's ends of the ways to it and from it.
pub(super) struct Ends {
    pub(super) work: mpsc::Receiver<Message>,
    pub(super) ready: Arc<Ready>,
    pub(super) health: watch::Sender<Health>,
}

impl Writer {
    pub(super) fn new(conn: Connection, memory: Memory, ends: Ends, lock: File) -> Self {
        let (boxes, alerts) = new_caches();
        let Ends { work, ready, health } = ends;
        let mut writer = Self { conn, memory, boxes, alerts, work, ready, health, fault: None, _lock: lock };
        writer.publish(None);
        writer
    }

    /// Turn after turn, until it is closed or nobody is left to ask.
    pub(super) fn run(mut self) {
        self.hand_out();
        while let Some(first) = self.work.blocking_recv() {
            let (jobs, close) = self.gather(first);
            if !jobs.is_empty() {
                self.turn(jobs);
            }
            self.hand_out();
            if let Some(closed) = close {
                if let Err(error) = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
                    tracing::warn!(%error, "the store's write-ahead log stays for the next start");
                }
                drop(self);
                let _ = closed.send(());
                return;
            }
        }
    }

    /// Everything that waits, up to the bounds of a turn.
    fn gather(&mut self, first: Message) -> (Vec<Box<dyn Job>>, Option<oneshot::Sender<()>>) {
        let (mut jobs, mut weight, mut next) = (Vec::new(), 0, Some(first));
        while let Some(message) = next {
            match message {
                Message::Job(job) => {
                    weight += job.weight();
                    jobs.push(job);
                }
                Message::HandOut => {}
                Message::Close(closed) => return (jobs, Some(closed)),
            }
            let room = jobs.len() < TURN_REQUESTS && weight < TURN_WEIGHT;
            next = if room { self.work.try_recv().ok() } else { None };
        }
        (jobs, None)
    }

    /// All in one transaction; when that fails, whose fault it was is found out by doing each alone. A disk that is full or broken is nobody's
    /// fault and fails all of them.
    fn turn(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let before = self.conn.total_changes();
        match self.transaction(&mut jobs) {
            Ok(()) => {
                // A turn that wrote nothing does not show that the disk takes anything again.
                let error = if self.conn.total_changes() == before { self.fault.clone() } else { None };
                self.publish(error);
                for job in jobs {
                    job.committed();
                }
            }
            Err(error) if jobs.len() == 1 || error.is_disk() => {
                self.publish(Some(error.clone()));
                for job in jobs {
                    job.failed(error.clone());
                }
            }
            Err(_) => {
                for job in jobs {
                    self.turn(vec![job]);
                }
            }
        }
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        match self.attempt(jobs) {
            Ok(mut draft) => {
                draft.keep_rows(&mut self.boxes, &mut self.alerts);
                self.memory.absorb(draft);
                Ok(())
            }
            Err(error) => {
                // Rows taken out of the caches went down with the draft; the others are as committed.
                if !self.conn.is_autocommit()
                    && let Err(error) = self.conn.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "a failed turn could not be rolled back");
                }
                Err(error)
            }
        }
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Draft, StoreError> {
        let mut turn = Turn::open(&self.conn, &self.memory, &mut self.boxes, &mut self.alerts)?;
        if self.fault.is_some() {
            // Something is written in every turn until the disk takes it again: nobody may be sending us work while we say that we can't store.
            rows::set_meta(turn.conn, "next_seq", turn.memory.next_seq)?;
        }
        for job in jobs {
            job.attempt(&mut turn)?;
        }
        turn.commit()
    }

    /// Hands journaled events on, as far as there is room for them.
    fn hand_out(&mut self) {
        while self.memory.has_more() {
            let room = self.ready.room();
            if room == 0 {
                return;
            }
            match self.memory.hand_out(&self.conn, room) {
                Ok(events) => self.ready.put(events),
                Err(error) => {
                    self.ready.leave_behind();
                    return self.publish(Some(error));
                }
            }
        }
    }

    /// Shows the store as it is now; a fault is logged when it is a new one.
    fn publish(&mut self, error: Option<StoreError>) {
        let text = error.as_ref().map(ToString::to_string);
        if let Some(error) = error.as_ref().filter(|_| text != self.fault.as_ref().map(ToString::to_string)) {
            let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, source, "a turn of the store failed");
        }
        let health = Health {
            backlog: self.memory.undecided,
            undecided_since: self.memory.undecided_since(),
            settled_through: self.memory.settled_below() - 1,
            unshared: self.memory.unshared(),
            quarantined: self.memory.quarantined,
            parked: self.memory.parked,
            parked_dropped: self.memory.parked_dropped,
            alerts: self.memory.alert_counts(),
            subscribers: self.memory.registry.len(),
            full: matches!(error, Some(StoreError::Full(_))),
            error: text,
        };
        self.fault = error;
        self.health.send_replace(health);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.ready.close();
    }
}
