//! Reads the parameters of one URL, each by its own form, and collects what is wrong.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::Kind;
use percent_encoding::percent_decode_str;

use super::parameters::{Of, PARAMETERS};
use crate::config::fault::Problems;

/// The parameters of a URL, and what was found wrong so far.
pub(super) struct Given<'a> {
    given: &'a [(&'a str, &'a str)],
    pub problems: Vec<String>,
}

impl<'a> Given<'a> {
    /// Looks whether each is known, and given once.
    pub(super) fn new(given: &'a [(&'a str, &'a str)]) -> Self {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for (name, _) in given {
            if !is_known(name) {
                // It may be a piece of a password: it isn't shown.
                let known: Vec<&str> = PARAMETERS.iter().map(|known| known.name).collect();
                problems.push(format!("an unknown parameter; known: {}", known.join(", ")));
            } else if !seen.insert(name) {
                problems.push(format!("{name} is given twice"));
            }
        }
        Self { given, problems }
    }

    /// Whether a parameter is given, for all kinds or for one.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The text of a parameter, percent-decoded, or its default.
    pub(super) fn text(&mut self, name: &str) -> String {
        let default = PARAMETERS.iter().find(|known| known.name == name).map_or("", |known| known.default);
        let given = self.given.iter().find(|(given, _)| *given == name).map_or(default, |(_, value)| value);
        match decode(given) {
            Some(text) => text,
            None => {
                self.problems.push(format!("{name} is not UTF-8 when percent-decoded"));
                String::new()
            }
        }
    }

    /// The value of a parameter; a default of its type where it can't be read, which is a problem then.
    pub(super) fn read<T: Default>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Problems>) -> T {
        let text = self.text(name);
        match read(&text) {
            Ok(value) => value,
            Err(Problems(problems)) => {
                let told = problems.into_iter().map(|problem| format!("{name}: {problem}"));
                // One that holds for several kinds is read for each, and told once.
                let new: Vec<String> = told.filter(|told| !self.problems.contains(told)).collect();
                self.problems.extend(new);
                T::default()
            }
        }
    }

    /// The value of a parameter for one kind of message: its own, or the one for all.
    pub(super) fn for_kind<T: Default>(
        &mut self,
        name: &str,
        kind: Kind,
        read: impl Fn(&str) -> Result<T, Problems>,
    ) -> T {
        let own = format!("{name}.{kind}");
        if self.has(&own) { self.read(&own, read) } else { self.read(name, read) }
    }

    /// The system id or the password, percent-decoded.
    pub(super) fn credential(&mut self, what: &str, text: &str, longest: usize) -> String {
        let read = decode(text).ok_or(()).and_then(|decoded| field(&decoded, longest).map_err(drop));
        read.unwrap_or_else(|()| {
            self.problems.push(format!("{what} is not at most {longest} ASCII characters (SMPP 3.4 §5.2)"));
            String::new()
        })
    }
}

/// A text that fits its field of a PDU.
pub(super) fn field(text: &str, longest: usize) -> Result<String, Problems> {
    if text.len() <= longest && text.bytes().all(|b| b.is_ascii() && b != 0) {
        return Ok(text.to_owned());
    }
    Err(format!("not at most {longest} ASCII characters (SMPP 3.4 §5.2)").into())
}

fn is_known(name: &str) -> bool {
    PARAMETERS.iter().any(|known| match name.strip_prefix(known.name) {
        Some("") => true,
        Some(rest) if known.of == Of::Kind => {
            Kind::ALL.iter().any(|kind| rest.strip_prefix('.') == Some(kind.as_str()))
        }
        Some(_) | None => false,
    })
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}
