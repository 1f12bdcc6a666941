//! The demo's phones: a page on which one places missed calls, reads the SMS, replies, and breaks the database.

mod live;
mod page;
mod tour;
mod view;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use model::{Clock, Msisdn, Reason};
use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};

use self::live::Frames;
pub use self::view::{
    Counts, DatabaseView, Happening, LOG_SHOWN, Label, LogLine, MESSAGES_SHOWN, MessageView, PhoneCaller, PhoneCommand,
    PhoneView, PhonesHandle, PhonesView, REPLY_LONGEST, Role, Scene,
};
use crate::{PageLanguage, guard};

/// Live streams at a time: a demo has a handful of viewers, and each holds a connection.
const VIEWERS: usize = 64;

/// The largest form in bytes: the longest reply, percent-encoded, and the rest.
const FORM_LIMIT: usize = 8 * 1024;

#[derive(Clone)]
struct Phones {
    commands: mpsc::Sender<PhoneCommand>,
    view: watch::Receiver<Arc<PhonesView>>,
    frames: watch::Receiver<Arc<Frames>>,
    viewers: Arc<Semaphore>,
    clock: Clock,
}

/// The page and all it needs: `GET /phones`, `GET /phones/events` (SSE of `<hx-partial>` elements), `POST
/// /phones/{call,reply,switch,database,scene}` (forms; 303 back to the page, or 204 to htmx). Its files are [`crate::assets()`].
///
/// Spawns the task that draws; it ends when the view's sender is dropped, and the live streams with it.
///
/// # Panics
/// Outside a tokio runtime.
pub fn router(handle: PhonesHandle, clock: Clock) -> Router {
    let PhonesHandle { commands, mut view } = handle;
    view.mark_changed();
    let (drawn, frames) = watch::channel(Arc::new(Frames::default()));
    tokio::spawn(live::draw_changes(view.clone(), drawn, clock));
    let phones = Phones { commands, view, frames, viewers: Arc::new(Semaphore::new(VIEWERS)), clock };
    Router::new()
        .route("/phones", get(page))
        .route("/phones/events", get(events))
        .route("/phones/call", post(call))
        .route("/phones/reply", post(reply))
        .route("/phones/switch", post(switch))
        .route("/phones/database", post(database))
        .route("/phones/scene", post(scene))
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(axum::middleware::from_fn(guard::guard))
        .with_state(phones)
}

#[derive(Deserialize)]
struct Asked {
    lang: Option<String>,
}

