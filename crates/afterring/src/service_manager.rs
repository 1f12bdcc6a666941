//! What a service manager such as systemd is told (`sd_notify(3)`): that the gateway is ready, reads its settings anew, stops, how it goes, and
//! that it lives. Where there is none, nobody is told.

use std::time::Duration;

use sd_notify::NotifyState;

/// How often it is looked at how it goes.
const LOOK: Duration = Duration::from_secs(2);

/// What was told last, so that only what is new is told.
#[derive(Debug)]
pub struct ServiceManager {
    watchdog: Option<Duration>,
    status: String,
    pulse: Option<u64>,
}

impl ServiceManager {
    /// The one that started this process, if one did and wants to be told.
    #[must_use]
    pub fn of_process() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        Some(Self { watchdog: sd_notify::watchdog_enabled(), status: String::new(), pulse: None })
    }

    /// How often [`beat`](Self::beat) is to be called: three times in the time after which the manager takes us for dead.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.watchdog.map_or(LOOK, |watchdog| (watchdog / 3).clamp(Duration::from_millis(10), LOOK))
    }

    /// Tells how it goes where that is new, and that we live where `pulse` went on since it was told last.
    pub fn beat(&mut self, status: &str, pulse: u64) {
        if self.status != status {
            status.clone_into(&mut self.status);
            tell(&[NotifyState::Status(status)]);
        }
        if self.watchdog.is_some() && self.pulse.replace(pulse) != Some(pulse) {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Started: calls are taken.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The settings are read anew from now on, until [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => {
            tracing::warn!(%error, "no monotonic time: the service manager is not told of reading the settings anew");
        }
    }
}

/// Stopping.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Where the manager can't be told, it does what it does with services that say nothing.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can't be told");
    }
}
