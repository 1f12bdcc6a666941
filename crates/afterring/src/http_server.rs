//! Serves a router on a listener, in the clear or by TLS: connections that hang hold up nobody, and end when the gateway stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use ingress::tls::{Credentials, TlsError, TlsFiles};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take to arrive, and how long a connection may wait for its next: longer than feeds pause between two.
const HEAD: Duration = Duration::from_secs(75);
/// How often the files of TLS are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long connections have to end when the gateway stops; a page's live stream never ends by itself.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// A listener with what it speaks.
pub(crate) struct Listening {
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    /// What it is for, in logs.
    what: &'static str,
}

struct Tls {
    credentials: Credentials,
    config: RustlsConfig,
}

impl Listening {
    /// Takes a bound listener. Blocks on the disk for a moment where it speaks TLS.
    ///
    /// # Errors
    /// When the files of TLS can't be used.
    pub(crate) fn new(
        listener: TcpListener,
        tls: Option<TlsFiles>,
        what: &'static str,
    ) -> Result<Self, ListeningError> {
        let tls = tls.map(|files| Credentials::read(files, what)).transpose()?.map(|credentials| {
            let config = RustlsConfig::from_config(http_only(&credentials.config()));
            Tls { credentials, config }
        });
        Ok(Self { listener: listener.into_std()?, tls, what })
    }

    /// Serves until it is told to stop.
    pub(crate) fn serve(self, router: Router, stop: CancellationToken) -> JoinHandle<()> {
        let Self { listener, tls, what } = self;
        tokio::spawn(async move {
            if let Err(error) = served(listener, tls, router, stop).await {
                tracing::error!(%error, listener = what, "a listener ended");
            }
        })
    }
}

/// Why a listener can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListeningError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

async fn served(
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let ending = handle.clone();
    let stopped = async move {
        stop.cancelled().await;
        ending.graceful_shutdown(Some(LAST_ANSWERS));
        // The server ends by itself now.
        std::future::pending::<()>().await;
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .http1_only()
        .first_request_timeout(HEAD)
        // Answers are small and awaited: never held back for more (RFC 896 and delayed acknowledgements together cost 40 ms).
        .acceptor(NoDelayAcceptor::new());
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    match tls {
        None => tokio::select! {
            served = server.serve(service) => served,
            () = stopped => Ok(()),
        },
        Some(Tls { credentials, config }) => {
            let inner = RustlsAcceptor::new(config.clone()).handshake_timeout(HANDSHAKE);
            let server = server.map(|no_delay| inner.acceptor(no_delay));
            tokio::select! {
                served = server.serve(service) => served,
                () = stopped => Ok(()),
                () = follow(credentials, config) => Ok(()),
            }
        }
    }
}

/// Shows new certificates to those who come after; never returns.
async fn follow(mut credentials: Credentials, config: RustlsConfig) {
    let mut shown = credentials.config();
    loop {
        tokio::time::sleep(LOOK).await;
        let looked = tokio::task::spawn_blocking(move || {
            credentials.refresh();
            credentials
        });
        // A panic there is a fault of the program; the certificate that is shown stays.
        let Ok(after) = looked.await else { return std::future::pending().await };
        credentials = after;
        let now = credentials.config();
        if !Arc::ptr_eq(&shown, &now) {
            config.reload_from_config(http_only(&now));
            shown = now;
        }
    }
}

/// Says in the handshake that it is HTTP/1.1 that is spoken.
fn http_only(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
