//! A text with placeholders such as `{count}`.

/// A text with placeholders, checked when it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
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
    #[error("a brace without its partner: write placeholders as {{name}}")]
    Brace,
    /// A placeholder that nothing fills.
    #[error("unknown placeholder {{{name}}}: {known}")]
    Unknown {
        /// The placeholder.
        name: String,
        /// What would be filled.
        known: String,
    },
}

impl Template {
    /// Says nothing.
    pub(super) const fn nothing() -> Self {
        Self(Vec::new())
    }

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
            let (name, after) =
                from.strip_prefix('{').and_then(|from| from.split_once('}')).ok_or(TemplateError::Brace)?;
            if name.contains('{') {
                return Err(TemplateError::Brace);
            }
            if !known.contains(&name) {
                return Err(TemplateError::Unknown { name: name.to_owned(), known: listed(known) });
            }
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The placeholders in it, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// What stands in it beside placeholders.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Placeholder(_) => None,
        })
    }

    /// The text with each placeholder replaced by its value. Where a value is empty, the blanks around it don't add up: one of them goes, and both at an end.
    #[must_use]
    pub fn render(&self, values: &[(&str, &str)]) -> String {
        let mut text = String::with_capacity(160);
        let mut gap = false;
        for piece in &self.0 {
            let part = match piece {
                Piece::Text(part) => part,
                Piece::Placeholder(name) => values.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value),
            };
            if part.is_empty() {
                gap = true;
                continue;
            }
            let blank = text.is_empty() || text.ends_with([' ', '\n']);
            text.push_str(if gap && blank { part.trim_start_matches(' ') } else { part });
            gap = false;
        }
        if gap {
            text.truncate(text.trim_end_matches(' ').len());
        }
        text
    }
}

fn listed(known: &[&str]) -> String {
    if known.is_empty() {
        return "none may stand here".to_owned();
    }
    let names: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
    format!("known here are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_unknown_ones_refused() {
        let template = Template::parse("{n} calls{n}", &["n"]).unwrap();
        assert_eq!(template.render(&[("n", "2")]), "2 calls2");
        assert_eq!(template.placeholders().collect::<Vec<_>>(), ["n", "n"]);
        assert!(matches!(Template::parse("{m}", &["n"]), Err(TemplateError::Unknown { .. })));
        for text in ["{n", "n}", "}{", "{{n}}", "{"] {
            assert_eq!(Template::parse(text, &["n"]), Err(TemplateError::Brace), "{text}");
        }
    }

    #[test]
    fn what_is_empty_leaves_no_blanks_behind() {
        for (text, filled, empty) in [
            ("a {x} b", "a 1 b", "a b"),
            ("a. {x}", "a. 1", "a."),
            ("{x} b", "1 b", "b"),
            ("a{x}, b", "a1, b", "a, b"),
            ("a {x} {x} b", "a 1 1 b", "a b"),
            ("a\n{x} b", "a\n1 b", "a\nb"),
            ("{x}", "1", ""),
            (" a", " a", " a"),
        ] {
            let template = Template::parse(text, &["x"]).unwrap();
            assert_eq!(template.render(&[("x", "1")]), filled, "{text}");
            assert_eq!(template.render(&[("x", "")]), empty, "{text}");
        }
    }
}
