//! The layers that settings come from, each a figment provider that hands every value on as the text it was written as.
//!
//! Nothing is parsed before the field's type is known: a short code `0012`, a password `1e5` or a keyword `true` stays what it is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::fault::Fault;
use super::keys::{self, Privacy};
use super::reader::Written;

/// Where the file of settings is named.
const CONFIG: &str = "AFTERRING_CONFIG";

/// Most octets of a file of settings or of a secret; far more than all settings together, so that a wrong path (`/dev/zero`) ends.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A value as it was written.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// One text.
    Text(String),
    /// An array in a file.
    List(Vec<String>),
}

struct Entry {
    raw: Raw,
    place: String,
}

/// One layer: what it sets, and what is wrong with it before any value is looked at.
pub(super) struct Layer {
    name: &'static str,
    entries: BTreeMap<String, Entry>,
    /// Unknown keys, unreadable files.
    pub faults: Vec<Fault>,
}

impl Layer {
    fn new(name: &'static str) -> Self {
        Self { name, entries: BTreeMap::new(), faults: Vec::new() }
    }

    /// The defaults, which know every key.
    pub(super) fn defaults() -> Self {
        let mut layer = Self::new("default");
        for key in keys::all() {
            let raw = Raw::Text(key.default.to_owned());
            layer.entries.insert(key.path, Entry { raw, place: "default".to_owned() });
        }
        layer
    }

    /// What a command presets.
    pub(super) fn preset(pairs: &[(String, String)]) -> Self {
        let mut layer = Self::new("preset");
        for (path, value) in pairs {
            layer.give(path, Raw::Text(value.clone()), "preset by the command", str::to_owned);
        }
        layer
    }

    /// What a running gateway holds until a restart.
    pub(super) fn held(values: impl IntoIterator<Item = (String, Written)>) -> Self {
        let mut layer = Self::new("held");
        for (path, Written { raw, place }) in values {
            layer.put(&path, raw, &place);
        }
        layer
    }

    /// A TOML file. Its faults come with the line; what could be read of it is used, so that one slip doesn't hide the other faults.
    pub(super) fn file(path: &Path) -> Self {
        let mut layer = Self::new("file");
        match read(path) {
            Ok(text) => layer.toml(path, &text),
            Err(problem) => layer.faults.push(Fault {
                key: "--config".to_owned(),
                place: path.display().to_string(),
                value: None,
                problem,
                valid: "a readable file of TOML".to_owned(),
            }),
        }
        layer
    }

    fn toml(&mut self, path: &Path, text: &str) {
        let place = |offset: usize| format!("{}:{}", path.display(), line(text, offset));
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        for error in errors {
            // The error's own Display shows the line, which may hold a secret.
            self.faults.push(Fault {
                key: "TOML".to_owned(),
                place: place(error.span().map_or(0, |span| span.start)),
                value: None,
                problem: error.message().to_owned(),
                valid: "key = \"value\" below a [section]".to_owned(),
            });
        }
        for (name, value) in table.get_ref() {
            let at = place(name.span().start);
            match value.get_ref() {
                toml::de::DeValue::Table(section) => {
                    for (key, value) in section {
                        let path = format!("{}.{}", name.get_ref(), key.get_ref());
                        self.give(&path, written(text, value), &place(key.span().start), str::to_owned);
                    }
                }
                _ => self.give(name.get_ref(), written(text, value), &at, str::to_owned),
            }
        }
    }

    /// The environment. Other programs' names are passed over, and so are those that Kubernetes makes from a service called `afterring`.
    pub(super) fn environment(variables: &[(OsString, OsString)]) -> Self {
        let mut layer = Self::new("environment");
        let mut ours: Vec<_> = variables.iter().filter(|(name, _)| begins_with_prefix(name)).collect();
        ours.sort();
        for (name, value) in ours {
            let place = format!("environment {}", name.to_string_lossy());
            match (name.to_str(), value.to_str()) {
                (Some(CONFIG), _) => {}
                (Some(name), _) if made_by_kubernetes(name) => {}
                (Some(name), Some(value)) => {
                    let rest = name.strip_prefix(keys::PREFIX).unwrap_or(name);
                    // Lower case is no setting: two spellings of one name could disagree.
                    let path =
                        if rest.bytes().any(|b| b.is_ascii_lowercase()) { name.to_owned() } else { path_of(rest) };
                    layer.give(&path, Raw::Text(value.to_owned()), &place, keys::environment_name);
                }
                (_, _) => layer.faults.push(Fault {
                    key: name.to_string_lossy().into_owned(),
                    place,
                    value: None,
                    problem: "not UTF-8".to_owned(),
                    valid: "UTF-8 text".to_owned(),
                }),
            }
        }
        layer
    }

