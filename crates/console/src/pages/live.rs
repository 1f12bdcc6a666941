//! Keeps a page live: its parts are drawn once a second for each viewer, and what changed is sent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use super::visit::Visit;
use crate::frame::Frame;

/// Live streams at a time: each holds a connection and draws once a second.
pub(super) const VIEWERS: usize = 64;

/// How long a stream lasts: the browser comes again by itself, and is looked at again: who was signed out sees no more.
const LASTS: Duration = Duration::from_secs(300);

/// The live parts of a page: the id of an element, and its content.
pub(super) type Parts = Vec<(String, String)>;

/// Streams what `draw` gives, as far as it changed: now, and whenever the gateway was read anew.
pub(super) fn stream(visit: Visit, draw: impl Fn(&Visit) -> Result<Parts, askama::Error> + Send + 'static) -> Response {
    follow(visit, tokio_stream::empty::<()>(), draw, |_, ()| {}, |visit, draw| draw(visit))
}

/// Streams what `draw` gives of a state that `take` puts what comes into, in between.
pub(super) fn follow<T: Send + 'static, S: Send + 'static>(
    visit: Visit,
    feed: impl Stream<Item = T> + Send + 'static,
    state: S,
    take: fn(&mut S, T),
    draw: fn(&Visit, &mut S) -> Result<Parts, askama::Error>,
) -> Response {
    let Ok(place) = Arc::clone(&visit.console.places).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many viewers").into_response();
    };
    let clock = visit.console.operators.clock;
    let (mut visit, mut seen, mut state) = (visit, Frame::default(), state);
    let ends = tokio::time::Instant::now() + LASTS;
    let stay = visit.console.operators.access.stay(&visit.viewer);
    let changes = WatchStream::new(visit.console.samples.watch()).map(|_| None);
    let changes = changes.take_while(move |_| tokio::time::Instant::now() < ends && stay.lasts());
    // The stream ends with the changes, also where the feed goes on.
    let turns = changes.map(Some).chain(tokio_stream::once(None)).merge(feed.map(|item| Some(Some(item))));
    let messages = turns.map_while(|turn| turn).filter_map(move |item| {
        let _held = &place;
        if let Some(item) = item {
            take(&mut state, item);
            return None;
        }
        visit.now = clock();
        match draw(&visit, &mut state) {
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
