//! Every text filled with made-up values, for previews and checks.

use std::time::Duration;

use model::{Caller, Kind, Msisdn, Timestamp};

use super::catalogue::{CATALOGUE, Role};
use super::wording::Voice;
use super::{ListKind, Reader, Text, Texts, zone};
use crate::{ClockFace, Keywords, Tally};

/// A message filled with made-up values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sample {
    /// What kind of message it is.
    pub kind: Kind,
    /// The key of its text; of a list, that of its first line and what it shows.
    pub name: String,
    /// What a phone would show.
    pub text: String,
    /// The file and line where it was written; of a list, its first line.
    pub place: String,
}

/// 2026-11-23T08:05:00Z, a Monday.
const AT: Timestamp = Timestamp::from_millis(1_795_421_100_000);
/// Callers of the longest list that is shown.
const MANY: u64 = 20;
/// More calls than one person misses between two alerts.
pub(super) const MOST: u32 = 99_999;
/// The longest number, and the longest of the own country, for the space that callers take.
const LONGEST: u64 = 999_999_999_999_999;

impl Texts {
    /// Every message that this reader may get, of what is switched on.
    #[must_use]
    pub fn samples(&self, reader: Reader<'_>, keywords: &Keywords, max_parts: usize) -> Vec<Sample> {
        let mut samples = Vec::new();
        let voice = self.voice(reader);
        let place = |text: Text| voice.said(text).map_or_else(String::new, |said| said.place.clone());
        for (kind, list) in [(Kind::Fallback, ListKind::Fallback), (Kind::Detail, ListKind::Detail)] {
            for (name, told, more) in calls() {
                let text = self.list(list, reader, &told, more, max_parts);
                let total = told.iter().fold(more, |sum, tally| sum.saturating_add(tally.count));
                samples.push(Sample { kind, name: format!("{kind}, {name}"), text, place: place(list.head(total)) });
            }
        }
        for entry in &CATALOGUE {
            let Role::Message(kind) = entry.role else { continue };
            if entry.only_with.is_some_and(|action| keywords.shown(action).is_empty()) {
                continue;
            }
            let values = Values::typical(self, voice, reader.time_zone);
            samples.push(Sample {
                kind,
                name: entry.key.to_owned(),
                text: self.sample(voice, entry.text, keywords, &values),
                place: place(entry.text),
            });
        }
        samples
    }

    /// A message of its own, filled with these values.
    pub(super) fn sample(&self, voice: Voice<'_>, text: Text, keywords: &Keywords, values: &Values) -> String {
        match text {
            Text::TeaserOne => self.offer(voice, text, keywords, "1", &values.time),
            Text::TeaserMany => self.offer(voice, text, keywords, &values.count, &values.time),
            Text::Help => self.help(voice, keywords),
            text => {
                let filled = [
                    ("until", values.time.as_str()),
                    ("time", &values.time),
                    ("window", "22:00-07:00"),
                    ("number", &values.number),
                    ("languages", &values.languages),
                ];
                self.fill(voice, voice.template(text), keywords, &filled)
            }
        }
    }
}

/// What texts are filled with.
pub(super) struct Values {
    pub(super) count: String,
    pub(super) time: String,
    pub(super) number: String,
    languages: String,
}

impl Values {
    fn typical(texts: &Texts, voice: Voice<'_>, time_zone: &str) -> Self {
        Self {
            count: "3".to_owned(),
            time: voice.time(AT, &zone(time_zone)),
            number: number(1).map_or_else(String::new, |number| texts.number(number)),
            languages: texts.language_list(),
        }
    }

    /// The longest that comes: five digits of calls, the longest month and hour, the longest number.
    pub(super) fn longest(texts: &Texts, voice: Voice<'_>) -> Self {
        let numbers = [LONGEST, own(texts)].into_iter().filter_map(|number| Msisdn::try_from(number).ok());
        Self {
            count: MOST.to_string(),
            time: longest(hours().map(|at| voice.time(at, &zone("UTC")))),
            number: longest(numbers.map(|number| texts.number(number))),
            languages: texts.language_list(),
        }
    }
}

impl Voice<'_> {
    /// This voice with the face of the clock that takes more room.
    pub(super) fn wider(self) -> Self {
        let units = |voice: Self| longest(hours().map(|at| voice.time(at, &zone("UTC")))).chars().count();
        let (twelve, twenty_four) =
            (Self { clock: ClockFace::Twelve, ..self }, Self { clock: ClockFace::TwentyFour, ..self });
        if units(twelve) > units(twenty_four) { twelve } else { twenty_four }
    }
}

/// When the longest times of the year are: a morning and an evening of each month.
fn hours() -> impl Iterator<Item = Timestamp> {
    const NEW_YEAR: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    (0..12_u64).flat_map(|month| {
        let day = Duration::from_secs((month * 30 + 27) * 24 * 3600);
        [10_u64, 22].map(|hour| NEW_YEAR + day + Duration::from_secs(hour * 3600))
    })
}

fn longest(texts: impl Iterator<Item = String>) -> String {
    texts.max_by_key(|text| text.chars().count()).unwrap_or_default()
}

/// The longest number of the own country, where numbers are shown as they are dialled within it.
fn own(texts: &Texts) -> u64 {
    match &texts.numbers {
        super::NumberForm::International => LONGEST,
        super::NumberForm::National { country_code, .. } => {
            let digits = format!("{country_code:9<15}");
            digits.parse().unwrap_or(LONGEST)
        }
    }
}

fn number(last: u64) -> Option<Msisdn> {
    Msisdn::try_from(8_613_900_000_000 + last).ok()
}

fn tally(caller: Caller, count: u32, minutes: u64) -> Tally {
    Tally { caller, count, last_at: AT - Duration::from_secs(minutes * 60) }
}

/// Lists as they come: what each shows, the calls, and how many further ones there are.
fn calls() -> Vec<(&'static str, Vec<Tally>, u32)> {
    let caller = |last| number(last).map_or(Caller::Unknown, Caller::Number);
    vec![
        ("one call", vec![tally(caller(1), 1, 0)], 0),
        ("several callers", vec![tally(caller(1), 2, 40), tally(Caller::Withheld, 1, 12), tally(caller(2), 3, 0)], 0),
        (
            "more than fits",
            (0..MANY).map(|last| tally(caller(last), 1 + u32::from(last % 3 == 0), MANY - last)).collect(),
            5,
        ),
    ]
}
