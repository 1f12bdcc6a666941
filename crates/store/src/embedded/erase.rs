//! One person is forgotten on request, or told what is known of them.
//!
//! In three steps, each safe to die after: what is undecided of the person is decided first; then, in one transaction, the box, the alerts, the
//! registration and the rest go, and it is noted that events are left; last the events go, some at a time, and the note says so. What was noted and
//! not finished goes on when the store is opened next. Events are found by reading the journal: no index of people is kept for this.

use std::time::Duration;

use model::{Msisdn, Timestamp};
use routing::{Charge, List};
use tokio::time::{Instant, sleep};

use super::turn::Turn;
use super::{Embedded, rows};
use crate::{EVERYTHING, Erased, ListEntry, Person, Store as _, StoreError};

/// How long it is waited for that what is undecided of a person is decided.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(50);

/// Undecided events beyond which they are not looked through: it is waited for them.
const MANY: u64 = 10_000;

impl Embedded {
    /// Forgets a person. What stays is said in [`Erased`]; done again it does nothing more.
    ///
    /// # Errors
    /// When it could not be done (whole, or yet: what was begun is finished by [`Self::finish_erasures`]).
    pub async fn erase(&self, number: Msisdn, reason: &str, now: Timestamp) -> Result<Erased, StoreError> {
        let begun = Instant::now();
        let mut erased = loop {
            let reason = reason.to_owned();
            let done = self.write(1_000, move |turn| turn.erase(number, &reason, now)).await?;
            match done {
                Some(erased) => break erased,
                None if begun.elapsed() >= PATIENCE => return Err(StoreError::Undecided),
                None => sleep(LOOK).await,
            }
        };
        erased.events = self.finish_erasures().await?;
        Ok(erased)
    }

    /// Deletes the events of people who were erased and of whom some are left; how many.
    ///
    /// # Errors
    /// When it could not be done; what was done stays done.
    pub async fn finish_erasures(&self) -> Result<u64, StoreError> {
        let mut events = 0;
        while let Some((id, number, through)) = self.read(rows::unfinished_erasure).await? {
            events += self.delete_events_of(number, through).await?;
            self.write(1, move |turn| rows::finish_erasure(turn.conn, id)).await?;
        }
        Ok(events)
    }

    /// Deletes decided events about a person up to a place; how many.
    async fn delete_events_of(&self, number: Msisdn, through: i64) -> Result<u64, StoreError> {
        let (mut events, mut after) = (0, Some(0));
        while let Some(from) = after {
            let (seqs, next) = self.read(move |conn| rows::events_about(conn, number, from, through)).await?;
            events += seqs.len() as u64;
            if !seqs.is_empty() {
                self.write(seqs.len(), move |turn| rows::delete_events(turn.conn, &seqs)).await?;
            }
            after = next;
        }
        Ok(events)
    }

    /// Erases what a node beside a database has of a person who was erased there, up to a time; `false`: something of them is not decided yet. Asked
    /// for while no batch is under way and nothing is to be handed over: then everything else is in the database.
    pub(crate) async fn erase_here(&self, number: Msisdn, before: Timestamp) -> Result<bool, StoreError> {
        let Some(through) = self.write(1_000, move |turn| turn.erase_here(number, before)).await? else {
            return Ok(false);
        };
        self.delete_events_of(number, through).await?;
        Ok(true)
    }

    /// Whether events about a person are journaled and not decided.
    pub(crate) async fn has_undecided(&self, number: Msisdn) -> Result<bool, StoreError> {
        self.write(1, move |turn| turn.has_undecided(number)).await
    }

