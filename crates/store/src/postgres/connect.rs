//! Connecting: all hosts at once, each bounded over its whole handshake; the writable one on the newest timeline is taken.
//!
//! What libraries offer is not enough: `connect_timeout` covers only TCP, hosts are tried one after the other (a hung first one hides the second),
//! and an old primary that comes back after a failover takes writes that nobody will ever see.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::poll_fn;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{Place, read};
use super::{Class, Fault, PostgresSettings, UrlError, tls};

/// The bound of a handshake at first, and at least.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// At most: a link that needs longer serves nobody.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a name server is waited for; then what it said before serves, for a server behind a silent name server may be well. Less than a handshake.
const NAMES: Duration = Duration::from_millis(700);
/// How long a newer timeline is waited for once one host has answered.
const GRACE: Duration = Duration::from_millis(50);

/// How soon one that would not serve is asked again while another is waited for.
const AGAIN: Duration = Duration::from_millis(250);

/// One round trip: whether it takes changes, and its timeline.
const ROLE: &str = "select case when pg_is_in_recovery() then 'standby' \
    when current_setting('default_transaction_read_only')::boolean then 'read only' else 'writable' end, \
    case when pg_is_in_recovery() then '00000000' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end";

/// Makes sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    places: Arc<Vec<Place>>,
    tls: MakeRustlsConnect,
    seen: Arc<Seen>,
    /// The addresses that each name had last.
    names: Arc<Mutex<HashMap<String, Vec<IpAddr>>>>,
    /// Told of every notification that any session gets.
    nudges: Arc<Notify>,
    pool: Arc<Mutex<Option<Pool>>>,
    pool_size: usize,
}

/// What handshakes so far have shown.
struct Seen {
    /// The newest timeline.
    timeline: AtomicU32,
    /// The bound of a handshake, in milliseconds.
    bound: AtomicU64,
}

/// A session. Dropping it closes the connection, whatever is on its way.
pub(crate) struct Session {
    client: Client,
    task: Task,
    timeline: u32,
    seen: Arc<Seen>,
}

/// What moves a connection's messages; ends when it is dropped.
struct Task(Option<JoinHandle<()>>);

/// The addresses of a name.
enum Names {
    /// As the name server has just said.
    Told(Vec<IpAddr>),
    /// As it said once.
    Remembered(Vec<IpAddr>),
}

/// A step of the race.
enum Step {
    /// A name's addresses.
    Resolved(String, Vec<Config>),
    /// What one server said, and where it is.
    Answered(String, Box<Config>, Result<Session, Fault>),
    /// One that would not serve at first does now.
    Promoted(Session),
}

type Racer<'a> = Pin<Box<dyn Future<Output = Step> + Send + 'a>>;

impl Session {
    /// Whether it is of no use: the connection is closed, or its server was replaced by one on a newer timeline.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.timeline < self.seen.timeline()
    }
}

impl Deref for Session {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl Seen {
    fn timeline(&self) -> u32 {
        self.timeline.load(Ordering::SeqCst)
    }

    fn bound(&self) -> Duration {
        Duration::from_millis(self.bound.load(Ordering::Relaxed))
    }

    /// Slow is not down: the bound follows what a handshake took when somebody answers.
    fn answered(&self, took: Duration) {
        self.bound.store(bounded(took * 4), Ordering::Relaxed);
    }

