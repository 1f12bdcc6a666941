//! `afterring subscribers`: everybody who is registered, from a CSV file and into one.

mod desk;
mod errors;
mod list;
pub(super) mod lists;
pub(super) mod person;
mod progress;
mod registry;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::HumanCount;
use model::{Clock, Timestamp};
use routing::{ClockFace, SubscriberStatus};
use store::{Bulk, Imported};

use self::errors::{Errors, Place, create, plain};
use self::list::{List, Unusable};
use self::progress::Progress;
use self::registry::{Act, Registry, Roll, Trouble};
use super::{Export, Import, OK, Terminal, UNAVAILABLE, USAGE, told, within};
use crate::config::{self, Sources};

/// What stands for standard input and output.
const STANDARD: &str = "-";

/// What an import came to.
#[derive(Default)]
struct Done {
    imported: Imported,
    repeated: u64,
    trouble: Option<Trouble>,
}

pub(super) fn import(asked: &Import, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let settings = match config::Registry::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    let errors = errors_file(asked);
    let (mut list, refused) = match read(asked, &settings, errors.as_deref(), &mut *terminal.err) {
        Ok(read) => read,
        Err(unusable) => {
            writeln!(terminal.err, "{}: {unusable}", asked.file.display())?;
            return Ok(match unusable {
                Unusable::Header(_) => USAGE,
                Unusable::Read(_) | Unusable::Errors(_) => UNAVAILABLE,
            });
        }
    };
    let (rows, act) = (list.len(), if asked.dry_run { Act::Compare } else { Act::Put });
    let done = within(take(&mut list, act, &settings, clock(), &mut *terminal.err))??;
    if let Some(trouble) = &done.trouble {
        writeln!(terminal.err, "{trouble}")?;
        let far = done.imported.new + done.imported.changed;
        if act == Act::Put && far > 0 {
            writeln!(
                terminal.err,
                "{} were imported before that; importing again goes on from there",
                HumanCount(far)
            )?;
        }
        return Ok(UNAVAILABLE);
    }
    writeln!(terminal.out, "{}", summary(act, &done, refused, errors.as_deref()))?;
    Ok(if rows == 0 && refused > 0 { USAGE } else { OK })
}

/// Where refused rows are written; `None`: to standard error.
fn errors_file(asked: &Import) -> Option<PathBuf> {
    if asked.errors.is_some() {
        return asked.errors.clone().filter(|file| !is_standard(file));
    }
    if asked.dry_run || is_standard(&asked.file) {
        return None;
    }
    let mut name = OsString::from(&asked.file);
    name.push(".errors.csv");
    Some(name.into())
}

fn is_standard(file: &Path) -> bool {
    file.as_os_str() == STANDARD
}

fn read(
    asked: &Import,
    settings: &config::Registry,
    errors: Option<&Path>,
    err: &mut dyn Write,
) -> Result<(List, u64), Unusable> {
    let input: Box<dyn Read> = if is_standard(&asked.file) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&asked.file).map_err(|error| Unusable::Header(error.to_string()))?)
    };
    let place = errors.map_or(Place::Terminal(err), |path| Place::File(path.to_owned()));
    let mut errors = Errors::to(place);
    let list = list::read(input, &settings.numbering, &mut errors)?;
    Ok((list, errors.end().map_err(Unusable::Errors)?))
}

/// Brings a list into the registry, or looks what that would do.
async fn take(
    list: &mut List,
    act: Act,
    settings: &config::Registry,
    now: Timestamp,
    err: &mut dyn Write,
) -> io::Result<Done> {
    let mut done = Done::default();
    if list.len() == 0 {
        return Ok(done);
    }
    let mut registry = match Registry::open(settings, now, act).await {
        Ok(registry) => registry,
        Err(trouble) => return Ok(Done { trouble: Some(trouble), ..done }),
    };
    done.repeated = list.order(|number| registry.key(number));
    let verb = match act {
        Act::Compare => "compared",
        Act::Put => "imported",
    };
    let mut progress = Progress::new(verb, list.len(), io::stderr().is_terminal());
    for rows in list.chunks(Bulk::CHUNK) {
        let people: Vec<_> = rows.iter().filter_map(|row| list.subscriber(*row, now)).collect();
        match registry.take(act, people, list.given).await {
            Ok(imported) => {
                done.imported += imported;
                progress.add(imported.all(), err)?;
            }
            Err(trouble) => {
                done.trouble = Some(trouble);
                break;
            }
        }
    }
    progress.end();
    registry.close().await;
    Ok(done)
}

