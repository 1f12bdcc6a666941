//! Keeps a page live: its parts are drawn once a second for each viewer, and what changed is sent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;

use super::visit::Visit;
use crate::frame::Frame;

/// Live streams at a time: each holds a connection and draws once a second.
pub(super) const VIEWERS: usize = 64;

/// How long a stream lasts: the browser comes again by itself, and is looked at again: who was signed out sees no more.
const LASTS: Duration = Duration::from_secs(300);

/// Streams what `draw` gives, as far as it changed: now, and whenever the gateway was read anew.
pub(super) fn stream(
    visit: Visit,
    draw: impl Fn(&Visit) -> Result<Vec<(String, String)>, askama::Error> + Send + 'static,
) -> Response {
    let Ok(place) = Arc::clone(&visit.console.places).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many viewers").into_response();
    };
    let clock = visit.console.operators.clock;
    let (mut visit, mut seen) = (visit, Frame::default());
    let changes = WatchStream::new(visit.console.samples.watch());
    let ends = tokio::time::Instant::now() + LASTS;
    let changes = changes.take_while(move |_| tokio::time::Instant::now() < ends);
    let messages = changes.filter_map(move |_| {
        let _held = &place;
        visit.now = clock();
        match draw(&visit) {
            Ok(parts) => {
                let frame = Frame::of(parts, &seen);
                let message = frame.since(Some(&seen));
                seen = frame;
                message.map(|message| Ok::<_, Infallible>(Event::default().data(message)))
            }
            Err(error) => {
                tracing::error!(%error, "a live part could not be drawn");
                None
            }
        }
    });
    Sse::new(messages).keep_alive(KeepAlive::default()).into_response()
}