    /// Nobody answered: the bound grows. Once, however many were waiting under it.
    fn nobody_answered(&self, within: Duration) {
        let (old, new) = (bounded(within), bounded(within * 2));
        let _ = self.bound.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// In milliseconds, as an atomic holds it.
fn bounded(bound: Duration) -> u64 {
    u64::try_from(bound.clamp(HANDSHAKE, LONGEST).as_millis()).unwrap_or(u64::MAX)
}

impl Connector {
    /// Reads the address and the authorities; connects to nobody yet.
    ///
    /// # Errors
    /// When they can't be used.
    pub(crate) fn new(settings: &PostgresSettings) -> Result<Self, UrlError> {
        let mut address = read(settings.url.reveal())?;
        let ca = settings.ca.as_deref().or(address.ca.as_deref());
        let tls = tls::connector(address.check, ca)?;
        for place in &mut address.places {
            place
                .config
                .application_name("afterring")
                .tcp_user_timeout(Duration::from_secs(3))
                .keepalives_idle(Duration::from_secs(2))
                .keepalives_interval(Duration::from_secs(1))
                .keepalives_retries(2);
        }
        Ok(Self {
            places: Arc::new(address.places),
            tls,
            seen: Arc::new(Seen { timeline: AtomicU32::new(0), bound: AtomicU64::new(bounded(HANDSHAKE)) }),
            names: Arc::default(),
            nudges: Arc::default(),
            pool: Arc::default(),
            pool_size: settings.pool,
        })
    }

    /// The same servers, asked for sessions with these options besides those of the address: `-c name=value`.
    pub(crate) fn with_options(&self, options: &str) -> Self {
        let mut places = self.places.to_vec();
        for Place { config, .. } in &mut places {
            let all = config.get_options().map_or_else(|| options.to_owned(), |own| format!("{own} {options}"));
            config.options(all);
        }
        Self { places: Arc::new(places), pool: Arc::default(), ..self.clone() }
    }

    /// The newest timeline that was seen; 0: none yet.
    pub(crate) fn timeline(&self) -> u32 {
        self.seen.timeline()
    }

    /// A server is on this timeline. When it is a new one, sessions with its predecessor are of no use.
    pub(crate) fn saw_timeline(&self, timeline: u32) {
        let before = self.seen.timeline.fetch_max(timeline, Ordering::SeqCst);
        if before < timeline
            && let Some(pool) = &*self.pool.lock().unwrap_or_else(PoisonError::into_inner)
        {
            pool.retain(|_, _| false);
        }
    }

    /// Waits for a notification to any session.
    pub(crate) fn nudged(&self) -> impl Future<Output = ()> + use<> {
        let nudges = Arc::clone(&self.nudges);
        async move { nudges.notified().await }
    }

    /// A pool of such sessions, for everything that is not a batch.
    pub(crate) fn pool(&self) -> Result<Pool, Fault> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(pool.clone());
        }
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The pool wants to know an address; all it does with it is to hand it to us.
        let manager = Manager::from_connect(Config::new(), self.clone(), settings);
        let made = Pool::builder(manager)
            .max_size(self.pool_size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(HANDSHAKE))
            .create_timeout(Some(LONGEST))
            .recycle_timeout(Some(HANDSHAKE))
            .build()
            .map_err(|error| Fault { class: Class::Other, text: error.to_string() })?;
        Ok(pool.insert(made).clone())
    }

    /// A session with the writable server on the newest timeline.
    ///
    /// # Errors
    /// When there is none within the bound of a handshake: with what each server said.
    pub(crate) async fn connect(&self) -> Result<Session, Fault> {
        let (begun, bound) = (Instant::now(), self.seen.bound());
        let mut end = begun + bound;
        let mut racing: FuturesUnordered<Racer<'_>> = self.places.iter().map(|place| self.resolve(place)).collect();
        let (mut best, mut faults): (Option<Session>, Vec<(String, Fault)>) = (None, Vec::new());
        let mut unheard = racing.len();
        while unheard > 0 {
            match timeout_at(end, racing.next()).await {
                Ok(Some(Step::Resolved(name, addresses))) => {
                    unheard += addresses.len() - 1;
                    racing.extend(addresses.into_iter().map(|address| self.greet(name.clone(), address)));
                }
                Ok(Some(Step::Answered(name, address, Err(fault)))) => {
                    unheard -= 1;
                    if matches!(fault.class, Class::Away | Class::ReadOnly) {
                        racing.push(self.greet_again(address));
                    }
                    faults.push((name, fault));
                }
                Ok(Some(Step::Answered(_, _, Ok(session)))) => {
                    unheard -= 1;
                    self.seen.answered(begun.elapsed());
                    end = end.min(Instant::now() + GRACE);
                    best = Some(newer(best, session));
                }
                Ok(Some(Step::Promoted(session))) => {
                    end = end.min(Instant::now() + GRACE);
                    best = Some(newer(best, session));
                }
                Ok(None) => break,
                Err(_) => {
                    faults.extend(self.silent(&faults, bound));
                    break;
                }
            }
        }
        if let Some(session) = best {
            self.saw_timeline(session.timeline);
            return Ok(session);
        }
        if begun.elapsed() >= bound {
            self.seen.nobody_answered(bound);
        }
        Err(all_of(faults))
    }

    /// Those that have said nothing by the end.
    fn silent(&self, faults: &[(String, Fault)], bound: Duration) -> Vec<(String, Fault)> {
        let silent = self.places.iter().filter(|place| faults.iter().all(|(name, _)| *name != place.name));
        silent.map(|place| (place.name.clone(), Fault::silent(bound))).collect()
    }

    /// Asks for the addresses of a host: all of them take part in the race.
    fn resolve<'a>(&'a self, place: &'a Place) -> Racer<'a> {
        let Some(Host::Tcp(host)) = place.config.get_hosts().first() else {
            return self.greet(place.name.clone(), place.config.clone());
        };
        Box::pin(async move {
            let name = place.name.clone();
            let at = |address: IpAddr, connect: Duration| {
                let mut config = place.config.clone();
                config.hostaddr(address).connect_timeout(connect);
                config
            };
            match self.addresses(host).await {
                Ok(Names::Told(found)) => {
                    Step::Resolved(name, found.into_iter().map(|address| at(address, LONGEST)).collect())
                }
                // Another may have them by now: not waited for as long.
                Ok(Names::Remembered(found)) => {
                    Step::Resolved(name, found.into_iter().map(|address| at(address, HANDSHAKE)).collect())
                }
                Err(text) => {
                    let fault = Fault { class: Class::Away, text };
                    Step::Answered(name, Box::new(place.config.clone()), Err(fault))
                }
            }
        })
    }

