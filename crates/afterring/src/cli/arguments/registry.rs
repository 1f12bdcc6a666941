//! Commands that work with who is registered and with lists.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use routing::List;

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
