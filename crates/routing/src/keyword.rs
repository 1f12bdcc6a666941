//! What people text: normalised, and matched with the operator's keywords.

use std::collections::BTreeMap;

/// Characters of a line that are read for a keyword and what follows it; no request is as long.
const LONGEST: usize = 60;

/// What a keyword asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    /// The list of calls.
    Fetch,
    /// To be registered.
    Subscribe,
    /// No longer to be registered.
    Unsubscribe,
    /// Never a teaser again.
    Refuse,
    /// The keywords.
    Help,
    /// Yes: to what we asked.
    Confirm,
    /// Hold alerts for some hours, or in a window of every day.
    Pause,
    /// No longer hold them.
    Resume,
    /// To be told when somebody whom they rang can be reached again.
    NotifyOn,
    /// Not to be told.
    NotifyOff,
    /// Not to let others know that they can be reached again: all, or one number.
    Hide,
    /// To let them know again.
    Show,
    /// Another language.
    Language,
    /// Copies of their alerts to another number, or no more.
    Copy,
}

impl Action {
    /// Every action, in the order of the documents.
    pub const ALL: [Self; 14] = [
        Self::Fetch,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Refuse,
        Self::Help,
        Self::Confirm,
        Self::Pause,
        Self::Resume,
        Self::NotifyOn,
        Self::NotifyOff,
        Self::Hide,
        Self::Show,
        Self::Language,
        Self::Copy,
    ];

    /// The word used in settings and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Refuse => "refuse",
            Self::Help => "help",
            Self::Confirm => "confirm",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::NotifyOn => "notify_on",
            Self::NotifyOff => "notify_off",
            Self::Hide => "hide",
            Self::Show => "show",
            Self::Language => "language",
            Self::Copy => "copy",
        }
    }

    /// Whether something may follow the keyword: hours, a number, a language.
    const fn takes_argument(self) -> bool {
        match self {
            Self::Pause | Self::Hide | Self::Show | Self::Language | Self::Copy => true,
            Self::Fetch
            | Self::Subscribe
            | Self::Unsubscribe
            | Self::Refuse
            | Self::Help
            | Self::Confirm
            | Self::Resume
            | Self::NotifyOn
            | Self::NotifyOff => false,
        }
    }

    /// Whether it makes a person pay, or get what they got not before: then nothing else may be written beside it.
    const fn binds(self) -> bool {
        matches!(self, Self::Subscribe | Self::Confirm)
    }

    /// The keywords that are shipped.
    #[must_use]
    pub const fn defaults(self) -> &'static [&'static str] {
        match self {
            Self::Fetch => &["C", "查"],
            Self::Subscribe => &["KT", "ON"],
            Self::Unsubscribe => &["QX", "OFF"],
            Self::Refuse => &["R", "2", "STOP", "T", "TD"],
            Self::Help => &["HELP", "?"],
            Self::Confirm => &["YES", "Y", "是"],
            Self::Pause => &["PAUSE", "ZT"],
            Self::Resume => &["RESUME", "HF"],
            Self::NotifyOn => &["NOTIFY ON", "TXKQ"],
            Self::NotifyOff => &["NOTIFY OFF", "TXGB"],
            Self::Hide => &["HIDE", "YC"],
            Self::Show => &["SHOW", "XS"],
            Self::Language => &["LANG", "YY"],
            Self::Copy => &["COPY", "FS"],
        }
    }
}

/// Why keywords can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeywordError {
    /// An action has none.
    #[error("no keyword for '{0}': give at least one")]
    None(&'static str),
    /// Nothing is left of a keyword when it is normalised.
    #[error("'{0}' is not a keyword: it has no letter, digit or ?")]
    Empty(String),
    /// One keyword is given for two actions.
    #[error("'{0}' is a keyword of both '{1}' and '{2}'")]
    Twice(String, &'static str, &'static str),
}

/// What a text asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What.
    pub action: Action,
    /// What follows the keyword, in ASCII forms and upper case, without the marks around it; empty where nothing does.
    pub argument: String,
}

/// The operator's keywords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keywords {
    by_text: BTreeMap<String, Action>,
    /// The same by how they look; `None` where two look alike and do different things.
    by_look: BTreeMap<String, Option<Action>>,
    shown: BTreeMap<Action, String>,
}

