//! An explanation on a terminal, or as a line of JSON.

use std::fmt::Write;

use ingress::sip::explain::{Field, Finding, Note};
use ingress::sip::extract::Understood;
use model::Caller;
use routing::Audience;
use serde_json::{Value, json};

use super::advice;
use super::reading::Reading;
use crate::config::SipReading;

/// Characters of a header that are shown; more would hide the rest.
const SHOWN: usize = 300;

/// The column in which values stand.
const COLUMN: usize = 16;

/// The explanation for a person, several lines.
pub(super) fn text(reading: &Reading, settings: &SipReading) -> String {
    let told = &reading.explanation;
    let mut page = String::new();
    let request = told.request.as_ref().map_or("no request".to_owned(), |(method, uri)| format!("{method} {uri}"));
    let _ = writeln!(page, "{}", clean(&request));
    let peer = match told.peer.as_deref().and_then(|name| settings.sip.peers.iter().find(|peer| peer.name == name)) {
        Some(peer) if peer.rules.trusted => format!("peer {}, trusted", peer.name),
        Some(peer) => format!("peer {}, not trusted", peer.name),
        None => "nobody's: no network of sip.peers holds it".to_owned(),
    };
    let _ = writeln!(page, "from {} ({}): {peer}", reading.source, reading.why);
    for remark in &reading.remarks {
        let _ = writeln!(page, "note: {remark}.");
    }
    match &told.outcome {
        Ok(call) => {
            let _ = writeln!(page, "\nThe call that is made of it:\n");
            // Who was called first is said only where it is somebody else.
            for field in Field::ALL.into_iter().filter(|field| *field != Field::Original || call.original.is_some()) {
                value(&mut page, field, &of(call, field), &told.notes);
            }
            let _ = writeln!(page, "\n{}", meaning(call, reading.audience(settings)));
        }
        Err(refusal) => {
            let detail = told.detail.as_ref().map_or(String::new(), |detail| format!(": {}", clean(detail)));
            let _ = writeln!(page, "\nNo call is made of it: {refusal}{detail}. [{}]", refusal.as_str());
            let _ = writeln!(page, "{}", advice::of(*refusal));
            if !told.notes.is_empty() {
                let _ = writeln!(page, "\nWhat was looked at:\n");
            }
            for field in Field::ALL.into_iter().filter(|field| told.notes.iter().any(|note| note.field == *field)) {
                value(&mut page, field, taken(field, &told.notes), &told.notes);
            }
        }
    }
    answer(&mut page, &told.response, told.outcome.is_ok());
    page
}

/// What was read of a field in a message of which no call is made.
fn taken(field: Field, notes: &[Note]) -> &str {
    let readings = notes.iter().filter(|note| note.field == field).map(|note| &note.finding);
    let mut taken = readings.filter_map(|finding| match finding {
        Finding::Taken(value) => Some(value.as_str()),
        Finding::PassedOver(_) => None,
    });
    taken.next_back().unwrap_or("-")
}

/// One field: its value, and below it what was looked at for it.
fn value(page: &mut String, field: Field, value: &str, notes: &[Note]) {
    let _ = writeln!(page, "  {:COLUMN$}{}", field.as_str(), clean(value));
    for note in notes.iter().filter(|note| note.field == field) {
        let (place, written) = (clean(&note.place), clean(&note.written));
        let written = if written.is_empty() { String::new() } else { format!(": {written}") };
        let _ = match &note.finding {
            Finding::Taken(_) => writeln!(page, "  {:COLUMN$}  by {place}{written}", ""),
            Finding::PassedOver(why) => {
                writeln!(page, "  {:COLUMN$}  not by {place}{written}\n  {:COLUMN$}    ({why})", "", "")
            }
        };
    }
}

