//! The HTTP door: `POST /v1/calls` takes missed calls as one JSON object, an array, or one object a line (NDJSON).
//!
//! | status | when | body |
//! |---|---|---|
//! | 202 | durable, but for those in `rejected` | `{"accepted":n,"duplicate":n,"rejected":[{"index":i,"id":…,"error":…}]}` |
//! | 400 | nothing could be read | `{"error":…}`, as for all that follow |
//! | 401 | a token is asked for, and it is missing or wrong; with WWW-Authenticate | |
//! | 405 | another method than POST; with Allow | |
//! | 408 | the body didn't arrive in [`BODY_TIMEOUT`] | |
//! | 413 | more octets or calls than the limits; nothing was taken | |
//! | 429 | busy; with Retry-After | |
//! | 503 | the calls could not be stored in time; with Retry-After | |

mod body;
mod describe;
mod element;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use model::{Clock, MissedCall, Numbering, Secret, Source};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, mpsc, oneshot};
use utoipa::{OpenApi as _, ToSchema};

use crate::offer::known_before;
use crate::{Counts, Intake, Offer, Refusal, Stored};
use body::{BodyError, Declared, Item};
use describe::{Calls, Fault};
use element::{Element, Rules};

/// How long a body may take to arrive: a stalled peer gives its place back.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Requests whose bodies are held at one time; times `body_limit` it bounds the memory: 128 MiB by default.
pub const CONCURRENT_REQUESTS: usize = 128;

/// Seconds that a busy answer asks the peer to wait: the hand-over empties in milliseconds unless something is wrong.
const BUSY_SECONDS: u64 = 1;

/// Seconds that a peer is asked to wait whose calls could not be stored: it has waited for `answer_timeout` already.
const UNAVAILABLE_SECONDS: u64 = 1;

/// Says whether a call may be reported with this token, or with none: for tokens that come and go while the gateway runs. Answers at once.
#[derive(Clone)]
pub struct Admit(pub Arc<Asked>);

/// What is asked with the token that is shown.
pub type Asked = dyn Fn(Option<&[u8]>) -> bool + Send + Sync;

impl std::fmt::Debug for Admit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admit")
    }
}

/// How the HTTP door behaves.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The bearer token that requests carry; `None` lets everyone in, unless `admit` says otherwise.
    pub token: Option<Secret>,
    /// Who else is let in; `None`: nobody else.
    pub admit: Option<Admit>,
    /// Most octets of a body; 1 MiB by default, some 5,000 calls. Larger batches need a larger limit.
    pub body_limit: usize,
    /// Most calls of a request; 10,000 by default.
    pub batch_limit: usize,
    /// How numbers are written in this network.
    pub numbering: Numbering,
    /// How far ahead a call's time may be; 1 hour by default, for clocks that are wrong.
    pub future_limit: Duration,
    /// How long ago a call's time may be; 7 days by default, for feeds that catch up.
    pub past_limit: Duration,
    /// How long the store may take before the peer is told to come again; 10 s by default.
    pub answer_timeout: Duration,
}

impl HttpSettings {
    /// The defaults, for a network that writes numbers like this.
    #[must_use]
    pub const fn new(numbering: Numbering) -> Self {
        Self {
            token: None,
            admit: None,
            body_limit: 1024 * 1024,
            batch_limit: 10_000,
            numbering,
            future_limit: Duration::from_secs(60 * 60),
            past_limit: Duration::from_secs(7 * 24 * 60 * 60),
            answer_timeout: Duration::from_secs(10),
        }
    }
}

struct Door {
    settings: HttpSettings,
    token: Option<[u8; 32]>,
    intake: Intake,
    clock: Clock,
    counts: Arc<Counts>,
    places: Semaphore,
}

/// The routes `/v1/calls` and `/openapi.json`, which describes it: for a listener of their own.
pub fn router(settings: HttpSettings, intake: Intake, clock: Clock, counts: Arc<Counts>) -> Router {
    let door = door(settings, intake, clock, counts);
    taking().route("/openapi.json", get(describe)).with_state(door)
}

/// The route `/v1/calls` alone, to be merged into what listens already and describes itself.
pub fn calls(settings: HttpSettings, intake: Intake, clock: Clock, counts: Arc<Counts>) -> Router {
    taking().with_state(door(settings, intake, clock, counts))
}

fn taking() -> Router<Arc<Door>> {
    Router::new().route("/v1/calls", post(take).fallback(wrong_method))
}

fn door(settings: HttpSettings, intake: Intake, clock: Clock, counts: Arc<Counts>) -> Arc<Door> {
    let token = settings.token.as_ref().map(|token| Sha256::digest(token.reveal()).into());
    let places = Semaphore::new(CONCURRENT_REQUESTS);
    Arc::new(Door { settings, token, intake, clock, counts, places })
}

