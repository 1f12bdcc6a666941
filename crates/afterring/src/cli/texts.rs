//! `afterring texts`: shows every text as phones would, and writes the shipped ones as files to start from.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use routing::text::{Preview as Shown, SHIPPED, Source, Wanted, counted};
use routing::{CampaignName, RangeName};

use super::{OK, Preview, Terminal, UNAVAILABLE, USAGE, told};
use crate::config::{Sources, Writing};

pub(super) fn preview(asked: &Preview, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let writing = match Writing::load(sources) {
        Ok(writing) => writing,
        Err(faults) => return told(&faults, terminal),
    };
    let wanted = Wanted {
        language: asked.language.clone(),
        range: asked.range.clone().map(RangeName),
        campaign: asked.campaign.clone().map(CampaignName),
        kind: asked.kind,
        clock: asked.clock,
    };
    let source = Source {
        texts: &writing.texts,
        ranges: &writing.ranges,
        keywords: &writing.keywords,
        max_parts: writing.max_parts,
        time_zone: &writing.time_zone,
        clock: writing.clock,
    };
    let previews = match source.previews(&wanted) {
        Ok(previews) => previews,
        Err(unknown) => {
            writeln!(terminal.err, "--{}: {unknown}", unknown.field())?;
            return Ok(USAGE);
        }
    };
    for shown in &previews {
        show(shown, asked.json, terminal.out)?;
    }
    Ok(OK)
}

fn show(shown: &Shown, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(shown)?);
    }
    let Shown { language, name, coding, characters, parts, text, warnings, .. } = shown;
    writeln!(out, "{language} {name} ({coding}, {characters} characters, {})", counted(*parts))?;
    for line in text.lines() {
        writeln!(out, "    {line}")?;
    }
    for warning in warnings {
        writeln!(out, "  ! {warning}")?;
    }
    writeln!(out)
}

/// Writes the shipped files where none of their names are.
pub(super) fn export(dir: &Path, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if let Err(error) = fs::create_dir_all(dir) {
        writeln!(terminal.err, "{}: {error}", dir.display())?;
        return Ok(UNAVAILABLE);
    }
    let mut code = OK;
    for (name, content) in SHIPPED {
        let path = dir.join(name);
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        match written {
            Ok(()) => writeln!(terminal.out, "{}", path.display())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                writeln!(terminal.err, "{}: is there already, and was left as it is", path.display())?;
                code = USAGE;
            }
            Err(error) => {
                writeln!(terminal.err, "{}: {error}", path.display())?;
                return Ok(UNAVAILABLE);
            }
        }
    }
    Ok(code)
}
