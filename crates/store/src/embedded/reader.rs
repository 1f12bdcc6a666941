//! The reader: a thread with a connection that only reads, so that a long timeline never holds up the journal.

use std::collections::{BTreeMap, HashSet};

use model::{AlertId, Msisdn};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::rows;
use crate::{Seq, StoreError, TimelineAlert, TimelineEntry};

/// Something to read.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads until nobody is left to ask.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns its connection")]
pub(super) fn run(conn: Connection, mut reads: mpsc::Receiver<Read>) {
    while let Some(read) = reads.blocking_recv() {
        read(&conn);
    }
}

/// The newest `limit` events of one person: the person's own chain, and the chains of the alerts met on it.
pub(super) fn timeline(conn: &Connection, called: Msisdn, limit: usize) -> Result<Vec<TimelineEntry>, StoreError> {
    // One snapshot: what is appended meanwhile does not tear a chain.
    let snapshot = conn.unchecked_transaction()?;
    let mut walk = Walk { conn, limit, entries: BTreeMap::new(), alerts: BTreeMap::new(), met: HashSet::new() };
    if let Some(row) = rows::call_box(conn, called)? {
        walk.chain(row.last)?;
    }
    let skip = walk.entries.len().saturating_sub(limit);
    let entries = walk.entries.into_values().skip(skip).collect();
    snapshot.finish()?;
    Ok(entries)
}

struct Walk<'a> {
    conn: &'a Connection,
    limit: usize,
    entries: BTreeMap<i64, TimelineEntry>,
    alerts: BTreeMap<AlertId, TimelineAlert>,
    met: HashSet<AlertId>,
}

impl Walk<'_> {
    fn chain(&mut self, newest: Option<i64>) -> Result<(), StoreError> {
        let mut chains = vec![newest];
        while let Some(newest) = chains.pop() {
            let (mut next, mut steps) = (newest, 0);
            while let Some(seq) = next
                && steps < self.limit
                && !self.entries.contains_key(&seq)
            {
                steps += 1;
                let (Some(decided), Some(event)) = (rows::decision(self.conn, seq)?, rows::event(self.conn, seq)?)
                else {
                    break;
                };
                for id in &decided.alerts {
                    chains.extend(self.meet(*id)?);
                }
                let alerts = decided.alerts.iter().filter_map(|id| self.alerts.get(id).cloned()).collect();
                let entry = TimelineEntry { seq: Seq(seq), event, at: decided.at, verdict: decided.verdict, alerts };
                self.entries.insert(seq, entry);
                next = decided.prev;
            }
        }
        Ok(())
    }

    /// Loads an alert the first time it is met, and gives the head of its chain.
    fn meet(&mut self, id: AlertId) -> Result<Option<Option<i64>>, StoreError> {
        if !self.met.insert(id) {
            return Ok(None);
        }
        let row = rows::alert(self.conn, id)?;
        let last = row.as_ref().map(|row| row.last);
        self.alerts.insert(id, TimelineAlert { id, alert: row.map(|row| row.value) });
        Ok(last)
    }
}
