//! What texts must satisfy before anything is sent with them.

use std::collections::BTreeSet;

use model::{Kind, split};

use super::catalogue::{self, CATALOGUE, Entry, Role};
use super::sample::{MOST, Values};
use super::wording::{Said, Voice};
use super::{Fault, ListKind, NumberForm, Text, Texts};
use crate::{ClockFace, Keywords};

/// What may be required of teasers, by the names of placeholders.
pub const REQUIRABLE: [&str; 5] = ["refuse", "fetch", "subscribe", "fetch_price", "subscribe_price"];

/// A number in a teaser with as many digits is taken for somebody's.
const NUMBER: usize = 7;

/// What texts are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// What people may text.
    pub keywords: &'a Keywords,
    /// Most parts a message may have.
    pub max_parts: usize,
    /// What every teaser must hold: some of [`REQUIRABLE`].
    pub required: &'a [&'static str],
}

impl Texts {
    /// What is wrong with the texts that could be sent, each told once.
    #[must_use]
    pub fn check(&self, rules: Rules<'_>) -> Vec<Fault> {
        let mut faults = BTreeSet::new();
        for (language, usual) in &self.languages {
            let ranges: Vec<_> = self.ranges.values().filter_map(|of| of.get(language)).collect();
            let campaigns: Vec<_> = self.campaigns.values().filter_map(|of| of.get(language)).collect();
            let voice = |range, campaign| {
                let numbers: &NumberForm = &self.numbers;
                Voice { campaign, range, language: usual, clock: ClockFace::TwentyFour, numbers }.wider()
            };
            // A person has a range or none and a campaign or none; only teasers are made with both of them.
            let alone = ranges.iter().map(|range| voice(Some(*range), None));
            let offered = campaigns.iter().map(|campaign| voice(None, Some(*campaign)));
            for voice in std::iter::once(voice(None, None)).chain(alone).chain(offered) {
                self.messages(voice, rules, &mut faults);
            }
            for range in &ranges {
                for campaign in &campaigns {
                    self.teasers(voice(Some(*range), Some(*campaign)), rules, &mut faults);
                }
            }
        }
        faults.into_iter().collect()
    }

    fn messages(&self, voice: Voice<'_>, rules: Rules<'_>, faults: &mut BTreeSet<Fault>) {
        let values = Values::longest(self, voice);
        for entry in &CATALOGUE {
            let Some(said) = voice.said(entry.text) else { continue };
            let sent = entry.only_with.is_none_or(|action| !rules.keywords.shown(action).is_empty());
            match entry.role {
                Role::Message(Kind::Teaser) => {}
                Role::Message(_) if sent => {
                    switched_off(entry, said, rules, faults);
                    let text = self.sample(voice, entry.text, rules.keywords, &values);
                    parts(entry.key, said, &text, rules, faults);
                }
                Role::Message(_) | Role::Piece(_) | Role::Line | Role::Word | Role::Mark | Role::Form => {}
            }
        }
        self.lists(voice, &values, rules, faults);
        self.teasers(voice, rules, faults);
    }

    /// A list must hold its first line, one caller and how many more there are.
    fn lists(&self, voice: Voice<'_>, values: &Values, rules: Rules<'_>, faults: &mut BTreeSet<Fault>) {
        let words = [Text::Withheld, Text::Unknown].map(|word| voice.template(word).render(&[]));
        let callers = words.iter().map(String::as_str).chain([values.number.as_str()]);
        for caller in callers {
            for text in [Text::LineOne, Text::LineMany] {
                let line = [("caller", caller), ("count", values.count.as_str()), ("time", values.time.as_str())];
                let lines = [voice.template(text).render(&line)];
                for (kind, head) in [(ListKind::Detail, Text::DetailMany), (ListKind::Fallback, Text::FallbackMany)] {
                    let list = voice.list(kind, MOST, &lines, MOST);
                    if let Some(said) = voice.said(head) {
                        parts(head.key(), said, &list, rules, faults);
                    }
                }
            }
        }
    }

    fn teasers(&self, voice: Voice<'_>, rules: Rules<'_>, faults: &mut BTreeSet<Fault>) {
        let values = Values::longest(self, voice);
        let campaign = voice.said(Text::Campaign);
        if let Some(said) = campaign {
            number(Text::Campaign, said, faults);
            switched_off(Text::Campaign.entry(), said, rules, faults);
        }
        for text in [Text::TeaserOne, Text::TeaserMany] {
            let Some(said) = voice.said(text) else { continue };
            number(text, said, faults);
            switched_off(text.entry(), said, rules, faults);
            parts(text.key(), said, &self.sample(voice, text, rules.keywords, &values), rules, faults);
            let of_campaign = campaign.filter(|_| said.template.placeholders().any(|name| name == "campaign"));
            let held: BTreeSet<&str> = said
                .template
                .placeholders()
                .chain(of_campaign.into_iter().flat_map(|said| said.template.placeholders()))
                .collect();
            for name in rules.required.iter().filter(|name| !held.contains(*name)) {
                let problem = format!("{{{name}}} is missing: put it in, or take it out of teaser.require");
                faults.insert(fault(text.key(), said, &problem));
            }
        }
    }
}

fn fault(key: &str, said: &Said, problem: &str) -> Fault {
    let shipped = said.place.starts_with("shipped ");
    let remedy = if shipped { " (this text is shipped: write another in the folder of text.dir)" } else { "" };
    Fault { place: said.place.clone(), key: key.to_owned(), problem: format!("{problem}{remedy}") }
}

/// A text must not take more parts than a message may have, even when filled with the longest that comes.
fn parts(key: &str, said: &Said, text: &str, rules: Rules<'_>, faults: &mut BTreeSet<Fault>) {
    let parts = split(text).parts.len();
    if parts > rules.max_parts {
        let most = rules.max_parts;
        let problem = format!("takes up to {parts} parts and may take {most}: shorten it, or raise alert.max_parts");
        faults.insert(fault(key, said, &problem));
    }
}

/// A text that could be sent must name no keyword that people can't text.
fn switched_off(entry: &Entry, said: &Said, rules: Rules<'_>, faults: &mut BTreeSet<Fault>) {
    for name in said.template.placeholders() {
        if catalogue::action(name).is_some_and(|action| rules.keywords.shown(action).is_empty()) {
            let problem = format!("names {{{name}}}, but keywords.{name} is empty: give a keyword, or take it out");
            faults.insert(fault(entry.key, said, &problem));
        }
    }
}

/// A teaser must not hold a number that somebody could be rung by.
fn number(text: Text, said: &Said, faults: &mut BTreeSet<Fault>) {
    let digit = |c: char| c.is_ascii_digit() || ('０'..='９').contains(&c);
    let longest = said.template.literals().flat_map(|text| text.split(|c| !digit(c))).map(|run| run.chars().count());
    if longest.max().unwrap_or(0) >= NUMBER {
        let problem =
            format!("holds a number of {NUMBER} or more digits: a teaser must not tell who called; take it out");
        faults.insert(fault(text.key(), said, &problem));
    }
}
