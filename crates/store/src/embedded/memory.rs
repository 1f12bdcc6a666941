//! What the writer keeps in memory beside the committed rows, all of it rebuilt from them when the store is opened.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::time::Instant;

use model::{Kind, Msisdn, SmscName};
use roaring::RoaringTreemap;
use routing::{Alert, AlertState, CallBox, Event, RangeName};
use rusqlite::Connection;

use super::cache::Cache;
use super::receipts::Habits;
use super::repeats::Repeats;
use super::turn::Draft;
use super::{registry, rows};
use crate::{AlertCounts, Journaled, ReportRow, Seq, StoreError};

/// Alerts kept in memory: those in flight at 10,000 a second and an SMSC that answers within 3 s. Under a kilobyte each.
const ALERTS: usize = 1 << 15;

/// Call boxes kept in memory: those of the alerts in flight. Some hundred bytes each; a few kilobytes of somebody with many callers, and some tens
/// more for a minute while parts of long replies wait.
const BOXES: usize = 1 << 15;

/// Events kept between the journal and their reader; beyond that they are read back from the file.
const TAIL: usize = 1 << 14;

/// Journaled calls whose repeats are known again after a restart: read in less than half a second.
const REPEATS_READ: i64 = 1 << 17;

/// A row as it will be, with what the table has.
pub(super) struct Row<V> {
    pub(super) value: V,
    /// The newest decision of its chain.
    pub(super) last: Option<i64>,
    /// The indexed columns as they are in the table (box: due, deferred; alert: lane, not_before); `None` while there is no row.
    pub(super) stored: Option<Indexed>,
    /// Whether the table has something else.
    pub(super) dirty: bool,
    /// Of a changed box: whether others know of the change.
    pub(super) sharing: Sharing,
}

/// What a change of a box means for the database that nodes share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Sharing {
    /// There is none.
    #[default]
    Alone,
    /// Made without it: to be handed over.
    Local,
    /// Made in a batch that is handed over with it.
    Shared,
}

/// How far the journal is applied in the database that nodes share; `None` in a store that has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shared {
    /// This node's number, the upper bits of its alerts' ids.
    pub(super) node: i64,
    /// Everything up to this place is applied there, as far as was heard.
    pub(super) applied: i64,
    /// Everything up to this place was handed over; beyond `applied` it is in doubt.
    pub(super) sent: i64,
    /// Whether no other node works with the database, as far as was heard: then a box is as this node left it.
    pub(super) alone: bool,
}

pub(super) type Indexed = (Option<i64>, Option<i64>);

pub(super) type Boxes = Cache<u64, Row<CallBox>>;
pub(super) type Alerts = Cache<i64, Row<Alert>>;

pub(super) struct Memory {
    pub(super) next_seq: i64,
    pub(super) next_alert: i64,
    /// By [`place_of`].
    pub(super) counts: [u64; 9],
    pub(super) registry: RoaringTreemap,
    pub(super) registry_loaded: bool,
    pub(super) usage: HashMap<RangeName, u64>,
    /// Teasers with a campaign queued, by range.
    pub(super) turns: HashMap<RangeName, u64>,
    pub(super) parked: u64,
    /// Parked receipts that were forgotten for newer ones, in this life of the program.
    pub(super) parked_dropped: u64,
    /// What this life of the program has seen of each SMSC's receipts.
    pub(super) habits: HashMap<SmscName, Habits>,
    pub(super) shared: Option<Shared>,
    /// People whose alerts stay in the queue while a batch about them is handed over.
    pub(super) held: HashSet<u64>,
    /// The people of that batch.
    pub(super) doubted: HashSet<u64>,
    /// Whether a batch was handed over and nobody knows whether it is applied.
    pub(super) in_doubt: bool,
    /// Queued alerts whose end is journaled and not decided yet.
    pub(super) dropping: HashSet<i64>,
    pub(super) quarantined: u64,
    /// What was counted outside of settling, and is told with the next.
    pub(super) untold: Vec<ReportRow>,
    pub(super) repeats: Repeats,
    pub(super) undecided: u64,
    /// Handed out and undecided, with the time since when each is known.
    pub(super) outstanding: BTreeMap<i64, Instant>,
    /// Everything below was handed out or decided.
    pub(super) cursor: i64,
    /// Journaled and not handed out.
    tail: VecDeque<Journaled>,
    /// Whether the file holds events from `cursor` on that the tail does not.
    pub(super) behind: bool,
}

