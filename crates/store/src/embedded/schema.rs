//! The tables of the embedded store, and how a file of an earlier version becomes one of this version.

use rusqlite::Connection;

use crate::StoreError;

/// Each step makes version n+1 of version n; `PRAGMA user_version` says which a file has.
const STEPS: [&str; 4] = [V1, V2, V3, V4];

/// The journal (`event`) is written once, in order, and never changed: a call costs it no page but the one at its end. What was decided of it is a row
/// of its own, also in order (`decision`). A person's timeline needs no index, which would cost a page at a random place for every call: each decision
/// names the one before it, and the call box, which is written anyway, the last.
const V1: &str = "
CREATE TABLE event (            -- the journal and the history: what happened
    seq      INTEGER PRIMARY KEY, -- its place; in the order of acceptance
    body     TEXT NOT NULL        -- routing::Event, JSON
);
CREATE TABLE decision (         -- what was decided of it; an event without one is undecided
    seq      INTEGER PRIMARY KEY, -- event.seq
    at       INTEGER NOT NULL,    -- when, ms since 1970
    verdict  TEXT NOT NULL,       -- routing::Verdict, JSON
    alerts   TEXT,                -- ids of the alerts it made or changed, JSON array; NULL: none
    prev     INTEGER              -- of a call, a reply and a due: the person's one before; of the others: the alert's one before
);
CREATE TABLE box (              -- what is remembered of one called person
    called   INTEGER PRIMARY KEY, -- the number
    last     INTEGER,             -- the newest decision.seq of the person's own chain
    due      INTEGER,             -- when to look at it again, ms since 1970; NULL: never
    deferred INTEGER,             -- 1: something waits for the database to be normal; else NULL
    body     TEXT NOT NULL        -- routing::CallBox, JSON
);
CREATE INDEX box_due ON box (due) WHERE due IS NOT NULL;
CREATE INDEX box_deferred ON box (deferred) WHERE deferred IS NOT NULL;
CREATE TABLE alert (            -- what is told to whom
    id         INTEGER PRIMARY KEY, -- given out in order, never twice
    lane       INTEGER,             -- 0: queued; 1: a queued teaser, which waits apart while the database is abnormal; 2: sending; 3: to be brought up to date; 4: being so; 5: a teaser to be so; 6: accepted, nothing to do; else NULL
    not_before INTEGER,             -- of a queued one, and of one to be brought up to date: when it may be sent, ms since 1970; of one that is sending or accepted: since when
    last       INTEGER,             -- the newest decision.seq of the alert's chain
    body       TEXT NOT NULL        -- routing::Alert, JSON
);
CREATE INDEX alert_lane ON alert (lane, not_before) WHERE lane IS NOT NULL;
CREATE TABLE part (             -- which alert a message id belongs to; kept as long as the alert
    smsc       TEXT NOT NULL,       -- who gave the id
    message_id TEXT NOT NULL,       -- as in submit_sm_resp, in lower case, without spaces around it and zeros before it (model::id_key)
    called     INTEGER NOT NULL,    -- the handset: tells alerts apart at an SMSC that gives one id to many
    alert      INTEGER NOT NULL,    -- alert.id
    PRIMARY KEY (smsc, message_id, called, alert)
) WITHOUT ROWID;
CREATE TABLE parked (           -- receipts that came before the answer they belong to, and those of nobody; kept for a day
    seq        INTEGER PRIMARY KEY, -- event.seq
    at         INTEGER NOT NULL,    -- since when, ms since 1970
    smsc       TEXT NOT NULL,       -- as in part
    message_id TEXT NOT NULL,       -- the receipt's, written as in part
    body       TEXT NOT NULL        -- model::Receipt, JSON
);
CREATE INDEX parked_id ON parked (smsc, message_id);
CREATE TABLE subscriber (       -- the registry
    number   INTEGER PRIMARY KEY, -- the number
    body     TEXT NOT NULL        -- routing::Subscriber, JSON
);
CREATE TABLE range_usage (      -- people counted in a range's quota
    name     TEXT PRIMARY KEY,    -- the range
    used     INTEGER NOT NULL     -- how many
) WITHOUT ROWID;
CREATE TABLE charge (           -- fetches that were granted, for billing; never pruned
    id       INTEGER PRIMARY KEY, -- in order
    called   INTEGER NOT NULL,    -- who is charged
    body     TEXT NOT NULL        -- routing::Charge, JSON
);
CREATE INDEX charge_called ON charge (called);
CREATE TABLE meta (             -- counters that outlive the rows they count
    key      TEXT PRIMARY KEY,    -- next_seq, next_alert, settled_below, registry_loaded, registry_position, registry_timeline, registry_read, node, applied, sent, alone, alerts_<state>
    value    INTEGER NOT NULL
) WITHOUT ROWID;
";

