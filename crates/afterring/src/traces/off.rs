//! No traces: this program was built without them.

use std::time::Instant;

use model::{Clock, Submit};
use smpp_client::Answer;
use store::{Journaled, Outcome};

use super::TraceSettings;

/// Nothing.
#[derive(Clone, Debug)]
pub struct Traces;

impl Traces {
    /// Settings that ask for traces are refused before they come here.
    #[must_use]
    pub fn start(_settings: Option<&TraceSettings>, _node: &str, _clock: Clock) -> Self {
        Self
    }

    /// Never.
    #[inline]
    #[must_use]
    pub fn begin(&self) -> Option<Instant> {
        None
    }

    /// Nothing.
    #[inline]
    pub fn appended(&self, _begun: Option<Instant>, _calls: usize, _stored: bool) {}

    /// Nothing.
    #[inline]
    pub fn settled(&self, _begun: Option<Instant>, _outcomes: &[Outcome], _batch: &[Journaled]) {}

    /// Nothing.
    #[inline]
    pub fn leased(&self, _orders: &[Submit]) {}

    /// Nothing.
    #[inline]
    pub fn answered(&self, _answers: &[Answer]) {}

    /// Nothing.
    pub fn stop(&self) {}
}
