//! Every text as a phone shows it, with what it takes on its way and where it was written: for the command line, the API and pages.

use std::fmt;

use model::{Coding, Kind, Language, split, units};
use serde::{Serialize, Serializer};

use super::{Reader, Text, Texts};
use crate::{CampaignName, ClockFace, Keywords, Policy, RangeName, Ranges};

/// Characters outside the GSM alphabet that a text may be rid of: more of them are a language.
const FEW: usize = 3;
/// Units over the parts before it that a text may be shortened by.
const NEARLY: usize = 15;

/// What texts are filled from, as the settings say.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The texts.
    pub texts: &'a Texts,
    /// The ranges, which may have texts and terms of their own.
    pub ranges: &'a Ranges,
    /// What people may text.
    pub keywords: &'a Keywords,
    /// Most parts of one message.
    pub max_parts: usize,
    /// For people of whom no other is known (IANA name).
    pub time_zone: &'a str,
    /// How times are written for people of whom nothing else is known.
    pub clock: ClockFace,
}

/// Which texts are wanted; what is absent is any, and of range and campaign none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// In this language only.
    pub language: Option<Language>,
    /// As people in this range get them.
    pub range: Option<RangeName>,
    /// As people get them whose teaser carries this campaign.
    pub campaign: Option<CampaignName>,
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// With times on this clock; else the range's, else the usual.
    pub clock: Option<ClockFace>,
}

/// What is asked for and isn't there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unknown {
    /// No texts in this language.
    #[error("there are no texts in '{language}', only in {known}")]
    Language {
        /// Which.
        language: Language,
        /// The languages there are.
        known: String,
    },
    /// No such range.
    #[error("no range is called '{0}'")]
    Range(RangeName),
    /// No such campaign.
    #[error("no campaign called '{0}' has texts")]
    Campaign(CampaignName),
}

impl Unknown {
    /// The name of what is asked for, as options and queries call it.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Language { .. } => "language",
            Self::Range(_) => "range",
            Self::Campaign(_) => "campaign",
        }
    }
}

/// A text, and what it takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Preview {
    /// What kind of message it is.
    #[serde(serialize_with = "kind_word")]
    pub kind: Kind,
    /// The key of its text; of a list, its kind and what it shows.
    pub name: String,
    /// What it is for; empty for lists.
    pub about: &'static str,
    /// In which language.
    #[serde(serialize_with = "written")]
    pub language: Language,
    /// As people in this range get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<RangeName>,
    /// As people get it whose teaser carries this campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignName>,
    /// What a phone shows.
    pub text: String,
    /// How it is coded: `GSM 7-bit` or `UCS-2`.
    pub coding: &'static str,
    /// Its characters.
    pub characters: usize,
    /// The parts that it is sent in.
    pub parts: usize,
    /// What would make it cheaper.
    #[serde(serialize_with = "sentences")]
    pub warnings: Vec<Warning>,
    /// The file and line where it was written; of a list, its first line.
    pub place: String,
}

/// What would make a text cheaper; it says so in English.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// Without a few characters it would be GSM 7-bit.
    Wide {
        /// These.
        characters: Vec<char>,
        /// The parts that it would take then.
        without: usize,
        /// The parts that it takes.
        parts: usize,
    },
    /// A few characters shorter, it would take a part less.
    Longish {
        /// So many.
        over: usize,
        /// The parts that it takes.
        parts: usize,
    },
    /// A teaser goes to many, and each part is a message.
    CostlyTeaser {
        /// The parts that it takes.
        parts: usize,
    },
}

impl Warning {
    /// Characters as they are named: themselves, and their place in Unicode.
    #[must_use]
    pub fn named(characters: &[char]) -> String {
        let named: Vec<String> = characters.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c))).collect();
        named.join(", ")
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wide { characters, without, parts } => {
                let them = if characters.len() == 1 { "it" } else { "them" };
                let (named, without, parts) = (Self::named(characters), counted(*without), counted(*parts));
                write!(f, "{named}: without {them} the text would be GSM 7-bit and take {without} instead of {parts}")
            }
            Self::Longish { over, parts } => {
                let units = if *over == 1 { "1 character".to_owned() } else { format!("{over} characters") };
                let (fewer, parts) = (counted(parts.saturating_sub(1)), counted(*parts));
                write!(f, "{units} shorter, it would take {fewer} instead of {parts}")
            }
            Self::CostlyTeaser { parts } => write!(f, "a teaser of {parts} parts costs {parts} messages each time"),
        }
    }
}

