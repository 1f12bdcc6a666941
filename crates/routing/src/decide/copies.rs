//! Copies of a subscriber's alerts to another number: offered, agreed to, sent, and ended, by words between the two boxes.
//!
//! ```text
//! B: COPY C ─▶ CopyAsked ─▶ C is asked ─▶ C: YES ─▶ CopyAgreed ─▶ B's copies go to C
//! B's calls are told ─▶ Copy ─▶ C, unless C refused ─▶ CopyEnded ─▶ B's copies end
//! ```
//! No word but [`Saying::CopyEnded`] is an answer to a word, and nothing answers that: no two boxes talk for ever. A copy is made of calls that B
//! missed, never of a copy.

use std::time::Duration;

use model::{Kind, MissedCall, Msisdn, Timestamp, split};

use super::call::today;
use super::case::{Case, NewAlert};
use super::tell::list_text;
use crate::call_box::add;
use crate::text::Say;
use crate::{
    CopiesAsked, CopiesMade, Effect, MAX_COPIES, NothingWhy, Pending, Question, ReplyVerdict, Saying, Subscriber,
    SubscriberStatus, Tally, Verdict, Word,
};

/// How often is looked whether a day that has all its copies is over.
const FULL_DAY_LOOK: Duration = Duration::from_secs(3600);

/// Says something to another box.
pub(super) fn say(case: &mut Case<'_>, to: Msisdn, saying: Saying) {
    let (from, at) = (case.call_box.called, case.now);
    case.effect(Effect::Word(Word { to, from, at, saying }));
}

/// Remembers a subscriber's call for the next copy.
pub(super) fn count(case: &mut Case<'_>, call: &MissedCall) {
    if case.subscriber().is_some_and(|subscriber| subscriber.copy_to.is_some()) {
        let copies = &mut case.call_box.copies;
        add(&mut copies.untold, &mut copies.more, Tally { caller: call.caller.clone(), count: 1, last_at: call.at });
    }
}

/// Once the calls are told here, they are told to the other number too: as often as alerts may be, or later with others.
pub(super) fn pass_on(case: &mut Case<'_>) {
    if case.call_box.copies.untold.is_empty() || case.call_box.waiting() || case.in_the_dark() {
        return;
    }
    let active = case.subscriber().filter(|subscriber| subscriber.status == SubscriberStatus::Active);
    let Some(to) = active.and_then(|subscriber| subscriber.copy_to) else { return forget_calls(case) };
    let (now, today) = (case.now, today(case));
    if let Some(at) = not_before(case, today) {
        case.look_again(at);
        return;
    }
    let copies = &mut case.call_box.copies;
    let (mut told, more) = (std::mem::take(&mut copies.untold), std::mem::take(&mut copies.more));
    told.reverse();
    let earlier = copies.made.filter(|made| made.day == today).map_or(0, |made| made.count);
    copies.made = Some(CopiesMade { at: now, day: today, count: earlier.saturating_add(1) });
    say(case, to, Saying::Copy { told, more });
}

/// When to look whether the next copy may be made, if it may not be now.
fn not_before(case: &Case<'_>, today: i32) -> Option<Timestamp> {
    let (limits, made) = (&case.policy.limits, case.call_box.copies.made?);
    if made.day == today && made.count >= limits.daily_cap {
        return Some(case.now + FULL_DAY_LOOK);
    }
    Some(made.at + limits.min_interval).filter(|at| *at > case.now)
}

/// A copy came. Who refused, or must not be contacted, doesn't get it, and the sender makes no more.
pub(super) fn copied(case: &mut Case<'_>, from: Msisdn, told: &[Tally], more: u32) -> Verdict {
    if let Some(why) = unwelcome(case) {
        if why != NothingWhy::Suspended {
            case.call_box.copies.of.retain(|known| *known != from);
            say(case, from, Saying::CopyEnded);
        }
        return Verdict::Nothing(why);
    }
    let of = &mut case.call_box.copies.of;
    if !of.contains(&from) && of.len() < MAX_COPIES {
        of.push(from);
    }
    let kind = if case.abnormal() { Kind::Fallback } else { Kind::Detail };
    let text = copy_text(case, kind, from, told, more);
    // These are not the reader's calls: they are never given back to the reader's box, whatever becomes of the alert.
    case.queue(NewAlert { kind, text, told: Vec::new(), more: 0 });
    Verdict::Send(kind)
}

fn copy_text(case: &Case<'_>, kind: Kind, from: Msisdn, told: &[Tally], more: u32) -> String {
    let number = case.shown(from);
    let head = case.say(Say::CopyOf, &[("number", &number)]);
    // The head takes room from the callers, not from the bound.
    let most = case.policy.limits.max_parts;
    let mut shown = told.len();
    loop {
        let rest = told.iter().skip(shown).fold(more, |sum, tally| sum.saturating_add(tally.count));
        let text = format!("{head}\n{}", list_text(case, kind, told.get(..shown).unwrap_or(told), rest));
        if shown <= 1 || split(&text).parts.len() <= most {
            return text;
        }
        shown -= 1;
    }
}

