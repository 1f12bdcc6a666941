//! Kannel, as Debian packages it: HTTP in by one smsbox, SMPP out by one bearerbox, kept busy by wrk.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::load::{FROM, Measured, TEXT, TO};
use crate::process::{self, Ours, Seen, Sink};

/// Unanswered submits that Kannel may have.
pub(crate) const WINDOW: usize = 1_000;

/// Connections by HTTP, as many as wrk keeps busy.
const CONNECTIONS: usize = 64;

/// How long Kannel may take to start.
const START: Duration = Duration::from_secs(20);
/// When nothing more has come for so long, everything has.
const QUIET: Duration = Duration::from_secs(1);
/// How long what is queued in Kannel may take to leave.
const EMPTY: Duration = Duration::from_secs(300);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(10);

/// A running Kannel; it ends, and its folder goes away, with this.
#[derive(Debug)]
pub(crate) struct Kannel {
    boxes: [Ours; 2],
    dir: TempDir,
    sink: Sink,
    http: u16,
    receipts: bool,
}

impl Kannel {
    /// Starts bearerbox and smsbox in a folder of their own, and waits until they are bound to the sink.
    pub(crate) fn start(mut sink: Sink, receipts: bool) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let [admin, smsbox, http] = free_ports()?;
        fs::write(dir.path().join("kannel.conf"), configuration(sink.smpp, [admin, smsbox, http]))?;
        fs::write(dir.path().join("send.lua"), script(sink.http, receipts))?;
        let bearerbox = start("/usr/sbin/bearerbox", dir.path())?;
        within("bearerbox listens", || Ok(listens(smsbox)))?;
        let smsbox = start("/usr/sbin/smsbox", dir.path())?;
        within("smsbox listens", || Ok(listens(http)))?;
        within("Kannel binds", || Ok(sink.seen()?.binds > 0))?;
        Ok(Self { boxes: [bearerbox, smsbox], dir, sink, http, receipts })
    }

    /// Sends for so long, waits until all of it has left, and its receipts were told; counts from the first to the last of that.
    pub(crate) fn measure(mut self, seconds: f64) -> Result<Measured> {
        let (client, sink, machine) = (self.cpu()?, process::cpu(self.sink.id())?, process::machine()?);
        let (started, before) = (Instant::now(), process::ended_children()?);
        self.send(seconds)?;
        let wrk = process::ended_children()? - before;
        let (seen, ended) = self.last()?;
        ensure!(!self.receipts || seen.callbacks == seen.submits, "receipts are missing: {seen:?}");
        let (client, sink) = (self.cpu()? - client, process::cpu(self.sink.id())? - sink);
        let (busy, all) = process::machine()?;
        let count = seen.submits as f64;
        ensure!(count > 0.0, "nothing was submitted");
        let kib = self.boxes.iter().map(|one| process::resident(one.0.id())).sum::<Result<u64>>()?;
        Ok(Measured {
            rate: count / (ended - started).as_secs_f64(),
            client: client * 1e5 / count,
            sink: sink * 1e5 / count,
            others: (busy - machine.0 - client - sink - wrk).max(0.0) * 100.0 / (all - machine.1).max(0.01),
            memory: kib as f64 / 1024.0,
        })
    }

    fn send(&self, seconds: f64) -> Result<()> {
        let (connections, seconds) = (CONNECTIONS.to_string(), seconds.ceil().to_string());
        let wrk = Command::new("wrk")
            .args(["-t1", "-c", &connections, "-d", &seconds, "--timeout", "20s", "-s"])
            .arg(self.dir.path().join("send.lua"))
            .arg(format!("http://127.0.0.1:{}/", self.http))
            .output()
            .context("wrk")?;
        let said = String::from_utf8_lossy(&wrk.stdout);
        ensure!(wrk.status.success() && !said.contains("Non-2xx"), "{said}{}", String::from_utf8_lossy(&wrk.stderr));
        Ok(())
    }

    /// Waits until the sink has seen nothing new for a while; gives what it has seen, and when the last of it came.
    fn last(&mut self) -> Result<(Seen, Instant)> {
        let (began, mut seen, mut at) = (Instant::now(), self.sink.seen()?, Instant::now());
        while at.elapsed() < QUIET {
            ensure!(began.elapsed() < EMPTY, "Kannel's queue is not empty after {EMPTY:?}");
            thread::sleep(LOOK);
            let now = self.sink.seen()?;
            if now != seen {
                (seen, at) = (now, Instant::now());
            }
        }
        Ok((seen, at))
    }

    fn cpu(&self) -> Result<f64> {
        self.boxes.iter().map(|one| process::cpu(one.0.id())).sum()
    }
}

fn start(program: &str, dir: &Path) -> Result<Ours> {
    let mut command = Command::new(program);
    command.args(["-v", "4", "kannel.conf"]).current_dir(dir);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ok(Ours(spawned.with_context(|| format!("{program}: install kannel, or leave it out with --no-kannel"))?))
}

fn within(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !is_so()? {
        ensure!(began.elapsed() < START, "not after {START:?}: {what}");
        thread::sleep(LOOK);
    }
    Ok(())
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Ports on which nobody listens, below those that the kernel gives out itself.
fn free_ports() -> Result<[u16; 3]> {
    let first = 12_000 + u16::try_from(std::process::id() % 15_000)?;
    let mut free = Vec::new();
    for port in first..30_000 {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => free.push(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
        if let &[admin, smsbox, http] = free.as_slice() {
            return Ok([admin, smsbox, http]);
        }
    }
    anyhow::bail!("no free ports from {first} on")
}

/// No store: the fastest that Kannel has. Everything listens on 127.0.0.1 alone.
fn configuration(smsc: u16, [admin, smsbox, http]: [u16; 3]) -> String {
    format!(
        "\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bench
smsbox-port = {smsbox}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 3
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = SINK
host = 127.0.0.1
port = {smsc}
smsc-username = bench
smsc-password = secret
system-type = \"\"
transceiver-mode = true
interface-version = 34
max-pending-submits = {WINDOW}
wait-ack = 60

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
sendsms-interface = 127.0.0.1
immediate-sendsms-reply = true
log-level = 3

group = sendsms-user
username = bench
password = bench
max-messages = 1
"
    )
}

/// What wrk asks for: one message a request, with a callback of what became of it where receipts are awaited (`dlr-mask` 3: delivered or not).
fn script(callbacks: u16, receipts: bool) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |escaped, octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped + char::from(octet).encode_utf8(&mut [0; 4]),
            _ => format!("{escaped}%{octet:02X}"),
        })
    };
    let url = escape(&format!("http://127.0.0.1:{callbacks}/receipt?state=%d"));
    let callback = if receipts { format!("&dlr-mask=3&dlr-url={url}") } else { String::new() };
    let path =
        format!("/cgi-bin/sendsms?username=bench&password=bench&from={FROM}&to={TO}&text={}{callback}", escape(TEXT));
    format!("wrk.method = \"GET\"\nwrk.path = \"{path}\"\n")
}
