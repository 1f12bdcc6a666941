//! The pumps: short loops that move events from sockets to the journal, from the journal to decisions, and from decisions to links.
//!
//! Each owns one direction and one queue. None keeps anything that is not on disk or in a peer's hands: a pump that dies loses nothing.

pub mod arrivals;
pub mod decide;
pub mod dispatch;
pub mod due;
pub mod intake;
pub mod updates;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::Clock;
use routing::Policy;
use store::Context;

use crate::database::DatabaseState;
use crate::traces::Traces;

/// What every pump needs to put the question to the store.
#[derive(Clone)]
pub struct Desk {
    /// Reads the time.
    pub clock: Clock,
    /// What the operator decided beforehand.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Whether the database may be asked.
    pub database: DatabaseState,
    /// Where traces go.
    pub traces: Traces,
}

impl Desk {
    /// The context of a decision that is taken now.
    #[must_use]
    pub fn context(&self) -> Context {
        Context { policy: self.policy.load_full(), database: self.database.now(), now: (self.clock)() }
    }
}

/// Pauses between attempts at a store that fails: doubles from 50 ms to 2 s.
#[derive(Clone, Copy, Debug)]
pub struct Patience(Duration);

impl Patience {
    /// Fresh.
    #[must_use]
    pub const fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    /// Waits, the longer the more often it was asked.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}