async fn wrong_method() -> Response {
    let headers = [(header::ALLOW, HeaderValue::from_static("POST"))];
    (headers, Answer::Error(StatusCode::METHOD_NOT_ALLOWED, "calls are sent with POST".to_owned())).into_response()
}

/// To whoever may report calls.
async fn describe(State(door): State<Arc<Door>>, headers: HeaderMap) -> Result<Response, Answer> {
    door.authorise(&headers)?;
    Ok(axum::Json(describe::Description::openapi()).into_response())
}

/// Takes missed calls: one, an array of them, or one in each line. What is wrong with a call costs no other call: it is among `rejected`.
#[utoipa::path(
    post,
    path = "/v1/calls",
    request_body(content((Calls = "application/json"), (String = "application/x-ndjson", example = "{\"id\":\"1\",\"called\":\"+8613800000001\"}\n"))),
    responses(
        (status = 202, description = "Durable, but for those in `rejected`.", body = Taken),
        (status = 400, description = "Nothing could be read.", body = Fault),
        (status = 401, description = "The token is missing, or not known.", body = Fault),
        (status = 408, description = "The body took too long to arrive.", body = Fault),
        (status = 413, description = "More octets or calls than the limits: nothing was taken.", body = Fault),
        (status = 429, description = "Busy: nothing was taken, send it again.", body = Fault),
        (status = 503, description = "The calls could not be stored in time: send them again, with the same ids.", body = Fault),
    )
)]
async fn take(State(door): State<Arc<Door>>, request: Request) -> Answer {
    door.answer(request).await.unwrap_or_else(|refused| refused)
}

