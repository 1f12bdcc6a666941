//! The command line: what an operator may type, and the commands that need no gateway of their own.

mod call;
mod doctor;
mod explain;
mod health;
mod http;
mod migrate;
mod sip;
mod smsc;
mod subscribers;
mod tail;
mod texts;
mod top;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use model::{Clock, Kind, Language, Reason};
use routing::{ClockFace, List};

use crate::config::{self, Settings, Sources};
use crate::metrics;

pub use doctor::Doctor;
pub use explain::ExplainCall;
pub use sip::{Explain, Sip};
pub use tail::Tail;
pub use top::Top;

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

const EXIT_CODES: &str = "\
Exit codes:
  0   done, or stopped as asked
  64  the command line can't be understood
  69  something can't be reached, or isn't ready
  70  a fault of the program
  75  stopped before everything in hand was finished; it goes on at the next start
  78  the settings can't be used; each fault is told

Settings come from the defaults, a file, the environment (AFTERRING_<SECTION>__<KEY>) and --set; later ones win.
'afterring config --docs' lists them all.";

/// Missed-call alerts by SMS, through your SMSC, also while the database is down.
#[derive(Parser, Debug)]
#[command(name = "afterring", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    /// File of settings [env: AFTERRING_CONFIG] [default: ./afterring.toml or /etc/afterring/afterring.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets one setting, over file and environment: --set alert.min_interval=30s (give secrets by file or environment: others see command lines)
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// What to do; 'run' when nothing is said
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What may be asked for.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the gateway until SIGTERM or SIGINT (the default)
    Run,
    /// Show what it does: a gateway, a simulated SMSC with phones, and a page to click on. Needs nothing else
    Demo(Demo),
    /// Check the settings and say every fault; 'ok' and a digest when there is none
    Check,
    /// Print the settings in force and where each was given; secrets are hidden
    Config(Config),
    /// Ask the running gateway whether it lives; exits with 69 when it doesn't
    Health(Health),
    /// Report one missed call to the running gateway, and say what became of it and why
    Call(Call),
    /// Look at everything that the gateway needs, and say of each whether it is well and what to do if not
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Say what the running gateway would decide of a call now, and why; nothing is done
    #[command(after_help = explain::HELP)]
    Explain(ExplainCall),
    /// Follow what the running gateway decides, line by line
    #[command(after_help = tail::HELP)]
    Tail(Tail),
    /// Watch the running gateway on a live screen: calls, messages, links, database, ranges
    #[command(after_help = top::HELP)]
    Top(Top),
    /// Make the database's tables, or bring them to this program's version; for AFTERRING_DATABASE__MIGRATE=false
    Migrate,
    /// Register people by the thousand from a CSV file, or write everybody who is registered into one
    #[command(subcommand)]
    Subscribers(Subscribers),
    /// Keep the lists of who consented, who is a customer, and who is not to be contacted
    #[command(subcommand)]
    Lists(Lists),
    /// Say what is known of one number, or forget it: for privacy requests
    #[command(subcommand)]
    Person(Person),
    /// Look into SIP messages
    #[command(subcommand)]
    Sip(Sip),
    /// Look into SMSCs
    #[command(subcommand)]
    Smsc(Smsc),
    /// Look at the texts of messages, or write your own
    #[command(subcommand)]
    Texts(Texts),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How the demo is shown.
#[derive(Args, Debug, Clone)]
pub struct Demo {
    /// Where the page is served
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Language of the page when the browser asks for none: zh-CN or en
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<Language>,
}

/// What of the settings is printed.
#[derive(Args, Debug)]
pub struct Config {
    /// Print docs/configuration.md instead: every setting and its meaning
    #[arg(long, conflicts_with = "template")]
    pub docs: bool,
    /// Print a commented file with every default instead, to start from
    #[arg(long)]
    pub template: bool,
    /// Print docs/metrics.md instead: every metric and what a rise means
    #[arg(long, conflicts_with_all = ["docs", "template"])]
    pub metrics: bool,
}

/// What is asked of a running gateway.
#[derive(Args, Debug)]
pub struct Health {
    /// Ask whether it should get work, and print each check
    #[arg(long)]
    pub ready: bool,
}

