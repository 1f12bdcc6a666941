//! A text with placeholders such as `{count}`.

use std::fmt::Write;

/// A text with placeholders, checked when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template(Vec<Piece>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(String),
    Placeholder(String),
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its partner.
    #[error("'{0}': a brace without its partner")]
    Brace(String),
    /// A placeholder that nothing fills.
    #[error("'{text}': unknown placeholder {{{name}}}; known here: {known}")]
    Unknown {
        /// The whole text.
        text: String,
        /// The placeholder.
        name: String,
        /// What would be filled.
        known: String,
    },
}

impl Template {
    /// Reads a text; every `{name}` must be one of `known`.
    ///
    /// # Errors
    /// When a brace has no partner or a placeholder is unknown.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let brace = || TemplateError::Brace(text.to_owned());
            let (name, after) = from.strip_prefix('{').and_then(|from| from.split_once('}')).ok_or_else(brace)?;
            if !known.contains(&name) {
                let known = known.iter().fold(String::new(), |mut list, name| {
                    let _ = write!(list, "{{{name}}} ");
                    list
                });
                return Err(TemplateError::Unknown { text: text.to_owned(), name: name.to_owned(), known });
            }
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The text with each placeholder replaced by its value.
    #[must_use]
    pub fn render(&self, values: &[(&str, &str)]) -> String {
        let mut text = String::with_capacity(160);
        for piece in &self.0 {
            text.push_str(match piece {
                Piece::Text(part) => part,
                Piece::Placeholder(name) => values.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value),
            });
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_unknown_ones_refused() {
        let template = Template::parse("{n} calls{n}", &["n"]).unwrap();
        assert_eq!(template.render(&[("n", "2")]), "2 calls2");
        assert!(matches!(Template::parse("{m}", &["n"]), Err(TemplateError::Unknown { .. })));
        for text in ["{n", "n}", "}{", "{{n}}"] {
            assert!(Template::parse(text, &["n"]).is_err(), "{text}");
        }
    }
}
