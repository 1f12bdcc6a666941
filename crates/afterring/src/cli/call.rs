//! `afterring call`: reports one missed call to the running gateway, and says what became of it in plain words.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::Clock;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::http::Peer;
use super::{CONFIGURATION, Call, OK, Terminal, UNAVAILABLE, USAGE};
use crate::config::{Contact, Sources};

/// How long the gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long its decision is waited for.
const DECISION: Duration = Duration::from_secs(10);
/// Between two looks at the timeline.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn report(call: &Call, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let contact = match Contact::load(sources) {
        Ok(contact) => contact,
        Err(faults) => {
            writeln!(terminal.err, "{faults}")?;
            return Ok(CONFIGURATION);
        }
    };
    let now = clock();
    // Two people on two machines in one millisecond would need the same process id, too.
    let id = call.id.clone().unwrap_or_else(|| format!("cli-{}-{}", now.as_millis(), std::process::id()));
    let told = json!({
        "id": id,
        "caller": call.caller,
        "withheld": call.withheld,
        "called": call.called,
        "at": now.to_string(),
        "reason": call.reason.as_str(),
    });
    let answer = Peer::new(&contact.http, PATIENCE).and_then(|peer| peer.post("/v1/calls", &with(told, call)));
    let answer = match answer {
        Ok(answer) => answer,
        Err(none) => {
            writeln!(terminal.err, "http: {none}")?;
            return Ok(UNAVAILABLE);
        }
    };
    writeln!(terminal.out, "{} {}", answer.status, answer.body.trim_end())?;
    let taken: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match answer.status {
        202 if taken["rejected"].as_array().is_some_and(|rejected| !rejected.is_empty()) => Ok(USAGE),
        202 => {
            decision(call, &id, &contact, terminal)?;
            Ok(OK)
        }
        _ => Ok(UNAVAILABLE),
    }
}

/// Adds what is left out when it isn't given.
fn with(mut told: Value, call: &Call) -> Value {
    if let (Some(number), Some(fields)) = (&call.service_number, told.as_object_mut()) {
        fields.insert("service_number".to_owned(), Value::from(number.as_str()));
    }
    told
}

/// Waits for the decision on a call and says it; says why when it can't.
fn decision(call: &Call, id: &str, contact: &Contact, terminal: &mut Terminal<'_>) -> io::Result<()> {
    let number = utf8_percent_encode(&call.called, NON_ALPHANUMERIC);
    let path = format!("/v1/subscribers/{number}/timeline");
    let until = Instant::now() + DECISION;
    let peer = match Peer::new(&contact.admin, PATIENCE) {
        Ok(peer) => peer,
        Err(none) => return writeln!(terminal.err, "what was decided can't be asked: admin: {none}"),
    };
    loop {
        match peer.get(&path) {
            Ok(answer) if answer.status == 200 => {
                let timeline: Value = serde_json::from_str(&answer.body).unwrap_or_default();
                if let Some((what, why)) = decided(&timeline, id) {
                    return writeln!(terminal.out, "{}", in_words(what, why));
                }
            }
            // Nothing is known of the number until the call is decided.
            Ok(answer) if answer.status == 404 => {}
            Ok(answer) => return writeln!(terminal.err, "what was decided can't be asked: admin: {}", answer.status),
            Err(none) => return writeln!(terminal.err, "what was decided can't be asked: admin: {none}"),
        }
        if Instant::now() >= until {
            return writeln!(terminal.err, "not decided within {} s; ask GET {path} later", DECISION.as_secs());
        }
        sleep(LOOK);
    }
}

/// What was decided on the call of this id, in the words of [`routing::Verdict::words`].
fn decided<'a>(timeline: &'a Value, id: &str) -> Option<(&'a str, &'a str)> {
    let entries = timeline["entries"].as_array()?;
    let entry = entries.iter().rev().find(|entry| entry["event"] == "call" && entry["id"] == id)?;
    let decision = &entry["decision"];
    Some((decision["what"].as_str()?, decision["why"].as_str().unwrap_or_default()))
}

