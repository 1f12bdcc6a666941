//! Handing over: what a node did alone with a call box is brought together with what the others did meanwhile.

use model::{Caller, Kind, Msisdn, Timestamp};

use crate::call_box::add;
use crate::{
    Alert, AlertState, Awaiting, CallBox, Copies, Deferred, MAX_ASKED, MAX_AWAITING, MAX_COPIES, MAX_HEARD, MAX_HIDDEN,
    MAX_SEEN, Offer, Pending, Privacy, RateWindow, Reachable, Resent, Seen, Tally,
};
use crate::{parts, resent};

/// Brings together one person's box as this node last shared it (`base`), as it is here now (`mine`), and as the database has it now (`theirs`).
/// Where only one side changed anything, it is that side's box as it stands. All three are of one person and within their bounds, and so is the
/// result.
///
/// Calls that `seen` names are told apart: one that both sides have counts once, and one that either side told is told. Calls that it no longer
/// names are only numbers: what this side added or told is added to, or taken from, what the other side has. The same holds for calls without a
/// caller's number when those that wait are of several kinds (withheld, unknown, short numbers), since `seen` doesn't say which is which; a call
/// that came by both ways then counts twice.
#[must_use]
pub fn merge(base: &CallBox, mine: &CallBox, theirs: &CallBox) -> CallBox {
    debug_assert!(base.called == mine.called && base.called == theirs.called, "three boxes of one person");
    if theirs == base {
        return mine.clone();
    }
    if mine == base {
        return theirs.clone();
    }
    let sides = Sides { base, mine, theirs };
    let (tallies, untold) = sides.untold();
    let mut merged = CallBox {
        called: theirs.called,
        untold: Vec::new(),
        more: 0,
        open: whose(&base.open, &mine.open, &theirs.open, || mine.open),
        seen: sides.seen(&untold),
        offer: sides.offer(),
        counted_in: with(&theirs.counted_in, &mine.counted_in),
        refused_at: sides.refused_at(),
        alerted_at: whose(&base.alerted_at, &mine.alerted_at, &theirs.alerted_at, || {
            mine.alerted_at.max(theirs.alerted_at)
        }),
        today: whose(&base.today, &mine.today, &theirs.today, || of_the_day(base.today, mine.today, theirs.today)),
        replies: whose(&base.replies, &mine.replies, &theirs.replies, || sides.replies()),
        messages: whose(&base.messages, &mine.messages, &theirs.messages, || {
            parts::merge(&base.messages, &mine.messages, &theirs.messages)
        }),
        deferred: both(&base.deferred, &mine.deferred, &theirs.deferred),
        asked: bounded(MAX_ASKED, both(&base.asked, &mine.asked, &theirs.asked)),
        pending: whose(&base.pending, &mine.pending, &theirs.pending, || sides.pending()),
        privacy: sides.privacy(),
        awaiting: sides.awaiting(),
        reachable: of_each(both(&base.reachable, &mine.reachable, &theirs.reachable)),
        notified: whose(&base.notified, &mine.notified, &theirs.notified, || {
            of_the_day(base.notified, mine.notified, theirs.notified)
        }),
        told_of: of_each(both(&base.told_of, &mine.told_of, &theirs.told_of)),
        reached: whose(&base.reached, &mine.reached, &theirs.reached, || mine.reached.max(theirs.reached)),
        heard: bounded(MAX_HEARD, both(&base.heard, &mine.heard, &theirs.heard)),
        copies: sides.copies(),
        resent: Vec::new(),
        futile: whose(&base.futile, &mine.futile, &theirs.futile, || mine.futile.max(theirs.futile)),
        // Each side may have left its calls to a look that the other has already taken: one too many does no harm.
        due: mine.due.into_iter().chain(theirs.due).min(),
    };
    merged.take_back(&tallies, sum(base.more, mine.more, theirs.more));
    sides.sent_again(&mut merged);
    one_for_each(&mut merged);
    merged
}

/// What was asked is answered in the order of `deferred`, which names each request once; what both sides deferred is there only once after a merge.
fn one_for_each(call_box: &mut CallBox) {
    let CallBox { deferred, asked, .. } = call_box;
    let mut named = 0;
    deferred.retain(|what| {
        named += usize::from(*what == Deferred::Asked);
        *what != Deferred::Asked || named <= asked.len()
    });
    deferred.extend((named..asked.len()).map(|_| Deferred::Asked));
}

/// Each person once, with the last call; the last ones, as many as there may be.
fn of_each(mut list: Vec<Reachable>) -> Vec<Reachable> {
    list.sort_by_key(|one| (one.person, std::cmp::Reverse((one.rang_at, one.at))));
    list.dedup_by_key(|one| one.person);
    list.sort_by_key(|one| (one.at, one.person));
    list.drain(..list.len().saturating_sub(MAX_AWAITING));
    list
}

/// After a merge: stops waiting for the alert that the box calls open when it has ended, is in doubt, or is nowhere (`None`). Calls that waited for
/// it are looked at at once, and so is a message that has all its parts now.
pub fn settle_open(call_box: &mut CallBox, alert: Option<&Alert>, now: Timestamp) {
    if call_box.messages.iter().any(|message| message.is_whole() && !message.read) {
        call_box.due = Some(now);
    }
    let Some(open) = call_box.open else { return };
    let goes_on = alert.filter(|alert| alert.id == open).is_some_and(|alert| match alert.state {
        AlertState::Queued { .. } | AlertState::Sending { .. } | AlertState::Accepted { .. } => true,
        AlertState::InDoubt { .. }
        | AlertState::Superseded { .. }
        | AlertState::Delivered { .. }
        | AlertState::Undelivered { .. }
        | AlertState::Expired { .. }
        | AlertState::Failed { .. } => false,
    });
    if goes_on {
        return;
    }
    call_box.open = None;
    if call_box.waiting() {
        call_box.due = Some(now);
    }
}

/// Takes back a teaser that this node decided and could not commit in the database that nodes share: its place in the quota is not taken there. The box
/// becomes what it would be without it; its calls stay untold. Whether there was anything to take back: not when the teaser is no longer
/// queued, when an attempt at it was not answered (the person may have it, and may ask), or when `base` knows it, so that it was shared after all.
pub fn withdraw_unshared_teaser(call_box: &mut CallBox, alert: &mut Alert, base: &CallBox, now: Timestamp) -> bool {
    let its_own = |offer: &Offer| offer.teased_at == alert.created_at && offer.fetched.is_none();
    let shared =
        base.open == Some(alert.id) || base.offer.as_ref().is_some_and(|offer| offer.teased_at == alert.created_at);
    if alert.kind != Kind::Teaser || alert.doubts > 0 || shared {
        return false;
    }
    let made_the_offer = call_box.offer.as_ref().is_some_and(its_own);
    if !alert.withdraw(now) {
        return false;
    }
    if call_box.open == Some(alert.id) {
        call_box.open = None;
    }
    if made_the_offer {
        call_box.offer.clone_from(&base.offer);
    }
    call_box.counted_in.retain(|range| base.counted_in.contains(range));
    if call_box.alerted_at == Some(alert.created_at) {
        call_box.alerted_at = base.alerted_at;
        call_box.today = match call_box.today {
            Some((day, count)) if count > 1 => Some((day, count.saturating_sub(1))),
            Some(_) | None => base.today,
        };
    }
    true
}

