//! One server with a data directory of its own.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::binaries::binary;
use crate::directory;
use crate::process::{as_server, children, run, signal, spawn, wait_until_gone};
use crate::session::sql;

/// How long a server may take to start, recovery included.
const START: Duration = Duration::from_secs(30);

/// How long a server may take to stop before it is killed.
const STOP: Duration = Duration::from_secs(20);

/// What every server is given before what its test asks for. Tests kill processes, not machines, so nothing needs to reach the disk.
const ALWAYS: &[&str] =
    &["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=16MB", "log_line_prefix=%m [%p] %a "];

/// One server with a data directory of its own. Both are gone when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    data: PathBuf,
    port: u16,
    settings: Vec<String>,
    server: Child,
    databases: AtomicU32,
}

impl Cluster {
    /// A new primary. Each setting is `name=value`; later ones win.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        let directory = directory::make();
        let data = directory.join("data");
        Self::copied(directory, data, settings)
    }

    /// A new primary with its data in this directory, on a disk of the test's choice: a small one, say. They take about 25 MB.
    #[must_use]
    pub fn start_on(disk: &Path, settings: &[&str]) -> Self {
        directory::give(disk);
        Self::copied(directory::make(), disk.join("data"), settings)
    }

    /// A new standby that streams from this one; `name` is what `synchronous_standby_names` may call it.
    #[must_use]
    pub fn standby(&self, name: &str, settings: &[&str]) -> Self {
        self.standby_by(self.port, name, settings)
    }

    /// A new standby that reaches this one by another port: that of a [`crate::Proxy`] to it.
    #[must_use]
    pub fn standby_by(&self, port: u16, name: &str, settings: &[&str]) -> Self {
        let directory = directory::make();
        let data = directory.join("data");
        let from = format!("host=127.0.0.1 port={port} user=postgres application_name={name}");
        let mut copy = as_server(&binary("pg_basebackup"));
        copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", &from, "-D"]).arg(&data);
        run(copy);
        Self::launched(directory, data, settings)
    }

    fn copied(directory: PathBuf, data: PathBuf, settings: &[&str]) -> Self {
        let mut copy = as_server(Path::new("cp"));
        copy.arg("-a").arg(directory::template()).arg(&data);
        run(copy);
        Self::launched(directory, data, settings)
    }

    fn launched(directory: PathBuf, data: PathBuf, settings: &[&str]) -> Self {
        let settings: Vec<String> = ALWAYS.iter().chain(settings).map(ToString::to_string).collect();
        let end = Instant::now() + START;
        let port = free_port();
        let server = launch(&directory, &data, port, &settings);
        let mut cluster = Self { directory, data, port, settings, server, databases: AtomicU32::new(0) };
        while let Err(said) = cluster.wait_until_ready(end) {
            // The tests of another process were faster.
            assert!(said.contains("could not bind") && Instant::now() < end, "Postgres did not start: {said}");
            cluster.port = free_port();
            cluster.server = launch(&cluster.directory, &cluster.data, cluster.port, &cluster.settings);
        }
        cluster
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of its database `postgres`, as the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of one of its databases, as the superuser.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The directory of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.directory
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A new directory at `parent` that belongs to the server's user: for a tablespace on a disk of the test's choice.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn give(&self, parent: &Path, name: &str) -> PathBuf {
        let path = parent.join(name);
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{} can't be made: {error}", path.display()));
        directory::give(&path);
        path
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// A new database with nothing in it: one for each test. Returns its address.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("create database {name} template template0"));
        self.url_of(&name)
    }

    /// Runs statements in its database `postgres`, as [`sql`] does.
    ///
    /// # Panics
    /// When the server refuses them.
    pub fn sql(&self, statements: &str) -> String {
        sql(&self.url(), statements)
    }

    /// Its processes, the one that made the others first.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let first = self.server.id();
        std::iter::once(first).chain(children(first)).collect()
    }

    /// Stops it in its tracks: its kernel goes on accepting connections, nobody answers them.
    pub fn hang(&self) {
        signal(self.server.id(), Signal::STOP);
        for child in children(self.server.id()) {
            signal(child, Signal::STOP);
        }
    }

    /// Lets it go on after [`Cluster::hang`].
    pub fn resume(&self) {
        for child in children(self.server.id()) {
            signal(child, Signal::CONT);
        }
        signal(self.server.id(), Signal::CONT);
    }

    /// Kills all its processes, as a crash of its machine would.
    pub fn kill(&mut self) {
        let children = children(self.server.id());
        signal(self.server.id(), Signal::KILL);
        for child in &children {
            signal(*child, Signal::KILL);
        }
        drop(self.server.wait());
        wait_until_gone(&children, STOP);
    }

    /// Stops it as an operator would: sessions are told.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Stops it without a checkpoint: it recovers at its next start.
    pub fn stop_immediate(&mut self) {
        self.end(Signal::QUIT);
    }

    fn end(&mut self, how: Signal) {
        self.resume();
        signal(self.server.id(), how);
        let end = Instant::now() + STOP;
        while self.is_running() {
            if Instant::now() > end {
                return self.kill();
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the process of one session of this application, as the kernel does when memory is short: the server then closes all sessions and recovers.
    ///
    /// # Panics
    /// When there is none.
    pub fn kill_backend(&self, application: &str) {
        let sql = format!("select pid from pg_stat_activity where application_name = '{application}' limit 1");
        let pid = self.sql(&sql).trim().parse().unwrap_or_else(|_| panic!("no session is called {application}"));
        signal(pid, Signal::KILL);
    }

    /// Starts it again after it was stopped or killed, on the same port.
    pub fn restart(&mut self) {
        let end = Instant::now() + START;
        loop {
            self.server = launch(&self.directory, &self.data, self.port, &self.settings);
            match self.wait_until_ready(end) {
                Ok(()) => return,
                // Processes of its earlier life may still hold its shared memory.
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(50)),
                Err(said) => panic!("Postgres did not start again: {said}"),
            }
        }
    }

    /// Whether a standby has on its disk everything that its primary has.
    #[must_use]
    pub fn has_all_of(&self, primary: &Self) -> bool {
        let end = primary.sql("select pg_current_wal_flush_lsn()");
        self.sql(&format!("select pg_last_wal_receive_lsn() >= '{}'", end.trim())).trim() == "t"
    }

    /// Makes a standby the primary, on a new timeline; returns when it takes changes.
    pub fn promote(&self) {
        assert_eq!(self.sql("select pg_promote(true, 30)").trim(), "t", "the standby was not promoted: {}", self.log());
    }

    /// Whether its first process lives, be it hung.
    pub fn is_running(&mut self) -> bool {
        matches!(self.server.try_wait(), Ok(None))
    }

    fn wait_until_ready(&mut self, end: Instant) -> Result<(), String> {
        let file = self.data.join("postmaster.pid");
        let pid = self.server.id().to_string();
        loop {
            let lines = std::fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            if lines.first() == Some(&pid.as_str()) && matches!(lines.get(7), Some(&("ready" | "standby"))) {
                return Ok(());
            }
            if !self.is_running() {
                return Err(self.log());
            }
            if Instant::now() > end {
                self.kill();
                return Err(format!("it took longer than {} s: {}", START.as_secs(), self.log()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
        drop(std::fs::remove_dir_all(&self.data));
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

fn launch(directory: &Path, data: &Path, port: u16, settings: &[String]) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(directory.join("log"));
    let log = log.unwrap_or_else(|error| panic!("{} can't be written: {error}", directory.display()));
    let mut command = as_server(&binary("postgres"));
    command.arg("-D").arg(data).arg("-p").arg(port.to_string()).arg("-k").arg(directory);
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    let err = log.try_clone().expect("a file can be had twice");
    command.stdout(log).stderr(err);
    spawn(command)
}

/// A port outside of the range from which outgoing connections get theirs, so that it is still free when a stopped server starts again.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(61);
    loop {
        let next = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000 + 20_000;
        let port = u16::try_from(next).expect("below 32,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
