//! Requests to a running gateway on one of its listeners.

mod pinned;

use std::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::Secret;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Response;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use self::pinned::Pinned;

use crate::config::Listener;

/// Longest answer that is read: all that is known of a busy person is smaller.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// A listener of a running gateway.
pub(super) struct Peer {
    agent: Agent,
    base: String,
    token: Option<Secret>,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The listener is off in the settings.
    Off,
    /// Nobody answers there.
    Unreachable(String, String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("the listener is off in the settings"),
            Self::Unreachable(base, why) => write!(f, "no answer from {base}: {why}"),
        }
    }
}

impl Peer {
    /// The gateway that listens there; each answer may take `patience`.
    pub(super) fn new(listener: &Listener, patience: Duration) -> Result<Self, NoAnswer> {
        Self::with(listener, Agent::config_builder().timeout_global(Some(patience)))
    }

    /// The same for an answer that may go on for ever, of which only the beginning may take no longer than `patience`.
    pub(super) fn open_ended(listener: &Listener, patience: Duration) -> Result<Self, NoAnswer> {
        let settings = Agent::config_builder().timeout_connect(Some(patience)).timeout_recv_response(Some(patience));
        Self::with(listener, settings)
    }

    fn with(listener: &Listener, settings: ConfigBuilder<AgentScope>) -> Result<Self, NoAnswer> {
        let listen = listener.listen.ok_or(NoAnswer::Off)?;
        // A status is an answer like any other here, and no proxy stands between a machine and itself.
        let settings = settings.http_status_as_error(false).proxy(None).build();
        let address = reachable(listen);
        let (agent, scheme) = match &listener.tls {
            None => (settings.new_agent(), "http"),
            Some(files) => {
                let pinned = Pinned::new(files).map_err(|error| {
                    NoAnswer::Unreachable(format!("https://{address}"), format!("its certificate: {error}"))
                })?;
                let connector = ().chain(TcpConnector::default()).chain(pinned);
                (Agent::with_parts(settings, connector, DefaultResolver::default()), "https")
            }
        };
        Ok(Self { agent, base: format!("{scheme}://{address}"), token: listener.token.clone() })
    }

    /// The status of an answer, and its body as it comes.
    pub(super) fn open(&self, path: &str) -> Result<(u16, impl Read + Send + use<>), NoAnswer> {
        let mut request = self.agent.get(format!("{}{path}", self.base)).header("accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let unreachable = |error: ureq::Error| NoAnswer::Unreachable(self.base.clone(), error.to_string());
        let answer = request.call().map_err(unreachable)?;
        Ok((answer.status().as_u16(), answer.into_body().into_reader()))
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        self.read(request.call())
    }

    pub(super) fn post(&self, path: &str, body: &serde_json::Value) -> Result<Answer, NoAnswer> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        self.read(request.send(body.to_string()))
    }

    pub(super) fn put(&self, path: &str) -> Result<Answer, NoAnswer> {
        let mut request = self.agent.put(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        self.read(request.send_empty())
    }

    pub(super) fn delete(&self, path: &str) -> Result<Answer, NoAnswer> {
        let mut request = self.agent.delete(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        self.read(request.call())
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Answer, NoAnswer> {
        let unreachable = |error: ureq::Error| NoAnswer::Unreachable(self.base.clone(), error.to_string());
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().map_err(unreachable)?;
        Ok(Answer { status, body })
    }
}

/// The address to ask at: a listener on every address is asked on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_server::Listening;
    use ingress::tls::TlsFiles;

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        for (listen, asked) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("127.0.0.2:1", "127.0.0.2:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_gateway_with_tls_is_asked_and_known_by_its_certificate_alone() {
        let dir = tempfile::tempdir().unwrap();
        let files = |name: &str| {
            let made = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap();
            let path = |end: &str| dir.path().join(format!("{name}.{end}"));
            std::fs::write(path("pem"), made.cert.pem()).unwrap();
            std::fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
            TlsFiles { certificate: path("pem"), key: path("key"), client_ca: None }
        };
        let (own, other) = (files("own"), files("other"));
        let bound = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = bound.local_addr().unwrap();
        let router = axum::Router::new().route("/livez", axum::routing::get(async || "ok"));
        let stop = tokio_util::sync::CancellationToken::new();
        let serving = Listening::new(bound, Some(own.clone()), "admin").unwrap().serve(router, stop.clone());
        // One that says nothing holds up nobody, neither now nor at the end.
        let silent = std::net::TcpStream::connect(listen).unwrap();
        let ask = |tls: Option<TlsFiles>| {
            let listener = Listener { listen: Some(listen), token: None, tls };
            let asked = move || Peer::new(&listener, Duration::from_secs(20))?.get("/livez");
            tokio::task::spawn_blocking(asked)
        };
        let answer = ask(Some(own)).await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        assert!(ask(Some(other)).await.unwrap().is_err(), "another certificate is not it");
        assert!(ask(None).await.unwrap().map_or(true, |answer| answer.status != 200), "nothing is said in the clear");
        stop.cancel();
        serving.await.unwrap();
        drop(silent);
    }
}
