//! `afterring top`: a live screen of a running gateway, for a terminal.

mod picture;
mod screen;

use std::convert::Infallible;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use self::picture::{Picture, Sort};
use super::http::Peer;
use super::{OK, Terminal, UNAVAILABLE, USAGE, told, within};
use crate::config::{self, Contact, Listener, Sources};

/// How long the screen has to end by itself.
const GONE: Duration = Duration::from_secs(1);

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks that wait to be drawn: one is drawn at once, and more would be old.
const LOOKS: usize = 2;

pub(super) const HELP: &str = "\
Keys: q or Ctrl-C ends, p pauses, s sorts the links otherwise (as set, by rate, by what is in flight, by state), arrows move what is higher than the
terminal; columns for which it is too narrow are left out.
What the gateway showed last stays on the screen, with its age, while it does not answer; it goes on by itself.

Examples:
  afterring top
  afterring top --interval 5s
  afterring top --once";

/// How the gateway is watched.
#[derive(Args, Debug)]
pub struct Top {
    /// Between two looks
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Print one picture as plain text, after one interval so that links have rates, and end
    #[arg(long)]
    pub once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    config::length_of_time(text, Duration::from_millis(200), Duration::from_secs(3600))
}

/// What the gateway showed at one moment.
#[derive(Clone, Debug)]
struct Sample {
    at: Instant,
    status: Value,
    flow: Value,
    ranges: Value,
}

/// What came of a look.
type Look = Result<Sample, String>;

pub(super) fn run(asked: &Top, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => return told(&faults, terminal),
    };
    if asked.once {
        return once(asked.interval, &contact.admin, terminal);
    }
    if !io::stdout().is_terminal() {
        writeln!(terminal.err, "standard output is no terminal: --once prints a picture as text")?;
        return Ok(USAGE);
    }
    let (looks, seen) = mpsc::sync_channel(LOOKS);
    let (listener, interval) = (contact.admin, asked.interval);
    // A gateway that answers slowly must not make the keys slow.
    thread::spawn(move || watch(&listener, interval, &looks));
    let ended = Arc::new(AtomicBool::new(false));
    let told_to_end = Arc::clone(&ended);
    thread::spawn(move || within(end_on_signal(&told_to_end)));
    let watched = ratatui::try_init().and_then(|mut display| screen::show(&mut display, &seen, &ended));
    // The terminal is given back also when the screen could not be drawn.
    ratatui::restore();
    watched.map(|()| OK)
}

/// Whoever ends the process from elsewhere gets the terminal back as it was.
async fn end_on_signal(ended: &AtomicBool) -> io::Result<Infallible> {
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
    }
    ended.store(true, Ordering::Relaxed);
    // Who reads the keys of a terminal that is gone reads nothing, again and again, and never looks whether it is to end.
    // There is no terminal to be given back then.
    tokio::time::sleep(GONE).await;
    std::process::exit(OK.into())
}

/// One picture, with the links' rates over one interval.
fn once(interval: Duration, listener: &Listener, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let first = look(listener);
    let second = first.and_then(|first| {
        thread::sleep(interval);
        look(listener).map(|second| (first, second))
    });
    match second {
        Ok((first, second)) => {
            write!(terminal.out, "{}", Picture::of(&second, Some(&first), Sort::AsSet).text())?;
            Ok(OK)
        }
        Err(why) => {
            writeln!(terminal.err, "admin: {why}")?;
            Ok(UNAVAILABLE)
        }
    }
}

/// Looks until nobody watches any more.
fn watch(listener: &Listener, interval: Duration, looks: &SyncSender<Look>) {
    while looks.send(look(listener)).is_ok() {
        thread::sleep(interval);
    }
}

fn look(listener: &Listener) -> Look {
    let peer = Peer::new(listener, PATIENCE).map_err(|none| none.to_string())?;
    let ask = |path: &str| {
        let answer = peer.get(path).map_err(|none| none.to_string())?;
        match answer.status {
            200 => serde_json::from_str(&answer.body).map_err(|_| format!("{path}: not the answer of a gateway")),
            status => Err(format!("{path}: {status} {}", answer.body.trim())),
        }
    };
    let (status, flow) = (ask("/v1/status")?, ask("/v1/flow")?);
    // A store that can't answer now takes nothing from the rest.
    let ranges = ask("/v1/ranges").unwrap_or_default();
    Ok(Sample { at: Instant::now(), status, flow, ranges })
}

/// What has come since, the newest last; waits for it at most so long. `None` when nothing will come any more.
fn looks_within(seen: &Receiver<Look>, patience: Duration) -> Option<Vec<Look>> {
    match seen.recv_timeout(patience) {
        Ok(first) => Some([first].into_iter().chain(seen.try_iter()).collect()),
        Err(RecvTimeoutError::Timeout) => Some(Vec::new()),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}