    /// `--set key=value`, in the order given; the last one of a key counts.
    pub(super) fn flags(flags: &[String]) -> Self {
        let mut layer = Self::new("flags");
        for flag in flags {
            match flag.split_once('=') {
                Some((path, value)) => {
                    layer.give(path.trim(), Raw::Text(value.to_owned()), "flag --set", str::to_owned);
                }
                None => layer.faults.push(Fault {
                    // Anything but a known key may be a secret in the wrong place.
                    key: keys::all().find(|key| key.path == *flag).map_or("--set".to_owned(), |key| key.path),
                    place: "flag --set".to_owned(),
                    value: None,
                    problem: "a flag without a value".to_owned(),
                    valid: "--set section.key=value".to_owned(),
                }),
            }
        }
        layer
    }

    /// Takes a value for a key, whatever it is called: a known key, the file of a secret, or a name nobody knows.
    fn give(&mut self, path: &str, raw: Raw, place: &str, spell: fn(&str) -> String) {
        let known = |path: &str| keys::all().any(|key| key.path == path);
        if known(path) {
            self.put(path, raw, place);
            return;
        }
        match path.strip_suffix("_file") {
            Some(secret) if known(secret) && keys::privacy(secret) != Privacy::Open => {
                self.secret_file(secret, &raw, place);
            }
            _ => {
                let meant = closest(path).map(|key| format!("; did you mean {}?", spell(&key)));
                self.faults.push(Fault {
                    key: printable(path),
                    place: place.to_owned(),
                    // It may be a misspelt secret.
                    value: None,
                    problem: format!("no such setting{}", meant.unwrap_or_default()),
                    valid: String::new(),
                });
            }
        }
    }

    /// A secret read from a file; one newline at its end is not part of it.
    fn secret_file(&mut self, secret: &str, raw: &Raw, place: &str) {
        let problem = match raw {
            Raw::List(_) => "one path, not a list".to_owned(),
            Raw::Text(file) => match read(Path::new(file)) {
                Ok(text) => {
                    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.trim_end_matches('\r'));
                    let place = format!("{place} ({})", printable_path(file));
                    self.put(secret, Raw::Text(text.to_owned()), &place);
                    return;
                }
                Err(problem) => problem,
            },
        };
        self.faults.push(Fault {
            key: format!("{secret}_file"),
            place: place.to_owned(),
            value: match raw {
                Raw::Text(file) => Some(file.clone()),
                Raw::List(_) => None,
            },
            problem,
            valid: "path of a file that holds the secret".to_owned(),
        });
    }

    fn put(&mut self, path: &str, raw: Raw, place: &str) {
        let before = self.entries.insert(path.to_owned(), Entry { raw, place: place.to_owned() });
        // Flags may repeat, each overriding the one before; everywhere else two values for one key are a slip (a secret and its file).
        if let Some(before) = before
            && self.name != "flags"
        {
            self.faults.push(Fault {
                key: path.to_owned(),
                place: format!("{} and {place}", before.place),
                value: None,
                problem: "given twice".to_owned(),
                valid: "one of the two".to_owned(),
            });
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        let places: BTreeMap<String, String> =
            self.entries.iter().map(|(path, entry)| (path.clone(), entry.place.clone())).collect();
        Metadata::named(self.name)
            .interpolater(move |_, path: &[&str]| places.get(&path.join(".")).cloned().unwrap_or_default())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut top = Dict::new();
        let mut sections: BTreeMap<&str, Dict> = BTreeMap::new();
        for (path, entry) in &self.entries {
            let value = match &entry.raw {
                Raw::Text(text) => Value::from(text.as_str()),
                Raw::List(items) => Value::from(items.clone()),
            };
            match path.split_once('.') {
                Some((section, key)) => drop(sections.entry(section).or_default().insert(key.to_owned(), value)),
                None => drop(top.insert(path.clone(), value)),
            }
        }
        top.extend(sections.into_iter().map(|(name, section)| (name.to_owned(), Value::from(section))));
        Ok(Profile::Default.collect(top))
    }
}

/// A file's text.
fn read(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| format!("can't be opened: {error}"))?;
    // One octet more than allowed tells a file that is too large from one that just fits.
    file.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(|error| format!("can't be read: {error}"))?;
    if text.len() as u64 > LARGEST_FILE { Err("larger than 1 MiB".to_owned()) } else { Ok(text) }
}

