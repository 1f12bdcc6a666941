//! What an SMSC wants written how, and what it means by what it says.

use std::collections::BTreeSet;

use model::{IdForm, Kind};
use smpp_client::{Charset, KindWriting, LinkSettings, Long, StatusClass, StatusTable, TonNpi, ValidityForm};

use super::given::{Given, field};
use crate::config::fault::Problems;
use crate::config::form;

/// Longest `service_type` (SMPP 3.4 §5.2.11).
const SERVICE_TYPE: usize = 5;

/// Reads it into a link's settings.
pub(super) fn read(given: &mut Given<'_>, link: &mut LinkSettings) {
    link.statuses = given.read("status", statuses);
    let ids = [
        ("auto", (None, false)),
        ("same", (Some(IdForm::Same), false)),
        ("decimal", (Some(IdForm::Decimal), false)),
        ("hexadecimal", (Some(IdForm::Hexadecimal), false)),
        ("reference", (None, true)),
    ];
    (link.id_form, link.references) = given.read("receipt_id", |text| form::choice(text, &ids));
    let charsets =
        [("gsm", Charset::Gsm), ("latin1", Charset::Latin1), ("ascii", Charset::Ascii), ("utf8", Charset::Utf8)];
    let longs = [("udh", Long::Udh8), ("udh16", Long::Udh16), ("sar", Long::Sar), ("payload", Long::Payload)];
    let validities = [
        ("relative", ValidityForm::Relative),
        ("absolute", ValidityForm::Absolute),
        ("omitted", ValidityForm::Omitted),
    ];
    let writing = &mut link.writing;
    writing.charset = given.read("charset", |text| form::choice(text, &charsets));
    writing.packed = given.read("packed", |text| form::choice(text, &[("true", true), ("false", false)]));
    writing.long = given.read("long", |text| form::choice(text, &longs));
    writing.validity = given.read("validity", |text| form::choice(text, &validities));
    if writing.packed && writing.charset != Charset::Gsm {
        given.problems.push("packed=true needs charset=gsm: nothing else has septets".to_owned());
    }
    for kind in Kind::ALL {
        *writing.of_mut(kind) = KindWriting {
            registered_delivery: given.for_kind("registered_delivery", kind, octet),
            priority_flag: given.for_kind("priority_flag", kind, |text| form::count(text, 0, 3)),
            service_type: given.for_kind("service_type", kind, |text| field(text, SERVICE_TYPE)),
            protocol_id: given.for_kind("protocol_id", kind, octet),
            source: given.for_kind("source_ton_npi", kind, |text| match text {
                "" => Ok(None),
                text => ton_npi(text).map(Some),
            }),
            destination: given
                .for_kind("dest_ton_npi", kind, |text| ton_npi(text).map(Some))
                .unwrap_or(KindWriting::default().destination),
        };
    }
}

/// The parameters of which two URLs of one SMSC say different things.
pub(super) fn differences(one: &LinkSettings, other: &LinkSettings) -> Vec<&'static str> {
    let (a, b) = (&one.writing, &other.writing);
    let by_kind =
        |same: fn(&KindWriting, &KindWriting) -> bool| Kind::ALL.into_iter().all(|kind| same(a.of(kind), b.of(kind)));
    let same = [
        ("smsc_rate", one.smsc_rate == other.smsc_rate),
        ("status", one.statuses == other.statuses),
        ("charset", a.charset == b.charset),
        ("packed", a.packed == b.packed),
        ("long", a.long == b.long),
        ("validity", a.validity == b.validity),
        ("receipt_id", (one.id_form, one.references) == (other.id_form, other.references)),
        ("registered_delivery", by_kind(|a, b| a.registered_delivery == b.registered_delivery)),
        ("priority_flag", by_kind(|a, b| a.priority_flag == b.priority_flag)),
        ("service_type", by_kind(|a, b| a.service_type == b.service_type)),
        ("protocol_id", by_kind(|a, b| a.protocol_id == b.protocol_id)),
        ("source_ton_npi", by_kind(|a, b| a.source == b.source)),
        ("dest_ton_npi", by_kind(|a, b| a.destination == b.destination)),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// `number:class` pairs.
fn statuses(text: &str) -> Result<StatusTable, Problems> {
    let mut table = StatusTable::default();
    let mut seen = BTreeSet::new();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (status, class) = pair.split_once(':').ok_or("not of the form number:class, such as 0x400:throttled")?;
        let status = number(status, u32::MAX)?;
        if status == 0 {
            return Err("0 means that a message was taken, and can't mean anything else".into());
        }
        if !seen.insert(status) {
            return Err(format!("{status:#x} is given twice").into());
        }
        table.set(status, class_of(class)?);
    }
    Ok(table)
}

fn class_of(word: &str) -> Result<StatusClass, Problems> {
    form::choice(word, &StatusClass::WORDS).map_err(|_| {
        let words: Vec<&str> = StatusClass::WORDS.iter().map(|(word, _)| *word).collect();
        format!("not a class of statuses; known: {}", words.join(", ")).into()
    })
}

/// A whole number, decimal or with `0x`.
fn number(text: &str, most: u32) -> Result<u32, Problems> {
    let Some(digits) = text.strip_prefix("0x") else { return form::count(text, 0, most) };
    let digits = (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits);
    let digits = digits.ok_or("not a hexadecimal number")?;
    let given = u32::from_str_radix(digits, 16).ok().filter(|given| *given <= most);
    given.ok_or_else(|| format!("out of bounds: at most {most:#x}").into())
}

fn octet(text: &str) -> Result<u8, Problems> {
    let given = number(text, u32::from(u8::MAX))?;
    u8::try_from(given).map_err(|_| "out of bounds".into())
}

fn ton_npi(text: &str) -> Result<TonNpi, Problems> {
    let (ton, npi) = text.split_once('/').ok_or("not of the form ton/npi, such as 1/1")?;
    Ok(TonNpi { ton: form::count(ton, 0, u8::MAX)?, npi: form::count(npi, 0, u8::MAX)? })
}
