//! What decisions are taken by: ranges, keywords, our numbers, texts and limits, with the faults that `routing` finds told by their keys.

use std::collections::BTreeMap;
use std::time::Duration;

use ingress::read_service_number;
use model::{Address, Kind, Language, Numbering, ShortNumber};
use routing::text::{Texts, is_time_zone};
use routing::{Action, Audience, InDoubtPolicy, KeywordError, Keywords, Limits, Policy, Ranges, Service, Validity};

use super::fault::Problems;
use super::form::{self, DAY, HOUR, MINUTE};
use super::layer::Raw;
use super::reader::Reader;
use super::{no_numbering, time};

const SECOND: Duration = Duration::from_secs(1);
/// Longest validity: SMSCs keep messages for days, not months.
const LONGEST_VALIDITY: Duration = DAY.saturating_mul(30);
/// Longest wording of a price: a teaser should stay one message.
const LONGEST_PRICE: usize = 40;

/// How numbers are written in this network.
pub(super) fn numbering(reader: &mut Reader) -> Option<Numbering> {
    let country_code = reader.text("numbering.country_code", country_code);
    let national_prefix = reader.text("numbering.national_prefix", |text| form::digits(text, 6));
    let international_prefix = reader.text("numbering.international_prefix", |text| form::digits(text, 6));
    let shortest_national = reader.text("numbering.shortest_national", shortest_national);
    let numbering = Numbering {
        country_code: country_code?,
        national_prefix: national_prefix?,
        international_prefix: international_prefix?,
        shortest_national: shortest_national?,
    };
    if let Some(problem) = hidden_prefix(&numbering) {
        reader.fault("numbering.national_prefix", problem.to_owned());
        return None;
    }
    Some(numbering)
}

/// What is wrong with a national prefix that never counts: it would lead to people of other countries.
pub(super) fn hidden_prefix(numbering: &Numbering) -> Option<&'static str> {
    let Numbering { national_prefix, international_prefix, .. } = numbering;
    let hidden = !international_prefix.is_empty() && national_prefix.starts_with(international_prefix.as_str());
    hidden.then_some(
        "begins with the international prefix, so that every national number would be taken for one of another country",
    )
}

/// Digits of a national number: no plan has fewer than 4, and 14 leave one for the country code.
pub(super) fn shortest_national(text: &str) -> Result<usize, Problems> {
    form::count(text, 4, 14)
}

/// 1 to 3 digits, the first not 0.
pub(super) fn country_code(text: &str) -> Result<String, Problems> {
    match form::digits(text, 3) {
        Ok(code) if !code.is_empty() && !code.starts_with('0') => Ok(code),
        _ => Err("not a country code".into()),
    }
}

/// All that decisions depend on.
pub(super) fn policy(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<Policy> {
    let ranges = reader.take("ranges", ranges);
    let keywords = keywords(reader);
    let service = service(reader, numbering);
    let texts = texts(reader);
    let time_zone = reader.text("text.time_zone", |text| match is_time_zone(text) {
        true => Ok(text.to_owned()),
        false => Err("not the name of a time zone".into()),
    });
    let limits = limits(reader);
    let in_doubt = reader.text("alert.in_doubt", |text| {
        let words = [
            ("hold", InDoubtPolicy::Hold),
            ("resend_once", InDoubtPolicy::ResendOnce),
            ("resend", InDoubtPolicy::Resend),
        ];
        form::choice(text, &words)
    });
    let update = reader.text("alert.update", update);
    update?;
    let (texts, language) = texts?;
    Some(Policy {
        ranges: ranges?,
        keywords: keywords?,
        service: service?,
        texts,
        language,
        time_zone: time_zone?,
        limits: limits?,
        in_doubt: in_doubt?,
    })
}

fn ranges(raw: &Raw) -> Result<Ranges, Problems> {
    let written = form::list(raw, ';').join(";");
    Ranges::parse(&written).map_err(|errors| {
        let mut problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
        // Two prefixes overlap once for each length of number.
        problems.dedup();
        Problems(problems)
    })
}

/// Keywords of all actions together; each fault goes to the key that it belongs to.
fn keywords(reader: &mut Reader) -> Option<Keywords> {
    let path = |action: &str| format!("keywords.{action}");
    let mut given = BTreeMap::new();
    for action in Action::ALL {
        let words = form::list(&reader.raw(&path(action.as_str())), ',').into_iter().map(str::to_owned).collect();
        given.insert(action, words);
    }
    match Keywords::new(&given) {
        Ok(keywords) => Some(keywords),
        Err(errors) => {
            for error in errors {
                let action = match &error {
                    KeywordError::None(action) | KeywordError::Twice(_, _, action) => action,
                    KeywordError::Empty(word) => holder(&given, word),
                };
                reader.fault(&path(action), error.to_string());
            }
            None
        }
    }
}

/// The action that a keyword was given for.
fn holder(given: &BTreeMap<Action, Vec<String>>, word: &String) -> &'static str {
    given.iter().find(|(_, words)| words.contains(word)).map_or("fetch", |(action, _)| action.as_str())
}

