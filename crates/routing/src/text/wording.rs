//! The texts of one file or language, and how calls and times are written with them.

use jiff::tz::TimeZone;
use model::{Caller, Msisdn, Timestamp};

use super::catalogue::CATALOGUE;
use super::{ListKind, NumberForm, Template, Text};
use crate::{ClockFace, Tally};

/// A text, and where it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) template: Template,
    /// File and line.
    pub(super) place: String,
}

/// Some texts or all of them, by their place in the catalogue.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wording(Vec<Option<Said>>);

impl Wording {
    pub(super) fn put(&mut self, text: Text, said: Said) {
        self.0.resize(CATALOGUE.len(), None);
        if let Some(slot) = self.0.get_mut(text as usize) {
            *slot = Some(said);
        }
    }

    pub(super) fn get(&self, text: Text) -> Option<&Said> {
        self.0.get(text as usize)?.as_ref()
    }

    /// Puts these texts over those.
    pub(super) fn over(mut self, below: &Self) -> Self {
        self.0.resize(CATALOGUE.len(), None);
        for (slot, usual) in self.0.iter_mut().zip(&below.0) {
            if slot.is_none() {
                slot.clone_from(usual);
            }
        }
        self
    }
}

/// The texts that one reader gets: the campaign's, else the range's, else the language's.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) campaign: Option<&'a Wording>,
    pub(super) range: Option<&'a Wording>,
    pub(super) language: &'a Wording,
    pub(super) clock: ClockFace,
    pub(super) numbers: &'a NumberForm,
}

/// Says nothing; stands for a text that no file has, which only an optional one may be.
static NOTHING: Template = Template::nothing();

impl<'a> Voice<'a> {
    pub(super) fn said(self, text: Text) -> Option<&'a Said> {
        let of = |wording: Option<&'a Wording>| wording.and_then(|wording| wording.get(text));
        of(self.campaign).or_else(|| of(self.range)).or_else(|| self.language.get(text))
    }

    pub(super) fn template(self, text: Text) -> &'a Template {
        self.said(text).map_or(&NOTHING, |said| &said.template)
    }

    /// A text in which nothing stands for anything.
    fn word(self, text: Text) -> String {
        self.template(text).render(&[])
    }

    /// A time as this reader reads it.
    pub(super) fn time(self, at: Timestamp, zone: &TimeZone) -> String {
        let form = match self.clock {
            ClockFace::TwentyFour => Text::TimeFormat,
            ClockFace::Twelve => Text::TimeFormat12,
        };
        let morning = at.to_jiff().is_some_and(|at| at.to_zoned(zone.clone()).hour() < 12);
        let half = self.word(if morning { Text::Am } else { Text::Pm });
        written(self.template(form), &half, at, zone).unwrap_or_default()
    }

    /// How a caller is shown.
    fn caller(self, caller: &Caller) -> String {
        match caller {
            Caller::Number(number) => self.numbers.write(*number),
            Caller::Short(number) => number.as_str().to_owned(),
            Caller::Withheld => self.word(Text::Withheld),
            Caller::Unknown => self.word(Text::Unknown),
        }
    }

    /// A caller's line of a list.
    pub(super) fn line(self, tally: &Tally, zone: &TimeZone) -> String {
        let text = if tally.count == 1 { Text::LineOne } else { Text::LineMany };
        let (caller, time, count) =
            (self.caller(&tally.caller), self.time(tally.last_at, zone), tally.count.to_string());
        self.template(text).render(&[("caller", &caller), ("count", &count), ("time", &time)])
    }

    /// A list: its first line, callers' lines, and how many calls are not shown.
    pub(super) fn list(self, kind: ListKind, total: u32, lines: &[String], hidden: u32) -> String {
        let mut text = self.template(kind.head(total)).render(&[("count", &total.to_string())]);
        for line in lines {
            text.push('\n');
            text.push_str(line);
        }
        if hidden > 0 {
            text.push('\n');
            text.push_str(&self.template(Text::More).render(&[("count", &hidden.to_string())]));
        }
        text
    }
}

impl ListKind {
    /// The first line of a list of so many calls.
    pub(super) const fn head(self, total: u32) -> Text {
        match (self, total) {
            (Self::Detail, 1) => Text::DetailOne,
            (Self::Detail, _) => Text::DetailMany,
            (Self::Fallback, 1) => Text::FallbackOne,
            (Self::Fallback, _) => Text::FallbackMany,
        }
    }
}

/// A time in a form of strftime; `None` where it is none.
pub(super) fn written(form: &Template, half: &str, at: Timestamp, zone: &TimeZone) -> Option<String> {
    let form = form.render(&[("half", &half.replace('%', "%%"))]);
    jiff::fmt::strtime::format(&form, &at.to_jiff()?.to_zoned(zone.clone())).ok()
}

impl NumberForm {
    /// A number as readers see it.
    #[must_use]
    pub fn write(&self, number: Msisdn) -> String {
        let digits = number.reveal();
        let Self::National { country_code, prefix, without_prefix } = self else { return format!("+{digits}") };
        match digits.strip_prefix(country_code.as_str()) {
            Some(national) if without_prefix.iter().any(|beginning| digits.starts_with(beginning.as_str())) => {
                national.to_owned()
            }
            Some(national) => format!("{prefix}{national}"),
            None => format!("+{digits}"),
        }
    }
}
