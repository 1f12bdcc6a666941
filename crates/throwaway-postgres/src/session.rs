//! Talking to a server, by `psql`.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::binaries::binary;
use crate::process::{spawn, without_settings};

/// How long a lock may take to be got.
const LOCKED: Duration = Duration::from_secs(30);

/// Runs statements in a database, each in a transaction of its own; returns the rows, columns separated by `|`.
///
/// # Panics
/// When the server refuses one, with what it said.
pub fn sql(url: &str, statements: &str) -> String {
    try_sql(url, statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
}

/// Runs statements as [`sql`] does.
///
/// # Errors
/// With what was said when the server refuses one, or when there is no connection within 5 seconds.
pub fn try_sql(url: &str, statements: &str) -> Result<String, String> {
    let mut psql = psql(Command::new(binary("psql")), url);
    let psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut psql = psql.expect("psql can't be started: install postgresql-client");
    let mut input = psql.stdin.take().expect("it is piped");
    let statements = statements.to_owned();
    // Apart, because psql may wait for somebody to read what it says. It may end before it has read all.
    let writer = thread::spawn(move || drop(input.write_all(statements.as_bytes())));
    let said = psql.wait_with_output().map_err(|error| error.to_string())?;
    drop(writer.join());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if said.status.success() { Ok(text(&said.stdout)) } else { Err(text(&said.stderr)) }
}

fn psql(command: Command, url: &str) -> Command {
    let mut command = without_settings(command);
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url]).env("PGCONNECT_TIMEOUT", "5");
    command
}

/// Runs a script of `pgbench` so many times, one after another, on one connection.
///
/// # Errors
/// With what was said when the server refuses a statement.
pub fn pgbench(url: &str, script: &str, times: u32) -> io::Result<()> {
    let mut pgbench = without_settings(Command::new(binary("pgbench")));
    pgbench.args(["--no-vacuum", "--client=1", "--transactions", &times.to_string(), "--file=-", url]);
    let mut pgbench = pgbench.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut input) = pgbench.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let said = pgbench.wait_with_output()?;
    if said.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&said.stderr).into_owned()))
    }
}

/// A session that holds what its statements locked until it is dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Begins a transaction with these statements and keeps it open.
    ///
    /// # Panics
    /// When the locks are not got.
    #[must_use]
    pub fn of(url: &str, statements: &str) -> Self {
        let mut holder = Self::begin(url, statements);
        let held = "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like 'begin;%pg_sleep%' and wait_event = 'PgSleep'";
        let end = Instant::now() + LOCKED;
        while sql(url, held).trim() == "0" {
            let lives = matches!(holder.0.try_wait(), Ok(None));
            assert!(lives && Instant::now() < end, "{statements}: the locks were not got");
            thread::sleep(Duration::from_millis(10));
        }
        holder
    }

    /// Like [`Holder::of`], without waiting: it may not even be let in.
    #[must_use]
    pub fn begin(url: &str, statements: &str) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binary("psql"));
        let mut command = psql(command, url);
        command.arg("-c").arg(format!("begin; {statements}; select pg_sleep(3600)"));
        // A server that sleeps does not see by itself that its client is gone.
        command.env("PGOPTIONS", "-c client_connection_check_interval=20ms");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(spawn(command))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
