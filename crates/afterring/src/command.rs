//! What the command does: answers by itself, or runs the gateway or the demo until a signal.

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ingress::sip::{SipSettings, Transport};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::{Gateway, StartError, Stopped};
use crate::cli::{self, BUG, CONFIGURATION, GAVE_UP, Next, OK, UNAVAILABLE};
use crate::config::Settings;
use crate::running::Running;
use crate::service_manager::{self, ServiceManager};
use crate::telemetry::Logging;
use crate::{clock, demo, open_files, plan};

/// Files and connections that are not those of SIP peers: of the store, the database, SMSCs, HTTP clients and operators.
pub(crate) const OTHER_FILES: u64 = 500;

/// The process.
#[must_use]
pub fn main() -> ExitCode {
    let code = match cli::start(clock::now) {
        Next::Exit(code) => code,
        Next::Run(settings) => within_runtime(run(*settings)),
        Next::Demo(asked) => within_runtime(show(asked)),
    };
    ExitCode::from(code)
}

fn within_runtime(work: impl Future<Output = u8>) -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // What is left is on disk or with a peer; blocking threads are not waited for.
            runtime.shutdown_timeout(Duration::from_millis(200));
            code
        }
        Err(error) => {
            eprintln!("afterring: no runtime: {error}");
            UNAVAILABLE
        }
    }
}

/// `afterring run`.
async fn run(settings: Settings) -> u8 {
    let log = match Logging::start(&settings.log.filter, settings.log.format) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("afterring: log.filter: {error}");
            return CONFIGURATION;
        }
    };
    // From here on SIGHUP ends nothing; one that comes before the start is over is heard after it.
    let (stop, hangup) = match stop_on_signal().and_then(|stop| Ok((stop, signal(SignalKind::hangup())?))) {
        Ok(signals) => signals,
        Err(error) => return unable("signals can't be handled", &error),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), settings = crate::config::digest(&settings.shown), "starting");
    take_open_files(&settings.sip);
    warn_of_nobody(&settings.sip);
    let seed = clock::now().as_millis().unsigned_abs() ^ u64::from(std::process::id());
    let links = settings.links.len();
    let mut gateway = match Gateway::start(plan::plan(settings, clock::now, seed, log)).await {
        Ok(gateway) => gateway,
        Err(error @ (StartError::Access(_) | StartError::Tls(_))) => {
            unable("can't start", &error);
            return CONFIGURATION;
        }
        Err(error) => return unable("can't start", &error),
    };
    tracing::info!(
        http = gateway.http_addr.map(tracing::field::display),
        admin = gateway.admin_addr.map(tracing::field::display),
        sip = gateway.sip_listens.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        links,
        "started"
    );
    service_manager::ready();
    let reloads = tokio::spawn(read_anew_on(hangup, Arc::clone(&gateway.running)));
    let failed = work(&mut gateway, &stop).await;
    reloads.abort();
    if let Some(what) = failed {
        // Everything accepted is on disk; a process that does only half of its work helps nobody.
        tracing::error!(what, "a loop ended that must not: leaving, to be started again");
        return BUG;
    }
    service_manager::stopping();
    let grace = gateway.running.stop_grace();
    match gateway.stop(grace).await {
        Stopped::Drained => {
            tracing::info!("stopped");
            OK
        }
        Stopped::GaveUp => {
            tracing::warn!("stopped before everything in hand was finished; it goes on at the next start");
            GAVE_UP
        }
    }
}

/// Waits until it is to stop, or until a loop ends that must not; says which. Meanwhile a service manager hears how it goes.
async fn work(gateway: &mut Gateway, stop: &CancellationToken) -> Option<&'static str> {
    let mut manager = ServiceManager::of_process();
    let mut look = tokio::time::interval(manager.as_ref().map_or(Duration::from_secs(3600), ServiceManager::every));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            failed = gateway.failed() => return Some(failed),
            _ = look.tick() => {}
        }
        if let Some(manager) = &mut manager {
            manager.beat(&gateway.in_a_line(), gateway.pulse());
        }
    }
}

/// Reads the settings anew at each SIGHUP, one after the other.
async fn read_anew_on(mut hangup: Signal, running: Arc<Running>) {
    while hangup.recv().await.is_some() {
        service_manager::reloading();
        let running = Arc::clone(&running);
        // What became of it is logged, counted and shown there.
        drop(tokio::task::spawn_blocking(move || running.read_anew()).await);
        service_manager::ready();
    }
}

/// Takes as many open files as there are, and says when SIP peers alone could use them up.
fn take_open_files(sip: &SipSettings) {
    let open_files = open_files::raise();
    let has_connections = sip.listen.iter().any(|listen| listen.transport != Transport::Udp);
    let connections = u64::try_from(sip.limits.connections).unwrap_or(u64::MAX);
    if has_connections && open_files.is_some_and(|most| most < connections.saturating_add(OTHER_FILES)) {
        tracing::warn!(
            open_files,
            connections,
            "sip.max_connections may leave no open files for health checks, the database and SMSCs: raise their limit (LimitNOFILE of the service, ulimit -n)"
        );
    }
}

/// Says when others can reach the SIP door that are all strangers to it.
fn warn_of_nobody(sip: &SipSettings) {
    let is_local = |address: IpAddr| address.to_canonical().is_loopback();
    let open = sip.listen.iter().find(|listen| !is_local(listen.address.ip()));
    let nobody = !sip.peers.iter().flat_map(|peer| &peer.networks).any(|network| !is_local(network.first()));
    if let Some(listen) = open.filter(|_| nobody) {
        tracing::warn!(%listen, "only this machine may forward calls, all others get 403: name their networks in sip.peers");
    }
}

/// `afterring demo`.
async fn show(asked: cli::Demo) -> u8 {
    let log = Logging::start("warn", crate::config::LogFormat::Auto).unwrap_or_else(|_| Logging::elsewhere("warn"));
    let stop = match stop_on_signal() {
        Ok(stop) => stop,
        Err(error) => return unable("signals can't be handled", &error),
    };
    match demo::run(&asked, clock::now, log, stop).await {
        Ok(()) => OK,
        Err(error) => {
            eprintln!("afterring demo: {error:#}");
            UNAVAILABLE
        }
    }
}

/// Tells what is wrong, with every cause, on standard error: the log may go elsewhere.
fn unable(what: &str, error: &dyn std::error::Error) -> u8 {
    let mut text = format!("afterring: {what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    eprintln!("{text}");
    UNAVAILABLE
}

/// Cancelled by the first SIGTERM or SIGINT; the second ends the process at once.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        let mut seen = 0;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            seen += 1;
            if seen > 1 {
                // Everything accepted is on disk: nothing is lost by leaving now.
                std::process::exit(i32::from(GAVE_UP));
            }
            stopping.cancel();
        }
    });
    Ok(stop)
}
