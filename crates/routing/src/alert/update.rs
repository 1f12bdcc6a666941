//! Bringing an alert that the SMSC has up to date with later calls.

use std::time::Duration;

use model::{Address, Kind, Msisdn, SmscName, Timestamp, UpdateMode, UpdateOrder, UpdateWay, split};
use serde::{Deserialize, Serialize};

use super::{Alert, AlertState, Calls, Part, StepWhat};
use crate::{CallBox, Database, Limits, Tally, Updates};

/// The least time between two updates of one alert: bounds what somebody who rings without end costs the SMSC.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an update may be without an outcome; its link's own deadline is far below.
const FORGOTTEN: Duration = Duration::from_secs(120);

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

/// Attempts at an update that were not answered: each may have been done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Doubts {
    /// By `replace_sm`, or by a submit that replaces.
    pub replaces: u32,
    /// By `cancel_sm`.
    pub cancels: u32,
}

impl Doubts {
    /// All of them.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.replaces.saturating_add(self.cancels)
    }

    /// Those of one way.
    pub(super) const fn by(&mut self, way: UpdateWay) -> &mut u32 {
        match way {
            UpdateWay::Replace | UpdateWay::ReplaceIfPresent => &mut self.replaces,
            UpdateWay::Cancel => &mut self.cancels,
        }
    }
}

