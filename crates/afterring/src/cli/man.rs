//! `afterring man`: the manual pages, from what the command line says of itself.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, OK, Terminal, UNAVAILABLE};

/// Exit codes of all commands.
const EXIT_STATUS: [(&str, &str); 6] = [
    ("0", "Done, or stopped as asked."),
    ("64", "The command line can't be understood (EX_USAGE)."),
    ("69", "Something can't be reached, or isn't ready (EX_UNAVAILABLE)."),
    (
        "70",
        "A fault of the program: a loop ended that must not (EX_SOFTWARE). Start it again; nothing that was accepted is lost.",
    ),
    ("75", "Stopped before everything in hand was finished; it goes on at the next start (EX_TEMPFAIL)."),
    ("78", "The settings can't be used (EX_CONFIG); each fault is told. Starting again doesn't help."),
];

const FILES: [(&str, &str); 4] = [
    (
        "./afterring.toml, /etc/afterring/afterring.toml",
        "The settings, where neither --config nor AFTERRING_CONFIG names a file: the first that exists.",
    ),
    (
        "store.dir (./afterring-data)",
        "The local store: the journal of what was accepted, and everything that was decided.",
    ),
    ("text.dir", "Texts of your own."),
    ("<key>_file", "Files that hold secrets: the database's URL, tokens, the URLs of SMSCs."),
];

const ENVIRONMENT: [(&str, &str); 4] = [
    ("AFTERRING_CONFIG", "The file of settings."),
    (
        "AFTERRING_<SECTION>__<KEY>",
        "Any setting, over the file: AFTERRING_ALERT__MIN_INTERVAL is alert.min_interval. 'afterring config --docs' lists all.",
    ),
    ("AFTERRING_<SECTION>__<KEY>_FILE", "The file that holds a secret."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "Where systemd hears that the gateway is ready, reloads, stops and lives."),
];

const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGTERM, SIGINT",
        "Stop: nothing new is taken, what is in hand is finished within stop.grace. A second one ends the process at once; what was accepted is on disk.",
    ),
    ("SIGHUP", "Read the settings anew, as 'afterring reload' does."),
];

pub(super) fn print(dir: Option<&Path>, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let mut whole = Cli::command();
    whole.build();
    let Some(dir) = dir else {
        terminal.out.write_all(&page(whole, true)?)?;
        return Ok(OK);
    };
    match write_all(dir, whole) {
        Ok(pages) => {
            writeln!(terminal.out, "{pages} pages in {}", dir.display())?;
            Ok(OK)
        }
        Err(error) => {
            writeln!(terminal.err, "{}: {error}", dir.display())?;
            Ok(UNAVAILABLE)
        }
    }
}

/// A page for each command and each below it; how many.
fn write_all(dir: &Path, whole: Command) -> io::Result<usize> {
    fs::create_dir_all(dir)?;
    let (mut left, mut pages) = (vec![whole], 0);
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().filter(|below| below.get_name() != "help").cloned());
        let name = command.get_display_name().unwrap_or("afterring").to_owned();
        fs::write(dir.join(format!("{name}.1")), page(command, pages == 0)?)?;
        pages += 1;
    }
    Ok(pages)
}

fn page(command: Command, is_whole: bool) -> io::Result<Vec<u8>> {
    let man = Man::new(command);
    let mut page = Vec::new();
    if !is_whole {
        man.render(&mut page)?;
        return Ok(page);
    }
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    let sections: [(&str, &[(&str, &str)]); 4] =
        [("EXIT STATUS", &EXIT_STATUS), ("FILES", &FILES), ("ENVIRONMENT", &ENVIRONMENT), ("SIGNALS", &SIGNALS)];
    for (title, entries) in sections {
        let mut roff = Roff::new();
        roff.control("SH", [title]);
        for (term, meaning) in entries {
            roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
        roff.to_writer(&mut page)?;
    }
    Ok(page)
}
