//! How calls are released, as it is written: `status/cause`, or `302/URI` for a redirect.

use std::collections::BTreeSet;

use ingress::sip::{Release, ReleaseTable};
use model::Reason;

use super::all;
use crate::config::fault::Problems;
use crate::config::form;
use crate::config::layer::Raw;

/// The status that redirects.
const REDIRECT: &str = "302";

/// `reason=release,…`: the defaults, with these instead.
pub(super) fn table(raw: &Raw) -> Result<ReleaseTable, Problems> {
    let given = all(form::list(raw, ','), |item| named(item).map_err(|problem| format!("{item:?}: {problem}").into()))?;
    let mut table = ReleaseTable::default();
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for (reason, release) in given {
        if !seen.insert(reason) {
            problems.push(format!("'{reason}' is given twice"));
        }
        table.set(reason, release);
    }
    if problems.is_empty() { Ok(table) } else { Err(Problems(problems)) }
}

fn named(item: &str) -> Result<(Reason, Release), String> {
    let (reason, release) =
        item.split_once('=').ok_or("not of the form reason=status/cause, such as busy=486/17, or reason=302/URI")?;
    let reason = Reason::parse(reason.trim())
        .ok_or("not a reason: busy, no_answer, unreachable, unconditional, rejected or unknown")?;
    Ok((reason, one(release)?))
}

/// `486/17`, or `302/sip:busy@announcements.example`; in a redirect `%3B` and `%2C` stand for a semicolon and a comma.
pub(super) fn one(text: &str) -> Result<Release, String> {
    let form = "not of the form status/cause, such as 486/17, or 302/URI, such as 302/sip:busy@announcements.example";
    let (status, rest) = text.split_once('/').ok_or(form)?;
    let (status, rest) = (status.trim(), rest.trim());
    if status == REDIRECT && !rest.bytes().all(|octet| octet.is_ascii_digit()) {
        return Release::redirect(&unescaped(rest)).map_err(|error| error.to_string());
    }
    let status = form::count(status, 0, 999).map_err(|_| "the status is not a number")?;
    let cause = form::count(rest, 0, u8::MAX).map_err(|_| "the Q.850 cause is not a number from 1 to 127")?;
    Release::new(status, cause).map_err(|error| error.to_string())
}

fn unescaped(uri: &str) -> String {
    let mut text = uri.to_owned();
    for (escape, sign) in [("%3B", ";"), ("%3b", ";"), ("%2C", ","), ("%2c", ",")] {
        text = text.replace(escape, sign);
    }
    text
}
