//! `afterring reload`: the running gateway reads its settings anew.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::http::Peer;
use super::{CONFIGURATION, OK, Reload, Terminal, UNAVAILABLE, USAGE, told};
use crate::config::{Contact, Sources};

/// Some files are read, perhaps from a disk far away.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the gateway answers.
#[derive(Deserialize)]
struct Answered {
    applied: Vec<String>,
    needs_restart: Vec<String>,
    faults: Vec<String>,
}

pub(super) fn ask(asked: &Reload, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => return told(&faults, terminal),
    };
    let order = asked.reason.as_ref().map_or(json!({}), |reason| json!({ "reason": reason }));
    let answer = match Peer::new(&contact.admin, PATIENCE).and_then(|peer| peer.post("/v1/reload", &order)) {
        Ok(answer) => answer,
        Err(none) => {
            writeln!(terminal.err, "admin: {none}")?;
            return Ok(UNAVAILABLE);
        }
    };
    let answered = serde_json::from_str::<Answered>(&answer.body).ok().filter(|_| matches!(answer.status, 200 | 422));
    let Some(Answered { applied, needs_restart, faults }) = answered else {
        writeln!(terminal.err, "{} {}", answer.status, answer.body.trim_end())?;
        return Ok(if answer.status == 400 { USAGE } else { UNAVAILABLE });
    };
    let code = if faults.is_empty() { OK } else { CONFIGURATION };
    if asked.json {
        writeln!(terminal.out, "{}", answer.body.trim_end())?;
        return Ok(code);
    }
    if code == CONFIGURATION {
        let count = faults.len();
        let word = if count == 1 { "fault" } else { "faults" };
        writeln!(terminal.err, "{count} {word} in the configuration; nothing was changed:")?;
        for fault in faults {
            writeln!(terminal.err, "  {fault}")?;
        }
        return Ok(code);
    }
    match applied.is_empty() {
        true => writeln!(terminal.out, "in force: nothing that differs")?,
        false => writeln!(terminal.out, "in force: {}", applied.join(", "))?,
    }
    if !needs_restart.is_empty() {
        writeln!(terminal.out, "waits for a restart: {}", needs_restart.join(", "))?;
    }
    Ok(code)
}