/// A response, before it is written.
enum Answer {
    Taken(Taken),
    Error(StatusCode, String),
    Unauthorised(&'static str),
    Later(StatusCode, &'static str, u64),
}

/// What became of the calls.
#[derive(Serialize, ToSchema)]
struct Taken {
    /// New ones.
    accepted: usize,
    /// Those that were known already.
    duplicate: usize,
    /// Those that were not taken.
    rejected: Vec<Rejected>,
}

/// A call that was not taken.
#[derive(Serialize, ToSchema)]
struct Rejected {
    /// Place among the calls of the body, from 0; blank lines don't count.
    index: usize,
    /// Its id, where it has one that can be read.
    id: Option<String>,
    /// What is wrong with it.
    error: String,
}

impl Door {
    /// Says in `Err` what ends a request early, so that `?` reads in the order of the checks.
    async fn answer(&self, request: Request) -> Result<Answer, Answer> {
        self.authorise(request.headers())?;
        let Ok(place) = self.places.try_acquire() else { return Err(self.busy(1)) };
        let declared = declared(request.headers());
        let body = self.collect(request).await?;
        // Room in the hand-over comes before the work of reading: what can't be handed over isn't read.
        let permit = self.intake.try_reserve().map_err(|why| match why {
            mpsc::error::TrySendError::Full(()) => self.busy(1),
            mpsc::error::TrySendError::Closed(()) => self.unavailable(1),
        })?;
        let items = body::read(&body, declared, self.settings.batch_limit).map_err(|why| self.unreadable(&why))?;
        let (calls, repeated, rejected) = self.sort(&items);
        // The place is for a body; a slow store must not keep others from handing theirs over.
        drop(items);
        drop((body, place));
        if calls.is_empty() {
            return Ok(Answer::Taken(Taken { accepted: 0, duplicate: 0, rejected }));
        }
        let count = calls.len();
        let (answer, stored) = oneshot::channel();
        permit.send(Offer { calls, answer });
        match tokio::time::timeout(self.settings.answer_timeout, stored).await {
            Ok(Ok(Stored { duplicate })) => {
                let known = known_before(&duplicate, count);
                self.counts.accepted(Source::Http, count - known);
                self.counts.duplicate(Source::Http, known + repeated);
                Ok(Answer::Taken(Taken { accepted: count - known, duplicate: known + repeated, rejected }))
            }
            Ok(Err(_)) | Err(_) => Err(self.unavailable(count)),
        }
    }

    fn authorise(&self, headers: &HeaderMap) -> Result<(), Answer> {
        let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        // Digests have one length, so that comparing them tells nothing of the token's.
        let is_it = |expected: &[u8; 32]| {
            given.is_some_and(|token| bool::from(Sha256::digest(token).as_slice().ct_eq(expected)))
        };
        let right = match (&self.token, &self.settings.admit) {
            (Some(expected), _) if is_it(expected) => true,
            (_, Some(Admit(admit))) => admit(given),
            (expected, None) => expected.is_none(),
        };
        if right {
            return Ok(());
        }
        self.counts.refused(Source::Http, Refusal::Unauthorised);
        Err(Answer::Unauthorised(match given {
            None => r#"Bearer realm="afterring""#,
            Some(_) => r#"Bearer realm="afterring", error="invalid_token""#,
        }))
    }

    async fn collect(&self, request: Request) -> Result<Bytes, Answer> {
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if declared.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > self.limit()) {
            return Err(self.too_large());
        }
        let gathered = gather(request.into_body(), self.settings.body_limit);
        match tokio::time::timeout(BODY_TIMEOUT, gathered).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(Broken::TooLarge)) => Err(self.too_large()),
            Ok(Err(Broken::Ended)) => Err(self.broken(StatusCode::BAD_REQUEST, "the body ended early")),
            Err(_) => Err(self.broken(StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive")),
        }
    }

    /// Parts calls from refusals, and drops the calls that the body holds twice.
    fn sort(&self, items: &[Item<'_>]) -> (Vec<MissedCall>, usize, Vec<Rejected>) {
        let HttpSettings { numbering, future_limit, past_limit, .. } = &self.settings;
        let rules = Rules { numbering, now: (self.clock)(), future_limit: *future_limit, past_limit: *past_limit };
        let (mut calls, mut rejected) = (Vec::with_capacity(items.len()), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let checked = match item {
                Ok(element) => element.check(&rules).map_err(|fault| (fault.refusal, fault.text)),
                Err(text) => Err((Refusal::Unreadable, text.clone())),
            };
            match checked {
                Ok(call) => calls.push(call),
                Err((refusal, error)) => {
                    self.counts.refused(Source::Http, refusal);
                    let id = item.as_ref().ok().and_then(Element::id);
                    rejected.push(Rejected { index, id: id.map(|id| id.chars().take(MOST_ID).collect()), error });
                }
            }
        }
        let read = calls.len();
        let calls = once_each(calls);
        let repeated = read - calls.len();
        (calls, repeated, rejected)
    }

    fn limit(&self) -> u64 {
        u64::try_from(self.settings.body_limit).unwrap_or(u64::MAX)
    }

    fn too_large(&self) -> Answer {
        self.counts.refused(Source::Http, Refusal::TooLarge);
        let text = format!("the body is larger than {} octets: send fewer calls at once", self.settings.body_limit);
        Answer::Error(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    fn broken(&self, status: StatusCode, text: &str) -> Answer {
        self.counts.refused(Source::Http, Refusal::Unreadable);
        Answer::Error(status, text.to_owned())
    }

    fn unreadable(&self, why: &BodyError) -> Answer {
        let (status, refusal) = match why {
            BodyError::TooMany(_) => (StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge),
            BodyError::Empty | BodyError::Syntax(_) | BodyError::NoLine(_) => {
                (StatusCode::BAD_REQUEST, Refusal::Unreadable)
            }
        };
        self.counts.refused(Source::Http, refusal);
        Answer::Error(status, why.to_string())
    }

    fn busy(&self, calls: usize) -> Answer {
        self.counts.busy(Source::Http, calls);
        Answer::Later(StatusCode::TOO_MANY_REQUESTS, "busy: nothing was taken, send it again", BUSY_SECONDS)
    }

    fn unavailable(&self, calls: usize) -> Answer {
        self.counts.unavailable(Source::Http, calls);
        let text = "the calls could not be stored: send them again, with the same ids";
        Answer::Later(StatusCode::SERVICE_UNAVAILABLE, text, UNAVAILABLE_SECONDS)
    }
}

/// Characters of an id that an answer repeats: what an id may have.
const MOST_ID: usize = 128;

fn once_each(mut calls: Vec<MissedCall>) -> Vec<MissedCall> {
    let first: Vec<bool> = {
        let mut seen = HashSet::with_capacity(calls.len());
        calls.iter().map(|call| seen.insert((call.id.as_str(), call.called))).collect()
    };
    let mut first = first.into_iter();
    calls.retain(|_| first.next().unwrap_or(true));
    calls
}

enum Broken {
    TooLarge,
    Ended,
}

async fn gather(body: Body, limit: usize) -> Result<Bytes, Broken> {
    let mut chunks = body.into_data_stream();
    let mut gathered = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Broken::Ended)?;
        if gathered.len() + chunk.len() > limit {
            return Err(Broken::TooLarge);
        }
        gathered.extend_from_slice(&chunk);
    }
    Ok(gathered.freeze())
}

/// The token of `Bearer <token>`; the scheme's case doesn't matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn declared(headers: &HeaderMap) -> Declared {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let lined = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
    if lined.iter().any(|name| essence.eq_ignore_ascii_case(name)) { Declared::Lines } else { Declared::Anything }
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let complaint = |status: StatusCode, error: &str| (status, axum::Json(Complaint { error })).into_response();
        match self {
            Self::Taken(taken) => (StatusCode::ACCEPTED, axum::Json(taken)).into_response(),
            Self::Error(status, text) => complaint(status, &text),
            Self::Unauthorised(challenge) => {
                let mut response = complaint(StatusCode::UNAUTHORIZED, "give the token as Authorization: Bearer …");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                response
            }
            Self::Later(status, text, seconds) => {
                let mut response = complaint(status, text);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        }
    }
}
