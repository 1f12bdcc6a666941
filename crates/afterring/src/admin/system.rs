//! The program and its settings, as operators see and change them.

use std::sync::atomic::Ordering;

use console::{LogView, LogWish, OrderError, ReloadView, SystemView};
use smpp_client::LinkState;

use super::Admin;

impl Admin {
    pub(super) fn system(&self) -> SystemView {
        self.running.system()
    }

    pub(super) fn reload(&self) -> ReloadView {
        self.running.read_anew()
    }

    pub(super) fn log(&self, wish: Option<LogWish>) -> Result<LogView, OrderError> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(OrderError::Stopping);
        }
        self.running.order_log(wish)
    }

    /// Goes on with the loop that decides.
    #[must_use]
    pub fn pulse(&self) -> u64 {
        self.metrics.turns()
    }

    /// How it goes, in a line for a service manager; the same as long as nothing changes.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let links = self.links.status();
        let bound = links.iter().filter(|link| link.state == LinkState::Bound).count();
        let database = match self.desk.database.is_configured() {
            true => format!("database {}", self.database().as_str()),
            false => "no database".to_owned(),
        };
        let journal = if self.store.local().health().error.is_some() { "; the journal can't store" } else { "" };
        let reload = if self.running.figures().last_refused { "; the settings last read anew are refused" } else { "" };
        format!("{bound} of {} links bound; {database}{journal}{reload}", links.len())
    }
}
