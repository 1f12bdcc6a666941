//! `PUT`, `PATCH`, `GET` and `DELETE /v1/subscribers/{number}`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use model::{Language, Msisdn, Numbering, Timestamp};
use routing::{ClockFace, DayWindow, Subscriber, SubscriberChange, SubscriberStatus};
use serde::{Deserialize, Deserializer, Serialize};
use store::Store as _;
use utoipa::ToSchema;

use super::asked::Path;
use super::describe::{Because, Fault, Number};
use super::refusal::{Refusal, body, number};
use super::view::{maybe_rfc3339, rfc3339};
use super::{Operators, words};
use crate::audit::{Action, Entry};
use crate::masked::masked;
use crate::{Viewer, reason};

/// A subscriber as the API shows it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SubscriberView {
    /// Their number, with `+`.
    number: String,
    /// Whether they are served.
    #[schema(schema_with = words::subscriber_status)]
    status: SubscriberStatus,
    /// Their language; null: that of their range.
    #[schema(value_type = Option<String>)]
    language: Option<Language>,
    /// Their time zone; null: that of their range.
    time_zone: Option<String>,
    /// How they read a clock: `12` or `24`; null: as their language does.
    #[schema(value_type = Option<String>)]
    clock: Option<ClockFace>,
    /// When nothing is told, in their local time: `22:00-07:00`.
    #[schema(value_type = Option<String>)]
    quiet: Option<DayWindow>,
    /// Who is told as well.
    copy_to: Option<String>,
    #[serde(serialize_with = "maybe_rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_until: Option<Timestamp>,
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl SubscriberView {
    /// As this viewer may see it: the other number of a registration is masked for who doesn't see numbers now.
    pub(super) fn for_viewer(mut self, viewer: &Viewer, now: Timestamp) -> Self {
        if !viewer.reads_numbers(now) {
            self.copy_to = self.copy_to.as_deref().map(masked);
        }
        self
    }
}

impl From<Subscriber> for SubscriberView {
    fn from(subscriber: Subscriber) -> Self {
        Self {
            number: format!("+{}", subscriber.number.reveal()),
            status: subscriber.status,
            language: subscriber.language,
            time_zone: subscriber.time_zone,
            clock: subscriber.clock,
            quiet: subscriber.quiet,
            copy_to: subscriber.copy_to.map(|number| format!("+{}", number.reveal())),
            paused_until: subscriber.paused_until,
            since: subscriber.since,
        }
    }
}

/// What to change. A field that is absent stays as it is; null takes it away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriberChange)]
struct Change {
    /// Whether they are served.
    #[schema(schema_with = words::maybe_subscriber_status, required = false)]
    status: Option<SubscriberStatus>,
    /// A language tag.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "zh-CN", pattern = "^[a-z]{2,3}(-[A-Z]{2})?$")]
    language: Option<Option<String>>,
    /// An IANA name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Asia/Shanghai")]
    time_zone: Option<Option<String>>,
    /// `12` or `24`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "24", pattern = "^(12|24)$")]
    clock: Option<Option<String>>,
    /// A window of the day.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "22:00-07:00", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]
    quiet: Option<Option<String>>,
    /// Another number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "+8613800000002", pattern = r"^\+[1-9][0-9]{7,14}$")]
    copy_to: Option<Option<String>>,
}

/// Tells null from absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

impl Change {
    /// What is to be set of this number's registration.
    fn read(self, number: Msisdn, numbering: &Numbering) -> Result<SubscriberChange, Refusal> {
        let field = |field, why| Refusal::Field { field, why };
        let Self { status, language, time_zone, clock, quiet, copy_to } = self;
        let language = read(language, |text| {
            text.parse::<Language>().map_err(|_| field("language", "not a language tag like zh-CN or en"))
        })?;
        let time_zone = read(time_zone, |name| {
            let known = routing::text::is_time_zone(&name);
            known.then_some(name).ok_or(field("time_zone", "not a time zone like Asia/Shanghai"))
        })?;
        let clock = read(clock, |word| ClockFace::parse(&word).ok_or(field("clock", "neither 12 nor 24")))?;
        let quiet = read(quiet, |text| {
            DayWindow::parse(&text).map_err(|_| field("quiet", "not a window of the day like 22:00-07:00"))
        })?;
        let copy_to = read(copy_to, |text| {
            numbering.normalise(&text).map_err(|_| field("copy_to", "not a number as your network writes it"))
        })?;
        if copy_to == Some(Some(number)) {
            return Err(field("copy_to", "the number itself"));
        }
        Ok(SubscriberChange { status, language, time_zone, clock, quiet, copy_to, paused_until: None })
    }
}

