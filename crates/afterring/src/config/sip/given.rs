//! Reads the parameters of one peer, each by its own form, and collects what is wrong.

use std::collections::BTreeSet;

use super::parameters::PARAMETERS;
use crate::config::fault::Problems;
use crate::config::form;

/// The parameters of a peer, and what was found wrong so far.
pub(super) struct Given<'a> {
    given: Vec<(&'a str, &'a str)>,
    pub problems: Vec<String>,
}

impl<'a> Given<'a> {
    /// Takes `key=value;key=value…` apart, and looks whether each is known and given once. `trusted` alone is `trusted=true`; others have a value.
    pub(super) fn new(text: &'a str) -> Self {
        let pieces = text.split(';').map(str::trim).filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| match piece.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
            None => (piece, (piece == "trusted").then_some("true")),
        });
        let (mut given, mut problems) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let mut behind_redirect = false;
        for (name, value) in pairs {
            if !PARAMETERS.iter().any(|known| known.name == name) {
                let known: Vec<&str> = PARAMETERS.iter().map(|known| known.name).collect();
                let hint = if behind_redirect { " (in the URI of a redirect a semicolon is written %3B)" } else { "" };
                problems.push(format!("{name:?} is an unknown parameter{hint}; known: {}", known.join(", ")));
                continue;
            }
            behind_redirect = value.is_some_and(|value| value.starts_with("302/"));
            if !seen.insert(name) {
                problems.push(format!("{name} is given twice"));
            } else if let Some(value) = value {
                given.push((name, value));
            } else {
                problems.push(format!("{name} is given without a value: {name}=…"));
            }
        }
        Self { given, problems }
    }

    /// The text of a parameter, where it is given.
    pub(super) fn given(&self, name: &str) -> Option<&'a str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    /// The value of a parameter that another setting stands in for; `None` where it isn't given or can't be read, which is a problem then.
    pub(super) fn own<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Problems>) -> Option<T> {
        let text = self.given(name)?;
        self.try_read(name, text, read)
    }

    /// The value of a parameter, or of its default; `None` where it can't be read, which is a problem then.
    pub(super) fn read<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Problems>) -> Option<T> {
        let default = || PARAMETERS.iter().find(|known| known.name == name).map_or("", |known| known.default);
        let text = self.given(name).unwrap_or_else(default);
        self.try_read(name, text, read)
    }

    fn try_read<T>(&mut self, name: &str, text: &str, read: impl Fn(&str) -> Result<T, Problems>) -> Option<T> {
        match read(text) {
            Ok(value) => Some(value),
            Err(Problems(problems)) => {
                self.problems.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
                None
            }
        }
    }
}

/// Some of these words, joined by `+`, each at most once.
pub(super) fn words<T: Copy + PartialEq>(
    text: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, Problems> {
    let mut chosen = Vec::new();
    for part in text.split('+').map(str::trim) {
        let Some(found) = all.iter().copied().find(|one| word(*one) == part) else {
            let known: Vec<&str> = all.iter().map(|one| word(*one)).collect();
            return Err(format!("{part:?} is not one of {}", known.join(", ")).into());
        };
        if chosen.contains(&found) {
            return Err(format!("{part} is there twice").into());
        }
        chosen.push(found);
    }
    Ok(chosen)
}

/// One of two words, which the problem names.
pub(super) fn either<T: Copy>(text: &str, words: [(&str, T); 2]) -> Result<T, Problems> {
    let [(one, _), (other, _)] = words;
    form::choice(text, &words).map_err(|_| format!("not {one} or {other}").into())
}
