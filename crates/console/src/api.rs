//! The operators' API on the admin listener: status, subscribers, timelines, ranges, the database switch, health and metrics.

mod asked;
pub(crate) mod audit;
mod calls;
mod describe;
pub(crate) mod explain;
mod flow;
pub(crate) mod force;
pub(crate) mod links;
mod lists;
mod order;
mod people;
mod refusal;
mod reports;
pub(crate) mod resend;
mod subscribers;
pub(crate) mod system;
mod tail;
pub(crate) mod texts;
mod timeline;
mod view;
pub(crate) mod words;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use model::{Clock, Numbering};
use routing::{Condition, Policy};
use store::{HandOver, Outcome, Store as _, StoreError};
use tokio::sync::broadcast;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::force::{ForceError, ForceRequest};
pub(crate) use self::refusal::Refusal;
use self::view::Extent;
pub use self::view::{
    AnswerView, ChangeView, ClosedView, DatabaseStatus, JournalView, LinkView, OrderedView, RangeView, SipPeerView,
    SipView, SpanView, Status, TermsView,
};
pub(crate) use self::view::{maybe_rfc3339, range_views, rfc3339};
use crate::access::{self, Access, Permission};
use crate::audit::{Audit, Entry, Tried};
use crate::handles::Handles;
use crate::health::{self, Check};
use crate::pages;
use crate::reading::Reading;
use crate::report::Reports;
use crate::samples::Samples;
use crate::system::{LinkOrder, LogView, LogWish, OrderError, ReloadView, SystemView};
use crate::today::Today;

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

impl Operators {
    /// Does something that is noted ([`Audit::act`]).
    pub(crate) async fn act<T, E, W>(
        self,
        entry: Entry,
        work: impl FnOnce(Self, Entry) -> W + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: Tried + Send + 'static,
        W: Future<Output = Result<(T, Option<Entry>), E>> + Send + 'static,
    {
        let audit = self.audit.clone();
        audit.act(entry, |entry| work(self, entry)).await
    }

    /// Whether what the database keeps can't be read now, so that less is known here than there is.
    pub(crate) fn knows_less(&self) -> bool {
        let database = (self.status)().database;
        database.configured && (database.behind || database.state == Condition::Abnormal)
    }

    /// What is said where nothing was found: that there is nothing only where all could be looked at.
    pub(crate) fn missing(&self, nothing: Refusal) -> Refusal {
        if self.knows_less() { Refusal::Store(StoreError::Away) } else { nothing }
    }
}

/// What handlers are given.
#[derive(Clone)]
pub(crate) struct Api {
    operators: Operators,
    samples: Samples,
    today: Today,
    reports: Reports,
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

impl FromRef<Api> for Reports {
    fn from_ref(api: &Api) -> Self {
        api.reports.clone()
    }
}

/// The API under `/v1/`, of which `/openapi.json` tells every call and answer; health and metrics (`/livez`, `/readyz`, `/metrics`), for everybody; and
/// the pages.
pub fn router(operators: Operators) -> Router {
    let samples = Samples::new((operators.reading)());
    tokio::spawn(samples.clone().read(Arc::clone(&operators.reading)));
    let today = Today::default();
    tokio::spawn(today.clone().read(operators.clone()));
    let reports = Reports::default();
    let pages = pages::router(operators.clone(), samples.clone(), today.clone(), reports.clone());
    let access = operators.access.clone();
    let (routes, description) = described().split_for_parts();
    let description = Bytes::from(describe::document(description).to_json().unwrap_or_default());
    let description = Router::new().route("/openapi.json", get(openapi).with_state(description));
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics))
        .merge(access::guarded(Permission::Read, description))
        .merge(routes)
        .merge(access::router())
        .method_not_allowed_fallback(async || Refusal::Method)
        .with_state(Api { operators, samples, today, reports })
        .merge(pages)
        .merge(crate::assets())
        .fallback(nowhere)
        .layer(from_fn_with_state(access, access::recognise))
}

/// What isn't there, told as whoever asks reads it.
async fn nowhere(uri: Uri) -> Response {
    if uri.path().starts_with("/v1/") {
        Refusal::Nowhere.into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// Every call under `/v1/`, by who may ask for it, each with what it says of itself.
fn described() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .merge(asking_for(Permission::Read, reading()))
        .merge(asking_for(Permission::SeeNumbers, people()))
        .merge(asking_for(Permission::ChangePeople, changing()))
        .merge(asking_for(Permission::Operate, operating()))
        .merge(asking_for(Permission::Administer, administering()))
}

/// Calls that ask for a permission, and say so.
fn asking_for(permission: Permission, calls: OpenApiRouter<Api>) -> OpenApiRouter<Api> {
    let mut calls = calls.route_layer(from_fn_with_state(permission, access::guard));
    describe::asks_for(calls.get_openapi_mut(), permission);
    calls
}

/// For everybody who may look.
fn reading() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(status))
        .routes(routes!(flow::flow))
        .routes(routes!(ranges))
        .routes(routes!(lists::campaigns))
        .routes(routes!(reports::get))
        .routes(routes!(system::get))
        .routes(routes!(audit::page))
        .routes(routes!(tail::tail))
        .routes(routes!(links::list))
        .routes(routes!(texts::get))
}

/// For those who may see numbers.
fn people() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(subscribers::get))
        .routes(routes!(timeline::timeline))
        .routes(routes!(calls::get))
        .routes(routes!(explain::explain))
        .routes(routes!(lists::page))
        .routes(routes!(lists::get))
        .routes(routes!(people::get))
}

/// For those who may change people.
fn changing() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(subscribers::put, subscribers::patch, subscribers::delete))
        .routes(routes!(resend::resend))
        .routes(routes!(resend::pause))
        .routes(routes!(resend::resume))
        .routes(routes!(lists::put, lists::delete))
}

/// For those who run the gateway.
fn operating() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(force::force, force::lift))
        .routes(routes!(system::reload))
        .routes(routes!(system::log, system::usual_log))
        .routes(routes!(links::drain))
        .routes(routes!(links::unbind))
        .routes(routes!(links::rebind))
}

/// For administrators.
fn administering() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(people::delete))
}

/// The gateway as it is now.
#[utoipa::path(get, path = "/v1/status", tag = "gateway", responses((status = 200, body = Status)))]
async fn status(State(operators): State<Operators>) -> Json<Status> {
    Json((operators.status)())
}

/// The description of all this, written once.
async fn openapi(State(document): State<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

async fn metrics(State(operators): State<Operators>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (operators.metrics)()).into_response()
}

#[derive(serde::Serialize, ToSchema)]
struct RangesView {
    /// Every range once, by its lowest number.
    ranges: Vec<RangeView>,
    #[serde(flatten)]
    extent: Extent,
}

/// The ranges, their quotas, and how much of them is used.
#[utoipa::path(get, path = "/v1/ranges", tag = "plan", responses((status = 200, body = RangesView)))]
async fn ranges(State(operators): State<Operators>) -> Result<Json<RangesView>, Refusal> {
    let usage = operators.store.usage().await?;
    let ranges = view::range_views(&(operators.policy)().ranges, &usage, (operators.clock)());
    Ok(Json(RangesView { ranges, extent: Extent::of(&operators) }))
}