/// What a node needs to hand over to the database that it shares with others what it did alone (ARCHITECTURE.md, "Two stores").
const V2: &str = "
ALTER TABLE box ADD COLUMN base TEXT; -- the box as it was last shared, JSON ('null': there was none); NULL: it is shared as it is
ALTER TABLE box ADD COLUMN aside TEXT; -- what was left aside of it because others may have told it: [meta.sent at that time, box], JSON
ALTER TABLE decision ADD COLUMN rest TEXT; -- effects beside box and alerts that are to be handed over, routing::Effect, JSON array; NULL: none
CREATE TABLE kept (             -- boxes before a batch that was handed to the database, until a standby has the batch
    seq      INTEGER PRIMARY KEY, -- the last event of the batch
    at       INTEGER NOT NULL,    -- when it was handed over, ms since 1970
    body     TEXT NOT NULL        -- [called, box or null] pairs, JSON array
);
CREATE TABLE quarantine (       -- events that the database refused, one by one; kept until somebody deletes them
    seq      INTEGER PRIMARY KEY, -- event.seq
    at       INTEGER NOT NULL,    -- when, ms since 1970
    error    TEXT NOT NULL,       -- what it said
    body     TEXT NOT NULL        -- routing::Event, JSON
);
CREATE TABLE registry_change (  -- registrations since the last snapshot of the registry, in order
    id         INTEGER PRIMARY KEY, -- in order
    number     INTEGER NOT NULL,    -- the number
    registered INTEGER NOT NULL     -- 1 or 0
);
";

/// What people are asked and say, and the lists that they are on. Beside a database only `campaign_turn` has rows.
const V3: &str = "
CREATE TABLE listed (           -- numbers on the operator's lists
    number   INTEGER NOT NULL,    -- the number
    list     TEXT NOT NULL,       -- routing::List::as_str
    source   TEXT NOT NULL,       -- where the entry came from
    at       INTEGER NOT NULL,    -- since when, ms since 1970
    PRIMARY KEY (number, list)
) WITHOUT ROWID;
CREATE TABLE evidence (         -- what people said that must be provable; kept as long as a complaint may come
    id       INTEGER PRIMARY KEY, -- in order
    called   INTEGER NOT NULL,    -- who said it
    at       INTEGER NOT NULL,    -- when it was decided, ms since 1970
    body     TEXT NOT NULL        -- routing::Evidence, JSON
);
CREATE INDEX evidence_called ON evidence (called);
CREATE TABLE campaign_count (   -- how far the teasers of each campaign came
    day      INTEGER NOT NULL,    -- days since 1970, UTC
    range    TEXT NOT NULL,       -- the range of the teaser
    campaign TEXT NOT NULL,       -- the campaign
    step     TEXT NOT NULL,       -- routing::Conversion::as_str
    count    INTEGER NOT NULL,    -- how many
    PRIMARY KEY (day, range, campaign, step)
) WITHOUT ROWID;
CREATE TABLE campaign_turn (    -- teasers with a campaign that this node has queued: whose turn it is
    range    TEXT PRIMARY KEY,    -- the range
    turn     INTEGER NOT NULL     -- how many
) WITHOUT ROWID;
CREATE TABLE erased (           -- people who were forgotten on request
    id       INTEGER PRIMARY KEY, -- in order
    number   INTEGER NOT NULL,    -- who
    at       INTEGER NOT NULL,    -- when, ms since 1970
    reason   TEXT NOT NULL,       -- why, as the operator wrote it
    through  INTEGER              -- the end of the journal then, up to which events are still to be deleted; NULL: all are
);
";

/// What happened on each day. Without a database the report itself, beside one what each batch adds to it there: handed over with the batch, and kept as
/// long as that may be asked for again.
const V4: &str = "
CREATE TABLE report_count (     -- what happened on each day; empty beside a database, which has it
    day      INTEGER NOT NULL,    -- days since 1970 by the calendar of the policy's time zone
    range    TEXT NOT NULL,       -- the range of the number called, or of whom an alert goes to; empty: none
    event    TEXT NOT NULL,       -- routing::Event::as_str, or alert
    verdict  TEXT NOT NULL,       -- routing::Verdict::words, the first; of an alert its kind
    why      TEXT NOT NULL,       -- routing::Verdict::words, the second; of an alert the state it came into
    count    INTEGER NOT NULL,    -- how many
    PRIMARY KEY (day, range, event, verdict, why)
) WITHOUT ROWID;
CREATE TABLE counted (          -- beside a database: what each batch counted
    seq      INTEGER PRIMARY KEY, -- the last event of the batch
    body     TEXT NOT NULL        -- rows of report_count, JSON array of arrays
);
";

/// Brings the file to the newest version, forward only, each step in its own transaction.
pub(super) fn migrate(conn: &Connection) -> Result<(), StoreError> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > found) {
        conn.execute_batch(&format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {version}; COMMIT"))?;
        tracing::info!(version, "store schema brought up to date");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_earlier_version_is_brought_up_to_date_with_what_is_in_it() {
        for steps in 1..STEPS.len() {
            let conn = Connection::open_in_memory().unwrap();
            for step in STEPS.iter().take(steps) {
                conn.execute_batch(step).unwrap();
            }
            conn.execute_batch(&format!(
                "PRAGMA user_version = {steps}; INSERT INTO subscriber VALUES (8613800000001, '{{}}'); INSERT INTO event VALUES (1, '{{}}')"
            ))
            .unwrap();
            migrate(&conn).unwrap();
            let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            let kept: i64 = conn
                .query_row("SELECT (SELECT count(*) FROM subscriber) + (SELECT count(*) FROM event)", [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!((version, kept), (i64::try_from(STEPS.len()).unwrap(), 2));
            for table in [
                "listed",
                "evidence",
                "campaign_count",
                "campaign_turn",
                "erased",
                "quarantine",
                "report_count",
                "counted",
            ] {
                conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap();
            }
            migrate(&conn).unwrap();
        }
    }
}
