//! What we write: the texts of alerts, teasers and answers, in the reader's language and local time.
//!
//! Texts are files of TOML (the shipped ones as well), read by [`Texts::read`] and checked by [`Texts::check`]. One table, [`Text`], says which there are and what may
//! stand in each; what a reader gets is the text of the campaign, else of the range, else of the language.

mod catalogue;
mod check;
mod file;
mod help;
mod preview;
mod sample;
mod template;
mod wording;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use model::{Language, Msisdn, Timestamp, split};

use crate::{Action, CampaignName, ClockFace, Keywords, RangeName, ReplyVerdict, Tally};

pub use catalogue::{PLACEHOLDERS, Text};
pub use check::{REQUIRABLE, Rules};
pub use file::{Fault, File, Scope};
pub use preview::{Preview, Source, Unknown, Wanted, Warning, counted};
pub use sample::Sample;
pub use template::{Template, TemplateError};
use wording::{Voice, Wording};

/// The files that are shipped: their names, and what is in them.
pub const SHIPPED: [(&str, &str); 2] =
    [("en.toml", include_str!("en.toml")), ("zh-CN.toml", include_str!("zh-CN.toml"))];

/// All texts, by language, range and campaign, and what they are filled with.
#[derive(Clone, Debug)]
pub struct Texts {
    /// Each complete.
    languages: BTreeMap<Language, Arc<Wording>>,
    ranges: BTreeMap<RangeName, BTreeMap<Language, Wording>>,
    campaigns: BTreeMap<CampaignName, BTreeMap<Language, Wording>>,
    /// English, for readers of a language that there are no texts in.
    fallback: Arc<Wording>,
    /// What one look at the list costs, as the operator words it; empty where it is free.
    pub fetch_price: String,
    /// What a subscription costs, as the operator words it; empty where it is free.
    pub subscribe_price: String,
    /// How numbers are written.
    pub numbers: NumberForm,
    /// Most parts of help; keywords that don't fit are left out, the last first.
    pub help_parts: usize,
    /// What help says nothing of, though it has keywords: it is switched off otherwise.
    pub unmentioned: Vec<Action>,
}

/// How numbers are written for readers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NumberForm {
    /// `+` and all digits, so that every phone can dial it and find the contact.
    International,
    /// Numbers of the own country as they are dialled within it; others with `+`.
    National {
        /// The own country code.
        country_code: String,
        /// What precedes a national number.
        prefix: String,
        /// Beginnings (with the country code) of numbers that nothing precedes.
        without_prefix: Vec<String>,
    },
}

/// For whom a text is written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Their language.
    pub language: &'a Language,
    /// Their time zone (IANA name); UTC where the name is unknown.
    pub time_zone: &'a str,
    /// How they read a clock.
    pub clock: ClockFace,
    /// The range they are in, and the campaign of their offer: texts may differ by them.
    pub range: Option<&'a RangeName>,
    /// The campaign.
    pub campaign: Option<&'a CampaignName>,
}

impl<'a> Reader<'a> {
    /// Somebody of whom only these are known.
    #[must_use]
    pub const fn new(language: &'a Language, time_zone: &'a str) -> Self {
        Self { language, time_zone, clock: ClockFace::TwentyFour, range: None, campaign: None }
    }
}

/// What is said beside the answers to replies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say {
    /// Alerts are held in a window of every day: `window`.
    PausedDaily,
    /// Asks whether copies are wanted: `number` is who would send them.
    CopyQuestion,
    /// To the one who asked: `number` agreed.
    CopyBegins,
    /// Above the calls of a copy: whose they are, `number`.
    CopyOf,
    /// Notify-me: `number` can be reached again since `time`.
    Reachable,
}

/// Whether a list answers a fetch or alerts a subscriber, or alerts while the database is abnormal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListKind {
    /// Database normal.
    Detail,
    /// Database abnormal.
    Fallback,
}

/// Why files of texts can't be used: every fault found.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Faults(pub Vec<Fault>);

impl Texts {
    /// Whether the files say the same, so that reading them anew changed nothing.
    #[must_use]
    pub fn same_words(&self, other: &Self) -> bool {
        self.languages == other.languages && self.ranges == other.ranges && self.campaigns == other.campaigns
    }

