//! One request for a page: who asks, in which language and form, and how it is answered.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::tz::TimeZone;
use model::{Msisdn, Timestamp};
use serde::Deserialize;

use super::Console;
use super::shell::{self, Screen};
use super::table::Table;
use crate::api::Refusal;
use crate::audit::{AuditError, Tried};
use crate::masked::masked;
use crate::samples::Span;
use crate::zone;
use crate::{PageLanguage, Permission, Viewer, reason};

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// A page.
    Html,
    /// The tables as JSON: an object of arrays by the tables' names, or one array where one is named.
    Json,
    /// One table as CSV: the one that is named, else the first.
    Csv,
}

/// A colour scheme that somebody chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Theme {
    /// As the system says.
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every one, in the order of the switch.
    pub(crate) const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word in `?theme=` and `data-theme`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }
}

/// A request for a page.
pub(crate) struct Visit {
    /// What all pages share.
    pub(crate) console: Arc<Console>,
    /// Who asks.
    pub(crate) viewer: Viewer,
    /// The page's language.
    pub(crate) l: PageLanguage,
    /// Its colours.
    pub(crate) theme: Theme,
    /// In what form it is wanted.
    pub(crate) form: Form,
    /// The one table that is wanted.
    pub(crate) table: Option<String>,
    /// How much of the past is looked at.
    pub(crate) span: Span,
    /// The path.
    pub(crate) path: String,
    /// The query's pairs, without those that say the form, the language or the colours.
    pub(crate) query: Vec<(String, String)>,
    /// When.
    pub(crate) now: Timestamp,
    /// The time zone that times are shown in: the one of messages.
    pub(crate) zone: TimeZone,
    /// What is chosen in this request and is to be remembered.
    chosen: Vec<(&'static str, &'static str)>,
}

/// A page's own part, in HTML.
pub(crate) struct Content {
    /// What stands in the window's title and above the content.
    pub(crate) title: String,
    /// The content.
    pub(crate) html: String,
    /// Where its live parts come from; without, only the banner is live.
    pub(crate) events: Option<String>,
}

