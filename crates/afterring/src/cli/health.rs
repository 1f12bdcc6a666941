//! `afterring health`: asks the running gateway, for people and for container engines.

use std::io;
use std::time::Duration;

use super::http::Peer;
use super::{CONFIGURATION, Health, OK, Terminal, UNAVAILABLE};
use crate::config::{Contact, Sources};

/// Shorter than what container engines and Kubernetes give a check.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn ask(asked: &Health, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => {
            writeln!(terminal.err, "{faults}")?;
            return Ok(CONFIGURATION);
        }
    };
    let path = if asked.ready { "/readyz?verbose" } else { "/livez" };
    let answer = Peer::new(&contact.admin, PATIENCE).and_then(|peer| peer.get(path));
    match answer {
        Ok(answer) if answer.status == 200 => {
            writeln!(terminal.out, "{}", answer.body.trim_end())?;
            Ok(OK)
        }
        Ok(answer) => {
            writeln!(terminal.err, "{} {}", answer.status, answer.body.trim_end())?;
            Ok(UNAVAILABLE)
        }
        Err(none) => {
            writeln!(terminal.err, "admin: {none}")?;
            Ok(UNAVAILABLE)
        }
    }
}
