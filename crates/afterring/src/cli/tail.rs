//! `afterring tail`: what a running gateway decides, as it happens.

use std::io::{self, BufRead, BufReader};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::http::Peer;
use super::{Terminal, UNAVAILABLE, told};
use crate::config::{Contact, Listener, Sources};

/// How long the gateway may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The gateway says something more often, if only that it lives.
const SILENCE: Duration = Duration::from_secs(60);
/// Before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Lines on their way from the connection to the terminal.
const LINES: usize = 1_024;

pub(super) const HELP: &str = "\
Numbers are masked. The gateway sends no more than people can read, and says how many were not shown. Connects again by itself when the gateway was away;
what happened meanwhile is not told. Ends with Ctrl-C.

Exit codes: 69 when the gateway refuses; 78 when the settings can't be used.

Examples:
  afterring tail
  afterring tail --range north --verdict nothing
  afterring tail --json | jq .why";

/// What is followed.
#[derive(Args, Debug)]
pub struct Tail {
    /// Of people in this range only
    #[arg(long, value_name = "NAME")]
    pub range: Option<String>,
    /// With this verdict only: send, joined, held, nothing, …
    #[arg(long, value_name = "WORD")]
    pub verdict: Option<String>,
    /// About this kind of message only: fallback, detail, teaser, notice or notify
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Of this event only: call, submitted, receipt, reply, …
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// Print each as it comes, a line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(asked: &Tail, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => return told(&faults, terminal),
    };
    let mut is_away = false;
    loop {
        match follow(asked, &contact.admin, &mut is_away, terminal)? {
            Ended::Refused(why) => {
                writeln!(terminal.err, "admin: {why}")?;
                return Ok(UNAVAILABLE);
            }
            Ended::Lost(why) => {
                if !std::mem::replace(&mut is_away, true) {
                    writeln!(terminal.err, "admin: {why}; trying again")?;
                }
                thread::sleep(AGAIN);
            }
        }
    }
}

/// Why nothing more comes.
#[derive(PartialEq, Eq, Debug)]
enum Ended {
    /// It is of no use to ask again.
    Refused(String),
    /// It may be back.
    Lost(String),
}

/// Prints what comes over one connection.
fn follow(asked: &Tail, listener: &Listener, is_away: &mut bool, terminal: &mut Terminal<'_>) -> io::Result<Ended> {
    let (status, body) = match Peer::open_ended(listener, PATIENCE).and_then(|peer| peer.open(&path(asked))) {
        Ok(opened) => opened,
        Err(none) => return Ok(Ended::Lost(none.to_string())),
    };
    let mut body = BufReader::new(body);
    match status {
        200 => {}
        // It starts, stops, or is asked too much.
        429 | 500.. => return Ok(Ended::Lost(format!("the gateway answered {status}"))),
        _ => {
            let mut said = String::new();
            let _ = body.read_line(&mut said);
            return Ok(Ended::Refused(format!("{status} {}", said.trim())));
        }
    }
    if std::mem::take(is_away) {
        writeln!(terminal.err, "admin: the gateway is back")?;
    }
    let (lines, read) = mpsc::sync_channel(LINES);
    // A connection whose other end is gone without a word is given up by whoever waits for its lines.
    thread::spawn(move || pass_on(body, &lines));
    print(asked, &read, terminal)
}

fn pass_on(body: impl BufRead, lines: &SyncSender<io::Result<String>>) {
    for line in body.lines() {
        let is_last = line.is_err();
        if lines.send(line).is_err() || is_last {
            return;
        }
    }
}