async fn page(State(phones): State<Phones>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = PageLanguage::choose(asked.lang.as_deref(), &headers);
    let view = Arc::clone(&phones.view.borrow());
    let drawn = Frames::draw(&view, phones.clock, &Frames::default())
        .and_then(|frames| page::page(&view, frames.get(language), language));
    match drawn {
        Ok(page) => ([(header::VARY, "Accept-Language")], Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the phones page could not be drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn events(State(phones): State<Phones>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = PageLanguage::choose(asked.lang.as_deref(), &headers);
    match phones.viewers.try_acquire_owned() {
        Ok(place) => {
            Sse::new(live::changes(phones.frames, language, place)).keep_alive(KeepAlive::default()).into_response()
        }
        Err(_) => Refused::TooManyViewers.into_response(),
    }
}

/// Why a command was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the form can't be read")]
    Form,
    #[error("no such phone")]
    NoSuchPhone,
    #[error("a phone can't call itself")]
    CallsItself,
    #[error("the reason is none of busy, no_answer, unreachable, unconditional, rejected, unknown")]
    Reason,
    #[error("no such scene")]
    NoSuchScene,
    #[error("a reply has 1 to {REPLY_LONGEST} characters")]
    ReplyLength,
    #[error("the phone is switched off")]
    SwitchedOff,
    #[error("too much at once, try again")]
    Busy,
    #[error("the demo is stopping")]
    Stopping,
    #[error("too many viewers")]
    TooManyViewers,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Form
            | Self::NoSuchPhone
            | Self::CallsItself
            | Self::Reason
            | Self::NoSuchScene
            | Self::ReplyLength => StatusCode::BAD_REQUEST,
            Self::SwitchedOff => StatusCode::CONFLICT,
            Self::Busy | Self::Stopping | Self::TooManyViewers => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}

impl From<FormRejection> for Refused {
    fn from(_: FormRejection) -> Self {
        Self::Form
    }
}

/// A form as it was posted; one that can't be read is refused in our own words.
type Posted<T> = Result<Form<T>, FormRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallForm {
    called: String,
    caller: String,
    reason: String,
    lang: Option<String>,
}

async fn call(State(phones): State<Phones>, headers: HeaderMap, form: Posted<CallForm>) -> Result<Response, Refused> {
    let Form(form) = form?;
    let called = phones.number(&form.called)?;
    let caller = match form.caller.as_str() {
        "withheld" => PhoneCaller::Withheld,
        number => PhoneCaller::Phone(phones.number(number)?),
    };
    if caller == PhoneCaller::Phone(called) {
        return Err(Refused::CallsItself);
    }
    let reason = Reason::parse(&form.reason).ok_or(Refused::Reason)?;
    phones.send(PhoneCommand::Call { called, caller, reason })?;
    Ok(done(form.lang.as_deref(), &headers, Some(called)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyForm {
    from: String,
    text: String,
    lang: Option<String>,
}

async fn reply(State(phones): State<Phones>, headers: HeaderMap, form: Posted<ReplyForm>) -> Result<Response, Refused> {
    let Form(form) = form?;
    let from = phones.number(&form.from)?;
    let text = form.text.trim();
    if text.is_empty() || text.chars().count() > REPLY_LONGEST {
        return Err(Refused::ReplyLength);
    }
    if phones.view.borrow().phones.iter().any(|phone| phone.number == from && !phone.on) {
        return Err(Refused::SwitchedOff);
    }
    phones.send(PhoneCommand::Reply { from, text: text.to_owned() })?;
    Ok(done(form.lang.as_deref(), &headers, Some(from)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchForm {
    number: String,
    on: bool,
    lang: Option<String>,
}

async fn switch(
    State(phones): State<Phones>,
    headers: HeaderMap,
    form: Posted<SwitchForm>,
) -> Result<Response, Refused> {
    let Form(form) = form?;
    let number = phones.number(&form.number)?;
    phones.send(PhoneCommand::Switch { number, on: form.on })?;
    Ok(done(form.lang.as_deref(), &headers, Some(number)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseForm {
    abnormal: bool,
    lang: Option<String>,
}

async fn database(
    State(phones): State<Phones>,
    headers: HeaderMap,
    form: Posted<DatabaseForm>,
) -> Result<Response, Refused> {
    let Form(form) = form?;
    phones.send(PhoneCommand::Database { abnormal: form.abnormal })?;
    Ok(done(form.lang.as_deref(), &headers, None))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneForm {
    scene: String,
    lang: Option<String>,
}

async fn scene(State(phones): State<Phones>, headers: HeaderMap, form: Posted<SceneForm>) -> Result<Response, Refused> {
    let Form(form) = form?;
    let scene = Scene::parse(&form.scene).ok_or(Refused::NoSuchScene)?;
    phones.send(PhoneCommand::Scene(scene))?;
    Ok(done(form.lang.as_deref(), &headers, None))
}

impl Phones {
    /// The phone on the page that has this number.
    fn number(&self, digits: &str) -> Result<Msisdn, Refused> {
        let number = Msisdn::international(digits).map_err(|_| Refused::NoSuchPhone)?;
        let shown = self.view.borrow().phones.iter().any(|phone| phone.number == number);
        if shown { Ok(number) } else { Err(Refused::NoSuchPhone) }
    }

    fn send(&self, command: PhoneCommand) -> Result<(), Refused> {
        self.commands.try_send(command).map_err(|refused| match refused {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Closed(_) => Refused::Stopping,
        })
    }
}

/// htmx sees the effect in the live stream and needs nothing; a browser without scripts is sent back to the phone.
fn done(lang: Option<&str>, headers: &HeaderMap, phone: Option<Msisdn>) -> Response {
    if headers.contains_key("hx-request") {
        return StatusCode::NO_CONTENT.into_response();
    }
    let language = PageLanguage::choose(lang, headers);
    let anchor = phone.map_or_else(String::new, |number| format!("#phone-{}", number.reveal()));
    Redirect::to(&format!("/phones?lang={}{anchor}", language.as_str())).into_response()
}
