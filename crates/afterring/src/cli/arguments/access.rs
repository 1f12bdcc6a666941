//! Who may sign in, and which programs may come in.

use std::path::PathBuf;

use clap::Subcommand;
use console::access::{Role, Scope};

use crate::cli::access;

pub(super) const USERS_HELP: &str = "\
Users are kept in admin.users (users.json in store.dir). A running gateway takes changes within a second or two. Passwords are asked for without being
shown, read from a file (--password-file), or from the first line of standard input where that is no terminal.

Roles: viewer looks, with numbers hidden; care also sees numbers and changes people; operator keeps the gateway running; admin may everything.

Examples:
  afterring users add anna --role admin
  afterring users role anna operator";

pub(super) const TOKENS_HELP: &str = "\
Tokens are shown as 'Authorization: Bearer aft_…'; only what checks them is kept, in admin.users. A running gateway takes changes within a second or two.

Scopes: ingest reports calls (POST /v1/calls) and nothing else; read reads everything, numbers in full; operate also changes people and the gateway's work.

Examples:
  afterring tokens add msc-feed --scope ingest
  afterring tokens remove msc-feed";

/// Who may sign in.
#[derive(Subcommand, Debug)]
pub enum Users {
    /// Add a user
    Add {
        /// What they sign in with
        name: String,
        /// viewer, care, operator or admin
        #[arg(long, value_parser = access::role)]
        role: Role,
        /// File whose content is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Print each user and role
    List,
    /// Take a user away
    Remove {
        /// Whom
        name: String,
    },
    /// Give a user another password
    Password {
        /// Whom
        name: String,
        /// File whose content is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Give a user another role
    Role {
        /// Whom
        name: String,
        /// viewer, care, operator or admin
        #[arg(value_parser = access::role)]
        role: Role,
    },
}

/// Which programs may come in.
#[derive(Subcommand, Debug)]
pub enum Tokens {
    /// Make a token, and print it this once
    Add {
        /// What you call it
        name: String,
        /// ingest, read or operate
        #[arg(long, value_parser = access::scope)]
        scope: Scope,
    },
    /// Print each token's name, scope and age; never the token
    List,
    /// Take a token away
    Remove {
        /// Which
        name: String,
    },
}
