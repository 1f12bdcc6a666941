//! A person texted us.

mod copy;
mod fetch;
mod language;
mod pause;
mod privacy;
mod subscription;

use model::Reply;

use super::call::fnv1a;
use super::case::Case;
use super::prune::FUTILE_FOR;
use super::{courtesy, record};
use crate::parts::{self, Collected};
use crate::{
    Action, CallBox, Deferred, EvidenceOf, Futile, MAX_ASKED, NothingWhy, RateWindow, ReplyVerdict, Request,
    Subscriber, SubscriberStatus, Verdict, normalise,
};

pub(super) use fetch::fetch;
pub(super) use subscription::subscribe;

/// Answers in a row to texts that change nothing. A person finds the right word, or gives up, sooner; two machines never do.
const MOST_FUTILE: u32 = 5;

pub(super) fn replied(case: &mut Case<'_>, reply: &Reply) -> Verdict {
    let Some(texted) = case.policy.service.texted(&reply.to) else {
        return Verdict::Reply(ReplyVerdict::NotOurNumber);
    };
    case.texted = Some(texted.clone());
    let Some(part) = reply.part else { return Verdict::Reply(answer(case, &reply.text)) };
    let collected = parts::collect(&mut case.call_box.messages, part, texted, &reply.text, case.now);
    case.look_at_messages();
    match collected {
        Collected::Whole(text) => Verdict::Reply(answer(case, &text)),
        Collected::Alone => Verdict::Reply(answer(case, &reply.text)),
        Collected::Waiting => Verdict::Reply(ReplyVerdict::Waiting),
        Collected::Repeated => Verdict::Nothing(NothingWhy::NoChange),
    }
}

/// Decides the text of a whole message, or what came of it in time. What changes nothing is answered a few times in a row and no more, and not twice
/// when it says the same: so every exchange with another machine ends.
pub(super) fn answer(case: &mut Case<'_>, text: &str) -> ReplyVerdict {
    let before = case.call_box.clone();
    let verdict = decided(case, text);
    match verdict {
        // Bounded and told once by themselves; they say nothing of whether a person or a machine writes.
        ReplyVerdict::RateLimited | ReplyVerdict::Deferred => return verdict,
        _ if !is_futile(case, verdict, &before) => case.call_box.futile = None,
        _ => {
            let known = case.call_box.futile.filter(|futile| case.now.since(futile.at) < FUTILE_FOR);
            let key = fnv1a(&normalise(text));
            let (count, same) = known.map_or((0, false), |futile| (futile.count, futile.key == key));
            let once = matches!(verdict, ReplyVerdict::WrongKeyword | ReplyVerdict::Unsubscribed);
            if count >= MOST_FUTILE || (same && once) {
                case.unsay();
            }
            case.call_box.futile = Some(Futile { at: case.now, key, count: count.saturating_add(1) });
        }
    }
    verdict
}

/// Whether a text changed nothing but what is remembered of texts.
fn is_futile(case: &Case<'_>, verdict: ReplyVerdict, before: &CallBox) -> bool {
    let asks_again = matches!(verdict, ReplyVerdict::AlreadyFetched | ReplyVerdict::ConfirmationAsked);
    let after = &case.call_box;
    let same = CallBox { replies: before.replies, due: before.due, messages: before.messages.clone(), ..after.clone() };
    asks_again || (case.only_answers() && same == *before)
}

fn decided(case: &mut Case<'_>, text: &str) -> ReplyVerdict {
    let request = understood(case, text);
    case.said = Some(text.to_owned());
    if request.is_some() {
        courtesy::acted(case);
    }
    let over = over_the_limit(case);
    let argument = request.as_ref().map_or("", |request| request.argument.as_str());
    match request.as_ref().map(|request| request.action) {
        // These always count, whatever the rate and whatever the database: the box alone says so.
        Some(Action::Refuse) => subscription::refuse(case, over.is_some()),
        Some(Action::Unsubscribe) => subscription::unsubscribe(case, over.is_some()),
        Some(Action::Hide) => privacy::hide(case, argument, over.is_some()),
        Some(Action::NotifyOff) => privacy::notify_off(case, over.is_some()),
        _ if over.is_some() => {
            if over == Some(Over::Just) {
                case.notice(ReplyVerdict::RateLimited);
            }
            ReplyVerdict::RateLimited
        }
        None => not_understood(case),
        Some(Action::Help) => act(case, Action::Help, ""),
        Some(action) if case.abnormal() => later(case, action, text),
        Some(action) => act(case, action, argument),
    }
}

/// What a text asks for that is offered here.
fn understood(case: &Case<'_>, text: &str) -> Option<Request> {
    let policy = case.policy;
    policy.keywords.request(text).filter(|request| match request.action {
        Action::Copy => policy.self_service.copies,
        // Who has turned it off may say so again, but nobody is promised what isn't done.
        Action::NotifyOn => policy.notify.on,
        Action::Fetch
        | Action::Subscribe
        | Action::Unsubscribe
        | Action::Refuse
        | Action::Help
        | Action::Confirm
        | Action::Pause
        | Action::Resume
        | Action::NotifyOff
        | Action::Hide
        | Action::Show
        | Action::Language => true,
    })
}

