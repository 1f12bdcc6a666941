//! Reads a story: every line is a sentence that the runner knows, or an error with its number. README.md lists the sentences.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Lines;

use anyhow::{Context as _, Result, bail, ensure};

use super::text;
use crate::world::SERVICE_CODE;

/// Where a story is played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// At the simulated SMSC.
    Simulator,
    /// At the foreign one that can change messages which it has.
    Node,
    /// At the foreign one that can't.
    Twisted,
}

/// A story as it is written.
#[derive(Clone, Debug)]
pub(super) struct Story {
    /// What it tells, in one line.
    pub(super) title: String,
    /// Where it is played.
    pub(super) places: Vec<Place>,
    /// Everybody in it: numbers by their names.
    pub(super) people: BTreeMap<String, String>,
    /// What happens, in order, each with its line.
    pub(super) steps: Vec<(usize, Step)>,
}

/// A missed call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Call {
    /// Whose number is told.
    pub(super) caller: String,
    /// Who missed it.
    pub(super) called: String,
    /// When, in the morning.
    pub(super) at: (i8, i8),
    /// Why, in the API's words.
    pub(super) reason: &'static str,
    /// Whether the caller hid the number.
    pub(super) withheld: bool,
}

/// A list of people that operators keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum List {
    /// Who must not be contacted.
    DoNotContact,
    /// Who consented.
    Consent,
    /// Who is a customer.
    Customers,
}

/// A message that a phone must show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    /// From which number.
    pub(super) from: String,
    /// In how many parts it came, where that is told.
    pub(super) parts: Option<usize>,
    /// What it says.
    pub(super) text: String,
}

/// What a phone must show beside what it showed before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shows {
    /// Whose phone.
    pub(super) number: String,
    /// In this order; none: nothing.
    pub(super) messages: Vec<Told>,
}

