//! Bringing an alert that the SMSC has up to date with later calls.

use std::time::Duration;

use model::{Address, Kind, Msisdn, SmscName, Timestamp, UpdateMode, UpdateOrder, UpdateOutcome, split};
use serde::{Deserialize, Serialize};

use super::{Alert, AlertState, Calls, Part, Refusal, is_zero};
use crate::{CallBox, Database, InDoubtPolicy, Limits, Tally, Updates};

/// The least time between two updates of one alert: bounds what somebody who rings without end costs the SMSC.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an update waits that was put off.
const PUT_OFF: Duration = Duration::from_secs(5);
/// How long an update may be without an outcome; its link's own deadline is far below.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// Attempts at one update that may stay unanswered; then the policy says what counts.
const MOST_DOUBTS: u32 = 3;
/// Earlier ids of a message that are remembered. An SMSC that gives a new one with each update has forgotten those before the last.
const MAX_ALIASES: usize = 4;

/// How far an update of an accepted alert is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum UpdateState {
    /// To be asked, not before a time; what it adds may still grow, unless an attempt at it was not answered.
    Wanted {
        /// When it may be asked.
        not_before: Timestamp,
    },
    /// Handed to a link.
    Asking {
        /// When.
        since: Timestamp,
    },
    /// The last one came to an end, and another may follow. Nothing is added.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Not to be tried again for this alert: it is too late, or can't be done. Nothing is added.
    GivenUp,
}

/// An update of an alert that the SMSC has: the calls that it adds are told by it, or go back to those not yet told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Update {
    /// Attempts at it, the current one included; counts on over several updates of one alert.
    pub attempts: u32,
    /// Attempts at this update that were not answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub doubts: u32,
    /// When it was first wanted.
    pub wanted_at: Timestamp,
    /// What the alert is for with the new text.
    pub kind: Kind,
    /// Whether only taking it back will do: the new text comes from another originator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_cancel: bool,
    /// How it was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<UpdateMode>,
    /// The calls that it adds to those the alert tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Tally>,
    /// Calls that it adds as a number only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub added_more: u32,
    /// Calls that another node added while this one asked: untold again when the outcome is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Tally>,
    /// The same, as a number only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub later_more: u32,
    /// Ids that the message had before an update gave it another: receipts may still use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The text that the SMSC is to have.
    pub text: String,
    /// How far it is.
    #[serde(flatten)]
    pub state: UpdateState,
}

impl Update {
    /// Whether it is wanted or asked, so that its calls are neither told nor untold.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        match self.state {
            UpdateState::Wanted { .. } | UpdateState::Asking { .. } => true,
            UpdateState::Done { .. } | UpdateState::GivenUp => false,
        }
    }

    /// Which of two accounts of one alert's update is the later one: each attempt asks, then ends or is put off.
    const fn place(&self) -> (u32, i64, u8) {
        let step = match self.state {
            UpdateState::Asking { .. } => 0,
            UpdateState::Wanted { .. } => 1,
            UpdateState::Done { .. } | UpdateState::GivenUp => 2,
        };
        (self.attempts, self.wanted_at.as_millis(), step)
    }

    /// Ends it; the calls that it did not tell.
    fn end(&mut self, state: UpdateState) -> Calls {
        let mut calls = Calls { told: std::mem::take(&mut self.added), more: std::mem::take(&mut self.added_more) };
        calls.told.append(&mut self.later);
        calls.more = calls.more.saturating_add(std::mem::take(&mut self.later_more));
        (self.state, self.doubts, self.how) = (state, 0, None);
        calls
    }
}

impl Update {
    /// The calls that this one adds and another does not.
    fn beyond(&self, other: &Self) -> Calls {
        let already = |tally: &Tally| {
            other.added.iter().find(|known| known.caller == tally.caller).map_or(0, |known| known.count)
        };
        let mut told = self.added.clone();
        told.iter_mut().for_each(|tally| tally.count = tally.count.saturating_sub(already(tally)));
        told.retain(|tally| tally.count > 0);
        Calls { told, more: self.added_more.saturating_sub(other.added_more) }
    }
}

