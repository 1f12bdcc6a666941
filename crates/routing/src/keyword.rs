//! What people text: normalised, and matched with the operator's keywords.

use std::collections::BTreeMap;

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

/// The operator's keywords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keywords {
    by_text: BTreeMap<String, Action>,
    shown: BTreeMap<Action, String>,
}

impl Keywords {
    /// Takes the keywords of each action; the first of each is the one shown in texts.
    ///
    /// # Errors
    /// With every fault found.
    pub fn new(given: &BTreeMap<Action, Vec<String>>) -> Result<Self, Vec<KeywordError>> {
        let mut faults = Vec::new();
        let mut keywords = Self { by_text: BTreeMap::new(), shown: BTreeMap::new() };
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
        if faults.is_empty() { Ok(keywords) } else { Err(faults) }
    }

    /// The shipped keywords.
    #[must_use]
    pub fn shipped() -> Self {
        let given = Action::ALL.map(|action| (action, action.defaults().iter().map(|w| (*w).to_owned()).collect()));
        Self::new(&BTreeMap::from(given)).unwrap_or(Self { by_text: BTreeMap::new(), shown: BTreeMap::new() })
    }

    /// What a text asks for, whatever its spaces, case, width and punctuation.
    #[must_use]
    pub fn action(&self, text: &str) -> Option<Action> {
        self.by_text.get(&normalise(text)).copied()
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
        fn a_longer_word_is_no_keyword(word in "[A-Z]{5,20}") {
            prop_assert_eq!(Keywords::shipped().action(&word), None);
        }
    }
}
