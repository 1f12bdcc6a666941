//! Whom teasers may go to, and what they carry.

use std::collections::BTreeSet;

use routing::{Campaigns, Ranges};

use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;
use crate::config::reader::Reader;

pub(super) fn campaigns(reader: &mut Reader) -> Option<Campaigns> {
    reader.take("campaigns", |raw| Campaigns::parse(&joined(raw)).map_err(|errors| told(&errors)))
}

/// The ranges, whose campaigns must be among `campaigns`; those are not known where they are at fault themselves.
pub(super) fn ranges(reader: &mut Reader, campaigns: Option<&Campaigns>) -> Option<Ranges> {
    reader.take("ranges", |raw| {
        let ranges = Ranges::parse(&joined(raw)).map_err(|errors| told(&errors))?;
        let unknown = campaigns.map(|campaigns| unknown(&ranges, campaigns)).unwrap_or_default();
        if unknown.is_empty() { Ok(ranges) } else { Err(Problems(unknown)) }
    })
}

/// A prefix has many spans, and is one range.
fn unknown(ranges: &Ranges, campaigns: &Campaigns) -> Vec<String> {
    let named = ranges.iter().flat_map(|range| range.terms.campaigns.iter().map(|campaign| (&range.name, campaign)));
    let unknown: BTreeSet<_> = named.filter(|(_, campaign)| !campaigns.has(campaign)).collect();
    let problem =
        |(range, campaign)| format!("range '{range}' has the campaign '{campaign}', which campaigns doesn't name");
    unknown.into_iter().map(problem).collect()
}

fn joined(raw: &Raw) -> String {
    form::list(raw, ';').join(";")
}

fn told<E: ToString>(errors: &[E]) -> Problems {
    let mut problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
    // Two prefixes overlap once for each length of number.
    problems.dedup();
    Problems(problems)
}
