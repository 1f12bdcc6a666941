//! Another person's decision says something to this one's box.

use super::case::Case;
use crate::{NothingWhy, Verdict, Word};

pub(super) fn heard(_case: &mut Case<'_>, _word: &Word) -> Verdict {
    Verdict::Nothing(NothingWhy::NoChange)
}
