//! One peer: `network+network…;trusted;key=value…`.

use std::num::NonZeroU32;

use ingress::sip::{CalledFrom, CallerFrom, IdFrom, Last, Network, Party, Peer, ReplyTo, Rules};
use model::{Numbering, Reason};

use super::given::{Given, either, words};
use super::release;
use crate::config::fault::Problems;
use crate::config::{form, policy};

/// Most calls a second, or at one time, that a limit may say; more are a slip.
const MOST_CALLS: u32 = 1_000_000;

/// What stands in the caller list of a peer that is trusted only.
const ASSERTED: [CallerFrom; 2] = [CallerFrom::AssertedIdentity, CallerFrom::RemotePartyId];

/// What stands in the called list of a peer that is trusted only.
const SERVED: [CalledFrom; 2] = [CalledFrom::ServedUser, CalledFrom::CalledPartyId];

/// Reads a peer; what it doesn't say is as in `defaults`.
pub(super) fn read(item: &str, defaults: &Rules) -> Result<Peer, Problems> {
    let (networks, parameters) = item.split_once(';').unwrap_or((item, ""));
    let mut given = Given::new(parameters);
    let networks = networks_of(networks, &mut given);
    let name = given.own("name", name);
    let rate = given.read("rate", at_most);
    let concurrent = given.read("concurrent", at_most);
    let connections = given.read("connections", |text| form::count(text, 1, 100_000));
    let rules = rules(&mut given, defaults);
    if !given.problems.is_empty() {
        return Err(Problems(given.problems));
    }
    let name = name.or_else(|| networks.first().map(ToString::to_string)).unwrap_or_default();
    let peer = Peer::new(name, networks, rules);
    Ok(Peer {
        rate: rate.flatten(),
        concurrent: concurrent.flatten(),
        connections: connections.unwrap_or(Peer::CONNECTIONS),
        ..peer
    })
}

fn networks_of(text: &str, given: &mut Given<'_>) -> Vec<Network> {
    let mut networks = Vec::new();
    for part in text.split('+').map(str::trim) {
        match part.parse() {
            Ok(network) => networks.push(network),
            // Every problem is told behind the networks: one alone needs no name.
            Err(error) if part == text.trim() => given.problems.push(format!("{error}")),
            Err(error) => given.problems.push(format!("{part:?}: {error}")),
        }
    }
    networks
}

fn name(text: &str) -> Result<String, Problems> {
    let sound = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b':' | b'/');
    if (1..=64).contains(&text.len()) && text.bytes().all(sound) {
        return Ok(text.to_owned());
    }
    Err("not 1 to 64 letters, digits and . - _ : /".into())
}

/// A limit; 0 for none.
fn at_most(text: &str) -> Result<Option<NonZeroU32>, Problems> {
    form::count(text, 0, MOST_CALLS).map(NonZeroU32::new)
}

/// What a forwarding cause of 404 means.
pub(super) fn not_found(text: &str) -> Result<Reason, Problems> {
    either(text, [("unreachable", Reason::Unreachable), ("unknown", Reason::Unknown)])
}

/// How its messages are read and answered.
fn rules(given: &mut Given<'_>, defaults: &Rules) -> Rules {
    let mut rules = defaults.clone();
    rules.trusted = given.read("trusted", |text| either(text, [("true", true), ("false", false)])).unwrap_or(false);
    rules.numbering = numbering(given, &defaults.numbering);
    let called = given.own("called", |text| words(text, &CalledFrom::ALL, CalledFrom::as_str));
    let caller = given.own("caller", |text| words(text, &CallerFrom::ALL, CallerFrom::as_str));
    rules.prefix = given.own("prefix", prefix);
    contradictions(given, &rules, called.as_deref().unwrap_or_default(), caller.as_deref().unwrap_or_default());
    rules.called = called.unwrap_or(rules.called);
    rules.caller = caller.unwrap_or(rules.caller);
    let ends = [("top", Last::Top), ("bottom", Last::Bottom)];
    rules.diversion = given.read("diversion", |text| either(text, ends)).unwrap_or(rules.diversion);
    let parties = [("last", Party::Last), ("first", Party::First)];
    rules.party = given.read("party", |text| either(text, parties)).unwrap_or(rules.party);
    let ids = [("icid", IdFrom::ChargingVector), ("call_id", IdFrom::CallId)];
    rules.id = given.read("id", |text| either(text, ids)).unwrap_or(rules.id);
    let ways = [("via", ReplyTo::Via), ("source", ReplyTo::Source)];
    rules.reply_to = given.read("reply_to", |text| either(text, ways)).unwrap_or(rules.reply_to);
    rules.not_found = given.own("not_found", not_found).unwrap_or(rules.not_found);
    for reason in Reason::ALL {
        if let Some(release) = given.own(reason.as_str(), |text| release::one(text).map_err(Problems::from)) {
            rules.release.set(reason, release);
        }
    }
    rules
}

/// What is said and could never count.
fn contradictions(given: &mut Given<'_>, rules: &Rules, called: &[CalledFrom], caller: &[CallerFrom]) {
    if !rules.trusted {
        let callers = caller.iter().filter(|from| ASSERTED.contains(from)).map(|from| ("caller", from.as_str()));
        let served = called.iter().filter(|from| SERVED.contains(from)).map(|from| ("called", from.as_str()));
        let useless = callers.chain(served);
        let told = useless.map(|(name, word)| {
            format!("{name}: {word} counts from trusted peers only: add ;trusted, or leave it out")
        });
        given.problems.extend(told.collect::<Vec<_>>());
    }
    let named = called.contains(&CalledFrom::Prefix);
    let prefix = given.given("prefix").is_some();
    if prefix && !named && !called.is_empty() {
        given.problems.push("prefix: called= doesn't name prefix, so it would never count".to_owned());
    }
    if named && !prefix {
        given.problems.push("called: prefix needs the digits that precede the number: add prefix=".to_owned());
    }
}

fn prefix(text: &str) -> Result<String, Problems> {
    match form::digits(text, 15) {
        Ok(digits) if !digits.is_empty() => Ok(digits),
        _ => Err("not 1 to 15 digits".into()),
    }
}

fn numbering(given: &mut Given<'_>, defaults: &Numbering) -> Numbering {
    let shortest = given.own("shortest_national", policy::shortest_national);
    let own = [
        given.own("country_code", policy::country_code),
        given.own("national_prefix", |text| form::digits(text, 6)),
        given.own("international_prefix", |text| form::digits(text, 6)),
    ];
    let [country_code, national_prefix, international_prefix] = own;
    let numbering = Numbering {
        country_code: country_code.unwrap_or_else(|| defaults.country_code.clone()),
        national_prefix: national_prefix.unwrap_or_else(|| defaults.national_prefix.clone()),
        international_prefix: international_prefix.unwrap_or_else(|| defaults.international_prefix.clone()),
        shortest_national: shortest.unwrap_or(defaults.shortest_national),
    };
    let hidden = policy::hidden_prefix(&numbering).map(|problem| format!("national_prefix: {problem}"));
    given.problems.extend(hidden);
    numbering
}
