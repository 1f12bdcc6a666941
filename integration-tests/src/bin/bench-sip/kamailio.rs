//! Kamailio beside it: what a SIP server that others wrote takes to answer the same calls, and to keep nothing of them.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration_tests::process::cpu;
use integration_tests::{paths, ports, wait};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::callers::{self, Play};
use crate::figures::Beside;

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Each request by itself.
    Stateless,
    /// By a transaction, which repeats its answer and knows its ACK.
    Stateful,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Stateless, Self::Stateful];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stateless => "Kamailio, 3,000 calls/s over UDP, stateless",
            Self::Stateful => "Kamailio, 3,000 calls/s over UDP, stateful",
        }
    }
}

/// A running Kamailio. Ended when dropped.
#[derive(Debug)]
struct Kamailio {
    child: Child,
    /// Its processes keep files there while they run.
    _folder: TempDir,
}

impl Kamailio {
    fn start(mode: Mode, port: u16) -> Result<Self> {
        let folder = TempDir::with_prefix("afterring-kamailio-")?;
        let mut command = Command::new("kamailio");
        command
            .args(["-DD", "-E", "-f"])
            .arg(paths::here("peers/kamailio/answering.cfg"))
            .args(["-l", &format!("udp:127.0.0.1:{port}"), "-m", "256", "-w"])
            .arg(folder.path())
            .arg("-Y")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if mode == Mode::Stateful {
            command.args(["-A", "STATEFUL"]);
        }
        let child = command.spawn().context("kamailio: integration-tests/bench-sip installs it")?;
        let kamailio = Self { child, _folder: folder };
        wait::until_true("Kamailio has its processes", || Ok(kamailio.processes()?.len() > 2))?;
        Ok(kamailio)
    }

    /// Itself and its children.
    fn processes(&self) -> Result<Vec<u32>> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        Ok(std::iter::once(id).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect())
    }

    fn cpu(&self) -> Result<f64> {
        self.processes()?.into_iter().try_fold(0.0, |sum, process| Ok(sum + cpu(process)?))
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // By SIGTERM, since it ends its children itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let ended = wait::within(Duration::from_secs(5), "Kamailio ends", || Ok(self.child.try_wait()?));
        if ended.is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Gives it calls.
///
/// # Errors
/// When it can't be started, or answers nobody.
pub(crate) fn run(mode: Mode, rate: u64, seconds: u64) -> Result<Beside> {
    let port = ports::free()?;
    let kamailio = Kamailio::start(mode, port)?;
    let folder = TempDir::with_prefix("afterring-callers-")?;
    let before = kamailio.cpu()?;
    let heard = callers::call(Play { port, tcp: false, rate, seconds, lost: 0 }, folder.path())?;
    ensure!(!heard.released.is_empty(), "Kamailio answered no call");
    Ok(Beside { cpu: kamailio.cpu()? - before, heard })
}
