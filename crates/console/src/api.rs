//! The operators' API on the admin listener: status, subscribers, timelines, ranges, the database switch, health and metrics.

pub(crate) mod audit;
mod calls;
pub(crate) mod explain;
mod flow;
mod force;
mod links;
mod lists;
mod order;
mod people;
mod refusal;
mod reports;
pub(crate) mod resend;
mod subscribers;
mod system;
mod tail;
pub(crate) mod texts;
mod timeline;
mod view;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use model::{Clock, Numbering};
use routing::Policy;
use store::{HandOver, Outcome, Store as _};
use tokio::sync::broadcast;

pub use self::force::{ForceError, ForceRequest};
pub(crate) use self::refusal::Refusal;
pub use self::view::{
    AnswerView, ChangeView, ClosedView, DatabaseStatus, JournalView, LinkView, OrderedView, RangeView, SipPeerView,
    SipView, SpanView, Status, TermsView,
};
pub(crate) use self::view::{maybe_rfc3339, range_views, rfc3339};
use crate::access::{self, Access, Permission};
use crate::audit::Audit;
use crate::handles::Handles;
use crate::health::{self, Check};
use crate::pages;
use crate::reading::Reading;
use crate::samples::Samples;
use crate::system::{LinkOrder, LogView, LogWish, OrderError, ReloadView, SystemView};
use crate::today::Today;

/// The largest body in bytes; every request here is a handful of short fields.
const BODY_LIMIT: usize = 16 * 1024;

/// What the binary hands in. Everything called here answers at once from what is known; only the store is waited for.
#[derive(Clone)]
pub struct Operators {
    /// Subscribers, timelines and the usage of ranges.
    pub store: HandOver,
    /// How numbers in paths are read.
    pub numbering: Numbering,
    /// The gateway as it is now.
    pub status: Arc<dyn Fn() -> Status + Send + Sync>,
    /// Forces the database's state, or lifts that.
    pub force: Arc<dyn Fn(ForceRequest) -> Result<(), ForceError> + Send + Sync>,
    /// What decisions are taken by, which a reload changes.
    pub policy: Arc<dyn Fn() -> Arc<Policy> + Send + Sync>,
    /// What is counted, for figures and charts.
    pub reading: Arc<dyn Fn() -> Reading + Send + Sync>,
    /// What is decided, as it happens.
    pub live: broadcast::Sender<Arc<Vec<Outcome>>>,
    /// The program and its settings.
    pub system: Arc<dyn Fn() -> SystemView + Send + Sync>,
    /// Orders a link, or all.
    pub order_link: Arc<dyn Fn(LinkOrder) -> Result<(), OrderError> + Send + Sync>,
    /// Reads the settings anew: files are read, so that it may take a while.
    pub reload: Arc<dyn Fn() -> ReloadView + Send + Sync>,
    /// Logs otherwise for a while; `None`: as the settings say.
    pub log: Arc<dyn Fn(Option<LogWish>) -> Result<LogView, OrderError> + Send + Sync>,
    /// The metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What readiness depends on, as found now ([`crate::Condition::checks`]).
    pub ready: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
    /// The time, for new registrations and expiries.
    pub clock: Clock,
    /// Who may ask for what.
    pub access: Access,
    /// Where it is noted who did what.
    pub audit: Audit,
    /// How people are named in addresses of pages.
    pub handles: Handles,
}

/// What handlers are given.
#[derive(Clone)]
pub(crate) struct Api {
    operators: Operators,
    samples: Samples,
    today: Today,
}

impl FromRef<Api> for Operators {
    fn from_ref(api: &Api) -> Self {
        api.operators.clone()
    }
}

impl FromRef<Api> for Samples {
    fn from_ref(api: &Api) -> Self {
        api.samples.clone()
    }
}

impl FromRef<Api> for Today {
    fn from_ref(api: &Api) -> Self {
        api.today.clone()
    }
}

