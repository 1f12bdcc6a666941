//! The call box: all that is remembered of one called person.

use std::time::Duration;

use model::{AlertId, Caller, Msisdn, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Awaiting, CampaignName, Copies, Futile, Message, Pending, Privacy, RangeName, Reachable, Resent, Word};

/// Callers kept apart in one list; calls of further callers are counted under the oldest one dropped (`more`).
/// Fifty lines are more than any alert shows, and bound the list to a few kilobytes. What bounds a box are this, [`MAX_SEEN`] and [`crate::MAX_MESSAGES`].
pub const MAX_CALLERS: usize = 50;

/// Calls remembered for deduplication; older ones are forgotten first. More calls than that to one person within the deduplication window come only
/// from a fault, and then telling is bounded by the daily cap.
pub const MAX_SEEN: usize = 128;

/// Requests of one subscriber that wait for the database; further ones are answered that they can't be taken now.
pub const MAX_ASKED: usize = 5;

/// Words of other people that wait for the database; of further ones, those asking for copies are lost (nothing is sent, as without an answer), and
/// the others are made good by the next copy, which is refused or not sent.
pub const MAX_HEARD: usize = 5;

/// One caller's calls that belong together in a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tally {
    /// Who.
    pub caller: Caller,
    /// How often.
    pub count: u32,
    /// The last time.
    pub last_at: Timestamp,
}

/// A call that was counted, so that it is not counted again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// FNV-1a of the call's id.
    #[serde(rename = "k")]
    pub key: u64,
    /// When it was missed.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// The way it came in.
    #[serde(rename = "s")]
    pub source: Source,
    /// The caller's number, where there is one.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Msisdn>,
}

/// What a teaser promised: the list of calls, on request, until it expires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The range that B was teased for.
    pub range: RangeName,
    /// When.
    pub teased_at: Timestamp,
    /// Until when a fetch is granted.
    pub expires_at: Timestamp,
    /// The campaign that the teaser carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignName>,
    /// Set once it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<Fetched>,
    /// Until when it keeps the next teaser away, where that is sooner than usual: the person answered by a keyword, or certainly never got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_until: Option<Timestamp>,
}

impl Offer {
    /// Until when it keeps the next teaser away: for the usual time, unless the person did something about it.
    #[must_use]
    pub fn silence_ends(&self, usual: Duration) -> Timestamp {
        let sooner = self.fetched.as_ref().map(|fetched| fetched.at).into_iter().chain(self.silent_until);
        sooner.fold(self.teased_at + usual, Timestamp::min)
    }
}

/// A fetch that was granted: what was told, to be told again on request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fetched {
    /// When.
    pub at: Timestamp,
    /// The list as granted.
    pub list: Vec<Tally>,
    /// Calls in it that were told as a number only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more: u32,
}

/// A fixed window of replies, for the rate limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
pub struct RateWindow {
    /// When it began.
    pub since: Timestamp,
    /// Replies in it.
    pub count: u32,
}

/// What came while the database was abnormal and is looked at after recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferred {
    /// A fetch.
    Fetch,
    /// A subscription.
    Subscribe,
    /// What a subscriber asked for: pause, resume, language, copies; the words are in `asked`, one for each time that this is in the list.
    Asked,
    /// People of whom the owner is to be told that they can be reached again (`reachable`).
    Reachable,
    /// The owner can be reached again since `reached`, and callers are to be told.
    Reached,
    /// Other people's words about copies (`heard`).
    Heard,
    /// Calls to a person of whom was not known whether they are registered (no registry yet).
    Calls,
    /// The same, and the forwarded-to number let them be told as a subscriber's; so are calls that are held for them.
    Alerts,
}

/// All that is remembered of one called person. One per called number; the unit that is locked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallBox {
    /// Whose.
    pub called: Msisdn,
    /// Calls not yet told, by caller, the last caller last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<Tally>,
    /// Calls of callers that no longer fit into `untold`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub more: u32,
    /// The alert that later calls wait for or join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<AlertId>,
    /// Calls counted lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// What the last teaser promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// The ranges in whose quota this person is counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted_in: Vec<RangeName>,
    /// When this person refused teasers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// When the last alert about calls was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerted_at: Option<Timestamp>,
    /// Alerts about calls in the current day of the person's own calendar: the day (days since 1970-01-01) and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<(i32, u32)>,
    /// Replies lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<RateWindow>,
    /// Messages that come in parts, of which parts are missing, or that were read lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// What waits for the database to be normal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deferred: Vec<Deferred>,
    /// What a subscriber texted while the database was abnormal and that is decided after recovery, in order, at most [`MAX_ASKED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// A question that waits for its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// What this person decided about notify-me.
    #[serde(default, skip_serializing_if = "is_default")]
    pub privacy: Privacy,
    /// Callers who rang in vain while this person could not be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaiting: Vec<Awaiting>,
    /// People who can be reached again and of whom this person, who rang them, is to be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reachable: Vec<Reachable>,
    /// Notify-me messages in the current day of this person's own calendar: the day and how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<(i32, u32)>,
    /// People of whom this person was told, with the call that it was for, the last one last; at most [`crate::MAX_AWAITING`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told_of: Vec<Reachable>,
    /// When this person could be reached again, while the database was abnormal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Timestamp>,
    /// Words of other people that came while the database was abnormal, at most [`MAX_HEARD`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Word>,
    /// Copies of alerts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub copies: Copies,
    /// Texts lately that changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub futile: Option<Futile>,
    /// What an operator sent again, each message once, at most [`crate::MAX_RESENT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resent: Vec<Resent>,
    /// When to look at this box again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

