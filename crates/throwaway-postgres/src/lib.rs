//! Postgres clusters that a test makes, breaks and throws away. Needs Debian's `postgresql-15` and util-linux; nothing that anybody started.
//!
//! Everything panics with what the server said: a test has no use for an error value here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't set up its world ends")]

mod proxy;

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use proxy::Proxy;

/// How long a server may take to start, recovery included.
const START: Duration = Duration::from_secs(60);

/// `$PG_BIN`, then the newest `/usr/lib/postgresql/*/bin`, then what `pg_config` says.
fn bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        if let Some(given) = std::env::var_os("PG_BIN") {
            return given.into();
        }
        let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .filter(|(_, path)| path.join("initdb").exists())
            .collect();
        found.sort();
        if let Some((_, path)) = found.pop() {
            return path;
        }
        let said = Command::new("pg_config").arg("--bindir").output().ok();
        let path = said.map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()));
        path.filter(|path| path.join("initdb").exists()).expect("no Postgres server here: apt-get install postgresql-15")
    })
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// A server refuses to run as root: there it runs as `postgres`. It ends with whoever started it, however that ends.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.arg(program).current_dir("/").env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command.stdin(Stdio::null());
    command
}

/// A new directory that the server may use, where it can get to it.
fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let parent = std::env::temp_dir();
    let name = format!("throwaway-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let path = parent.join(name);
    fs::create_dir_all(&path).unwrap();
    give(&path);
    let reachable = as_server(Path::new("test")).arg("-w").arg(&path).status().unwrap().success();
    if reachable {
        return path;
    }
    fs::remove_dir(&path).unwrap();
    let path = Path::new("/tmp").join(path.file_name().unwrap());
    fs::create_dir_all(&path).unwrap();
    give(&path);
    path
}

