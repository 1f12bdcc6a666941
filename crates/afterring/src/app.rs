//! The gateway: built in numbered steps, stopped in numbered steps.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use console::access::{AccessError, AccessSettings};
use console::audit::{Action, Entry};
use console::{Access, Audit, Handles};
use ingress::http::{Admit, HttpSettings};
use ingress::sip::{Listen, SipSettings};
use ingress::tls::{TlsError, TlsFiles};
use ingress::{Counts, Offer};
use model::Clock;
use smpp_client::{LinkSettings, Links};
use store::{Embedded, EmbeddedSettings, HandOver, Outcome, PostgresSettings, StoreError};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Admin, Door, Doors, SipDoor, Watched};
use crate::database::DatabaseState;
use crate::happenings;
use crate::http_server::{Listening, ListeningError};
use crate::metrics::Metrics;
use crate::pump::decide::Ear;
use crate::pump::{Desk, arrivals, decide, dispatch, due, intake, updates};
use crate::running::Running;
use crate::sip_thread::{SipThread, SipThreadError};
use crate::traces::Traces;

/// Offers that wait for the journal: some hundredths of a second of the busiest hour. When they are more, peers are told to come back.
const OFFERS: usize = 512;
/// How long peers of the core network are given to take their last answers.
const DOORS: Duration = Duration::from_secs(3);
/// Batches of outcomes that a slow page may lag behind before it misses some.
const LIVE: usize = 256;

/// Everything a gateway is started with. Two of them can run in one process.
pub struct Plan {
    /// Reads the time.
    pub clock: Clock,
    /// The local store.
    pub store: EmbeddedSettings,
    /// The database that nodes share; `None`: the local store holds everything.
    pub database: Option<PostgresSettings>,
    /// Links to SMSCs.
    pub links: Vec<LinkSettings>,
    /// What the operator decided beforehand, and how that is read anew.
    pub running: Running,
    /// Calls by HTTP.
    pub http: HttpSettings,
    /// Where calls come in by HTTP; `None`: the caller serves [`Gateway::calls`] itself.
    pub http_listen: Option<SocketAddr>,
    /// What the calls API shows by TLS.
    pub http_tls: Option<TlsFiles>,
    /// Calls by SIP.
    pub sip: SipSettings,
    /// Console, operators' API, health and metrics; `None`: the caller serves [`Gateway::admin`] itself.
    pub admin_listen: Option<SocketAddr>,
    /// What it shows by TLS.
    pub admin_tls: Option<TlsFiles>,
    /// Who is let in there, and which tokens the calls API takes.
    pub access: AccessSettings,
    /// Jitter of the links.
    pub seed: u64,
}