/// Somebody offers copies: asks whether they are wanted. One question at a time, none that would take the place of
/// another, and none soon after one that was taken back.
pub(super) fn offered(case: &mut Case<'_>, from: Msisdn) -> Verdict {
    if let Some(why) = unwelcome(case) {
        return Verdict::Nothing(why);
    }
    let asked = case.call_box.pending.is_some_and(|pending| pending.until > case.now);
    let lately = case.call_box.copies.questioned.is_some_and(|until| until > case.now);
    if asked || lately || case.call_box.copies.of.len() >= MAX_COPIES {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    let until = case.now + case.policy.self_service.confirm_within;
    case.call_box.pending = Some(Pending { question: Question::CopiesOf(from), until });
    case.call_box.copies.questioned = Some(until);
    let number = case.shown(from);
    let text = case.say(Say::CopyQuestion, &[("number", &number)]);
    case.queue_notice(text);
    Verdict::Send(Kind::Notice)
}

/// Why no copies may go to this person.
fn unwelcome(case: &Case<'_>) -> Option<NothingWhy> {
    if case.call_box.refused_at.is_some() {
        return Some(NothingWhy::Refused);
    }
    if case.view.listed.do_not_contact {
        return Some(NothingWhy::DoNotContact);
    }
    let suspended = |subscriber: &Subscriber| subscriber.status == SubscriberStatus::Suspended;
    case.subscriber().is_some_and(suspended).then_some(NothingWhy::Suspended)
}

/// The number that was offered copies wants them. If the offer was taken back meanwhile, it is told that there won't be any.
pub(super) fn agreed(case: &mut Case<'_>, from: Msisdn) -> Verdict {
    let asked = case.call_box.copies.asked.is_some_and(|asked| asked.number == from);
    let subscriber = case.subscriber().filter(|subscriber| subscriber.status == SubscriberStatus::Active).cloned();
    let Some(subscriber) = subscriber.filter(|_| asked) else {
        if case.subscriber().and_then(|subscriber| subscriber.copy_to) != Some(from) {
            say(case, from, Saying::CopyEnded);
        }
        return Verdict::Nothing(NothingWhy::NoChange);
    };
    case.call_box.copies.asked = None;
    if let Some(before) = subscriber.copy_to.filter(|before| *before != from) {
        say(case, before, Saying::CopyEnded);
    }
    case.register(Subscriber { copy_to: Some(from), ..subscriber });
    let number = case.shown(from);
    let text = case.say(Say::CopyBegins, &[("number", &number)]);
    case.queue_notice(text);
    Verdict::Send(Kind::Notice)
}

/// The other side wants no more: of copies from here, or sends none here.
pub(super) fn ended(case: &mut Case<'_>, from: Msisdn) -> Verdict {
    let of_this = |pending: &mut Pending| pending.question == Question::CopiesOf(from);
    case.call_box.pending.take_if(of_this);
    case.call_box.copies.asked.take_if(|asked| asked.number == from);
    let before = case.call_box.copies.of.len();
    case.call_box.copies.of.retain(|known| *known != from);
    let mut told = case.call_box.copies.of.len() < before;
    if let Some(subscriber) = case.subscriber().filter(|subscriber| subscriber.copy_to == Some(from)).cloned() {
        case.register(Subscriber { copy_to: None, ..subscriber });
        forget_calls(case);
        told = true;
    }
    if !told {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    case.notice(ReplyVerdict::CopyEnded);
    Verdict::Send(Kind::Notice)
}

fn forget_calls(case: &mut Case<'_>) {
    case.call_box.copies.untold.clear();
    case.call_box.copies.more = 0;
}

/// Ends all copies to this person, and questions about them.
pub(super) fn end_to_here(case: &mut Case<'_>) {
    let of_copies = |pending: &mut Pending| matches!(pending.question, Question::CopiesOf(_));
    let asked = case.call_box.pending.take_if(of_copies).map(|pending| pending.question);
    for from in std::mem::take(&mut case.call_box.copies.of) {
        say(case, from, Saying::CopyEnded);
    }
    if let Some(Question::CopiesOf(from)) = asked {
        say(case, from, Saying::CopyEnded);
    }
}

/// Ends copies from this person, and the offer of them.
pub(super) fn end_from_here(case: &mut Case<'_>) {
    let to = case.subscriber().and_then(|subscriber| subscriber.copy_to);
    let asked = case.call_box.copies.asked.take().map(|asked| asked.number);
    for other in to.into_iter().chain(asked.filter(|asked| Some(*asked) != to)) {
        say(case, other, Saying::CopyEnded);
    }
    forget_calls(case);
}

/// Offers copies to another number.
pub(super) fn offer(case: &mut Case<'_>, to: Msisdn) {
    if let Some(before) = case.call_box.copies.asked.filter(|asked| asked.number != to) {
        say(case, before.number, Saying::CopyEnded);
    }
    // The other side's time to answer begins a little later.
    let until = case.now + case.policy.self_service.confirm_within.saturating_mul(2);
    case.call_box.copies.asked = Some(CopiesAsked { number: to, until });
    say(case, to, Saying::CopyAsked);
}
