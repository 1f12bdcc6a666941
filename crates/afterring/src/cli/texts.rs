//! `afterring texts`: shows every text as phones would, and writes the shipped ones as files to start from.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use model::{Coding, Kind, split, units};
use routing::text::{Reader, SHIPPED, Sample, Text};
use routing::{CampaignName, RangeName};
use serde::Serialize;

use super::{OK, Preview, Terminal, UNAVAILABLE, USAGE, told};
use crate::config::{Sources, Writing};

/// Characters outside the GSM alphabet that a text may be rid of: more of them are a language.
const FEW: usize = 3;
/// Units over the parts before it that a text may be shortened by.
const NEARLY: usize = 15;

pub(super) fn preview(asked: &Preview, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let writing = match Writing::load(sources) {
        Ok(writing) => writing,
        Err(faults) => return told(&faults, terminal),
    };
    if let Some(problem) = unknown(asked, &writing) {
        writeln!(terminal.err, "{problem}")?;
        return Ok(USAGE);
    }
    let range = asked.range.clone().map(RangeName);
    let campaign = asked.campaign.clone().map(CampaignName);
    let terms = range.as_ref().and_then(|name| writing.ranges.iter().find(|range| range.name == *name));
    let terms = terms.map(|range| &range.terms);
    let languages: Vec<_> = match &asked.language {
        Some(language) => vec![language],
        None => writing.texts.languages().collect(),
    };
    for language in languages {
        let reader = Reader {
            language,
            time_zone: terms.and_then(|terms| terms.time_zone.as_deref()).unwrap_or(&writing.time_zone),
            clock: asked.clock.or_else(|| terms?.clock).unwrap_or(writing.clock),
            range: range.as_ref(),
            campaign: campaign.as_ref(),
        };
        for sample in writing.texts.samples(reader, &writing.keywords, writing.max_parts) {
            if asked.kind.is_none_or(|kind| kind == sample.kind) {
                show(&Shown::of(&sample, asked, language.as_str()), asked.json, terminal.out)?;
            }
        }
    }
    Ok(OK)
}

/// What is asked for and isn't there.
fn unknown(asked: &Preview, writing: &Writing) -> Option<String> {
    if let Some(language) = asked.language.as_ref().filter(|language| !writing.texts.speaks(language)) {
        return Some(format!(
            "--language: there are no texts in '{language}', only in {}",
            writing.texts.language_list()
        ));
    }
    let range = asked.range.as_ref().filter(|name| !writing.ranges.iter().any(|range| range.name.0 == **name));
    if let Some(range) = range {
        return Some(format!("--range: no range is called '{range}'"));
    }
    let campaign = asked.campaign.as_ref().filter(|name| !writing.texts.campaigns().any(|known| known.0 == **name));
    campaign.map(|campaign| format!("--campaign: no campaign called '{campaign}' has texts"))
}

/// A text, and what it takes.
#[derive(Serialize)]
struct Shown<'a> {
    kind: &'static str,
    name: &'a str,
    about: &'static str,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<&'a str>,
    text: &'a str,
    coding: &'static str,
    characters: usize,
    parts: usize,
    warnings: Vec<String>,
}

impl<'a> Shown<'a> {
    fn of(sample: &'a Sample, asked: &'a Preview, language: &'a str) -> Self {
        let segments = split(&sample.text);
        Self {
            kind: sample.kind.as_str(),
            name: &sample.name,
            about: Text::by_key(&sample.name).map_or("", Text::about),
            language,
            range: asked.range.as_deref(),
            campaign: asked.campaign.as_deref(),
            text: &sample.text,
            coding: coding(segments.coding),
            characters: sample.text.chars().count(),
            parts: segments.parts.len(),
            warnings: warnings(sample),
        }
    }
}

const fn coding(coding: Coding) -> &'static str {
    match coding {
        Coding::Gsm7 => "GSM 7-bit",
        Coding::Ucs2 => "UCS-2",
    }
}

