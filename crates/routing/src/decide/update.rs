//! An alert that the SMSC has is brought up to date with later calls.

use model::{AlertId, UpdateOutcome};

use super::case::Case;
use crate::{NothingWhy, Verdict};

pub(super) fn updated(case: &mut Case<'_>, id: AlertId, _attempt: u32, _outcome: &UpdateOutcome) -> Verdict {
    match case.alert.as_mut().filter(|alert| alert.id == id) {
        None => Verdict::Nothing(NothingWhy::Unmatched),
        Some(_) => Verdict::Nothing(NothingWhy::NoChange),
    }
}