/// An update of an alert that the SMSC has: the calls that it adds are told by it, or go back to those not yet told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Update {
    /// Attempts at it, the current one included; counts on over several updates of one alert.
    pub attempts: u32,
    /// Attempts at this update that were not answered.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub doubts: Doubts,
    /// When it was first wanted.
    pub wanted_at: Timestamp,
    /// What the alert is for with the new text.
    pub kind: Kind,
    /// Whether only taking it back will do: the new text comes from another originator, or the SMSC can't replace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_cancel: bool,
    /// How the attempt asks that is on its way, or the last one asked; before the first, and where another way follows, how the next one will.
    pub way: UpdateWay,
    /// The calls that it adds to those the alert tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Tally>,
    /// Calls that it adds as a number only.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub added_more: u32,
    /// Calls that another node added while this one asked: untold again when the outcome is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<Tally>,
    /// The same, as a number only.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
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
    pub(super) const fn place(&self) -> (u32, i64, u8) {
        let step = match self.state {
            UpdateState::Asking { .. } => 0,
            UpdateState::Wanted { .. } => 1,
            UpdateState::Done { .. } | UpdateState::GivenUp => 2,
        };
        (self.attempts, self.wanted_at.as_millis(), step)
    }

    /// The last attempt was answered, and another follows. The number of the last is used up, where the answer to another may come yet.
    pub(super) const fn follow(&mut self, not_before: Timestamp) {
        if self.doubts.count() > 0 {
            self.attempts = self.attempts.saturating_add(1);
        }
        self.state = UpdateState::Wanted { not_before };
    }

    /// Ends it; the calls that it did not tell.
    pub(super) fn end(&mut self, state: UpdateState) -> Calls {
        let mut calls = Calls { told: std::mem::take(&mut self.added), more: std::mem::take(&mut self.added_more) };
        calls.told.append(&mut self.later);
        calls.more = calls.more.saturating_add(std::mem::take(&mut self.later_more));
        (self.state, self.doubts) = (state, Doubts::default());
        calls
    }

    /// The calls that this one adds and another does not.
    pub(super) fn beyond(&self, other: &Self) -> Calls {
        self.adds().without(&other.adds())
    }

    /// The calls that it adds to those the alert tells.
    pub(crate) fn adds(&self) -> Calls {
        Calls { told: self.added.clone(), more: self.added_more }
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
        // A call that is added is worth as long as any other, however old the alert is; a teaser must not outlive what it was made for.
        let validity = match self.kind {
            Kind::Fallback | Kind::Detail | Kind::Notice | Kind::Notify => self.validity,
            Kind::Teaser => self.validity.saturating_sub(now.since(self.created_at)),
        };
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
        update.way = way;
        update.state = UpdateState::Asking { since: now };
        let order = UpdateOrder {
            alert: self.id,
            attempt: update.attempts,
            kind: self.kind,
            smsc: smsc.clone(),
            source: self.source.clone(),
            destination: self.to,
            message_ids: parts.iter().map(|part| part.id.clone()).collect(),
            before: self.text.clone(),
            text: update.text.clone(),
            validity,
            way,
            doubtful: *update.doubts.by(way) > 0,
        };
        self.note(now, StepWhat::UpdateAsked { attempt: order.attempt, way });
        Some(order)
    }

    /// A teaser is only ever replaced: the next one has to wait its time.
    fn may_cancel(&self) -> bool {
        self.kind != Kind::Teaser
    }

    /// What is taken back makes a new alert, which must not be taken back again at once.
    fn soonest_cancel(&self, now: Timestamp) -> Timestamp {
        now.max(self.created_at + PAUSE)
    }

    /// Wants by `cancel_sm` what the SMSC can't do by `replace_sm`, where the way is left to us; whether that may be.
    pub(super) fn want_cancel(&mut self, updates: &Updates, now: Timestamp) -> bool {
        let not_before = self.soonest_cancel(now);
        let may_cancel = self.may_cancel();
        let AlertState::Accepted { smsc, update: Some(update), .. } = &mut self.state else { return false };
        if !may_cancel || updates.mode(smsc) != UpdateMode::Auto || update.way != UpdateWay::Replace {
            return false;
        }
        (update.only_cancel, update.way) = (true, UpdateWay::Cancel);
        update.follow(not_before);
        true
    }

    /// How the update that is wanted would be asked; `None` where it can't be.
    fn way(&self, updates: &Updates) -> Option<UpdateWay> {
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
    ) -> Option<UpdateWay> {
        let one_by_one = !only_cancel && parts.len() == 1 && split(text).parts.len() == 1;
        let replaces = one_by_one && split(text).coding == split(&self.text).coding;
        match updates.mode(smsc) {
            UpdateMode::Auto if replaces => Some(UpdateWay::Replace),
            UpdateMode::Auto | UpdateMode::Cancel => self.may_cancel().then_some(UpdateWay::Cancel),
            UpdateMode::Replace => replaces.then_some(UpdateWay::Replace),
            UpdateMode::ReplaceIfPresent => one_by_one.then_some(UpdateWay::ReplaceIfPresent),
            UpdateMode::New => None,
        }
    }

    /// Whether a call that comes now may be added by an update: the SMSC has the alert, nothing says that any part of it has ended, no update is on its
    /// way or was in vain, and none that may have been done is tried again.
    #[must_use]
    pub fn may_be_updated(&self, now: Timestamp) -> bool {
        let AlertState::Accepted { parts, update, .. } = &self.state else { return false };
        let open = match update.as_deref() {
            None | Some(Update { state: UpdateState::Done { .. }, .. }) => true,
            Some(Update { state: UpdateState::Wanted { .. }, doubts, .. }) => doubts.count() == 0,
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
        let AlertState::Accepted { smsc, parts, update, .. } = &self.state else { return false };
        let wanted = update.as_ref().filter(|update| matches!(update.state, UpdateState::Wanted { .. }));
        let only_cancel = wish.source != self.source || wanted.is_some_and(|update| update.only_cancel);
        if !self.may_be_updated(now) {
            return false;
        }
        let Some(way) = self.way_to(smsc, parts, &wish.text, only_cancel, updates) else { return false };
        let soonest = if way == UpdateWay::Cancel { self.soonest_cancel(now) } else { now };
        let AlertState::Accepted { update, .. } = &mut self.state else { return false };
        let (attempts, aliases, wanted_at, not_before) = match update.take().map(|update| *update) {
            None => (0, Vec::new(), now, soonest),
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
            doubts: Doubts::default(),
            wanted_at,
            kind: wish.kind,
            only_cancel,
            way,
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
        if !matches!(update.state, UpdateState::Wanted { .. }) || update.doubts.count() > 0 {
            return Calls::default();
        }
        update.end(UpdateState::Done { at: now })
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
}

impl Calls {
    /// These and those, each caller once, the last caller first.
    #[must_use]
    pub fn and(&self, others: &Self, called: Msisdn) -> Self {
        let mut together = CallBox::empty(called);
        together.take_back(&self.told, self.more);
        together.take_back(&others.told, others.more);
        let (told, more) = together.take_untold();
        Self { told, more }
    }

    /// What these are beyond those.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let mut left = self.clone();
        left.more = left.more.saturating_sub(others.more);
        for tally in &others.told {
            // A caller for whom there was no room here is counted in the number.
            match left.told.iter_mut().find(|known| known.caller == tally.caller) {
                Some(known) => known.count = known.count.saturating_sub(tally.count),
                None => left.more = left.more.saturating_sub(tally.count),
            }
        }
        left.told.retain(|tally| tally.count > 0);
        left
    }
}
