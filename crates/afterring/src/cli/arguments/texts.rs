//! Commands that work with the texts of messages.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::{Kind, Language};
use routing::ClockFace;

use super::kind;

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
