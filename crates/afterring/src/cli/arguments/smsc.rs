//! Commands that look into SMSCs.

use std::time::Duration;

use clap::{Args, Subcommand};
use model::Kind;

use super::kind;
use crate::config;

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

/// Longer than a day nobody looks at a terminal.
fn patience(text: &str) -> Result<Duration, String> {
    config::length_of_time(text, Duration::from_millis(100), Duration::from_secs(24 * 3600))
}
