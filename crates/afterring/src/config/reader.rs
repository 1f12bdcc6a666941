//! Reads settings out of the merged layers, each by its own form, and collects every fault with its key, its place and what would be valid.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use figment::value::Value;
use figment::{Figment, Profile};

use super::fault::{Fault, Faults, Problems};
use super::keys::{self, Key, Privacy};
use super::layer::{Layer, Raw};
use super::smsc;

/// Where settings come from, weakest first: defaults, what the command presets, the file, the environment, flags.
#[derive(Clone, Default)]
pub struct Sources {
    /// What a command sets instead of defaults (the demo's own numbers and SMSC): keys and values.
    pub preset: Vec<(String, String)>,
    /// The file named by `--config`; else `$AFTERRING_CONFIG`, else the first of `files` that exists.
    pub file: Option<PathBuf>,
    /// Where a file is looked for when none is named.
    pub files: Vec<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// `--set`: `key=value`.
    pub flags: Vec<String>,
}

impl Sources {
    /// What a process of the operating system is started with.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        Self {
            preset: Vec::new(),
            file,
            files: vec!["./afterring.toml".into(), "/etc/afterring/afterring.toml".into()],
            environment: std::env::vars_os().collect(),
            flags,
        }
    }

    fn chosen_file(&self) -> Option<PathBuf> {
        let named = self.environment.iter().find(|(name, value)| name == "AFTERRING_CONFIG" && !value.is_empty());
        let named = named.map(|(_, value)| PathBuf::from(value));
        let lying = || self.files.iter().find(|file| file.exists()).cloned();
        self.file.clone().or(named).or_else(lying)
    }
}

/// A setting in force, fit to be shown: secrets are hidden.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// `section.key`.
    pub path: String,
    /// The value, with `***` for what is secret in it.
    pub value: String,
    /// Where it was given.
    pub place: String,
}

/// A value as it was written, and where.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) raw: Raw,
    pub(super) place: String,
}

/// The merged layers, and what was found wrong so far.
pub(super) struct Reader {
    figment: Figment,
    catalogue: Vec<Key>,
    faults: Vec<Fault>,
}

impl Reader {
    /// Merges the layers.
    pub(super) fn open(sources: &Sources) -> Self {
        Self::open_below(sources, None)
    }

    /// Merges the layers, with what is held above them all.
    pub(super) fn open_below(sources: &Sources, held: Option<Layer>) -> Self {
        let file = sources.chosen_file().map(|file| Layer::file(&file));
        let layers = [Some(Layer::defaults()), Some(Layer::preset(&sources.preset)), file]
            .into_iter()
            .flatten()
            .chain([Layer::environment(&sources.environment), Layer::flags(&sources.flags)])
            .chain(held);
        let mut figment = Figment::new();
        let mut faults = Vec::new();
        for mut layer in layers {
            faults.append(&mut layer.faults);
            figment = figment.merge(layer);
        }
        Self { figment, catalogue: keys::all().collect(), faults }
    }

    /// The value in force, as it was written.
    pub(super) fn raw(&self, path: &str) -> Raw {
        match self.figment.find_value(path) {
            Ok(Value::Array(_, items)) => Raw::List(items.into_iter().filter_map(Value::into_string).collect()),
            Ok(value) => Raw::Text(value.into_string().unwrap_or_default()),
            Err(_) => Raw::Text(String::new()),
        }
    }

    /// Where the value in force was given.
    pub(super) fn place(&self, path: &str) -> String {
        let keys: Vec<&str> = path.split('.').collect();
        let metadata = self.figment.find_metadata(path);
        metadata.map_or_else(String::new, |metadata| metadata.interpolate(&Profile::Default, &keys))
    }

    /// Reads a value; what is wrong with it becomes faults of its key.
    pub(super) fn take<T>(&mut self, path: &str, read: impl FnOnce(&Raw) -> Result<T, Problems>) -> Option<T> {
        match read(&self.raw(path)) {
            Ok(value) => Some(value),
            Err(Problems(problems)) => {
                for problem in problems {
                    self.fault(path, problem);
                }
                None
            }
        }
    }

    /// Reads a value that is one text.
    pub(super) fn text<T>(&mut self, path: &str, read: impl FnOnce(&str) -> Result<T, Problems>) -> Option<T> {
        self.take(path, |raw| read(super::form::text(raw)?))
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&mut self, path: &str, problem: String) {
        let value = match (keys::privacy(path), self.raw(path)) {
            (Privacy::Open, Raw::Text(text)) => Some(text),
            (Privacy::Open, Raw::List(items)) => Some(items.join(", ")),
            (Privacy::Secret | Privacy::Urls, _) => None,
        };
        let form = self.catalogue.iter().find(|key| key.path == path).map(|key| key.form.replace('`', ""));
        self.faults.push(Fault {
            key: path.to_owned(),
            place: self.place(path),
            value,
            problem,
            valid: form.unwrap_or_default(),
        });
    }

    /// Every setting in force, in the order of the documents.
    pub(super) fn shown(&self) -> Vec<Shown> {
        self.catalogue.iter().map(|key| self.show(&key.path)).collect()
    }

    fn show(&self, path: &str) -> Shown {
        let raw = self.raw(path);
        let value = match (keys::privacy(path), raw) {
            (Privacy::Open, Raw::Text(text)) => text,
            (Privacy::Open, Raw::List(items)) => items.join(if separated_by_semicolon(path) { ";" } else { "," }),
            (Privacy::Secret, Raw::Text(text)) if text.is_empty() => text,
            (Privacy::Secret, _) => "***".to_owned(),
            (Privacy::Urls, raw) => smsc::hidden(&raw).join(","),
        };
        Shown { path: path.to_owned(), value, place: self.place(path) }
    }

    /// Every value in force as it was written, secrets included.
    pub(super) fn written(&self) -> BTreeMap<String, Written> {
        let written = |path: String| (path.clone(), Written { raw: self.raw(&path), place: self.place(&path) });
        self.catalogue.iter().map(|key| written(key.path.clone())).collect()
    }

    /// All faults, if there are any.
    pub(super) fn faults(self) -> Faults {
        Faults(self.faults)
    }

    /// Whether anything is wrong so far.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Lists whose items hold commas or are long are separated by semicolons.
fn separated_by_semicolon(path: &str) -> bool {
    matches!(path, "ranges" | "service.numbers")
}