/// The states in the order of [`AlertCounts`], as they are called in `meta`.
pub(super) const STATES: [&str; 9] =
    ["queued", "sending", "in_doubt", "accepted", "delivered", "undelivered", "expired", "failed", "superseded"];

pub(super) const fn place_of(state: &AlertState) -> usize {
    match state {
        AlertState::Queued { .. } => 0,
        AlertState::Sending { .. } => 1,
        AlertState::InDoubt { .. } => 2,
        AlertState::Accepted { .. } => 3,
        AlertState::Delivered { .. } => 4,
        AlertState::Undelivered { .. } => 5,
        AlertState::Expired { .. } => 6,
        AlertState::Failed { .. } => 7,
        AlertState::Superseded { .. } => 8,
    }
}

/// The lane of `alert_lane` and the time in it.
pub(super) fn lane(alert: &Alert) -> Indexed {
    match (&alert.state, alert.kind) {
        (AlertState::Queued { not_before }, Kind::Teaser) => (Some(rows::LANE_TEASERS), Some(not_before.as_millis())),
        (AlertState::Queued { not_before }, _) => (Some(rows::LANE_ALERTS), Some(not_before.as_millis())),
        (AlertState::Sending { since }, _) => (Some(rows::LANE_SENDING), Some(since.as_millis())),
        (AlertState::Accepted { at: taken, .. }, kind) => match (alert.update_wanted_at(), kind) {
            (Some(at), Kind::Teaser) => (Some(rows::LANE_TEASER_UPDATES), Some(at.as_millis())),
            (Some(at), _) => (Some(rows::LANE_UPDATES), Some(at.as_millis())),
            (None, _) if alert.is_asking() => (Some(rows::LANE_ASKING), None),
            (None, _) => (Some(rows::LANE_ACCEPTED), Some(taken.as_millis())),
        },
        _ => (None, None),
    }
}

/// The columns `due` and `deferred`.
pub(super) fn due(call_box: &CallBox) -> Indexed {
    (call_box.due.map(model::Timestamp::as_millis), (!call_box.deferred.is_empty()).then_some(1))
}

pub(super) fn new_caches() -> (Boxes, Alerts) {
    (Cache::new(BOXES), Cache::new(ALERTS))
}

impl Memory {
    pub(super) fn load(conn: &Connection, snapshot: &Path) -> Result<Self, StoreError> {
        let shared = rows::shared(conn)?;
        let registry = match shared {
            None => rows::registry(conn)?,
            Some(_) => registry::load(conn, snapshot)?.unwrap_or_default(),
        };
        let mut counts = [0; STATES.len()];
        for (count, state) in counts.iter_mut().zip(STATES) {
            *count = u64::try_from(rows::meta(conn, &format!("alerts_{state}"))?.unwrap_or(0)).unwrap_or(0);
        }
        let settled_below = rows::meta(conn, "settled_below")?.unwrap_or(1);
        let mut memory = Self {
            next_seq: rows::meta(conn, "next_seq")?.unwrap_or(1),
            next_alert: rows::meta(conn, "next_alert")?.unwrap_or(1),
            counts,
            registry,
            registry_loaded: rows::meta(conn, "registry_loaded")?.is_some(),
            usage: rows::usage(conn)?.into_iter().collect(),
            turns: rows::turns(conn)?,
            parked: rows::parked_count(conn)?,
            parked_dropped: 0,
            habits: HashMap::new(),
            shared,
            held: HashSet::new(),
            in_doubt: shared.is_some(),
            doubted: shared
                .map_or_else(|| Ok(Vec::new()), |shared| rows::kept_people(conn, shared.applied))?
                .into_iter()
                .collect(),
            dropping: HashSet::new(),
            quarantined: rows::quarantined_count(conn)?,
            untold: Vec::new(),
            repeats: Repeats::new(),
            undecided: rows::undecided_count(conn, settled_below)?,
            outstanding: BTreeMap::new(),
            cursor: settled_below,
            tail: VecDeque::new(),
            behind: true,
        };
        for Journaled { event, .. } in rows::events_from(conn, memory.next_seq.saturating_sub(REPEATS_READ))? {
            if let Event::Call(call) = event {
                let key = memory.repeats.key(&call);
                memory.repeats.insert(key, call.at);
            }
        }
        Ok(memory)
    }

