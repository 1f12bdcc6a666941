//! The operator's folder of texts: which files are in it, for whom each is, and what they say.

use std::fs::{self, File as Opened};
use std::io::{self, Read};
use std::path::Path;

use model::Language;
use routing::text::{Faults, File, Scope, Texts};
use routing::{CampaignName, Campaigns, RangeName, Ranges};

use crate::config::fault::Problems;

/// Largest file: all texts of a language take some 10 kB.
const LARGEST: u64 = 256 * 1024;
/// Most files and folders: of a mistaken folder no more is read.
const MOST: usize = 10_000;

/// Reads the folder over the shipped texts; without one, those alone.
pub(super) fn read(dir: &str, ranges: Option<&Ranges>, campaigns: Option<&Campaigns>) -> Result<Texts, Problems> {
    let mut folder = Folder { left: MOST, files: Vec::new(), problems: Vec::new() };
    if !dir.is_empty() {
        folder.look(Path::new(dir), ranges, campaigns);
    }
    let Folder { files, mut problems, .. } = folder;
    match Texts::read(&files) {
        Ok(texts) if problems.is_empty() => Ok(texts),
        Ok(_) => Err(Problems(problems)),
        Err(Faults(faults)) => {
            problems.extend(faults.iter().map(ToString::to_string));
            Err(Problems(problems))
        }
    }
}

/// What was found so far.
struct Folder {
    left: usize,
    files: Vec<File>,
    problems: Vec<String>,
}

/// An entry of a folder.
struct Entry {
    name: String,
    is_folder: bool,
}

impl Folder {
    fn look(&mut self, dir: &Path, ranges: Option<&Ranges>, campaigns: Option<&Campaigns>) {
        for entry in self.entries(dir, "") {
            match (entry.name.as_str(), entry.is_folder) {
                ("ranges", true) => self.named(dir, "ranges", |name| {
                    let known = ranges.is_none_or(|ranges| ranges.iter().any(|range| range.name.0 == name));
                    let scope = Scope::Range(RangeName(name.to_owned()));
                    if known {
                        Ok(scope)
                    } else {
                        Err("no range of the setting ranges is called so: rename the folder, or take it out")
                    }
                }),
                ("campaigns", true) => self.named(dir, "campaigns", |name| {
                    let known =
                        campaigns.is_none_or(|Campaigns(all)| all.iter().any(|campaign| campaign.name.0 == name));
                    let scope = Scope::Campaign(CampaignName(name.to_owned()));
                    if known {
                        Ok(scope)
                    } else {
                        Err("no campaign of the setting campaigns is called so: rename the folder, or take it out")
                    }
                }),
                (name, true) => {
                    self.problems.push(format!(
                        "{name}: not a folder that is read: texts stand in <language>.toml, ranges/ and campaigns/"
                    ));
                }
                (name, false) => self.file(dir, name, name, &Scope::All),
            }
        }
    }

    /// The folders of ranges or campaigns.
    fn named(&mut self, dir: &Path, kind: &str, scope: impl Fn(&str) -> Result<Scope, &'static str>) {
        let dir = dir.join(kind);
        for entry in self.entries(&dir, kind) {
            let within = format!("{kind}/{}", entry.name);
            if !entry.is_folder {
                self.problems.push(format!("{within}: not a folder: texts stand in {kind}/<name>/<language>.toml"));
                continue;
            }
            let scope = match scope(&entry.name) {
                Ok(scope) => scope,
                Err(problem) => {
                    self.problems.push(format!("{within}: {problem}"));
                    continue;
                }
            };
            let dir = dir.join(&entry.name);
            for Entry { name, is_folder } in self.entries(&dir, &within) {
                let shown = format!("{within}/{name}");
                if is_folder {
                    self.problems.push(format!("{shown}: a folder where files are read: take it out"));
                } else {
                    self.file(&dir, &name, &shown, &scope);
                }
            }
        }
    }

    /// What is in a folder, by name. What begins with a dot is passed over: editors and Kubernetes leave it there.
    fn entries(&mut self, dir: &Path, shown: &str) -> Vec<Entry> {
        let listed = fs::read_dir(dir).and_then(|entries| {
            let entries = entries.take(self.left + 1).map(|entry| {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // Through a link, as Kubernetes makes them.
                Ok(Entry { is_folder: fs::metadata(&path)?.is_dir(), name })
            });
            entries.collect::<io::Result<Vec<Entry>>>()
        });
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(error) => {
                let of = if shown.is_empty() { String::new() } else { format!("{shown}: ") };
                self.problems.push(format!("{of}can't be read: {error}"));
                return Vec::new();
            }
        };
        if entries.len() > self.left {
            self.problems.push(format!("more than {MOST} files and folders: is it the right one?"));
            entries.clear();
        }
        self.left -= entries.len();
        entries.retain(|entry| !entry.name.starts_with('.'));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// A file of texts; others, such as notes, are passed over.
    fn file(&mut self, dir: &Path, name: &str, shown: &str, scope: &Scope) {
        let Some(language) = name.strip_suffix(".toml") else { return };
        let Ok(language) = language.parse::<Language>() else {
            self.problems.push(format!("{shown}: not the name of a language: call it like en.toml or zh-CN.toml"));
            return;
        };
        match content(&dir.join(name)) {
            Ok(content) => self.files.push(File { name: shown.to_owned(), scope: scope.clone(), language, content }),
            Err(problem) => self.problems.push(format!("{shown}: {problem}")),
        }
    }
}

fn content(path: &Path) -> Result<String, String> {
    let mut content = String::new();
    let opened = Opened::open(path).map_err(|error| format!("can't be read: {error}"))?;
    let read = opened.take(LARGEST + 1).read_to_string(&mut content);
    match read {
        Ok(octets) if octets as u64 > LARGEST => Err(format!("larger than {} KiB", LARGEST / 1024)),
        Ok(_) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err("not UTF-8: save it as UTF-8".to_owned()),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}
