//! Notify-me, on request: being told of others, and letting others know. Anyone may decide it, and the one who can be reached decides for good.

use super::super::case::Case;
use super::{answered, forget_asked};
use crate::{Action, MAX_HIDDEN, Privacy, ReplyVerdict};

pub(super) fn notify_on(case: &mut Case<'_>) -> ReplyVerdict {
    case.call_box.privacy.notify = Some(true);
    answered(case, ReplyVerdict::NotifyOn)
}

pub(super) fn notify_off(case: &mut Case<'_>, over: bool) -> ReplyVerdict {
    case.call_box.privacy.notify = Some(false);
    case.call_box.reachable.clear();
    forget_asked(case, |_, request| request.action == Action::NotifyOn);
    if !over {
        case.notice(ReplyVerdict::NotifyOff);
    }
    ReplyVerdict::NotifyOff
}

/// Hides from everybody, or from one number. Who hides from more than fit hides from everybody, and is told so: privacy wins.
pub(super) fn hide(case: &mut Case<'_>, argument: &str, over: bool) -> ReplyVerdict {
    let number = match argument {
        "" => None,
        written => match case.number(written) {
            Some(number) => Some(number),
            None if over => return ReplyVerdict::BadArgument,
            None => return answered(case, ReplyVerdict::BadArgument),
        },
    };
    let hidden_from = &mut case.call_box.privacy.hidden_from;
    let number = number.filter(|number| hidden_from.contains(number) || hidden_from.len() < MAX_HIDDEN);
    match number {
        Some(number) if !hidden_from.contains(&number) => hidden_from.push(number),
        Some(_) => {}
        None => case.call_box.privacy.hidden = true,
    }
    // The last word counts: what was asked before it, and waits for the database, would undo it.
    forget_asked(case, |case, request| {
        let undoes = number.is_none() || request.argument.is_empty() || case.number(&request.argument) == number;
        request.action == Action::Show && undoes
    });
    if !over {
        let number = number.map_or_else(String::new, |number| case.shown(number));
        case.notice_with(ReplyVerdict::Hidden, &[("number", &number)]);
    }
    ReplyVerdict::Hidden
}

/// Lets everybody know again, or one number: that alone doesn't help who hides from everybody, who is asked to say which.
pub(super) fn show(case: &mut Case<'_>, argument: &str) -> ReplyVerdict {
    let number = match argument {
        "" => None,
        written => match case.number(written) {
            Some(number) if !case.call_box.privacy.hidden => Some(number),
            _ => return answered(case, ReplyVerdict::BadArgument),
        },
    };
    let privacy = &mut case.call_box.privacy;
    match number {
        Some(number) => privacy.hidden_from.retain(|known| *known != number),
        None => *privacy = Privacy { hidden: false, hidden_from: Vec::new(), notify: privacy.notify },
    }
    let number = number.map_or_else(String::new, |number| case.shown(number));
    case.notice_with(ReplyVerdict::Shown, &[("number", &number)]);
    ReplyVerdict::Shown
}