/// `1 part`, `2 parts`.
#[must_use]
pub fn counted(parts: usize) -> String {
    if parts == 1 { "1 part".to_owned() } else { format!("{parts} parts") }
}

impl<'a> Source<'a> {
    /// Those of a running gateway.
    #[must_use]
    pub fn of(policy: &'a Policy) -> Self {
        Self {
            texts: &policy.texts,
            ranges: &policy.ranges,
            keywords: &policy.keywords,
            max_parts: policy.limits.max_parts,
            time_zone: &policy.time_zone,
            clock: policy.clock,
        }
    }

    /// The texts that are wanted, by language, in the order of the documents.
    ///
    /// # Errors
    /// When a language, range or campaign is asked for that isn't there.
    pub fn previews(&self, wanted: &Wanted) -> Result<Vec<Preview>, Unknown> {
        self.check(wanted)?;
        let terms = wanted.range.as_ref().and_then(|name| self.ranges.iter().find(|range| range.name == *name));
        let terms = terms.map(|range| &range.terms);
        let languages = self.texts.languages().filter(|known| wanted.language.as_ref().is_none_or(|one| one == *known));
        let mut previews = Vec::new();
        for language in languages {
            let reader = Reader {
                language,
                time_zone: terms.and_then(|terms| terms.time_zone.as_deref()).unwrap_or(self.time_zone),
                clock: wanted.clock.or_else(|| terms?.clock).unwrap_or(self.clock),
                range: wanted.range.as_ref(),
                campaign: wanted.campaign.as_ref(),
            };
            let samples = self.texts.samples(reader, self.keywords, self.max_parts);
            let samples = samples.into_iter().filter(|sample| wanted.kind.is_none_or(|kind| kind == sample.kind));
            previews.extend(samples.map(|sample| {
                let segments = split(&sample.text);
                Preview {
                    kind: sample.kind,
                    about: Text::by_key(&sample.name).map_or("", Text::about),
                    language: language.clone(),
                    range: wanted.range.clone(),
                    campaign: wanted.campaign.clone(),
                    coding: coding(segments.coding),
                    characters: sample.text.chars().count(),
                    parts: segments.parts.len(),
                    warnings: warnings(sample.kind, &sample.text),
                    place: sample.place,
                    name: sample.name,
                    text: sample.text,
                }
            }));
        }
        Ok(previews)
    }

    fn check(&self, wanted: &Wanted) -> Result<(), Unknown> {
        let Wanted { language, range, campaign, kind: _, clock: _ } = wanted;
        if let Some(language) = language.as_ref().filter(|language| !self.texts.speaks(language)) {
            return Err(Unknown::Language { language: language.clone(), known: self.texts.language_list() });
        }
        let absent = |name: &&RangeName| !self.ranges.iter().any(|range| range.name == **name);
        if let Some(range) = range.as_ref().filter(absent) {
            return Err(Unknown::Range(range.clone()));
        }
        let absent = |name: &&CampaignName| !self.texts.campaigns().any(|known| known == *name);
        campaign.as_ref().filter(absent).map_or(Ok(()), |campaign| Err(Unknown::Campaign(campaign.clone())))
    }
}

const fn coding(coding: Coding) -> &'static str {
    match coding {
        Coding::Gsm7 => "GSM 7-bit",
        Coding::Ucs2 => "UCS-2",
    }
}

/// What would make a text cheaper.
fn warnings(kind: Kind, text: &str) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let (coding, taken) = units(text);
    let parts = split(text).parts.len();
    let mut wide: Vec<char> = text.chars().filter(|c| Coding::Gsm7.units_of(*c).is_none()).collect();
    wide.sort_unstable();
    wide.dedup();
    if coding == Coding::Ucs2 && wide.len() <= FEW {
        let plain: String = text.chars().map(|c| if wide.contains(&c) { ' ' } else { c }).collect();
        warnings.push(Warning::Wide { characters: wide, without: split(&plain).parts.len(), parts });
    }
    let before = match parts {
        0 | 1 => None,
        2 => Some(coding.single()),
        more => Some(coding.part() * (more - 1)),
    };
    if let Some(over) = before.map(|room| taken.saturating_sub(room)).filter(|over| (1..=NEARLY).contains(over)) {
        warnings.push(Warning::Longish { over, parts });
    }
    if kind == Kind::Teaser && parts > 1 {
        warnings.push(Warning::CostlyTeaser { parts });
    }
    warnings
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn kind_word<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

fn written<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn sentences<S: Serializer>(warnings: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(kind: Kind, text: &str) -> Vec<String> {
        warnings(kind, text).iter().map(ToString::to_string).collect()
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
