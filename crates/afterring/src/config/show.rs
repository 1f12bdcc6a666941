//! The settings in force as TOML, each with the place it was given; secrets hidden.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::reader::Shown;

/// The settings as a file that could be read again, but for `***` where a secret is.
#[must_use]
pub fn effective(settings: &[Shown]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings {
        let (name, key) = setting.path.split_once('.').unwrap_or(("", &setting.path));
        if name != section {
            let _ = writeln!(text, "\n[{name}]");
            section = name;
        }
        // A file may have any name, and a comment ends with its line.
        let place: String = setting.place.chars().filter(|c| !c.is_control()).collect();
        let _ = writeln!(text, "{key} = {}  # {place}", quoted(&setting.value));
    }
    text
}

/// Sixteen hexadecimal digits that differ when what is in force differs. Secrets don't go into it, so it may be shown anywhere.
#[must_use]
pub fn digest(settings: &[Shown]) -> String {
    let mut hash = Sha256::new();
    for setting in settings {
        hash.update(format!("{}={}\n", setting.path, quoted(&setting.value)));
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A basic string of TOML.
fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_again() {
        let values = ["0012", "a \"b\" \\c\n\u{7f}\u{85}", "查", ""];
        let shown = |value: &str| Shown { path: "log.filter".into(), value: value.into(), place: "a\nb:1".into() };
        for value in values {
            let text = effective(&[shown(value)]);
            let table = toml::de::DeTable::parse(&text).unwrap();
            let read = table.get_ref()["log"].get_ref()["filter"].get_ref().as_str().map(str::to_owned);
            assert_eq!(read.as_deref(), Some(value), "{text}");
        }
        assert_ne!(digest(&[shown("a")]), digest(&[shown("b")]));
        assert_eq!(digest(&[shown("a")]).len(), 16);
    }
}