/// What an update is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// What the alert is for then.
    pub kind: Kind,
    /// Where it would come from.
    pub source: Address,
    /// All calls that it adds to those the alert tells, of an update that is wanted already as well.
    pub added: Calls,
    /// The text with all of them.
    pub text: String,
}

impl Alert {
    /// What is being done, or was tried, to bring it up to date.
    #[must_use]
    pub fn update(&self) -> Option<&Update> {
        match &self.state {
            AlertState::Accepted { update, .. } => update.as_deref(),
            AlertState::Queued { .. }
            | AlertState::Sending { .. }
            | AlertState::InDoubt { .. }
            | AlertState::Superseded { .. }
            | AlertState::Delivered { .. }
            | AlertState::Undelivered { .. }
            | AlertState::Expired { .. }
            | AlertState::Failed { .. } => None,
        }
    }

    /// When an update of it may be asked, where one is wanted: see [`Alert::lease_update`].
    #[must_use]
    pub fn update_wanted_at(&self) -> Option<Timestamp> {
        match self.update()?.state {
            UpdateState::Wanted { not_before } => Some(not_before),
            UpdateState::Asking { .. } | UpdateState::Done { .. } | UpdateState::GivenUp => None,
        }
    }

    /// The attempt at an update that is on its way.
    #[must_use]
    pub fn asking(&self) -> Option<u32> {
        self.update().filter(|update| matches!(update.state, UpdateState::Asking { .. })).map(|update| update.attempts)
    }

    /// Whether an update of it is on its way.
    #[must_use]
    pub fn is_asking(&self) -> bool {
        self.asking().is_some()
    }

    /// Whether an update of it is wanted or on its way.
    #[must_use]
    pub fn is_updating(&self) -> bool {
        self.update().is_some_and(Update::goes_on)
    }

    /// Marks a wanted update as handed to a link, if it may be asked now. Those of teasers wait while the database is abnormal. What becomes of it is
    /// [`crate::Event::Updated`]; after a restart, in doubt.
    pub fn lease_update(&mut self, database: Database, updates: &Updates, now: Timestamp) -> Option<UpdateOrder> {
        let way = self.way(updates)?;
        let may_cancel = self.may_cancel();
        let AlertState::Accepted { smsc, parts, update: Some(update), .. } = &mut self.state else { return None };
        let UpdateState::Wanted { not_before } = update.state else { return None };
        // Of which a part has ended, nothing is taken back; a look gives the update up.
        if not_before > now || parts.iter().any(Part::has_ended) {
            return None;
        }
        if self.kind == Kind::Teaser && database == Database::Abnormal {
            return None;
        }
        update.attempts = update.attempts.saturating_add(1);
        update.how = Some(way);
        update.state = UpdateState::Asking { since: now };
        Some(UpdateOrder {
            alert: self.id,
            attempt: update.attempts,
            kind: self.kind,
            smsc: smsc.clone(),
            source: self.source.clone(),
            destination: self.to,
            message_ids: parts.iter().map(|part| part.id.clone()).collect(),
            before: self.text.clone(),
            text: update.text.clone(),
            validity: self.validity.saturating_sub(now.since(self.created_at)),
            mode: way,
            may_cancel,
            doubtful: update.doubts > 0,
        })
    }

    /// A teaser is only ever replaced: the next one has to wait its time.
    fn may_cancel(&self) -> bool {
        self.kind != Kind::Teaser
    }

    /// How the update that is wanted would be asked; `None` where it can't be.
    fn way(&self, updates: &Updates) -> Option<UpdateMode> {
        let AlertState::Accepted { smsc, parts, update: Some(update), .. } = &self.state else { return None };
        self.way_to(smsc, parts, &update.text, update.only_cancel, updates)
    }