/// The routes:
///
/// | call | answers |
/// |---|---|
/// | `GET /v1/status` | [`Status`] |
/// | `GET /v1/flow?span=` | [`crate::FlowView`] over 5m (usual), 15m, 1h, 6h or 24h |
/// | `GET` `PUT` `DELETE /v1/subscribers/{number}` | the subscriber; 201 when `PUT` registered a new one; 204 when deleted |
/// | `GET /v1/subscribers/{number}/timeline?limit=` | the newest `limit` events (1 to 1,000; 100), in order |
/// | `GET /v1/subscribers/{number}/calls/{seq}` | the call's [`crate::Ladder`]: everything from the core network to the phone and back |
/// | `POST /v1/subscribers/{number}/resend` | 202 with what was decided of sending `alert` again |
/// | `POST /v1/subscribers/{number}/pause` `…/resume` | the subscriber, whose alerts are held, or no longer |
/// | `GET /v1/explain?called=&caller=&withheld=&reason=&service_number=` | what would be decided of such a call now, and why |
/// | `GET /v1/ranges` | `{"ranges":[…]}`, each a [`RangeView`] |
/// | `GET /v1/reports?from=&to=&format=` | a [`crate::report::ReportView`], or CSV |
/// | `GET /v1/tail?event=&verdict=&why=&kind=&range=&digits=` | what is decided, as it happens: server-sent events, each a JSON object |
/// | `GET /v1/campaigns` | `{"campaigns":[…]}`: per campaign and range, teased, fetched, subscribed, and rates |
/// | `GET /v1/texts?language=&range=&campaign=&kind=` | `{"texts":[…]}`: each a [`routing::text::Preview`] |
/// | `GET /v1/lists/{list}?after=` | `{"entries":[…]}`: the next thousand numbers of `consent`, `customers` or `do_not_contact` |
/// | `GET` `PUT` `DELETE /v1/lists/{list}/{number}` | the entry; 201 when `PUT` added it; 204 when taken off |
/// | `GET /v1/people/{number}` | everything that is known of the person, as it is stored |
/// | `DELETE /v1/people/{number}?reason=` | what was erased, and what stays |
/// | `GET /v1/links` | `{"links":[…]}`, each a [`LinkView`] |
/// | `POST /v1/links/{name}/drain` `/unbind` `/rebind` | what was ordered of that link, or of `all`; a slash in a name is written `%2F` |
/// | `POST` `DELETE /v1/database/force` | what is in force; 204 when lifted |
/// | `GET /v1/system` | [`SystemView`]: the version, every setting in force with where it was given, the last reload, what is logged |
/// | `POST /v1/reload` | reads the settings anew: a [`ReloadView`] of what was applied; 422 with its faults, and then nothing was |
/// | `POST` `DELETE /v1/log` | a [`LogView`]: another filter for a time, and the settings' own again |
/// | `GET /v1/audit?before=&limit=&who=&action=&format=` | who did what and why, the newest first; JSON or CSV |
/// | `GET /livez` `/readyz` `/metrics` | health and metrics, for everybody |
///
/// Faults are `{"error":"…"}` with 400 (can't be read), 401 (nobody known asks), 403 (they may not), 404 (unknown), 409 (not possible here), 413 (too
/// large), 422 (settings that can't be used), 503 (the store can't answer now, or the audit log can't be written). Numbers are shown in full, with `+`, to those who may see them.
pub fn router(operators: Operators) -> Router {
    let samples = Samples::new((operators.reading)());
    tokio::spawn(samples.clone().read(Arc::clone(&operators.reading)));
    let today = Today::default();
    tokio::spawn(today.clone().read(operators.clone()));
    let pages = pages::router(operators.clone(), samples.clone(), today.clone());
    let access = operators.access.clone();
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .merge(access::guarded(Permission::Read, reading()))
        .merge(access::guarded(Permission::SeeNumbers, people()))
        .merge(access::guarded(Permission::ChangePeople, changing()))
        .merge(access::guarded(Permission::Operate, operating()))
        .merge(access::guarded(Permission::Administer, administering()))
        .merge(access::router())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Api { operators, samples, today })
        .merge(pages)
        .merge(crate::assets())
        .layer(from_fn_with_state(access, access::recognise))
}

/// For everybody who may look.
fn reading() -> Router<Api> {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/flow", get(flow::flow))
        .route("/v1/ranges", get(ranges))
        .route("/v1/tail", get(tail::tail))
        .route("/v1/campaigns", get(lists::campaigns))
        .route("/v1/reports", get(reports::get))
        .route("/v1/system", get(system::get))
        .route("/v1/links", get(links::list))
        .route("/v1/audit", get(audit::page))
        .route("/v1/texts", get(texts::get))
}

/// For those who may see numbers.
fn people() -> Router<Api> {
    Router::new()
        .route("/v1/subscribers/{number}", get(subscribers::get))
        .route("/v1/subscribers/{number}/timeline", get(timeline::timeline))
        .route("/v1/subscribers/{number}/calls/{seq}", get(calls::get))
        .route("/v1/explain", get(explain::explain))
        .route("/v1/lists/{list}", get(lists::page))
        .route("/v1/lists/{list}/{number}", get(lists::get))
        .route("/v1/people/{number}", get(people::get))
}

/// For those who may change people.
fn changing() -> Router<Api> {
    Router::new()
        .route("/v1/subscribers/{number}", put(subscribers::put).delete(subscribers::delete))
        .route("/v1/subscribers/{number}/resend", post(resend::resend))
        .route("/v1/subscribers/{number}/pause", post(resend::pause))
        .route("/v1/subscribers/{number}/resume", post(resend::resume))
        .route("/v1/lists/{list}/{number}", put(lists::put).delete(lists::delete))
}

/// For those who run the gateway.
fn operating() -> Router<Api> {
    Router::new()
        .route("/v1/database/force", post(force::force).delete(force::lift))
        .route("/v1/links/{name}/drain", post(links::drain))
        .route("/v1/links/{name}/unbind", post(links::unbind))
        .route("/v1/links/{name}/rebind", post(links::rebind))
        .route("/v1/reload", post(system::reload))
        .route("/v1/log", post(system::log).delete(system::usual_log))
}

/// For administrators.
fn administering() -> Router<Api> {
    Router::new().route("/v1/people/{number}", delete(people::delete))
}

async fn status(State(operators): State<Operators>) -> Json<Status> {
    Json((operators.status)())
}

async fn metrics(State(operators): State<Operators>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (operators.metrics)()).into_response()
}

#[derive(serde::Serialize)]
struct RangesView {
    ranges: Vec<RangeView>,
}

async fn ranges(State(operators): State<Operators>) -> Result<Json<RangesView>, Refusal> {
    let usage = operators.store.usage().await?;
    let ranges = view::range_views(&(operators.policy)().ranges, &usage, (operators.clock)());
    Ok(Json(RangesView { ranges }))
}