/// Something that happens, or must be so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// `Setting: KEY = value`
    Setting(String, String),
    /// `Text: campaigns/summer/en.toml: campaign = "Free."`: a line of a file of the operator's texts
    Text(String, String),
    /// `Anna is a subscriber: language en`: the API's fields and their values.
    Subscriber(String, Vec<(&'static str, String)>),
    /// `Anna is on the consent list`
    Listed(List, String),
    /// `Anna's phone is off`
    Switch(String, bool),
    /// `Ben calls Anna at 09:00, busy`
    Call(Call),
    /// `Anna texts: C`, to the first number
    Sms { from: String, to: String, text: String },
    /// `Anna's phone shows:`
    Shows(Shows),
    /// `Customer care sees for Anna: quota_full`
    Says(String, String),
    /// `The database dies`
    DatabaseDies,
    /// `The database returns`
    DatabaseReturns,
    /// `The gateway is killed`
    GatewayKilled,
    /// `The gateway starts again`
    GatewayStarts,
    /// `The SMSC can't change messages`
    UpdatesRefused,
    /// `61 seconds pass`
    Pass(u64),
    /// `Anna's data is erased`
    Erased(String),
}

impl Story {
    /// Reads one.
    ///
    /// # Errors
    /// With the number of the first line that isn't understood.
    pub(super) fn read(written: &str) -> Result<Self> {
        let mut lines = written.lines();
        let title = lines.next().and_then(|line| line.strip_prefix("# ")).context("line 1: the title, `# …`")?;
        let mut story =
            Self { title: title.to_owned(), places: Vec::new(), people: BTreeMap::new(), steps: Vec::new() };
        let mut lines = Numbered { lines: lines.peekable(), number: 1 };
        while let Some(line) = lines.next() {
            let number = lines.number;
            story.line(line.trim_end(), &mut lines).with_context(|| format!("line {number}: {line}"))?;
        }
        ensure!(!story.places.is_empty(), "no line says where it is played: `At: the simulator, node, twisted`");
        Ok(story)
    }

    fn line(&mut self, line: &str, lines: &mut Numbered<'_>) -> Result<()> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let number = lines.number;
        if let Some(places) = line.strip_prefix("At: ") {
            ensure!(self.places.is_empty(), "said before");
            self.places = places.split(", ").map(place).collect::<Result<_>>()?;
            return Ok(());
        }
        if let Some((name, digits)) = line.split_once(" is ")
            && digits.bytes().all(|digit| digit.is_ascii_digit())
        {
            ensure!(name.bytes().all(|letter| letter.is_ascii_alphabetic()), "a name is one word of letters");
            ensure!(self.people.insert(name.to_owned(), digits.to_owned()).is_none(), "{name} was named before");
            return Ok(());
        }
        if let Some(mut calls) = self.calls(line)? {
            self.steps.extend(calls.drain(..).map(|call| (number, Step::Call(call))));
            return Ok(());
        }
        let step = match self.of_a_phone(line, lines)? {
            Some(step) => step,
            None => self.sentence(line)?,
        };
        // What a phone shows is looked at as a whole, however it is told.
        match (self.steps.last_mut(), step) {
            (Some((_, Step::Shows(before))), Step::Shows(more)) if before.number == more.number => {
                ensure!(
                    !before.messages.is_empty() && !more.messages.is_empty(),
                    "the phone shows something, or nothing"
                );
                before.messages.extend(more.messages);
            }
            (_, step) => self.steps.push((number, step)),
        }
        Ok(())
    }

    /// A person's number by the name, or a number as it is.
    fn number(&self, name: &str) -> Result<String> {
        if name.len() >= 7 && name.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(name.to_owned());
        }
        self.people.get(name).cloned().with_context(|| format!("nobody is called {name}"))
    }

    fn sentence(&self, line: &str) -> Result<Step> {
        match line {
            "The database dies" => return Ok(Step::DatabaseDies),
            "The database returns" => return Ok(Step::DatabaseReturns),
            "The gateway is killed" => return Ok(Step::GatewayKilled),
            "The gateway starts again" => return Ok(Step::GatewayStarts),
            "The SMSC can't change messages" => return Ok(Step::UpdatesRefused),
            _ => {}
        }
        if let Some(setting) = line.strip_prefix("Setting: ") {
            let (key, value) = setting.split_once(" = ").context("of the form `Setting: KEY = value`")?;
            known(value)?;
            return Ok(Step::Setting(key.to_owned(), value.to_owned()));
        }
        if let Some(text) = line.strip_prefix("Text: ") {
            let (file, text) = text.split_once(": ").context("of the form `Text: en.toml: key = \"text\"`")?;
            let inside = !file.starts_with('/') && !file.contains("..");
            ensure!(inside && file.ends_with(".toml"), "a .toml file in the folder of texts");
            return Ok(Step::Text(file.to_owned(), text.to_owned()));
        }
        if let Some(count) = line.strip_suffix(" seconds pass") {
            return Ok(Step::Pass(count.parse().context("a whole number of seconds")?));
        }
        if let Some(seen) = line.strip_prefix("Customer care sees for ") {
            let (name, words) = seen.split_once(": ").context("of the form `…for Anna: words`")?;
            return Ok(Step::Says(self.number(name)?, words.to_owned()));
        }
        if let Some(name) = line.strip_suffix("'s data is erased") {
            return Ok(Step::Erased(self.number(name)?));
        }
        if let Some((name, list)) = line.strip_suffix(" list").and_then(|line| line.split_once(" is on the ")) {
            let list = match list {
                "do-not-contact" => List::DoNotContact,
                "consent" => List::Consent,
                "customers" => List::Customers,
                _ => bail!("there are the lists do-not-contact, consent and customers"),
            };
            return Ok(Step::Listed(list, self.number(name)?));
        }
        if let Some((name, more)) = line.split_once(" is a subscriber") {
            return Ok(Step::Subscriber(self.number(name)?, fields(more)?));
        }
        if let Some((head, said)) = line.split_once(": ")
            && let Some((name, to)) = head.split_once(" texts")
        {
            known(said)?;
            let to = if to.is_empty() { SERVICE_CODE } else { to.trim_start() };
            return Ok(Step::Sms { from: self.number(name)?, to: to.to_owned(), text: said.to_owned() });
        }
        bail!("no sentence that stories know; integration-tests/README.md lists them")
    }

    /// `Anna's phone …`
    fn of_a_phone(&self, line: &str, lines: &mut Numbered<'_>) -> Result<Option<Step>> {
        let Some((name, does)) = line.split_once("'s phone ") else { return Ok(None) };
        let number = self.number(name)?;
        let step = match does {
            "is off" => Step::Switch(number, false),
            "is on" => Step::Switch(number, true),
            "shows nothing new" => Step::Shows(Shows { number, messages: Vec::new() }),
            shows => {
                let how = shows.strip_prefix("shows").and_then(|shows| shows.strip_suffix(':'));
                let how = how.context("a phone `is off`, `is on`, `shows nothing new` or `shows:`")?;
                let (mut from, mut parts) = (SERVICE_CODE.to_owned(), None);
                for said in how.split(", ").skip(1) {
                    if let Some(number) = said.strip_prefix("from ") {
                        number.clone_into(&mut from);
                    } else {
                        let count = said.strip_prefix("in ").and_then(|said| said.strip_suffix(" parts"));
                        parts = Some(count.context("`from NUMBER` or `in N parts`")?.parse()?);
                    }
                }
                let told = |text| Told { from: from.clone(), parts, text };
                Step::Shows(Shows { number, messages: lines.messages()?.into_iter().map(told).collect() })
            }
        };
        Ok(Some(step))
    }

    /// `Ben calls Anna at 09:00, busy`, or `30 people from 8613911110001 call Anna from 09:00`, one a minute.
    fn calls(&self, line: &str) -> Result<Option<Vec<Call>>> {
        if let Some((count, rest)) = line.split_once(" people from ") {
            let (first, rest) = rest.split_once(" call ").context("`call`")?;
            let (called, from) = rest.split_once(" from ").context("`from` a time")?;
            let (count, first): (i8, u64) = (count.parse()?, first.parse()?);
            let (hour, minute) = time(from)?;
            let one = |n: i8| -> Result<Call> {
                let caller = (first + u64::try_from(n)?).to_string();
                let at = (hour, minute + n);
                ensure!(at.1 < 60, "more calls than the hour has minutes left");
                Ok(Call { caller, called: self.number(called)?, at, reason: "no_answer", withheld: false })
            };
            return (0..count).map(one).collect::<Result<_>>().map(Some);
        }
        let Some((caller, rest)) = line.split_once(" calls ") else { return Ok(None) };
        let (called, rest) = rest.split_once(" at ").context("`at` a time")?;
        let mut said = rest.split(", ");
        let at = time(said.next().unwrap_or_default())?;
        let (caller, called) = (self.number(caller)?, self.number(called)?);
        let mut call = Call { caller, called, at, reason: "no_answer", withheld: false };
        for word in said {
            match word {
                "busy" => call.reason = "busy",
                "no answer" => call.reason = "no_answer",
                "unreachable" => call.reason = "unreachable",
                "rejected" => call.reason = "rejected",
                "number withheld" => call.withheld = true,
                _ => bail!("a call is `busy`, `no answer`, `unreachable`, `rejected`, `number withheld`"),
            }
        }
        Ok(Some(vec![call]))
    }
}

