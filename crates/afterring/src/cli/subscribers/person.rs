//! `afterring person`: what is known of one number, and that it is forgotten.

use std::io::{self, Write};

use model::Clock;
use serde_json::Value;

use super::desk::Desk;
use super::errors::create;
use super::registry::{Act, Trouble};
use super::{failed, is_standard};
use crate::cli::{OK, Person, Terminal, UNAVAILABLE, USAGE, told, within};
use crate::config::{self, Sources};

pub(in crate::cli) fn run(
    asked: &Person,
    sources: &Sources,
    clock: Clock,
    terminal: &mut Terminal<'_>,
) -> io::Result<u8> {
    let settings = match config::Registry::load(sources) {
        Ok(settings) => settings,
        Err(faults) => return told(&faults, terminal),
    };
    let text = match asked {
        Person::Export { number, .. } | Person::Erase { number, .. } => number,
    };
    let number = match settings.numbering.normalise(text) {
        Ok(number) => number,
        Err(error) => {
            writeln!(terminal.err, "{text}: {error}")?;
            return Ok(USAGE);
        }
    };
    let now = clock();
    let done: Result<Option<Value>, Trouble> = within(async {
        let mut desk = Desk::open(&settings, sources, now, Act::Compare).await?;
        let done = match asked {
            Person::Export { .. } => desk.person(number).await,
            Person::Erase { reason, .. } => desk.erase(number, reason, now).await.map(Some),
        };
        desk.close().await;
        done
    })?;
    match (done, asked) {
        (Err(trouble), _) => failed(&trouble, terminal),
        (Ok(None), _) => {
            writeln!(terminal.err, "nothing is known of +{}", number.reveal())?;
            Ok(UNAVAILABLE)
        }
        (Ok(Some(known)), Person::Export { file, .. }) if !is_standard(file) => {
            writeln!(create(file)?, "{known:#}")?;
            Ok(OK)
        }
        (Ok(Some(value)), Person::Export { .. } | Person::Erase { .. }) => {
            writeln!(terminal.out, "{value:#}")?;
            Ok(OK)
        }
    }
}
