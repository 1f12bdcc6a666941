//! PgBouncer between clients and a cluster.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, free_port};
use crate::directory;
use crate::process::{as_server, spawn};

/// How long it may take to listen.
const START: Duration = Duration::from_secs(10);

const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A PgBouncer. Ended when dropped.
#[derive(Debug)]
pub struct Bouncer {
    port: u16,
    process: Child,
    log: PathBuf,
}

impl Bouncer {
    /// One before this cluster, with this many sessions to it, handed out for one transaction each. It asks a server that was away again after a second,
    /// not after 15.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn before(cluster: &Cluster, sessions: u32) -> Self {
        Self::in_mode(cluster, sessions, "transaction")
    }

    /// The same, its sessions handed out for a `session`, a `transaction` or a `statement` each.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn in_mode(cluster: &Cluster, sessions: u32, mode: &str) -> Self {
        let (directory, port) = (directory::make(), free_port());
        let (ini, users, log) = (directory.join("ini"), directory.join("users"), directory.join("log"));
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\nlogfile = {}\npool_mode = {mode}\ndefault_pool_size = {sessions}\n\
             server_login_retry = 1\nignore_startup_parameters = extra_float_digits\n",
            cluster.port(),
            users.display(),
            log.display()
        );
        for (path, text) in [(&ini, settings.as_str()), (&users, "\"postgres\" \"\"\n")] {
            std::fs::write(path, text).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
            directory::give(path);
        }
        let mut command = as_server(Path::new(PROGRAM));
        command.arg("--quiet").arg(&ini);
        let bouncer = Self { port, process: spawn(command), log };
        let end = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "PgBouncer does not listen (install pgbouncer): {}", bouncer.log());
            thread::sleep(Duration::from_millis(10));
        }
        bouncer
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
