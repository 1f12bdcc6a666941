//! A small blocking HTTP client whose answers are values, whatever their status.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// `WWW-Authenticate`.
    pub authenticate: Option<String>,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// A request to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// GET, PUT, …
    pub method: &'a str,
    /// Where to.
    pub url: &'a str,
    /// `Content-Type`; none where empty.
    pub content_type: &'a str,
    /// The bearer token.
    pub token: Option<&'a str>,
    /// The body; none for methods that have none.
    pub body: &'a [u8],
}

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub struct Client(Agent);

impl Client {
    /// A client that waits this long for a whole answer.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self(Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build().new_agent())
    }

    /// Asks, and takes whatever is answered.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn ask(&self, ask: Ask<'_>) -> Result<Answer> {
        let mut request = Request::builder().method(Method::from_bytes(ask.method.as_bytes())?).uri(ask.url);
        if !ask.content_type.is_empty() {
            request = request.header("content-type", ask.content_type);
        }
        if let Some(token) = ask.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = match ask.body {
            [] => self.0.run(request.body(())?),
            body => self.0.run(request.body(body)?),
        };
        let mut answer = answer.with_context(|| format!("{} {}", ask.method, ask.url))?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (retry_after, authenticate) = (header("retry-after"), header("www-authenticate"));
        Ok(Answer {
            status: answer.status().as_u16(),
            retry_after: retry_after.and_then(|seconds| seconds.parse().ok()),
            authenticate,
            text: answer.body_mut().read_to_string()?,
        })
    }

    /// GET.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn get(&self, url: &str) -> Result<Answer> {
        self.ask(Ask { method: "GET", url, content_type: "", token: None, body: &[] })
    }

    /// Sends JSON by this method.
    ///
    /// # Errors
    /// When nothing was answered.
    pub fn send(&self, method: &str, url: &str, body: &Value) -> Result<Answer> {
        let body = body.to_string();
        self.ask(Ask { method, url, content_type: "application/json", token: None, body: body.as_bytes() })
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}
