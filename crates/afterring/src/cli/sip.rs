//! `afterring sip explain`: what the SIP door would make of captured messages, field by field, or why it would refuse them.

mod advice;
mod capture;
mod reading;
mod report;

use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ingress::sip::{Peer, SipSettings};

use self::capture::Captured;
use self::reading::Reading;
use self::report::{json, text};
use super::{OK, Terminal, USAGE, told};
use crate::config::{SipReading, Sources};

/// What is done with SIP messages.
#[derive(Subcommand, Debug)]
pub enum Sip {
    /// Say what would be made of captured messages: the call, where each part of it stands, how it would be released; or why it is refused, and what to do
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
}

const EXPLAIN_HELP: &str = "\
FILE is what your switch, SBC or network sent to the gateway, in one of these forms:
  one message, or several one after another, as text: saved by sngrep (F2, TXT), by Wireshark (Follow > UDP or TCP Stream, Save as), or by hand
  a capture (pcap or pcapng) of tcpdump, sngrep or Wireshark with SIP over UDP or TCP; its packets say who sent them

Each INVITE is explained, once however often it was sent; where there is none, the first message is. Lines that end in LF only are taken for CRLF.
Nothing is sent or stored, and no gateway needs to run: only [sip], [numbering] and service.numbers of the settings are read, and no certificates.
Numbers are printed in the clear.

Exit codes: 0 when a call would be made of each INVITE; 64 when one would be refused, or there is no message in the file; 78 when the settings can't be used.

Examples:
  afterring sip explain invite.txt
  afterring sip explain --from 10.1.0.7 trunk.pcap
  sudo timeout 60 tcpdump -i any -w - port 5060 | afterring sip explain --json -";

/// Messages to explain.
#[derive(Args, Debug)]
pub struct Explain {
    /// The message or capture; '-' for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who sent it: an address, or the name of a peer [default: as the capture says; else this machine if it is a peer, else the first peer]
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Print each explanation as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Most octets that are read: an hour of a busy trunk; more is better cut by the tool that captured it.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;

pub(super) fn explain(asked: &Explain, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let settings = match SipReading::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    let from = match asked.from.as_deref().map(|from| sender(from, &settings.sip)).transpose() {
        Ok(from) => from,
        Err(problem) => return unusable(terminal, &problem),
    };
    let octets = match read(&asked.file) {
        Ok(octets) => octets,
        Err(problem) => return unusable(terminal, &problem),
    };
    let found = match capture::messages(&octets) {
        Ok(found) => found,
        Err(problem) => return unusable(terminal, &format!("{}: {problem}", asked.file.display())),
    };
    for remark in &found.remarks {
        writeln!(terminal.err, "note: {remark}")?;
    }
    let mut understood = true;
    for (place, message) in found.messages.iter().enumerate() {
        let (source, why) = source(message, from, &settings.sip);
        let reading = Reading::of(&message.octets, &settings, source, why);
        understood &= reading.explanation.outcome.is_ok();
        if asked.json {
            writeln!(terminal.out, "{}", json(&reading, &settings))?;
        } else {
            write!(terminal.out, "{}{}", if place == 0 { "" } else { "\n" }, text(&reading, &settings))?;
        }
    }
    Ok(if understood { OK } else { USAGE })
}

fn unusable(terminal: &mut Terminal<'_>, problem: &str) -> io::Result<u8> {
    writeln!(terminal.err, "{problem}")?;
    Ok(USAGE)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let input: io::Result<Box<dyn io::Read>> = match file.to_str() {
        Some("-") => Ok(Box::new(io::stdin().lock())),
        _ => std::fs::File::open(file).map(|file| Box::new(file) as Box<dyn io::Read>),
    };
    let read = input.and_then(|input| input.take(LARGEST_FILE + 1).read_to_end(&mut octets));
    match read {
        Err(error) => Err(format!("{} can't be read: {error}", file.display())),
        Ok(_) if u64::try_from(octets.len()).is_ok_and(|length| length > LARGEST_FILE) => Err(format!(
            "{} is larger than {} MiB: cut it with editcap or tcpdump first",
            file.display(),
            LARGEST_FILE >> 20
        )),
        Ok(_) => Ok(octets),
    }
}

/// An address, or the first address of the peer of this name.
fn sender(text: &str, settings: &SipSettings) -> Result<IpAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let named = settings.peers.iter().find(|peer| peer.name == text).and_then(first_address);
    named.ok_or_else(|| {
        let names: Vec<&str> = settings.peers.iter().map(|peer| peer.name.as_str()).collect();
        format!("--from: {text:?} is neither an address nor a peer; peers: {}", names.join(", "))
    })
}

/// Who a message is taken to come from, and why.
fn source(message: &Captured, from: Option<IpAddr>, settings: &SipSettings) -> (IpAddr, &'static str) {
    let this = IpAddr::from([127, 0, 0, 1]);
    if let Some(from) = from {
        return (from, "as you say");
    }
    if let Some(source) = message.source {
        return (source, "as the capture says");
    }
    match settings.peers.first().and_then(first_address) {
        Some(first) if settings.peer_at(this).is_none() => {
            (first, "assumed: the first peer's first address; --from says another")
        }
        Some(_) | None => (this, "assumed; --from says another"),
    }
}

fn first_address(peer: &Peer) -> Option<IpAddr> {
    peer.networks.first().map(ingress::sip::Network::first)
}

#[cfg(test)]
mod tests;
