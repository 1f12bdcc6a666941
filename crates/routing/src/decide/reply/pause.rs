//! Quiet on request: for some hours, or in a window of every day.

use std::time::Duration;

use super::super::case::Case;
use super::super::{notify, tell};
use super::{answered, of_a_subscriber};
use crate::text::Say;
use crate::{DayWindow, ReplyVerdict, Subscriber};

const HOUR: Duration = Duration::from_secs(3600);

/// What follows the keyword.
enum Asked {
    /// For so long.
    For(Duration),
    /// In this window of every day.
    Daily(DayWindow),
    /// No longer.
    Off,
}

pub(super) fn pause(case: &mut Case<'_>, argument: &str) -> ReplyVerdict {
    let subscriber = match of_a_subscriber(case) {
        Ok(subscriber) => subscriber,
        Err(verdict) => return verdict,
    };
    let service = &case.policy.self_service;
    match read(argument, service.pause) {
        None => return answered(case, ReplyVerdict::BadArgument),
        Some(Asked::Off) => return resume(case),
        Some(Asked::Daily(window)) => {
            case.register(Subscriber { quiet: Some(window), ..subscriber });
            let text = case.say(Say::PausedDaily, &[("window", &window.to_string())]);
            case.queue_notice(text);
        }
        Some(Asked::For(long)) => {
            // A longer one than there may be is the longest: the answer says until when.
            let until = case.now + long.min(service.longest_pause);
            case.register(Subscriber { paused_until: Some(until), ..subscriber });
            let until = case.policy.texts.time(case.reader(), until);
            case.notice_with(ReplyVerdict::Paused, &[("until", &until)]);
        }
    }
    ReplyVerdict::Paused
}

/// `8`, `8H`, `8小时`; `22-7`, `22:00-07:00`; `OFF`; nothing.
fn read(argument: &str, usual: Duration) -> Option<Asked> {
    if argument.is_empty() {
        return Some(Asked::For(usual));
    }
    if argument == "OFF" {
        return Some(Asked::Off);
    }
    if let Ok(window) = DayWindow::parse(argument) {
        return Some(Asked::Daily(window));
    }
    let units = ["HOURS", "HOUR", "H", "个小时", "小时"];
    let digits = units.iter().find_map(|unit| argument.strip_suffix(unit)).unwrap_or(argument).trim_end();
    let plain = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    // More hours than fit are the longest pause too.
    let hours = plain.then(|| digits.parse::<u32>().unwrap_or(u32::MAX)).filter(|hours| *hours > 0)?;
    Some(Asked::For(HOUR.saturating_mul(hours)))
}

/// Ends the pause and the window; what was held is told at once.
pub(super) fn resume(case: &mut Case<'_>) -> ReplyVerdict {
    let subscriber = match of_a_subscriber(case) {
        Ok(subscriber) => subscriber,
        Err(verdict) => return verdict,
    };
    if subscriber.paused_until.is_some() || subscriber.quiet.is_some() {
        case.register(Subscriber { paused_until: None, quiet: None, ..subscriber });
    }
    case.notice(ReplyVerdict::Resumed);
    tell::what_waited(case);
    notify::what_waited(case);
    ReplyVerdict::Resumed
}
