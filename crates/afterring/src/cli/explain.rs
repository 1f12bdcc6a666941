//! `afterring explain`: what a running gateway would decide of a call now, and why; nothing is done.

use std::io;
use std::time::Duration;

use clap::Args;
use model::Reason;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::arguments::reason;
use super::call::in_words;
use super::http::Peer;
use super::{OK, Terminal, UNAVAILABLE, USAGE, told};
use crate::config::{Contact, Sources};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) const HELP: &str = "\
Nothing is counted, stored or sent. A moment later the decision may be another: what is known of the person changes.

Exit codes: 0 whatever would be decided; 64 when the gateway can't read the call; 69 when it does not answer.

Examples:
  afterring explain --called +8613800000001 --caller +8613911112222
  afterring explain --called 13800000001 --withheld --reason busy --json";

/// A missed call that might come.
#[derive(Args, Debug)]
pub struct ExplainCall {
    /// Who would have missed it: a number as your network writes it, such as +8613800000001
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub called: String,
    /// Who would have rung; nobody known when it isn't given
    #[arg(long, value_name = "NUMBER", conflicts_with = "withheld", allow_hyphen_values = true)]
    pub caller: Option<String>,
    /// The caller would have withheld the number
    #[arg(long)]
    pub withheld: bool,
    /// Why it was not answered: busy, no_answer, unreachable, unconditional, rejected or unknown
    #[arg(long, default_value = "no_answer", value_parser = reason)]
    pub reason: Reason,
    /// The number it would have been forwarded to, if any
    #[arg(long, value_name = "NUMBER")]
    pub service_number: Option<String>,
    /// Print the gateway's answer as it is
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(asked: &ExplainCall, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => return told(&faults, terminal),
    };
    let answer = match Peer::new(&contact.admin, PATIENCE).and_then(|peer| peer.get(&path(asked))) {
        Ok(answer) => answer,
        Err(none) => {
            writeln!(terminal.err, "admin: {none}")?;
            return Ok(UNAVAILABLE);
        }
    };
    if answer.status != 200 {
        writeln!(terminal.err, "{} {}", answer.status, answer.body.trim())?;
        return Ok(if answer.status == 400 { USAGE } else { UNAVAILABLE });
    }
    if asked.json {
        writeln!(terminal.out, "{}", answer.body.trim())?;
        return Ok(OK);
    }
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    write!(terminal.out, "{}", told_in_words(&said))?;
    Ok(OK)
}

fn path(asked: &ExplainCall) -> String {
    let ExplainCall { called, caller, withheld, reason, service_number, json: _ } = asked;
    let withheld = withheld.then_some("true");
    let given = [
        ("called", Some(called.as_str())),
        ("caller", caller.as_deref()),
        ("withheld", withheld),
        ("reason", Some(reason.as_str())),
        ("service_number", service_number.as_deref()),
    ];
    let given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let query: Vec<String> =
        given.map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
    format!("/v1/explain?{}", query.join("&"))
}

/// The decision in plain words, what it rests on, and what would be sent.
fn told_in_words(said: &Value) -> String {
    let verdict = &said["verdict"];
    let (what, why) = (verdict["what"].as_str().unwrap_or_default(), verdict["why"].as_str().unwrap_or_default());
    let mut text = format!("{}\n", in_words(what, why));
    for fact in list(&said["because"]) {
        text.push_str(&format!("  because {}\n", one_fact(fact)));
    }
    for message in list(&said["alerts"]) {
        let word = |key: &str| message[key].as_str().unwrap_or_default();
        text.push_str(&format!("{} from {}:\n", word("kind"), word("originator")));
        for line in word("text").lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `range: name north, in force true`: the gateway's own words, so that new ones need nothing here.
fn one_fact(fact: &Value) -> String {
    let name = fact["fact"].as_str().unwrap_or_default().replace('_', " ");
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = fact.as_object().into_iter().flatten().filter(|(key, _)| *key != "fact");
    let values: Vec<String> =
        values.map(|(key, value)| format!("{} {}", key.replace('_', " "), plain(value))).collect();
    if values.is_empty() { name } else { format!("{name}: {}", values.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_decision_is_told_with_its_ground_and_its_text() {
        let said = json!({
            "verdict": {"what": "send", "why": "teaser"},
            "because": [{"fact": "not_registered"}, {"fact": "range", "name": "north", "in_force": true}],
            "alerts": [{"kind": "teaser", "originator": "12599", "text": "You missed 1 call.\nReply C"}],
        });
        let expected = "told: a teaser goes out now (not registered, but in a range with room) [send teaser]\n  \
                        because not registered\n  because range: in force true, name north\n\
                        teaser from 12599:\n  You missed 1 call.\n  Reply C\n";
        assert_eq!(told_in_words(&said), expected);
    }

    #[test]
    fn the_call_is_asked_as_it_was_typed() {
        let asked = ExplainCall {
            called: "+8613800000001".into(),
            caller: Some("139".into()),
            withheld: false,
            reason: Reason::Busy,
            service_number: None,
            json: false,
        };
        assert_eq!(path(&asked), "/v1/explain?called=%2B8613800000001&caller=139&reason=busy");
        let hidden = ExplainCall { caller: None, withheld: true, service_number: Some("12599".into()), ..asked };
        assert_eq!(path(&hidden), "/v1/explain?called=%2B8613800000001&withheld=true&reason=busy&service_number=12599");
    }
}