impl Keywords {
    /// Takes the keywords of each action; the first of each is the one shown in texts.
    ///
    /// # Errors
    /// With every fault found.
    pub fn new(given: &BTreeMap<Action, Vec<String>>) -> Result<Self, Vec<KeywordError>> {
        let mut faults = Vec::new();
        let mut keywords = Self::none();
        for action in Action::ALL {
            let words = given.get(&action).map_or(&[][..], Vec::as_slice);
            match words.first() {
                Some(first) => drop(keywords.shown.insert(action, first.clone())),
                // What nobody can ask for is switched off; these five are what the service is.
                None if action <= Action::Help => faults.push(KeywordError::None(action.as_str())),
                None => {}
            }
            for word in words {
                let text = normalise(word);
                if text.is_empty() {
                    faults.push(KeywordError::Empty(word.clone()));
                    continue;
                }
                if let Some(other) = keywords.by_text.insert(text, action)
                    && other != action
                {
                    faults.push(KeywordError::Twice(word.clone(), other.as_str(), action.as_str()));
                }
            }
        }
        for (text, action) in &keywords.by_text {
            let same = |known: &mut Option<Action>| *known = known.filter(|known| known == action);
            keywords.by_look.entry(looks(text)).and_modify(same).or_insert(Some(*action));
        }
        if faults.is_empty() { Ok(keywords) } else { Err(faults) }
    }

    const fn none() -> Self {
        Self { by_text: BTreeMap::new(), by_look: BTreeMap::new(), shown: BTreeMap::new() }
    }

    /// The shipped keywords.
    #[must_use]
    pub fn shipped() -> Self {
        let given = Action::ALL.map(|action| (action, action.defaults().iter().map(|w| (*w).to_owned()).collect()));
        Self::new(&BTreeMap::from(given)).unwrap_or(Self::none())
    }

    /// What a text asks for that is a keyword as a whole, whatever its spaces, case, width and punctuation. A letter of another alphabet that looks the
    /// same counts as the same (С is typed for C), unless the operator gave it a meaning of its own.
    #[must_use]
    pub fn action(&self, text: &str) -> Option<Action> {
        let text = normalise(text);
        self.by_text.get(&text).copied().or_else(|| self.by_look.get(&looks(&text)).copied().flatten())
    }

    /// What a text asks for: a keyword as a whole; or one with what follows it, after a space or as something of another kind (`PAUSE8`, `暂停8`); or its
    /// first line, if the others are the signature that some phones add. What binds a person counts so only above a line of dashes, which nothing but
    /// a signature follows.
    #[must_use]
    pub fn request(&self, text: &str) -> Option<Request> {
        if let Some(action) = self.action(text) {
            return Some(Request { action, argument: String::new() });
        }
        let mut lines = text.lines().map(tidy).filter(|line| !line.is_empty());
        let (first, second) = (lines.next()?, lines.next());
        let Some(second) = second else { return self.with_argument(&first) };
        let signed = second.len() > 1 && second.chars().all(|c| matches!(c, '-' | '_'));
        let alone = self.action(&first).map(|action| Request { action, argument: String::new() });
        alone.or_else(|| self.with_argument(&first)).filter(|request| signed || !request.action.binds())
    }

    /// The longest keyword that a line begins with and that something may follow.
    fn with_argument(&self, line: &str) -> Option<Request> {
        let spaces = line.match_indices(' ').map(|(place, _)| place).rev();
        let word = line.find(' ').unwrap_or(line.len());
        let characters: Vec<(usize, char)> = line.char_indices().take_while(|(place, _)| *place < word).collect();
        let kinds = characters.windows(2).rev().filter_map(|pair| match pair {
            [(_, before), (place, after)] if kind(*before) != kind(*after) => Some(*place),
            _ => None,
        });
        spaces.chain(kinds).find_map(|place| {
            let (keyword, rest) = line.split_at(place);
            let action = self.action(keyword).filter(|action| action.takes_argument())?;
            let argument = argument(rest);
            (!argument.is_empty()).then_some(Request { action, argument })
        })
    }

    /// The keyword that texts show for an action.
    #[must_use]
    pub fn shown(&self, action: Action) -> &str {
        self.shown.get(&action).map_or("", String::as_str)
    }
}

/// A text as it is compared: full-width forms made ASCII, upper case, letters, digits and `?` only (spaces, punctuation, quotes, NUL, marks and
/// emoji fall away), at most 40 characters of it.
#[must_use]
pub fn normalise(text: &str) -> String {
    text.chars()
        .map(narrow)
        .flat_map(char::to_uppercase)
        .filter(|c| c.is_alphanumeric() || *c == '?')
        .take(40)
        .collect()
}

