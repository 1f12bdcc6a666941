//! Keeps the page live: one task draws each new state once, every viewer takes what changed for them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use model::Clock;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use super::page;
use super::view::PhonesView;
use crate::PageLanguage;
use crate::frame::Frame;

/// The least time between two drawings: ten a second look continuous, more would only cost.
const REDRAW: Duration = Duration::from_millis(100);

/// How often the clock on the phones is looked at; it shows minutes.
const CLOCK: Duration = Duration::from_secs(10);

/// The newest drawing in every language.
#[derive(Clone, Default)]
pub(super) struct Frames {
    zh: Frame,
    en: Frame,
}

impl Frames {
    /// Draws the view in every language.
    ///
    /// # Errors
    /// When a template fails, which would be a fault in it.
    pub(super) fn draw(view: &PhonesView, clock: Clock, before: &Self) -> Result<Self, askama::Error> {
        let now = clock();
        Ok(Self {
            zh: page::draw(view, PageLanguage::Zh, now, &before.zh)?,
            en: page::draw(view, PageLanguage::En, now, &before.en)?,
        })
    }

    pub(super) const fn get(&self, language: PageLanguage) -> &Frame {
        match language {
            PageLanguage::Zh => &self.zh,
            PageLanguage::En => &self.en,
        }
    }
}

/// Draws until the view's sender is gone; then the frames' sender goes too, and with it every stream ends.
pub(super) async fn draw_changes(
    mut view: watch::Receiver<Arc<PhonesView>>,
    frames: watch::Sender<Arc<Frames>>,
    clock: Clock,
) {
    loop {
        match tokio::time::timeout(CLOCK, view.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => return,
        }
        let newest = Arc::clone(&view.borrow_and_update());
        let before = Arc::clone(&frames.borrow());
        match Frames::draw(&newest, clock, &before) {
            Ok(drawn) => drop(frames.send_replace(Arc::new(drawn))),
            Err(error) => tracing::error!(%error, "the phones page could not be drawn"),
        }
        tokio::time::sleep(REDRAW).await;
    }
}

/// What one viewer gets: everything once, then what changed. Holds the viewer's place until it is dropped.
pub(super) fn changes(
    frames: watch::Receiver<Arc<Frames>>,
    language: PageLanguage,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let mut seen: Option<Arc<Frames>> = None;
    WatchStream::new(frames).filter_map(move |frames| {
        let _held = &place;
        let message = frames.get(language).since(seen.as_ref().map(|seen| seen.get(language)));
        seen = Some(frames);
        message.map(|message| Ok(Event::default().data(message)))
    })
}
