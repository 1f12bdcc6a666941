//! `afterring lists`: who consented, who is a customer, and who is not to be contacted.

use std::io::{self, BufWriter, IsTerminal, Write};

use indicatif::HumanCount;
use model::{Clock, Msisdn, Timestamp};
use routing::List;

use super::desk::Desk;
use super::errors::{create, plain};
use super::list::Unusable;
use super::progress::Progress;
use super::registry::{Act, Trouble};
use super::{errors_file, failed, is_standard, read};
use crate::cli::{Export, Import, Lists, OK, Terminal, UNAVAILABLE, USAGE, told, within};
use crate::config::{self, Registry, Sources};

/// Numbers in one transaction.
const CHUNK: usize = 5_000;

pub(in crate::cli) fn run(
    asked: &Lists,
    sources: &Sources,
    clock: Clock,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let settings = match config::Registry::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    let at = At { settings, sources, now: clock() };
    match asked {
        Lists::Import { list, import } => at.import(*list, import, terminal),
        Lists::Export { list, export } => at.export(*list, export, terminal),
        Lists::Add { list, number } => at.change(*list, number, Change::Add, terminal),
        Lists::Remove { list, number } => at.change(*list, number, Change::Remove, terminal),
        Lists::Show { number } => at.show(number, terminal),
    }
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Remove,
}

/// Where and when.
struct At<'a> {
    settings: Registry,
    sources: &'a Sources,
    now: Timestamp,
}