/// Does what is asked for, the database being normal (help needs none).
fn act(case: &mut Case<'_>, action: Action, argument: &str) -> ReplyVerdict {
    match action {
        Action::Fetch => fetch(case),
        Action::Subscribe => subscribe(case),
        Action::Unsubscribe => subscription::unsubscribe(case, false),
        Action::Refuse => subscription::refuse(case, false),
        Action::Help => answered(case, ReplyVerdict::Help),
        Action::Confirm => subscription::confirm(case),
        Action::Pause => pause::pause(case, argument),
        Action::Resume => pause::resume(case),
        Action::NotifyOn => privacy::notify_on(case),
        Action::NotifyOff => privacy::notify_off(case, false),
        Action::Hide => privacy::hide(case, argument, false),
        Action::Show => privacy::show(case, argument),
        Action::Language => language::language(case, argument),
        Action::Copy => copy::copy(case, argument),
    }
}

/// The database is abnormal: what is asked for is done afterwards, in the order it was asked. Told once.
fn later(case: &mut Case<'_>, action: Action, text: &str) -> ReplyVerdict {
    let asks = |what: &Deferred| matches!(what, Deferred::Fetch | Deferred::Subscribe | Deferred::Asked);
    let first = !case.call_box.deferred.iter().any(asks);
    match action {
        Action::Fetch => case.defer(Deferred::Fetch),
        Action::Subscribe => {
            // Their words: what is decided after recovery has none.
            if !case.call_box.deferred.contains(&Deferred::Subscribe) {
                record::evidence(case, EvidenceOf::SubscriptionAsked);
            }
            case.defer(Deferred::Subscribe);
        }
        Action::Unsubscribe
        | Action::Refuse
        | Action::Help
        | Action::Confirm
        | Action::Pause
        | Action::Resume
        | Action::NotifyOn
        | Action::NotifyOff
        | Action::Hide
        | Action::Show
        | Action::Language
        | Action::Copy => {
            if case.call_box.asked.len() >= MAX_ASKED {
                return answered(case, ReplyVerdict::RateLimited);
            }
            // A question that has run out is not answered; one that has not is kept until the answer is decided.
            if !case.call_box.deferred.contains(&Deferred::Asked) {
                case.call_box.pending.take_if(|pending| pending.until <= case.now);
            }
            let text = text.chars().take(parts::MAX_PART_CHARACTERS).collect();
            if case.call_box.asked.last() != Some(&text) {
                case.call_box.asked.push(text);
                case.call_box.deferred.push(Deferred::Asked);
            }
        }
    }
    if first {
        case.notice(ReplyVerdict::Deferred);
    }
    ReplyVerdict::Deferred
}

/// Decides what was asked while the database was abnormal.
pub(super) fn asked(case: &mut Case<'_>, text: &str) -> ReplyVerdict {
    case.afterwards = true;
    case.said = Some(text.to_owned());
    match understood(case, text) {
        Some(request) => act(case, request.action, &request.argument),
        None => not_understood(case),
    }
}

/// Forgets requests that wait for the database and that a later word makes void; what is no request any longer goes too.
fn forget_asked(case: &mut Case<'_>, void: impl Fn(&Case<'_>, &Request) -> bool) {
    let keywords = &case.policy.keywords;
    let stays = |text: &String| keywords.request(text).is_some_and(|request| !void(case, &request));
    let asked: Vec<String> = case.call_box.asked.iter().filter(|text| stays(text)).cloned().collect();
    if asked.len() < case.call_box.asked.len() {
        case.call_box.deferred.retain(|deferred| *deferred != Deferred::Asked);
        case.call_box.deferred.extend(asked.iter().map(|_| Deferred::Asked));
        case.call_box.asked = asked;
    }
}

/// No keyword of ours. Only people who have to do with us are answered.
fn not_understood(case: &mut Case<'_>) -> ReplyVerdict {
    if has_to_do_with_us(case) {
        case.notice(ReplyVerdict::WrongKeyword);
    }
    ReplyVerdict::WrongKeyword
}

fn has_to_do_with_us(case: &Case<'_>) -> bool {
    case.subscriber().is_some() || case.call_box.offer.is_some()
}

/// Answers with the words that a verdict has.
fn answered(case: &mut Case<'_>, verdict: ReplyVerdict) -> ReplyVerdict {
    case.notice(verdict);
    verdict
}

/// The registration of a person who asks for something that only subscribers have; others are told so.
fn of_a_subscriber(case: &mut Case<'_>) -> Result<Subscriber, ReplyVerdict> {
    match case.subscriber().cloned() {
        Some(subscriber) if subscriber.status == SubscriberStatus::Active => Ok(subscriber),
        Some(_) => Err(answered(case, ReplyVerdict::Suspended)),
        None => Err(answered(case, ReplyVerdict::NotSubscribed)),
    }
}

fn suspended(case: &Case<'_>) -> bool {
    case.subscriber().is_some_and(|subscriber| subscriber.status == SubscriberStatus::Suspended)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The first reply over the limit: told once.
    Just,
    /// A further one: not answered.
    Well,
}

/// Counts a reply against the rate limit.
fn over_the_limit(case: &mut Case<'_>) -> Option<Over> {
    let limits = &case.policy.limits;
    let window = case.call_box.replies.filter(|window| case.now.since(window.since) < limits.reply_window);
    let window = window.unwrap_or(RateWindow { since: case.now, count: 0 });
    let count = window.count.saturating_add(1);
    case.call_box.replies = Some(RateWindow { count, ..window });
    match count.saturating_sub(limits.reply_limit) {
        0 => None,
        1 => Some(Over::Just),
        _ => Some(Over::Well),
    }
}
