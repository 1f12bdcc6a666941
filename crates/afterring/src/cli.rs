//! The command line: which command was asked for, and those that need no gateway of their own.

mod access;
mod arguments;
mod call;
mod doctor;
mod explain;
mod health;
mod http;
mod man;
mod migrate;
mod reload;
mod sip;
mod smsc;
mod subscribers;
mod tail;
mod texts;
mod top;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use model::Clock;

use crate::config::{self, Settings, Sources};
use crate::metrics;

pub use arguments::*;
pub use sip::Explain;

/// Done, or stopped as asked.
pub const OK: u8 = 0;
/// The command line can't be understood (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// Something that is needed can't be reached, or isn't ready (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// A fault of the program (`EX_SOFTWARE`).
pub const BUG: u8 = 70;
/// Stopped before everything in hand was finished; it goes on at the next start (`EX_TEMPFAIL`).
pub const GAVE_UP: u8 = 75;
/// The settings can't be used (`EX_CONFIG`).
pub const CONFIGURATION: u8 = 78;
/// What is left to do once the command line was answered as far as it can be without a gateway.
#[derive(Debug)]
pub enum Next {
    /// Nothing: exit with this code.
    Exit(u8),
    /// Run the gateway.
    Run(Box<Settings>),
    /// Run the demo.
    Demo(Demo),
}

/// Where a command writes: its answer, and what is wrong.
pub struct Terminal<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// Reads the command line and answers it, for a process of the operating system.
#[must_use]
pub fn start(clock: Clock) -> Next {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut terminal = Terminal { out: &mut out, err: &mut err };
    answer(std::env::args_os(), Sources::of_process, clock, &mut terminal).unwrap_or_else(|error| match error.kind() {
        // Whoever read our output has seen enough (`afterring config | head`).
        io::ErrorKind::BrokenPipe => Next::Exit(OK),
        _ => {
            eprintln!("afterring: the terminal can't be used: {error}");
            Next::Exit(UNAVAILABLE)
        }
    })
}

/// Reads a command line and answers it; `sources` says where settings come from, given `--config` and `--set`.
///
/// # Errors
/// When the terminal can't be written to.
pub fn answer(
    arguments: impl IntoIterator<Item = OsString>,
    sources: impl FnOnce(Option<PathBuf>, Vec<String>) -> Sources,
    clock: Clock,
    terminal: &mut Terminal<'_>,
) -> io::Result<Next> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            write!(terminal.err, "{error}")?;
            return Ok(Next::Exit(USAGE));
        }
        Err(help) => {
            write!(terminal.out, "{help}")?;
            return Ok(Next::Exit(OK));
        }
    };
    let format = cli.log_format.map(|format| format!("log.format={format}"));
    let sources = sources(cli.config, cli.set.into_iter().chain(format).collect());
    let code = match cli.command.unwrap_or(Command::Run) {
        Command::Run => match Settings::load(&sources) {
            Ok(settings) => return Ok(Next::Run(Box::new(settings))),
            Err(faults) => told(&faults, terminal)?,
        },
        Command::Demo(demo) => return Ok(Next::Demo(demo)),
        Command::Check => check(&sources, terminal)?,
        Command::Config(asked) => print_config(&asked, &sources, terminal)?,
        Command::Health(asked) => health::ask(&asked, &sources, terminal)?,
        Command::Call(call) => call::report(&call, &sources, clock, terminal)?,
        Command::Migrate => migrate::migrate(&sources, terminal)?,
        Command::Subscribers(Subscribers::Import(asked)) => subscribers::import(&asked, &sources, clock, terminal)?,
        Command::Subscribers(Subscribers::Export(asked)) => subscribers::export(&asked, &sources, clock, terminal)?,
        Command::Lists(asked) => subscribers::lists::run(&asked, &sources, clock, terminal)?,
        Command::Doctor(asked) => doctor::run(&asked, &sources, clock, terminal)?,
        Command::Explain(asked) => explain::run(&asked, &sources, terminal)?,
        Command::Tail(asked) => tail::run(&asked, &sources, terminal)?,
        Command::Top(asked) => top::run(&asked, &sources, terminal)?,
        Command::Users(asked) => access::users(&asked, &sources, terminal)?,
        Command::Tokens(asked) => access::tokens(&asked, &sources, clock, terminal)?,
        Command::Person(asked) => subscribers::person::run(&asked, &sources, clock, terminal)?,
        Command::Smsc(Smsc::Test(asked)) => smsc::test(&asked, &sources, clock, terminal)?,
        Command::Sip(Sip::Explain(asked)) => sip::explain(&asked, &sources, terminal)?,
        Command::Texts(Texts::Preview(asked)) => texts::preview(&asked, &sources, terminal)?,
        Command::Texts(Texts::Export { dir }) => texts::export(&dir, terminal)?,
        Command::Reload(asked) => reload::ask(&asked, &sources, terminal)?,
        Command::Man(asked) => man::print(asked.dir.as_deref(), terminal)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "afterring", &mut script);
            terminal.out.write_all(&script)?;
            OK
        }
    };
    Ok(Next::Exit(code))
}

fn told(faults: &config::Faults, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    writeln!(terminal.err, "{faults}")?;
    Ok(CONFIGURATION)
}

/// Does what a command asks of the database or the store, on this thread.
fn within<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

fn check(sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    match Settings::load(sources) {
        Ok(settings) => {
            writeln!(terminal.out, "ok {}", config::digest(&settings.shown))?;
            Ok(OK)
        }
        Err(faults) => told(&faults, terminal),
    }
}

fn print_config(asked: &Config, sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    if asked.docs {
        write!(terminal.out, "{}", config::markdown())?;
        return Ok(OK);
    }
    if asked.metrics {
        write!(terminal.out, "{}", metrics::docs())?;
        return Ok(OK);
    }
    if asked.template {
        write!(terminal.out, "{}", config::DEFAULTS)?;
        return Ok(OK);
    }
    // What is in force is shown also when some of it can't be used: that is when one looks.
    writeln!(terminal.out, "{}", config::effective(&config::in_force(sources)).trim())?;
    match Settings::load(sources) {
        Ok(_) => Ok(OK),
        Err(faults) => told(&faults, terminal),
    }
}

#[cfg(test)]
mod tests;