    /// The shipped texts, zh-CN and en.
    ///
    /// # Errors
    /// When one of them can't be used; a test proves that all can.
    pub fn shipped() -> Result<Self, Faults> {
        Self::read(&[])
    }

    /// Reads the operator's files over the shipped ones.
    ///
    /// # Errors
    /// With every fault found.
    pub fn read(files: &[File]) -> Result<Self, Faults> {
        let (languages, faults) = shipped();
        let mut faults = faults.clone();
        let mut texts = Self {
            languages: languages.clone(),
            ranges: BTreeMap::new(),
            campaigns: BTreeMap::new(),
            fallback: languages.get(&Language::en()).map(Arc::clone).unwrap_or_default(),
            fetch_price: String::new(),
            subscribe_price: String::new(),
            numbers: NumberForm::International,
            help_parts: 3,
            unmentioned: Vec::new(),
        };
        let usual = files.iter().filter(|file| file.scope == Scope::All);
        let scoped = files.iter().filter(|file| file.scope != Scope::All);
        for file in usual.chain(scoped) {
            texts.put(file, &mut faults);
        }
        faults.sort();
        if faults.is_empty() { Ok(texts) } else { Err(Faults(faults)) }
    }

    /// Puts an operator's file over what is there.
    fn put(&mut self, file: &File, faults: &mut Vec<Fault>) {
        let (wording, mut found) = file::read(file);
        let sound = found.is_empty();
        faults.append(&mut found);
        let mut fault = |problem: String| faults.push(Fault { place: file.name.clone(), key: String::new(), problem });
        let language = file.language.clone();
        let known = self.languages.get(&language);
        match (&file.scope, known) {
            (Scope::All, Some(below)) => {
                let wording = Arc::new(wording.over(below));
                if language == Language::en() {
                    self.fallback = wording.clone();
                }
                self.languages.insert(language, wording);
            }
            (Scope::All, None) => {
                let missing = missing(&wording);
                if sound && !missing.is_empty() {
                    fault(match self.differs_in_case(&language) {
                        Some(meant) => format!("did you mean {meant}.toml?"),
                        None => format!(
                            "a language that isn't shipped needs every text, and these are missing: {}; `afterring texts export` writes files to start from",
                            missing.join(", ")
                        ),
                    });
                }
                self.languages.insert(language, Arc::new(wording));
            }
            (Scope::Range(_) | Scope::Campaign(_), None) => fault(format!(
                "there are no texts in '{language}': write {language}.toml with every text first, or rename this file to a language there is ({})",
                self.language_list()
            )),
            (Scope::Range(name), Some(_)) => {
                self.ranges.entry(name.clone()).or_default().insert(language, wording);
            }
            (Scope::Campaign(name), Some(_)) => {
                self.campaigns.entry(name.clone()).or_default().insert(language, wording);
            }
        }
    }

    fn differs_in_case(&self, language: &Language) -> Option<&Language> {
        self.languages.keys().find(|known| known.as_str().eq_ignore_ascii_case(language.as_str()))
    }

    /// Whether there are texts in this language.
    #[must_use]
    pub fn speaks(&self, language: &Language) -> bool {
        self.languages.contains_key(language)
    }