/// A decision on a call, for a person.
pub(super) fn in_words(what: &str, why: &str) -> String {
    let meaning = match (what, why) {
        ("send", "detail") => "told: a message with callers, times and counts goes out now",
        ("send", "fallback") => "told: the database is abnormal, and a registered person gets the callers all the same",
        ("send", "teaser") => "told: a teaser goes out now (not registered, but in a range with room)",
        ("joined", _) => "told: a message that waits to go out now tells this call too",
        ("held", "alert_pending") => {
            "told later: with the next message, once the one before has its receipt or has waited long enough (alert.update_wait)"
        }
        ("held", "updating") => {
            "told: the message before is being brought up to date at the SMSC, to tell this call too"
        }
        ("held", "min_interval") => "told later: the last message was too short ago (alert.min_interval)",
        ("held", "paused") => "told later: the subscriber asked for quiet",
        ("nothing", "duplicate") => "not told: this call was counted before",
        ("nothing", "too_old") => "not told: too long ago (alert.max_age)",
        ("nothing", "suspended") => "not told: the subscriber is suspended",
        ("nothing", "refused") => "not told: the person refused such messages",
        ("nothing", "do_not_contact") => "not told: the person is on the do-not-contact list",
        ("nothing", "no_consent") => "not told: the range asks for consent that the person has not given (ranges)",
        ("nothing", "quiet_hours") => {
            "not told: it is in the quiet hours of the range (ranges); the next teaser counts it"
        }
        ("nothing", "not_subscribed") => {
            "not told: not registered, and the number it was forwarded to serves subscribers only (service.numbers)"
        }
        ("nothing", "outside_ranges") => "not told: not registered, and in no range that is in force (ranges)",
        ("nothing", "quota_used_up") => "not told: the quota of the range is used up (ranges)",
        ("nothing", "teaser_capped") => {
            "not told: a teaser went out lately, and the person did not answer it (teaser.interval)"
        }
        ("nothing", "daily_cap") => "not told: as many messages as a day may have (alert.daily_cap)",
        ("nothing", "abnormal_not_registered") => {
            "not told: the database is abnormal, and the person is not registered"
        }
        ("nothing", "abnormal_no_registry") => {
            "not told: the database is abnormal, and who is registered was never known here"
        }
        _ => return format!("decided: {what} {why}").trim_end().to_owned(),
    };
    format!("{meaning} [{what} {why}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Kind;
    use routing::{HeldWhy, NothingWhy, Verdict};

    #[test]
    fn every_decision_on_a_call_has_its_words() {
        // What a call never ends in: these follow submits, receipts, looks at the box, and words of other boxes.
        let others = [
            NothingWhy::NothingToTell,
            NothingWhy::NoChange,
            NothingWhy::Unmatched,
            NothingWhy::NotNotified,
            NothingWhy::NotifyCap,
            NothingWhy::NotifyTooLate,
            NothingWhy::Deferred,
        ];
        let sent = [Kind::Detail, Kind::Fallback, Kind::Teaser].map(Verdict::Send);
        let held = HeldWhy::ALL.map(Verdict::Held);
        let nothing = NothingWhy::ALL.into_iter().filter(|why| !others.contains(why)).map(Verdict::Nothing);
        for verdict in sent.into_iter().chain(held).chain(nothing).chain([Verdict::Joined(Kind::Detail)]) {
            let (what, why) = verdict.words();
            assert!(!in_words(what, why).starts_with("decided:"), "{what} {why}");
        }
        assert_eq!(in_words("alert", ""), "decided: alert");
    }

    #[test]
    fn the_decision_is_that_of_the_call_with_this_id() {
        let timeline = json!({"entries": [
            {"event": "call", "id": "a", "decision": {"what": "send", "why": "teaser"}},
            {"event": "call", "id": "b", "decision": {"what": "nothing", "why": "daily_cap"}},
            {"event": "due", "decision": {"what": "alert"}},
        ]});
        assert_eq!(decided(&timeline, "b"), Some(("nothing", "daily_cap")));
        assert_eq!(decided(&timeline, "c"), None);
        assert_eq!(decided(&json!({}), "a"), None);
    }
}