/// A missed call to report.
#[derive(Args, Debug)]
pub struct Call {
    /// Who missed it: a number as your network writes it, such as +8613800000001
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub called: String,
    /// Who rang; nobody known when it isn't given
    #[arg(long, value_name = "NUMBER", conflicts_with = "withheld")]
    pub caller: Option<String>,
    /// The caller withheld the number
    #[arg(long)]
    pub withheld: bool,
    /// Why it was not answered: busy, no_answer, unreachable, unconditional, rejected or unknown
    #[arg(long, default_value = "no_answer", value_parser = reason)]
    pub reason: Reason,
    /// The number it was forwarded to, if any: a short code, or a number as your network writes it
    #[arg(long, value_name = "NUMBER")]
    pub service_number: Option<String>,
    /// Names the call: the same id for the same number is the same call [default: made up anew]
    #[arg(long)]
    pub id: Option<String>,
}

/// What is done with everybody who is registered.
#[derive(Subcommand, Debug)]
pub enum Subscribers {
    /// Register or change everybody in a CSV file
    #[command(after_help = IMPORT_HELP)]
    Import(Import),
    /// Write everybody who is registered as CSV, which 'import' can read
    #[command(after_help = EXPORT_HELP)]
    Export(Export),
}

const IMPORT_HELP: &str = "\
The file is UTF-8 with commas, and its first line names the columns, in any order; only 'number' is required:
  number     as your network writes it: +8613800000001, 008613800000001, 013800000001 (see [numbering])
  status     'active' gets alerts (also where it is empty), 'suspended' is registered and gets none
  language   of texts, such as zh-CN or en; empty: the default
  time_zone  such as Asia/Shanghai; empty: the default
  clock      how times are written, 12 or 24; empty: the default
  quiet      a window of every day in which alerts are held, such as 22:00-07:00; empty: none
  copy_to    who gets a copy of each list of calls, and agreed to it: a number; empty: nobody
Where a column is left out, people who are registered already keep what they have. Nobody is unregistered.
A number that comes again counts with its last row. Rows that can't be used are refused with the reason, and the others are imported all the same;
put right, the file of refused rows can be imported as it is. Running an import again changes nothing more.

Goes to the database where database.url is set, also while gateways run: they follow by themselves. Without, it goes to the local store (store.dir),
which must not be in use by a running gateway.

Exit codes: 0 also when some rows were refused; 64 when all were, or the file can't be used; 69 when the database or the store can't.

Examples:
  afterring subscribers import --dry-run people.csv
  afterring subscribers import people.csv
  printf 'number,language\\n+8613800000001,en\\n' | afterring subscribers import -";

const EXPORT_HELP: &str = "\
Columns: number, status, language, time_zone, clock, quiet, copy_to; in the order of numbers, all as of one moment where there is a database.

Examples:
  afterring subscribers export people.csv
  afterring subscribers export | grep ',suspended,'";

/// What is done with a list.
#[derive(Subcommand, Debug)]
pub enum Lists {
    /// Put everybody of a CSV file on a list
    #[command(after_help = LISTS_HELP)]
    Import {
        /// consent, customers or do-not-contact
        #[arg(value_parser = list)]
        list: List,
        /// From where
        #[command(flatten)]
        import: Import,
    },
    /// Write everybody on a list as CSV, which 'import' can read
    Export {
        /// consent, customers or do-not-contact
        #[arg(value_parser = list)]
        list: List,
        /// To where
        #[command(flatten)]
        export: Export,
    },
    /// Put one number on a list
    Add {
        /// consent, customers or do-not-contact
        #[arg(value_parser = list)]
        list: List,
        /// A number as your network writes it
        number: String,
    },
    /// Take one number off a list
    Remove {
        /// consent, customers or do-not-contact
        #[arg(value_parser = list)]
        list: List,
        /// A number as your network writes it
        number: String,
    },
    /// Say which lists a number is on
    Show {
        /// A number as your network writes it
        number: String,
    },
}

