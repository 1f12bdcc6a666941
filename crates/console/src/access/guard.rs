//! What stands before every route: who asks, whether another site makes them ask, and whether they may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequest as _, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::door::{Access, Shown, is_stream};
use super::{Permission, Viewer, Who};

/// The largest body in bytes: a number and a reason, percent-encoded, or a registration.
const BODY_LIMIT: usize = 16 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a query value can't hold as it is.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'&').add(b'+').add(b'<').add(b'>').add(b'%');

/// Who asks, and when: noted for the guards of the routes.
#[derive(Clone)]
struct Noted {
    viewer: Option<Viewer>,
    at: model::Timestamp,
}

/// Stands before everything: notes who asks. Nobody gets further than where everybody may, and nobody changes anything from a page of another
/// site, or by a form that isn't ours.
pub(crate) async fn recognise(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let foreign = is_foreign(&parts.headers);
    // A link on another page leads here like a typed address; what is asked for by a script there stays unknown.
    let followed = foreign && parts.method == Method::GET && is_navigation(&parts.headers);
    let shown = access.shown(&parts.headers, peer(&parts), foreign && (!followed || is_api(&parts.uri)));
    let viewer = match shown {
        Shown::Viewer(viewer) => Some(viewer),
        Shown::Nothing | Shown::WrongToken if is_open(&parts.uri) => None,
        Shown::Nothing => return nobody(&parts, "show who you are: a token (Authorization: Bearer …), or sign in"),
        Shown::WrongToken => return nobody(&parts, "this token is not known"),
    };
    if !parts.method.is_safe() {
        let by_itself = viewer.as_ref().is_some_and(|viewer| matches!(viewer.who, Who::Token(_)));
        if foreign && !by_itself {
            return refused(&parts, StatusCode::FORBIDDEN, "a page of another site may not do that");
        }
        let bytes = match gathered(body, BODY_TIMEOUT).await {
            Ok(bytes) => bytes,
            // The rest of the body is of no use to anybody, and the connection with it.
            Err((status, why)) => {
                return ([(header::CONNECTION, "close")], refused(&parts, status, &why)).into_response();
            }
        };
        if let Some(viewer) = viewer.as_ref().filter(|viewer| needs_form_token(viewer, &parts))
            && let Err(why) = check_form_token(viewer, &parts, &bytes)
        {
            return refused(&parts, StatusCode::FORBIDDEN, why);
        }
        body = Body::from(bytes);
    }
    if let Some(viewer) = &viewer {
        parts.extensions.insert(viewer.clone());
    }
    parts.extensions.insert(Noted { viewer, at: access.now() });
    next.run(Request::from_parts(parts, body)).await
}

/// Guards routes: whoever asks for one of them must have the permission. What [`recognise`] stands before only.
pub(crate) fn guarded<S: Clone + Send + Sync + 'static>(permission: Permission, routes: Router<S>) -> Router<S> {
    routes.route_layer(from_fn_with_state(permission, guard))
}

/// Lets those through who have the permission.
pub(crate) async fn guard(State(permission): State<Permission>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Some(Noted { viewer: Some(viewer), at }) = parts.extensions.get::<Noted>() else {
        return nobody(&parts, "show who you are: a token (Authorization: Bearer …), or sign in");
    };
    if !viewer.may(permission) {
        return refused(&parts, StatusCode::FORBIDDEN, permission.lacking());
    }
    if permission == Permission::SeeNumbers && !viewer.reads_numbers(*at) {
        let why = "numbers are hidden: say why you need them first (POST /unmask)";
        return refused(&parts, StatusCode::FORBIDDEN, why);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// Whoever asks; nobody gets to a handler that takes it but those whom the guard of its group let through.
impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let noted = parts.extensions.get::<Noted>().and_then(|noted| noted.viewer.clone());
        noted.ok_or_else(|| nobody(parts, "show who you are: a token (Authorization: Bearer …), or sign in"))
    }
}

