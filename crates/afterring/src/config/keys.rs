//! The catalogue of settings: each key with its default, form and meaning, read from the commented defaults that are part of the program.

/// The defaults, with a comment for each key: its meaning, and a last line `Form: …` that says what would be valid.
pub const DEFAULTS: &str = include_str!("default.toml");

/// What precedes every name in the environment.
pub(super) const PREFIX: &str = "AFTERRING_";

/// A group of settings.
pub(super) struct Section {
    /// Its name; empty for keys that stand alone.
    pub name: &'static str,
    /// What it is about.
    pub meaning: String,
    /// Its keys, in the order of the documents.
    pub keys: Vec<Key>,
}

/// One setting.
pub(super) struct Key {
    /// `section.key`, or `key` where it stands alone.
    pub path: String,
    /// The default, as text.
    pub default: &'static str,
    /// What would be valid.
    pub form: String,
    /// What it means to an operator.
    pub meaning: String,
}

impl Key {
    /// The name in the environment.
    pub(super) fn environment(&self) -> String {
        environment_name(&self.path)
    }
}

/// How much of a value may be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Privacy {
    /// All of it.
    Open,
    /// Nothing.
    Secret,
    /// A list of URLs: everything but the passwords.
    Urls,
}

/// How much of a key's value may be shown. What isn't [`Privacy::Open`] may also be read from a file named by `<key>_file`.
pub(super) fn privacy(path: &str) -> Privacy {
    match path {
        "database.url" | "http.token" | "admin.token" | "admin.password" => Privacy::Secret,
        "smsc.urls" => Privacy::Urls,
        _ => Privacy::Open,
    }
}

/// The name in the environment of a key: `alert.min_interval` is `AFTERRING_ALERT__MIN_INTERVAL`.
pub(super) fn environment_name(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
}

/// Every section, in the order of the documents.
pub(super) fn sections() -> Vec<Section> {
    let mut sections = vec![Section { name: "", meaning: "Settings that stand alone.".to_owned(), keys: Vec::new() }];
    let mut comment: Vec<&str> = Vec::new();
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name, meaning: comment.join(" "), keys: Vec::new() });
        }
        if let Some((name, value)) = line.split_once(" = ")
            && let Some(section) = sections.last_mut()
        {
            let form = comment.iter().find_map(|line| line.strip_prefix("Form: "));
            let meaning: Vec<&str> = comment.iter().filter(|line| !line.starts_with("Form: ")).copied().collect();
            let path = if section.name.is_empty() { name.to_owned() } else { format!("{}.{name}", section.name) };
            section.keys.push(Key {
                path,
                default: value.trim_matches('"'),
                form: form.unwrap_or_default().to_owned(),
                meaning: meaning.join(" "),
            });
        }
        comment.clear();
    }
    sections
}

/// Every key, in the order of the documents.
pub(super) fn all() -> impl Iterator<Item = Key> {
    sections().into_iter().flat_map(|section| section.keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_means_and_what_is_valid() {
        let mut count = 0;
        for section in sections() {
            assert!(!section.meaning.is_empty(), "{}", section.name);
            for key in section.keys {
                assert!(!key.meaning.is_empty(), "{} has no meaning", key.path);
                assert!(!key.form.is_empty(), "{} has no form", key.path);
                assert!(!key.default.contains(['"', '\\']), "{} needs a real TOML reader", key.path);
                count += 1;
            }
        }
        assert_eq!(count, DEFAULTS.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count());
    }

    #[test]
    fn names_in_the_environment_have_two_underscores() {
        assert_eq!(environment_name("alert.min_interval"), "AFTERRING_ALERT__MIN_INTERVAL");
        assert_eq!(environment_name("ranges"), "AFTERRING_RANGES");
    }
}