/// Lines, and the number of the last one.
struct Numbered<'a> {
    lines: Peekable<Lines<'a>>,
    number: usize,
}

impl<'a> Numbered<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.number += 1;
        self.lines.next()
    }

    /// Messages in quotation marks, each on as many lines as it has, all indented.
    fn messages(&mut self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        while self.lines.peek().is_some_and(|line| line.starts_with("  \"")) {
            let mut text = self.next().unwrap_or_default()[3..].to_owned();
            while !text.ends_with('"') {
                let line = self.next().context("a message that doesn't end: a quotation mark is missing")?;
                let line = line.strip_prefix("   ");
                text = format!("{text}\n{}", line.context("the lines of a message are indented by three spaces")?);
            }
            text.pop();
            known(&text)?;
            texts.push(text);
        }
        ensure!(!texts.is_empty(), "the messages follow, each in quotation marks and indented");
        Ok(texts)
    }
}

fn known(text: &str) -> Result<()> {
    ensure!(text::is_known(text), "a placeholder that stories don't know");
    Ok(())
}

fn place(word: &str) -> Result<Place> {
    match word {
        "the simulator" => Ok(Place::Simulator),
        "node" => Ok(Place::Node),
        "twisted" => Ok(Place::Twisted),
        _ => bail!("stories are played at `the simulator`, `node` and `twisted`"),
    }
}

