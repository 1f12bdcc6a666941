//! SMSCs as URLs: `smpp://system_id:password@host:2775?window=100&rate=0…`, and the links they stand for.
//!
//! ```text
//! URL ── url.rs: taken apart ── site.rs, tls.rs, dialect.rs: each parameter by its form (given.rs) ──► Site
//! Sites of one name are one SMSC ── here: they must agree, and their links are numbered on ──► LinkSettings
//! ```

mod dialect;
mod given;
mod parameters;
mod site;
mod tls;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use model::{Kind, Numbering, SmscName, UpdateMode};
use smpp_client::{LinkSettings, TraceSettings};

pub(super) use parameters::{Of, PARAMETERS};

use super::fault::Problems;
use super::layer::Raw;
use super::reader::Reader;
use super::{form, no_numbering};
use site::Site;
use url::items;

/// SMSCs: their links, and what is said of them beside.
#[derive(Debug)]
pub(super) struct Smscs {
    pub links: Vec<LinkSettings>,
    /// How alerts are brought up to date that they have, where that is said.
    pub updates: BTreeMap<SmscName, UpdateMode>,
}

/// Every SMSC; every key is read, also when one before it is wrong.
pub(super) fn smscs(reader: &mut Reader, numbering: Option<&Numbering>) -> Option<Smscs> {
    // Without a plan there are faults already, and nobody gets the links.
    let plan = numbering.cloned().unwrap_or_else(no_numbering);
    let smscs = reader.take("smsc.urls", |raw| of_urls(raw, &plan));
    let trace = trace(reader);
    let (mut smscs, trace) = (smscs?, trace?);
    for link in &mut smscs.links {
        link.trace.clone_from(&trace);
    }
    Some(smscs)
}

/// Where PDUs are written down.
fn trace(reader: &mut Reader) -> Option<Option<TraceSettings>> {
    let dir = reader.text("smsc.trace", |text| Ok((!text.is_empty()).then(|| PathBuf::from(text))));
    let words = [("true", true), ("false", false)];
    let numbers = reader.text("smsc.trace_numbers", |text| form::choice(text, &words));
    let file_size = reader.text("smsc.trace_file_size", |text| form::octets(text, 64 * 1024, 1024 * 1024 * 1024));
    let files = reader.text("smsc.trace_files", |text| form::count(text, 1, 1000));
    let (dir, numbers, file_size, files) = (dir?, numbers?, u64::try_from(file_size?).ok()?, files?);
    Some(dir.map(|dir| TraceSettings { dir, file_size, files, numbers }))
}

/// The links of the URLs of a value.
fn of_urls(raw: &Raw, numbering: &Numbering) -> Result<Smscs, Problems> {
    let urls = items(raw);
    let mut problems = Vec::new();
    let which =
        |place: usize| if urls.len() == 1 { String::new() } else { format!("SMSC {place} of {}: ", urls.len()) };
    let mut sites: Vec<Site> = Vec::with_capacity(urls.len());
    for (place, url) in (1..).zip(&urls) {
        let found = match Site::read(url, numbering) {
            Ok(site) => {
                let mut found: Vec<String> =
                    site.link.tls.iter().flat_map(|of| tls::check(of, &site.link.host)).collect();
                found.extend(sites.iter().find_map(|before| disagreement(before, &site)));
                sites.push(site);
                found
            }
            Err(Problems(found)) => found,
        };
        problems.extend(found.into_iter().map(|problem| format!("{}{problem}", which(place))));
    }
    if problems.is_empty() {
        problems.extend(without_receiver(&sites));
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let updates = sites.iter().filter_map(|site| Some((site.link.smsc.clone(), site.update?))).collect();
    Ok(Smscs { links: numbered(&sites), updates })
}

/// Why a URL can't stand after another one.
fn disagreement(before: &Site, site: &Site) -> Option<String> {
    if site.link.outbind.is_some() && site.link.outbind == before.link.outbind {
        return Some("outbind is the address of a URL before it: each needs its own".to_owned());
    }
    if site.link.smsc != before.link.smsc {
        return None;
    }
    if !(site.named && before.named) {
        let hint = "the same where they are one SMSC, else different ones";
        return Some(format!("a URL before it has the same host and port: give both a name, {hint}"));
    }
    let mut differences = dialect::differences(&before.link, &site.link);
    differences.extend((before.update != site.update).then_some("update"));
    (!differences.is_empty()).then(|| {
        let hint = "URLs of one name are one SMSC, so both must say the same";
        format!("{} differs from a URL before it with the same name: {hint}", differences.join(", "))
    })
}

/// SMSCs of which receipts are asked for that can't come.
fn without_receiver(sites: &[Site]) -> Vec<String> {
    let receiving: BTreeSet<_> =
        sites.iter().filter(|site| site.shape.receives()).map(|site| &site.link.smsc).collect();
    let asks = |site: &&Site| Kind::ALL.iter().any(|kind| site.link.writing.of(*kind).registered_delivery != 0);
    let deaf: BTreeSet<&SmscName> =
        sites.iter().filter(asks).map(|site| &site.link.smsc).filter(|smsc| !receiving.contains(smsc)).collect();
    let told = |smsc: &SmscName| {
        format!(
            "{smsc} has transmitters only, so its receipts and replies would never come: use bind=pair, add a URL of the same name with bind=receiver, \
             or ask for no receipts with registered_delivery=0"
        )
    };
    deaf.into_iter().map(told).collect()
}

fn numbered(sites: &[Site]) -> Vec<LinkSettings> {
    let mut taken: BTreeMap<(&SmscName, &str), u32> = BTreeMap::new();
    let mut links = Vec::new();
    for site in sites {
        links.extend(site.links(|prefix| taken.get(&(&site.link.smsc, prefix)).copied().unwrap_or_default()));
        for (prefix, _) in site.shape.binds() {
            *taken.entry((&site.link.smsc, prefix)).or_default() += site.binds;
        }
    }
    links
}

/// The URLs without their passwords; `***` for one that can't be used, since nobody knows where its password is.
pub(super) fn hidden(raw: &Raw) -> Vec<String> {
    let shown = |url: &str| Site::read(url, &no_numbering()).ok().and_then(|_| url::without_password(url));
    items(raw).into_iter().map(|url| shown(url).unwrap_or_else(|| "***".to_owned())).collect()
}

#[cfg(test)]
mod tests;
