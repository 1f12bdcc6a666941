//! The settings read anew while the gateway runs: what takes effect at once, and what is held until a restart.
//!
//! ```text
//! all sources, read anew ──► any fault: nothing is applied
//!        │ compared with what is in force, as it is written
//!        ▼
//! changed and held: told, and the running value put above all layers ──► read once more ──► any fault: nothing is applied
//!        ▼
//! settings that fit what runs
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Faults;
use super::layer::Layer;
use super::reader::{Sources, Written};
use super::{Fault, Settings};

/// Where settings came from, and what was written there. Holds secrets, and shows none.
#[derive(Clone)]
pub struct Origin {
    sources: Sources,
    written: BTreeMap<String, Written>,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}

impl Origin {
    pub(super) fn new(sources: Sources, written: BTreeMap<String, Written>) -> Self {
        Self { sources, written }
    }
}

/// How often files are read anew that change meanwhile.
const READINGS: usize = 3;

/// What reading the settings anew gave.
#[derive(Debug)]
pub struct Reread {
    /// What is in force from now on: what changed and may, and everything else as it was.
    pub settings: Settings,
    /// What changed and is in it.
    pub applied: Vec<String>,
    /// What changed and waits for a restart.
    pub needs_restart: Vec<String>,
}

impl Settings {
    /// Reads the settings anew from where these came from. What others hold that run (links, listeners, the database, the store) stays as it is
    /// here, and what is new is checked against that.
    ///
    /// # Errors
    /// With every fault, also of what would not take effect now: at the next start it would keep the gateway from starting.
    pub fn read_anew(&self) -> Result<Reread, Faults> {
        for _ in 1..READINGS {
            if let Some(reread) = self.read_once()? {
                return Ok(reread);
            }
        }
        self.read_once()?.ok_or_else(|| {
            let problem = "the files change while they are read: nothing was changed, try again".to_owned();
            let (key, place) = ("settings".to_owned(), "the files".to_owned());
            Faults(vec![Fault { key, place, value: None, problem, valid: String::new() }])
        })
    }

    /// `None`: what is held changed between the first reading and the second.
    fn read_once(&self) -> Result<Option<Reread>, Faults> {
        let Origin { sources, written } = &self.origin;
        let fresh = Self::load(sources)?;
        let differs = |path: &&String| {
            fresh.origin.written.get(*path).map(|new| &new.raw) != written.get(*path).map(|old| &old.raw)
        };
        let (mut applied, needs_restart): (Vec<String>, Vec<String>) =
            written.keys().filter(differs).cloned().partition(|path| is_live(path));
        let settings = if needs_restart.is_empty() {
            fresh
        } else {
            let value = |path: &String| Some((path.clone(), written.get(path)?.clone()));
            let held = Layer::held(needs_restart.iter().filter_map(value));
            Self::load_below(sources, Some(held)).map_err(|faults| beside(faults, &needs_restart))?
        };
        let held = |path: &&String| {
            is_live(path)
                || settings.origin.written.get(*path).map(|new| &new.raw) == written.get(*path).map(|old| &old.raw)
        };
        if !written.keys().all(|path| held(&path)) {
            return Ok(None);
        }
        // The files in it may have changed where the setting has not.
        let folder = "text.dir".to_owned();
        if !settings.policy.texts.same_words(&self.policy.texts) && !applied.contains(&folder) {
            applied.push(folder);
        }
        Ok(Some(Reread { settings, applied, needs_restart }))
    }
}

/// What may change while the gateway runs: what decisions are taken by, what is logged, and how long stopping may take.
fn is_live(path: &str) -> bool {
    match path.split_once('.') {
        None => matches!(path, "ranges" | "campaigns"),
        Some(("service" | "keywords" | "alert" | "teaser" | "text" | "reply" | "notify", _)) => true,
        Some(_) => matches!(path, "ingress.dedup_window" | "ingress.same_call" | "log.filter" | "stop.grace"),
    }
}

/// Faults of what is right by itself, but doesn't fit what is held.
fn beside(Faults(faults): Faults, held: &[String]) -> Faults {
    let explained = |fault: Fault| {
        let problem =
            format!("{} (as long as {} is what it was: restart to change both)", fault.problem, held.join(", "));
        Fault { problem, ..fault }
    };
    Faults(faults.into_iter().map(explained).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(file: &Path, environment: &[(&str, &str)]) -> Settings {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings::load(&Sources { file: Some(file.to_owned()), environment, ..Sources::default() }).unwrap()
    }

    #[test]
    fn what_decides_changes_and_what_others_hold_stays_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("afterring.toml");
        let write = |range: &str, password: &str, country: &str| {
            let text = format!(
                "ranges = \"{range}\"\n[smsc]\nurls = \"smpp://me:{password}@127.0.0.1:2775\"\n[numbering]\ncountry_code = \"{country}\"\n"
            );
            std::fs::write(&file, text).unwrap();
        };
        write("north=86138*:5", "old", "86");
        let before = settings(&file, &[("AFTERRING_SERVICE__CODE", "12599")]);
        let same = before.read_anew().unwrap();
        assert!(same.applied.is_empty() && same.needs_restart.is_empty());

        write("north=86138*:50", "new", "49");
        let after = before.read_anew().unwrap();
        assert_eq!(after.applied, ["ranges"]);
        // A secret is compared too, though both are shown alike.
        assert_eq!(after.needs_restart, ["numbering.country_code", "smsc.urls"]);
        let settings = &after.settings;
        assert_eq!(settings.policy.ranges.iter().next().unwrap().quota, 50);
        let numbering = settings.policy.numbering.as_ref().map(|numbering| numbering.country_code.as_str());
        assert_eq!((settings.numbering.country_code.as_str(), numbering), ("86", Some("86")));
        assert_eq!(format!("{:?}", settings.links), format!("{:?}", before.links));
        // Told again each time, until there is a restart.
        let again = settings.read_anew().unwrap();
        assert!(again.applied.is_empty());
        assert_eq!(again.needs_restart, ["numbering.country_code", "smsc.urls"]);
    }

    #[test]
    fn what_does_not_fit_what_runs_is_refused_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("afterring.toml");
        let write = |calls: &str, window: &str| {
            let text = format!("[retention]\ncalls = \"{calls}\"\n[alert]\nmax_age = \"{window}\"\n");
            std::fs::write(&file, text).unwrap();
        };
        write("7d", "7d");
        let before = settings(&file, &[("AFTERRING_SERVICE__CODE", "12599")]);
        write("30d", "20d");
        let Faults(faults) = before.read_anew().unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].line().contains("as long as retention.calls is what it was"), "{}", faults[0].line());
        std::fs::write(&file, "[alert]\nmax_agee = \"1d\"").unwrap();
        assert!(before.read_anew().is_err());
    }

    #[test]
    fn texts_are_read_anew_though_their_folder_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("afterring.toml");
        let texts = dir.path().join("texts");
        std::fs::create_dir(&texts).unwrap();
        std::fs::write(&file, format!("[text]\ndir = {texts:?}\n")).unwrap();
        let before = settings(&file, &[("AFTERRING_SERVICE__CODE", "12599")]);
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../routing/src/text/en.toml"), texts.join("en.toml"))
            .unwrap();
        let text = std::fs::read_to_string(texts.join("en.toml")).unwrap();
        std::fs::write(texts.join("en.toml"), text.replacen("alls", "ALLS", 1)).unwrap();
        let after = before.read_anew().unwrap();
        assert_eq!(after.applied, ["text.dir"]);
        assert!(after.settings.read_anew().unwrap().applied.is_empty());
    }
}