    /// How a new text would be brought to the SMSC. `replace_sm` has no coding and no user data header (SMPP 3.4 §4.10): what it can't say is left to
    /// `cancel_sm`. `submit_sm` with `replace_if_present_flag` replaces one message by one.
    fn way_to(
        &self,
        smsc: &SmscName,
        parts: &[Part],
        text: &str,
        only_cancel: bool,
        updates: &Updates,
    ) -> Option<UpdateMode> {
        let one_by_one = !only_cancel && parts.len() == 1 && split(text).parts.len() == 1;
        let replaces = one_by_one && split(text).coding == split(&self.text).coding;
        match updates.mode(smsc) {
            UpdateMode::Auto if replaces => Some(UpdateMode::Auto),
            UpdateMode::Auto | UpdateMode::Cancel => self.may_cancel().then_some(UpdateMode::Cancel),
            UpdateMode::Replace => replaces.then_some(UpdateMode::Replace),
            UpdateMode::ReplaceIfPresent => one_by_one.then_some(UpdateMode::ReplaceIfPresent),
            UpdateMode::New => None,
        }
    }

    /// Whether a call that comes now may be added by an update: the SMSC has the alert, nothing says that any part of it has ended, no update is on its
    /// way or was in vain, and none that may have been done is tried again.
    #[must_use]
    pub fn may_be_updated(&self, now: Timestamp) -> bool {
        let AlertState::Accepted { parts, update, .. } = &self.state else { return false };
        let open = match update.as_deref() {
            None => true,
            Some(Update { state: UpdateState::Wanted { .. }, doubts, .. }) => *doubts == 0,
            Some(Update { state: UpdateState::Done { .. }, .. }) => true,
            Some(Update { state: UpdateState::Asking { .. } | UpdateState::GivenUp, .. }) => false,
        };
        let of_calls = match self.kind {
            Kind::Fallback | Kind::Detail | Kind::Teaser => true,
            Kind::Notice | Kind::Notify => false,
        };
        open && of_calls && !parts.iter().any(Part::has_ended) && now.since(self.created_at) < self.validity
    }

    /// Wants an update, or adds to the one that is wanted; whether that can be. Ask [`Alert::may_be_updated`] first.
    pub fn want_update(&mut self, wish: Wish, updates: &Updates, now: Timestamp) -> bool {
        let only_cancel = wish.source != self.source;
        let AlertState::Accepted { smsc, parts, .. } = &self.state else { return false };
        if !self.may_be_updated(now) || self.way_to(smsc, parts, &wish.text, only_cancel, updates).is_none() {
            return false;
        }
        let AlertState::Accepted { update, .. } = &mut self.state else { return false };
        let (attempts, aliases, wanted_at, not_before) = match update.take().map(|update| *update) {
            None => (0, Vec::new(), now, now),
            Some(Update { state: UpdateState::Wanted { not_before }, attempts, aliases, wanted_at, .. }) => {
                (attempts, aliases, wanted_at, not_before)
            }
            Some(Update { state: UpdateState::Done { at }, attempts, aliases, .. }) => {
                (attempts, aliases, now, now.max(at + PAUSE))
            }
            // Not reached: it may not be updated.
            Some(Update { state: UpdateState::Asking { .. } | UpdateState::GivenUp, .. }) => return false,
        };
        *update = Some(Box::new(Update {
            attempts,
            doubts: 0,
            wanted_at,
            kind: wish.kind,
            only_cancel,
            how: None,
            added: wish.added.told,
            added_more: wish.added.more,
            later: Vec::new(),
            later_more: 0,
            aliases,
            text: wish.text,
            state: UpdateState::Wanted { not_before },
        }));
        true
    }

    /// Wants nothing more, where no attempt was made that may have been done; the calls that it did not tell.
    pub fn drop_update(&mut self, now: Timestamp) -> Calls {
        let AlertState::Accepted { update: Some(update), .. } = &mut self.state else { return Calls::default() };
        if !matches!(update.state, UpdateState::Wanted { .. }) || update.doubts > 0 {
            return Calls::default();
        }
        update.end(UpdateState::Done { at: now })
    }

