//! How alerts are brought up to date at each SMSC, and what stands against `replace_if_present` there.

use std::collections::BTreeMap;

use model::{Address, Kind, SmscName, UpdateMode};
use routing::{Policy, Service};
use smpp_client::LinkSettings;

use super::form;
use crate::config::fault::Problems;
use crate::config::reader::Reader;

/// Alerts that are brought up to date by replacing.
const REPLACED: [Kind; 2] = [Kind::Detail, Kind::Fallback];
/// Messages that would be replaced by them where the SMSC can't tell them apart.
const OTHERS: [Kind; 3] = [Kind::Teaser, Kind::Notice, Kind::Notify];

/// A word.
pub(in crate::config) fn update_mode(text: &str) -> Result<UpdateMode, Problems> {
    let words = [
        ("auto", UpdateMode::Auto),
        ("replace", UpdateMode::Replace),
        ("cancel", UpdateMode::Cancel),
        ("replace_if_present", UpdateMode::ReplaceIfPresent),
        ("new", UpdateMode::New),
    ];
    form::choice(text, &words)
}

/// Takes what the URLs of SMSCs say into the policy, and tells what would replace the wrong message.
pub(in crate::config) fn take_updates(
    reader: &mut Reader,
    policy: &mut Policy,
    links: &[LinkSettings],
    by_smsc: BTreeMap<SmscName, UpdateMode>,
) {
    policy.updates.by_smsc = by_smsc;
    let replaces =
        |link: &&LinkSettings| policy.updates.mode(&link.smsc) == UpdateMode::ReplaceIfPresent && link.bind.transmits();
    let mut told: Vec<&SmscName> = Vec::new();
    for link in links.iter().filter(replaces) {
        let Some((kind, other)) = collision(&policy.service, link).filter(|_| !told.contains(&&link.smsc)) else {
            continue;
        };
        told.push(&link.smsc);
        let key = if policy.updates.by_smsc.contains_key(&link.smsc) { "smsc.urls" } else { "alert.update" };
        reader.fault(
            key,
            format!(
                "replace_if_present at {}: a {kind} would replace a {other} that waits for the same handset, since both have the same originator and \
                 service_type; give one of them its own originator (service.originator_{kind}), or its own service_type.{kind}= in the SMSC's URL",
                link.smsc
            ),
        );
    }
}

/// Two kinds of message that an SMSC can't tell apart, one of which is replaced.
fn collision(service: &Service, link: &LinkSettings) -> Option<(Kind, Kind)> {
    let service_type = |kind: Kind| &link.writing.of(kind).service_type;
    let pairs = REPLACED.into_iter().flat_map(|kind| OTHERS.map(|other| (kind, other)));
    pairs.into_iter().find(|(kind, other)| {
        service_type(*kind) == service_type(*other) && source(service, *kind) == source(service, *other)
    })
}

/// Where a message of a kind comes from that tells several calls, which is what an alert becomes by an update.
fn source(service: &Service, kind: Kind) -> Address {
    service.source(kind, &[], 2)
}
