//! `afterring migrate`: brings the database's tables to this program's version.

use std::io;

use store::Migrated;

use super::{CONFIGURATION, OK, Terminal, UNAVAILABLE, told, within};
use crate::config::{Registry, Sources};

pub(super) fn migrate(sources: &Sources, terminal: &mut Terminal<'_>) -> io::Result<u8> {
    let registry = match Registry::load(sources) {
        Ok(registry) => registry,
        Err(faults) => return told(&faults, terminal),
    };
    let Some(database) = registry.database else {
        writeln!(
            terminal.err,
            "database.url is not set: there is no database to migrate. Set AFTERRING_DATABASE__URL"
        )?;
        return Ok(CONFIGURATION);
    };
    match within(store::migrate_now(&database))? {
        Ok(Migrated { from, to }) if from < to => writeln!(terminal.out, "tables: version {from} → {to}")?,
        Ok(Migrated { from, .. }) => writeln!(terminal.out, "tables: version {from}, nothing to do")?,
        Err(fault) => {
            writeln!(terminal.err, "database: {fault}")?;
            return Ok(UNAVAILABLE);
        }
    }
    Ok(OK)
}
