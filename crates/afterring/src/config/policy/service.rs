//! Our own numbers.

use std::collections::BTreeMap;

use ingress::read_service_number;
use model::{Address, Kind, Numbering, ShortNumber};
use routing::{Audience, Originator, Service};

use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;
use crate::config::no_numbering;
use crate::config::reader::Reader;

pub(super) fn service(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<Service> {
    let code = reader.text("service.code", |text| match text {
        "" => Err("missing: without it nobody can answer a message".into()),
        text => ShortNumber::parse(text).map_err(|_| "not 1 to 15 digits".into()),
    });
    let numbers = numbers(reader, numbering);
    let originators = [
        (Kind::Detail, "service.originator_detail"),
        (Kind::Fallback, "service.originator_fallback"),
        (Kind::Notify, "service.originator_notify"),
    ]
    .map(|(kind, path)| (kind, reader.text(path, originator)));
    let mut chosen = BTreeMap::new();
    for (kind, originator) in originators {
        if let Some(address) = originator? {
            chosen.insert(kind, address);
        }
    }
    Some(Service { numbers: numbers?, originators: chosen, ..Service::new(code?) })
}

fn originator(text: &str) -> Result<Option<Originator>, Problems> {
    match text {
        "" => Ok(None),
        text => Address::parse(text)
            .map(|address| Some(Originator::Address(address)))
            .map_err(|error| error.to_string().into()),
    }
}

/// What each number that calls are forwarded to means, each brought to the form in which both doors hand it over.
pub(in crate::config) fn numbers(
    reader: &mut Reader,
    numbering: Option<&Numbering>,
) -> Option<BTreeMap<ShortNumber, Audience>> {
    // Without a plan there are faults already, and nobody gets the numbers.
    let plan = numbering.cloned().unwrap_or_else(no_numbering);
    reader.take("service.numbers", |raw| numbers_of(raw, &plan))
}

fn numbers_of(raw: &Raw, plan: &Numbering) -> Result<BTreeMap<ShortNumber, Audience>, Problems> {
    let mut numbers = BTreeMap::new();
    let mut problems = Vec::new();
    for item in form::list(raw, ';') {
        let audience = match item.split_once('=').map(|(number, audience)| (number.trim(), audience.trim())) {
            Some((number, "subscribers")) => Some((number, Audience::Subscribers)),
            Some((number, "prospects")) => Some((number, Audience::Prospects)),
            _ => None,
        };
        match audience.map(|(number, audience)| (read_service_number(number, plan), audience)) {
            Some((Ok(number), audience)) => {
                if numbers.insert(number, audience).is_some() {
                    problems.push(format!("{item:?}: the number is given twice"));
                }
            }
            Some((Err(_), _)) => problems.push(format!("{item:?}: a service number is 1 to 15 digits")),
            None => problems.push(format!("{item:?}: not of the form number=subscribers or number=prospects")),
        }
    }
    if problems.is_empty() { Ok(numbers) } else { Err(Problems(problems)) }
}
