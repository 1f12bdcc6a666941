//! `afterring doctor`: looks at everything that the gateway needs, and says of each whether it is well and what to do if not.

mod database;
mod disk;
mod machine;
mod ports;
mod report;
mod smscs;

use std::io;
use std::time::Duration;

use clap::Args;
use model::Clock;

use self::report::{Finding, Report};
use super::http::Peer;
use super::{OK, Terminal, UNAVAILABLE, within};
use crate::config::{self, Contact, Registry, Settings, Sources};

/// How long a running gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) const HELP: &str = "\
Says of each thing 'ok', 'warning', 'fault', or 'not checked' where it could not be looked at, and what to do. Changes nothing: writes one file of a few
kilobytes into store.dir and removes it, binds once to each SMSC and unbinds, and listens for a moment where the gateway would. It may be run beside the
gateway. SMSCs may allow only so many binds: --no-bind connects (by TLS where it is set) and says no word of SMPP. Receipts and replies that an SMSC hands
to such a bind are not taken, so that it delivers them again.

Exit codes: 0 when nothing is at fault, 69 when something is.

Examples:
  afterring doctor
  afterring doctor --no-bind --json";

/// What is looked at.
#[derive(Args, Debug)]
pub struct Doctor {
    /// Connect to SMSCs, but don't bind: for SMSCs that allow no bind more
    #[arg(long)]
    pub no_bind: bool,
    /// Print each finding as a line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(asked: &Doctor, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let mut report = Report::new(&mut *terminal.out, asked.json);
    let settings = Settings::load(sources);
    match &settings {
        Ok(settings) => {
            report.tell(Finding::ok("settings", "", format!("digest {}", config::digest(&settings.shown))))?;
        }
        Err(faults) => {
            let advice = "Put right what is named; 'afterring config --docs' says what each setting may be.";
            report.tell(Finding::fault("settings", "", faults.to_string(), advice))?;
        }
    }
    // What can be read of wrong settings is looked at all the same.
    let contact = Contact::load(sources).ok();
    let registry = Registry::load(sources).ok();
    let gateway = contact.as_ref().and_then(Running::ask);
    match &gateway {
        Some(_) => report.tell(Finding::ok("gateway", "", "one runs with these settings and answers".to_owned()))?,
        None => report.tell(Finding::ok("gateway", "", "none runs here, as far as admin.listen says".to_owned()))?,
    }
    machine::look(settings.as_ref().ok(), &mut report)?;
    match &registry {
        Some(registry) => disk::look(&registry.store.dir, &mut report)?,
        None => report.tell(Finding::unchecked("store", "", "its settings can't be used"))?,
    }
    ports::look(settings.as_ref().ok(), contact.as_ref(), gateway.is_some(), &mut report)?;
    match &registry {
        Some(registry) => within(database::look(registry.database.as_ref(), clock, &mut report))??,
        None => report.tell(Finding::unchecked("database", "", "its settings can't be used"))?,
    }
    match &settings {
        Ok(settings) => within(smscs::look(&settings.links, asked.no_bind, gateway.as_ref(), clock, &mut report))??,
        Err(_) => report.tell(Finding::unchecked("smsc", "", "the settings can't be used"))?,
    }
    let faults = report.end()?;
    Ok(if faults == 0 { OK } else { UNAVAILABLE })
}

/// A gateway that runs with these settings.
struct Running {
    /// The SMSCs to which it is bound, with a link each.
    bound: Vec<(String, String)>,
}

impl Running {
    /// `None` where nobody answers as a gateway does.
    fn ask(contact: &Contact) -> Option<Self> {
        let peer = Peer::new(&contact.admin, PATIENCE).ok()?;
        if peer.get("/livez").ok()?.body.trim() != "live" {
            return None;
        }
        let status = peer.get("/v1/status").ok().filter(|answer| answer.status == 200);
        let status: serde_json::Value =
            status.and_then(|answer| serde_json::from_str(&answer.body).ok()).unwrap_or_default();
        let links = status["links"].as_array().cloned().unwrap_or_default();
        let word = |link: &serde_json::Value, key: &str| link[key].as_str().unwrap_or_default().to_owned();
        let bound = links.iter().filter(|link| link["state"] == "bound");
        Some(Self { bound: bound.map(|link| (word(link, "smsc"), word(link, "name"))).collect() })
    }

    /// A link of its to this SMSC, if one is bound.
    fn link_to(&self, smsc: &str) -> Option<&str> {
        self.bound.iter().find(|(to, _)| to == smsc).map(|(_, link)| link.as_str())
    }
}
