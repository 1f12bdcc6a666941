//! Reads the audit log from its end: the newest first, page by page.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;

use jiff::tz::TimeZone;
use model::Timestamp;

use super::{Action, Entry};

/// What is read of a file at a time.
const BLOCK: u64 = 64 * 1024;
/// Lines that are looked at for one page: where a filter finds little, the page is short and the next goes on.
const LOOKED_AT: usize = 100_000;

/// A calendar month, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Month {
    year: i16,
    month: i8,
}

impl Month {
    pub(super) fn of(at: Timestamp) -> Self {
        let day = at.to_jiff().unwrap_or_default().to_zoned(TimeZone::UTC).date();
        Self { year: day.year(), month: day.month() }
    }

    pub(super) fn file(self) -> String {
        format!("{self}.jsonl")
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// No month, or no place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a place in the audit log: take 'next' of the page before")]
pub struct NoPlace;

impl FromStr for Month {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (year, month) = text.split_once('-').ok_or(NoPlace)?;
        let month = Self { year: year.parse().map_err(|_| NoPlace)?, month: month.parse().map_err(|_| NoPlace)? };
        if month.to_string() == text && (1..=12).contains(&month.month) { Ok(month) } else { Err(NoPlace) }
    }
}

/// A place in the log: what was written before it is older. Written `2026-11.4711`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    month: Month,
    offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.month, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (month, offset) = text.split_once('.').ok_or(NoPlace)?;
        Ok(Self { month: month.parse()?, offset: offset.parse().map_err(|_| NoPlace)? })
    }
}

/// Which entries; each that is `None` lets all through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Of this one, as [`Entry::who`] has it.
    pub who: Option<String>,
    /// Of this kind.
    pub action: Option<Action>,
    /// About this one, as [`Entry::subject`] has it.
    pub subject: Option<String>,
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        self.who.as_ref().is_none_or(|who| *who == entry.who)
            && self.action.is_none_or(|action| action == entry.action)
            && self.subject.as_ref().is_none_or(|subject| entry.subject.as_ref() == Some(subject))
    }
}

/// Entries, the newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None`: there are no more.
    pub next: Option<Cursor>,
    /// Lines that could not be read, of those looked at.
    pub skipped: u64,
}

/// The months of which there is a file, the oldest first.
pub(super) fn months(dir: &Path) -> io::Result<Vec<Month>> {
    let mut months = Vec::new();
    for file in fs::read_dir(dir)? {
        let name = file?.file_name();
        months.extend(
            name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|name| name.parse::<Month>().ok()),
        );
    }
    months.sort();
    Ok(months)
}

/// The newest entries before a place. Blocks on the disk.
pub(super) fn newest(dir: &Path, before: Option<Cursor>, limit: usize, filter: &Filter) -> io::Result<Page> {
    let mut page = Page::default();
    let mut looked_at = 0;
    let older = |month: &Month| before.is_none_or(|before| *month <= before.month);
    for month in months(dir)?.into_iter().rev().filter(older) {
        let mut file = File::open(dir.join(month.file()))?;
        let size = file.metadata()?.len();
        let end = before.filter(|before| before.month == month).map_or(size, |before| before.offset.min(size));
        let stopped = back(&mut file, end, |offset, line| {
            if page.entries.len() >= limit || looked_at >= LOOKED_AT {
                // This line is the first of the next page.
                page.next = Some(Cursor { month, offset: offset + u64::try_from(line.len()).unwrap_or(0) + 1 });
                return ControlFlow::Break(());
            }
            looked_at += 1;
            match serde_json::from_slice::<Entry>(line) {
                Ok(entry) if filter.takes(&entry) => page.entries.push(entry),
                Ok(_) => {}
                Err(_) => page.skipped += 1,
            }
            ControlFlow::Continue(())
        })?;
        if stopped.is_break() {
            break;
        }
    }
    Ok(page)
}

/// Gives the lines of a file from the last before `end` to the first, each with its place.
fn back(file: &mut File, end: u64, mut each: impl FnMut(u64, &[u8]) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    let mut start = end;
    // What is read and not given, beginning at `start`.
    let mut held: Vec<u8> = Vec::new();
    loop {
        while let Some(place) = held.iter().rposition(|byte| *byte == b'\n') {
            let line = held.get(place + 1..).unwrap_or_default();
            let offset = start + u64::try_from(place).unwrap_or(0) + 1;
            if !line.is_empty() && each(offset, line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            held.truncate(place);
        }
        if start == 0 {
            return Ok(if held.is_empty() { ControlFlow::Continue(()) } else { each(0, &held) });
        }
        let size = start.min(BLOCK);
        start -= size;
        let mut block = vec![0; usize::try_from(size).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.append(&mut held);
        held = block;
    }
}
