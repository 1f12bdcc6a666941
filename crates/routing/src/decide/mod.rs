//! `decide`: one event about one called person in, a verdict and its effects out.

mod call;
mod case;
mod copies;
mod courtesy;
mod due;
mod facts;
mod forget;
mod notify;
mod prune;
mod quiet;
mod record;
mod reply;
mod resend;
mod sent;
mod tell;
mod update;
mod word;

#[cfg(test)]
mod tests;

use model::Timestamp;

use crate::{Decision, Event, Policy, View};
use case::Case;

pub use facts::{Fact, facts};

/// Decides one event. Total: every event in every state has an answer, and bad combinations change nothing.
#[must_use]
pub fn decide(policy: &Policy, view: &View, event: &Event, now: Timestamp) -> Decision {
    let mut case = Case::open(policy, view, now);
    let verdict = match event {
        Event::Call(missed) => call::missed(&mut case, missed),
        Event::Submitted { alert, attempt, outcome } => sent::submitted(&mut case, *alert, *attempt, outcome),
        Event::Updated { alert, attempt, outcome } => update::updated(&mut case, *alert, *attempt, outcome),
        Event::Receipt(receipt) => sent::receipt(&mut case, receipt),
        Event::Reply(reply) => {
            case.reply = Some(reply);
            reply::replied(&mut case, reply)
        }
        Event::Word(word) => word::heard(&mut case, word),
        Event::Dropped { alert } => sent::dropped(&mut case, *alert),
        Event::Resend(wanted) => resend::again(&mut case, wanted),
        Event::Due { .. } => due::looked_at(&mut case),
    };
    copies::pass_on(&mut case);
    prune::stale(&mut case);
    case.close(verdict)
}
