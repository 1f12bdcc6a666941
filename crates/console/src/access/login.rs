//! Signing in and out, and showing numbers: `/login`, `/logout`, `/unmask`, `/mask`.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::door::SignInError;
use super::{Permission, Viewer, guarded, password};
use crate::api::{Api, Operators};
use crate::audit::{Action, Entry, masked};
use crate::{PageLanguage, reason};

/// Nothing inline, nothing framed, nothing from elsewhere.
const CONTENT_SECURITY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// `GET` and `POST /login`, `POST /logout`, `POST /unmask`, `POST /mask`.
pub(crate) fn router() -> Router<Api> {
    let numbers =
        Router::new().route("/unmask", post(unmask)).route("/mask", post(mask)).route("/logout", post(sign_out));
    Router::new().route("/login", get(page).post(sign_in)).merge(guarded(Permission::Read, numbers))
}

#[derive(Template)]
#[template(path = "pages/login.html")]
struct Login<'a> {
    language: PageLanguage,
    next: &'a str,
    name: &'a str,
    fault: Option<&'a str>,
    /// Whether there is anybody who could sign in here.
    users: bool,
}

impl Login<'_> {
    fn t<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        self.language.pick(en, zh)
    }

    fn answer(&self, status: StatusCode) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::CACHE_CONTROL, "no-store"),
            (header::VARY, "Accept-Language"),
        ];
        match self.render() {
            Ok(page) => (status, headers, Html(page)).into_response(),
            Err(error) => {
                tracing::error!(%error, "the sign-in page could not be drawn");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    next: Option<String>,
    lang: Option<String>,
}

async fn page(State(operators): State<Operators>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let language = PageLanguage::choose(asked.lang.as_deref(), &headers);
    let next = within(asked.next.as_deref());
    Login { language, next, name: "", fault: None, users: operators.access.has_users() }.answer(StatusCode::OK)
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
    next: Option<String>,
    lang: Option<String>,
}

async fn sign_in(
    State(operators): State<Operators>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    form: Result<Form<SignIn>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else { return (StatusCode::BAD_REQUEST, "the form can't be read\n").into_response() };
    let language = PageLanguage::choose(form.lang.as_deref(), &headers);
    let next = within(form.next.as_deref());
    let name = form.name.trim();
    let again = |status, en, zh| {
        let name = if super::check_name(name).is_ok() { name } else { "" };
        let users = operators.access.has_users();
        Login { language, next, name, fault: Some(language.pick(en, zh)), users }.answer(status)
    };
    let wrong = || again(StatusCode::UNAUTHORIZED, "This name and password are not right.", "用户名或密码不正确。");
    if super::check_name(name).is_err() || form.password.len() > password::LONGEST {
        return wrong();
    }
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(ConnectInfo(peer))| peer.ip());
    let signed_in = operators.access.sign_in(name, form.password, address).await;
    let at = (operators.clock)();
    let who = format!("user:{name}");
    let entry = match &signed_in {
        Ok(_) => Some(Entry::by(who, at, Action::SignedIn)),
        Err(SignInError::Wrong) => Some(Entry::by("nobody".to_owned(), at, Action::SignInFailed).about(who)),
        Err(SignInError::TooOften(_) | SignInError::Busy) => None,
    };
    if let Some(entry) = entry {
        note(&operators, entry.detail(format!("from {}", address.to_canonical()))).await;
    }
    match signed_in {
        Ok(cookie) => (set_cookie(&operators, Some(&cookie)), Redirect::to(next)).into_response(),
        Err(SignInError::Wrong) => wrong(),
        Err(SignInError::TooOften(wait)) => {
            let (en, zh) = ("Too many wrong passwords. Wait a minute.", "密码错误次数过多，请一分钟后再试。");
            let mut answer = again(StatusCode::TOO_MANY_REQUESTS, en, zh);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
            answer
        }
        Err(SignInError::Busy) => {
            let (en, zh) = ("Too many people sign in right now. Try again.", "当前登录人数过多，请重试。");
            let mut answer = again(StatusCode::SERVICE_UNAVAILABLE, en, zh);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            answer
        }
    }
}

async fn sign_out(State(operators): State<Operators>, viewer: Viewer, headers: HeaderMap) -> Response {
    operators.access.sign_out(&headers);
    note(&operators, Entry::of(&viewer, (operators.clock)(), Action::SignedOut)).await;
    (set_cookie(&operators, None), Redirect::to("/login")).into_response()
}

#[derive(Deserialize)]
struct Unmask {
    reason: String,
    next: Option<String>,
}

async fn unmask(
    State(operators): State<Operators>,
    viewer: Viewer,
    headers: HeaderMap,
    form: Result<Form<Unmask>, FormRejection>,
) -> Response {
    let reason = form.ok().and_then(|Form(form)| reason::read(&form.reason).map(|reason| (reason, form.next)));
    let Some((reason, next)) = reason else {
        return (StatusCode::BAD_REQUEST, "'reason': give 1 to 200 characters in one line\n").into_response();
    };
    if !viewer.may(Permission::SeeNumbers) {
        return (StatusCode::FORBIDDEN, format!("{}\n", Permission::SeeNumbers.lacking())).into_response();
    }
    let at = (operators.clock)();
    let until = at + super::door::UNMASKED;
    let entry = Entry::of(&viewer, at, Action::NumbersShown).because(Some(reason)).until(until);
    if let Err(error) = operators.audit.note_first(entry).await {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], format!("{error}\n")).into_response();
    }
    operators.access.unmask(&viewer, &headers, Some(until));
    Redirect::to(within(next.as_deref())).into_response()
}

#[derive(Deserialize)]
struct Mask {
    next: Option<String>,
}

async fn mask(
    State(operators): State<Operators>,
    viewer: Viewer,
    headers: HeaderMap,
    form: Result<Form<Mask>, FormRejection>,
) -> Response {
    operators.access.unmask(&viewer, &headers, None);
    let next = form.ok().and_then(|Form(form)| form.next);
    Redirect::to(within(next.as_deref())).into_response()
}

fn set_cookie(operators: &Operators, value: Option<&str>) -> [(header::HeaderName, String); 1] {
    [(header::SET_COOKIE, operators.access.set_cookie(value))]
}

/// Notes who came and went. Where that can't be noted the log says it, and nobody is kept out: what is wrong is to be seen on the pages.
async fn note(operators: &Operators, entry: Entry) {
    let (who, subject, detail) = (masked(&entry.who), entry.subject.as_deref().map(masked), entry.detail.clone());
    let action = entry.action.as_str();
    if let Err(error) = operators.audit.note(entry).await {
        tracing::warn!(%error, who, action, subject, detail, "who came and went is missing in the audit log");
    }
}

/// A place on this console; anything else is its first page.
fn within(next: Option<&str>) -> &str {
    let is_ours = |next: &&str| {
        next.starts_with('/')
            && !next.starts_with("//")
            && !next.starts_with("/login")
            && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    next.filter(is_ours).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_stays_on_this_console() {
        for (next, to) in [
            (Some("/people/x?range=1h"), "/people/x?range=1h"),
            (Some("//elsewhere.example/"), "/"),
            (Some("/\\elsewhere.example/"), "/"),
            (Some("https://elsewhere.example/"), "/"),
            (Some("/login?next=/"), "/"),
            (Some("/a\r\nset-cookie: x=y"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(within(next), to, "{next:?}");
        }
    }
}
