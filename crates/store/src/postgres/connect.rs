//! Connecting: all hosts at once, each bounded over its whole handshake; the writable one on the newest timeline is taken.
//!
//! What libraries offer is not enough: `connect_timeout` covers only TCP, hosts are tried one after the other (a hung first one hides the second),
//! and an old primary that comes back after a failover takes writes that nobody will ever see.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures_util::future::poll_fn;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{Address, read};
use super::{Class, Fault, PostgresSettings, UrlError, tls};

/// The bound of a handshake at first, and at least.
const HANDSHAKE: Duration = Duration::from_secs(1);
/// At most: a link that needs longer serves nobody.
const LONGEST: Duration = Duration::from_secs(10);
/// How long a newer timeline is waited for once one host has answered.
const GRACE: Duration = Duration::from_millis(50);

/// One round trip: whether it takes changes, and its timeline.
const ROLE: &str = "select case when pg_is_in_recovery() then 'standby' \
    when current_setting('default_transaction_read_only')::boolean then 'read only' else 'writable' end, \
    case when pg_is_in_recovery() then '00000000' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end";

/// Makes sessions. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector {
    hosts: Arc<Vec<Config>>,
    tls: MakeRustlsConnect,
    seen: Arc<SeenSoFar>,
    /// Told of every notification that any session gets.
    nudges: Arc<Notify>,
    pool: Arc<Mutex<Option<Pool>>>,
    pool_size: usize,
    base: Config,
}

struct SeenSoFar {
    /// The newest timeline.
    timeline: AtomicU32,
    /// The bound of a handshake, in milliseconds.
    bound: AtomicU64,
}

/// A session. Dropping it closes the connection, whatever is on its way.
pub(crate) struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Deref for Session {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Found {
    Writable { client: Client, task: JoinHandle<()>, timeline: u32 },
    ReadOnly,
}

/// The best server so far, with its timeline.
type Won = (Client, JoinHandle<()>, u32);

impl Connector {
    /// Reads the address and the authorities; connects to nobody yet.
    ///
    /// # Errors
    /// When they can't be used.
    pub(crate) fn new(settings: &PostgresSettings) -> Result<Self, UrlError> {
        let Address { mut config, check, ca } = read(settings.url.reveal())?;
        let tls = tls::connector(check, settings.ca.as_deref().or(ca.as_deref()))?;
        config
            .application_name("afterring")
            .tcp_user_timeout(Duration::from_secs(3))
            .keepalives_idle(Duration::from_secs(2))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(2);
        let bound = u64::try_from(HANDSHAKE.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            hosts: Arc::new(one_by_one(&config)),
            tls,
            seen: Arc::new(SeenSoFar { timeline: AtomicU32::new(0), bound: AtomicU64::new(bound) }),
            nudges: Arc::default(),
            pool: Arc::default(),
            pool_size: settings.pool,
            base: config,
        })
    }

    /// The newest timeline that was seen; 0: none yet.
    pub(crate) fn timeline(&self) -> u32 {
        self.seen.timeline.load(Ordering::SeqCst)
    }

    /// Waits for a notification to any session.
    pub(crate) fn nudged(&self) -> impl Future<Output = ()> + use<> {
        let nudges = Arc::clone(&self.nudges);
        async move { nudges.notified().await }
    }

    /// A session with the writable server on the newest timeline.
    ///
    /// # Errors
    /// When there is none within the bound of a handshake.
    pub(crate) async fn connect(&self) -> Result<Session, Fault> {
        let (client, task) = self.race().await?;
        Ok(Session { client, task })
    }

    /// A session in its parts, for a library that wants the client itself.
    pub(crate) async fn parts(&self) -> Result<(Client, JoinHandle<()>), Fault> {
        self.race().await
    }

    /// A pool of such sessions, for everything that is not a batch.
    pub(crate) fn pool(&self) -> Result<Pool, Fault> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(pool.clone());
        }
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(self.base.clone(), self.clone(), settings);
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

    fn bound(&self) -> Duration {
        Duration::from_millis(self.seen.bound.load(Ordering::Relaxed))
    }

    /// Slow is not down: the bound grows while nobody answers within it, and follows what a handshake took when somebody does.
    fn set_bound(&self, bound: Duration) {
        let bound = u64::try_from(bound.clamp(HANDSHAKE, LONGEST).as_millis()).unwrap_or(u64::MAX);
        self.seen.bound.store(bound, Ordering::Relaxed);
    }

    async fn race(&self) -> Result<(Client, JoinHandle<()>), Fault> {
        let (begun, bound) = (Instant::now(), self.bound());
        let mut racing: FuturesUnordered<_> = self.hosts.iter().map(|host| self.one(host)).collect();
        let mut end = begun + bound;
        let (mut best, mut fault): (Option<Won>, Option<Fault>) = (None, None);
        loop {
            match tokio::time::timeout_at(end, racing.next()).await {
                Ok(None) => break,
                Err(_) => {
                    if best.is_none() {
                        self.set_bound(bound * 2);
                        let text = format!("no server answered within {} ms", bound.as_millis());
                        fault.get_or_insert(Fault { class: Class::Silent, text });
                    }
                    break;
                }
                Ok(Some(Ok(Found::Writable { client, task, timeline }))) => {
                    let newest = self.timeline();
                    if timeline < newest {
                        task.abort();
                        let text = format!("an old primary on timeline {timeline} was refused: {newest} was seen");
                        fault = Some(Fault { class: Class::ReadOnly, text });
                    } else if best.as_ref().is_none_or(|(.., known)| timeline > *known) {
                        if let Some((_, old, _)) = best.replace((client, task, timeline)) {
                            old.abort();
                        }
                        self.set_bound(begun.elapsed() * 4);
                        end = end.min(Instant::now() + GRACE);
                    } else {
                        task.abort();
                    }
                }
                Ok(Some(Ok(Found::ReadOnly))) => {
                    let text = "only servers that take no changes were found".to_owned();
                    fault.get_or_insert(Fault { class: Class::ReadOnly, text });
                }
                Ok(Some(Err(error))) => fault = Some(error),
            }
        }
        let Some((client, task, timeline)) = best else {
            let text = "no server answered".to_owned();
            return Err(fault.unwrap_or(Fault { class: Class::Away, text }));
        };
        self.seen.timeline.fetch_max(timeline, Ordering::SeqCst);
        Ok((client, task))
    }

    async fn one(&self, host: &Config) -> Result<Found, Fault> {
        let (client, connection) = host.connect(self.tls.clone()).await?;
        let task = Dropped(Some(tokio::spawn(drive(connection, Arc::clone(&self.nudges)))));
        let found = client.simple_query(ROLE).await?;
        let row = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let Some((Some(role), Some(timeline))) = row.map(|row| (row.get(0), row.get(1))) else {
            return Err(Fault { class: Class::Other, text: "the server did not say what it is".to_owned() });
        };
        if role != "writable" {
            return Ok(Found::ReadOnly);
        }
        let timeline = u32::from_str_radix(timeline, 16).unwrap_or(0);
        match task.keep() {
            Some(task) => Ok(Found::Writable { client, task, timeline }),
            None => Ok(Found::ReadOnly),
        }
    }
}