fn show(shown: &Shown<'_>, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(shown)?);
    }
    let parts = counted(shown.parts);
    let name = format!("{} {}", shown.language, shown.name);
    writeln!(out, "{name} ({}, {} characters, {parts})", shown.coding, shown.characters)?;
    for line in shown.text.lines() {
        writeln!(out, "    {line}")?;
    }
    for warning in &shown.warnings {
        writeln!(out, "  ! {warning}")?;
    }
    writeln!(out)
}

fn counted(parts: usize) -> String {
    if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") }
}

/// What would make a text cheaper.
fn warnings(sample: &Sample) -> Vec<String> {
    let mut warnings = Vec::new();
    let (coding, taken) = units(&sample.text);
    let parts = split(&sample.text).parts.len();
    let mut wide: Vec<char> = sample.text.chars().filter(|c| Coding::Gsm7.units_of(*c).is_none()).collect();
    wide.sort_unstable();
    wide.dedup();
    if coding == Coding::Ucs2 && wide.len() <= FEW {
        let named: Vec<String> = wide.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c))).collect();
        let (named, them) = (named.join(", "), if wide.len() == 1 { "it" } else { "them" });
        let plain: String = sample.text.chars().map(|c| if wide.contains(&c) { ' ' } else { c }).collect();
        warnings.push(format!(
            "{named}: without {them} the text would be GSM 7-bit and take {} instead of {}",
            counted(split(&plain).parts.len()),
            counted(parts)
        ));
    }
    let before = match parts {
        0 | 1 => None,
        2 => Some(coding.single()),
        more => Some(coding.part() * (more - 1)),
    };
    if let Some(over) = before.map(|room| taken.saturating_sub(room)).filter(|over| (1..=NEARLY).contains(over)) {
        let units = if over == 1 { "1 character".to_owned() } else { format!("{over} characters") };
        warnings.push(format!("{units} shorter, it would take {} instead of {}", counted(parts - 1), counted(parts)));
    }
    if sample.kind == Kind::Teaser && parts > 1 {
        warnings.push(format!("a teaser of {parts} parts costs {parts} messages each time"));
    }
    warnings
}

/// Writes the shipped files where none of their names are.
pub(super) fn export(dir: &Path, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if let Err(error) = fs::create_dir_all(dir) {
        writeln!(terminal.err, "{}: {error}", dir.display())?;
        return Ok(UNAVAILABLE);
    }
    let mut code = OK;
    for (name, content) in SHIPPED {
        let path = dir.join(name);
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        match written {
            Ok(()) => writeln!(terminal.out, "{}", path.display())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                writeln!(terminal.err, "{}: is there already, and was left as it is", path.display())?;
                code = USAGE;
            }
            Err(error) => {
                writeln!(terminal.err, "{}: {error}", path.display())?;
                return Ok(UNAVAILABLE);
            }
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(kind: Kind, text: &str) -> Vec<String> {
        warnings(&Sample { kind, name: String::new(), text: text.to_owned() })
    }

    #[test]
    fn what_would_make_a_text_cheaper_is_said() {
        let quiet = |kind, text: &str| assert_eq!(warned(kind, text), Vec::<String>::new(), "{text}");
        quiet(Kind::Notice, "Plain.");
        quiet(Kind::Notice, "您有未接来电");
        quiet(Kind::Teaser, &"a".repeat(160));
        quiet(Kind::Notice, &"a".repeat(200));
        assert_eq!(
            warned(Kind::Notice, &format!("It\u{2019}s {}", "a".repeat(90))),
            ["\u{2019} (U+2019): without it the text would be GSM 7-bit and take 1 part instead of 2 parts"]
        );
        assert_eq!(
            warned(Kind::Teaser, &"a".repeat(163)),
            [
                "3 characters shorter, it would take 1 part instead of 2 parts",
                "a teaser of 2 parts costs 2 messages each time"
            ]
        );
        assert_eq!(
            warned(Kind::Detail, &"您有未接来电请回复查看".chars().cycle().take(67 * 2 + 1).collect::<String>()),
            ["1 character shorter, it would take 2 parts instead of 3 parts"]
        );
    }
}
