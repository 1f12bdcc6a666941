//! The console: what operators and customer care see in a browser.
//!
//! A screen is one file: it reads what it shows from [`Operators`], makes [`table::Table`]s and [`chart::Chart`]s of it, and puts them into its template. The
//! same tables are the screen's CSV and JSON (`?format=`), and the same parts are sent live ([`live`]).

mod band;
mod bars;
pub(crate) mod chart;
mod database;
mod flow;
mod history;
mod links;
mod live;
mod people;
mod ranges;
mod reports;
mod shell;
mod system;
pub(crate) mod table;
mod tail;
mod texts;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::response::{Redirect, Response};
use axum::routing::get;
use tokio::sync::Semaphore;

use self::visit::Visit;
use crate::api::Operators;
use crate::report::Reports;
use crate::samples::Samples;
use crate::tail::Recent;
use crate::today::Today;
use crate::{Permission, access, guard};

/// What all pages share.
pub(crate) struct Console {
    /// The gateway.
    pub(crate) operators: Operators,
    /// What it counted.
    pub(crate) samples: Samples,
    /// What was counted today.
    pub(crate) today: Today,
    /// Where reports are made.
    pub(crate) reports: Reports,
    /// What was decided lately.
    pub(crate) recent: Recent,
    /// Places for live streams.
    places: Arc<Semaphore>,
}

/// Every page, each under the address of its screen ([`shell::Screen::path`]).
pub(crate) fn router(operators: Operators, samples: Samples, today: Today, reports: Reports) -> Router {
    let recent = Recent::begin(&operators.live, operators.clock);
    let places = Arc::new(Semaphore::new(live::VIEWERS));
    let console = Arc::new(Console { operators, samples, today, reports, recent, places });
    let pages = Router::new()
        .route("/", get(async || Redirect::to("/flow")))
        .route("/live", get(banner))
        .merge(flow::routes())
        .merge(database::routes())
        .merge(links::routes())
        .merge(ranges::routes())
        .merge(reports::routes())
        .merge(system::routes())
        .merge(texts::routes())
        .merge(tail::routes())
        .merge(people::routes());
    access::guarded(Permission::Read, pages).layer(axum::middleware::from_fn(guard::guard)).with_state(console)
}

/// The banner alone, for pages that have nothing else to tell live.
async fn banner(visit: Visit) -> Response {
    live::stream(visit, |visit| Ok(vec![visit.banner()?]))
}
