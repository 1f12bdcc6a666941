//! What was found, and how it is told.

use std::io::{self, Write};

use serde::Serialize;

/// How it stands with one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    Warning,
    Fault,
    NotChecked,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
            Self::NotChecked => "not checked",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was looked at: `smsc`, `store`, …
    pub(super) check: &'static str,
    /// Which of them, and what of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) of: String,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, of: impl Into<String>, found: String) -> Self {
        Self { verdict: Verdict::Ok, check, of: of.into(), found, advice: None }
    }

    pub(super) fn warning(check: &'static str, of: impl Into<String>, found: String, advice: &str) -> Self {
        Self { verdict: Verdict::Warning, check, of: of.into(), found, advice: Some(advice.to_owned()) }
    }

    pub(super) fn fault(check: &'static str, of: impl Into<String>, found: String, advice: &str) -> Self {
        Self { verdict: Verdict::Fault, check, of: of.into(), found, advice: Some(advice.to_owned()) }
    }

    pub(super) fn unchecked(check: &'static str, of: impl Into<String>, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotChecked, check, of: of.into(), found: why.into(), advice: None }
    }
}

/// Tells findings as they come: some take seconds.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    json: bool,
    told: Vec<Verdict>,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Self { out, json, told: Vec::new() }
    }

    pub(super) fn tell(&mut self, finding: Finding) -> io::Result<()> {
        self.told.push(finding.verdict);
        if self.json {
            serde_json::to_writer(&mut *self.out, &finding)?;
            writeln!(self.out)?;
            return self.out.flush();
        }
        let Finding { verdict, check, of, found, advice } = finding;
        let what = if of.is_empty() { check.to_owned() } else { format!("{check} {of}") };
        let found = found.trim_end().replace('\n', "\n             ");
        writeln!(self.out, "{:<12} {what}: {found}", verdict.as_str())?;
        if let Some(advice) = advice {
            writeln!(self.out, "             → {advice}")?;
        }
        self.out.flush()
    }

    /// Sums up; gives the number of faults.
    pub(super) fn end(self) -> io::Result<usize> {
        let count = |verdict: Verdict| self.told.iter().filter(|told| **told == verdict).count();
        let faults = count(Verdict::Fault);
        if !self.json {
            let (ok, warnings, unchecked) = (count(Verdict::Ok), count(Verdict::Warning), count(Verdict::NotChecked));
            writeln!(self.out, "\n{ok} ok, {warnings} to look at, {faults} at fault, {unchecked} not checked")?;
        }
        Ok(faults)
    }
}
