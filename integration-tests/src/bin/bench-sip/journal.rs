//! The journal after a load: read from the file with `sqlite3`, not by what the gateway says of itself.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::callers::Heard;

/// How the journal and the callers agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Agreement {
    /// Calls in the journal; each is for another person.
    pub(crate) calls: usize,
    /// Of these, those whose caller heard no final response.
    pub(crate) unheard: usize,
    /// Of these, those whose caller heard a 503: nothing is kept of such a call, so that its INVITE is taken when it comes again.
    pub(crate) refused: usize,
}

/// Compares the journal with what the callers heard.
///
/// # Errors
/// When a call is there twice, one that was released is not there, or more are there that were refused than INVITEs were sent again.
pub(crate) fn compare(store: &Path, heard: &Heard) -> Result<Agreement> {
    let calls = called(store)?;
    let journal: HashSet<u64> = calls.iter().copied().collect();
    ensure!(journal.len() == calls.len(), "{} calls are twice in the journal", calls.len() - journal.len());
    let lost = heard.released.difference(&journal).count();
    ensure!(lost == 0, "{lost} calls were released and are not in the journal");
    let refused = heard.refused.intersection(&journal).count();
    ensure!(
        u64::try_from(refused)? <= heard.repeated,
        "{refused} calls are in the journal and were refused, {} INVITEs came again",
        heard.repeated
    );
    let unheard = journal.iter().filter(|call| !heard.released.contains(call) && !heard.refused.contains(call)).count();
    Ok(Agreement { calls: calls.len(), unheard, refused })
}

/// The called number of every call in the journal.
fn called(store: &Path) -> Result<Vec<u64>> {
    let mut command = Command::new("sqlite3");
    command
        .args(["-readonly", "-batch"])
        .arg(store.join("afterring.db"))
        .arg("select json_extract(body, '$.call.called') from event where json_extract(body, '$.call') is not null");
    let output = command.output().context("sqlite3: integration-tests/bench-sip installs it")?;
    ensure!(output.status.success(), "sqlite3: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| line.parse().with_context(|| format!("no number in the journal: {line:?}"))).collect()
}
