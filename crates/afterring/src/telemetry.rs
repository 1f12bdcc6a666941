//! Logs: JSON lines for machines, text for people. Numbers mask themselves by type; message texts are never logged.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::{LogView, OrderError};
use model::{Clock, Timestamp};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::config::LogFormat;

/// How late a filter that was ordered for a time may end.
const TICK: Duration = Duration::from_secs(1);

/// Reads a log filter: levels, and `target=level` for parts of the program, separated by commas. What the library would take for the name of a part that is
/// nowhere, such as `warn*`, is refused: it would log nothing, or everything of nobody.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    let wrong = text.split(',').map(str::trim).find(|one| !is_directive(one));
    if let Some(one) = wrong {
        return Err(format!("'{one}' is neither a level (off, error, warn, info, debug, trace) nor target=level"));
    }
    EnvFilter::try_new(text).map_err(|error| error.to_string())
}

/// Whether this is a level, or a level of one part of the program.
fn is_directive(one: &str) -> bool {
    let (target, level) = one.rsplit_once('=').unwrap_or(("afterring", one));
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    !target.is_empty() && target.chars().all(is_name) && levels.iter().any(|word| level.eq_ignore_ascii_case(word))
}

/// What is logged: by the settings, or for a while by another filter. Cheap to clone.
#[derive(Clone)]
pub struct Logging(Arc<Inner>);

struct Inner {
    /// None where this process logs by itself, as tests do.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    wishes: Mutex<Wishes>,
}

struct Wishes {
    /// What the settings say.
    usual: String,
    /// What was ordered, and until when.
    ordered: Option<(String, Timestamp)>,
}

impl Logging {
    /// Starts logging to standard error; where a log is already set up in this process, that stays as it is.
    ///
    /// # Errors
    /// When the filter is not one.
    pub fn start(filter: &str, format: LogFormat) -> Result<Self, String> {
        let (layer, handle) = reload::Layer::new(self::filter(filter)?);
        let json = match format {
            LogFormat::Auto => !std::io::stderr().is_terminal(),
            LogFormat::Json => true,
            LogFormat::Text => false,
        };
        let registry = tracing_subscriber::registry().with(layer);
        let started = if json {
            let layer = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry.with(layer.with_writer(std::io::stderr)).try_init()
        } else {
            registry.with(fmt::layer().with_writer(std::io::stderr)).try_init()
        };
        Ok(Self::of(filter, started.is_ok().then_some(handle)))
    }

    /// For a gateway in a process that logs by itself.
    #[must_use]
    pub fn elsewhere(filter: &str) -> Self {
        Self::of(filter, None)
    }

    fn of(filter: &str, handle: Option<reload::Handle<EnvFilter, Registry>>) -> Self {
        let wishes = Mutex::new(Wishes { usual: filter.to_owned(), ordered: None });
        Self(Arc::new(Inner { filter: handle, wishes }))
    }

    /// What is logged now.
    #[must_use]
    pub fn view(&self) -> LogView {
        self.wishes().view()
    }

    /// Logs by this filter until then; takes the place of what was ordered before.
    ///
    /// # Errors
    /// When it is no filter, or another part of this process holds the log.
    pub fn order(&self, filter: &str, until: Timestamp) -> Result<LogView, OrderError> {
        let parsed = self::filter(filter).map_err(OrderError::Filter)?;
        let mut wishes = self.wishes();
        let handle = self.0.filter.as_ref();
        if handle.is_none_or(|handle| handle.reload(parsed).is_err()) {
            return Err(OrderError::Filter("the log of this process can't be changed".to_owned()));
        }
        wishes.ordered = Some((filter.to_owned(), until));
        Ok(wishes.view())
    }

    /// Logs as the settings say again.
    pub fn lift(&self) -> LogView {
        let mut wishes = self.wishes();
        if wishes.ordered.take().is_some() {
            self.apply(&wishes.usual);
        }
        wishes.view()
    }

    /// Takes what the settings say from now on; what is ordered stays for its time.
    pub fn set_usual(&self, filter: &str) {
        let mut wishes = self.wishes();
        if wishes.usual == filter {
            return;
        }
        filter.clone_into(&mut wishes.usual);
        if wishes.ordered.is_none() {
            self.apply(filter);
        }
    }

    /// Ends what was ordered when its time is over, for ever.
    pub async fn run(self, clock: Clock) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            if self.view().until.is_some_and(|until| until <= clock()) {
                let LogView { filter, .. } = self.lift();
                tracing::info!(filter, "the log is as the settings say again");
            }
        }
    }

    /// Settings are checked before they come here, so that this is a filter.
    fn apply(&self, filter: &str) {
        if let (Some(handle), Ok(filter)) = (&self.0.filter, self::filter(filter)) {
            drop(handle.reload(filter));
        }
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.0.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wishes {
    fn view(&self) -> LogView {
        match &self.ordered {
            Some((filter, until)) => LogView { filter: filter.clone(), until: Some(*until) },
            None => LogView { filter: self.usual.clone(), until: None },
        }
    }
}
