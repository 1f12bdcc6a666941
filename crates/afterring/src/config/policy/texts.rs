//! What we write, and the operator's folder of texts.

use std::collections::BTreeSet;

use model::{Language, Numbering};
use routing::text::{NumberForm, REQUIRABLE, Rules, Texts, is_time_zone};
use routing::{Campaigns, ClockFace, Keywords, Ranges};

use super::folder;
use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;
use crate::config::reader::Reader;

/// Longest wording of a price: a teaser should stay one message.
const LONGEST_PRICE: usize = 40;

/// What is written to whom, unless more is known of them.
pub(in crate::config) struct Written {
    pub(in crate::config) texts: Texts,
    pub(in crate::config) language: Language,
    pub(in crate::config) time_zone: String,
    pub(in crate::config) clock: ClockFace,
}

/// What texts are checked against; `None` where it has faults of its own, which are told already.
#[derive(Clone, Copy)]
pub(in crate::config) struct Beside<'a> {
    pub(in crate::config) numbering: Option<&'a Numbering>,
    pub(in crate::config) ranges: Option<&'a Ranges>,
    pub(in crate::config) campaigns: Option<&'a Campaigns>,
    pub(in crate::config) keywords: Option<&'a Keywords>,
    pub(in crate::config) max_parts: Option<usize>,
}

pub(super) fn texts(reader: &mut Reader, beside: Beside<'_>) -> Option<Written> {
    let fetch_price = reader.text("teaser.fetch_price", price);
    let subscribe_price = reader.text("teaser.subscribe_price", price);
    let time_zone = reader.text("text.time_zone", |text| match is_time_zone(text) {
        true => Ok(text.to_owned()),
        false => Err("not the name of a time zone".into()),
    });
    let clock = reader.text("text.clock", |text| ClockFace::parse(text).ok_or_else(|| "not 24 or 12".into()));
    let numbers = numbers(reader, beside.numbering);
    let required = reader.take("teaser.require", required);
    let found = reader.text("text.dir", |dir| folder::read(dir, beside.ranges, beside.campaigns));
    let speaks = |language: &Language| found.as_ref().is_none_or(|texts| texts.speaks(language));
    let language = reader.text("text.language", |text| match text.parse::<Language>() {
        Ok(language) if speaks(&language) => Ok(language),
        Ok(_) | Err(_) => Err("there are no texts in this language".into()),
    });
    // A prefix is many spans of one range.
    let ranges = beside.ranges.into_iter().flat_map(Ranges::iter);
    let chosen: BTreeSet<_> = ranges.filter_map(|range| Some((&range.name, range.terms.language.as_ref()?))).collect();
    for (range, language) in chosen.into_iter().filter(|(_, language)| !speaks(language)) {
        reader.fault("ranges", format!("'{range}': there are no texts in '{language}'"));
    }
    let mut texts = found?;
    texts.fetch_price = fetch_price?;
    texts.subscribe_price = subscribe_price?;
    texts.numbers = numbers?;
    texts.help_parts = beside.max_parts?;
    check(reader, &texts, Rules { keywords: beside.keywords?, max_parts: beside.max_parts?, required: &required? })?;
    Some(Written { texts, language: language?, time_zone: time_zone?, clock: clock? })
}

/// What is wrong with texts that could be sent; where nothing is the operator's, the fault is that of what they don't fit.
fn check(reader: &mut Reader, texts: &Texts, rules: Rules<'_>) -> Option<()> {
    let prices = [("fetch_price", &texts.fetch_price), ("subscribe_price", &texts.subscribe_price)];
    let unpriced: Vec<&str> = prices
        .iter()
        .filter(|(name, price)| rules.required.contains(name) && price.is_empty())
        .map(|(n, _)| *n)
        .collect();
    for name in &unpriced {
        reader.fault(
            "teaser.require",
            format!("{name} is required, but teaser.{name} is empty: word it, or require it not"),
        );
    }
    let faults = texts.check(rules);
    for fault in &faults {
        reader.fault("text.dir", fault.to_string());
    }
    (faults.is_empty() && unpriced.is_empty()).then_some(())
}

fn price(text: &str) -> Result<String, Problems> {
    let fits = text.chars().count() <= LONGEST_PRICE && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("too long, or with control characters".into()) }
}

fn required(raw: &Raw) -> Result<Vec<&'static str>, Problems> {
    let known = |word: &str| REQUIRABLE.into_iter().find(|known| *known == word);
    let words = form::list(raw, ',');
    let unknown: Vec<String> = words
        .iter()
        .filter(|word| known(word).is_none())
        .map(|word| format!("'{word}' is not one of the words known here"))
        .collect();
    if unknown.is_empty() { Ok(words.into_iter().filter_map(known).collect()) } else { Err(Problems(unknown)) }
}

/// How numbers are shown.
fn numbers(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<NumberForm> {
    let without_prefix = reader.take("text.without_prefix", beginnings);
    let national =
        reader.text("text.numbers", |text| form::choice(text, &[("international", false), ("national", true)]));
    match (national?, numbering, without_prefix?) {
        (false, _, _) => Some(NumberForm::International),
        (true, None, _) => None,
        (true, Some(plan), without_prefix) => Some(NumberForm::National {
            country_code: plan.country_code.clone(),
            prefix: plan.national_prefix.clone(),
            without_prefix,
        }),
    }
}

fn beginnings(raw: &Raw) -> Result<Vec<String>, Problems> {
    let digits = |item: &&str| item.len() <= 15 && item.bytes().all(|octet| octet.is_ascii_digit());
    let items = form::list(raw, ',');
    match items.iter().find(|item| !digits(item)) {
        Some(item) => {
            Err(format!("'{item}' is not the beginning of a number in international form: digits without +").into())
        }
        None => Ok(items.into_iter().map(str::to_owned).collect()),
    }
}