    /// Everything that this store knows of a person.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn person(&self, number: Msisdn) -> Result<Person, StoreError> {
        let (call_box, alerts) = self
            .read(move |conn| Ok((rows::call_box(conn, number)?.map(|row| row.value), rows::alerts_of(conn, number)?)))
            .await?;
        Ok(Person {
            number,
            subscriber: self.subscriber(number).await?,
            call_box,
            events: self.timeline(number, EVERYTHING).await?,
            alerts,
            charges: self.charges(number).await?,
            evidence: self.evidence(number).await?,
            lists: self.entries_of(number).await?,
        })
    }
}

impl Turn<'_> {
    fn has_undecided(&mut self, number: Msisdn) -> Result<bool, StoreError> {
        if self.memory.undecided > MANY {
            return Ok(true);
        }
        self.write_rows()?;
        rows::has_undecided(self.conn, number, self.memory.settled_below())
    }

    /// The second step; `None`: something is undecided.
    fn erase(&mut self, number: Msisdn, reason: &str, now: Timestamp) -> Result<Option<Erased>, StoreError> {
        if self.draft.shared.is_some() {
            return Err(StoreError::NeedsDatabase);
        }
        if self.has_undecided(number)? {
            return Ok(None);
        }
        let refused = self.forget_box_of(number)?;
        let lists = rows::entries_of(self.conn, number)?;
        let do_not_contact = refused || lists.iter().any(|entry| entry.list == List::DoNotContact);
        for entry in &lists {
            rows::delete_listed(self.conn, entry.list, number)?;
        }
        if do_not_contact {
            let (list, source) = (List::DoNotContact, "erased".to_owned());
            rows::put_listed(self.conn, &ListEntry { number, list, source, at: now })?;
        }
        let subscriber = self.delete_subscriber(number)?;
        rows::end_copies_to(self.conn, number)?;
        let alerts = self.forget_alerts_of(number, None)?;
        let charges: Vec<Charge> = rows::charges(self.conn, number)?;
        let evidence = rows::delete_evidence_of(self.conn, number)?;
        self.forget_aside(number)?;
        rows::note_erasure(self.conn, number, now, reason, self.draft.next_seq - 1)?;
        let lists = lists.iter().filter(|entry| entry.list != List::DoNotContact).count() as u64;
        let charges_kept = charges.len() as u64;
        Ok(Some(Erased { subscriber, events: 0, alerts, evidence, lists, do_not_contact, charges_kept }))
    }

    /// The end of the journal, up to which events are to be deleted; `None`: something is undecided.
    fn erase_here(&mut self, number: Msisdn, before: Timestamp) -> Result<Option<i64>, StoreError> {
        if self.has_undecided(number)? {
            return Ok(None);
        }
        // What the database has of a later life of the number is looked up there.
        self.forget_box_of(number)?;
        self.forget_alerts_of(number, Some(before))?;
        self.forget_aside(number)?;
        rows::delete_kept_of(self.conn, number)?;
        rows::end_copies_to(self.conn, number)?;
        Ok(Some(self.draft.next_seq - 1))
    }

    /// Whether the person had refused.
    fn forget_box_of(&mut self, number: Msisdn) -> Result<bool, StoreError> {
        let row = self.take_box(number)?;
        rows::delete_box(self.conn, number)?;
        Ok(row.value.refused_at.is_some())
    }

    fn forget_alerts_of(&mut self, number: Msisdn, before: Option<Timestamp>) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for alert in rows::alerts_of(self.conn, number)? {
            if before.is_some_and(|before| alert.created_at > before) {
                continue;
            }
            self.forget_alert(alert.id)?;
            self.count_state(Some(&alert), None);
            rows::delete_alert(self.conn, alert.id)?;
            forgotten += 1;
        }
        rows::delete_parts_of(self.conn, number)?;
        Ok(forgotten)
    }

    fn forget_aside(&mut self, number: Msisdn) -> Result<(), StoreError> {
        let (parked, _) = rows::delete_aside(self.conn, number)?;
        self.draft.parked = self.draft.parked.saturating_sub(parked);
        self.draft.quarantined = rows::quarantined_count(self.conn)?;
        Ok(())
    }
}