const LISTS_HELP: &str = "\
The file is UTF-8 with commas, and its first line names the column 'number'; the columns of 'subscribers import' may be there and say nothing here.
Nobody is taken off the list. Rows that can't be used are refused with the reason, and the others are imported all the same. Who is on the list already
stays with the day and the source that they have.

Goes to the database where database.url is set, also while gateways run: their next batch is decided by it. Without, it goes to the local store
(store.dir), or, where a gateway runs on that, through its admin listener.

Examples:
  afterring lists import do-not-contact register.csv
  afterring lists add consent +8613800000001
  afterring lists show 13800000001";

fn list(word: &str) -> Result<List, &'static str> {
    List::parse(&word.replace('-', "_")).ok_or("not a list: consent, customers or do-not-contact")
}

/// What is done with one person.
#[derive(Subcommand, Debug)]
pub enum Person {
    /// Write everything that is known of a number as JSON
    Export {
        /// A number as your network writes it
        number: String,
        /// The file, replaced if it is there; '-' for standard output
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
    /// Forget a number: in the database, and in the store of every node as soon as it sees it
    #[command(after_help = ERASE_HELP)]
    Erase {
        /// A number as your network writes it
        number: String,
        /// Why, to be kept with the erasure: 1 to 200 characters in one line
        #[arg(long, value_parser = erasure_reason)]
        reason: String,
    },
}

const ERASE_HELP: &str = "\
Erased: the registration, the call box, calls, replies, alerts, message ids, evidence, and list entries. Stays: charges, as the law on billing asks; the
number on the do-not-contact list, where the person refused or was on it, so that nobody contacts them again; and the number and the reason of the
erasure as long as evidence is kept (retention.evidence), so that nodes that are away do it when they are back. In lists of calls that others were sent
the number stays as a caller until those go. Doing it again does no harm.";

fn erasure_reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("give 1 to 200 characters in one line") }
}

/// Whom to register.
// A variant that flattens it has the same name, and a group can't be there twice.
#[derive(Args, Debug)]
#[group(skip)]
pub struct Import {
    /// The CSV file; '-' for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Read and check everything and say what would change; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where refused rows are written, with the reason [default: FILE.errors.csv, made only if there are any; standard error with '-' or --dry-run]
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
}

/// Where everybody is written.
// A variant that flattens it has the same name, and a group can't be there twice.
#[derive(Args, Debug)]
#[group(skip)]
pub struct Export {
    /// The CSV file, replaced if it is there; '-' for standard output
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
}

/// What is done with an SMSC.
#[derive(Subcommand, Debug)]
pub enum Smsc {
    /// Bind, send one message, wait for its receipt, and say step by step what the SMSC said
    #[command(after_help = SMSC_TEST_HELP)]
    Test(SmscTest),
}

const SMSC_TEST_HELP: &str = "\
Binds by itself, with the settings of smsc.urls: once, or a transmitter and a receiver where they are separate. Nothing else is started, and nothing is stored.
It may be run beside the gateway if the SMSC allows one bind more; the receipt may then go to the gateway's session. Receipts and replies of others that
come to this session are not taken, so that the SMSC delivers them again.

Exit codes: 0 when the message was delivered (or taken, where no receipt is asked for: registered_delivery=0); 69 when it was not, or nobody said so in
time; 64 when the number or the SMSC's name can't be used; 78 when the settings can't.

Examples:
  afterring smsc test --to +8613800000001
  afterring smsc test --to 13800000001 --smsc north --kind teaser --text '查' --timeout 2m
  afterring smsc test --to +8613800000001 --json";

/// A message to send for a test.
#[derive(Args, Debug)]
pub struct SmscTest {
    /// Who gets it: a number as your network writes it, such as +8613800000001
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub to: String,
    /// The SMSC, by its name in smsc.urls; may be left out where there is one only
    #[arg(long, value_name = "NAME")]
    pub smsc: Option<String>,
    /// What it says
    #[arg(long, default_value = "Afterring: test message")]
    pub text: String,
    /// As what it is sent, which decides the originator and how it is written: fallback, detail, teaser or notice
    #[arg(long, default_value = "detail", value_parser = kind)]
    pub kind: Kind,
    /// How long its receipt is waited for
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = patience)]
    pub timeout: Duration,
    /// Then try query_sm, replace_sm and cancel_sm on a second message; best with the phone off, so that the SMSC still has it
    #[arg(long)]
    pub updates: bool,
    /// Print each step as a line of JSON
    #[arg(long)]
    pub json: bool,
}

