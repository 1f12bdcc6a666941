//! The settings that a gateway runs with, and how they are read anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use console::{LogView, LogWish, OrderError, ReloadView, SettingView, SystemView};
use model::{Clock, Timestamp};
use routing::Policy;

use crate::config::{self, Faults, Settings};
use crate::metrics::SettingsFigures;
use crate::telemetry::Logging;
use crate::traces::TraceSettings;

/// The settings in force, and who holds what of them may change.
pub struct Running {
    clock: Clock,
    started: Timestamp,
    node: String,
    policy: Arc<ArcSwap<Policy>>,
    log: Logging,
    /// Readers never wait for one who reads files.
    state: ArcSwap<State>,
    /// One reads anew at a time.
    turn: Mutex<()>,
}

#[derive(Clone)]
struct State {
    settings: Arc<Settings>,
    /// The settings as they are shown.
    shown: Arc<[SettingView]>,
    digest: String,
    last: Option<ReloadView>,
    applied: u64,
    refused: u64,
}

impl Running {
    /// A gateway that starts with these.
    #[must_use]
    pub fn new(settings: Settings, clock: Clock, log: Logging) -> Self {
        let digest = config::digest(&settings.shown);
        let node = match &settings.database {
            Some(database) => database.node_name.clone(),
            None => config::node_name(""),
        };
        let policy = Arc::new(ArcSwap::from_pointee(settings.policy.clone()));
        let shown = shown(&settings);
        let state = State { settings: Arc::new(settings), shown, digest, last: None, applied: 0, refused: 0 };
        let (state, turn) = (ArcSwap::from_pointee(state), Mutex::new(()));
        Self { clock, started: clock(), node, policy, log, state, turn }
    }

    /// What decisions are taken by; follows what is read anew.
    #[must_use]
    pub fn policy(&self) -> Arc<ArcSwap<Policy>> {
        Arc::clone(&self.policy)
    }

    /// Who ends what was ordered of the log when its time is over.
    #[must_use]
    pub fn log(&self) -> &Logging {
        &self.log
    }

    /// What the operator calls this node, or the host's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Where traces go; `None`: nowhere.
    #[must_use]
    pub fn traces(&self) -> Option<TraceSettings> {
        self.state.load().settings.traces.clone()
    }

    /// How long work in hand may take to finish.
    #[must_use]
    pub fn stop_grace(&self) -> Duration {
        self.state.load().settings.stop_grace
    }

    /// What the program is and how it is set.
    #[must_use]
    pub fn system(&self) -> SystemView {
        let state = self.state.load();
        SystemView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            node: self.node.clone(),
            digest: state.digest.clone(),
            settings: Arc::clone(&state.shown),
            reloaded: state.last.clone(),
            log: self.log.view(),
        }
    }

    /// Figures for the metrics.
    #[must_use]
    pub fn figures(&self) -> SettingsFigures {
        let state = self.state.load();
        SettingsFigures {
            digest: state.digest.clone(),
            applied: state.applied,
            refused: state.refused,
            last_refused: state.last.as_ref().is_some_and(|last| !last.faults.is_empty()),
        }
    }

    /// Reads all settings anew, and applies what may change while the gateway runs, or nothing. Reads files: not for a thread that others wait for.
    pub fn read_anew(&self) -> ReloadView {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state.load_full();
        let at = (self.clock)();
        let (state, view) = match state.settings.read_anew() {
            Ok(config::Reread { settings, applied, needs_restart }) => {
                self.policy.store(Arc::new(settings.policy.clone()));
                self.log.set_usual(&settings.log.filter);
                let digest = config::digest(&settings.shown);
                tracing::info!(
                    applied = applied.join(","),
                    needs_restart = needs_restart.join(","),
                    settings = digest,
                    "the settings were read anew"
                );
                let view = ReloadView { at, applied, needs_restart, faults: Vec::new() };
                let (shown, settings) = (shown(&settings), Arc::new(settings));
                (State { settings, shown, digest, applied: state.applied + 1, ..State::clone(&state) }, view)
            }
            Err(faults) => {
                tell(&faults);
                let faults = faults.0.iter().map(config::Fault::line).collect();
                let view = ReloadView { at, applied: Vec::new(), needs_restart: Vec::new(), faults };
                (State { refused: state.refused + 1, ..State::clone(&state) }, view)
            }
        };
        self.state.store(Arc::new(State { last: Some(view.clone()), ..state }));
        view
    }

    /// Logs by another filter until a time; `None`: as the settings say.
    ///
    /// # Errors
    /// When it is no filter.
    pub fn order_log(&self, wish: Option<LogWish>) -> Result<LogView, OrderError> {
        match wish {
            Some(LogWish { filter, until }) => self.log.order(&filter, until),
            None => Ok(self.log.lift()),
        }
    }
}

/// The settings as people see them.
fn shown(settings: &Settings) -> Arc<[SettingView]> {
    let setting = |shown: &config::Shown| SettingView {
        key: shown.path.clone(),
        value: shown.value.clone(),
        source: shown.place.clone(),
    };
    settings.shown.iter().map(setting).collect()
}

/// Says which settings have faults. Their values stay out of the log: numbers may stand in them.
fn tell(Faults(faults): &Faults) {
    for fault in faults {
        tracing::error!(
            setting = fault.key,
            place = fault.place,
            "a setting can't be used: 'afterring check' says why"
        );
    }
    tracing::error!(faults = faults.len(), "the settings were read anew and are refused: nothing was changed");
}