fn give(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg("postgres:postgres").arg(path));
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A cluster as `initdb` leaves it, made once and copied.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let path = scratch();
        run(as_server(&bin().join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", "-D"])
            .arg(path.join("data")));
        path
    })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running cluster. Dropping it ends and removes it.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    data: PathBuf,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Cluster {
    /// A new cluster with these settings (`name=value`).
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let dir = scratch();
        Self::start_in(dir.clone(), dir, settings)
    }

    /// A new cluster whose data are in this directory, on a disk of the test's choice.
    #[must_use]
    pub fn start_on(disk: &Path, settings: &[&str]) -> Self {
        give(disk);
        Self::start_in(scratch(), disk.to_owned(), settings)
    }

    fn start_in(dir: PathBuf, disk: PathBuf, settings: &[&str]) -> Self {
        let data = disk.join("data");
        run(as_server(Path::new("cp")).arg("-a").arg(template().join("data")).arg(&data));
        Self::launch(dir, data, settings)
    }

    /// A standby of this one, streaming; `name` is what `synchronous_standby_names` may call it.
    #[must_use]
    pub fn standby(&self, name: &str, settings: &[&str]) -> Self {
        let dir = scratch();
        let data = dir.join("data");
        let from = format!("host=127.0.0.1 port={} user=postgres application_name={name}", self.port);
        run(as_server(&bin().join("pg_basebackup")).args(["-d", &from, "-R", "--checkpoint=fast", "-X", "stream", "-D"]).arg(&data));
        Self::launch(dir, data, settings)
    }

    fn launch(dir: PathBuf, data: PathBuf, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut cluster = Self { dir, data, port: free_port(), settings, server: None };
        cluster.restart();
        cluster
    }

    /// Starts it again; after a kill, once what was left of it has gone.
    pub fn restart(&mut self) {
        let end = Instant::now() + START;
        loop {
            let mut server = self.spawn();
            loop {
                if let Some(status) = server.try_wait().unwrap() {
                    assert!(Instant::now() < end, "the server ends with {status}:\n{}", self.log());
                    thread::sleep(Duration::from_millis(50));
                    break;
                }
                if self.is_ready(server.id()) {
                    self.server = Some(server);
                    return;
                }
                assert!(Instant::now() < end, "the server does not start:\n{}", self.log());
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn spawn(&self) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log")).unwrap();
        let mut command = as_server(&bin().join("postgres"));
        command.arg("-D").arg(&self.data).arg("-p").arg(self.port.to_string()).arg("-k").arg(&self.dir);
        for setting in ["listen_addresses=127.0.0.1", "recovery_init_sync_method=syncfs", "max_wal_size=256MB"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// The server's own file says so, in its eighth line.
    fn is_ready(&self, id: u32) -> bool {
        let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        lines.next() == Some(&id.to_string()) && lines.nth(6).is_some_and(|state| state.starts_with("ready"))
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of its database `postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// The address of a new, empty database.
    #[must_use]
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let _ = self.sql(&format!("create database {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Runs statements in its database `postgres`; the rows, columns separated by `|`.
    #[must_use]
    pub fn sql(&self, statements: &str) -> String {
        sql(&self.url(), statements)
    }

    /// Stops every process of it, as a machine that hangs.
    pub fn hang(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let Some(server) = &self.server else { return };
        let id = server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let mut command = Command::new("kill");
        command.arg(format!("-{signal}")).arg(id.to_string()).args(children.split_whitespace());
        // A process may have ended meanwhile.
        drop(command.stderr(Stdio::null()).status());
    }

    /// Kills every process of it.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.reap();
    }

    /// Kills the process that serves a session of this application.
    pub fn kill_backend(&self, application: &str) {
        let ids = self.sql(&format!("select pid from pg_stat_activity where application_name = '{application}' limit 1"));
        run(Command::new("kill").arg("-KILL").arg(ids.trim()));
    }

    /// `pg_ctl stop -m fast`.
    pub fn stop(&mut self) {
        if let Some(server) = &self.server {
            run(Command::new("kill").arg("-INT").arg(server.id().to_string()));
        }
        self.reap();
    }

    fn reap(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.wait());
        }
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        let _ = self.sql("select pg_promote(true, 30)");
    }

    /// Whether a standby has everything that its primary has.
    #[must_use]
    pub fn has_all_of(&self, primary: &Self) -> bool {
        let end = primary.sql("select pg_current_wal_flush_lsn()");
        self.sql(&format!("select pg_last_wal_receive_lsn() >= '{}'", end.trim())).trim() == "t"
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.signal("CONT");
        self.signal("QUIT");
        self.reap();
        drop(fs::remove_dir_all(&self.data));
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Runs statements in a database; the rows, columns separated by `|`.
///
/// # Panics
/// When the server refuses them.
#[must_use]
pub fn sql(url: &str, statements: &str) -> String {
    try_sql(url, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
}

/// Runs statements in a database; the rows, or what the server said.
///
/// # Errors
/// When the server refuses them or can't be reached.
pub fn try_sql(url: &str, statements: &str) -> Result<String, String> {
    let mut command = Command::new(bin().join("psql"));
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statements, "-d", url]);
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A session that holds what its statements locked until it is dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Begins a transaction with these statements and keeps it open.
    #[must_use]
    pub fn of(url: &str, statements: &str) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(bin().join("psql"));
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", &format!("begin; {statements}; select pg_sleep(3600)")]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let held = format!("select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like 'begin;%pg_sleep%' and wait_event = 'PgSleep'");
        let end = Instant::now() + START;
        while sql(url, &held).trim() == "0" {
            assert!(Instant::now() < end, "the lock was not got");
            thread::sleep(Duration::from_millis(10));
        }
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Removes what all clusters of this process were copied from; at the end of a program that makes many.
pub fn forget_template() {
    drop(File::open("/"));
    drop(fs::remove_dir_all(template()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_cluster_comes_back_with_its_data_and_a_standby_takes_over() {
        let mut primary = Cluster::start(&[]);
        let _ = primary.sql("create table t (n int); insert into t values (1)");
        primary.kill();
        assert!(try_sql(&primary.url(), "select 1").is_err());
        primary.restart();
        assert_eq!(primary.sql("select n from t"), "1\n");
        let standby = primary.standby("s1", &[]);
        let _ = primary.sql("insert into t values (2)");
        while !standby.has_all_of(&primary) {
            thread::sleep(Duration::from_millis(10));
        }
        drop(primary);
        standby.promote();
        let _ = standby.sql("insert into t values (3)");
        assert_eq!(standby.sql("select sum(n) from t"), "6\n");
    }

    #[test]
    fn a_hanging_cluster_answers_again_when_it_may() {
        let cluster = Cluster::start(&[]);
        cluster.hang();
        let url = cluster.url();
        let asked = thread::spawn(move || sql(&url, "select 7"));
        thread::sleep(Duration::from_millis(300));
        assert!(!asked.is_finished());
        cluster.resume();
        assert_eq!(asked.join().unwrap(), "7\n");
    }
}
