//! Quiet: a pause, and the window of every day, in which a subscriber's alerts are held.

use model::Timestamp;

use super::case::Case;
use crate::{HeldWhy, SubscriberStatus, Verdict};

/// Steps from the end of a pause to the end of a window that it ends in, and back: no window of a day and no pause follow each other more often.
const MOST_STEPS: usize = 3;

/// Until when alerts to this person are held: to the end of the pause, and of the window of the day that it is, or that the pause ends in. `None`
/// when they aren't.
pub(super) fn until(case: &Case<'_>) -> Option<Timestamp> {
    let subscriber = case.subscriber().filter(|subscriber| subscriber.status == SubscriberStatus::Active)?;
    let mut end = case.now;
    for _ in 0..MOST_STEPS {
        if let Some(paused) = subscriber.paused_until {
            end = end.max(paused);
        }
        let Some(ends) = subscriber.quiet.and_then(|window| window.ends(end, case.time_zone())) else { break };
        end = end.max(ends);
    }
    (end > case.now).then_some(end)
}

/// Holds what waits, where the person asked for quiet, and asks to be looked at when that ends.
pub(super) fn held(case: &mut Case<'_>) -> Option<Verdict> {
    let until = until(case)?;
    case.look_again(until);
    Some(Verdict::Held(HeldWhy::Paused))
}
