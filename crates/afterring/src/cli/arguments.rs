//! What an operator may type: the commands and their arguments. Each is done in the file of its name above this folder.

mod access;
mod registry;
mod smsc;
mod texts;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use model::{Kind, Language, Reason};

use access::{TOKENS_HELP, USERS_HELP};

pub use super::doctor::Doctor;
pub use super::explain::ExplainCall;
pub use super::sip::Sip;
pub use super::tail::Tail;
pub use super::top::Top;
pub use access::{Tokens, Users};
pub use registry::{Export, Import, Lists, Person, Subscribers};
pub use smsc::{Smsc, SmscTest};
pub use texts::{Preview, Texts};

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
    /// How log lines are written: json, text, or auto (text on a terminal, else JSON); the same as --set log.format=…
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["auto", "json", "text"])]
    pub log_format: Option<String>,
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
    /// Say who may sign in to the console: users with passwords and roles
    #[command(subcommand, after_help = USERS_HELP)]
    Users(Users),
    /// Say which programs may come in: tokens for feeds and for the operators' API
    #[command(subcommand, after_help = TOKENS_HELP)]
    Tokens(Tokens),
    /// Look at everything that the gateway needs, and say of each whether it is well and what to do if not
    #[command(after_help = super::doctor::HELP)]
    Doctor(Doctor),
    /// Say what the running gateway would decide of a call now, and why; nothing is done
    #[command(after_help = super::explain::HELP)]
    Explain(ExplainCall),
    /// Follow what the running gateway decides, line by line
    #[command(after_help = super::tail::HELP)]
    Tail(Tail),
    /// Watch the running gateway on a live screen: calls, messages, links, database, ranges
    #[command(after_help = super::top::HELP)]
    Top(Top),
    /// Look into SIP messages
    #[command(subcommand)]
    Sip(Sip),
    /// Look into SMSCs
    #[command(subcommand)]
    Smsc(Smsc),
    /// Look at the texts of messages, or write your own
    #[command(subcommand)]
    Texts(Texts),
    /// Have the running gateway read its settings anew (as SIGHUP does), and say what is in force now and what waits for a restart
    #[command(after_help = RELOAD_HELP)]
    Reload(Reload),
    /// Print the manual page, or write those of all commands
    Man(Man),
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

const RELOAD_HELP: &str = "\
Everything is read as at the start: the file, and the files of secrets and texts; the environment and the flags are those that the gateway was started
with. All of it is checked. Where something is wrong, nothing is changed. Else what decisions are taken by ([service], [keywords], [alert], [teaser],
[text], [reply], [notify], ranges, campaigns), log.filter and stop.grace are in force at once; whatever else changed waits for a restart, and is named.

Exit codes: 0 when it was applied; 78 when the settings are refused, with each fault; 69 when the gateway can't be reached.

Examples:
  afterring check && afterring reload
  afterring reload --reason 'more people in the north'";

/// How settings are read anew.
#[derive(Args, Debug)]
pub struct Reload {
    /// Why, for the audit log: 1 to 200 characters in one line
    #[arg(long)]
    pub reason: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which manual pages.
#[derive(Args, Debug)]
pub struct Man {
    /// Write a page for each command into this folder, made when it is missing: afterring.1, afterring-reload.1, …
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
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
fn kind(word: &str) -> Result<Kind, &'static str> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or("not a kind of message: fallback, detail, teaser, notice or notify")
}

pub(super) fn reason(word: &str) -> Result<Reason, &'static str> {
    Reason::parse(word).ok_or("not a reason: busy, no_answer, unreachable, unconditional, rejected or unknown")
}