    /// Applies what became of an attempt at an update; the calls that are untold again, those that the alert itself told among them if it is superseded.
    ///
    /// # Errors
    /// When the outcome no longer concerns this alert.
    pub fn updated(
        &mut self,
        attempt: u32,
        outcome: &UpdateOutcome,
        policy: InDoubtPolicy,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Calls, Refusal> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else {
            return Err(Refusal::Unchanged);
        };
        if !counts(update, attempt, outcome) {
            return Err(Refusal::Unchanged);
        }
        if matches!(update.state, UpdateState::Wanted { .. }) {
            // The answer came after all: no doubt is left about that attempt.
            update.doubts = update.doubts.saturating_sub(1);
        }
        let ended = parts.iter().any(Part::has_ended);
        let in_time = now.since(update.wanted_at) < limits.update_wait;
        let untold = match outcome {
            UpdateOutcome::Replaced { message_id } => self.replaced(message_id.as_deref(), now),
            UpdateOutcome::Cancelled => self.cancelled(now),
            UpdateOutcome::NotNow if in_time && !ended => {
                if update.doubts > 0 {
                    // Its number is used up: this attempt was answered, another was not.
                    update.attempts = update.attempts.saturating_add(1);
                }
                update.state = UpdateState::Wanted { not_before: now + PUT_OFF };
                return Ok(Calls::default());
            }
            UpdateOutcome::NotNow | UpdateOutcome::TooLate { .. } | UpdateOutcome::Impossible => {
                self.give_up(policy, now)
            }
            UpdateOutcome::InDoubt(_) => {
                update.doubts = update.doubts.saturating_add(1);
                if update.doubts < MOST_DOUBTS && !ended {
                    update.state = UpdateState::Wanted { not_before: now + limits.resend_wait };
                    return Ok(Calls::default());
                }
                self.give_up(policy, now)
            }
        };
        self.end_by_parts(now);
        Ok(untold)
    }

    /// When an update that goes on is to be looked at, should nothing be heard of it. One that is wanted may be asked at any moment, by a node that dies then.
    #[must_use]
    pub fn update_look_at(&self, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &self.state else { return None };
        match update.state {
            // Another node heard of its end.
            UpdateState::Wanted { .. } if parts.iter().any(Part::has_ended) => Some(now),
            UpdateState::Wanted { .. } => Some((update.wanted_at + limits.update_wait).min(now + FORGOTTEN)),
            UpdateState::Asking { since } => Some(since + FORGOTTEN),
            UpdateState::Done { .. } | UpdateState::GivenUp => None,
        }
    }