/// The value of the side that changed it; when both did, what `both` says.
fn whose<T: PartialEq + Clone>(base: &T, mine: &T, theirs: &T, both: impl FnOnce() -> T) -> T {
    if mine == base {
        theirs.clone()
    } else if theirs == base {
        mine.clone()
    } else {
        both()
    }
}

/// What they have and what this side added or took away, never below zero.
fn sum(base: u32, mine: u32, theirs: u32) -> u32 {
    clamp(i64::from(theirs) + i64::from(mine) - i64::from(base))
}

fn clamp(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// What they have without what this side took away, and what it added.
fn changed<T: PartialEq + Clone>(base: &[T], mine: &[T], theirs: &[T]) -> Vec<T> {
    let mut both = theirs.to_vec();
    both.retain(|one| mine.contains(one) || !base.contains(one));
    let new: Vec<T> = mine.iter().filter(|one| !base.contains(one)).cloned().collect();
    with(&both, &new)
}

/// The list of the side that changed it, in its order; when both did, what both of them made of it.
fn both<T: PartialEq + Clone>(base: &[T], mine: &[T], theirs: &[T]) -> Vec<T> {
    if mine == base {
        theirs.to_vec()
    } else if theirs == base {
        mine.to_vec()
    } else {
        changed(base, mine, theirs)
    }
}

fn bounded<T>(most: usize, mut list: Vec<T>) -> Vec<T> {
    list.truncate(most);
    list
}

/// Two counts of days: of one day, what they counted together; else the later.
fn of_the_day(base: Option<(i32, u32)>, mine: Option<(i32, u32)>, theirs: Option<(i32, u32)>) -> Option<(i32, u32)> {
    match (mine, theirs) {
        (Some((day, mine)), Some((same, theirs))) if day == same => {
            let base = base.filter(|(base, _)| *base == day).map_or(0, |(_, count)| count);
            Some((day, sum(base, mine, theirs)))
        }
        (mine, theirs) => mine.max(theirs),
    }
}

/// The first list, and what only the second has behind it.
fn with<T: PartialEq + Clone>(first: &[T], second: &[T]) -> Vec<T> {
    let mut both = first.to_vec();
    both.extend(second.iter().filter(|one| !first.contains(one)).cloned());
    both
}

fn number(caller: &Caller) -> Option<Msisdn> {
    match caller {
        Caller::Number(number) => Some(*number),
        Caller::Short(_) | Caller::Withheld | Caller::Unknown => None,
    }
}

/// Calls that no copy has told, by their numbers: what they have, and what this side added or told.
fn uncopied(base: &Copies, mine: &Copies, theirs: &Copies) -> (Vec<Tally>, u32) {
    let (mut list, mut more) = (Vec::new(), sum(base.more, mine.more, theirs.more));
    for caller in with(&callers(&theirs.untold), &callers(&mine.untold)) {
        let [base, mine, theirs] = [base, mine, theirs].map(|side| side.untold.iter().find(|one| one.caller == caller));
        let count = |tally: Option<&Tally>| tally.map_or(0, |tally| tally.count);
        let count = sum(count(base), count(mine), count(theirs));
        let last_at = mine.into_iter().chain(theirs).map(|tally| tally.last_at).max();
        if let Some(last_at) = last_at.filter(|_| count > 0) {
            add(&mut list, &mut more, Tally { caller, count, last_at });
        }
    }
    (list, more)
}

fn callers(list: &[Tally]) -> Vec<Caller> {
    list.iter().map(|tally| tally.caller.clone()).collect()
}

fn same_call(one: &Seen, other: &Seen) -> bool {
    (one.key, one.at, one.source) == (other.key, other.at, other.source)
}

fn has(seen: &[Seen], call: &Seen) -> bool {
    seen.iter().any(|one| same_call(one, call))
}

fn tally<'a>(call_box: &'a CallBox, caller: &Caller) -> Option<&'a Tally> {
    call_box.untold.iter().find(|tally| tally.caller == *caller)
}

fn count(call_box: &CallBox, caller: &Caller) -> u32 {
    tally(call_box, caller).map_or(0, |tally| tally.count)
}

/// One person's box three times.
#[derive(Clone, Copy)]
struct Sides<'a> {
    base: &'a CallBox,
    mine: &'a CallBox,
    theirs: &'a CallBox,
}