/// Whether a field says nothing and is left out where it is written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl CallBox {
    /// The box of a person of whom nothing is known yet.
    #[must_use]
    pub const fn empty(called: Msisdn) -> Self {
        Self {
            called,
            untold: Vec::new(),
            more: 0,
            open: None,
            seen: Vec::new(),
            offer: None,
            counted_in: Vec::new(),
            refused_at: None,
            alerted_at: None,
            today: None,
            replies: None,
            messages: Vec::new(),
            deferred: Vec::new(),
            asked: Vec::new(),
            pending: None,
            privacy: Privacy { hidden: false, hidden_from: Vec::new(), notify: None },
            awaiting: Vec::new(),
            reachable: Vec::new(),
            notified: None,
            told_of: Vec::new(),
            reached: None,
            heard: Vec::new(),
            copies: Copies { asked: None, of: Vec::new(), untold: Vec::new(), more: 0, questioned: None, made: None },
            futile: None,
            resent: Vec::new(),
            due: None,
        }
    }

    /// Counts one call among those not yet told.
    pub fn count(&mut self, caller: &Caller, at: Timestamp) {
        self.merge(Tally { caller: caller.clone(), count: 1, last_at: at });
    }

    /// Whether there are calls not yet told.
    #[must_use]
    pub fn waiting(&self) -> bool {
        !self.untold.is_empty() || self.more > 0
    }

    /// Forgets the calls not yet told.
    pub fn clear_untold(&mut self) {
        self.untold.clear();
        self.more = 0;
    }

    /// Takes back calls that were meant to be told and were not.
    pub fn take_back(&mut self, told: &[Tally], more: u32) {
        self.more = self.more.saturating_add(more);
        for tally in told {
            self.merge(tally.clone());
        }
    }

    /// Takes these calls out of those not yet told, if all of them are there, and of no caller a later one; whether they were.
    pub fn take_out(&mut self, told: &[Tally], more: u32) -> bool {
        let mut untold = self.untold.clone();
        for tally in told {
            let Some(place) = untold.iter().position(|known| known.caller == tally.caller) else { return false };
            let Some(known) = untold.get_mut(place).filter(|known| known.last_at == tally.last_at) else {
                return false;
            };
            let Some(left) = known.count.checked_sub(tally.count) else { return false };
            known.count = left;
            if left == 0 {
                untold.remove(place);
            }
        }
        let Some(left) = self.more.checked_sub(more) else { return false };
        (self.untold, self.more) = (untold, left);
        true
    }

    /// Hands over all calls not yet told, the last caller first.
    pub fn take_untold(&mut self) -> (Vec<Tally>, u32) {
        let mut list = std::mem::take(&mut self.untold);
        list.reverse();
        (list, std::mem::take(&mut self.more))
    }

    fn merge(&mut self, tally: Tally) {
        add(&mut self.untold, &mut self.more, tally);
    }
}

/// Adds calls to a list by caller, the last caller last; of those that no longer fit only the number is kept.
pub(crate) fn add(list: &mut Vec<Tally>, more: &mut u32, mut tally: Tally) {
    if let Some(place) = list.iter().position(|known| known.caller == tally.caller) {
        let known = list.remove(place);
        tally.count = tally.count.saturating_add(known.count);
        tally.last_at = tally.last_at.max(known.last_at);
    }
    let place = list.partition_point(|known| known.last_at <= tally.last_at);
    list.insert(place, tally);
    if list.len() > MAX_CALLERS {
        *more = more.saturating_add(list.remove(0).count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(last: u64) -> Caller {
        Caller::Number(Msisdn::try_from(8_613_900_000_000 + last).unwrap())
    }

    #[test]
    fn calls_are_tallied_by_caller_the_last_first() {
        let mut call_box = CallBox::empty(Msisdn::try_from(8_613_800_000_001).unwrap());
        for (who, at) in [(1, 10), (2, 20), (1, 30), (3, 5)] {
            call_box.count(&caller(who), Timestamp::from_millis(at));
        }
        let (list, more) = call_box.take_untold();
        let seen: Vec<_> = list.iter().map(|t| (t.caller.clone(), t.count, t.last_at.as_millis())).collect();
        assert_eq!(seen, [(caller(1), 2, 30), (caller(2), 1, 20), (caller(3), 1, 5)]);
        assert_eq!((more, call_box.untold.len()), (0, 0));
    }

    #[test]
    fn a_long_list_is_bounded_and_still_counts_every_call() {
        let mut call_box = CallBox::empty(Msisdn::try_from(8_613_800_000_001).unwrap());
        for n in 0..200 {
            call_box.count(&caller(n), Timestamp::from_millis(i64::try_from(n).unwrap()));
        }
        let (list, more) = call_box.take_untold();
        assert_eq!((list.len(), more), (MAX_CALLERS, 150));
    }

    #[test]
    fn a_box_comes_back_from_json_and_an_empty_one_is_small() {
        let mut call_box = CallBox::empty(Msisdn::try_from(8_613_800_000_001).unwrap());
        assert_eq!(serde_json::to_string(&call_box).unwrap(), r#"{"called":8613800000001}"#);
        call_box.count(&Caller::Withheld, Timestamp::from_millis(1));
        let text = serde_json::to_string(&call_box).unwrap();
        assert_eq!(serde_json::from_str::<CallBox>(&text).unwrap(), call_box);
    }
}
