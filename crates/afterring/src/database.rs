//! Whether the database may be asked: the machine of its health, and the operator's order over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{Clock, Timestamp};
use routing::{Database, Forced, HealthEvent};
use store::DatabaseHealth;

/// The file in the store directory that outlives a restart: without it a restart during maintenance would release teasers.
const FILE: &str = "forced.json";

/// How late a forced state may end.
const TICK: Duration = Duration::from_millis(500);

/// The health of the database with the operator's order, which outlives a restart. Cheap to clone.
#[derive(Clone)]
pub struct DatabaseState {
    clock: Clock,
    file: PathBuf,
    /// The machine that everybody in this process tells and asks.
    pub health: DatabaseHealth,
    configured: bool,
}

impl DatabaseState {
    /// As an earlier life left it in this directory: forced until its time is over, else as it is found.
    #[must_use]
    pub fn open(clock: Clock, dir: &Path, configured: bool) -> Self {
        let file = dir.join(FILE);
        let health = if configured { DatabaseHealth::starting(clock) } else { DatabaseHealth::unconfigured(clock) };
        let forced = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Forced>(&text).ok());
        if let Some(Forced { until, reason, .. }) = forced.filter(|forced| forced.until > clock()) {
            tracing::warn!(%until, "database still forced to abnormal by the operator");
            health.tell(HealthEvent::Force { until, reason });
        }
        Self { clock, file, health, configured }
    }

    /// Whether there is a database; else the local store is all there is.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.configured
    }

    /// Treats the database as abnormal for a time.
    pub fn force(&self, lasts: Duration, reason: String) {
        let since = (self.clock)();
        let until = since + lasts;
        if let Err(error) = self.keep(&Forced { since, until, reason: reason.clone() }) {
            tracing::warn!(error = %error, "a restart will not know that the database is forced to abnormal");
        }
        self.health.tell(HealthEvent::Force { until, reason });
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
        let was = self.forced().is_some();
        if was {
            self.forget();
            self.health.tell(HealthEvent::Lift);
        }
        was
    }

    /// The forced state, if it lasts.
    #[must_use]
    pub fn forced(&self) -> Option<Forced> {
        self.health.now().machine.forced().cloned()
    }

    /// What decisions are taken by.
    #[must_use]
    pub fn now(&self) -> Database {
        self.health.decides_by()
    }

    /// Since when it is as it is.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.health.now().machine.since()
    }

    /// Lets time pass for the machine, so that a forced state ends when its time is over; never returns.
    pub async fn run(self) {
        let mut tick = tokio::time::interval(TICK);
        let mut was_forced = self.forced().is_some();
        loop {
            tick.tick().await;
            self.health.tell(HealthEvent::Tick);
            let forced = self.forced().is_some();
            if was_forced && !forced {
                self.forget();
            }
            was_forced = forced;
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
        let state = DatabaseState::open(clock, dir.path(), false);
        assert_eq!(state.now(), Database::Normal);
        state.force(Duration::from_secs(600), "maintenance".to_owned());
        assert_eq!(state.now(), Database::Abnormal);
        let after_a_restart = DatabaseState::open(clock, dir.path(), false);
        assert_eq!(after_a_restart.forced(), state.forced());
        assert!(state.lift());
        assert!(!state.lift());
        assert_eq!(state.now(), Database::Normal);
        assert_eq!(DatabaseState::open(clock, dir.path(), false).now(), Database::Normal);
        state.force(Duration::ZERO, "at once".to_owned());
        let runner = tokio::spawn(state.clone().run());
        state.health.watch().wait_for(|seen| seen.machine.forced().is_none()).await.unwrap();
        assert_eq!(state.now(), Database::Normal);
        runner.abort();
    }
}