/// A line in ASCII forms, with single spaces and hyphens, and without what can't be seen.
fn tidy(line: &str) -> String {
    let plain = |c: char| match narrow(c) {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '~' => '-',
        '\u{0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => ' ',
        other => other,
    };
    let line: String = line.chars().take(LONGEST).map(plain).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What follows a keyword, without the marks around it.
fn argument(rest: &str) -> String {
    let mark = |c: char| !c.is_alphanumeric() && c != '+';
    rest.trim_matches(mark).to_uppercase()
}

/// Characters of which a keyword and what follows it can be told apart without a space.
#[derive(PartialEq, Eq)]
enum Character {
    Digit,
    Latin,
    OtherLetter,
    Mark,
}

fn kind(c: char) -> Character {
    match c {
        '0'..='9' => Character::Digit,
        'a'..='z' | 'A'..='Z' => Character::Latin,
        _ if c.is_alphanumeric() => Character::OtherLetter,
        _ => Character::Mark,
    }
}

/// A normalised text as it looks: Cyrillic and Greek capitals with the shape of a Latin one are that one. Those that only resemble one (У) stay.
fn looks(text: &str) -> String {
    let latin = |c: char| match c {
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' | 'Ϲ' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' => 'I',
        'Ј' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Х' | 'Χ' => 'X',
        'Ζ' => 'Z',
        other => other,
    };
    text.chars().map(latin).collect()
}

/// The ASCII character of a full-width form (U+FF01 to U+FF5E).
fn narrow(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_keyword_is_found_however_it_is_typed() {
        let keywords = Keywords::shipped();
        for text in
            ["C", "c", " c ", "Ｃ", "ｃ。", "「C」", "\"c\"", "C\0", "c.\r\n", "\u{feff}C", "C\u{3000}", "c 👍", "查"]
        {
            assert_eq!(keywords.action(text), Some(Action::Fetch), "{text:?}");
        }
        assert_eq!(keywords.action("td!"), Some(Action::Refuse));
        assert_eq!(keywords.action("？"), Some(Action::Help));
        for text in ["", "CC", "see you", "22"] {
            assert_eq!(keywords.action(text), None, "{text:?}");
        }
    }

    fn requested(text: &str) -> Option<(Action, String)> {
        Keywords::shipped().request(text).map(|request| (request.action, request.argument))
    }

    #[test]
    fn what_follows_a_keyword_is_read_with_it() {
        for (text, action, argument) in [
            ("PAUSE", Action::Pause, ""),
            ("pause 8", Action::Pause, "8"),
            ("Pause8", Action::Pause, "8"),
            ("ＰＡＵＳＥ　８。", Action::Pause, "8"),
            ("pause 22-7", Action::Pause, "22-7"),
            ("pause 22：00－07：00!", Action::Pause, "22:00-07:00"),
            ("ZT 22–7", Action::Pause, "22-7"),
            ("PAUSE: 8 h", Action::Pause, "8 H"),
            ("pause\u{0} 8\u{200b}\r\n", Action::Pause, "8"),
            ("LANG en", Action::Language, "EN"),
            ("yy zh-CN", Action::Language, "ZH-CN"),
            ("COPY +86 139 0000 1111", Action::Copy, "+86 139 0000 1111"),
            ("copy139-0000-1111", Action::Copy, "139-0000-1111"),
            ("COPY OFF", Action::Copy, "OFF"),
            ("hide 13900001111", Action::Hide, "13900001111"),
            ("NOTIFY ON", Action::NotifyOn, ""),
            ("notify off.", Action::NotifyOff, ""),
        ] {
            assert_eq!(requested(text), Some((action, argument.to_owned())), "{text:?}");
        }
        for text in [
            "C 13900001111",
            "R now",
            "2 pm",
            "ON time",
            "PAUSED",
            "COPYRIGHT 2026",
            "Y u",
            "please PAUSE 8",
            "",
            "\n\n",
        ] {
            assert_eq!(requested(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_keyword_of_another_alphabet_is_followed_too() {
        let mut given: BTreeMap<_, _> =
            Action::ALL.map(|action| (action, vec![action.defaults()[0].to_owned()])).into_iter().collect();
        given.insert(Action::Pause, vec!["暂停".to_owned()]);
        given.insert(Action::Language, vec!["语言".to_owned()]);
        let keywords = Keywords::new(&given).unwrap();
        for (text, action, argument) in [
            ("暂停8小时", Action::Pause, "8小时"),
            ("暂停 22-7", Action::Pause, "22-7"),
            ("语言EN", Action::Language, "EN"),
        ] {
            assert_eq!(keywords.request(text), Some(Request { action, argument: argument.to_owned() }), "{text}");
        }
    }

    #[test]
    fn a_signature_doesnt_hide_the_keyword_but_what_binds_stands_alone() {
        for (text, action) in [
            ("C\nJohn Smith", Some(Action::Fetch)),
            ("r\r\n\r\nSent from my phone", Some(Action::Refuse)),
            ("PAUSE 8\n--\nJohn", Some(Action::Pause)),
            ("ON\n--\nJohn", Some(Action::Subscribe)),
            ("ON\nthe way home", None),
            ("Y\nwould I", None),
            ("hello\nC", None),
        ] {
            assert_eq!(requested(text).map(|(action, _)| action), action, "{text:?}");
        }
    }

    #[test]
    fn a_letter_that_looks_the_same_is_the_same_unless_it_was_given_a_meaning() {
        let keywords = Keywords::shipped();
        for (text, action) in [
            ("С", Action::Fetch),
            ("с", Action::Fetch),
            ("КТ", Action::Subscribe),
            ("Т", Action::Refuse),
            ("ΟΝ", Action::Subscribe),
        ] {
            assert_eq!(keywords.action(text), Some(action), "{text}");
        }
        assert_eq!(keywords.action("У"), None, "it only resembles Y");
        let mut given: BTreeMap<_, _> =
            Action::ALL.map(|action| (action, vec![action.defaults()[0].to_owned()])).into_iter().collect();
        given.insert(Action::Help, vec!["С".to_owned()]);
        let own = Keywords::new(&given).unwrap();
        assert_eq!((own.action("C"), own.action("С")), (Some(Action::Fetch), Some(Action::Help)));
    }

    #[test]
    fn faults_are_told_together() {
        let given = BTreeMap::from([
            (Action::Fetch, vec!["C".to_owned()]),
            (Action::Refuse, vec!["c".to_owned(), "!".to_owned()]),
            (Action::Subscribe, vec!["ON".to_owned()]),
            (Action::Unsubscribe, vec!["OFF".to_owned()]),
        ]);
        assert_eq!(
            Keywords::new(&given).unwrap_err(),
            [
                KeywordError::Twice("c".into(), "fetch", "refuse"),
                KeywordError::Empty("!".into()),
                KeywordError::None("help"),
            ]
        );
    }

    /// A keyword as people type it: any case, full-width or not, with spaces, quotes and marks around and within.
    fn typed(word: &'static str) -> impl Strategy<Value = String> {
        let noise = "[ .,!。，「」“”\"'\u{0}\u{200b}\u{feff}\u{3000}👍-]{0,3}";
        let letter = |c: char| {
            let wide = if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c };
            (prop::sample::select(vec![c, c.to_ascii_lowercase(), wide]), noise)
        };
        let letters: Vec<_> = word.chars().map(letter).collect();
        (noise, letters).prop_map(|(before, letters)| {
            letters.into_iter().fold(before, |text, (c, after)| format!("{text}{c}{after}"))
        })
    }

    fn anyhow_typed() -> impl Strategy<Value = (Action, String)> {
        let words =
            Action::ALL.into_iter().flat_map(|action| action.defaults().iter().map(move |word| (action, *word)));
        prop::sample::select(words.collect::<Vec<_>>())
            .prop_flat_map(|(action, word)| typed(word).prop_map(move |text| (action, text)))
    }

    proptest! {
        #[test]
        fn every_keyword_is_found_however_it_is_typed((action, text) in anyhow_typed()) {
            prop_assert_eq!(Keywords::shipped().action(&text), Some(action));
        }

        #[test]
        fn what_is_normal_stays_so_and_is_short(text in "\\PC{0,80}") {
            let once = normalise(&text);
            prop_assert!(once.chars().count() <= 40);
            prop_assert_eq!(normalise(&once), once);
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,80}|[A-Z0-9 \n-]{0,20}") {
            if let Some(request) = Keywords::shipped().request(&text) {
                prop_assert!(request.argument.chars().count() <= 3 * LONGEST);
                prop_assert!(request.argument.is_empty() || request.action.takes_argument());
            }
        }

        #[test]
        fn a_longer_word_is_no_keyword(word in "[A-Z]{5,20}") {
            prop_assert_eq!(Keywords::shipped().action(&word), None);
        }
    }
}