    /// The addresses of a name, at least one; where the name server is silent, those that it had last. A lookup that is too late serves the next one.
    async fn addresses(&self, host: &str) -> Result<Names, String> {
        let (names, key) = (Arc::clone(&self.names), host.to_owned());
        let lookup = tokio::spawn(async move {
            let found = tokio::net::lookup_host((key.as_str(), 0)).await;
            let found: Vec<IpAddr> = found
                .map_err(|error| format!("the name can't be resolved: {error}"))?
                .map(|address| address.ip())
                .collect();
            if found.is_empty() {
                return Err("the name has no address".to_owned());
            }
            names.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
            Ok(found)
        });
        match timeout(NAMES, lookup).await {
            Ok(Ok(found)) => found.map(Names::Told),
            Ok(Err(error)) => Err(format!("the name can't be resolved: {error}")),
            Err(_) => {
                let remembered = self.names.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned();
                remembered.map(Names::Remembered).ok_or_else(|| {
                    format!("the name was not resolved within {} ms: look at the name server", NAMES.as_millis())
                })
            }
        }
    }

    /// Connects to one address and asks what it is.
    fn greet(&self, name: String, address: Config) -> Racer<'_> {
        Box::pin(async move {
            let said = self.session_at(&address).await;
            Step::Answered(name, Box::new(address), said)
        })
    }

    /// Asks one again until it serves: it may be promoted while a hung primary is still waited for, up to [`LONGEST`].
    fn greet_again(&self, address: Box<Config>) -> Racer<'_> {
        Box::pin(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                if let Ok(session) = self.session_at(&address).await {
                    return Step::Promoted(session);
                }
            }
        })
    }

    async fn session_at(&self, address: &Config) -> Result<Session, Fault> {
        let (client, connection) = address.connect(self.tls.clone()).await?;
        let task = Task(Some(tokio::spawn(drive(connection, Arc::clone(&self.nudges)))));
        let found = client.simple_query(ROLE).await?;
        let row = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1)?)),
            _ => None,
        });
        let read_only = |text: String| Fault { class: Class::ReadOnly, text };
        match row {
            Some(("writable", timeline)) => {
                let timeline = u32::from_str_radix(timeline, 16).unwrap_or(0);
                let newest = self.timeline();
                if timeline < newest {
                    return Err(read_only(format!(
                        "an old primary on timeline {timeline} was refused, {newest} was seen"
                    )));
                }
                Ok(Session { client, task, timeline, seen: Arc::clone(&self.seen) })
            }
            Some(("standby", _)) => Err(read_only("a standby: it takes no changes".to_owned())),
            Some(_) => Err(read_only("it takes no changes: default_transaction_read_only is on".to_owned())),
            None => Err(Fault { class: Class::Other, text: "the server did not say what it is".to_owned() }),
        }
    }
}

/// The one on the newer timeline.
fn newer(best: Option<Session>, session: Session) -> Session {
    match best {
        Some(best) if best.timeline >= session.timeline => best,
        _ => session,
    }
}

/// One fault of those of all servers: its class is that of the one that says most, its text what each said.
fn all_of(faults: Vec<(String, Fault)>) -> Fault {
    // One that answers says more than one that does not; one that would be the right one, were it not for us, says most.
    let says = |class: Class| match class {
        Class::Away => 0,
        Class::Silent => 1,
        Class::ReadOnly => 2,
        Class::Full
        | Class::Connections
        | Class::Denied
        | Class::Schema
        | Class::Busy
        | Class::Poison
        | Class::Other => 3,
    };
    let class = faults.iter().map(|(_, fault)| fault.class).max_by_key(|class| says(*class)).unwrap_or(Class::Away);
    let texts: Vec<String> = faults.into_iter().map(|(name, fault)| format!("{name}: {}", fault.text)).collect();
    Fault { class, text: texts.join("; ") }
}

/// Moves a connection's messages until it ends.
async fn drive<S, T>(mut connection: Connection<S, T>, nudges: Arc<Notify>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(_)) => nudges.notify_waiters(),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>> {
        Box::pin(async move {
            loop {
                // The pool's own bound reports what can't be told in its kind of error.
                let Ok(Session { client, mut task, .. }) = Self::connect(self).await else {
                    tokio::time::sleep(GRACE).await;
                    continue;
                };
                if let Some(task) = task.0.take() {
                    return Ok((client, task));
                }
            }
        })
    }
}

/// Why nothing was got from a pool.
pub(crate) fn pool_fault(error: deadpool_postgres::PoolError) -> Fault {
    match error {
        deadpool_postgres::PoolError::Backend(error) => error.into(),
        error => Fault { class: Class::Silent, text: format!("no session for this: {error}") },
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
