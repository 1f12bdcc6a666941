//! sipp: a SIP agent that no one here wrote, playing the core network.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::{paths, ports, wait};

/// A call that the network forwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forwarded {
    /// Who rang, with `+`.
    pub caller: String,
    /// Who missed it, with `+`.
    pub called: String,
    /// `reason` of the Diversion header.
    pub reason: &'static str,
}

/// A run of sipp. Killed when dropped.
#[derive(Debug)]
pub struct Sipp {
    child: Child,
    log: PathBuf,
}

/// How a scenario is played.
#[derive(Clone, Copy, Debug)]
pub struct Play<'a> {
    /// A file of `scenarios/`.
    pub scenario: &'a str,
    /// The gateway's port; for [`Sipp::answer`] its own.
    pub port: u16,
    /// Where sipp may leave its files.
    pub folder: &'a Path,
    /// Calls per second.
    pub rate: u32,
}

/// Ports that sipp takes for media, though it is told of the first only.
const MEDIA_PORTS: u16 = 4;

/// What sipp's messages go by; for TLS there is `tls::Tunnel`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carrier {
    /// One socket for all calls.
    Udp,
    /// One connection for all calls, as of a trunk.
    Tcp,
}

impl Sipp {
    /// Starts a scenario over UDP, once for each call.
    ///
    /// # Errors
    /// When sipp isn't there.
    pub fn start(play: Play<'_>, calls: &[Forwarded]) -> Result<Self> {
        Self::start_over(Carrier::Udp, play, calls)
    }

    /// Starts a scenario, once for each call.
    ///
    /// # Errors
    /// When sipp isn't there.
    pub fn start_over(carrier: Carrier, play: Play<'_>, calls: &[Forwarded]) -> Result<Self> {
        let to = format!("127.0.0.1:{}", play.port);
        Self::run(carrier, ports::free()?, Some(&to), play, calls)
    }

    /// Starts a scenario that waits for calls at a port, as many as it is given.
    ///
    /// # Errors
    /// When sipp isn't there.
    pub fn answer(play: Play<'_>, calls: usize) -> Result<Self> {
        let nobody = Forwarded { caller: String::new(), called: String::new(), reason: "" };
        Self::run(Carrier::Udp, play.port, None, play, &vec![nobody; calls])
    }

    fn run(carrier: Carrier, local: u16, to: Option<&str>, play: Play<'_>, calls: &[Forwarded]) -> Result<Self> {
        let mut table = "SEQUENTIAL\n".to_owned();
        for call in calls {
            writeln!(table, "{};{};{}", call.caller, call.called, call.reason)?;
        }
        let (file, log) =
            (play.folder.join(format!("calls-{local}.csv")), play.folder.join(format!("sipp-{local}.log")));
        fs::write(&file, table)?;
        let mut command = Command::new("sipp");
        command
            .args(to)
            .args(["-t", carrier.mode()])
            .arg("-sf")
            .arg(paths::here("scenarios").join(play.scenario))
            .arg("-inf")
            .arg(file)
            .args(["-m", &calls.len().max(1).to_string()])
            .args(["-r", &play.rate.to_string()])
            .args(["-i", "127.0.0.1", "-p", &local.to_string()])
            .args(["-ci", "127.0.0.1", "-cp", &ports::free()?.to_string()])
            .args(["-mp", &ports::row(MEDIA_PORTS)?.to_string()])
            .args(["-nostdin", "-trace_err", "-timeout", "120", "-trace_logs", "-log_file"])
            .arg(&log)
            .arg("-error_file")
            .arg(log.with_extension("err"))
            .current_dir(play.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self { child: command.spawn().context("sipp: run integration-tests/run once")?, log })
    }

    /// Waits until every call was played as the scenario says, and gives what the scenario logged, line by line.
    ///
    /// # Errors
    /// When one wasn't.
    pub fn finish(self) -> Result<Vec<String>> {
        self.ended(|_| false)
    }

    /// As [`Sipp::finish`], for a gateway that is killed again and again: a call may also be given up because no repetition of its INVITE was heard.
    ///
    /// # Errors
    /// When one was answered otherwise than the scenario says.
    pub fn finish_with_the_unheard(self) -> Result<Vec<String>> {
        self.ended(|faults| faults.contains("retrans") && !faults.contains("unexpected"))
    }

    fn ended(mut self, is_allowed: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let status = wait::within(Duration::from_secs(130), "sipp ends", || Ok(self.child.try_wait()?))?;
        let faults = self.faults();
        let right = status.success() || (status.code() == Some(1) && is_allowed(&faults));
        ensure!(right, "sipp: {status} (1: a call went otherwise than the scenario says)\n{faults}");
        let logged = fs::read_to_string(&self.log).unwrap_or_default();
        Ok(logged.lines().map(str::to_owned).collect())
    }

    /// What sipp wrote of calls that went wrong: the beginning.
    fn faults(&self) -> String {
        let written = fs::read(self.log.with_extension("err")).unwrap_or_default();
        String::from_utf8_lossy(&written).chars().take(3_000).collect()
    }
}

impl Carrier {
    const fn mode(self) -> &'static str {
        match self {
            Self::Udp => "u1",
            Self::Tcp => "t1",
        }
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // Ended already, mostly; there's nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