    /// Gives up an update that could not be asked for so long that its calls are better told another way, or that comes too late.
    ///
    /// # Errors
    /// When there is none, or it may still wait.
    pub fn drop_late_update(
        &mut self,
        policy: InDoubtPolicy,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Calls, Refusal> {
        let AlertState::Accepted { parts, update: Some(update), .. } = &self.state else {
            return Err(Refusal::Unchanged);
        };
        let late = now.since(update.wanted_at) >= limits.update_wait || parts.iter().any(Part::has_ended);
        if !matches!(update.state, UpdateState::Wanted { .. }) || !late {
            return Err(Refusal::Unchanged);
        }
        let untold = self.give_up(policy, now);
        self.end_by_parts(now);
        Ok(untold)
    }

    /// The SMSC has the new text: it tells all of it.
    fn replaced(&mut self, id: Option<&str>, now: Timestamp) -> Calls {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        if let ([part], Some(id)) = (parts.as_mut_slice(), id)
            && part.id != id
        {
            update.aliases.retain(|alias| alias != id);
            update.aliases.push(std::mem::replace(&mut part.id, id.to_owned()));
            let forgotten = update.aliases.len().saturating_sub(MAX_ALIASES);
            update.aliases.drain(..forgotten);
        }
        let added = Calls { told: std::mem::take(&mut update.added), more: std::mem::take(&mut update.added_more) };
        self.text.clone_from(&update.text);
        self.kind = update.kind;
        let untold = update.end(UpdateState::Done { at: now });
        self.tell_also(added);
        untold
    }

    fn tell_also(&mut self, added: Calls) {
        let told = Calls { told: std::mem::take(&mut self.told), more: self.more };
        let all = told.and(added, self.to);
        (self.told, self.more) = (all.told, all.more);
    }

    /// The SMSC doesn't have it any more, and the person gets nothing of it: all is untold. But what its receipts say is on the handset is there.
    fn cancelled(&mut self, now: Timestamp) -> Calls {
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        let untold = update.end(UpdateState::GivenUp);
        if parts.iter().all(Part::is_delivered) {
            return untold;
        }
        self.state = AlertState::Superseded { at: now };
        Calls { told: self.told.clone(), more: self.more }.and(untold, self.to)
    }

    /// Takes over what another node did about an update, unless this node did more; whether that is anything.
    pub(super) fn learn_update(&mut self, known: &Self) -> bool {
        let (
            AlertState::Accepted { parts, update: mine, .. },
            AlertState::Accepted { parts: others, update: theirs, .. },
        ) = (&mut self.state, &known.state)
        else {
            return false;
        };
        let Some(theirs) = theirs.as_deref() else { return false };
        if let Some(mine) = mine.as_deref_mut().filter(|mine| mine.place() > theirs.place()) {
            let later = match (mine.state, theirs.state) {
                (UpdateState::Asking { .. }, UpdateState::Wanted { .. }) => theirs.beyond(mine),
                _ => return false,
            };
            let changed = (&mine.later, mine.later_more) != (&later.told, later.more);
            (mine.later, mine.later_more) = (later.told, later.more);
            return changed;
        }
        if mine.as_deref() == Some(theirs) && self.told == known.told && self.more == known.more {
            return false;
        }
        if let ([part], [other]) = (parts.as_mut_slice(), others.as_slice()) {
            part.id.clone_from(&other.id);
        }
        *mine = Some(Box::new(theirs.clone()));
        self.kind = known.kind;
        self.text.clone_from(&known.text);
        self.told.clone_from(&known.told);
        self.more = known.more;
        true
    }

    /// No more of this update. Where an attempt may have been done, the policy says what counts.
    pub(super) fn give_up(&mut self, policy: InDoubtPolicy, now: Timestamp) -> Calls {
        let may_cancel = self.may_cancel();
        let AlertState::Accepted { parts, update: Some(update), .. } = &mut self.state else { return Calls::default() };
        let delivered = parts.iter().all(Part::is_delivered);
        let (replaced, cancelled) = match update.how.filter(|_| update.doubts > 0) {
            None => (false, false),
            Some(UpdateMode::Cancel) => (false, true),
            Some(UpdateMode::Auto) => (true, may_cancel),
            Some(UpdateMode::Replace | UpdateMode::ReplaceIfPresent | UpdateMode::New) => (true, false),
        };
        match policy {
            // Told as far as can be: never twice.
            InDoubtPolicy::Hold if replaced => {
                let added =
                    Calls { told: std::mem::take(&mut update.added), more: std::mem::take(&mut update.added_more) };
                let untold = update.end(UpdateState::GivenUp);
                self.tell_also(added);
                untold
            }
            InDoubtPolicy::ResendOnce | InDoubtPolicy::Resend if cancelled && !delivered => self.cancelled(now),
            InDoubtPolicy::Hold | InDoubtPolicy::ResendOnce | InDoubtPolicy::Resend => update.end(UpdateState::GivenUp),
        }
    }
}

/// Whether an outcome is to be heard: that of the attempt on its way, or a late one of the last attempt, which was not answered in time. That it was
/// taken back counts whichever attempt did it: the SMSC doesn't have it any more.
fn counts(update: &Update, attempt: u32, outcome: &UpdateOutcome) -> bool {
    if matches!(outcome, UpdateOutcome::Cancelled) {
        return (1..=update.attempts).contains(&attempt);
    }
    if attempt != update.attempts || attempt == 0 {
        return false;
    }
    match update.state {
        UpdateState::Asking { .. } => true,
        UpdateState::Wanted { .. } => update.doubts > 0 && !matches!(outcome, UpdateOutcome::InDoubt(_)),
        UpdateState::Done { .. } | UpdateState::GivenUp => false,
    }
}

impl Calls {
    /// These and those, each caller once, the last caller first.
    #[must_use]
    pub fn and(self, others: Self, called: Msisdn) -> Self {
        let mut together = CallBox::empty(called);
        together.take_back(&self.told, self.more);
        together.take_back(&others.told, others.more);
        let (told, more) = together.take_untold();
        Self { told, more }
    }
}
