//! Kamailio: a SIP switch that no one here wrote, with the configuration that `docs/connect-your-network.md` shows.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::sip::{Datagrams, Message};
use crate::tls::Certificate;
use crate::{paths, ports, wait};

/// Seconds that a phone may ring before its call is forwarded.
const RING_SECONDS: u32 = 1;

/// A running switch. Ended when dropped.
#[derive(Debug)]
pub struct Kamailio {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Kamailio {
    /// The configuration, as the guide shows it.
    #[must_use]
    pub fn configuration() -> PathBuf {
        paths::here("peers/kamailio/forwarding.cfg")
    }

    /// One that forwards to these nodes over UDP, the first preferred.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start(folder: &Path, nodes: &[SocketAddr]) -> Result<Self> {
        let uris: Vec<_> = nodes.iter().map(|node| format!("sip:{node}")).collect();
        Self::run(folder, &uris, &[])
    }

    /// One that forwards to a node over TLS, shows a certificate, and trusts its authority.
    ///
    /// # Errors
    /// When it doesn't start.
    pub fn start_over_tls(folder: &Path, node: SocketAddr, identity: &Certificate) -> Result<Self> {
        let quoted = |name: &str, path: &Path| format!("{name}=\"{}\"", path.display());
        let definitions = [
            format!("LISTEN_TLS=tls:127.0.0.1:{}", ports::free()?),
            quoted("TLS_CA", &identity.authority),
            quoted("TLS_CERTIFICATE", &identity.certificate),
            quoted("TLS_KEY", &identity.key),
        ];
        Self::run(folder, &[format!("sip:{node};transport=tls")], &definitions)
    }

    fn run(folder: &Path, uris: &[String], definitions: &[String]) -> Result<Self> {
        let port = ports::free()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let own = folder.join(format!("kamailio-{port}"));
        fs::create_dir(&own)?;
        let lines = (1..=uris.len()).rev().zip(uris).map(|(priority, uri)| format!("1 {uri} 0 {priority}\n"));
        let list = own.join("afterring.list");
        fs::write(&list, lines.collect::<String>())?;
        let log = own.join("log");
        let output = File::create(&log)?;
        let mut command = Command::new("kamailio");
        command
            .args(["-DD", "-E", "-m", "32", "-M", "8", "-Y"])
            .arg(&own)
            .arg("-f")
            .arg(Self::configuration())
            .args(["-A", &format!("LISTEN=udp:{address}"), "-A", &format!("RING_SECONDS={RING_SECONDS}")])
            .args(["-A", &format!("NODE_LIST=\"{}\"", list.display())]);
        for definition in definitions {
            command.args(["-A", definition]);
        }
        command.current_dir(&own).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().context("kamailio: run integration-tests/run once")?;
        let mut switch = Self { child, address, log };
        switch.wait_ready()?;
        Ok(switch)
    }

    /// Until it answers something: here an OPTIONS, which it doesn't serve.
    fn wait_ready(&mut self) -> Result<()> {
        let probe = Datagrams::open("127.0.0.1:0", self.address)?;
        wait::until_true("Kamailio answers", || {
            if let Some(status) = self.child.try_wait()? {
                bail!("Kamailio ended: {status}\n{}", self.said());
            }
            // Nothing listens at first: then the socket reports an error, and the next turn asks again.
            let asked = probe.send(&Message::options("are-you-there").octets());
            Ok(asked.is_ok() && probe.has_come_within(Duration::from_millis(50)).is_ok_and(|it| it.is_some()))
        })
        .with_context(|| self.said())
    }

    /// Where phones and callers reach it.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it printed.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Registers a phone, which is at this port of 127.0.0.1.
    ///
    /// # Errors
    /// When the switch refuses.
    pub fn register(&self, number: &str, port: u16) -> Result<()> {
        let probe = Datagrams::open("127.0.0.1:0", self.address)?;
        let answer = probe.ask(&Message::register(number, port))?;
        ensure!(answer.status == 200, "REGISTER was answered {answer}");
        Ok(())
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // It keeps nothing outside its memory, and has been seen to hang when it is asked to end (its workers wait for a lock in their signal handlers):
        // so it is ended at once, first the one that would replace its workers. Nobody is to be told of what fails here.
        let workers = workers(self.child.id());
        drop(self.child.kill());
        for worker in workers {
            let _ = kill_process(worker, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

/// The processes that a process has begun and that have not ended.
fn workers(process: u32) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