/// The address that asks; nobody's where it isn't known, which no network holds that anybody trusts.
pub(super) fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())
}

/// What everybody may ask for.
fn is_open(uri: &Uri) -> bool {
    matches!(uri.path(), "/livez" | "/readyz" | "/metrics" | "/login") || uri.path().starts_with("/assets/")
}

fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/v1/") || uri.path() == "/openapi.json"
}

/// Whether a page of another site asks: browsers say so (Fetch Metadata; before it, `Origin` where something is changed).
fn is_foreign(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_none() || authority != host
}

fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// Whoever is known by what a browser sends by itself must send what only our pages know. On this machine programs show nothing, and a browser
/// says where its requests come from.
fn needs_form_token(viewer: &Viewer, parts: &Parts) -> bool {
    match viewer.who {
        Who::User(_) | Who::Proxy(_) => parts.uri.path() != "/login",
        Who::Token(_) | Who::Local => false,
    }
}

/// The whole body, once it is there: what everything behind this reads has a bound in size and time. Else the status to refuse with, and why.
async fn gathered(body: Body, within: Duration) -> Result<Bytes, (StatusCode, String)> {
    let mut request = Request::new(body);
    DefaultBodyLimit::max(BODY_LIMIT).apply(&mut request);
    match tokio::time::timeout(within, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err((rejection.status(), format!("the body has more than {BODY_LIMIT} bytes")))
        }
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "the body could not be read".to_owned())),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive".to_owned())),
    }
}

/// Whether the header `x-csrf-token` or the field `csrf` of the form is right.
fn check_form_token(viewer: &Viewer, parts: &Parts, body: &[u8]) -> Result<(), &'static str> {
    const WRONG: &str = "the form is too old, or none of ours: load the page again";
    let right = |given: &[u8]| viewer.csrf.as_ref().is_some_and(|token| token.as_bytes() == given);
    if let Some(given) = parts.headers.get("x-csrf-token") {
        return if right(given.as_bytes()) { Ok(()) } else { Err(WRONG) };
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/x-www-form-urlencoded") {
        return Err("the header x-csrf-token is missing");
    }
    let mut fields = body.split(|byte| *byte == b'&');
    let given = fields.find_map(|field| field.strip_prefix(b"csrf="));
    if given.is_some_and(right) { Ok(()) } else { Err(WRONG) }
}

/// Nobody is known: programs are told to show a token, people are led to where they sign in.
fn nobody(parts: &Parts, why: &str) -> Response {
    let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
    let by_form = parts.uri.query().is_some_and(|query| query.contains("format="));
    if is_api(&parts.uri) || by_form || is_stream(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, r#"Bearer realm="afterring""#)], told(why))
            .into_response();
    }
    let next = if parts.method.is_safe() { asked } else { "/" };
    let login = format!("/login?next={}", utf8_percent_encode(next, QUERY));
    if parts.headers.contains_key("hx-request") {
        // A part of a page can't be replaced by where one signs in; the whole page goes there.
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", "/login")]).into_response();
    }
    Redirect::to(&login).into_response()
}

fn refused(parts: &Parts, status: StatusCode, why: &str) -> Response {
    if is_api(&parts.uri) {
        return (status, told(why)).into_response();
    }
    (status, format!("{why}\n")).into_response()
}

fn told(why: &str) -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({ "error": why }))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_waited_for_no_longer_and_one_too_large_is_not_read() {
        let never = Body::from_stream(tokio_stream::pending::<Result<Bytes, Infallible>>());
        let (status, _) = gathered(never, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        let (status, _) = gathered(Body::from(vec![0; BODY_LIMIT + 1]), BODY_TIMEOUT).await.unwrap_err();
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(gathered(Body::from("csrf=1"), BODY_TIMEOUT).await.unwrap(), "csrf=1");
    }
}