/// What is done with the texts of messages.
#[derive(Subcommand, Debug)]
pub enum Texts {
    /// Print every text as phones would show it, with its coding, length and parts, and what would make it cheaper
    #[command(after_help = PREVIEW_HELP)]
    Preview(Preview),
    /// Write the shipped texts into a folder, to start your own from; files that are there stay as they are
    Export {
        /// The folder, made when it is missing
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

const PREVIEW_HELP: &str = "\
Shows the texts of text.dir over the shipped ones, filled with made-up calls and the keywords and prices in force. A text that can't be used is told as
'afterring check' tells it. What each text is for, and what may stand in it: docs/texts.md.

Exit codes: 0 when every text can be used; 64 for a language, range or campaign that isn't there; 78 when a text or a setting can't be used.

Examples:
  afterring texts preview --language en --kind teaser
  afterring texts preview --range north --campaign summer
  afterring --set text.dir=./texts texts preview --json";

/// Which texts are shown.
#[derive(Args, Debug)]
pub struct Preview {
    /// In this language only
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<Language>,
    /// As people in this range get them
    #[arg(long, value_name = "NAME")]
    pub range: Option<String>,
    /// As people get them whose teaser carries this campaign
    #[arg(long, value_name = "NAME")]
    pub campaign: Option<String>,
    /// Of this kind only: fallback, detail, teaser, notice or notify
    #[arg(long, value_parser = kind)]
    pub kind: Option<Kind>,
    /// With times on this clock: 24 or 12 [default: the range's, else text.clock]
    #[arg(long, value_name = "HOURS", value_parser = clock_face)]
    pub clock: Option<ClockFace>,
    /// Print each text as a line of JSON
    #[arg(long)]
    pub json: bool,
}

fn clock_face(word: &str) -> Result<ClockFace, &'static str> {
    ClockFace::parse(word).ok_or("not a clock: 24 or 12")
}

/// Longer than a day nobody looks at a terminal.
fn patience(text: &str) -> Result<Duration, String> {
    config::length_of_time(text, Duration::from_millis(100), Duration::from_secs(24 * 3600))
}

fn kind(word: &str) -> Result<Kind, &'static str> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or("not a kind of message: fallback, detail, teaser, notice or notify")
}

fn reason(word: &str) -> Result<Reason, &'static str> {
    Reason::parse(word).ok_or("not a reason: busy, no_answer, unreachable, unconditional, rejected or unknown")
}

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
        _ => Next::Exit(UNAVAILABLE),
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
    let sources = sources(cli.config, cli.set);
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
        Command::Doctor(asked) => doctor::run(&asked, &sources, clock, terminal)?,
        Command::Explain(asked) => explain::run(&asked, &sources, terminal)?,
        Command::Tail(asked) => tail::run(&asked, &sources, terminal)?,
        Command::Top(asked) => top::run(&asked, &sources, terminal)?,
        Command::Migrate => migrate::migrate(&sources, terminal)?,
        Command::Subscribers(Subscribers::Import(asked)) => subscribers::import(&asked, &sources, clock, terminal)?,
        Command::Subscribers(Subscribers::Export(asked)) => subscribers::export(&asked, &sources, clock, terminal)?,
        Command::Lists(asked) => subscribers::lists::run(&asked, &sources, clock, terminal)?,
        Command::Person(asked) => subscribers::person::run(&asked, &sources, clock, terminal)?,
        Command::Smsc(Smsc::Test(asked)) => smsc::test(&asked, &sources, clock, terminal)?,
        Command::Sip(Sip::Explain(asked)) => sip::explain(&asked, &sources, terminal)?,
        Command::Texts(Texts::Preview(asked)) => texts::preview(&asked, &sources, terminal)?,
        Command::Texts(Texts::Export { dir }) => texts::export(&dir, terminal)?,
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