fn time(written: &str) -> Result<(i8, i8)> {
    let (hour, minute) = written.split_once(':').context("a time like 09:05")?;
    let (hour, minute) = (hour.parse()?, minute.parse()?);
    ensure!(
        (0..12).contains(&hour) && (0..60).contains(&minute),
        "no time of the morning, and in stories it is noon: {written}"
    );
    Ok((hour, minute))
}

/// What is said of a subscriber, in the API's words.
fn fields(said: &str) -> Result<Vec<(&'static str, String)>> {
    let said = match said {
        "" => return Ok(Vec::new()),
        said => said.strip_prefix(": ").context("`is a subscriber: language en, time zone Europe/Copenhagen`")?,
    };
    let one = |word: &str| {
        for (name, field) in [("language ", "language"), ("time zone ", "time_zone"), ("clock ", "clock")] {
            if let Some(value) = word.strip_prefix(name) {
                return Ok((field, value.to_owned()));
            }
        }
        bail!("of a subscriber: `language`, `time zone`, `clock`")
    };
    said.split(", ").map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# A title\nAt: the simulator, node\nAnna is 8613800000001\nBen is 8613900000001\n";

    fn steps(written: &str) -> Vec<Step> {
        let story = Story::read(&format!("{HEAD}{written}")).unwrap();
        story.steps.into_iter().map(|(_, step)| step).collect()
    }

    fn fault(written: &str) -> String {
        format!("{:#}", Story::read(&format!("{HEAD}{written}")).unwrap_err())
    }

    #[test]
    fn a_call_is_read() {
        let call = Call {
            caller: "8613900000001".to_owned(),
            called: "8613800000001".to_owned(),
            at: (9, 5),
            reason: "unreachable",
            withheld: true,
        };
        assert_eq!(steps("Ben calls Anna at 09:05, unreachable, number withheld"), [Step::Call(call)]);
        assert_eq!(steps("3 people from 8613911110001 call Anna from 09:00").len(), 3);
    }

    #[test]
    fn what_a_phone_shows_is_read() {
        let shown = Shows {
            number: "8613800000001".to_owned(),
            messages: [
                ("12600", Some(2), "1 missed call:\n+86 {today}"),
                ("12600", Some(2), "Second"),
                ("12599", None, "Third"),
            ]
            .map(|(from, parts, text)| Told { from: from.to_owned(), parts, text: text.to_owned() })
            .to_vec(),
        };
        let written = "Anna's phone shows, from 12600, in 2 parts:\n  \"1 missed call:\n   +86 {today}\"\n  \"Second\"\n\nAnna's phone shows:\n  \"Third\"";
        assert_eq!(steps(written), [Step::Shows(shown)]);
    }

    #[test]
    fn other_sentences_are_read() {
        assert_eq!(steps("Anna's phone is off"), [Step::Switch("8613800000001".to_owned(), false)]);
        assert_eq!(
            steps("Setting: RANGES = a=1*:2?x=1"),
            [Step::Setting("RANGES".to_owned(), "a=1*:2?x=1".to_owned())]
        );
        let text = Step::Sms { from: "8613800000001".into(), to: "12600".into(), text: "LANG: EN".into() };
        assert_eq!(steps("Anna texts 12600: LANG: EN"), [text]);
        assert_eq!(steps("\n# Nothing happens.\n61 seconds pass"), [Step::Pass(61)]);
    }

    #[test]
    fn an_unknown_line_is_told_with_its_number() {
        for (written, says) in [
            ("Ben rings Anna", "line 5"),
            ("\nCleo calls Anna at 09:00", "line 6"),
            ("Ben calls Anna at 09:00, sad", "line 5"),
            ("Ben calls Anna at 25:00", "no time of the morning"),
            ("Anna's phone shows:\nnothing", "line 5"),
            ("Anna's phone shows:\n  \"never ends", "line 5"),
            ("Anna's phone shows:\n  \"{tomorrow}\"", "placeholder"),
            ("Anna is on the guest list", "line 5"),
            ("Anna is 8613800000002", "named before"),
            ("  indented", "line 5"),
        ] {
            assert!(fault(written).contains(says), "{written}: {}", fault(written));
        }
        assert!(Story::read("Anna is 1").is_err() && Story::read("# A title\n").is_err());
    }
}
