//! How a caller's number is read, the same at both doors.

use model::{Caller, NumberError, Numbering, ShortNumber};

/// Digits below which a caller without `+` is of a private or short plan: no E.164 number is shorter.
const SHORTEST_NUMBER: usize = 7;

/// Reads a caller: fewer than seven digits without `+` are a short number, all else follows the numbering plan.
pub(crate) fn read_caller(text: &str, numbering: &Numbering) -> Result<Caller, NumberError> {
    let text = text.trim();
    if text.len() < SHORTEST_NUMBER
        && let Ok(short) = ShortNumber::parse(text)
    {
        return Ok(Caller::Short(short));
    }
    numbering.normalise(text).map(Caller::Number)
}