/// A TOML value as the text it was written as.
fn written(text: &str, value: &toml::Spanned<toml::de::DeValue<'_>>) -> Raw {
    let one = |value: &toml::Spanned<toml::de::DeValue<'_>>| match value.get_ref() {
        toml::de::DeValue::String(text) => text.to_string(),
        toml::de::DeValue::Integer(number) => number.as_str().to_owned(),
        _ => text.get(value.span()).unwrap_or_default().to_owned(),
    };
    match value.get_ref() {
        toml::de::DeValue::Array(items) => Raw::List(items.iter().map(one).collect()),
        _ => Raw::Text(one(value)),
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

fn begins_with_prefix(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(keys::PREFIX.as_bytes())
}

/// `ALERT__MIN_INTERVAL` is `alert.min_interval`.
fn path_of(rest: &str) -> String {
    rest.to_ascii_lowercase().replace("__", ".")
}

/// Whether this is a name that Kubernetes puts into every container for a service called `afterring` or `afterring-…`:
/// `AFTERRING_SERVICE_HOST`, `AFTERRING_ADMIN_PORT_8081_TCP_ADDR`, …. They never have two underscores together, and ours always do.
fn made_by_kubernetes(name: &str) -> bool {
    let numbered = |rest: &str| {
        let mut parts = rest.split('_');
        let port = parts.next().is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let protocol = matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"));
        port && protocol && matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR")) && parts.next().is_none()
    };
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.ends_with("_PORT")
            || name.contains("_SERVICE_PORT_")
            || name.split_once("_PORT_").is_some_and(|(_, rest)| numbered(rest)))
}

/// The known key that a wrong one is most like, if it is like any.
fn closest(path: &str) -> Option<String> {
    let near = |key: keys::Key| {
        let distance = strsim::damerau_levenshtein(&path.to_ascii_lowercase(), &key.path);
        (distance <= key.path.len() / 3).then_some((distance, key.path))
    };
    keys::all().filter_map(near).min().map(|(_, path)| path)
}

/// A name that nobody knows, shown only if it looks like a name: what isn't one may be a value in the wrong place.
fn printable(name: &str) -> String {
    let named = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if named { name.to_owned() } else { "(not a name)".to_owned() }
}

