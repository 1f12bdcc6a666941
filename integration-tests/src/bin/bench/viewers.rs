//! People who look at the console's live pages while calls come, and what they cost the gateway: there for a while, away for a while, in turns, so that the same load
//! is compared with itself.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use integration_tests::process::cpu;

/// The pages that are live; viewers are spread over them.
const PAGES: [&str; 4] = ["/flow", "/tail", "/links", "/database"];

/// How long viewers are there, and then away.
const TURN: Duration = Duration::from_secs(15);

/// What the gateway used while they were there, and while they were not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    there: Span,
    away: Span,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    cpu: f64,
    seconds: f64,
}

impl Span {
    fn add(&mut self, cpu: f64, since: Instant) {
        self.cpu += cpu;
        self.seconds += since.elapsed().as_secs_f64();
    }

    fn percent(self) -> f64 {
        100.0 * self.cpu / self.seconds
    }
}

impl Seen {
    pub(crate) fn print(self, viewers: u64) {
        let (there, away) = (self.there.percent(), self.away.percent());
        println!(
            "  {viewers} viewers              {:>10.2} % of a core ({there:.2} with them, {away:.2} without), {} KiB/s to all",
            there - away,
            kib_a_second(self.bytes, self.there.seconds)
        );
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small and positive"
)]
fn kib_a_second(bytes: usize, seconds: f64) -> u64 {
    (bytes as f64 / 1024.0 / seconds) as u64
}

/// Looks in turns until it is told to stop.
pub(crate) fn look(gateway: u32, admin: SocketAddr, viewers: u64, stop: &AtomicBool) -> Result<Seen> {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        let (before, since) = (cpu(gateway)?, Instant::now());
        thread::sleep(TURN);
        seen.away.add(cpu(gateway)? - before, since);

        let (before, since) = (cpu(gateway)?, Instant::now());
        let there = (0..viewers).zip(PAGES.iter().cycle()).map(|(_, page)| Viewer::come(admin, page));
        let there = there.collect::<Result<Vec<_>>>()?;
        thread::sleep(TURN);
        seen.there.add(cpu(gateway)? - before, since);
        for viewer in there {
            seen.bytes += viewer.leave()?;
        }
    }
    ensure!(seen.there.seconds > 0.0, "no viewer came: the load was shorter than their first turn");
    Ok(seen)
}

/// Somebody who has opened a page and follows it.
struct Viewer {
    line: TcpStream,
    reads: JoinHandle<Result<usize>>,
}

impl Viewer {
    fn come(admin: SocketAddr, page: &str) -> Result<Self> {
        let mut line = TcpStream::connect(admin)?;
        // The page itself, then its stream, on the same connection: both are answered in order.
        write!(
            line,
            "GET {page} HTTP/1.1\r\nHost: {admin}\r\n\r\nGET {page}/events HTTP/1.1\r\nHost: {admin}\r\n\r\n"
        )?;
        let mut read = line.try_clone()?;
        let page = page.to_owned();
        let reads = thread::spawn(move || {
            let (mut all, mut buffer) = (Vec::new(), [0; 16 * 1024]);
            loop {
                match read.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => all.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                    Err(error) => return Err(error.into()),
                }
            }
            let text = String::from_utf8_lossy(&all);
            ensure!(
                text.starts_with("HTTP/1.1 200") && text.contains("\ndata:"),
                "{page} wasn't followed: {:.200}",
                text
            );
            Ok(all.len())
        });
        Ok(Self { line, reads })
    }

    /// Goes; how many octets it was sent.
    fn leave(self) -> Result<usize> {
        self.line.shutdown(Shutdown::Both).context("a viewer leaves")?;
        self.reads.join().map_err(|_| anyhow!("a viewer panicked"))?
    }
}
