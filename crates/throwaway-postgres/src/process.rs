//! Starting programs as the right user, and sending signals to them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Who servers run as when the tests run as root.
const USER: &str = "postgres";

/// User and group that directories must belong to; `None`: to whoever we are.
pub(crate) fn owner() -> Option<(u32, u32)> {
    static OWNER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *OWNER.get_or_init(|| geteuid().is_root().then(|| (id("-u"), id("-g"))))
}

fn id(which: &str) -> u32 {
    let said =
        Command::new("id").args([which, USER]).output().ok().and_then(|said| String::from_utf8(said.stdout).ok());
    let id = said.and_then(|said| said.trim().parse().ok());
    id.expect("Postgres refuses to run as root, and there is no user `postgres` to run it as: install postgresql-15")
}

/// A program that runs as the user of servers, and ends when the thread that started it does.
pub(crate) fn as_server(program: &Path) -> Command {
    let mut command = without_settings(Command::new("setpriv"));
    command.args(["--pdeathsig", "QUIT"]);
    if let Some((user, group)) = owner() {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).args(["--init-groups", "--reset-env"]);
    }
    command.arg(program).stdin(Stdio::null());
    command
}

/// What the environment says to libpq must not reach the tests' programs.
pub(crate) fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command.current_dir("/");
    command
}

/// Runs to the end; panics with what it said when it fails.
pub(crate) fn run(mut command: Command) -> String {
    let said = command.output().unwrap_or_else(|error| panic!("{:?} can't be started: {error}", command.get_program()));
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let arguments: Vec<&OsStr> = command.get_args().collect();
    assert!(said.status.success(), "{arguments:?} failed ({}): {out}{err}", said.status);
    out.into_owned()
}

/// Starts a program from a thread that lives as long as the process: the signal at a parent's death goes by the thread, and tests are threads.
pub(crate) fn spawn(command: Command) -> Child {
    type Order = (Command, SyncSender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<SyncSender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        // One order at a time: who orders waits for the child anyway.
        let (orders, ordered) = sync_channel::<Order>(1);
        thread::spawn(move || {
            for (mut command, reply) in ordered {
                drop(reply.send(command.spawn()));
            }
        });
        orders
    });
    let (reply, child) = sync_channel(1);
    spawner.send((command, reply)).expect("the spawning thread lives as long as the process");
    let child = child.recv().expect("the spawning thread answers every order");
    child.expect("setpriv (util-linux) can't be started: install util-linux")
}

/// Sends a signal; who is gone already needs none.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Its end may have come first.
        let _ = kill_process(pid, signal);
    }
}

/// The children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Waits until processes that are not ours are gone; a zombie is.
pub(crate) fn wait_until_gone(pids: &[u32], at_most: Duration) {
    let end = Instant::now() + at_most;
    while Instant::now() < end && pids.iter().any(|pid| is_alive(*pid)) {
        thread::sleep(Duration::from_millis(2));
    }
}

fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // `pid (name) state …`
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
}