fn printable_path(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn environment(pairs: &[(&str, &str)]) -> Layer {
        let variables: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Layer::environment(&variables)
    }

    fn text<'a>(layer: &'a Layer, path: &str) -> Option<&'a str> {
        match &layer.entries.get(path)?.raw {
            Raw::Text(text) => Some(text),
            Raw::List(_) => None,
        }
    }

    #[test]
    fn every_environment_value_stays_the_text_it_is() {
        for value in
            ["0012", "+8613900000000", "1e5", "true", "", " ", "[1,2]", "{a=1}", "\"q\"", "查", "null", "007.50"]
        {
            let layer = environment(&[("AFTERRING_SERVICE__CODE", value), ("PATH", "/bin")]);
            assert_eq!(text(&layer, "service.code"), Some(value));
            let figment = figment::Figment::from(layer);
            assert_eq!(figment.find_value("service.code").unwrap().as_str(), Some(value));
            let metadata = figment.find_metadata("service.code").unwrap();
            assert_eq!(
                metadata.interpolate(&Profile::Default, &["service", "code"]),
                "environment AFTERRING_SERVICE__CODE"
            );
        }
    }

    #[test]
    fn every_file_value_stays_the_text_it_is() {
        let mut layer = Layer::new("file");
        layer.toml(
            Path::new("a.toml"),
            "ranges = [\"a\", \"b\"]\n[service]\ncode = 12599\n[alert]\ndaily_cap = 1_000\n[teaser]\nfetch_price = 1e5\n\
             subscribe_price = true\n[keywords]\nfetch = [\"C\", 2]\n",
        );
        assert!(layer.faults.is_empty(), "{:?}", layer.faults);
        assert_eq!(text(&layer, "service.code"), Some("12599"));
        assert_eq!(text(&layer, "alert.daily_cap"), Some("1000"));
        assert_eq!(text(&layer, "teaser.fetch_price"), Some("1e5"));
        assert_eq!(text(&layer, "teaser.subscribe_price"), Some("true"));
        assert!(layer.entries["keywords.fetch"].raw == Raw::List(vec!["C".into(), "2".into()]));
        assert_eq!(layer.entries["alert.daily_cap"].place, "a.toml:5");
    }

    #[test]
    fn a_broken_file_tells_the_line_and_not_what_is_in_it() {
        let mut layer = Layer::new("file");
        layer.toml(Path::new("a.toml"), "[http]\ntoken = s3cret\n[service]\ncode = \"1\"\n");
        assert!(layer.faults.iter().all(|fault| fault.place == "a.toml:2"), "{:?}", layer.faults);
        assert!(!layer.faults.is_empty());
        assert!(!format!("{:?}", layer.faults).contains("s3cret"));
        assert_eq!(text(&layer, "service.code"), Some("1"));
    }

    #[test]
    fn unknown_names_are_told_with_what_was_meant() {
        for (name, meant) in [
            ("AFTERRING_SMSC_URLS", "AFTERRING_SMSC__URLS"),
            ("AFTERRING_ALERT__MININTERVAL", "AFTERRING_ALERT__MIN_INTERVAL"),
            ("AFTERRING_RANGE", "AFTERRING_RANGES"),
            ("AFTERRING_HTTP__TOKEN_FIEL", "AFTERRING_HTTP__TOKEN"),
        ] {
            let layer = environment(&[(name, "s3cret")]);
            let problem = &layer.faults[0].problem;
            assert!(problem.contains(&format!("did you mean {meant}?")) || name.ends_with("FIEL"), "{problem}");
            assert!(!format!("{:?}", layer.faults).contains("s3cret"));
        }
        assert_eq!(environment(&[("AFTERRING_WHAT", "x")]).faults[0].problem, "no such setting");
        assert_eq!(environment(&[("AFTERRING_http__listen", "x")]).faults.len(), 1);
        assert_eq!(environment(&[("AFTERRING_HTTP__LISTEN_FILE", "x")]).faults.len(), 1);
        assert_eq!(environment(&[("AFTERRING_ALERT", "x")]).faults.len(), 1);
    }

    #[test]
    fn what_kubernetes_makes_is_passed_over() {
        for name in [
            "AFTERRING_SERVICE_HOST",
            "AFTERRING_SERVICE_PORT",
            "AFTERRING_SERVICE_PORT_HTTP",
            "AFTERRING_PORT",
            "AFTERRING_PORT_8080_TCP",
            "AFTERRING_ADMIN_PORT_8081_TCP_ADDR",
        ] {
            assert!(environment(&[(name, "tcp://10.0.0.1:8080")]).faults.is_empty(), "{name}");
        }
        for name in ["AFTERRING_PORTS", "AFTERRING_HTTP_PORT_X", "AFTERRING__SERVICE_HOST"] {
            assert_eq!(environment(&[(name, "x")]).faults.len(), 1, "{name}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_told() {
        let bad = OsString::from_vec(vec![0xff, 0xfe]);
        let layer = Layer::environment(&[("AFTERRING_SERVICE__CODE".into(), bad)]);
        assert_eq!(layer.faults[0].problem, "not UTF-8");
        let mut name = b"AFTERRING_".to_vec();
        name.push(0xff);
        assert_eq!(Layer::environment(&[(OsString::from_vec(name), "x".into())]).faults.len(), 1);
        let other = OsString::from_vec(vec![b'X', 0xff]);
        assert!(Layer::environment(&[(other, OsString::from_vec(vec![0xff]))]).faults.is_empty());
    }

    #[test]
    fn a_secret_may_come_from_a_file_and_only_from_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        fs::write(&file, "s3cret\n\n").unwrap();
        let path = file.to_str().unwrap();
        let layer = environment(&[("AFTERRING_HTTP__TOKEN_FILE", path)]);
        assert_eq!(text(&layer, "http.token"), Some("s3cret\n"));
        let layer = environment(&[("AFTERRING_HTTP__TOKEN_FILE", path), ("AFTERRING_HTTP__TOKEN", "other")]);
        assert_eq!(layer.faults[0].problem, "given twice");
        let layer = environment(&[("AFTERRING_HTTP__TOKEN_FILE", "/no/such/file")]);
        assert!(layer.faults[0].problem.starts_with("can't be opened"));
        assert!(Layer::file(Path::new("/no/such/file")).faults[0].problem.starts_with("can't be opened"));
    }

    #[test]
    fn flags_override_each_other_and_need_a_value() {
        let layer = Layer::flags(&["log.filter=debug".into(), "log.filter=a=b".into(), "log.filter".into()]);
        assert_eq!(text(&layer, "log.filter"), Some("a=b"));
        assert_eq!(layer.faults.len(), 1);
        let layer = Layer::flags(&["smsc.urls:smpp://id:s3cret@host?window=1".into()]);
        assert!(!format!("{:?}", layer.faults).contains("s3cret"));
    }
}