impl At<'_> {
    async fn desk(&self, act: Act) -> Result<Desk, Trouble> {
        Desk::open(&self.settings, self.sources, self.now, act).await
    }

    fn import(&self, list: List, asked: &Import, terminal: &mut Terminal<'_>) -> io::Result<u8> {
        let errors = errors_file(asked);
        let (mut rows, refused) = match read(asked, &self.settings, errors.as_deref(), &mut *terminal.err) {
            Ok(read) => read,
            Err(unusable) => {
                writeln!(terminal.err, "{}: {unusable}", asked.file.display())?;
                return Ok(match unusable {
                    Unusable::Header(_) => USAGE,
                    Unusable::Read(_) | Unusable::Errors(_) => UNAVAILABLE,
                });
            }
        };
        let repeated = rows.order(|number| (number.as_u64() % 64, number.as_u64()));
        let name = asked.file.file_name().map_or_else(|| "-".to_owned(), |name| name.to_string_lossy().into_owned());
        let source: String = format!("import {name}").chars().filter(|letter| !letter.is_control()).take(200).collect();
        let numbers: Vec<Msisdn> = rows.chunks(CHUNK).flatten().map(|row| row.number).collect();
        let put = if asked.dry_run { Ok(0) } else { within(self.put(list, &numbers, &source, terminal.err))?? };
        let new = match put {
            Ok(new) => new,
            Err(trouble) => {
                writeln!(terminal.err, "importing again goes on from where it ended")?;
                return failed(&trouble, terminal);
            }
        };
        let (all, refused_count) = (numbers.len() as u64, HumanCount(refused));
        if asked.dry_run {
            writeln!(terminal.out, "would import {}, refused {refused_count}", HumanCount(all))?;
        } else {
            let (new, known) = (HumanCount(new), HumanCount(all.saturating_sub(new)));
            write!(terminal.out, "{}: imported {new}, on it already {known}, refused {refused_count}", list.as_str())?;
            if let Some(errors) = errors.filter(|_| refused > 0) {
                write!(terminal.out, " → {}", errors.display())?;
            }
            if repeated > 0 {
                write!(terminal.out, "; {} rows came again", HumanCount(repeated))?;
            }
            writeln!(terminal.out)?;
        }
        Ok(if all == 0 && refused > 0 { USAGE } else { OK })
    }

    async fn put(
        &self,
        list: List,
        numbers: &[Msisdn],
        source: &str,
        err: &mut dyn Write,
    ) -> io::Result<Result<u64, Trouble>> {
        let mut desk = match self.desk(Act::Put).await {
            Ok(desk) => desk,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let mut progress = Progress::new("imported", numbers.len() as u64, io::stderr().is_terminal());
        let mut done = Ok(0);
        for some in numbers.chunks(CHUNK) {
            match (desk.put(list, some, source, self.now).await, &mut done) {
                (Ok(more), Ok(new)) => {
                    *new += more;
                    progress.add(some.len() as u64, err)?;
                }
                (Ok(_), Err(_)) => {}
                (Err(trouble), _) => {
                    done = Err(trouble);
                    break;
                }
            }
        }
        progress.end();
        desk.close().await;
        Ok(done)
    }

    fn export(&self, list: List, asked: &Export, terminal: &mut Terminal<'_>) -> io::Result<u8> {
        let written = if is_standard(&asked.file) {
            within(self.write(list, &mut *terminal.out))??
        } else {
            within(self.write(list, create(&asked.file)?))??
        };
        match written {
            Ok(count) => {
                writeln!(terminal.err, "exported {}", HumanCount(count))?;
                Ok(OK)
            }
            Err(trouble) => failed(&trouble, terminal),
        }
    }

    async fn write(&self, list: List, to: impl Write) -> io::Result<Result<u64, Trouble>> {
        let mut desk = match self.desk(Act::Compare).await {
            Ok(desk) => desk,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let mut writer = csv::Writer::from_writer(BufWriter::new(to));
        writer.write_record(["number"]).map_err(plain)?;
        let (mut count, mut after) = (0, None);
        let end = loop {
            let page = match desk.page(list, after).await {
                Ok(page) => page,
                Err(trouble) => break Err(trouble),
            };
            let Some(last) = page.last() else { break Ok(count) };
            after = Some(last.number);
            for entry in &page {
                writer.write_record([format!("+{}", entry.number.reveal())]).map_err(plain)?;
                count += 1;
            }
        };
        writer.flush()?;
        desk.close().await;
        Ok(end)
    }

    fn change(&self, list: List, text: &str, change: Change, terminal: &mut Terminal<'_>) -> io::Result<u8> {
        let number = match self.settings.numbering.normalise(text) {
            Ok(number) => number,
            Err(error) => {
                writeln!(terminal.err, "{text}: {error}")?;
                return Ok(USAGE);
            }
        };
        let done = within(async {
            let mut desk = self.desk(Act::Put).await?;
            let done = match change {
                Change::Add => desk.put(list, &[number], "cli", self.now).await.map(|new| new > 0),
                Change::Remove => desk.remove(list, number).await,
            };
            desk.close().await;
            done
        })?;
        let words = match (change, done) {
            (_, Err(trouble)) => return failed(&trouble, terminal),
            (Change::Add, Ok(true)) => "added to",
            (Change::Add, Ok(false)) => "is already on",
            (Change::Remove, Ok(true)) => "taken off",
            (Change::Remove, Ok(false)) => "is not on",
        };
        writeln!(terminal.out, "+{} {words} {}", number.reveal(), list.as_str())?;
        Ok(OK)
    }

    fn show(&self, text: &str, terminal: &mut Terminal<'_>) -> io::Result<u8> {
        let number = match self.settings.numbering.normalise(text) {
            Ok(number) => number,
            Err(error) => {
                writeln!(terminal.err, "{text}: {error}")?;
                return Ok(USAGE);
            }
        };
        let found = within(async {
            let mut desk = self.desk(Act::Compare).await?;
            let found = desk.entries_of(number).await;
            desk.close().await;
            found
        })?;
        match found {
            Ok(entries) if entries.is_empty() => writeln!(terminal.out, "+{} is on no list", number.reveal())?,
            Ok(entries) => {
                for entry in entries {
                    writeln!(terminal.out, "{} since {} ({})", entry.list.as_str(), entry.at, entry.source)?;
                }
            }
            Err(trouble) => return failed(&trouble, terminal),
        }
        Ok(OK)
    }
}
