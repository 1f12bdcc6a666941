//! Files of texts: TOML, one key for each text, read with every fault told by file, line and key.

use std::fmt;

use jiff::tz::TimeZone;
use model::{Language, Timestamp};

use super::catalogue::{CATALOGUE, Role};
use super::wording::{Said, Wording, written};
use super::{Template, Text};
use crate::{CampaignName, RangeName};

/// For whom a file's texts are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// Everybody who reads the language.
    All,
    /// People in a range.
    Range(RangeName),
    /// People whose offer carries a campaign.
    Campaign(CampaignName),
}

/// A file of texts, as it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// What it is called in faults.
    pub name: String,
    /// For whom its texts are.
    pub scope: Scope,
    /// In which language.
    pub language: Language,
    /// What is in it.
    pub content: String,
}

/// What is wrong with a text, and what to do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fault {
    /// The file, and the line where there is one: `ranges/north/en.toml:12`.
    pub place: String,
    /// The key; empty where the fault is the file's.
    pub key: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.problem),
            key => write!(f, "{}: {key}: {}", self.place, self.problem),
        }
    }
}

/// Longest text: more than any message takes, and bounds what a file can make of memory.
const LONGEST: usize = 2000;

/// Reads a file: the texts in it, and what is wrong with the others.
pub(super) fn read(file: &File) -> (Wording, Vec<Fault>) {
    let mut wording = Wording::default();
    let mut faults = Vec::new();
    let place = |offset: usize| format!("{}:{}", file.name, line(&file.content, offset));
    let (table, errors) = toml::de::DeTable::parse_recoverable(&file.content);
    for error in errors {
        let place = place(error.span().map_or(0, |span| span.start));
        let problem = format!("not TOML: {}; write key = \"text\"", error.message());
        faults.push(Fault { place, key: String::new(), problem });
    }
    for (key, value) in table.get_ref() {
        let place = place(key.span().start);
        let name = key.get_ref().to_string();
        let read = match (Text::by_key(&name), value.get_ref()) {
            (None, _) => Err(unknown(&name)),
            (Some(_), value) if value.as_str().is_none() => {
                Err("not a text: put it in quotes, and below no [section]".to_owned())
            }
            (Some(text), value) => template(text, value.as_str().unwrap_or_default()).map(|template| (text, template)),
        };
        match read {
            Ok((text, template)) => wording.put(text, Said { template, place }),
            Err(problem) => faults.push(Fault { place, key: name, problem }),
        }
    }
    (wording, faults)
}

/// Reads one text.
fn template(text: Text, written: &str) -> Result<Template, String> {
    let entry = text.entry();
    if written.chars().count() > LONGEST {
        return Err(format!("longer than {LONGEST} characters"));
    }
    if let Some(character) = written.chars().find(|c| c.is_control() && *c != '\n') {
        return Err(format!("holds the control character U+{:04X}: take it out", u32::from(character)));
    }
    let template = Template::parse(written, &entry.placeholders()).map_err(|error| error.to_string())?;
    match entry.role {
        Role::Form => form(&template)?,
        Role::Message(_) | Role::Line | Role::Word if written.trim().is_empty() => {
            return Err("empty: take the key out to keep the usual text, or write one".to_owned());
        }
        Role::Message(_) | Role::Piece(_) | Role::Line | Role::Word | Role::Mark => {}
    }
    Ok(template)
}

/// Whether a time can be written so.
fn form(template: &Template) -> Result<(), String> {
    match written(template, "", Timestamp::from_millis(0), &TimeZone::UTC) {
        Some(time) if !time.trim().is_empty() => Ok(()),
        Some(_) => Err("empty: write letters of strftime, such as %m-%d %H:%M".to_owned()),
        None => Err("not a form of time: write letters of strftime, such as %m-%d %H:%M".to_owned()),
    }
}

fn unknown(key: &str) -> String {
    let near = CATALOGUE.iter().map(|entry| (distance(entry.key, key), entry.key)).min();
    match near {
        Some((distance, near)) if distance <= 2 => format!("no text has this key; did you mean {near}?"),
        Some(_) | None => "no text has this key; docs/texts.md lists them".to_owned(),
    }
}

/// How many letters must be changed, put in or taken out to make one word the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((to, kept), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = kept + usize::from(from != *to);
            next.push(changed.min(above + 1).min(next.last().map_or(usize::MAX, |left| left + 1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(content: &str) -> Vec<String> {
        let file = File {
            name: "en.toml".to_owned(),
            scope: Scope::All,
            language: Language::en(),
            content: content.to_owned(),
        };
        read(&file).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_fault_is_told_by_line_and_key() {
        let content = "refused = \"\"\nteaser_one = \"{caller} rang\"\nrefusd = \"x\"\nwhat = \"x\"\nhelp = 5\n\
                       time_format = \"%Q5 %\"\nno_offer = \"a\\tb\"\nmore = \"{count\"\n";
        let faults = faults(content);
        let expected = [
            ("en.toml:5: help: ", "put it in quotes"),
            ("en.toml:8: more: ", "a brace without its partner"),
            ("en.toml:7: no_offer: ", "U+0009"),
            ("en.toml:3: refusd: ", "did you mean refused?"),
            ("en.toml:1: refused: ", "empty"),
            ("en.toml:2: teaser_one: ", "unknown placeholder {caller}: known here are {count}, {time}, {campaign}"),
            ("en.toml:6: time_format: ", "%m-%d %H:%M"),
            ("en.toml:4: what: ", "docs/texts.md"),
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, (place, problem)) in faults.iter().zip(expected) {
            assert!(fault.starts_with(place) && fault.contains(problem), "{fault}");
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_with_its_line() {
        let faults = faults("refused = \"No more.\"\nhelp = unquoted\n[section]\nrefused = \"x\"\n");
        assert!(faults.iter().any(|fault| fault.starts_with("en.toml:2: not TOML")), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.starts_with("en.toml:3: section: ")), "{faults:?}");
    }

    #[test]
    fn words_are_as_far_apart_as_their_letters() {
        assert_eq!(
            (distance("refused", "refusd"), distance("a", "a"), distance("", "ab"), distance("ab", "ba")),
            (1, 0, 2, 2)
        );
    }
}