/// Why a page can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A template failed: a fault of the program.
    #[error("the page could not be drawn")]
    Drawing(#[from] askama::Error),
    /// The store can't answer.
    #[error("the store can't answer now: {0}")]
    Store(#[from] store::StoreError),
    /// Too many reports are being made.
    #[error(transparent)]
    Reports(#[from] crate::report::Busy),
    /// The audit log can't be written: nothing is done that isn't in it.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// There is no such thing.
    #[error("there is no such page")]
    NotFound,
    /// The viewer may not.
    #[error("that is not for your role")]
    Forbidden,
    /// A form was filled in wrongly.
    #[error("{0}")]
    Form(&'static str),
    /// The gateway did not take an order.
    #[error("{0}")]
    Refused(String),
}

/// A form that asks for a reason only.
#[derive(Deserialize)]
pub(crate) struct Reasoned {
    /// Why.
    pub(crate) reason: String,
}

impl FromRequestParts<Arc<Console>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Infallible> {
        let viewer = Option::<axum::Extension<Viewer>>::from_request_parts(parts, console).await;
        let viewer = viewer.ok().flatten().map_or_else(Viewer::nobody, |axum::Extension(viewer)| viewer);
        Ok(Self::of(parts, console, viewer))
    }
}

impl Visit {
    fn of(parts: &Parts, console: &Arc<Console>, viewer: Viewer) -> Self {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(parts.uri.query().unwrap_or("")).unwrap_or_default();
        let asked = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let (lang, theme) = (asked("lang"), asked("theme").and_then(Theme::parse));
        let l = PageLanguage::choose(lang.or_else(|| cookie(&parts.headers, "afterring_lang")), &parts.headers);
        let remembered = || cookie(&parts.headers, "afterring_theme").and_then(Theme::parse);
        let mut chosen = Vec::new();
        chosen.extend(lang.map(|_| ("afterring_lang", l.as_str())));
        chosen.extend(theme.map(|theme| ("afterring_theme", theme.as_str())));
        let form = match asked("format") {
            Some("json") => Form::Json,
            Some("csv") => Form::Csv,
            _ => Form::Html,
        };
        let policy = (console.operators.policy)();
        Self {
            viewer,
            l,
            theme: theme.or_else(remembered).unwrap_or(Theme::System),
            form,
            table: asked("table").map(str::to_owned),
            span: asked("span").and_then(Span::parse).unwrap_or_default(),
            path: parts.uri.path().to_owned(),
            now: (console.operators.clock)(),
            zone: zone::of(&policy.time_zone),
            chosen,
            console: Arc::clone(console),
            query: pairs
                .into_iter()
                .filter(|(key, _)| !matches!(key.as_str(), "lang" | "theme" | "format" | "table"))
                .collect(),
        }
    }

    /// A value of the query; `None` where it is absent or empty.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The address of this page, without its form: tables and switches build on it.
    pub(crate) fn here(&self) -> String {
        self.with(&[])
    }

    /// The address of this page with some values of the query set otherwise.
    pub(crate) fn with(&self, other: &[(&str, &str)]) -> String {
        let kept = self.query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let kept = kept.filter(|(key, _)| other.iter().all(|(name, _)| name != key));
        let pairs: Vec<(&str, &str)> = kept.chain(other.iter().copied()).collect();
        let query = serde_urlencoded::to_string(pairs).unwrap_or_default();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// Whether this viewer sees numbers now.
    pub(crate) fn sees_numbers(&self) -> bool {
        self.viewer.sees_numbers(self.now)
    }

    /// A text in which numbers are shown as this viewer may see them.
    pub(crate) fn text(&self, text: &str) -> String {
        if self.sees_numbers() { text.to_owned() } else { masked(text) }
    }

    /// Whether what the database keeps can't be read now, so that less is known here than there is.
    pub(crate) fn knows_less(&self) -> bool {
        self.console.operators.knows_less()
    }

    /// A number as this viewer may see it.
    pub(crate) fn number(&self, number: Msisdn) -> String {
        if self.sees_numbers() { format!("+{}", number.reveal()) } else { number.to_string() }
    }

    /// A table as HTML in this page.
    ///
    /// # Errors
    /// When the template fails.
    pub(crate) fn table_html(&self, table: &Table) -> Result<String, askama::Error> {
        table.html(&self.zone, Some(&self.here()))
    }

    /// The answer: the tables in the form that is wanted, or the page. Charts are given as tables, and shown so where one is named.
    ///
    /// # Errors
    /// When a template fails.
    pub(crate) fn answer(
        &self,
        screen: Screen,
        tables: &[Table],
        content: impl FnOnce() -> Result<Content, Fault>,
    ) -> Result<Response, Fault> {
        let named = self.table.as_deref().and_then(|name| tables.iter().find(|table| table.name == name));
        let unknown = self.table.is_some() && named.is_none();
        if unknown {
            return Err(Fault::NotFound);
        }
        match self.form {
            Form::Json => {
                let json = match named {
                    Some(table) => table.json(),
                    None => tables.iter().map(|table| (table.name.to_owned(), table.json())).collect(),
                };
                Ok(axum::Json(json).into_response())
            }
            Form::Csv => {
                let table = named.or(tables.first()).ok_or(Fault::NotFound)?;
                let name = format!("attachment; filename=\"afterring-{}.csv\"", table.name);
                let headers =
                    [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
                Ok((headers, table.csv()).into_response())
            }
            Form::Html => {
                let content = match named {
                    Some(table) => {
                        Content { title: table.caption.to_owned(), html: self.table_html(table)?, events: None }
                    }
                    None => content()?,
                };
                self.page(screen, &content)
            }
        }
    }

    /// A page that holds no table.
    ///
    /// # Errors
    /// When a template fails.
    pub(crate) fn page(&self, screen: Screen, content: &Content) -> Result<Response, Fault> {
        let html = shell::page(self, screen, content)?;
        let mut response = ([(header::VARY, "Accept-Language, Cookie")], Html(html)).into_response();
        for (name, value) in &self.chosen {
            let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax");
            if let Ok(cookie) = cookie.parse() {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
        }
        Ok(response)
    }

    /// Refuses who may not.
    ///
    /// # Errors
    /// When the viewer may not.
    pub(crate) fn needs(&self, asked: Permission) -> Result<(), Fault> {
        if self.viewer.may(asked) { Ok(()) } else { Err(Fault::Forbidden) }
    }

    /// A reason as it is kept: one line of 1 to 200 characters.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn reason(&self, text: &str) -> Result<String, Fault> {
        let why = self.l.pick("give a reason of 1 to 200 characters in one line", "请填写原因（1 至 200 字，一行）");
        reason::read(text).ok_or(Fault::Form(why))
    }

    /// What every page shows live: the banner.
    ///
    /// # Errors
    /// When a template fails.
    pub(crate) fn banner(&self) -> Result<(String, String), askama::Error> {
        Ok(("banner".to_owned(), shell::banner(self)?))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => Self::Store(error),
            Refusal::Audit(error) => Self::Audit(error),
            Refusal::Reports(error) => Self::Reports(error),
            refusal => Self::Refused(refusal.to_string()),
        }
    }
}

impl Tried for Fault {
    fn leaves_open(&self) -> bool {
        matches!(self, Self::Store(error) if error.leaves_open())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Drawing(error) => {
                tracing::error!(%error, "a page could not be drawn");
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Store(_) | Self::Audit(_) | Self::Reports(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Form(_) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::CONFLICT,
        };
        let answer = (status, self.to_string());
        match status {
            StatusCode::SERVICE_UNAVAILABLE => ([(header::RETRY_AFTER, "5")], answer).into_response(),
            _ => answer.into_response(),
        }
    }
}

/// The value of a cookie (RFC 6265 §4.2).
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split("; ")).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