fn summary(act: Act, done: &Done, refused: u64, errors: Option<&Path>) -> String {
    let Imported { new, changed, unchanged } = done.imported;
    let would = match act {
        Act::Compare => "would import",
        Act::Put => "imported",
    };
    let mut text = format!(
        "{would} {} (new {}, changed {}), unchanged {}, refused {}",
        HumanCount(new + changed),
        HumanCount(new),
        HumanCount(changed),
        HumanCount(unchanged),
        HumanCount(refused)
    );
    if let Some(errors) = errors.filter(|_| refused > 0) {
        text = format!("{text} → {}", errors.display());
    }
    if done.repeated > 0 {
        text = format!("{text}; {} rows were passed over for later ones of the same number", HumanCount(done.repeated));
    }
    text
}

pub(super) fn export(asked: &Export, sources: &Sources, clock: Clock, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let settings = match config::Registry::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    if is_standard(&asked.file) {
        return match within(write_all(&settings, clock(), &mut *terminal.out))?? {
            Ok(count) => {
                writeln!(terminal.err, "exported {}", HumanCount(count))?;
                Ok(OK)
            }
            Err(trouble) => failed(&trouble, terminal),
        };
    }
    match write_file(&asked.file, &settings, clock()) {
        Ok(Ok(count)) => {
            writeln!(terminal.out, "exported {} → {}", HumanCount(count), asked.file.display())?;
            Ok(OK)
        }
        Ok(Err(trouble)) => failed(&trouble, terminal),
        Err(error) => {
            writeln!(terminal.err, "{}: {error}", asked.file.display())?;
            Ok(UNAVAILABLE)
        }
    }
}

/// Writes everybody under another name until it is whole: half a registry looks like a whole one. A device or a pipe is written as it is.
fn write_file(path: &Path, settings: &config::Registry, now: Timestamp) -> io::Result<Result<u64, Trouble>> {
    if path.metadata().is_ok_and(|known| !known.is_file()) {
        return within(write_all(settings, now, File::options().write(true).open(path)?))?;
    }
    // What a link leads to is replaced, not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut partial = OsString::from(&path);
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let file = create(&partial)?;
    let written = within(write_all(settings, now, &file))?.and_then(|written| file.sync_all().map(|()| written));
    match written {
        Ok(Ok(count)) => std::fs::rename(&partial, &path).map(|()| Ok(count)),
        not => {
            std::fs::remove_file(&partial)?;
            not
        }
    }
}

fn failed(trouble: &Trouble, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    writeln!(terminal.err, "{trouble}")?;
    Ok(UNAVAILABLE)
}

/// Writes everybody; how many they are.
async fn write_all(settings: &config::Registry, now: Timestamp, to: impl Write) -> io::Result<Result<u64, Trouble>> {
    let opened = match Registry::open(settings, now, Act::Compare).await {
        Ok(registry) => registry.everybody().await,
        Err(trouble) => Err(trouble),
    };
    let mut roll = match opened {
        Ok(roll) => roll,
        Err(trouble) => return Ok(Err(trouble)),
    };
    let written = write_roll(&mut roll, to).await;
    roll.close().await;
    written
}

async fn write_roll(roll: &mut Roll, to: impl Write) -> io::Result<Result<u64, Trouble>> {
    let mut writer = csv::Writer::from_writer(BufWriter::new(to));
    writer.write_record(["number", "status", "language", "time_zone", "clock", "quiet", "copy_to"]).map_err(plain)?;
    let mut count = 0;
    loop {
        let one = match roll.next().await {
            Ok(Some(one)) => one,
            Ok(None) => break,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let status = match one.status {
            SubscriberStatus::Active => "active",
            SubscriberStatus::Suspended => "suspended",
        };
        let language = one.language.as_ref().map_or("", |language| language.as_str());
        let number = format!("+{}", one.number.reveal());
        let time_zone = one.time_zone.as_deref().unwrap_or("");
        let clock = one.clock.map_or("", ClockFace::as_str);
        let quiet = one.quiet.map(|window| window.to_string()).unwrap_or_default();
        let copy_to = one.copy_to.map(|number| format!("+{}", number.reveal())).unwrap_or_default();
        writer.write_record([&number, status, language, time_zone, clock, &quiet, &copy_to]).map_err(plain)?;
        count += 1;
    }
    writer.flush()?;
    Ok(Ok(count))
}