    /// Everything below is decided, whatever happens.
    pub(super) fn settled_below(&self) -> i64 {
        self.outstanding.keys().next().map_or(self.cursor, |first| self.cursor.min(*first))
    }

    /// Since when the oldest undecided event is known in this life of the program.
    pub(super) fn undecided_since(&self) -> Option<Instant> {
        let handed_out = self.outstanding.values().next().copied();
        handed_out.or_else(|| self.tail.front().map(|next| next.since))
    }

    /// Decided events that the database has not confirmed.
    pub(super) fn unshared(&self) -> u64 {
        let confirmed = self.shared.map_or(i64::MAX, |shared| shared.applied);
        u64::try_from(self.settled_below().saturating_sub(1).saturating_sub(confirmed)).unwrap_or(0)
    }

    /// Takes over what a transaction did, now that it is committed.
    pub(super) fn absorb(&mut self, draft: Draft) {
        self.undecided = self.undecided.saturating_add(draft.journaled.len() as u64);
        self.undecided = self.undecided.saturating_sub(draft.settled.len() as u64);
        for seq in &draft.settled {
            self.outstanding.remove(seq);
        }
        self.next_seq = draft.next_seq;
        self.next_alert = draft.next_alert;
        self.counts = draft.counts;
        self.parked = draft.parked;
        self.parked_dropped = draft.parked_dropped;
        self.habits.extend(draft.habits);
        self.shared = draft.shared;
        self.quarantined = draft.quarantined;
        self.untold = draft.untold;
        if let Some(held) = draft.held {
            self.held = held;
        }
        self.in_doubt = draft.in_doubt.unwrap_or(self.in_doubt);
        if let Some(doubted) = draft.doubted {
            self.doubted = doubted;
        }
        for id in draft.undropped {
            self.dropping.remove(&id);
        }
        self.dropping.extend(draft.dropping);
        self.usage.extend(draft.usage);
        self.turns.extend(draft.turns);
        self.registry_loaded = draft.registry_loaded;
        if let Some(registry) = draft.registry {
            self.registry = registry;
        }
        for (number, registered) in draft.registered {
            if registered {
                self.registry.insert(number);
            } else {
                self.registry.remove(number);
            }
        }
        for (key, at) in draft.repeats {
            self.repeats.insert(key, at);
        }
        for journaled in draft.journaled {
            if !self.behind && self.tail.len() < TAIL {
                self.tail.push_back(journaled);
            } else {
                self.behind = true;
            }
        }
    }

    /// The next events to hand out, at most `room`.
    pub(super) fn hand_out(&mut self, conn: &Connection, room: usize) -> Result<Vec<Journaled>, StoreError> {
        if self.tail.is_empty() && self.behind {
            let limit = TAIL / 2;
            self.tail.extend(rows::undecided_from(conn, self.cursor, limit)?);
            self.behind = self.tail.len() == limit;
        }
        let events: Vec<_> = self.tail.drain(..room.min(self.tail.len())).collect();
        for Journaled { seq: Seq(seq), since, .. } in &events {
            self.cursor = seq.saturating_add(1);
            self.outstanding.insert(*seq, *since);
        }
        Ok(events)
    }

    pub(super) fn has_more(&self) -> bool {
        self.behind || !self.tail.is_empty()
    }

    pub(super) fn alert_counts(&self) -> AlertCounts {
        let [queued, sending, in_doubt, accepted, delivered, undelivered, expired, failed, superseded] = self.counts;
        AlertCounts { queued, sending, in_doubt, accepted, delivered, undelivered, expired, failed, superseded }
    }

    pub(super) fn is_registered(&self, number: Msisdn) -> bool {
        self.registry.contains(number.as_u64())
    }
}