/// Ends a connection whose handshake is given up.
struct Dropped(Option<JoinHandle<()>>);

impl Dropped {
    fn keep(mut self) -> Option<JoinHandle<()>> {
        self.0.take()
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
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

/// One configuration for each host, with all that they share.
fn one_by_one(config: &Config) -> Vec<Config> {
    let ports = config.get_ports();
    let of = |(place, host): (usize, &Host)| {
        let mut one = Config::new();
        one.ssl_mode(config.get_ssl_mode())
            .application_name(config.get_application_name().unwrap_or("afterring"))
            .keepalives_idle(config.get_keepalives_idle())
            .port(ports.get(place).or(ports.first()).copied().unwrap_or(5432));
        if let Some(user) = config.get_user() {
            one.user(user);
        }
        if let Some(password) = config.get_password() {
            one.password(password);
        }
        if let Some(name) = config.get_dbname() {
            one.dbname(name);
        }
        if let Some(timeout) = config.get_tcp_user_timeout() {
            one.tcp_user_timeout(*timeout);
        }
        if let Some(interval) = config.get_keepalives_interval() {
            one.keepalives_interval(interval);
        }
        if let Some(retries) = config.get_keepalives_retries() {
            one.keepalives_retries(retries);
        }
        match host {
            Host::Tcp(name) => one.host(name),
            #[cfg(unix)]
            Host::Unix(path) => one.host_path(path),
        };
        one
    };
    config.get_hosts().iter().enumerate().map(of).collect()
}

impl Connect for Connector {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>> {
        Box::pin(async move {
            loop {
                // The pool's own bound reports what can't be told in its kind of error.
                match self.race().await {
                    Ok(made) => return Ok(made),
                    Err(_) => tokio::time::sleep(GRACE).await,
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
