//! Waiting until something is so: a level, never a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for what must come: far more than it takes, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks. Only how soon it is noticed depends on it, never what.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until there is something, and gives it.
///
/// # Errors
/// When looking fails, or nothing came within [`PATIENCE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    within(PATIENCE, what, look)
}

/// Looks until there is something, and gives it.
///
/// # Errors
/// When looking fails, or nothing came within `patience`.
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain: {what}", patience.as_secs());
        }
        sleep(LOOK_AGAIN);
    }
}

/// Looks until it is so.
///
/// # Errors
/// When looking fails, or it did not become so within [`PATIENCE`].
pub fn until_true(what: &str, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    until(what, || Ok(look()?.then_some(())))
}
