//! What decisions are taken by: ranges, keywords, our numbers, texts and limits, with the faults that `routing` finds told by their keys.

mod campaigns;
mod folder;
mod keywords;
mod notify;
mod reply;
mod service;
mod texts;
mod updates;

use std::collections::BTreeMap;
use std::time::Duration;

use model::Numbering;
use routing::{Action, InDoubtPolicy, Limits, Policy, Updates, Validity};

use super::fault::Problems;
use super::form::{self, DAY, HOUR, MINUTE};
use super::reader::Reader;
use super::{Writing, time};
use campaigns::{campaigns, ranges};
use keywords::keywords;
use notify::notify;
use reply::self_service;
use service::service;
use texts::{Beside, Written, texts};

pub(super) use service::numbers;
pub(super) use updates::{take_updates, update_mode};

const SECOND: Duration = Duration::from_secs(1);
/// Longest validity: SMSCs keep messages for days, not months.
const LONGEST_VALIDITY: Duration = DAY.saturating_mul(30);

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
    let campaigns = campaigns(reader);
    let ranges = ranges(reader, campaigns.as_ref());
    let keywords = keywords(reader);
    let service = service(reader, numbering);
    let max_parts = max_parts(reader);
    let limits = limits(reader, max_parts);
    let self_service = self_service(reader);
    let notify = notify(reader);
    let in_doubt = reader.text("alert.in_doubt", |text| {
        let words = [
            ("hold", InDoubtPolicy::Hold),
            ("resend_once", InDoubtPolicy::ResendOnce),
            ("resend", InDoubtPolicy::Resend),
        ];
        form::choice(text, &words)
    });
    let update = reader.text("alert.update", update_mode);
    let (ranges_read, keywords_read) = (ranges.as_ref(), keywords.as_ref());
    let beside =
        Beside { numbering, ranges: ranges_read, campaigns: campaigns.as_ref(), keywords: keywords_read, max_parts };
    let written = texts(reader, beside);
    let Written { texts, language, time_zone, clock } = written?;
    let mut policy = Policy {
        ranges: ranges?,
        keywords: keywords?,
        language,
        time_zone,
        clock,
        limits: limits?,
        in_doubt: in_doubt?,
        updates: Updates { usual: update?, by_smsc: BTreeMap::new() },
        campaigns: campaigns?,
        notify: notify?,
        self_service: self_service?,
        numbering: numbering.cloned(),
        ..Policy::new(service?, texts)
    };
    policy.texts.unmentioned = unmentioned(&policy);
    Some(policy)
}

/// What has keywords, and is switched off otherwise: help says nothing of it.
fn unmentioned(policy: &Policy) -> Vec<Action> {
    let notify = [Action::NotifyOn, Action::NotifyOff, Action::Hide, Action::Show];
    let notify = notify.into_iter().filter(|_| !policy.notify.on);
    notify.chain((!policy.self_service.copies).then_some(Action::Copy)).collect()
}

/// What a command needs that shows texts; other settings may be missing or wrong.
pub(super) fn writing(reader: &mut Reader) -> Option<Writing> {
    let numbering = numbering(reader);
    let campaigns = campaigns(reader);
    let ranges = ranges(reader, campaigns.as_ref());
    let keywords = keywords(reader);
    let max_parts = max_parts(reader);
    let beside = Beside {
        numbering: numbering.as_ref(),
        ranges: ranges.as_ref(),
        campaigns: campaigns.as_ref(),
        keywords: keywords.as_ref(),
        max_parts,
    };
    let Written { texts, language, time_zone, clock } = texts(reader, beside)?;
    Some(Writing { ranges: ranges?, keywords: keywords?, max_parts: max_parts?, texts, language, time_zone, clock })
}

fn max_parts(reader: &mut Reader) -> Option<usize> {
    reader.text("alert.max_parts", |text| form::count(text, 1, 10))
}

fn limits(reader: &mut Reader, max_parts: Option<usize>) -> Option<Limits> {
    let min_interval = time(reader, "alert.min_interval", Duration::ZERO, DAY);
    let update_wait = time(reader, "alert.update_wait", SECOND, DAY * 7);
    let resend_wait = time(reader, "alert.resend_wait", SECOND, DAY);
    let max_age = time(reader, "alert.max_age", MINUTE, DAY * 365);
    let daily_cap = reader.text("alert.daily_cap", |text| form::count(text, 1, 1000));
    let alert = time(reader, "alert.validity", MINUTE, LONGEST_VALIDITY);
    let teaser = time(reader, "teaser.validity", MINUTE, LONGEST_VALIDITY);
    let notice = time(reader, "reply.validity", MINUTE, LONGEST_VALIDITY);
    let notify = time(reader, "notify.validity", MINUTE, LONGEST_VALIDITY);
    let teaser_patience = time(reader, "teaser.patience", SECOND, DAY);
    let teaser_interval = time(reader, "teaser.interval", SECOND, DAY * 365);
    let offer_validity = time(reader, "teaser.offer_validity", SECOND, DAY * 365);
    let dedup_window = time(reader, "ingress.dedup_window", MINUTE, DAY * 7);
    let same_call = time(reader, "ingress.same_call", Duration::ZERO, MINUTE * 5);
    let reply_limit = reader.text("reply.limit", |text| form::count(text, 1, 1000));
    let reply_window = time(reader, "reply.window", MINUTE, HOUR * 24 * 7);
    Some(Limits {
        min_interval: min_interval?,
        update_wait: update_wait?,
        daily_cap: daily_cap?,
        validity: Validity { alert: alert?, teaser: teaser?, notice: notice?, notify: notify? },
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