fn service(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<Service> {
    let code = reader.text("service.code", |text| match text {
        "" => Err("missing: without it nobody can answer a message".into()),
        text => ShortNumber::parse(text).map_err(|_| "not 1 to 15 digits".into()),
    });
    let numbers = numbers(reader, numbering);
    let originators = [(Kind::Detail, "service.originator_detail"), (Kind::Fallback, "service.originator_fallback")]
        .map(|(kind, path)| (kind, reader.text(path, originator)));
    let mut chosen = BTreeMap::new();
    for (kind, originator) in originators {
        if let Some(address) = originator? {
            chosen.insert(kind, address);
        }
    }
    Some(Service { code: code?, numbers: numbers?, originators: chosen })
}

fn originator(text: &str) -> Result<Option<Address>, Problems> {
    match text {
        "" => Ok(None),
        text => Address::parse(text).map(Some).map_err(|error| error.to_string().into()),
    }
}

/// What each number that calls are forwarded to means, each brought to the form in which both doors hand it over.
pub(super) fn numbers(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<BTreeMap<ShortNumber, Audience>> {
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

fn texts(reader: &mut Reader) -> Option<(Texts, Language)> {
    let shipped = Texts::shipped().map_err(|error| error.to_string());
    let fetch_price = reader.text("teaser.fetch_price", price);
    let subscribe_price = reader.text("teaser.subscribe_price", price);
    let spoken = reader.text("text.language", |text| {
        let texts = shipped?;
        match text.parse::<Language>() {
            Ok(language) if texts.speaks(&language) => Ok((texts, language)),
            _ => Err("there are no texts in this language".into()),
        }
    });
    let (mut texts, language) = spoken?;
    texts.fetch_price = fetch_price?;
    texts.subscribe_price = subscribe_price?;
    Some((texts, language))
}

fn price(text: &str) -> Result<String, Problems> {
    let fits = text.chars().count() <= LONGEST_PRICE && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("too long, or with control characters".into()) }
}

fn update(text: &str) -> Result<(), Problems> {
    match text {
        "new" => Ok(()),
        "auto" | "replace" | "cancel" | "replace_if_present" => {
            Err("not in this version: an alert that the SMSC has is not changed, and what it doesn't tell follows in a new one".into())
        }
        _ => Err("not one of the words known here".into()),
    }
}

fn limits(reader: &mut Reader) -> Option<Limits> {
    let min_interval = time(reader, "alert.min_interval", Duration::ZERO, DAY);
    let update_wait = time(reader, "alert.update_wait", SECOND, DAY * 7);
    let resend_wait = time(reader, "alert.resend_wait", SECOND, DAY);
    let max_age = time(reader, "alert.max_age", MINUTE, DAY * 365);
    let daily_cap = reader.text("alert.daily_cap", |text| form::count(text, 1, 1000));
    let max_parts = reader.text("alert.max_parts", |text| form::count(text, 1, 10));
    let alert = time(reader, "alert.validity", MINUTE, LONGEST_VALIDITY);
    let teaser = time(reader, "teaser.validity", MINUTE, LONGEST_VALIDITY);
    let notice = time(reader, "reply.validity", MINUTE, LONGEST_VALIDITY);
    let teaser_patience = time(reader, "teaser.patience", SECOND, DAY);
    let teaser_interval = time(reader, "teaser.interval", Duration::from_secs(1), DAY * 365);
    let offer_validity = time(reader, "teaser.offer_validity", MINUTE, DAY * 365);
    let dedup_window = time(reader, "ingress.dedup_window", MINUTE, DAY * 7);
    let same_call = time(reader, "ingress.same_call", Duration::ZERO, MINUTE * 5);
    let reply_limit = reader.text("reply.limit", |text| form::count(text, 1, 1000));
    let reply_window = time(reader, "reply.window", MINUTE, HOUR * 24 * 7);
    Some(Limits {
        min_interval: min_interval?,
        update_wait: update_wait?,
        daily_cap: daily_cap?,
        validity: Validity { alert: alert?, teaser: teaser?, notice: notice? },
        teaser_patience: teaser_patience?,
        teaser_interval: teaser_interval?,
        offer_validity: offer_validity?,
        max_age: max_age?,
        dedup_window: dedup_window?,
        same_call: same_call?,
        reply_limit: reply_limit?,
        reply_window: reply_window?,
        resend_wait: resend_wait?,
        max_parts: max_parts?,
    })
}
