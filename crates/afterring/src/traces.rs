//! Traces: what became of a call, as spans for a collector. In programs built with the feature `otlp`; in others nothing is there to cost anything.
//!
//! ```text
//! call ──► decide ──► submit (to its answer) ──► receipt       one trace for each alert, found again by the alert's id
//!              └─ link ─► settle                               one trace for each batch, as is "append" of calls at the doors
//! ```

#[cfg(not(feature = "otlp"))]
mod off;
#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
pub use off::Traces;
#[cfg(feature = "otlp")]
pub use otlp::Traces;

/// Whether this program can send traces.
pub const BUILT: bool = cfg!(feature = "otlp");

/// Where traces go, and of how many calls.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceSettings {
    /// A collector that takes OTLP over HTTP: `http://host:port`.
    pub endpoint: String,
    /// The share of calls that are traced, 0 to 1.
    pub sample: f64,
}