/// Why a gateway can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The local store can't be opened.
    #[error("the store in {dir} can't be opened", dir = .dir.display())]
    Store {
        /// Where it is.
        dir: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// Nobody can be let in.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// What is done can't be noted.
    #[error("the audit log in {dir} can't be opened", dir = .dir.display())]
    Audit {
        /// Where it is.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key can't be had by which people are named in addresses.
    #[error("the key {key} can't be read or made", key = .key.display())]
    Key {
        /// Its file.
        key: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS can't be spoken.
    #[error(transparent)]
    Tls(TlsError),
    /// An address can't be listened on.
    #[error("can't listen on {listen} ({what})")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// For what.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The SIP door can't be had.
    #[error(transparent)]
    Sip(#[from] SipThreadError),
}

/// A running gateway.
pub struct Gateway {
    /// The local store, and the database beside it.
    pub store: HandOver,
    /// Whether the database may be asked.
    pub database: DatabaseState,
    /// What is decided, as it happens.
    pub live: broadcast::Sender<Arc<Vec<Outcome>>>,
    /// The calls API, for a caller that serves it itself.
    pub calls: Router,
    /// The operators' API, health and metrics, for a caller that serves it itself.
    pub admin: Router,
    /// Where the calls API listens.
    pub http_addr: Option<SocketAddr>,
    /// Where SIP listens.
    pub sip_listens: Vec<Listen>,
    /// Where the operators' API listens.
    pub admin_addr: Option<SocketAddr>,
    state: Arc<Admin>,
    traces: Traces,
    /// The settings in force, and how they are read anew.
    pub running: Arc<Running>,
    audit: Audit,
    links: Links,
    doors: CancellationToken,
    admin_stop: CancellationToken,
    dispatch_stop: CancellationToken,
    intake_shut: CancellationToken,
    offers: mpsc::Sender<Offer>,
    tasks: Tasks,
    tracker: TaskTracker,
}

/// The loops, by the step at which they end.
struct Tasks {
    doors: Vec<JoinHandle<()>>,
    intake: JoinHandle<()>,
    dispatch: JoinHandle<()>,
    updates: JoinHandle<()>,
    answers: JoinHandle<()>,
    inbound: JoinHandle<()>,
    endless: Vec<JoinHandle<()>>,
    admin: Option<JoinHandle<()>>,
}

/// How a gateway stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// Everything in hand was finished.
    Drained,
    /// The time was up; what was left is on disk and goes on at the next start.
    GaveUp,
}

impl Gateway {
    /// Starts a gateway.
    ///
    /// # Errors
    /// When the store can't be opened or an address can't be listened on; nothing runs then.
    pub async fn start(plan: Plan) -> Result<Self, StartError> {
        // 1 the store, which also finds what an earlier life left behind
        let now = (plan.clock)();
        let dir = plan.store.dir.clone();
        let evidence = plan.store.retention.evidence;
        let database = DatabaseState::open(plan.clock, &dir, plan.database.is_some());
        let open = |source| StartError::Store { dir: dir.clone(), source };
        let local = Embedded::open(plan.store, now).map_err(open)?;
        let store = match plan.database {
            None => HandOver::alone(local.clone()),
            Some(settings) => {
                HandOver::beside(local.clone(), settings, database.health.clone(), plan.clock).await.map_err(open)?
            }
        };
        let access = Access::open(plan.access, plan.clock)?;
        let audit_dir = dir.join("audit");
        let told = audit_dir.join("users.json");
        let audit = Audit::open(audit_dir.clone(), evidence);
        let audit = audit.map_err(|source| StartError::Audit { dir: audit_dir, source })?;
        let key = dir.join("console.key");
        let handles = Handles::open(&key).map_err(|source| StartError::Key { key, source })?;
        // 2 listeners are bound before anything runs, so that a taken port stops the start
        let http = bind_tcp(plan.http_listen, plan.http_tls, "http").await?;
        let admin_listener = bind_tcp(plan.admin_listen, plan.admin_tls, "admin").await?;
        let sip = SipThread::bind(plan.sip).await?;
        // 3 links to SMSCs
        let tracker = TaskTracker::new();
        let (links, arriving) = smpp_client::start(plan.links, plan.clock, plan.seed, &tracker);
        // 4 the pumps, from the inside out
        let running = Arc::new(plan.running);
        let traces = Traces::start(running.traces().as_ref(), running.node(), plan.clock);
        let desk =
            Desk { clock: plan.clock, policy: running.policy(), database: database.clone(), traces: traces.clone() };
        let metrics = Arc::new(Metrics::default());
        let queued = Arc::new(Notify::new());
        let live = broadcast::Sender::new(LIVE);
        let wanted = Arc::new(Notify::new());
        let ear = Ear {
            queued: Arc::clone(&queued),
            wanted: Arc::clone(&wanted),
            metrics: Arc::clone(&metrics),
            live: live.clone(),
        };
        let happening = happenings::Watched {
            audit: audit.clone(),
            links: links.clone(),
            health: database.health.clone(),
            metrics: Arc::clone(&metrics),
        };
        let dispatch_stop = CancellationToken::new();
        let (offers, offered) = mpsc::channel(OFFERS);
        let intake_shut = CancellationToken::new();
        let mut tasks = Tasks {
            doors: Vec::new(),
            intake: tokio::spawn(intake::run(offered, local.clone(), traces.clone(), intake_shut.clone())),
            dispatch: tokio::spawn(dispatch::run(
                store.clone(),
                links.clone(),
                desk.clone(),
                Arc::clone(&metrics),
                queued,
                dispatch_stop.clone(),
            )),
            updates: tokio::spawn(updates::run(
                store.clone(),
                links.clone(),
                desk.clone(),
                Arc::clone(&metrics),
                wanted,
                dispatch_stop.clone(),
            )),
            answers: tokio::spawn(arrivals::answers(arriving.answers, local.clone(), traces.clone())),
            inbound: tokio::spawn(arrivals::inbound(arriving.inbound, local.clone())),
            endless: vec![
                tokio::spawn(decide::run(store.clone(), desk.clone(), ear)),
                tokio::spawn(due::run(store.clone(), desk.clone())),
                tokio::spawn(store.clone().probe()),
                tokio::spawn(store.clone().follow_registry()),
                tokio::spawn(store.clone().upkeep()),
                tokio::spawn(due::prune(store.clone(), plan.clock)),
                tokio::spawn(database.clone().run()),
                tokio::spawn(running.log().clone().run(plan.clock)),
                tokio::spawn(access.clone().follow(audit.clone(), told)),
                tokio::spawn(audit.clone().upkeep(plan.clock)),
                tokio::spawn(happening.run()),
            ],
            admin: None,
        };
        // 5 the doors of the core network
        let doors = CancellationToken::new();
        let counts = Arc::new(Counts::default());
        let numbering = plan.http.numbering.clone();
        let http_settings = admitting(plan.http, plan.http_listen, access.clone());
        // Who serves it elsewhere has a description there already.
        let made = if http.is_some() { ingress::http::router } else { ingress::http::calls };
        let calls = made(http_settings, offers.clone(), plan.clock, Arc::clone(&counts));
        let sip_listens = sip.as_ref().map(|door| door.listens.clone()).unwrap_or_default();
        let watched =
            sip.as_ref().map(|door| SipDoor { listens: door.listens.clone(), meter: Arc::clone(&door.meter) });
        tasks.doors.extend(sip.map(|door| door.serve(offers.clone(), plan.clock, Arc::clone(&counts), doors.clone())));
        let http_addr = http.as_ref().map(|(address, _)| *address);
        tasks.doors.extend(http.map(|(_, listening)| listening.serve(calls.clone(), doors.clone())));
        // 6 what operators see
        let watched = Doors { counts, sip: watched };
        let sources = Watched {
            desk,
            store: store.clone(),
            links: links.clone(),
            metrics,
            live: live.clone(),
            running: Arc::clone(&running),
        };
        let state = Arc::new(Admin::new(sources, watched));
        tasks.endless.push(tokio::spawn(Arc::clone(&state).run(dir)));
        let door = Door { access, audit: audit.clone(), handles };
        let admin = console::router(Arc::clone(&state).operators(numbering, door));
        let admin_addr = admin_listener.as_ref().map(|(address, _)| *address);
        let admin_stop = CancellationToken::new();
        tasks.admin = admin_listener.map(|(_, listening)| listening.serve(admin.clone(), admin_stop.clone()));
        let started =
            Entry::gateway((plan.clock)(), Action::Started).detail(concat!("version ", env!("CARGO_PKG_VERSION")));
        happenings::note(&audit, started).await;
        Ok(Self {
            store,
            database,
            live,
            calls,
            admin,
            http_addr,
            sip_listens,
            admin_addr,
            state,
            running,
            traces,
            audit,
            links,
            doors,
            admin_stop,
            dispatch_stop,
            intake_shut,
            offers,
            tasks,
            tracker,
        })
    }

    /// Where calls are offered that come by no listener.
    #[must_use]
    pub fn intake(&self) -> ingress::Intake {
        self.offers.clone()
    }

    /// How it goes, in a line; the same as long as nothing changes.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        self.state.in_a_line()
    }

    /// Goes on as long as events are decided, also while there are none.
    #[must_use]
    pub fn pulse(&self) -> u64 {
        self.state.pulse()
    }

    /// Ends when one of the loops does, which none may while the gateway runs; says which.
    pub async fn failed(&mut self) -> &'static str {
        let Tasks { doors, intake, dispatch, updates, answers, inbound, endless, admin } = &mut self.tasks;
        // Without an SMSC there is nobody to hear from.
        let arrivals =
            [("answers", answers), ("inbound", inbound)].into_iter().filter(|_| !self.links.status().is_empty());
        let all = (doors.iter_mut().chain(admin).map(|task| ("a listener", task)))
            .chain([("intake", intake), ("dispatch", dispatch), ("updates", updates)])
            .chain(arrivals)
            .chain(endless.iter_mut().map(|task| ("a pump", task)));
        let mut all: Vec<_> = all.collect();
        std::future::poll_fn(|context| {
            let ended =
                all.iter_mut().find_map(|(name, task)| Pin::new(task).poll(context).is_ready().then_some(*name));
            ended.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Stops in the order of ARCHITECTURE.md, within `grace`. What can't be finished is on disk.
    pub async fn stop(self, grace: Duration) -> Stopped {
        let start = tokio::time::Instant::now();
        let deadline = start + grace;
        let Self {
            store,
            state,
            traces,
            audit,
            links,
            doors,
            admin_stop,
            dispatch_stop,
            intake_shut,
            offers,
            tasks,
            tracker,
            calls,
            ..
        } = self;
        tracing::info!(step = 1, "stopping: no longer ready");
        state.drain();
        tracing::info!(step = 2, "stopping: no new calls are taken");
        doors.cancel();
        drop((offers, calls));
        tracing::info!(step = 3, "stopping: calls in hand are journaled");
        // A peer that keeps its connection, or a switch that never sends its ACK, is not waited for: what it told us is on disk.
        let doors_shut = start + DOORS.min(grace / 4);
        for door in tasks.doors {
            ends_by(doors_shut, door).await;
        }
        intake_shut.cancel();
        let mut clean = ends_by(deadline, tasks.intake).await;
        tracing::info!(step = 4, "stopping: no more alerts are leased");
        dispatch_stop.cancel();
        clean &= ends_by(deadline, tasks.dispatch).await;
        tracing::info!(step = 5, "stopping: waiting for the answers of SMSCs, then unbinding");
        // Peers get half of the time: the rest must be enough to put on disk what they said.
        links.drain((start + grace / 2).saturating_duration_since(tokio::time::Instant::now())).await;
        drop(links);
        tracker.close();
        clean &= tokio::time::timeout_at(deadline, tracker.wait()).await.is_ok();
        // Whatever was asked has its outcome now: answered, or in doubt with its link.
        clean &= ends_by(deadline, tasks.updates).await;
        tracing::info!(step = 8, "stopping: what SMSCs sent last is journaled");
        clean &= ends_by(deadline, tasks.answers).await;
        clean &= ends_by(deadline, tasks.inbound).await;
        clean &= decided(&store, deadline).await;
        tracing::info!(step = 10, "stopping: the store is closed");
        for task in tasks.endless {
            task.abort();
            drop(task.await);
        }
        admin_stop.cancel();
        if let Some(admin) = tasks.admin {
            ends_by(deadline, admin).await;
        }
        let how = if clean { "everything in hand was finished" } else { "something in hand goes on at the next start" };
        let stopped = Entry::gateway(state.now(), Action::Stopped).detail(how);
        tokio::time::timeout_at(deadline, happenings::note(&audit, stopped)).await.ok();
        drop(state);
        clean &= tokio::time::timeout_at(deadline, store.local().clone().close()).await.is_ok();
        // The last spans are sent within two seconds, or not at all.
        drop(tokio::task::spawn_blocking(move || traces.stop()).await);
        if clean { Stopped::Drained } else { Stopped::GaveUp }
    }
}

/// The calls API also takes tokens of the file of users.
fn admitting(mut http: HttpSettings, listen: Option<SocketAddr>, access: Access) -> HttpSettings {
    // Also once the last token is taken away while the gateway runs: others can reach it.
    let needed = http.token.is_some() || listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback());
    http.admit = Some(Admit(Arc::new(move |shown| access.admits_calls(shown, needed))));
    http
}

/// Waits until everything journaled is decided, and in the database where there is one that may be asked.
async fn decided(store: &HandOver, deadline: tokio::time::Instant) -> bool {
    while store.local().backlog() > 0 || !store.is_shared() {
        if tokio::time::Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

async fn ends_by(deadline: tokio::time::Instant, mut task: JoinHandle<()>) -> bool {
    let ended = tokio::time::timeout_at(deadline, &mut task).await.is_ok();
    if !ended {
        task.abort();
    }
    ended
}

async fn bind_tcp(
    listen: Option<SocketAddr>,
    tls: Option<TlsFiles>,
    what: &'static str,
) -> Result<Option<(SocketAddr, Listening)>, StartError> {
    let Some(listen) = listen else { return Ok(None) };
    let fault = |source| StartError::Listen { listen, what, source };
    let listener = TcpListener::bind(listen).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    match Listening::new(listener, tls, what) {
        Ok(listening) => Ok(Some((address, listening))),
        Err(ListeningError::Tls(error)) => Err(StartError::Tls(error)),
        Err(ListeningError::Io(source)) => Err(fault(source)),
    }
}