/// Prints the data of each server-sent event.
fn print(asked: &Tail, read: &Receiver<io::Result<String>>, terminal: &mut Terminal<'_>) -> io::Result<Ended> {
    loop {
        let line = match read.recv_timeout(SILENCE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Ok(Ended::Lost(error.to_string())),
            Err(RecvTimeoutError::Timeout) => return Ok(Ended::Lost("the gateway says nothing any more".to_owned())),
            Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Lost("the gateway ended the stream".to_owned())),
        };
        let Some(data) = line.strip_prefix("data:").map(str::trim) else { continue };
        let Ok(mut event) = serde_json::from_str::<Value>(data) else { continue };
        // A terminal is looked at by many, and its output is kept: also where the token would show numbers.
        if let Some(Value::String(called)) = event.get_mut("called") {
            *called = console::audit::masked(called);
        }
        if let Some(count) = event["not_shown"].as_u64() {
            writeln!(terminal.err, "{count} not shown")?;
        } else if asked.wants(&event) {
            let line = if asked.json { event.to_string() } else { in_words(&event) };
            writeln!(terminal.out, "{line}")?;
            terminal.out.flush()?;
        }
    }
}

impl Tail {
    fn filters(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("range", self.range.as_deref()),
            ("verdict", self.verdict.as_deref()),
            ("kind", self.kind.as_deref()),
            ("event", self.event.as_deref()),
        ]
    }

    /// The gateway leaves out the same; one that does not know a filter would send everything.
    fn wants(&self, event: &Value) -> bool {
        self.filters().into_iter().all(|(key, wanted)| wanted.is_none_or(|wanted| event[key] == wanted))
    }
}

fn path(asked: &Tail) -> String {
    let given = asked.filters().into_iter().filter_map(|(key, wanted)| Some((key, wanted?)));
    let query: Vec<String> =
        given.map(|(key, wanted)| format!("{key}={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC))).collect();
    if query.is_empty() { "/v1/tail".to_owned() } else { format!("/v1/tail?{}", query.join("&")) }
}

/// `2026-11-23T04:00:00.000Z  call       send     detail     +8613800***001 ← +8613911***222  north`
fn in_words(event: &Value) -> String {
    let word = |key: &str| event[key].as_str().unwrap_or_default();
    let caller = if word("caller").is_empty() { String::new() } else { format!(" ← {}", word("caller")) };
    let why = if word("why").is_empty() { word("kind") } else { word("why") };
    let line = format!(
        "{}  {:<10} {:<8} {:<18} {}{caller}  {}",
        word("at"),
        word("event"),
        word("verdict"),
        why,
        word("called"),
        word("range")
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tail(range: Option<&str>, verdict: Option<&str>) -> Tail {
        let owned = |word: Option<&str>| word.map(str::to_owned);
        Tail { range: owned(range), verdict: owned(verdict), kind: None, event: None, json: false }
    }

    #[test]
    fn filters_are_asked_of_the_gateway_and_looked_at_again() {
        assert_eq!(path(&tail(None, None)), "/v1/tail");
        let asked = tail(Some("north east"), Some("nothing"));
        assert_eq!(path(&asked), "/v1/tail?range=north%20east&verdict=nothing");
        assert!(asked.wants(&json!({"range": "north east", "verdict": "nothing"})));
        assert!(!asked.wants(&json!({"range": "north east", "verdict": "send"})));
        assert!(!asked.wants(&json!({"verdict": "nothing"})));
    }

    #[test]
    fn events_are_printed_and_what_was_left_out_is_told() {
        let (lines, read) = mpsc::sync_channel(16);
        for line in [
            ": still here",
            "event: decided",
            r#"data: {"at":"2026-11-23T04:00:00.000Z","event":"call","verdict":"send","why":"detail","called":"+86138***001","caller":"+86139***222","range":"north"}"#,
            "",
            r#"data: {"not_shown":7}"#,
            r#"data: {"event":"receipt","verdict":"matched"}"#,
        ] {
            lines.send(Ok(line.to_owned())).unwrap();
        }
        drop(lines);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal { out: &mut out, err: &mut err };
        let ended = print(&tail(None, Some("send")), &read, &mut terminal).unwrap();
        assert_eq!(ended, Ended::Lost("the gateway ended the stream".into()));
        let line =
            "2026-11-23T04:00:00.000Z  call       send     detail             +86138***001 ← +86139***222  north\n";
        assert_eq!(
            (String::from_utf8(out).unwrap().as_str(), String::from_utf8(err).unwrap().as_str()),
            (line, "7 not shown\n")
        );
    }
}
