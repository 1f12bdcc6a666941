//! Another person's decision says something to this one's box.

use super::case::Case;
use super::{copies, notify};
use crate::{Deferred, MAX_HEARD, NothingWhy, Reachable, Saying, Verdict, Word};

pub(super) fn heard(case: &mut Case<'_>, word: &Word) -> Verdict {
    if word.to != case.call_box.called {
        return Verdict::Nothing(NothingWhy::NoChange);
    }
    match &word.saying {
        Saying::Reachable { rang_at } => {
            notify::heard_of(case, Reachable { person: word.from, at: word.at, rang_at: *rang_at })
        }
        Saying::Copy { told, more } => copies::copied(case, word.from, told, *more),
        Saying::CopyAsked | Saying::CopyAgreed | Saying::CopyEnded => about_copies(case, word),
    }
}

/// What changes a registration, or needs the lists, waits for the database.
fn about_copies(case: &mut Case<'_>, word: &Word) -> Verdict {
    if case.abnormal() {
        if case.call_box.heard.len() < MAX_HEARD && !case.call_box.heard.contains(word) {
            case.call_box.heard.push(word.clone());
        }
        case.defer(Deferred::Heard);
        return Verdict::Nothing(NothingWhy::Deferred);
    }
    match &word.saying {
        Saying::CopyAsked => copies::offered(case, word.from),
        Saying::CopyAgreed => copies::agreed(case, word.from),
        Saying::CopyEnded => copies::ended(case, word.from),
        Saying::Reachable { .. } | Saying::Copy { .. } => Verdict::Nothing(NothingWhy::NoChange),
    }
}

/// Decides what was heard while the database was abnormal.
pub(super) fn what_was_heard(case: &mut Case<'_>) {
    for word in std::mem::take(&mut case.call_box.heard) {
        about_copies(case, &word);
    }
}
