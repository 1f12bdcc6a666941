//! What the SIP door is told: where it listens, who may send, how each peer is read and how its calls are released.
//!
//! ```text
//! sip.listen, sip.tls_… ── listen.rs ──► Listen, TlsFiles ──┐
//! sip.release           ── release.rs ─► ReleaseTable ┐     ├──► SipSettings
//! sip.peers ── peer.rs: each parameter by its form (given.rs, parameters.rs) ──► Peer ┘
//! ```

mod given;
mod listen;
mod parameters;
mod peer;
mod release;

use std::collections::BTreeMap;
use std::time::Duration;

use ingress::sip::{Limits, Listen, Network, Peer, Rules, SipSettings, TlsFiles};
use model::Numbering;

pub(super) use parameters::PARAMETERS;

use super::fault::Problems;
use super::form::{self, DAY, MINUTE};
use super::layer::Raw;
use super::reader::Reader;
use super::{no_numbering, time};

/// The whole door; every key is read, also when one before it is wrong.
pub(super) fn door(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<SipSettings> {
    settings(reader, numbering, listen::tls)
}

/// The door without its TLS files, for whoever only reads messages: they need not be on this machine, nor open to everybody.
pub(super) fn reading(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<SipSettings> {
    settings(reader, numbering, |_, _| Some(None))
}

/// Reads the files of TLS, of which there may be none, knowing the listeners.
type ReadTls = fn(&mut Reader, Option<&[Listen]>) -> Option<Option<TlsFiles>>;

fn settings(reader: &mut Reader, numbering: Option<&Numbering>, tls: ReadTls) -> Option<SipSettings> {
    let listens = reader.take("sip.listen", listen::listens);
    let tls = tls(reader, listens.as_deref());
    let release = reader.take("sip.release", release::table);
    let not_found = reader.text("sip.not_found", peer::not_found);
    // Without a plan there are faults already, and nobody gets the peers.
    let plan = numbering.cloned().unwrap_or_else(no_numbering);
    let mut defaults = Rules::new(plan.clone());
    defaults.release = release.clone().unwrap_or_default();
    defaults.not_found = not_found.unwrap_or(defaults.not_found);
    let peers = reader.take("sip.peers", |raw| peers(raw, &defaults));
    let limits = limits(reader);
    let answer_timeout = time(reader, "sip.answer_timeout", Duration::from_millis(100), Duration::from_secs(30));
    release?;
    not_found?;
    Some(SipSettings {
        listen: listens?,
        tls: tls?,
        peers: peers?,
        limits: limits?,
        answer_timeout: answer_timeout?,
        ..SipSettings::new(plan)
    })
}

fn limits(reader: &mut Reader) -> Option<Limits> {
    let transactions = reader.text("sip.max_transactions", |text| form::count(text, 1000, 10_000_000));
    let connections = reader.text("sip.max_connections", |text| form::count(text, 1, 100_000));
    let idle = time(reader, "sip.idle_timeout", Duration::from_secs(1), DAY);
    let stall = time(reader, "sip.stall_timeout", Duration::from_millis(100), MINUTE * 5);
    Some(Limits { transactions: transactions?, connections: connections?, idle: idle?, stall: stall? })
}

/// Who may send; this machine where nobody is named.
fn peers(raw: &Raw, defaults: &Rules) -> Result<Vec<Peer>, Problems> {
    let items = form::list(raw, ',');
    if items.is_empty() {
        let local = Peer::local(defaults.numbering.clone());
        return Ok(vec![Peer { rules: Rules { trusted: true, ..defaults.clone() }, ..local }]);
    }
    let peers = all(items, |item| {
        let told = |problem: String| format!("{}: {problem}", item.split(';').next().unwrap_or_default());
        peer::read(item, defaults).map_err(|Problems(problems)| Problems(problems.into_iter().map(told).collect()))
    })?;
    let problems = collisions(&peers);
    if problems.is_empty() { Ok(peers) } else { Err(Problems(problems)) }
}

/// Peers of one name, and networks that never count because one before them holds all their addresses.
fn collisions(peers: &[Peer]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut before: Vec<(&Network, &Peer)> = Vec::new();
    for peer in peers {
        *names.entry(&peer.name).or_default() += 1;
        for network in &peer.networks {
            if let Some((wider, owner)) = before.iter().find(|(other, _)| other.covers(network)) {
                problems.push(if *wider == network {
                    format!("{network} is given twice")
                } else {
                    format!(
                        "{network} never counts: {wider} of {} holds its addresses; put the narrower network first",
                        owner.name
                    )
                });
            }
            before.push((network, peer));
        }
    }
    let twice = names.into_iter().filter(|(_, count)| *count > 1);
    problems.extend(twice.map(|(name, _)| format!("two peers are called {name}: give each a name= of its own")));
    problems
}

/// Reads every item, and collects every problem.
fn all<T>(items: Vec<&str>, read: impl Fn(&str) -> Result<T, Problems>) -> Result<Vec<T>, Problems> {
    let mut values = Vec::with_capacity(items.len());
    let mut problems = Vec::new();
    for item in items {
        match read(item) {
            Ok(value) => values.push(value),
            Err(Problems(found)) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(Problems(problems)) }
}

#[cfg(test)]
mod tests;