    /// The languages there are texts in.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.languages.keys()
    }

    /// The same, as texts list them.
    #[must_use]
    pub fn language_list(&self) -> String {
        self.languages().map(Language::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The ranges that have texts of their own.
    pub fn ranges(&self) -> impl Iterator<Item = &RangeName> {
        self.ranges.keys()
    }

    /// The campaigns that have texts.
    pub fn campaigns(&self) -> impl Iterator<Item = &CampaignName> {
        self.campaigns.keys()
    }

    /// A number as texts show it.
    #[must_use]
    pub fn number(&self, number: Msisdn) -> String {
        self.numbers.write(number)
    }

    fn voice(&self, reader: Reader<'_>) -> Voice<'_> {
        let language = reader.language;
        Voice {
            campaign: reader.campaign.and_then(|name| self.campaigns.get(name)?.get(language)),
            range: reader.range.and_then(|name| self.ranges.get(name)?.get(language)),
            language: self.languages.get(language).unwrap_or(&self.fallback),
            clock: reader.clock,
            numbers: &self.numbers,
        }
    }

    /// The list of calls: each caller, the last time, the count; as many callers as fit into `max_parts`, the others as a number.
    #[must_use]
    pub fn list(&self, kind: ListKind, reader: Reader<'_>, told: &[Tally], more: u32, max_parts: usize) -> String {
        let voice = self.voice(reader);
        let zone = zone(reader.time_zone);
        let total = told.iter().fold(more, |sum, tally| sum.saturating_add(tally.count));
        let lines: Vec<String> = told.iter().map(|tally| voice.line(tally, &zone)).collect();
        let mut shown = lines.len();
        loop {
            let hidden = told.iter().skip(shown).fold(more, |sum, tally| sum.saturating_add(tally.count));
            let text = voice.list(kind, total, lines.get(..shown).unwrap_or(&lines), hidden);
            // One caller is shown whatever it takes: `check` proves that it fits for texts and numbers as long as they come.
            if shown <= 1 || split(&text).parts.len() <= max_parts {
                return text;
            }
            shown -= 1;
        }
    }

    /// The teaser: how many calls, the last time, and the offer. It is given no caller, so it can't tell one.
    #[must_use]
    pub fn teaser(&self, reader: Reader<'_>, count: u32, last_at: Timestamp, keywords: &Keywords) -> String {
        let voice = self.voice(reader);
        let time = voice.time(last_at, &zone(reader.time_zone));
        let text = if count == 1 { Text::TeaserOne } else { Text::TeaserMany };
        self.offer(voice, text, keywords, &count.to_string(), &time)
    }

    fn offer(&self, voice: Voice<'_>, text: Text, keywords: &Keywords, count: &str, time: &str) -> String {
        let campaign = self.fill(voice, voice.template(Text::Campaign), keywords, &[]);
        let values = [("count", count), ("time", time), ("campaign", campaign.as_str())];
        self.fill(voice, voice.template(text), keywords, &values)
    }

    /// The answer to a reply; `None` for verdicts that are answered by a list or not at all. `values` fill the placeholders that this verdict has.
    #[must_use]
    pub fn notice(
        &self,
        reader: Reader<'_>,
        verdict: ReplyVerdict,
        keywords: &Keywords,
        values: &[(&str, &str)],
    ) -> Option<String> {
        let voice = self.voice(reader);
        let one = values.iter().any(|(name, value)| *name == "number" && !value.is_empty());
        let text = answer(verdict, one)?;
        if text == Text::Help {
            return Some(self.help(voice, keywords));
        }
        Some(self.fill(voice, voice.template(text), keywords, values))
    }

    /// A text beside the answers to replies.
    #[must_use]
    pub fn say(&self, reader: Reader<'_>, what: Say, keywords: &Keywords, values: &[(&str, &str)]) -> String {
        let voice = self.voice(reader);
        let text = match what {
            Say::PausedDaily => Text::PausedDaily,
            Say::CopyQuestion => Text::CopyQuestion,
            Say::CopyBegins => Text::CopyBegins,
            Say::CopyOf => Text::CopyOf,
            Say::Reachable => Text::Reachable,
        };
        self.fill(voice, voice.template(text), keywords, values)
    }

    /// A time as this reader reads it.
    #[must_use]
    pub fn time(&self, reader: Reader<'_>, at: Timestamp) -> String {
        self.voice(reader).time(at, &zone(reader.time_zone))
    }

    fn fill(&self, voice: Voice<'_>, template: &Template, keywords: &Keywords, more: &[(&str, &str)]) -> String {
        let price = |text: &str| match text {
            "" => String::new(),
            text => voice.template(Text::Price).render(&[("price", text)]),
        };
        let (fetch_price, subscribe_price) = (price(&self.fetch_price), price(&self.subscribe_price));
        let mut values: Vec<(&str, &str)> =
            Action::ALL.iter().map(|action| (action.as_str(), keywords.shown(*action))).collect();
        values.extend([("fetch_price", fetch_price.as_str()), ("subscribe_price", subscribe_price.as_str())]);
        values.extend_from_slice(more);
        template.render(&values)
    }
}

/// The text that answers a reply; some have another form where it is about `one` number.
const fn answer(verdict: ReplyVerdict, one: bool) -> Option<Text> {
    Some(match verdict {
        ReplyVerdict::NoOffer => Text::NoOffer,
        ReplyVerdict::OfferExpired => Text::OfferExpired,
        ReplyVerdict::RefusedEarlier => Text::RefusedEarlier,
        ReplyVerdict::WrongKeyword => Text::WrongKeyword,
        ReplyVerdict::RateLimited => Text::RateLimited,
        ReplyVerdict::Deferred => Text::Deferred,
        ReplyVerdict::Refused => Text::Refused,
        ReplyVerdict::Subscribed => Text::Subscribed,
        ReplyVerdict::Unsubscribed => Text::Unsubscribed,
        ReplyVerdict::Help => Text::Help,
        ReplyVerdict::Suspended => Text::Suspended,
        ReplyVerdict::ConfirmationAsked => Text::ConfirmationAsked,
        ReplyVerdict::NothingToConfirm => Text::NothingToConfirm,
        ReplyVerdict::Paused => Text::Paused,
        ReplyVerdict::Resumed => Text::Resumed,
        ReplyVerdict::NotifyOn => Text::NotifyOn,
        ReplyVerdict::NotifyOff => Text::NotifyOff,
        ReplyVerdict::Hidden if one => Text::HiddenOne,
        ReplyVerdict::Hidden => Text::Hidden,
        ReplyVerdict::Shown if one => Text::ShownOne,
        ReplyVerdict::Shown => Text::Shown,
        ReplyVerdict::LanguageSet => Text::LanguageSet,
        ReplyVerdict::LanguageUnknown => Text::LanguageUnknown,
        ReplyVerdict::CopyAsked => Text::CopyAsked,
        ReplyVerdict::CopyAgreed => Text::CopyAgreed,
        ReplyVerdict::CopyEnded => Text::CopyEnded,
        ReplyVerdict::NotSubscribed => Text::NotSubscribed,
        ReplyVerdict::BadArgument => Text::BadArgument,
        ReplyVerdict::Granted | ReplyVerdict::AlreadyFetched | ReplyVerdict::NotOurNumber | ReplyVerdict::Waiting => {
            return None;
        }
    })
}

/// What the shipped files say, and what is wrong with them: nothing, as a test proves.
type Shipped = (BTreeMap<Language, Arc<Wording>>, Vec<Fault>);

/// The shipped files, read once: what is part of the program never changes.
fn shipped() -> &'static Shipped {
    static SHIPPED_TEXTS: LazyLock<Shipped> = LazyLock::new(|| {
        let (mut languages, mut faults) = (BTreeMap::new(), Vec::new());
        for ((name, content), language) in SHIPPED.into_iter().zip([Language::en(), Language::zh_cn()]) {
            let name = format!("shipped {name}");
            let file = File { name, scope: Scope::All, language: language.clone(), content: content.to_owned() };
            let (wording, mut found) = file::read(&file);
            faults.append(&mut found);
            languages.insert(language, Arc::new(wording));
        }
        (languages, faults)
    });
    &SHIPPED_TEXTS
}

/// The texts that a language lacks. A campaign is its own to word.
fn missing(wording: &Wording) -> Vec<&'static str> {
    Text::all().filter(|text| *text != Text::Campaign && wording.get(*text).is_none()).map(Text::key).collect()
}

/// A time zone by its IANA name; UTC for a name nobody knows (names are checked where they come in).
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// Whether this is the IANA name of a time zone.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// Days since 1970-01-01 in a person's own calendar.
#[must_use]
pub fn local_day(at: Timestamp, time_zone: &str) -> i32 {
    let zone = zone(time_zone);
    let offset = at.to_jiff().map_or(0, |at| zone.to_offset(at).seconds());
    let days = (at.as_millis() / 1000 + i64::from(offset)).div_euclid(24 * 3600);
    i32::try_from(days).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