/// Reads a field that is given and not null.
fn read<T>(
    given: Option<Option<String>>,
    parse: impl FnOnce(String) -> Result<T, Refusal>,
) -> Result<Option<Option<T>>, Refusal> {
    given.map(|text| text.map(parse).transpose()).transpose()
}

/// Registers, or changes a registration: each field that is given, and no other.
#[utoipa::path(
    put,
    path = "/v1/subscribers/{number}",
    tag = "people",
    params(Number, Because),
    request_body(content = Option<Change>, description = "What to set; without one, all is as usual."),
    responses(
        (status = 200, description = "Changed.", body = SubscriberView),
        (status = 201, description = "Registered.", body = SubscriberView),
    )
)]
pub(super) async fn put(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let (number, change) = (number(&operators.numbering, &text)?, body(bytes)?);
    set(operators, &viewer, number, change, &headers, true).await
}

/// Changes a registration, and registers nobody: who unregisters at the same moment stays unregistered.
#[utoipa::path(
    patch,
    path = "/v1/subscribers/{number}",
    tag = "people",
    params(Number, Because),
    request_body = Change,
    responses(
        (status = 200, description = "Changed.", body = SubscriberView),
        (status = 404, description = "Not registered, or no longer.", body = Fault),
    )
)]
pub(super) async fn patch(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let (number, change) = (number(&operators.numbering, &text)?, body(bytes)?);
    set(operators, &viewer, number, change, &headers, false).await
}

/// Changes a registration; where there is none, registers or refuses.
async fn set(
    operators: Operators,
    viewer: &Viewer,
    number: Msisdn,
    change: Change,
    headers: &HeaderMap,
    registers: bool,
) -> Result<Response, Refusal> {
    let change = change.read(number, &operators.numbering)?;
    if !registers && change == SubscriberChange::default() {
        return Err(Refusal::Asked(r#"nothing to change is named, such as {"language":"en"}"#.to_owned()));
    }
    let at = (operators.clock)();
    let entry = Entry::of(viewer, at, Action::RegistrationChanged).about_number(number);
    let setting = async move |operators: Operators, entry| {
        let changed = operators.store.change_subscriber(number, change.clone()).await?;
        let (status, action, subscriber) = match changed {
            Some(changed) => (StatusCode::OK, Action::RegistrationChanged, changed),
            None if registers => {
                let registered = change.of(Subscriber::new(number, at));
                operators.store.put_subscriber(registered.clone()).await?;
                (StatusCode::CREATED, Action::Registered, registered)
            }
            None => return Err(Refusal::NotRegistered),
        };
        Ok(((status, subscriber), Some(Entry { action, ..entry })))
    };
    let (status, subscriber) = operators.act(entry.because(reason::of_header(headers)), setting).await?;
    Ok((status, Json(SubscriberView::from(subscriber).for_viewer(viewer, at))).into_response())
}

/// One registered person.
#[utoipa::path(
    get,
    path = "/v1/subscribers/{number}",
    tag = "people",
    params(Number),
    responses((status = 200, body = SubscriberView))
)]
pub(super) async fn get(State(operators): State<Operators>, Path(text): Path<String>) -> Result<Response, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let found = operators.store.subscriber(number).await?;
    let subscriber = found.ok_or_else(|| operators.missing(Refusal::NotRegistered))?;
    Ok(Json(SubscriberView::from(subscriber)).into_response())
}

/// Ends a registration.
#[utoipa::path(
    delete,
    path = "/v1/subscribers/{number}",
    tag = "people",
    params(Number, Because),
    responses((status = 204, description = "No longer registered."))
)]
pub(super) async fn delete(
    State(operators): State<Operators>,
    viewer: Viewer,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let number = number(&operators.numbering, &text)?;
    let entry = Entry::of(&viewer, (operators.clock)(), Action::Unregistered).about_number(number);
    let deleting = async move |operators: Operators, entry| {
        if !operators.store.delete_subscriber(number).await? {
            return Err(Refusal::NotRegistered);
        }
        Ok((StatusCode::NO_CONTENT, Some(entry)))
    };
    operators.act(entry.because(reason::of_header(&headers)), deleting).await
}
