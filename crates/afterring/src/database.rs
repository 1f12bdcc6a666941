//! Whether the database may be asked: the operator's forced state, until Postgres brings a machine of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Clock, Timestamp};
use routing::Database;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The file in the store directory that outlives a restart: without it a restart during maintenance would release teasers.
const FILE: &str = "forced.json";

/// An operator's order to treat the database as abnormal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forced {
    /// Since when.
    pub since: Timestamp,
    /// Until when; it ends by itself.
    pub until: Timestamp,
    /// What the operator gave as the reason.
    pub reason: String,
}

/// The state as last changed, shared by all that ask for it.
#[derive(Clone)]
pub struct DatabaseState {
    clock: Clock,
    file: PathBuf,
    started: Timestamp,
    forced: watch::Sender<Option<Forced>>,
    lifted: watch::Sender<Option<Timestamp>>,
}

impl DatabaseState {
    /// As an earlier life left it in this directory: forced until its time is over, else normal.
    #[must_use]
    pub fn open(clock: Clock, dir: &Path) -> Self {
        let file = dir.join(FILE);
        let forced = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Forced>(&text).ok());
        let forced = forced.filter(|forced| forced.until > clock());
        if let Some(Forced { until, reason, .. }) = &forced {
            tracing::warn!(%until, reason, "database still forced to abnormal by the operator");
        }
        Self { clock, file, started: clock(), forced: watch::Sender::new(forced), lifted: watch::Sender::new(None) }
    }

    /// Treats the database as abnormal for a time.
    pub fn force(&self, lasts: Duration, reason: String) {
        let since = (self.clock)();
        let until = since + lasts;
        tracing::warn!(%until, reason, "database forced to abnormal by the operator");
        let forced = Forced { since, until, reason };
        if let Err(error) = self.keep(&forced) {
            tracing::warn!(error = %error, "a restart will not know that the database is forced to abnormal");
        }
        self.forced.send_replace(Some(forced));
    }

    /// Writes it beside the store: a new file that takes the place of the old one whole.
    fn keep(&self, forced: &Forced) -> std::io::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(forced)?)?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, &self.file)
    }

    fn forget(&self) {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(error = %error, "a restart will take the database for forced to abnormal");
            }
            _ => {}
        }
    }

    /// Ends a forced state; whether there was one.
    pub fn lift(&self) -> bool {
        let was = self.forced.send_replace(None).is_some();
        if was {
            self.forget();
            self.lifted.send_replace(Some((self.clock)()));
            tracing::info!("database no longer forced to abnormal");
        }
        was
    }

    /// Ends a forced state whose time is over, and no other that took its place meanwhile.
    fn end_what_is_over(&self) {
        let now = (self.clock)();
        let over = self.forced.send_if_modified(|forced| {
            let over = forced.as_ref().is_some_and(|forced| forced.until <= now);
            if over {
                *forced = None;
            }
            over
        });
        if over {
            self.forget();
            self.lifted.send_replace(Some(now));
            tracing::info!("database no longer forced to abnormal: its time is over");
        }
    }

    /// The forced state, if it lasts.
    #[must_use]
    pub fn forced(&self) -> Option<Forced> {
        self.forced.borrow().clone()
    }

    /// What decisions are taken by.
    #[must_use]
    pub fn now(&self) -> Database {
        if self.forced.borrow().is_some() { Database::Abnormal } else { Database::Normal }
    }

    /// Since when it is as it is.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        match (self.forced(), *self.lifted.borrow()) {
            (Some(forced), _) => forced.since,
            (None, Some(lifted)) => lifted,
            (None, None) => self.started,
        }
    }

    /// Lifts a forced state when its time is over; never returns.
    pub async fn run(self) {
        let mut changes = self.forced.subscribe();
        loop {
            let left = self.forced().map(|forced| forced.until.since((self.clock)()));
            match left {
                Some(Duration::ZERO) => self.end_what_is_over(),
                Some(left) => {
                    tokio::select! {
                        () = tokio::time::sleep(left) => {}
                        _ = changes.changed() => {}
                    }
                }
                None => {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_forced_state_ends_by_itself_or_when_lifted() {
        fn clock() -> Timestamp {
            Timestamp::from_millis(1_000)
        }
        let dir = tempfile::tempdir().unwrap();
        let state = DatabaseState::open(clock, dir.path());
        assert_eq!(state.now(), Database::Normal);
        state.force(Duration::from_secs(600), "maintenance".to_owned());
        assert_eq!(state.now(), Database::Abnormal);
        let after_a_restart = DatabaseState::open(clock, dir.path());
        assert_eq!(after_a_restart.forced(), state.forced());
        assert!(state.lift());
        assert!(!state.lift());
        assert_eq!(state.now(), Database::Normal);
        assert_eq!(DatabaseState::open(clock, dir.path()).now(), Database::Normal);
        state.force(Duration::ZERO, "at once".to_owned());
        let runner = tokio::spawn(state.clone().run());
        let mut changes = state.forced.subscribe();
        changes.wait_for(Option::is_none).await.unwrap();
        assert_eq!(state.now(), Database::Normal);
        runner.abort();
    }
}