impl Sides<'_> {
    /// What was sent again. Calls that all of several messages told are untold where each node heard only that others of them are lost, and are not where
    /// one node knew each to be lost, and the other has sent them again.
    fn sent_again(&self, merged: &mut CallBox) {
        for one in both(&self.base.resent, &self.mine.resent, &self.theirs.resent) {
            let known = merged.resent.iter_mut().find(|known| known.is_about_any_of(&one));
            let Some(known) = known else {
                merged.resent.push(one);
                continue;
            };
            let joined = known.joined(&one);
            let before = self.base.resent.iter().find(|base| base.is_about_any_of(&joined));
            let (was_lost, untold) = (before.is_some_and(Resent::is_lost), known.is_lost() || one.is_lost());
            let calls = joined.calls();
            *known = joined;
            match (known.is_lost(), untold) {
                (true, false) => merged.take_back(&calls.told, calls.more),
                (false, true) if !was_lost => _ = merged.take_out(&calls.told, calls.more),
                (true, true) | (false, _) => {}
            }
        }
        merged.resent.sort_by_key(|one| one.at);
        resent::bound(&mut merged.resent);
    }

    /// The calls not yet told, by caller, and those among them that `seen` names.
    fn untold(&self) -> (Vec<Tally>, Vec<Seen>) {
        let (mut tallies, mut named) = (Vec::new(), Vec::new());
        for caller in with(&callers(&self.theirs.untold), &callers(&self.mine.untold)) {
            let calls = self.untold_by_both(&caller);
            // The two sides may have told the same calls, so that taking away both leaves too little: what neither told is the least.
            let least = u32::try_from(calls.len()).unwrap_or(u32::MAX);
            let count = self.untold_by_number(&caller).max(least);
            named.extend(calls);
            if let Some(last_at) = self.last_at(&caller).filter(|_| count > 0) {
                tallies.push(Tally { caller, count, last_at });
            }
        }
        // The order doesn't depend on whose side is whose.
        tallies.sort_by(|one, other| (one.last_at, &one.caller).cmp(&(other.last_at, &other.caller)));
        (tallies, named)
    }

    /// What they have, and what this side added or told; but for calls of this side that they have by another way.
    fn untold_by_number(&self, caller: &Caller) -> u32 {
        let change = i64::from(count(self.mine, caller)) - i64::from(count(self.base, caller));
        let own = self.calls(self.mine, caller).into_iter().filter(|call| !has(&self.base.seen, call));
        let twice = own.filter(|call| has(&self.theirs.seen, call)).count();
        clamp(i64::from(count(self.theirs, caller)) + change - i64::try_from(twice).unwrap_or(i64::MAX))
    }

    /// This caller's calls that are untold on one side, and untold or unheard of on the other.
    fn untold_by_both(&self, caller: &Caller) -> Vec<Seen> {
        let (here, there) = (self.last_calls(self.mine, caller), self.last_calls(self.theirs, caller));
        let heard_of = |side: &CallBox, call: &Seen| has(&self.base.seen, call) || has(&side.seen, call);
        let mut untold = here.clone();
        untold.retain(|call| has(&there, call) || !heard_of(self.theirs, call));
        untold.extend(there.into_iter().filter(|call| !has(&here, call) && !heard_of(self.mine, call)));
        untold
    }

    /// This caller's calls that one side has not told. Telling takes all that wait, so they are the last ones that it counted.
    fn last_calls(&self, side: &CallBox, caller: &Caller) -> Vec<Seen> {
        let mut calls = self.calls(side, caller);
        let untold = usize::try_from(count(side, caller)).unwrap_or(usize::MAX);
        calls.drain(..calls.len().saturating_sub(untold));
        calls
    }

    /// This caller's calls that one side has seen, as far as it can be known.
    fn calls(&self, side: &CallBox, caller: &Caller) -> Vec<Seen> {
        let number = number(caller);
        if number.is_none() && !self.is_the_only_one_without_number(caller) {
            return Vec::new();
        }
        side.seen.iter().filter(|call| call.caller == number).copied().collect()
    }

    fn is_the_only_one_without_number(&self, caller: &Caller) -> bool {
        let mut waiting = [self.base, self.mine, self.theirs].into_iter().flat_map(|side| &side.untold);
        waiting.all(|tally| number(&tally.caller).is_some() || tally.caller == *caller)
    }

    fn last_at(&self, caller: &Caller) -> Option<Timestamp> {
        let [base, mine, theirs] = [self.base, self.mine, self.theirs].map(|side| tally(side, caller));
        match (mine, theirs) {
            (Some(mine), Some(_)) if theirs == base => Some(mine.last_at),
            (Some(_), Some(theirs)) if mine == base => Some(theirs.last_at),
            (Some(mine), Some(theirs)) => Some(mine.last_at.max(theirs.last_at)),
            (one, other) => one.or(other).map(|tally| tally.last_at),
        }
    }

    /// The calls that either side has seen, those not yet told last, each part by time. The oldest that were told are forgotten first.
    fn seen(&self, untold: &[Seen]) -> Vec<Seen> {
        let mut seen = self.theirs.seen.clone();
        let new = self.mine.seen.iter().filter(|call| !has(&self.base.seen, call) && !has(&self.theirs.seen, call));
        seen.extend(new);
        seen.sort_by_key(|call| (has(untold, call), call.at));
        seen.drain(..seen.len().saturating_sub(MAX_SEEN));
        seen
    }

    /// This side's offer if it changed it, but a fetch that the database granted stays granted: it was charged.
    fn offer(&self) -> Option<Offer> {
        whose(&self.base.offer, &self.mine.offer, &self.theirs.offer, || {
            let mut offer = self.mine.offer.clone()?;
            if let Some(theirs) = self.theirs.offer.as_ref().filter(|theirs| theirs.teased_at == offer.teased_at) {
                if theirs.fetched.is_some() {
                    offer.fetched.clone_from(&theirs.fetched);
                }
                // Whichever side was acted on first ends the silence.
                offer.silent_until = offer.silent_until.into_iter().chain(theirs.silent_until).min();
            }
            Some(offer)
        })
    }

    /// A refusal holds from the first time; a subscription on this side lifts it.
    fn refused_at(&self) -> Option<Timestamp> {
        let (mine, theirs) = (self.mine.refused_at, self.theirs.refused_at);
        whose(&self.base.refused_at, &mine, &theirs, || mine.map(|mine| theirs.map_or(mine, |theirs| theirs.min(mine))))
    }

    /// Each decision of the person counts, of whichever side it is known. Who hides from more than fit hides from everybody.
    fn privacy(&self) -> Privacy {
        let (base, mine, theirs) = (&self.base.privacy, &self.mine.privacy, &self.theirs.privacy);
        let hidden_from = both(&base.hidden_from, &mine.hidden_from, &theirs.hidden_from);
        let too_many = hidden_from.len() > MAX_HIDDEN;
        Privacy {
            hidden: too_many || whose(&base.hidden, &mine.hidden, &theirs.hidden, || mine.hidden),
            hidden_from: bounded(MAX_HIDDEN, hidden_from),
            notify: whose(&base.notify, &mine.notify, &theirs.notify, || mine.notify),
        }
    }

    /// Each caller once, with the last time; whom one side told is not told again.
    fn awaiting(&self) -> Vec<Awaiting> {
        let mut both = both(&self.base.awaiting, &self.mine.awaiting, &self.theirs.awaiting);
        both.sort_by_key(|one| (one.caller, std::cmp::Reverse(one.at)));
        both.dedup_by_key(|one| one.caller);
        both.sort_by_key(|one| (one.at, one.caller));
        both.drain(..both.len().saturating_sub(MAX_AWAITING));
        both
    }

    /// A question that was answered on one side is no longer open; of two new ones the later.
    fn pending(&self) -> Option<Pending> {
        self.mine.pending.into_iter().chain(self.theirs.pending).max_by_key(|pending| pending.until)
    }

    fn copies(&self) -> Copies {
        let (base, mine, theirs) = (&self.base.copies, &self.mine.copies, &self.theirs.copies);
        let calls = |copies: &Copies| (copies.untold.clone(), copies.more);
        let (untold, more) = whose(&calls(base), &calls(mine), &calls(theirs), || uncopied(base, mine, theirs));
        Copies {
            asked: whose(&base.asked, &mine.asked, &theirs.asked, || mine.asked),
            of: bounded(MAX_COPIES, both(&base.of, &mine.of, &theirs.of)),
            untold,
            more,
            questioned: whose(&base.questioned, &mine.questioned, &theirs.questioned, || {
                mine.questioned.max(theirs.questioned)
            }),
            made: whose(&base.made, &mine.made, &theirs.made, || mine.made.max(theirs.made)),
        }
    }

    fn replies(&self) -> Option<RateWindow> {
        match (self.mine.replies, self.theirs.replies) {
            (Some(mine), Some(theirs)) if mine.since == theirs.since => {
                let base = self.base.replies.filter(|base| base.since == mine.since).map_or(0, |base| base.count);
                Some(RateWindow { since: mine.since, count: sum(base, mine.count, theirs.count) })
            }
            (mine, theirs) => mine.into_iter().chain(theirs).max_by_key(|window| window.since),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use model::{Address, AlertId, ReplyPart, ShortNumber, SmscName, Source};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        CopiesAsked, FailedWhy, Fetched, Futile, MAX_CALLERS, MAX_MESSAGES, MAX_RESENT, Message, Question, RangeName,
        Saying, Word,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn someone(last: u64) -> Msisdn {
        Msisdn::try_from(8_613_900_000_000 + last).unwrap()
    }

    fn empty() -> CallBox {
        CallBox::empty(someone(99_999))
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis() + minutes * 60_000)
    }

    /// What may happen to a box on one node.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// A call by this name; the name says who called and when.
        Call(u8),
        /// All that waits is told.
        Tell,
    }

    /// Every fifth withheld the number; the times are not in the order of the names.
    fn who(name: u8) -> Caller {
        if name % 5 == 4 { Caller::Withheld } else { Caller::Number(someone(u64::from(name % 5))) }
    }

    fn call(name: u8) -> Seen {
        let caller = number(&who(name));
        Seen { key: u64::from(name), at: at(i64::from(name) * 7 % 40), source: Source::Http, caller }
    }

    /// One node: its box, and the truth that it approximates.
    #[derive(Clone, Debug)]
    struct Node {
        call_box: CallBox,
        untold: BTreeSet<u8>,
        told: BTreeSet<u8>,
    }

    impl Node {
        fn new() -> Self {
            Self { call_box: empty(), untold: BTreeSet::new(), told: BTreeSet::new() }
        }

        fn live(&self, steps: &[Step]) -> Self {
            let mut node = self.clone();
            for step in steps {
                match *step {
                    Step::Call(name) if has(&node.call_box.seen, &call(name)) => {}
                    Step::Call(name) => {
                        node.call_box.seen.push(call(name));
                        node.call_box.count(&who(name), call(name).at);
                        node.untold.insert(name);
                    }
                    Step::Tell => {
                        node.told.append(&mut node.untold);
                        node.call_box.clear_untold();
                    }
                }
            }
            node
        }

        /// What is true when both are known: untold is what nobody told.
        fn hand_over(&self, base: &Self, shared: &Self) -> Self {
            let told: BTreeSet<u8> = self.told.union(&shared.told).copied().collect();
            let untold = self.untold.union(&shared.untold).filter(|name| !told.contains(name)).copied().collect();
            Self { call_box: merge(&base.call_box, &self.call_box, &shared.call_box), untold, told }
        }

        /// Callers and counts in a fixed order: as they truly are, and as the box has them.
        fn truth_and_box(&self) -> (Counts, Counts) {
            let mut counted = empty();
            for name in &self.untold {
                counted.count(&who(*name), call(*name).at);
            }
            (counts(&counted), counts(&self.call_box))
        }
    }

    type Counts = Vec<(Caller, u32)>;

    fn counts(call_box: &CallBox) -> Counts {
        let mut counts: Vec<_> = call_box.untold.iter().map(|tally| (tally.caller.clone(), tally.count)).collect();
        counts.sort();
        counts
    }

    fn names(call_box: &CallBox) -> BTreeSet<u64> {
        call_box.seen.iter().map(|seen| seen.key).collect()
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        vec(prop_oneof![5 => (0_u8..40).prop_map(Step::Call), 1 => Just(Step::Tell)], 0..16)
    }

    /// The same call has the same caller, whoever reports it.
    fn caller_of(key: u64) -> Caller {
        match key % 100 {
            97 => Caller::Withheld,
            98 => Caller::Unknown,
            99 => Caller::Short(ShortNumber::parse("10086").unwrap()),
            last => Caller::Number(someone(last % 80)),
        }
    }

    fn any_offer() -> impl Strategy<Value = Option<Offer>> {
        let fetched = |fetched: bool| fetched.then(|| Fetched { at: NOW, list: Vec::new(), more: 1 });
        proptest::option::of((0_i64..3, any::<bool>()).prop_map(move |(minute, taken)| Offer {
            range: RangeName("north".to_owned()),
            teased_at: at(minute),
            expires_at: at(minute + 60),
            campaign: None,
            fetched: fetched(taken),
            silent_until: None,
        }))
    }

    /// Parts of up to three messages, as a box collects them.
    fn any_messages() -> impl Strategy<Value = Vec<Message>> {
        vec((0_u16..2, 1_u8..4, "[ab]"), 0..6).prop_map(|parts| {
            let mut messages = Vec::new();
            for (reference, number, text) in parts {
                let _ = crate::parts::collect(
                    &mut messages,
                    ReplyPart { reference, total: 3, number },
                    &ShortNumber::parse("12599").unwrap(),
                    &text,
                    NOW,
                );
            }
            messages
        })
    }

    prop_compose! {
        fn any_box()(
            calls in vec((0_u64..200, 0_i64..300, any::<bool>(), any::<bool>()), 0..200),
            more in 0_u32..5,
            open in proptest::option::of(0_i64..3),
            offer in any_offer(),
            counted in proptest::sample::subsequence(vec!["north", "south", "east"], 0..3),
            days in (proptest::option::of((0_i32..2, 0_u32..4)), proptest::option::of((0_i64..2, 0_u32..4))),
            times in [proptest::option::of(0_i64..4), proptest::option::of(0_i64..4), proptest::option::of(0_i64..4)],
            messages in any_messages(),
            deferred in proptest::sample::subsequence(vec![Deferred::Fetch, Deferred::Subscribe, Deferred::Calls, Deferred::Alerts], 0..4),
            own in any_own(),
        ) -> CallBox {
            let mut call_box = empty();
            for (key, minute, sip, untold) in calls {
                let caller = caller_of(key);
                let source = if sip { Source::Sip } else { Source::Http };
                let seen = Seen { key, at: at(minute), source, caller: number(&caller) };
                if !has(&call_box.seen, &seen) && call_box.seen.len() < MAX_SEEN {
                    call_box.seen.push(seen);
                }
                if untold {
                    call_box.count(&caller, at(minute));
                }
            }
            call_box.more += more;
            call_box.open = open.map(AlertId);
            call_box.offer = offer;
            call_box.counted_in = counted.into_iter().map(|name| RangeName(name.to_owned())).collect();
            call_box.today = days.0;
            call_box.replies = days.1.map(|(since, count)| RateWindow { since: at(since), count });
            [call_box.refused_at, call_box.alerted_at, call_box.due] = times.map(|time| time.map(at));
            call_box.deferred = deferred;
            call_box.messages = messages;
            call_box.deferred.extend(own.asked.iter().map(|_| Deferred::Asked));
            CallBox {
                asked: own.asked,
                pending: own.pending,
                privacy: own.privacy,
                awaiting: own.awaiting,
                reachable: own.reachable,
                notified: own.notified,
                told_of: own.told_of,
                reached: own.reached,
                heard: own.heard,
                copies: own.copies,
                futile: own.futile,
                resent: own.resent,
                ..call_box
            }
        }
    }

    /// People of notify-me, each once, by time.
    fn any_people() -> impl Strategy<Value = Vec<Reachable>> {
        proptest::collection::btree_map(0_u64..40, 0_i64..90, 0..MAX_AWAITING).prop_map(|people| {
            let person = |(who, minute)| Reachable { person: someone(who), at: at(minute + 1), rang_at: at(minute) };
            of_each(people.into_iter().map(person).collect())
        })
    }

    prop_compose! {
            /// What self-service, notify-me and copies leave in a box; the rest of it is empty.
            fn any_own()(
                asked in proptest::sample::subsequence(vec!["PAUSE 8", "RESUME", "SHOW", "YES"], 0..4),
                pending in proptest::option::of((any::<bool>(), 0_i64..3)),
                (hidden, notify) in (any::<bool>(), proptest::option::of(any::<bool>())),
                hidden_from in proptest::collection::btree_set(0_u64..40, 0..MAX_HIDDEN),
                (waits, reachable, told_of) in (any_people(), any_people(), any_people()),
                (reached, notified) in (proptest::option::of(0_i64..3), proptest::option::of((0_i32..2, 0_u32..4))),
                heard in proptest::sample::subsequence(vec![Saying::CopyAsked, Saying::CopyAgreed, Saying::CopyEnded], 0..3),
                (to, of) in (proptest::option::of(0_u64..3), proptest::collection::btree_set(0_u64..30, 0..MAX_COPIES)),
                copied in vec((0_u64..70, 0_i64..90), 0..80),
                futile in proptest::option::of((0_i64..3, 0_u64..2, 0_u32..5)),
                resent in btree_map(0_i64..12, (0_i64..5, 0_usize..3, any::<bool>(), any::<bool>()), 0..MAX_RESENT),
            ) -> CallBox {
                let question = |subscribe| if subscribe { Question::Subscribe } else { Question::CopiesOf(someone(1)) };
                let mut copies = Copies {
                    asked: to.map(|to| CopiesAsked { number: someone(to), until: at(60) }),
                    of: of.into_iter().map(someone).collect(),
                    ..Copies::default()
                };
                for (who, minute) in copied {
                    let caller = Caller::Number(someone(who));
                    add(&mut copies.untold, &mut copies.more, Tally { caller, count: 1, last_at: at(minute) });
                }
                CallBox {
                    asked: asked.into_iter().map(str::to_owned).collect(),
                    pending: pending.map(|(subscribe, minute)| Pending { question: question(subscribe), until: at(minute) }),
                    privacy: Privacy { hidden, hidden_from: hidden_from.into_iter().map(someone).collect(), notify },
                    awaiting: waits.into_iter().map(|one| Awaiting { caller: one.person, at: one.at }).collect(),
                    reachable,
                    notified,
                    told_of,
                    reached: reached.map(at),
                    heard: heard.into_iter().map(|saying| Word { to: someone(99_999), from: someone(1), at: NOW, saying }).collect(),
                    copies,
                    futile: futile.map(|(minute, key, count)| Futile { at: at(minute), key, count }),
    resent: sent_again_in_order(resent),
                    ..empty()
                }
            }
        }

    fn sent_again_in_order(resent: BTreeMap<i64, (i64, usize, bool, bool)>) -> Vec<Resent> {
        let each = |(of, (minute, lost, arrived, tells))| sent_again(of, minute, lost, arrived, tells);
        let mut resent: Vec<Resent> = resent.into_iter().map(each).collect();
        resent.sort_by_key(|one| one.at);
        resent
    }

    /// Two messages with the same calls, of which so many are lost.
    fn sent_again(of: i64, minute: i64, lost: usize, arrived: bool, tells: bool) -> Resent {
        let alerts = vec![AlertId(of), AlertId(of + 100)];
        let caller = Caller::Number(someone(900));
        let told = if tells { vec![Tally { caller, count: 2, last_at: at(minute) }] } else { Vec::new() };
        Resent { at: at(minute), lost: alerts[..lost].to_vec(), alerts, arrived, told, more: 0 }
    }

    #[test]
    fn calls_of_messages_that_are_lost_each_at_another_node_are_untold_once() {
        let with = |lost: &[i64], arrived| {
            let lost = lost.iter().copied().map(AlertId).collect();
            CallBox { resent: vec![Resent { lost, arrived, ..sent_again(1, 0, 0, false, true) }], ..empty() }
        };
        let base = with(&[], false);
        for (mine, theirs, calls) in [
            (with(&[1], false), with(&[101], false), 2),
            (with(&[101], false), with(&[1], false), 2),
            (with(&[1], false), with(&[1], false), 0),
            (with(&[1], false), with(&[], true), 0),
            (with(&[1], true), with(&[101], false), 0),
        ] {
            let merged = merge(&base, &mine, &theirs);
            let untold: u32 = merged.untold.iter().map(|tally| tally.count).sum();
            assert_eq!((untold, merged.resent.len()), (calls, 1), "{:?} {:?}", mine.resent, theirs.resent);
            let known = &merged.resent[0];
            assert_eq!(known.is_lost(), calls > 0);
            assert_eq!(merge(&theirs, &merged, &theirs), merged, "handed over twice");
        }
    }

    #[test]
    fn calls_that_one_node_gave_back_and_another_has_sent_again_do_not_wait() {
        let group = Resent { lost: vec![AlertId(1)], ..sent_again(1, 0, 0, false, true) };
        let base = CallBox { resent: vec![group.clone()], ..empty() };
        let mut mine = CallBox { resent: vec![Resent { lost: group.alerts.clone(), ..group.clone() }], ..empty() };
        mine.take_back(&group.told, group.more);
        let third = Resent { alerts: [group.alerts.as_slice(), &[AlertId(201)]].concat(), ..group };
        let theirs = CallBox { resent: vec![third], ..empty() };
        for (mine, theirs) in [(&mine, &theirs), (&theirs, &mine)] {
            let merged = merge(&base, mine, theirs);
            assert_eq!((merged.waiting(), merged.resent.len(), merged.resent[0].is_lost()), (false, 1, false));
        }
    }

    #[test]
    fn who_hid_on_two_nodes_from_more_than_fit_hides_from_everybody() {
        let half = u64::try_from(MAX_HIDDEN).unwrap() * 2 / 3;
        let hides = |from: u64| {
            let hidden_from = (from..from + half).map(someone).collect();
            CallBox { privacy: Privacy { hidden_from, ..Privacy::default() }, ..empty() }
        };
        let merged = merge(&empty(), &hides(0), &hides(100));
        assert!((0..half).chain(100..100 + half).all(|who| !merged.privacy.lets_know(someone(who))));
        assert!(merged.privacy.hidden_from.len() <= MAX_HIDDEN);
    }

    proptest! {
        #[test]
        fn what_only_one_side_changed_is_as_that_side_has_it(base in any_box(), changed in any_box()) {
            prop_assert_eq!(&merge(&base, &changed, &base), &changed);
            prop_assert_eq!(&merge(&base, &base, &changed), &changed);
        }

        #[test]
        fn each_field_that_only_one_side_changed_is_as_that_side_has_it(base in any_box(), changed in any_box()) {
            // The smallest change on the other side: an open alert that neither box names.
            let other = CallBox { open: Some(AlertId(77)), ..base.clone() };
            let alike = |call_box: &CallBox| CallBox { open: None, due: None, seen: Vec::new(), counted_in: Vec::new(), deferred: Vec::new(), untold: Vec::new(), more: 0, ..call_box.clone() };
            for merged in [merge(&base, &changed, &other), merge(&base, &other, &changed)] {
                prop_assert_eq!(alike(&merged), alike(&changed));
                let sorted = |call_box: &CallBox| { let mut all = call_box.deferred.clone(); all.sort_by_key(|what| *what as u8); all };
                prop_assert_eq!(sorted(&merged), sorted(&changed));
                prop_assert!(changed.counted_in.iter().all(|range| merged.counted_in.contains(range)));
            }
        }

        #[test]
        fn handing_over_a_second_time_from_where_it_is_now_changes_nothing(base in any_box(), mine in any_box(), theirs in any_box()) {
            let merged = merge(&base, &mine, &theirs);
            prop_assert_eq!(&merge(&mine, &mine, &merged), &merged);
        }

        #[test]
        fn bounds_hold_whatever_is_merged(base in any_box(), mine in any_box(), theirs in any_box()) {
            let merged = merge(&base, &mine, &theirs);
            prop_assert!(merged.untold.len() <= MAX_CALLERS && merged.seen.len() <= MAX_SEEN);
            prop_assert!(merged.messages.len() <= 2 * MAX_MESSAGES);
            prop_assert!(merged.awaiting.len() <= MAX_AWAITING && merged.reachable.len() <= MAX_AWAITING);
            prop_assert!(merged.told_of.len() <= MAX_AWAITING && merged.heard.len() <= MAX_HEARD);
            prop_assert!(merged.privacy.hidden_from.len() <= MAX_HIDDEN && merged.copies.of.len() <= MAX_COPIES);
            prop_assert!(merged.asked.len() <= MAX_ASKED && merged.copies.untold.len() <= MAX_CALLERS);
            let asked = merged.deferred.iter().filter(|what| **what == Deferred::Asked).count();
            prop_assert_eq!(asked, merged.asked.len(), "each request is named once");
            prop_assert!(merged.untold.iter().all(|tally| tally.count > 0));
            prop_assert!(merged.untold.is_sorted_by_key(|tally| tally.last_at));
            let distinct: BTreeSet<_> = merged.untold.iter().map(|tally| &tally.caller).collect();
            prop_assert_eq!(distinct.len(), merged.untold.len());
            let waits = |call_box: &CallBox| call_box.untold.iter().map(|tally| tally.count).sum::<u32>() + call_box.more;
            prop_assert!(waits(&merged) <= waits(&mine) + waits(&theirs), "calls out of nothing");
        }

        #[test]
        fn whom_one_side_told_is_awaited_by_neither(base in any_box(), mine in any_box(), theirs in any_box()) {
            let merged = merge(&base, &mine, &theirs);
            for one in &merged.awaiting {
                let dropped = |side: &CallBox| base.awaiting.contains(one) && !side.awaiting.contains(one);
                prop_assert!(!dropped(&mine) && !dropped(&theirs), "told again");
            }
            // Who was told of somebody is known to have been, as far as it is remembered at all.
            for told in mine.told_of.iter().chain(&theirs.told_of).filter(|told| !base.told_of.contains(told)) {
                let known = |one: &Reachable| one.person == told.person && one.rang_at >= told.rang_at;
                let later = merged.told_of.len() == MAX_AWAITING;
                prop_assert!(later || merged.told_of.iter().any(known), "forgotten that it was told");
            }
        }

        #[test]
        fn a_decision_about_privacy_on_one_side_is_kept(base in any_box(), mine in any_box(), theirs in any_box()) {
            let merged = merge(&base, &mine, &theirs).privacy;
            for (side, other) in [(&mine, &theirs), (&theirs, &mine)] {
                if other.privacy == base.privacy {
                    let sorted = |privacy: &Privacy| { let mut all = privacy.hidden_from.clone(); all.sort(); (privacy.hidden, privacy.notify, all) };
                    prop_assert_eq!(sorted(&merged), sorted(&side.privacy));
                }
            }
        }

        #[test]
        fn every_call_counts_once_and_what_either_told_is_told(before in steps(), mine in steps(), theirs in steps()) {
            let base = Node::new().live(&before);
            let (mine, theirs) = (base.live(&mine), base.live(&theirs));
            let both = mine.hand_over(&base, &theirs);
            let (truth, merged) = both.truth_and_box();
            prop_assert_eq!(merged, truth);
            prop_assert_eq!(names(&both.call_box), &names(&mine.call_box) | &names(&theirs.call_box));
        }

        #[test]
        fn a_hand_over_that_is_replayed_changes_no_count(before in steps(), mine in steps(), theirs in steps()) {
            let base = Node::new().live(&before);
            let (mine, theirs) = (base.live(&mine), base.live(&theirs));
            let once = mine.hand_over(&base, &theirs);
            let twice = mine.hand_over(&base, &once);
            prop_assert_eq!(counts(&twice.call_box), counts(&once.call_box));
            prop_assert_eq!(names(&twice.call_box), names(&once.call_box));
        }

        #[test]
        fn nodes_hand_over_in_any_order(before in steps(), nodes in [steps(), steps(), steps()]) {
            let base = Node::new().live(&before);
            let [one, two, three] = nodes.map(|steps| base.live(&steps));
            let orders = [[&one, &two, &three], [&three, &two, &one], [&two, &one, &three]];
            for [first, second, third] in orders {
                let all = third.hand_over(&base, &second.hand_over(&base, &first.hand_over(&base, &base)));
                let (truth, merged) = all.truth_and_box();
                prop_assert_eq!(merged, truth);
            }
        }

        #[test]
        fn a_box_that_was_handed_over_lives_on_and_is_handed_over_again(
            before in steps(),
            outages in vec((steps(), steps()), 1..4),
        ) {
            let mut base = Node::new().live(&before);
            for (mine, theirs) in outages {
                let (mine, theirs) = (base.live(&mine), base.live(&theirs));
                base = mine.hand_over(&base, &theirs);
                let (truth, merged) = base.truth_and_box();
                prop_assert_eq!(merged, truth);
            }
        }

        #[test]
        fn changes_of_two_nodes_commute_in_their_counts(base in any_box(), one in any_box(), other in any_box()) {
            let (there, back) = (merge(&base, &one, &other), merge(&base, &other, &one));
            prop_assert_eq!(counts(&there), counts(&back));
            prop_assert_eq!((there.more, there.alerted_at, there.due), (back.more, back.alerted_at, back.due));
        }
    }

    fn merged(base: &CallBox, mine: impl Fn(&mut CallBox), theirs: impl Fn(&mut CallBox)) -> CallBox {
        let (mut here, mut there) = (base.clone(), base.clone());
        mine(&mut here);
        theirs(&mut there);
        merge(base, &here, &there)
    }

    fn node_with(steps: &[Step]) -> CallBox {
        Node::new().live(steps).call_box
    }

    #[test]
    fn a_call_that_came_while_both_nodes_told_the_same_earlier_ones_is_not_lost() {
        use Step::{Call, Tell};
        let base = Node::new().live(&[Call(0), Call(5)]);
        let (mine, theirs) = (base.live(&[Tell]), base.live(&[Tell, Call(10)]));
        assert_eq!(counts(&mine.hand_over(&base, &theirs).call_box), [(who(0), 1)]);
        assert_eq!(counts(&theirs.hand_over(&base, &mine).call_box), [(who(0), 1)]);
    }

    #[test]
    fn calls_in_an_update_are_in_the_alert_and_come_back_with_those_that_another_node_counted() {
        let counted = |call_box: &mut CallBox, name: u8| {
            call_box.seen.push(call(name));
            call_box.count(&who(name), call(name).at);
        };
        let mut base = empty();
        base.open = Some(AlertId(1));
        counted(&mut base, 0);
        // Here the call goes into the update of the open alert; there another comes.
        let update = |call_box: &mut CallBox| drop(call_box.take_untold());
        let both = merged(&base, update, |call_box| counted(call_box, 1));
        assert_eq!((counts(&both), both.open), (vec![(who(1), 1)], Some(AlertId(1))));
        // The update is given up here; there, meanwhile, a third.
        let mut updating = base.clone();
        update(&mut updating);
        let given_back = |call_box: &mut CallBox| call_box.take_back(&base.untold, 0);
        let mut both = merged(&updating, given_back, |call_box| counted(call_box, 2));
        assert_eq!(counts(&both), [(who(0), 1), (who(2), 1)]);
        // Taken back from the SMSC, and nobody heard of the alert that takes its place: what is untold is looked at.
        let superseded = AlertState::Superseded { at: NOW };
        settle_open(&mut both, Some(&Alert { id: AlertId(1), state: superseded, ..teaser() }), NOW);
        assert_eq!((both.open, both.due), (None, Some(NOW)));
    }

    #[test]
    fn calls_that_seen_no_longer_names_are_added_and_taken_away_by_number() {
        let mut base = empty();
        base.take_back(&[Tally { caller: who(0), count: 5, last_at: at(1) }], 7);
        let told_here = |call_box: &mut CallBox| call_box.clear_untold();
        let more_there =
            |call_box: &mut CallBox| call_box.take_back(&[Tally { caller: who(0), count: 2, last_at: at(9) }], 1);
        let both = merged(&base, told_here, more_there);
        assert_eq!((both.untold, both.more), (vec![Tally { caller: who(0), count: 2, last_at: at(9) }], 1));
        let both = merged(&base, told_here, |call_box| {
            call_box.clear_untold();
            call_box.open = Some(AlertId(1));
        });
        assert_eq!((both.untold, both.more), (vec![], 0));
    }

    #[test]
    fn a_call_that_came_by_both_ways_counts_twice_only_where_nobody_can_tell_it_apart() {
        let hidden = |call_box: &mut CallBox, key: u64, caller: &Caller| {
            call_box.seen.push(Seen { key, at: at(1), source: Source::Sip, caller: None });
            call_box.count(caller, at(1));
        };
        let replayed = |other: Option<Caller>| {
            let mine = |call_box: &mut CallBox| hidden(call_box, 1, &Caller::Withheld);
            let theirs = |call_box: &mut CallBox| {
                hidden(call_box, 1, &Caller::Withheld);
                if let Some(other) = &other {
                    hidden(call_box, 2, other);
                }
                call_box.open = Some(AlertId(1));
            };
            counts(&merged(&empty(), mine, theirs))
        };
        assert_eq!(replayed(None), [(Caller::Withheld, 1)]);
        assert_eq!(replayed(Some(Caller::Unknown)), [(Caller::Withheld, 2), (Caller::Unknown, 1)]);
    }

    #[test]
    fn what_was_told_is_forgotten_first() {
        let seen = |from: u64, minute: i64| {
            (from..from + 100).map(move |key| Seen {
                key,
                at: at(minute),
                source: Source::Sip,
                caller: Some(someone(key)),
            })
        };
        let told_there = |call_box: &mut CallBox| call_box.seen.extend(seen(0, 10));
        let waits_here = |call_box: &mut CallBox| {
            call_box.seen.extend(seen(1_000, 5));
            for key in 1_000..1_010 {
                call_box.count(&Caller::Number(someone(key)), at(5));
            }
        };
        let both = merged(&empty(), waits_here, told_there);
        assert_eq!((both.seen.len(), both.untold.len()), (MAX_SEEN, 10));
        assert!((1_000..1_010).all(|key| both.seen[MAX_SEEN - 10..].iter().any(|seen| seen.key == key)));
        assert!(both.seen[..MAX_SEEN - 10].is_sorted_by_key(|seen| seen.at));
        assert_eq!(both.seen.iter().filter(|seen| seen.key < 1_000).count(), 100, "the older ones went");
    }

    #[test]
    fn a_fetch_that_the_database_granted_stays_granted() {
        let offer = |fetched| Offer {
            range: RangeName("north".to_owned()),
            teased_at: at(0),
            expires_at: at(60),
            campaign: None,
            fetched,
            silent_until: None,
        };
        let granted = Some(Fetched { at: at(3), list: Vec::new(), more: 2 });
        let mut base = empty();
        base.offer = Some(offer(None));
        let longer = |call_box: &mut CallBox| call_box.offer.iter_mut().for_each(|offer| offer.expires_at = at(90));
        let both = merged(&base, longer, |call_box| call_box.offer = Some(offer(granted.clone()))).offer.unwrap();
        assert_eq!((both.expires_at, both.fetched), (at(90), granted.clone()));
        let another = |call_box: &mut CallBox| call_box.offer = Some(Offer { teased_at: at(9), ..offer(None) });
        let both = merged(&base, another, |call_box| call_box.offer = Some(offer(granted.clone()))).offer.unwrap();
        assert_eq!((both.teased_at, both.fetched), (at(9), None), "that was another offer's");
        let both =
            merged(&base, |call_box| call_box.offer = None, |call_box| call_box.offer = Some(offer(granted.clone())));
        assert_eq!(both.offer, None, "refused or subscribed here");
    }

    #[test]
    fn the_first_refusal_counts_and_a_subscription_here_lifts_it() {
        let refused = |base: Option<i64>, mine: Option<i64>, theirs: Option<i64>| {
            let set = |time: Option<i64>| move |call_box: &mut CallBox| call_box.refused_at = time.map(at);
            let mut from = empty();
            set(base)(&mut from);
            // Both sides changed something else too.
            let and = |time, open| {
                move |call_box: &mut CallBox| {
                    set(time)(call_box);
                    call_box.open = Some(AlertId(open));
                }
            };
            merged(&from, and(mine, 1), and(theirs, 2)).refused_at
        };
        assert_eq!(refused(None, Some(5), Some(3)), Some(at(3)));
        assert_eq!(refused(None, Some(3), Some(5)), Some(at(3)));
        assert_eq!(refused(None, Some(5), None), Some(at(5)));
        assert_eq!(refused(None, None, Some(5)), Some(at(5)));
        assert_eq!(refused(Some(1), None, Some(1)), None);
        assert_eq!(refused(Some(1), None, Some(9)), None);
        assert_eq!(refused(Some(1), Some(1), None), None);
        assert_eq!(refused(Some(1), Some(1), Some(9)), Some(at(9)));
    }

    #[test]
    fn days_and_windows_add_up_when_they_are_the_same() {
        let mut base = empty();
        base.today = Some((10, 3));
        base.replies = Some(RateWindow { since: at(0), count: 2 });
        let set = |day, alerts, since: i64, count| {
            move |call_box: &mut CallBox| {
                call_box.today = Some((day, alerts));
                call_box.replies = Some(RateWindow { since: at(since), count });
            }
        };
        let added =
            |one: CallBox| (one.today.unwrap(), one.replies.map(|window| (window.since, window.count)).unwrap());
        assert_eq!(added(merged(&base, set(10, 5, 0, 3), set(10, 4, 0, 6))), ((10, 6), (at(0), 7)));
        assert_eq!(added(merged(&base, set(11, 1, 5, 1), set(10, 9, 0, 9))), ((11, 1), (at(5), 1)));
        assert_eq!(added(merged(&base, set(10, 9, 0, 9), set(11, 1, 5, 1))), ((11, 1), (at(5), 1)));
        assert_eq!(added(merged(&base, set(11, 2, 5, 1), set(11, 1, 5, 2))), ((11, 3), (at(5), 3)));
    }

    #[test]
    fn what_was_deferred_is_answered_unless_it_was_taken_back() {
        let mut base = empty();
        base.deferred = vec![Deferred::Fetch, Deferred::Calls];
        let mine = |call_box: &mut CallBox| call_box.deferred = vec![Deferred::Calls, Deferred::Subscribe];
        let theirs =
            |call_box: &mut CallBox| call_box.deferred = vec![Deferred::Alerts, Deferred::Fetch, Deferred::Calls];
        assert_eq!(merged(&base, mine, theirs).deferred, [Deferred::Alerts, Deferred::Calls, Deferred::Subscribe]);
    }

    #[test]
    fn a_box_is_looked_at_as_early_as_either_side_asked() {
        let due = |base: Option<i64>, mine: Option<i64>, theirs: Option<i64>| {
            let mut from = empty();
            from.due = base.map(at);
            let set = |time: Option<i64>, open| {
                move |call_box: &mut CallBox| {
                    call_box.due = time.map(at);
                    call_box.open = Some(AlertId(open));
                }
            };
            merged(&from, set(mine, 1), set(theirs, 2)).due
        };
        assert_eq!(due(None, Some(3), Some(5)), Some(at(3)));
        assert_eq!(due(Some(1), None, None), None);
        assert_eq!(due(Some(4), None, Some(4)), Some(at(4)), "calls there may wait for it");
        assert_eq!(due(Some(4), Some(4), None), Some(at(4)), "calls here may wait for it");
    }

    #[test]
    fn the_open_alert_is_the_one_made_here_else_theirs() {
        let open = |mine: Option<i64>, theirs: Option<i64>| {
            let mut base = empty();
            base.open = Some(AlertId(1));
            let set = |id: Option<i64>, more| {
                move |call_box: &mut CallBox| {
                    call_box.open = id.map(AlertId);
                    call_box.more = more;
                }
            };
            merged(&base, set(mine, 1), set(theirs, 2)).open.map(|id| id.0)
        };
        assert_eq!(open(Some(2), Some(3)), Some(2));
        assert_eq!(open(Some(1), Some(3)), Some(3));
        assert_eq!(open(None, Some(1)), None);
    }

    fn teaser() -> Alert {
        Alert {
            id: AlertId(7),
            to: someone(99_999),
            kind: Kind::Teaser,
            source: Address::ShortCode(ShortNumber::parse("12599").unwrap()),
            text: "missed calls".to_owned(),
            told: Vec::new(),
            more: 0,
            created_at: NOW,
            validity: MINUTE,
            attempts: 0,
            doubts: 0,
            put_off: 0,
            avoid: None,
            campaign: None,
            again: None,
            trail: Vec::new(),
            state: AlertState::Queued { not_before: NOW },
        }
    }

    fn every_state() -> Vec<(AlertState, bool)> {
        let at = NOW;
        vec![
            (AlertState::Queued { not_before: at }, true),
            (AlertState::Sending { since: at }, true),
            (AlertState::Accepted { at, smsc: SmscName("smsc1".to_owned()), parts: Vec::new(), update: None }, true),
            (AlertState::InDoubt { since: at }, false),
            (AlertState::Delivered { at }, false),
            (AlertState::Undelivered { at }, false),
            (AlertState::Expired { at }, false),
            (AlertState::Failed { at, why: FailedWhy::TooLate }, false),
        ]
    }

    #[test]
    fn a_box_waits_only_for_an_alert_that_goes_on() {
        let waiting = CallBox { open: Some(AlertId(7)), ..node_with(&[Step::Call(0)]) };
        for (state, goes_on) in every_state() {
            let mut call_box = waiting.clone();
            settle_open(&mut call_box, Some(&Alert { state: state.clone(), ..teaser() }), NOW);
            let settled = CallBox { open: None, due: Some(NOW), ..waiting.clone() };
            assert_eq!(call_box, if goes_on { waiting.clone() } else { settled }, "{}", state.as_str());
        }
        for unknown in [None, Some(Alert { id: AlertId(8), ..teaser() })] {
            let mut call_box = waiting.clone();
            settle_open(&mut call_box, unknown.as_ref(), NOW);
            assert_eq!((call_box.open, call_box.due), (None, Some(NOW)));
        }
    }

    #[test]
    fn a_box_without_calls_that_wait_is_not_looked_at_and_one_without_an_open_alert_is_left_alone() {
        let mut nothing_waits = CallBox { open: Some(AlertId(7)), ..empty() };
        settle_open(&mut nothing_waits, None, NOW);
        assert_eq!(nothing_waits, empty());
        let held = CallBox { due: Some(NOW + MINUTE), ..node_with(&[Step::Call(0)]) };
        let mut still_held = held.clone();
        settle_open(&mut still_held, None, NOW);
        assert_eq!(still_held, held);
    }

    /// A box before and after a teaser was decided, with a call in it.
    fn teased(before: CallBox) -> (CallBox, CallBox) {
        let mut after = before.clone();
        after.count(&who(0), NOW);
        after.seen.push(call(0));
        after.counted_in.push(RangeName("north".to_owned()));
        after.open = Some(AlertId(7));
        after.alerted_at = Some(NOW);
        after.today = Some(match before.today {
            Some((20, count)) => (20, count + 1),
            _ => (20, 1),
        });
        after.offer = Some(Offer {
            range: RangeName("north".to_owned()),
            teased_at: NOW,
            expires_at: NOW + MINUTE,
            campaign: None,
            fetched: None,
            silent_until: None,
        });
        (before, after)
    }

    #[test]
    fn a_teaser_taken_back_leaves_only_its_calls() {
        let earlier = Offer {
            range: RangeName("south".to_owned()),
            teased_at: at(-9),
            expires_at: at(-1),
            campaign: None,
            fetched: None,
            silent_until: None,
        };
        let counted_in = vec![RangeName("south".to_owned())];
        let known = CallBox { counted_in, offer: Some(earlier), alerted_at: Some(at(-9)), ..empty() };
        for before in
            [empty(), CallBox { today: Some((19, 4)), ..known.clone() }, CallBox { today: Some((20, 4)), ..known }]
        {
            let (base, mut call_box) = teased(before);
            let mut alert = teaser();
            assert!(withdraw_unshared_teaser(&mut call_box, &mut alert, &base, NOW));
            assert_eq!(alert.state, AlertState::Failed { at: NOW, why: FailedWhy::Withdrawn });
            let left = CallBox { untold: call_box.untold.clone(), seen: call_box.seen.clone(), ..base.clone() };
            assert_eq!((&call_box, counts(&call_box)), (&left, vec![(who(0), 1)]));
            assert!(!withdraw_unshared_teaser(&mut call_box, &mut alert, &base, NOW), "a second time");
        }
    }

    #[test]
    fn what_followed_the_teaser_stays_when_it_is_taken_back() {
        let (base, mut call_box) = teased(empty());
        let offer = Offer { teased_at: at(5), ..call_box.offer.clone().unwrap() };
        call_box.offer = Some(offer.clone());
        call_box.open = Some(AlertId(8));
        call_box.alerted_at = Some(at(5));
        call_box.today = Some((20, 2));
        assert!(withdraw_unshared_teaser(&mut call_box, &mut teaser(), &base, NOW));
        assert_eq!((call_box.offer, call_box.open), (Some(offer), Some(AlertId(8))));
        assert_eq!((call_box.alerted_at, call_box.today), (Some(at(5)), Some((20, 2))));
    }

    #[test]
    fn a_teaser_that_left_or_is_shared_is_not_taken_back() {
        let (base, call_box) = teased(empty());
        let queued = AlertState::Queued { not_before: NOW };
        let mut alerts: Vec<Alert> = every_state()
            .into_iter()
            .filter(|(state, _)| *state != queued)
            .map(|(state, _)| Alert { state, ..teaser() })
            .collect();
        alerts.push(Alert { doubts: 1, ..teaser() });
        alerts.extend([Kind::Fallback, Kind::Detail, Kind::Notice].map(|kind| Alert { kind, ..teaser() }));
        let shared = [
            CallBox { open: Some(AlertId(7)), ..base.clone() },
            CallBox { offer: call_box.offer.clone(), ..base.clone() },
        ];
        let cases = alerts.into_iter().map(|alert| (alert, &base)).chain(shared.iter().map(|base| (teaser(), base)));
        for (alert, base) in cases {
            let (mut same_box, mut same_alert) = (call_box.clone(), alert.clone());
            assert!(!withdraw_unshared_teaser(&mut same_box, &mut same_alert, base, NOW));
            assert_eq!((&same_box, &same_alert), (&call_box, &alert));
        }
    }

    #[test]
    fn a_teaser_taken_back_and_handed_over_leaves_an_offer_made_elsewhere() {
        let (base, mut call_box) = teased(empty());
        withdraw_unshared_teaser(&mut call_box, &mut teaser(), &base, NOW);
        let (_, mut theirs) = teased(empty());
        theirs.seen.clear();
        theirs.clear_untold();
        let both = merge(&base, &call_box, &theirs);
        assert_eq!((&both.offer, &both.counted_in, both.today), (&theirs.offer, &theirs.counted_in, theirs.today));
        assert_eq!((both.open, counts(&both)), (theirs.open, vec![(who(0), 1)]));
    }
}