fn answer(page: &mut String, response: &[String], stored: bool) {
    let Some((first, rest)) = response.split_first() else {
        let _ = writeln!(page, "\nNothing is answered.");
        return;
    };
    let _ =
        writeln!(page, "\nThe answer{}:\n\n  {}", if stored { ", once the call is on disk" } else { "" }, clean(first));
    for line in rest {
        let _ = writeln!(page, "  {}", clean(line));
    }
}

/// A field of a call, numbers in the clear.
fn of(call: &Understood, field: Field) -> String {
    match field {
        Field::Called => format!("+{}", call.called.reveal()),
        Field::Original => call.original.map_or("-".to_owned(), |number| format!("+{}", number.reveal())),
        Field::Caller => match &call.caller {
            Caller::Number(number) => format!("+{}", number.reveal()),
            Caller::Short(number) => number.as_str().to_owned(),
            Caller::Withheld => "withheld".to_owned(),
            Caller::Unknown => "unknown".to_owned(),
        },
        Field::Reason => call.reason.to_string(),
        Field::ServiceNumber => {
            call.service_number.as_ref().map_or("-".to_owned(), |number| number.as_str().to_owned())
        }
        Field::Id => call.id.as_str().to_owned(),
    }
}

/// What the number that it was forwarded to means.
fn meaning(call: &Understood, audience: Option<Audience>) -> String {
    let everybody = "subscribers get details, and others teasers where a range has room";
    match (call.service_number.as_ref().map(model::ShortNumber::as_str), audience) {
        (Some(number), Some(Audience::Subscribers)) => {
            format!("By service.numbers, {number} is for subscribers: who isn't registered hears nothing.")
        }
        (Some(number), Some(Audience::Prospects)) => {
            format!("By service.numbers, {number} is for everybody: {everybody}.")
        }
        (Some(number), None) => format!("{number} is not in service.numbers, so it is for everybody: {everybody}."),
        (None, _) => format!("No service number, so it is for everybody: {everybody}."),
    }
}

/// The explanation as one object.
pub(super) fn json(reading: &Reading, settings: &SipReading) -> Value {
    let told = &reading.explanation;
    let notes: Vec<Value> = told.notes.iter().map(note).collect();
    let mut object = json!({
        "from": reading.source,
        "peer": told.peer,
        "method": told.request.as_ref().map(|(method, _)| method),
        "uri": told.request.as_ref().map(|(_, uri)| uri),
        "remarks": reading.remarks,
        "notes": notes,
        "response": told.response,
    });
    let (key, value) = match &told.outcome {
        Ok(call) => ("call", fields(call, reading.audience(settings))),
        Err(refusal) => (
            "refused",
            json!({
                "reason": refusal.as_str(),
                "text": refusal.to_string(),
                "detail": told.detail,
                "advice": advice::of(*refusal),
            }),
        ),
    };
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
    object
}

/// The call in the fields of `POST /v1/calls`, and what else is known.
fn fields(call: &Understood, audience: Option<Audience>) -> Value {
    let caller = matches!(call.caller, Caller::Number(_) | Caller::Short(_)).then(|| of(call, Field::Caller));
    json!({
        "id": call.id.as_str(),
        "called": of(call, Field::Called),
        "original": call.original.map(|number| format!("+{}", number.reveal())),
        "caller": caller,
        "withheld": matches!(call.caller, Caller::Withheld),
        "reason": call.reason.as_str(),
        "service_number": call.service_number.as_ref().map(|number| number.as_str()),
        "audience": audience.map(|audience| match audience {
            Audience::Subscribers => "subscribers",
            Audience::Prospects => "prospects",
        }),
    })
}

fn note(note: &Note) -> Value {
    let (taken, passed_over) = match &note.finding {
        Finding::Taken(value) => (Some(value), None),
        Finding::PassedOver(why) => (None, Some(why)),
    };
    json!({
        "field": note.field.as_str(),
        "place": note.place,
        "written": note.written,
        "taken": taken,
        "passed_over": passed_over,
    })
}

/// A text of a stranger as it may go to a terminal: what would move the cursor is shown as a dot, and what is too long is cut.
fn clean(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}
