//! Messages that tell the same calls, since an operator sent one of them again.

use model::{AlertId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Alert, Calls, Tally};

/// Of what was sent again, at most so many are remembered. While the calls of so many may still arrive, no further message is sent again, as when the day's number
/// is used up.
pub const MAX_RESENT: usize = 8;

/// A message that was sent again, with all that repeat it. The calls that they share are untold again once each of them is lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resent {
    /// When it was sent again last.
    pub at: Timestamp,
    /// The messages, the one that was sent first at the beginning.
    pub alerts: Vec<AlertId>,
    /// Those of them that are lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<AlertId>,
    /// Whether one of them arrived.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub arrived: bool,
    /// The calls that all of them tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Tally>,
    /// Calls that all of them tell of as a number only.
    #[serde(default, skip_serializing_if = "crate::call_box::is_default")]
    pub more: u32,
}

/// Forgets what is too much of them, the oldest first; rather those of which nothing more is to be heard, and never the newest.
pub(crate) fn bound(resent: &mut Vec<Resent>) {
    while resent.len() > MAX_RESENT {
        let older = resent.len() - 1;
        resent.remove(resent.iter().take(older).position(|one| !one.is_undecided()).unwrap_or_default());
    }
}

impl Resent {
    /// The calls that all of them tell.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls { told: self.told.clone(), more: self.more }
    }

    /// Whether they share any calls.
    #[must_use]
    pub fn tells(&self) -> bool {
        !self.told.is_empty() || self.more > 0
    }

    /// Whether each of them is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        !self.arrived && self.alerts.iter().all(|alert| self.lost.contains(alert))
    }

    /// Whether what becomes of their calls is still open.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.tells() && !self.arrived && !self.is_lost()
    }

    /// One of them is lost, and told these calls: those that nobody tells any more.
    pub(crate) fn lose(&mut self, alert: &Alert, calls: &Calls) -> Calls {
        let own = calls.without(&self.calls());
        if self.lost.contains(&alert.id) {
            return own;
        }
        self.lost.push(alert.id);
        if self.is_lost() { own.and(&self.calls(), alert.to) } else { own }
    }

    /// What is known at two nodes of the same messages.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let union = |mine: &[AlertId], theirs: &[AlertId]| {
            let further = theirs.iter().filter(|alert| !mine.contains(alert));
            mine.iter().chain(further).copied().collect()
        };
        let (mine, theirs) = (self.calls(), other.calls());
        // What one of them tells beyond the others is its own.
        let shared = match (self.tells(), other.tells()) {
            (true, true) => mine.without(&mine.without(&theirs)),
            (true, false) => mine,
            (false, _) => theirs,
        };
        Self {
            at: self.at.max(other.at),
            alerts: union(&self.alerts, &other.alerts),
            lost: union(&self.lost, &other.lost),
            arrived: self.arrived || other.arrived,
            told: shared.told,
            more: shared.more,
        }
    }

    /// Whether both are about one message.
    pub(crate) fn is_about_any_of(&self, other: &Self) -> bool {
        self.alerts.iter().any(|alert| other.alerts.contains(alert))
    }
}
